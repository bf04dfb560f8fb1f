// A bar on standard error for what takes longer than a second; nothing where that is no terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace windlass::cli {

class Progress {
 public:
  explicit Progress(std::string what);
  ~Progress() { finish(); }
  // `of` 0: not known. Any thread.
  void show(std::uint64_t done, std::uint64_t of);
  void finish();  // removes the bar

 private:
  using Clock = std::chrono::steady_clock;
  std::string what_;
  bool is_terminal_;
  bool drawn_ = false;
  Clock::time_point started_ = Clock::now(), last_ = started_;
  std::mutex mutex_;
};

}  // namespace windlass::cli
