// TRON addresses: 0x41 and the last 20 bytes of Keccak-256 over the uncompressed key, written as base58check.
#pragma once

#include "crypto/secp256k1.h"

namespace windlass::tron {

struct Address {
  ByteArray<21> bytes{};  // first byte 0x41
  auto operator<=>(const Address&) const = default;
};

Address address_of(const PublicKey& key);
std::string to_base58(const Address& address);
// 21 bytes, the first 0x41.
std::optional<Address> address_from_bytes(ByteView bytes);
// From base58check ("T...") only; nothing when the checksum, the length or the prefix is wrong.
std::optional<Address> address_from_base58(std::string_view text);

}  // namespace windlass::tron
