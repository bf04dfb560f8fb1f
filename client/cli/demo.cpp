#include "client/demo/demo.h"

#include <charconv>

#include "client/cli/progress.h"
#include "client/cli/table.h"
#include "client/dev/dev.h"

namespace windlass::cli {
namespace {

Result<double> parse_speed(const std::string& text) {
  if (text == "max") return 0.0;
  double speed = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), speed);
  if (error != std::errc() || end != text.data() + text.size() || !(speed > 0) || speed > 1e6)
    return usage_error("--speed is max, or how many times the trace's own pace: 1, 0.5, 10");
  return speed;
}

Result<demo::Trace> load_trace(const std::string& file) {
  auto bytes = file.empty() ? demo::built_in_trace() : read_file(file);
  if (!bytes) return tl::unexpected(bytes.error());
  auto text = demo::gunzip(*std::move(bytes));
  if (!text) return tl::unexpected(text.error());
  return demo::parse_trace(*text);
}

std::string report_json(const demo::Report& report) {
  std::vector<std::string> peers;
  for (const auto& peer : report.peers)
    peers.push_back(JsonObject()
                        .add("peer", peer.number)
                        .add("key", peer.key)
                        .add("deposited", peer.deposited)
                        .add("paid", peer.paid)
                        .add("earned", peer.earned)
                        .add("balance", peer.balance)
                        .text());
  return JsonObject()
      .add("holds", true)
      .add("receipts", report.receipts)
      .add("entries", report.entries)
      .add("claims", report.accepted)
      .add("covered", report.covered)
      .add("channels", report.channels)
      .add("seconds", report.seconds)
      .add("receipts_per_second", static_cast<double>(report.receipts) / report.seconds)
      .add("p50_ms", report.p50_ms)
      .add("p99_ms", report.p99_ms)
      .add("total", report.total)
      .add("verified_peer", report.verified_peer)
      .add("verified_entries", report.verified.entries)
      .add("anchor_transaction", to_hex(report.verified.anchor->transaction_id))
      .add("anchor_block", report.verified.anchor->block.number)
      .raw("peers", json_array(peers))
      .text();
}

void print_table(const demo::Report& report, const pb::Asset& asset) {
  auto show = [&](std::int64_t units) { return format_units(units, asset.decimals()); };
  fmt::print("\n{:>6}  {:>16}  {:>16}  {:>16}  {:>16}\n", "peer", "deposited", "paid", "earned", "balance");
  for (const auto& peer : report.peers)
    fmt::print("{:>6}  {:>16}  {:>16}  {:>16}  {:>16}\n", peer.number, show(peer.deposited), show(peer.paid),
               show(peer.earned), show(peer.balance));
  fmt::print("{:>6}  {:>16}  {:>16}  {:>16}   ({})\n\n", "all", "", show(report.total), show(report.total),
             asset.symbol());
  fmt::print("receipts signed    {}\nentries written    {} ({} claims)\n", report.receipts, report.entries,
             report.accepted);
  fmt::print("rate               {:.0f} receipts/s\nacknowledged in    {:.1f} ms p50, {:.1f} ms p99\n",
             static_cast<double>(report.receipts) / report.seconds, report.p50_ms, report.p99_ms);
  fmt::print("anchored by        {} (block {})\n", to_hex(report.verified.anchor->transaction_id),
             report.verified.anchor->block.number);
  fmt::print("totals             equal the trace to the last unit\n");
}

Run demo_command(CLI::App& app) {
  struct Options {
    std::string dir = ".windlass", trace, speed = "1";
    std::int64_t price = 1;
  };
  auto options = std::make_shared<Options>();
  app.add_option("--dir", options->dir, "where `windlass dev` keeps the system to play on")
      ->capture_default_str();
  app.add_option("--trace", options->trace,
                 "another swarm than the built-in one: CSV, gzipped or not; - is standard input");
  app.add_option("--speed", options->speed, "times the trace's own pace, or max")->capture_default_str();
  app.add_option("--price", options->price, "ledger units a byte")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000'000));
  return [=](Context& context) -> Result<int> {
    auto trace = load_trace(options->trace);
    if (!trace) return tl::unexpected(trace.error());
    auto speed = parse_speed(options->speed);
    if (!speed) return tl::unexpected(speed.error());
    auto settings = running_system(options->dir);
    if (!settings) return tl::unexpected(settings.error());
    std::unique_ptr<Progress> bar;
    demo::Audience audience;
    audience.say = [&](const std::string& line) {
      bar.reset();
      if (!context.json()) fmt::print("{}\n", line);
      std::fflush(stdout);
    };
    audience.begin = [&](const std::string& what) -> OnProgress {
      bar = std::make_unique<Progress>(what);
      return [shown = bar.get()](std::uint64_t done, std::uint64_t of) { shown->show(done, of); };
    };
    auto report = demo::run(*settings, *trace, {options->price, *speed}, audience);
    bar.reset();
    if (!report) return tl::unexpected(report.error());
    if (context.json()) {
      fmt::print("{}\n", report_json(*report));
      return 0;
    }
    GlobalOptions here = context.options();
    here.address = settings->grpc_address();
    Context ledger(here);
    auto facts = ledger.facts();
    if (!facts) return tl::unexpected(facts.error());
    print_table(*report, *find_asset((*facts)->assets, "BTT"));
    return 0;
  };
}

}  // namespace

Commands demo_commands() {
  return {{"demo", "pays for a real swarm, block by block, and proves it", demo_command}};
}

}  // namespace windlass::cli
