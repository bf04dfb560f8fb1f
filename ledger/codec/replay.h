// One stored entry through the core again: recovery and the audit are this.
#pragma once

#include "ledger/codec/command.h"
#include "ledger/codec/entry.h"

namespace windlass::codec {

// An entry as it is stored: every column as found, nothing believed yet.
struct StoredEntry {
  core::Sequence sequence;
  core::TimeUs time_us = 0;
  core::Kind kind{};
  Hash leaf_hash{};
  Secret secret{};
  std::string envelope;
  std::string postings;
  std::vector<std::int64_t> links;
};

// What the columns say by themselves: postings, links and leaf recomputed from envelope, postings and secret,
// links and leaf hash compared. A text says which entry is wrong, and how.
tl::expected<Entry, std::string> check_stored(const StoredEntry& stored);

// Applies the decoded command of `stored` to `state` (which has what it needs) and compares everything that
// follows from it with what is stored. Signatures are not verified here: recovery trusts what was verified
// once, the audit does not (verify_signatures).
tl::expected<Entry, std::string> replay(core::State& state, const Decoded& decoded,
                                        const StoredEntry& stored);

}  // namespace windlass::codec
