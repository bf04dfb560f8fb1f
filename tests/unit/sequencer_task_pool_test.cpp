#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <future>

#include "ledger/sequencer/task_pool.h"

namespace windlass::sequencer {
namespace {

constexpr std::size_t tasks = 10'000;

TEST(TaskPool, DoesEachTaskOnceAndThenSaysSo) {
  TaskPool pool("pool", 4);
  std::vector<std::atomic<int>> times(tasks);
  std::promise<bool> all_done;
  pool.add(
      tasks, [&](std::size_t i) { ++times[i]; },
      [&] {
        all_done.set_value(
            std::all_of(times.begin(), times.end(), [](const auto& count) { return count == 1; }));
      });
  EXPECT_TRUE(all_done.get_future().get());
}

TEST(TaskPool, RunsAJobWithTheCallersHelp) {
  TaskPool pool("pool", 1);
  std::barrier both_at_once(2);
  pool.run(2, [&](std::size_t) { both_at_once.arrive_and_wait(); });
}

TEST(TaskPool, ReturnsFromRunWhenWhatOthersTookIsDone) {
  TaskPool pool("pool", 4);
  for (int round = 0; round < 200; ++round) {
    std::vector<int> times(50);  // not atomic: what is seen after run() was done before it returned
    pool.run(times.size(), [&](std::size_t i) { ++times[i]; });
    ASSERT_EQ(times, std::vector<int>(50, 1));
  }
}

TEST(TaskPool, RunsAJobAloneWhileItsThreadsAreBusy) {
  TaskPool pool("pool", 1);
  std::promise<void> begun, let_go, ended;
  pool.add(
      1,
      [&](std::size_t) {
        begun.set_value();
        let_go.get_future().wait();
      },
      [&] { ended.set_value(); });
  begun.get_future().wait();
  auto caller = std::this_thread::get_id();
  pool.run(3, [&](std::size_t) { EXPECT_EQ(std::this_thread::get_id(), caller); });
  let_go.set_value();
  ended.get_future().wait();
}

}  // namespace
}  // namespace windlass::sequencer
