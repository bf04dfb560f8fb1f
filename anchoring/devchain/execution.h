// What a java-tron node checks of a transaction and what it does with it, in the node's order and with its
// texts.
#pragma once

#include <set>

#include "anchoring/devchain/accounts.h"
#include "anchoring/devchain/call_outcome.h"
#include "anchoring/devchain/parameters.h"
#include "tron/contract.pb.h"
#include "tron/core.pb.h"

namespace windlass::devchain {

// The contract types that an account's active permission allows by default: a bit each, lowest first.
constexpr ByteArray<32> active_operations = {0x7f, 0xff, 0x1f, 0xc0, 0x03, 0x3e, 0x01, 0x08};

using Refusal = tron::BroadcastAnswer;  // result false

// A transaction as the node sees it: its txid is over its own re-serialization.
struct Candidate {
  protocol::Transaction transaction;
  Hash txid{};
};
// Nothing when the bytes are no Transaction.
std::optional<Candidate> parse_candidate(ByteView bytes);

std::optional<Refusal> check_has_contract(const Candidate& candidate);
// `next_slot_ms` is the timestamp that the next block has at the earliest.
std::optional<Refusal> check_expiration(const Candidate& candidate, std::int64_t head_ms,
                                        std::int64_t next_slot_ms);
// Signatures of enough keys of the permission that it names, by the sender's account in `accounts`: without a
// choice of its own that is the owner's key, under its owner permission (0) or its active one (2).
std::optional<Refusal> check_signature(const Candidate& candidate, const AccountView& accounts);
std::optional<Refusal> check_size(const Candidate& candidate);
std::optional<Refusal> check_one_contract(const Candidate& candidate);

struct Receipt {
  Hash txid{};
  std::int64_t fee_sun = 0;            // all that was paid beside the amount
  std::int64_t bandwidth_fee_sun = 0;  // part of the fee
  std::int64_t free_bandwidth = 0;     // bytes taken from the day's free ones
  int result = 1;                      // Transaction.Result.contractResult; 1 is SUCCESS

  // Of a contract.
  std::optional<tron::Address> contract;  // called or created
  std::int64_t energy = 0, energy_fee_sun = 0;
  std::string returned, message;
  std::vector<tron::ContractLog> logs;
};

// What a call of a contract would do, or why it cannot be.
using ConstantOutcome = tl::expected<CallOutcome, std::string>;
// Tries a call, or the creation of a contract where none is named, on `accounts`.
ConstantOutcome call_constant(const protocol::TriggerSmartContract& call, const AccountView& accounts);

// The text of a reverted call's info.
constexpr std::string_view revert_message = "REVERT opcode executed";

struct ExecutionContext {
  const Parameters& parameters;
  const std::set<std::string, std::less<>>& tokens;  // the TRC-10 ids that exist
  std::int64_t head_ms = 0;                          // timestamp of the block before
};

// Takes bandwidth and fees, validates the contract and carries it out on `accounts`; on a refusal `accounts`
// may be half changed and is to be dropped.
tl::expected<Receipt, Refusal> execute(const Candidate& candidate, AccountView& accounts,
                                       const ExecutionContext& context);

// What is left in use at `now_ms` of the free bandwidth that an account used before.
std::int64_t free_bandwidth_used(const Account& account, std::int64_t now_ms);

}  // namespace windlass::devchain
