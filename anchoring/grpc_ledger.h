// The ledger over gRPC (windlass.v1).
#pragma once

#include <chrono>

#include "anchoring/ledger_client.h"

namespace windlass::anchoring {

struct GrpcLedgerOptions {
  std::string address;  // host:port
  std::string ca_file;  // PEM roots: TLS; empty: plaintext
  std::chrono::milliseconds deadline{
      10'000};  // per call; the checkpoint that covers a seal takes a batch or two
};

// What GetLedger says for good (everything but the size) is asked once and must stay so.
class GrpcLedger final : public LedgerClient {
 public:
  // Throws std::runtime_error when the roots cannot be read.
  explicit GrpcLedger(GrpcLedgerOptions options);
  ~GrpcLedger() override;

  LedgerResult<LedgerInfo> info() override;
  LedgerResult<std::vector<core::Asset>> assets() override;
  LedgerResult<std::vector<core::AssetTotals>> totals() override;
  LedgerResult<EntryInfo> entry(core::Sequence sequence) override;
  LedgerResult<core::Sequence> execute(const codec::Envelope& envelope) override;
  LedgerResult<std::string> checkpoint(std::uint64_t minimum_size) override;
  LedgerResult<log::Proof> consistency_proof(std::uint64_t old_size, std::uint64_t size) override;
  LedgerResult<std::vector<OpenWithdrawal>> open_withdrawals(const SecretKey& gateway,
                                                             core::ChannelId after) override;
  LedgerResult<std::optional<core::Sequence>> credit_at(const SecretKey& gateway, std::uint32_t chain,
                                                        core::ChainCursor at) override;
  LedgerResult<std::map<core::AssetId, core::Amount>> available(const PublicKey& key) override;
  LedgerResult<std::optional<BtfsChannel>> btfs_channel(core::ChannelId id) override;
  LedgerResult<std::vector<BtfsChannel>> idle_exchange_channels(const SecretKey& gateway,
                                                                core::TimeUs opened_before_us) override;
  LedgerResult<void> close_btfs_channel(const std::string& state, const std::string& to_signature) override;
  LedgerResult<AccountInfo> account(const PublicKey& key) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace windlass::anchoring
