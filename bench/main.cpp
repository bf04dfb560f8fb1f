// windlass-bench NAME... [--quick|--try] [--json FILE]
#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <optional>
#include <utility>

#include "bench/bench.h"
#include "bench/measure.h"
#include "client/json.h"

namespace windlass::bench {
namespace {

constexpr std::pair<const char*, void (*)(const Scale&)> benches[] = {
    {"receipts", bench_receipts},
    {"receipts-single", bench_receipts_single},
    {"receipts-unary", bench_receipts_unary},
    {"receipts-covered", bench_receipts_covered},
    {"transfers", bench_transfers},
    {"lists", bench_lists},
    {"hot", bench_hot},
    {"latency", bench_latency},
    {"idle-latency", bench_idle_latency},
    {"overload", bench_overload},
    {"grown", bench_grown},
    {"history", bench_history},
    {"proofs", bench_proofs},
    {"start", bench_start},
    {"memory", bench_memory},
    {"disk", bench_disk},
    {"snapshot", bench_snapshot},
    {"verification", bench_verification},
    {"soak", bench_soak},
};

std::string json_file;
MachineTimes when_last_reported = machine_times();

Scale scale_of(Size size) {
  if (size == Size::quick) return {size, 100'000, 100'000, 40'000, 3, 1'000'000, 200'000, 20};
  if (size == Size::try_out) return {size, 2'000, 2'000, 1'000, 1, 10'000, 2'000, 1};
  return {};
}

int usage() {
  std::cerr << "usage: windlass-bench [--quick|--try] [--json FILE] [NAME ...]\nthere are:";
  for (const auto& [name, run] : benches) std::cerr << ' ' << name;
  std::cerr << '\n';
  return 2;
}

int run(int argc, char** argv) {
  Size size = Size::full;
  std::vector<std::string> names;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument == "--quick")
      size = Size::quick;
    else if (argument == "--try")
      size = Size::try_out;
    else if (argument == "--json" && i + 1 < argc)
      json_file = argv[++i];
    else
      names.push_back(argument);
  }
  for (const auto& name : names)
    if (std::none_of(std::begin(benches), std::end(benches),
                     [&](auto& bench) { return bench.first == name; }))
      return usage();
  for (const auto& [name, bench] : benches)
    if (names.empty() || std::find(names.begin(), names.end(), name) != names.end()) bench(scale_of(size));
  return 0;
}

// Of the time that anything wanted a processor since the last figure, the share that a hypervisor gave to
// others.
double stolen_share() {
  MachineTimes before = std::exchange(when_last_reported, machine_times());
  double busy = when_last_reported.busy - before.busy, stolen = when_last_reported.stolen - before.stolen;
  return stolen > 0 ? stolen / (busy + stolen) : 0;
}

}  // namespace

void report(Report report) {
  report.beside.emplace_back("stolen", stolen_share());
  std::string beside;
  client::JsonObject figures;
  for (const auto& [what, value] : report.beside) {
    beside += fmt::format(" {}={:.4g}", what, value);
    figures.add(what, value);
  }
  fmt::print("{} {:.4g} {} ({} is better){}\n", report.name, report.figure, report.unit,
             report.higher_is_better ? "higher" : "lower", beside);
  std::fflush(stdout);
  if (json_file.empty()) return;
  std::vector<std::string> samples;
  for (double sample : report.samples) samples.push_back(fmt::format("{}", sample));
  std::ofstream(json_file, std::ios::app) << client::JsonObject()
                                                 .add("name", report.name)
                                                 .add("figure", report.figure)
                                                 .add("unit", report.unit)
                                                 .raw("samples", client::json_array(samples))
                                                 .raw("beside", figures.text())
                                                 .text()
                                          << '\n';
}

}  // namespace windlass::bench

int main(int argc, char** argv) {
  try {
    return windlass::bench::run(argc, argv);
  } catch (const std::exception& error) {  // a full disk, say
    windlass::bench::give_up(error.what());
  }
}
