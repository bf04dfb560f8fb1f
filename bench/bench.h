// The benchmarks: each measures its figure as a ratio within one run, and reports it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace windlass::bench {

enum class Size { full, quick, try_out };  // try_out only shows that it works

struct Scale {
  Size size = Size::full;
  std::uint64_t accounts = 1'000'000, channels = 1'000'000;
  std::size_t commands = 200'000;  // of a sample
  std::size_t samples = 3;
  std::uint64_t old_entries = 50'000'000, old_accounts = 10'000'000;  // of a grown ledger
  double soak_seconds = 1'800;
};

struct Report {
  std::string name;
  double figure = 0;
  std::string unit;
  bool higher_is_better = true;
  std::vector<double> samples;                         // that the figure is the median of
  std::vector<std::pair<std::string, double>> beside;  // what else was seen
};
// Prints it as one line, and keeps it where --json said.
void report(Report report);

void bench_receipts(const Scale&);
void bench_receipts_single(const Scale&);
void bench_receipts_unary(const Scale&);
void bench_receipts_covered(const Scale&);
void bench_transfers(const Scale&);
void bench_lists(const Scale&);
void bench_hot(const Scale&);
void bench_latency(const Scale&);
void bench_idle_latency(const Scale&);
void bench_overload(const Scale&);
void bench_grown(const Scale&);
void bench_history(const Scale&);
void bench_proofs(const Scale&);
void bench_start(const Scale&);
void bench_memory(const Scale&);
void bench_disk(const Scale&);
void bench_snapshot(const Scale&);
void bench_verification(const Scale&);
void bench_soak(const Scale&);

}  // namespace windlass::bench
