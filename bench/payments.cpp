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

template <typename Figure>
double median_of(const std::vector<Cost>& costs, Figure figure) {
  std::vector<double> figures;
  for (const auto& cost : costs) figures.push_back(figure(cost));
  return median(std::move(figures));
}

// Microseconds of an accepted command.
auto us_of(double Cost::*part) {
  return [part](const Cost& cost) { return cost.per_accepted(cost.*part) * 1e6; };
}
double rate_of(const Cost& cost) {
  return cost.per_second();
}

// The samples' median ratio, and the medians of what it is made of.
void report_costs(const std::string& name, const std::vector<Cost>& costs) {
  Report all{.name = name, .unit = "ratio"};
  for (const auto& cost : costs) all.samples.push_back(cost.ratio());
  all.figure = median(all.samples);
  all.beside = {
      {"verification_us", median_of(costs, [](const Cost& cost) { return cost.verification * 1e6; })},
      {"same_signature_us", median_of(costs, [](const Cost& cost) { return cost.same_again * 1e6; })},
      {"server_us", median_of(costs, us_of(&Cost::server))},
      {"windlassd_us", median_of(costs, us_of(&Cost::windlassd))},
      {"postgres_us", median_of(costs, us_of(&Cost::postgres))},
      {"per_second", median_of(costs, rate_of)}};
  report(all);
}

Cost cost_of(World& world, const LoadOptions& options, std::vector<pb::SignedCommand> commands) {
  auto cost = measure(world, options, std::move(commands));
  must_all_be_accepted(cost.load);
  return cost;
}

std::vector<Cost> sample(World& world, const Scale& scale, const LoadOptions& options, Sign sign) {
  std::vector<Cost> costs;
  for (std::size_t i = 0; i < scale.samples; ++i)
    costs.push_back(cost_of(world, options, sign(world, scale.commands)));
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
  auto transfers = [&](Sign sign) { return cost_of(world, world.load(), sign(world, scale.commands)); };
  std::vector<Cost> spread{transfers(sign_transfers)}, to_hot;
  Report hot{.name = "hot", .unit = "ratio"};
  for (std::size_t i = 0; i < scale.samples; ++i) {
    to_hot.push_back(transfers(sign_hot_transfers));
    spread.push_back(transfers(sign_transfers));
    auto us = us_of(&Cost::server);
    hot.samples.push_back((us(spread[i]) + us(spread[i + 1])) / 2 / us(to_hot[i]));
  }
  hot.figure = median(hot.samples);
  hot.beside = {{"per_second", median_of(to_hot, rate_of)},
                {"windlassd_us", median_of(to_hot, us_of(&Cost::windlassd))},
                {"postgres_us", median_of(to_hot, us_of(&Cost::postgres))},
                {"spread_per_second", median_of(spread, rate_of)},
                {"spread_windlassd_us", median_of(spread, us_of(&Cost::windlassd))},
                {"spread_postgres_us", median_of(spread, us_of(&Cost::postgres))}};
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
    auto cost = cost_of(world, options, world.lists(lists, list_accounts));
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
