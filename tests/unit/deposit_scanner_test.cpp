// The deposit scanner on a devchain in virtual time: whose deposits are, which are none, and that each is
// credited once.
#include "anchoring/gateway/custody.h"
#include "tests/unit/anchoring_world.h"

namespace windlass::test {
namespace {

using anchoring::DepositState;

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

TEST(DepositMemo, NamesAKeyInEveryAllowedForm) {
  auto key = SecretKey::generate().public_key();
  for (const std::string& memo : {to_hex(key), upper(to_hex(key)), "0x" + to_hex(key),
                                  "0X" + upper(to_hex(key)), std::string(view(key))})
    EXPECT_EQ(anchoring::key_in_memo(memo), key) << memo;
}

TEST(DepositMemo, NamesNobodyWhereItIsNoPointOnTheCurve) {
  auto key = SecretKey::generate().public_key();
  std::string hex = to_hex(key);
  std::string no_point(33, '\xff');
  no_point[0] = 2;
  for (const std::string& memo : {std::string(), std::string("thanks"), hex.substr(1), hex + "0", " " + hex,
                                  hex + " ", "0x0x" + hex, "04" + hex.substr(2), "00" + hex.substr(2),
                                  no_point, to_hex(no_point), std::string(view(key)).substr(1),
                                  to_hex(uncompress_key(key)), std::string("0x"), std::string(66, 'g')})
    EXPECT_FALSE(anchoring::key_in_memo(memo)) << memo;
}

class DepositScanner : public ::testing::Test {
 protected:
  DepositScanner() { world.scans = true; }

  // Until the newest block is solid and scanned.
  void settle() {
    std::int64_t target = world.chain.head().ref.number + 1;
    ASSERT_TRUE(
        world.tick_until([&] { return world.tables.cursor && world.tables.cursor->number >= target; }));
  }
  core::Amount held(const SecretKey& key, std::uint32_t asset) const {
    return world.ledger.available(key.public_key(), asset);
  }
  std::size_t credits() const { return world.ledger.count(core::Kind::credit); }
  const anchoring::Deposit& stored(const Hash& txid) const { return world.tables.deposits.at(txid); }
  std::size_t counted(std::string_view asset, std::string_view outcome) const {
    return static_cast<std::size_t>(
        std::count_if(world.deposits.begin(), world.deposits.end(),
                      [&](const auto& one) { return one.asset == asset && one.outcome == outcome; }));
  }
  // A signed transfer to custody from the payer, changed in the block that the scanner reads.
  void alter(const Hash& txid, std::function<void(tron::ChainTransaction&)> change) {
    world.network.change_block = [txid, change](tron::Block& block) {
      for (auto& transaction : block.transactions)
        if (transaction.txid == txid) change(transaction);
    };
  }

  World world;
  SecretKey owner = SecretKey::generate();
  std::string memo = to_hex(owner.public_key());
};

TEST_F(DepositScanner, CreditsTheKeyInTheMemo) {
  Hash txid = world.deposit(250, "1002000", memo);
  settle();
  EXPECT_EQ(held(owner, btt), 250);
  EXPECT_EQ(held(world.payer, btt), 0);
  const auto& deposit = stored(txid);
  EXPECT_EQ(deposit.state, DepositState::credited);
  EXPECT_EQ(deposit.owner, owner.public_key());
  EXPECT_EQ(deposit.source, tron::address_of(world.payer.public_key()));
  EXPECT_EQ(deposit.at.block, static_cast<std::uint64_t>(world.chain.find(txid)->block));
  EXPECT_TRUE(deposit.sequence);
  EXPECT_EQ(counted("BTT", "credited"), 1u);
}

TEST_F(DepositScanner, CreditsTheSendersKeyWithoutAMemo) {
  world.deposit(70, "", "");
  world.deposit(5, "", "for the piano lessons");
  settle();
  EXPECT_EQ(held(world.payer, trx), 75);
}

TEST_F(DepositScanner, KeepsADepositOfNobodyAsUnassigned) {
  Hash txid = world.deposit(70);
  auto other = SecretKey::generate();
  alter(txid, [&](auto& transaction) {
    transaction.signatures = {
        std::string(view(other.sign_recoverable(transaction.txid)))};  // by a permission
  });
  settle();
  EXPECT_EQ(world.ledger.totals_of(trx).unassigned, 70);
  EXPECT_FALSE(stored(txid).owner);
  EXPECT_EQ(counted("TRX", "unassigned"), 1u);
}

TEST_F(DepositScanner, CreditsSeveralOfOneBlockInTheirOrder) {
  std::vector<Hash> txids;
  for (int i = 0; i < 5; ++i) txids.push_back(world.deposit(10 + i, i % 2 == 0 ? "1002000" : "", memo));
  settle();
  EXPECT_EQ(held(owner, btt), 10 + 12 + 14);
  EXPECT_EQ(held(owner, trx), 11 + 13);
  for (std::size_t i = 1; i < txids.size(); ++i) {
    EXPECT_EQ(stored(txids[i]).at.block, stored(txids[i - 1]).at.block);
    EXPECT_GT(stored(txids[i]).at, stored(txids[i - 1]).at);
    EXPECT_GT(*stored(txids[i]).sequence, *stored(txids[i - 1]).sequence);
  }
}

// --- what is no deposit

TEST_F(DepositScanner, IgnoresTheTransactionThatFailed) {
  Hash txid = world.deposit(70, "1002000", memo);
  alter(txid, [](auto& transaction) { transaction.succeeded = false; });
  settle();
  EXPECT_EQ(credits(), 0u);
}

TEST_F(DepositScanner, IgnoresAnUnknownTokenWhateverItIsCalled) {
  world.deposit(70, "1009999", memo);
  settle();
  EXPECT_EQ(credits(), 0u);
  EXPECT_TRUE(world.tables.deposits.empty());
  EXPECT_EQ(counted("other", "ignored"), 1u);
}

TEST_F(DepositScanner, IgnoresAmountsOfZeroAndBelow) {
  Hash txid = world.deposit(70, "1002000", memo);
  for (std::int64_t amount : {std::int64_t{0}, std::int64_t{-70}}) {
    alter(txid, [amount](auto& transaction) {
      std::get<tron::TransferContract>(transaction.contract).amount = amount;
    });
    settle();
    EXPECT_EQ(credits(), 0u);
    world.tables.cursor.reset();
  }
}

TEST_F(DepositScanner, IgnoresWhatCustodyPaysOut) {
  world.pay(world.custody_key, tron::address_of(world.payer.public_key()), 100);
  Hash to_itself = world.deposit(70, "", memo);
  alter(to_itself, [&](auto& transaction) {
    std::get<tron::TransferContract>(transaction.contract).owner = world.custody;
  });
  settle();
  EXPECT_EQ(credits(), 0u);
}

TEST_F(DepositScanner, IgnoresTransfersToOthersAndOtherContracts) {
  world.pay(world.payer, world.worker->address(), 100, "", memo);
  Hash other = world.deposit(70, "", memo);
  alter(other, [](auto& transaction) { transaction.contract = tron::OtherContract{31}; });
  settle();
  EXPECT_EQ(credits(), 0u);
}

// Or every anchor would be followed by a credit, and that by an anchor.
TEST_F(DepositScanner, IgnoresAnchorsThatGoToCustody) {
  ASSERT_TRUE(world.tick_until([&] { return world.solidified_anchors() == 1; }));
  world.tick_blocks(300);
  EXPECT_EQ(world.tables.anchors.size(), 1u);
  EXPECT_EQ(credits(), 0u);
}

TEST_F(DepositScanner, WaitsUntilTheBlockIsSolidified) {
  world.deposit(70, "1002000", memo);
  world.tick_blocks(solid_after);
  EXPECT_EQ(credits(), 0u);
  world.tick();
  EXPECT_EQ(credits(), 1u);
}

TEST_F(DepositScanner, CreditsNothingThatAForkDropped) {
  world.deposit(70, "1002000", memo);
  world.tick_blocks(5);
  world.chain.fork(5);
  world.chain.lose_pool();
  world.tick_blocks(60);
  EXPECT_EQ(credits(), 0u);
}

// --- exactly once

TEST_F(DepositScanner, CreditsOnceThoughEverythingIsScannedTwice) {
  world.deposit(70, "1002000", memo);
  world.deposit(30, "", memo);
  settle();
  world.tables.cursor.reset();
  settle();
  EXPECT_EQ(credits(), 2u);
  EXPECT_EQ(counted("BTT", "credited"), 1u);
  world.tables = {.epoch = world.tables.epoch};  // and though nothing is remembered of it
  settle();
  EXPECT_EQ(credits(), 2u);
  EXPECT_EQ(held(owner, btt), 70);
  EXPECT_EQ(held(owner, trx), 30);
  EXPECT_EQ(world.tables.deposits.size(), 2u);
  for (const auto& [txid, deposit] : world.tables.deposits) EXPECT_EQ(deposit.state, DepositState::credited);
}

TEST_F(DepositScanner, CreditsOnceWhereverItCrashes) {
  for (int nth = 1;; ++nth) {
    World tried;
    tried.scans = true;
    tried.tick_blocks(30);  // the first anchor is out of the way
    for (int i = 0; i < 3; ++i) tried.deposit(10, "1002000", memo);
    std::int64_t target = tried.chain.head().ref.number + 1;
    tried.crashes.arm(nth);
    auto scanned = [&] { return tried.tables.cursor && tried.tables.cursor->number >= target; };
    ASSERT_TRUE(tried.tick_until(scanned)) << nth;
    bool fired = tried.crashes.fired();
    tried.tick_blocks(3);
    EXPECT_EQ(tried.ledger.count(core::Kind::credit), 3u) << nth;
    EXPECT_EQ(tried.ledger.available(owner.public_key(), btt), 30) << nth;
    ASSERT_EQ(tried.tables.deposits.size(), 3u);
    for (const auto& [txid, deposit] : tried.tables.deposits) {
      EXPECT_EQ(deposit.state, DepositState::credited) << nth;
      EXPECT_TRUE(deposit.sequence) << nth;  // the same bytes got the same answer
    }
    if (!fired) {
      EXPECT_GT(nth, 18);  // for each: two writes and a call, before and after
      return;
    }
  }
}

TEST_F(DepositScanner, CreditsOnceThoughAnswersAreLost) {
  world.deposit(70, "1002000", memo);
  world.ledger.loses_answers = true;
  world.tick_blocks(40);
  EXPECT_EQ(credits(), 1u);
  EXPECT_EQ(world.tables.deposits.begin()->second.state, DepositState::submitted);
  std::int64_t stuck = world.tables.cursor->number;
  EXPECT_LT(stuck, world.chain.solidified());
  world.ledger.loses_answers = false;
  settle();
  EXPECT_EQ(credits(), 1u);
  EXPECT_TRUE(world.tables.deposits.begin()->second.sequence);
}

TEST_F(DepositScanner, SignsAnewWhatExpiredBeforeItWasApplied) {
  world.deposit(70, "1002000", memo);
  world.ledger.reachable = false;
  world.tick_blocks(40);
  EXPECT_EQ(credits(), 0u);
  world.ledger.reachable = true;
  world.ledger.refuses_commands = true;
  world.tick_blocks(3);
  ASSERT_EQ(world.tables.deposits.size(), 1u);  // signed and saved
  world.clock.advance(2 * core::hour_us / 1000);
  world.ledger.refuses_commands = false;
  settle();
  EXPECT_EQ(credits(), 1u);
  EXPECT_EQ(held(owner, btt), 70);
}

TEST_F(DepositScanner, TakesNotInOrderForAppliedBefore) {
  Hash txid = world.deposit(70, "1002000", memo);
  settle();
  world.tables.deposits.clear();
  world.tables.cursor.reset();
  settle();
  EXPECT_EQ(credits(), 1u);
  EXPECT_EQ(stored(txid).state, DepositState::credited);
  EXPECT_FALSE(stored(txid).sequence);  // its entry is not known any more
}

TEST_F(DepositScanner, ShowsWhatCustodyHoldsBeyondWhatIsOwed) {
  auto difference = [&](std::string_view symbol) {
    auto all = anchoring::custody_differences(world.network, world.ledger, world.custody);
    EXPECT_TRUE(all);
    for (const auto& one : *all)
      if (one.symbol == symbol) return one.ledger_units;
    return -1.0;
  };
  EXPECT_EQ(difference("BTT"), 0);
  world.deposit(70, "1002000", memo);
  EXPECT_EQ(difference("BTT"), 70);  // not credited yet
  settle();
  EXPECT_EQ(difference("BTT"), 0);
  world.pay(world.custody_key, tron::address_of(world.payer.public_key()), 30, "1002000");
  EXPECT_EQ(difference("BTT"), -30);  // the ledger paid nothing out
}

// --- what stops it

TEST_F(DepositScanner, StopsWhereABlockDoesNotJoinAndSkipsNothing) {
  world.deposit(70, "1002000", memo);
  world.tick();
  std::int64_t odd = world.chain.head().ref.number;
  world.network.change_block = [odd](tron::Block& block) {
    if (block.ref.number == odd) block.parent[31] ^= 1;
  };
  world.tick_blocks(60);
  EXPECT_EQ(credits(), 0u);
  EXPECT_EQ(world.tables.cursor->number, odd - 1);
  EXPECT_THAT(world.last_problem(), ::testing::HasSubstr("does not join on"));
  world.network.change_block = nullptr;
  settle();
  EXPECT_EQ(credits(), 1u);
}

TEST_F(DepositScanner, StopsWhereTheLedgerRefusesACredit) {
  world.deposit(70, "1002000", memo);
  world.tick();
  std::int64_t place = world.chain.head().ref.number;
  world.scanner = std::make_unique<anchoring::Scanner>(world.scanner_options(), owner, world.clock,
                                                       world.network, world.ledger, *world.store);
  world.tick_blocks(60);
  EXPECT_EQ(credits(), 0u);
  EXPECT_EQ(world.tables.cursor->number, place - 1);
  EXPECT_THAT(world.last_problem(), ::testing::HasSubstr("refuses to credit"));
  world.start();
  settle();
  EXPECT_EQ(credits(), 1u);
}

TEST_F(DepositScanner, WaitsOutANodeThatIsDown) {
  world.deposit(70, "1002000", memo);
  world.tick();
  world.network.reachable = false;
  world.tick_blocks(60);
  world.network.reachable = true;
  settle();
  EXPECT_EQ(credits(), 1u);
}

TEST_F(DepositScanner, BeginsAtTheConfiguredBlock) {
  world.scans = false;
  world.deposit(70, "1002000", memo);
  world.tick();
  world.deposit(30, "1002000", memo);
  world.tick();
  world.scanner = std::make_unique<anchoring::Scanner>(world.scanner_options(world.chain.head().ref.number),
                                                       world.ledger.gateway_key, world.clock, world.network,
                                                       world.ledger, *world.store);
  world.scans = true;
  settle();
  EXPECT_EQ(held(owner, btt), 30);
}

TEST_F(DepositScanner, WritesNothingOnceAnotherTookOver) {
  auto old_store = std::move(world.store);
  auto old_scanner = std::move(world.scanner);
  world.start();
  world.deposit(70, "1002000", memo);
  settle();
  world.tables.cursor.reset();
  EXPECT_THROW(static_cast<void>(old_scanner->step()), anchoring::Fenced);
  EXPECT_EQ(credits(), 1u);
}

TEST_F(DepositScanner, CreditsNothingWhileTheOperatorHasDepositsPaused) {
  world.tables.controls.deposits_paused = true;
  world.deposit(5);
  world.tick_blocks(solid_after + 5);
  EXPECT_EQ(world.ledger.count(core::Kind::credit), 0u);
  EXPECT_FALSE(world.tables.cursor);
  EXPECT_EQ(world.solidified_anchors(), 1u) << "anchors have a switch of their own";
  world.tables.controls.deposits_paused = false;
  settle();
  EXPECT_EQ(world.ledger.count(core::Kind::credit), 1u);
}

}  // namespace
}  // namespace windlass::test
