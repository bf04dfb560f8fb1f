// The TRON address of a key: 0x41, then the last 20 bytes of Keccak-256 over the uncompressed key's X and Y.
#pragma once

#include "crypto/secp256k1.h"

namespace windlass {

using TronAddress = ByteArray<21>;
constexpr std::uint8_t tron_address_prefix = 0x41;

TronAddress tron_address(const PublicKey& key);  // `key` must be valid

}  // namespace windlass
