// The log's growing end: writes committed leaves into the tiles, signs a checkpoint at least every second
// while the log grows, keeps the newest one outside Postgres and holds the journal against it.
//
// Nobody sees an entry in the log before a checkpoint covers it, so entries wait for the checkpoint's thread:
// written together they cost a fraction of what each commit's would, and no command waits for them.
#pragma once

#include <condition_variable>
#include <filesystem>

#include "ledger/journal/journal.h"
#include "ledger/log/note.h"
#include "ledger/log/tiles.h"
#include "ledger/sequencer/submission.h"

namespace windlass::sequencer {

constexpr std::chrono::milliseconds checkpoint_interval{500};
// Leaves that wait to be written: some tiles' are, whatever the time (thousands at once take a processor
// from verification for 10 ms); beyond the second number append() waits.
constexpr std::size_t leaves_worth_writing = 4 * log::tile_width, max_unwritten_leaves = 65'536;

class LogKeeper {
 public:
  // Tiles in <directory>/tile, the newest checkpoint in <directory>/checkpoint.
  LogKeeper(std::filesystem::path directory, log::NoteSigner signer, journal::Sessions& sessions);
  ~LogKeeper();
  LogKeeper(const LogKeeper&) = delete;
  LogKeeper& operator=(const LogKeeper&) = delete;

  // Brings the tiles to the journal's `end`, rebuilding what is missing or does not match. Throws
  // std::runtime_error, naming both sizes, where the journal is shorter than the newest signed checkpoint, or
  // differs from it.
  void catch_up(core::Sequence end);
  // Batches in their order, from the end that was caught up with. They are in the tiles once a checkpoint
  // covers them.
  void append(const CommittedBatch& batch);

  // The newest signed note, with the cosignatures that it has; empty before the first.
  std::string checkpoint() const;
  // A witness's signature line, for the checkpoint of `size`: dropped where there is a newer one.
  void add_cosignature(std::uint64_t size, const std::string& line);
  std::uint64_t signed_size() const;
  // The newest checkpoint, once it covers `size` entries, or nothing by `deadline`.
  std::optional<std::string> wait_for_checkpoint(std::uint64_t size,
                                                 std::chrono::steady_clock::time_point deadline);

  const log::TileStore& tiles() const { return tiles_; }
  const log::NoteSigner& signer() const { return signer_; }

 private:
  struct Leaves {
    std::vector<std::string> encoded;
    std::vector<Hash> hashes;
  };
  void rebuild(core::Sequence end);
  void run();
  void write_appended();
  void sign_checkpoint();
  log::Checkpoint kept_checkpoint() const;

  const std::filesystem::path file_;
  const log::NoteSigner signer_;
  journal::Sessions& sessions_;
  log::TileStore tiles_;
  std::mutex growing_;  // held by who changes the tiles, and while they are signed

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool caught_up_ = false;
  Leaves unwritten_;
  core::Sequence next_;  // the first that was not appended yet
  std::string checkpoint_;
  std::uint64_t signed_size_ = 0;
  std::thread thread_;
};

}  // namespace windlass::sequencer
