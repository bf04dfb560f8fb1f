// Metrics: exactly the names that dashboards rely on, as Prometheus wants them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "ops/metrics.h"
#include "tests/unit/scratch_folder.h"

namespace windlass::ops {
namespace {

using testing::HasSubstr;
using testing::Not;

// Every metric of the text, as `name type`.
std::set<std::string> types(const std::string& text) {
  std::set<std::string> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("# TYPE ")) out.insert(line.substr(7));
  return out;
}

void touch(Metrics& metrics) {
  metrics.set_log_size(LogStage::committed, 1);
  metrics.set_oldest_unanchored(1);
  metrics.set_last_anchor(1);
}
std::string server_text() {
  ServerMetrics metrics;
  touch(metrics);
  metrics.set_ledger_amounts({.number = {1}, .symbol = "BTT", .chain_units = 1}, {});
  metrics.witness_requests("witness.example", "cosigned").Increment();
  metrics.set_witness_size("witness.example", 7);
  return metrics.render();
}
std::string anchor_text() {
  AnchorMetrics metrics;
  touch(metrics);
  metrics.anchor_transactions("solidified").Increment();
  metrics.chain_requests("node:50051", "GetNowBlock", "ok").Increment();
  metrics.deposits("BTT", "credited").Increment();
  metrics.withdrawals("paid").Set(1);
  metrics.custody_difference("BTT").Set(0);
  metrics.set_custody_compared(1);
  metrics.chain_endpoint("node:50051", "good").Set(1);
  metrics.chain_forged("node:50051", "hash").Increment();
  metrics.payment_transactions("landed").Increment();
  metrics.sweep_transactions("landed").Increment();
  metrics.custody_amount("BTT", "hot").Set(1);
  metrics.custody_above_ceiling("BTT").Set(0);
  metrics.paused("anchors").Set(0);
  return metrics.render();
}

const std::set<std::string> common = {"windlass_build_info gauge", "windlass_log_size gauge",
                                      "windlass_oldest_unanchored_seconds gauge",
                                      "windlass_last_anchor_timestamp_seconds gauge"};

TEST(MetricsText, NamesWhatTheServerPromises) {
  std::set<std::string> names = {"windlass_commands_total counter",
                                 "windlass_rejections_total counter",
                                 "windlass_signatures_total counter",
                                 "windlass_commit_seconds histogram",
                                 "windlass_batch_entries histogram",
                                 "windlass_queue_depth gauge",
                                 "windlass_verify_seconds histogram",
                                 "windlass_entries_committed_total counter",
                                 "windlass_unflushed_entries gauge",
                                 "windlass_ledger_amount gauge",
                                 "windlass_writer_epoch gauge",
                                 "windlass_is_writer gauge",
                                 "windlass_cache_bytes gauge",
                                 "windlass_witness_size gauge",
                                 "windlass_witness_requests_total counter"};
  names.insert(common.begin(), common.end());
  EXPECT_EQ(types(server_text()), names);
}

TEST(MetricsText, NamesWhatTheAnchorPromises) {
  std::set<std::string> names = {"windlass_anchor_transactions_total counter",
                                 "windlass_anchor_balance_sun gauge",
                                 "windlass_anchor_cost_sun gauge",
                                 "windlass_anchor_runway_seconds gauge",
                                 "windlass_anchor_stopped gauge",
                                 "windlass_chain_requests_total counter",
                                 "windlass_deposits_total counter",
                                 "windlass_withdrawals gauge",
                                 "windlass_custody_difference gauge",
                                 "windlass_custody_compared_timestamp_seconds gauge",
                                 "windlass_chain_endpoint gauge",
                                 "windlass_chain_forged_total counter",
                                 "windlass_chain_disagreements_total counter",
                                 "windlass_deposits_waiting gauge",
                                 "windlass_payment_transactions_total counter",
                                 "windlass_sweep_transactions_total counter",
                                 "windlass_custody_amount gauge",
                                 "windlass_custody_above_ceiling gauge",
                                 "windlass_paused gauge"};
  names.insert(common.begin(), common.end());
  EXPECT_EQ(types(anchor_text()), names);
}

TEST(MetricsText, PromtoolIsContent) {
  if (std::system("command -v promtool >/dev/null") != 0) GTEST_SKIP() << "promtool is not installed";
  test::ScratchFolder folder;
  for (const std::string& text :
       {server_text(), anchor_text(), ServerMetrics().render(), AnchorMetrics().render()}) {
    auto file = folder.write("metrics", text);
    EXPECT_EQ(std::system(("promtool check metrics < " + file.string()).c_str()), 0);
  }
}

TEST(MetricsText, CountsUnderTheRightLabels) {
  ServerMetrics metrics;
  metrics.commands(core::Kind::open_channel, CommandOutcome::duplicate).Increment();
  metrics.rejections(core::Error::insufficient_funds).Increment(2);
  metrics.signatures(SignatureCheck::high_s).Increment();
  metrics.batch_entries.Observe(100);
  std::string text = metrics.render();
  EXPECT_THAT(text, HasSubstr("windlass_commands_total{kind=\"open_channel\",outcome=\"duplicate\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("windlass_commands_total{kind=\"receipt\",outcome=\"accepted\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("windlass_rejections_total{reason=\"INSUFFICIENT_FUNDS\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("windlass_signatures_total{result=\"high_s\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("windlass_batch_entries_bucket{le=\"64\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("windlass_batch_entries_bucket{le=\"128\"} 1\n"));
}

TEST(MetricsText, ShowsOnlyStagesThatWereSet) {
  ServerMetrics metrics;
  metrics.set_log_size(LogStage::signed_, 5);
  EXPECT_THAT(metrics.render(), HasSubstr("windlass_log_size{stage=\"signed\"} 5\n"));
  EXPECT_THAT(metrics.render(), Not(HasSubstr("stage=\"anchored\"")));
  EXPECT_THAT(metrics.render(), Not(HasSubstr("windlass_last_anchor_timestamp_seconds")));
}

TEST(MetricsText, ShowsAllPartsOfALedgerAmountInOneUnit) {
  ServerMetrics metrics;
  metrics.set_ledger_amounts({.number = {1}, .symbol = "BTT20", .chain_units = 1'000},
                             {.available = 7, .locked = 2, .dust = 500, .credited = 10'500, .paid = 1'000});
  std::string text = metrics.render();
  EXPECT_THAT(text, HasSubstr("windlass_ledger_amount{asset=\"BTT20\",part=\"credited\"} 10.5\n"));
  EXPECT_THAT(text, HasSubstr("windlass_ledger_amount{asset=\"BTT20\",part=\"dust\"} 0.5\n"));
  EXPECT_THAT(text, HasSubstr("windlass_ledger_amount{asset=\"BTT20\",part=\"available\"} 7\n"));
}

}  // namespace
}  // namespace windlass::ops
