// What a transaction refers to, so that the scan of solidified blocks (scanner.h) tells what became of it.
#pragma once

#include "anchoring/store.h"
#include "anchoring/tron/transaction.h"

namespace windlass::anchoring {

// While the scan is that far behind nothing is made: what happened to it would show late.
constexpr std::int64_t max_scan_lag_blocks = 1'000;

// Refers to the block that the scan has reached: all blocks in which the transaction can land are still to be
// met. The timestamp is the caller's to set; the error says why nothing can be made now.
tl::expected<tron::TransactionFrame, std::string> frame_at_scan(tron::Chain& chain, Store& store,
                                                                std::int64_t life_ms);

}  // namespace windlass::anchoring
