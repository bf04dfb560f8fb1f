// Whether an account is counted in what the ledger says that it owes.
#pragma once

#include "client/history.h"

namespace windlass::client {

struct ProvenLiability {
  core::Sequence sequence;  // after this entry
  core::Amount amount = 0;  // what the account is owed
  core::Amount total = 0;   // to all, this included
  core::Sequence seal;      // names it
  Hash seal_leaf{};
  core::Sequence snapshot;  // the balance snapshot that the same seal names: no older
};
// The proof counts `account` with exactly `amount` in its asset's total, and its seal names these
// liabilities. That the seal is in the log is check_inclusion's to say.
Proven<ProvenLiability> check_liability(const pb::LiabilityProof& proof, core::AccountNumber account,
                                        core::AssetId asset, core::Amount amount);

struct VerifiedLiability {
  ProvenLiability liability;
  Verified history;  // the account's, from which the amount follows; the seal is in its log
  bool anchored = false;
};
// `history` was read after the proof was given.
Result<VerifiedLiability> verify_liability(Evidence& evidence, const pb::LiabilityProof& proof,
                                           const History& history, core::AssetId asset, VerifyOptions options,
                                           const OnProgress& progress);

}  // namespace windlass::client
