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
  auto best = send(world.load(), world.transfers(scale.commands, 0));
  must_all_be_accepted(best);
  auto options = world.load();
  // One of each account at most: its nonces may arrive in any order.
  options.in_flight = std::min<std::uint64_t>(scale.accounts, 10 * sequencer::Limits().max_waiting_commands);
  options.connections = options.streams = 50;
  std::uint64_t before = world.server.entries();
  auto overloaded = send(options, world.transfers(options.in_flight, 0));
  if (!overloaded.rejected.empty()) must_all_be_accepted(overloaded);
  // All that was acknowledged, and nothing else, is in the ledger.
  std::uint64_t entries = world.server.entries() - before;
  if (entries != overloaded.accepted)
    give_up(fmt::format("{} were acknowledged, {} are in the log", overloaded.accepted, entries));
  double best_rate = static_cast<double>(best.accepted) / best.seconds,
         rate = static_cast<double>(overloaded.accepted) / overloaded.seconds;
  report({.name = "overload",
          .figure = rate / best_rate,
          .unit = "ratio",
          .beside = {{"accepted", static_cast<double>(overloaded.accepted)},
                     {"to_be_retried", static_cast<double>(overloaded.refused())},
                     {"per_second", rate},
                     {"best_per_second", best_rate},
                     {"p99_s", quantile({overloaded.latencies.begin(), overloaded.latencies.end()}, 0.99)},
                     {"peak_mib", peak_resident_bytes(world.server.windlassd_id()) / (1 << 20)}}});
}

}  // namespace windlass::bench
