// Commands, built and signed: what is sent is the bytes that were signed.
#pragma once

#include <windlass/v1/ledger.pb.h>

#include <functional>

#include "ledger/codec/command.h"

namespace windlass::client {

namespace pb = windlass::v1;

// A command that did not reach the ledger within this time is void: long enough to send it again after a
// restart of the server, short enough that nothing lies in wait.
constexpr core::TimeUs command_life_us = 10 * 60 * core::second_us;

// Signs for one ledger with one key. Nonces are the clock's nanoseconds, and always higher than the one
// before.
class CommandSigner {
 public:
  using NowNs = std::function<std::int64_t()>;  // Unix time
  CommandSigner(SecretKey key, codec::SigningTag tag, NowNs now_ns = system_now_ns);

  const PublicKey& key() const { return public_; }
  // Any command with a nonce, but for those below.
  pb::SignedCommand sign(const core::Body& body, ByteView memo = {});
  // The recipient's close, with a receipt that sign_receipt() made.
  pb::SignedCommand sign_close(core::ChannelId channel, const pb::SignedCommand& last_receipt);
  // Signed by this key and by the new one.
  pb::SignedCommand sign_rotation(const SecretKey& new_key);
  // Receipts carry neither nonce nor expiry: they are cumulative.
  pb::SignedCommand sign_receipt(core::ChannelId channel, core::Amount cumulative) const;

  static std::int64_t system_now_ns();

 private:
  core::Command draft(const core::Body& body);
  SecretKey key_;
  PublicKey public_;
  codec::SigningTag tag_;
  NowNs now_ns_;
  std::uint64_t last_nonce_ = 0;
};

pb::SignedCommand to_message(const codec::Envelope& envelope);
codec::Envelope to_envelope(const pb::SignedCommand& command);

}  // namespace windlass::client
