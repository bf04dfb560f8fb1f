// Configuration: where values come from, and that every fault is named, with its place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/config.h"
#include "tests/unit/scratch_folder.h"

namespace windlass::ops {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr Option options[] = {
    text("server.name", "unnamed", "what it is called"),
    secret("database.url", required, "libpq connection string"),
    integer("pool.size", 4, {1, 64, "sessions"}, "database sessions"),
    boolean("pool.warm", false, "open all sessions at the start"),
    address("http.listen", "127.0.0.1:80", "where it listens"),
    address("http.admin", "", "where admins are let in"),
    path("log.file", "", "where lines go"),
    choice("log.level", "info", "debug|info|warning", "what is logged"),
    list("tron.nodes", "a:1,b:2", "nodes"),
};

class ConfigTest : public testing::Test {
 protected:
  tl::expected<Config, std::vector<std::string>> parse(std::vector<std::string> arguments = {}) {
    if (!file_.empty()) arguments.insert(arguments.begin(), {"--config", file_.string()});
    return parse_config(options, arguments, [this](const std::string& name) -> std::optional<std::string> {
      auto found = environment_.find(name);
      if (found == environment_.end()) return std::nullopt;
      return found->second;
    });
  }
  void write(const std::string& text) { file_ = folder_.write("w.toml", text); }
  std::vector<std::string> faults(std::vector<std::string> arguments = {}) {
    auto config = parse(std::move(arguments));
    return config ? std::vector<std::string>() : config.error();
  }

  test::ScratchFolder folder_;
  std::filesystem::path file_;
  std::map<std::string, std::string> environment_ = {{"WINDLASS_DATABASE_URL", "host=db password=hunter2"}};
};

TEST_F(ConfigTest, TakesDefaultsWhereNothingIsSaid) {
  auto config = parse();
  ASSERT_TRUE(config);
  EXPECT_EQ(config->text("server.name"), "unnamed");
  EXPECT_EQ(config->integer("pool.size"), 4);
  EXPECT_FALSE(config->boolean("pool.warm"));
  EXPECT_EQ(config->address("http.listen").port, 80);
  EXPECT_FALSE(config->optional_address("http.admin"));
  EXPECT_FALSE(config->is_set("log.file"));
  EXPECT_THAT(config->list("tron.nodes"), ElementsAre("a:1", "b:2"));
}

TEST_F(ConfigTest, AFlagWinsOverTheEnvironmentAndThatOverTheFile) {
  write("[pool]\nsize = 5\nwarm = true\n[log]\nlevel = 'debug'\n[tron]\nnodes = ['c:3']\n");
  EXPECT_EQ(parse()->integer("pool.size"), 5);
  EXPECT_TRUE(parse()->boolean("pool.warm"));
  EXPECT_THAT(parse()->list("tron.nodes"), ElementsAre("c:3"));
  environment_["WINDLASS_POOL_SIZE"] = "6";
  EXPECT_EQ(parse()->integer("pool.size"), 6);
  EXPECT_EQ(parse({"--pool.size=7"})->integer("pool.size"), 7);
  EXPECT_EQ(parse({"--pool.size=7"})->text("log.level"), "debug");
}

TEST_F(ConfigTest, ABooleanFlagNeedsNoValue) {
  EXPECT_TRUE(parse({"--pool.warm"})->boolean("pool.warm"));
  EXPECT_FALSE(parse({"--pool.warm=false"})->boolean("pool.warm"));
}

TEST_F(ConfigTest, NamesEveryFaultAtOnceWithItsPlace) {
  write(
      "[pool]\nsize = 65\nsice = 1\n[log]\nlevel = 'loud'\n[http]\nlisten = 'here'\nadmin = 7\n[more]\nx = "
      "1\n");
  environment_ = {{"WINDLASS_POOL_WARM", "yes"}};
  auto found = faults({"--pool.size=many", "--nonsense=1", "stray", "--server.name"});
  std::string file = file_.string();
  EXPECT_EQ(found.size(), 12u);
  EXPECT_THAT(found, Contains(HasSubstr("database.url is not set")));
  EXPECT_THAT(found, Contains(AllOf(HasSubstr(file + ":2: pool.size = \"65\""), HasSubstr("1 to 64"))));
  EXPECT_THAT(found, Contains(AllOf(HasSubstr(file + ":3: "), HasSubstr("did you mean pool.size?"))));
  EXPECT_THAT(found, Contains(AllOf(HasSubstr(file + ":5: log.level"), HasSubstr("debug, info, warning"))));
  EXPECT_THAT(found, Contains(AllOf(HasSubstr(file + ":7: http.listen"), HasSubstr("host:port"))));
  EXPECT_THAT(found, Contains(HasSubstr(file + ":8: http.admin")));
  EXPECT_THAT(found, Contains(HasSubstr(file + ":9: there is no option more")));
  EXPECT_THAT(found, Contains(HasSubstr("WINDLASS_POOL_WARM: pool.warm = \"yes\"")));
  EXPECT_THAT(found, Contains(HasSubstr("--pool.size: pool.size = \"many\"")));
  EXPECT_THAT(found, Contains(HasSubstr("there is no option nonsense")));
  EXPECT_THAT(found, Contains(HasSubstr("stray")));
  EXPECT_THAT(found, Contains(HasSubstr("--server.name: has no value")));
}

TEST_F(ConfigTest, SaysThatWhatIsRequiredIsMissingAndHowToGiveIt) {
  environment_.clear();
  EXPECT_THAT(faults(), ElementsAre(AllOf(HasSubstr("database.url is not set"),
                                          HasSubstr("WINDLASS_DATABASE_URL"), HasSubstr("--database.url="))));
}

TEST_F(ConfigTest, PlacesASyntaxError) {
  write("[pool]\nsize = = 5\n");
  EXPECT_THAT(faults(), ElementsAre(HasSubstr(file_.string() + ":2: ")));
}

TEST_F(ConfigTest, RefusesAFileThatIsNotThere) {
  file_ = folder_ / "absent.toml";
  EXPECT_THAT(faults(), ElementsAre(AllOf(HasSubstr("absent.toml"), HasSubstr("cannot be read"))));
}

TEST_F(ConfigTest, RefusesValuesOfAnotherType) {
  for (std::string line :
       {"[pool]\nsize = '5'", "[pool]\nsize = 5.0", "[pool]\nwarm = 'true'", "[server]\nname = 1",
        "[tron]\nnodes = 'a:1'", "[tron]\nnodes = ['a,b']", "pool = 5", "[server.name]\nx = 1"}) {
    write(line + "\n");
    EXPECT_EQ(faults().size(), 1u) << line;
  }
}

TEST_F(ConfigTest, NeverRepeatsASecret) {
  auto config = parse();
  ASSERT_TRUE(config);
  EXPECT_THAT(config->print(), AllOf(HasSubstr("url = \"********\""), Not(HasSubstr("hunter2"))));
  write("[database]\nurl = ['hunter2']\n");
  environment_.clear();
  EXPECT_THAT(faults(), ElementsAre(Not(HasSubstr("hunter2"))));
}

TEST_F(ConfigTest, PrintsAFileThatGivesTheSameConfiguration) {
  auto config = parse({"--server.name=a \"b\"\\\n", "--http.admin=[::1]:9", "--tron.nodes=x:1, y:2"});
  ASSERT_TRUE(config);
  write(config->print());
  auto again = parse();
  ASSERT_TRUE(again) << again.error()[0];
  EXPECT_EQ(again->text("server.name"), "a \"b\"\\\n");
  EXPECT_EQ(again->address("http.admin").host, "::1");
  EXPECT_THAT(again->list("tron.nodes"), ElementsAre("x:1", "y:2"));
}

TEST_F(ConfigTest, HelpAndReferenceNameEveryOption) {
  std::string help = help_text({"windlass-test", "a test", options});
  std::string page = reference_page({"windlass-test", "a test", options});
  for (const Option& option : options) {
    EXPECT_THAT(help, HasSubstr("--" + std::string(option.key) + "="));
    EXPECT_THAT(page, HasSubstr("`" + std::string(option.key) + "`"));
  }
  EXPECT_THAT(page, HasSubstr("integer (sessions), 1 to 64"));
}

struct Configured {
  int code = -1;
  std::string out, err;
};
Configured run(std::vector<const char*> arguments, Program program = {"windlass-test", "a test", options}) {
  arguments.insert(arguments.begin(), "windlass-test");
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  auto config = configure(program, static_cast<int>(arguments.size()), arguments.data());
  return {config ? -1 : config.error(), testing::internal::GetCapturedStdout(),
          testing::internal::GetCapturedStderr()};
}

TEST(Configure, AnswersWhatEndsTheProgram) {
  const char* url = "--database.url=secret";
  EXPECT_EQ(run({url}).code, -1);
  EXPECT_EQ(run({"--help"}).code, 0);
  EXPECT_EQ(run({"--version"}).out, "windlass-test " + std::string(version()) + "\n");
  EXPECT_EQ(run({"--check-config", url}).code, 0);
  EXPECT_THAT(run({"--print-config", url}).out, HasSubstr("size = 4  # default"));
  Configured wrong = run({"--check-config", "--pool.size=0"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.err, AllOf(HasSubstr("pool.size"), HasSubstr("database.url")));
}

TEST(Configure, AsksTheProgramForFaultsOfSeveralOptionsTogether) {
  Program program{"windlass-test", "a test", options, [](const Config& config) {
                    return std::vector<std::string>(config.boolean("pool.warm") ? 1 : 0, "too warm");
                  }};
  EXPECT_EQ(run({"--database.url=x"}, program).code, -1);
  Configured wrong = run({"--check-config", "--database.url=x", "--pool.warm"}, program);
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("too warm"));
}

TEST(AddressText, TakesHostAndPortOnly) {
  EXPECT_EQ(Address::parse("[::1]:80")->host, "::1");
  EXPECT_EQ(Address::parse("[::1]:80")->text(), "[::1]:80");
  EXPECT_EQ(Address::parse("db.example:65535")->port, 65'535);
  for (const char* wrong :
       {"", "host", ":80", "host:", "host:65536", "host:-1", "host:8o", "::1:80", "[]:80", "a b:1"})
    EXPECT_FALSE(Address::parse(wrong)) << wrong;
  EXPECT_TRUE(Address::parse("127.8.8.8:1")->is_loopback());
  EXPECT_TRUE(Address::parse("[::1]:1")->is_loopback());
  EXPECT_FALSE(Address::parse("0.0.0.0:1")->is_loopback());
}

}  // namespace
}  // namespace windlass::ops
