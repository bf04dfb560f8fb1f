// What clients of the historical BTFS ledger sign: told from a repetition by its id, bound to no nonce, ended
// by both parties of a channel, and refused by whoever wants no more of it.
#include "tests/unit/core_ledger.h"

namespace windlass::core {
namespace {

constexpr AssetId btt{3};

Hash id_number(std::uint8_t n) {
  Hash id{};
  id[0] = n;
  return id;
}

class CoreBtfs : public CoreLedger {
 protected:
  void SetUp() override {
    CoreLedger::SetUp();
    Asset asset = make_asset(btt, "BTT");
    asset.token = "1002000";
    ASSERT_TRUE(submit(operator_key, SetAsset{asset}).accepted());
    ASSERT_TRUE(credit(alice, 1'000, btt).accepted());
    ASSERT_TRUE(credit(bob, 100, btt).accepted());
  }
  // As the codec gives them: without nonce and expiry.
  Outcome send(const Key& signer, Body body, TimeUs expires_us = 0) {
    return submit(Command{.signer = signer, .expires_us = expires_us, .body = std::move(body)});
  }
  Outcome pay(const Key& payer, const Key& recipient, Amount amount, std::uint8_t id) {
    return send(payer, BtfsTransfer{recipient, amount, id_number(id)});
  }
  Outcome open(const Key& payer, const Key& recipient, Amount amount, std::uint8_t id) {
    return send(payer, BtfsOpenChannel{recipient, amount, id_number(id)});
  }
  ChannelId opened(const Key& recipient, Amount amount) {
    Outcome outcome = open(alice, recipient, amount, 200);
    EXPECT_TRUE(outcome.accepted());
    return ChannelId{outcome.sequence.value};
  }
  // Of a channel of alice's.
  BtfsChannelState end(ChannelId id, const Key& to, Amount from_balance, Amount to_balance) const {
    return {id, alice, to, from_balance, to_balance};
  }
  Outcome close(const BtfsChannelState& agreed, bool from_signed = true) {
    return send(agreed.to, BtfsCloseChannel{agreed, from_signed});
  }
  BtfsWithdraw withdrawal(ChannelId id, Amount amount, Amount fee) const {
    return {end(id, gateway, 0, amount), fee, {0x41}};
  }
  Outcome withdraw(const BtfsWithdraw& body) { return send(alice, body); }
  Outcome withdraw_under(const BtfsWithdraw& body, const std::optional<WithdrawalTerms>& terms) {
    return apply(state, Command{.signer = alice, .body = body}, now_us, [&](AssetId asset) {
      EXPECT_EQ(asset, btt);
      return terms;
    });
  }
  Outcome settle(ChannelId id, bool paid) { return submit(gateway, SettleWithdrawal{id, paid, no_asset, 0}); }
  void refuse_btfs(const Key& key) { ASSERT_TRUE(submit(key, RefuseBtfs{}).accepted()); }
  Balance of(const Key& key) const { return balance(key, btt); }
  const BtfsUse* use(std::uint8_t id) const { return state.btfs_uses.find(id_number(id)); }
};

testing::AssertionResult repeats(const Outcome& outcome, const Outcome& first) {
  if (outcome.verdict == Outcome::Verdict::repeated && outcome.sequence == first.sequence)
    return testing::AssertionSuccess();
  return testing::AssertionFailure() << "verdict " << static_cast<int>(outcome.verdict) << ", sequence "
                                     << outcome.sequence.value << ", not repeated, " << first.sequence.value;
}

// --- transfers

TEST_F(CoreBtfs, ATransferPaysInTheAssetOfHistoricalClients) {
  Sequence alices = account(alice).last, bobs = account(bob).last;
  Outcome paid = pay(alice, bob, 300, 1);
  ASSERT_TRUE(paid.accepted());
  EXPECT_EQ(of(alice), (Balance{btt, 700}));
  EXPECT_EQ(of(bob), (Balance{btt, 400}));
  EXPECT_EQ(totals(btt).available, 1'100);
  std::vector<Posting> expected = {posting(alice, btt, alices), posting(bob, btt, bobs)};
  EXPECT_EQ(paid.postings, expected);
  ASSERT_NE(use(1), nullptr);
  EXPECT_EQ(*use(1), (BtfsUse{id_number(1), paid.sequence}));
  EXPECT_TRUE(account(alice).nonces.empty());
}

TEST_F(CoreBtfs, AMessageIsPaidOnce) {
  Outcome first = pay(alice, bob, 300, 1);
  ASSERT_TRUE(first.accepted());
  EXPECT_TRUE(repeats(pay(alice, bob, 300, 1), first));
  EXPECT_TRUE(pay(alice, bob, 300, 2).accepted());
  EXPECT_EQ(of(bob).available, 700);
}

// Whoever asks again what became of a message is told, whatever has happened to the payer since.
TEST_F(CoreBtfs, ARepetitionIsKnownAfterRotationExpiryAndRefusal) {
  BtfsTransfer transfer{bob, 300, id_number(1)};
  Outcome first = send(alice, transfer, now_us);
  ASSERT_TRUE(first.accepted());
  now_us += 1;
  EXPECT_TRUE(repeats(send(alice, transfer, now_us - 1), first));
  refuse_btfs(alice);
  EXPECT_TRUE(repeats(send(alice, transfer, now_us - 1), first));
  ASSERT_TRUE(submit(alice, RotateKey{carol}).accepted());
  EXPECT_TRUE(repeats(send(alice, transfer, now_us - 1), first));
}

TEST_F(CoreBtfs, ARefusedMessageIsNotUsedUp) {
  EXPECT_TRUE(refused(pay(alice, bob, 1'001, 1), Error::insufficient_funds));
  EXPECT_EQ(use(1), nullptr);
  ASSERT_TRUE(credit(alice, 1, btt).accepted());
  EXPECT_TRUE(pay(alice, bob, 1'001, 1).accepted());
}

TEST_F(CoreBtfs, ATransferExpiresOnlyWhereItSaysSo) {
  EXPECT_TRUE(refused(send(alice, BtfsTransfer{bob, 1, id_number(1)}, now_us - 1), Error::expired));
  EXPECT_TRUE(send(alice, BtfsTransfer{bob, 1, id_number(1)}, now_us).accepted());
  // A day ahead is no limit: who signed it chose the time.
  EXPECT_TRUE(send(alice, BtfsTransfer{bob, 1, id_number(2)}, now_us + 400 * day_us).accepted());
  now_us += 400 * day_us;
  EXPECT_TRUE(pay(alice, bob, 1, 3).accepted());
}

TEST_F(CoreBtfs, ATransferNeedsAPayerThatMaySignAndARecipientThatCanBePaid) {
  EXPECT_TRUE(refused(pay(stranger, bob, 1, 1), Error::unknown_account));
  ASSERT_TRUE(submit(bob, RotateKey{carol}).accepted());
  EXPECT_TRUE(refused(pay(bob, alice, 1, 1), Error::key_rotated));
  EXPECT_TRUE(refused(pay(alice, bob, 1, 1), Error::key_rotated));
  EXPECT_TRUE(pay(carol, alice, 1, 1).accepted());
  EXPECT_TRUE(refused(pay(alice, stranger, 2'000, 2), Error::insufficient_funds));
  Asset asset = *state.asset(btt);
  asset.minimum_first_credit = 50;
  ASSERT_TRUE(submit(operator_key, SetAsset{asset}).accepted());
  Outcome too_little = pay(alice, stranger, 49, 2);
  EXPECT_TRUE(refused(too_little, Error::below_minimum_first_credit));
  EXPECT_EQ(detail(too_little, "minimum"), 50);
  EXPECT_TRUE(pay(alice, stranger, 50, 2).accepted());
}

class CoreBtfsWithoutAsset : public CoreLedger {};

TEST_F(CoreBtfsWithoutAsset, AmountsAreOfNothing) {
  ASSERT_TRUE(credit(alice, 100).accepted());
  Command transfer{.signer = alice, .body = BtfsTransfer{bob, 1, {}}};
  Command open{.signer = alice, .body = BtfsOpenChannel{bob, 1, {}}};
  EXPECT_TRUE(refused(submit(transfer), Error::unknown_asset));
  EXPECT_TRUE(refused(submit(open), Error::unknown_asset));
  // The token's number on another chain is another token.
  Asset asset = make_asset(AssetId{3}, "OTHER");
  asset.token = "1002000";
  asset.chain = 2;
  ASSERT_TRUE(submit(operator_key, SetAsset{asset}).accepted());
  EXPECT_TRUE(refused(submit(transfer), Error::unknown_asset));
}

// --- refusing

TEST_F(CoreBtfs, AnAccountMayRefuseAllOfIt) {
  Sequence before = account(alice).last;
  Outcome refusal = submit(alice, RefuseBtfs{});
  ASSERT_TRUE(refusal.accepted());
  EXPECT_EQ(refusal.postings, std::vector<Posting>{posting(alice, no_asset, before)});
  EXPECT_TRUE(account(alice).refuses_btfs);
  EXPECT_TRUE(refused(pay(alice, bob, 1, 1), Error::btfs_refused));
  EXPECT_TRUE(refused(open(alice, bob, 1, 1), Error::btfs_refused));
  EXPECT_TRUE(refused(open(bob, alice, 1, 1), Error::btfs_refused));
  EXPECT_TRUE(refused(send(alice, BtfsRotateKey{carol}), Error::btfs_refused));
  EXPECT_TRUE(pay(bob, alice, 1, 1).accepted()) << "it may be paid";
  EXPECT_TRUE(transfer(alice, bob, 1, btt).accepted()) << "its own commands go on";
  ASSERT_TRUE(submit(alice, RotateKey{carol}).accepted());
  EXPECT_TRUE(refused(pay(carol, bob, 1, 2), Error::btfs_refused)) << "a new key changes nothing";
}

TEST_F(CoreBtfs, WhatWasOpenedBeforeTheRefusalCanStillEnd) {
  ChannelId id = opened(bob, 500);
  refuse_btfs(alice);
  refuse_btfs(bob);
  EXPECT_TRUE(close(end(id, bob, 200, 300)).accepted());
}

// --- channels

TEST_F(CoreBtfs, AChannelLocksItsAmountForItsRecipient) {
  Sequence alices = account(alice).last;
  Outcome outcome = open(alice, carol, 300, 1);
  ASSERT_TRUE(outcome.accepted());
  EXPECT_EQ(of(alice), (Balance{btt, 700, 300, 0}));
  EXPECT_EQ(account(alice).open_channels, 1u);
  EXPECT_EQ(totals(btt).locked, 300);
  ChannelId id{outcome.sequence.value};
  Channel expected{.id = id,
                   .purpose = Purpose::btfs_channel,
                   .payer = account(alice).number,
                   .recipient = account(carol).number,
                   .receipt_key = alice,
                   .asset = btt,
                   .deposit = 300,
                   .last = outcome.sequence};
  EXPECT_EQ(channel(id), expected);
  std::vector<Posting> postings = {posting(alice, btt, alices), posting(carol, btt, no_sequence),
                                   ChannelPosting{id, 300, 0, no_sequence}};
  EXPECT_EQ(outcome.postings, postings);
}

TEST_F(CoreBtfs, PayerAndPayerIdNameOneChannel) {
  Outcome first = open(alice, bob, 300, 1);
  ASSERT_TRUE(first.accepted());
  EXPECT_TRUE(repeats(open(alice, bob, 300, 1), first));
  // Another commit of that id: the bytes tell whoever asks that it is a conflict.
  EXPECT_TRUE(repeats(open(alice, carol, 7, 1), first));
  EXPECT_EQ(of(alice).locked, 300);
}

TEST_F(CoreBtfs, AChannelNeedsWhatEveryChannelNeeds) {
  EXPECT_TRUE(refused(open(stranger, bob, 1, 1), Error::unknown_account));
  Asset asset = *state.asset(btt);
  asset.minimum_channel = 10;
  ASSERT_TRUE(submit(operator_key, SetAsset{asset}).accepted());
  EXPECT_TRUE(refused(open(alice, bob, 9, 1), Error::below_minimum_channel));
  EXPECT_TRUE(refused(open(alice, bob, 1'001, 1), Error::insufficient_funds));
  ASSERT_TRUE(submit(bob, RotateKey{carol}).accepted());
  EXPECT_TRUE(refused(open(alice, bob, 10, 1), Error::key_rotated));
  EXPECT_TRUE(open(alice, carol, 10, 1).accepted());
}

TEST_F(CoreBtfs, ThePayersOpenChannelsAreBounded) {
  state.accounts.change(account(alice).number).open_channels = max_open_channels;
  Outcome outcome = open(alice, bob, 1, 1);
  state.accounts.change(account(alice).number).open_channels = 0;
  EXPECT_TRUE(refused(outcome, Error::too_many_channels));
}

TEST_F(CoreBtfs, NoReceiptTopUpOrCloseOfWindlassReachesAChannel) {
  ChannelId id = opened(bob, 300);
  EXPECT_TRUE(refused(receipt(id, 1), Error::unknown_channel));
  EXPECT_TRUE(refused(submit(alice, TopUpChannel{id, 1, 0}), Error::unknown_channel));
  now_us += 100 * day_us;
  EXPECT_TRUE(refused(submit(alice, CloseChannel{id, {}}), Error::unknown_channel));
  EXPECT_TRUE(refused(submit(bob, CloseChannel{id, {}}), Error::unknown_channel));
  EXPECT_TRUE(refused(settle(id, true), Error::unknown_withdrawal));
  EXPECT_TRUE(refused(submit(operator_key, ApproveWithdrawal{id}), Error::unknown_withdrawal));
  EXPECT_TRUE(refused(submit(operator_key, AssignDeposit{id, bob}), Error::unknown_deposit));
}

TEST_F(CoreBtfs, AChannelOfWindlassIsNoHistoricalOne) {
  ASSERT_TRUE(credit(alice, 100).accepted());
  ChannelId id = open_channel(100);
  EXPECT_TRUE(refused(close(end(id, bob, 0, 100)), Error::unknown_channel));
  EXPECT_TRUE(refused(withdraw(withdrawal(id, 100, 1)), Error::unknown_channel));
}

// --- how a channel ends

TEST_F(CoreBtfs, BothPartiesDivideAChannel) {
  ChannelId id = opened(bob, 300);
  Sequence opening = channel(id).last, bobs = account(bob).last;
  Outcome closed = close(end(id, bob, 100, 200));
  ASSERT_TRUE(closed.accepted());
  EXPECT_EQ(of(alice), (Balance{btt, 800}));
  EXPECT_EQ(of(bob), (Balance{btt, 300}));
  EXPECT_EQ(account(alice).open_channels, 0u);
  EXPECT_EQ(totals(btt).locked, 0);
  EXPECT_EQ(totals(btt).available, 1'100);
  EXPECT_FALSE(channel(id).open);
  EXPECT_EQ(channel(id).claimed, 200);
  EXPECT_EQ(channel(id).claim, closed.sequence);
  std::vector<Posting> postings = {ClosingPosting{posting(alice, btt, opening), id, {}},
                                   posting(bob, btt, bobs), ChannelPosting{id, 300, 200, opening}};
  EXPECT_EQ(closed.postings, postings);
  EXPECT_TRUE(refused(close(end(id, bob, 100, 200)), Error::channel_closed));
}

TEST_F(CoreBtfs, TheRecipientAloneMayGiveEverythingBackAndNothingElse) {
  ChannelId id = opened(bob, 300);
  EXPECT_TRUE(refused(close(end(id, bob, 0, 300), false), Error::unsigned_state));
  EXPECT_TRUE(refused(close(end(id, bob, 299, 1), false), Error::unsigned_state));
  auto before = of(alice).available;
  ASSERT_TRUE(close(end(id, bob, 300, 0), false).accepted());
  EXPECT_EQ(of(alice).available, before + 300);
  EXPECT_EQ(channel(id).claim, no_sequence);
}

TEST_F(CoreBtfs, AnEndIsOfTheChannelsKeysAndItsWholeAmount) {
  ChannelId id = opened(bob, 300);
  auto ends = [&](const BtfsChannelState& agreed) { return close(agreed); };
  EXPECT_TRUE(refused(ends({id, bob, alice, 300, 0}), Error::state_mismatch));
  EXPECT_TRUE(refused(ends({id, stranger, bob, 300, 0}), Error::state_mismatch));
  EXPECT_TRUE(refused(ends({id, alice, stranger, 300, 0}), Error::state_mismatch));
  EXPECT_TRUE(refused(ends({id, alice, gateway, 300, 0}), Error::state_mismatch));
  EXPECT_TRUE(refused(ends({id, alice, bob, 300, 1}), Error::state_mismatch));
  Outcome too_little = ends({id, alice, bob, 299, 0});
  EXPECT_TRUE(refused(too_little, Error::state_mismatch));
  EXPECT_EQ(detail(too_little, "amount"), 300);
  EXPECT_TRUE(refused(ends({ChannelId{9'999}, alice, bob, 300, 0}), Error::unknown_channel));
}

// The key that opened it is the payer's for this channel, as a receipt key is; the recipient signs with its
// key of today.
TEST_F(CoreBtfs, AChannelEndsAfterItsPartiesRotatedTheirKeys) {
  ChannelId id = opened(bob, 300);
  ASSERT_TRUE(submit(alice, RotateKey{key_of(31)}).accepted());
  ASSERT_TRUE(submit(bob, RotateKey{key_of(41)}).accepted());
  EXPECT_TRUE(refused(close(end(id, bob, 100, 200)), Error::key_rotated));
  EXPECT_TRUE(refused(close({id, key_of(31), key_of(41), 100, 200}), Error::state_mismatch));
  ASSERT_TRUE(close(end(id, key_of(41), 100, 200)).accepted());
  EXPECT_EQ(of(key_of(31)).available, 800);
  EXPECT_EQ(of(key_of(41)).available, 300);
}

// The order of errors is one for all kinds: a key that was rotated away comes before what else is wrong.
TEST_F(CoreBtfs, ARotatedRecipientComesFirst) {
  ChannelId id = opened(bob, 300);
  ASSERT_TRUE(submit(bob, RotateKey{carol}).accepted());
  EXPECT_TRUE(refused(close(end(id, bob, 1, 1), false), Error::key_rotated));
  EXPECT_TRUE(refused(close(end(ChannelId{9'999}, bob, 1, 1)), Error::key_rotated));
  EXPECT_TRUE(refused(close(end(id, carol, 1, 1), false), Error::state_mismatch));
}

// --- withdrawals

TEST_F(CoreBtfs, AChannelToTheGatewayBecomesAWithdrawalOfItsId) {
  ChannelId id = opened(gateway, 300);
  Sequence opening = channel(id).last, gateways = account(gateway).last;
  BtfsWithdraw body = withdrawal(id, 300, 7);
  Outcome asked = withdraw(body);
  ASSERT_TRUE(asked.accepted());
  EXPECT_EQ(of(alice), (Balance{btt, 700, 0, 300}));
  EXPECT_EQ(totals(btt).locked, 0);
  EXPECT_EQ(totals(btt).held, 300);
  EXPECT_EQ(account(alice).open_channels, 1u);
  EXPECT_EQ(state.globals.open_channels, 1u);
  Channel expected{.id = id,
                   .purpose = Purpose::withdrawal,
                   .payer = account(alice).number,
                   .recipient = account(gateway).number,
                   .receipt_key = alice,
                   .asset = btt,
                   .deposit = 300,
                   .fee = 7,
                   .content = std::string(view(body.destination)),
                   .last = asked.sequence};
  EXPECT_EQ(channel(id), expected);
  std::vector<Posting> postings = {posting(alice, btt, opening), ChannelPosting{id, 300, 0, opening}};
  EXPECT_EQ(asked.postings, postings);
  EXPECT_EQ(account(gateway).last, gateways);
  EXPECT_TRUE(refused(withdraw(body), Error::unknown_channel));
  EXPECT_TRUE(refused(close(end(id, gateway, 300, 0)), Error::unknown_channel));
}

TEST_F(CoreBtfs, AWithdrawalIsApprovedAndPaidLikeAnyOther) {
  ChannelId id = opened(gateway, 300);
  Outcome asked = withdraw(withdrawal(id, 300, 7));
  ASSERT_TRUE(asked.accepted());
  Outcome approved = submit(operator_key, ApproveWithdrawal{id});
  ASSERT_TRUE(approved.accepted());
  EXPECT_EQ(channel(id).claim, approved.sequence);
  Sequence gateways = account(gateway).last;
  Outcome paid = settle(id, true);
  ASSERT_TRUE(paid.accepted());
  EXPECT_EQ(of(alice), (Balance{btt, 700}));
  EXPECT_EQ(of(gateway), (Balance{btt, 7}));
  EXPECT_EQ(totals(btt).paid, 293u);
  EXPECT_EQ(totals(btt).held, 0);
  EXPECT_EQ(account(alice).open_channels, 0u);
  EXPECT_EQ(channel(id).claimed, 300);
  EXPECT_FALSE(channel(id).open);
  std::vector<Posting> postings = {posting(gateway, btt, gateways),
                                   ClosingPosting{posting(alice, btt, asked.sequence), id, {}},
                                   ChannelPosting{id, 300, 300, approved.sequence}};
  EXPECT_EQ(paid.postings, postings);
  EXPECT_TRUE(refused(settle(id, true), Error::withdrawal_settled));
  EXPECT_TRUE(refused(submit(operator_key, ApproveWithdrawal{id}), Error::withdrawal_settled));
}

TEST_F(CoreBtfs, AWithdrawalThatCannotBePaidGoesBackWhole) {
  ChannelId id = opened(gateway, 300);
  ASSERT_TRUE(withdraw(withdrawal(id, 300, 7)).accepted());
  ASSERT_TRUE(settle(id, false).accepted());
  EXPECT_EQ(of(alice), (Balance{btt, 1'000}));
  EXPECT_EQ(of(gateway).available, 0);
  EXPECT_EQ(totals(btt).paid, 0u);
  EXPECT_EQ(channel(id).claimed, 0);
}

TEST_F(CoreBtfs, OnlyAChannelToAGatewayIsPaidOut) {
  ChannelId id = opened(bob, 300);
  EXPECT_TRUE(refused(withdraw({end(id, bob, 0, 300), 7, {0x41}}), Error::not_to_the_gateway));
  EXPECT_TRUE(refused(withdraw({end(id, bob, 1, 299), 7, {0x41}}), Error::state_mismatch));
  EXPECT_TRUE(refused(withdraw({end(id, gateway, 0, 300), 7, {0x41}}), Error::state_mismatch));
  ASSERT_TRUE(close(end(id, bob, 300, 0)).accepted());
  EXPECT_TRUE(refused(withdraw({end(id, bob, 0, 300), 7, {0x41}}), Error::channel_closed));
}

// The gateway's terms are those of every withdrawal: what arrives is the channel's amount less the fee.
TEST_F(CoreBtfs, TheGatewaysTermsBindAWithdrawal) {
  ChannelId id = opened(gateway, 300);
  BtfsWithdraw body = withdrawal(id, 300, 7);
  Contents before(state);
  WithdrawalTerms terms{.minimum = 293, .fee = 7, .payable = 300};
  EXPECT_TRUE(refused(withdraw_under(body, std::nullopt), Error::withdrawals_not_offered));
  terms.refuses = Error::withdrawals_paused;
  EXPECT_TRUE(refused(withdraw_under(body, terms), Error::withdrawals_paused));
  terms.refuses = Error::none;
  terms.minimum = 294;
  EXPECT_TRUE(refused(withdraw_under(body, terms), Error::below_minimum_withdrawal));
  terms.minimum = 293;
  terms.fee = 8;
  EXPECT_TRUE(refused(withdraw_under(body, terms), Error::fee_too_low));
  terms.fee = 7;
  terms.payable = 299;
  terms.beyond = Error::daily_cap_reached;
  Outcome unpayable = withdraw_under(body, terms);
  EXPECT_TRUE(refused(unpayable, Error::daily_cap_reached));
  EXPECT_EQ(detail(unpayable, "payable_now"), 299);
  EXPECT_TRUE(Contents(state) == before);
  terms.payable = 300;
  Outcome asked = withdraw_under(body, terms);
  EXPECT_TRUE(asked.accepted());
}

// --- rotations

TEST_F(CoreBtfs, ARotationBindsTheNewKey) {
  Sequence before = account(alice).last;
  Outcome rotated = send(alice, BtfsRotateKey{carol});
  ASSERT_TRUE(rotated.accepted());
  EXPECT_EQ(rotated.postings, std::vector<Posting>{posting(carol, no_asset, before)});
  EXPECT_EQ(account(carol).key, carol);
  EXPECT_EQ(state.key_entry(alice)->rotated_at, rotated.sequence);
  EXPECT_EQ(of(carol).available, 1'000);
  EXPECT_TRUE(refused(send(alice, BtfsRotateKey{carol}), Error::key_rotated));
  EXPECT_TRUE(refused(send(carol, BtfsRotateKey{bob}), Error::key_in_use));
  EXPECT_TRUE(refused(send(carol, BtfsRotateKey{alice}), Error::key_in_use));
  EXPECT_TRUE(refused(send(stranger, BtfsRotateKey{key_of(31)}), Error::unknown_account));
}

}  // namespace
}  // namespace windlass::core
