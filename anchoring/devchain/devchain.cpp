#include "anchoring/devchain/devchain.h"

#include "anchoring/tron/block.h"
#include "anchoring/tron/transaction.h"
#include "tron/api.pb.h"
#include "tron/contract.pb.h"

namespace windlass::devchain {
namespace {

constexpr std::int64_t reference_blocks = 65'536;  // how far back a transaction may refer (TAPOS)
constexpr std::int64_t max_block_bytes = 2'000'000;
constexpr std::int64_t block_overhead_bytes = 1'000;
constexpr int block_version = 32;  // java-tron 4.8.0

// Who pays out at genesis, as the real one has it: no address.
const std::string genesis_owner = "0x000000000000000000000";
const std::string genesis_witness = "A windlass is the machine that drops and raises an anchor";

Refusal refuse(int code, std::string message) {
  return {false, code, std::move(message)};
}

void add_genesis_payment(protocol::Block& block, const tron::Address& to, const std::string& token,
                         std::int64_t amount) {
  auto& contract = *block.add_transactions()->mutable_raw_data()->add_contract();
  if (token.empty()) {
    protocol::TransferContract transfer;
    transfer.set_owner_address(genesis_owner);
    transfer.set_to_address(std::string(view(to.bytes)));
    transfer.set_amount(amount);
    contract.set_type(protocol::Transaction::Contract::TransferContract);
    contract.mutable_parameter()->PackFrom(transfer);
  } else {
    protocol::TransferAssetContract transfer;
    transfer.set_asset_name(token);
    transfer.set_owner_address(genesis_owner);
    transfer.set_to_address(std::string(view(to.bytes)));
    transfer.set_amount(amount);
    contract.set_type(protocol::Transaction::Contract::TransferAssetContract);
    contract.mutable_parameter()->PackFrom(transfer);
  }
}

void set_result(protocol::Transaction& transaction, int result) {
  transaction.clear_ret();
  transaction.add_ret()->set_contractret(static_cast<protocol::Transaction::Result::contractResult>(result));
}

std::string root_of(const protocol::Block& block) {
  std::vector<std::string> transactions;
  for (const auto& transaction : block.transactions())
    transactions.push_back(transaction.SerializeAsString());
  return std::string(view(tron::tx_trie_root(transactions)));
}

StoredBlock stored(const protocol::Block& block, std::vector<Receipt> receipts) {
  const auto& header = block.block_header().raw_data();
  auto id = tron::block_id(header.number(), header.SerializeAsString());
  return {{header.number(), id, header.timestamp()}, block.SerializeAsString(), std::move(receipts)};
}

}  // namespace

DevChain::DevChain(const Clock& clock, Options options, const std::vector<GenesisAccount>& genesis,
                   SecretKey witness)
    : clock_(clock),
      options_(std::move(options)),
      witnesses_{std::move(witness)},
      pool_view_(&accounts_) {
  witnesses_.insert(witnesses_.end(), options_.more_witnesses.begin(), options_.more_witnesses.end());
  make_genesis(genesis);
}

void DevChain::make_genesis(const std::vector<GenesisAccount>& genesis) {
  protocol::Block block;
  for (const auto& account : genesis) {
    Account& made = accounts_.edit(account.address);
    made.balance_sun += account.balance_sun;
    if (account.contract) made.contract = *account.contract;
    add_genesis_payment(block, account.address, {}, account.balance_sun);
    for (const auto& [token, amount] : account.tokens) {
      made.tokens[token] += amount;
      tokens_.insert(token);
      add_genesis_payment(block, account.address, token, amount);
    }
  }
  auto& header = *block.mutable_block_header()->mutable_raw_data();
  header.set_txtrieroot(root_of(block));
  header.set_parenthash(std::string(view(sha256(genesis_witness))));
  header.set_witness_address(genesis_witness);
  blocks_.push_back(stored(block, {}));
}

tl::expected<void, std::string> DevChain::restore(ByteView bytes) {
  protocol::Block block;
  if (!block.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return tl::unexpected<std::string>("not a block");
  const auto& header = block.block_header().raw_data();
  std::string name = "block " + std::to_string(header.number());
  if (header.number() != head().ref.number + 1 || header.parenthash() != view(head().ref.id))
    return tl::unexpected(name + " does not follow block " + std::to_string(head().ref.number));
  if (header.txtrieroot() != root_of(block)) return tl::unexpected(name + " has another txTrieRoot");

  AccountView after(&accounts_);
  std::vector<Receipt> receipts;
  for (const auto& transaction : block.transactions()) {
    auto receipt = try_on(after, *parse_candidate(transaction.SerializeAsString()));
    if (!receipt) return tl::unexpected(name + " cannot be carried out again: " + receipt.error().message);
    if (transaction.ret_size() != 1 || transaction.ret(0).contractret() != receipt->result)
      return tl::unexpected(name + ": " + to_hex(receipt->txid) +
                            " has another result when carried out again");
    receipts.push_back(*receipt);
  }
  append(stored(block, std::move(receipts)), after);
  return {};
}

const StoredBlock& DevChain::produce_block() {
  std::int64_t interval = options_.block_interval_ms;
  std::int64_t timestamp =
      std::max(clock_.now_ms() / interval * interval, head().ref.timestamp_ms + interval);

  protocol::Block block;
  std::vector<Receipt> receipts;
  AccountView after(&accounts_);
  fill_block(timestamp, block, receipts, after);

  auto& header = *block.mutable_block_header()->mutable_raw_data();
  header.set_timestamp(timestamp);
  header.set_txtrieroot(root_of(block));
  header.set_parenthash(std::string(view(head().ref.id)));
  header.set_number(head().ref.number + 1);
  const auto& witness = witnesses_[static_cast<std::size_t>(header.number()) % witnesses_.size()];
  header.set_witness_address(std::string(view(tron::address_of(witness.public_key()).bytes)));
  header.set_version(block_version);
  auto signature = witness.sign_recoverable(sha256(header.SerializeAsString()));
  block.mutable_block_header()->set_witness_signature(std::string(view(signature)));

  append(stored(block, std::move(receipts)), after);
  revive_pool();
  return head();
}

bool DevChain::is_stale(const Pooled& pooled, std::int64_t block_ms) const {
  return pooled.candidate.transaction.raw_data().expiration() < block_ms ||
         clock_.now_ms() - pooled.arrived_ms > options_.pool_expiry_ms;
}

// Moves what is good out of the pool into the block; what is stale or no longer valid is dropped unseen, as
// the node does.
void DevChain::fill_block(std::int64_t timestamp_ms, protocol::Block& block, std::vector<Receipt>& receipts,
                          AccountView& view) {
  std::int64_t room = max_block_bytes - block_overhead_bytes;
  std::deque<Pooled> left;
  for (auto& pooled : pool_) {
    if (is_stale(pooled, timestamp_ms)) continue;
    set_result(pooled.candidate.transaction, protocol::Transaction::Result::SUCCESS);  // all are as long
    auto size = static_cast<std::int64_t>(pooled.candidate.transaction.ByteSizeLong());
    if (size > room) {
      left.push_back(std::move(pooled));
      continue;
    }
    Fate destiny = fate ? fate(pooled.candidate.txid, timestamp_ms) : Fate::land;
    if (destiny == Fate::vanish) continue;
    if (destiny == Fate::wait) {
      left.push_back(std::move(pooled));
      continue;
    }
    auto receipt = destiny == Fate::fail ? Receipt{.txid = pooled.candidate.txid,
                                                   .result = protocol::Transaction::Result::REVERT}
                                         : try_on(view, pooled.candidate);
    if (!receipt) continue;
    room -= size;
    set_result(pooled.candidate.transaction, receipt->result);
    receipts.push_back(*receipt);
    *block.add_transactions() = std::move(pooled.candidate.transaction);
  }
  pool_ = std::move(left);
}

// On `view`, all or nothing.
tl::expected<Receipt, Refusal> DevChain::try_on(AccountView& view, const Candidate& candidate) const {
  AccountView attempt(&view);
  auto receipt = execute(candidate, attempt, context());
  if (receipt) view.take_over(attempt);
  return receipt;
}

void DevChain::append(StoredBlock block, const AccountView& view) {
  Undo undo;
  for (const auto& [address, account] : view.changes()) {
    const Account* before = accounts_.find(address);
    undo.before[address] = before ? std::optional(*before) : std::nullopt;
  }
  accounts_.take_over(view);
  undo_.push_back(std::move(undo));
  for (std::size_t i = 0; i < block.receipts.size(); ++i)
    places_[block.receipts[i].txid] = {block.ref.number, i};
  blocks_.push_back(std::move(block));
  if (stalls_solidification) return;
  for (; solidified_ < head().ref.number - options_.solid_after; ++solidified_) undo_.pop_front();
}

// The pool is tried again on the new head.
void DevChain::revive_pool() {
  pool_view_.clear();
  pooled_.clear();
  std::deque<Pooled> left;
  for (auto& pooled : pool_) {
    if (is_stale(pooled, head().ref.timestamp_ms) || places_.contains(pooled.candidate.txid)) continue;
    auto receipt = try_on(pool_view_, pooled.candidate);
    if (!receipt) continue;
    pooled.result = receipt->result;
    pooled_.insert(pooled.candidate.txid);
    left.push_back(std::move(pooled));
  }
  pool_ = std::move(left);
}

std::optional<tron::BroadcastAnswer> DevChain::broadcast(ByteView transaction) {
  auto candidate = parse_candidate(transaction);
  if (!candidate) return std::nullopt;
  if (auto refused = refusal(*candidate)) return refused;
  auto receipt = try_on(pool_view_, *candidate);
  if (!receipt) return receipt.error();
  pooled_.insert(candidate->txid);
  pool_.push_back({std::move(*candidate), clock_.now_ms(), receipt->result});
  return tron::BroadcastAnswer{true, protocol::Return::SUCCESS, {}};
}

// What speaks against it before it is tried, in the node's order.
std::optional<Refusal> DevChain::refusal(const Candidate& candidate) const {
  if (pool_.size() > options_.max_pool) return refuse(protocol::Return::SERVER_BUSY, "Server busy.");
  if (auto refused = check_has_contract(candidate)) return refused;
  std::int64_t head_ms = head().ref.timestamp_ms;
  if (auto refused = check_expiration(candidate, head_ms, head_ms + options_.block_interval_ms))
    return refused;
  if (auto refused = check_signature(candidate, pool_view_)) return refused;
  if (!refers_to_known_block(candidate)) return refuse(protocol::Return::TAPOS_ERROR, "Tapos check error.");
  if (auto refused = check_size(candidate)) return refused;
  if (auto refused = check_one_contract(candidate)) return refused;
  if (pooled_.contains(candidate.txid) || places_.contains(candidate.txid))
    return refuse(protocol::Return::DUP_TRANSACTION_ERROR, "Dup transaction.");
  return std::nullopt;
}

bool DevChain::refers_to_known_block(const Candidate& candidate) const {
  const auto& raw = candidate.transaction.raw_data();
  auto low = to_array<2>(raw.ref_block_bytes());
  if (!low) return false;
  std::int64_t low_bits = (*low)[0] << 8 | (*low)[1];
  // The newest block whose number ends in these 16 bits.
  std::int64_t head_number = head().ref.number;
  std::int64_t back = ((head_number - low_bits) % reference_blocks + reference_blocks) % reference_blocks;
  const StoredBlock* referred = block(head_number - back);
  return referred && view(referred->ref.id).substr(8, 8) == raw.ref_block_hash();
}

std::int64_t DevChain::fork(std::int64_t depth) {
  std::deque<Pooled> returned;
  std::int64_t undone = 0;
  for (; undone < depth && head().ref.number > solidified_; ++undone) {
    protocol::Block block;
    block.ParseFromString(head().bytes);
    for (int i = block.transactions_size(); i-- > 0;) {
      auto candidate = parse_candidate(block.transactions(i).SerializeAsString());
      places_.erase(candidate->txid);
      returned.push_front({std::move(*candidate), clock_.now_ms(), 0});
    }
    for (const auto& [address, before] : undo_.back().before) {
      if (before)
        accounts_.edit(address) = *before;
      else
        accounts_.erase(address);
    }
    undo_.pop_back();
    blocks_.pop_back();
  }
  std::move(pool_.begin(), pool_.end(), std::back_inserter(returned));
  pool_ = std::move(returned);
  revive_pool();
  return undone;
}

void DevChain::lose_pool() {
  pool_.clear();
  revive_pool();
}

const StoredBlock* DevChain::block(std::int64_t number) const {
  if (number < 0 || number > head().ref.number) return nullptr;
  return &blocks_[static_cast<std::size_t>(number)];
}

std::optional<DevChain::Place> DevChain::find(const Hash& txid) const {
  auto found = places_.find(txid);
  if (found == places_.end()) return std::nullopt;
  return found->second;
}

std::optional<std::string> DevChain::pending(const Hash& txid) const {
  if (!pooled_.contains(txid)) return std::nullopt;
  for (const auto& pooled : pool_) {
    if (pooled.candidate.txid != txid) continue;
    protocol::Transaction transaction = pooled.candidate.transaction;
    set_result(transaction, pooled.result);
    return transaction.SerializeAsString();
  }
  return std::nullopt;
}

AccountView DevChain::solid_accounts() const {
  AccountView solid(&accounts_);
  // Newest first, so that what an older block found is what remains; an account that was not there yet is
  // empty.
  for (auto undo = undo_.rbegin(); undo != undo_.rend(); ++undo)
    for (const auto& [address, before] : undo->before) solid.edit(address) = before.value_or(Account{});
  return solid;
}

ConstantOutcome DevChain::constant_call(const protocol::TriggerSmartContract& call, bool solid) const {
  return solid ? call_constant(call, solid_accounts()) : call_constant(call, pool_view_);
}

std::optional<Account> DevChain::account(const tron::Address& address, bool solid) const {
  const Account* found = solid ? accounts_.find(address) : pool_view_.find(address);
  std::optional<Account> account = found ? std::optional(*found) : std::nullopt;
  if (solid)
    for (auto undo = undo_.rbegin(); undo != undo_.rend(); ++undo)
      if (auto before = undo->before.find(address); before != undo->before.end()) account = before->second;
  return account;
}

}  // namespace windlass::devchain
