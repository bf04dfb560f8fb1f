#include "anchoring/memory_store.h"

#include "ledger/core/table.h"

namespace windlass::anchoring {

template <typename Change>
void MemoryStore::write(std::string_view what, Change change) {
  if (tables_.on_write) tables_.on_write(what, false);
  if (epoch_ == 0 || epoch_ != tables_.epoch) throw Fenced();
  change();
  if (tables_.on_write) tables_.on_write(what, true);
}

bool MemoryStore::acquire() {
  epoch_ = ++tables_.epoch;
  return true;
}

std::optional<Anchor> MemoryStore::open_anchor() {
  for (const auto& [id, anchor] : tables_.anchors)
    if (!is_final(anchor.state)) return anchor;
  return std::nullopt;
}

std::optional<Anchor> MemoryStore::newest_solidified() {
  std::optional<Anchor> newest;
  for (const auto& [id, anchor] : tables_.anchors)
    if (anchor.state == AnchorState::solidified) newest = anchor;
  return newest;
}

std::vector<Anchor> MemoryStore::newest_anchors(std::int64_t since_us, std::size_t limit) {
  std::vector<Anchor> found;
  for (auto entry = tables_.anchors.rbegin(); entry != tables_.anchors.rend() && found.size() < limit;
       ++entry)
    if (entry->second.sealed_us >= since_us) found.push_back(entry->second);
  return found;
}

std::int64_t MemoryStore::add_anchor(const Anchor& anchor) {
  std::int64_t id = tables_.anchors.empty() ? 1 : tables_.anchors.rbegin()->first + 1;
  write("add_anchor", [&] {
    core::require(!open_anchor());
    (tables_.anchors[id] = anchor).id = id;
  });
  return id;
}

void MemoryStore::save_anchor(const Anchor& anchor) {
  write("save_anchor", [&] {
    core::require(tables_.anchors.contains(anchor.id));
    tables_.anchors[anchor.id] = anchor;
  });
}

std::optional<BlockPlace> MemoryStore::cursor() {
  return tables_.cursor;
}

void MemoryStore::save_cursor(const BlockPlace& cursor, const AddressChanges& changes) {
  write("save_cursor", [&] {
    tables_.cursor = cursor;
    for (const auto& [of, amount] : changes.amounts) tables_.holdings[of] += amount;
    tables_.sweep_fees_sun += changes.fees_sun;
  });
}

std::map<tron::Address, DepositAddress> MemoryStore::deposit_addresses(const std::set<tron::Address>& of) {
  std::map<tron::Address, DepositAddress> found;
  for (const auto& [address, whose] : tables_.addresses)
    if (of.contains(address)) found[address] = whose;
  return found;
}

AddressTotals MemoryStore::address_totals() {
  AddressTotals totals{.amounts = {}, .fees_sun = tables_.sweep_fees_sun};
  for (const auto& [of, amount] : tables_.holdings) totals.amounts[of.second] += amount;
  return totals;
}

std::vector<Holding> MemoryStore::holdings(core::AssetId asset, core::ChainAmount minimum,
                                           std::size_t limit) {
  std::vector<Holding> found;
  for (const auto& [of, amount] : tables_.holdings)
    if (of.second == asset && amount > 0 && static_cast<core::ChainAmount>(amount) >= minimum)
      found.push_back(
          {of.first, tables_.addresses.at(of.first).account, static_cast<core::ChainAmount>(amount)});
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.amount > b.amount; });
  found.resize(std::min(found.size(), limit));
  return found;
}

std::vector<Sweep> MemoryStore::open_sweeps() {
  std::vector<Sweep> open;
  for (const auto& [id, sweep] : tables_.sweeps)
    if (!is_final(sweep.state)) open.push_back(sweep);
  return open;
}

void MemoryStore::add_sweep(const Sweep& sweep) {
  write("add_sweep", [&] {
    for (const auto& open : open_sweeps()) core::require(open.address != sweep.address);
    core::require(tables_.sweeps.emplace(sweep.transaction_id, sweep).second);
  });
}

void MemoryStore::save_sweep(const Sweep& sweep) {
  write("save_sweep", [&] {
    core::require(tables_.sweeps.contains(sweep.transaction_id));
    tables_.sweeps[sweep.transaction_id] = sweep;
  });
}

std::optional<Deposit> MemoryStore::deposit(const Hash& transaction_id, std::uint32_t log) {
  auto found = tables_.deposits.find({transaction_id, log});
  if (found == tables_.deposits.end()) return std::nullopt;
  return found->second;
}

void MemoryStore::save_deposit(const Deposit& deposit) {
  write("save_deposit", [&] { tables_.deposits[{deposit.transaction_id, deposit.at.log}] = deposit; });
}

std::vector<Payment> MemoryStore::open_payments() {
  std::vector<Payment> open;
  for (const auto& [id, payment] : tables_.payments)
    if (!payment.settled) open.push_back(payment);
  return open;
}

std::optional<Payment> MemoryStore::newest_payment(core::ChannelId withdrawal) {
  std::optional<Payment> newest;
  for (auto at = tables_.payments.lower_bound({withdrawal, 0});
       at != tables_.payments.end() && at->first.first == withdrawal; ++at)
    newest = at->second;
  return newest;
}

std::map<core::AssetId, core::ChainAmount> MemoryStore::deposited_since(std::int64_t since_us) {
  std::map<core::AssetId, core::ChainAmount> deposited;
  for (const auto& [id, deposit] : tables_.deposits)
    if (deposit.seen_us >= since_us) deposited[deposit.asset] += deposit.amount;
  return deposited;
}

std::map<core::AssetId, core::ChainAmount> MemoryStore::signed_since(std::int64_t since_us) {
  std::map<core::AssetId, core::ChainAmount> all;
  for (const auto& [id, payment] : tables_.payments)
    if (payment.signed_us >= since_us) all[payment.asset] += payment.amount;
  return all;
}

std::map<core::AssetId, core::ChainAmount> MemoryStore::paid_since(std::int64_t since_us) {
  std::map<core::AssetId, core::ChainAmount> paid;
  for (const auto& [id, payment] : tables_.payments)
    if (payment.signed_us >= since_us && payment.state != PaymentState::failed &&
        payment.state != PaymentState::expired)
      paid[payment.asset] += payment.amount;
  return paid;
}

void MemoryStore::add_payment(const Payment& payment) {
  write("add_payment", [&] {
    auto newest = newest_payment(payment.withdrawal);
    core::require(!newest || (newest->state == PaymentState::expired && newest->attempt < payment.attempt));
    if (newest) tables_.payments[{newest->withdrawal, newest->attempt}].settled = true;
    tables_.payments[{payment.withdrawal, payment.attempt}] = payment;
  });
}

void MemoryStore::save_payment(const Payment& payment) {
  write("save_payment", [&] {
    core::require(tables_.payments.contains({payment.withdrawal, payment.attempt}));
    tables_.payments[{payment.withdrawal, payment.attempt}] = payment;
  });
}

void MemoryStore::publish_terms(const std::vector<PublishedTerms>& terms) {
  write("publish_terms", [&] { tables_.terms = terms; });
}

std::int64_t MemoryStore::next_exchange_id(std::int64_t now_us) const {
  auto newest = [](const auto& rows) { return rows.empty() ? 0 : rows.rbegin()->first; };
  return std::max({now_us, newest(tables_.exchange_deposits) + 1, newest(tables_.exchange_withdrawals) + 1});
}

namespace {

template <typename Row>
std::optional<Row> find_row(const std::map<std::int64_t, Row>& rows, std::int64_t id) {
  auto found = rows.find(id);
  if (found == rows.end()) return std::nullopt;
  return found->second;
}

template <typename Row, typename Matches>
std::optional<Row> first_row(const std::map<std::int64_t, Row>& rows, Matches matches) {
  for (const auto& [id, row] : rows)
    if (matches(row)) return row;
  return std::nullopt;
}

}  // namespace

std::vector<ExchangeDeposit> MemoryStore::open_exchange_deposits() {
  std::vector<ExchangeDeposit> open;
  for (const auto& [id, deposit] : tables_.exchange_deposits)
    if (!is_final(deposit.state)) open.push_back(deposit);
  return open;
}

std::optional<ExchangeDeposit> MemoryStore::exchange_deposit(std::int64_t id) {
  return find_row(tables_.exchange_deposits, id);
}

std::optional<ExchangeDeposit> MemoryStore::exchange_deposit(const PublicKey& user, std::int64_t out_tx_id) {
  return first_row(tables_.exchange_deposits,
                   [&](const auto& row) { return row.user == user && row.out_tx_id == out_tx_id; });
}

std::int64_t MemoryStore::add_exchange_deposit(const ExchangeDeposit& deposit) {
  std::int64_t id = next_exchange_id(deposit.prepared_us);
  write("add_exchange_deposit", [&] {
    core::require(!exchange_deposit(deposit.user, deposit.out_tx_id));
    (tables_.exchange_deposits[id] = deposit).id = id;
  });
  return id;
}

void MemoryStore::save_exchange_deposit(const ExchangeDeposit& deposit) {
  write("save_exchange_deposit", [&] { tables_.exchange_deposits.at(deposit.id) = deposit; });
}

void MemoryStore::drop_exchange_deposit(std::int64_t id) {
  write("drop_exchange_deposit", [&] {
    core::require(tables_.exchange_deposits.at(id).state == ExchangeDepositState::prepared);
    tables_.exchange_deposits.erase(id);
  });
}

std::vector<ExchangeWithdrawal> MemoryStore::open_exchange_withdrawals() {
  std::vector<ExchangeWithdrawal> open;
  for (const auto& [id, withdrawal] : tables_.exchange_withdrawals)
    if (!withdrawal.channel) open.push_back(withdrawal);
  return open;
}

std::optional<ExchangeWithdrawal> MemoryStore::exchange_withdrawal(std::int64_t id) {
  return find_row(tables_.exchange_withdrawals, id);
}

std::optional<ExchangeWithdrawal> MemoryStore::exchange_withdrawal(const PublicKey& user,
                                                                   std::int64_t out_tx_id) {
  return first_row(tables_.exchange_withdrawals,
                   [&](const auto& row) { return row.user == user && row.out_tx_id == out_tx_id; });
}

std::optional<ExchangeWithdrawal> MemoryStore::exchange_withdrawal(core::ChannelId channel) {
  return first_row(tables_.exchange_withdrawals, [&](const auto& row) { return row.channel == channel; });
}

std::int64_t MemoryStore::add_exchange_withdrawal(const ExchangeWithdrawal& withdrawal) {
  std::int64_t id = next_exchange_id(withdrawal.prepared_us);
  write("add_exchange_withdrawal", [&] {
    core::require(!exchange_withdrawal(withdrawal.user, withdrawal.out_tx_id));
    (tables_.exchange_withdrawals[id] = withdrawal).id = id;
  });
  return id;
}

void MemoryStore::save_exchange_withdrawal(const ExchangeWithdrawal& withdrawal) {
  write("save_exchange_withdrawal", [&] {
    auto other = withdrawal.channel ? exchange_withdrawal(*withdrawal.channel) : std::nullopt;
    core::require(!other || other->id == withdrawal.id);
    tables_.exchange_withdrawals.at(withdrawal.id) = withdrawal;
  });
}

void MemoryStore::drop_exchange_withdrawal(std::int64_t id) {
  write("drop_exchange_withdrawal", [&] {
    core::require(!tables_.exchange_withdrawals.at(id).channel);
    tables_.exchange_withdrawals.erase(id);
  });
}

void MemoryStore::save_stopped() {
  write("save_stopped", [&] {
    tables_.controls.deposits_paused = true;
    tables_.controls.stop_when_idle = false;
  });
}

}  // namespace windlass::anchoring
