#include "anchoring/tron/abi.h"

#include "crypto/hash.h"

namespace windlass::tron::abi {
namespace {

constexpr std::size_t amount_padding = word_bytes - sizeof(Uint128);

bool is_padded(ByteView word, std::size_t zeros) {
  return word.size() == word_bytes && word.substr(0, zeros).find_first_not_of('\0') == ByteView::npos;
}

}  // namespace

std::string selector(std::string_view signature) {
  return topic(signature).substr(0, selector_bytes);
}

std::string topic(std::string_view signature) {
  return std::string(view(keccak256(signature)));
}

std::string word(Uint128 value) {
  std::string out(amount_padding, '\0');
  append_be(out, static_cast<std::uint64_t>(value >> 64));
  append_be(out, static_cast<std::uint64_t>(value));
  return out;
}

std::string word(const Address& address) {
  std::string out(address_padding, '\0');
  out += view(address.bytes).substr(1);
  return out;
}

std::optional<Address> read_address(ByteView word) {
  if (!is_padded(word, address_padding)) return std::nullopt;
  return address_from_bytes("\x41" + std::string(word.substr(address_padding)));
}

std::optional<Uint128> read_amount(ByteView word) {
  if (!is_padded(word, amount_padding)) return std::nullopt;
  ByteReader reader(word.substr(amount_padding));
  auto high = reader.be<std::uint64_t>();
  return Uint128{high} << 64 | reader.be<std::uint64_t>();
}

}  // namespace windlass::tron::abi
