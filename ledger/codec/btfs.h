// What the clients of the historical BTFS ledger sign, and what they are answered under a signature
// (docs/btfs.md; proto/btfs). These parsers read the exact bytes that came: their hash is what is signed, and
// what a payment is known by.
//
// A signed message is refused when it holds anything but its own fields, each at most once: whatever could be
// read in two ways, or as another message, is not what its signer meant. Fields may come in any order, zeros
// may be written out and a number may be longer than it must be, since all of that reads in one way.
#pragma once

#include <tl/expected.hpp>

#include "ledger/core/types.h"

namespace windlass::codec::btfs {

// X(name, what was wrong; what would be right)
#define WINDLASS_BTFS_ERRORS(X)                                                                            \
  X(malformed,                                                                                             \
    "what was signed is not a message that can be read; sign and send exactly one serialized message")     \
  X(unknown_field, "what was signed has a field that is not of this message; sign what the call asks for") \
  X(repeated_field, "what was signed has a field twice, which can be read in two ways; write each once")   \
  X(address_length, "an address is 65 bytes: 04, then X and Y of the public key")                          \
  X(address_form, "an address starts with 04; send the key in its uncompressed form")                      \
  X(address_off_curve, "the address is no point of secp256k1; send the public key itself")                 \
  X(self_payment, "payer and recipient are the same; name another recipient")                              \
  X(bad_amount, "an amount is from 1 to 2^63 - 1 micro-BTT")                                               \
  X(bad_payer_id, "payer_id is missing or not above 0; use the time in nanoseconds")                       \
  X(bad_sequence, "the sequence of a state is above 0; the first is 1")                                    \
  X(bad_balance, "balances are not negative, and together at most 2^63 - 1; divide the channel's amount")  \
  X(half_extension, "nonce and expires_us come together, both above 0; set both or neither")               \
  X(bad_signature_encoding,                                                                                \
    "a signature is DER, with r and s from 1 to the group's order - 1 and nothing after it")               \
  X(wrong_signature, "the signature is not that key's over one SHA-256 of the bytes sent; sign those")

enum class Error {
  none,
#define WINDLASS_BTFS_ERROR_NAME(name, text) name,
  WINDLASS_BTFS_ERRORS(WINDLASS_BTFS_ERROR_NAME)
#undef WINDLASS_BTFS_ERROR_NAME
      count
};
// What was wrong, and what would be right.
std::string_view words(Error error);
std::string_view reason(Error error);  // upper case, for machines: BAD_PAYER_ID

template <typename T>
using Parsed = tl::expected<T, Error>;

struct ChannelCommit {
  core::Key payer;
  core::Key recipient;
  core::Amount amount = 0;    // above 0
  std::int64_t payer_id = 0;  // above 0, so that a TransferRequest, which has none, is no commit
  bool operator==(const ChannelCommit&) const = default;
};

struct Account {
  core::Key address;
  core::Amount balance = 0;
  bool operator==(const Account&) const = default;
};

struct ChannelState {
  std::int64_t id = 0;        // as it came: 0 and below name no channel
  std::int64_t sequence = 0;  // above 0
  Account from;
  Account to;  // neither balance is negative, and their sum fits
  bool operator==(const ChannelState&) const = default;
};

struct TransferRequest {
  core::Key payer;
  core::Key recipient;
  core::Amount amount = 0;  // above 0
  // Windlass' extension: both above 0, or both 0 where a historical client signed.
  std::uint64_t nonce = 0;
  core::TimeUs expires_us = 0;
  bool operator==(const TransferRequest&) const = default;
};

struct BalanceResult {
  core::Amount balance = 0;
  core::Key escrow_address;
  std::int64_t signed_time_ns = 0;  // Unix time, not before 1970
};

// An address of the historical ledger: 65 bytes 04, X, Y. The hybrid forms (06, 07) and others (02, 03, 05)
// that some parsers take would be further names of one account.
Parsed<core::Key> parse_address(ByteView bytes);
std::string address_of(const core::Key& key);

// The messages that are signed, each from its own serialized bytes.
Parsed<core::Key> parse_public_key(ByteView message);
Parsed<ChannelCommit> parse_channel_commit(ByteView message);
Parsed<ChannelState> parse_channel_state(ByteView message);
Parsed<TransferRequest> parse_transfer_request(ByteView message);

// What is signed of a message, and what a payment is known by: its signature is not, since anybody can make
// another valid one of it.
inline Hash message_hash(ByteView message) {
  return sha256(message);
}
// What a channel's opening is known by: (payer, payer_id) names one channel. No message begins in that way,
// so it is no message's hash.
Hash commit_id(const core::Key& payer, std::int64_t payer_id);
// `signature` is strict DER with any S; Error::none when it is the key's over the message.
Error verify(const core::Key& key, ByteView signature, ByteView message);
// DER, RFC 6979, low S.
std::string sign(const SecretKey& key, ByteView message);

// Canonical: ascending fields, zeros left out, which is how the Go client writes a message before it verifies
// it. The time of a balance is always there: that client writes one even when none came.
std::string encode(const ChannelState& state);
std::string encode(const BalanceResult& result);

}  // namespace windlass::codec::btfs
