// Withdrawals on a devchain in virtual time: each is paid once or given back, whatever happens in between.
#include "anchoring/gateway/custody.h"
#include "tests/unit/anchoring_world.h"

namespace windlass::test {
namespace {

using anchoring::Payment;
using anchoring::PaymentState;
using core::ChannelId;

TEST(Offer, IsReadOrRefusedInWords) {
  auto offer =
      anchoring::parse_offer("BTT minimum=10 fee=2 daily_cap=1000 approve_above=500 hot_ceiling=9000");
  ASSERT_TRUE(offer) << offer.error();
  EXPECT_EQ(offer->symbol, "BTT");
  EXPECT_EQ(offer->minimum, 10);
  EXPECT_EQ(offer->fee, 2);
  EXPECT_EQ(offer->daily_cap, 1000);
  EXPECT_EQ(offer->approve_above, 500);
  EXPECT_EQ(offer->hot_ceiling, 9000);
  EXPECT_TRUE(anchoring::parse_offer("TRX"));
  for (const char* bad :
       {"", "BTT fee", "BTT fee=", "BTT fee=-1", "BTT fee=1x", "BTT tip=1", "BTT fee=9223372036854775808"})
    EXPECT_FALSE(anchoring::parse_offer(bad)) << bad;
}

class WithdrawalPayer : public ::testing::Test {
 protected:
  WithdrawalPayer() {
    world.scans = world.pays = true;
    world.deposit(1'000'000'000, "", to_hex(world.ledger.gateway_key.public_key()));
    world.deposit(1'000'000, "1002000", to_hex(owner.public_key()));
    EXPECT_TRUE(world.tick_until([&] { return available(btt) == 1'000'000; }));
  }

  core::Amount available(std::uint32_t asset) const {
    return world.ledger.available(owner.public_key(), asset);
  }
  const core::AssetTotals& totals(std::uint32_t asset = btt) const { return world.ledger.totals_of(asset); }
  ChannelId withdraw(core::Amount amount, core::Amount fee = 0) {
    auto asked = world.ledger.submit(owner, core::Withdraw{core::AssetId{btt}, amount, fee, address.bytes});
    EXPECT_TRUE(asked) << asked.error().message;
    return {asked->value};
  }
  bool is_open(ChannelId id) const { return world.ledger.state().channels.find(id)->open; }
  bool is_paid(ChannelId id) const {
    const auto* channel = world.ledger.state().channels.find(id);
    return !channel->open && channel->claimed == channel->deposit;
  }
  std::vector<Payment> payments(ChannelId id) const {
    std::vector<Payment> found;
    for (const auto& [key, payment] : world.tables.payments)
      if (key.first == id) found.push_back(payment);
    return found;
  }
  std::int64_t on_chain(const tron::Address& of) const {
    auto account = world.chain.account(of);
    if (!account) return 0;
    auto token = account->tokens.find("1002000");
    return token == account->tokens.end() ? 0 : token->second;
  }
  std::size_t transfers_out() const {
    std::size_t count = 0;
    devchain::DevChainClient client(const_cast<devchain::DevChain&>(world.chain));
    for (std::int64_t number = 1; number <= world.chain.head().ref.number; ++number) {
      auto block = client.block(number);
      for (const auto& transaction : (*block)->transactions)
        if (const auto* transfer = std::get_if<tron::TransferContract>(&transaction.contract))
          count += transfer->owner == world.custody && transaction.succeeded ? 1 : 0;
    }
    return count;
  }
  ::testing::AssertionResult tick_until_settled(ChannelId id) {
    return world.tick_until([&] { return !is_open(id); });
  }

  World world;
  SecretKey owner = SecretKey::generate();
  tron::Address address = tron::address_of(owner.public_key());
};

TEST_F(WithdrawalPayer, PaysTheAmountAndKeepsTheFee) {
  auto id = withdraw(300, 7);
  EXPECT_EQ(totals().held, 307);
  ASSERT_TRUE(tick_until_settled(id));
  EXPECT_TRUE(is_paid(id));
  EXPECT_EQ(on_chain(address), 300);
  EXPECT_EQ(available(btt), 1'000'000 - 307);
  EXPECT_EQ(world.ledger.available(world.ledger.gateway_key.public_key(), btt), 7);
  EXPECT_EQ(totals().held, 0);
  EXPECT_EQ(totals().paid, 300u);
  // What the chain took stands on the ledger, to the sun.
  auto custody = world.chain.account(world.custody);
  // An anchor by memo sends it a sun.
  EXPECT_EQ(static_cast<core::ChainAmount>(custody->balance_sun) + totals(trx).paid,
            totals(trx).credited + 1'000'000 + world.landed_memos().size());
  EXPECT_GT(totals(trx).paid, 0u);
  EXPECT_EQ(static_cast<core::ChainAmount>(on_chain(world.custody)), totals().credited - totals().paid);
}

TEST_F(WithdrawalPayer, PaysManyAtOnceEachOnce) {
  std::vector<ChannelId> all;
  for (int i = 0; i < 150; ++i) all.push_back(withdraw(1 + i));
  for (auto id : all) ASSERT_TRUE(tick_until_settled(id));
  EXPECT_EQ(transfers_out(), 150u);
  EXPECT_EQ(on_chain(address), 150 * 151 / 2);
  EXPECT_EQ(totals().held, 0);
}

TEST_F(WithdrawalPayer, IsKilledAnywhereAndPaysOnce) {
  int reached = 0;
  for (int nth = 1;; ++nth) {
    auto before = on_chain(address);
    auto id = withdraw(100);
    world.crashes.arm(nth);
    ASSERT_TRUE(tick_until_settled(id)) << nth << ": " << world.last_problem();
    bool fired = world.crashes.fired();
    world.crashes.disarm();
    world.tick_blocks(2 * test::solid_after);
    EXPECT_EQ(on_chain(address) - before, 100) << nth;
    EXPECT_TRUE(is_paid(id)) << nth;
    if (!fired) break;
    ++reached;
  }
  EXPECT_GE(reached, 8);
}

TEST_F(WithdrawalPayer, WaitsWhileTheChainStandsStill) {
  world.chain.stalls_solidification = true;
  auto id = withdraw(100);
  for (int i = 0; i < 30; ++i) world.tick();
  EXPECT_TRUE(is_open(id));
  EXPECT_EQ(totals().held, 100);
  ASSERT_EQ(payments(id).size(), 1u);
  EXPECT_EQ(payments(id)[0].state, PaymentState::included);
  world.chain.stalls_solidification = false;
  ASSERT_TRUE(tick_until_settled(id));
  EXPECT_TRUE(is_paid(id));
  EXPECT_EQ(transfers_out(), 1u);
}

TEST_F(WithdrawalPayer, SignsAnotherOnlyWhenTheFirstCanNeverLand) {
  world.network.swallow = tron::BroadcastAnswer{true, 0, ""};  // SUCCESS, and then lost
  auto id = withdraw(100);
  ASSERT_TRUE(world.tick_until([&] { return payments(id).size() == 2; }));
  auto first = payments(id)[0];
  EXPECT_EQ(first.state, PaymentState::expired);
  EXPECT_TRUE(first.settled);
  const auto& solid = world.chain.block(world.chain.solidified())->ref;
  EXPECT_GE(solid.timestamp_ms, first.expiration_ms);
  world.network.swallow.reset();
  ASSERT_TRUE(tick_until_settled(id));
  EXPECT_TRUE(is_paid(id));
  EXPECT_EQ(transfers_out(), 1u);
}

// None of them makes room for the others before it is paid anew.
TEST_F(WithdrawalPayer, PaysAnewWhenAllThatAreUnderWayNeverLanded) {
  world.network.swallow = tron::BroadcastAnswer{true, 0, ""};
  std::vector<ChannelId> all;
  for (std::size_t i = 0; i <= anchoring::payments_under_way; ++i) all.push_back(withdraw(100));
  auto is_expired = [&](ChannelId id) {
    return !payments(id).empty() && payments(id)[0].state == PaymentState::expired;
  };
  ASSERT_TRUE(world.tick_until([&] { return is_expired(all.front()); }));
  world.network.swallow.reset();
  for (auto id : all) {
    ASSERT_TRUE(tick_until_settled(id));
    EXPECT_TRUE(is_paid(id));
  }
  EXPECT_EQ(transfers_out(), all.size());
}

// More are expired for good than are settled in one step.
TEST_F(WithdrawalPayer, SignsNoFourthPaymentHoweverManyNeverLanded) {
  world.network.swallow = tron::BroadcastAnswer{true, 0, ""};
  std::vector<ChannelId> all;
  for (std::size_t i = 0; i < anchoring::payments_under_way; ++i) all.push_back(withdraw(100));
  for (auto id : all) {
    ASSERT_TRUE(world.tick_until([&] { return !is_open(id); }, 2'000));
    EXPECT_EQ(payments(id).size(), 3u);
  }
  EXPECT_EQ(available(btt), 1'000'000);
}

TEST_F(WithdrawalPayer, GivesBackAfterThreePaymentsThatNeverLanded) {
  world.network.swallow = tron::BroadcastAnswer{true, 0, ""};
  auto id = withdraw(100, 5);
  ASSERT_TRUE(world.tick_until([&] { return !is_open(id); }, 2'000));
  EXPECT_FALSE(is_paid(id));
  EXPECT_EQ(payments(id).size(), 3u);
  EXPECT_EQ(available(btt), 1'000'000);
  EXPECT_EQ(totals().held, 0);
  EXPECT_EQ(transfers_out(), 0u);
}

TEST_F(WithdrawalPayer, SendsNothingToCustodyItselfAndGivesItBack) {
  address = world.custody;
  auto before = world.network.sent.size();
  auto id = withdraw(100, 5);
  ASSERT_TRUE(world.tick_until([&] { return !is_open(id); }, 2'000));
  EXPECT_FALSE(is_paid(id));
  EXPECT_EQ(available(btt), 1'000'000);
  for (std::size_t i = before; i < world.network.sent.size(); ++i)
    EXPECT_NE(tron::parse_transaction(world.network.sent[i])->txid, payments(id)[0].transaction_id);
}

TEST_F(WithdrawalPayer, GivesBackWhatFailedInItsBlock) {
  auto id = withdraw(100);
  ASSERT_TRUE(world.tick_until([&] { return !payments(id).empty(); }));
  auto txid = payments(id)[0].transaction_id;
  world.network.change_block = [txid](tron::Block& block) {
    for (auto& transaction : block.transactions)
      if (transaction.txid == txid) transaction.succeeded = false;
  };
  ASSERT_TRUE(tick_until_settled(id));
  EXPECT_FALSE(is_paid(id));
  EXPECT_EQ(payments(id)[0].state, PaymentState::failed);
  EXPECT_EQ(available(btt), 1'000'000);
}

// Of a queue that is read a moment late, nothing is paid again that was paid, or given back, just now.
TEST_F(WithdrawalPayer, PaysNothingTwiceByAnOldQueue) {
  auto paid = withdraw(100);
  world.ledger.old_queue = *world.ledger.open_withdrawals(world.ledger.gateway_key, {});
  ASSERT_TRUE(tick_until_settled(paid));
  world.tick_blocks(300);
  EXPECT_EQ(payments(paid).size(), 1u);
  EXPECT_EQ(transfers_out(), 1u);
}

TEST_F(WithdrawalPayer, FollowsAPaymentThroughAFork) {
  auto id = withdraw(100);
  ASSERT_TRUE(world.tick_until(
      [&] { return !payments(id).empty() && payments(id)[0].state == PaymentState::included; }));
  world.chain.fork(5);
  world.chain.lose_pool();
  ASSERT_TRUE(tick_until_settled(id));
  EXPECT_TRUE(is_paid(id));
  EXPECT_EQ(payments(id).size(), 1u);
  EXPECT_EQ(transfers_out(), 1u);
}

TEST_F(WithdrawalPayer, WaitsForASecondSignatureAboveTheThreshold) {
  world.payer_options.offers[0].approve_above = 500;
  world.start();
  auto large = withdraw(501), small = withdraw(500);
  ASSERT_TRUE(tick_until_settled(small));
  world.tick_blocks(20);
  EXPECT_TRUE(is_open(large));
  EXPECT_TRUE(payments(large).empty());
  ASSERT_TRUE(world.ledger.submit(world.ledger.operator_key, core::ApproveWithdrawal{large}));
  ASSERT_TRUE(tick_until_settled(large));
  EXPECT_TRUE(is_paid(large));
}

TEST_F(WithdrawalPayer, PaysNoMoreInADayThanTheCap) {
  world.payer_options.offers[0].daily_cap = 250;
  world.start();
  auto first = withdraw(200), second = withdraw(51);
  ASSERT_TRUE(tick_until_settled(first));
  world.tick_blocks(50);
  EXPECT_TRUE(payments(second).empty());
  world.clock.advance(24LL * 3600 * 1000);
  ASSERT_TRUE(tick_until_settled(second));
  EXPECT_TRUE(is_paid(second));
}

TEST_F(WithdrawalPayer, SignsNothingWhilePausedButPursuesWhatIsSigned) {
  auto signed_before = withdraw(100);
  ASSERT_TRUE(world.tick_until([&] { return !payments(signed_before).empty(); }));
  world.tables.controls.withdrawals_paused = true;
  auto after = withdraw(100);
  ASSERT_TRUE(tick_until_settled(signed_before));
  EXPECT_TRUE(is_paid(signed_before));
  EXPECT_TRUE(payments(after).empty());
  world.tables.controls.withdrawals_paused = false;
  ASSERT_TRUE(tick_until_settled(after));
}

TEST_F(WithdrawalPayer, PaysNothingWhileAPaymentIsTooDear) {
  world.chain.parameters().set(devchain::parameter::bandwidth_price, 1'000'000);
  auto id = withdraw(100);
  world.tick_blocks(5);
  EXPECT_TRUE(payments(id).empty());
  EXPECT_THAT(world.last_problem(), ::testing::HasSubstr("gateway.max_fee_sun"));
  world.chain.parameters().set(devchain::parameter::bandwidth_price, 1'000);
  ASSERT_TRUE(tick_until_settled(id));
}

class PublishedTerms : public WithdrawalPayer {
 protected:
  core::WithdrawalTerms terms() {
    EXPECT_TRUE(world.gateway->publish());
    return world.tables.terms.at(0).terms;
  }
};

TEST_F(PublishedTerms, NameWhatCustodyHolds) {
  EXPECT_EQ(terms().payable, 1'000'000);
  EXPECT_EQ(terms().refuses, core::Error::none);
  auto id = withdraw(300);
  ASSERT_TRUE(world.tick_until([&] { return !payments(id).empty(); }));
  EXPECT_EQ(terms().payable, 1'000'000);  // custody still holds what is held on the ledger
  ASSERT_TRUE(tick_until_settled(id));
  EXPECT_EQ(terms().payable, 999'700);
  world.tables.controls.withdrawals_paused = true;
  EXPECT_EQ(terms().refuses, core::Error::withdrawals_paused);
}

TEST_F(PublishedTerms, EndAtTheDaysCap) {
  world.payer_options.offers[0].daily_cap = 400;
  world.start();
  EXPECT_EQ(terms().payable, 400);
  EXPECT_EQ(terms().beyond, core::Error::daily_cap_reached);
  auto id = withdraw(300);
  EXPECT_EQ(terms().payable, 400);  // of which 300 are held
  ASSERT_TRUE(tick_until_settled(id));
  EXPECT_EQ(terms().payable, 100);
}

TEST_F(PublishedTerms, RefuseEverythingWhileSuspended) {
  world.gateway->suspend("custody lacks something");
  EXPECT_EQ(terms().refuses, core::Error::withdrawals_paused);
  auto id = withdraw(100);
  world.tick_blocks(10);
  EXPECT_TRUE(payments(id).empty());
  world.gateway->resume();
  EXPECT_EQ(terms().refuses, core::Error::none);
  ASSERT_TRUE(tick_until_settled(id));
}

// A single node that shows none of the payments: it has them made anew, and all of them land.
TEST_F(WithdrawalPayer, PaysNoMoreInADayThanASingleNodesWordIsGoodFor) {
  world.payer_options.single_node_ceilings = {{"BTT", 700}};
  world.start();
  world.network.hides_transactions = true;
  world.network.change_block = [](tron::Block& block) { block.transactions.clear(); };
  auto id = withdraw(300);
  world.tick_blocks(400);
  EXPECT_EQ(payments(id).size(), 2u) << "a third one would be beyond it";
  EXPECT_EQ(transfers_out(), 2u);
  EXPECT_TRUE(is_open(id));
  world.clock.advance(core::day_us / 1000);
  world.tick_blocks(3);
  EXPECT_EQ(payments(id).size(), 3u);
}

TEST_F(WithdrawalPayer, PaysNothingOfAnAssetWithoutACeilingFromASingleNode) {
  world.payer_options.single_node_ceilings = {{"TRX", 700}};
  world.start();
  auto id = withdraw(1);
  world.tick_blocks(60);
  EXPECT_TRUE(payments(id).empty());
  EXPECT_TRUE(is_open(id));
}

class Reconciliation : public WithdrawalPayer {
 protected:
  // Of an asset in the chain's units; anchors by memo leave a sun each in custody.
  core::Int128 difference(std::uint32_t asset) {
    auto found = anchoring::reconcile(world.network, world.ledger, *world.store, world.parties());
    EXPECT_TRUE(found) << found.error();
    EXPECT_TRUE(*found) << "the scan is behind";
    return (**found).at(asset - 1).chain_units;
  }
};

TEST_F(Reconciliation, IsExactAtEveryBlockWhateverIsUnderWay) {
  for (int i = 0; i < 60; ++i) {
    if (i % 3 == 0) withdraw(10 + i, 1);
    if (i % 5 == 0) world.deposit(1'000, "1002000", to_hex(owner.public_key()));
    world.tick();
    EXPECT_EQ(difference(btt), 0) << i;
  }
}

TEST_F(Reconciliation, SeesOneUnitThatIsMissingOrTooMuch) {
  world.pay(world.custody_key, address, 1, "1002000");
  world.tick_blocks(test::solid_after + 2);
  EXPECT_EQ(difference(btt), -1);
}

TEST_F(Reconciliation, SaysNothingWhileTheScanIsBehind) {
  world.tables.controls.deposits_paused = true;
  world.tick_blocks(3);
  auto found = anchoring::reconcile(world.network, world.ledger, *world.store, world.parties());
  ASSERT_TRUE(found);
  EXPECT_FALSE(*found);
}

}  // namespace
}  // namespace windlass::test
