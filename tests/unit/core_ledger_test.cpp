// Genesis, credits from the chain, assets, seals.
#include "tests/unit/core_ledger.h"

namespace windlass::core {
namespace {

class CoreGenesis : public testing::Test {};
class CoreCredit : public CoreLedger {
 protected:
  Credit deposit(ChainCursor at, ChainAmount amount = 5) const {
    return {.asset = coin, .amount = amount, .owner = alice, .chain = tron, .at = at};
  }
};
class CoreAsset : public CoreLedger {};
class CoreSeal : public CoreLedger {
 protected:
  Seal right() const { return {.totals = state.globals.totals, .accounts = state.globals.accounts}; }
};

TEST(CoreGenesisTest, MakesTheOperatorAccountZeroAndSumsRolesOfAKey) {
  State state(true);
  Genesis genesis{.operator_key = key_of(1)};
  genesis.roles = {{key_of(2), role_gateway}, {key_of(1), role_auditor}, {key_of(2), role_anchor}};
  genesis.assets = {make_asset(coin, "COIN")};
  Outcome outcome = apply(state, Command{.body = genesis}, 1);
  ASSERT_TRUE(outcome.accepted());
  EXPECT_EQ(outcome.sequence, Sequence{0});
  EXPECT_EQ(state.account(AccountNumber{0}).key, key_of(1));
  EXPECT_EQ(state.account(AccountNumber{0}).roles, role_operator | role_auditor);
  EXPECT_EQ(state.account(AccountNumber{1}).roles, role_gateway | role_anchor);
  EXPECT_EQ(state.globals.accounts, 2U);
  EXPECT_EQ(outcome.postings, (std::vector<Posting>{AccountPosting{AccountNumber{0}, {}, no_sequence},
                                                    AccountPosting{AccountNumber{1}, {}, no_sequence}}));
  EXPECT_FALSE(check_whole(state));
}

TEST_F(CoreCredit, GenesisComesOnce) {
  EXPECT_TRUE(refused(write(Genesis{.operator_key = alice}), Error::forbidden_command));
}

TEST_F(CoreCredit, CreditsTheKeyAndPostsGatewayAndOwner) {
  Outcome outcome = credit(alice, 5);
  ASSERT_TRUE(outcome.accepted());
  EXPECT_EQ(balance(alice).available, 5);
  EXPECT_EQ(totals(), (AssetTotals{.asset = coin, .available = 5, .credited = 5}));
  EXPECT_EQ(outcome.postings, (std::vector<Posting>{posting(gateway, no_asset, Sequence{0}),
                                                    posting(alice, coin, no_sequence)}));
}

TEST_F(CoreCredit, AGatewayCreditedItselfHasOnePostingInTheAsset) {
  Outcome outcome = credit(gateway, 5);
  EXPECT_EQ(outcome.postings, std::vector<Posting>{posting(gateway, coin, Sequence{0})});
}

TEST_F(CoreCredit, BooksWhatIsSmallerThanAUnitAsDust) {
  ASSERT_TRUE(credit(alice, 2'999, thousand).accepted());
  EXPECT_EQ(balance(alice, thousand).available, 2);
  EXPECT_TRUE(totals(thousand).dust == 999);
  ASSERT_TRUE(credit(alice, 2, thousand).accepted());
  EXPECT_TRUE(totals(thousand).dust == 1'001);
  EXPECT_EQ(totals(thousand).unassigned, 0);
}

TEST_F(CoreCredit, NothingButDustMakesNoAccount) {
  ASSERT_TRUE(credit(alice, 999, thousand).accepted());
  EXPECT_EQ(state.key_entry(alice), nullptr);
}

TEST_F(CoreCredit, DepositOfNobodyMovesTheCursor) {
  Credit nobodys = deposit({10, 2, 3});
  nobodys.owner.reset();
  Outcome outcome = submit(gateway, nobodys);
  ASSERT_TRUE(outcome.accepted());
  EXPECT_EQ(totals().unassigned, 5);
  std::vector<Posting> expected{posting(gateway, no_asset, Sequence{0}),
                                ChannelPosting{{outcome.sequence.value}, 5, 0, no_sequence}};
  EXPECT_EQ(outcome.postings, expected);
  EXPECT_TRUE(refused(submit(gateway, deposit({10, 2, 3})), Error::credit_not_in_order));
}

TEST_F(CoreCredit, TakesCreditsInTheOrderOfBlockTransactionAndLog) {
  ASSERT_TRUE(submit(gateway, deposit({10, 2, 3})).accepted());
  for (ChainCursor at : {ChainCursor{10, 2, 3}, {10, 2, 2}, {10, 1, 9}, {9, 9, 9}})
    EXPECT_TRUE(refused(submit(gateway, deposit(at)), Error::credit_not_in_order));
  for (ChainCursor at : {ChainCursor{10, 2, 4}, {10, 3, 0}, {11, 0, 0}})
    EXPECT_TRUE(submit(gateway, deposit(at)).accepted());
}

TEST_F(CoreCredit, EachChainHasItsOwnCursor) {
  Asset elsewhere = make_asset(AssetId{3}, "ELSEWHERE");
  elsewhere.chain = 2;
  ASSERT_TRUE(submit(operator_key, SetAsset{elsewhere}).accepted());
  ASSERT_TRUE(submit(gateway, deposit({10, 0, 0})).accepted());
  Credit one = deposit({1, 0, 0});
  one.asset = AssetId{3};
  EXPECT_TRUE(refused(submit(gateway, one), Error::unknown_asset));  // on that chain
  one.chain = 2;
  EXPECT_TRUE(submit(gateway, one).accepted());
}

TEST_F(CoreCredit, ANewcomersSmallDepositIsUnassigned) {
  set_minimums(50, 0);
  ASSERT_TRUE(credit(alice, 49).accepted());
  EXPECT_EQ(state.key_entry(alice), nullptr);
  EXPECT_EQ(totals().unassigned, 49);
  ASSERT_TRUE(credit(alice, 50).accepted());
  ASSERT_TRUE(credit(alice, 1).accepted());
  EXPECT_EQ(balance(alice).available, 51);
}

TEST_F(CoreCredit, RefusesWhatDoesNotFitTheLargestSupply) {
  ASSERT_TRUE(credit(alice, max_amount - 10).accepted());
  EXPECT_TRUE(refused(credit(bob, 11), Error::overflow));
  EXPECT_TRUE(refused(credit(bob, ~ChainAmount{0}), Error::overflow));
  EXPECT_TRUE(credit(bob, 10).accepted());
  EXPECT_TRUE(refused(credit(bob, 1), Error::overflow));
}

TEST_F(CoreCredit, SupplyCountsWhatIsLockedAndUnassigned) {
  ASSERT_TRUE(credit(alice, max_amount - 10).accepted());
  open_channel(max_amount - 20);
  Credit nobodys = deposit({++block}, 4);
  nobodys.owner.reset();
  ASSERT_TRUE(submit(gateway, nobodys).accepted());
  EXPECT_TRUE(refused(credit(alice, 7), Error::overflow));
  EXPECT_TRUE(credit(alice, 6).accepted());
}

TEST_F(CoreCredit, ARepeatedCreditIsOutOfOrderEvenWhereItWouldNotFit) {
  ASSERT_TRUE(submit(gateway, deposit({1, 0, 0}, max_amount)).accepted());
  EXPECT_TRUE(refused(submit(gateway, deposit({1, 0, 0}, max_amount)), Error::credit_not_in_order));
}

TEST_F(CoreCredit, TakesTheLargestUnitThereIs) {
  Asset coarse = make_asset(AssetId{3}, "COARSE", std::numeric_limits<std::uint64_t>::max());
  ASSERT_TRUE(submit(operator_key, SetAsset{coarse}).accepted());
  ChainAmount supply = ChainAmount{std::numeric_limits<std::uint64_t>::max()} * max_amount;
  ASSERT_TRUE(credit(alice, supply + 7, AssetId{3}).accepted());
  EXPECT_EQ(balance(alice, AssetId{3}).available, max_amount);
  EXPECT_TRUE(totals(AssetId{3}).dust == 7);
}

// --- assets

TEST_F(CoreAsset, OnlyMinimumsOfAnAssetChange) {
  set_minimums(7, 9);
  EXPECT_EQ(state.asset(coin)->minimum_first_credit, 7);
  EXPECT_EQ(state.asset(coin)->minimum_channel, 9);
  auto refuse_with = [&](auto change) {
    Asset asset = *state.asset(coin);
    change(asset);
    EXPECT_TRUE(refused(submit(operator_key, SetAsset{asset}), Error::asset_mismatch));
  };
  refuse_with([](Asset& a) { a.symbol = "OTHER"; });
  refuse_with([](Asset& a) { a.chain = 2; });
  refuse_with([](Asset& a) { a.token = "other"; });
  refuse_with([](Asset& a) { a.decimals = 7; });
  refuse_with([](Asset& a) { a.chain_units = 2; });
}

TEST_F(CoreAsset, NewAssetsAreNumberedWithoutGaps) {
  Outcome outcome = submit(operator_key, SetAsset{make_asset(AssetId{4}, "FOUR")});
  EXPECT_TRUE(refused(outcome, Error::asset_mismatch));
  EXPECT_EQ(detail(outcome, "next_number"), 3);
  EXPECT_TRUE(refused(submit(operator_key, SetAsset{make_asset(no_asset, "ZERO")}), Error::asset_mismatch));
  Outcome made = submit(operator_key, SetAsset{make_asset(AssetId{3}, "THREE")});
  ASSERT_TRUE(made.accepted());
  EXPECT_EQ(made.postings, std::vector<Posting>{posting(operator_key, no_asset, Sequence{0})});
  EXPECT_EQ(totals(AssetId{3}), AssetTotals{.asset = AssetId{3}});
}

TEST_F(CoreAsset, HoldsAThousandAndTwentyFourAssets) {
  auto set = [&](std::size_t number) {
    AssetId id{static_cast<std::uint32_t>(number)};
    return apply(state, command(operator_key, SetAsset{make_asset(id, "A" + std::to_string(number))}),
                 now_us);
  };
  for (std::size_t number = 3; number <= max_assets; ++number) ASSERT_TRUE(set(number).accepted());
  EXPECT_TRUE(refused(set(max_assets + 1), Error::too_many_assets));
  EXPECT_TRUE(refused(set(max_assets + 2), Error::asset_mismatch));
}

// --- seals

TEST_F(CoreSeal, TakesTheLedgersOwnTotalsAndTouchesNobody) {
  ASSERT_TRUE(credit(alice, 500).accepted());
  receipt(open_channel(100), 10);
  Outcome outcome = write(right());
  ASSERT_TRUE(outcome.accepted());
  EXPECT_TRUE(outcome.postings.empty());
}

TEST_F(CoreSeal, RefusesAnyOtherFigure) {
  ASSERT_TRUE(credit(alice, 500).accepted());
  auto refuse_with = [&](auto change) {
    Seal seal = right();
    change(seal);
    EXPECT_TRUE(refused(write(seal), Error::seal_mismatch));
  };
  refuse_with([](Seal& s) { ++s.accounts; });
  refuse_with([](Seal& s) { s.totals.pop_back(); });
  refuse_with([](Seal& s) { ++s.totals[0].available; });
  refuse_with([](Seal& s) { ++s.totals[0].locked; });
  refuse_with([](Seal& s) { ++s.totals[0].held; });
  refuse_with([](Seal& s) { ++s.totals[0].unassigned; });
  refuse_with([](Seal& s) { ++s.totals[0].dust; });
  refuse_with([](Seal& s) { ++s.totals[0].credited; });
  refuse_with([](Seal& s) { ++s.totals[0].paid; });
  refuse_with([](Seal& s) { ++s.totals[0].chain_fees; });
}

TEST_F(CoreSeal, TimeNeverGoesBack) {
  ASSERT_TRUE(credit(alice, 500).accepted());
  EXPECT_EQ(state.globals.last_time_us, now_us);
  EXPECT_DEATH(apply(state, Command{.body = right()}, now_us - 1), "");
}

}  // namespace
}  // namespace windlass::core
