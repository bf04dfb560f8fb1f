#include "anchoring/exchange/listener.h"

#include <btfs/exchange.grpc.pb.h>
#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <windlass/v1/exchange.grpc.pb.h>

namespace windlass::anchoring {
namespace {

// The longest request has two states of some 300 bytes.
constexpr int max_request_bytes = 64 << 10;

template <typename Answer>
void refuse(Answer& out, protocol::Response::return_code code, std::string words) {
  out.Clear();
  out.mutable_response()->set_code(code);
  out.mutable_response()->set_return_message(std::move(words));
}

// Has `method` answer on the thread that owns everything.
template <typename Request, typename Answer>
grpc::ServerUnaryReactor* ask(Desk& desk, grpc::CallbackServerContext* context, const Request* request,
                              Answer* out, Answer (Exchange::*method)(const Request&)) {
  auto* reactor = context->DefaultReactor();
  bool taken = desk.post([=](Exchange* exchange) {
    if (context->IsCancelled()) {
      reactor->Finish(grpc::Status::CANCELLED);
      return;
    }
    if (!exchange) {
      refuse(*out, protocol::Response::REMOTE_CALL_ERROR,
             "the gateway is starting, standing by or ending; ask again in a minute");
      reactor->Finish(grpc::Status::OK);
      return;
    }
    try {
      *out = (exchange->*method)(*request);
    } catch (...) {
      refuse(*out, protocol::Response::DATABASE_ERROR,
             "the gateway's database fails; ask again in a minute: what was saved is answered again");
      reactor->Finish(grpc::Status::OK);
      throw;
    }
    reactor->Finish(grpc::Status::OK);
  });
  if (!taken) {
    refuse(*out, protocol::Response::REMOTE_CALL_ERROR, "too many requests wait; ask again in some seconds");
    reactor->Finish(grpc::Status::OK);
  }
  return reactor;
}

using Reactor = grpc::ServerUnaryReactor;
using Context = grpc::CallbackServerContext;

class ExchangeCalls final : public protocol::Exchange::CallbackService {
 public:
  explicit ExchangeCalls(Desk& desk) : desk_(desk) {}
  Reactor* PrepareDeposit(Context* context, const protocol::PrepareDepositRequest* in,
                          protocol::PrepareDepositResponse* out) override {
    return ask(desk_, context, in, out, &Exchange::prepare_deposit);
  }
  Reactor* Deposit(Context* context, const protocol::DepositRequest* in,
                   protocol::DepositResponse* out) override {
    return ask(desk_, context, in, out, &Exchange::deposit);
  }
  Reactor* ConfirmDeposit(Context* context, const protocol::ConfirmDepositRequest* in,
                          protocol::ConfirmDepositResponse* out) override {
    return ask(desk_, context, in, out, &Exchange::confirm_deposit);
  }
  Reactor* PrepareWithdraw(Context* context, const protocol::PrepareWithdrawRequest* in,
                           protocol::PrepareWithdrawResponse* out) override {
    return ask(desk_, context, in, out, &Exchange::prepare_withdraw);
  }
  // Half of it is the ledger's: ExchangeSigner.AcceptWithdrawal is the other.
  Reactor* Withdraw(Context* context, const protocol::WithdrawRequest*,
                    protocol::WithdrawResponse* out) override {
    refuse(*out, protocol::Response::REMOTE_CALL_ERROR,
           "this is the gateway's private listener: ask the ledger's server for a withdrawal");
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  Reactor* QueryTransaction(Context* context, const protocol::QueryTransactionRequest* in,
                            protocol::QueryTransactionResponse* out) override {
    return ask(desk_, context, in, out, &Exchange::query_transaction);
  }
  Reactor* ActivateAccountOnChain(Context* context, const protocol::ActivateAccountRequest* in,
                                  protocol::ActivateAccountResponse* out) override {
    return ask(desk_, context, in, out, &Exchange::activate_account);
  }

 private:
  Desk& desk_;
};

class SignerCalls final : public v1::ExchangeSigner::CallbackService {
 public:
  explicit SignerCalls(Desk& desk) : desk_(desk) {}
  Reactor* AcceptWithdrawal(Context* context, const protocol::WithdrawRequest* in,
                            v1::AcceptWithdrawalResponse* out) override {
    return ask(desk_, context, in, out, &Exchange::accept_withdrawal);
  }

 private:
  Desk& desk_;
};

}  // namespace

struct ExchangeListener::Impl {
  Impl(const std::string& address, Desk& at) : desk(at), calls(at), signer(at) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
    builder.SetMaxReceiveMessageSize(max_request_bytes);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.RegisterService(&calls);
    builder.RegisterService(&signer);
    server = builder.BuildAndStart();
    if (!server || port == 0)
      throw std::runtime_error(fmt::format("cannot listen on {} (exchange.listen): is it in use?", address));
  }
  Desk& desk;
  int port = 0;
  ExchangeCalls calls;
  SignerCalls signer;
  std::unique_ptr<grpc::Server> server;
};

ExchangeListener::ExchangeListener(const std::string& address, Desk& desk)
    : impl_(std::make_unique<Impl>(address, desk)) {}

ExchangeListener::~ExchangeListener() {
  impl_->desk.close();
  impl_->server->Shutdown(std::chrono::system_clock::now());
  impl_->server->Wait();
}

int ExchangeListener::port() const {
  return impl_->port;
}

}  // namespace windlass::anchoring
