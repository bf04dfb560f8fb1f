#include "ledger/sequencer/intake.h"

namespace windlass::sequencer {

core::Error Intake::put(Submission submission) {
  std::size_t commands = submission.commands(), bytes = submission.bytes();
  std::lock_guard lock(mutex_);
  if (auto error = find_room(submission.client, commands, bytes); error != core::Error::none) return error;
  auto [it, is_first] = queues_.try_emplace(submission.client);
  if (is_first) turns_.push_back(submission.client);
  it->second.commands += commands;
  it->second.submissions.push_back(std::move(submission));
  commands_ += commands;
  bytes_ += bytes;
  return core::Error::none;
}

core::Error Intake::room_for(ClientId client, std::size_t commands) const {
  std::lock_guard lock(mutex_);
  return find_room(client, commands, 0);
}

core::Error Intake::find_room(ClientId client, std::size_t commands, std::size_t bytes) const {
  if (draining_) return core::Error::draining;
  if (commands_ + commands > limits_.max_waiting_commands || bytes_ + bytes > limits_.max_waiting_bytes)
    return core::Error::queue_full;
  auto it = queues_.find(client);
  if (it != queues_.end() && it->second.commands + commands > limits_.max_waiting_commands_per_client)
    return core::Error::queue_full;
  return core::Error::none;
}

std::vector<Submission> Intake::take() {
  std::lock_guard lock(mutex_);
  std::vector<Submission> taken;
  std::size_t commands = 0;
  while (!turns_.empty() && commands < limits_.max_round_commands) {
    ClientId client = turns_.front();
    turns_.pop_front();
    auto it = queues_.find(client);
    Queue& queue = it->second;
    Submission submission = std::move(queue.submissions.front());
    queue.submissions.pop_front();
    queue.commands -= submission.commands();
    commands += submission.commands();
    commands_ -= submission.commands();
    bytes_ -= submission.bytes();
    taken.push_back(std::move(submission));
    if (queue.submissions.empty())
      queues_.erase(it);
    else
      turns_.push_back(client);
  }
  return taken;
}

bool Intake::empty() const {
  std::lock_guard lock(mutex_);
  return turns_.empty();
}

std::size_t Intake::waiting() const {
  std::lock_guard lock(mutex_);
  return commands_;
}

void Intake::drain() {
  std::lock_guard lock(mutex_);
  draining_ = true;
}

}  // namespace windlass::sequencer
