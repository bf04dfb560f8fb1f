// That an account is counted in what is owed, checked without trusting the server.
#include <gtest/gtest.h>

#include "client/liabilities.h"
#include "tests/unit/client_ledger.h"

namespace windlass::client {
namespace {

constexpr core::AssetId btt{1};

// An open channel with a claim on it: the recipient has what was claimed, the payer is owed the rest.
class LiabilityProof : public ::testing::Test {
 protected:
  LiabilityProof() {
    ledger.play();
    channel = ledger.apply(
        ledger.payer,
        core::OpenChannel{
            btt, ledger.recipient.public_key(), 200, TinyLedger::day_one + core::day_us, {}, {}});
    ledger.apply_receipt(channel, 70);
    ledger.seal();
  }

  Proven<ProvenLiability> check(const pb::LiabilityProof& proof, std::uint64_t account) const {
    return check_liability(proof, {account}, btt, ledger.owed().at(account));
  }

  TinyLedger ledger;
  std::uint64_t channel = 0;
};

TEST_F(LiabilityProof, CountsBothPartiesOfAChannel) {
  EXPECT_EQ(ledger.owed(), (std::map<std::uint64_t, core::Amount>{{0, 870}, {1, 130}}));
  for (auto [account, amount] : ledger.owed()) {
    auto proven = check(ledger.liability(account), account);
    ASSERT_TRUE(proven) << proven.error();
    EXPECT_EQ(proven->amount, amount);
    EXPECT_EQ(proven->total, 1000);
    EXPECT_EQ(proven->seal.value, ledger.seal_sequence());
  }
}

TEST_F(LiabilityProof, FailsWhicheverFieldIsChanged) {
  std::set<std::string> tampered;
  for (std::uint64_t account : {0, 1})  // of all leaves, half stand on the right
    for_each_tampered<pb::LiabilityProof>(ledger.liability(account),
                                          [&](const std::string& field, const auto& changed) {
                                            EXPECT_FALSE(check(changed, account)) << field;
                                            tampered.insert(field);
                                          });
  for (const char* field :
       {"sequence", "assets.asset", "assets.total", "assets.root", "number", "secret", "shares.amount",
        "shares.path.hash", "shares.path.sum", "shares.path.left", "seal.envelope"})
    EXPECT_TRUE(tampered.contains(field)) << field;
}

TEST_F(LiabilityProof, FailsForAnotherAmountOrAccount) {
  EXPECT_FALSE(check_liability(ledger.liability(1), {1}, btt, 129));
  EXPECT_FALSE(check_liability(ledger.liability(1), {0}, btt, 130));
  EXPECT_FALSE(check_liability(ledger.liability(1), {1}, core::AssetId{2}, 130));
}

TEST_F(LiabilityProof, OfWhoIsLeftOutSaysSo) {
  auto proof = ledger.liability(1);
  proof.clear_shares();
  proof.clear_secret();
  auto proven = check(proof, 1);
  ASSERT_FALSE(proven);
  EXPECT_NE(proven.error().find("owed this account 130 units of asset 1, but it counts 0"), std::string::npos)
      << proven.error();
}

TEST_F(LiabilityProof, DoesNotCountOneLeafTwice) {
  auto proof = ledger.liability(1);
  *proof.mutable_shares(1) = proof.shares(0);
  EXPECT_FALSE(check(proof, 1));
}

}  // namespace
}  // namespace windlass::client
