#include "anchoring/worker/absence_scan.h"

#include <fmt/format.h>

namespace windlass::anchoring {

tl::expected<AbsenceScan::Verdict, std::string> AbsenceScan::advance(tron::Chain& chain, int max_blocks) {
  for (int i = 0; i < max_blocks; ++i) {
    auto block = chain.solidified_block(last_.number + 1);
    if (!block) return tl::unexpected(block.error().message);
    if (!*block) return Unfinished{last_.number + 1};
    if (!node_) node_ = chain.reading_from();
    if (*node_ != chain.reading_from())
      return tl::unexpected(
          std::string("solidified blocks come from another node now: the scan begins anew"));
    auto verdict = read(**block);
    if (!verdict || !std::holds_alternative<Unfinished>(*verdict)) return verdict;
  }
  return Unfinished{};
}

tl::expected<AbsenceScan::Verdict, std::string> AbsenceScan::read(const tron::Block& block) {
  const auto& joined = started_ ? block.parent : block.ref.id;
  if (joined != last_.id)
    return tl::unexpected(
        fmt::format("solidified block {} does not join on to {}, which was solidified before: the "
                    "node changed its history or is several nodes; nothing is replaced",
                    block.ref.number, to_hex(last_.id)));
  started_ = true;
  last_ = {block.ref.number, block.ref.id};
  for (const auto& transaction : block.transactions)
    if (transaction.txid == transaction_id_) return Found{block.ref.number};
  if (block.ref.timestamp_ms >= expiration_ms_) return Absent{};
  return Unfinished{};
}

}  // namespace windlass::anchoring
