#include "anchoring/devchain/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>

#include "tron/api.grpc.pb.h"

namespace windlass::devchain {
namespace {

using grpc::ServerContext;
using grpc::Status;

constexpr std::int64_t max_blocks_per_range = 100;
constexpr std::int64_t resource_window_ms = 28'800'000;
constexpr std::int64_t network_slot_ms = 3000;
constexpr std::int64_t tried_expiration_ms = 60'000;  // of a transaction that the node makes itself
// How near EstimateEnergy comes to the energy that suffices: it tries fee limits until they are so close.
constexpr std::int64_t estimate_precision_sun = 1'000'000;

std::string bytes_of(const tron::Address& address) {
  return std::string(view(address.bytes));
}

void fill_block(const StoredBlock& stored, protocol::BlockExtention& out) {
  protocol::Block block;
  block.ParseFromString(stored.bytes);
  *out.mutable_block_header() = std::move(*block.mutable_block_header());
  for (auto& transaction : *block.mutable_transactions()) {
    auto& entry = *out.add_transactions();
    entry.set_txid(std::string(view(sha256(transaction.raw_data().SerializeAsString()))));
    entry.mutable_result()->set_result(true);  // the node says so of failed ones too
    *entry.mutable_transaction() = std::move(transaction);
  }
  out.set_blockid(std::string(view(stored.ref.id)));
}

void fill_log(const tron::ContractLog& log, protocol::TransactionInfo::Log& out) {
  out.set_address(bytes_of(log.address).substr(1));
  for (const auto& topic : log.topics) out.add_topics(topic);
  out.set_data(log.data);
}

void fill_info(const StoredBlock& block, std::size_t index, protocol::TransactionInfo& out) {
  const Receipt& receipt = block.receipts[index];
  out.set_id(std::string(view(receipt.txid)));
  out.set_fee(receipt.fee_sun);
  out.set_blocknumber(block.ref.number);
  out.set_blocktimestamp(block.ref.timestamp_ms);
  out.add_contractresult(receipt.returned);
  out.mutable_receipt()->set_net_usage(receipt.free_bandwidth);
  out.mutable_receipt()->set_net_fee(receipt.bandwidth_fee_sun);
  if (!receipt.contract) return;
  out.set_contract_address(bytes_of(*receipt.contract));
  out.mutable_receipt()->set_energy_fee(receipt.energy_fee_sun);
  out.mutable_receipt()->set_energy_usage_total(receipt.energy);
  out.mutable_receipt()->set_result(
      static_cast<protocol::Transaction::Result::contractResult>(receipt.result));
  if (receipt.result != protocol::Transaction::Result::SUCCESS)
    out.set_result(protocol::TransactionInfo::FAILED);
  out.set_resmessage(receipt.message);
  for (const auto& log : receipt.logs) fill_log(log, *out.add_log());
}

void fill_permissions(const tron::Address& address, const Account& account, protocol::Account& out) {
  if (account.permissions) {
    *out.mutable_owner_permission() = account.permissions->owner;
    for (const auto& active : account.permissions->actives) *out.add_active_permission() = active;
    return;
  }
  if (account.created_ms == 0 || account.contract) return;
  auto& owner = *out.mutable_owner_permission();
  owner.set_permission_name("owner");
  owner.set_threshold(1);
  auto& active = *out.add_active_permission();
  active.set_type(protocol::Permission::Active);
  active.set_id(2);
  active.set_permission_name("active");
  active.set_threshold(1);
  active.set_operations(std::string(view(active_operations)));
  for (auto* permission : {&owner, &active}) {
    auto& key = *permission->add_keys();
    key.set_address(bytes_of(address));
    key.set_weight(1);
  }
}

void fill_account(const tron::Address& address, const Account& account, std::int64_t now_ms,
                  protocol::Account& out) {
  out.set_address(bytes_of(address));
  out.set_balance(account.balance_sun);
  out.set_create_time(account.created_ms);
  out.set_latest_opration_time(account.last_operation_ms);
  out.set_free_net_usage(free_bandwidth_used(account, now_ms));
  out.set_latest_consume_free_time(account.free_bandwidth_slot * network_slot_ms);
  out.set_net_window_size(resource_window_ms);
  out.set_net_window_optimized(true);
  out.mutable_account_resource()->set_latest_consume_time_for_energy(account.last_energy_ms);
  out.mutable_account_resource()->set_energy_window_size(resource_window_ms);
  out.mutable_account_resource()->set_energy_window_optimized(true);
  fill_permissions(address, account, out);
  for (int type = 0; type < 3; ++type) out.add_frozenv2()->set_type(type);
  for (const auto& [token, amount] : account.tokens) {
    (*out.mutable_assetv2())[token] = amount;
    (*out.mutable_free_asset_net_usagev2())[token] = 0;
  }
  out.set_asset_optimized(true);
}

void fill_resource(const Account& account, const Parameters& parameters, std::int64_t now_ms,
                   protocol::AccountResourceMessage& out) {
  out.set_freenetused(free_bandwidth_used(account, now_ms));
  out.set_freenetlimit(parameters[parameter::free_bandwidth]);
  for (const auto& [token, amount] : account.tokens) {
    (*out.mutable_assetnetused())[token] = 0;
    (*out.mutable_assetnetlimit())[token] = 0;
  }
  out.set_totalnetlimit(parameters[parameter::total_bandwidth]);
  out.set_totalenergylimit(parameters[parameter::total_energy]);
}

void fill_refusal(const std::string& message, protocol::Return& out) {
  out.set_code(protocol::Return::CONTRACT_VALIDATE_ERROR);
  out.set_message("Contract validate error : " + message);
}

// The transaction that a constant call stands for.
void fill_tried(const DevChain& chain, const StoredBlock& head, const protocol::TriggerSmartContract& call,
                protocol::TransactionExtention& out) {
  auto& raw = *out.mutable_transaction()->mutable_raw_data();
  ByteView reference = view(head.ref.id);
  raw.set_ref_block_bytes(std::string(reference.substr(6, 2)));
  raw.set_ref_block_hash(std::string(reference.substr(8, 8)));
  raw.set_expiration(head.ref.timestamp_ms + tried_expiration_ms);
  raw.set_timestamp(chain.now_ms());
  auto& contract = *raw.add_contract();
  if (call.contract_address().empty()) {
    protocol::CreateSmartContract creation;
    creation.set_owner_address(call.owner_address());
    creation.mutable_new_contract()->set_origin_address(call.owner_address());
    creation.mutable_new_contract()->set_bytecode(call.data());
    creation.mutable_new_contract()->set_consume_user_resource_percent(100);
    creation.mutable_new_contract()->set_origin_energy_limit(1);
    contract.set_type(protocol::Transaction::Contract::CreateSmartContract);
    contract.mutable_parameter()->PackFrom(creation);
  } else {
    contract.set_type(protocol::Transaction::Contract::TriggerSmartContract);
    contract.mutable_parameter()->PackFrom(call);
  }
  out.set_txid(std::string(view(sha256(raw.SerializeAsString()))));
}

// The least energy at whose price as fee limit the node found it to succeed, by halving from twice the true
// one.
std::int64_t estimate(std::int64_t energy, std::int64_t price) {
  std::int64_t low = energy * price, high = 2 * low;
  while (low + estimate_precision_sun < high) high = (low + high) / 2;
  return price > 0 ? (high + price - 1) / price : energy;
}

// The chain and the lock that everybody takes.
struct Shared {
  DevChain& chain;
  std::mutex mutex;
};

// What both services answer; one sees all, the other what is solidified.
class View {
 public:
  View(Shared& shared, bool solid) : shared_(shared), solid_(solid) {}

  void now_block(protocol::BlockExtention& out) const {
    std::lock_guard lock(shared_.mutex);
    fill_block(*shared_.chain.block(newest()), out);
  }
  void block(std::int64_t number, protocol::BlockExtention& out) const {
    std::lock_guard lock(shared_.mutex);
    if (const StoredBlock* stored = visible(number)) fill_block(*stored, out);
  }
  void range(const protocol::BlockLimit& limit, protocol::BlockListExtention& out) const {
    std::int64_t begin = limit.startnum(), end = limit.endnum();
    if (begin < 0 || end <= begin || end - begin > max_blocks_per_range) return;
    std::lock_guard lock(shared_.mutex);
    for (std::int64_t number = begin; number < end; ++number)
      if (const StoredBlock* stored = visible(number)) fill_block(*stored, *out.add_block());
  }
  void transaction(const std::string& id, protocol::Transaction& out) const {
    std::lock_guard lock(shared_.mutex);
    if (auto place = find(id)) {
      protocol::Block block;
      block.ParseFromString(visible(place->block)->bytes);
      out = block.transactions(static_cast<int>(place->index));
    } else if (auto txid = to_array<32>(id); txid && !solid_) {
      if (auto pending = shared_.chain.pending(*txid)) out.ParseFromString(*pending);
    }
  }
  void info(const std::string& id, protocol::TransactionInfo& out) const {
    std::lock_guard lock(shared_.mutex);
    if (auto place = find(id)) fill_info(*visible(place->block), place->index, out);
  }
  void infos(std::int64_t number, protocol::TransactionInfoList& out) const {
    std::lock_guard lock(shared_.mutex);
    const StoredBlock* stored = visible(number);
    if (!stored) return;
    for (std::size_t i = 0; i < stored->receipts.size(); ++i)
      fill_info(*stored, i, *out.add_transactioninfo());
  }
  void account(const std::string& id, protocol::Account& out) const {
    std::lock_guard lock(shared_.mutex);
    auto address = tron::address_from_bytes(id);
    auto account = address ? shared_.chain.account(*address, solid_) : std::nullopt;
    if (account) fill_account(*address, *account, shared_.chain.head().ref.timestamp_ms, out);
  }
  void constant_call(const protocol::TriggerSmartContract& call, protocol::TransactionExtention& out) const {
    std::lock_guard lock(shared_.mutex);
    auto outcome = shared_.chain.constant_call(call, solid_);
    if (!outcome) return fill_refusal(outcome.error(), *out.mutable_result());
    fill_tried(shared_.chain, *shared_.chain.block(newest()), call, out);
    auto& result = *out.mutable_transaction()->add_ret();
    out.mutable_result()->set_result(true);
    if (outcome->reverted) {
      result.set_ret(protocol::Transaction::Result::FAILED);
      out.mutable_result()->set_message(std::string(revert_message));
    }
    out.add_constant_result(outcome->returned);
    out.set_energy_used(outcome->energy);
    for (const auto& log : outcome->logs) fill_log(log, *out.add_logs());
  }
  void estimate_energy(const protocol::TriggerSmartContract& call,
                       protocol::EstimateEnergyMessage& out) const {
    std::lock_guard lock(shared_.mutex);
    auto outcome = shared_.chain.constant_call(call, solid_);
    if (!outcome) return fill_refusal(outcome.error(), *out.mutable_result());
    if (outcome->reverted) {
      out.mutable_result()->set_code(protocol::Return::CONTRACT_EXE_ERROR);
      out.mutable_result()->set_message(std::string(revert_message));
      return;
    }
    out.mutable_result()->set_result(true);
    out.set_energy_required(estimate(outcome->energy, shared_.chain.parameters()[parameter::energy_price]));
  }
  void resource(const std::string& id, protocol::AccountResourceMessage& out) const {
    std::lock_guard lock(shared_.mutex);
    auto address = tron::address_from_bytes(id);
    auto account = address ? shared_.chain.account(*address, solid_) : std::nullopt;
    if (account)
      fill_resource(*account, shared_.chain.parameters(), shared_.chain.head().ref.timestamp_ms, out);
  }

 private:
  std::int64_t newest() const {
    return solid_ ? shared_.chain.solidified() : shared_.chain.head().ref.number;
  }
  const StoredBlock* visible(std::int64_t number) const {
    return number <= newest() ? shared_.chain.block(number) : nullptr;
  }
  std::optional<DevChain::Place> find(const std::string& id) const {
    auto txid = to_array<32>(id);
    auto place = txid ? shared_.chain.find(*txid) : std::nullopt;
    return place && place->block <= newest() ? place : std::nullopt;
  }

  Shared& shared_;
  bool solid_;
};

// The calls that both services have, by the generated base class.
template <typename Base>
class Service : public Base {
 public:
  Service(Shared& shared, bool solid) : shared_(shared), view_(shared, solid) {}

  Status GetNowBlock2(ServerContext*, const protocol::EmptyMessage*, protocol::BlockExtention* out) override {
    view_.now_block(*out);
    return Status::OK;
  }
  Status GetBlockByNum2(ServerContext*, const protocol::NumberMessage* in,
                        protocol::BlockExtention* out) override {
    view_.block(in->num(), *out);
    return Status::OK;
  }
  Status GetTransactionById(ServerContext*, const protocol::BytesMessage* in,
                            protocol::Transaction* out) override {
    view_.transaction(in->value(), *out);
    return Status::OK;
  }
  Status GetTransactionInfoById(ServerContext*, const protocol::BytesMessage* in,
                                protocol::TransactionInfo* out) override {
    view_.info(in->value(), *out);
    return Status::OK;
  }
  Status GetTransactionInfoByBlockNum(ServerContext*, const protocol::NumberMessage* in,
                                      protocol::TransactionInfoList* out) override {
    view_.infos(in->num(), *out);
    return Status::OK;
  }
  Status GetAccount(ServerContext*, const protocol::Account* in, protocol::Account* out) override {
    view_.account(in->address(), *out);
    return Status::OK;
  }
  Status TriggerConstantContract(ServerContext*, const protocol::TriggerSmartContract* in,
                                 protocol::TransactionExtention* out) override {
    view_.constant_call(*in, *out);
    return Status::OK;
  }
  Status EstimateEnergy(ServerContext*, const protocol::TriggerSmartContract* in,
                        protocol::EstimateEnergyMessage* out) override {
    view_.estimate_energy(*in, *out);
    return Status::OK;
  }

 protected:
  Shared& shared_;
  View view_;
};

class Wallet final : public Service<protocol::Wallet::Service> {
 public:
  explicit Wallet(Shared& shared) : Service(shared, false) {}

  Status GetBlockByLimitNext2(ServerContext*, const protocol::BlockLimit* in,
                              protocol::BlockListExtention* out) override {
    view_.range(*in, *out);
    return Status::OK;
  }
  Status BroadcastTransaction(ServerContext*, const protocol::Transaction* in,
                              protocol::Return* out) override {
    std::lock_guard lock(shared_.mutex);
    auto answer = shared_.chain.broadcast(in->SerializeAsString());
    if (!answer) return {grpc::StatusCode::UNKNOWN, "Application error processing RPC"};
    out->set_result(answer->result);
    out->set_code(static_cast<protocol::Return::response_code>(answer->code));
    out->set_message(answer->message);
    return Status::OK;
  }
  Status GetAccountResource(ServerContext*, const protocol::Account* in,
                            protocol::AccountResourceMessage* out) override {
    view_.resource(in->address(), *out);
    return Status::OK;
  }
  Status GetChainParameters(ServerContext*, const protocol::EmptyMessage*,
                            protocol::ChainParameters* out) override {
    std::lock_guard lock(shared_.mutex);
    for (const auto& [key, value] : shared_.chain.parameters().all()) {
      auto& parameter = *out->add_chainparameter();
      parameter.set_key(key);
      parameter.set_value(value);
    }
    return Status::OK;
  }
};

using WalletSolidity = Service<protocol::WalletSolidity::Service>;

}  // namespace

class Server::Impl {
 public:
  Impl(DevChain& chain, BlockFile* file, std::function<void(const std::string&)> on_error)
      : shared_{chain, {}},
        file_(file),
        on_error_(std::move(on_error)),
        wallet_(shared_),
        solidity_(shared_, true) {}
  ~Impl() { stop(); }

  tl::expected<int, std::string> start(const std::string& listen, std::chrono::milliseconds block_interval) {
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a taken port is an error
    builder.AddListeningPort(listen, grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&wallet_);
    builder.RegisterService(&solidity_);
    server_ = builder.BuildAndStart();
    if (!server_ || port == 0) return tl::unexpected("cannot listen on " + listen);
    if (block_interval.count() > 0)
      producer_ = std::thread([this, block_interval] { produce_every(block_interval); });
    return port;
  }

  void stop() {
    {
      std::lock_guard lock(shared_.mutex);
      stopping_ = true;
    }
    wake_.notify_all();
    if (producer_.joinable()) producer_.join();
    if (server_) server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
    server_.reset();
  }

  void produce_block() {
    std::lock_guard lock(shared_.mutex);
    produce_locked();
  }

  std::int64_t fork(std::int64_t depth) {
    std::lock_guard lock(shared_.mutex);
    std::int64_t undone = shared_.chain.fork(depth);
    if (file_) report(file_->remove_newest(static_cast<std::size_t>(undone)));
    return undone;
  }

  void with_chain(const std::function<void(DevChain&)>& use) {
    std::lock_guard lock(shared_.mutex);
    use(shared_.chain);
  }

 private:
  void produce_locked() {
    const StoredBlock& block = shared_.chain.produce_block();
    if (file_) report(file_->append(block.bytes));
  }

  void report(const tl::expected<void, std::string>& outcome) {
    if (!outcome && on_error_) on_error_(outcome.error());
  }

  void produce_every(std::chrono::milliseconds interval) {
    using std::chrono::system_clock;
    std::unique_lock lock(shared_.mutex);
    while (!stopping_) {
      produce_locked();
      auto now =
          std::chrono::duration_cast<std::chrono::milliseconds>(system_clock::now().time_since_epoch());
      system_clock::time_point next((now / interval + 1) * interval);
      wake_.wait_until(lock, next, [this] { return stopping_; });
    }
  }

  Shared shared_;
  BlockFile* file_;
  std::function<void(const std::string&)> on_error_;
  Wallet wallet_;
  WalletSolidity solidity_;
  std::unique_ptr<grpc::Server> server_;
  std::thread producer_;
  std::condition_variable wake_;
  bool stopping_ = false;
};

Server::Server(DevChain& chain, BlockFile* file, std::function<void(const std::string&)> on_error)
    : impl_(std::make_unique<Impl>(chain, file, std::move(on_error))) {}
Server::~Server() = default;

tl::expected<int, std::string> Server::start(const std::string& listen,
                                             std::chrono::milliseconds block_interval) {
  return impl_->start(listen, block_interval);
}
void Server::stop() {
  impl_->stop();
}
void Server::produce_block() {
  impl_->produce_block();
}
std::int64_t Server::fork(std::int64_t depth) {
  return impl_->fork(depth);
}
void Server::with_chain(const std::function<void(DevChain&)>& use) {
  impl_->with_chain(use);
}

}  // namespace windlass::devchain
