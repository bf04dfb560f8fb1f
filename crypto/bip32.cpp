#include "crypto/bip32.h"

#include <botan/hash.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <secp256k1.h>

#include <cstdlib>

#include "crypto/base58.h"

namespace windlass {
namespace {

using tl::unexpected;

// Version, depth, parent, number, chain code, key; integers are big-endian.
constexpr std::uint32_t public_version = 0x0488B21E, secret_version = 0x0488ADE4;
constexpr std::size_t serialized_bytes = 78, key_offset = 45;

const unsigned char* data(ByteView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

ByteArray<64> hmac_sha512(ByteView key, ByteView message) {
  ByteArray<64> out;
  if (!HMAC(EVP_sha512(), key.data(), static_cast<int>(key.size()), data(message), message.size(), out.data(),
            nullptr))
    std::abort();
  return out;
}

// The first bytes of a key's identifier, RIPEMD-160 of its SHA-256.
ByteArray<4> fingerprint(const PublicKey& key) {
  auto ripemd = Botan::HashFunction::create_or_throw("RIPEMD-160");
  Hash inner = sha256(view(key));
  auto identifier = ripemd->process(inner.data(), inner.size());
  return {identifier[0], identifier[1], identifier[2], identifier[3]};
}

// key + addend * G; nothing when the addend is not below the group's order, or nothing is left of the sum.
std::optional<PublicKey> plus(const PublicKey& key, ByteView addend) {
  const auto* context = secp256k1_context_static;  // enough for what needs no secret
  secp256k1_pubkey sum;
  if (secp256k1_ec_pubkey_parse(context, &sum, key.data(), key.size()) != 1) return std::nullopt;
  if (secp256k1_ec_pubkey_tweak_add(context, &sum, data(addend)) != 1) return std::nullopt;
  PublicKey out;
  std::size_t length = out.size();
  secp256k1_ec_pubkey_serialize(context, out.data(), &length, &sum, SECP256K1_EC_COMPRESSED);
  return out;
}

// Likewise of a secret key.
std::optional<SecretKey> plus(const SecretKey& key, ByteView addend) {
  auto sum = key.reveal();
  bool added = secp256k1_ec_seckey_tweak_add(secp256k1_context_static, sum.data(), data(addend)) == 1;
  auto out = added ? SecretKey::from_bytes(view(sum)) : std::nullopt;
  OPENSSL_cleanse(sum.data(), sum.size());
  return out;
}

std::string serialize(std::uint32_t version, const ExtendedKeyPlace& place, ByteView key) {
  std::string bytes;
  append_be(bytes, version);
  append_be(bytes, place.depth);
  bytes.append(view(place.parent));
  append_be(bytes, place.number);
  return bytes.append(view(place.chain_code)).append(key);
}

struct Parsed {
  ExtendedKeyPlace place;
  std::string key;  // 33 bytes
};
tl::expected<Parsed, std::string> parse_as(std::string_view text, std::uint32_t version,
                                           std::string_view prefix) {
  auto bytes = base58check_decode(text);
  if (!bytes || bytes->size() != serialized_bytes)
    return unexpected("it is no extended key: " + std::string(prefix) + " and 107 more characters, base58");
  ByteReader fields(*bytes);
  if (fields.be<std::uint32_t>() != version)
    return unexpected("it is another kind of key: one that begins with " + std::string(prefix) +
                      " is wanted");
  Parsed parsed;
  parsed.place.depth = fields.be<std::uint8_t>();
  parsed.place.parent = fields.array<4>();
  parsed.place.number = fields.be<std::uint32_t>();
  parsed.place.chain_code = fields.array<32>();
  parsed.key = bytes->substr(key_offset);
  bool is_root = parsed.place.depth == 0;
  if (is_root && (parsed.place.parent != ByteArray<4>{} || parsed.place.number != 0))
    return unexpected(std::string("it contradicts itself: a root has no parent and no number"));
  return parsed;
}

// What a child's key is mixed with: the left half is added to the key, the right half is its chain code.
ByteArray<64> mix(const ExtendedKeyPlace& parent, ByteView key, std::uint32_t number) {
  std::string message(key);
  append_be(message, number);
  auto mixed = hmac_sha512(view(parent.chain_code), message);
  OPENSSL_cleanse(message.data(), message.size());
  return mixed;
}

ExtendedKeyPlace place_of_child(const ExtendedKeyPlace& parent, const PublicKey& parent_key,
                                std::uint32_t number, const ByteArray<64>& mixed) {
  return {static_cast<std::uint8_t>(parent.depth + 1), fingerprint(parent_key), number,
          *to_array<32>(view(mixed).substr(32))};
}

}  // namespace

tl::expected<ExtendedPublicKey, std::string> ExtendedPublicKey::parse(std::string_view text) {
  auto parsed = parse_as(text, public_version, "xpub");
  if (!parsed) return unexpected(parsed.error());
  if (!is_public_key(parsed->key))
    return unexpected(std::string("its key is no point on the curve, compressed"));
  return ExtendedPublicKey(parsed->place, *to_array<33>(parsed->key));
}

std::string ExtendedPublicKey::text() const {
  return base58check_encode(serialize(public_version, place_, view(key_)));
}

std::optional<ExtendedPublicKey> ExtendedPublicKey::child(std::uint32_t number) const {
  if (number >= first_hardened_child || place_.depth == 255) return std::nullopt;
  auto mixed = mix(place_, view(key_), number);
  auto key = plus(key_, view(mixed).substr(0, 32));
  if (!key) return std::nullopt;
  return ExtendedPublicKey(place_of_child(place_, key_, number, mixed), *key);
}

std::optional<ExtendedSecretKey> ExtendedSecretKey::from_seed(ByteView seed) {
  if (seed.size() < 16 || seed.size() > 64) return std::nullopt;
  auto mixed = hmac_sha512("Bitcoin seed", seed);
  auto key = SecretKey::from_bytes(view(mixed).substr(0, 32));
  ExtendedKeyPlace root;
  root.chain_code = *to_array<32>(view(mixed).substr(32));
  OPENSSL_cleanse(mixed.data(), mixed.size());
  if (!key) return std::nullopt;
  return ExtendedSecretKey(root, *std::move(key));
}

tl::expected<ExtendedSecretKey, std::string> ExtendedSecretKey::parse(std::string_view text) {
  auto parsed = parse_as(text, secret_version, "xprv");
  if (!parsed) return unexpected(parsed.error());
  std::optional<SecretKey> key;
  if (parsed->key[0] == 0) key = SecretKey::from_bytes(ByteView(parsed->key).substr(1));
  OPENSSL_cleanse(parsed->key.data(), parsed->key.size());
  if (!key) return unexpected(std::string("its key is not from 1 to the group's order - 1"));
  return ExtendedSecretKey(parsed->place, *std::move(key));
}

std::string ExtendedSecretKey::text() const {
  std::string key = std::string(1, '\0').append(view(key_.reveal()));
  return base58check_encode(serialize(secret_version, place_, key));
}

std::optional<ExtendedSecretKey> ExtendedSecretKey::child(std::uint32_t number) const {
  if (place_.depth == 255) return std::nullopt;
  bool hardened = number >= first_hardened_child;
  auto own = key_.public_key();
  std::string secret = std::string(1, '\0').append(view(key_.reveal()));
  auto mixed = mix(place_, hardened ? ByteView(secret) : view(own), number);
  OPENSSL_cleanse(secret.data(), secret.size());
  auto key = plus(key_, view(mixed).substr(0, 32));
  auto place = place_of_child(place_, own, number, mixed);
  OPENSSL_cleanse(mixed.data(), mixed.size());
  if (!key) return std::nullopt;
  return ExtendedSecretKey(place, *std::move(key));
}

}  // namespace windlass
