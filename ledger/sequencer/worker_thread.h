// A thread that does jobs one after the other, from a bounded queue.
#pragma once

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace windlass::sequencer {

// Names the calling thread for top, perf and debuggers; at most 15 characters.
inline void name_this_thread(const std::string& name) {
  ::pthread_setname_np(::pthread_self(), name.c_str());
}

template <typename Job>
class WorkerThread {
 public:
  // `work` must not throw.
  WorkerThread(const std::string& name, std::size_t capacity, std::function<void(Job)> work)
      : capacity_(capacity), work_(std::move(work)), thread_([this, name] {
          name_this_thread(name);
          run();
        }) {}
  ~WorkerThread() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();  // what is queued is done first
  }
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;

  void push(Job job) {  // waits while the queue is full
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return queue_.size() < capacity_; });
    queue_.push_back(std::move(job));
    changed_.notify_all();
  }
  void wait_until_idle() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return queue_.empty() && !busy_; });
  }
  bool is_idle() const {
    std::lock_guard lock(mutex_);
    return queue_.empty() && !busy_;
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      Job job = std::move(queue_.front());
      queue_.pop_front();
      busy_ = true;
      changed_.notify_all();
      lock.unlock();
      work_(std::move(job));
      lock.lock();
      busy_ = false;
      changed_.notify_all();
    }
  }

  const std::size_t capacity_;
  std::function<void(Job)> work_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> queue_;
  bool busy_ = false;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace windlass::sequencer
