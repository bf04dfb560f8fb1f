// The anchoring worker on a devchain in virtual time: what it anchors, what it survives, and what it never
// does.
#include "anchoring/tron/transaction.h"
#include "tests/unit/anchoring_world.h"

namespace windlass::test {
namespace {

using anchoring::Anchor;
using anchoring::AnchorState;

class AnchorWorker : public ::testing::Test {
 protected:
  AnchorState state() const { return world.newest_anchor().state; }
  auto in_state(AnchorState wanted) {
    return [this, wanted] { return !world.tables.anchors.empty() && state() == wanted; };
  }
  std::size_t outcomes(std::string_view outcome) const {
    return static_cast<std::size_t>(std::count(world.outcomes.begin(), world.outcomes.end(), outcome));
  }
  // Nothing that the worker has put on the chain is there twice, and each anchor's memo is its own.
  void expect_each_landed_once() {
    auto memos = world.landed_memos();
    std::set<std::string> distinct(memos.begin(), memos.end());
    EXPECT_EQ(distinct.size(), memos.size());
    EXPECT_EQ(memos.size(), world.solidified_anchors());
    for (const auto& [id, anchor] : world.tables.anchors)
      EXPECT_EQ(distinct.contains(anchoring::anchor_memo(anchor.size, anchor.root)),
                anchor.state == AnchorState::solidified);
  }

  World world;
};

TEST_F(AnchorWorker, AnchorsGenesisUnderASealAndASignedCheckpoint) {
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
  Anchor anchor = world.newest_anchor();
  EXPECT_EQ(world.ledger.count(core::Kind::seal), 1u);
  EXPECT_EQ(anchor.size, 2u);
  EXPECT_EQ(anchor.root, world.ledger.root(2));
  EXPECT_TRUE(log::open_note(anchor.checkpoint, world.ledger.signer.verifier()));
  EXPECT_EQ(world.landed_memos(), std::vector{anchoring::anchor_memo(2, anchor.root)});
  EXPECT_EQ(world.chain.find(anchor.transaction_id)->block, anchor.block);
  EXPECT_EQ(world.chain.block(anchor.block)->ref.timestamp_ms, anchor.block_ms);
  EXPECT_EQ(world.outcomes, (std::vector<std::string>{"signed", "broadcast", "included", "solidified"}));
}

TEST_F(AnchorWorker, MemoIsEightBytesOfSizeAndTheRoot) {
  Hash root{};
  root.fill(0xab);
  std::string root_hex = to_hex(root);
  EXPECT_EQ(to_hex(anchoring::anchor_memo(0x0102, root)), "0000000000000102" + root_hex);
}

TEST_F(AnchorWorker, WaitsForTheIntervalThenCoversEverythingNew) {
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
  std::int64_t sealed_us = world.newest_anchor().sealed_us;
  world.ledger.add_entry();
  world.ledger.add_entry();
  ASSERT_TRUE(world.tick_until([&] { return world.tables.anchors.size() == 2; }));
  EXPECT_GE(world.newest_anchor().sealed_us - sealed_us, world.worker_options.interval_ms * 1000);
  EXPECT_EQ(world.newest_anchor().size, 5u);  // genesis, seal, two entries, seal
}

TEST_F(AnchorWorker, AnchorsEarlierWhenManyEntriesAreNew) {
  world.worker_options.every_entries = 10;
  world.start();
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
  for (int i = 0; i < 9; ++i) world.ledger.add_entry();
  world.tick();
  EXPECT_EQ(world.tables.anchors.size(), 1u);
  world.ledger.add_entry();
  world.tick();
  EXPECT_EQ(world.tables.anchors.size(), 2u);
}

TEST_F(AnchorWorker, SealsNothingWhereOnlySealsAreNewButForOneHeartbeatADay) {
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
  // One more, of a worker that died before it could save it.
  auto info = world.ledger.info();
  auto request = codec::encode_request_seal(1, world.clock.now_ms() * 1000 + core::second_us, Hash{});
  ASSERT_TRUE(world.ledger.execute(codec::sign(request, info->tag, {&world.ledger.anchor_key})));
  world.clock.advance(anchoring::heartbeat_ms / 2);
  world.tick_blocks(100);
  EXPECT_EQ(world.tables.anchors.size(), 1u);
  EXPECT_EQ(world.ledger.size(), 3u);
  world.clock.advance(anchoring::heartbeat_ms / 2);
  world.tick_blocks(100);
  EXPECT_EQ(world.tables.anchors.size(), 2u);
  EXPECT_EQ(world.ledger.count(core::Kind::seal), 3u);
}

// Else the last of them would be in no sealed snapshot for a day, where nothing follows them.
TEST_F(AnchorWorker, SealsOnceMoreWhatCameWhileASealWaitedForItsSnapshot) {
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
  world.ledger.add_entry();
  world.ledger.entries_before_seal = 1;
  ASSERT_TRUE(world.tick_until([&] { return world.tables.anchors.size() == 2; }));
  EXPECT_EQ(world.newest_anchor().size, 5u) << "genesis, seal, two entries, seal";
  ASSERT_TRUE(world.tick_until([&] { return world.tables.anchors.size() == 3; }));
  EXPECT_GE(world.clock.now_ms() - world.tables.anchors.at(2).sealed_us / 1000,
            world.worker_options.interval_ms);
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
  world.clock.advance(anchoring::heartbeat_ms / 2);
  world.tick_blocks(100);
  EXPECT_EQ(world.tables.anchors.size(), 3u) << "and then only seals are new";
}

TEST_F(AnchorWorker, CatchesUpWithOneAnchorAfterAnOutage) {
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
  world.network.reachable = false;
  for (int i = 0; i < 50; ++i) {
    world.ledger.add_entry();
    world.tick_blocks(40);
  }
  world.network.reachable = true;
  ASSERT_TRUE(world.tick_until([&] { return world.solidified_anchors() == 2; }));
  EXPECT_EQ(world.newest_anchor().size, 53u);
}

TEST_F(AnchorWorker, TakesAnOldUnsignedCheckpointAnew) {
  world.chain.produce_block();
  ASSERT_TRUE(world.worker->step());  // sealed
  world.ledger.add_entry();
  world.clock.advance(anchoring::unsigned_checkpoint_life_ms + 1000);
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
  EXPECT_EQ(world.tables.anchors.size(), 1u);
  EXPECT_EQ(world.newest_anchor().size, 4u);  // genesis, seal, entry, seal
}

TEST_F(AnchorWorker, ReferencesASolidifiedBlockAndExpiresWithinTenMinutes) {
  world.tick_blocks(100);
  Anchor anchor = world.newest_anchor();
  EXPECT_LE(anchor.reference.number, anchor.block - solid_after);
  EXPECT_EQ(world.chain.block(anchor.reference.number)->ref.id, anchor.reference.id);
  std::int64_t ahead = anchor.expiration_ms - anchor.sealed_us / 1000;
  EXPECT_GE(ahead, 5 * 60 * 1000);
  EXPECT_LE(ahead, 10 * 60 * 1000);
}

// --- faults of the chain

TEST_F(AnchorWorker, SendsTheSameBytesAgainWhenTheyWereAcceptedAndLost) {
  world.network.swallow = tron::BroadcastAnswer{true, 0, ""};
  world.tick_blocks(20);
  EXPECT_EQ(state(), AnchorState::broadcast);
  world.network.swallow.reset();
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
  EXPECT_EQ(std::set<std::string>(world.network.sent.begin(), world.network.sent.end()).size(), 1u);
  EXPECT_GE(world.network.sent.size(), 3u);
  expect_each_landed_once();
}

TEST_F(AnchorWorker, GoesBackToBroadcastWhenAForkDropsItsTransaction) {
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::included)));
  world.tick_blocks(3);
  world.chain.fork(10);
  world.chain.lose_pool();
  ASSERT_TRUE(world.tick_until([&] { return outcomes("dropped") == 1; }));
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
  EXPECT_EQ(world.tables.anchors.size(), 1u);
  EXPECT_EQ(std::set<std::string>(world.network.sent.begin(), world.network.sent.end()).size(), 1u);
  expect_each_landed_once();
}

TEST_F(AnchorWorker, FollowsItsTransactionIntoAnotherBlock) {
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::included)));
  world.tick_blocks(2);
  std::int64_t first = world.newest_anchor().block;
  // Undone, and mined again one block later than the worker, which does not look meanwhile, remembers.
  world.chain.fork(4);
  world.clock.advance(block_ms);
  while (world.chain.find(world.newest_anchor().transaction_id)) world.chain.fork(1);
  std::string bytes = world.newest_anchor().transaction;
  world.chain.lose_pool();
  while (world.chain.head().ref.number < first) world.chain.produce_block();
  ASSERT_TRUE(world.chain.broadcast(bytes)->result);
  world.tick();
  EXPECT_EQ(state(), AnchorState::included);
  EXPECT_EQ(world.newest_anchor().block, first + 1);
  EXPECT_EQ(outcomes("dropped"), 0u);
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
  EXPECT_EQ(world.newest_anchor().block, first + 1);
  expect_each_landed_once();
}

TEST_F(AnchorWorker, TakesADuplicateForASentOne) {
  world.chain.produce_block();
  ASSERT_TRUE(world.worker->step());                                              // sealed
  ASSERT_TRUE(world.worker->step());                                              // signed
  ASSERT_TRUE(world.chain.broadcast(world.newest_anchor().transaction)->result);  // sent before a crash
  world.run_worker();
  EXPECT_EQ(state(), AnchorState::broadcast);
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
  expect_each_landed_once();
}

TEST_F(AnchorWorker, StaysSignedWhileTheNodeRefusesIt) {
  for (int code : {1, 2, 4, 6, 8, 9, 10, 12, 20}) {
    world.network.swallow = tron::BroadcastAnswer{false, code, "refused"};
    world.tick_blocks(6);
    EXPECT_EQ(state(), AnchorState::signed_) << code;
  }
  world.network.swallow.reset();
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
  EXPECT_EQ(world.tables.anchors.size(), 1u);
}

TEST_F(AnchorWorker, ReplacesAnExpiredOneOnlyWhenASolidBlockIsAtItsExpiration) {
  world.network.swallow = tron::BroadcastAnswer{true, 0, ""};
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::broadcast)));
  std::int64_t expiration_ms = world.newest_anchor().expiration_ms;
  auto solid_ms = [&] { return world.chain.block(world.chain.solidified())->ref.timestamp_ms; };
  while (solid_ms() + block_ms < expiration_ms) {
    world.tick();
    ASSERT_EQ(state(), AnchorState::broadcast);
  }
  world.network.swallow.reset();
  ASSERT_TRUE(world.tick_until([&] { return world.tables.anchors.size() == 2; }, 2));
  EXPECT_GE(solid_ms(), expiration_ms);
  EXPECT_EQ(world.tables.anchors.at(1).state, AnchorState::expired);
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
  expect_each_landed_once();
}

// It landed in the very last block that it may; the node that is asked for it knows nothing.
TEST_F(AnchorWorker, FindsByTheScanWhatALookUpDoesNotFind) {
  world.network.swallow = tron::BroadcastAnswer{true, 0, ""};
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::broadcast)));
  world.network.hides_transactions = true;
  std::int64_t expiration_ms = world.newest_anchor().expiration_ms;
  while (world.chain.head().ref.timestamp_ms + block_ms < expiration_ms) world.tick();
  ASSERT_TRUE(world.chain.broadcast(world.newest_anchor().transaction)->result);
  ASSERT_TRUE(world.tick_until([&] { return state() != AnchorState::broadcast; }));
  EXPECT_EQ(state(), AnchorState::solidified);
  EXPECT_LE(world.newest_anchor().block_ms, expiration_ms);
  EXPECT_EQ(world.tables.anchors.size(), 1u);
  expect_each_landed_once();
}

TEST_F(AnchorWorker, ReplacesNothingWhenTheScannedBlocksDoNotJoin) {
  world.network.swallow = tron::BroadcastAnswer{true, 0, ""};
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::broadcast)));
  std::int64_t odd = world.newest_anchor().reference.number + 30;
  world.network.change_block = [odd](tron::Block& block) {
    if (block.ref.number == odd) block.parent[31] ^= 1;
  };
  world.tick_blocks(300);
  EXPECT_EQ(state(), AnchorState::broadcast);
  EXPECT_FALSE(world.problems.empty());
  world.network.change_block = nullptr;
  ASSERT_TRUE(world.tick_until([&] { return world.tables.anchors.at(1).state == AnchorState::expired; }));
}

TEST_F(AnchorWorker, ReplacesOneThatFailedInItsBlock) {
  world.network.change_block = [&](tron::Block& block) {
    for (auto& transaction : block.transactions)
      if (transaction.txid == world.tables.anchors.at(1).transaction_id) transaction.succeeded = false;
  };
  ASSERT_TRUE(world.tick_until([&] { return world.tables.anchors.size() == 2; }));
  EXPECT_EQ(world.tables.anchors.at(1).state, AnchorState::expired);
  EXPECT_EQ(outcomes("failed"), 1u);
}

// --- faults of the ledger

TEST_F(AnchorWorker, AnchorsNothingThatTheLogKeyHasNotSigned) {
  world.ledger.signer = log::NoteSigner("example.org/ledger", Ed25519SecretKey::generate());
  world.tick_blocks(20);
  EXPECT_TRUE(world.tables.anchors.empty());
  EXPECT_FALSE(world.problems.empty());
}

TEST_F(AnchorWorker, AnchorsNothingOfALedgerThatLostAnchoredEntries) {
  for (int i = 0; i < 5; ++i) world.ledger.add_entry();
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
  world.ledger.truncate(4);
  world.tick_blocks(300);
  EXPECT_EQ(world.tables.anchors.size(), 1u);
  EXPECT_THAT(world.last_problem(), ::testing::HasSubstr("holds 4 entries, but 7 were anchored"));
}

TEST_F(AnchorWorker, AnchorsNothingOfARewrittenLog) {
  for (int i = 0; i < 5; ++i) world.ledger.add_entry();
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
  world.ledger.add_entry();
  world.ledger.forge(3);
  world.tick_blocks(300);
  EXPECT_EQ(world.tables.anchors.size(), 1u);
  EXPECT_THAT(world.last_problem(), ::testing::HasSubstr("was rewritten"));
}

TEST_F(AnchorWorker, WaitsForALedgerThatIsDown) {
  world.ledger.reachable = false;
  world.tick_blocks(20);
  EXPECT_TRUE(world.tables.anchors.empty());
  world.ledger.reachable = true;
  EXPECT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
}

// --- crashes and rivals

TEST_F(AnchorWorker, LandsOneAnchorForEachBatchWhereverItCrashes) {
  for (int nth = 1;; ++nth) {
    World tried;
    tried.ledger.add_entry();
    tried.crashes.arm(nth);
    ASSERT_TRUE(tried.tick_until([&] { return tried.solidified_anchors() == 1; })) << nth;
    bool fired = tried.crashes.fired();
    tried.tick_blocks(60);
    EXPECT_EQ(tried.landed_memos().size(), 1u) << nth;
    EXPECT_EQ(tried.tables.anchors.size(), 1u) << nth;
    EXPECT_EQ(std::set<std::string>(tried.network.sent.begin(), tried.network.sent.end()).size(), 1u) << nth;
    if (!fired) {
      EXPECT_GT(nth, 10);  // seal, checkpoint, five writes and a send, before and after
      return;
    }
  }
}

TEST_F(AnchorWorker, FencesOutAWorkerThatLostItsLease) {
  world.chain.produce_block();
  ASSERT_TRUE(world.worker->step());  // sealed
  auto old_store = std::move(world.store);
  auto old_worker = std::move(world.worker);
  world.start();
  EXPECT_THROW(static_cast<void>(old_worker->step()), anchoring::Fenced);  // would sign
  EXPECT_TRUE(world.network.sent.empty());
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
  world.ledger.add_entry();
  world.clock.advance(world.worker_options.interval_ms);
  EXPECT_THROW(static_cast<void>(old_worker->step()), anchoring::Fenced);
  expect_each_landed_once();
}

TEST_F(AnchorWorker, SignsNothingNewWhileTheOperatorHasAnchorsPaused) {
  world.tables.controls.anchors_paused = true;
  world.tick_blocks(5);
  EXPECT_TRUE(world.tables.anchors.empty());
  EXPECT_EQ(world.ledger.count(core::Kind::seal), 0u);
  world.tables.controls.anchors_paused = false;
  world.network.reachable = false;
  world.tick_blocks(2);
  world.tables.controls.anchors_paused = true;
  world.network.reachable = true;
  world.tick_blocks(5);
  EXPECT_TRUE(world.network.sent.empty());
  EXPECT_TRUE(anchoring::is_idle(*world.store));
  world.tables.controls.anchors_paused = false;
  EXPECT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
}

TEST_F(AnchorWorker, PursuesWhatIsSignedThoughAnchorsArePaused) {
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::broadcast)));
  world.tables.controls.anchors_paused = true;
  world.start();
  EXPECT_FALSE(anchoring::is_idle(*world.store));
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
  EXPECT_TRUE(anchoring::is_idle(*world.store));
  world.ledger.add_entry();
  world.clock.advance(world.worker_options.interval_ms);
  world.tick_blocks(5);
  EXPECT_EQ(world.tables.anchors.size(), 1u);
}

// By such a head it would be expired from the start, and so would the next, and the next.
TEST_F(AnchorWorker, SignsNothingByAHeadOlderThanWhatIsSolidified) {
  world.network.solid_ahead_ms = 60 * 60 * 1000;
  world.tick_blocks(5);
  EXPECT_EQ(state(), AnchorState::sealed);
  EXPECT_THAT(world.last_problem(), ::testing::HasSubstr("lags"));
  world.network.solid_ahead_ms = 0;
  EXPECT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
}

TEST_F(AnchorWorker, RestsWhileTheNodeLacksABlockThatAProofNeeds) {
  world.chain.fate = [](const Hash&, std::int64_t) { return devchain::DevChain::Fate::wait; };
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::broadcast)));
  world.network.empty = true;
  world.clock.advance(anchoring::expiration_ahead_ms);
  world.tick_blocks(solid_after + 2);
  EXPECT_EQ(state(), AnchorState::broadcast);
  EXPECT_THAT(world.last_problem(), ::testing::HasSubstr("lacks solidified block"));
  EXPECT_LT(world.problems.size(), 10u);
}

TEST_F(AnchorWorker, ReplacesOneThatTheNodeCallsIncludedThoughNoBlockHoldsIt) {
  world.chain.fate = [](const Hash&, std::int64_t) { return devchain::DevChain::Fate::vanish; };
  world.network.invents_inclusions = true;
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::included)));
  world.tick_blocks(5);
  world.network.invents_inclusions = false;
  world.tick_blocks(2);
  EXPECT_EQ(state(), AnchorState::broadcast);
  world.network.invents_inclusions = true;
  world.clock.advance(anchoring::expiration_ahead_ms);
  ASSERT_TRUE(world.tick_until([&] { return world.tables.anchors.at(1).state == AnchorState::expired; }));
}

TEST_F(AnchorWorker, ReportsSizesAgesAndTheRunwayOfItsBalance) {
  ASSERT_TRUE(world.worker->refresh_status());
  EXPECT_EQ(world.worker->status().solidified_size, 0u);
  world.tick_blocks(2);
  ASSERT_TRUE(world.worker->refresh_status());
  EXPECT_EQ(world.worker->status().anchored_size, 2u);
  EXPECT_EQ(world.worker->status().solidified_size, 0u);
  EXPECT_EQ(world.worker->status().oldest_unanchored_us,
            (world.clock.now_ms() - start_ms) * 1000);  // genesis
  ASSERT_TRUE(world.tick_until(in_state(AnchorState::solidified)));
  ASSERT_TRUE(world.worker->refresh_status());
  const auto& status = world.worker->status();
  EXPECT_EQ(status.solidified_size, 2u);
  EXPECT_EQ(status.oldest_unanchored_us, 0);
  EXPECT_EQ(status.last_anchor_ms, world.newest_anchor().block_ms);
  EXPECT_EQ(status.anchor_cost_sun, 307 * 1000 + 1'000'000 + 1);
  EXPECT_EQ(tron::bandwidth_of(world.newest_anchor().transaction), 307);
  EXPECT_EQ(status.runway_ms, status.balance_sun / status.anchor_cost_sun * world.worker_options.interval_ms);
}

}  // namespace
}  // namespace windlass::test
