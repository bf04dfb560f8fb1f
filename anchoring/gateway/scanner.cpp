#include "anchoring/gateway/scanner.h"

#include <fmt/format.h>

namespace windlass::anchoring {
namespace {

using tl::unexpected;

}  // namespace

Scanner::Scanner(ScannerOptions options, SecretKey key, const Clock& clock, tron::Chain& chain,
                 LedgerClient& ledger, Store& store)
    : options_(options),
      key_(std::move(key)),
      clock_(clock),
      chain_(chain),
      ledger_(ledger),
      store_(store),
      nonces_(clock) {}

BlockPlace Scanner::first_place() const {
  return {options_.start_block - 1, {}};
}

tl::expected<Scanner::Step, std::string> Scanner::step() {
  BlockPlace place = store_.cursor().value_or(first_place());
  const BlockPlace before = place;
  AddressChanges changes;
  Step step;
  step.block = place.number;
  waits_for_.clear();
  if (store_.controls().deposits_paused) return step;
  Result<void> result;
  for (int i = 0; i < scan_blocks_per_call && step.deposits.size() < credits_per_call; ++i) {
    auto block = chain_.solidified_block(place.number + 1);
    if (!block) {
      result = unexpected(block.error().message);
    } else if (!*block) {
      break;
    } else if (place.id != tron::BlockId{} && (*block)->parent != place.id) {
      result = unexpected(
          fmt::format("solidified block {} does not join on to {}, which was solidified before: the node "
                      "is of another chain or was rewound; no deposit is credited until it joins on",
                      (*block)->ref.number, to_hex(place.id)));
    } else {
      auto scanned = scan(**block, step);
      if (scanned) {
        place = {(*block)->ref.number, (*block)->ref.id};
        changes.add(*scanned);
      } else {
        result = unexpected(scanned.error());
      }
    }
    if (!result) break;
  }
  step.advanced = place != before;
  step.block = place.number;
  if (step.advanced) store_.save_cursor(place, changes);
  if (!result && !step.advanced) return unexpected(result.error());
  return step;  // an error after some progress comes back at the next step
}

tl::expected<AddressChanges, std::string> Scanner::scan(const tron::Block& block, Step& step) {
  if (meet_)
    if (auto met = meet_(block); !met) return unexpected(met.error());
  auto findings = look_into(block);
  if (!findings) return unexpected(findings.error());
  auto found = arrivals(block, findings->executions, findings->parties);
  if (found.empty() && findings->addresses.empty()) return {};
  auto assets = ledger_.assets();
  if (!assets) return unexpected(assets.error().message);
  for (const auto& arrival : found) {
    const core::Asset* asset = asset_of(*assets, arrival.token);
    if (!asset) {
      step.deposits.push_back({"other", "ignored"});
      continue;
    }
    if (auto credited = credit(block, arrival, *asset, *findings, step); !credited)
      return unexpected(credited.error());
  }
  return address_changes(block, findings->executions, findings->parties, *assets);
}

tl::expected<Scanner::Findings, std::string> Scanner::look_into(const tron::Block& block) {
  auto executions = executions_of(chain_, block);
  if (!executions) return unexpected(executions.error());
  Findings findings{*std::move(executions), {}, options_.parties};
  findings.addresses = store_.deposit_addresses(addresses_in(block, findings.executions));
  for (const auto& [address, of] : findings.addresses) findings.parties.deposit_addresses.insert(address);
  if (!findings.executions.empty() || !sweeps(block, findings.parties)) return findings;
  executions = all_executions_of(chain_, block);
  if (!executions) return unexpected(executions.error());
  findings.executions = *std::move(executions);
  return findings;
}

// The address stays the account's when its key is rotated.
tl::expected<PublicKey, std::string> Scanner::key_now(const DepositAddress& address) {
  auto account = ledger_.account(address.key);
  if (!account) return unexpected(account.error().message);
  if (account->number != address.account)
    return unexpected(
        fmt::format("a deposit address was handed out for account {}, but the ledger says that "
                    "its key {} is of account {}: one of them was restored without the other",
                    address.account, to_hex(address.key), account->number));
  return account->key;
}

tl::expected<std::optional<PublicKey>, std::string> Scanner::owner(const Arrival& arrival,
                                                                   const Findings& findings) {
  auto address = findings.addresses.find(arrival.to);
  if (address == findings.addresses.end()) return owner_of(arrival);
  auto key = key_now(address->second);
  if (!key) return unexpected(key.error());
  return *key;
}

tl::expected<void, std::string> Scanner::credit(const tron::Block& block, const Arrival& arrival,
                                                const core::Asset& asset, const Findings& findings,
                                                Step& step) {
  auto deposit = store_.deposit(arrival.transaction->txid, arrival.log);
  if (deposit && deposit->state != DepositState::submitted) return {};
  Result<void> done;
  if (deposit) {
    done = submit(*deposit);
  } else {
    auto whose = owner(arrival, findings);
    if (!whose) return unexpected(whose.error());
    auto fresh = prepare(block, arrival, asset, *whose);
    if (!fresh) return unexpected(fresh.error());
    deposit = *std::move(fresh);
    done = submit(*deposit);
  }
  if (!done) return done;
  bool credited = deposit->state == DepositState::credited;
  step.deposits.push_back({asset.symbol, !credited        ? "passed_by"
                                         : deposit->owner ? "credited"
                                                          : "unassigned"});
  return {};
}

tl::expected<Deposit, std::string> Scanner::prepare(const tron::Block& block, const Arrival& arrival,
                                                    const core::Asset& asset,
                                                    const std::optional<PublicKey>& owner) {
  Deposit deposit;
  deposit.transaction_id = arrival.transaction->txid;
  deposit.at = {static_cast<std::uint64_t>(block.ref.number), arrival.index, arrival.log};
  deposit.asset = asset.number;
  deposit.amount = arrival.amount;
  deposit.owner = owner;
  deposit.source = arrival.source;
  deposit.seen_us = clock_.now_ms() * 1000;
  if (options_.single_node_ceilings)
    if (auto within = check_ceiling(deposit, asset); !within) return unexpected(within.error());
  if (auto signed_now = sign(deposit); !signed_now) return unexpected(signed_now.error());
  of_day_[asset.number] += deposit.amount;
  return deposit;
}

// One that is beyond it is not passed by: the ledger takes credits in their order alone.
tl::expected<void, std::string> Scanner::check_ceiling(const Deposit& deposit, const core::Asset& asset) {
  if (auto today = start_of_day(deposit.seen_us); today != day_us_) {
    of_day_ = store_.deposited_since(today);
    day_us_ = today;
  }
  auto ceiling = ceiling_of(*options_.single_node_ceilings, asset), used = of_day_[asset.number];
  if (used <= ceiling && deposit.amount <= ceiling - used) return {};
  waits_for_ = asset.symbol;
  auto in_units = [&](core::ChainAmount amount) {
    return static_cast<std::uint64_t>(amount / asset.chain_units);
  };
  return unexpected(fmt::format(
      "the deposit {} of block {} waits: it is {} units of {}, and of these one node's word is good for {} a "
      "day (gateway.single_node_ceilings), of which {} are used; a second node (tron.more_nodes), a higher "
      "ceiling or, where it is below the ceiling, the next day (UTC) lets the scan go on",
      to_hex(deposit.transaction_id), deposit.at.block, in_units(deposit.amount), asset.symbol,
      in_units(ceiling), in_units(used)));
}

tl::expected<void, std::string> Scanner::sign(Deposit& deposit) {
  auto info = ledger_.info();
  if (!info) return unexpected(info.error().message);
  core::Credit credit{deposit.asset, deposit.amount, deposit.owner, tron_chain, deposit.at};
  core::Command command{.signer = key_.public_key(),
                        .nonce = nonces_.next(),
                        .expires_us = clock_.now_ms() * 1000 + credit_life_us,
                        .body = credit};
  auto bytes = codec::encode_credit(command, view(deposit.transaction_id), view(deposit.source.bytes));
  deposit.envelope = codec::sign(std::move(bytes), info->tag, {&key_}).encode();
  store_.save_deposit(deposit);
  return {};
}

tl::expected<bool, std::string> Scanner::settle(Deposit& deposit,
                                                const LedgerResult<core::Sequence>& answer) {
  if (answer) {
    deposit.sequence = *answer;
  } else {
    bool is_passed = answer.error().reason == core::info(core::Error::credit_not_in_order).reason;
    if (!is_passed) return false;
    auto credit = ledger_.credit_at(key_, tron_chain, deposit.at);
    if (!credit) return unexpected(credit.error().message);
    deposit.sequence = *credit;
  }
  deposit.state = deposit.sequence ? DepositState::credited : DepositState::passed_by;
  store_.save_deposit(deposit);
  return true;
}

tl::expected<void, std::string> Scanner::submit(Deposit& deposit) {
  auto envelope = codec::Envelope::decode(deposit.envelope);
  if (!envelope)
    return unexpected("the stored credit of " + to_hex(deposit.transaction_id) + " is malformed");
  auto answer = ledger_.execute(*envelope);
  auto settled = settle(deposit, answer);
  if (!settled) return unexpected(settled.error());
  if (*settled) return {};
  if (answer.error().retry) return unexpected(answer.error().message);
  return submit_anew(deposit);
}

// What was saved may have expired since, or its nonce been passed by. Signing it anew is safe: had the old
// bytes been applied, the new ones would not be in order.
tl::expected<void, std::string> Scanner::submit_anew(Deposit& deposit) {
  if (auto again = sign(deposit); !again) return again;
  auto answer = ledger_.execute(*codec::Envelope::decode(deposit.envelope));
  auto settled = settle(deposit, answer);
  if (!settled) return unexpected(settled.error());
  if (*settled) return {};
  return unexpected(fmt::format("the ledger refuses to credit the deposit {} of block {}: {} ({})",
                                to_hex(deposit.transaction_id), deposit.at.block, answer.error().message,
                                answer.error().reason));
}

}  // namespace windlass::anchoring
