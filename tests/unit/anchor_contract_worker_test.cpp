// The anchoring worker through the anchor contract: what it pays at the most, what it does when a call fails,
// and when it makes none.
#include "tests/unit/anchoring_world.h"
#include "tron/core.pb.h"

namespace windlass::test {
namespace {

using anchoring::Anchor;
using anchoring::AnchorState;
using testing::HasSubstr;
namespace contract = tron::anchor_contract;
using contract::Anchored;
using Result = protocol::Transaction::Result;

constexpr std::int64_t energy_price = 100, byte_price = 1000;  // sun
constexpr std::int64_t day_ms = 24 * 60 * 60 * 1000;
constexpr std::int64_t call_bytes = 344;  // of bandwidth
constexpr std::string_view energy_fee = "getEnergyFee";

class AnchorByContract : public ::testing::Test {
 protected:
  AnchorByContract() { world.deploy_contract(); }

  AnchorState state() const { return world.newest_anchor().state; }
  auto in_state(AnchorState wanted) {
    return [this, wanted] { return !world.tables.anchors.empty() && state() == wanted; };
  }
  std::size_t outcomes(std::string_view outcome) const {
    return static_cast<std::size_t>(std::count(world.outcomes.begin(), world.outcomes.end(), outcome));
  }
  std::size_t different_sent() const {
    return std::set<std::string>(world.network.sent.begin(), world.network.sent.end()).size();
  }
  std::int64_t cost() const { return contract::energy("anchor") * energy_price + call_bytes * byte_price; }
  // Somebody else owns the contract from the next but one block on.
  void give_contract_away() {
    world.call(world.ledger.anchor_key, contract::transfer_call(tron::address_of(world.payer.public_key())));
    mine();
    world.call(world.payer, contract::accept_call());
    mine();
  }
  // A block that the worker does not look at.
  void mine() {
    world.clock.advance(block_ms);
    world.chain.produce_block();
  }
  tron::ChainTransaction stored(std::int64_t id) const {
    return *tron::parse_transaction(world.tables.anchors.at(id).transaction);
  }

  World world;
};

TEST_F(AnchorByContract, LandsAsOneEventOfSizeAndRoot) {
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
  Anchor anchor = world.newest_anchor();
  EXPECT_EQ(world.landed_events(), std::vector{(Anchored{anchor.size, anchor.root})});
  EXPECT_TRUE(world.landed_memos().empty());
  EXPECT_EQ(world.outcomes, (std::vector<std::string>{"signed", "broadcast", "included", "solidified"}));
}

TEST_F(AnchorByContract, StoredTransactionTellsWhichFormItHas) {
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
  const auto call = std::get<tron::ContractCall>(stored(1).contract);
  EXPECT_EQ(call.contract, *world.worker_options.contract);
  EXPECT_EQ(contract::read_anchor_call(call.data),
            (Anchored{world.newest_anchor().size, world.newest_anchor().root}));
  EXPECT_TRUE(stored(1).memo.empty());
}

TEST_F(AnchorByContract, LimitsTheFeeToTheEstimateAndItsHeadroom) {
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
  std::int64_t energy_sun = contract::energy("anchor") * energy_price;
  EXPECT_EQ(stored(1).fee_limit_sun, energy_sun + energy_sun * tron::energy_headroom_percent / 100);
}

TEST_F(AnchorByContract, NeverLimitsTheFeeAboveTheCeiling) {
  world.worker_options.max_fee_sun = cost() + 10;
  world.start();
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
  EXPECT_EQ(stored(1).fee_limit_sun, contract::energy("anchor") * energy_price + 10);
}

TEST_F(AnchorByContract, ReportsWhatItReallyCosts) {
  ASSERT_TRUE(world.worker->refresh_status());
  const auto& status = world.worker->status();
  EXPECT_EQ(status.anchor_cost_sun, cost());
  EXPECT_EQ(cost(), 516'200) << "0.5162 TRX, where a memo costs 1.307";
  EXPECT_EQ(status.runway_ms, status.balance_sun / cost() * world.worker_options.interval_ms);
  EXPECT_EQ(status.stopped, "");
}

// What docs/tron.md says. All but the free bandwidth of an account, which is an anchor's and two thirds of
// the next one's, fading back over the day.
TEST_F(AnchorByContract, CostsSeventyFourTrxABusyDayAndOneAnchorAnIdleOne) {
  auto balance = [&] {
    return world.network.account(tron::address_of(world.ledger.anchor_key.public_key()))->balance_sun;
  };
  auto cost_of_a_day = [&](bool busy) {
    std::int64_t before = balance();
    std::size_t anchors = world.tables.anchors.size();
    for (std::int64_t end_ms = world.clock.now_ms() + day_ms; world.clock.now_ms() < end_ms;) {
      if (busy) world.ledger.add_entry();
      world.tick(30'000);
    }
    return std::pair(world.tables.anchors.size() - anchors, before - balance());
  };
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
  auto [busy_anchors, busy_sun] = cost_of_a_day(true);
  EXPECT_EQ(busy_anchors, 144u);
  EXPECT_EQ(busy_sun, 144 * cost() - 2 * call_bytes * byte_price) << "two had bandwidth for nothing";
  auto [idle_anchors, idle_sun] = cost_of_a_day(false);
  EXPECT_LE(idle_anchors, 2u) << "the last of the busy day, and the heartbeat";
  EXPECT_LE(idle_sun, 2 * cost());
  auto [one, sun] = cost_of_a_day(false);
  EXPECT_EQ(one, 1u);
  EXPECT_EQ(sun, cost() - call_bytes * byte_price) << "its bandwidth is free";
}

// --- ceilings

TEST_F(AnchorByContract, StopsBeforeItSealsWhereOneIsTooDear) {
  world.worker_options.max_fee_sun = cost() - 1;
  world.start();
  world.tick_blocks(300);
  EXPECT_TRUE(world.tables.anchors.empty());
  EXPECT_EQ(world.ledger.count(core::Kind::seal), 0u);
  EXPECT_THAT(world.last_problem(), HasSubstr("more than anchor.max_fee_sun"));
  EXPECT_THAT(world.worker->status().stopped, HasSubstr("more than anchor.max_fee_sun"));
  world.worker_options.max_fee_sun = cost();
  world.start();
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
  EXPECT_EQ(world.worker->status().stopped, "");
}

TEST_F(AnchorByContract, StopsWhenThePriceRisesBetweenSealAndSignature) {
  world.worker_options.max_fee_sun = cost();
  world.start();
  mine();
  ASSERT_TRUE(world.worker->step());  // sealed
  world.chain.parameters().set(energy_fee, energy_price + 1);
  world.tick_blocks(300);
  EXPECT_EQ(state(), AnchorState::sealed);
  EXPECT_EQ(world.ledger.count(core::Kind::seal), 1u) << "nothing is sealed again meanwhile";
  EXPECT_TRUE(world.network.sent.empty());
  world.chain.parameters().set(energy_fee, energy_price);
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
}

TEST_F(AnchorByContract, StopsForTheDayWhereTheDayIsTooDear) {
  std::int64_t most =
      cost() + contract::energy("anchor") * energy_price * tron::energy_headroom_percent / 100;
  world.worker_options.max_fee_sun_per_day = 2 * most + cost() - 1;
  world.start();
  for (int i = 0; i < 4; ++i) {
    world.ledger.add_entry();
    world.tick_blocks(300);
  }
  EXPECT_EQ(world.landed_events().size(), 2u);
  EXPECT_THAT(world.last_problem(), HasSubstr("anchor.max_fee_sun_per_day"));
  world.start();  // a restart does not forget what was spent
  world.tick_blocks(300);
  EXPECT_EQ(world.landed_events().size(), 2u);
  world.clock.advance(24 * 60 * 60 * 1000);
  world.tick_blocks(300);
  EXPECT_GE(world.landed_events().size(), 3u);
}

TEST_F(AnchorByContract, CeilingsHoldForMemosToo) {
  World memos;
  memos.worker_options.max_fee_sun = 1'307'000;
  memos.start();
  memos.tick_blocks(50);
  EXPECT_TRUE(memos.tables.anchors.empty());
  memos.worker_options.max_fee_sun = 1'307'001;
  memos.start();
  ASSERT_TRUE(memos.tick_until([&] { return memos.solidified_anchors() == 1; }));
}

// --- calls that the contract refuses, or would

TEST_F(AnchorByContract, MakesNoneThatTheContractWouldRefuse) {
  give_contract_away();
  world.tick_blocks(300);
  EXPECT_TRUE(world.tables.anchors.empty());
  EXPECT_TRUE(world.network.sent.empty());
  EXPECT_THAT(world.worker->status().stopped, HasSubstr("NotOwner()"));
}

TEST_F(AnchorByContract, MakesNoneThroughAContractThatGenesisDoesNotName) {
  world.ledger.anchor_contract.reset();
  world.tick_blocks(20);
  EXPECT_TRUE(world.tables.anchors.empty());
  EXPECT_THAT(world.last_problem(), HasSubstr("the ledger's genesis names none"));
}

TEST_F(AnchorByContract, ARevertedOneIsNoAnchorAndIsNotTriedAgainInVain) {
  world.network.swallow = tron::BroadcastAnswer{true, 0, ""};
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::broadcast)));
  give_contract_away();
  std::int64_t before = world.paid_sun();
  world.network.swallow.reset();
  ASSERT_TRUE(world.tick_until([&] { return outcomes("failed") == 1; }));
  Anchor failed = world.tables.anchors.at(1);
  EXPECT_EQ(failed.state, AnchorState::expired);
  EXPECT_GT(failed.block, 0);
  EXPECT_EQ(world.chain.block(failed.block)->receipts[0].result, Result::REVERT);
  EXPECT_EQ(world.solidified_anchors(), 0u);
  world.tick_blocks(2000);
  EXPECT_EQ(different_sent(), 1u);
  EXPECT_LT(world.paid_sun() - before, cost());
  EXPECT_EQ(world.landed_events().size(), 0u);
  ASSERT_TRUE(world.worker->refresh_status());
  EXPECT_EQ(world.worker->status().solidified_size, 0u);
}

TEST_F(AnchorByContract, OutOfEnergyIsTriedAgainAtTheNewPriceAfterAPause) {
  world.network.swallow = tron::BroadcastAnswer{true, 0, ""};
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::broadcast)));
  world.chain.parameters().set(energy_fee, 2 * energy_price);
  world.network.swallow.reset();
  ASSERT_TRUE(world.tick_until([&] { return outcomes("failed") == 1; }));
  Anchor failed = world.tables.anchors.at(1);
  EXPECT_EQ(world.chain.block(failed.block)->receipts[0].result, Result::OUT_OF_ENERGY);
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
  EXPECT_GE(world.newest_anchor().sealed_us / 1000, failed.block_ms + anchoring::failure_pause_ms);
  EXPECT_EQ(world.landed_events().size(), 1u);
}

TEST_F(AnchorByContract, PausesLongerAfterEachFailure) {
  constexpr int failures = 12;
  std::int64_t price = energy_price;
  world.network.on_send = [&](ByteView) { world.chain.parameters().set(energy_fee, price *= 2); };
  ASSERT_TRUE(world.tick_until([&] { return outcomes("failed") >= failures; }, 40'000));
  for (int i = 1; i < failures; ++i) {
    const Anchor &failed = world.tables.anchors.at(i), &next = world.tables.anchors.at(i + 1);
    std::int64_t pause_ms = next.sealed_us / 1000 - failed.block_ms,
                 least_ms =
                     std::min(anchoring::longest_failure_pause_ms, anchoring::failure_pause_ms << (i - 1));
    EXPECT_GE(pause_ms, least_ms) << i;
    EXPECT_LE(pause_ms, least_ms + 120'000) << i;
  }
}

TEST_F(AnchorByContract, ASuccessWithoutTheEventIsNoAnchor) {
  world.network.change_execution = [](tron::Execution& execution) { execution.logs.clear(); };
  ASSERT_TRUE(world.tick_until([&] { return outcomes("failed") == 1; }));
  EXPECT_EQ(world.tables.anchors.at(1).state, AnchorState::expired);
}

// --- forks and crashes

TEST_F(AnchorByContract, AForkCanMakeAnIncludedOneFail) {
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::included)));
  std::string bytes = world.newest_anchor().transaction;
  EXPECT_EQ(world.chain.block(world.newest_anchor().block)->receipts[0].result, Result::SUCCESS);
  world.chain.fork(1);
  world.chain.lose_pool();
  give_contract_away();
  ASSERT_TRUE(world.chain.broadcast(bytes)->result);
  ASSERT_TRUE(world.tick_until([&] { return outcomes("failed") == 1; }));
  EXPECT_EQ(world.solidified_anchors(), 0u);
  EXPECT_EQ(world.landed_events().size(), 0u);
}

TEST_F(AnchorByContract, AForkCanMakeAFailedOneSucceed) {
  world.network.swallow = tron::BroadcastAnswer{true, 0, ""};
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::broadcast)));
  world.network.swallow.reset();
  std::string bytes = world.newest_anchor().transaction;
  world.chain.parameters().set(energy_fee, 2 * energy_price);
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::included)));
  EXPECT_EQ(world.chain.block(world.newest_anchor().block)->receipts[0].result, Result::OUT_OF_ENERGY);
  world.chain.parameters().set(energy_fee, energy_price);
  world.chain.fork(1);
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
  EXPECT_EQ(world.tables.anchors.size(), 1u);
  EXPECT_EQ(world.landed_events().size(), 1u);
}

TEST_F(AnchorByContract, LandsOneAnchorForEachBatchWhereverItCrashes) {
  for (int nth = 1;; ++nth) {
    World tried;
    tried.deploy_contract();
    tried.ledger.add_entry();
    tried.crashes.arm(nth);
    ASSERT_TRUE(tried.tick_until([&] { return tried.solidified_anchors() == 1; })) << nth;
    bool fired = tried.crashes.fired();
    tried.tick_blocks(60);
    EXPECT_EQ(tried.landed_events().size(), 1u) << nth;
    EXPECT_EQ(tried.tables.anchors.size(), 1u) << nth;
    if (!fired) return;
  }
}

// --- a key that may only call

TEST_F(AnchorByContract, AnchorsForAnAccountUnderItsPermission) {
  SecretKey cold = world.payer;
  auto account = tron::address_of(cold.public_key());
  world.call(world.ledger.anchor_key, contract::transfer_call(account));
  mine();
  world.call(cold, contract::accept_call());
  tron::PermissionUpdate update{account,
                                {{account}},
                                "anchor",
                                1,
                                {tron::trigger_contract_type},
                                {{tron::address_of(world.ledger.anchor_key.public_key())}}};
  const auto& head = world.chain.head().ref;
  tron::TransactionFrame frame{head, world.clock.now_ms(), head.timestamp_ms + 300'000};
  ASSERT_TRUE(world.chain.broadcast(tron::sign_permission_update(update, frame, cold).bytes)->result);
  mine();
  world.worker_options.account = account;
  world.worker_options.permission_id = 2;
  world.start();
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
  EXPECT_EQ(std::get<tron::ContractCall>(stored(1).contract).owner, account);
  EXPECT_EQ(stored(1).permission_id, 2);
  EXPECT_EQ(world.landed_events().size(), 1u);
}

}  // namespace
}  // namespace windlass::test
