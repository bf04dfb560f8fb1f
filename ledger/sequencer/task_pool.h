// Threads, as many as there are cores, that share the tasks of a job among them.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace windlass::sequencer {

class TaskPool {
 public:
  using Task = std::function<void(std::size_t)>;  // must not throw

  TaskPool(const std::string& name, std::size_t threads);  // 0: one a core
  ~TaskPool();                                             // drops the jobs that nobody has begun
  TaskPool(const TaskPool&) = delete;
  TaskPool& operator=(const TaskPool&) = delete;

  // task(0) ... task(count - 1), each once, on any of the threads, then done() on one of them. At least one.
  void add(std::size_t count, Task task, std::function<void()> done);
  // The same, ahead of the jobs that wait and with the help of the calling thread; returns when all are done.
  void run(std::size_t count, Task task);

 private:
  struct Job;

  void work();
  void remove(const std::shared_ptr<Job>& job);  // with mutex_ held

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Job>> queue_;  // as many as their givers have under way
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace windlass::sequencer
