#include "ledger/sequencer/log_keeper.h"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "ledger/core/invariants.h"
#include "ledger/log/durable_file.h"
#include "ledger/sequencer/worker_thread.h"

namespace windlass::sequencer {
namespace {

constexpr std::size_t rebuild_page = 10'000;

std::filesystem::path made(std::filesystem::path directory) {
  std::filesystem::create_directories(directory);
  return directory;
}

}  // namespace

LogKeeper::LogKeeper(std::filesystem::path directory, log::NoteSigner signer, journal::Sessions& sessions)
    : file_(made(directory) / "checkpoint"),
      signer_(std::move(signer)),
      sessions_(sessions),
      tiles_(directory),
      thread_([this] { run(); }) {}

LogKeeper::~LogKeeper() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

log::Checkpoint LogKeeper::kept_checkpoint() const {
  std::ifstream in(file_);
  if (!in) return {};
  std::stringstream text;
  text << in.rdbuf();
  auto opened = log::open_note(text.str(), signer_.verifier());
  auto checkpoint = opened ? log::Checkpoint::parse(*opened) : std::nullopt;
  if (!checkpoint)
    throw std::runtime_error(
        fmt::format("{} is not a checkpoint signed by this log's key {}: restore the file or the key",
                    file_.string(), signer_.verifier().text()));
  return *checkpoint;
}

void LogKeeper::catch_up(core::Sequence end) {
  std::lock_guard growing(growing_);
  {
    std::lock_guard lock(mutex_);
    caught_up_ = false;  // nothing is signed if this fails
    unwritten_ = {};     // the journal has it
  }
  auto kept = kept_checkpoint();
  if (end.value < kept.size)
    throw std::runtime_error(fmt::format(
        "the journal holds {} entries, but a checkpoint of {} was signed ({}): acknowledged entries are "
        "missing, as after "
        "restoring an old backup or starting on a lagging standby; start on a database that has them",
        end.value, kept.size, file_.string()));
  bool matches =
      tiles_.size() >= kept.size && (kept.size == 0 || log::root_at(tiles_, kept.size) == kept.root);
  tiles_.truncate(matches ? kept.size : 0);
  rebuild(end);
  if (kept.size > 0 && log::root_at(tiles_, kept.size) != kept.root)
    throw std::runtime_error(fmt::format(
        "the first {} entries of the journal hash to another root than the checkpoint signed over them ({}): "
        "an entry was changed; `windlass audit` names it",
        kept.size, file_.string()));
  {
    std::lock_guard lock(mutex_);
    caught_up_ = true;
    next_ = end;
  }
  changed_.notify_all();
}

void LogKeeper::rebuild(core::Sequence end) {
  if (tiles_.size() >= end.value) return;
  auto reader = sessions_.reader();
  while (tiles_.size() < end.value) {
    auto page = reader->entries({tiles_.size()}, end, rebuild_page);
    std::vector<std::string> leaves;
    std::vector<Hash> hashes;
    for (const auto& stored : page) {
      if (stored.sequence.value != tiles_.size() + leaves.size()) break;
      auto entry = codec::check_stored(stored);
      if (!entry) throw std::runtime_error(entry.error());
      leaves.push_back(entry->leaf.encode());
      hashes.push_back(entry->leaf_hash);
    }
    if (leaves.empty())
      throw std::runtime_error(fmt::format("entry {} is missing from the journal", tiles_.size()));
    tiles_.append(leaves, hashes);
  }
}

void LogKeeper::append(const CommittedBatch& batch) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return unwritten_.hashes.size() < max_unwritten_leaves; });
  if (batch.next <= next_) return;  // caught up past it during a recovery
  core::require(batch.first() == next_);
  for (const auto& entry : batch.entries) {
    unwritten_.encoded.push_back(entry.leaf.encode());
    unwritten_.hashes.push_back(entry.leaf_hash);
  }
  next_ = batch.next;
  if (unwritten_.hashes.size() >= leaves_worth_writing) changed_.notify_all();
}

void LogKeeper::write_appended() {
  Leaves leaves;
  {
    std::lock_guard lock(mutex_);
    leaves = std::exchange(unwritten_, {});
  }
  if (leaves.hashes.empty()) return;
  changed_.notify_all();  // there is room
  tiles_.append(leaves.encoded, leaves.hashes);
}

std::string LogKeeper::checkpoint() const {
  std::lock_guard lock(mutex_);
  return checkpoint_;
}

void LogKeeper::add_cosignature(std::uint64_t size, const std::string& line) {
  std::lock_guard lock(mutex_);
  if (size == signed_size_) checkpoint_ += line;
}

std::uint64_t LogKeeper::signed_size() const {
  std::lock_guard lock(mutex_);
  return signed_size_;
}

std::optional<std::string> LogKeeper::wait_for_checkpoint(std::uint64_t size,
                                                          std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_until(lock, deadline, [&] { return signed_size_ >= size || stopping_; }))
    return std::nullopt;
  if (signed_size_ < size) return std::nullopt;
  return checkpoint_;
}

void LogKeeper::run() {
  name_this_thread("log keeper");
  using Clock = std::chrono::steady_clock;
  auto sign_next = Clock::now();
  std::unique_lock lock(mutex_);
  for (bool last = false; !last;) {
    changed_.wait_for(lock, checkpoint_interval, [&] {
      return stopping_ || unwritten_.hashes.size() >= leaves_worth_writing ||
             (caught_up_ && signed_size_ == 0 && next_.value > 0);
    });
    last = stopping_;
    if (!caught_up_) continue;
    lock.unlock();
    {
      std::lock_guard growing(growing_);
      write_appended();
      if (tiles_.size() > signed_size() && (last || Clock::now() >= sign_next)) {
        sign_checkpoint();
        sign_next = Clock::now() + checkpoint_interval;
      }
    }
    lock.lock();
  }
}

void LogKeeper::sign_checkpoint() {
  log::Checkpoint checkpoint{signer_.verifier().name, tiles_.size(), {}};
  checkpoint.root = log::root_at(tiles_, checkpoint.size);
  std::string note = signer_.sign(checkpoint.text());
  log::write_durably(file_, note);  // before anybody sees it
  {
    std::lock_guard lock(mutex_);
    checkpoint_ = std::move(note);
    signed_size_ = checkpoint.size;
  }
  changed_.notify_all();
}

}  // namespace windlass::sequencer
