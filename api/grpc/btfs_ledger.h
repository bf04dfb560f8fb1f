// What the services of the historical BTFS ledger do (docs/btfs.md): their messages into the sequencer,
// answers as the clients of then expect them. btfs_services.h puts this behind gRPC.
#pragma once

#include <btfs/escrow.pb.h>
#include <btfs/ledger.pb.h>
#include <grpcpp/support/status.h>

#include "api/grpc/clients.h"
#include "api/grpc/pool.h"
#include "api/queries.h"
#include "ledger/codec/btfs.h"

namespace windlass::api {

class BtfsLedger {
 public:
  // `escrow_key` signs balances for clients that are configured with it; none: BalanceOf is refused.
  BtfsLedger(sequencer::Sequencer& sequencer, Queries& queries, Clients& clients, Pool& pool,
             std::optional<SecretKey> escrow_key)
      : sequencer_(sequencer),
        queries_(queries),
        clients_(clients),
        pool_(pool),
        escrow_key_(std::move(escrow_key)) {}

  // Each calls `finish` exactly once, maybe on another thread and later; request and response live until
  // then.
  using Finish = std::function<void(grpc::Status)>;
  // `peer` as gRPC names the connection.
  void create_channel(const std::string& peer, const ledger::SignedChannelCommit& request,
                      ledger::ChannelID& response, Finish finish);
  // A channel that has ended in this very state is answered like one that ends now.
  void close_channel(const std::string& peer, const ledger::SignedChannelState& request,
                     ledger::ChannelClosed& response, Finish finish);
  void channel_info(const ledger::ChannelID& request, ledger::ChannelInfo& response, Finish finish);
  void next_closed_channel(const ledger::ClosedChannelCursor& request, ledger::ChannelInfo& response,
                           Finish finish);
  void balance(const ledger::PublicKey& request, ledger::CreateAccountResult& response, Finish finish);
  void signed_balance(const std::string& peer, const ledger::SignedCreateAccountRequest& request,
                      ledger::SignedCreateAccountResult& response, Finish finish);
  void escrow_balance(const std::string& peer, const ledger::SignedCreateAccountRequest& request,
                      escrow::SignedBalanceResult& response, Finish finish);
  void transfer(const std::string& peer, const ledger::SignedTransferRequest& request,
                ledger::TransferResult& response, Finish finish);
  void rotate_key(const std::string& peer, const ledger::SignedPublicKeyPair& request, Finish finish);

  // Turns a channel to the gateway into a withdrawal; both have signed both of its ends. `finish` is told
  // what was refused, Error::none where it is under way: also where it was before.
  void withdraw(const std::string& peer, codec::BtfsWithdrawal withdrawal,
                std::function<void(const sequencer::Answer&)> finish);

 private:
  // An answer, with the entry where there is one: of what was accepted now or (repeated) before.
  struct Executed {
    sequencer::Answer answer;
    std::optional<codec::Entry> entry;
  };
  void execute(const std::string& peer, codec::Made command, std::function<void(Executed)> then);
  // On the pool; `finish` gets its status, or queue_full.
  void on_pool(Finish finish, std::function<grpc::Status()> answer);
  Answered<core::Key> check_signed_key(const std::string& peer,
                                       const ledger::SignedCreateAccountRequest& request,
                                       grpc::Status& refused);
  grpc::Status ended_before(const codec::btfs::ChannelState& state, const ledger::SignedChannelState& request,
                            ledger::ChannelClosed& response);
  bool is_exchange_deposit(const codec::btfs::ChannelState& state);

  sequencer::Sequencer& sequencer_;
  Queries& queries_;
  Clients& clients_;
  Pool& pool_;
  const std::optional<SecretKey> escrow_key_;
};

}  // namespace windlass::api
