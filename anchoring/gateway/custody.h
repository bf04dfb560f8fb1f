// Whether custody holds what the ledger owes.
#pragma once

#include "anchoring/ledger_client.h"
#include "anchoring/tron/chain.h"

namespace windlass::anchoring {

struct CustodyDifference {
  std::string symbol;
  // Held on the chain less (credited - paid): above 0 while deposits wait to be solidified and credited, or
  // where somebody paid in without making a deposit; below 0 something is missing. For a metric, so it may be
  // inexact.
  double ledger_units = 0;
};
// Of TRX and every TRC-10 that the ledger lists.
tl::expected<std::vector<CustodyDifference>, std::string> custody_differences(tron::Chain& chain,
                                                                              LedgerClient& ledger,
                                                                              const tron::Address& custody);

}  // namespace windlass::anchoring
