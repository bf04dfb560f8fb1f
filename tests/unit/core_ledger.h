// A small ledger for tests of single rules: named keys, one asset or two, a clock that stands still, nonces
// that count up. After every test the whole state must keep the invariants, and every refusal must have left
// it as it was.
#pragma once

#include <gtest/gtest.h>

#include <map>

#include "ledger/core/apply.h"
#include "ledger/core/invariants.h"
#include "ledger/core/limits.h"

namespace windlass::core {

constexpr Amount max_amount = std::numeric_limits<Amount>::max();
constexpr AssetId coin{1};      // one unit of the chain is one of the ledger
constexpr AssetId thousand{2};  // a thousand are
constexpr std::uint32_t tron = 1;

inline Key key_of(std::uint64_t n) {
  std::string bytes(25, '\x02');
  append_be(bytes, n);
  return *to_array<33>(bytes);
}

// All that a state holds, for comparing.
struct Contents {
  Globals globals;
  std::map<Key, KeyEntry> keys;
  std::map<AccountNumber, Account> accounts;
  std::map<ChannelId, Channel> channels;
  std::map<Hash, BtfsUse> btfs_uses;
  bool operator==(const Contents&) const = default;

  explicit Contents(const State& state) : globals(state.globals) {
    state.keys.for_each([this](const Key& key, const KeyEntry& entry) { keys[key] = entry; });
    state.accounts.for_each([this](AccountNumber n, const Account& account) { accounts[n] = account; });
    state.channels.for_each([this](ChannelId id, const Channel& channel) { channels[id] = channel; });
    state.btfs_uses.for_each([this](const Hash& id, const BtfsUse& use) { btfs_uses[id] = use; });
  }
};

inline Asset make_asset(AssetId number, std::string symbol, std::uint64_t chain_units = 1) {
  return {.number = number,
          .symbol = std::move(symbol),
          .chain = tron,
          .token = std::to_string(number.value),
          .decimals = 6,
          .chain_units = chain_units};
}

class CoreLedger : public testing::Test {
 protected:
  const Key operator_key = key_of(1), gateway = key_of(2), alice = key_of(3), bob = key_of(4),
            carol = key_of(5), stranger = key_of(99);
  static constexpr TimeUs start_us = 1'700'000'000 * second_us;

  CoreLedger() {
    Genesis genesis{.operator_key = operator_key, .roles = {{gateway, role_gateway}}};
    genesis.assets = {make_asset(coin, "COIN"), make_asset(thousand, "THOUSAND", 1000)};
    EXPECT_TRUE(write(genesis).accepted());
  }

  void TearDown() override {
    auto fault = check_whole(state);
    EXPECT_FALSE(fault) << *fault;
  }

  // `body` in a good command of `signer`.
  Command command(const Key& signer, Body body) {
    return {.signer = signer, .nonce = next_nonce++, .expires_us = now_us + hour_us, .body = std::move(body)};
  }
  Outcome submit(const Command& one) {
    Contents before(state);
    Outcome outcome = apply(state, one, now_us);
    if (outcome.accepted()) {
      auto fault = chains.check(outcome.sequence, outcome.postings);
      EXPECT_FALSE(fault) << *fault;
    } else {
      EXPECT_TRUE(Contents(state) == before) << "what was not accepted changed the state";
      EXPECT_TRUE(outcome.postings.empty());
    }
    return outcome;
  }
  Outcome submit(const Key& signer, Body body) { return submit(command(signer, std::move(body))); }
  Outcome write(Body body) { return submit(Command{.body = std::move(body)}); }  // by the ledger itself

  Outcome credit(const Key& owner, ChainAmount amount, AssetId asset = coin) {
    return submit(gateway,
                  Credit{.asset = asset, .amount = amount, .owner = owner, .chain = tron, .at = {++block}});
  }
  Outcome transfer(const Key& from, const Key& to, Amount amount, AssetId asset = coin) {
    return submit(from, Transfer{asset, to, amount});
  }
  OpenChannel channel_to(const Key& recipient, Amount amount) const {
    return {.asset = coin,
            .recipient = recipient,
            .amount = amount,
            .expires_us = now_us + day_us,
            .receipt_key = alice};
  }
  // Of alice's, to bob, with her own key for receipts.
  ChannelId open_channel(Amount amount) {
    Outcome outcome = submit(alice, channel_to(bob, amount));
    EXPECT_TRUE(outcome.accepted());
    return ChannelId{outcome.sequence.value};
  }
  Outcome receipt(ChannelId channel, Amount cumulative) { return submit_receipt(channel, cumulative, alice); }
  Outcome submit_receipt(ChannelId channel, Amount cumulative, const Key& signer) {
    return submit(Command{.signer = signer, .body = Receipt{channel, cumulative}});
  }
  void set_minimums(Amount first_credit, Amount channel) {
    Asset asset = *state.asset(coin);
    asset.minimum_first_credit = first_credit;
    asset.minimum_channel = channel;
    EXPECT_TRUE(submit(operator_key, SetAsset{asset}).accepted());
  }

  const Account& account(const Key& key) const { return state.account(state.key_entry(key)->account); }
  Balance balance(const Key& key, AssetId asset = coin) const { return account(key).balance(asset); }
  const Channel& channel(ChannelId id) const { return *state.channels.find(id); }
  const AssetTotals& totals(AssetId asset = coin) const { return state.globals.totals[asset.value - 1]; }
  AccountPosting posting(const Key& key, AssetId asset, Sequence previous) const {
    return {account(key).number, balance(key, asset), previous};
  }

  State state{true};
  ChainChecker chains;
  TimeUs now_us = start_us;
  std::uint64_t next_nonce = 1'000;
  std::uint64_t block = 0;
};

inline testing::AssertionResult refused(const Outcome& outcome, Error error) {
  if (outcome.verdict == Outcome::Verdict::refused && outcome.error == error)
    return testing::AssertionSuccess();
  return testing::AssertionFailure() << "verdict " << static_cast<int>(outcome.verdict) << ", error "
                                     << info(outcome.error).reason << ", not " << info(error).reason;
}

inline std::int64_t detail(const Outcome& outcome, std::string_view name) {
  for (const auto& one : outcome.details)
    if (one.name == name) return one.value;
  ADD_FAILURE() << "no detail " << name;
  return 0;
}

}  // namespace windlass::core
