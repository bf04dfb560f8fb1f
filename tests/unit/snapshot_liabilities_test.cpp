// Proofs of liabilities against a list of who is owed what.
#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <map>

#include "ledger/snapshot/liabilities.h"
#include "tests/seeded.h"
#include "tests/unit/scratch_folder.h"

namespace windlass::test {
namespace {

using codec::SumNode;
using snapshot::Liabilities;
using Owed = std::map<std::pair<std::uint32_t, std::uint64_t>, core::Amount>;  // by asset and account

constexpr core::Amount most = std::numeric_limits<core::Amount>::max();
const Hash ledger_id{1};
const codec::Secret secret{7};

// From the definition: halves of a list, without levels.
SumNode naive_root(std::span<const SumNode> nodes) {
  if (nodes.size() == 1) return nodes[0];
  std::size_t left = 1;
  while (left * 2 < nodes.size()) left *= 2;
  auto a = naive_root(nodes.first(left)), b = naive_root(nodes.subspan(left));
  std::string bytes = "\x03";
  bytes += view(a.hash);
  append_be(bytes, a.sum);
  bytes += view(b.hash);
  append_be(bytes, b.sum);
  return {sha256(bytes), a.sum + b.sum};
}

std::vector<codec::AssetLiabilities> naive(const Owed& owed) {
  std::map<std::uint32_t, std::map<Hash, core::Amount>> leaves;
  for (const auto& [whose, amount] : owed)
    for (const auto& leaf : codec::liability_leaves(secret, {whose.second}, {whose.first}, amount))
      leaves[whose.first][leaf.hash] = leaf.sum;
  std::vector<codec::AssetLiabilities> assets;
  for (const auto& [asset, sorted] : leaves) {
    std::vector<SumNode> nodes;
    for (const auto& [hash, sum] : sorted) nodes.push_back({hash, sum});
    auto root = naive_root(nodes);
    assets.push_back({{asset}, root.sum, root.hash});
  }
  return assets;
}

Owed some(Seeded& random, std::size_t accounts) {
  Owed owed;
  for (std::size_t i = 0; i < accounts; ++i)
    owed[{1 + static_cast<std::uint32_t>(random.below(3)), random.below(4 * accounts + 1)}] =
        1 + static_cast<core::Amount>(random.one_in(4) ? 0 : random.below(1'000'000'000));
  return owed;
}

void make(Liabilities& liabilities, std::uint64_t sequence, const Owed& owed, std::size_t in_memory = 1'000) {
  auto maker = liabilities.make({sequence}, secret, in_memory);
  for (const auto& [whose, amount] : owed) maker->add({whose.second}, {whose.first}, amount);
  liabilities.finish(std::move(maker));
}

void expect_each_counted(const Liabilities& liabilities, std::uint64_t sequence, const Owed& owed) {
  auto assets = naive(owed);
  for (const auto& [whose, amount] : owed) {
    auto proof = liabilities.prove({sequence}, {whose.second}, {whose.first});
    ASSERT_TRUE(proof);
    EXPECT_EQ(proof->assets, assets);
    ASSERT_EQ(proof->shares.size(), 2U);
    EXPECT_EQ(proof->shares[0].amount + proof->shares[1].amount, amount);
    auto all = std::find_if(assets.begin(), assets.end(),
                            [&](const auto& one) { return one.asset.value == whose.first; });
    for (std::uint8_t share = 0; share < 2; ++share) {
      SumNode leaf{codec::liability_leaf(proof->secret, {whose.second}, {whose.first}, share),
                   proof->shares[share].amount};
      EXPECT_EQ(codec::climb(leaf, proof->shares[share].path), (SumNode{all->root, all->total}));
    }
  }
}

TEST(LiabilitiesTest, CountEveryAccountWithExactlyWhatItIsOwed) {
  Seeded random;
  ScratchFolder folder;
  Liabilities liabilities(folder.path(), ledger_id);
  std::uint64_t sequence = 0;
  // Around the width of a tile, in memory and in many files.
  for (std::size_t accounts : {1, 2, 3, 127, 128, 129, 700, 3'000}) {
    auto owed = some(random, accounts);
    make(liabilities, ++sequence, owed, accounts == 700 ? 64 : 100'000);
    expect_each_counted(liabilities, sequence, owed);
    EXPECT_EQ(liabilities.newest_root(),
              std::pair(core::Sequence{sequence}, codec::liabilities_root(naive(owed))));
  }
}

TEST(LiabilitiesTest, DeepTreesLeadThroughTilesOfTiles) {
  ScratchFolder folder;
  Liabilities liabilities(folder.path(), ledger_id);
  Owed owed;
  for (std::uint64_t account = 0; account < 33'000; ++account) owed[{1, account}] = 1;
  auto maker = liabilities.make({5}, secret, 10'000);
  for (const auto& [whose, amount] : owed) maker->add({whose.second}, {whose.first}, amount);
  liabilities.finish(std::move(maker));
  auto assets = naive(owed);
  for (std::uint64_t account : {0, 1, 32'999}) {
    auto proof = liabilities.prove({5}, {account}, {1});
    ASSERT_TRUE(proof);
    EXPECT_EQ(proof->assets, assets);
    ASSERT_EQ(proof->shares.size(), 2U);
  }
}

TEST(LiabilitiesTest, WhoIsOwedNothingHasNoLeaves) {
  ScratchFolder folder;
  Liabilities liabilities(folder.path(), ledger_id);
  make(liabilities, 3, {{{1, 4}, 10}});
  EXPECT_TRUE(liabilities.prove({3}, {5}, {1})->shares.empty());
  EXPECT_TRUE(liabilities.prove({3}, {4}, {2})->shares.empty());
  EXPECT_FALSE(liabilities.prove({2}, {4}, {1}));
}

TEST(LiabilitiesTest, AreTheSameAfterARestartAndNotAnotherLedgers) {
  Seeded random;
  ScratchFolder folder;
  auto owed = some(random, 500);
  {
    Liabilities liabilities(folder.path(), ledger_id);
    make(liabilities, 8, owed);
  }
  {
    Liabilities again(folder.path(), ledger_id);
    expect_each_counted(again, 8, owed);
  }
  Liabilities of_another(folder.path(), Hash{2});
  EXPECT_FALSE(of_another.newest());
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(LiabilitiesTest, ThatAreDamagedProveNothing) {
  ScratchFolder folder;
  Owed owed{{{1, 1}, 10}, {{1, 2}, 20}};
  {
    Liabilities liabilities(folder.path(), ledger_id);
    make(liabilities, 8, owed);
  }
  {
    std::fstream file(folder / "8.nodes", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(39);
    file.put('\x77');  // the first leaf's sum
  }
  Liabilities again(folder.path(), ledger_id);
  EXPECT_FALSE(again.prove({8}, {1}, {1}) && again.prove({8}, {2}, {1}));
  std::filesystem::resize_file(folder / "8.nodes", 100);
  EXPECT_FALSE(Liabilities(folder.path(), ledger_id).newest());
}

TEST(LiabilitiesTest, OldOnesAreDropped) {
  ScratchFolder folder;
  Liabilities liabilities(folder.path(), ledger_id);
  for (std::uint64_t i = 1; i <= snapshot::kept_liabilities + 3; ++i) make(liabilities, i, {{{1, 1}, 10}});
  EXPECT_FALSE(liabilities.prove({3}, {1}, {1}));
  EXPECT_TRUE(liabilities.prove({4}, {1}, {1}));
  liabilities.discard_from({6});
  EXPECT_EQ(liabilities.newest(), core::Sequence{5});
}

// --- what a verifier must not believe

TEST(SumTreeTest, CommitsToEachChildSumByItself) {
  SumNode a{Hash{1}, 5}, b{Hash{2}, 7};
  auto node = codec::join(a, b);
  ASSERT_TRUE(node);
  EXPECT_EQ(node->sum, 12);
  // The same total, otherwise divided: what the broken tree could not tell apart.
  EXPECT_NE(codec::join({a.hash, 6}, {b.hash, 6})->hash, node->hash);
  EXPECT_NE(codec::join({a.hash, 7}, {b.hash, 5})->hash, node->hash);
}

TEST(SumTreeTest, RefusesNegativeAndOverflowingSums) {
  EXPECT_FALSE(codec::join({Hash{1}, -1}, {Hash{2}, 7}));
  EXPECT_FALSE(codec::join({Hash{1}, 1}, {Hash{2}, -7}));
  EXPECT_FALSE(codec::join({Hash{1}, most}, {Hash{2}, 1}));
  EXPECT_TRUE(codec::join({Hash{1}, most - 1}, {Hash{2}, 1}));
  EXPECT_FALSE(codec::climb({Hash{1}, -1}, {}));
  EXPECT_FALSE(codec::climb({Hash{1}, 5}, {{{Hash{2}, -5}, false}}));
  EXPECT_FALSE(codec::climb({Hash{1}, 5}, codec::SumPath(codec::max_sum_path + 1)));
}

TEST(SumTreeTest, LeavingAnAccountOutLeavesItUnprovable) {
  Owed owed{{{1, 1}, 10}, {{1, 2}, 20}, {{1, 3}, 30}};
  auto with = naive(owed);
  owed.erase({1, 2});
  auto without = naive(owed);
  EXPECT_EQ(with[0].total, 60);
  EXPECT_EQ(without[0].total, 40);
  ScratchFolder folder;
  Liabilities liabilities(folder.path(), ledger_id);
  make(liabilities, 3, owed);
  EXPECT_TRUE(liabilities.prove({3}, {2}, {1})->shares.empty());
}

TEST(SumTreeTest, SharesAreDrawnFromNoneToAll) {
  std::map<core::Amount, int> drawn;
  for (std::uint64_t account = 0; account < 300; ++account) {
    auto leaves = codec::liability_leaves(secret, {account}, {1}, 2);
    EXPECT_EQ(leaves[0].sum + leaves[1].sum, 2);
    ++drawn[leaves[0].sum];
  }
  ASSERT_EQ(drawn.size(), 3U);
  for (const auto& [share, count] : drawn) EXPECT_GT(count, 50) << share;
  auto whole = codec::liability_leaves(secret, {1}, {1}, most);
  EXPECT_GE(whole[0].sum, 0);
  EXPECT_EQ(whole[0].sum + whole[1].sum, most);
}

}  // namespace
}  // namespace windlass::test
