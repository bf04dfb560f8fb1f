#include "bench/measure.h"

#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>

namespace windlass::bench {
namespace {

double seconds_of_ticks(double ticks) {
  static const double ticks_a_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
  return ticks / ticks_a_second;
}

struct ProcessTimes {
  pid_t parent = 0;
  double own = 0, of_ended_children = 0;
};
std::optional<ProcessTimes> times_of(pid_t pid) {
  std::ifstream in(fmt::format("/proc/{}/stat", pid));
  std::string line;
  if (!std::getline(in, line)) return std::nullopt;
  std::istringstream fields(line.substr(line.rfind(')') + 2));  // the name may hold anything
  std::string skipped;
  ProcessTimes times;
  double user = 0, system = 0, children_user = 0, children_system = 0;
  fields >> skipped >> times.parent;
  for (int i = 5; i <= 13; ++i) fields >> skipped;
  fields >> user >> system >> children_user >> children_system;
  times.own = seconds_of_ticks(user + system);
  times.of_ended_children = seconds_of_ticks(children_user + children_system);
  return times;
}

double thread_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace

void give_up(const std::string& what) {
  std::cerr << what << '\n';
  std::exit(1);
}

double quantile(std::vector<double> values, double of) {
  if (values.empty()) give_up("nothing was measured");
  auto place = std::min(values.size() - 1, static_cast<std::size_t>(of * static_cast<double>(values.size())));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(place), values.end());
  return values[place];
}

double median(std::vector<double> values) {
  return quantile(std::move(values), 0.5);
}

double cpu_seconds(pid_t pid) {
  auto times = times_of(pid);
  return times ? times->own : 0;
}

double cpu_seconds_with_children(pid_t pid) {
  auto times = times_of(pid);
  if (!times) return 0;
  double total = times->own + times->of_ended_children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    pid_t other = std::atoi(entry.path().filename().c_str());
    if (other <= 0) continue;
    if (auto child = times_of(other); child && child->parent == pid) total += child->own;
  }
  return total;
}

static double memory_of(pid_t pid, std::string_view field) {
  std::ifstream in(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(field)) return std::atof(line.c_str() + field.size()) * 1024;
  return 0;
}
double peak_resident_bytes(pid_t pid) {
  return memory_of(pid, "VmHWM:");
}
double resident_bytes(pid_t pid) {
  return memory_of(pid, "VmRSS:");
}

MachineTimes machine_times() {
  std::ifstream in("/proc/stat");
  std::string of_all;
  double user = 0, nice = 0, system = 0, idle = 0, waiting = 0, interrupts = 0, soft_interrupts = 0,
         stolen = 0;
  in >> of_all >> user >> nice >> system >> idle >> waiting >> interrupts >> soft_interrupts >> stolen;
  return {seconds_of_ticks(user + nice + system + interrupts + soft_interrupts), seconds_of_ticks(stolen)};
}

std::vector<Signed> sign_each(std::size_t count) {
  std::vector<Signed> all(count);
  for (auto& one : all) {
    SecretKey secret = SecretKey::generate();
    Hash digest = random_array<32>();
    one = {secret.public_key(), digest, secret.sign(digest)};
  }
  return all;
}

void verify(const Signed& one) {
  if (verify_signature(view(one.key), view(one.signature), one.digest) != SignatureCheck::valid)
    give_up("a signature of our own does not verify");
}

double verification_seconds(std::size_t signatures) {
  auto all = sign_each(signatures);
  std::vector<double> runs;
  constexpr std::size_t per_run = 500;
  for (std::size_t run = 0; run < 7; ++run) {
    double from = thread_seconds();
    for (std::size_t i = 0; i < per_run; ++i) verify(all[(run * per_run + i) % all.size()]);
    runs.push_back((thread_seconds() - from) / per_run);
  }
  return median(std::move(runs));
}

}  // namespace windlass::bench
