#include "api/grpc/btfs_services.h"

namespace windlass::api {
namespace {

BtfsLedger::Finish finishing(grpc::ServerUnaryReactor* reactor) {
  return [reactor](grpc::Status status) { reactor->Finish(std::move(status)); };
}

}  // namespace

grpc::ServerUnaryReactor* ChannelsService::CreateChannel(Context* context,
                                                         const ledger::SignedChannelCommit* request,
                                                         ledger::ChannelID* response) {
  auto* reactor = context->DefaultReactor();
  ledger_.create_channel(context->peer(), *request, *response, finishing(reactor));
  return reactor;
}

grpc::ServerUnaryReactor* ChannelsService::GetChannelInfo(Context* context, const ledger::ChannelID* request,
                                                          ledger::ChannelInfo* response) {
  auto* reactor = context->DefaultReactor();
  ledger_.channel_info(*request, *response, finishing(reactor));
  return reactor;
}

grpc::ServerUnaryReactor* ChannelsService::CloseChannel(Context* context,
                                                        const ledger::SignedChannelState* request,
                                                        ledger::ChannelClosed* response) {
  auto* reactor = context->DefaultReactor();
  ledger_.close_channel(context->peer(), *request, *response, finishing(reactor));
  return reactor;
}

grpc::ServerUnaryReactor* ChannelsService::GetNextClosedChannel(Context* context,
                                                                const ledger::ClosedChannelCursor* request,
                                                                ledger::ChannelInfo* response) {
  auto* reactor = context->DefaultReactor();
  ledger_.next_closed_channel(*request, *response, finishing(reactor));
  return reactor;
}

grpc::ServerUnaryReactor* ChannelsService::CreateAccount(Context* context, const ledger::PublicKey* request,
                                                         ledger::CreateAccountResult* response) {
  auto* reactor = context->DefaultReactor();
  ledger_.balance(*request, *response, finishing(reactor));
  return reactor;
}

grpc::ServerUnaryReactor* ChannelsService::SignedCreateAccount(
    Context* context, const ledger::SignedCreateAccountRequest* request,
    ledger::SignedCreateAccountResult* response) {
  auto* reactor = context->DefaultReactor();
  ledger_.signed_balance(context->peer(), *request, *response, finishing(reactor));
  return reactor;
}

grpc::ServerUnaryReactor* ChannelsService::UpdateAccountPubKey(Context* context,
                                                               const ledger::SignedPublicKeyPair* request,
                                                               ledger::Null* /*response*/) {
  auto* reactor = context->DefaultReactor();
  ledger_.rotate_key(context->peer(), *request, finishing(reactor));
  return reactor;
}

grpc::ServerUnaryReactor* ChannelsService::Transfer(Context* context,
                                                    const ledger::SignedTransferRequest* request,
                                                    ledger::TransferResult* response) {
  auto* reactor = context->DefaultReactor();
  ledger_.transfer(context->peer(), *request, *response, finishing(reactor));
  return reactor;
}

grpc::ServerUnaryReactor* EscrowService::BalanceOf(Context* context,
                                                   const ledger::SignedCreateAccountRequest* request,
                                                   escrow::SignedBalanceResult* response) {
  auto* reactor = context->DefaultReactor();
  ledger_.escrow_balance(context->peer(), *request, *response, finishing(reactor));
  return reactor;
}

grpc::ServerUnaryReactor* EscrowService::CreateChannel(Context* context,
                                                       const ledger::SignedChannelCommit* request,
                                                       ledger::ChannelID* response) {
  auto* reactor = context->DefaultReactor();
  ledger_.create_channel(context->peer(), *request, *response, finishing(reactor));
  return reactor;
}

grpc::ServerUnaryReactor* EscrowService::CloseChannel(Context* context,
                                                      const ledger::SignedChannelState* request,
                                                      ledger::ChannelClosed* response) {
  auto* reactor = context->DefaultReactor();
  ledger_.close_channel(context->peer(), *request, *response, finishing(reactor));
  return reactor;
}

grpc::ServerUnaryReactor* EscrowService::Pay(Context* context, const ledger::SignedTransferRequest* request,
                                             ledger::TransferResult* response) {
  auto* reactor = context->DefaultReactor();
  ledger_.transfer(context->peer(), *request, *response, finishing(reactor));
  return reactor;
}

}  // namespace windlass::api
