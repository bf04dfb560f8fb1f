// Threads for what may block (the database, a wait for a commit), so that gRPC's own never do.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace windlass::api {

class Pool {
 public:
  Pool(std::size_t threads, std::size_t max_queue);
  ~Pool();  // what is queued runs first
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  // False when the queue is full: nothing will run.
  bool run(std::function<void()> job);

 private:
  void work();
  const std::size_t max_queue_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace windlass::api
