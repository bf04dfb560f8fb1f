// Why a command is refused. One enum in precedence order: where several apply, the first in this list is the
// answer (key_rotated stands here for the signer; of a key that is to be paid it comes first among what the
// command names). The codes are stable: clients and dashboards rely on them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace windlass::core {

// name, whether the same bytes may be accepted later, gRPC status (by number), what was wrong and what would
// be right
#define WINDLASS_ERRORS(X)                                                                                   \
  /* about the bytes: no state was looked at */                                                              \
  X(malformed_command, false, 3,                                                                             \
    "the command is not a serialized windlass.v1.Command; sign and send exactly one")                        \
  X(command_too_large, false, 3, "the command is larger than 49152 bytes; split the list")                   \
  X(unknown_field, false, 3,                                                                                 \
    "the command has a field this ledger does not know, so it cannot honour all that was "                   \
    "signed; use the ledger's own proto")                                                                    \
  X(too_many_commands, false, 3, "a message carries at most 1024 commands; send several messages")           \
  X(empty_command, false, 3, "the command has no body; set exactly one")                                     \
  X(forbidden_command, false, 7,                                                                             \
    "only the ledger itself writes genesis and seals (use RequestSeal for a seal), and what historical "     \
    "clients sign goes to their own services")                                                               \
  X(bad_key, false, 3, "a key is 33 bytes: 02 or 03, then a point's X on secp256k1")                         \
  X(bad_signature_format, false, 3, "a signature is 64 bytes, r || s, each below the group's order")         \
  X(high_s, false, 3, "the signature's s is in the upper half of the order; replace s by order - s")         \
  X(wrong_signer_count, false, 3,                                                                            \
    "one signature is needed; a key rotation needs the old key's, then the new key's")                       \
  X(bad_amount, false, 3, "an amount is a whole number of ledger units from 1 to 9223372036854775807")       \
  X(bad_list, false, 3, "a list has 1 to 1024 payments, 33 bytes of key and one amount for each")            \
  X(bad_field, false, 3, "a field's length or value is outside its limits; see the field in command.proto")  \
  X(self_payment, false, 3, "payer and recipient are the same account; pay another key")                     \
  X(missing_nonce, false, 3,                                                                                 \
    "every command but a receipt carries a nonce above 0; a clock in nanoseconds is fine")                   \
  X(missing_expiry, false, 3, "every command but a receipt says when it expires; at most 24 hours ahead")    \
  X(bad_signature, false, 16,                                                                                \
    "the signature does not verify: sign the tagged hash (docs/formats.md) of exactly these "                \
    "bytes, for this ledger, with the key that is named")                                                    \
  /* about the signer */                                                                                     \
  X(unknown_account, false, 5, "the ledger does not know the signer's key; deposit or be paid first")        \
  X(nonce_conflict, false, 6, "another command with this nonce was accepted; take a new nonce")              \
  X(key_rotated, false, 9, "this key was rotated away and is never free again; use the account's new key")   \
  X(expired, false, 9, "the command's expiry has passed; sign it again with a later one")                    \
  X(expiry_too_far, false, 3, "the command's expiry is more than 24 hours ahead; choose an earlier one")     \
  X(nonce_too_old, false, 9,                                                                                 \
    "the nonce is below the 16 kept: it may have been applied; look in the history, then "                   \
    "sign with a higher one")                                                                                \
  X(missing_role, false, 7, "the signer does not hold the role that this command needs")                     \
  X(btfs_refused, false, 9,                                                                                  \
    "the account takes nothing any more that historical clients sign; sign Windlass' own commands")          \
  /* about what it names */                                                                                  \
  X(unknown_asset, false, 5, "there is no asset of this number; ListAssets shows them")                      \
  X(unknown_channel, false, 5,                                                                               \
    "there is no channel of this id; it is the sequence of the entry that opened it")                        \
  X(unknown_withdrawal, false, 5,                                                                            \
    "there is no withdrawal of this id; it is the sequence of the entry that asked for it")                  \
  X(unknown_deposit, false, 5,                                                                               \
    "no deposit of nobody was credited by the entry of this sequence; ListUnassignedDeposits shows them")    \
  X(channel_closed, false, 9, "the channel is closed; ask the payer for a new one")                          \
  X(withdrawal_settled, false, 9, "the withdrawal has been paid or given back already")                      \
  X(chain_fees_booked, false, 9,                                                                             \
    "that much, or more, of what the chain took has been booked already; GetTotals shows how much")          \
  X(deposit_assigned, false, 9, "the deposit has been assigned already")                                     \
  X(not_a_party, false, 7, "only the channel's payer tops it up, and only its payer or recipient closes it") \
  X(state_mismatch, false, 3,                                                                                \
    "the state's keys are not those of the channel's parties, or its balances do not make up its amount")    \
  X(unsigned_state, false, 7,                                                                                \
    "a channel's end is signed by both parties, but where its recipient gives everything back")              \
  X(not_to_the_gateway, false, 9,                                                                            \
    "the channel's recipient is not the gateway, so nothing can be paid out of it; open one to the address " \
    "that PrepareWithdraw gave")                                                                             \
  X(receipt_channel_mismatch, false, 3, "the last receipt is for another channel than the one to close")     \
  X(wrong_receipt_key, false, 7,                                                                             \
    "the receipt is not signed by the key that the channel bound when it opened")                            \
  X(above_deposit, false, 9,                                                                                 \
    "the receipt claims more than the channel's deposit; ask the payer to top it up")                        \
  X(not_yet_reclaimable, true, 9,                                                                            \
    "the payer may close the channel one hour after its expiry; until then only the "                        \
    "recipient may")                                                                                         \
  X(bad_channel_expiry, false, 3,                                                                            \
    "a channel expires in the future, within 10 years, and never earlier than before")                       \
  X(key_in_use, false, 6, "the new key is known to the ledger already; rotate to a fresh one")               \
  X(below_minimum_channel, false, 9,                                                                         \
    "the deposit is below the asset's minimum for a channel; ListAssets shows it")                           \
  X(below_minimum_first_credit, false, 9,                                                                    \
    "the recipient is new and the amount is below the asset's minimum first "                                \
    "credit; ListAssets shows it")                                                                           \
  X(too_many_channels, false, 8, "the payer has 65536 channels open and withdrawals under way; close some")  \
  X(withdrawals_not_offered, false, 9,                                                                       \
    "the gateway pays out nothing of this asset; GetWithdrawalTerms shows what")                             \
  X(withdrawals_paused, true, 9,                                                                             \
    "the operator has paused withdrawals; nothing is held, send the same bytes again later")                 \
  X(gateway_away, true, 14,                                                                                  \
    "the gateway has not said for a while what it can pay; nothing is held, send the same bytes again "      \
    "later")                                                                                                 \
  X(below_minimum_withdrawal, false, 9,                                                                      \
    "the amount is below the gateway's minimum for a withdrawal; GetWithdrawalTerms shows it")               \
  X(fee_too_low, false, 9, "the gateway takes a higher fee now; sign the withdrawal again with that")        \
  X(insufficient_funds, false, 9,                                                                            \
    "the account's available balance is smaller than the amount; deposit or wait for "                       \
    "payments")                                                                                              \
  X(gateway_out_of_funds, true, 9,                                                                           \
    "the gateway cannot pay so much now; nothing is held, withdraw less or send the same bytes again later") \
  X(daily_cap_reached, true, 9,                                                                              \
    "that is more than is left of what the gateway pays in a day; nothing is held, withdraw less or send "   \
    "the same bytes again later")                                                                            \
  X(credit_not_in_order, false, 9,                                                                           \
    "the credit is at or before the chain's cursor: it has been applied, or one after "                      \
    "it has")                                                                                                \
  X(daily_credit_reached, true, 9,                                                                           \
    "that is more than the ledger lets be credited of this asset in a day; it will be taken tomorrow")       \
  X(overflow, false, 11,                                                                                     \
    "the amount would take a balance, or what an account has locked in channels, over "                      \
    "9223372036854775807 units")                                                                             \
  X(asset_mismatch, false, 9,                                                                                \
    "an asset keeps its number, symbol, chain, token and units, and only its minimums change; a new one "    \
    "takes the next number")                                                                                 \
  X(too_many_assets, false, 8, "the ledger holds at most 1024 assets")                                       \
  X(seal_mismatch, false, 13, "the seal's totals are not the ledger's")                                      \
  /* about a query */                                                                                        \
  X(unknown_key, false, 5,                                                                                   \
    "the ledger has not seen this key or address; a key exists from its first credit, payment, "             \
    "channel or role")                                                                                       \
  X(unknown_entry, false, 5, "the log has no entry of this number yet")                                      \
  X(bad_page_token, false, 3, "the page token is none that this query gave; start without one")              \
  X(bad_page_size, false, 3, "a page has 1 to 1000 rows")                                                    \
  X(bad_tree_size, false, 3, "a proof needs index < size, and size at most that of the newest checkpoint")   \
  X(contents_not_public, false, 7,                                                                           \
    "the contents of all entries are for holders of the auditor role: sign the request "                     \
    "with such a key")                                                                                       \
  X(unknown_snapshot, false, 5,                                                                              \
    "no such balance snapshot is kept, or the account is younger than it; ask without a sequence for the "   \
    "newest that a seal names")                                                                              \
  X(bad_audit, false, 3,                                                                                     \
    "not an auditor's statement on this log: it is a note signed by the key that is named, on a size and "   \
    "root of this log and a snapshot that is kept (docs/formats.md)")                                        \
  X(not_signed_yet, true, 14, "no checkpoint covers that many entries yet; ask again in a second")           \
  X(damaged_entry, false, 15,                                                                                \
    "an entry as the ledger has it stored contradicts itself; `windlass audit --full` says which, and how")  \
  /* about what a historical client asked */                                                                 \
  X(paid_before, false, 6,                                                                                   \
    "this very transfer has been paid and is not paid again; to pay the same once more, set nonce and "      \
    "expires_us in the TransferRequest")                                                                     \
  X(payer_id_conflict, false, 6,                                                                             \
    "another channel of this payer has this payer_id; take a new one, such as the time in nanoseconds")      \
  X(no_closed_channel, false, 11,                                                                            \
    "no channel of this payer was closed after this sequence; ask again later")                              \
  X(no_escrow_key, false, 9,                                                                                 \
    "this server signs no balances: its operator has set no btfs.escrow_key_file; ask ledger.Channels")      \
  /* about the server: nothing was decided */                                                                \
  X(too_many_bad_signatures, false, 8,                                                                       \
    "this connection sent too many bad signatures; mend the client and connect "                             \
    "again")                                                                                                 \
  X(queue_full, true, 8, "the server has as much waiting as it can hold; send the same bytes again shortly") \
  X(unavailable, true, 14,                                                                                   \
    "the server could not commit just now and did not apply this; send the same bytes again")                \
  X(draining, true, 14, "the server is shutting down; send the same bytes again to its successor")

enum class Error : std::uint8_t {
  none,
#define WINDLASS_ERROR_ENUM(name, retry, status, text) name,
  WINDLASS_ERRORS(WINDLASS_ERROR_ENUM)
#undef WINDLASS_ERROR_ENUM
      count
};

struct ErrorInfo {
  std::string_view reason;   // upper case, for machines: UNKNOWN_CHANNEL
  std::string_view message;  // what was wrong and what would be right
  bool transient = false;    // the same bytes may be accepted later
  int grpc_status = 0;
};
const ErrorInfo& info(Error error);
// By its reason; nothing where there is none of that name.
std::optional<Error> error_of(std::string_view reason);

}  // namespace windlass::core
