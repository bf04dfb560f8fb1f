// ledger.Channels and escrow.EscrowService, as clients of the historical BTFS ledger call them.
#pragma once

#include <btfs/escrow.grpc.pb.h>
#include <btfs/ledger.grpc.pb.h>

#include "api/grpc/btfs_ledger.h"

namespace windlass::api {

class ChannelsService final : public ledger::Channels::CallbackService {
 public:
  explicit ChannelsService(BtfsLedger& ledger) : ledger_(ledger) {}
  using Context = grpc::CallbackServerContext;
  using Reactor = grpc::ServerUnaryReactor;
  Reactor* CreateChannel(Context*, const ledger::SignedChannelCommit*, ledger::ChannelID*) override;
  Reactor* GetChannelInfo(Context*, const ledger::ChannelID*, ledger::ChannelInfo*) override;
  Reactor* CloseChannel(Context*, const ledger::SignedChannelState*, ledger::ChannelClosed*) override;
  Reactor* GetNextClosedChannel(Context*, const ledger::ClosedChannelCursor*, ledger::ChannelInfo*) override;
  Reactor* CreateAccount(Context*, const ledger::PublicKey*, ledger::CreateAccountResult*) override;
  Reactor* SignedCreateAccount(Context*, const ledger::SignedCreateAccountRequest*,
                               ledger::SignedCreateAccountResult*) override;
  Reactor* UpdateAccountPubKey(Context*, const ledger::SignedPublicKeyPair*, ledger::Null*) override;
  Reactor* Transfer(Context*, const ledger::SignedTransferRequest*, ledger::TransferResult*) override;

 private:
  BtfsLedger& ledger_;
};

class EscrowService final : public escrow::EscrowService::CallbackService {
 public:
  explicit EscrowService(BtfsLedger& ledger) : ledger_(ledger) {}
  using Context = grpc::CallbackServerContext;
  using Reactor = grpc::ServerUnaryReactor;
  Reactor* BalanceOf(Context*, const ledger::SignedCreateAccountRequest*,
                     escrow::SignedBalanceResult*) override;
  Reactor* CreateChannel(Context*, const ledger::SignedChannelCommit*, ledger::ChannelID*) override;
  Reactor* CloseChannel(Context*, const ledger::SignedChannelState*, ledger::ChannelClosed*) override;
  Reactor* Pay(Context*, const ledger::SignedTransferRequest*, ledger::TransferResult*) override;

 private:
  BtfsLedger& ledger_;
};

}  // namespace windlass::api
