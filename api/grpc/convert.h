// The services' messages from the ledger's types.
#pragma once

#include <windlass/v1/command.pb.h>
#include <windlass/v1/log.pb.h>
#include <windlass/v1/query.pb.h>

#include "api/queries.h"

namespace windlass::api {

void fill(v1::Account& out, const AccountView& view);
void fill(v1::Channel& out, const ChannelView& view);
void fill(v1::Posting& out, const ProvenPosting& posting);
void fill(v1::Entry& out, const EntryView& view);
void fill(v1::Asset& out, const core::Asset& asset);
void fill(v1::AssetTotals& out, const core::AssetTotals& totals);
void fill(v1::Withdrawal& out, const WithdrawalView& view);
void fill(v1::DepositAddress& out, const DepositAddressView& view);
void fill(v1::WithdrawalTerms& out, const TermsView& view);
void fill(v1::Anchor& out, const journal::AnchorRow& anchor);
void fill(v1::Statement& out, const StatementView& view);
void fill(v1::LiabilityProof& out, const LiabilityView& view);
// Everything of it: for an audit.
void fill_whole(v1::Entry& out, const codec::StoredEntry& stored);

// The postings that the signer gets with its acknowledgement: its own, and the channel's; of a receipt, all.
void fill_acknowledgement(v1::Acknowledgement& out, const codec::Entry& entry,
                          const std::optional<core::AccountNumber>& signer);

// A commit's leaves as a tree, for the promise: one signature for all of them.
class BatchPromise {
 public:
  BatchPromise(core::Sequence first, std::vector<Hash> leaves, core::TimeUs time_us,
               const log::NoteSigner& signer);
  void fill(v1::Promise& out, std::size_t index) const;

 private:
  log::Tree tree_;
  std::string note_;
};

}  // namespace windlass::api
