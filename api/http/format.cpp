#include "api/http/format.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <charconv>

#include "crypto/base58.h"
#include "crypto/tron_address.h"

namespace windlass::api {

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || std::to_string(value) != text) return std::nullopt;
  return value;
}

bool looks_like_key(std::string_view text) {
  return text.size() == 66 || text.size() == 130 || (text.size() == 34 && text.front() == 'T');
}

Answered<core::Key> named_key(Reader& reader, std::string_view text) {
  if (auto bytes = from_hex(text)) {
    if (auto key = compress_key(*bytes)) return *key;
    return tl::unexpected(core::Error::bad_key);
  }
  auto address = base58check_decode(text);
  if (!address || address->size() != sizeof(TronAddress)) return tl::unexpected(core::Error::bad_key);
  return reader.key_of_address(*address);
}

std::string tron_text(ByteView address) {
  return address.empty() ? "" : base58check_encode(address);
}
std::string tron_text(const core::Key& key) {
  return tron_text(view(tron_address(key)));
}

std::string decimal_text(core::ChainAmount amount) {
  std::string out;
  do out.insert(out.begin(), static_cast<char>('0' + static_cast<int>(amount % 10)));
  while ((amount /= 10) != 0);
  return out;
}

std::string amount_text(core::Amount amount, std::uint32_t decimals) {
  bool negative = amount < 0;
  std::string digits = decimal_text(negative ? -static_cast<core::Int128>(amount) : amount);
  if (digits.size() <= decimals) digits.insert(0, decimals + 1 - digits.size(), '0');
  std::string whole = digits.substr(0, digits.size() - decimals),
              fraction = digits.substr(digits.size() - decimals);
  fraction.erase(fraction.find_last_not_of('0') + 1);
  return (negative ? "-" : "") + whole + (fraction.empty() ? "" : "." + fraction);
}

std::string time_text(core::TimeUs time_us) {
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC",
                     fmt::gmtime(static_cast<std::time_t>(time_us / core::second_us)));
}

std::optional<std::uint64_t> number_of(core::Sequence sequence) {
  if (sequence == core::no_sequence) return std::nullopt;
  return sequence.value;
}

// By the gRPC status that the error has, as google.api.HttpRule maps them.
int http_status(core::Error error) {
  switch (core::info(error).grpc_status) {
    case 5:
      return 404;
    case 6:
      return 409;
    case 7:
      return 403;
    case 8:
      return 429;
    case 13:
    case 15:
      return 500;
    case 14:
      return 503;
    case 16:
      return 401;
    default:
      return 400;
  }
}

}  // namespace windlass::api
