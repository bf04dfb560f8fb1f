// Balance snapshots in memory, beside a replay: what an audit holds against the roots that seals name.
#pragma once

#include <absl/container/btree_set.h>
#include <absl/container/flat_hash_map.h>

#include "ledger/codec/entry.h"

namespace windlass::codec {

class BalanceTree {
 public:
  // Follows an entry that was just applied to `state`, in order.
  void follow(const core::State& state, const Entry& entry);
  // Over the leaves of all accounts as they are now.
  Hash root(const core::State& state);
  // Folded over all postings of the account.
  Hash history(core::AccountNumber account) const;

 private:
  void rehash(const core::State& state, std::uint64_t account);

  absl::flat_hash_map<std::uint64_t, Hash> histories_;                           // by account
  absl::flat_hash_map<std::uint64_t, absl::btree_set<core::ChannelId>> paying_;  // open channels, by payer
  absl::btree_set<std::uint64_t> changed_;  // accounts whose leaves are stale
  std::vector<std::vector<Hash>> levels_;   // 0: leaf hashes by account; above, perfect subtrees only
};

}  // namespace windlass::codec
