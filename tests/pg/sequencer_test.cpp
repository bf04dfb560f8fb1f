// The sequencer over a real Postgres: restarts, commits in doubt, and two planted faults that must be caught.
#include <btfs/ledger.pb.h>
#include <gtest/gtest.h>

#include <barrier>

#include "ledger/codec/btfs.h"
#include "ledger/core/invariants.h"
#include "tests/pg/ledger_fixture.h"

namespace windlass::testing {
namespace {

using Verdict = core::Outcome::Verdict;

class SequencerTest : public ::testing::Test {
 protected:
  Cluster::Database database = Cluster::instance().make_database();
  journal::Sessions honest{database.server_url};
  Person operating, gateway, alice, bob;

  // Each on a thread of its own, with money; bob has some, too.
  void at_once(Running& running, int payers, const std::function<void(int number, const Person&)>& pay) {
    running.submit_one(running.credit(gateway, bob, 1000));
    std::vector<Person> people(static_cast<std::size_t>(payers));
    for (const auto& payer : people) running.submit_one(running.credit(gateway, payer, 1000));
    std::vector<std::thread> threads;
    for (int i = 0; i < payers; ++i)
      threads.emplace_back([&, i] { pay(i, people[static_cast<std::size_t>(i)]); });
    for (auto& thread : threads) thread.join();
  }

  // All entries once more, from the first: what an audit does. The text is the first fault.
  std::optional<std::string> replay_all() {
    journal::ReadSession reader(database.server_url);
    core::State state(true);
    for (const auto& stored : reader.entries({0}, reader.end_of_entries(), 100'000)) {
      auto decoded = codec::decode_stored(stored.envelope);
      if (!decoded) return decoded.error();
      auto entry = codec::replay(state, *decoded, stored);
      if (!entry) return entry.error();
    }
    return core::check_whole(state);
  }
};

TEST_F(SequencerTest, WritesGenesisOnceAndServes) {
  {
    Running running(honest, operating, gateway);
    ASSERT_TRUE(running.serving());
    EXPECT_EQ(running.sequencer().status().committed_next.value, 1u);
  }
  Running again(honest, operating, gateway);
  ASSERT_TRUE(again.serving());
  EXPECT_EQ(again.sequencer().status().committed_next.value, 1u);
}

TEST_F(SequencerTest, RemembersEverythingAcknowledgedAfterACrash) {
  codec::Envelope paid;
  {
    Running running(honest, operating, gateway, std::chrono::hours(1));  // nothing is flushed
    ASSERT_TRUE(running.serving());
    running.submit_one(running.credit(gateway, alice, 1000));
    paid = running.sign(alice, core::Transfer{btt, bob.key, 300});
    EXPECT_EQ(running.submit_one(paid).answer.verdict, Verdict::accepted);
  }
  Running again(honest, operating, gateway);
  ASSERT_TRUE(again.serving());
  EXPECT_EQ(again.available(alice), 700);
  EXPECT_EQ(again.available(bob), 300);
  EXPECT_EQ(again.submit_one(paid).answer.verdict, Verdict::repeated);
  EXPECT_EQ(again.available(bob), 300);
  EXPECT_EQ(replay_all(), std::nullopt);
}

TEST_F(SequencerTest, ServesFromStorageWhatWasEvicted) {
  {
    Running running(honest, operating, gateway);
    ASSERT_TRUE(running.serving());
    running.submit_one(running.credit(gateway, alice, 1000));
    running.submit_one(running.sign(alice, core::Transfer{btt, bob.key, 300}));
    running.sequencer().drain();  // flushes all
    EXPECT_EQ(running.sequencer().status().flushed_next, running.sequencer().status().committed_next);
  }
  Running again(honest, operating, gateway);  // with an empty cache
  ASSERT_TRUE(again.serving());
  EXPECT_EQ(again.submit_one(again.sign(bob, core::Transfer{btt, alice.key, 100})).answer.verdict,
            Verdict::accepted);
  EXPECT_EQ(again.available(alice), 800);
  EXPECT_EQ(replay_all(), std::nullopt);
}

// Without a nonce: only what is kept of the message tells a repetition from a second payment.
codec::Decoded historical_transfer(const Person& payer, const Person& recipient) {
  ::ledger::TransferRequest message;
  message.mutable_payer()->set_key(codec::btfs::address_of(payer.key));
  message.mutable_recipient()->set_key(codec::btfs::address_of(recipient.key));
  message.set_amount(300);
  std::string bytes = message.SerializeAsString();
  return codec::make_btfs_transfer(bytes,
                                   {std::string(view(payer.key)), codec::btfs::sign(payer.secret, bytes)})
      .value();
}

TEST_F(SequencerTest, PaysAHistoricalMessageOnceWhereverItIsKept) {
  auto paid = historical_transfer(alice, bob);
  core::Sequence first;
  auto expect_repeated = [&](Running& running) {
    auto replies = running.submit_decoded({paid, historical_transfer(alice, bob)});
    for (const auto& reply : replies) {
      EXPECT_EQ(reply.answer.verdict, Verdict::repeated);
      EXPECT_EQ(reply.answer.sequence, first);
    }
    EXPECT_EQ(running.available(alice), 700);
    EXPECT_EQ(running.available(bob), 300);
  };
  {
    Running running(honest, operating, gateway, std::chrono::hours(1));  // nothing is flushed
    ASSERT_TRUE(running.serving());
    running.submit_one(running.credit(gateway, alice, 1000));
    auto replies = running.submit_decoded({paid, paid});  // both in one round
    EXPECT_EQ(replies[0].answer.verdict, Verdict::accepted);
    EXPECT_EQ(replies[1].answer.verdict, Verdict::repeated);
    first = replies[0].answer.sequence;
    expect_repeated(running);
  }
  {
    Running running(honest, operating, gateway, std::chrono::hours(1));  // replayed
    ASSERT_TRUE(running.serving());
    expect_repeated(running);
    running.sequencer().drain();  // flushes all
    EXPECT_EQ(running.sequencer().status().flushed_next, running.sequencer().status().committed_next);
  }
  Running running(honest, operating, gateway);  // with an empty cache
  ASSERT_TRUE(running.serving());
  expect_repeated(running);
  EXPECT_EQ(replay_all(), std::nullopt);
}

TEST_F(SequencerTest, ForgetsNoHistoricalMessageThatWasEvicted) {
  Running running(honest, operating, gateway, std::chrono::milliseconds(50), 0);  // keeps nothing it need not
  ASSERT_TRUE(running.serving());
  running.submit_one(running.credit(gateway, alice, 1000));
  auto paid = historical_transfer(alice, bob);
  EXPECT_EQ(running.submit_decoded({paid}).front().answer.verdict, Verdict::accepted);
  // What was used stays for one flush more: it is gone after others that it has no part in.
  for (int flushes = 0; flushes < 3; ++flushes) {
    running.submit_one(running.credit(gateway, alice, 1));
    while (running.sequencer().status().flushed_next != running.sequencer().status().committed_next)
      std::this_thread::yield();
  }
  EXPECT_EQ(running.submit_decoded({paid}).front().answer.verdict, Verdict::repeated);
  EXPECT_EQ(running.available(bob), 300);
}

// Keys and accounts, and no channel: they have its part of the cache, too, and no more than the whole of it.
TEST_F(SequencerTest, LetsOneKindOfRecordHaveWhatTheOthersLeave) {
  std::vector<Person> people(300);
  auto cached = [&](std::size_t room) {
    Running running(honest, operating, gateway, std::chrono::milliseconds(50), room);
    EXPECT_TRUE(running.serving());
    std::vector<codec::Envelope> credits;
    for (const auto& person : people) credits.push_back(running.credit(gateway, person, 1000));
    running.submit(std::move(credits));
    // What was used stays for one flush more.
    for (int flushes = 0; flushes < 3; ++flushes) {
      running.submit_one(running.credit(gateway, alice, 1000));
      while (running.sequencer().status().flushed_next != running.sequencer().status().committed_next)
        std::this_thread::yield();
    }
    return running.sequencer().status().cache_bytes;
  };
  std::size_t all = cached(sequencer::Limits().cache_bytes);
  EXPECT_GT(all, people.size() * sizeof(core::Account));
  // But for the operator's account, which nobody asks for after a restart.
  EXPECT_GT(cached(all + all / 16), all - all / 16);
  EXPECT_LE(cached(all / 2), all / 2);
}

// Copied in several steps, which nobody's command wakes the writer for.
TEST_F(SequencerTest, FlushesManyRecordsWhileNobodySubmits) {
  std::vector<Person> many(10 * sequencer::min_drain_step), few(10);
  const std::size_t enough = 2 * many.size() + few.size();  // a key and an account of each, and the genesis'
  {
    Running running(honest, operating, gateway, std::chrono::hours(1), sequencer::Limits().cache_bytes,
                    enough);
    ASSERT_TRUE(running.serving());
    for (const auto& people : {many, few}) {
      EXPECT_EQ(running.sequencer().status().flushed_next.value, 0u);
      std::vector<codec::Envelope> credits;
      for (const auto& person : people) credits.push_back(running.credit(gateway, person, 1000));
      running.submit(std::move(credits));
    }
    while (running.sequencer().status().flushed_next != running.sequencer().status().committed_next)
      std::this_thread::yield();
  }
  Running again(honest, operating, gateway);  // with an empty cache
  ASSERT_TRUE(again.serving());
  for (const auto& person : many) EXPECT_EQ(again.available(person), 1000);
}

// A round without signatures that hold is refused, as of any command.
TEST_F(SequencerTest, VerifiesHistoricalSignatures) {
  Running running(honest, operating, gateway);
  ASSERT_TRUE(running.serving());
  running.submit_one(running.credit(gateway, alice, 1000));
  auto forged = historical_transfer(alice, bob);
  forged.envelope.signers[0].signature = codec::btfs::sign(bob.secret, forged.historical_messages[0]);
  auto reply = running.submit_decoded({forged}).front();
  EXPECT_EQ(reply.answer.verdict, Verdict::refused);
  EXPECT_EQ(reply.answer.error, core::Error::bad_signature);
  EXPECT_EQ(running.available(alice), 1000);
}

TEST_F(SequencerTest, AppliesTheHighestGoodReceiptAndCoversTheOthers) {
  Running running(honest, operating, gateway);
  ASSERT_TRUE(running.serving());
  running.submit_one(running.credit(gateway, alice, 1000));
  auto opened = running.submit_one(running.sign(
      alice, core::OpenChannel{btt, bob.key, 500, wall_clock_us() + core::hour_us, alice.key, {}}));
  ASSERT_EQ(opened.answer.verdict, Verdict::accepted);
  core::ChannelId channel{opened.answer.sequence.value};
  auto receipt = [&](core::Amount cumulative) {
    return running.sign(alice, core::Receipt{channel, cumulative});
  };
  auto forged = receipt(400);
  forged.signers[0].signature[40] = static_cast<char>(forged.signers[0].signature[40] ^ 1);
  auto foreign = running.sign(bob, core::Receipt{channel, 450});

  auto replies = running.submit({receipt(100), forged, receipt(300), receipt(200), foreign, receipt(501)});
  EXPECT_EQ(replies[0].answer.verdict, Verdict::covered);
  EXPECT_EQ(replies[1].answer.error, core::Error::bad_signature);
  EXPECT_EQ(replies[2].answer.verdict, Verdict::accepted);
  EXPECT_EQ(replies[3].answer.verdict, Verdict::covered);
  EXPECT_EQ(replies[3].answer.sequence, replies[2].answer.sequence);
  EXPECT_EQ(replies[3].answer.claimed, 300);
  EXPECT_EQ(replies[4].answer.error, core::Error::wrong_receipt_key);
  EXPECT_EQ(replies[5].answer.error, core::Error::above_deposit);
  EXPECT_EQ(running.available(bob), 300);

  auto close = running.sign(bob, core::CloseChannel{channel, {}});
  auto last = running.submit({receipt(350), close, receipt(360), receipt(340)});
  EXPECT_EQ(last[0].answer.verdict, Verdict::accepted);
  EXPECT_EQ(last[1].answer.verdict, Verdict::accepted);
  EXPECT_EQ(last[2].answer.error, core::Error::channel_closed);
  EXPECT_EQ(last[3].answer.verdict, Verdict::covered);
  EXPECT_EQ(running.available(bob), 350);
  EXPECT_EQ(running.available(alice), 650);
  EXPECT_EQ(replay_all(), std::nullopt);
}

TEST_F(SequencerTest, WritesASealWithTheTotalsOfItsPlace) {
  Running running(honest, operating, gateway);
  ASSERT_TRUE(running.serving());
  running.submit_one(running.credit(gateway, alice, 1000));
  auto request = [&](const Person& who) {
    return codec::sign(codec::encode_request_seal(1, wall_clock_us() + core::hour_us, Hash{7}),
                       *running.sequencer().signing_tag(), {&who.secret});
  };
  EXPECT_EQ(running.submit_one(request(alice)).answer.error, core::Error::missing_role);
  auto sealed = running.submit_one(request(gateway));
  ASSERT_EQ(sealed.answer.verdict, Verdict::accepted);
  EXPECT_EQ(sealed.entry->kind, core::Kind::seal);
  auto decoded = codec::decode_stored(sealed.entry->envelope);
  EXPECT_EQ(std::get<core::Seal>(decoded->command.body).totals[0].available, 1000);
  EXPECT_EQ(decoded->seal_block_id, Hash{7});
  EXPECT_EQ(replay_all(), std::nullopt);
}

// --- commits in doubt

// Commits that fail on demand, before or after they took effect.
class DoubtfulSessions final : public journal::Sessions {
 public:
  using Sessions::Sessions;
  enum class Fault { none, before, after };
  std::atomic<Fault> next{Fault::none};

  std::unique_ptr<journal::WriterSession> writer() override {
    struct Doubtful final : journal::WriterSession {
      Doubtful(const std::string& url, std::atomic<Fault>& fault) : WriterSession(url), next(fault) {}
      void commit(const std::vector<codec::Entry>& entries, const std::function<void()>& seal) override {
        Fault fault = next.exchange(Fault::none);
        if (fault == Fault::before) throw journal::DatabaseError("planted: before the commit", "");
        WriterSession::commit(entries, seal);
        if (fault == Fault::after) throw journal::DatabaseError("planted: the answer was lost", "");
      }
      std::atomic<Fault>& next;
    };
    return std::make_unique<Doubtful>(url_, next);
  }
};

TEST_F(SequencerTest, AnswersACommitInDoubtByWhatTheJournalHolds) {
  DoubtfulSessions doubtful(database.server_url);
  Running running(doubtful, operating, gateway);
  ASSERT_TRUE(running.serving());
  running.submit_one(running.credit(gateway, alice, 1000));

  doubtful.next = DoubtfulSessions::Fault::before;
  auto lost = running.sign(alice, core::Transfer{btt, bob.key, 100});
  EXPECT_EQ(running.submit_one(lost).answer.error, core::Error::unavailable);
  ASSERT_TRUE(running.serving());
  EXPECT_EQ(running.available(alice), 1000);
  EXPECT_EQ(running.submit_one(lost).answer.verdict, Verdict::accepted);  // the same bytes again

  doubtful.next = DoubtfulSessions::Fault::after;
  auto kept = running.sign(alice, core::Transfer{btt, bob.key, 50});
  EXPECT_EQ(running.submit_one(kept).answer.verdict, Verdict::accepted);
  ASSERT_TRUE(running.serving());
  EXPECT_EQ(running.available(alice), 850);
  EXPECT_EQ(running.submit_one(kept).answer.verdict, Verdict::repeated);
  EXPECT_EQ(replay_all(), std::nullopt);
}

// The connection lives on, so that a later batch could be committed: it would stand in the journal without
// the one that it was computed from.
TEST_F(SequencerTest, CommitsNothingOnTopOfACommitInDoubt) {
  constexpr int payers = 4, payments = 60, until_fault = 20;
  DoubtfulSessions doubtful(database.server_url);
  Running running(doubtful, operating, gateway);
  ASSERT_TRUE(running.serving());
  at_once(running, payers, [&](int number, const Person& payer) {
    for (int k = 1; k <= payments; ++k) {
      if (number == 0 && k % until_fault == 0) doubtful.next = DoubtfulSessions::Fault::before;
      auto paid = running.sign(payer, core::Transfer{btt, bob.key, 1});
      while (running.submit_one(paid).answer.error == core::Error::unavailable)
        if (!running.serving()) return;  // what is stored contradicts itself
    }
  });
  EXPECT_TRUE(running.serving());
  EXPECT_EQ(replay_all(), std::nullopt);
  EXPECT_EQ(running.available(bob), 1000 + payers * payments);
}

TEST_F(SequencerTest, SurvivesAPostgresThatStopsAndComesBack) {
  Running running(honest, operating, gateway);
  ASSERT_TRUE(running.serving());
  running.submit_one(running.credit(gateway, alice, 1000));
  Cluster::instance().stop_immediately();
  auto envelope = running.sign(alice, core::Transfer{btt, bob.key, 100});
  EXPECT_EQ(running.submit_one(envelope).answer.error, core::Error::unavailable);
  Cluster::instance().start();
  ASSERT_TRUE(running.serving());
  EXPECT_EQ(running.submit_one(envelope).answer.verdict, Verdict::accepted);
  EXPECT_EQ(running.available(bob), 100);
}

// What the writer has to do is done by whoever makes it possible, or left to whoever has the turn, or to the
// writer's thread. That one's next look by itself is an hour away: what nobody does is waited for in vain.
class WritersTurn : public SequencerTest {
 protected:
  sequencer::Limits limits{.flush_interval = std::chrono::hours(1)};

  // A message of so many payments.
  std::vector<codec::Envelope> payments(Running& running, const Person& payer, int count) {
    std::vector<codec::Envelope> signed_ones;
    for (int i = 0; i < count; ++i)
      signed_ones.push_back(running.sign(payer, core::Transfer{btt, bob.key, 1}));
    return signed_ones;
  }
  static void expect_accepted(const std::vector<Running::Reply>& replies) {
    for (const auto& reply : replies) EXPECT_EQ(reply.answer.verdict, Verdict::accepted);
  }
  void expect_drained(Running& running) {
    running.sequencer().drain();
    EXPECT_EQ(running.sequencer().status().flushed_next, running.sequencer().status().committed_next);
    EXPECT_EQ(replay_all(), std::nullopt);
  }
};

TEST_F(WritersTurn, IsTakenByWhoeverComesAloneOrWithOthers) {
  constexpr int payers = 4, times = 200;
  Running running(honest, operating, gateway, limits);
  ASSERT_TRUE(running.serving());
  at_once(running, payers, [&](int number, const Person& payer) {
    // The first goes on alone when the others are done.
    for (int k = 0; k < times >> number; ++k) expect_accepted(running.submit(payments(running, payer, 1)));
  });
  EXPECT_EQ(running.available(bob), 1000 + times + times / 2 + times / 4 + times / 8);
  expect_drained(running);
}

// The two come at the same moment, and nobody after them.
TEST_F(WritersTurn, IsLookedAtAgainForWhoFoundItTaken) {
  constexpr int payers = 2, times = 400;
  Running running(honest, operating, gateway, limits);
  ASSERT_TRUE(running.serving());
  std::barrier meet(payers);
  at_once(running, payers, [&](int number, const Person& payer) {
    for (int k = 0; k < times; ++k) {
      auto message = payments(running, payer, 1 + number);
      meet.arrive_and_wait();
      expect_accepted(running.submit(std::move(message)));
    }
  });
  EXPECT_EQ(running.available(bob), 1000 + times + 2 * times);
  expect_drained(running);
}

// Its commits wait until they are let go.
class HeldCommits final : public journal::Sessions {
 public:
  using Sessions::Sessions;
  std::atomic<bool> held{false};
  std::unique_ptr<journal::WriterSession> writer() override {
    struct Held final : journal::WriterSession {
      Held(const std::string& url, std::atomic<bool>& wait) : WriterSession(url), held(wait) {}
      void commit(const std::vector<codec::Entry>& entries, const std::function<void()>& seal) override {
        held.wait(true);
        WriterSession::commit(entries, seal);
      }
      std::atomic<bool>& held;
    };
    return std::make_unique<Held>(url_, held);
  }
};

// Of three messages the first is being committed, the second fills the next batch, and the third, verified as
// well, has to wait for room.
TEST_F(WritersTurn, GoesOnWhenABatchHasRoomAgain) {
  constexpr int times = 20;
  limits.max_batch_entries = 1;
  HeldCommits commits(database.server_url);
  Running running(commits, operating, gateway, limits);
  ASSERT_TRUE(running.serving());
  for (const auto& person : {alice, bob}) running.submit_one(running.credit(gateway, person, 1000));
  for (int k = 0; k < times; ++k) {
    commits.held = true;
    const std::size_t verified = running.verified();
    std::vector<std::future<std::vector<Running::Reply>>> replies;
    for (int i = 0; i < 3; ++i) replies.push_back(running.send(Running::decode(payments(running, alice, 2))));
    while (running.verified() < verified + 6) std::this_thread::yield();
    commits.held = false;
    commits.held.notify_all();
    for (auto& reply : replies) expect_accepted(reply.get());
  }
  EXPECT_EQ(running.available(bob), 1000 + times * 3 * 2);
  expect_drained(running);
}

// On whichever thread a step fails, nothing is built on the state that it left.
TEST_F(WritersTurn, IsNotTakenAfterAStepThatFailed) {
  constexpr int payers = 4, times = 50;
  {
    Running running(honest, operating, gateway, limits);
    ASSERT_TRUE(running.serving());
    at_once(running, payers, [&](int number, const Person& payer) {
      for (int k = 0; k < times; ++k) {
        auto replies = running.submit(payments(running, payer, 2));
        if (replies.front().answer.error == core::Error::unavailable) return;
        expect_accepted(replies);
        if (number == 0 && k == times / 2)
          running.sequencer().submit(
              {2, sequencer::Look{{},
                                  {},
                                  [](const core::State&) { throw std::runtime_error("planted"); },
                                  [](bool answered) { EXPECT_FALSE(answered); }}});
      }
    });
    EXPECT_EQ(running.failure(), "planted");
  }
  Running again(honest, operating, gateway);
  ASSERT_TRUE(again.serving());
  EXPECT_EQ(replay_all(), std::nullopt);
}

TEST_F(WritersTurn, FlushesWhatAClientAloneChanged) {
  limits.flush_records = 1;
  Running running(honest, operating, gateway, limits);
  ASSERT_TRUE(running.serving());
  for (const auto& person : {alice, bob}) running.submit_one(running.credit(gateway, person, 1000));
  for (int k = 0; k < 5; ++k) {  // from the second on nothing is loaded
    expect_accepted(running.submit(payments(running, alice, 1)));
    while (running.sequencer().status().flushed_next != running.sequencer().status().committed_next)
      std::this_thread::yield();
  }
}

TEST_F(WritersTurn, GoesOnWhereNothingIsToBeVerified) {
  Running running(honest, operating, gateway, limits);
  ASSERT_TRUE(running.serving());
  for (const auto& reply : running.submit_decoded({3, tl::unexpected(core::Error::malformed_command)}))
    EXPECT_EQ(reply.answer.error, core::Error::malformed_command);
  expect_drained(running);
}

// Nothing is to be flushed after them, whose end would be seen.
TEST_F(WritersTurn, EndsADrainWithWhatIsRefused) {
  Running running(honest, operating, gateway, limits);
  ASSERT_TRUE(running.serving());
  auto forged = payments(running, alice, 500);
  for (auto& payment : forged)
    payment.signers[0].signature[40] = static_cast<char>(payment.signers[0].signature[40] ^ 1);
  auto replies = running.send(Running::decode(std::move(forged)));
  expect_drained(running);
  for (const auto& reply : replies.get()) EXPECT_EQ(reply.answer.error, core::Error::bad_signature);
}

TEST_F(SequencerTest, DrainsAlsoWhileItWaitsForPostgresOrTheLease) {
  std::future<void> drained;
  auto drains = [&](Running& running) {
    drained = std::async(std::launch::async, [&] { running.sequencer().drain(); });
    return drained.wait_for(std::chrono::seconds(10)) == std::future_status::ready;
  };
  Running running(honest, operating, gateway);
  ASSERT_TRUE(running.serving());
  Running standby(honest, operating, gateway);
  ASSERT_TRUE(drains(standby));
  EXPECT_FALSE(standby.serving());

  Cluster::instance().stop_immediately();
  EXPECT_TRUE(drains(running));
  Cluster::instance().start();
}

TEST_F(SequencerTest, StopsWhenAnotherWriterTookOver) {
  Running running(honest, operating, gateway);
  ASSERT_TRUE(running.serving());
  journal::Connection(database.owner_url, 10'000).script("UPDATE writer SET epoch = epoch + 1");
  auto reply = running.submit_one(running.credit(gateway, alice, 1000));
  EXPECT_EQ(reply.answer.error, core::Error::unavailable);
  EXPECT_NE(running.failure().find("another writer took over"), std::string::npos);
  journal::ReadSession reader(database.server_url);
  EXPECT_EQ(reader.end_of_entries().value, 1u);
}

// --- planted faults: the checks of this file and of recovery must catch them

// A flush that waits for one more commit and then writes that commit's balances as if they were of its own
// sequence. No later flush is written: the process dies before it, and recovery has the rest to replay.
class NewerThanFlushedThrough final : public journal::Sessions {
 public:
  using Sessions::Sessions;
  bool planted = true;

  std::unique_ptr<journal::WriterSession> writer() override {
    struct Watched final : journal::WriterSession {
      Watched(const std::string& url, NewerThanFlushedThrough& to) : WriterSession(url), owner(to) {}
      void commit(const std::vector<codec::Entry>& entries, const std::function<void()>& seal) override {
        WriterSession::commit(entries, seal);
        std::lock_guard lock(owner.mutex_);
        for (const auto& entry : entries) owner.committed_.push_back(entry);
        owner.changed_.notify_all();
      }
      NewerThanFlushedThrough& owner;
    };
    return std::make_unique<Watched>(url_, *this);
  }
  std::unique_ptr<journal::FlushSession> flusher() override {
    struct Faulty final : journal::FlushSession {
      Faulty(const std::string& url, NewerThanFlushedThrough& to) : FlushSession(url), owner(to) {}
      void write(journal::Epoch epoch, const journal::Flush& flush) override {
        if (owner.held_.exchange(true)) return;
        journal::Flush changed = flush;
        std::unique_lock lock(owner.mutex_);
        owner.changed_.wait(lock, [&] {
          return !owner.committed_.empty() && owner.committed_.back().sequence >= flush.globals.next;
        });
        if (owner.planted)
          for (const auto& posting : owner.committed_.back().postings)
            if (const auto* account = std::get_if<core::AccountPosting>(&posting))
              for (auto& row : changed.accounts)
                if (row.number == account->account) row.change_balance(btt) = account->after;
        FlushSession::write(epoch, changed);
        owner.written_.set_value();
      }
      NewerThanFlushedThrough& owner;
    };
    return std::make_unique<Faulty>(url_, *this);
  }
  bool written_within(std::chrono::milliseconds time) {
    return written_seen_.wait_for(time) == std::future_status::ready;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<codec::Entry> committed_;
  std::atomic<bool> held_{false};
  std::promise<void> written_;
  std::future<void> written_seen_ = written_.get_future();
};

class FlushOrder : public SequencerTest, public ::testing::WithParamInterface<bool> {};

TEST_P(FlushOrder, IsCaughtByRecoveryWhenItWritesNewerValuesThanFlushedThrough) {
  {
    Running running(honest, operating, gateway);
    ASSERT_TRUE(running.serving());
    running.submit_one(running.credit(gateway, alice, 1000));
    running.sequencer().drain();
  }
  NewerThanFlushedThrough faulty(database.server_url);
  faulty.planted = GetParam();
  core::Amount paid = 0;
  {
    Running running(faulty, operating, gateway, std::chrono::milliseconds(1));
    ASSERT_TRUE(running.serving());
    // The first flush takes up one or more of these, and is held until the next is committed.
    do {
      running.submit_one(running.sign(alice, core::Transfer{btt, bob.key, 10}));
      paid += 10;
    } while (!faulty.written_within(std::chrono::milliseconds(10)));
  }
  Running again(honest, operating, gateway);
  if (!GetParam()) {
    ASSERT_TRUE(again.serving());
    EXPECT_EQ(again.available(bob), paid);
    return;
  }
  ASSERT_FALSE(again.serving());
  EXPECT_NE(again.failure().find("entry"), std::string::npos);
}
INSTANTIATE_TEST_SUITE_P(PlantedAndNot, FlushOrder, ::testing::Bool());

// A commit that answers before it is durable, and then is lost.
class AnswersTooEarly final : public journal::Sessions {
 public:
  using Sessions::Sessions;
  std::atomic<bool> planted{false};
  std::unique_ptr<journal::WriterSession> writer() override {
    struct Early final : journal::WriterSession {
      Early(const std::string& url, std::atomic<bool>& fault) : WriterSession(url), planted(fault) {}
      void commit(const std::vector<codec::Entry>& entries, const std::function<void()>& seal) override {
        planted ? seal() : WriterSession::commit(entries, seal);
      }
      std::atomic<bool>& planted;
    };
    return std::make_unique<Early>(url_, planted);
  }
};

// The check that the crash tests make after every kill.
std::size_t acknowledged_and_missing(const std::vector<codec::Entry>& acknowledged, const std::string& url) {
  journal::ReadSession reader(url);
  std::size_t missing = 0;
  for (const auto& entry : acknowledged) {
    auto stored = reader.entry(entry.sequence);
    if (!stored || stored->leaf_hash != entry.leaf_hash) ++missing;
  }
  return missing;
}

TEST_F(SequencerTest, IsCaughtWhenItAnswersBeforeItsBatchIsCommitted) {
  AnswersTooEarly early(database.server_url);
  std::vector<codec::Entry> acknowledged;
  {
    Running running(early, operating, gateway, std::chrono::hours(1));
    ASSERT_TRUE(running.serving());
    acknowledged.push_back(*running.submit_one(running.credit(gateway, alice, 1000)).entry);
    EXPECT_EQ(acknowledged_and_missing(acknowledged, database.server_url), 0u);
    early.planted = true;
    acknowledged.push_back(*running.submit_one(running.sign(alice, core::Transfer{btt, bob.key, 100})).entry);
  }
  EXPECT_EQ(acknowledged_and_missing(acknowledged, database.server_url), 1u);
}

}  // namespace
}  // namespace windlass::testing
