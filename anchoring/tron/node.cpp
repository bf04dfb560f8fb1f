#include "anchoring/tron/node.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <future>

#include "anchoring/tron/block.h"
#include "anchoring/tron/trc20.h"
#include "tron/api.pb.h"
#include "tron/exact.pb.h"

namespace windlass::tron {
namespace {

// A block is at most 2 MB on the chain; its infos, with logs, may be several times that.
constexpr int max_answer_bytes = 32 << 20;

using Kind = ChainError::Kind;

std::string_view outcome_name(Kind kind) {
  switch (kind) {
    case Kind::unreachable:
      return "unreachable";
    case Kind::deadline:
      return "deadline";
    case Kind::bad_answer:
    case Kind::forged:  // of no call as such
      return "bad_answer";
  }
  return "bad_answer";
}

Kind kind_of(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return Kind::deadline;
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return Kind::unreachable;
    default:
      return Kind::bad_answer;
  }
}

// Who does not speak the protocol gives a code without a word.
std::string what_of(const grpc::Status& status) {
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) return "this call is not served there";
  if (!status.error_message().empty()) return status.error_message();
  return "gRPC code " + std::to_string(status.error_code());
}

std::shared_ptr<grpc::Channel> connect(const std::string& endpoint) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(max_answer_bytes);
  // A node that was down for a minute is to be found again within seconds.
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 5000);
  return grpc::CreateCustomChannel(endpoint, grpc::InsecureChannelCredentials(), arguments);
}

protocol::NumberMessage number_message(std::int64_t number) {
  protocol::NumberMessage message;
  message.set_num(number);
  return message;
}

// Nothing when an address in it is none.
template <typename Logs>
std::optional<std::vector<ContractLog>> read_logs(const Logs& logs) {
  std::vector<ContractLog> out;
  for (const auto& log : logs) {
    auto address = address_from_bytes(std::string("\x41") + log.address());
    if (!address) return std::nullopt;
    out.push_back({*address, {log.topics().begin(), log.topics().end()}, log.data()});
  }
  return out;
}

// Nothing when the answer is malformed.
std::optional<Execution> read_execution(const protocol::TransactionInfo& info) {
  auto txid = to_array<32>(info.id());
  auto logs = read_logs(info.log());
  if (!txid || !logs) return std::nullopt;
  Execution execution{.txid = *txid,
                      .block = info.blocknumber(),
                      .block_ms = info.blocktimestamp(),
                      .fee_sun = info.fee(),
                      .energy = info.receipt().energy_usage_total(),
                      .result = static_cast<int>(info.receipt().result()),
                      .failed = info.result() == protocol::TransactionInfo::FAILED,
                      .returned = info.contractresult_size() > 0 ? info.contractresult(0) : "",
                      .message = info.resmessage(),
                      .contract = address_from_bytes(info.contract_address()),
                      .logs = *std::move(logs)};
  return execution;
}

}  // namespace

class Node::Impl {
 public:
  explicit Impl(NodeOptions options)
      : options_(std::move(options)),
        full_{options_.full, "Wallet", connect(options_.full)},
        solidity_{options_.solidity, "WalletSolidity",
                  options_.solidity == options_.full ? full_.channel : connect(options_.solidity)} {}

  ChainResult<BlockRef> head(bool solid) {
    return fetch_block(solid, "GetNowBlock2", protocol::EmptyMessage())
        .and_then([&](std::optional<Block> block) -> ChainResult<BlockRef> {
          if (!block) return bad_answer(view_of(solid), "GetNowBlock2", "no block");
          return block->ref;
        });
  }

  ChainResult<std::optional<Block>> block(bool solid, std::int64_t number) {
    constexpr std::string_view method = "GetBlockByNum2";
    auto block = fetch_block(solid, method, number_message(number));
    if (block && *block && (*block)->ref.number != number)
      return bad_answer(view_of(solid), method,
                        "asked for " + std::to_string(number) + ", got another block");
    return block;
  }

  ChainResult<std::optional<std::int64_t>> inclusion(const Hash& txid, bool solid) {
    auto found = execution(txid, solid);
    if (!found) return tl::unexpected(found.error());
    return *found ? std::optional((*found)->block) : std::nullopt;
  }

  ChainResult<std::optional<Execution>> execution(const Hash& txid, bool solid) {
    constexpr std::string_view method = "GetTransactionInfoById";
    protocol::BytesMessage request;
    request.set_value(std::string(view(txid)));
    auto info = call<protocol::TransactionInfo>(view_of(solid), method, request);
    if (!info) return tl::unexpected(info.error());
    if (info->id().empty()) return std::nullopt;
    auto execution = read_execution(*info);
    if (!execution) return bad_answer(view_of(solid), method, "a malformed info");
    if (execution->txid != txid) return bad_answer(view_of(solid), method, "info of another transaction");
    return execution;
  }

  ChainResult<std::vector<Execution>> executions(std::int64_t number) {
    constexpr std::string_view method = "GetTransactionInfoByBlockNum";
    auto infos = call<protocol::TransactionInfoList>(solidity_, method, number_message(number));
    if (!infos) return tl::unexpected(infos.error());
    std::vector<Execution> out;
    for (const auto& info : infos->transactioninfo()) {
      auto execution = read_execution(info);
      if (!execution || execution->block != number)
        return bad_answer(solidity_, method, "an info is malformed or of another block");
      out.push_back(*std::move(execution));
    }
    return out;
  }

  ChainResult<ConstantCall> call_constant(bool solid, const ContractCall& wanted) {
    constexpr std::string_view method = "TriggerConstantContract";
    const View& view_asked = view_of(solid);
    protocol::TriggerSmartContract request;
    request.set_owner_address(std::string(view(wanted.owner.bytes)));
    if (wanted.contract != Address{}) request.set_contract_address(std::string(view(wanted.contract.bytes)));
    request.set_call_value(wanted.value_sun);
    request.set_data(wanted.data);
    request.set_call_token_value(wanted.token_value);
    request.set_token_id(wanted.token_id);
    auto answer = call<protocol::TransactionExtention>(view_asked, method, request);
    if (!answer) return tl::unexpected(answer.error());
    auto logs = read_logs(answer->logs());
    if (!logs) return bad_answer(view_asked, method, "a malformed log");
    ConstantCall out{.energy = answer->energy_used(),
                     .returned = answer->constant_result_size() > 0 ? answer->constant_result(0) : "",
                     .message = answer->result().message(),
                     .logs = *std::move(logs)};
    // `result` is true of reverted ones too.
    bool failed = answer->transaction().ret_size() > 0 &&
                  answer->transaction().ret(0).ret() != protocol::Transaction::Result::SUCESS;
    out.succeeded = answer->result().result() && !failed && out.message.empty();
    return out;
  }

  ChainResult<BroadcastAnswer> broadcast(ByteView transaction) {
    protocol::Transaction request;
    if (!request.ParseFromArray(transaction.data(), static_cast<int>(transaction.size())))
      return bad_answer(full_, "BroadcastTransaction", "not sent: the bytes are no Transaction");
    auto answer = call<protocol::Return>(full_, "BroadcastTransaction", request);
    if (!answer) return tl::unexpected(answer.error());
    return BroadcastAnswer{answer->result(), static_cast<int>(answer->code()), answer->message()};
  }

  ChainResult<AccountState> account(const Address& address) {
    protocol::Account request;
    request.set_address(std::string(view(address.bytes)));
    auto account = call<protocol::Account>(full_, "GetAccount", request);
    if (!account) return tl::unexpected(account.error());
    AccountState state;
    if (account->address().empty()) return state;
    if (account->address() != request.address()) return bad_answer(full_, "GetAccount", "another account");
    auto resource = call<protocol::AccountResourceMessage>(full_, "GetAccountResource", request);
    if (!resource) return tl::unexpected(resource.error());
    state.exists = true;
    state.balance_sun = account->balance();
    state.tokens.assign(account->assetv2().begin(), account->assetv2().end());
    std::sort(state.tokens.begin(), state.tokens.end());
    state.free_bandwidth_left = resource->freenetlimit() - resource->freenetused();
    state.staked_bandwidth_left = resource->netlimit() - resource->netused();
    state.staked_energy_left = resource->energylimit() - resource->energyused();
    return state;
  }

  ChainResult<abi::Uint128> solidified_balance(const Address& holder, const std::string& token) {
    if (auto contract = address_from_base58(token)) return token_balance(holder, *contract);
    protocol::Account request;
    request.set_address(std::string(view(holder.bytes)));
    auto account = call<protocol::Account>(solidity_, "GetAccount", request);
    if (!account) return tl::unexpected(account.error());
    std::int64_t held = account->balance();
    if (!token.empty()) {
      auto found = account->assetv2().find(token);
      held = found == account->assetv2().end() ? 0 : found->second;
    }
    if (held < 0) return bad_answer(solidity_, "GetAccount", "a negative balance");
    return static_cast<abi::Uint128>(held);
  }

  ChainResult<ChainParameters> parameters() {
    auto answer = call<protocol::ChainParameters>(full_, "GetChainParameters", protocol::EmptyMessage());
    if (!answer) return tl::unexpected(answer.error());
    ChainParameters parameters;
    for (const auto& parameter : answer->chainparameter())
      parameters.emplace_back(parameter.key(), parameter.value());
    return parameters;
  }

 private:
  ChainResult<abi::Uint128> token_balance(const Address& holder, const Address& contract) {
    auto told = call_constant(true, {holder, contract, trc20::balance_call(holder)});
    if (!told) return tl::unexpected(told.error());
    auto balance = told->succeeded ? abi::read_amount(told->returned) : std::nullopt;
    if (balance) return *balance;
    return bad_answer(solidity_, "TriggerConstantContract",
                      "contract " + to_base58(contract) + " tells no balance: " +
                          (told->succeeded ? "it returned " + to_hex(told->returned) : told->message));
  }

  struct View {
    std::string endpoint;
    std::string service;
    std::shared_ptr<grpc::Channel> channel;
  };

  const View& view_of(bool solid) const { return solid ? solidity_ : full_; }

  tl::unexpected<ChainError> bad_answer(const View& view, std::string_view method,
                                        std::string_view what) const {
    return failure(view, method, Kind::bad_answer, what);
  }

  tl::unexpected<ChainError> forged(const View& view, std::string_view method, std::string_view what) const {
    if (options_.on_forged) options_.on_forged();
    return failure(view, method, Kind::forged, what);
  }

  tl::unexpected<ChainError> failure(const View& view, std::string_view method, Kind kind,
                                     std::string_view what) const {
    return tl::unexpected(ChainError{
        kind, view.endpoint + " " + view.service + "." + std::string(method) + ": " + std::string(what)});
  }

  template <typename Response, typename Request>
  ChainResult<Response> call(const View& view, std::string_view method, const Request& request) const {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + options_.deadline);
    if (!options_.api_key.empty()) context.AddMetadata("tron-pro-api-key", options_.api_key);

    Response response;
    std::promise<grpc::Status> done;
    grpc::TemplatedGenericStub<Request, Response> stub(view.channel);
    stub.UnaryCall(&context, "/protocol." + view.service + "/" + std::string(method), grpc::StubOptions(),
                   &request, &response, [&done](grpc::Status status) { done.set_value(std::move(status)); });
    grpc::Status status = done.get_future().get();  // the deadline bounds this wait

    std::string_view outcome = status.ok() ? "ok" : outcome_name(kind_of(status.error_code()));
    if (options_.on_call) options_.on_call(view.endpoint, method, outcome);
    if (!status.ok()) return failure(view, method, kind_of(status.error_code()), what_of(status));
    return response;
  }

  template <typename Request>
  ChainResult<std::optional<Block>> fetch_block(bool solid, std::string_view method,
                                                const Request& request) const {
    auto answer = call<exact::BlockExtention>(view_of(solid), method, request);
    if (!answer) return tl::unexpected(answer.error());
    if (answer->blockid().empty() && !answer->has_block_header()) return std::nullopt;

    std::vector<std::string> transactions;
    transactions.reserve(static_cast<std::size_t>(answer->transactions_size()));
    for (auto& transaction : *answer->mutable_transactions())
      transactions.push_back(std::move(*transaction.mutable_transaction()));
    const auto& header = answer->block_header();
    auto block = assemble_block(header.raw_data(), header.witness_signature(), transactions);
    if (!block) return forged(view_of(solid), method, block.error());
    if (answer->blockid() != view(block->ref.id))
      return forged(view_of(solid), method, "the block id is not that of the header");
    return std::move(*block);
  }

  NodeOptions options_;
  View full_;
  View solidity_;
};

Node::Node(NodeOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Node::~Node() = default;

ChainResult<BlockRef> Node::head() {
  return impl_->head(false);
}
ChainResult<BlockRef> Node::solidified_head() {
  return impl_->head(true);
}
ChainResult<std::optional<Block>> Node::solidified_block(std::int64_t number) {
  return impl_->block(true, number);
}
ChainResult<std::optional<Block>> Node::block(std::int64_t number) {
  return impl_->block(false, number);
}
ChainResult<std::optional<std::int64_t>> Node::inclusion(const Hash& txid, bool solid) {
  return impl_->inclusion(txid, solid);
}
ChainResult<BroadcastAnswer> Node::broadcast(ByteView transaction) {
  return impl_->broadcast(transaction);
}
ChainResult<AccountState> Node::account(const Address& address) {
  return impl_->account(address);
}
ChainResult<abi::Uint128> Node::solidified_balance(const Address& holder, const std::string& token) {
  return impl_->solidified_balance(holder, token);
}
ChainResult<ChainParameters> Node::parameters() {
  return impl_->parameters();
}
ChainResult<std::optional<Execution>> Node::execution(const Hash& txid, bool solid) {
  return impl_->execution(txid, solid);
}
ChainResult<std::vector<Execution>> Node::executions(std::int64_t number) {
  return impl_->executions(number);
}
ChainResult<ConstantCall> Node::call_constant(const ContractCall& call) {
  return impl_->call_constant(false, call);
}

}  // namespace windlass::tron
