#include "anchoring/gateway/frame.h"

#include <fmt/format.h>

namespace windlass::anchoring {

tl::expected<tron::TransactionFrame, std::string> frame_at_scan(tron::Chain& chain, Store& store,
                                                                std::int64_t life_ms) {
  auto cursor = store.cursor();
  auto head = chain.head(), solid = chain.solidified_head();
  if (!head) return tl::unexpected(head.error().message);
  if (!solid) return tl::unexpected(solid.error().message);
  if (!cursor || cursor->number + max_scan_lag_blocks < solid->number)
    return tl::unexpected(std::string("payments wait until the scan of blocks has caught up"));
  if (head->timestamp_ms < solid->timestamp_ms)
    return tl::unexpected(
        fmt::format("the node's head, block {}, is older than the solidified block {}: it lags", head->number,
                    solid->number));
  tron::TransactionFrame frame;
  frame.reference = {cursor->number, cursor->id, 0};
  // Expirations are held against the chain's time, not against the clock of this machine.
  frame.expiration_ms = head->timestamp_ms + life_ms;
  return frame;
}

}  // namespace windlass::anchoring
