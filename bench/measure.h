// What figures are made of: processor time, unit costs of this machine now, and medians.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "crypto/secp256k1.h"

namespace windlass::bench {

// Ends the program.
[[noreturn]] void give_up(const std::string& what);

template <typename Result>
auto must(Result result) {
  if constexpr (requires { result.error().message; }) {
    if (!result) give_up(result.error().message);
  } else {
    if (!result) give_up(result.error());
  }
  if constexpr (!std::is_void_v<typename Result::value_type>) return *std::move(result);
}

// When the `place`-th of what leaves at a rate falls due.
inline std::chrono::steady_clock::time_point due_at(std::chrono::steady_clock::time_point started,
                                                    std::size_t place, double per_second) {
  std::chrono::duration<double> after(static_cast<double>(place) / per_second);
  return started + std::chrono::duration_cast<std::chrono::steady_clock::duration>(after);
}

double median(std::vector<double> values);
double quantile(std::vector<double> values, double of);

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - started_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point started_ = Clock::now();
};

// CPU seconds, user and system, of a process; of it and those that it started and still has, or has waited
// for.
double cpu_seconds(pid_t pid);
double cpu_seconds_with_children(pid_t pid);
// The most memory that it ever had resident.
double peak_resident_bytes(pid_t pid);
double resident_bytes(pid_t pid);

// Seconds of all processors since the machine started (proc(5), /proc/stat): those that something ran, and
// those that something wanted to run and a hypervisor gave to others.
struct MachineTimes {
  double busy = 0, stolen = 0;
};
MachineTimes machine_times();

// As many as the processor cannot learn: with few of them it knows which way each branch will go, a tenth of
// the time.
constexpr std::size_t different_signatures = 2000;
struct Signed {
  PublicKey key;
  Hash digest;
  CompactSignature signature;
};
// Of as many keys, as a server meets them.
std::vector<Signed> sign_each(std::size_t count);
// Ends the program where it is not valid.
void verify(const Signed& one);
// CPU seconds of one verification (parse key and signature, verify) on this core, now: the median of several
// runs over so many signatures of as many keys.
double verification_seconds(std::size_t signatures);

}  // namespace windlass::bench
