#include "ledger/sequencer/task_pool.h"

#include <algorithm>
#include <atomic>

#include "ledger/sequencer/worker_thread.h"

namespace windlass::sequencer {

struct TaskPool::Job {
  const std::size_t count;
  const Task task;
  const std::function<void()> done;
  std::atomic<std::size_t> next{0}, finished{0};

  // Takes tasks until none is left.
  void work() {
    for (std::size_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) {
      task(i);
      if (finished.fetch_add(1) + 1 < count) continue;
      finished.notify_all();
      if (done) done();
    }
  }
  void wait() const {
    for (std::size_t seen = finished; seen < count; seen = finished) finished.wait(seen);
  }
};

TaskPool::TaskPool(const std::string& name, std::size_t threads) {
  if (threads == 0) threads = std::max(1u, std::thread::hardware_concurrency());
  for (std::size_t i = 0; i < threads; ++i)
    threads_.emplace_back([this, name] {
      name_this_thread(name);
      work();
    });
}

TaskPool::~TaskPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void TaskPool::add(std::size_t count, Task task, std::function<void()> done) {
  auto job = std::make_shared<Job>(count, std::move(task), std::move(done));
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(job));
  }
  changed_.notify_all();
}

void TaskPool::run(std::size_t count, Task task) {
  auto job = std::make_shared<Job>(count, std::move(task), nullptr);
  {
    std::lock_guard lock(mutex_);
    queue_.push_front(job);
  }
  changed_.notify_all();
  job->work();
  {
    std::lock_guard lock(mutex_);
    remove(job);
  }
  job->wait();
}

// Nothing of it is left to take: whoever sees that first lets the others move on.
void TaskPool::remove(const std::shared_ptr<Job>& job) {
  auto found = std::find(queue_.begin(), queue_.end(), job);
  if (found != queue_.end()) queue_.erase(found);
}

void TaskPool::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    auto job = queue_.front();
    lock.unlock();
    job->work();
    lock.lock();
    remove(job);
  }
}

}  // namespace windlass::sequencer
