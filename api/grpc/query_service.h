// windlass.v1.Query and Log: every call runs on a bounded pool, because it may wait for the database.
#pragma once

#include <absl/container/flat_hash_set.h>
#include <windlass/v1/log.grpc.pb.h>
#include <windlass/v1/query.grpc.pb.h>

#include "api/grpc/convert.h"
#include "api/grpc/pool.h"

namespace windlass::api {

// Calls that wait for a thread; one more is refused as retryable.
constexpr std::size_t max_waiting_queries = 2048;
// Entries of a ReadEntries message group read at once from the database.
constexpr std::size_t contents_page = 500;
// A wait for a checkpoint ends by then, whatever deadline the call has.
constexpr std::chrono::seconds max_checkpoint_wait{30};
constexpr std::size_t max_watchers = 10'000;

// Who watches which account. A watcher is woken; it then reads the account itself, so that a slow one skips
// states but never queues them.
class Watchers {
 public:
  // Called under a lock, so it only schedules; false: it could not, has ended, and is to be forgotten.
  using Wake = std::function<bool()>;
  // False when there are too many.
  bool add(core::AccountNumber account, const void* watcher, Wake wake);
  void remove(const void* watcher);
  void committed(const sequencer::CommittedBatch& batch);

 private:
  struct Watcher {
    core::AccountNumber account;
    Wake wake;
  };
  std::mutex mutex_;
  absl::flat_hash_map<const void*, Watcher> watchers_;
};

class QueryService final : public v1::Query::CallbackService {
 public:
  QueryService(Queries& queries, Pool& pool, Watchers& watchers, bool public_contents);

  grpc::ServerUnaryReactor* GetLedger(grpc::CallbackServerContext*, const v1::GetLedgerRequest*,
                                      v1::LedgerInfo*) override;
  grpc::ServerUnaryReactor* GetAccount(grpc::CallbackServerContext*, const v1::GetAccountRequest*,
                                       v1::Account*) override;
  grpc::ServerUnaryReactor* GetChannel(grpc::CallbackServerContext*, const v1::GetChannelRequest*,
                                       v1::Channel*) override;
  grpc::ServerUnaryReactor* ListChannels(grpc::CallbackServerContext*, const v1::ListChannelsRequest*,
                                         v1::ListChannelsResponse*) override;
  grpc::ServerUnaryReactor* GetHistory(grpc::CallbackServerContext*, const v1::GetHistoryRequest*,
                                       v1::GetHistoryResponse*) override;
  grpc::ServerUnaryReactor* GetEntry(grpc::CallbackServerContext*, const v1::GetEntryRequest*,
                                     v1::Entry*) override;
  grpc::ServerWriteReactor<v1::Entry>* ReadEntries(grpc::CallbackServerContext*,
                                                   const v1::ReadEntriesRequest*) override;
  grpc::ServerWriteReactor<v1::Account>* WatchAccount(grpc::CallbackServerContext*,
                                                      const v1::GetAccountRequest*) override;
  grpc::ServerUnaryReactor* ListAssets(grpc::CallbackServerContext*, const v1::ListAssetsRequest*,
                                       v1::ListAssetsResponse*) override;
  grpc::ServerUnaryReactor* GetTotals(grpc::CallbackServerContext*, const v1::GetTotalsRequest*,
                                      v1::GetTotalsResponse*) override;
  grpc::ServerUnaryReactor* GetWithdrawalTerms(grpc::CallbackServerContext*,
                                               const v1::GetWithdrawalTermsRequest*,
                                               v1::GetWithdrawalTermsResponse*) override;
  grpc::ServerUnaryReactor* GetDepositAddress(grpc::CallbackServerContext*,
                                              const v1::GetDepositAddressRequest*,
                                              v1::DepositAddress*) override;
  grpc::ServerUnaryReactor* ListWithdrawals(grpc::CallbackServerContext*, const v1::ListWithdrawalsRequest*,
                                            v1::ListWithdrawalsResponse*) override;

 private:
  Answered<core::Key> key_of(ByteView key, ByteView address);
  core::Error may_read_contents(const v1::ReadEntriesRequest& request);

  Queries& queries_;
  Pool& pool_;
  Watchers& watchers_;
  const bool public_contents_;
};

class LogService final : public v1::Log::CallbackService {
 public:
  // `waiting` is for calls that wait for a checkpoint: they must not hold up the others.
  LogService(Queries& queries, Pool& pool, Pool& waiting, bool public_contents)
      : queries_(queries), pool_(pool), waiting_(waiting), public_contents_(public_contents) {}

  grpc::ServerUnaryReactor* GetCheckpoint(grpc::CallbackServerContext*, const v1::GetCheckpointRequest*,
                                          v1::Checkpoint*) override;
  grpc::ServerUnaryReactor* GetInclusionProof(grpc::CallbackServerContext*,
                                              const v1::GetInclusionProofRequest*,
                                              v1::InclusionProof*) override;
  grpc::ServerUnaryReactor* GetConsistencyProof(grpc::CallbackServerContext*,
                                                const v1::GetConsistencyProofRequest*,
                                                v1::ConsistencyProof*) override;
  grpc::ServerUnaryReactor* ListAnchors(grpc::CallbackServerContext*, const v1::ListAnchorsRequest*,
                                        v1::ListAnchorsResponse*) override;
  grpc::ServerUnaryReactor* ListSeals(grpc::CallbackServerContext*, const v1::ListSealsRequest*,
                                      v1::ListSealsResponse*) override;
  grpc::ServerUnaryReactor* GetStatement(grpc::CallbackServerContext*, const v1::GetStatementRequest*,
                                         v1::Statement*) override;
  grpc::ServerUnaryReactor* GetLiabilityProof(grpc::CallbackServerContext*,
                                              const v1::GetLiabilityProofRequest*,
                                              v1::LiabilityProof*) override;
  grpc::ServerUnaryReactor* AddAudit(grpc::CallbackServerContext*, const v1::AddAuditRequest*,
                                     v1::AddAuditResponse*) override;
  grpc::ServerUnaryReactor* ListAudits(grpc::CallbackServerContext*, const v1::ListAuditsRequest*,
                                       v1::ListAuditsResponse*) override;

 private:
  Queries& queries_;
  Pool& pool_;
  Pool& waiting_;
  const bool public_contents_;
};

}  // namespace windlass::api
