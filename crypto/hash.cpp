#include "crypto/hash.h"

#include <botan/hash.h>
#include <openssl/rand.h>

#include <cstdlib>

namespace windlass {
namespace {

Hash digest(Botan::HashFunction& function, std::initializer_list<ByteView> parts) {
  for (ByteView part : parts)
    function.update(reinterpret_cast<const std::uint8_t*>(part.data()), part.size());
  Hash out;
  function.final(out.data());
  return out;
}

}  // namespace

Hash sha256(ByteView data) {
  return sha256({data});
}

Hash sha256(std::initializer_list<ByteView> parts) {
  thread_local auto function = Botan::HashFunction::create_or_throw("SHA-256");
  return digest(*function, parts);
}

Hash keccak256(ByteView data) {
  thread_local auto function = Botan::HashFunction::create_or_throw("Keccak-1600(256)");
  return digest(*function, {data});
}

void random_bytes(std::uint8_t* out, std::size_t count) {
  if (RAND_bytes(out, static_cast<int>(count)) != 1) std::abort();
}

}  // namespace windlass
