// What travels and is stored: the command's exact bytes, who signed them, and the signatures, as received.
#pragma once

#include <vector>

#include "crypto/secp256k1.h"

namespace windlass::codec {

struct Signed {
  std::string key;        // 33 bytes compressed when well formed; as received otherwise
  std::string signature;  // 64 bytes r || s likewise; of a historical client: DER
};
constexpr std::size_t max_der_signature_bytes = 72;

// u32 command length || command || u8 signers || for each: u8 key length || key || u8 signature length ||
// signature. Genesis and seals have no signers.
struct Envelope {
  std::string command;
  std::vector<Signed> signers;
  std::string encode() const;
  static std::optional<Envelope> decode(ByteView bytes);
};

// What is signed: SHA256(SHA256(tag) || SHA256(tag) || command), tag = windlass/v1/<origin>/<hex of the
// genesis leaf hash>. A command for one ledger is void on any other.
class SigningTag {
 public:
  SigningTag(std::string_view origin, const Hash& genesis_leaf_hash);
  explicit SigningTag(std::string text);
  const std::string& text() const { return text_; }
  Hash digest(ByteView command) const { return sha256({view(tag_hash_), view(tag_hash_), command}); }

 private:
  std::string text_;
  Hash tag_hash_;
};

}  // namespace windlass::codec
