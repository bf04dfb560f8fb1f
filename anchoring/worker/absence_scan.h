// The only proof that a transaction can never land: a contiguous, parent-linked walk over solidified blocks,
// from the one it refers to, up to and including the first whose timestamp is at or past its expiration,
// meeting it nowhere. A transaction may still land in the block whose timestamp equals its expiration; "not
// found" and error codes prove nothing.
#pragma once

#include "anchoring/store.h"

namespace windlass::anchoring {

class AbsenceScan {
 public:
  explicit AbsenceScan(const Anchor& anchor)
      : transaction_id_(anchor.transaction_id),
        expiration_ms_(anchor.expiration_ms),
        last_(anchor.reference) {
    last_.number -= 1;  // the reference itself is read first, and must be what was referred to
  }

  struct Found {
    std::int64_t block = 0;
  };
  struct Absent {};
  struct Unfinished {
    std::optional<std::int64_t> missing;  // the node does not have this block (yet)
  };
  using Verdict = std::variant<Unfinished, Absent, Found>;

  // Reads at most `max_blocks` further ones. After an error, start over: a node that contradicts itself
  // proves nothing.
  tl::expected<Verdict, std::string> advance(tron::Chain& chain, int max_blocks);
  const Hash& transaction_id() const { return transaction_id_; }

 private:
  tl::expected<Verdict, std::string> read(const tron::Block& block);

  Hash transaction_id_;
  std::int64_t expiration_ms_;
  BlockPlace last_;
  std::optional<std::uint64_t> node_;  // all blocks are of this one
  bool started_ = false;
};

}  // namespace windlass::anchoring
