#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <future>

#include "ops/stop_signal.h"

namespace windlass::ops {
namespace {

using namespace std::chrono_literals;

TEST(StopSignal, SignalsEndTheWaitForGood) {
  for (int number : {SIGTERM, SIGINT}) {
    StopSignal stop;
    EXPECT_FALSE(stop.wait(0ms));
    ::kill(::getpid(), number);
    EXPECT_TRUE(stop.wait());
    EXPECT_EQ(stop.signal_number(), number);
    EXPECT_TRUE(stop.wait(0ms));
  }
}

TEST(StopSignal, AnyThreadMayRequestIt) {
  StopSignal stop;
  auto requested = std::async(std::launch::async, [&] { stop.request(); });
  EXPECT_TRUE(stop.wait());
  EXPECT_EQ(stop.signal_number(), 0);
}

TEST(StopSignal, ABrokenPipeEndsNothing) {
  StopSignal stop;
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[0]);
  EXPECT_EQ(::write(ends[1], "x", 1), -1);
  ::close(ends[1]);
}

}  // namespace
}  // namespace windlass::ops
