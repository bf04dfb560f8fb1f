// The deposit scanner on a devchain in virtual time: whose deposits are, which are none, and that each is
// credited once.
#include "anchoring/gateway/custody.h"
#include "anchoring/tron/trc20.h"
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
  const anchoring::Deposit& stored(const Hash& txid, std::uint32_t log = 0) const {
    return world.tables.deposits.at({txid, log});
  }
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

  // What the transaction is told to have done, changed in the answer that the scanner reads.
  void alter_execution(const Hash& txid, std::function<void(tron::Execution&)> change) {
    world.network.change_execution = [txid, change](tron::Execution& execution) {
      if (execution.txid == txid) change(execution);
    };
  }
  // Of the listed token, from the payer to custody.
  tron::ContractLog transfer_log(core::ChainAmount amount) const {
    return {btt20_token,
            {tron::abi::topic(tron::trc20::transfer_event),
             tron::abi::word(tron::address_of(world.payer.public_key())), tron::abi::word(world.custody)},
            tron::abi::word(amount)};
  }
  // What custody holds beyond what is owed, in the chain's units; the scan has reached the solidified head.
  core::Int128 difference(World& in, std::string_view symbol) {
    auto all = anchoring::reconcile(in.network, in.ledger, *in.store, in.parties());
    EXPECT_TRUE(all) << all.error();
    EXPECT_TRUE(*all) << "the scan is behind";
    for (const auto& one : **all)
      if (one.symbol == symbol) return one.chain_units;
    ADD_FAILURE() << symbol << " is not told";
    return 0;
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

// --- TRC-20

TEST_F(DepositScanner, CreditsWhatATokensContractLogged) {
  core::ChainAmount amount = 1'234'567 * btt20_unit + 89;
  Hash txid = world.deposit_token(amount, memo);
  settle();
  EXPECT_EQ(held(owner, btt20), 1'234'567);
  EXPECT_TRUE(world.ledger.totals_of(btt20).dust == 89);
  const auto& deposit = stored(txid);
  EXPECT_EQ(deposit.state, DepositState::credited);
  EXPECT_TRUE(deposit.amount == amount);
  EXPECT_EQ(deposit.owner, owner.public_key());
  EXPECT_EQ(deposit.source, tron::address_of(world.payer.public_key()));
  EXPECT_EQ(counted("BTT20", "credited"), 1u);
}

// Or whoever sends it would stop the scan.
TEST_F(DepositScanner, CreditsLessThanTheLedgersUnitAsDust) {
  world.deposit_token(1, memo);
  world.deposit(5, "", memo);
  settle();
  EXPECT_EQ(held(owner, btt20), 0);
  EXPECT_TRUE(world.ledger.totals_of(btt20).dust == 1);
  EXPECT_EQ(held(owner, trx), 5);
}

TEST_F(DepositScanner, CreditsTheKeyOfWhomTokensCameFromWithoutAMemo) {
  world.deposit_token(70 * btt20_unit);
  settle();
  EXPECT_EQ(held(world.payer, btt20), 70);
}

// The sender of the transaction is not the one whose tokens they were.
TEST_F(DepositScanner, KeepsTokensThatSomebodyElseMovedAsUnassigned) {
  using tron::abi::word;
  SecretKey mover = SecretKey::generate();
  tron::Address from = tron::address_of(world.payer.public_key());
  tron::Address spender = tron::address_of(mover.public_key());
  world.pay(world.payer, spender, 100'000'000);
  world.call(world.payer, btt20_token,
             tron::abi::selector("approve(address,uint256)") + word(spender) + word(90 * btt20_unit));
  std::string move =
      tron::abi::selector("transferFrom(address,address,uint256)") + word(from) + word(world.custody);
  Hash nobodys = world.call(mover, btt20_token, move + word(70 * btt20_unit));
  world.call(mover, btt20_token, move + word(20 * btt20_unit), memo);
  settle();
  EXPECT_EQ(world.ledger.totals_of(btt20).unassigned, 70);
  EXPECT_FALSE(stored(nobodys).owner);
  EXPECT_EQ(stored(nobodys).source, from);
  EXPECT_EQ(held(owner, btt20), 20) << "the memo says whose";
}

TEST_F(DepositScanner, CreditsEachOfATransactionsLogsOnce) {
  Hash txid = world.deposit_token(10 * btt20_unit, memo);
  Hash next = world.deposit_token(3 * btt20_unit, memo);
  alter_execution(txid, [this](auto& execution) {
    auto approval = transfer_log(5 * btt20_unit), other = transfer_log(6 * btt20_unit);
    approval.topics[0] = tron::abi::topic("Approval(address,address,uint256)");
    other.address = lookalike_token;
    execution.logs = {transfer_log(10 * btt20_unit), approval, other, transfer_log(20 * btt20_unit)};
  });
  settle();
  EXPECT_EQ(held(owner, btt20), 33);
  EXPECT_TRUE(stored(txid, 0).amount == 10 * btt20_unit && stored(txid, 3).amount == 20 * btt20_unit);
  EXPECT_LT(stored(txid, 0).at, stored(txid, 3).at);
  EXPECT_LT(stored(txid, 3).at, stored(next).at);
  for (bool forgotten : {false, true}) {
    if (forgotten) world.tables = {.epoch = world.tables.epoch};
    world.tables.cursor.reset();
    settle();
    EXPECT_EQ(credits(), 3u);
    EXPECT_EQ(world.tables.deposits.size(), 3u);
  }
}

// A token's contract may be called by another contract, and while one is being created.
TEST_F(DepositScanner, CreditsTokensWhicheverContractHadThemMoved) {
  Hash called = world.deposit_token(1, memo, lookalike_token);
  alter_execution(called, [this](auto& execution) { execution.logs = {transfer_log(10 * btt20_unit)}; });
  settle();
  EXPECT_EQ(held(owner, btt20), 10);
  Hash created = world.deposit_token(20 * btt20_unit, memo);
  alter(created,
        [](auto& transaction) { transaction.contract = tron::OtherContract{tron::create_contract_type}; });
  settle();
  EXPECT_EQ(held(owner, btt20), 30);
}

TEST_F(DepositScanner, CreditsWhatArrivesOfATokenThatTakesAFee) {
  World taking({}, {.token_fee_percent = 10});
  taking.scans = true;
  taking.deposit_token(70 * btt20_unit, memo);
  taking.tick_blocks(solid_after + 2);
  EXPECT_EQ(taking.ledger.available(owner.public_key(), btt20), 63);
  EXPECT_TRUE(difference(taking, "BTT20") == 0);
}

// The log is what is credited; that custody holds less, the reconciliation shows.
TEST_F(DepositScanner, ShowsTheFeeThatATokenHides) {
  World hiding({}, {.token_fee_percent = 10, .token_hides_fee = true});
  hiding.scans = true;
  hiding.deposit_token(70 * btt20_unit, memo);
  hiding.tick_blocks(solid_after + 2);
  EXPECT_EQ(hiding.ledger.available(owner.public_key(), btt20), 70);
  EXPECT_TRUE(difference(hiding, "BTT20") == -7 * static_cast<core::Int128>(btt20_unit));
}

TEST_F(DepositScanner, IgnoresATokenThatOnlyLooksLikeAListedOne) {
  world.deposit_token(70 * btt20_unit, memo, lookalike_token);
  settle();
  EXPECT_EQ(credits(), 0u);
  EXPECT_EQ(counted("other", "ignored"), 1u);
  EXPECT_TRUE(difference(world, "BTT20") == 0);
}

TEST_F(DepositScanner, IgnoresTokenTransfersOfNothingAndToOthers) {
  world.deposit_token(0, memo);
  auto to = tron::address_of(owner.public_key());
  world.call(world.payer, btt20_token, tron::trc20::transfer_call(to, 5 * btt20_unit), memo);
  settle();
  EXPECT_EQ(credits(), 0u);
  EXPECT_TRUE(world.deposits.empty());
}

TEST_F(DepositScanner, IgnoresTokensThatCustodyMovesToItself) {
  world.deposit_token(70 * btt20_unit, memo);
  world.pay(world.payer, world.custody, 100'000'000);
  settle();
  EXPECT_EQ(credits(), 2u);
  world.call(world.custody_key, btt20_token, tron::trc20::transfer_call(world.custody, btt20_unit), memo);
  settle();
  EXPECT_EQ(credits(), 2u);
}

TEST_F(DepositScanner, TakesNoApprovalForATransfer) {
  world.call(world.payer, btt20_token,
             tron::abi::selector("approve(address,uint256)") + tron::abi::word(world.custody) +
                 tron::abi::word(70 * btt20_unit),
             memo);
  settle();
  EXPECT_EQ(credits(), 0u);
  EXPECT_TRUE(world.deposits.empty());
}

TEST_F(DepositScanner, IgnoresATokenTransferThatFailed) {
  Hash failed = world.deposit_token(~core::ChainAmount{0}, memo);  // more than there is
  settle();
  auto place = *world.chain.find(failed);
  EXPECT_EQ(world.chain.block(place.block)->receipts[place.index].result,
            protocol::Transaction::Result::REVERT);
  EXPECT_EQ(credits(), 0u);
  // Nor where but one of the places that say so says so.
  auto log = transfer_log(70 * btt20_unit);
  alter_execution(failed, [log](auto& execution) {
    execution.logs = {log};
    execution.result = tron::contract_success;
    execution.failed = false;
  });
  world.tables.cursor.reset();
  settle();
  EXPECT_EQ(credits(), 0u);
  const std::function<void(tron::Execution&)> changes[] = {
      [](auto& execution) { execution.failed = true; },
      [](auto& execution) { execution.result = protocol::Transaction::Result::REVERT; }};
  for (const auto& change : changes) {
    alter_execution(world.deposit_token(70 * btt20_unit, memo), change);
    settle();
    EXPECT_EQ(credits(), 0u);
  }
}

// What contracts pass on inside is in no log.
TEST_F(DepositScanner, IgnoresCallsThatLoggedNothing) {
  Hash txid = world.deposit_token(70 * btt20_unit, memo);
  alter_execution(txid, [](auto& execution) { execution.logs.clear(); });
  settle();
  EXPECT_EQ(credits(), 0u);
}

TEST_F(DepositScanner, WaitsUntilATokensBlockIsSolidified) {
  world.deposit_token(70 * btt20_unit, memo);
  world.tick_blocks(solid_after);
  EXPECT_EQ(credits(), 0u);
  world.tick();
  EXPECT_EQ(credits(), 1u);
}

TEST_F(DepositScanner, AsksWhatTransactionsDidOnlyWhereAContractRan) {
  std::set<std::int64_t> asked;
  world.network.change_execution = [&](tron::Execution& execution) { asked.insert(execution.block); };
  world.deposit(70, "", memo);
  settle();
  EXPECT_TRUE(asked.empty());
  Hash txid = world.deposit_token(70 * btt20_unit, memo);
  settle();
  EXPECT_EQ(asked, std::set{world.chain.find(txid)->block});
}

TEST_F(DepositScanner, StopsWhereANodeDoesNotTellWhatEachTransactionDid) {
  world.deposit(30, "", memo);
  Hash txid = world.deposit_token(70 * btt20_unit, memo);
  const std::function<void(std::vector<tron::Execution>&)> changes[] = {
      [](auto& executions) { executions.clear(); }, [](auto& executions) { executions.pop_back(); },
      [](auto& executions) { executions.push_back(executions.back()); },
      [](auto& executions) { std::swap(executions.front(), executions.back()); }};
  for (const auto& change : changes) {
    world.network.change_executions = change;
    world.tick_blocks(solid_after + 5);
    EXPECT_EQ(credits(), 0u);
    EXPECT_EQ(world.tables.cursor->number, world.chain.find(txid)->block - 1);
    EXPECT_THAT(world.last_problem(), ::testing::HasSubstr("does not tell what each transaction"));
  }
  world.network.change_executions = nullptr;
  settle();
  EXPECT_EQ(credits(), 2u);
}

TEST_F(DepositScanner, CreditsTokensOnceWhereverItCrashes) {
  for (int nth = 1;; ++nth) {
    World tried;
    tried.scans = true;
    tried.tick_blocks(30);  // the first anchor is out of the way
    for (int i = 0; i < 2; ++i) tried.deposit_token(10 * btt20_unit, memo);
    std::int64_t target = tried.chain.head().ref.number + 1;
    tried.crashes.arm(nth);
    auto scanned = [&] { return tried.tables.cursor && tried.tables.cursor->number >= target; };
    ASSERT_TRUE(tried.tick_until(scanned)) << nth;
    bool fired = tried.crashes.fired();
    tried.tick_blocks(3);
    EXPECT_EQ(tried.ledger.count(core::Kind::credit), 2u) << nth;
    EXPECT_EQ(tried.ledger.available(owner.public_key(), btt20), 20) << nth;
    if (!fired) return;
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
  for (const auto& [place, deposit] : world.tables.deposits) EXPECT_EQ(deposit.state, DepositState::credited);
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
    for (const auto& [place, deposit] : tried.tables.deposits) {
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

// By then the ledger takes the same bytes for expired, and new ones for not in order.
TEST_F(DepositScanner, FindsTheCreditWhoseAnswerWasLostForLongerThanItWasValid) {
  world.deposit(70, "1002000", memo);
  world.ledger.loses_answers = true;
  world.tick_blocks(40);
  ASSERT_EQ(credits(), 1u);
  world.ledger.loses_answers = false;
  world.clock.advance(2 * core::hour_us / 1000);
  settle();
  EXPECT_EQ(credits(), 1u);
  const auto& deposit = world.tables.deposits.begin()->second;
  ASSERT_EQ(deposit.state, DepositState::credited);
  ASSERT_TRUE(deposit.sequence);
  EXPECT_EQ(world.ledger.entry(*deposit.sequence)->kind, core::Kind::credit);
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
  auto sequence = stored(txid).sequence;
  world.tables.deposits.clear();
  world.tables.cursor.reset();
  settle();
  EXPECT_EQ(credits(), 1u);
  EXPECT_EQ(stored(txid).state, DepositState::credited);
  EXPECT_EQ(stored(txid).sequence, sequence);
}

// A scan that begins anew meets a deposit of what was no asset then, and the ledger takes credits in order.
TEST_F(DepositScanner, NeverTakesForCreditedWhatTheLedgerPassedBy) {
  Hash passed = world.deposit_token(1'000, memo, lookalike_token);
  Hash behind = world.deposit(70, "1002000", memo);
  settle();
  auto asset = world.ledger.assets()->back();
  asset.number = core::AssetId{asset.number.value + 1};
  asset.symbol = "LATE";
  asset.token = tron::to_base58(lookalike_token);
  asset.chain_units = 1;
  ASSERT_TRUE(world.ledger.submit(world.ledger.operator_key, core::SetAsset{asset}));
  world.tables.deposits.clear();
  world.tables.cursor.reset();
  settle();
  EXPECT_EQ(credits(), 1u);
  EXPECT_EQ(stored(passed).state, DepositState::passed_by);
  EXPECT_FALSE(stored(passed).sequence);
  EXPECT_EQ(stored(behind).state, DepositState::credited);
  EXPECT_TRUE(stored(behind).sequence);
}

TEST_F(DepositScanner, ShowsWhatCustodyHoldsBeyondWhatIsOwed) {
  world.tick();
  EXPECT_TRUE(difference(world, "BTT") == 0);
  world.deposit(70, "1002000", memo);
  world.tick();
  EXPECT_TRUE(difference(world, "BTT") == 0) << "neither side knows of it yet";
  settle();
  EXPECT_TRUE(difference(world, "BTT") == 0);
  world.pay(world.custody_key, tron::address_of(world.payer.public_key()), 30, "1002000");
  settle();
  EXPECT_TRUE(difference(world, "BTT") == -30);  // the ledger paid nothing out
}

TEST_F(DepositScanner, ShowsToTheUnitWhatCustodyHoldsOfAToken) {
  core::ChainAmount amount = 1'000'000'000 * btt20_unit + 1;
  world.deposit_token(amount, memo);
  settle();
  EXPECT_TRUE(difference(world, "BTT20") == 0) << "dust is owed too";
}

TEST_F(DepositScanner, ShowsNothingWhereTheNodeTellsNoBalance) {
  world.tick();
  world.network.hides_balances = true;
  EXPECT_FALSE(anchoring::reconcile(world.network, world.ledger, *world.store, world.parties()));
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

// --- deposit addresses

class DepositAddresses : public DepositScanner {
 protected:
  // An account exists from its first credit on.
  DepositAddresses() {
    world.deposit(1'000, "1002000", memo);
    settle();
    address = world.hand_out(owner.public_key());
  }
  void pay(std::int64_t amount, std::string token = {}, std::string with_memo = {}) {
    world.pay(world.payer, address, amount, std::move(token), std::move(with_memo));
  }
  tron::Address address;
};

TEST_F(DepositAddresses, CreditTheirAccountWhateverAssetComes) {
  pay(70);
  pay(30, "1002000");
  world.call(world.payer, btt20_token, tron::trc20::transfer_call(address, 5 * btt20_unit));
  settle();
  EXPECT_EQ(held(owner, trx), 70);
  EXPECT_EQ(held(owner, btt), 1'030);
  EXPECT_EQ(held(owner, btt20), 5);
  for (const char* symbol : {"BTT", "BTT20"}) EXPECT_EQ(difference(world, symbol), 0) << symbol;
}

TEST_F(DepositAddresses, ComeBeforeTheMemo) {
  auto other = SecretKey::generate();
  pay(70, {}, to_hex(other.public_key()));
  settle();
  EXPECT_EQ(held(owner, trx), 70);
  EXPECT_EQ(held(other, trx), 0);
}

TEST_F(DepositAddresses, StayTheAccountsWhenItsKeyIsRotated) {
  auto next = SecretKey::generate();
  ASSERT_TRUE(world.ledger.rotate(owner, next));
  pay(70);
  settle();
  EXPECT_EQ(held(next, trx), 70);
  EXPECT_EQ(world.ledger.totals_of(trx).unassigned, 0);
}

// It stands there and is nobody's: whoever knows the extended key can pay to addresses that nobody was told.
TEST_F(DepositAddresses, AreNoneBeforeTheyAreHandedOut) {
  world.tables.addresses.clear();
  pay(70, "1002000");
  settle();
  EXPECT_EQ(held(owner, btt), 1'000);
  world.hand_out(owner.public_key());
  pay(5, "1002000");
  settle();
  EXPECT_EQ(held(owner, btt), 1'005);
  EXPECT_EQ(difference(world, "BTT"), 0);
}

TEST_F(DepositAddresses, MissWhatIsTakenFromThem) {
  pay(500, "1002000");
  settle();
  auto number = static_cast<std::uint32_t>(world.tables.addresses[address].account);
  world.pay(world.deposit_key.child(number)->key(), tron::address_of(world.payer.public_key()), 200,
            "1002000");
  settle();
  EXPECT_EQ(difference(world, "BTT"), -200);
}

TEST_F(DepositAddresses, AreNotWatchedByAnotherAccountsNumber) {
  world.tables.addresses[address].account += 1;
  pay(70);
  world.tick_blocks(solid_after + 3);
  EXPECT_EQ(held(owner, trx), 0);
  EXPECT_THAT(world.last_problem(), ::testing::HasSubstr("was handed out for account"));
}

TEST_F(DepositAddresses, AreCreditedOnceWhateverCrashes) {
  for (int nth = 1; nth < 12; ++nth) {
    auto before = held(owner, btt);
    pay(10 + nth, "1002000");
    world.crashes.arm(nth);
    world.tick_blocks(solid_after + 4);
    world.crashes.disarm();
    settle();
    EXPECT_EQ(held(owner, btt), before + 10 + nth) << nth;
    EXPECT_EQ(difference(world, "BTT"), 0) << nth;
  }
}

// --- what a single node's word is good for

class SingleNode : public DepositScanner {
 protected:
  static constexpr std::int64_t day_ms = core::day_us / 1000;
  void allow(anchoring::Ceilings ceilings) {
    world.deposit_ceilings = std::move(ceilings);
    world.start();
  }
  void tick_into_the_next_day() {
    world.clock.set((world.clock.now_ms() / day_ms + 1) * day_ms);
    world.tick_blocks(3);
  }
};

TEST_F(SingleNode, IsGoodForTheDaysCeilingAndTheScanWaitsBeyondIt) {
  allow({{"BTT", 100}, {"TRX", 1'000}});
  world.deposit(60, "1002000", memo);
  settle();
  world.deposit(41, "1002000", memo);
  world.tick_blocks(1);
  world.deposit(5, "", memo);  // behind it
  world.tick_blocks(test::solid_after + 5);
  EXPECT_EQ(held(owner, btt), 60);
  EXPECT_EQ(held(owner, trx), 0) << "nothing is passed by";
  EXPECT_EQ(world.scanner->waits_for(), "BTT");
  EXPECT_THAT(world.last_problem(),
              testing::HasSubstr("good for 100 a day (gateway.single_node_ceilings), of "
                                 "which 60 are used"));
  world.start();  // what was credited before counts on
  world.tick_blocks(3);
  EXPECT_EQ(held(owner, btt), 60);
  tick_into_the_next_day();
  EXPECT_EQ(held(owner, btt), 101);
  EXPECT_EQ(held(owner, trx), 5);
  EXPECT_EQ(world.scanner->waits_for(), "");
}

TEST_F(SingleNode, IsGoodForNothingOfAnAssetWithoutACeiling) {
  allow({{"BTT", 100}});
  world.deposit(1, "", memo);
  world.deposit(1, "1009999", memo);  // no asset of the ledger's: nobody waits for it
  world.tick_blocks(test::solid_after + 5);
  tick_into_the_next_day();
  EXPECT_EQ(credits(), 0u);
  EXPECT_EQ(world.scanner->waits_for(), "TRX");
  allow({{"BTT", 100}, {"TRX", 1}});
  settle();
  EXPECT_EQ(held(owner, trx), 1);
}

TEST(Ceiling, IsReadOrRefusedInWords) {
  EXPECT_EQ(*anchoring::parse_ceiling("BTT 100"), (anchoring::Ceilings::value_type{"BTT", 100}));
  EXPECT_EQ(*anchoring::parse_ceiling("TRX 0"), (anchoring::Ceilings::value_type{"TRX", 0}));
  for (const char* bad : {"", "BTT", "BTT ", " 1", "BTT -1", "BTT 1x", "BTT 1 2", "BTT 9223372036854775808"})
    EXPECT_FALSE(anchoring::parse_ceiling(bad)) << bad;
}

// --- cold storage

class ColdStorage : public DepositScanner {
 protected:
  ColdStorage() {
    world.cold = {tron::address_of(cold_key.public_key())};
    world.start();
    world.deposit(1'000, "1002000", memo);
    world.deposit_token(500 * btt20_unit, memo);
    // For what TRON takes of transfers: custody's is owed to its owner, cold storage's to nobody.
    world.deposit(100'000'000, "", memo);
    world.pay(world.payer, world.cold[0], 100'000'000);
    settle();
  }
  // What custody itself holds of an asset, and cold storage.
  std::pair<double, double> where(std::string_view symbol) {
    auto all = anchoring::reconcile(world.network, world.ledger, *world.store, world.parties());
    for (const auto& one : **all)
      if (one.symbol == symbol) return {one.hot, one.cold};
    return {-1, -1};
  }
  SecretKey cold_key = SecretKey::generate();
};

TEST_F(ColdStorage, CountsAsCustodyToTheUnit) {
  world.pay(world.custody_key, world.cold[0], 900, "1002000");
  for (int i = 0; i < test::solid_after + 5; ++i) {
    world.tick();
    EXPECT_EQ(difference(world, "BTT"), 0) << i;
  }
  EXPECT_EQ(where("BTT"), std::pair(100.0, 900.0));
  EXPECT_EQ(difference(world, "BTT20"), 0);
}

TEST_F(ColdStorage, WhatComesBackFromItIsNoDeposit) {
  world.pay(world.custody_key, world.cold[0], 900, "1002000");
  world.call(world.custody_key, btt20_token, tron::trc20::transfer_call(world.cold[0], 400 * btt20_unit));
  settle();
  EXPECT_EQ(where("BTT20"), std::pair(100.0, 400.0));
  auto before = credits();
  world.pay(cold_key, world.custody, 300, "1002000");
  world.call(cold_key, btt20_token, tron::trc20::transfer_call(world.custody, 150 * btt20_unit));
  settle();
  EXPECT_EQ(credits(), before);
  EXPECT_EQ(where("BTT"), std::pair(400.0, 600.0));
  EXPECT_EQ(where("BTT20"), std::pair(250.0, 250.0));
  EXPECT_EQ(difference(world, "BTT"), 0);
  EXPECT_EQ(difference(world, "BTT20"), 0);
}

TEST_F(ColdStorage, LacksWhatSomebodyTakesFromIt) {
  EXPECT_EQ(difference(world, "TRX"), 101'000'000) << "with custody's genesis";
  world.pay(world.custody_key, world.cold[0], 900, "1002000");
  settle();
  world.pay(cold_key, tron::address_of(world.payer.public_key()), 1, "1002000");
  settle();
  EXPECT_EQ(difference(world, "BTT"), -1);
}

}  // namespace
}  // namespace windlass::test
