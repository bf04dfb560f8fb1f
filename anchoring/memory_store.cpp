#include "anchoring/memory_store.h"

#include "ledger/core/table.h"

namespace windlass::anchoring {

template <typename Change>
void MemoryStore::write(std::string_view what, Change change) {
  if (tables_.on_write) tables_.on_write(what, false);
  if (epoch_ == 0 || epoch_ != tables_.epoch) throw Fenced();
  change();
  if (tables_.on_write) tables_.on_write(what, true);
}

bool MemoryStore::acquire() {
  epoch_ = ++tables_.epoch;
  return true;
}

std::optional<Anchor> MemoryStore::open_anchor() {
  for (const auto& [id, anchor] : tables_.anchors)
    if (!is_final(anchor.state)) return anchor;
  return std::nullopt;
}

std::optional<Anchor> MemoryStore::newest_solidified() {
  std::optional<Anchor> newest;
  for (const auto& [id, anchor] : tables_.anchors)
    if (anchor.state == AnchorState::solidified) newest = anchor;
  return newest;
}

std::vector<Anchor> MemoryStore::newest_anchors(std::int64_t since_us, std::size_t limit) {
  std::vector<Anchor> found;
  for (auto entry = tables_.anchors.rbegin(); entry != tables_.anchors.rend() && found.size() < limit;
       ++entry)
    if (entry->second.sealed_us >= since_us) found.push_back(entry->second);
  return found;
}

std::int64_t MemoryStore::add_anchor(const Anchor& anchor) {
  std::int64_t id = tables_.anchors.empty() ? 1 : tables_.anchors.rbegin()->first + 1;
  write("add_anchor", [&] {
    core::require(!open_anchor());
    (tables_.anchors[id] = anchor).id = id;
  });
  return id;
}

void MemoryStore::save_anchor(const Anchor& anchor) {
  write("save_anchor", [&] {
    core::require(tables_.anchors.contains(anchor.id));
    tables_.anchors[anchor.id] = anchor;
  });
}

std::optional<BlockPlace> MemoryStore::cursor() {
  return tables_.cursor;
}

void MemoryStore::save_cursor(const BlockPlace& cursor) {
  write("save_cursor", [&] { tables_.cursor = cursor; });
}

std::optional<Deposit> MemoryStore::deposit(const Hash& transaction_id, std::uint32_t log) {
  auto found = tables_.deposits.find({transaction_id, log});
  if (found == tables_.deposits.end()) return std::nullopt;
  return found->second;
}

void MemoryStore::save_deposit(const Deposit& deposit) {
  write("save_deposit", [&] { tables_.deposits[{deposit.transaction_id, deposit.at.log}] = deposit; });
}

void MemoryStore::save_stopped() {
  write("save_stopped", [&] { tables_.controls.stop_when_idle = false; });
}

}  // namespace windlass::anchoring
