// Ed25519 (OpenSSL): what signed notes are signed with.
#pragma once

#include "crypto/hash.h"

namespace windlass {

using Ed25519PublicKey = ByteArray<32>;
using Ed25519Signature = ByteArray<64>;

class Ed25519SecretKey {
 public:
  static Ed25519SecretKey generate();
  static Ed25519SecretKey from_seed(const ByteArray<32>& seed);
  Ed25519SecretKey(const Ed25519SecretKey&) = default;
  Ed25519SecretKey& operator=(const Ed25519SecretKey&) = default;
  ~Ed25519SecretKey();

  const Ed25519PublicKey& public_key() const { return public_; }
  Ed25519Signature sign(ByteView message) const;
  // For writing a key file, nothing else.
  const ByteArray<32>& reveal_seed() const { return seed_; }

 private:
  Ed25519SecretKey() = default;
  ByteArray<32> seed_{};
  Ed25519PublicKey public_{};
};

bool verify_ed25519(const Ed25519PublicKey& key, ByteView message, ByteView signature);

}  // namespace windlass
