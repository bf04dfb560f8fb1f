// One kind of record, in memory: a bounded cache over what storage holds, with everything that changed since
// the last finished flush kept until it is written.
//
// Flushing is copy-on-write. Every slot knows the generation in which it last changed. freeze() starts a new
// generation; until the frozen one is drained, a slot of it that changes again is copied out first, so that
// what is written is exactly as of the freeze. Nothing of an unfinished generation can be evicted.
//
// One thread at a time has a table; nothing here locks.
#pragma once

#include <absl/container/node_hash_map.h>

#include <cassert>
#include <cstdlib>
#include <functional>
#include <optional>
#include <vector>

namespace windlass::core {

// A broken rule of this program, not of its input: stops it, in release builds too.
inline void require(bool holds) {
  if (!holds) std::abort();
}

// Keeps a slot of a table in memory. The table outlives it.
class Pin {
 public:
  explicit Pin(std::uint32_t& pins) : pins_(&pins) { ++pins; }
  Pin(Pin&& other) noexcept : pins_(std::exchange(other.pins_, nullptr)) {}
  Pin& operator=(Pin&& other) noexcept {
    std::swap(pins_, other.pins_);
    return *this;
  }
  ~Pin() {
    if (pins_) --*pins_;
  }

 private:
  std::uint32_t* pins_;
};

// What a record holds outside of itself; overloaded beside records that do.
template <typename Record>
std::size_t heap_bytes(const Record&) {
  return 0;
}

template <typename Id, typename Record>
class Table {
 public:
  // A complete table holds all records there are (tests, audits from genesis); any other must have been told,
  // by load(), of each record that is asked for.
  explicit Table(bool complete) : complete_(complete) {}
  // Slots are linked by their addresses: a table moves, but is never copied.
  Table(Table&&) = default;
  Table& operator=(Table&&) = default;

  const Record* find(const Id& id) const {
    auto it = slots_.find(id);
    if (it == slots_.end()) {
      require(complete_);
      return nullptr;
    }
    it->second.referenced = true;
    return it->second.record ? &*it->second.record : nullptr;
  }
  // For changing; the record exists.
  Record& change(const Id& id) {
    auto it = slots_.find(id);
    require(it != slots_.end() && it->second.record.has_value());
    mark_changed(*it);
    return *it->second.record;
  }
  // A record that does not exist yet: asked for before (known to be absent), or of an id that has only just
  // come to be.
  Record& insert(const Id& id, Record record) {
    auto it = slots_.find(id);
    if (it == slots_.end()) it = add_slot(id);
    require(!it->second.record.has_value());
    mark_changed(*it);
    it->second.record.emplace(std::move(record));
    measure(it->second);
    return *it->second.record;
  }

  // Has the processor fetch what a look-up of `id` begins with, beside what it does until then.
  void prefetch(const Id& id) const { slots_.prefetch(id); }
  // Before each of many look-ups, at place `i` of `ids`: for the one that comes `look_ahead` later.
  static constexpr std::size_t look_ahead = 8;
  template <typename Ids, typename IdOf = std::identity>
  void prefetch_after(const Ids& ids, std::size_t i, IdOf id_of = {}) const {
    if (i + look_ahead < ids.size()) prefetch(std::invoke(id_of, ids[i + look_ahead]));
  }
  bool resident(const Id& id) const { return slots_.contains(id); }
  // What storage says of `id` (nothing: it has no such record). Memory is newer: a resident slot stays as it
  // is.
  void load(const Id& id, std::optional<Record> record) {
    if (slots_.contains(id)) return;
    auto& slot = add_slot(id)->second;
    slot.record = std::move(record);
    if (slot.record) measure(slot);
  }
  struct Pinned {
    Pin pin;
    const Record* record;  // nothing: known not to exist
  };
  // Nothing where `id` is not resident.
  std::optional<Pinned> pin(const Id& id) {
    auto it = slots_.find(id);
    if (it == slots_.end()) return std::nullopt;
    Slot& slot = it->second;
    slot.referenced = true;
    return Pinned{Pin(slot.pins), slot.record ? &*slot.record : nullptr};
  }

  std::size_t size() const { return slots_.size(); }
  std::size_t changed() const { return changed_.size(); }  // since the last freeze
  // Changed records are counted as they were when last drained.
  std::size_t bytes() const {
    return slots_.size() * (sizeof(Slot) + sizeof(Id) + bytes_around_a_slot) + heap_bytes_;
  }

  template <typename Visitor>
  void for_each(Visitor visit) const {
    for (const auto& [id, slot] : slots_)
      if (slot.record) visit(id, *slot.record);
  }

  // All that changed up to now is to be written; the previous freeze is finished.
  void freeze() {
    require(finished_ == generation_ - 1 && frozen_.empty());
    frozen_.swap(changed_);
    ++generation_;
  }
  // Appends up to `count` of the frozen records to `out`, as they were at the freeze; false when none is
  // left.
  bool drain(std::size_t count, std::vector<Record>& out) {
    out.insert(out.end(), copied_.begin(), copied_.end());
    copied_.clear();
    for (; count > 0 && !frozen_.empty(); --count, frozen_.pop_back()) {
      Slot& slot = *frozen_.back();
      if (slot.changed_in != generation_ - 1) continue;  // copied out already
      out.push_back(*slot.record);
      measure(slot);
      slot.drained = true;
    }
    if (!frozen_.empty()) return true;
    drained_ = true;
    return false;
  }
  // What was drained is durable.
  void finish() {
    require(drained_ && copied_.empty());
    drained_ = false;
    finished_ = generation_ - 1;
  }

  // Drops records used least recently, until at most `budget` bytes remain or nothing more can go.
  void evict(std::size_t budget) {
    for (std::size_t tries = slots_.size(); tries > 0 && bytes() > budget; --tries) {
      auto* entry = tail_;
      auto& slot = entry->second;
      unlink(*entry);
      bool keep = slot.pins > 0 || slot.changed_in > finished_ || slot.referenced;
      slot.referenced = false;
      if (keep) {
        link_first(*entry);
        continue;
      }
      heap_bytes_ -= slot.heap_bytes;
      slots_.erase(entry->first);
    }
  }

 private:
  struct Slot;
  using Entry = std::pair<const Id, Slot>;
  struct Slot {
    std::optional<Record> record;  // nothing: known not to exist
    std::uint64_t changed_in = 0;  // generation; 0: as storage has it
    std::uint32_t pins = 0;
    std::uint32_t heap_bytes = 0;     // as last measured
    bool drained = false;             // of the frozen generation: copied out already
    mutable bool referenced = false;  // since the eviction hand last came by
    Entry* newer = nullptr;
    Entry* older = nullptr;
  };
  using Slots = absl::node_hash_map<Id, Slot>;
  // What the map and the allocator add to a slot, measured at a million records.
  static constexpr std::size_t bytes_around_a_slot = 40;

  typename Slots::iterator add_slot(const Id& id) {
    auto it = slots_.try_emplace(id).first;
    link_first(*it);
    return it;
  }
  void measure(Slot& slot) {
    auto now = static_cast<std::uint32_t>(heap_bytes(*slot.record));
    heap_bytes_ += now;
    heap_bytes_ -= std::exchange(slot.heap_bytes, now);
  }
  void mark_changed(Entry& entry) {
    Slot& slot = entry.second;
    if (slot.changed_in == generation_) return;
    bool being_flushed = slot.changed_in == generation_ - 1 && finished_ < generation_ - 1;
    if (being_flushed && !slot.drained) copied_.push_back(*slot.record);
    slot.drained = false;
    slot.changed_in = generation_;
    changed_.push_back(&slot);
  }
  void link_first(Entry& entry) {
    entry.second.newer = nullptr;
    entry.second.older = head_;
    if (head_) head_->second.newer = &entry;
    head_ = &entry;
    if (!tail_) tail_ = &entry;
  }
  void unlink(Entry& entry) {
    Slot& slot = entry.second;
    (slot.newer ? slot.newer->second.older : head_) = slot.older;
    (slot.older ? slot.older->second.newer : tail_) = slot.newer;
  }

  bool complete_;
  Slots slots_;
  Entry* head_ = nullptr;
  Entry* tail_ = nullptr;
  std::uint64_t generation_ = 1;  // of changes made now
  std::uint64_t finished_ = 0;    // the newest generation that is durable
  bool drained_ = false;          // the frozen generation has been copied out whole
  std::size_t heap_bytes_ = 0;    // of all slots
  std::vector<Slot*> changed_;
  std::vector<Slot*> frozen_;
  std::vector<Record> copied_;  // frozen records that changed again before their turn
};

}  // namespace windlass::core
