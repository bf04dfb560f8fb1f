#include "client/commands.h"

#include <chrono>

namespace windlass::client {

pb::SignedCommand to_message(const codec::Envelope& envelope) {
  pb::SignedCommand out;
  out.set_command(envelope.command);
  for (const auto& signer : envelope.signers) {
    auto& signature = *out.add_signatures();
    signature.set_key(signer.key);
    signature.set_signature(signer.signature);
  }
  return out;
}

codec::Envelope to_envelope(const pb::SignedCommand& command) {
  codec::Envelope out{command.command(), {}};
  for (const auto& signature : command.signatures())
    out.signers.push_back({signature.key(), signature.signature()});
  return out;
}

CommandSigner::CommandSigner(SecretKey key, codec::SigningTag tag, NowNs now_ns)
    : key_(std::move(key)), public_(key_.public_key()), tag_(std::move(tag)), now_ns_(std::move(now_ns)) {}

std::int64_t CommandSigner::system_now_ns() {
  using namespace std::chrono;
  return duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count();
}

core::Command CommandSigner::draft(const core::Body& body) {
  std::int64_t now_ns = now_ns_();
  last_nonce_ = std::max(last_nonce_ + 1, static_cast<std::uint64_t>(now_ns));
  return {public_, last_nonce_, now_ns / 1000 + command_life_us, body};
}

pb::SignedCommand CommandSigner::sign(const core::Body& body, ByteView memo) {
  return to_message(codec::sign(codec::encode_command(draft(body), memo), tag_, {&key_}));
}

pb::SignedCommand CommandSigner::sign_close(core::ChannelId channel, const pb::SignedCommand& last_receipt) {
  const auto& by = last_receipt.signatures(0);
  std::string bytes = codec::encode_close(draft(core::CloseChannel{channel, {}}), last_receipt.command(),
                                          {by.key(), by.signature()});
  return to_message(codec::sign(std::move(bytes), tag_, {&key_}));
}

pb::SignedCommand CommandSigner::sign_rotation(const SecretKey& new_key) {
  std::string bytes = codec::encode_command(draft(core::RotateKey{new_key.public_key()}));
  return to_message(codec::sign(std::move(bytes), tag_, {&key_, &new_key}));
}

pb::SignedCommand CommandSigner::sign_receipt(core::ChannelId channel, core::Amount cumulative) const {
  core::Command receipt{public_, 0, 0, core::Receipt{channel, cumulative}};
  return to_message(codec::sign(codec::encode_command(receipt), tag_, {&key_}));
}

}  // namespace windlass::client
