// TRC-20 tokens on the devchain: moved, refused, paid for, undone and brought back.
#include <gtest/gtest.h>

#include "anchoring/devchain/client.h"
#include "anchoring/tron/trc20.h"
#include "tests/unit/devchain_fixture.h"

namespace windlass::devchain {
namespace {

namespace abi = tron::abi;
namespace trc20 = tron::trc20;
using abi::Uint128;
using Result = protocol::Transaction::Result;

constexpr std::int64_t trx = 1'000'000;
constexpr std::int64_t start_ms = 1'790'000'001'000;
constexpr std::int64_t slot_ms = 3000, solid_after = 3;
constexpr Uint128 supply = Uint128{1} << 100;

class DevChainToken : public testing::Test {
 protected:
  DevChainToken() { produce(); }

  static Options options() {
    Options options;
    options.solid_after = solid_after;
    return options;
  }
  std::vector<GenesisAccount> genesis() const {
    Token token{"Gold", "GLD", 18, {{address_of(owner_), supply}}, {}, 0, false};
    Token honest = token, sly = token;
    honest.fee_percent = sly.fee_percent = 10;
    sly.hides_fee = true;
    return {{address_of(owner_), 1'000 * trx, {}},
            {address_of(other_), 1'000 * trx, {}},
            {token_, 0, {}, token},
            {honest_, 0, {}, honest},
            {sly_, 0, {}, sly}};
  }
  void produce(int count = 1) {
    for (; count > 0; --count) {
      clock_.advance(slot_ms);
      chain_.produce_block();
    }
  }
  Hash send(const SecretKey& from, const tron::Address& contract, std::string data,
            std::int64_t value_sun = 0) {
    const auto& head = chain_.head().ref;
    // Equal calls differ by their time alone.
    tron::TransactionFrame frame{
        head, head.timestamp_ms + ++made_, head.timestamp_ms + 300'000, {}, 10 * trx};
    auto made = tron::sign_call({address_of(from), contract, std::move(data), value_sun}, frame, from);
    auto said = *chain_.broadcast(made.bytes);
    EXPECT_TRUE(said.result) << said.message;
    return made.txid;
  }
  tron::Execution land(const SecretKey& from, const tron::Address& contract, std::string data,
                       std::int64_t value_sun = 0) {
    Hash txid = send(from, contract, std::move(data), value_sun);
    produce();
    return **client_.execution(txid, false);
  }
  static std::string approve(const tron::Address& spender, const std::string& amount) {
    return abi::selector("approve(address,uint256)") + abi::word(spender) + amount;
  }
  static std::string transfer_from(const tron::Address& from, const tron::Address& to, Uint128 amount) {
    return abi::selector("transferFrom(address,address,uint256)") + abi::word(from) + abi::word(to) +
           abi::word(amount);
  }
  std::string ask(std::string data) {
    return client_.call_constant({address_of(other_), token_, std::move(data)})->returned;
  }
  Uint128 balance(const SecretKey& key, const tron::Address& token) {
    auto told = client_.call_constant({address_of(other_), token, trc20::balance_call(address_of(key))});
    return abi::read_amount(told->returned).value();
  }
  Uint128 balance(const SecretKey& key) { return balance(key, token_); }

  TestClock clock_{start_ms};
  SecretKey owner_ = SecretKey::generate(), other_ = SecretKey::generate(), witness_ = SecretKey::generate();
  const tron::Address token_{{0x41, 1}}, honest_{{0x41, 2}}, sly_{{0x41, 3}};
  DevChain chain_{clock_, options(), genesis(), witness_};
  DevChainClient client_{chain_};
  std::int64_t made_ = 0;
};

TEST_F(DevChainToken, MovesWhatItsHolderSendsAndLogsIt) {
  Uint128 amount = (Uint128{1} << 70) + 5;
  auto execution = land(owner_, token_, trc20::transfer_call(address_of(other_), amount));
  EXPECT_EQ(execution.result, Result::SUCCESS);
  EXPECT_EQ(execution.returned, abi::word(1));
  EXPECT_TRUE(balance(other_) == amount && balance(owner_) == supply - amount);
  ASSERT_EQ(execution.logs.size(), 1u);
  EXPECT_EQ(execution.logs[0].address, token_);
  EXPECT_EQ(trc20::read_transfer(execution.logs[0]),
            (trc20::Transfer{address_of(owner_), address_of(other_), amount}));
  std::int64_t to_nobody = execution.energy;
  std::int64_t again = land(owner_, token_, trc20::transfer_call(address_of(other_), 1)).energy;
  EXPECT_EQ(to_nobody - again, 15'000) << "a word of storage that was zero";
  EXPECT_TRUE(ask(abi::selector("totalSupply()")) == abi::word(supply));
}

TEST_F(DevChainToken, MovesToItsHolderLeaveTheBalance) {
  EXPECT_EQ(land(owner_, token_, trc20::transfer_call(address_of(owner_), supply)).result, Result::SUCCESS);
  EXPECT_TRUE(balance(owner_) == supply);
}

TEST_F(DevChainToken, SaysWhatItIs) {
  EXPECT_EQ(ask(abi::selector("decimals()")), abi::word(18));
  std::string gold = abi::word(32) + abi::word(4) + "Gold" + std::string(28, '\0');
  EXPECT_EQ(ask(abi::selector("name()")), gold);
  EXPECT_EQ(ask(abi::selector("symbol()")).substr(64, 3), "GLD");
}

TEST_F(DevChainToken, RevertsWhereFundsAreShort) {
  for (const std::string& amount : {abi::word(supply + 1), std::string(32, '\xff')}) {
    std::string call = trc20::transfer_call(address_of(other_), 0).substr(0, 36) + amount;
    auto execution = land(owner_, token_, call);
    EXPECT_EQ(execution.result, Result::REVERT);
    EXPECT_TRUE(execution.failed);
    EXPECT_TRUE(execution.logs.empty());
    EXPECT_NE(execution.returned.find("GLD: balance"), std::string::npos);
  }
  EXPECT_TRUE(balance(owner_) == supply && balance(other_) == 0);
}

TEST_F(DevChainToken, LetsASpenderMoveWhatWasAllowed) {
  auto owner = address_of(owner_), other = address_of(other_);
  std::string allowance = abi::selector("allowance(address,address)") + abi::word(owner) + abi::word(other);
  auto approval = land(owner_, token_, approve(other, abi::word(100)));
  ASSERT_EQ(approval.logs.size(), 1u);
  EXPECT_EQ(approval.logs[0].topics[0], abi::topic("Approval(address,address,uint256)"));
  EXPECT_FALSE(trc20::read_transfer(approval.logs[0]));
  EXPECT_EQ(land(other_, token_, transfer_from(owner, other, 101)).result, Result::REVERT);
  auto moved = land(other_, token_, transfer_from(owner, other, 60));
  EXPECT_EQ(trc20::read_transfer(moved.logs.at(0)), (trc20::Transfer{owner, other, 60}));
  EXPECT_EQ(ask(allowance), abi::word(40));
  EXPECT_EQ(land(other_, token_, transfer_from(owner, other, 41)).result, Result::REVERT);
  EXPECT_TRUE(balance(other_) == 60);
  // All that a word can hold: with 257 less, its two last bytes have changed.
  std::string left(32, '\xff');
  land(owner_, token_, approve(other, left));
  land(other_, token_, transfer_from(owner, other, 257));
  left[30] = left[31] = '\xfe';
  EXPECT_EQ(ask(allowance), left);
}

TEST_F(DevChainToken, TakesItsFeeAndSaysSoOrNot) {
  for (const auto& token : {honest_, sly_}) {
    auto execution = land(owner_, token, trc20::transfer_call(address_of(other_), 1'000));
    EXPECT_TRUE(balance(other_, token) == 900);
    bool hides = token == sly_;
    ASSERT_EQ(execution.logs.size(), hides ? 1u : 2u);
    EXPECT_EQ(trc20::read_transfer(execution.logs[0]),
              (trc20::Transfer{address_of(owner_), address_of(other_), hides ? 1'000u : 900u}));
    if (hides) continue;
    EXPECT_EQ(trc20::read_transfer(execution.logs[1]), (trc20::Transfer{address_of(owner_), token, 100}));
  }
}

TEST_F(DevChainToken, RevertsMalformedCalls) {
  std::string call = trc20::transfer_call(address_of(other_), 5), dirty = call;
  dirty[15] = 0x41;
  for (const std::string& data :
       {std::string(), std::string("abc"), std::string("abcd"), call.substr(0, 67), dirty})
    EXPECT_EQ(land(owner_, token_, data).result, Result::REVERT) << to_hex(data);
  EXPECT_EQ(land(owner_, token_, call, 1).result, Result::REVERT) << "it takes no TRX";
  EXPECT_TRUE(balance(other_) == 0);
}

TEST_F(DevChainToken, TryingChangesNothing) {
  tron::ContractCall call{address_of(owner_), token_, trc20::transfer_call(address_of(other_), 5)};
  auto tried = *client_.call_constant(call);
  EXPECT_TRUE(tried.succeeded);
  EXPECT_EQ(tried.logs.size(), 1u);
  EXPECT_TRUE(balance(other_) == 0);
}

TEST_F(DevChainToken, ForksUndoWhatWasMovedAndTheSolidViewLags) {
  land(owner_, token_, trc20::transfer_call(address_of(other_), 5));
  EXPECT_TRUE(balance(other_) == 5);
  protocol::TriggerSmartContract request;
  request.set_owner_address(std::string(view(address_of(other_).bytes)));
  request.set_contract_address(std::string(view(token_.bytes)));
  request.set_data(trc20::balance_call(address_of(other_)));
  EXPECT_EQ(chain_.constant_call(request, true)->returned, abi::word(0));
  chain_.fork(1);
  chain_.lose_pool();
  EXPECT_TRUE(balance(other_) == 0);
}

TEST_F(DevChainToken, ComesBackAfterARestart) {
  land(owner_, token_, trc20::transfer_call(address_of(other_), 5));
  land(other_, token_, trc20::transfer_call(address_of(owner_), 6));  // reverts
  DevChain again(clock_, options(), genesis(), witness_);
  for (std::int64_t number = 1; number <= chain_.head().ref.number; ++number) {
    auto restored = again.restore(chain_.block(number)->bytes);
    ASSERT_TRUE(restored) << restored.error();
  }
  DevChainClient client(again);
  auto told = client.call_constant({address_of(owner_), token_, trc20::balance_call(address_of(other_))});
  EXPECT_EQ(told->returned, abi::word(5));
}

}  // namespace
}  // namespace windlass::devchain
