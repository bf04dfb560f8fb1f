// Money to outside: withdrawals and what ends them, the gateway's terms, deposits of nobody, the day's bound.
#include "tests/unit/core_ledger.h"

namespace windlass::core {
namespace {

class CoreWithdrawal : public CoreLedger {
 protected:
  void SetUp() override {
    CoreLedger::SetUp();
    ASSERT_TRUE(credit(alice, 1'000).accepted());
  }
  Withdraw of(Amount amount, Amount fee) const {
    return {.asset = coin, .amount = amount, .fee = fee, .destination = {0x41}};
  }
  Outcome withdraw(Amount amount, Amount fee) { return submit(alice, of(amount, fee)); }
  Outcome settle(Sequence id, bool paid, ChainAmount fee = 0, AssetId fee_asset = no_asset) {
    return submit(gateway, SettleWithdrawal{{id.value}, paid, fee_asset, fee});
  }
  Outcome offered(Amount amount, Amount fee, const std::optional<WithdrawalTerms>& terms) {
    return apply(state, command(alice, of(amount, fee)), now_us, [&](AssetId) { return terms; });
  }
};

TEST_F(CoreWithdrawal, HoldsAmountAndFeeUntilItIsPaid) {
  Outcome asked = withdraw(300, 7);
  ASSERT_TRUE(asked.accepted());
  EXPECT_EQ(balance(alice), (Balance{coin, 693, 0, 307}));
  EXPECT_EQ(account(alice).open_channels, 1u);
  ASSERT_TRUE(settle(asked.sequence, true).accepted());
  EXPECT_EQ(balance(alice), (Balance{coin, 693, 0, 0}));
  EXPECT_EQ(balance(gateway), (Balance{coin, 7, 0, 0}));
  EXPECT_EQ(totals().paid, 300u);
  EXPECT_EQ(account(alice).open_channels, 0u);
  EXPECT_TRUE(refused(settle(asked.sequence, false), Error::withdrawal_settled));
}

TEST_F(CoreWithdrawal, GivesAllBackWhereItIsNotPaid) {
  Outcome asked = withdraw(300, 7);
  ASSERT_TRUE(settle(asked.sequence, false).accepted());
  EXPECT_EQ(balance(alice), (Balance{coin, 1'000, 0, 0}));
  EXPECT_EQ(totals().paid, 0u);
}

TEST_F(CoreWithdrawal, BooksTheChainsFeeFromTheGatewaysAccount) {
  ASSERT_TRUE(credit(gateway, 5'000, thousand).accepted());  // 5 units
  Outcome asked = withdraw(300, 0);
  EXPECT_TRUE(refused(settle(asked.sequence, true, 5'001, thousand), Error::insufficient_funds));
  EXPECT_TRUE(refused(settle(asked.sequence, true, 1, AssetId{99}), Error::unknown_asset));
  ASSERT_TRUE(settle(asked.sequence, true, 1'001, thousand).accepted());
  EXPECT_EQ(balance(gateway, thousand).available, 3);  // two whole units went
  EXPECT_EQ(totals(thousand).dust, 999u);
  EXPECT_EQ(totals(thousand).paid, 1'001u);
}

TEST_F(CoreWithdrawal, IsNothingThatChannelsRulesKnow) {
  ChannelId id{withdraw(300, 0).sequence.value};
  EXPECT_TRUE(refused(submit_receipt(id, 1, Key{}), Error::unknown_channel));
  EXPECT_TRUE(refused(submit(alice, CloseChannel{id, {}}), Error::unknown_channel));
  EXPECT_TRUE(refused(submit(alice, TopUpChannel{id, 1, 0}), Error::unknown_channel));
  EXPECT_TRUE(refused(submit(operator_key, AssignDeposit{id, bob}), Error::unknown_deposit));
  ChannelId channel = open_channel(10);
  EXPECT_TRUE(refused(settle({channel.value}, true), Error::unknown_withdrawal));
  EXPECT_TRUE(refused(submit(operator_key, ApproveWithdrawal{channel}), Error::unknown_withdrawal));
}

TEST_F(CoreWithdrawal, IsApprovedByTheOperatorAlone) {
  ChannelId id{withdraw(300, 0).sequence.value};
  EXPECT_TRUE(refused(submit(gateway, ApproveWithdrawal{id}), Error::missing_role));
  Outcome approved = submit(operator_key, ApproveWithdrawal{id});
  ASSERT_TRUE(approved.accepted());
  EXPECT_EQ(channel(id).claim, approved.sequence);
  EXPECT_TRUE(refused(submit(operator_key, SettleWithdrawal{id, true}), Error::missing_role));
}

TEST_F(CoreWithdrawal, NeverHoldsMoreThanThereIs) {
  EXPECT_TRUE(refused(withdraw(1'000, 1), Error::insufficient_funds));
  EXPECT_TRUE(refused(withdraw(std::numeric_limits<Amount>::max(), std::numeric_limits<Amount>::max()),
                      Error::insufficient_funds));
  EXPECT_TRUE(withdraw(999, 1).accepted());
}

TEST_F(CoreWithdrawal, KeepsToTheGatewaysTerms) {
  EXPECT_TRUE(refused(offered(300, 7, std::nullopt), Error::withdrawals_not_offered));
  WithdrawalTerms terms{.minimum = 100, .fee = 5, .payable = 500};
  EXPECT_TRUE(refused(offered(99, 5, terms), Error::below_minimum_withdrawal));
  EXPECT_TRUE(refused(offered(100, 4, terms), Error::fee_too_low));
  EXPECT_TRUE(offered(200, 5, terms).accepted());
  Outcome beyond = offered(291, 5, terms);  // 205 are held
  EXPECT_TRUE(refused(beyond, Error::gateway_out_of_funds));
  EXPECT_EQ(beyond.details[0].value, 295);
  terms.beyond = Error::daily_cap_reached;
  EXPECT_TRUE(refused(offered(291, 5, terms), Error::daily_cap_reached));
  terms.refuses = Error::withdrawals_paused;
  EXPECT_TRUE(refused(offered(100, 5, terms), Error::withdrawals_paused));
}

// What was accepted once keeps its answer, whatever the gateway says by now.
TEST_F(CoreWithdrawal, AnswersTheSameAgainWhatTheTermsAre) {
  Command same = command(alice, of(100, 5));
  ASSERT_TRUE(apply(state, same, now_us).accepted());
  Outcome again = apply(state, same, now_us, [](AssetId) { return std::nullopt; });
  EXPECT_EQ(again.verdict, Outcome::Verdict::repeated);
}

// A sum, as of receipts: whatever is sent again, and in what order, nothing is booked twice.
TEST_F(CoreWithdrawal, BooksTheChainsFeesOnce) {
  ASSERT_TRUE(credit(gateway, 30).accepted());
  Amount own = 30;
  EXPECT_TRUE(refused(submit(alice, BookChainFees{coin, 10}), Error::missing_role));
  EXPECT_TRUE(refused(submit(gateway, BookChainFees{AssetId{9}, 10}), Error::unknown_asset));
  ChainAmount unit = state.globals.assets[0].chain_units, paid = totals().paid;
  ASSERT_TRUE(submit(gateway, BookChainFees{coin, 10 * unit}).accepted());
  EXPECT_TRUE(refused(submit(gateway, BookChainFees{coin, 10 * unit}), Error::chain_fees_booked));
  ASSERT_TRUE(submit(gateway, BookChainFees{coin, 25 * unit}).accepted());
  EXPECT_TRUE(refused(submit(gateway, BookChainFees{coin, 10 * unit}), Error::chain_fees_booked));
  EXPECT_EQ(account(gateway).balance(coin).available, own - 25);
  EXPECT_EQ(totals().chain_fees, 25 * unit);
  EXPECT_EQ(totals().paid, paid + 25 * unit);
  auto beyond = (25 + static_cast<ChainAmount>(own)) * unit;
  EXPECT_TRUE(refused(submit(gateway, BookChainFees{coin, beyond}), Error::insufficient_funds));
}

TEST_F(CoreWithdrawal, AssignsADepositOfNobodyOnce) {
  Outcome nobodys = submit(gateway, Credit{coin, 70, {}, tron, {++block, 0, 0}});
  ASSERT_TRUE(nobodys.accepted());
  EXPECT_EQ(totals().unassigned, 70);
  EXPECT_EQ(account(gateway).open_channels, 0u);
  ChannelId id{nobodys.sequence.value};
  EXPECT_TRUE(refused(submit(gateway, AssignDeposit{id, bob}), Error::missing_role));
  ASSERT_TRUE(submit(operator_key, AssignDeposit{id, bob}).accepted());
  EXPECT_EQ(balance(bob).available, 70);
  EXPECT_EQ(totals().unassigned, 0);
  EXPECT_TRUE(refused(submit(operator_key, AssignDeposit{id, bob}), Error::deposit_assigned));
}

TEST_F(CoreWithdrawal, CreditsNoMoreInADayThanTheAssetAllows) {
  Asset bounded = *state.asset(coin);
  bounded.maximum_daily_credit = 1'500;  // 1,000 came today
  ASSERT_TRUE(submit(operator_key, SetAsset{bounded}).accepted());
  EXPECT_TRUE(refused(credit(alice, 501), Error::daily_credit_reached));
  ASSERT_TRUE(credit(alice, 500).accepted());
  EXPECT_TRUE(refused(credit(alice, 1), Error::daily_credit_reached));
  // What was taken before is told apart from what may come later.
  EXPECT_TRUE(refused(submit(gateway, Credit{coin, 1, alice, tron, {1, 0, 0}}), Error::credit_not_in_order));
  now_us = (now_us / day_us + 1) * day_us;
  EXPECT_TRUE(credit(alice, 1'500).accepted());
}

}  // namespace
}  // namespace windlass::core
