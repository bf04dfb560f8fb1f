// Who may act: signers, nonces, expiries, rotated keys, roles.
#include "tests/unit/core_ledger.h"

namespace windlass::core {
namespace {

using Verdict = Outcome::Verdict;

class CoreSigner : public CoreLedger {
 protected:
  CoreSigner() { EXPECT_TRUE(credit(alice, 1'000'000).accepted()); }

  Command payment(std::uint64_t nonce, Amount amount = 1) {
    Command one = command(alice, Transfer{coin, gateway, amount});
    one.nonce = nonce;
    return one;
  }
  void rotate(const Key& from, const Key& to) { ASSERT_TRUE(submit(from, RotateKey{to}).accepted()); }
};

TEST_F(CoreSigner, RefusesASignerNobodyKnows) {
  EXPECT_TRUE(refused(transfer(stranger, alice, 1), Error::unknown_account));
}

TEST_F(CoreSigner, SameNonceSameAnswer) {
  Command one = payment(7);
  Outcome first = submit(one);
  ASSERT_TRUE(first.accepted());
  now_us += 2 * day_us;  // its expiry has passed
  Outcome again = submit(one);
  EXPECT_EQ(again.verdict, Verdict::repeated);
  EXPECT_EQ(again.sequence, first.sequence);
}

TEST_F(CoreSigner, SameNonceWithOtherBytesNamesTheEntryThatUsedIt) {
  Outcome first = submit(payment(7, 1));
  Outcome other = submit(payment(7, 2));
  EXPECT_EQ(other.verdict, Verdict::repeated);
  EXPECT_EQ(other.sequence, first.sequence);
}

TEST_F(CoreSigner, ARefusedCommandLeavesItsNonceFree) {
  EXPECT_TRUE(refused(submit(payment(7, 2'000'000)), Error::insufficient_funds));
  EXPECT_TRUE(submit(payment(7, 1)).accepted());
}

TEST_F(CoreSigner, TakesNoncesInAnyOrderAmongThoseKept) {
  for (std::uint64_t nonce : {50U, 10U, 40U, 20U, 30U, 1U}) EXPECT_TRUE(submit(payment(nonce)).accepted());
  EXPECT_EQ(submit(payment(20)).verdict, Verdict::repeated);
}

TEST_F(CoreSigner, KeepsTheSixteenHighestNonces) {
  for (std::uint64_t nonce = 100; nonce < 100 + max_kept_nonces; ++nonce)
    ASSERT_TRUE(submit(payment(nonce)).accepted());
  EXPECT_TRUE(refused(submit(payment(99)), Error::nonce_too_old));
  EXPECT_EQ(submit(payment(100)).verdict, Verdict::repeated);
  ASSERT_TRUE(submit(payment(200)).accepted());
  EXPECT_EQ(account(alice).nonces.size(), max_kept_nonces);
  EXPECT_TRUE(refused(submit(payment(100)), Error::nonce_too_old));
  EXPECT_EQ(submit(payment(101)).verdict, Verdict::repeated);
}

TEST_F(CoreSigner, TakesALowNonceWhileFewerThanSixteenAreKept) {
  for (std::uint64_t nonce = 100; nonce < 100 + max_kept_nonces - 1; ++nonce)
    ASSERT_TRUE(submit(payment(nonce)).accepted());
  EXPECT_TRUE(submit(payment(1)).accepted());
}

TEST_F(CoreSigner, TakesTheLargestNonce) {
  EXPECT_TRUE(submit(payment(std::numeric_limits<std::uint64_t>::max())).accepted());
}

TEST_F(CoreSigner, NoncesOfTwoAccountsAreApart) {
  ASSERT_TRUE(credit(bob, 10).accepted());
  ASSERT_TRUE(submit(payment(7)).accepted());
  Command bobs = command(bob, Transfer{coin, gateway, 1});
  bobs.nonce = 7;
  EXPECT_TRUE(submit(bobs).accepted());
}

TEST_F(CoreSigner, AppliesUpToTheMicrosecondOfItsExpiry) {
  Command one = payment(7);
  one.expires_us = now_us;
  EXPECT_TRUE(submit(one).accepted());
  Command late = payment(8);
  late.expires_us = now_us - 1;
  Outcome outcome = submit(late);
  EXPECT_TRUE(refused(outcome, Error::expired));
  EXPECT_EQ(detail(outcome, "now_us"), now_us);
}

TEST_F(CoreSigner, RefusesAnExpiryMoreThanADayAhead) {
  Command one = payment(7);
  one.expires_us = now_us + day_us + 1;
  EXPECT_TRUE(refused(submit(one), Error::expiry_too_far));
  one.expires_us = now_us + day_us;
  EXPECT_TRUE(submit(one).accepted());
}

TEST_F(CoreSigner, RotationKeepsNumberBalanceHistoryAndNonces) {
  Outcome paid = submit(payment(7));
  Account before = account(alice);
  Outcome outcome = submit(alice, RotateKey{carol});
  ASSERT_TRUE(outcome.accepted());
  EXPECT_EQ(outcome.postings, std::vector<Posting>{posting(carol, no_asset, paid.sequence)});
  const Account& after = account(carol);
  EXPECT_EQ(after.number, before.number);
  EXPECT_EQ(after.balances, before.balances);
  EXPECT_EQ(after.key, carol);
  Command same_nonce = payment(7);
  same_nonce.signer = carol;
  EXPECT_EQ(submit(same_nonce).verdict, Verdict::repeated);
}

TEST_F(CoreSigner, ARotatedKeySignsNothingMore) {
  rotate(alice, carol);
  EXPECT_TRUE(refused(transfer(alice, gateway, 1), Error::key_rotated));
  EXPECT_TRUE(refused(submit(alice, RotateKey{bob}), Error::key_rotated));
  EXPECT_TRUE(transfer(carol, gateway, 1).accepted());
}

TEST_F(CoreSigner, TheRotationItselfSentAgainGetsItsAnswer) {
  Command rotation = command(alice, RotateKey{carol});
  Outcome first = submit(rotation);
  Outcome again = submit(rotation);
  EXPECT_EQ(again.verdict, Verdict::repeated);
  EXPECT_EQ(again.sequence, first.sequence);
}

TEST_F(CoreSigner, RotatedKeyIsNeverFreeAgain) {
  rotate(alice, carol);
  EXPECT_TRUE(refused(transfer(carol, alice, 1), Error::key_rotated));
  EXPECT_TRUE(refused(submit(carol, TransferList{coin, {{alice, 1}}}), Error::key_rotated));
  EXPECT_TRUE(refused(submit(carol, channel_to(alice, 1)), Error::key_rotated));
  EXPECT_TRUE(refused(submit(operator_key, SetRoles{alice, role_auditor}), Error::key_rotated));
  EXPECT_TRUE(refused(submit(carol, RotateKey{alice}), Error::key_in_use));
  EXPECT_TRUE(refused(submit(gateway, RotateKey{alice}), Error::key_in_use));
  EXPECT_EQ(state.key_entry(alice)->account, account(carol).number);
}

TEST_F(CoreSigner, ADepositToARotatedKeyIsUnassigned) {
  rotate(alice, carol);
  EXPECT_TRUE(credit(alice, 5).accepted());
  EXPECT_EQ(totals().unassigned, 5);
}

TEST_F(CoreSigner, RotatesOnlyToAKeyNobodyHas) {
  EXPECT_TRUE(refused(submit(alice, RotateKey{gateway}), Error::key_in_use));
}

TEST_F(CoreSigner, RotatesAgainAndAgain) {
  rotate(alice, key_of(10));
  rotate(key_of(10), key_of(11));
  rotate(key_of(11), key_of(12));
  EXPECT_TRUE(transfer(key_of(12), gateway, 1).accepted());
  for (std::uint64_t old : {10U, 11U})
    EXPECT_TRUE(refused(transfer(key_of(old), gateway, 1), Error::key_rotated));
}

TEST_F(CoreSigner, OnlyTheOperatorSetsRolesAndAssets) {
  EXPECT_TRUE(refused(submit(alice, SetRoles{alice, role_operator}), Error::missing_role));
  EXPECT_TRUE(refused(submit(gateway, SetAsset{*state.asset(coin)}), Error::missing_role));
  EXPECT_TRUE(submit(operator_key, SetRoles{alice, role_operator}).accepted());
  EXPECT_TRUE(submit(alice, SetAsset{*state.asset(coin)}).accepted());
}

TEST_F(CoreSigner, OnlyTheGatewayCredits) {
  Credit deposit{.asset = coin, .amount = 5, .owner = alice, .chain = tron, .at = {++block}};
  EXPECT_TRUE(refused(submit(operator_key, deposit), Error::missing_role));
  EXPECT_TRUE(submit(gateway, deposit).accepted());
}

TEST_F(CoreSigner, SettingRolesReplacesThemAndMakesTheAccount) {
  Outcome made = submit(operator_key, SetRoles{stranger, role_auditor | role_anchor});
  ASSERT_TRUE(made.accepted());
  EXPECT_EQ(account(stranger).roles, role_auditor | role_anchor);
  EXPECT_EQ(made.postings, (std::vector<Posting>{posting(operator_key, no_asset, Sequence{0}),
                                                 posting(stranger, no_asset, no_sequence)}));
  ASSERT_TRUE(submit(operator_key, SetRoles{stranger, 0}).accepted());
  EXPECT_EQ(account(stranger).roles, 0U);
  ASSERT_TRUE(submit(operator_key, SetRoles{gateway, 0}).accepted());
  EXPECT_TRUE(refused(credit(alice, 5), Error::missing_role));
}

TEST_F(CoreSigner, AnOperatorThatSetsItsOwnRolesHasOnePosting) {
  Outcome outcome = submit(operator_key, SetRoles{operator_key, role_operator | role_gateway});
  EXPECT_EQ(outcome.postings.size(), 1U);
}

// Where several faults apply, the first in the order of errors is the answer.

TEST_F(CoreSigner, ARepeatedNonceComesBeforeARotatedKey) {
  Command one = payment(7);
  ASSERT_TRUE(submit(one).accepted());
  rotate(alice, carol);
  EXPECT_EQ(submit(one).verdict, Verdict::repeated);
}

TEST_F(CoreSigner, FaultsOfTheSignerComeInOrderAndBeforeAllOthers) {
  for (std::uint64_t nonce = 2'000; nonce < 2'000 + max_kept_nonces; ++nonce)
    ASSERT_TRUE(submit(payment(nonce)).accepted());
  Command one = command(alice, SetRoles{alice, 0});
  one.nonce = 1;
  EXPECT_TRUE(refused(submit(one), Error::nonce_too_old));
  one.expires_us = now_us + 2 * day_us;
  EXPECT_TRUE(refused(submit(one), Error::expiry_too_far));
  one.expires_us = now_us - 1;
  EXPECT_TRUE(refused(submit(one), Error::expired));
  one.nonce = 3'000;
  EXPECT_TRUE(refused(submit(one), Error::expired));
  next_nonce = 4'000;
  rotate(alice, carol);
  EXPECT_TRUE(refused(submit(one), Error::key_rotated));
  one.signer = carol;
  one.expires_us = now_us;
  EXPECT_TRUE(refused(submit(one), Error::missing_role));  // not: the rotated key that it names
}

}  // namespace
}  // namespace windlass::core
