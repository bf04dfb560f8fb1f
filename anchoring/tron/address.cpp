#include "anchoring/tron/address.h"

#include "crypto/base58.h"
#include "crypto/tron_address.h"

namespace windlass::tron {
namespace {

constexpr std::uint8_t prefix = 0x41;

}  // namespace

Address address_of(const PublicKey& key) {
  return Address{tron_address(key)};
}

std::string to_base58(const Address& address) {
  return base58check_encode(view(address.bytes));
}

std::optional<Address> address_from_bytes(ByteView bytes) {
  auto array = to_array<21>(bytes);
  if (!array || (*array)[0] != prefix) return std::nullopt;
  return Address{*array};
}

std::optional<Address> address_from_base58(std::string_view text) {
  auto bytes = base58check_decode(text);
  if (!bytes) return std::nullopt;
  return address_from_bytes(*bytes);
}

}  // namespace windlass::tron
