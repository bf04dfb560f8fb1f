// A loop whose steps do not depend on one another, over all cores.
#pragma once

#include <atomic>
#include <thread>
#include <vector>

namespace windlass::bench {

template <typename Step>
void in_parallel(std::size_t count, Step step, std::size_t block = 256) {
  std::atomic<std::size_t> next{0};
  auto work = [&] {
    for (std::size_t from; (from = next.fetch_add(block)) < count;)
      for (std::size_t i = from; i < std::min(count, from + block); ++i) step(i);
  };
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < std::thread::hardware_concurrency(); ++i) threads.emplace_back(work);
  work();
  for (auto& thread : threads) thread.join();
}

}  // namespace windlass::bench
