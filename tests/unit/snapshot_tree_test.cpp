// The tree of balance snapshots against a list of leaves: every snapshot that is kept is proven as it was,
// whatever came after it, and an interrupted change leaves no trace.
#include <gtest/gtest.h>

#include "ledger/snapshot/account_tree.h"
#include "tests/seeded.h"
#include "tests/unit/scratch_folder.h"

namespace windlass::test {
namespace {

using snapshot::AccountTree;
using snapshot::Snapshot;
using Leaves = std::vector<std::string>;

Hash root_of(const Leaves& leaves) {
  std::vector<Hash> hashes;
  for (const auto& leaf : leaves) hashes.push_back(log::leaf_hash(leaf));
  return log::root_of(hashes);
}

class SnapshotTree : public ::testing::Test {
 protected:
  void reopen() { tree = std::make_unique<AccountTree>(folder.path(), ledger_id); }

  // Some accounts changed, some new; `put_all` false: interrupted half-way.
  void change(bool interrupted = false) {
    Leaves next = leaves;
    std::uint64_t fresh = random.below(40);
    std::set<std::uint64_t> changed;
    for (std::uint64_t i = 0; i < fresh; ++i) changed.insert(next.size() + i);
    for (std::uint64_t i = random.below(20); i-- > 0 && !next.empty();)
      changed.insert(random.below(next.size()));
    next.resize(next.size() + fresh);
    tree->begin();
    std::uint64_t done = 0;
    for (auto account : changed) {
      if (interrupted && ++done > changed.size() / 2) break;
      next[account] = random.bytes(codec::account_leaf_bytes);
      tree->put({account}, next[account]);
    }
    if (interrupted) return;
    sequence += 1 + random.below(1000);
    leaves = next;
    kept[sequence] = leaves;
    EXPECT_EQ(tree->finish({sequence}, leaves.size(), pinned).root, root_of(leaves));
  }

  void check_all() {
    for (const auto& snapshot : tree->snapshots()) {
      const auto& then = kept.at(snapshot.sequence.value);
      ASSERT_EQ(snapshot.accounts, then.size());
      ASSERT_EQ(snapshot.root, root_of(then));
      for (std::uint64_t account = 0; account < then.size();
           account += 1 + random.below(then.size() / 16 + 1)) {
        auto proof = tree->prove(snapshot.sequence, {account});
        ASSERT_TRUE(proof);
        ASSERT_EQ(proof->leaf, then[account]);
        ASSERT_TRUE(log::verify_inclusion(log::leaf_hash(proof->leaf), account, then.size(), proof->path,
                                          snapshot.root));
      }
      EXPECT_FALSE(tree->prove(snapshot.sequence, {then.size()}));
    }
  }

  ScratchFolder folder;
  Hash ledger_id{1};
  Seeded random;
  Leaves leaves;
  std::uint64_t sequence = 0;
  std::map<std::uint64_t, Leaves> kept;
  std::vector<core::Sequence> pinned;
  std::unique_ptr<AccountTree> tree = std::make_unique<AccountTree>(folder.path(), ledger_id);
};

TEST_F(SnapshotTree, ProvesEveryKeptSnapshotAsItWas) {
  for (int i = 0; i < 12; ++i) change();
  check_all();
  reopen();
  check_all();
}

TEST_F(SnapshotTree, TakesAnInterruptedChangeBack) {
  for (int i = 0; i < 6; ++i) {
    change();
    change(true);
    if (i % 2 == 0)
      reopen();
    else
      tree->roll_back();
    check_all();
  }
}

TEST_F(SnapshotTree, AnswersFromTheLastSnapshotWhileTheNextIsMade) {
  change();
  change();
  change(true);
  check_all();
}

TEST_F(SnapshotTree, KeepsTheNewestAndThePinnedOnes) {
  for (std::size_t i = 0; i < snapshot::kept_snapshots + 12; ++i) {
    change();
    if (i == 2 || i == 5) pinned.push_back({sequence});
  }
  auto all = tree->snapshots();
  EXPECT_EQ(all.size(), snapshot::kept_snapshots + pinned.size());
  EXPECT_EQ(all[0].sequence, pinned[0]);
  EXPECT_EQ(all[1].sequence, pinned[1]);
  check_all();
  reopen();
  check_all();
}

TEST_F(SnapshotTree, DiscardsWhatIsAnotherLedgersOrDamaged) {
  change();
  change();
  ledger_id = {2};
  reopen();
  EXPECT_FALSE(tree->newest());
  leaves.clear(), kept.clear();
  while (leaves.size() < 2) change();
  tree.reset();
  for (const auto& file : std::filesystem::directory_iterator(folder.path()))
    if (file.path().filename() != "head") std::filesystem::resize_file(file.path(), 0);
  reopen();
  EXPECT_FALSE(tree->newest());
}

}  // namespace
}  // namespace windlass::test
