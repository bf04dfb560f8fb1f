// Byte strings and their text form. Everything binary in Windlass is a std::string (owned) or a ByteView (borrowed),
// fixed-width values are std::array: both convert to ByteView.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace windlass {

using ByteView = std::string_view;  // bytes, not text; protobuf's own type for `bytes`

template <std::size_t N>
using ByteArray = std::array<std::uint8_t, N>;

template <std::size_t N>
ByteView view(const ByteArray<N>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), N};
}

// The N bytes of `bytes`, or nothing when its length is another.
template <std::size_t N>
std::optional<ByteArray<N>> to_array(ByteView bytes) {
  if (bytes.size() != N) return std::nullopt;
  ByteArray<N> out;
  std::memcpy(out.data(), bytes.data(), N);
  return out;
}

std::string to_hex(ByteView bytes);
template <std::size_t N>
std::string to_hex(const ByteArray<N>& bytes) {
  return to_hex(view(bytes));
}
// Either case; no prefix, no white space. Nothing when the text is not an even number of hex digits.
std::optional<std::string> from_hex(std::string_view text);

std::string to_base64(ByteView bytes);  // standard alphabet, padded
std::optional<std::string> from_base64(std::string_view text);

// Big-endian integers: every fixed layout of Windlass uses them.
template <typename Integer>
void append_be(std::string& out, Integer value) {
  using Unsigned = std::make_unsigned_t<Integer>;
  auto bits = static_cast<Unsigned>(value);
  char bytes[sizeof(Integer)];
  for (std::size_t i = sizeof(Integer); i-- > 0; bits = static_cast<Unsigned>(bits >> 7 >> 1))
    bytes[i] = static_cast<char>(bits & 0xff);
  out.append(bytes, sizeof(Integer));
}

// Reads a fixed layout front to back; a read past the end makes it, and all that follow, fail.
class ByteReader {
 public:
  explicit ByteReader(ByteView bytes) : rest_(bytes) {}
  template <typename Integer>
  Integer be() {
    ByteView raw = take(sizeof(Integer));
    std::make_unsigned_t<Integer> value = 0;
    for (char c : raw) value = static_cast<decltype(value)>(value << 7 << 1 | static_cast<std::uint8_t>(c));
    return static_cast<Integer>(value);
  }
  ByteView take(std::size_t count) {
    if (count > rest_.size()) {
      failed_ = true;
      rest_ = {};
      return {};
    }
    ByteView out = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return out;
  }
  template <std::size_t N>
  ByteArray<N> array() {
    ByteArray<N> out{};
    if (auto raw = take(N); raw.size() == N) std::memcpy(out.data(), raw.data(), N);
    return out;
  }
  bool failed() const { return failed_; }
  bool done() const { return !failed_ && rest_.empty(); }  // all was there, and nothing more
  std::size_t remaining() const { return rest_.size(); }

 private:
  ByteView rest_;
  bool failed_ = false;
};

}  // namespace windlass
