// Balance snapshots of a running ledger against a replay of its entries.
#include "ledger/codec/balance_tree.h"
#include "ledger/snapshot/snapshots.h"
#include "tests/pg/ledger_fixture.h"
#include "tests/seeded.h"
#include "tests/unit/scratch_folder.h"

namespace windlass::testing {
namespace {

using namespace std::chrono_literals;
using snapshot::Snapshots;

class SnapshotTest : public ::testing::Test {
 protected:
  void SetUp() override {
    running.emplace(sessions, operating, gateway);
    ASSERT_TRUE(running->serving());
    for (int i = 0; i < 12; ++i) people.emplace_back();
    start();
  }

  void start() {
    snapshots = std::make_unique<Snapshots>(
        Snapshots::Options{folder.path(), [](const std::string& why) { ADD_FAILURE() << why; },
                           [](const auto&, double) {}},
        sessions);
    snapshots->start(sessions.reader()->entry({0})->leaf_hash);
  }

  snapshot::Snapshot refreshed() {
    core::Sequence end = running->sequencer().status().committed_next;
    snapshots->refresh(end, std::chrono::steady_clock::now() + 60s);
    auto newest = snapshots->newest();
    EXPECT_TRUE(newest && newest->sequence.value + 1 >= end.value);
    return newest.value_or(snapshot::Snapshot{});
  }

  // The root that a replay finds at this sequence.
  Hash replayed(core::Sequence sequence) {
    core::State state(true);
    codec::BalanceTree tree;
    for (const auto& stored : sessions.reader()->entries({0}, {sequence.value + 1}, 1'000'000)) {
      auto decoded = codec::decode_stored(stored.envelope);
      auto entry = codec::replay(state, *decoded, stored);
      EXPECT_TRUE(entry) << entry.error();
      if (!entry) break;
      tree.follow(state, *entry);
    }
    return tree.root(state);
  }

  // Some of everything that changes an account's leaf.
  void happen(int commands) {
    for (int i = 0; i < commands; ++i) {
      auto& payer = people[random.below(people.size())];
      auto& payee = people[random.below(people.size())];
      if (&payer == &payee || random.one_in(4)) {
        running->submit_one(running->credit(gateway, payer, 100'000));
      } else if (random.one_in(3)) {
        auto opened = running->submit_one(running->sign(
            payer, core::OpenChannel{btt, payee.key, 1000, wall_clock_us() + core::hour_us, payer.key, {}}));
        if (opened.entry) channels.push_back({{opened.entry->sequence.value}, &payer, &payee});
      } else if (random.one_in(2) && !channels.empty()) {
        auto& channel = channels[random.below(channels.size())];
        channel.claimed += 1 + static_cast<core::Amount>(random.below(20));
        running->submit_one(running->sign(*channel.payer, core::Receipt{channel.id, channel.claimed}));
      } else if (random.one_in(5) && !channels.empty()) {
        auto& channel = channels[random.below(channels.size())];
        running->submit_one(running->sign(*channel.payee, core::CloseChannel{channel.id, {}}));
      } else {
        running->submit_one(running->sign(payer, core::Transfer{btt, payee.key, 50}));
      }
    }
  }

  struct Open {
    core::ChannelId id;
    Person *payer, *payee;
    core::Amount claimed = 0;
  };
  test::Seeded random;
  Cluster::Database database = Cluster::instance().make_database();
  journal::Sessions sessions{database.server_url};
  Person operating, gateway;
  std::deque<Person> people;
  std::vector<Open> channels;
  test::ScratchFolder folder;
  std::optional<Running> running;
  std::unique_ptr<Snapshots> snapshots;
};

TEST_F(SnapshotTest, AreWhatAReplayFinds) {
  for (int round = 0; round < 6; ++round) {
    happen(60);
    auto newest = refreshed();
    EXPECT_EQ(newest.root, replayed(newest.sequence)) << "at " << newest.sequence.value;
  }
  // Older ones are proven still, each as it was.
  for (const auto& kept : snapshots->kept()) {
    EXPECT_EQ(kept.root, replayed(kept.sequence));
    auto proof = snapshots->prove(kept.sequence, {0});
    ASSERT_TRUE(proof);
    EXPECT_EQ(codec::AccountLeaf::decode(proof->leaf)->key, operating.key);
  }
}

TEST_F(SnapshotTest, AreRebuiltFromTheEntriesWhenLost) {
  happen(80);
  auto before = refreshed();
  snapshots.reset();
  std::filesystem::remove_all(folder.path());
  start();
  happen(20);
  auto after = refreshed();
  EXPECT_GT(after.sequence, before.sequence);
  EXPECT_EQ(after.root, replayed(after.sequence));
}

TEST_F(SnapshotTest, GoOnAfterARestart) {
  happen(40);
  auto before = refreshed();
  snapshots.reset();
  start();
  EXPECT_EQ(snapshots->newest(), before);
  happen(40);
  auto after = refreshed();
  EXPECT_EQ(after.root, replayed(after.sequence));
}

}  // namespace
}  // namespace windlass::testing
