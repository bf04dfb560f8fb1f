// What the writer feels of a balance snapshot of all accounts.
#include "bench/bench.h"
#include "bench/measure.h"
#include "bench/world.h"

namespace windlass::bench {

void bench_snapshot(const Scale& scale) {
  World world({.growth = {.accounts = scale.old_accounts, .channels = scale.channels}});
  world.warm_up(0);
  auto sample = [&] {
    auto cost = measure(world, world.load(), world.receipts(scale.commands));
    must_all_be_accepted(cost.load);
    return cost;
  };
  Report snapshot{.name = "snapshot", .unit = "ratio"};
  std::vector<double> during;
  auto without = [&] {
    std::vector<double> rates;
    for (std::size_t i = 0; i < scale.samples; ++i) rates.push_back(sample().per_second());
    return median(std::move(rates));
  };
  double before = without();
  // The first one is of all accounts, of all that ever happened.
  Stopwatch watch;
  world.server.request_seal();
  do {
    during.push_back(sample().per_second());
  } while (!world.server.snapshot());
  double took = watch.seconds();
  if (during.size() > 1) during.pop_back();  // the snapshot ended in it
  double after = without();
  for (double rate : during) snapshot.samples.push_back(rate / ((before + after) / 2));
  snapshot.figure = median(snapshot.samples);
  snapshot.beside = {{"per_second", median(during)},
                     {"per_second_before", before},
                     {"per_second_after", after},
                     {"accounts", static_cast<double>(scale.old_accounts)},
                     {"snapshot_seconds", took}};
  report(snapshot);
}

}  // namespace windlass::bench
