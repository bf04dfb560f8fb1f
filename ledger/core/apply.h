// The rules of the ledger: one function. It reads nothing but its arguments, and either changes the state and
// says what it did, or changes nothing and says why.
#pragma once

#include <functional>

#include "ledger/core/error.h"
#include "ledger/core/state.h"

namespace windlass::core {

// What an entry did to one account in one asset (asset 0: named, nothing moved): the balance after it.
struct AccountPosting {
  AccountNumber account;
  Balance after;
  Sequence previous = no_sequence;
  bool operator==(const AccountPosting&) const = default;
};
// The payer's posting in the entry that closed its channel carries the channel's whole history.
struct ClosingPosting {
  AccountPosting payer;
  ChannelId channel;
  Hash history{};  // final; set by whoever seals the entry
  bool operator==(const ClosingPosting&) const = default;
};
struct ChannelPosting {
  ChannelId channel;
  Amount deposit = 0;
  Amount claimed = 0;
  Sequence previous = no_sequence;
  bool operator==(const ChannelPosting&) const = default;
};
// In an entry: accounts by (number, asset), then channels by id.
using Posting = std::variant<AccountPosting, ClosingPosting, ChannelPosting>;

struct Outcome {
  enum class Verdict : std::uint8_t {
    accepted,  // an entry at `sequence`
    covered,   // a receipt at or below what the entry at `sequence` claimed: `claimed` in all
    repeated,  // its nonce was used by the entry at `sequence`: the same command, or a conflict
    refused,   // `error`
  };
  Verdict verdict = Verdict::refused;
  Error error = Error::none;
  Sequence sequence = no_sequence;
  Amount claimed = 0;
  std::vector<Posting> postings;  // of an accepted one
  // Figures that make a refusal clear: name and value. At most two.
  struct Detail {
    std::string_view name;
    std::int64_t value = 0;
  };
  std::array<Detail, 2> details{};

  bool accepted() const { return verdict == Verdict::accepted; }
};

// What the gateway can pay out of one asset now: a withdrawal that it could not pay is refused before
// anything is held. What has been accepted once needs no terms: a replay has none.
struct WithdrawalTerms {
  Error refuses = Error::none;  // all of them: paused, or the gateway is away
  Amount minimum = 0;
  Amount fee = 0;
  Amount payable = 0;                          // most that may be held for withdrawals, all together
  Error beyond = Error::gateway_out_of_funds;  // what bounds it: funds, or the day's cap
};
// By asset; nothing: withdrawals are not offered.
using TermsOf = std::function<std::optional<WithdrawalTerms>(AssetId)>;

// Applies `command`, whose signatures are good, at `now_us` (never less than before). Genesis first, and only
// once. `terms` may be empty: then withdrawals are bound by nothing but their owner's balance.
Outcome apply(State& state, const Command& command, TimeUs now_us, const TermsOf& terms = {});

// What apply() will look at, so that a caching state can load it first: keys, channels and historical
// messages by name; then, once those are loaded, the accounts behind them.
struct Needs {
  std::vector<Key> keys;
  std::vector<ChannelId> channels;
  std::vector<Hash> btfs_uses;
  bool empty() const { return keys.empty() && channels.empty() && btfs_uses.empty(); }
  void add(const Needs& others);
};
void collect_needs(const Command& command, Needs& needs);

}  // namespace windlass::core
