// What Postgres itself must refuse, and what it must remember.
#include <gtest/gtest.h>

#include "tests/pg/ledger_fixture.h"

namespace windlass::testing {
namespace {

std::string refusal_of(const std::string& url, const std::string& sql) {
  try {
    journal::Connection(url, 10'000).script(sql);
  } catch (const journal::DatabaseError& error) {
    return error.sqlstate;
  }
  return "allowed";
}

constexpr auto permission_denied = "42501";

TEST(Journal, RefusesTheServersRoleUpdateDeleteAndTruncateOnEntries) {
  auto database = Cluster::instance().make_database();
  EXPECT_EQ(refusal_of(database.server_url, "UPDATE entries SET kind = 3"), permission_denied);
  EXPECT_EQ(refusal_of(database.server_url, "DELETE FROM entries"), permission_denied);
  EXPECT_EQ(refusal_of(database.server_url, "TRUNCATE entries"), permission_denied);
  EXPECT_EQ(refusal_of(database.server_url, "DROP TABLE entries"), permission_denied);
  EXPECT_EQ(refusal_of(database.owner_url, "UPDATE entries SET kind = 3"), "allowed");
}

TEST(Journal, KeepsTheAnchoringRoleOutOfTheLedger) {
  auto database = Cluster::instance().make_database();
  EXPECT_EQ(refusal_of(database.anchor_url, "SELECT * FROM entries"), permission_denied);
  EXPECT_EQ(refusal_of(database.anchor_url, "UPDATE accounts SET roles = 15"), permission_denied);
  EXPECT_EQ(refusal_of(database.anchor_url, "UPDATE writer SET epoch = 9"), permission_denied);
}

TEST(Journal, MigratesOnce) {
  auto database = Cluster::instance().make_database();
  EXPECT_EQ(journal::migrate(database.owner_url), 0);
}

constexpr std::size_t enough_for_a_copy = 200;

TEST(Journal, FencesAWriterWhoseEpochWasRaised) {
  auto database = Cluster::instance().make_database();
  journal::WriterSession first(database.server_url);
  ASSERT_TRUE(first.try_acquire());
  journal::WriterSession second(database.server_url);
  EXPECT_FALSE(second.try_acquire());  // the lease is held
  second.raise_epoch();                // but say that it was lost
  for (std::size_t count : {std::size_t{1}, std::size_t{2}, enough_for_a_copy})
    EXPECT_THROW(first.commit(entries_from(0, count)), journal::FencedError) << count;
  journal::ReadSession reader(database.server_url);
  EXPECT_EQ(reader.end_of_entries().value, 0u);
  journal::FlushSession flusher(database.server_url);
  EXPECT_THROW(flusher.write(first.epoch(), {}), journal::FencedError);
}

TEST(Journal, FencesAFlushThatWasUnderWayWhenTheEpochWasRaised) {
  auto database = Cluster::instance().make_database();
  journal::WriterSession writer(database.server_url), next(database.server_url);
  ASSERT_TRUE(writer.try_acquire());
  journal::Flush flush;
  flush.accounts = {{.number = {3}, .key = Person().key}};
  journal::FlushSession flusher(database.server_url);
  flusher.rest_by([&](auto) { next.raise_epoch(); });
  EXPECT_THROW(flusher.write(writer.epoch(), flush), journal::FencedError);
  EXPECT_TRUE(journal::LoadSession(database.server_url).load({}, {{3}}).accounts.empty());
  flusher.rest_by({});
  flusher.write(next.epoch(), flush);
  EXPECT_EQ(journal::LoadSession(database.server_url).load({}, {{3}}).accounts.size(), 1u);
}

TEST(Journal, KeepsBatchesOfAnySizeAlike) {
  auto database = Cluster::instance().make_database();
  journal::WriterSession writer(database.server_url);
  ASSERT_TRUE(writer.try_acquire());
  std::vector<codec::Entry> all;
  for (std::size_t count :
       {std::size_t{1}, std::size_t{2}, std::size_t{63}, std::size_t{64}, enough_for_a_copy}) {
    auto batch = entries_from(all.size(), count);
    writer.commit(batch);
    all.insert(all.end(), batch.begin(), batch.end());
  }
  auto stored = journal::ReadSession(database.server_url).entries({0}, {all.size()}, all.size());
  ASSERT_EQ(stored.size(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(stored[i].sequence, all[i].sequence);
    EXPECT_EQ(stored[i].time_us, all[i].time_us);
    EXPECT_EQ(stored[i].kind, all[i].kind);
    EXPECT_EQ(stored[i].leaf_hash, all[i].leaf_hash);
    EXPECT_EQ(stored[i].secret, all[i].secret);
    EXPECT_EQ(stored[i].envelope, all[i].envelope);
    EXPECT_EQ(stored[i].postings, codec::encode_postings(all[i].postings));
    EXPECT_EQ(stored[i].links, codec::links_of(all[i].postings));
  }
}

// Six entries of 0.9 MiB, half of it postings, all of one account: whoever asks for a hundred gets as many as
// max_page_bytes allows, and the rest with the next page.
TEST(Journal, EndsAPageOfLargeEntriesEarly) {
  auto database = Cluster::instance().make_database();
  journal::WriterSession writer(database.server_url);
  ASSERT_TRUE(writer.try_acquire());
  constexpr core::AccountNumber account{7};
  constexpr std::size_t half_bytes = 450 << 10, other_accounts = half_bytes / codec::account_posting_bytes;
  std::vector<codec::Entry> entries(6);
  for (std::uint64_t i = 0; i < entries.size(); ++i) {
    entries[i].sequence = {i};
    entries[i].envelope = std::string(half_bytes, 'x');
    auto previous = i == 0 ? core::no_sequence : core::Sequence{i - 1};
    entries[i].postings = {core::AccountPosting{account, {}, previous}};
    for (std::uint64_t other = 0; other < other_accounts; ++other)
      entries[i].postings.push_back(core::AccountPosting{{100 + other}, {}, core::no_sequence});
  }
  writer.commit(entries);

  auto sequences_of = [](const std::vector<journal::StoredEntry>& page) {
    std::vector<std::uint64_t> sequences;
    for (const auto& entry : page) sequences.push_back(entry.sequence.value);
    return sequences;
  };
  using Sequences = std::vector<std::uint64_t>;
  journal::ReadSession reader(database.server_url);
  auto newest = reader.history(journal::link_of(account), {5}, 100);
  EXPECT_EQ(sequences_of(newest.entries), (Sequences{5, 4, 3}));
  ASSERT_EQ(newest.next, core::Sequence{2});
  auto oldest = reader.history(journal::link_of(account), newest.next, 100);
  EXPECT_EQ(sequences_of(oldest.entries), (Sequences{2, 1, 0}));
  EXPECT_EQ(oldest.next, core::no_sequence);
  EXPECT_EQ(sequences_of(reader.history(journal::link_of(account), {5}, 2).entries), (Sequences{5, 4}));

  EXPECT_EQ(sequences_of(reader.entries({1}, {6}, 100)), (Sequences{1, 2, 3}));
  EXPECT_EQ(sequences_of(reader.entries({4}, {6}, 100)), (Sequences{4, 5}));
  EXPECT_EQ(sequences_of(reader.entries({1}, {6}, 2)), (Sequences{1, 2}));
}

TEST(Journal, KeepsTheAuditsOfTheLargestLogs) {
  auto database = Cluster::instance().make_database();
  journal::ReadSession session(database.server_url);
  std::size_t kept = 2;
  session.add_audit({"first", 10, {}, "of ten"}, 1, kept);
  session.add_audit({"second", 20, {}, "of twenty"}, 2, kept);
  session.add_audit({"first", 5, {}, "older than what is known"}, 3, kept);
  session.add_audit({"third", 30, {}, "of thirty"}, 4, kept);
  session.add_audit({"fourth", 9, {}, "of nine"}, 5, kept);
  std::vector<std::string> notes;
  for (const auto& audit : session.audits(10)) notes.push_back(audit.note);
  EXPECT_EQ(notes, (std::vector<std::string>{"of thirty", "of twenty"}));
}

// A flush of several slices, in no order, and once more over itself and what is new between: every row is as
// it was told last.
TEST(Journal, FlushesInSlicesWithRestsBetweenThem) {
  auto database = Cluster::instance().make_database();
  journal::WriterSession writer(database.server_url);
  ASSERT_TRUE(writer.try_acquire());
  constexpr std::uint64_t count = 10'000, step = 7'919;
  journal::FlushSession flusher(database.server_url);
  int rests = 0;
  flusher.rest_by([&](auto worked) {
    ++rests;
    EXPECT_GT(worked.count(), 0);
  });
  Person person;
  journal::LoadSession loader(database.server_url);
  for (std::uint64_t last = 1; last <= 2; ++last) {
    journal::Flush flush;
    std::vector<core::AccountNumber> all;
    for (std::uint64_t i = 0; i < count; ++i) {
      core::AccountNumber number{i * step % count};
      if (last == 1 && number.value % 1'000 == 999) continue;
      all.push_back(number);
      auto& account = flush.accounts.emplace_back();
      account.number = number;
      account.key = person.key;
      account.last = {last + number.value};
    }
    flusher.write(writer.epoch(), flush);
    auto loaded = loader.load({}, all);
    ASSERT_EQ(loaded.accounts.size(), all.size());
    for (const auto& account : loaded.accounts) ASSERT_EQ(account.last.value, last + account.number.value);
  }
  EXPECT_GT(rests, 2 * 5);
}

TEST(Journal, LoadsWhatWasFlushed) {
  auto database = Cluster::instance().make_database();
  journal::WriterSession writer(database.server_url);
  ASSERT_TRUE(writer.try_acquire());
  Person one, two;
  journal::Flush flush;
  flush.globals.next = {8};
  flush.globals.last_time_us = 77;
  flush.globals.accounts = 2;
  flush.globals.open_channels = 1;
  flush.globals.assets = {{btt, "BTT", 1, "1002000", 6, 1'000'000'000'000'000, 10, 20}};
  core::AssetTotals totals{.asset = btt, .available = 5, .locked = 6, .held = 7, .unassigned = 8};
  totals.dust = 9;
  totals.credited = (static_cast<core::ChainAmount>(1) << 100) + 3;
  totals.paid = 12;
  totals.chain_fees = 2;
  flush.globals.totals = {totals};
  flush.globals.assets[0].maximum_daily_credit = 10'000;
  flush.globals.daily_credits = {{20'000, 44}};
  flush.globals.cursors[1] = {99, 4, 5};
  flush.keys = {{one.key, {0}}, {two.key, {1}, {6}}};
  core::Account account{.number = {0}, .key = one.key, .roles = 3, .open_channels = 1, .last = {7}};
  account.balances.push_back({btt, 11, 12, 13});
  account.nonces.push_back({~std::uint64_t{0}, {5}});
  account.refuses_btfs = true;
  flush.accounts = {account, {.number = {1}, .key = two.key, .last = {6}}};
  core::Channel channel{.id = {4},
                        .payer = {0},
                        .recipient = {1},
                        .receipt_key = one.key,
                        .asset = btt,
                        .deposit = 50,
                        .claimed = 20,
                        .expires_us = 123,
                        .content = std::string(20, 'c'),
                        .last = {7},
                        .claim = {7}};
  channel.history = random_array<32>();
  core::Channel withdrawal{.id = {6},
                           .purpose = core::Purpose::withdrawal,
                           .asset = btt,
                           .deposit = 13,
                           .fee = 3,
                           .content = std::string(21, 'T'),
                           .last = {6}};
  flush.channels = {channel, withdrawal};
  core::BtfsUse used{sha256("a transfer"), {3}}, another{sha256("a commit"), {4}};
  flush.btfs_uses = {used, another};
  journal::FlushSession flusher(database.server_url);
  flusher.write(writer.epoch(), flush);
  flusher.write(writer.epoch(), flush);  // again: an upsert

  journal::LoadSession loader(database.server_url);
  EXPECT_EQ(loader.globals(), flush.globals);
  auto loaded = loader.load(
      {{one.key, two.key, Person().key}, {{4}, {5}, {6}}, {used.id, another.id, sha256("never seen")}}, {});
  ASSERT_EQ(loaded.channels.size(), 2u);
  std::sort(loaded.channels.begin(), loaded.channels.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
  EXPECT_EQ(loaded.channels[0], channel);
  EXPECT_EQ(loaded.channels[1], withdrawal);
  EXPECT_EQ(loaded.keys.size(), 2u);
  ASSERT_EQ(loaded.accounts.size(), 2u);
  auto first = loaded.accounts[0].number.value == 0 ? loaded.accounts[0] : loaded.accounts[1];
  EXPECT_EQ(first, account);
  ASSERT_EQ(loaded.btfs_uses.size(), 2u);
  bool in_order = loaded.btfs_uses[0] == used;
  EXPECT_EQ(loaded.btfs_uses[in_order ? 0 : 1], used);
  EXPECT_EQ(loaded.btfs_uses[in_order ? 1 : 0], another);
}

class HistoricalChannels : public ::testing::Test {
 protected:
  HistoricalChannels() { EXPECT_TRUE(writer.try_acquire()); }
  // From account 0.
  static core::Channel channel(std::uint64_t id, std::uint64_t recipient) {
    return {.id = {id},
            .purpose = core::Purpose::btfs_channel,
            .payer = {0},
            .recipient = {recipient},
            .receipt_key = random_array<33>(),
            .asset = btt,
            .deposit = static_cast<core::Amount>(100 + id),
            .last = {id}};
  }
  static core::Channel closed(core::Channel channel, std::uint64_t by) {
    channel.open = false;
    channel.last = {by};
    return channel;
  }
  void flush(std::vector<core::Channel> channels) {
    journal::Flush one;
    one.channels = std::move(channels);
    flusher.write(writer.epoch(), one);
  }
  core::Channel load(std::uint64_t id) {
    auto loaded = loader.load({{}, {{id}}, {}}, {});
    return loaded.channels.at(0);
  }
  std::optional<std::uint64_t> next_closed(std::uint64_t payer, std::int64_t after) {
    auto id = reader.next_closed_btfs_channel({payer}, after);
    return id ? std::optional(id->value) : std::nullopt;
  }

  Cluster::Database database = Cluster::instance().make_database();
  journal::WriterSession writer{database.server_url};
  journal::FlushSession flusher{database.server_url};
  journal::LoadSession loader{database.server_url};
  journal::ReadSession reader{database.server_url};
};

TEST_F(HistoricalChannels, BecomeWithdrawalsInPlace) {
  auto channel = this->channel(4, 2);
  flush({channel});
  EXPECT_EQ(load(4), channel);
  channel.purpose = core::Purpose::withdrawal;
  channel.fee = 7;
  channel.content = std::string(21, 'T');
  channel.last = {9};
  flush({channel});
  EXPECT_EQ(load(4), channel);
}

TEST_F(HistoricalChannels, AreToldInTheOrderInWhichTheyClosed) {
  auto own = channel(14, 2);  // of Windlass: another protocol's
  own.purpose = core::Purpose::channel;
  auto withdrawn = channel(15, 2);
  withdrawn.purpose = core::Purpose::withdrawal;
  auto own_withdrawal = channel(16, 0);  // to the payer itself: it was no channel
  own_withdrawal.purpose = core::Purpose::withdrawal;
  auto of_another = channel(17, 2);
  of_another.payer = {5};
  flush({closed(channel(10, 2), 31), closed(channel(11, 3), 30), channel(12, 2), closed(own, 20),
         closed(withdrawn, 32), closed(own_withdrawal, 21), closed(of_another, 22)});
  EXPECT_EQ(next_closed(0, -1), 11u);
  EXPECT_EQ(next_closed(0, 29), 11u);
  EXPECT_EQ(next_closed(0, 30), 10u);
  EXPECT_EQ(next_closed(0, 31), 15u);
  EXPECT_EQ(next_closed(0, 32), std::nullopt);
  EXPECT_EQ(next_closed(5, -1), 17u);
  EXPECT_EQ(next_closed(2, -1), std::nullopt) << "a recipient's";
}

TEST_F(HistoricalChannels, OpenOnesAreListedWithTheTimeOfTheirOpening) {
  // Entries that open channels 0, 1, ... at second 10, 11, ...
  std::vector<codec::Entry> entries(6);
  for (std::uint64_t i = 0; i < entries.size(); ++i) {
    entries[i].sequence = {i};
    entries[i].time_us = static_cast<core::TimeUs>(10 + i) * core::second_us;
  }
  writer.commit(entries);
  auto own = channel(2, 7), withdrawn = channel(3, 7);
  own.purpose = core::Purpose::channel;
  withdrawn.purpose = core::Purpose::withdrawal;
  flush(
      {channel(0, 7), closed(channel(1, 7), 9), own, withdrawn, channel(4, 7), channel(5, 7), channel(6, 8)});
  auto open = [&](std::uint64_t after, std::size_t limit) {
    std::vector<std::uint64_t> ids;
    for (const auto& row : reader.open_btfs_channels({7}, {after}, limit)) {
      EXPECT_EQ(row.opened_us, entries[row.id.value].time_us);
      EXPECT_EQ(row.payer, load(row.id.value).receipt_key);
      EXPECT_EQ(row.amount, load(row.id.value).deposit);
      ids.push_back(row.id.value);
    }
    return ids;
  };
  using Ids = std::vector<std::uint64_t>;
  EXPECT_EQ(open(0, 10), (Ids{4, 5}));
  EXPECT_EQ(open(0, 1), (Ids{4}));
  EXPECT_EQ(open(4, 10), (Ids{5}));
  EXPECT_EQ(open(5, 10), (Ids{}));
}

}  // namespace
}  // namespace windlass::testing
