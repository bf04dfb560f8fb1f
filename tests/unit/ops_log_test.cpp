#include <gtest/gtest.h>

#include "ops/log.h"

namespace windlass::ops {
namespace {

TEST(Log, WritesLogfmt) {
  EXPECT_EQ(format_log_line(LogLevel::info, "server is up",
                            {{"listen", "127.0.0.1:1"}, {"entries", 7u}, {"took_s", 0.25}, {"tls", false}}),
            "level=info msg=\"server is up\" listen=127.0.0.1:1 entries=7 took_s=0.25 tls=false");
}

TEST(Log, QuotesWhatAReaderCouldMistake) {
  EXPECT_EQ(format_log_line(LogLevel::error, "m",
                            {{"a", ""}, {"b", "x=y"}, {"c", "say \"hi\"\\"}, {"d", "\n\x1b[2J"}}),
            "level=error msg=m a=\"\" b=\"x=y\" c=\"say \\\"hi\\\"\\\\\" d=\"\\n\\x1b[2J\"");
}

TEST(Log, LeavesOutWhatIsBelowItsLevel) {
  std::vector<std::string> lines;
  redirect_log([&](LogLevel, const std::string& line) { lines.push_back(line); });
  log_debug("one");
  log_info("two");
  set_log_level(LogLevel::warning);
  log_info("three");
  log_error("four");
  set_log_level(LogLevel::info);
  redirect_log({});
  EXPECT_EQ(lines, (std::vector<std::string>{"level=info msg=two", "level=error msg=four"}));
}

TEST(Log, KnowsItsLevelsByName) {
  EXPECT_EQ(parse_log_level("warning"), LogLevel::warning);
  EXPECT_EQ(log_levels, "debug|info|warning|error");
}

TEST(Log, StampsEachLineOnStderr) {
  testing::internal::CaptureStderr();
  log_info("here");
  std::string line = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(line.starts_with("time=2")) << line;
  EXPECT_TRUE(line.ends_with("Z level=info msg=here\n")) << line;
}

}  // namespace
}  // namespace windlass::ops
