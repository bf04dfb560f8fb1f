// The log's growing end beside the journal: whatever reaches it when, a checkpoint is of the journal's
// entries.
#include "ledger/sequencer/log_keeper.h"

#include <gtest/gtest.h>

#include "crypto/ed25519.h"
#include "tests/pg/ledger_fixture.h"
#include "tests/unit/scratch_folder.h"

namespace windlass::testing {
namespace {

using sequencer::CommittedBatch;
using sequencer::LogKeeper;

class LogKeeping : public ::testing::Test {
 protected:
  LogKeeping() { EXPECT_TRUE(writer.try_acquire()); }

  // The next `count` entries, in the journal.
  CommittedBatch commit(std::size_t count) {
    CommittedBatch batch{entries_from(leaves.size(), count), {leaves.size() + count}};
    for (auto& entry : batch.entries) {
      codec::seal(entry);
      leaves.push_back(entry.leaf_hash);
    }
    writer.commit(batch.entries);
    return batch;
  }
  // What the keeper signs over all of them.
  static log::Checkpoint signed_over(LogKeeper& keeper, std::uint64_t size) {
    auto note = keeper.wait_for_checkpoint(size, std::chrono::steady_clock::now() + std::chrono::seconds(30));
    return note ? log::Checkpoint::of_own_note(*note).value() : log::Checkpoint();
  }
  void expect_all_signed(LogKeeper& keeper) {
    auto checkpoint = signed_over(keeper, leaves.size());
    EXPECT_EQ(checkpoint.size, leaves.size());
    EXPECT_EQ(checkpoint.root, log::root_of(leaves));
  }

  Cluster::Database database = Cluster::instance().make_database();
  struct : journal::Sessions {
    using Sessions::Sessions;
    std::unique_ptr<journal::ReadSession> reader() override {
      if (away) throw journal::DatabaseError("away", "");
      return Sessions::reader();
    }
    bool away = false;
  } sessions{database.server_url};
  journal::WriterSession writer{database.server_url};
  test::ScratchFolder folder;
  log::NoteSigner signer{"test.example/log", Ed25519SecretKey::generate()};
  std::vector<Hash> leaves;
};

TEST_F(LogKeeping, SignsOverBatchesInTheirOrder) {
  LogKeeper keeper(folder.path(), signer, sessions);
  keeper.catch_up({});
  for (std::size_t count : {1, 3, 300, 1}) keeper.append(commit(count));
  expect_all_signed(keeper);
  keeper.append(commit(5));
  expect_all_signed(keeper);
}

TEST_F(LogKeeping, HoldsNothingTwiceThatARecoveryHasCaughtUpWith) {
  LogKeeper keeper(folder.path(), signer, sessions);
  auto before = commit(4);
  keeper.catch_up({4});
  keeper.append(before);
  auto appended = commit(2);
  keeper.append(appended);
  keeper.catch_up({6});
  keeper.append(appended);
  keeper.append(commit(3));
  expect_all_signed(keeper);
}

TEST_F(LogKeeping, SignsNothingOnTopOfWhatARecoveryCouldNotRead) {
  {
    LogKeeper keeper(folder.path(), signer, sessions);
    keeper.catch_up({});
    keeper.append(commit(7));
    expect_all_signed(keeper);
    keeper.append(commit(sequencer::leaves_worth_writing));
    while (keeper.tiles().size() < leaves.size()) std::this_thread::yield();
    keeper.append(commit(2));
    sessions.away = true;
    EXPECT_THROW(keeper.catch_up({leaves.size()}), journal::DatabaseError);
  }
  sessions.away = false;
  LogKeeper keeper(folder.path(), signer, sessions);
  keeper.catch_up({leaves.size()});
  expect_all_signed(keeper);
}

TEST_F(LogKeeping, SignsNothingOnTopOfAJournalThatDiffersFromWhatItSigned) {
  std::string signed_before;
  {
    LogKeeper keeper(folder.path(), signer, sessions);
    keeper.catch_up({});
    keeper.append(commit(7));
    expect_all_signed(keeper);
    signed_before = folder.read("checkpoint");
    // As if the journal had been another: its end is longer, and the tiles, made anew, have another root.
    auto forged = log::Checkpoint{"test.example/log", 7, random_array<32>()};
    folder.write("checkpoint", signer.sign(forged.text()));
    commit(2);
    EXPECT_THROW(keeper.catch_up({9}), std::runtime_error);
    folder.write("checkpoint", signed_before);
  }
  EXPECT_EQ(folder.read("checkpoint"), signed_before);
}

TEST_F(LogKeeping, SignsWhatWasAppendedBeforeItEnds) {
  {
    LogKeeper keeper(folder.path(), signer, sessions);
    keeper.catch_up({});
    keeper.append(commit(7));
    expect_all_signed(keeper);
    keeper.append(commit(2));  // sooner than the next checkpoint is due
  }
  LogKeeper keeper(folder.path(), signer, sessions);
  EXPECT_THROW(keeper.catch_up({8}), std::runtime_error);  // signed over nine
  keeper.catch_up({9});
  expect_all_signed(keeper);
}

TEST_F(LogKeeping, TakesMoreThanMayWait) {
  LogKeeper keeper(folder.path(), signer, sessions);
  keeper.catch_up({});
  while (leaves.size() < 2 * sequencer::max_unwritten_leaves) keeper.append(commit(20'000));
  expect_all_signed(keeper);
}

TEST_F(LogKeeping, SignsNothingThatItHasNotHeldTheJournalAgainst) {
  {
    LogKeeper keeper(folder.path(), signer, sessions);
    keeper.catch_up({});
    keeper.append(commit(7));
  }
  std::filesystem::remove(folder / "checkpoint");
  { LogKeeper standby(folder.path(), signer, sessions); }
  EXPECT_FALSE(std::filesystem::exists(folder / "checkpoint"));
}

}  // namespace
}  // namespace windlass::testing
