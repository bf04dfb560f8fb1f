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

TEST(Journal, FencesAWriterWhoseEpochWasRaised) {
  auto database = Cluster::instance().make_database();
  journal::WriterSession first(database.server_url);
  ASSERT_TRUE(first.try_acquire());
  journal::WriterSession second(database.server_url);
  EXPECT_FALSE(second.try_acquire());  // the lease is held
  second.raise_epoch();                // but say that it was lost
  codec::Entry entry, next;
  next.sequence = {1};
  EXPECT_THROW(first.commit({entry}), journal::FencedError);
  EXPECT_THROW(first.commit({entry, next}), journal::FencedError);
  journal::ReadSession reader(database.server_url);
  EXPECT_EQ(reader.end_of_entries().value, 0u);
  journal::FlushSession flusher(database.server_url);
  EXPECT_THROW(flusher.write(first.epoch(), {}), journal::FencedError);
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

// A flush of several slices, in no order, and once more over itself: every row is as it was told last.
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
  std::vector<core::AccountNumber> all;
  for (std::uint64_t i = 0; i < count; ++i) all.push_back({i});
  for (std::uint64_t last = 1; last <= 2; ++last) {
    journal::Flush flush;
    flush.accounts = std::vector<core::Account>(count);
    for (std::uint64_t i = 0; i < count; ++i) {
      auto& account = flush.accounts[i];
      account.number = {i * step % count};
      account.key = person.key;
      account.last = {last + account.number.value};
    }
    flusher.write(writer.epoch(), flush);
    auto loaded = loader.load({}, all);
    ASSERT_EQ(loaded.accounts.size(), count);
    for (const auto& account : loaded.accounts) ASSERT_EQ(account.last.value, last + account.number.value);
  }
  EXPECT_GT(rests, 2 * 5);  // each time three of copies, several of upserts
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
  flush.globals.totals = {totals};
  flush.globals.assets[0].maximum_daily_credit = 10'000;
  flush.globals.daily_credits = {{20'000, 44}};
  flush.globals.cursors[1] = {99, 4, 5};
  flush.keys = {{one.key, {0}}, {two.key, {1}, {6}}};
  core::Account account{.number = {0}, .key = one.key, .roles = 3, .open_channels = 1, .last = {7}};
  account.balances.push_back({btt, 11, 12, 13});
  account.nonces.push_back({~std::uint64_t{0}, {5}});
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
  journal::FlushSession flusher(database.server_url);
  flusher.write(writer.epoch(), flush);
  flusher.write(writer.epoch(), flush);  // again: an upsert

  journal::LoadSession loader(database.server_url);
  EXPECT_EQ(loader.globals(), flush.globals);
  auto loaded = loader.load({{one.key, two.key, Person().key}, {{4}, {5}, {6}}}, {});
  ASSERT_EQ(loaded.channels.size(), 2u);
  std::sort(loaded.channels.begin(), loaded.channels.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
  EXPECT_EQ(loaded.channels[0], channel);
  EXPECT_EQ(loaded.channels[1], withdrawal);
  EXPECT_EQ(loaded.keys.size(), 2u);
  ASSERT_EQ(loaded.accounts.size(), 2u);
  auto first = loaded.accounts[0].number.value == 0 ? loaded.accounts[0] : loaded.accounts[1];
  EXPECT_EQ(first, account);
}

}  // namespace
}  // namespace windlass::testing
