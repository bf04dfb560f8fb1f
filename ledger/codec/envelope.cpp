#include "ledger/codec/envelope.h"

namespace windlass::codec {

std::string Envelope::encode() const {
  std::string out;
  out.reserve(command.size() + 5 + signers.size() * 99);
  append_be(out, static_cast<std::uint32_t>(command.size()));
  out += command;
  append_be(out, static_cast<std::uint8_t>(signers.size()));
  for (const auto& signer : signers) {
    append_be(out, static_cast<std::uint8_t>(signer.key.size()));
    out += signer.key;
    append_be(out, static_cast<std::uint8_t>(signer.signature.size()));
    out += signer.signature;
  }
  return out;
}

std::optional<Envelope> Envelope::decode(ByteView bytes) {
  ByteReader reader(bytes);
  Envelope envelope;
  envelope.command = reader.take(reader.be<std::uint32_t>());
  auto count = reader.be<std::uint8_t>();
  for (int i = 0; i < count && !reader.failed(); ++i) {
    Signed signer;
    signer.key = reader.take(reader.be<std::uint8_t>());
    signer.signature = reader.take(reader.be<std::uint8_t>());
    envelope.signers.push_back(std::move(signer));
  }
  if (!reader.done()) return std::nullopt;
  return envelope;
}

SigningTag::SigningTag(std::string_view origin, const Hash& genesis_leaf_hash)
    : SigningTag("windlass/v1/" + std::string(origin) + "/" + to_hex(genesis_leaf_hash)) {}

SigningTag::SigningTag(std::string text) : text_(std::move(text)), tag_hash_(sha256(text_)) {}

}  // namespace windlass::codec
