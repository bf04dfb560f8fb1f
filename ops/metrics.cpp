#include "ops/metrics.h"

#include <prometheus/text_serializer.h>

#include "ops/config.h"

namespace windlass::ops {
namespace {

using prometheus::Family;
using prometheus::Registry;
using Buckets = Histogram::BucketBoundaries;

// A signature takes some 40 us on one core.
const Buckets verify_buckets = {10e-6,  20e-6,  30e-6,  40e-6,  50e-6, 75e-6,
                                100e-6, 150e-6, 250e-6, 500e-6, 1e-3,  5e-3};
// A commit is one disk flush: well below a millisecond on NVMe, tens of them on a spinning disk; seconds are
// trouble.
const Buckets commit_buckets = {0.5e-3, 1e-3,   2e-3,   3e-3,   5e-3, 7.5e-3, 10e-3, 15e-3, 25e-3,
                                50e-3,  100e-3, 250e-3, 500e-3, 1,    2.5,    5,     10};
const Buckets batch_buckets = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384};

std::string full_name(std::string_view name) {
  return "windlass_" + std::string(name);
}
Family<Counter>& counters(Registry& registry, std::string_view name, const char* help) {
  return prometheus::BuildCounter().Name(full_name(name)).Help(help).Register(registry);
}
Family<Gauge>& gauges(Registry& registry, std::string_view name, const char* help) {
  return prometheus::BuildGauge().Name(full_name(name)).Help(help).Register(registry);
}
Gauge& gauge(Registry& registry, std::string_view name, const char* help) {
  return gauges(registry, name, help).Add({});
}
Histogram& histogram(Registry& registry, std::string_view name, const char* help, const Buckets& buckets) {
  return prometheus::BuildHistogram().Name(full_name(name)).Help(help).Register(registry).Add({}, buckets);
}

double in_ledger_units(core::ChainAmount amount, const core::Asset& asset) {
  return static_cast<double>(amount) / static_cast<double>(asset.chain_units);
}

}  // namespace

Metrics::Metrics()
    : log_size_(gauges(registry_, "log_size", "Leaves of the log, by how far they have come.")),
      oldest_unanchored_(
          gauges(registry_, "oldest_unanchored_seconds",
                 "Age of the oldest entry that no solidified anchor covers; 0 when all are covered.")),
      last_anchor_(gauges(registry_, "last_anchor_timestamp_seconds",
                          "Unix time of the block of the newest solidified anchor.")) {
  gauges(registry_, "build_info", "Always 1; the version is in the label.")
      .Add({{"version", std::string(version())}})
      .Set(1);
}

std::string Metrics::render() const {
  return prometheus::TextSerializer().Serialize(registry_.Collect());
}

void Metrics::set_log_size(LogStage stage, std::uint64_t leaves) {
  log_size_.Add({{"stage", std::string(log_stages[static_cast<int>(stage)])}})
      .Set(static_cast<double>(leaves));
}
void Metrics::set_oldest_unanchored(double seconds) {
  oldest_unanchored_.Add({}).Set(seconds);
}
void Metrics::set_last_anchor(double unix_seconds) {
  last_anchor_.Add({}).Set(unix_seconds);
}

ServerMetrics::ServerMetrics()
    : verify_seconds(histogram(registry_, "verify_seconds", "Time to check one signature.", verify_buckets)),
      commit_seconds(histogram(registry_, "commit_seconds",
                               "Time to seal one batch and commit it to Postgres.", commit_buckets)),
      batch_entries(histogram(registry_, "batch_entries", "Entries in a committed batch.", batch_buckets)),
      entries_committed(counters(registry_, "entries_committed_total", "Entries made durable.").Add({})),
      queue_depth(gauge(registry_, "queue_depth", "Commands that wait for the sequencer.")),
      unflushed_entries(
          gauge(registry_, "unflushed_entries",
                "Committed entries that the balances in SQL do not show yet; they bound recovery.")),
      cache_bytes(gauge(registry_, "cache_bytes", "Memory taken by cached accounts and channels.")),
      writer_epoch(gauge(registry_, "writer_epoch", "The writer's epoch; it grows with every takeover.")),
      is_writer(gauge(registry_, "is_writer", "1 while this server holds the writer's lease, else 0.")),
      ledger_amount_(
          gauges(registry_, "ledger_amount",
                 "The ledger's totals in the asset's ledger unit; available, locked, held, unassigned and "
                 "dust add up to credited less paid.")),
      witness_size_(gauges(registry_, "witness_size", "Leaves of the newest checkpoint that a witness has.")),
      witness_requests_(counters(registry_, "witness_requests_total",
                                 "Checkpoints sent to a witness, by what came of it.")) {
  auto& commands = counters(registry_, "commands_total", "Commands answered, by kind and outcome.");
  for (std::size_t kind = 0; kind < kind_count; ++kind)
    for (std::size_t outcome = 0; outcome < std::size(command_outcomes); ++outcome)
      commands_[kind][outcome] = &commands.Add({{"kind", std::string(name(static_cast<core::Kind>(kind)))},
                                                {"outcome", std::string(command_outcomes[outcome])}});
  auto& rejections = counters(registry_, "rejections_total", "Commands refused, by reason.");
  for (std::size_t i = 1; i < rejections_.size(); ++i)
    rejections_[i] =
        &rejections.Add({{"reason", std::string(core::info(static_cast<core::Error>(i)).reason)}});
  auto& signatures = counters(registry_, "signatures_total", "Signatures checked, by result.");
  for (std::size_t i = 0; i < signatures_.size(); ++i)
    signatures_[i] = &signatures.Add({{"result", std::string(signature_results[i])}});
}

Counter& ServerMetrics::commands(core::Kind kind, CommandOutcome outcome) {
  return *commands_.at(static_cast<std::size_t>(kind))[static_cast<std::size_t>(outcome)];
}
Counter& ServerMetrics::rejections(core::Error reason) {
  return *rejections_.at(static_cast<std::size_t>(reason));
}
Counter& ServerMetrics::signatures(SignatureCheck result) {
  return *signatures_.at(static_cast<std::size_t>(result));
}

Counter& ServerMetrics::witness_requests(std::string_view witness, std::string_view outcome) {
  return witness_requests_.Add({{"witness", std::string(witness)}, {"outcome", std::string(outcome)}});
}
void ServerMetrics::set_witness_size(std::string_view witness, std::uint64_t leaves) {
  witness_size_.Add({{"witness", std::string(witness)}}).Set(static_cast<double>(leaves));
}

void ServerMetrics::set_ledger_amounts(const core::Asset& asset, const core::AssetTotals& totals) {
  auto set = [&](const char* part, double amount) {
    ledger_amount_.Add({{"asset", asset.symbol}, {"part", part}}).Set(amount);
  };
  set("available", static_cast<double>(totals.available));
  set("locked", static_cast<double>(totals.locked));
  set("held", static_cast<double>(totals.held));
  set("unassigned", static_cast<double>(totals.unassigned));
  set("dust", in_ledger_units(totals.dust, asset));
  set("credited", in_ledger_units(totals.credited, asset));
  set("paid", in_ledger_units(totals.paid, asset));
}

AnchorMetrics::AnchorMetrics()
    : anchor_balance_sun(gauge(registry_, "anchor_balance_sun", "TRX of the anchoring address, in sun.")),
      anchor_runway_seconds(gauge(registry_, "anchor_runway_seconds",
                                  "How long the anchoring balance lasts at the present pace.")),
      anchor_cost_sun(gauge(registry_, "anchor_cost_sun",
                            "What one anchor costs at the chain's present prices, in sun.")),
      anchor_stopped(gauge(registry_, "anchor_stopped",
                           "1 when nothing is anchored: too dear, refused by the contract, or failing.")),
      chain_disagreements(counters(registry_, "chain_disagreements_total",
                                   "Looks at a solidified block on which TRON nodes disagreed without a "
                                   "majority.")
                              .Add({})),
      deposits_waiting(gauge(registry_, "deposits_waiting",
                             "1 while the scan waits: a deposit is more than a single node's word is good "
                             "for.")),
      anchor_transactions_(
          counters(registry_, "anchor_transactions_total", "Anchor transactions, by what became of them.")),
      payment_transactions_(counters(registry_, "payment_transactions_total",
                                     "Transactions that pay withdrawals, by what became of them.")),
      sweep_transactions_(counters(registry_, "sweep_transactions_total",
                                   "Transactions between deposit addresses and custody, by what became of "
                                   "them.")),
      chain_requests_(counters(registry_, "chain_requests_total", "Requests to TRON nodes.")),
      chain_forged_(counters(registry_, "chain_forged_total",
                             "What TRON nodes gave and was proven wrong, by what proved it.")),
      deposits_(
          counters(registry_, "deposits_total", "Deposits found on the chain, by what became of them.")),
      withdrawals_(gauges(registry_, "withdrawals", "Withdrawals, by state.")),
      custody_difference_(
          gauges(registry_, "custody_difference",
                 "Held on the chain less owed by the ledger, in the ledger unit; 0 is right.")),
      custody_compared_(gauges(registry_, "custody_compared_timestamp_seconds",
                               "When custody was last held against the ledger.")),
      custody_amount_(gauges(registry_, "custody_amount",
                             "What custody (hot) and cold storage hold, in the ledger unit.")),
      custody_above_ceiling_(
          gauges(registry_, "custody_above_ceiling",
                 "How much of what custody holds belongs into cold storage, in the ledger unit.")),
      chain_endpoint_(gauges(registry_, "chain_endpoint", "Of several TRON nodes: 1 where it is so.")),
      paused_(gauges(registry_, "paused", "1 while the operator has it paused.")) {}

Counter& AnchorMetrics::anchor_transactions(std::string_view outcome) {
  return anchor_transactions_.Add({{"outcome", std::string(outcome)}});
}
Counter& AnchorMetrics::payment_transactions(std::string_view outcome) {
  return payment_transactions_.Add({{"outcome", std::string(outcome)}});
}
Counter& AnchorMetrics::sweep_transactions(std::string_view outcome) {
  return sweep_transactions_.Add({{"outcome", std::string(outcome)}});
}
Counter& AnchorMetrics::chain_requests(std::string_view endpoint, std::string_view method,
                                       std::string_view outcome) {
  return chain_requests_.Add({{"endpoint", std::string(endpoint)},
                              {"method", std::string(method)},
                              {"outcome", std::string(outcome)}});
}
Counter& AnchorMetrics::chain_forged(std::string_view endpoint, std::string_view reason) {
  return chain_forged_.Add({{"endpoint", std::string(endpoint)}, {"reason", std::string(reason)}});
}
Counter& AnchorMetrics::deposits(std::string_view asset, std::string_view outcome) {
  return deposits_.Add({{"asset", std::string(asset)}, {"outcome", std::string(outcome)}});
}
Gauge& AnchorMetrics::withdrawals(std::string_view state) {
  return withdrawals_.Add({{"state", std::string(state)}});
}
Gauge& AnchorMetrics::chain_endpoint(std::string_view endpoint, std::string_view condition) {
  return chain_endpoint_.Add({{"endpoint", std::string(endpoint)}, {"condition", std::string(condition)}});
}
Gauge& AnchorMetrics::paused(std::string_view part) {
  return paused_.Add({{"part", std::string(part)}});
}
Gauge& AnchorMetrics::custody_difference(std::string_view asset) {
  return custody_difference_.Add({{"asset", std::string(asset)}});
}
void AnchorMetrics::set_custody_compared(double unix_seconds) {
  custody_compared_.Add({}).Set(unix_seconds);
}
Gauge& AnchorMetrics::custody_amount(std::string_view asset, std::string_view storage) {
  return custody_amount_.Add({{"asset", std::string(asset)}, {"storage", std::string(storage)}});
}
Gauge& AnchorMetrics::custody_above_ceiling(std::string_view asset) {
  return custody_above_ceiling_.Add({{"asset", std::string(asset)}});
}

}  // namespace windlass::ops
