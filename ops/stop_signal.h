// SIGTERM and SIGINT as a condition to wait for.
#pragma once

#include <chrono>
#include <optional>

namespace windlass::ops {

// Make it first in main(), before any thread: it blocks both signals for the thread that makes it and all
// that come from that one, and ignores SIGPIPE. One at a time in a process.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  // Waits for the first of: a signal, request(), wake(), the time-out (none: for ever). True after a signal
  // or a request, for good from then on, so main() and a loop may both wait.
  bool wait(std::optional<std::chrono::milliseconds> timeout = std::nullopt);
  // Stops from inside the process: something that it cannot go on without is gone. Any thread.
  void request();
  // Ends the wait under way, or else the next one: there is something to do. Any thread.
  void wake();
  // The signal's number; 0 after request() or before anything came.
  int signal_number() const { return signal_number_; }

 private:
  int signal_fd_ = -1;
  int request_fd_ = -1;
  int wake_fd_ = -1;
  bool stopped_ = false;  // of the waiting thread
  int signal_number_ = 0;
};

}  // namespace windlass::ops
