#include "client/cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace windlass::cli {
namespace {

constexpr auto first_after = std::chrono::milliseconds(400);
constexpr auto again_after = std::chrono::milliseconds(100);
constexpr int bar_width = 30;

}  // namespace

Progress::Progress(std::string what) : what_(std::move(what)), is_terminal_(isatty(STDERR_FILENO) != 0) {}

void Progress::show(std::uint64_t done, std::uint64_t of) {
  if (!is_terminal_) return;
  std::lock_guard lock(mutex_);
  auto now = Clock::now();
  if (now - started_ < first_after || now - last_ < again_after) return;
  last_ = now;
  drawn_ = true;
  if (of == 0) {
    fmt::print(stderr, "\r\033[K{} {}", what_, done);
  } else {
    int filled = static_cast<int>(done * bar_width / of);
    fmt::print(stderr, "\r\033[K{} [{:#<{}}{:.<{}}] {}/{}", what_, "", filled, "", bar_width - filled, done,
               of);
  }
  std::fflush(stderr);
}

void Progress::finish() {
  std::lock_guard lock(mutex_);
  if (drawn_) fmt::print(stderr, "\r\033[K");
  drawn_ = false;
}

}  // namespace windlass::cli
