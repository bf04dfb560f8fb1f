// What deploy/ hands to operators is held against the programs: configurations parse, alerts name metrics
// that exist.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>

#include "ops/metrics.h"

namespace windlass {
namespace {

namespace fs = std::filesystem;

fs::path source() {
  const char* given = std::getenv("WINDLASS_SOURCE_DIR");
  return given != nullptr ? given : ".";
}
std::string program(const std::string& name) {
  const char* given = std::getenv("WINDLASS_BIN_DIR");
  return (fs::path(given != nullptr ? given : "build/bin") / name).string();
}
std::string read(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}
bool runs(const std::string& command) {
  return std::system(command.c_str()) == 0;
}
bool has_promtool() {
  return runs("command -v promtool >/dev/null");
}

TEST(Deploy, ExampleConfigurationsAreGood) {
  for (std::string name : {"windlassd", "windlass-anchor"})
    EXPECT_TRUE(runs(program(name) + " --config " + (source() / "deploy" / (name + ".toml")).string() +
                     " --check-config"))
        << name;
}

TEST(Deploy, ExampleConfigurationsPassWithWhatTheContainersAdd) {
  std::string compose = read(source() / "deploy/compose.yaml");
  for (std::string name : {"windlassd", "windlass-anchor"}) {
    std::string flags;
    auto from = compose.find("\n  " + name + ":\n"), to = compose.find("\n\n", from);
    std::string service = compose.substr(from, to - from);
    std::regex flag("\n      - (--[a-z]+\\.[^\n]*)");
    for (std::sregex_iterator i(service.begin(), service.end(), flag), end; i != end; ++i)
      flags += " '" + (*i)[1].str() + "'";
    EXPECT_THAT(flags, testing::HasSubstr("--metrics.listen"));
    EXPECT_TRUE(runs(program(name) + " --config " + (source() / "deploy" / (name + ".toml")).string() +
                     flags + " --check-config"))
        << flags;
  }
}

TEST(Deploy, PromtoolAcceptsConfigurationAndRules) {
  if (!has_promtool()) GTEST_SKIP() << "promtool is not installed";
  std::string in = "cd " + (source() / "deploy/prometheus").string() + " && promtool ";
  EXPECT_TRUE(runs(in + "check config prometheus.yml"));
  EXPECT_TRUE(runs(in + "check rules windlass.rules.yml"));
}

TEST(Deploy, AlertsFireWhenTheyShouldAndNotOtherwise) {
  if (!has_promtool()) GTEST_SKIP() << "promtool is not installed";
  EXPECT_TRUE(runs("cd " + (source() / "deploy/prometheus").string() +
                   " && promtool test rules windlass.rules.test.yml"));
}

// Names as the daemons show them; a histogram has three.
std::set<std::string> known_metrics() {
  std::set<std::string> names;
  std::regex type("# TYPE (\\S+) (\\S+)");
  for (const std::string& text : {ops::ServerMetrics().render(), ops::AnchorMetrics().render()})
    for (std::sregex_iterator i(text.begin(), text.end(), type), end; i != end; ++i)
      for (const char* suffix : {"", "_bucket", "_sum", "_count"})
        if (*suffix == '\0' || (*i)[2] == "histogram") names.insert((*i)[1].str() + suffix);
  // Families without a series yet are not shown.
  for (const char* lazy :
       {"log_size", "oldest_unanchored_seconds", "last_anchor_timestamp_seconds", "ledger_amount",
        "anchor_transactions_total", "chain_requests_total", "deposits_total", "withdrawals",
        "custody_difference", "custody_compared_timestamp_seconds", "custody_amount", "custody_above_ceiling",
        "chain_forged_total"})
    names.insert(std::string("windlass_") + lazy);
  return names;
}

TEST(Deploy, AlertsAndDashboardsNameOnlyMetricsThatExist) {
  auto known = known_metrics();
  std::regex name("windlass_[a-z_]+");
  int found = 0;
  for (const auto& file : fs::recursive_directory_iterator(source() / "deploy")) {
    auto extension = file.path().extension();
    if (file.path().string().find("rules") == std::string::npos && extension != ".json") continue;
    std::string text = read(file.path());
    for (std::sregex_iterator i(text.begin(), text.end(), name), end; i != end; ++i, ++found)
      EXPECT_TRUE(known.contains(i->str())) << i->str() << " in " << file.path();
  }
  EXPECT_GT(found, 10);
}

}  // namespace
}  // namespace windlass
