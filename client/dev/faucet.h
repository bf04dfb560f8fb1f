// The development chain's money: pays TRX and tokens out of the genesis account, and makes deposits.
#pragma once

#include "anchoring/tron/node.h"
#include "anchoring/tron/transaction.h"
#include "client/connection.h"
#include "client/dev/settings.h"
#include "ledger/core/types.h"

namespace windlass::dev {

// An account on the chain that sends transfers, one after the other.
class Wallet {
 public:
  Wallet(tron::Chain& chain, SecretKey key);
  const tron::Address& address() const { return address_; }
  // `token` as assets name it. The transaction's id, once the node took it.
  client::Result<Hash> send(const tron::Address& to, const std::string& token, core::ChainAmount amount,
                            std::string memo = {});

 private:
  client::Result<tron::SignedTransaction> sign(const tron::Address& to, const std::string& token,
                                               core::ChainAmount amount, tron::TransactionFrame frame) const;

  tron::Chain& chain_;
  SecretKey key_;
  tron::Address address_;
  std::int64_t last_ms_ = 0;
};

// Waits until the transactions stand in a block (a solidified one), and all succeeded.
client::Result<void> wait_for(tron::Chain& chain, const std::vector<Hash>& txids, bool solid,
                              std::chrono::milliseconds patience);

tron::Node connect_node(const Settings& settings);
client::Result<SecretKey> faucet_key(const Settings& settings);

// The chain's own units of a ledger amount of that asset.
core::ChainAmount chain_amount(const client::pb::Asset& asset, std::int64_t units);

}  // namespace windlass::dev
