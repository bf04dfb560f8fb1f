// What stands on deposit addresses comes to custody: on a devchain in virtual time.
#include "anchoring/gateway/custody.h"
#include "anchoring/tron/trc20.h"
#include "tests/unit/anchoring_world.h"

namespace windlass::test {
namespace {

using anchoring::PaymentState;

class Sweeping : public ::testing::Test {
 protected:
  Sweeping() {
    world.scans = world.sweeps = true;
    // Not to custody: its TRX is to be what is owed.
    world.worker_options.to = tron::address_of(world.payer.public_key());
    world.start();
    world.deposit(1'000'000'000, "", to_hex(world.ledger.gateway_key.public_key()));
    world.deposit(1'000, "1002000", to_hex(owner.public_key()));
    EXPECT_TRUE(world.tick_until([&] { return held(btt) == 1'000; }));
    address = world.hand_out(owner.public_key());
  }
  void pay(std::int64_t amount, std::string token = {}) {
    world.pay(world.payer, address, amount, std::move(token));
  }
  void pay_token(core::ChainAmount amount) {
    world.call(world.payer, btt20_token, tron::trc20::transfer_call(address, amount));
  }
  core::Amount held(std::uint32_t asset) const { return world.ledger.available(owner.public_key(), asset); }
  core::Int128 stands(std::uint32_t asset) const {
    auto found = world.tables.holdings.find({address, {asset}});
    return found == world.tables.holdings.end() ? 0 : found->second;
  }
  // All is credited and swept, and the books are whole.
  void settle() {
    EXPECT_TRUE(world.tick_until([&] { return is_settled(); })) << world.last_problem();
    EXPECT_EQ(surplus("BTT"), 0);
    EXPECT_EQ(surplus("BTT20"), 0);
    EXPECT_EQ(surplus("TRX"), 1'000'000) << "what custody began with";
    check_holdings();
  }
  bool is_settled() {
    return world.chain.pool_size() == 0 && world.store->open_sweeps().empty() && booked() == spent() &&
           world.tables.cursor && world.tables.cursor->number == world.chain.solidified() &&
           world.chain.head().ref.number > last_news() + solid_after;
  }
  std::int64_t last_news() {
    std::int64_t last = 0;
    for (std::int64_t number = 1; number <= world.chain.head().ref.number; ++number)
      if (!world.chain.block(number)->receipts.empty()) last = number;
    return last;
  }
  core::Int128 surplus(std::string_view symbol) {
    auto all = anchoring::reconcile(world.network, world.ledger, *world.store, world.parties());
    for (const auto& one : all.value().value())
      if (one.symbol == symbol) return one.chain_units;
    return -1;
  }
  // What the scan has counted is what the chain says.
  void check_holdings() {
    for (const auto& [of, amount] : world.tables.holdings) {
      const auto& asset = world.ledger.state().globals.assets[of.second.value - 1];
      EXPECT_EQ(core::Int128(*world.network.solidified_balance(of.first, asset.token)), amount)
          << asset.symbol;
    }
  }
  // Of sweeps' fees.
  std::int64_t booked() const { return static_cast<std::int64_t>(world.ledger.totals_of(trx).chain_fees); }
  std::int64_t spent() const { return world.tables.sweep_fees_sun; }
  std::size_t count(std::string_view outcome) const {
    return static_cast<std::size_t>(
        std::count(world.sweep_outcomes.begin(), world.sweep_outcomes.end(), outcome));
  }

  World world;
  SecretKey owner = SecretKey::generate();
  tron::Address address;
};

TEST_F(Sweeping, BringsTrxToCustody) {
  pay(5'000'000);
  settle();
  EXPECT_EQ(held(trx), 5'000'000);
  EXPECT_EQ(count("landed"), 1u);
  EXPECT_LT(stands(trx), 1'000'000);
}

TEST_F(Sweeping, BringsATokenOnFreeBandwidthAlone) {
  pay(500, "1002000");
  settle();
  EXPECT_EQ(held(btt), 1'500);
  EXPECT_EQ(stands(btt), 0);
  EXPECT_EQ(count("landed"), 1u) << "no TRX was needed";
}

TEST_F(Sweeping, SendsTrxForWhatATokensContractCosts) {
  pay_token(7 * btt20_unit);
  settle();
  EXPECT_EQ(held(btt20), 7);
  EXPECT_EQ(stands(btt20), 0);
  EXPECT_EQ(count("landed"), 3u) << "TRX from custody, the token to it, and the TRX that was too much";
  EXPECT_GT(spent(), 0);
}

TEST_F(Sweeping, BooksWhatItCostOnceWhateverIsForgotten) {
  auto own = [&] { return world.ledger.available(world.ledger.gateway_key.public_key(), trx); };
  auto before = own();
  pay_token(7 * btt20_unit);
  settle();
  EXPECT_GT(spent(), 0);
  EXPECT_EQ(booked(), spent());
  EXPECT_EQ(own(), before - spent());
  world.start();  // asks again what is booked
  world.tick_blocks(3);
  EXPECT_EQ(own(), before - spent());
  pay_token(7 * btt20_unit);
  settle();
  EXPECT_EQ(booked(), spent());
  EXPECT_EQ(own(), before - spent());
}

TEST_F(Sweeping, SendsTrxWhereThereIsNoFreeBandwidth) {
  world.chain.parameters().set(devchain::parameter::free_bandwidth, 0);
  pay(500, "1002000");
  settle();
  EXPECT_EQ(stands(btt), 0);
  EXPECT_EQ(count("landed"), 2u);
  EXPECT_GT(spent(), 0);
}

TEST_F(Sweeping, LeavesWhatIsNotWorthIt) {
  world.sweeper_options.minimums = {{"BTT", 100}, {"TRX", 5'000'000}};
  world.start();
  pay(99, "1002000");
  pay(4'999'999);
  settle();
  EXPECT_EQ(world.tables.sweeps.size(), 0u);
  pay(1, "1002000");
  settle();
  EXPECT_EQ(stands(btt), 0);
  EXPECT_EQ(stands(trx), 4'999'999);
}

TEST_F(Sweeping, SignsNothingThatCostsMoreThanTheCeiling) {
  world.sweeper_options.max_fee_sun = 1'000'000;
  world.start();
  pay_token(7 * btt20_unit);
  world.tick_blocks(solid_after + 5);
  EXPECT_EQ(world.tables.sweeps.size(), 0u);
  EXPECT_THAT(world.last_problem(), ::testing::HasSubstr("more than gateway.max_fee_sun"));
}

TEST_F(Sweeping, SaysWhereAnotherExtendedKeyWasUsed) {
  auto other = *ExtendedSecretKey::from_seed(view(random_array<32>()));
  world.tables.addresses.clear();
  address = tron::address_of(other.public_key().child(7)->key());
  world.tables.addresses[address] = {world.ledger.account(owner.public_key())->number, owner.public_key()};
  pay(5'000'000);
  world.tick_blocks(solid_after + 5);
  EXPECT_EQ(held(trx), 5'000'000);
  EXPECT_THAT(world.last_problem(), ::testing::HasSubstr("another extended key"));
}

TEST_F(Sweeping, RestsAfterASweepThatFailed) {
  pay_token(7 * btt20_unit);
  world.network.change_constant = [](tron::ConstantCall& call) { call.energy /= 10; };  // it runs out
  EXPECT_TRUE(world.tick_until([&] { return count("failed") == 1; })) << world.last_problem();
  world.tick_blocks(50);
  EXPECT_EQ(count("failed"), 1u);
  world.network.change_constant = nullptr;
  world.clock.advance(anchoring::failed_sweep_rest_ms);
  EXPECT_TRUE(world.tick_until([&] { return stands(btt20) == 0; }));
  settle();
  EXPECT_EQ(stands(btt20), 0);
}

TEST_F(Sweeping, SignsAnewOnlyWhatCanNeverLand) {
  world.network.swallow = tron::BroadcastAnswer{true, 0, ""};  // taken, and lost
  pay(500, "1002000");
  EXPECT_TRUE(world.tick_until([&] { return world.tables.sweeps.size() == 1; }));
  world.tick_blocks(30);
  EXPECT_EQ(world.tables.sweeps.size(), 1u) << "the first may still land";
  EXPECT_TRUE(world.tick_until([&] { return count("expired") == 1; }));
  world.network.swallow.reset();
  settle();
  EXPECT_EQ(stands(btt), 0);
}

TEST_F(Sweeping, GoesOnWhereverItCrashes) {
  for (int nth = 1; nth < 16; ++nth) {
    auto before = held(btt20);
    pay_token(static_cast<core::ChainAmount>(nth) * btt20_unit);
    pay(2'000'000);
    world.crashes.arm(nth);
    world.tick_blocks(solid_after + 4);
    world.crashes.disarm();
    settle();
    EXPECT_EQ(held(btt20), before + nth) << nth;
    EXPECT_EQ(stands(btt20), 0) << nth;
  }
}

TEST_F(Sweeping, SignsNothingWhileWithdrawalsArePaused) {
  world.tables.controls.withdrawals_paused = true;
  pay(500, "1002000");
  world.tick_blocks(solid_after + 5);
  EXPECT_EQ(held(btt), 1'500);
  EXPECT_EQ(world.tables.sweeps.size(), 0u);
}

}  // namespace
}  // namespace windlass::test
