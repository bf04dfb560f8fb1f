#include "anchoring/gateway/deposit.h"

#include "anchoring/tron/transaction.h"
#include "anchoring/tron/trc20.h"

namespace windlass::anchoring {

namespace {

constexpr std::size_t anchor_memo_bytes = 40;  // size and root

bool is_anchor(const tron::ChainTransaction& transaction, const tron::TransferContract& transfer,
               const tron::Address& anchor) {
  return transfer.owner == anchor && transfer.token_id.empty() &&
         transaction.memo.size() == anchor_memo_bytes;
}

// Whichever contract was called or created: it may have had a token's contract move what it held.
bool ran_contract(const tron::ChainTransaction& transaction) {
  const auto* other = std::get_if<tron::OtherContract>(&transaction.contract);
  bool creates = other && other->type == tron::create_contract_type;
  return transaction.succeeded &&
         (creates || std::holds_alternative<tron::ContractCall>(transaction.contract));
}

// A transaction does one thing: it is a transfer, or it runs a contract and has logs.
std::optional<Arrival> arrival_by_transfer(const tron::ChainTransaction& transaction, std::uint32_t index,
                                           const Parties& parties) {
  const auto* transfer = std::get_if<tron::TransferContract>(&transaction.contract);
  if (!transfer || !transaction.succeeded) return std::nullopt;
  if (!parties.is_ours(transfer->to) || parties.is_within(transfer->owner)) return std::nullopt;
  if (transfer->amount <= 0 || is_anchor(transaction, *transfer, parties.anchor)) return std::nullopt;
  return Arrival{&transaction,
                 index,
                 0,
                 transfer->owner,
                 transfer->token_id,
                 static_cast<core::ChainAmount>(transfer->amount),
                 transfer->to};
}

std::optional<Arrival> arrival_by_log(const tron::ChainTransaction& transaction, std::uint32_t index,
                                      std::uint32_t number, const tron::ContractLog& log,
                                      const Parties& parties) {
  auto transfer = tron::trc20::read_transfer(log);
  if (!transfer || !parties.is_ours(transfer->to) || parties.is_within(transfer->from)) return std::nullopt;
  if (transfer->amount == 0) return std::nullopt;
  auto token = tron::to_base58(log.address);
  return Arrival{&transaction, index, number, transfer->from, token, transfer->amount, transfer->to};
}

}  // namespace

tl::expected<std::vector<tron::Execution>, std::string> executions_of(tron::Chain& chain,
                                                                      const tron::Block& block) {
  const auto& transactions = block.transactions;
  if (std::none_of(transactions.begin(), transactions.end(), ran_contract))
    return std::vector<tron::Execution>();
  return all_executions_of(chain, block);
}

tl::expected<std::vector<tron::Execution>, std::string> all_executions_of(tron::Chain& chain,
                                                                          const tron::Block& block) {
  const auto& transactions = block.transactions;
  auto executions = chain.executions(block.ref.number);
  if (!executions) return tl::unexpected(executions.error().message);
  // Nothing is also the answer of a node that does not have them yet.
  if (!std::equal(executions->begin(), executions->end(), transactions.begin(), transactions.end(),
                  [](const auto& of, const auto& transaction) { return of.txid == transaction.txid; }))
    return tl::unexpected("the node does not tell what each transaction of solidified block " +
                          std::to_string(block.ref.number) + " did");
  return *std::move(executions);
}

std::vector<Arrival> arrivals(const tron::Block& block, const std::vector<tron::Execution>& executions,
                              const Parties& parties) {
  std::vector<Arrival> found;
  for (std::uint32_t i = 0; i < block.transactions.size(); ++i) {
    const auto& transaction = block.transactions[i];
    if (auto arrival = arrival_by_transfer(transaction, i, parties)) found.push_back(*arrival);
    if (!ran_contract(transaction) || executions.at(i).failed ||
        executions[i].result != tron::contract_success)
      continue;
    for (std::uint32_t log = 0; log < executions[i].logs.size(); ++log)
      if (auto arrival = arrival_by_log(transaction, i, log, executions[i].logs[log], parties))
        found.push_back(*arrival);
  }
  return found;
}

namespace {

// Everything that the block moved, as far as transfers and tokens' logs tell.
struct Movement {
  tron::Address from, to;
  std::string token;
  core::ChainAmount amount = 0;
};
std::vector<Movement> movements(const tron::Block& block, const std::vector<tron::Execution>& executions) {
  std::vector<Movement> all;
  for (std::size_t i = 0; i < block.transactions.size(); ++i) {
    const auto& transaction = block.transactions[i];
    const auto* transfer = std::get_if<tron::TransferContract>(&transaction.contract);
    if (transfer && transaction.succeeded && transfer->amount > 0)
      all.push_back({transfer->owner, transfer->to, transfer->token_id,
                     static_cast<core::ChainAmount>(transfer->amount)});
    if (!ran_contract(transaction) || executions.at(i).failed ||
        executions[i].result != tron::contract_success)
      continue;
    for (const auto& log : executions[i].logs)
      if (auto moved = tron::trc20::read_transfer(log))
        all.push_back({moved->from, moved->to, tron::to_base58(log.address), moved->amount});
  }
  return all;
}

std::optional<tron::Address> sender(const tron::ChainTransaction& transaction) {
  if (const auto* transfer = std::get_if<tron::TransferContract>(&transaction.contract))
    return transfer->owner;
  if (const auto* call = std::get_if<tron::ContractCall>(&transaction.contract)) return call->owner;
  return std::nullopt;
}

// Of the TRX that pays for sweeps custody bears the fee.
bool tops_up(const tron::ChainTransaction& transaction, const Parties& parties) {
  const auto* transfer = std::get_if<tron::TransferContract>(&transaction.contract);
  return transfer && transfer->owner == parties.custody && parties.deposit_addresses.contains(transfer->to);
}

}  // namespace

std::set<tron::Address> addresses_in(const tron::Block& block,
                                     const std::vector<tron::Execution>& executions) {
  std::set<tron::Address> all;
  for (const auto& moved : movements(block, executions)) all.insert({moved.from, moved.to});
  // Also of what failed: it cost something.
  for (const auto& transaction : block.transactions) {
    if (auto from = sender(transaction)) all.insert(*from);
    const auto* transfer = std::get_if<tron::TransferContract>(&transaction.contract);
    if (transfer) all.insert(transfer->to);
  }
  return all;
}

bool sweeps(const tron::Block& block, const Parties& parties) {
  return std::any_of(block.transactions.begin(), block.transactions.end(), [&](const auto& transaction) {
    auto from = sender(transaction);
    return (from && parties.deposit_addresses.contains(*from)) || tops_up(transaction, parties);
  });
}

AddressChanges address_changes(const tron::Block& block, const std::vector<tron::Execution>& executions,
                               const Parties& parties, const std::vector<core::Asset>& assets) {
  AddressChanges changes;
  auto change = [&](const tron::Address& address, std::string_view token, core::Int128 by) {
    const auto* asset = asset_of(assets, token);
    if (asset && parties.deposit_addresses.contains(address)) changes.amounts[{address, asset->number}] += by;
  };
  for (const auto& moved : movements(block, executions)) {
    auto amount = static_cast<core::Int128>(moved.amount);
    change(moved.from, moved.token, -amount);
    change(moved.to, moved.token, amount);
  }
  if (!sweeps(block, parties)) return changes;
  for (std::size_t i = 0; i < block.transactions.size(); ++i) {
    const auto& transaction = block.transactions[i];
    auto from = sender(transaction);
    bool is_from_address = from && parties.deposit_addresses.contains(*from);
    if (is_from_address) change(*from, "", -executions.at(i).fee_sun);
    if (is_from_address || tops_up(transaction, parties)) changes.fees_sun += executions.at(i).fee_sun;
  }
  return changes;
}

const core::Asset* asset_of(const std::vector<core::Asset>& assets, std::string_view token) {
  for (const auto& asset : assets)
    if (asset.chain == tron_chain && asset.token == token) return &asset;
  return nullptr;
}

std::optional<PublicKey> key_in_memo(ByteView memo) {
  std::string decoded;
  constexpr std::size_t key_bytes = std::tuple_size_v<PublicKey>;
  if (memo.size() != key_bytes) {
    if (memo.starts_with("0x") || memo.starts_with("0X")) memo.remove_prefix(2);
    auto bytes = from_hex(memo);
    if (!bytes) return std::nullopt;
    decoded = *std::move(bytes);
    memo = decoded;
  }
  if (!is_public_key(memo)) return std::nullopt;
  return to_array<key_bytes>(memo);
}

std::optional<PublicKey> owner_of(const Arrival& arrival) {
  if (auto key = key_in_memo(arrival.transaction->memo)) return key;
  return tron::signer_key(*arrival.transaction, arrival.source);
}

}  // namespace windlass::anchoring
