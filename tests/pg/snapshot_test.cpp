// Balance snapshots of a running ledger against a replay of its entries.
#include "ledger/codec/balance_tree.h"
#include "ledger/codec/liabilities.h"
#include "ledger/snapshot/snapshots.h"
#include "tests/pg/ledger_fixture.h"
#include "tests/seeded.h"
#include "tests/unit/scratch_folder.h"

namespace windlass::testing {
namespace {

using namespace std::chrono_literals;
using snapshot::Snapshots;

// Something happens before each moment that is read.
class EventfulSessions final : public journal::Sessions {
 public:
  using Sessions::Sessions;
  std::function<void()> before_moment = [] {};

  std::unique_ptr<journal::SnapshotSession> snapshot() override {
    return std::make_unique<Session>(url_, before_moment);
  }

 private:
  class Session final : public journal::SnapshotSession {
   public:
    Session(const std::string& url, const std::function<void()>& before_moment)
        : SnapshotSession(url), before_moment_(before_moment) {}
    Moment begin() override {
      before_moment_();
      return SnapshotSession::begin();
    }

   private:
    const std::function<void()>& before_moment_;
  };
};

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
        Snapshots::Options{folder.path() / "snapshots", folder.path() / "liabilities",
                           [](const std::string& why) { ADD_FAILURE() << why; }, [](const auto&, double) {},
                           [](auto, double) {}},
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

  // What a replay up to the newest liabilities finds; its totals are those of the ledger then.
  Hash replayed_liabilities(core::Sequence sequence) {
    core::State state(true);
    codec::Secret newest_private{};
    for (const auto& stored : sessions.reader()->entries({0}, {sequence.value + 1}, 1'000'000)) {
      auto decoded = codec::decode_stored(stored.envelope);
      EXPECT_TRUE(codec::replay(state, *decoded, stored));
      if (!codec::is_public(stored.kind)) newest_private = stored.secret;
    }
    auto assets = codec::liabilities_of(state, codec::liabilities_secret(sequence, newest_private));
    for (const auto& asset : assets) {
      const auto& total = state.globals.totals[asset.asset.value - 1];
      EXPECT_EQ(asset.total, total.available + total.locked + total.held);
    }
    return codec::liabilities_root(assets);
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
  EventfulSessions sessions{database.server_url};
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

// Entries and accounts come while histories are folded, before the rows are read.
TEST_F(SnapshotTest, AreExactWhileTheLedgerGoesOn) {
  sessions.before_moment = [&] {
    people.emplace_back();
    happen(20);
    while (running->sequencer().status().flushed_next != running->sequencer().status().committed_next)
      std::this_thread::yield();
  };
  for (int round = 0; round < 4; ++round) {
    happen(20);
    auto newest = refreshed();
    EXPECT_EQ(newest.root, replayed(newest.sequence)) << "at " << newest.sequence.value;
  }
}

TEST_F(SnapshotTest, CountWhatIsOwedToEveryAccount) {
  for (int round = 0; round < 4; ++round) {
    happen(60);
    auto newest = refreshed();
    auto liabilities = snapshots->newest_liabilities();
    ASSERT_TRUE(liabilities);
    EXPECT_EQ(liabilities->first, newest.sequence);
    EXPECT_EQ(liabilities->second, replayed_liabilities(newest.sequence));
  }
}

TEST_F(SnapshotTest, MakeTheSameLiabilitiesAnewWhenTheyAreLost) {
  happen(60);
  refreshed();
  auto before = snapshots->newest_liabilities();
  ASSERT_TRUE(before);
  snapshots.reset();
  std::filesystem::remove_all(folder.path() / "liabilities");
  start();
  EXPECT_FALSE(snapshots->newest_liabilities());
  refreshed();
  EXPECT_EQ(snapshots->newest_liabilities(), before);
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

// A receipt posts to the recipient and the channel alone.
TEST_F(SnapshotTest, SeeAClaimInTheLeafOfThePayer) {
  running->submit_one(running->credit(gateway, people[0], 100'000));
  auto opened = running->submit_one(running->sign(
      people[0],
      core::OpenChannel{btt, people[1].key, 1000, wall_clock_us() + core::hour_us, people[0].key, {}}));
  ASSERT_TRUE(opened.entry);
  refreshed();
  for (core::Amount claimed = 0, i = 0; i < 3; ++i) {
    claimed += 1 + static_cast<core::Amount>(random.below(100));
    running->submit_one(running->sign(people[0], core::Receipt{{opened.entry->sequence.value}, claimed}));
    auto newest = refreshed();
    EXPECT_EQ(newest.root, replayed(newest.sequence)) << "after a claim of " << claimed;
  }
}

TEST_F(SnapshotTest, CoverMoreEntriesThanAreReadAtOnce) {
  running->submit_one(running->credit(gateway, people[0], 100'000));
  auto before = refreshed();
  for (int list = 0; list < 6; ++list) {
    std::vector<codec::Envelope> transfers;
    for (int i = 0; i < 200; ++i)
      transfers.push_back(running->sign(people[0], core::Transfer{btt, people[1 + random.below(3)].key, 10}));
    for (const auto& reply : running->submit(std::move(transfers))) ASSERT_TRUE(reply.entry);
  }
  auto newest = refreshed();
  EXPECT_EQ(newest.sequence.value, before.sequence.value + 1200);
  EXPECT_EQ(newest.root, replayed(newest.sequence));
}

// No command moves two assets of one account yet, but entries have room for it.
TEST_F(SnapshotTest, FoldEveryPostingOfAnEntry) {
  running->submit_one(running->credit(gateway, people[0], 100'000));
  auto before = refreshed();
  auto entry = running->submit_one(running->sign(people[0], core::Transfer{btt, people[1].key, 50})).entry;
  ASSERT_TRUE(entry);
  auto postings = entry->postings;
  auto other = std::get<core::AccountPosting>(postings[0]);
  other.after.asset = {btt.value + 1};
  postings.insert(postings.begin() + 1, other);
  journal::Connection(database.owner_url, 10'000)
      .script("UPDATE entries SET postings = '\\x" + to_hex(codec::encode_postings(postings)) +
              "' WHERE sequence = " + std::to_string(entry->sequence.value));
  auto after = refreshed();
  auto history_at = [&](core::Sequence sequence) {
    auto proof = snapshots->prove(sequence, other.account);
    return proof ? codec::AccountLeaf::decode(proof->leaf)->history : Hash{};
  };
  Hash expected = history_at(before.sequence);
  for (const auto& leaf : codec::posting_leaf_hashes({postings[0], postings[1]}, entry->secret))
    expected = codec::extend_history(expected, entry->sequence, leaf);
  EXPECT_EQ(history_at(after.sequence), expected);
}

TEST_F(SnapshotTest, StayWhileAnAuditorsStatementNamesThem) {
  auto next = [&] {
    running->submit_one(running->credit(gateway, people[0], 100'000));
    return refreshed();
  };
  auto oldest = next(), audited = next();
  sessions.reader()->add_audit({"auditor", audited.sequence.value + 1, audited.sequence, "note"}, 1,
                               snapshot::max_audits);
  for (std::size_t i = 0; i < snapshot::kept_snapshots; ++i) next();
  EXPECT_FALSE(snapshots->prove(oldest.sequence, {0}));
  EXPECT_TRUE(snapshots->prove(audited.sequence, {0}));
  EXPECT_EQ(snapshots->kept().size(), snapshot::kept_snapshots + 1);
}

}  // namespace
}  // namespace windlass::testing
