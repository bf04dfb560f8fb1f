// What remains of the figures on a ledger that is old and large. The benches of one run share that ledger.
#include <thread>

#include "bench/bench.h"
#include "bench/measure.h"
#include "bench/world.h"
#include "ledger/core/limits.h"

namespace windlass::bench {
namespace {

constexpr std::uint64_t watched_entries = 10'000;
constexpr std::uint32_t page_entries = 100;
constexpr unsigned proof_callers = 64;
constexpr double memory_beside_cache_bytes = 256.0 * (1 << 20);
constexpr double tigerbeetle_bytes_a_transfer = 1'925;

Growth old_growth(const Scale& scale) {
  Growth growth{.accounts = scale.old_accounts, .channels = scale.channels, .watched = watched_entries};
  growth.transfers = scale.old_entries - growth.accounts - growth.channels;
  growth.watched = std::min(growth.watched, growth.transfers);
  return growth;
}

World& old_world(const Scale& scale) {
  return shared_world(old_growth(scale));
}

// Receipts and lists: ratios of a verification to the server's work for one.
std::pair<double, double> receipts_and_lists(World& world, const Scale& scale) {
  world.warm_up(0);
  std::vector<double> receipts, lists;
  for (std::size_t i = 0; i < scale.samples; ++i) {
    auto cost = measure(world, world.load(), world.receipts(scale.commands));
    must_all_be_accepted(cost.load);
    receipts.push_back(cost.ratio());
    auto of_lists = measure(
        world, world.load_of_lists(),
        world.lists(std::max<std::size_t>(4, scale.commands * 10 / core::max_list_payments), list_accounts));
    must_all_be_accepted(of_lists.load);
    lists.push_back(of_lists.ratio());
  }
  return {median(receipts), median(lists)};
}

// Seconds of each page of a history.
std::vector<double> page_seconds(World& world) {
  pb::GetHistoryRequest request;
  request.set_key(std::string(view(secret_key(0).public_key())));
  request.set_page_size(page_entries);
  std::vector<double> seconds;
  do {
    Stopwatch watch;
    auto page = must(world.server.connection().call(&pb::Query::Stub::GetHistory, request));
    if (page.entries_size() == static_cast<int>(page_entries)) seconds.push_back(watch.seconds());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return seconds;
}

}  // namespace

void bench_grown(const Scale& scale) {
  auto of_young = receipts_and_lists(young_world(scale), scale);
  auto of_old = receipts_and_lists(old_world(scale), scale);
  double receipts = of_old.first / of_young.first, lists = of_old.second / of_young.second;
  report({.name = "grown",
          .figure = std::min(receipts, lists),
          .unit = "ratio",
          .beside = {{"receipts", receipts}, {"lists", lists}}});
}

void bench_history(const Scale& scale) {
  // In memory, as the young one is, and as `grown` has it. The first reading is the disk's, one read after
  // the other.
  auto first = page_seconds(old_world(scale)), of_old = page_seconds(old_world(scale));
  std::uint64_t watched = std::min<std::uint64_t>(watched_entries, scale.old_entries / 10);
  World young({.growth = {.accounts = 3, .transfers = watched, .watched = watched}});
  auto of_young = page_seconds(young);
  report({.name = "history",
          .figure = median(of_young) / median(of_old),
          .unit = "ratio",
          .beside = {{"old_ms", median(of_old) * 1e3},
                     {"old_p99_ms", quantile(of_old, 0.99) * 1e3},
                     {"young_ms", median(of_young) * 1e3},
                     {"first_read_ms", median(first) * 1e3},
                     {"first_read_ratio", median(of_young) / median(first)}}});
}

void bench_proofs(const Scale& scale) {
  World& world = old_world(scale);
  std::uint64_t size = world.server.entries();
  Report proofs{.name = "proofs", .unit = "per_s"};
  for (std::size_t sample = 0; sample < scale.samples; ++sample) {
    double before = world.server.windlassd_cpu_seconds();
    std::vector<std::thread> callers;
    std::size_t each = scale.commands / proof_callers / 4;
    for (unsigned i = 0; i < proof_callers; ++i)
      callers.emplace_back([&, i] {
        pb::GetInclusionProofRequest request;
        request.set_size(size);
        for (std::size_t k = 0; k < each; ++k) {
          request.set_sequence((k * proof_callers + i) * 7919 % size);
          must(world.server.connection().call(&pb::Log::Stub::GetInclusionProof, request));
        }
      });
    for (auto& caller : callers) caller.join();
    double cpu = world.server.windlassd_cpu_seconds() - before;
    proofs.samples.push_back(static_cast<double>(each * proof_callers) / cpu);
  }
  proofs.figure = median(proofs.samples);
  proofs.beside = {{"log_size", static_cast<double>(size)}};
  report(proofs);
}

void bench_start(const Scale& scale) {
  World& world = old_world(scale);
  Report start{.name = "start", .unit = "s", .higher_is_better = false};
  for (std::size_t i = 0; i < scale.samples; ++i) {
    auto receipts = world.receipts(scale.commands);
    auto options = world.load();
    options.may_break = true;
    LoadResult until_then;
    std::thread load([&] { until_then = send(options, std::move(receipts)); });
    std::this_thread::sleep_for(std::chrono::seconds(scale.size == Size::full ? 5 : 1));
    world.server.kill();
    load.join();
    start.samples.push_back(world.server.start_again());
  }
  start.figure = median(start.samples);
  start.beside = {{"accounts", static_cast<double>(scale.old_accounts)}};
  report(start);
}

void bench_memory(const Scale& scale) {
  receipts_and_lists(old_world(scale), scale);
  end_shared_world();
  double allowed = default_cache_mib * double(1 << 20) + memory_beside_cache_bytes;
  report({.name = "memory",
          .figure = allowed / peak_server_bytes(),
          .unit = "ratio",
          .beside = {{"peak_mib", peak_server_bytes() / (1 << 20)}, {"cache_mib", default_cache_mib}}});
}

void bench_disk(const Scale& scale) {
  World world({.growth = {.accounts = std::min<std::uint64_t>(scale.accounts, list_accounts)}});
  std::size_t lists = std::max<std::size_t>(4, scale.commands * 40 / core::max_list_payments);
  world.server.wait_until_flushed();
  double before = world.server.database_bytes() + world.server.tiles_bytes();
  must_all_be_accepted(send(world.load_of_lists(), world.lists(lists, list_accounts)));
  world.server.wait_until_flushed();
  double bytes = (world.server.database_bytes() + world.server.tiles_bytes() - before) /
                 static_cast<double>(lists * core::max_list_payments);
  report({.name = "disk",
          .figure = tigerbeetle_bytes_a_transfer / bytes,
          .unit = "ratio",
          .beside = {{"bytes_a_payment", bytes}, {"lists", static_cast<double>(lists)}}});
}

}  // namespace windlass::bench
