// Whether custody holds what the ledger owes.
#pragma once

#include "anchoring/ledger_client.h"
#include "anchoring/tron/chain.h"

namespace windlass::anchoring {

struct CustodyDifference {
  std::string symbol;
  // Held on the chain less (credited - paid), in the chain's units: above 0 while deposits wait to be
  // solidified and credited, or where somebody paid in without making a deposit; below 0 something is
  // missing.
  core::Int128 chain_units = 0;
  double ledger_units = 0;  // the same, for a metric: it may be inexact
};
// Of every asset on TRON that the ledger lists.
tl::expected<std::vector<CustodyDifference>, std::string> custody_differences(tron::Chain& chain,
                                                                              LedgerClient& ledger,
                                                                              const tron::Address& custody);

}  // namespace windlass::anchoring
