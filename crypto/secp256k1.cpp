#include "crypto/secp256k1.h"

#include <openssl/crypto.h>
#include <secp256k1.h>
#include <secp256k1_recovery.h>

#include <cstdlib>

#include "crypto/point_cache.h"

namespace windlass {
namespace {

// One context for all threads: it is not written to after its randomization.
const secp256k1_context* context() {
  static secp256k1_context* const instance = [] {
    auto* made = secp256k1_context_create(SECP256K1_CONTEXT_SIGN | SECP256K1_CONTEXT_VERIFY);
    auto seed = random_array<32>();
    if (secp256k1_context_randomize(made, seed.data()) != 1) std::abort();
    return made;
  }();
  return instance;
}

const unsigned char* data(ByteView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

bool parse(ByteView key, secp256k1_pubkey& point) {
  return secp256k1_ec_pubkey_parse(context(), &point, data(key), key.size()) == 1;
}

template <typename Key>
Key serialize(const secp256k1_pubkey& point) {
  constexpr bool compressed = std::is_same_v<Key, PublicKey>;
  Key out;
  std::size_t length = out.size();
  secp256k1_ec_pubkey_serialize(context(), out.data(), &length, &point,
                                compressed ? SECP256K1_EC_COMPRESSED : SECP256K1_EC_UNCOMPRESSED);
  return out;
}

}  // namespace

SecretKey SecretKey::generate() {
  for (;;) {
    auto bytes = random_array<32>();
    if (auto key = from_bytes(view(bytes))) return *std::move(key);
  }
}

std::optional<SecretKey> SecretKey::from_bytes(ByteView bytes) {
  if (bytes.size() != 32 || secp256k1_ec_seckey_verify(context(), data(bytes)) != 1) return std::nullopt;
  SecretKey key;
  std::memcpy(key.bytes_.data(), bytes.data(), 32);
  return key;
}

SecretKey::SecretKey(SecretKey&& other) noexcept : bytes_(other.bytes_) {
  OPENSSL_cleanse(other.bytes_.data(), other.bytes_.size());
}
SecretKey& SecretKey::operator=(SecretKey&& other) noexcept {
  if (this != &other) {
    bytes_ = other.bytes_;
    OPENSSL_cleanse(other.bytes_.data(), other.bytes_.size());
  }
  return *this;
}
SecretKey::~SecretKey() {
  OPENSSL_cleanse(bytes_.data(), bytes_.size());
}

PublicKey SecretKey::public_key() const {
  secp256k1_pubkey point;
  if (secp256k1_ec_pubkey_create(context(), &point, bytes_.data()) != 1) std::abort();
  return serialize<PublicKey>(point);
}

CompactSignature SecretKey::sign(const Hash& digest) const {
  secp256k1_ecdsa_signature signature;
  if (secp256k1_ecdsa_sign(context(), &signature, digest.data(), bytes_.data(), nullptr, nullptr) != 1)
    std::abort();
  CompactSignature out;
  secp256k1_ecdsa_signature_serialize_compact(context(), out.data(), &signature);
  return out;
}

RecoverableSignature SecretKey::sign_recoverable(const Hash& digest) const {
  secp256k1_ecdsa_recoverable_signature signature;
  if (secp256k1_ecdsa_sign_recoverable(context(), &signature, digest.data(), bytes_.data(), nullptr,
                                       nullptr) != 1)
    std::abort();
  RecoverableSignature out;
  int recovery_id = 0;
  secp256k1_ecdsa_recoverable_signature_serialize_compact(context(), out.data(), &recovery_id, &signature);
  out[64] = static_cast<std::uint8_t>(recovery_id);
  return out;
}

SignatureCheck verify_signature(ByteView key, ByteView signature, const Hash& digest, PointCache* points) {
  if (key.size() != 33) return SignatureCheck::bad_key;
  if (signature.size() != 64) return SignatureCheck::malformed;
  secp256k1_pubkey point;
  bool known = points && points->find(key, [&](ByteView kept) { return parse(kept, point); });
  if (!known && !parse(key, point)) return SignatureCheck::bad_key;
  secp256k1_ecdsa_signature parsed;
  if (secp256k1_ecdsa_signature_parse_compact(context(), &parsed, data(signature)) != 1)
    return SignatureCheck::malformed;
  if (secp256k1_ecdsa_signature_normalize(context(), nullptr, &parsed) == 1) return SignatureCheck::high_s;
  if (secp256k1_ecdsa_verify(context(), &parsed, digest.data(), &point) != 1) return SignatureCheck::wrong;
  if (points && !known) points->keep(serialize<UncompressedKey>(point));
  return SignatureCheck::valid;
}

std::string signature_to_der(const CompactSignature& signature) {
  secp256k1_ecdsa_signature parsed;
  if (secp256k1_ecdsa_signature_parse_compact(context(), &parsed, signature.data()) != 1) std::abort();
  ByteArray<72> der;
  std::size_t length = der.size();
  if (secp256k1_ecdsa_signature_serialize_der(context(), der.data(), &length, &parsed) != 1) std::abort();
  return std::string(view(der).substr(0, length));
}

std::optional<CompactSignature> signature_from_der(ByteView der) {
  if (der.empty()) return std::nullopt;  // perhaps a null pointer, which the parser would not survive
  secp256k1_ecdsa_signature parsed;
  if (secp256k1_ecdsa_signature_parse_der(context(), &parsed, data(der), der.size()) != 1)
    return std::nullopt;
  secp256k1_ecdsa_signature_normalize(context(), &parsed, &parsed);
  CompactSignature out;
  secp256k1_ecdsa_signature_serialize_compact(context(), out.data(), &parsed);
  // The parser makes 0 of what is negative or not below the order.
  for (ByteView half : {view(out).substr(0, 32), view(out).substr(32)})
    if (half.find_first_not_of('\0') == ByteView::npos) return std::nullopt;
  return out;
}

bool is_public_key(ByteView key) {
  secp256k1_pubkey point;
  return key.size() == 33 && parse(key, point);
}

std::optional<PublicKey> compress_key(ByteView key) {
  bool fitting = key.size() == 33 || (key.size() == 65 && key[0] == 4);
  secp256k1_pubkey point;
  if (!fitting || !parse(key, point)) return std::nullopt;
  return serialize<PublicKey>(point);
}

UncompressedKey uncompress_key(const PublicKey& key) {
  secp256k1_pubkey point;
  if (!parse(view(key), point)) std::abort();
  return serialize<UncompressedKey>(point);
}

std::optional<PublicKey> recover_key(ByteView signature, const Hash& digest) {
  if (signature.size() != 65) return std::nullopt;
  int v = static_cast<std::uint8_t>(signature[64]);
  if (v >= 27) v -= 27;
  if (v > 3) return std::nullopt;
  secp256k1_ecdsa_recoverable_signature parsed;
  if (secp256k1_ecdsa_recoverable_signature_parse_compact(context(), &parsed, data(signature), v) != 1)
    return std::nullopt;
  secp256k1_pubkey point;
  if (secp256k1_ecdsa_recover(context(), &point, &parsed, digest.data()) != 1) return std::nullopt;
  return serialize<PublicKey>(point);
}

}  // namespace windlass
