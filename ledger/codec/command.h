// Signed bytes to core commands, and back. The only place that knows both the protobuf messages and the core.
#pragma once

#include <tl/expected.hpp>

#include "ledger/codec/envelope.h"
#include "ledger/core/apply.h"

namespace windlass::codec {

// A signature that must hold: `key` over the tagged digest of `message`, or, where it is historical, DER over
// one SHA-256 of it.
struct SignatureClaim {
  std::string_view key, signature, message;
  bool historical = false;
};

// The balance snapshot that a seal names, and likewise the liabilities; all zero: none was finished yet.
struct SealedSnapshot {
  core::Sequence sequence;  // all accounts as this entry left them
  Hash root{};
  bool operator==(const SealedSnapshot&) const = default;
};

// A command that is well formed: its fields are within their limits, but its signatures are not verified yet.
struct Decoded {
  core::Command command;
  Envelope envelope;
  bool requests_seal = false;  // a RequestSeal: becomes a seal, which the ledger writes itself
  Hash seal_block_id{};        // of a seal and of a request for one
  SealedSnapshot snapshot;     // of a seal
  SealedSnapshot liabilities;  // likewise
  // Of a close with a last receipt: its bytes, its signer (command.last_receipt) and this signature.
  std::string last_receipt_command, last_receipt_signature;

  // Of what historical clients signed: what each signer did.
  std::vector<std::string> historical_messages;

  // All signatures that must verify before the command may be applied; views into this object.
  std::vector<SignatureClaim> signatures() const;
};

// From a client. What the ledger itself writes is refused here: genesis, seals, and what is wrapped around
// historical messages.
tl::expected<Decoded, core::Error> decode_submitted(Envelope envelope);
// From the journal, where everything has been accepted once. A text says what is wrong.
tl::expected<Decoded, std::string> decode_stored(ByteView envelope);
// The first signature that does not hold, in words; none when all do.
core::Error verify_signatures(const Decoded& decoded, const SigningTag& tag, PointCache* points = nullptr);

// Keys that the command names and no signature of its own proves: those that are new to the ledger must be
// checked to be points on the curve (is_public_key) before the command is applied.
std::vector<core::Key> unproven_keys(const core::Command& command);

// What the ledger writes itself.
struct GenesisParameters {
  Hash id{};
  std::string origin;
  core::Genesis genesis;
  std::string log_vkey;
  std::string anchor_address, anchor_contract, custody_address;  // 21 bytes or empty
};
Decoded make_genesis(const GenesisParameters& parameters);
std::optional<GenesisParameters> read_genesis(ByteView command);
Decoded make_seal(const core::Globals& globals, const Hash& block_id, const SealedSnapshot& snapshot,
                  const SealedSnapshot& liabilities = {});

// Around what historical clients signed. Signers are in the order that command.proto says. An error says what
// of it is not well formed; which field of a message that is, btfs.h says.
using Made = tl::expected<Decoded, core::Error>;
Made make_btfs_transfer(ByteView message, Signed payer);
Made make_btfs_open_channel(ByteView message, Signed payer);
Made make_btfs_close_channel(ByteView state, Signed to, std::optional<Signed> from);
struct BtfsWithdrawal {
  std::string success_state, failure_state;
  Signed success_from, failure_from, success_to, failure_to;
  core::Amount fee = 0;
};
Made make_btfs_withdraw(const BtfsWithdrawal& withdrawal);
Made make_btfs_rotate_key(ByteView new_key, ByteView old_key, Signed by_old, Signed by_new);

// The bytes to sign for what clients send (the client library and the gateway use it).
std::string encode_command(const core::Command& command, ByteView memo = {});
std::string encode_request_seal(std::uint64_t nonce, core::TimeUs expires_us, const Hash& block_id);
// With the last receipt's own bytes and signature, for a close.
std::string encode_close(const core::Command& command, ByteView receipt_command,
                         const Signed& receipt_signer);
// For a credit, what the core does not look at: where it came from.
std::string encode_credit(const core::Command& command, ByteView transaction_id, ByteView source);

// For a settlement, likewise: the payment (empty: none) and its block (0: none).
std::string encode_settlement(const core::Command& command, ByteView transaction_id, std::uint64_t block);

Envelope sign(std::string command, const SigningTag& tag, std::initializer_list<const SecretKey*> keys);

std::string chain_amount_bytes(core::ChainAmount amount);       // big-endian, no leading zeros
std::optional<core::ChainAmount> chain_amount(ByteView bytes);  // at most 16 bytes

}  // namespace windlass::codec
