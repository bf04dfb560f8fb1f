#include "anchoring/contract/deployment.h"

#include "anchoring/contract/anchor_contract.h"

namespace windlass::tron {
namespace {

using tl::unexpected;

// From the chain's head; long enough for a slow network, since nobody signs it again meanwhile.
constexpr std::int64_t expiration_ahead_ms = 10 * 60 * 1000;
// A creation's energy is known beforehand to the unit; the price of energy may be voted up meanwhile.
constexpr std::int64_t headroom_percent = 30;
// Looks between two broadcasts of the same bytes.
constexpr int looks_per_broadcast = 10;
constexpr std::string_view contract_name = "WindlassAnchor", permission_name = "anchor";

struct Terms {
  TransactionFrame frame;
  ChainParameters parameters;
  std::int64_t balance_sun = 0;

  std::int64_t price(std::string_view name) const { return parameter(parameters, name).value_or(0); }
};

tl::expected<Terms, std::string> terms_for(Chain& chain, const Address& payer, std::int64_t now_ms) {
  auto head = chain.head();
  if (!head) return unexpected(head.error().message);
  auto reference = chain.solidified_head();
  if (!reference) return unexpected(reference.error().message);
  auto parameters = chain.parameters();
  if (!parameters) return unexpected(parameters.error().message);
  auto account = chain.account(payer);
  if (!account) return unexpected(account.error().message);
  if (!account->exists)
    return unexpected(to_base58(payer) + " does not exist on the chain: send it TRX first");
  // A chain that has just begun has no time of its own yet.
  std::int64_t chain_ms = head->timestamp_ms > 0 ? head->timestamp_ms : now_ms;
  return Terms{{*reference, now_ms, chain_ms + expiration_ahead_ms}, *parameters, account->balance_sun};
}

tl::expected<Prepared, std::string> affordable(Prepared prepared, const Address& payer) {
  if (prepared.cost_sun <= prepared.balance_sun) return prepared;
  return unexpected(to_base58(payer) + " has " + std::to_string(prepared.balance_sun) +
                    " sun, but this costs " + std::to_string(prepared.cost_sun));
}

}  // namespace

tl::expected<Prepared, std::string> prepare_anchor_contract(Chain& chain, const SecretKey& key,
                                                            std::int64_t now_ms) {
  Address owner = address_of(key.public_key());
  auto terms = terms_for(chain, owner, now_ms);
  if (!terms) return unexpected(terms.error());
  auto tried = chain.call_constant({owner, Address{}, anchor_contract::creation_code()});
  if (!tried) return unexpected(tried.error().message);
  if (!tried->succeeded) return unexpected("the node would not create the contract: " + tried->message);

  Prepared prepared{.energy = tried->energy, .balance_sun = terms->balance_sun};
  std::int64_t energy_sun = tried->energy * terms->price("getEnergyFee");
  prepared.fee_limit_sun = energy_sun + energy_sun * headroom_percent / 100;
  terms->frame.fee_limit_sun = prepared.fee_limit_sun;
  ContractCreation creation{owner, anchor_contract::creation_code(), std::string(contract_name), {}};
  prepared.transaction = sign_creation(creation, terms->frame, key);
  prepared.bandwidth = bandwidth_of(prepared.transaction.bytes);
  prepared.cost_sun = energy_sun + prepared.bandwidth * terms->price("getTransactionFee");
  return affordable(std::move(prepared), owner);
}

tl::expected<Prepared, std::string> prepare_caller_permission(Chain& chain, const SecretKey& owner,
                                                              const Address& caller, std::int64_t now_ms) {
  Address account = address_of(owner.public_key());
  auto terms = terms_for(chain, account, now_ms);
  if (!terms) return unexpected(terms.error());
  PermissionUpdate update{account,   {{account}}, std::string(permission_name), 1, {trigger_contract_type},
                          {{caller}}};
  Prepared prepared{.balance_sun = terms->balance_sun};
  prepared.transaction = sign_permission_update(update, terms->frame, owner);
  prepared.bandwidth = bandwidth_of(prepared.transaction.bytes);
  prepared.cost_sun =
      terms->price("getUpdateAccountPermissionFee") + prepared.bandwidth * terms->price("getTransactionFee");
  return affordable(std::move(prepared), account);
}

tl::expected<Execution, std::string> send_until_solid(Chain& chain, const SignedTransaction& transaction,
                                                      const std::function<bool()>& wait) {
  std::string said = "nothing yet", txid = to_hex(transaction.txid);
  for (int look = 0;; ++look) {
    auto solid = chain.solidified_head();
    auto execution = chain.execution(transaction.txid, true);
    if (execution && *execution) {
      const Execution& done = **execution;
      bool failed = done.contract && done.result != contract_success;
      if (failed) return unexpected("transaction " + txid + " failed in its block: " + done.message);
      return done;
    }
    // Solidified blocks have passed the last in which it may land, and the look after that did not find it.
    if (solid && execution && solid->timestamp_ms >= transaction.expiration_ms)
      return unexpected("transaction " + txid +
                        " did not land, and no longer can; the node had answered: " + said);
    if (look % looks_per_broadcast == 0) {
      auto answer = chain.broadcast(transaction.bytes);
      said = answer ? "code " + std::to_string(answer->code) + " " + answer->message : answer.error().message;
    }
    if (!wait())
      return unexpected("stopped waiting for transaction " + txid + "; the node answered: " + said);
  }
}

}  // namespace windlass::tron
