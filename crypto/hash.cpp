#include "crypto/hash.h"

#include <botan/hash.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <cstdlib>
#include <memory>

namespace windlass {
namespace {

// One fetched digest and one context a thread: a quarter of the cost of the one-shot call.
struct Sha256Context {
  EVP_MD* md = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  EVP_MD_CTX* ctx = EVP_MD_CTX_new();
  Sha256Context() = default;
  Sha256Context(const Sha256Context&) = delete;
  Sha256Context& operator=(const Sha256Context&) = delete;
  ~Sha256Context() {
    EVP_MD_CTX_free(ctx);
    EVP_MD_free(md);
  }
};

}  // namespace

Hash sha256(ByteView data) { return sha256({data}); }

Hash sha256(std::initializer_list<ByteView> parts) {
  thread_local Sha256Context context;
  Hash out;
  bool ok = EVP_DigestInit_ex2(context.ctx, context.md, nullptr) == 1;
  for (ByteView part : parts) ok = ok && EVP_DigestUpdate(context.ctx, part.data(), part.size()) == 1;
  if (!ok || EVP_DigestFinal_ex(context.ctx, out.data(), nullptr) != 1) std::abort();
  return out;
}

Hash keccak256(ByteView data) {
  thread_local std::unique_ptr<Botan::HashFunction> keccak = Botan::HashFunction::create_or_throw("Keccak-1600(256)");
  Hash out;
  keccak->update(reinterpret_cast<const std::uint8_t*>(data.data()), data.size());
  keccak->final(out.data());
  return out;
}

void random_bytes(std::uint8_t* out, std::size_t count) {
  if (RAND_bytes(out, static_cast<int>(count)) != 1) std::abort();
}

}  // namespace windlass
