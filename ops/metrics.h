// Every metric of both daemons. The names are a contract with dashboards and alerts (docs/operating.md); base
// units (seconds, entries, bytes; amounts in the asset's ledger unit), few labels, never a key. A labelled
// series exists from its first use on, but for those of a fixed set, which begin at 0.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/core/command.h"
#include "ledger/core/error.h"

namespace windlass::ops {

using Counter = prometheus::Counter;      // .Increment(), .Increment(by)
using Gauge = prometheus::Gauge;          // .Set(value), .Increment(), .Decrement()
using Histogram = prometheus::Histogram;  // .Observe(value)

constexpr std::size_t kind_count = std::variant_size_v<core::Body>;
enum class CommandOutcome { accepted, refused, duplicate, covered };
constexpr std::string_view command_outcomes[] = {"accepted", "refused", "duplicate", "covered"};
constexpr std::string_view signature_results[] = {"valid", "bad_key", "malformed", "high_s",
                                                  "wrong"};  // SignatureCheck

// How far the log has come: entries durable, under a signed checkpoint, in a TRON block, in a solidified one.
enum class LogStage { committed, signed_, anchored, solidified };
constexpr std::string_view log_stages[] = {"committed", "signed", "anchored", "solidified"};

// Of a daemon: the registry and what both have.
class Metrics {
 public:
  Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;
  // Prometheus' text format, version 0.0.4.
  std::string render() const;
  static constexpr std::string_view content_type = "text/plain; version=0.0.4; charset=utf-8";

  // log_size{stage}: leaves. A stage that this daemon does not follow is not shown.
  void set_log_size(LogStage stage, std::uint64_t leaves);
  // oldest_unanchored_seconds: 0 while all entries are under a solidified anchor.
  void set_oldest_unanchored(double seconds);
  // last_anchor_timestamp_seconds: Unix time of the block of the newest solidified anchor.
  void set_last_anchor(double unix_seconds);

 protected:
  prometheus::Registry registry_;

 private:
  prometheus::Family<Gauge>&log_size_, &oldest_unanchored_, &last_anchor_;
};

// windlassd.
class ServerMetrics : public Metrics {
  // Resolved once, so that counting is one atomic addition. They stand before the references that they make.
  std::array<std::array<Counter*, 4>, kind_count> commands_{};
  std::array<Counter*, static_cast<std::size_t>(core::Error::count)> rejections_{};
  std::array<Counter*, 5> signatures_{};

 public:
  ServerMetrics();

  // commands_total{kind,outcome}: answered
  Counter& commands(core::Kind kind, CommandOutcome outcome);
  // rejections_total{reason}: refused, by core::info(error).reason
  Counter& rejections(core::Error reason);
  // signatures_total{result}: checked
  Counter& signatures(SignatureCheck result);
  // witness_requests_total{witness,outcome}: checkpoints sent; by the witness's name, and cosigned, behind,
  // refused or unreachable
  Counter& witness_requests(std::string_view witness, std::string_view outcome);
  // witness_size{witness}: leaves of the newest checkpoint that it has
  void set_witness_size(std::string_view witness, std::uint64_t leaves);
  // ledger_amount{asset,part}: all parts in the ledger unit, chain units as its fractions
  void set_ledger_amounts(const core::Asset& asset, const core::AssetTotals& totals);

  Histogram& verify_seconds;  // one signature
  Histogram& commit_seconds;  // one batch
  Histogram& batch_entries;
  Counter& entries_committed;
  Gauge& queue_depth;        // commands that wait for the sequencer
  Gauge& unflushed_entries;  // committed, not yet in balances
  Gauge& cache_bytes;
  Gauge& writer_epoch;
  Gauge& is_writer;  // 1 or 0

 private:
  prometheus::Family<Gauge>&ledger_amount_, &witness_size_;
  prometheus::Family<Counter>& witness_requests_;
};

// windlass-anchor.
class AnchorMetrics : public Metrics {
 public:
  AnchorMetrics();

  // anchor_transactions_total{outcome}: broadcast, included, solidified, expired, failed
  Counter& anchor_transactions(std::string_view outcome);
  // chain_requests_total{endpoint,method,outcome}: to TRON nodes; endpoint is host:port, outcome ok or a gRPC
  // status
  Counter& chain_requests(std::string_view endpoint, std::string_view method, std::string_view outcome);
  // deposits_total{asset,outcome}: credited, unassigned, ignored, passed_by
  Counter& deposits(std::string_view asset, std::string_view outcome);
  // payment_transactions_total{outcome}: of withdrawals: signed, broadcast, included, landed, failed,
  // expired, refused (by a node), then paid or refunded on the ledger
  Counter& payment_transactions(std::string_view outcome);
  // sweep_transactions_total{outcome}: from deposit addresses to custody, and TRX for that: signed,
  // broadcast, included, landed, failed, expired, refused (by a node)
  Counter& sweep_transactions(std::string_view outcome);
  // withdrawals{state}: of those under way, how many are in it: sent, included
  Gauge& withdrawals(std::string_view state);
  // custody_difference{asset}: held on chain less owed by the ledger, in the ledger unit; 0 is right
  Gauge& custody_difference(std::string_view asset);
  // custody_compared_timestamp_seconds: Unix time at which custody was last held against the ledger.
  void set_custody_compared(double unix_seconds);
  // custody_amount{asset,storage}: what custody (hot) and cold storage (cold) hold, in the ledger unit
  Gauge& custody_amount(std::string_view asset, std::string_view storage);
  // custody_above_ceiling{asset}: by how much custody holds more than the operator wants there; of assets
  // that have a hot_ceiling
  Gauge& custody_above_ceiling(std::string_view asset);

  // chain_endpoint{endpoint,condition}: 1 of the condition that the TRON node is in: good, lagging, failing,
  // set_aside; of several nodes
  Gauge& chain_endpoint(std::string_view endpoint, std::string_view condition);
  // chain_forged_total{endpoint,reason}: what a TRON node gave and was proven wrong: hash (a block whose
  // header or transactions are not what its id says), witnesses (no signatures, or false ones),
  // contradiction (of itself, or of the others)
  Counter& chain_forged(std::string_view endpoint, std::string_view reason);
  // paused{part}: 1 while the operator has it paused: anchors, deposits, withdrawals
  Gauge& paused(std::string_view part);

  Gauge& anchor_balance_sun;
  Gauge& anchor_runway_seconds;  // how long the balance lasts at the present pace
  Gauge& anchor_cost_sun;        // of one anchor at the chain's present prices
  Gauge& anchor_stopped;         // 1: too dear, refused by the contract, or failing; the log says which
  Counter& chain_disagreements;  // looks at a solidified block of which TRON nodes told different things
  Gauge& deposits_waiting;  // 1: the scan waits, for a deposit is more than a single node's word is good for

 private:
  prometheus::Family<Counter>&anchor_transactions_, &payment_transactions_, &sweep_transactions_,
      &chain_requests_, &chain_forged_, &deposits_;
  prometheus::Family<Gauge>&withdrawals_, &custody_difference_, &custody_compared_, &custody_amount_,
      &custody_above_ceiling_, &chain_endpoint_, &paused_;
};

// Observes the time from its making to its end.
class Timer {
 public:
  explicit Timer(Histogram& histogram) : histogram_(histogram) {}
  ~Timer() { histogram_.Observe(std::chrono::duration<double>(Clock::now() - start_).count()); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  Histogram& histogram_;
  Clock::time_point start_ = Clock::now();
};

}  // namespace windlass::ops
