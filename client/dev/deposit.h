// Deposits on the development chain: the key in the memo, then waiting until the gateway has credited it.
#pragma once

#include "client/amounts.h"
#include "client/dev/faucet.h"
#include "ledger/core/types.h"

namespace windlass::dev {

struct DepositWanted {
  core::Key key{};
  client::AssetAmount amount;
};
struct DepositMade {
  std::uint64_t sequence = 0;  // of the credit
  Hash transaction_id{};
};

// How long a transaction may take to land in a block, and a deposit to be credited: as many blocks as it
// takes, with room for a machine that is busy.
std::chrono::milliseconds landing_patience(const Settings& settings);
std::chrono::milliseconds credit_patience(const Settings& settings);

// Sends one deposit out of `wallet`; refused beforehand where it would be nobody's.
client::Result<Hash> send_deposit(client::Connection& ledger, const Settings& settings, Wallet& wallet,
                                  const DepositWanted& wanted);
// Waits for the credit of `wanted` in the account's history, at or after entry `since`.
client::Result<std::uint64_t> wait_for_credit(client::Connection& ledger, const DepositWanted& wanted,
                                              std::uint64_t since, std::chrono::milliseconds patience);

// Both, for several at once: in their order.
client::Result<std::vector<DepositMade>> deposit(client::Connection& ledger, const Settings& settings,
                                                 tron::Chain& chain, Wallet& wallet,
                                                 const std::vector<DepositWanted>& wanted);

}  // namespace windlass::dev
