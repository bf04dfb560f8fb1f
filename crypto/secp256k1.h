// secp256k1 keys and ECDSA signatures (libsecp256k1).
#pragma once

#include "crypto/hash.h"

namespace windlass {

class PointCache;

using PublicKey = ByteArray<33>;             // compressed: 02 or 03, then X
using UncompressedKey = ByteArray<65>;       // 04, X, Y
using CompactSignature = ByteArray<64>;      // r, s
using RecoverableSignature = ByteArray<65>;  // r, s, v with v 0..3

// A private key. It cannot be printed or compared by accident, and is wiped when it goes.
class SecretKey {
 public:
  static SecretKey generate();
  // Nothing unless it is 32 bytes, not zero and below the group's order.
  static std::optional<SecretKey> from_bytes(ByteView bytes);
  SecretKey(SecretKey&&) noexcept;
  SecretKey& operator=(SecretKey&&) noexcept;
  SecretKey(const SecretKey&) = default;
  SecretKey& operator=(const SecretKey&) = default;
  ~SecretKey();

  PublicKey public_key() const;
  // RFC 6979, always low-S.
  CompactSignature sign(const Hash& digest) const;
  RecoverableSignature sign_recoverable(const Hash& digest) const;
  // For writing a key file, nothing else.
  const ByteArray<32>& reveal() const { return bytes_; }

 private:
  SecretKey() = default;
  ByteArray<32> bytes_{};
};

enum class SignatureCheck { valid, bad_key, malformed, high_s, wrong };

// `key` 33 bytes compressed, `signature` 64 bytes r||s with low S, over `digest`. With `points` sooner, where
// the key has signed before.
SignatureCheck verify_signature(ByteView key, ByteView signature, const Hash& digest,
                                PointCache* points = nullptr);

// The same signature as ASN.1 DER, and back. Strictly DER: nothing before, between or after it. Any S is
// taken, and made low; nothing when r or s is not from 1 to the group's order - 1.
std::string signature_to_der(const CompactSignature& signature);
std::optional<CompactSignature> signature_from_der(ByteView der);

// Whether the 33 bytes are a point on the curve.
bool is_public_key(ByteView key);
// From 33 compressed or 65 uncompressed bytes (04 only; hybrid forms are refused). Nothing when it is no key.
std::optional<PublicKey> compress_key(ByteView key);
UncompressedKey uncompress_key(const PublicKey& key);  // `key` must be valid
// The key that made `signature` (r||s||v, v 0..3 or 27..30, any S) over `digest`, if any.
std::optional<PublicKey> recover_key(ByteView signature, const Hash& digest);

}  // namespace windlass
