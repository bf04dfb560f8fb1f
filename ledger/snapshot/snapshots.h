// Balance snapshots: the root over all accounts' leaves as of one entry, which seals put into the log. Made
// by a follower with a thread of its own, which reads what the writer has committed and flushed, and never
// makes it wait: the rows of a flush are exact as of its last entry, and a long read sees that flush alone.
//
//   entries since the last snapshot ──> histories folded, accounts and payers touched
//   rows of those accounts as of a flush, in one transaction ──> their leaves ──> the tree
//
// From the same moment, where it is time for them, the liabilities: of all accounts anew.
#pragma once

#include <condition_variable>
#include <functional>
#include <thread>

#include "ledger/journal/journal.h"
#include "ledger/snapshot/account_tree.h"
#include "ledger/snapshot/liabilities.h"

namespace windlass::snapshot {

// Auditors' statements that are kept, and their snapshots with them, however old.
constexpr std::size_t max_audits = 64;

// Liabilities that took longer than this to make are made again no sooner than so many times later: a
// twentieth of a core, however many accounts there are.
constexpr std::chrono::seconds short_work{1};
constexpr int rest_after_work = 19;

class Folding;

class Snapshots {
 public:
  struct Options {
    std::filesystem::path directory;
    std::filesystem::path liabilities;  // another
    // Where a snapshot could not be made: it is tried again when the next one is asked for.
    std::function<void(const std::string& why)> trouble;
    std::function<void(const Snapshot&, double seconds)> finished;
    std::function<void(core::Sequence, double seconds)> liabilities_finished;
  };
  Snapshots(Options options, journal::Sessions& sessions);
  ~Snapshots();

  // Once the ledger is known; before that there are none.
  void start(const Hash& genesis_leaf_hash);
  bool started() const;
  // Makes one that covers `entries`, or as many as are flushed. Returns when it is finished, has failed, or
  // at the deadline; then it goes on.
  void refresh(core::Sequence entries, std::chrono::steady_clock::time_point deadline);
  // What a seal names: finished and durable. Never waits for one under way.
  std::optional<Snapshot> newest() const;
  std::vector<Snapshot> kept() const;
  std::optional<AccountProof> prove(core::Sequence snapshot, core::AccountNumber account) const;
  // Likewise what a seal names: sequence and root.
  std::optional<std::pair<core::Sequence, Hash>> newest_liabilities() const;
  std::optional<LiabilityProof> prove_liability(core::Sequence sequence, core::AccountNumber account,
                                                core::AssetId asset) const;

 private:
  void run();
  void take(core::Sequence wanted);
  // Of a later moment than the given one, perhaps: says which.
  Snapshot change_tree(journal::SnapshotSession& session, journal::SnapshotSession::Moment& moment,
                       const std::optional<Snapshot>& last);
  // The entries [first, moment.next).
  void fold(journal::SnapshotSession& session, Folding& folding, core::Sequence first,
            const journal::SnapshotSession::Moment& moment);
  void make_liabilities(journal::SnapshotSession& session, core::Sequence sequence);
  void put_accounts(journal::SnapshotSession& session, const Folding& folding);
  void stop_if_told() const;

  const Options options_;
  journal::Sessions& sessions_;
  std::unique_ptr<AccountTree> tree_;         // set once, by start()
  std::unique_ptr<Liabilities> liabilities_;  // likewise
  std::chrono::steady_clock::time_point rests_until_{};

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool started_ = false;
  std::optional<Snapshot> newest_;
  bool stopping_ = false;
  std::uint64_t asked_ = 0;     // how many times a snapshot was asked for
  std::uint64_t answered_ = 0;  // how many of these are done, for better or worse
  core::Sequence wanted_;       // the newest asked for: all entries below this one
  std::thread thread_;
};

}  // namespace windlass::snapshot
