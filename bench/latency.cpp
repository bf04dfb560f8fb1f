// How long an acknowledgement takes, beside a durable commit of one row: what nobody can be faster than.
#include <fmt/format.h>

#include <thread>

#include "bench/bench.h"
#include "bench/least_server.h"
#include "bench/measure.h"
#include "bench/world.h"
#include "ledger/journal/postgres.h"

namespace windlass::bench {
namespace {

constexpr std::size_t row_bytes = 300, commits = 300;
// Of one sample of a client alone: in each of the turns so many commits, and twice as many acknowledgements.
constexpr std::size_t turns = 60, commits_a_turn = 30;
constexpr std::size_t paced_commands_a_message = 16;
constexpr journal::Statement insert_row{"insert_row", "INSERT INTO bench_rows (row) VALUES ($1::bytea)"};

// Seconds of each of some commits of one row, each synchronous, with a pause before it.
std::vector<double> commit_each(Server& server, std::size_t count, double pause = 0) {
  journal::Connection database(server.database_url(), 60'000);
  database.script(
      "SET client_min_messages = warning; CREATE TABLE IF NOT EXISTS bench_rows (id bigserial PRIMARY KEY, "
      "row bytea)");
  std::vector<double> seconds;
  for (std::size_t i = 0; i < count; ++i) {
    if (pause > 0) std::this_thread::sleep_for(std::chrono::duration<double>(pause));
    Stopwatch watch;
    database.run(insert_row, journal::Parameters().bytes(std::string(row_bytes, 'r')));
    seconds.push_back(watch.seconds());
  }
  return seconds;
}
double commit_seconds(Server& server) {
  return median(commit_each(server, commits));
}

template <typename Values>
void append(std::vector<double>& to, const Values& values) {
  to.insert(to.end(), values.begin(), values.end());
}

double quantile_of(const LoadResult& load, double of) {
  return quantile({load.latencies.begin(), load.latencies.end()}, of);
}

}  // namespace

void bench_latency(const Scale& scale) {
  World& world = young_world(scale);
  Report latency{.name = "latency", .unit = "ratio"};
  std::vector<double> commit, p99, p50, rate, cores, least_p99, least;
  for (std::size_t i = 0; i < scale.samples; ++i) {
    auto greatest = send(world.load(), world.transfers(scale.commands, 0));
    must_all_be_accepted(greatest);
    auto half = world.load();
    half.commands_a_message = paced_commands_a_message;
    half.commands_per_second = static_cast<double>(greatest.accepted) / greatest.seconds / 2;
    auto to_pace = world.transfers(scale.commands, 0);
    world.server.wait_until_flushed();  // what the greatest load put off is not of this one
    double before = commit_seconds(world.server);
    double cpu = world.server.cpu_seconds();
    auto paced = send(half, std::move(to_pace));
    cores.push_back((world.server.cpu_seconds() - cpu) / paced.seconds);
    must_all_be_accepted(paced);
    commit.push_back((before + commit_seconds(world.server)) / 2);
    world.server.wait_until_flushed();
    auto least_possible =
        least_server_seconds(world.server.directory(), {.messages = scale.commands / paced_commands_a_message,
                                                        .commands_a_message = paced_commands_a_message,
                                                        .commands_per_second = half.commands_per_second});
    least_p99.push_back(quantile(std::move(least_possible), 0.99));
    least.push_back(commit.back() / least_p99.back());
    p50.push_back(quantile_of(paced, 0.5));
    p99.push_back(quantile_of(paced, 0.99));
    rate.push_back(half.commands_per_second);
    latency.samples.push_back(commit.back() / p99.back());
  }
  latency.figure = median(latency.samples);
  latency.beside = {{"commit_ms", median(commit) * 1e3}, {"p50_ms", median(p50) * 1e3},
                    {"p99_ms", median(p99) * 1e3},       {"per_second", median(rate)},
                    {"server_cores", median(cores)},     {"least_server_p99_ms", median(least_p99) * 1e3},
                    {"least_server", median(least)}};
  report(latency);
}

// Commits and acknowledgements in short turns, since what a commit takes drifts from second to second. Beside
// them commits as far apart as acknowledgements are, which take longer than one right after the other.
void bench_idle_latency(const Scale& scale) {
  World world({.growth = {.accounts = 2}});  // one client, and whom it pays
  auto alone = world.load();
  alone.call = Call::alone;
  auto warm_up = send(alone, world.transfers(commits, 0));
  must_all_be_accepted(warm_up);
  double pause = quantile_of(warm_up, 0.5);
  Report latency{.name = "idle-latency", .unit = "ratio"};
  std::vector<double> commit, spaced_commit, p50, p99;
  for (std::size_t i = 0; i < scale.samples; ++i) {
    std::vector<double> committed, spaced, acknowledged;
    for (std::size_t turn = 0; turn < turns; ++turn) {
      append(committed, commit_each(world.server, commits_a_turn));
      auto answered = send(alone, world.transfers(2 * commits_a_turn, 0));
      must_all_be_accepted(answered);
      append(acknowledged, answered.latencies);
      append(spaced, commit_each(world.server, commits_a_turn, pause));
    }
    commit.push_back(median(std::move(committed)));
    spaced_commit.push_back(median(std::move(spaced)));
    p50.push_back(quantile(acknowledged, 0.5));
    p99.push_back(quantile(acknowledged, 0.99));
    latency.samples.push_back(commit.back() / p50.back());
  }
  latency.figure = median(latency.samples);
  latency.beside = {{"commit_ms", median(commit) * 1e3},
                    {"spaced_commit_ms", median(spaced_commit) * 1e3},
                    {"p50_ms", median(p50) * 1e3},
                    {"p99_ms", median(p99) * 1e3}};
  report(latency);
}

}  // namespace windlass::bench
