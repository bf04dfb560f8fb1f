// Transfers and transfer lists.
#include "tests/unit/core_ledger.h"

namespace windlass::core {
namespace {

class CorePayment : public CoreLedger {
 protected:
  CorePayment() { EXPECT_TRUE(credit(alice, 1'000).accepted()); }
  Outcome pay(std::vector<Payment> payments, AssetId asset = coin) {
    return submit(alice, TransferList{asset, std::move(payments)});
  }
};

TEST_F(CorePayment, MovesTheAmountAndPostsBothAccounts) {
  ASSERT_TRUE(credit(bob, 5).accepted());
  Sequence alices = account(alice).last, bobs = account(bob).last;
  Outcome outcome = transfer(alice, bob, 300);
  ASSERT_TRUE(outcome.accepted());
  EXPECT_EQ(balance(alice).available, 700);
  EXPECT_EQ(balance(bob).available, 305);
  EXPECT_EQ(outcome.postings, (std::vector<Posting>{posting(alice, coin, alices), posting(bob, coin, bobs)}));
}

TEST_F(CorePayment, PostsAccountsByNumberWhoeverPays) {
  ASSERT_TRUE(transfer(alice, bob, 300).accepted());
  Outcome back = transfer(bob, alice, 300);
  ASSERT_EQ(back.postings.size(), 2U);
  EXPECT_EQ(std::get<AccountPosting>(back.postings[0]).account, account(alice).number);
  EXPECT_EQ(std::get<AccountPosting>(back.postings[1]).account, account(bob).number);
}

TEST_F(CorePayment, MakesAnAccountForANewKey) {
  auto accounts = state.globals.accounts;
  ASSERT_TRUE(transfer(alice, stranger, 1).accepted());
  EXPECT_EQ(state.globals.accounts, accounts + 1);
  EXPECT_EQ(account(stranger).number.value, accounts);
  EXPECT_EQ(balance(stranger).available, 1);
}

TEST_F(CorePayment, PaysTheLastUnitAndNotOneMore) {
  Outcome outcome = transfer(alice, bob, 1'001);
  EXPECT_TRUE(refused(outcome, Error::insufficient_funds));
  EXPECT_EQ(detail(outcome, "available"), 1'000);
  EXPECT_EQ(detail(outcome, "amount"), 1'001);
  EXPECT_TRUE(transfer(alice, bob, 1'000).accepted());
  EXPECT_TRUE(refused(transfer(alice, bob, 1), Error::insufficient_funds));
}

TEST_F(CorePayment, MoneyInOneAssetPaysNothingInAnother) {
  EXPECT_TRUE(refused(transfer(alice, bob, 1, thousand), Error::insufficient_funds));
}

TEST_F(CorePayment, WhatIsLockedCannotBePaid) {
  open_channel(600);
  EXPECT_TRUE(refused(transfer(alice, bob, 401), Error::insufficient_funds));
  EXPECT_TRUE(transfer(alice, bob, 400).accepted());
}

TEST_F(CorePayment, RefusesAnAssetThatIsNone) {
  EXPECT_TRUE(refused(transfer(alice, bob, 1, AssetId{3}), Error::unknown_asset));
  EXPECT_TRUE(refused(transfer(alice, bob, 1, no_asset), Error::unknown_asset));
  EXPECT_TRUE(refused(pay({{bob, 1}}, AssetId{3}), Error::unknown_asset));
}

TEST_F(CorePayment, RefusesALittleForANewKeyAndTakesItForAKnownOne) {
  set_minimums(50, 0);
  Outcome outcome = transfer(alice, bob, 49);
  EXPECT_TRUE(refused(outcome, Error::below_minimum_first_credit));
  EXPECT_EQ(detail(outcome, "minimum"), 50);
  ASSERT_TRUE(transfer(alice, bob, 50).accepted());
  EXPECT_TRUE(transfer(alice, bob, 1).accepted());
}

TEST_F(CorePayment, ListPaysEverybodyInOneEntry) {
  Outcome outcome = pay({{carol, 1}, {bob, 2}, {gateway, 3}});
  ASSERT_TRUE(outcome.accepted());
  EXPECT_EQ(balance(alice).available, 994);
  EXPECT_EQ(balance(carol).available, 1);
  EXPECT_EQ(balance(bob).available, 2);
  EXPECT_EQ(balance(gateway).available, 3);
  ASSERT_EQ(outcome.postings.size(), 4U);
  for (std::size_t i = 1; i < outcome.postings.size(); ++i)
    EXPECT_LT(std::get<AccountPosting>(outcome.postings[i - 1]).account,
              std::get<AccountPosting>(outcome.postings[i]).account);
}

TEST_F(CorePayment, ListIsAllOrNothing) {
  EXPECT_TRUE(refused(pay({{bob, 500}, {carol, 501}}), Error::insufficient_funds));
  EXPECT_EQ(state.key_entry(bob), nullptr);
  EXPECT_TRUE(pay({{bob, 500}, {carol, 500}}).accepted());
}

TEST_F(CorePayment, ListMayPayOneKeyTwiceAndPostsItOnce) {
  Outcome outcome = pay({{bob, 10}, {bob, 20}});
  EXPECT_EQ(balance(bob).available, 30);
  EXPECT_EQ(outcome.postings.size(), 2U);
}

TEST_F(CorePayment, OnlyTheFirstPaymentOfAListToANewKeyIsItsFirstCredit) {
  set_minimums(50, 0);
  EXPECT_TRUE(refused(pay({{bob, 49}, {bob, 50}}), Error::below_minimum_first_credit));
  EXPECT_TRUE(pay({{bob, 50}, {bob, 1}}).accepted());
}

TEST_F(CorePayment, ListSaysWhichPaymentIsWrong) {
  set_minimums(50, 0);
  EXPECT_EQ(detail(pay({{gateway, 1}, {bob, 50}, {carol, 49}}), "payment"), 2);
  ASSERT_TRUE(submit(gateway, RotateKey{key_of(20)}).accepted());
  Outcome outcome = pay({{bob, 50}, {gateway, 1}});
  EXPECT_TRUE(refused(outcome, Error::key_rotated));
  EXPECT_EQ(detail(outcome, "payment"), 1);
}

TEST_F(CorePayment, ARotatedRecipientComesFirstAmongWhatIsNamed) {
  set_minimums(50, 0);
  ASSERT_TRUE(submit(gateway, RotateKey{key_of(20)}).accepted());
  EXPECT_TRUE(refused(pay({{bob, 1}, {gateway, 1}}), Error::key_rotated));
  EXPECT_TRUE(refused(pay({{gateway, 1}}, AssetId{9}), Error::key_rotated));
  EXPECT_TRUE(refused(transfer(alice, gateway, 5'000, AssetId{9}), Error::key_rotated));
}

TEST_F(CorePayment, AListWhoseSumOverflowsIsRefused) {
  EXPECT_TRUE(
      refused(pay({{bob, max_amount}, {carol, max_amount}, {gateway, 2}}), Error::insufficient_funds));
}

TEST_F(CorePayment, ListTakesAThousandAndTwentyFourPayments) {
  std::vector<Payment> payments;
  for (std::uint64_t i = 0; i < max_list_payments - 24; ++i) payments.push_back({key_of(1'000 + i), 1});
  ASSERT_TRUE(pay(payments).accepted());
  EXPECT_EQ(balance(alice).available, 0);
}

}  // namespace
}  // namespace windlass::core
