#include "api/grpc/exchange_service.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include "ledger/codec/btfs.h"

namespace windlass::api {
namespace {

using Context = grpc::CallbackServerContext;
using Reactor = grpc::ServerUnaryReactor;

// A gateway that was down for a minute is to be found again within seconds.
constexpr int max_reconnect_backoff_ms = 2'000;

std::shared_ptr<grpc::Channel> connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, max_reconnect_backoff_ms);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

// It ends with the call that it serves, by the clock. (One that gRPC itself ties to that call, so that both
// are cancelled together, was seen to outlive it and abort.)
std::shared_ptr<grpc::ClientContext> ask_context(const Context& context) {
  auto asking = std::make_shared<grpc::ClientContext>();
  auto deadline = std::chrono::system_clock::now() + exchange_deadline;
  asking->set_deadline(std::min(context.deadline(), deadline));
  return asking;
}

template <typename Answer>
void say_away(Answer& out, const grpc::Status& status) {
  out.Clear();
  out.mutable_response()->set_code(protocol::Response::REMOTE_CALL_ERROR);
  out.mutable_response()->set_return_message(fmt::format(
      "the gateway does not answer ({}); ask again in a minute: the same request gets the same answer, and "
      "nothing is done twice",
      status.error_message()));
}

template <typename Asked, typename Request, typename Answer>
using Method = void (Asked::*)(grpc::ClientContext*, const Request*, Answer*,
                               std::function<void(grpc::Status)>);

// `done` is called when there is an answer, which has its response in any case.
template <typename Asked, typename Request, typename Answer, typename Done>
void ask(Context* context, Asked* stub, Method<Asked, Request, Answer> method, const Request* request,
         Answer* out, Done done) {
  auto asking = ask_context(*context);
  (stub->*method)(asking.get(), request, out, [asking, out, done](const grpc::Status& status) mutable {
    // It holds the channel, and gRPC ends its threads on the one that drops the last channel or server, which
    // must be none of them: so it goes before the answer, and never after whoever stops the server then.
    asking.reset();
    if (!status.ok() || !out->has_response()) say_away(*out, status);
    done();
  });
}

using Calls = protocol::Exchange::StubInterface::async_interface;

template <typename Request, typename Answer>
Reactor* pass_on(Context* context, protocol::Exchange::Stub& stub, Method<Calls, Request, Answer> method,
                 const Request* request, Answer* out) {
  auto* reactor = context->DefaultReactor();
  ask<Calls, Request, Answer>(context, stub.async(), method, request, out,
                              [reactor] { reactor->Finish(grpc::Status::OK); });
  return reactor;
}

codec::BtfsWithdrawal withdrawal_of(const protocol::WithdrawRequest& request,
                                    const v1::AcceptWithdrawalResponse& accepted,
                                    const codec::btfs::ChannelState& state) {
  const auto &success = request.success_channel_state(), &failure = request.failure_channel_state();
  auto by = [](const codec::btfs::Account& account, const std::string& signature) {
    return codec::Signed{std::string(view(account.address)), signature};
  };
  return {success.channel(),
          failure.channel(),
          by(state.from, success.from_signature()),
          by(state.from, failure.from_signature()),
          by(state.to, accepted.success_to_signature()),
          by(state.to, accepted.failure_to_signature())};
}

protocol::Response::return_code code_of(core::Error error) {
  using protocol::Response;
  switch (error) {
    case core::Error::none:
      return Response::SUCCESS;
    case core::Error::unknown_channel:  // also of one that is closed
    case core::Error::channel_closed:
      return Response::CHANNEL_CLOSED;
    case core::Error::insufficient_funds:
      return Response::LEDGER_BALANCE_INSUFFICIENT;
    case core::Error::gateway_out_of_funds:
    case core::Error::daily_cap_reached:
      return Response::TRON_BALANCE_INSUFFICIENT;
    case core::Error::below_minimum_withdrawal:
      return Response::AMOUNT_ILLEGAL;
    case core::Error::bad_signature:
    case core::Error::bad_signature_format:
      return Response::SIGN_FAILED;
    default:
      return core::info(error).transient ? Response::REMOTE_CALL_ERROR : Response::OTHER_ERROR;
  }
}

protocol::Response response_of(core::Error error) {
  protocol::Response response;
  response.set_code(code_of(error));
  if (error != core::Error::none)
    response.set_return_message(
        fmt::format("{}; what the channel holds is given back an hour after it was opened, unless a Withdraw "
                    "succeeds before",
                    core::info(error).message));
  return response;
}

}  // namespace

ExchangeService::ExchangeService(const std::string& address, SubmitWithdrawal submit)
    : channel_(connect(address)),
      exchange_(protocol::Exchange::NewStub(channel_)),
      signer_(v1::ExchangeSigner::NewStub(channel_)),
      submit_(std::move(submit)) {}

Reactor* ExchangeService::PrepareDeposit(Context* context, const protocol::PrepareDepositRequest* request,
                                         protocol::PrepareDepositResponse* response) {
  return pass_on(context, *exchange_, &Calls::PrepareDeposit, request, response);
}

Reactor* ExchangeService::Deposit(Context* context, const protocol::DepositRequest* request,
                                  protocol::DepositResponse* response) {
  return pass_on(context, *exchange_, &Calls::Deposit, request, response);
}

Reactor* ExchangeService::ConfirmDeposit(Context* context, const protocol::ConfirmDepositRequest* request,
                                         protocol::ConfirmDepositResponse* response) {
  return pass_on(context, *exchange_, &Calls::ConfirmDeposit, request, response);
}

Reactor* ExchangeService::PrepareWithdraw(Context* context, const protocol::PrepareWithdrawRequest* request,
                                          protocol::PrepareWithdrawResponse* response) {
  return pass_on(context, *exchange_, &Calls::PrepareWithdraw, request, response);
}

// The gateway signs first, for this withdrawal and channel alone; then the ledger makes one of the other.
Reactor* ExchangeService::Withdraw(Context* context, const protocol::WithdrawRequest* request,
                                   protocol::WithdrawResponse* response) {
  using SignerCalls = v1::ExchangeSigner::StubInterface::async_interface;
  auto* reactor = context->DefaultReactor();
  auto accepted = std::make_shared<v1::AcceptWithdrawalResponse>();
  auto finish = [reactor, response](protocol::Response answer) {
    *response->mutable_response() = std::move(answer);
    reactor->Finish(grpc::Status::OK);
  };
  ask<SignerCalls, protocol::WithdrawRequest, v1::AcceptWithdrawalResponse>(
      context, signer_->async(), &SignerCalls::AcceptWithdrawal, request, accepted.get(), [=, this] {
        if (accepted->response().code() != protocol::Response::SUCCESS) return finish(accepted->response());
        auto state = codec::btfs::parse_channel_state(request->success_channel_state().channel());
        if (!state) return finish(response_of(core::Error::bad_field));
        submit_(context->peer(), withdrawal_of(*request, *accepted, *state),
                [finish](const sequencer::Answer& answer) { finish(response_of(answer.error)); });
      });
  return reactor;
}

Reactor* ExchangeService::QueryTransaction(Context* context, const protocol::QueryTransactionRequest* request,
                                           protocol::QueryTransactionResponse* response) {
  return pass_on(context, *exchange_, &Calls::QueryTransaction, request, response);
}

Reactor* ExchangeService::ActivateAccountOnChain(Context* context,
                                                 const protocol::ActivateAccountRequest* request,
                                                 protocol::ActivateAccountResponse* response) {
  return pass_on(context, *exchange_, &Calls::ActivateAccountOnChain, request, response);
}

}  // namespace windlass::api
