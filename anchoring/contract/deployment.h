// Transactions that set anchoring up, each once in a ledger's life: the anchor contract's creation, and the
// permission that lets a key call contracts for an account and nothing else.
#pragma once

#include <functional>

#include "anchoring/tron/transaction.h"

namespace windlass::tron {

// A signed transaction that was not sent yet, and what it will cost.
struct Prepared {
  SignedTransaction transaction;
  std::int64_t energy = 0, bandwidth = 0;
  std::int64_t fee_limit_sun = 0;
  std::int64_t cost_sun = 0;     // with nothing staked and no free bandwidth
  std::int64_t balance_sun = 0;  // of the account that pays
};

// The creation of the anchor contract by `key`, whose address will own it.
tl::expected<Prepared, std::string> prepare_anchor_contract(Chain& chain, const SecretKey& key,
                                                            std::int64_t now_ms);
// Makes `caller` the one key of the account's active permission 2, limited to calls of contracts; the
// account's own key, which signs it, stays its owner's.
tl::expected<Prepared, std::string> prepare_caller_permission(Chain& chain, const SecretKey& owner,
                                                              const Address& caller, std::int64_t now_ms);

// Sends it, the same bytes again and again, until a solidified block holds it: then what became of it. Fails
// when it failed in its block, or can no longer land in one. `wait` passes the time between two looks; false:
// give up.
tl::expected<Execution, std::string> send_until_solid(Chain& chain, const SignedTransaction& transaction,
                                                      const std::function<bool()>& wait);

}  // namespace windlass::tron
