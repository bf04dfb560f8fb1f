// Ten times the commands in flight that the server has room for: it takes as many a second as ever, refuses
// the rest at once in words that say "later", and keeps what it acknowledged.
#include <fmt/format.h>

#include "bench/bench.h"
#include "bench/measure.h"
#include "bench/world.h"
#include "ledger/sequencer/limits.h"

namespace windlass::bench {

void bench_overload(const Scale& scale) {
  World& world = young_world(scale);
  auto options = world.load();
  // One of each account at most: its nonces may arrive in any order.
  options.in_flight = std::min<std::uint64_t>(scale.accounts, 10 * sequencer::Limits().max_waiting_commands);
  options.connections = options.streams = 50;
  Report overload{.name = "overload", .unit = "ratio"};
  std::vector<double> accepted, refused, rates, best_rates, p99;
  for (std::size_t i = 0; i < scale.samples; ++i) {
    auto best = send(world.load(), world.transfers(scale.commands, 0));
    must_all_be_accepted(best);
    std::uint64_t before = world.server.entries();
    auto overloaded = send(options, world.transfers(options.in_flight, 0));
    if (!overloaded.rejected.empty()) must_all_be_accepted(overloaded);
    // All that was acknowledged, and nothing else, is in the ledger.
    std::uint64_t entries = world.server.entries() - before;
    if (entries != overloaded.accepted)
      give_up(fmt::format("{} were acknowledged, {} are in the log", overloaded.accepted, entries));
    accepted.push_back(static_cast<double>(overloaded.accepted));
    refused.push_back(static_cast<double>(overloaded.refused()));
    best_rates.push_back(static_cast<double>(best.accepted) / best.seconds);
    rates.push_back(static_cast<double>(overloaded.accepted) / overloaded.seconds);
    p99.push_back(quantile({overloaded.latencies.begin(), overloaded.latencies.end()}, 0.99));
    overload.samples.push_back(rates.back() / best_rates.back());
  }
  overload.figure = median(overload.samples);
  overload.beside = {{"accepted", median(accepted)},
                     {"to_be_retried", median(refused)},
                     {"per_second", median(rates)},
                     {"best_per_second", median(best_rates)},
                     {"p99_s", median(p99)},
                     {"peak_mib", peak_resident_bytes(world.server.windlassd_id()) / (1 << 20)}};
  report(overload);
}

}  // namespace windlass::bench
