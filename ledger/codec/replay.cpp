#include "ledger/codec/replay.h"

#include <fmt/format.h>

namespace windlass::codec {
namespace {

auto fault(const StoredEntry& stored, std::string_view what) {
  return tl::unexpected(fmt::format("entry {}: {}", stored.sequence.value, what));
}

}  // namespace

tl::expected<Entry, std::string> check_stored(const StoredEntry& stored) {
  auto postings = decode_postings(stored.postings);
  if (!postings) return fault(stored, "its postings are malformed");
  Entry entry{stored.sequence, stored.time_us, stored.kind,
              stored.envelope, stored.secret,  *std::move(postings)};
  seal(entry);
  if (entry.leaf_hash != stored.leaf_hash)
    return fault(stored, "its contents do not hash to its leaf: something in it was changed");
  if (stored.links != links_of(entry.postings))
    return fault(stored, "its links are not those of its postings: histories would go astray");
  return entry;
}

tl::expected<Entry, std::string> replay(core::State& state, const Decoded& decoded,
                                        const StoredEntry& stored) {
  if (state.globals.next != stored.sequence)
    return fault(stored, fmt::format("entry {} is missing before it", state.globals.next.value));
  if (stored.time_us < state.globals.last_time_us)
    return fault(stored, "its time is before that of the entry before it");
  core::Outcome outcome = core::apply(state, decoded.command, stored.time_us);
  if (!outcome.accepted())
    return fault(stored, fmt::format("the ledger's rules refuse it ({})", core::info(outcome.error).reason));
  Entry entry =
      seal_entry(state, decoded.command, std::move(outcome), stored.envelope, stored.time_us, stored.secret);
  if (entry.kind != stored.kind) return fault(stored, "its kind is not that of its command");
  if (encode_postings(entry.postings) != stored.postings)
    return fault(stored, "its postings are not what its command does");
  if (entry.leaf_hash != stored.leaf_hash) return fault(stored, "its contents do not hash to its leaf");
  if (stored.links != links_of(entry.postings))
    return fault(stored, "its links are not those of its postings");
  return entry;
}

}  // namespace windlass::codec
