// The threads that verify signatures, all cores of them.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "ledger/sequencer/round.h"

namespace windlass::sequencer {

class Verifiers {
 public:
  // `verified` is called, on one of the threads, when the last task of a round is done.
  Verifiers(std::size_t threads, Observer& observer, std::function<void()> verified);
  ~Verifiers();
  Verifiers(const Verifiers&) = delete;
  Verifiers& operator=(const Verifiers&) = delete;

  struct Work {
    std::shared_ptr<Round> round;
    std::shared_ptr<const codec::SigningTag> tag;
    std::shared_ptr<std::atomic<bool>> done;
  };
  void add(Work work);

 private:
  void run();

  Observer& observer_;
  std::function<void()> verified_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> queue_;  // at most the rounds that the writer has under way
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace windlass::sequencer
