#include "ledger/sequencer/submission.h"

namespace windlass::sequencer {

std::vector<Hash> CommittedBatch::leaf_hashes() const {
  std::vector<Hash> hashes;
  hashes.reserve(entries.size());
  for (const auto& entry : entries) hashes.push_back(entry.leaf_hash);
  return hashes;
}

std::size_t Submission::commands() const {
  const auto* commands = std::get_if<Commands>(&what);
  return commands ? commands->items.size() : 1;
}

std::size_t Submission::bytes() const {
  constexpr std::size_t bytes_around_a_command = 512;  // decoded form, signatures, queue
  std::size_t total = sizeof(Submission);
  if (const auto* commands = std::get_if<Commands>(&what))
    for (const auto& item : commands->items)
      total += bytes_around_a_command + (item ? item->envelope.command.size() * 2 : 0);
  return total;
}

}  // namespace windlass::sequencer
