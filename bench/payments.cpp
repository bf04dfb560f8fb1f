// Throughput: what a payment costs the server, in signature verifications.
#include "bench/bench.h"
#include "bench/measure.h"
#include "bench/world.h"
#include "ledger/core/limits.h"

namespace windlass::bench {
namespace {

constexpr std::size_t single_streams = 256, unary_calls = 256;
constexpr unsigned hot_percent = 90;
constexpr std::size_t receipts_in_a_row = 1000;

using Sign = std::vector<pb::SignedCommand> (*)(World&, std::size_t);

// The samples' median ratio, and the medians of what it is made of.
void report_costs(const std::string& name, const std::vector<Cost>& costs) {
  Report all{.name = name, .unit = "ratio"};
  std::vector<double> verification, same_again, server, windlassd, postgres, rate;
  for (const auto& cost : costs) {
    all.samples.push_back(cost.ratio());
    verification.push_back(cost.verification * 1e6);
    same_again.push_back(cost.same_again * 1e6);
    server.push_back(cost.per_accepted(cost.server) * 1e6);
    windlassd.push_back(cost.per_accepted(cost.windlassd) * 1e6);
    postgres.push_back(cost.per_accepted(cost.postgres) * 1e6);
    rate.push_back(cost.per_second());
  }
  all.figure = median(all.samples);
  all.beside = {{"verification_us", median(verification)},
                {"same_signature_us", median(same_again)},
                {"server_us", median(server)},
                {"windlassd_us", median(windlassd)},
                {"postgres_us", median(postgres)},
                {"per_second", median(rate)}};
  report(all);
}

std::vector<Cost> sample(World& world, const Scale& scale, const LoadOptions& options, Sign sign) {
  std::vector<Cost> costs;
  for (std::size_t i = 0; i < scale.samples; ++i) {
    costs.push_back(measure(world, options, sign(world, scale.commands)));
    must_all_be_accepted(costs.back().load);
  }
  return costs;
}

std::vector<pb::SignedCommand> sign_receipts(World& world, std::size_t count) {
  return world.receipts(count);
}
std::vector<pb::SignedCommand> sign_transfers(World& world, std::size_t count) {
  return world.transfers(count, 0);
}
std::vector<pb::SignedCommand> sign_hot_transfers(World& world, std::size_t count) {
  return world.transfers(count, hot_percent);
}

void receipts_by(const std::string& name, const Scale& scale, LoadOptions options) {
  World& world = young_world(scale);
  options.address = world.server.address();
  report_costs(name, sample(world, scale, options, sign_receipts));
}

}  // namespace

void bench_receipts(const Scale& scale) {
  receipts_by("receipts", scale, {});
}
void bench_receipts_single(const Scale& scale) {
  receipts_by("receipts-single", scale, {.streams = single_streams, .commands_a_message = 1});
}
void bench_receipts_unary(const Scale& scale) {
  receipts_by("receipts-unary", scale, {.call = Call::unary, .in_flight = unary_calls});
}

void bench_receipts_covered(const Scale& scale) {
  World& world = young_world(scale);
  Report covered{.name = "receipts-covered", .unit = "ratio"};
  std::vector<double> rate, alone;
  for (std::size_t i = 0; i < scale.samples; ++i) {
    auto single = send(world.load(), world.receipts(scale.commands));
    must_all_be_accepted(single);
    auto options = world.load();
    options.in_flight = 16'384;
    auto rows = send(options, world.receipts_in_rows(scale.commands, receipts_in_a_row));
    if (rows.refused() > 0) must_all_be_accepted(rows);
    alone.push_back(static_cast<double>(single.accepted) / single.seconds);
    rate.push_back(static_cast<double>(rows.accepted + rows.covered) / rows.seconds);
    covered.samples.push_back(rate.back() / alone.back());
  }
  covered.figure = median(covered.samples);
  covered.beside = {{"per_second", median(rate)}, {"receipts_per_second", median(alone)}};
  report(covered);
}

void bench_transfers(const Scale& scale) {
  World& world = young_world(scale);
  report_costs("transfers", sample(world, scale, world.load(), sign_transfers));
}

// Each between two others, whose mean it is compared with: the machine's minutes differ by a tenth.
void bench_hot(const Scale& scale) {
  World& world = young_world(scale);
  Report hot{.name = "hot", .unit = "ratio"};
  std::vector<double> spread_rate, hot_rate, windlassd, postgres, spread_windlassd, spread_postgres;
  auto cost_of = [&](Sign sign) {
    auto cost = measure(world, world.load(), sign(world, scale.commands));
    must_all_be_accepted(cost.load);
    return cost;
  };
  auto before = cost_of(sign_transfers);
  for (std::size_t i = 0; i < scale.samples; ++i) {
    auto to_hot = cost_of(sign_hot_transfers), after = cost_of(sign_transfers);
    auto of_both = [&](auto figure) { return (figure(before) + figure(after)) / 2; };
    auto us_of = [](double Cost::*part) {
      return [part](const Cost& cost) { return cost.per_accepted(cost.*part) * 1e6; };
    };
    spread_rate.push_back(of_both([](const Cost& cost) { return cost.per_second(); }));
    spread_windlassd.push_back(of_both(us_of(&Cost::windlassd)));
    spread_postgres.push_back(of_both(us_of(&Cost::postgres)));
    hot_rate.push_back(to_hot.per_second());
    windlassd.push_back(us_of(&Cost::windlassd)(to_hot));
    postgres.push_back(us_of(&Cost::postgres)(to_hot));
    hot.samples.push_back(of_both(us_of(&Cost::server)) / us_of(&Cost::server)(to_hot));
    before = after;
  }
  hot.figure = median(hot.samples);
  hot.beside = {{"per_second", median(hot_rate)},
                {"windlassd_us", median(windlassd)},
                {"postgres_us", median(postgres)},
                {"spread_per_second", median(spread_rate)},
                {"spread_windlassd_us", median(spread_windlassd)},
                {"spread_postgres_us", median(spread_postgres)}};
  report(hot);
}

void bench_lists(const Scale& scale) {
  World& world = young_world(scale);
  std::size_t lists = std::max<std::size_t>(4, scale.commands * 20 / core::max_list_payments);
  auto options = world.load_of_lists();
  must_all_be_accepted(send(options, world.lists(lists / 4, list_accounts)));
  Report all{.name = "lists", .unit = "ratio"};
  std::vector<double> rate, cpu, verification;
  for (std::size_t i = 0; i < scale.samples; ++i) {
    auto cost = measure(world, options, world.lists(lists, list_accounts));
    must_all_be_accepted(cost.load);
    rate.push_back(cost.per_second() * core::max_list_payments);
    cpu.push_back(cost.per_accepted(cost.server) / core::max_list_payments * 1e6);
    verification.push_back(cost.verification * 1e6);
    all.samples.push_back(rate.back() * cost.verification);
  }
  all.figure = median(all.samples);
  all.beside = {{"payments_per_second", median(rate)},
                {"server_us_a_payment", median(cpu)},
                {"verification_us", median(verification)}};
  report(all);
}

}  // namespace windlass::bench
