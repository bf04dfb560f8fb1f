#include "crypto/bytes.h"

#include <absl/strings/escaping.h>

namespace windlass {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// absl has a string_view of its own where it was built as C++14 (Debian's is).
absl::string_view absl_view(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

std::string to_hex(ByteView bytes) { return absl::BytesToHexString(absl_view(bytes)); }

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<char>(high << 4 | low));
  }
  return out;
}

std::string to_base64(ByteView bytes) { return absl::Base64Escape(absl_view(bytes)); }

std::optional<std::string> from_base64(std::string_view text) {
  std::string out;
  // absl forgives white space, missing padding and stray bits; a signature's text form must be the only one.
  if (!absl::Base64Unescape(absl_view(text), &out) || to_base64(out) != text) return std::nullopt;
  return out;
}

}  // namespace windlass
