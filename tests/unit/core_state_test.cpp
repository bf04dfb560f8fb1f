// The core's parts: errors, balances, tables, what a command needs, invariants.
#include <algorithm>
#include <cctype>
#include <set>

#include "tests/unit/core_ledger.h"

namespace windlass::core {
namespace {

// --- errors

std::vector<Error> all_errors() {
  std::vector<Error> errors;
  for (int i = 1; i < static_cast<int>(Error::count); ++i) errors.push_back(static_cast<Error>(i));
  return errors;
}

TEST(CoreErrors, ReasonsAreUniqueAndUpperCase) {
  std::set<std::string_view> seen;
  for (Error error : all_errors()) {
    std::string_view reason = info(error).reason;
    EXPECT_FALSE(reason.empty());
    EXPECT_TRUE(seen.insert(reason).second) << reason;
    for (char c : reason) EXPECT_TRUE((c >= 'A' && c <= 'Z') || c == '_') << reason;
  }
  EXPECT_EQ(info(Error::unknown_channel).reason, "UNKNOWN_CHANNEL");
  EXPECT_EQ(info(Error::none).reason, "NONE");
}

TEST(CoreErrors, EveryMessageSaysSomethingOnOneLine) {
  for (Error error : all_errors()) {
    std::string_view message = info(error).message;
    EXPECT_GT(message.size(), 20U) << info(error).reason;
    EXPECT_EQ(message.find('\n'), std::string_view::npos);
    EXPECT_EQ(message.find("  "), std::string_view::npos) << message;
  }
}

TEST(CoreErrors, StatusesAreErrorsOfGrpc) {
  for (Error error : all_errors()) {
    EXPECT_GE(info(error).grpc_status, 1);
    EXPECT_LE(info(error).grpc_status, 16);
  }
}

TEST(CoreErrors, WhatTheServerCouldNotDoMayBeSentAgain) {
  for (Error error : {Error::queue_full, Error::unavailable, Error::draining, Error::not_yet_reclaimable})
    EXPECT_TRUE(info(error).transient) << info(error).reason;
  for (Error error : {Error::bad_signature, Error::nonce_conflict, Error::key_rotated, Error::above_deposit})
    EXPECT_FALSE(info(error).transient) << info(error).reason;
}

TEST(CoreErrors, KindsHaveNames) {
  EXPECT_EQ(name(Kind::genesis), "genesis");
  EXPECT_EQ(name(Kind::set_asset), "set_asset");
  EXPECT_EQ(name(last_kind), "book_chain_fees");
  EXPECT_EQ(name(static_cast<Kind>(static_cast<int>(last_kind) + 1)), "unknown");
  EXPECT_EQ(Command{.body = CloseChannel{}}.kind(), Kind::close_channel);
}

// --- accounts

TEST(CoreAccount, KeepsBalancesByAssetNumber) {
  Account account;
  for (std::uint32_t asset : {3U, 1U, 2U}) account.change_balance(AssetId{asset}).available = asset * 10;
  account.change_balance(AssetId{2}).locked = 7;
  ASSERT_EQ(account.balances.size(), 3U);
  for (std::uint32_t i = 0; i < 3; ++i) EXPECT_EQ(account.balances[i].asset, AssetId{i + 1});
  EXPECT_EQ(account.balance(AssetId{2}), (Balance{.asset = AssetId{2}, .available = 20, .locked = 7}));
  EXPECT_EQ(account.balance(AssetId{9}), Balance{.asset = AssetId{9}});
  EXPECT_EQ(account.balances.size(), 3U);
}

// --- what a command needs

TEST(CoreNeeds, NamesEveryKeyAndChannelThatIsLookedAt) {
  Key signer = key_of(1), other = key_of(2), third = key_of(3);
  auto needs_of = [&](Body body) {
    Needs needs;
    collect_needs(Command{.signer = signer, .body = std::move(body)}, needs);
    return needs;
  };
  using Keys = std::vector<Key>;
  using Channels = std::vector<ChannelId>;
  EXPECT_EQ(needs_of(Genesis{.operator_key = other, .roles = {{third, 1}}}).keys, (Keys{other, third}));
  EXPECT_TRUE(needs_of(Seal{}).keys.empty());
  EXPECT_TRUE(needs_of(Receipt{.channel = ChannelId{5}}).keys.empty());
  EXPECT_EQ(needs_of(Receipt{.channel = ChannelId{5}}).channels, Channels{ChannelId{5}});
  EXPECT_EQ(needs_of(Transfer{.recipient = other}).keys, (Keys{signer, other}));
  EXPECT_EQ(needs_of(TransferList{.payments = {{other, 1}, {third, 1}}}).keys, (Keys{signer, other, third}));
  EXPECT_EQ(needs_of(OpenChannel{.recipient = other, .receipt_key = third}).keys, (Keys{signer, other}));
  EXPECT_EQ(needs_of(TopUpChannel{.channel = ChannelId{5}}).channels, Channels{ChannelId{5}});
  EXPECT_EQ(needs_of(CloseChannel{.channel = ChannelId{5}}).channels, Channels{ChannelId{5}});
  EXPECT_EQ(needs_of(CloseChannel{.channel = ChannelId{5}}).keys, Keys{signer});
  EXPECT_EQ(needs_of(RotateKey{other}).keys, (Keys{signer, other}));
  EXPECT_EQ(needs_of(Credit{.owner = other}).keys, (Keys{signer, other}));
  EXPECT_EQ(needs_of(Credit{}).keys, Keys{signer});
  EXPECT_EQ(needs_of(SetRoles{.key = other}).keys, (Keys{signer, other}));
  EXPECT_EQ(needs_of(SetAsset{}).keys, Keys{signer});
}

// --- tables

struct Row {
  int id = 0;
  int value = 0;
  bool operator==(const Row&) const = default;
};
using Rows = Table<int, Row>;

std::vector<Row> drain_all(Rows& rows) {
  std::vector<Row> out;
  while (rows.drain(1, out)) {
  }
  std::sort(out.begin(), out.end(), [](const Row& a, const Row& b) { return a.id < b.id; });
  return out;
}

template <typename Id, typename Record>
void flush(Table<Id, Record>& rows) {
  rows.freeze();
  std::vector<Record> out;
  while (rows.drain(1, out)) {
  }
  rows.finish();
}

TEST(CoreTable, ACompleteTableKnowsWhatIsMissing) {
  Rows rows(true);
  EXPECT_EQ(rows.find(1), nullptr);
  rows.insert(1, {1, 10});
  EXPECT_EQ(*rows.find(1), (Row{1, 10}));
}

TEST(CoreTable, ACachingTableMustHaveBeenToldWhatItIsAskedFor) {
  Rows rows(false);
  EXPECT_DEATH(rows.find(1), "");
  EXPECT_DEATH(rows.change(1), "");
  rows.load(1, std::nullopt);
  EXPECT_EQ(rows.find(1), nullptr);
  EXPECT_DEATH(rows.change(1), "");
}

TEST(CoreTable, InsertsWhatIsKnownToBeMissingAndWhatIsNew) {
  Rows rows(false);
  rows.load(1, std::nullopt);
  rows.insert(1, {1, 10});
  rows.insert(2, {2, 20});
  EXPECT_EQ(*rows.find(1), (Row{1, 10}));
  EXPECT_EQ(*rows.find(2), (Row{2, 20}));
  EXPECT_DEATH(rows.insert(2, {2, 21}), "");
}

TEST(CoreTable, MemoryIsNewerThanStorage) {
  Rows rows(false);
  rows.insert(1, {1, 10});
  rows.load(1, Row{1, 5});
  rows.load(1, std::nullopt);
  EXPECT_EQ(rows.find(1)->value, 10);
}

TEST(CoreTable, FlushesWhatChangedAndNothingElse) {
  Rows rows(true);
  rows.load(1, Row{1, 10});
  rows.load(2, Row{2, 20});
  rows.change(2).value = 21;
  rows.insert(3, {3, 30});
  EXPECT_EQ(rows.changed(), 2U);
  rows.freeze();
  EXPECT_EQ(rows.changed(), 0U);
  EXPECT_EQ(drain_all(rows), (std::vector<Row>{{2, 21}, {3, 30}}));
  rows.finish();
  rows.freeze();
  EXPECT_TRUE(drain_all(rows).empty());
}

TEST(CoreTable, WritesRecordsAsTheyWereAtTheFreeze) {
  Rows rows(true);
  for (int id = 1; id <= 4; ++id) rows.insert(id, {id, id * 10});
  rows.freeze();
  std::vector<Row> out;
  rows.change(1).value = 11;
  ASSERT_TRUE(rows.drain(2, out));
  for (int id = 1; id <= 4; ++id) rows.change(id).value += 100;
  while (rows.drain(1, out)) {
  }
  std::sort(out.begin(), out.end(), [](const Row& a, const Row& b) { return a.id < b.id; });
  EXPECT_EQ(out, (std::vector<Row>{{1, 10}, {2, 20}, {3, 30}, {4, 40}}));
  rows.finish();
  rows.freeze();
  EXPECT_EQ(drain_all(rows), (std::vector<Row>{{1, 111}, {2, 120}, {3, 130}, {4, 140}}));
}

TEST(CoreTable, ANewFreezeWaitsForTheLastToFinish) {
  Rows rows(true);
  rows.insert(1, {1, 10});
  rows.freeze();
  EXPECT_DEATH(rows.freeze(), "");
  EXPECT_DEATH(rows.finish(), "");
  drain_all(rows);
  EXPECT_DEATH(rows.freeze(), "");
  rows.finish();
  rows.freeze();
}

TEST(CoreTable, EvictsNothingThatIsNotDurable) {
  Rows rows(false);
  rows.insert(1, {1, 10});
  rows.evict(0);
  EXPECT_TRUE(rows.resident(1));
  rows.freeze();
  rows.evict(0);
  drain_all(rows);
  rows.evict(0);
  EXPECT_TRUE(rows.resident(1));
  rows.finish();
  rows.evict(0);
  EXPECT_FALSE(rows.resident(1));
}

TEST(CoreTable, WhatChangedWhileItWasFlushedStays) {
  Rows rows(false);
  rows.insert(1, {1, 10});
  rows.freeze();
  rows.change(1).value = 11;
  drain_all(rows);
  rows.finish();
  rows.evict(0);
  ASSERT_TRUE(rows.resident(1));
  EXPECT_EQ(rows.find(1)->value, 11);
}

TEST(CoreTable, EvictsNothingThatIsPinned) {
  Rows rows(false);
  rows.load(1, Row{1, 10});
  rows.load(2, std::nullopt);
  EXPECT_FALSE(rows.pin(3)) << "not resident";
  EXPECT_EQ(rows.pin(2)->record, nullptr) << "known not to exist";
  {
    auto pinned = rows.pin(1);
    EXPECT_EQ(pinned->record->value, 10);
    {
      auto again = rows.pin(1);
      Pin moved = std::move(again->pin);
    }
    rows.evict(0);  // what was used just now has another turn
    rows.evict(0);
    EXPECT_TRUE(rows.resident(1)) << "of two pins one is left";
    EXPECT_FALSE(rows.resident(2));
  }
  rows.evict(0);
  EXPECT_FALSE(rows.resident(1));
}

TEST(CoreTable, EvictsWhatWasNotUsedSinceTheLastTimeFirst) {
  Rows rows(false);
  for (int id = 1; id <= 4; ++id) rows.load(id, Row{id, id});
  rows.find(1);
  rows.find(3);
  rows.evict(rows.bytes() / 2);
  EXPECT_EQ(rows.size(), 2U);
  EXPECT_TRUE(rows.resident(1));
  EXPECT_TRUE(rows.resident(3));
  rows.evict(0);
  EXPECT_EQ(rows.size(), 0U);
}

TEST(CoreTable, EvictionStopsAtItsBudget) {
  Rows rows(false);
  for (int id = 0; id < 100; ++id) rows.load(id, Row{id, id});
  std::size_t budget = rows.bytes() / 10;
  rows.evict(budget);
  EXPECT_EQ(rows.size(), 10U);
  flush(rows);
  EXPECT_EQ(rows.size(), 10U);
}

// An account's nonces may take more than the account.
TEST(CoreTable, CountsWhatRecordsHoldOutsideOfThemselves) {
  State state(false);
  state.channels.load({1}, Channel{.id = {1}});
  std::size_t empty = state.channels.bytes();
  state.channels.load({2}, Channel{.id = {2}, .content = std::string(32, 'c')});
  EXPECT_GE(state.channels.bytes(), 2 * empty + 32);
  state.channels.evict(0);
  EXPECT_EQ(state.channels.bytes(), 0u);

  state.accounts.insert({1}, Account{});
  flush(state.accounts);
  empty = state.accounts.bytes();
  auto& nonces = state.accounts.change({1}).nonces;
  for (std::uint64_t nonce = 0; nonce < max_kept_nonces; ++nonce) nonces.push_back({nonce, {nonce}});
  flush(state.accounts);
  EXPECT_GE(state.accounts.bytes(), empty + max_kept_nonces * sizeof(NonceUse));
  state.accounts.evict(0);
  EXPECT_EQ(state.accounts.bytes(), 0u);
}

TEST(CoreTable, KnownToBeMissingCanBeEvictedToo) {
  Rows rows(false);
  rows.load(1, std::nullopt);
  rows.evict(0);
  EXPECT_FALSE(rows.resident(1));
}

// --- invariants

class CoreInvariants : public CoreLedger {
 protected:
  CoreInvariants() {
    EXPECT_TRUE(credit(alice, 1'000).accepted());
    receipt(open_channel(100), 30);
  }
  void TearDown() override {}  // each test breaks one

  Account& change(const Key& key) { return state.accounts.change(state.key_entry(key)->account); }
  Channel& change_channel() {
    ChannelId id;
    state.channels.for_each([&](ChannelId one, const Channel&) { id = one; });
    return state.channels.change(id);
  }
};

TEST_F(CoreInvariants, HoldInASoundLedger) {
  EXPECT_FALSE(check_whole(state));
}

TEST_F(CoreInvariants, NoticeMoneyFromNowhere) {
  state.globals.totals[0].available += 1;
  change(alice).change_balance(coin).available += 1;
  EXPECT_TRUE(check_globals(state.globals));
}

TEST_F(CoreInvariants, NoticeDustAndCreditsThatDoNotAddUp) {
  state.globals.totals[1].dust += 1;
  EXPECT_TRUE(check_globals(state.globals));
  state.globals.totals[1].credited += 1;
  EXPECT_FALSE(check_globals(state.globals));
  state.globals.totals[1].paid += 1;
  EXPECT_TRUE(check_globals(state.globals));
}

TEST_F(CoreInvariants, NoticeMoreFeesBookedThanPaid) {
  state.globals.totals[0].chain_fees = state.globals.totals[0].paid + 1;
  EXPECT_TRUE(check_globals(state.globals));
}

TEST_F(CoreInvariants, NoticeNegativeTotals) {
  state.globals.totals[1].available = -1;
  state.globals.totals[1].unassigned = 1;
  EXPECT_TRUE(check_globals(state.globals));
}

TEST_F(CoreInvariants, NoticeABalanceThatIsNotInTheTotals) {
  change(alice).change_balance(coin).available -= 1;
  EXPECT_TRUE(check_whole(state));
}

TEST_F(CoreInvariants, NoticeANegativeBalance) {
  change(alice).change_balance(thousand).held = -1;
  EXPECT_TRUE(check_non_negative(account(alice)));
  change(bob).change_balance(thousand).held = 1;
  EXPECT_TRUE(check_whole(state));
}

TEST_F(CoreInvariants, NoticeAClaimAboveTheDeposit) {
  change_channel().claimed = 101;
  EXPECT_TRUE(check_non_negative(change_channel()));
  EXPECT_TRUE(check_whole(state));
}

TEST_F(CoreInvariants, NoticeLockedThatAreNoDeposits) {
  change(alice).change_balance(coin).locked += 1;
  EXPECT_TRUE(check_whole(state));
}

TEST_F(CoreInvariants, NoticeWrongCounts) {
  change(alice).open_channels = 2;
  EXPECT_TRUE(check_whole(state));
  change(alice).open_channels = 1;
  EXPECT_FALSE(check_whole(state));
  ++state.globals.open_channels;
  EXPECT_TRUE(check_whole(state));
  --state.globals.open_channels;
  ++state.globals.accounts;
  EXPECT_TRUE(check_whole(state));
}

TEST_F(CoreInvariants, NoticeAClosedChannelThatStillCounts) {
  change_channel().open = false;
  EXPECT_TRUE(check_whole(state));
}

TEST(CoreChains, FollowPreviousFromEntryToEntry) {
  ChainChecker checker;
  auto touches = [](std::uint64_t account, Sequence previous) {
    return AccountPosting{AccountNumber{account}, {}, previous};
  };
  EXPECT_FALSE(checker.check(Sequence{0}, {touches(0, no_sequence), touches(1, no_sequence)}));
  EXPECT_FALSE(checker.check(Sequence{5}, {touches(0, Sequence{0}), ChannelPosting{ChannelId{5}}}));
  EXPECT_FALSE(checker.check(Sequence{6}, {ClosingPosting{touches(0, Sequence{5}), ChannelId{5}, {}},
                                           ChannelPosting{ChannelId{5}, 0, 0, Sequence{5}}}));
  EXPECT_TRUE(checker.check(Sequence{7}, {touches(1, Sequence{5})}));
  EXPECT_TRUE(checker.check(Sequence{7}, {touches(0, no_sequence)}));
  EXPECT_TRUE(checker.check(Sequence{7}, {ChannelPosting{ChannelId{5}, 0, 0, Sequence{5}}}));
  EXPECT_TRUE(checker.check(Sequence{7}, {touches(2, Sequence{6})}));
  EXPECT_FALSE(checker.check(Sequence{7}, {touches(1, Sequence{0})}));
}

}  // namespace
}  // namespace windlass::core
