#include "ledger/snapshot/account_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <fstream>
#include <sstream>

#include "ledger/log/durable_file.h"

namespace windlass::snapshot {
namespace {

namespace fs = std::filesystem;
using codec::account_leaf_bytes;

constexpr std::size_t leaf_key_bytes = 8;      // u64 account
constexpr std::size_t node_key_bytes = 1 + 8;  // u8 level || u64 index
constexpr std::size_t hash_bytes = 32;
constexpr const char* format_name = "windlass snapshots v1";
// Leaves and hashes held in memory before they are written: some 4 MB, and readers wait for no more.
constexpr std::size_t chunk_records = 16'384;

std::string leaf_key(std::uint64_t account) {
  std::string key;
  append_be(key, account);
  return key;
}
std::string node_key(int level, std::uint64_t index) {
  std::string key(1, static_cast<char>(level));
  append_be(key, index);
  return key;
}

std::uint64_t nodes_at(int level, std::uint64_t accounts) {
  return accounts >> level;
}

}  // namespace

// The tree as it was at one of the kept snapshots.
class AccountTree::View final : public log::NodeReader {
 public:
  View(const AccountTree& tree, std::size_t place) : tree_(tree), place_(place) {}

  std::string leaf(std::uint64_t account) const {
    for (std::size_t i = place_; i < tree_.kept_.size() && tree_.kept_[i].undo; ++i)
      if (auto old = tree_.kept_[i].undo->leaves.find(leaf_key(account))) return *old;
    return tree_.leaves_->read(account);
  }
  Hash node(int level, std::uint64_t index) const override {
    if (level == 0) return log::leaf_hash(leaf(index));
    std::string key = node_key(level, index);
    for (std::size_t i = place_; i < tree_.kept_.size() && tree_.kept_[i].undo; ++i)
      if (auto old = tree_.kept_[i].undo->nodes.find(key)) return *to_array<hash_bytes>(*old);
    return *to_array<hash_bytes>(tree_.level(level).read(index));
  }

 private:
  const AccountTree& tree_;
  std::size_t place_;  // in kept_
};

AccountTree::AccountTree(fs::path dir, const Hash& ledger_id) : dir_(std::move(dir)), ledger_id_(ledger_id) {
  fs::create_directories(dir_);
  read_head();
  if (kept_.empty()) discard();
  open();
  roll_back();
  if (!kept_.empty() && log::root_at(View(*this, kept_.size() - 1), kept_.back().snapshot.accounts) !=
                            kept_.back().snapshot.root)
    discard();
}

AccountTree::~AccountTree() = default;

// --- files

void AccountTree::open() {
  leaves_ = std::make_unique<RecordFile>(dir_ / "leaves", account_leaf_bytes, RecordFile::Open::keep);
  // All levels that there can be, so that readers never open one.
  for (int level = 1; level < 64; ++level) {
    auto path = dir_ / fmt::format("nodes.{}", level);
    if (fs::exists(path)) levels_.try_emplace(level, path, hash_bytes, RecordFile::Open::keep);
  }
}

RecordFile& AccountTree::level(int number) const {
  return levels_
      .try_emplace(number, dir_ / fmt::format("nodes.{}", number), hash_bytes, RecordFile::Open::keep)
      .first->second;
}

void AccountTree::read_head() {
  std::ifstream in(dir_ / "head");
  std::string first, line;
  if (!std::getline(in, first) || first != fmt::format("{} {}", format_name, to_hex(ledger_id_))) return;
  while (std::getline(in, line)) {
    std::istringstream fields(line);
    Snapshot snapshot;
    std::string root;
    if (!(fields >> snapshot.sequence.value >> snapshot.accounts >> root)) return kept_.clear();
    auto bytes = from_hex(root);
    auto hash = bytes ? to_array<hash_bytes>(*bytes) : std::nullopt;
    if (!hash) return kept_.clear();
    snapshot.root = *hash;
    if (!kept_.empty()) kept_.back().undo = open_undo(kept_.back().snapshot.sequence, RecordFile::Open::keep);
    kept_.push_back({snapshot, nullptr});
  }
}

void AccountTree::write_head() const {
  std::string text = fmt::format("{} {}\n", format_name, to_hex(ledger_id_));
  for (const auto& [snapshot, undo] : kept_)
    text += fmt::format("{} {} {}\n", snapshot.sequence.value, snapshot.accounts, to_hex(snapshot.root));
  log::write_durably(dir_ / "head", text);
}

fs::path AccountTree::undo_path(core::Sequence of, const char* what) const {
  return dir_ / fmt::format("undo.{}.{}", of.value, what);
}
std::unique_ptr<AccountTree::Undo> AccountTree::open_undo(core::Sequence of, RecordFile::Open how) const {
  return std::make_unique<Undo>(Undo{{undo_path(of, "leaves"), leaf_key_bytes, account_leaf_bytes, how},
                                     {undo_path(of, "nodes"), node_key_bytes, hash_bytes, how}});
}
void AccountTree::remove_undo(core::Sequence of) const {
  for (const char* what : {"leaves", "nodes"}) fs::remove(undo_path(of, what));
}

void AccountTree::discard() {
  std::unique_lock lock(mutex_);
  kept_.clear();
  levels_.clear();
  leaves_.reset();
  for (const auto& file : fs::directory_iterator(dir_)) fs::remove_all(file);
  open();
}

// --- reading

std::vector<Snapshot> AccountTree::snapshots() const {
  std::shared_lock lock(mutex_);
  std::vector<Snapshot> all;
  for (const auto& kept : kept_) all.push_back(kept.snapshot);
  return all;
}

std::optional<Snapshot> AccountTree::newest() const {
  std::shared_lock lock(mutex_);
  if (kept_.empty()) return std::nullopt;
  return kept_.back().snapshot;
}

std::string AccountTree::leaf(core::AccountNumber account) const {
  std::shared_lock lock(mutex_);
  if (kept_.empty() || account.value >= kept_.back().snapshot.accounts)
    return std::string(account_leaf_bytes, '\0');
  return View(*this, kept_.size() - 1).leaf(account.value);
}

std::optional<AccountProof> AccountTree::prove(core::Sequence sequence, core::AccountNumber account) const {
  std::shared_lock lock(mutex_);
  auto kept = std::find_if(kept_.begin(), kept_.end(),
                           [&](const Kept& k) { return k.snapshot.sequence == sequence; });
  if (kept == kept_.end() || account.value >= kept->snapshot.accounts) return std::nullopt;
  View view(*this, static_cast<std::size_t>(kept - kept_.begin()));
  return AccountProof{kept->snapshot, view.leaf(account.value),
                      log::inclusion_proof(view, account.value, kept->snapshot.accounts)};
}

// --- changing

// What could not be taken back when it failed is taken back now: a new undo would not know what was
// overwritten.
void AccountTree::begin() {
  roll_back();
  if (kept_.empty()) return;
  auto undo = open_undo(kept_.back().snapshot.sequence, RecordFile::Open::empty);
  std::unique_lock lock(mutex_);
  kept_.back().undo = std::move(undo);
}

void AccountTree::put(core::AccountNumber account, ByteView leaf) {
  core::require(leaf.size() == account_leaf_bytes &&
                (waiting_.empty() || waiting_.back().first < account.value));
  waiting_.emplace_back(account.value, leaf);
  if (waiting_.size() >= chunk_records) flush_leaves();
}

// What is overwritten is on disk before it is overwritten.
void AccountTree::flush_leaves() {
  std::uint64_t old_accounts = kept_.empty() ? 0 : kept_.back().snapshot.accounts;
  std::string undo;
  std::erase_if(waiting_, [&](const auto& change) {
    if (change.first >= old_accounts) return false;
    std::string old = leaves_->read(change.first);
    if (old == change.second) return true;
    undo += leaf_key(change.first) + old;
    return false;
  });
  if (waiting_.empty()) return;
  if (!kept_.empty()) kept_.back().undo->leaves.append(undo);
  if (changed_.size() <= waiting_.back().first) changed_.resize(waiting_.back().first + 1);
  std::unique_lock lock(mutex_);
  if (!kept_.empty()) kept_.back().undo->leaves.accept();
  for (const auto& [account, leaf] : waiting_) {
    leaves_->write(account, leaf);
    changed_[account] = true;
  }
  waiting_.clear();
}

// From the changed nodes below, the changed ones of this level; how many there were.
std::uint64_t AccountTree::rehash_level(int number, std::vector<bool>& changed) {
  std::uint64_t old_count = kept_.empty() ? 0 : nodes_at(number, kept_.back().snapshot.accounts);
  std::vector<bool> above(changed.size() / 2);
  for (std::uint64_t i = 0; i < changed.size(); ++i)
    if (changed[i] && i / 2 < above.size()) above[i / 2] = true;
  View current(*this, kept_.size());  // behind the last: nothing is laid over what is in the files
  std::uint64_t rehashed = 0;
  std::vector<std::pair<std::uint64_t, Hash>> hashes;
  auto flush = [&] {
    std::string undo;
    for (const auto& [index, hash] : hashes)
      if (index < old_count) undo += node_key(number, index) + level(number).read(index);
    if (!kept_.empty()) kept_.back().undo->nodes.append(undo);
    std::unique_lock lock(mutex_);
    if (!kept_.empty()) kept_.back().undo->nodes.accept();
    for (const auto& [index, hash] : hashes) level(number).write(index, view(hash));
    rehashed += hashes.size();
    hashes.clear();
  };
  for (std::uint64_t i = 0; i < above.size(); ++i) {
    if (!above[i]) continue;
    hashes.emplace_back(i,
                        log::node_hash(current.node(number - 1, 2 * i), current.node(number - 1, 2 * i + 1)));
    if (hashes.size() >= chunk_records) flush();
  }
  if (!hashes.empty()) flush();
  changed = std::move(above);
  return rehashed;
}

Snapshot AccountTree::finish(core::Sequence sequence, std::uint64_t accounts,
                             const std::vector<core::Sequence>& pinned) {
  flush_leaves();
  core::require(changed_.size() <= accounts && (kept_.empty() || accounts >= kept_.back().snapshot.accounts));
  changed_.resize(accounts);
  for (int number = 1; nodes_at(number, accounts) > 0; ++number) rehash_level(number, changed_);
  leaves_->sync();
  for (auto& [number, file] : levels_) file.sync();

  Snapshot snapshot{sequence, accounts, log::root_at(View(*this, kept_.size()), accounts)};
  std::unique_lock lock(mutex_);
  kept_.push_back({snapshot, nullptr});
  try {
    write_head();
  } catch (...) {
    kept_.pop_back();  // a seal would name what is gone after a restart
    throw;
  }
  drop_unpinned(pinned);
  return snapshot;
}

void AccountTree::roll_back() {
  waiting_.clear();
  changed_.clear();
  std::unique_lock lock(mutex_);
  if (kept_.empty()) return;
  auto newest = kept_.back().snapshot.sequence;
  if (!kept_.back().undo && !fs::exists(undo_path(newest, "leaves"))) return;
  auto undo = open_undo(newest, RecordFile::Open::keep);
  for (std::uint64_t i = 0; i < undo->leaves.count(); ++i) {
    std::string key = undo->leaves.key(i);
    leaves_->write(ByteReader(key).be<std::uint64_t>(), undo->leaves.value(i));
  }
  for (std::uint64_t i = 0; i < undo->nodes.count(); ++i) {
    std::string key = undo->nodes.key(i);
    ByteReader reader(key);
    int number = reader.be<std::uint8_t>();
    level(number).write(reader.be<std::uint64_t>(), undo->nodes.value(i));
  }
  leaves_->sync();
  for (auto& [number, file] : levels_) file.sync();
  kept_.back().undo.reset();
  remove_undo(newest);
}

// --- forgetting

// A dropped snapshot's undo goes into that of the one before it, which needs it.
void AccountTree::drop_unpinned(const std::vector<core::Sequence>& pinned) {
  for (std::size_t i = 0; i + kept_snapshots < kept_.size();) {
    auto sequence = kept_[i].snapshot.sequence;
    if (std::find(pinned.begin(), pinned.end(), sequence) != pinned.end()) {
      ++i;
      continue;
    }
    if (i > 0) {
      merge_undo(kept_[i - 1], kept_[i]);
      kept_[i - 1].undo = open_undo(kept_[i - 1].snapshot.sequence, RecordFile::Open::keep);
    }
    kept_.erase(kept_.begin() + static_cast<std::ptrdiff_t>(i));
    write_head();
    remove_undo(sequence);
  }
}

void AccountTree::merge_undo(const Kept& into, const Kept& later) const {
  auto merge = [&](const SortedFile& older, const SortedFile& newer, const char* what, std::size_t key_bytes,
                   std::size_t value_bytes) {
    auto path = undo_path(into.snapshot.sequence, what);
    auto temporary = path;
    temporary += ".new";
    SortedFile merged(temporary, key_bytes, value_bytes, RecordFile::Open::empty);
    std::string records;
    std::uint64_t a = 0, b = 0;
    while (a < older.count() || b < newer.count()) {
      int order = a == older.count() ? 1 : b == newer.count() ? -1 : older.key(a).compare(newer.key(b));
      records += order <= 0 ? older.record(a) : newer.record(b);  // what the older one overwrote is older
      a += order <= 0 ? 1 : 0;
      b += order >= 0 ? 1 : 0;
      if (records.size() >= chunk_records * (key_bytes + value_bytes)) {
        merged.append(records);
        records.clear();
      }
    }
    merged.append(records);
    fs::rename(temporary, path);
  };
  merge(into.undo->leaves, later.undo->leaves, "leaves", leaf_key_bytes, account_leaf_bytes);
  merge(into.undo->nodes, later.undo->nodes, "nodes", node_key_bytes, hash_bytes);
}

}  // namespace windlass::snapshot
