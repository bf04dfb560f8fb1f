// What waits for the writer: a queue for each client, served in turn, all of them together bounded.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <deque>
#include <mutex>

#include "ledger/sequencer/limits.h"
#include "ledger/sequencer/submission.h"

namespace windlass::sequencer {

// Any thread puts, the writer takes.
class Intake {
 public:
  explicit Intake(const Limits& limits) : limits_(limits) {}

  // queue_full or draining where it is not taken; `none` where it is.
  core::Error put(Submission submission);
  // The same of so many commands, as far as that can be told before they are looked at.
  core::Error room_for(ClientId client, std::size_t commands) const;
  // Up to a round's worth, in turns of the clients, in order for each of them.
  std::vector<Submission> take();
  bool empty() const;
  std::size_t waiting() const;
  void drain();  // takes nothing more

 private:
  core::Error find_room(ClientId client, std::size_t commands, std::size_t bytes) const;  // under mutex_

  const Limits& limits_;
  mutable std::mutex mutex_;
  struct Queue {
    std::deque<Submission> submissions;
    std::size_t commands = 0;
  };
  absl::flat_hash_map<ClientId, Queue> queues_;
  std::deque<ClientId> turns_;  // clients that have something waiting
  std::size_t commands_ = 0;
  std::size_t bytes_ = 0;
  bool draining_ = false;
};

}  // namespace windlass::sequencer
