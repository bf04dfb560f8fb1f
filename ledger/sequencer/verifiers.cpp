#include "ledger/sequencer/verifiers.h"

#include "ledger/sequencer/worker_thread.h"

namespace windlass::sequencer {

Verifiers::Verifiers(std::size_t threads, Observer& observer, std::function<void()> verified)
    : observer_(observer), verified_(std::move(verified)) {
  if (threads == 0) threads = std::max(1u, std::thread::hardware_concurrency());
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

Verifiers::~Verifiers() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void Verifiers::add(Work work) {
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
  }
  changed_.notify_all();
}

void Verifiers::run() {
  name_this_thread("verifier");
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    Work work = queue_.front();
    lock.unlock();
    bool last = false;
    while (!last && work.round->verify_next(*work.tag, observer_, last)) {
    }
    if (last) {
      work.done->store(true);
      verified_();
    }
    lock.lock();
    // Nothing of it is left to take: whoever sees that first moves on to the next round.
    if (!queue_.empty() && queue_.front().round == work.round) queue_.pop_front();
  }
}

}  // namespace windlass::sequencer
