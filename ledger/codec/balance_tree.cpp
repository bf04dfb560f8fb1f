#include "ledger/codec/balance_tree.h"

namespace windlass::codec {
namespace {

class Levels final : public log::NodeReader {
 public:
  explicit Levels(const std::vector<std::vector<Hash>>& levels) : levels_(levels) {}
  Hash node(int level, std::uint64_t index) const override {
    return levels_[static_cast<std::size_t>(level)][index];
  }

 private:
  const std::vector<std::vector<Hash>>& levels_;
};

}  // namespace

void BalanceTree::follow(const core::State& state, const Entry& entry) {
  for (std::uint32_t i = 0; i < entry.postings.size(); ++i) {
    const auto& posting = entry.postings[i];
    if (const auto* of_channel = std::get_if<core::ChannelPosting>(&posting)) {
      const core::Channel& channel = *state.channels.find(of_channel->channel);
      if (channel.purpose == core::Purpose::deposit) continue;  // nobody's: in no account's leaf
      if (channel.open)
        paying_[channel.payer.value].insert(channel.id);
      else
        paying_[channel.payer.value].erase(channel.id);
      changed_.insert(channel.payer.value);
      continue;
    }
    const auto* closing = std::get_if<core::ClosingPosting>(&posting);
    auto account = (closing ? closing->payer : std::get<core::AccountPosting>(posting)).account.value;
    Hash leaf = posting_leaf_hash(salt(entry.secret, i + 1), encode_posting(posting));
    Hash& history = histories_.try_emplace(account).first->second;
    history = extend_history(history, entry.sequence, leaf);
    changed_.insert(account);
  }
}

Hash BalanceTree::history(core::AccountNumber account) const {
  auto found = histories_.find(account.value);
  return found == histories_.end() ? Hash{} : found->second;
}

Hash BalanceTree::root(const core::State& state) {
  // In order: accounts are dense, so new ones come right behind those that have leaves.
  for (auto account : changed_) rehash(state, account);
  changed_.clear();
  return log::root_at(Levels(levels_), levels_.empty() ? 0 : levels_[0].size());
}

void BalanceTree::rehash(const core::State& state, std::uint64_t account) {
  std::vector<const core::Channel*> open;
  if (auto found = paying_.find(account); found != paying_.end())
    for (auto id : found->second) open.push_back(state.channels.find(id));
  AccountLeaf leaf = make_account_leaf(state.account({account}), std::move(open), history({account}));
  Hash hash = log::leaf_hash(leaf.encode());
  std::uint64_t index = account;
  for (std::size_t level = 0;; ++level, index /= 2) {
    if (levels_.size() == level) levels_.emplace_back();
    auto& hashes = levels_[level];
    core::require(index <= hashes.size());
    if (index == hashes.size())
      hashes.push_back(hash);
    else
      hashes[index] = hash;
    if ((index | 1) >= hashes.size()) return;  // its sibling is not there yet
    hash = log::node_hash(hashes[index & ~std::uint64_t{1}], hashes[index | 1]);
  }
}

}  // namespace windlass::codec
