// Whether custody holds what the ledger owes.
#pragma once

#include "anchoring/gateway/deposit.h"
#include "anchoring/ledger_client.h"
#include "anchoring/store.h"

namespace windlass::anchoring {

struct CustodyDifference {
  std::string symbol;
  // What custody, cold storage included, holds less what it should: above 0 where somebody paid in without
  // making a deposit; below 0 something is missing. In the chain's units, exactly.
  core::Int128 chain_units = 0;
  double ledger_units = 0;   // the same, for a metric: it may be inexact
  double hot = 0, cold = 0;  // what custody itself holds, and what cold storage does, likewise
};
// What sweeps have cost and the ledger has not booked yet (Sweeper), in sun.
tl::expected<std::int64_t, std::string> unbooked_fees_sun(LedgerClient& ledger, Store& store,
                                                          core::AssetId trx);
// Of every asset on TRON that the ledger lists, as of one solidified block: the one that the scan has
// reached, so that every deposit is credited, and of what was paid out it is known whether the ledger has
// booked it. Nothing where the chain has moved on meanwhile, or the scan is behind: look again.
tl::expected<std::optional<std::vector<CustodyDifference>>, std::string> reconcile(tron::Chain& chain,
                                                                                   LedgerClient& ledger,
                                                                                   Store& store,
                                                                                   const Parties& parties);

}  // namespace windlass::anchoring
