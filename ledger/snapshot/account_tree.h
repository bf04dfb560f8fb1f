// Balance snapshots on disk: a Merkle tree over the accounts' leaves, dense by account number, changed in
// place from one snapshot to the next. What a change overwrites is kept beside it, so that the older
// snapshots can still be proven and an interrupted change is taken back.
//
//   <dir>/head                  a line for each snapshot kept, the newest last: sequence, accounts, root
//   <dir>/leaves                account leaves of the newest, by number
//   <dir>/nodes.<level>         the hashes above them, of perfect subtrees only
//   <dir>/undo.<sequence>.*     what must be laid over everything later to see that snapshot
//
// Nothing here is the truth: all of it can be rebuilt from the entries and the rows that follow them.
#pragma once

#include <map>
#include <memory>
#include <shared_mutex>

#include "ledger/codec/entry.h"
#include "ledger/snapshot/record_file.h"

namespace windlass::snapshot {

// Older ones are dropped, unless they are pinned.
constexpr std::size_t kept_snapshots = 32;

struct Snapshot {
  core::Sequence sequence;  // all accounts as this entry left them
  std::uint64_t accounts = 0;
  Hash root{};
  bool operator==(const Snapshot&) const = default;
};

struct AccountProof {
  Snapshot snapshot;
  std::string leaf;  // codec::AccountLeaf
  log::Proof path;
};

// One thread changes the tree; any may ask for proofs meanwhile. All of it throws std::system_error.
class AccountTree {
 public:
  // Takes an interrupted change back. What belongs to another ledger than `ledger_id` is discarded.
  AccountTree(std::filesystem::path dir, const Hash& ledger_id);
  ~AccountTree();

  std::vector<Snapshot> snapshots() const;  // the newest last
  std::optional<Snapshot> newest() const;
  // Of the newest snapshot; zeros for an account that it does not have.
  std::string leaf(core::AccountNumber account) const;
  // Nothing where no such snapshot is kept, or it has no such account.
  std::optional<AccountProof> prove(core::Sequence snapshot, core::AccountNumber account) const;

  // A change is: begin(), put() each account that may have changed in the order of the numbers, finish().
  void begin();
  void put(core::AccountNumber account, ByteView leaf);
  // Durable when it returns. Keeps the snapshots that are pinned beside the newest ones.
  Snapshot finish(core::Sequence sequence, std::uint64_t accounts, const std::vector<core::Sequence>& pinned);
  // Instead of finish(); also after an exception.
  void roll_back();
  // Everything, for building it anew.
  void discard();

 private:
  struct Undo {
    SortedFile leaves, nodes;
  };
  struct Kept {
    Snapshot snapshot;
    std::unique_ptr<Undo> undo;  // null for the newest, unless it is being changed
  };
  class View;

  void open();
  void read_head();
  void write_head() const;
  RecordFile& level(int number) const;
  std::filesystem::path undo_path(core::Sequence of, const char* what) const;
  std::unique_ptr<Undo> open_undo(core::Sequence of, RecordFile::Open how) const;
  void remove_undo(core::Sequence of) const;
  void flush_leaves();
  std::uint64_t rehash_level(int level, std::vector<bool>& changed);
  void drop_unpinned(const std::vector<core::Sequence>& pinned);
  void merge_undo(const Kept& into, const Kept& later) const;

  const std::filesystem::path dir_;
  const Hash ledger_id_;
  mutable std::shared_mutex mutex_;  // readers, and whoever overwrites
  std::vector<Kept> kept_;
  std::unique_ptr<RecordFile> leaves_;
  mutable std::map<int, RecordFile> levels_;

  // Of the change under way.
  std::vector<std::pair<std::uint64_t, std::string>> waiting_;
  std::vector<bool> changed_;
};

}  // namespace windlass::snapshot
