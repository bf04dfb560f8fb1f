// Half an hour of mixed load at a third of the greatest rate: receipts, transfers and lists, with histories
// read and balance snapshots taken beside them. Memory and latency at its end are those of its beginning, and
// what is written behind keeps up.
#include <fmt/format.h>

#include <atomic>
#include <thread>

#include "bench/bench.h"
#include "bench/measure.h"
#include "bench/world.h"

namespace windlass::bench {
namespace {

constexpr std::size_t commands_a_message = 16;
// Snapshots without a pause and histories come on top of it. With half of the greatest rate two processors
// had no time left, and latency was that of a queue at its limit.
constexpr double part_of_greatest = 1.0 / 3;
constexpr std::size_t transfers_in = 3, lists_in = 1'000;  // every third command, every thousandth
constexpr double round_seconds = 10;                       // signed at once, sent at its pace
constexpr auto between_queries = std::chrono::milliseconds(100);

std::vector<pb::SignedCommand> mixed(World& world, std::size_t count) {
  std::size_t lists = count / lists_in, transfers = count / transfers_in,
              receipts = count - lists - transfers;
  auto a = world.receipts(receipts), b = world.transfers(transfers, 0), c = world.lists(lists, list_accounts);
  std::vector<pb::SignedCommand> all;
  for (std::size_t i = 0; i < receipts; ++i) {
    all.push_back(std::move(a[i]));
    // As many of each by now as their share: each kind stays in its own order.
    for (std::size_t k = i * transfers / receipts; k < (i + 1) * transfers / receipts; ++k)
      all.push_back(std::move(b[k]));
    for (std::size_t k = i * lists / receipts; k < (i + 1) * lists / receipts; ++k)
      all.push_back(std::move(c[k]));
  }
  return all;
}

void read_histories(World& world, const std::atomic<bool>& stop) {
  client::Connection connection({world.server.address(), std::chrono::seconds(60), {}});
  for (std::uint64_t who = 0; !stop; who = (who + 7919) % world.growth().accounts) {
    pb::GetHistoryRequest request;
    request.set_key(std::string(view(secret_key(who).public_key())));
    must(connection.call(&pb::Query::Stub::GetHistory, request));
    std::this_thread::sleep_for(between_queries);
  }
}

struct Seen {
  double p99 = 0, resident = 0, cached = 0, unflushed = 0;
};

Seen run_round(World& world, const LoadOptions& options, std::size_t count) {
  auto load = send(options, mixed(world, count));
  must_all_be_accepted(load);
  Seen seen{quantile({load.latencies.begin(), load.latencies.end()}, 0.99),
            resident_bytes(world.server.windlassd_id()), world.server.cache_bytes(),
            static_cast<double>(world.server.unflushed())};
  fmt::print(stderr, "  p99 {:.1f} ms, {:.0f} MiB, {:.0f} of them cached, {:.0f} entries unflushed\n",
             seen.p99 * 1e3, seen.resident / (1 << 20), seen.cached / (1 << 20), seen.unflushed);
  return seen;
}

double median_of(const std::vector<Seen>& seen, std::size_t begin, std::size_t end, double Seen::*what) {
  std::vector<double> values;
  for (std::size_t i = begin; i < end; ++i) values.push_back(seen[i].*what);
  return median(std::move(values));
}

}  // namespace

void bench_soak(const Scale& scale) {
  World& world = young_world(scale);
  auto greatest = send(world.load(), mixed(world, scale.commands));
  must_all_be_accepted(greatest);
  auto options = world.load();
  options.commands_a_message = commands_a_message;
  options.commands_per_second = static_cast<double>(greatest.accepted) / greatest.seconds * part_of_greatest;
  auto count = std::min<std::size_t>(
      scale.channels, static_cast<std::size_t>(options.commands_per_second *
                                               std::min(round_seconds, scale.soak_seconds / 3)));

  std::atomic<bool> stop{false};
  std::thread reader([&] { read_histories(world, stop); });
  std::vector<Seen> seen;
  for (Stopwatch watch; watch.seconds() < scale.soak_seconds || seen.size() < 3;) {
    world.server.request_seal();
    seen.push_back(run_round(world, options, count));
  }
  stop = true;
  reader.join();
  Stopwatch watch;
  world.server.wait_until_flushed();

  std::size_t third = seen.size() / 3;
  auto first = [&](double Seen::*what) { return median_of(seen, 0, third, what); };
  auto last = [&](double Seen::*what) { return median_of(seen, seen.size() - third, seen.size(), what); };
  double unflushed = 0;
  for (const auto& one : seen) unflushed = std::max(unflushed, one.unflushed);
  report({.name = "soak",
          .figure = first(&Seen::p99) / last(&Seen::p99),
          .unit = "ratio",
          .beside = {{"first_p99_ms", first(&Seen::p99) * 1e3},
                     {"last_p99_ms", last(&Seen::p99) * 1e3},
                     {"first_mib", first(&Seen::resident) / (1 << 20)},
                     {"last_mib", last(&Seen::resident) / (1 << 20)},
                     {"first_cached_mib", first(&Seen::cached) / (1 << 20)},
                     {"last_cached_mib", last(&Seen::cached) / (1 << 20)},
                     {"most_unflushed", unflushed},
                     {"flushed_after_s", watch.seconds()},
                     {"per_second", options.commands_per_second},
                     {"rounds", static_cast<double>(seen.size())},
                     {"entries", static_cast<double>(world.server.entries())}}});
}

}  // namespace windlass::bench
