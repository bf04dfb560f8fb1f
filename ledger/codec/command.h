// Signed bytes to core commands, and back. The only place that knows both the protobuf messages and the core.
#pragma once

#include <tl/expected.hpp>

#include "ledger/codec/envelope.h"
#include "ledger/core/apply.h"

namespace windlass::codec {

// A signature that must hold: `key` over the tagged digest of `command`.
struct SignatureClaim {
  std::string_view key, signature, command;
};

// The balance snapshot that a seal names; all zero: none was finished yet.
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
  // Of a close with a last receipt: its bytes, its signer (command.last_receipt) and this signature.
  std::string last_receipt_command, last_receipt_signature;

  // All signatures that must verify before the command may be applied; views into this object.
  std::vector<SignatureClaim> signatures() const;
};

// From a client. Genesis and seals are refused here.
tl::expected<Decoded, core::Error> decode_submitted(Envelope envelope);
// From the journal, where everything has been accepted once. A text says what is wrong.
tl::expected<Decoded, std::string> decode_stored(ByteView envelope);
// The first signature that does not hold, in words; none when all do.
core::Error verify_signatures(const Decoded& decoded, const SigningTag& tag);

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
Decoded make_seal(const core::Globals& globals, const Hash& block_id, const SealedSnapshot& snapshot);

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
