#include "ledger/codec/liabilities.h"

#include <limits>
#include <map>

namespace windlass::codec {
namespace {

constexpr ByteView secret_tag = "windlass/liabilities/v1";
constexpr ByteView leaf_tag("\x02", 1);
constexpr ByteView node_tag("\x03", 1);

SumNode joined(const SumNode& left, const SumNode& right) {
  auto node = join(left, right);
  core::require(node.has_value());
  return *node;
}

void up_one_level(std::vector<SumNode>& nodes) {
  std::size_t count = 0;
  for (std::size_t i = 0; i + 1 < nodes.size(); i += 2) nodes[count++] = joined(nodes[i], nodes[i + 1]);
  if (nodes.size() % 2 == 1) nodes[count++] = nodes.back();
  nodes.resize(count);
}

}  // namespace

std::optional<SumNode> join(const SumNode& left, const SumNode& right) {
  if (left.sum < 0 || right.sum < 0 || left.sum > std::numeric_limits<core::Amount>::max() - right.sum)
    return std::nullopt;
  std::string sums[2];
  append_be(sums[0], left.sum);
  append_be(sums[1], right.sum);
  return SumNode{sha256({node_tag, view(left.hash), sums[0], view(right.hash), sums[1]}),
                 left.sum + right.sum};
}

std::optional<SumNode> climb(SumNode leaf, const SumPath& path) {
  if (leaf.sum < 0 || path.size() > max_sum_path) return std::nullopt;
  std::optional<SumNode> node = leaf;
  for (auto step = path.begin(); node && step != path.end(); ++step)
    node = step->left ? join(step->sibling, *node) : join(*node, step->sibling);
  return node;
}

SumNode root_of_sums(std::vector<SumNode> nodes) {
  core::require(!nodes.empty());
  while (nodes.size() > 1) up_one_level(nodes);
  return nodes.front();
}

SumPath path_of_sums(std::vector<SumNode> nodes, std::size_t index) {
  core::require(index < nodes.size());
  SumPath path;
  for (; nodes.size() > 1; index /= 2) {
    std::size_t sibling = index ^ 1;
    if (sibling < nodes.size()) path.push_back({nodes[sibling], sibling < index});
    up_one_level(nodes);
  }
  return path;
}

Secret liabilities_secret(core::Sequence sequence, const Secret& entry_secret) {
  std::string number;
  append_be(number, sequence.value);
  return sha256({secret_tag, number, view(entry_secret)});
}

Secret account_liability_secret(const Secret& secret, core::AccountNumber account, core::AssetId asset) {
  std::string numbers;
  append_be(numbers, account.value);
  append_be(numbers, asset.value);
  return sha256({view(secret), numbers});
}

Hash liability_leaf(const Secret& of_account, core::AccountNumber account, core::AssetId asset,
                    std::uint8_t share) {
  std::string numbers;
  append_be(numbers, account.value);
  append_be(numbers, asset.value);
  append_be(numbers, share);
  return sha256({leaf_tag, view(of_account), numbers});
}

std::array<SumNode, liability_shares> liability_leaves(const Secret& secret, core::AccountNumber account,
                                                       core::AssetId asset, core::Amount amount) {
  core::require(amount > 0);
  Secret own = account_liability_secret(secret, account, asset);
  Hash random = sha256({view(own), "split"});
  auto modulus = static_cast<std::uint64_t>(amount) + 1;
  core::ChainAmount drawn = 0;
  for (std::size_t i = 0; i < 16; ++i) drawn = drawn << 8 | random[i];
  auto first = static_cast<core::Amount>(drawn % modulus);
  return {SumNode{liability_leaf(own, account, asset, 0), first},
          SumNode{liability_leaf(own, account, asset, 1), amount - first}};
}

core::Amount owed(const core::Balance& balance, core::Amount claimed) {
  return balance.available + (balance.locked - claimed) + balance.held;
}

Hash liabilities_root(const std::vector<AssetLiabilities>& assets) {
  std::vector<Hash> leaves;
  for (const auto& one : assets) {
    std::string record;
    append_be(record, one.asset.value);
    append_be(record, one.total);
    record += view(one.root);
    leaves.push_back(log::leaf_hash(record));
  }
  return log::root_of(leaves);
}

std::vector<AssetLiabilities> liabilities_of(const core::State& state, const Secret& secret) {
  std::map<std::pair<std::uint64_t, std::uint32_t>, core::Amount> claimed;  // by payer and asset
  state.channels.for_each([&](core::ChannelId, const core::Channel& channel) {
    if (channel.open && channel.claimed > 0)
      claimed[{channel.payer.value, channel.asset.value}] += channel.claimed;
  });
  std::map<std::uint32_t, std::vector<SumNode>> leaves;  // by asset
  for (std::uint64_t number = 0; number < state.globals.accounts; ++number) {
    for (const auto& balance : state.account({number}).balances) {
      auto used = claimed.find({number, balance.asset.value});
      core::Amount amount = owed(balance, used == claimed.end() ? 0 : used->second);
      if (amount == 0) continue;
      for (const auto& leaf : liability_leaves(secret, {number}, balance.asset, amount))
        leaves[balance.asset.value].push_back(leaf);
    }
  }
  std::vector<AssetLiabilities> assets;
  for (auto& [asset, nodes] : leaves) {
    std::sort(nodes.begin(), nodes.end(), [](const auto& a, const auto& b) { return a.hash < b.hash; });
    SumNode root = root_of_sums(std::move(nodes));
    assets.push_back({{asset}, root.sum, root.hash});
  }
  return assets;
}

}  // namespace windlass::codec
