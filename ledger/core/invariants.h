// The ledger's invariants that can be seen in its state and postings (docs/architecture.md lists all ten and
// says where each is checked). Each check answers with nothing, or with a sentence that names the fault.
#pragma once

#include <absl/container/flat_hash_map.h>

#include "ledger/core/apply.h"

namespace windlass::core {

using Fault = std::optional<std::string>;

// 1. Per asset, in chain units: available + locked + held + unassigned + dust = credited - paid.
Fault check_conservation(const AssetTotals& totals, const Asset& asset);
// 2. Nothing is negative; no channel has claimed more than its deposit.
Fault check_non_negative(const Account& account);
Fault check_non_negative(const Channel& channel);
// 1, 2 and 9 on the globals alone: what recovery can afford.
Fault check_globals(const Globals& globals);
// 1, 2 and 9 over every account and channel: the totals are the sums; locked is the deposits of open
// channels. `state` is complete.
Fault check_whole(const State& state);

// 10. Entries one after the other: each posting's `previous` is the entry that touched the account or channel
// before.
class ChainChecker {
 public:
  Fault check(Sequence sequence, const std::vector<Posting>& postings);

 private:
  absl::flat_hash_map<AccountNumber, Sequence> accounts_;
  absl::flat_hash_map<ChannelId, Sequence> channels_;
};

}  // namespace windlass::core
