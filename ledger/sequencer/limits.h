// The sequencer's bounds. Where one is reached the answer is a retryable refusal, never a longer queue.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace windlass::sequencer {

struct Limits {
  // Commands that wait to be verified: at full load about a second's work of one core.
  std::size_t max_waiting_commands = 65'536;
  std::size_t max_waiting_bytes = 256u << 20;
  // Of one connection: enough to keep it busy, too little to push others out.
  std::size_t max_waiting_commands_per_client = 16'384;
  // A round is loaded, verified and applied together: large enough that receipts of one channel meet in it.
  std::size_t max_round_commands = 4096;
  // What one commit may hold: bounds its transaction and an acknowledgement's wait.
  std::size_t max_batch_entries = 8192;
  std::size_t max_batch_bytes = 32u << 20;
  // Entries that recovery may have to replay: a few seconds of it.
  std::uint64_t max_unflushed_entries = 200'000;
  // A flush starts when this many records changed, or when the oldest change is this old.
  std::size_t flush_records = 50'000;
  std::chrono::milliseconds flush_interval{1000};
  // While recovery would have little to replay, a flush rests this many times as long as it works, so that
  // commits and verification do not wait for it.
  double flush_rest = 2;
  // Memory for records that storage has too, and for the points of keys that sign.
  std::size_t cache_bytes = 512u << 20;
  std::size_t bytes_for_points() const { return cache_bytes / 16; }
  std::size_t bytes_for_records() const { return cache_bytes - bytes_for_points(); }
  std::size_t verifier_threads = 0;  // 0: one a core
};

// Also after a slice that took long: what a stop may wait for.
constexpr std::chrono::duration<double> longest_flush_rest{0.05};
// Committed batches that wait to be answered and logged: beyond it, commits wait.
constexpr std::size_t max_unpublished_batches = 8;
// What a flush writes is copied in about so many steps with pauses between them, each of at least so many
// records of a kind (some 100 us of the writer's time): commands wait for no more than a step.
constexpr std::size_t drain_steps = 250, min_drain_step = 100;
constexpr std::chrono::milliseconds drain_pause{1};
// Entries read at a time during recovery.
constexpr std::size_t replay_page = 1000;
// Between attempts to reach a database that is away, or to take over from another writer.
constexpr std::chrono::milliseconds retry_interval{250};

}  // namespace windlass::sequencer
