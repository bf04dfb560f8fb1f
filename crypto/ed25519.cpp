#include "crypto/ed25519.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <cstdlib>
#include <memory>

namespace windlass {
namespace {

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using PKey = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;

const unsigned char* data(ByteView bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

PKey private_key(const ByteArray<32>& seed) {
  PKey key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()));
  if (!key) std::abort();
  return key;
}

}  // namespace

Ed25519SecretKey Ed25519SecretKey::generate() { return from_seed(random_array<32>()); }

Ed25519SecretKey Ed25519SecretKey::from_seed(const ByteArray<32>& seed) {
  Ed25519SecretKey key;
  key.seed_ = seed;
  std::size_t length = key.public_.size();
  if (EVP_PKEY_get_raw_public_key(private_key(seed).get(), key.public_.data(), &length) != 1) std::abort();
  return key;
}

Ed25519SecretKey::~Ed25519SecretKey() { OPENSSL_cleanse(seed_.data(), seed_.size()); }

Ed25519Signature Ed25519SecretKey::sign(ByteView message) const {
  PKey key = private_key(seed_);
  DigestContext context(EVP_MD_CTX_new());
  Ed25519Signature out;
  std::size_t length = out.size();
  if (!context || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), out.data(), &length, data(message), message.size()) != 1)
    std::abort();
  return out;
}

bool verify_ed25519(const Ed25519PublicKey& key, ByteView message, ByteView signature) {
  if (signature.size() != 64) return false;
  PKey parsed(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.data(), key.size()));
  DigestContext context(EVP_MD_CTX_new());
  return parsed && context && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, parsed.get()) == 1 &&
         EVP_DigestVerify(context.get(), data(signature), signature.size(), data(message), message.size()) == 1;
}

}  // namespace windlass
