// Channels: opening, receipts, topping up, closing.
#include "tests/unit/core_ledger.h"

namespace windlass::core {
namespace {

using Verdict = Outcome::Verdict;

class CoreChannel : public CoreLedger {
 protected:
  CoreChannel() {
    EXPECT_TRUE(credit(alice, 1'000).accepted());
    EXPECT_TRUE(credit(bob, 1'000).accepted());
    EXPECT_TRUE(credit(carol, 1'000).accepted());
  }
  Outcome top_up(const Key& signer, ChannelId id, Amount amount, TimeUs expires_us = 0) {
    return submit(signer, TopUpChannel{id, amount, expires_us});
  }
  Outcome close(const Key& signer, ChannelId id) { return submit(signer, CloseChannel{.channel = id}); }
  Outcome close_with(const Key& signer, ChannelId id, Receipt last, const Key& receipt_key) {
    return submit(signer, CloseChannel{id, CloseChannel::LastReceipt{last, receipt_key}});
  }
  void pass_expiry_and_grace(ChannelId id) { now_us = channel(id).expires_us + channel_grace_us; }
};

// --- opening

TEST_F(CoreChannel, OpeningLocksTheDepositAndPostsPayerRecipientAndChannel) {
  Sequence alices = account(alice).last, bobs = account(bob).last;
  OpenChannel open = channel_to(bob, 400);
  open.content = std::string(20, 'x');
  Outcome outcome = submit(alice, open);
  ASSERT_TRUE(outcome.accepted());
  EXPECT_EQ(balance(alice), (Balance{.asset = coin, .available = 600, .locked = 400}));
  ChannelId id{outcome.sequence.value};
  EXPECT_EQ(channel(id).content, open.content);
  EXPECT_EQ(channel(id).payer, account(alice).number);
  EXPECT_EQ(channel(id).recipient, account(bob).number);
  EXPECT_EQ(account(alice).open_channels, 1U);
  EXPECT_EQ(outcome.postings, (std::vector<Posting>{posting(alice, coin, alices), posting(bob, coin, bobs),
                                                    ChannelPosting{id, 400, 0, no_sequence}}));
}

TEST_F(CoreChannel, OpensForANewKeyAndMakesItsAccount) {
  ASSERT_TRUE(submit(alice, channel_to(stranger, 1)).accepted());
  EXPECT_EQ(balance(stranger).available, 0);
}

TEST_F(CoreChannel, RefusesADepositBelowTheAssetsMinimum) {
  set_minimums(0, 100);
  Outcome outcome = submit(alice, channel_to(bob, 99));
  EXPECT_TRUE(refused(outcome, Error::below_minimum_channel));
  EXPECT_EQ(detail(outcome, "minimum"), 100);
  EXPECT_TRUE(submit(alice, channel_to(bob, 100)).accepted());
}

TEST_F(CoreChannel, RefusesADepositAboveWhatIsAvailable) {
  EXPECT_TRUE(refused(submit(alice, channel_to(bob, 1'001)), Error::insufficient_funds));
  EXPECT_TRUE(submit(alice, channel_to(bob, 1'000)).accepted());
}

TEST_F(CoreChannel, RefusesAnAssetThatIsNone) {
  OpenChannel open = channel_to(bob, 1);
  open.asset = AssetId{3};
  EXPECT_TRUE(refused(submit(alice, open), Error::unknown_asset));
}

TEST_F(CoreChannel, ExpiresInTheFutureAndWithinTenYears) {
  OpenChannel open = channel_to(bob, 1);
  for (TimeUs bad : {now_us, now_us - 1, now_us + max_channel_life_us + 1}) {
    open.expires_us = bad;
    EXPECT_TRUE(refused(submit(alice, open), Error::bad_channel_expiry));
  }
  for (TimeUs good : {now_us + 1, now_us + max_channel_life_us}) {
    open.expires_us = good;
    EXPECT_TRUE(submit(alice, open).accepted());
  }
}

TEST_F(CoreChannel, AnAccountHasAtMostSoManyOpenChannels) {
  ASSERT_TRUE(credit(alice, 2 * max_open_channels).accepted());
  ChannelId last{};
  for (std::size_t i = 0; i < max_open_channels; ++i) {
    Outcome outcome = apply(state, command(alice, channel_to(bob, 1)), now_us);
    ASSERT_TRUE(outcome.accepted());
    last = ChannelId{outcome.sequence.value};
  }
  Command one_more = command(alice, channel_to(bob, 1));
  EXPECT_TRUE(refused(apply(state, one_more, now_us), Error::too_many_channels));
  EXPECT_TRUE(apply(state, command(carol, channel_to(bob, 1)), now_us).accepted());
  ASSERT_TRUE(apply(state, command(bob, CloseChannel{.channel = last}), now_us).accepted());
  EXPECT_TRUE(apply(state, one_more, now_us).accepted());
}

// --- receipts

TEST_F(CoreChannel, AReceiptTouchesTheChannelAndItsRecipientOnly) {
  ChannelId id = open_channel(400);
  Sequence opened = channel(id).last;
  Outcome outcome = receipt(id, 30);
  ASSERT_TRUE(outcome.accepted());
  EXPECT_EQ(balance(bob).available, 1'030);
  EXPECT_EQ(balance(alice).locked, 400);  // in full until it closes
  EXPECT_EQ(totals().locked, 370);
  EXPECT_EQ(outcome.postings,
            (std::vector<Posting>{posting(bob, coin, opened), ChannelPosting{id, 400, 30, opened}}));
}

TEST_F(CoreChannel, ReceiptsAreCumulative) {
  ChannelId id = open_channel(400);
  ASSERT_TRUE(receipt(id, 30).accepted());
  ASSERT_TRUE(receipt(id, 100).accepted());
  EXPECT_EQ(balance(bob).available, 1'100);
}

TEST_F(CoreChannel, AnswersCoveredAtOrBelowClaimed) {
  ChannelId id = open_channel(400);
  Outcome claim = receipt(id, 30);
  for (Amount cumulative : {30, 29, 1}) {
    Outcome outcome = receipt(id, cumulative);
    EXPECT_EQ(outcome.verdict, Verdict::covered);
    EXPECT_EQ(outcome.sequence, claim.sequence);
    EXPECT_EQ(outcome.claimed, 30);
  }
}

TEST_F(CoreChannel, CoveredNamesTheLastClaimNotALaterTopUp) {
  ChannelId id = open_channel(400);
  Outcome claim = receipt(id, 30);
  ASSERT_TRUE(top_up(alice, id, 5).accepted());
  EXPECT_EQ(receipt(id, 30).sequence, claim.sequence);
}

TEST_F(CoreChannel, AnswersCoveredAlsoOnAClosedChannelAndWhoeverSigned) {
  ChannelId id = open_channel(400);
  Outcome claim = receipt(id, 30);
  ASSERT_TRUE(close(bob, id).accepted());
  EXPECT_EQ(submit_receipt(id, 30, stranger).sequence, claim.sequence);
  EXPECT_EQ(submit_receipt(id, 30, stranger).verdict, Verdict::covered);
}

TEST_F(CoreChannel, RejectsReceiptAboveDeposit) {
  ChannelId id = open_channel(400);
  Outcome outcome = receipt(id, 401);
  EXPECT_TRUE(refused(outcome, Error::above_deposit));
  EXPECT_EQ(detail(outcome, "deposit"), 400);
  EXPECT_EQ(detail(outcome, "cumulative"), 401);
  EXPECT_TRUE(receipt(id, 400).accepted());
}

TEST_F(CoreChannel, RejectsReceiptByAnyKeyButTheBoundOne) {
  OpenChannel open = channel_to(bob, 400);
  open.receipt_key = stranger;  // nobody's account
  ChannelId id{submit(alice, open).sequence.value};
  EXPECT_TRUE(refused(submit_receipt(id, 1, alice), Error::wrong_receipt_key));
  EXPECT_TRUE(submit_receipt(id, 1, stranger).accepted());
}

TEST_F(CoreChannel, RotationDoesNotTouchTheBoundKey) {
  ChannelId id = open_channel(400);
  ASSERT_TRUE(submit(alice, RotateKey{key_of(10)}).accepted());
  EXPECT_TRUE(receipt(id, 5).accepted());
  EXPECT_TRUE(refused(submit_receipt(id, 6, key_of(10)), Error::wrong_receipt_key));
}

TEST_F(CoreChannel, RejectsReceiptOfNoChannelAndOfAClosedOne) {
  EXPECT_TRUE(refused(receipt(ChannelId{0}, 1), Error::unknown_channel));
  ChannelId id = open_channel(400);
  ASSERT_TRUE(close(bob, id).accepted());
  EXPECT_TRUE(refused(receipt(id, 1), Error::channel_closed));
}

TEST_F(CoreChannel, TakesAReceiptAfterTheExpiryWhileItIsOpen) {
  ChannelId id = open_channel(400);
  now_us += 365 * day_us;
  EXPECT_TRUE(receipt(id, 400).accepted());
}

// --- topping up

TEST_F(CoreChannel, TopUpAddsToTheDepositAndPostsPayerAndChannel) {
  ChannelId id = open_channel(400);
  Sequence opened = channel(id).last;
  Outcome outcome = top_up(alice, id, 100);
  ASSERT_TRUE(outcome.accepted());
  EXPECT_EQ(balance(alice), (Balance{.asset = coin, .available = 500, .locked = 500}));
  EXPECT_EQ(outcome.postings,
            (std::vector<Posting>{posting(alice, coin, opened), ChannelPosting{id, 500, 0, opened}}));
  EXPECT_TRUE(receipt(id, 500).accepted());
}

TEST_F(CoreChannel, TopUpMayOnlyMoveTheExpiryAndOnlyForward) {
  ChannelId id = open_channel(400);
  TimeUs expires_us = channel(id).expires_us;
  EXPECT_TRUE(refused(top_up(alice, id, 0, expires_us - 1), Error::bad_channel_expiry));
  EXPECT_TRUE(refused(top_up(alice, id, 0, now_us + max_channel_life_us + 1), Error::bad_channel_expiry));
  EXPECT_TRUE(top_up(alice, id, 0, expires_us).accepted());
  EXPECT_TRUE(top_up(alice, id, 0, expires_us + 1).accepted());
  EXPECT_EQ(channel(id).expires_us, expires_us + 1);
  EXPECT_EQ(channel(id).deposit, 400);
  EXPECT_TRUE(top_up(alice, id, 1).accepted());
  EXPECT_EQ(channel(id).expires_us, expires_us + 1);
}

TEST_F(CoreChannel, TopUpToAnExpiryThatHasPassedIsRefused) {
  ChannelId id = open_channel(400);
  now_us = channel(id).expires_us;
  EXPECT_TRUE(refused(top_up(alice, id, 1, now_us), Error::bad_channel_expiry));
  EXPECT_TRUE(top_up(alice, id, 1, now_us + 1).accepted());
}

TEST_F(CoreChannel, OnlyThePayerTopsUp) {
  ChannelId id = open_channel(400);
  EXPECT_TRUE(refused(top_up(bob, id, 1), Error::not_a_party));
  EXPECT_TRUE(refused(top_up(carol, id, 1), Error::not_a_party));
}

TEST_F(CoreChannel, TopUpNeedsAnOpenChannelAndTheFunds) {
  EXPECT_TRUE(refused(top_up(alice, ChannelId{0}, 1), Error::unknown_channel));
  ChannelId id = open_channel(400);
  EXPECT_TRUE(refused(top_up(alice, id, 601), Error::insufficient_funds));
  EXPECT_TRUE(top_up(alice, id, 600).accepted());
  ASSERT_TRUE(close(bob, id).accepted());
  EXPECT_TRUE(refused(top_up(alice, id, 1), Error::channel_closed));
}

// --- closing

TEST_F(CoreChannel, TheRecipientClosesAtAnyTimeAndTheRestGoesBack) {
  ChannelId id = open_channel(400);
  Sequence opened = account(alice).last;
  Outcome claim = receipt(id, 30);
  Outcome outcome = close(bob, id);
  ASSERT_TRUE(outcome.accepted());
  EXPECT_EQ(balance(alice), (Balance{.asset = coin, .available = 970}));
  EXPECT_EQ(balance(bob).available, 1'030);
  EXPECT_EQ(account(alice).open_channels, 0U);
  EXPECT_FALSE(channel(id).open);
  EXPECT_EQ(outcome.postings, (std::vector<Posting>{ClosingPosting{posting(alice, coin, opened), id, {}},
                                                    posting(bob, coin, claim.sequence),
                                                    ChannelPosting{id, 400, 30, claim.sequence}}));
}

TEST_F(CoreChannel, PayerMayNotCloseBeforeExpiryAndGrace) {
  ChannelId id = open_channel(400);
  pass_expiry_and_grace(id);
  --now_us;
  Outcome outcome = close(alice, id);
  EXPECT_TRUE(refused(outcome, Error::not_yet_reclaimable));
  EXPECT_EQ(detail(outcome, "reclaimable_us"), now_us + 1);
  ++now_us;
  EXPECT_TRUE(close(alice, id).accepted());
  EXPECT_EQ(balance(alice).available, 1'000);
}

TEST_F(CoreChannel, ATopUpsLaterExpiryHoldsForTheReclaimToo) {
  ChannelId id = open_channel(400);
  pass_expiry_and_grace(id);
  ASSERT_TRUE(top_up(alice, id, 0, now_us + day_us).accepted());
  EXPECT_TRUE(refused(close(alice, id), Error::not_yet_reclaimable));
}

TEST_F(CoreChannel, PartiesCloseWithTheKeysTheyHaveNow) {
  ChannelId id = open_channel(400);
  ASSERT_TRUE(submit(bob, RotateKey{key_of(10)}).accepted());
  EXPECT_TRUE(refused(close(bob, id), Error::key_rotated));
  EXPECT_TRUE(close(key_of(10), id).accepted());
}

TEST_F(CoreChannel, OthersMayNotClose) {
  ChannelId id = open_channel(400);
  pass_expiry_and_grace(id);
  EXPECT_TRUE(refused(close(carol, id), Error::not_a_party));
  EXPECT_TRUE(refused(close(operator_key, id), Error::not_a_party));
}

TEST_F(CoreChannel, ClosesOnceAndOnlyWhatThereIs) {
  EXPECT_TRUE(refused(close(alice, ChannelId{1}), Error::unknown_channel));
  ChannelId id = open_channel(400);
  ASSERT_TRUE(close(bob, id).accepted());
  EXPECT_TRUE(refused(close(bob, id), Error::channel_closed));
  EXPECT_TRUE(refused(close(carol, id), Error::channel_closed));
}

TEST_F(CoreChannel, TheRecipientClaimsAndClosesInOne) {
  ChannelId id = open_channel(400);
  Sequence opened = channel(id).last;
  Outcome outcome = close_with(bob, id, {id, 150}, alice);
  ASSERT_TRUE(outcome.accepted());
  EXPECT_EQ(balance(bob).available, 1'150);
  EXPECT_EQ(balance(alice).available, 850);
  EXPECT_EQ(channel(id).claim, outcome.sequence);
  EXPECT_EQ(outcome.postings.back(), Posting(ChannelPosting{id, 400, 150, opened}));
  EXPECT_EQ(receipt(id, 150).sequence, outcome.sequence);
}

TEST_F(CoreChannel, ALastReceiptBelowClaimedChangesNothingButTheClosing) {
  ChannelId id = open_channel(400);
  Outcome claim = receipt(id, 150);
  ASSERT_TRUE(close_with(bob, id, {id, 100}, alice).accepted());
  EXPECT_EQ(channel(id).claimed, 150);
  EXPECT_EQ(channel(id).claim, claim.sequence);
  EXPECT_EQ(balance(bob).available, 1'150);
}

TEST_F(CoreChannel, ALastReceiptMustBeRightInEverything) {
  ChannelId other = open_channel(100), id = open_channel(400);
  EXPECT_TRUE(refused(close_with(bob, id, {other, 50}, alice), Error::receipt_channel_mismatch));
  EXPECT_TRUE(refused(close_with(bob, id, {other, 500}, bob), Error::receipt_channel_mismatch));
  EXPECT_TRUE(refused(close_with(bob, id, {id, 50}, bob), Error::wrong_receipt_key));
  EXPECT_TRUE(refused(close_with(bob, id, {id, 401}, alice), Error::above_deposit));
  EXPECT_TRUE(refused(close_with(bob, id, {id, 401}, bob), Error::wrong_receipt_key));
}

TEST_F(CoreChannel, ALastReceiptDoesNotLetThePayerCloseEarlier) {
  ChannelId id = open_channel(400);
  EXPECT_TRUE(refused(close_with(alice, id, {id, 50}, alice), Error::not_yet_reclaimable));
}

// What was claimed comes back and is locked again: the deposits of open channels can exceed the supply.
TEST_F(CoreChannel, RefusesDepositsWhoseSumWouldOverflow) {
  ASSERT_TRUE(credit(alice, max_amount - 3'000).accepted());
  Amount all = balance(alice).available;
  ChannelId id = open_channel(all);
  ASSERT_TRUE(receipt(id, all).accepted());
  ASSERT_TRUE(transfer(bob, alice, all).accepted());
  Amount room = max_amount - all;
  EXPECT_TRUE(refused(submit(alice, channel_to(bob, room + 1)), Error::overflow));
  EXPECT_TRUE(refused(top_up(alice, id, room + 1), Error::overflow));
  ASSERT_TRUE(top_up(alice, id, 1).accepted());
  ASSERT_TRUE(submit(alice, channel_to(bob, room - 1)).accepted());
  EXPECT_EQ(balance(alice).locked, max_amount);
  EXPECT_TRUE(refused(submit(alice, channel_to(bob, 1)), Error::overflow));
  EXPECT_TRUE(top_up(alice, id, 0, channel(id).expires_us + 1).accepted());
}

}  // namespace
}  // namespace windlass::core
