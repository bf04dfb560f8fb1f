// SHA-256 (OpenSSL) and Keccak-256 (Botan; what Ethereum and TRON use, not SHA3-256).
#pragma once

#include "crypto/bytes.h"

namespace windlass {

using Hash = ByteArray<32>;

Hash sha256(ByteView data);
// Of the concatenation, without building it.
Hash sha256(std::initializer_list<ByteView> parts);
Hash keccak256(ByteView data);

// Random bytes from the operating system; aborts when it has none (nothing can be signed or salted then).
void random_bytes(std::uint8_t* out, std::size_t count);
template <std::size_t N>
ByteArray<N> random_array() {
  ByteArray<N> out;
  random_bytes(out.data(), N);
  return out;
}

}  // namespace windlass
