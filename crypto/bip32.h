// Extended keys (BIP-32): from one public key those of any number of children, without a secret. The secret
// keys of the children follow from the extended secret key alone.
#pragma once

#include <tl/expected.hpp>

#include "crypto/secp256k1.h"

namespace windlass {

// Children of higher numbers are hardened: only the extended secret key has them.
constexpr std::uint32_t first_hardened_child = 0x80000000;

// Where a key stands in its tree, and what its children's keys are mixed with.
struct ExtendedKeyPlace {
  std::uint8_t depth = 0;  // 0: the root
  ByteArray<4> parent{};   // first bytes of the parent key's identifier
  std::uint32_t number = 0;
  ByteArray<32> chain_code{};
  bool operator==(const ExtendedKeyPlace&) const = default;
};

class ExtendedPublicKey {
 public:
  ExtendedPublicKey(const ExtendedKeyPlace& place, const PublicKey& key) : place_(place), key_(key) {}
  // From "xpub...". The error says what it is instead.
  static tl::expected<ExtendedPublicKey, std::string> parse(std::string_view text);
  std::string text() const;

  const PublicKey& key() const { return key_; }
  // Nothing where `number` is hardened, and for 1 in 2^127 numbers that have no key.
  std::optional<ExtendedPublicKey> child(std::uint32_t number) const;
  bool operator==(const ExtendedPublicKey&) const = default;

 private:
  ExtendedKeyPlace place_;
  PublicKey key_;
};

class ExtendedSecretKey {
 public:
  // The root that belongs to a seed of 16 to 64 bytes; nothing for 1 in 2^127 seeds.
  static std::optional<ExtendedSecretKey> from_seed(ByteView seed);
  // From "xprv...". The error says what it is instead; it holds nothing of the text.
  static tl::expected<ExtendedSecretKey, std::string> parse(std::string_view text);
  std::string text() const;  // for writing a key file, nothing else

  const SecretKey& key() const { return key_; }
  ExtendedPublicKey public_key() const { return {place_, key_.public_key()}; }
  std::optional<ExtendedSecretKey> child(std::uint32_t number) const;

 private:
  ExtendedSecretKey(const ExtendedKeyPlace& place, SecretKey key) : place_(place), key_(std::move(key)) {}
  ExtendedKeyPlace place_;
  SecretKey key_;
};

}  // namespace windlass
