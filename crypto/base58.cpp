#include "crypto/base58.h"

#include <algorithm>

#include "crypto/hash.h"

namespace windlass {
namespace {

constexpr std::string_view alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
constexpr std::size_t max_text = 128;  // far above an address's 34; the conversion is quadratic
constexpr std::size_t checksum_bytes = 4;

std::string checksum(ByteView payload) {
  return std::string(view(sha256(view(sha256(payload)))).substr(0, checksum_bytes));
}

// `digits` is a big-endian number in base `from`; the same number in base `to`, most significant digit first.
std::string convert_base(std::string digits, int from, int to) {
  std::string out;
  auto begin = std::find_if(digits.begin(), digits.end(), [](char c) { return c != 0; });
  while (begin != digits.end()) {
    int remainder = 0;
    for (auto digit = begin; digit != digits.end(); ++digit) {
      int value = remainder * from + static_cast<std::uint8_t>(*digit);
      *digit = static_cast<char>(value / to);
      remainder = value % to;
    }
    out.push_back(static_cast<char>(remainder));
    begin = std::find_if(begin, digits.end(), [](char c) { return c != 0; });
  }
  std::reverse(out.begin(), out.end());
  return out;
}

}  // namespace

std::string base58check_encode(ByteView payload) {
  std::string bytes(payload);
  bytes += checksum(payload);
  std::size_t zeros = std::min(bytes.find_first_not_of('\0'), bytes.size());
  std::string text(zeros, alphabet[0]);
  for (char digit : convert_base(bytes, 256, 58)) text.push_back(alphabet[static_cast<std::uint8_t>(digit)]);
  return text;
}

std::optional<std::string> base58check_decode(std::string_view text) {
  if (text.size() > max_text) return std::nullopt;
  std::string digits;
  for (char c : text) {
    auto position = alphabet.find(c);
    if (position == std::string_view::npos) return std::nullopt;
    digits.push_back(static_cast<char>(position));
  }
  std::size_t zeros = std::min(digits.find_first_not_of('\0'), digits.size());
  std::string bytes = std::string(zeros, '\0') + convert_base(digits, 58, 256);
  if (bytes.size() < checksum_bytes) return std::nullopt;
  std::string payload = bytes.substr(0, bytes.size() - checksum_bytes);
  if (checksum(payload) != bytes.substr(payload.size())) return std::nullopt;
  return payload;
}

}  // namespace windlass
