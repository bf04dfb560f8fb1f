// The historical protocol.Exchange (docs/btfs.md): passed on to the anchoring process, which has the
// gateway's key, and for a withdrawal on to the ledger.
#pragma once

#include <btfs/exchange.grpc.pb.h>
#include <windlass/v1/exchange.grpc.pb.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "ledger/codec/command.h"
#include "ledger/sequencer/submission.h"

namespace windlass::api {

// The clients set none.
constexpr std::chrono::seconds exchange_deadline{10};

// Has the ledger make a withdrawal of a channel (BtfsLedger::withdraw).
using SubmitWithdrawal = std::function<void(const std::string& peer, codec::BtfsWithdrawal withdrawal,
                                            std::function<void(const sequencer::Answer&)> finish)>;

class ExchangeService final : public protocol::Exchange::CallbackService {
 public:
  // `address`: host:port of the anchoring process's exchange.listen.
  ExchangeService(const std::string& address, SubmitWithdrawal submit);

  grpc::ServerUnaryReactor* PrepareDeposit(grpc::CallbackServerContext* context,
                                           const protocol::PrepareDepositRequest* request,
                                           protocol::PrepareDepositResponse* response) override;
  grpc::ServerUnaryReactor* Deposit(grpc::CallbackServerContext* context,
                                    const protocol::DepositRequest* request,
                                    protocol::DepositResponse* response) override;
  grpc::ServerUnaryReactor* ConfirmDeposit(grpc::CallbackServerContext* context,
                                           const protocol::ConfirmDepositRequest* request,
                                           protocol::ConfirmDepositResponse* response) override;
  grpc::ServerUnaryReactor* PrepareWithdraw(grpc::CallbackServerContext* context,
                                            const protocol::PrepareWithdrawRequest* request,
                                            protocol::PrepareWithdrawResponse* response) override;
  grpc::ServerUnaryReactor* Withdraw(grpc::CallbackServerContext* context,
                                     const protocol::WithdrawRequest* request,
                                     protocol::WithdrawResponse* response) override;
  grpc::ServerUnaryReactor* QueryTransaction(grpc::CallbackServerContext* context,
                                             const protocol::QueryTransactionRequest* request,
                                             protocol::QueryTransactionResponse* response) override;
  grpc::ServerUnaryReactor* ActivateAccountOnChain(grpc::CallbackServerContext* context,
                                                   const protocol::ActivateAccountRequest* request,
                                                   protocol::ActivateAccountResponse* response) override;

 private:
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<protocol::Exchange::Stub> exchange_;
  std::unique_ptr<v1::ExchangeSigner::Stub> signer_;
  SubmitWithdrawal submit_;
};

}  // namespace windlass::api
