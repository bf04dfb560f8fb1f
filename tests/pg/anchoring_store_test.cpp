// The anchoring process's memory in Postgres: what comes back, what is refused, and who may write.
#include "anchoring/admin.h"
#include "anchoring/postgres_store.h"
#include "ledger/journal/journal.h"
#include "tests/pg/cluster.h"
#include "tests/unit/anchoring_world.h"

namespace windlass::anchoring {
namespace {

using journal::DatabaseError;
using testing::Cluster;

Hash hash_of(std::string_view text) {
  return sha256(text);
}

Anchor sealed_anchor(std::uint64_t size = 100) {
  return {.size = size,
          .root = hash_of("root"),
          .checkpoint = "example.org/log\n100\n...\n",
          .sealed_us = 1'790'000'000'000'000,
          .size_at_request = 9};
}

Anchor signed_anchor(Anchor anchor) {
  anchor.state = AnchorState::signed_;
  anchor.transaction = std::string("\x0a\x00\xff bytes", 9);
  anchor.transaction_id = hash_of("transaction");
  anchor.expiration_ms = 1'790'000'060'000;
  anchor.reference = {12, hash_of("block 12")};
  return anchor;
}

Deposit some_deposit() {
  Deposit deposit;
  deposit.transaction_id = hash_of("deposit");
  deposit.at = {77, 3, 0};
  deposit.asset = core::AssetId{1};
  deposit.amount = ~core::ChainAmount{0};
  deposit.owner = SecretKey::generate().public_key();
  deposit.source.bytes[0] = 0x41;
  deposit.envelope = std::string("\0envelope", 9);
  deposit.seen_us = 5;
  return deposit;
}

class AnchoringStore : public ::testing::Test {
 protected:
  AnchoringStore() { EXPECT_TRUE(store.acquire()); }

  Anchor added(Anchor anchor) {
    anchor.id = store.add_anchor(anchor);
    return anchor;
  }
  std::string refusal_of(const std::string& url, const std::string& sql) {
    try {
      journal::Connection(url, 10'000).script(sql);
    } catch (const DatabaseError& error) {
      return error.sqlstate;
    }
    return "allowed";
  }
  void lose_lease() {
    journal::Connection(database.owner_url, 10'000).script("UPDATE anchoring_lease SET epoch = epoch + 1");
  }

  Cluster::Database database = Cluster::instance().make_database();
  PostgresStore store{database.anchor_url};
};

// First, while the cluster is small: it is synced file by file when it comes back.
TEST_F(AnchoringStore, ComesBackWithEverythingAfterAPowerCut) {
  Anchor anchor = added(sealed_anchor());
  store.save_deposit(some_deposit());
  Cluster::instance().stop_immediately();
  EXPECT_THROW(store.save_cursor({1, {}}, {}), DatabaseError);
  Cluster::instance().start();
  PostgresStore again(database.anchor_url);
  EXPECT_TRUE(again.acquire());
  EXPECT_EQ(again.open_anchor(), anchor);
  EXPECT_TRUE(again.deposit(some_deposit().transaction_id, 0));
  EXPECT_FALSE(again.cursor());
}

TEST_F(AnchoringStore, RemembersAnAnchorInEveryState) {
  EXPECT_FALSE(store.open_anchor());
  EXPECT_FALSE(store.newest_solidified());
  Anchor anchor = added(sealed_anchor());
  EXPECT_EQ(anchor.id, 1);
  EXPECT_EQ(store.open_anchor(), anchor);
  anchor = signed_anchor(anchor);
  for (auto state : {AnchorState::signed_, AnchorState::broadcast, AnchorState::included}) {
    anchor.state = state;
    if (state == AnchorState::included) anchor.block = 31;
    store.save_anchor(anchor);
    EXPECT_EQ(store.open_anchor(), anchor);
  }
  anchor.state = AnchorState::solidified;
  anchor.block_ms = 1'790'000'003'000;
  anchor.solidified_us = 1'790'000'060'000'000;
  store.save_anchor(anchor);
  EXPECT_FALSE(store.open_anchor());
  EXPECT_EQ(store.newest_solidified(), anchor);
}

TEST_F(AnchoringStore, TakesAnUnsignedCheckpointAnewAndAForkBack) {
  Anchor anchor = added(sealed_anchor());
  anchor.size = 200;
  anchor.root = hash_of("other");
  store.save_anchor(anchor);
  EXPECT_EQ(store.open_anchor(), anchor);
  anchor = signed_anchor(anchor);
  anchor.state = AnchorState::included;
  anchor.block = 9;
  store.save_anchor(anchor);
  anchor.state = AnchorState::broadcast;
  anchor.block = 0;
  store.save_anchor(anchor);
  EXPECT_EQ(store.open_anchor(), anchor);
}

TEST_F(AnchoringStore, HoldsOneOpenAnchorAtMost) {
  Anchor anchor = signed_anchor(added(sealed_anchor()));
  EXPECT_THROW(store.add_anchor(sealed_anchor(101)), DatabaseError);
  anchor.state = AnchorState::expired;
  store.save_anchor(anchor);
  EXPECT_EQ(store.add_anchor(sealed_anchor(101)), 2);
  EXPECT_FALSE(store.newest_solidified());
}

TEST_F(AnchoringStore, GivesTheNewestAnchorsOfAWhileBack) {
  std::vector<Anchor> made;
  for (int i = 0; i < 4; ++i) {
    Anchor anchor = sealed_anchor();
    anchor.sealed_us += i * 1000;
    anchor = signed_anchor(added(anchor));
    anchor.transaction_id = hash_of(std::to_string(i));
    anchor.state = AnchorState::expired;
    anchor.block = i;
    store.save_anchor(anchor);
    made.push_back(anchor);
  }
  auto since = [&](std::size_t i) { return made[i].sealed_us; };
  EXPECT_EQ(store.newest_anchors(since(0), 10), (std::vector{made[3], made[2], made[1], made[0]}));
  EXPECT_EQ(store.newest_anchors(since(2), 10), (std::vector{made[3], made[2]}));
  EXPECT_EQ(store.newest_anchors(since(0), 2), (std::vector{made[3], made[2]}));
  EXPECT_TRUE(store.newest_anchors(since(3) + 1, 10).empty());
}

TEST_F(AnchoringStore, NeverReplacesASignedTransaction) {
  Anchor anchor = signed_anchor(added(sealed_anchor()));
  store.save_anchor(anchor);
  Anchor other = anchor;
  other.transaction += "x";
  EXPECT_THROW(store.save_anchor(other), DatabaseError);
  other = anchor;
  other.size += 1;
  EXPECT_THROW(store.save_anchor(other), DatabaseError);
  other = anchor;
  other.transaction.clear();
  other.state = AnchorState::sealed;
  EXPECT_THROW(store.save_anchor(other), DatabaseError);
  EXPECT_EQ(store.open_anchor(), anchor);
}

TEST_F(AnchoringStore, NeverReopensAFinalAnchor) {
  Anchor anchor = signed_anchor(added(sealed_anchor()));
  anchor.state = AnchorState::expired;
  store.save_anchor(anchor);
  anchor.state = AnchorState::broadcast;
  EXPECT_THROW(store.save_anchor(anchor), DatabaseError);
  EXPECT_FALSE(store.open_anchor());
}

TEST_F(AnchoringStore, RemembersDepositsOfAnyAmountAndOfNobody) {
  Deposit deposit = some_deposit();
  EXPECT_FALSE(store.deposit(deposit.transaction_id, 0));
  store.save_deposit(deposit);
  EXPECT_EQ(store.deposit(deposit.transaction_id, 0), deposit);
  deposit.state = DepositState::credited;
  deposit.sequence = core::Sequence{99};
  deposit.envelope = "signed anew";
  store.save_deposit(deposit);
  EXPECT_EQ(store.deposit(deposit.transaction_id, 0), deposit);
  Deposit nobodys = some_deposit();
  nobodys.transaction_id = hash_of("another");
  nobodys.owner.reset();
  nobodys.amount = 1;
  store.save_deposit(nobodys);
  EXPECT_EQ(store.deposit(nobodys.transaction_id, 0), nobodys);
}

TEST_F(AnchoringStore, RemembersEachDepositOfATransaction) {
  Deposit first = some_deposit(), second = first;
  second.at.log = 7;
  second.amount = 5;
  store.save_deposit(first);
  EXPECT_FALSE(store.deposit(first.transaction_id, 7));
  store.save_deposit(second);
  EXPECT_EQ(store.deposit(first.transaction_id, 0), first);
  EXPECT_EQ(store.deposit(first.transaction_id, 7), second);
  EXPECT_EQ(store.deposited_since(first.seen_us)[first.asset], first.amount + second.amount);
  EXPECT_TRUE(store.deposited_since(first.seen_us + 1).empty());
}

TEST_F(AnchoringStore, RemembersHowFarItScanned) {
  EXPECT_FALSE(store.cursor());
  for (std::int64_t number : {41, 42}) {
    BlockPlace place{number, hash_of(std::to_string(number))};
    store.save_cursor(place, {});
    EXPECT_EQ(store.cursor(), place);
  }
}

tron::Address address_of(char last) {
  tron::Address address;
  address.bytes[0] = 0x41;
  address.bytes[20] = static_cast<std::uint8_t>(last);
  return address;
}

class AnchoringAddresses : public AnchoringStore {
 protected:
  // As the ledger's server does it.
  void hand_out(const tron::Address& address, std::uint64_t account) {
    journal::ReadSession(database.server_url)
        .add_deposit_address({std::string(view(address.bytes)), account, key}, 5);
  }
  Sweep some_sweep(const tron::Address& address, char number) {
    Sweep sweep{.address = address, .account = 7, .asset = {1}};
    sweep.amount = (static_cast<core::ChainAmount>(1) << 90) + 7;
    sweep.transaction = std::string("\x0a\x00 bytes", 8) + number;
    sweep.transaction_id = hash_of(sweep.transaction);
    sweep.expiration_ms = 1'790'000'060'000;
    sweep.reference_block = 41;
    sweep.signed_us = 1'790'000'000'000'000;
    return sweep;
  }
  const PublicKey key = SecretKey::generate().public_key();
  const tron::Address first = address_of('1'), second = address_of('2'), third = address_of('3');
};

TEST_F(AnchoringAddresses, AreThoseThatTheServerHandedOut) {
  hand_out(first, 7);
  hand_out(first, 7);  // again
  hand_out(second, 8);
  auto found = store.deposit_addresses({first, third});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found.at(first).account, 7u);
  EXPECT_EQ(found.at(first).key, key);
  EXPECT_TRUE(store.deposit_addresses({}).empty());
  EXPECT_EQ(refusal_of(database.anchor_url, "DELETE FROM deposit_addresses"), "42501");
}

TEST_F(AnchoringAddresses, HoldWhatTheBlocksUpToTheCursorBrought) {
  hand_out(first, 7);
  hand_out(second, 8);
  auto much = static_cast<core::Int128>(1) << 100;
  store.save_cursor({41, {}}, {{{{first, {1}}, 5}, {{second, {1}}, much}, {{first, {2}}, 3}}, 10});
  store.save_cursor({42, {}}, {{{{first, {1}}, 4}, {{first, {2}}, -8}}, 1});
  auto totals = store.address_totals();
  EXPECT_TRUE(totals.amounts[{1}] == much + 9);
  EXPECT_TRUE(totals.amounts[{2}] == -5);
  EXPECT_EQ(totals.fees_sun, 11);
  auto holdings = store.holdings({1}, 9, 10);
  ASSERT_EQ(holdings.size(), 2u);
  EXPECT_EQ(holdings[0].address, second);
  EXPECT_EQ(holdings[1].account, 7u);
  EXPECT_TRUE(holdings[1].amount == 9);
  EXPECT_EQ(store.holdings({1}, 10, 10).size(), 1u);
  EXPECT_EQ(store.holdings({1}, 0, 1).size(), 1u);
  EXPECT_TRUE(store.holdings({2}, 0, 10).empty());
}

TEST_F(AnchoringAddresses, CountNothingWhereTheCursorIsNotSaved) {
  hand_out(first, 7);
  // The second change is to an address that nobody was told.
  EXPECT_THROW(store.save_cursor({41, {}}, {{{{first, {1}}, 5}, {{third, {1}}, 5}}, 10}), DatabaseError);
  EXPECT_FALSE(store.cursor());
  EXPECT_TRUE(store.address_totals().amounts.empty());
  lose_lease();
  EXPECT_THROW(store.save_cursor({41, {}}, {{{{first, {1}}, 5}}, 10}), Fenced);
  EXPECT_TRUE(store.address_totals().amounts.empty());
}

TEST_F(AnchoringAddresses, AreSweptByOneTransactionAtATime) {
  hand_out(first, 7);
  Sweep sweep = some_sweep(first, 'a');
  store.add_sweep(sweep);
  EXPECT_EQ(store.open_sweeps(), std::vector<Sweep>{sweep});
  EXPECT_THROW(store.add_sweep(some_sweep(first, 'b')), DatabaseError);
  sweep.state = PaymentState::included;
  sweep.block = 44;
  store.save_sweep(sweep);
  EXPECT_EQ(store.open_sweeps(), std::vector<Sweep>{sweep});
  sweep.state = PaymentState::landed;
  store.save_sweep(sweep);
  EXPECT_TRUE(store.open_sweeps().empty());
  store.add_sweep(some_sweep(first, 'b'));
  EXPECT_EQ(refusal_of(database.anchor_url, "UPDATE sweeps SET amount = 1"), "42501");
}

TEST_F(AnchoringStore, RemembersWhatTheOperatorSaid) {
  EXPECT_EQ(store.controls(), Controls());
  auto say = [&](std::vector<std::string> words) { return run_admin_command(words, database.anchor_url); };
  EXPECT_EQ(say({"pause", "anchors"}), 0);
  EXPECT_EQ(store.controls(), (Controls{.anchors_paused = true}));
  EXPECT_EQ(say({"set-fee-ceiling", "1500000"}), 0);
  EXPECT_EQ(say({"drain"}), 0);
  Controls said{.anchors_paused = true,
                .withdrawals_paused = true,
                .stop_when_idle = true,
                .fee_ceiling_sun = 1'500'000};
  EXPECT_EQ(store.controls(), said);
  store.save_stopped();
  said.deposits_paused = true;
  said.stop_when_idle = false;
  EXPECT_EQ(store.controls(), said) << "the pauses stay";
  EXPECT_EQ(say({"resume", "anchors"}), 0);
  EXPECT_EQ(say({"resume", "withdrawals"}), 0);
  EXPECT_EQ(say({"set-fee-ceiling", "default"}), 0);
  EXPECT_EQ(say({"status"}), 0);
  EXPECT_EQ(store.controls(), (Controls{.deposits_paused = true}));
}

Payment some_payment(std::uint64_t withdrawal, int attempt) {
  Payment payment{.withdrawal = {withdrawal}, .attempt = attempt, .asset = core::AssetId{1}};
  payment.amount = (static_cast<core::ChainAmount>(1) << 90) + 7;
  payment.destination.bytes[0] = 0x41;
  payment.transaction =
      std::string("\x0a\x00 bytes", 8) + std::to_string(withdrawal) + std::to_string(attempt);
  payment.transaction_id = hash_of(payment.transaction);
  payment.expiration_ms = 1'790'000'060'000;
  payment.reference_block = 41;
  payment.signed_us = 1'790'000'000'000'000 + attempt;
  return payment;
}

TEST_F(AnchoringStore, RemembersPaymentsUntilTheyAreSettled) {
  EXPECT_FALSE(store.newest_payment({5}));
  Payment payment = some_payment(5, 1);
  store.add_payment(payment);
  EXPECT_EQ(store.newest_payment({5}), payment);
  EXPECT_EQ(store.open_payments(), std::vector<Payment>{payment});
  for (auto state : {PaymentState::broadcast, PaymentState::included, PaymentState::landed}) {
    payment.state = state;
    payment.block = state == PaymentState::broadcast ? 0 : 44;
    payment.fee_sun = state == PaymentState::landed ? 345'000 : 0;
    store.save_payment(payment);
    EXPECT_EQ(store.newest_payment({5}), payment);
  }
  payment.settlement = std::string("\0envelope", 9);
  payment.settled = true;
  store.save_payment(payment);
  EXPECT_EQ(store.newest_payment({5}), payment);
  EXPECT_TRUE(store.open_payments().empty());
  EXPECT_EQ(store.paid_since(payment.signed_us)[core::AssetId{1}], payment.amount);
  EXPECT_TRUE(store.paid_since(payment.signed_us + 1).empty());
}

// Two that could both land would pay twice.
TEST_F(AnchoringStore, KeepsOnePaymentOfAWithdrawalThatMayLand) {
  Payment first = some_payment(6, 1);
  store.add_payment(first);
  for (auto state : {PaymentState::signed_, PaymentState::broadcast, PaymentState::included}) {
    first.state = state;
    first.block = state == PaymentState::included ? 44 : 0;
    store.save_payment(first);
    EXPECT_THROW(store.add_payment(some_payment(6, 2)), DatabaseError);
  }
  first.state = PaymentState::expired;
  first.block = 0;
  store.save_payment(first);
  Payment second = some_payment(6, 2);
  store.add_payment(second);
  EXPECT_EQ(store.open_payments(), std::vector<Payment>{second}) << "the first is done with";
  EXPECT_EQ(store.paid_since(0)[core::AssetId{1}], second.amount);
  EXPECT_EQ(store.signed_since(0)[core::AssetId{1}], first.amount + second.amount);
  EXPECT_TRUE(store.signed_since(second.signed_us + 1).empty());
  second.state = PaymentState::landed;
  second.block = 50;
  store.save_payment(second);
  EXPECT_THROW(store.add_payment(some_payment(6, 3)), DatabaseError);
}

TEST_F(AnchoringStore, NeverChangesASignedPayment) {
  store.add_payment(some_payment(7, 1));
  EXPECT_NE(refusal_of(database.anchor_url, "UPDATE payments SET transaction = 'other'"), "allowed");
  EXPECT_NE(refusal_of(database.anchor_url, "UPDATE payments SET amount = amount + 1"), "allowed");
  EXPECT_NE(refusal_of(database.anchor_url, "DELETE FROM payments"), "allowed");
  EXPECT_NE(refusal_of(database.server_url, "UPDATE payments SET settled = true"), "allowed");
}

TEST_F(AnchoringStore, LetsNobodyPayWithoutTheLease) {
  Payment payment = some_payment(8, 1);
  lose_lease();
  EXPECT_THROW(store.add_payment(payment), Fenced);
  EXPECT_THROW(store.publish_terms({{core::AssetId{1}, {}, 1}}), Fenced);
  EXPECT_FALSE(store.newest_payment({8}));
}

TEST_F(AnchoringStore, PublishesTheTermsOfAllAssetsAtOnce) {
  store.publish_terms({{core::AssetId{1}, {}, 1}, {core::AssetId{2}, {}, 1}});
  journal::Connection owner(database.owner_url, 10'000);
  constexpr journal::Statement written{
      "written", "SELECT count(*), count(DISTINCT xmin::text) AS transactions FROM gateway_terms"};
  auto rows = owner.run(written);
  EXPECT_EQ(rows.bigint(0, 0), 2);
  EXPECT_EQ(rows.bigint(0, 1), 1);
}

TEST_F(AnchoringStore, TakesNoWordsThatAreNoCommand) {
  for (std::vector<std::string> words : {std::vector<std::string>{"pause"},
                                         {"pause", "everything"},
                                         {"stop"},
                                         {"set-fee-ceiling", "-1"},
                                         {"set-fee-ceiling", "1x"},
                                         {"set-fee-ceiling"},
                                         {"drain", "now"},
                                         {"status", "anchors"}})
    EXPECT_EQ(run_admin_command(words, database.anchor_url), 2) << words[0];
  EXPECT_EQ(store.controls(), Controls());
}

TEST(AdminCommand, IsWhatIsNeitherAFlagNorTheConfiguration) {
  std::vector<const char*> arguments{"windlass-anchor", "--config",          "file",
                                     "pause",           "--log.level=debug", "anchors"};
  auto words = take_command(arguments);
  EXPECT_THAT(words, ::testing::ElementsAre("pause", "anchors"));
  EXPECT_THAT(arguments,
              ::testing::ElementsAre(::testing::StrEq("windlass-anchor"), ::testing::StrEq("--config"),
                                     ::testing::StrEq("file"), ::testing::StrEq("--log.level=debug")));
}

// --- one process at a time

TEST_F(AnchoringStore, GivesTheLeaseToOneSessionAndThenToTheNext) {
  PostgresStore second(database.anchor_url);
  EXPECT_FALSE(second.acquire());
  EXPECT_THROW(second.save_cursor({1, {}}, {}), Fenced);
  store = PostgresStore(database.anchor_url);  // the first session ends
  // Its backend may take a moment to notice.
  bool acquired = false;
  for (int tries = 0; tries < 1000 && !acquired; ++tries) acquired = second.acquire();
  EXPECT_TRUE(acquired);
  second.save_cursor({1, {}}, {});
}

TEST_F(AnchoringStore, SavesNothingOnceItsEpochHasPassed) {
  Anchor anchor = added(sealed_anchor());
  lose_lease();
  EXPECT_THROW(store.save_anchor(signed_anchor(anchor)), Fenced);
  EXPECT_THROW(store.save_cursor({1, {}}, {}), Fenced);
  EXPECT_THROW(store.save_deposit(some_deposit()), Fenced);
  EXPECT_THROW(store.save_stopped(), Fenced);
  EXPECT_EQ(store.open_anchor(), anchor);
  EXPECT_FALSE(store.cursor());
  EXPECT_FALSE(store.deposit(some_deposit().transaction_id, 0));
}

// A write that passed its check is over before a takeover is.
TEST_F(AnchoringStore, MakesATakeoverWaitForAWriteUnderWay) {
  journal::Connection writer(database.anchor_url, 10'000), rival(database.anchor_url, 200);
  writer.begin();
  writer.script("SELECT 1 FROM anchoring_lease WHERE epoch = 1 FOR SHARE");
  EXPECT_THROW(rival.script("UPDATE anchoring_lease SET epoch = epoch + 1"), DatabaseError);  // timed out
  writer.commit();
  rival.script("UPDATE anchoring_lease SET epoch = epoch + 1");
}

TEST_F(AnchoringStore, KeepsEachRoleToItsOwnTables) {
  constexpr auto denied = "42501";
  for (const char* sql :
       {"DELETE FROM anchors", "TRUNCATE deposits", "DELETE FROM scanner", "DROP TABLE anchors",
        "INSERT INTO anchoring_lease (epoch) VALUES (1)", "DELETE FROM anchoring_control"})
    EXPECT_EQ(refusal_of(database.anchor_url, sql), denied) << sql;
  for (const char* sql : {"UPDATE anchors SET size = 1", "INSERT INTO scanner VALUES (1, 1, '', 1)",
                          "UPDATE deposits SET amount = 1", "UPDATE anchoring_lease SET epoch = 1",
                          "UPDATE anchoring_control SET anchors_paused = true"})
    EXPECT_EQ(refusal_of(database.server_url, sql), denied) << sql;
  EXPECT_EQ(refusal_of(database.server_url, "SELECT * FROM anchors, deposits"), "allowed");
}

ExchangeDeposit some_exchange_deposit() {
  ExchangeDeposit deposit{.user = SecretKey::generate().public_key(), .out_tx_id = -7, .amount = 10'000'000};
  deposit.raw_data = std::string("\0raw", 4);
  deposit.transaction_id = hash_of("exchange deposit");
  deposit.expiration_ms = 99;
  deposit.reference_block = 12;
  deposit.prepared_us = 1'790'000'000'000'000;
  return deposit;
}

TEST_F(AnchoringStore, ExchangeDepositsComeBackAndTheirTransactionNeverChanges) {
  auto deposit = some_exchange_deposit();
  deposit.id = store.add_exchange_deposit(deposit);
  EXPECT_EQ(deposit.id, deposit.prepared_us);
  EXPECT_EQ(store.exchange_deposit(deposit.id), deposit);
  EXPECT_EQ(store.exchange_deposit(deposit.user, -7), deposit);
  EXPECT_FALSE(store.exchange_deposit(deposit.user, 7));
  EXPECT_THROW(store.add_exchange_deposit(deposit), DatabaseError) << "of a user a number names one";
  deposit.state = ExchangeDepositState::signed_;
  deposit.signature = std::string("\0signature", 10);
  store.save_exchange_deposit(deposit);
  EXPECT_THAT(store.open_exchange_deposits(), ::testing::ElementsAre(deposit));
  store.drop_exchange_deposit(deposit.id);
  EXPECT_TRUE(store.exchange_deposit(deposit.id)) << "what may have been sent is kept";
  deposit.state = ExchangeDepositState::landed;
  deposit.block = 77;
  store.save_exchange_deposit(deposit);
  EXPECT_EQ(store.exchange_deposit(deposit.id), deposit);
  EXPECT_TRUE(store.open_exchange_deposits().empty());
  auto revived = deposit;
  revived.state = ExchangeDepositState::expired;
  EXPECT_THROW(store.save_exchange_deposit(revived), DatabaseError);
  EXPECT_NE(refusal_of(database.anchor_url, "UPDATE exchange_deposits SET raw_data = 'x'"), "allowed");

  auto next = some_exchange_deposit();
  next.transaction_id = hash_of("another");
  next.id = store.add_exchange_deposit(next);
  EXPECT_EQ(next.id, deposit.id + 1) << "though the clock stands still";
  store.drop_exchange_deposit(next.id);
  EXPECT_FALSE(store.exchange_deposit(next.id));
}

TEST_F(AnchoringStore, AnExchangeWithdrawalAndItsChannelBelongToEachOtherAlone) {
  ExchangeWithdrawal withdrawal{
      .user = SecretKey::generate().public_key(), .out_tx_id = 5, .amount = 1, .prepared_us = 9};
  auto deposit = some_exchange_deposit();
  deposit.id = store.add_exchange_deposit(deposit);
  withdrawal.id = store.add_exchange_withdrawal(withdrawal);
  EXPECT_EQ(withdrawal.id, deposit.id + 1) << "one row of ids for both";
  EXPECT_EQ(store.exchange_withdrawal(withdrawal.id), withdrawal);
  EXPECT_EQ(store.exchange_withdrawal(withdrawal.user, 5), withdrawal);
  EXPECT_THAT(store.open_exchange_withdrawals(), ::testing::ElementsAre(withdrawal));
  auto unused = withdrawal;
  unused.out_tx_id = 6;
  unused.id = store.add_exchange_withdrawal(unused);
  withdrawal.channel = core::ChannelId{44};
  store.save_exchange_withdrawal(withdrawal);
  EXPECT_EQ(store.exchange_withdrawal(core::ChannelId{44}), withdrawal);
  EXPECT_FALSE(store.exchange_withdrawal(core::ChannelId{45}));
  unused.channel = withdrawal.channel;
  EXPECT_THROW(store.save_exchange_withdrawal(unused), DatabaseError);
  EXPECT_NE(
      refusal_of(database.anchor_url, "UPDATE exchange_withdrawals SET channel = 45 WHERE channel = 44"),
      "allowed");
  store.drop_exchange_withdrawal(unused.id);
  store.drop_exchange_withdrawal(withdrawal.id);
  EXPECT_FALSE(store.exchange_withdrawal(unused.id));
  EXPECT_TRUE(store.exchange_withdrawal(withdrawal.id)) << "one that has a channel is kept";
  lose_lease();
  EXPECT_THROW(store.drop_exchange_withdrawal(withdrawal.id), Fenced);
  EXPECT_THROW(store.add_exchange_deposit(some_exchange_deposit()), Fenced);
}

// The whole process over Postgres: killed at every place where it could matter, one after the other.
TEST_F(AnchoringStore, AnchorsAndCreditsOnceThoughTheProcessIsKilledAgainAndAgain) {
  store = PostgresStore(database.anchor_url);
  test::World world([&] {
    std::unique_ptr<Store> made;
    do made = std::make_unique<PostgresStore>(database.anchor_url);
    while (!made->acquire());  // until the killed one's session is gone
    return made;
  });
  world.scans = true;
  SecretKey owner = SecretKey::generate();
  for (int nth = 1; nth <= 12; ++nth) {
    world.clock.advance(world.worker_options.interval_ms / 4);
    world.ledger.add_entry();
    world.deposit(10, "1002000", to_hex(owner.public_key()));
    world.crashes.arm(nth);
    world.tick_blocks(30);
  }
  world.crashes.disarm();
  world.clock.advance(world.worker_options.interval_ms);
  world.tick_blocks(60);
  EXPECT_THAT(world.problems, ::testing::IsEmpty());
  EXPECT_EQ(world.ledger.available(owner.public_key(), test::btt), 120);
  EXPECT_EQ(world.ledger.count(core::Kind::credit), 12u);
  auto memos = world.landed_memos();
  EXPECT_EQ(std::set<std::string>(memos.begin(), memos.end()).size(), memos.size());
  EXPECT_FALSE(store.open_anchor());
  EXPECT_EQ(store.newest_solidified()->size, world.ledger.size());
  EXPECT_EQ(store.newest_solidified()->id, static_cast<std::int64_t>(memos.size()));
}

}  // namespace
}  // namespace windlass::anchoring
