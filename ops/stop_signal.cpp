#include "ops/stop_signal.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <iterator>
#include <system_error>

namespace windlass::ops {
namespace {

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

}  // namespace

StopSignal::StopSignal() {
  sigset_t set = stop_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  signal_fd_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  request_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  wake_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (signal_fd_ < 0 || request_fd_ < 0 || wake_fd_ < 0)
    throw std::system_error(errno, std::generic_category(), "cannot wait for signals");
}

StopSignal::~StopSignal() {
  ::close(signal_fd_);
  ::close(request_fd_);
  ::close(wake_fd_);
  sigset_t set = stop_signals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

bool StopSignal::wait(std::optional<std::chrono::milliseconds> timeout) {
  using Clock = std::chrono::steady_clock;
  auto deadline = Clock::now() + timeout.value_or(std::chrono::milliseconds(0));
  while (!stopped_) {
    int left_ms = -1;
    if (timeout) {
      auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
      left_ms = static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000));
    }
    pollfd waited[] = {{signal_fd_, POLLIN, 0}, {request_fd_, POLLIN, 0}, {wake_fd_, POLLIN, 0}};
    int ready = ::poll(waited, std::size(waited), left_ms);
    if (ready < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "poll");
    if (ready == 0 && Clock::now() >= deadline) return false;
    if (signalfd_siginfo info;
        (waited[0].revents & POLLIN) && ::read(signal_fd_, &info, sizeof info) == sizeof info) {
      signal_number_ = static_cast<int>(info.ssi_signo);
      stopped_ = true;
    }
    stopped_ = stopped_ || (waited[1].revents & POLLIN);
    std::uint64_t woken = 0;
    bool is_woken = (waited[2].revents & POLLIN) && ::read(wake_fd_, &woken, sizeof woken) == sizeof woken;
    if (is_woken && !stopped_) return false;
  }
  return true;
}

void StopSignal::request() {
  std::uint64_t one = 1;
  [[maybe_unused]] auto written =
      ::write(request_fd_, &one, sizeof one);  // it fails only when it is set already
}

void StopSignal::wake() {
  std::uint64_t one = 1;
  [[maybe_unused]] auto written = ::write(wake_fd_, &one, sizeof one);
}

}  // namespace windlass::ops
