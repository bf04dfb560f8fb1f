// The program itself: its ready line, its stop, and what is left for its next run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "anchoring/tron/node.h"
#include "anchoring/tron/transaction.h"

namespace windlass::devchain {
namespace {

namespace fs = std::filesystem;

class Program {
 public:
  explicit Program(std::vector<std::string> arguments) {
    const char* bin = std::getenv("WINDLASS_BIN_DIR");
    arguments.insert(arguments.begin(), std::string(bin ? bin : "bin") + "/windlass-devchain");
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    EXPECT_EQ(posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ), 0) << argv[0];
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    output_ = fdopen(ends[0], "r");
  }
  ~Program() {
    if (pid_ > 0) stop(SIGKILL);
    if (output_) std::fclose(output_);
  }

  // Waits for it. Empty when the program ended.
  std::string line() {
    char buffer[1024];
    if (!std::fgets(buffer, sizeof buffer, output_)) return {};
    std::string text = buffer;
    if (text.ends_with('\n')) text.pop_back();
    return text;
  }
  // The endpoint that the ready line names.
  std::string endpoint() {
    std::string text = line();
    const std::string ready = "devchain listening on ";
    EXPECT_TRUE(text.starts_with(ready)) << text;
    return text.substr(std::min(ready.size(), text.size()));
  }
  int wait() {
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  int stop(int signal = SIGTERM) {
    kill(pid_, signal);
    return wait();
  }

 private:
  pid_t pid_ = -1;
  FILE* output_ = nullptr;
};

class DevChainProgram : public testing::Test {
 protected:
  DevChainProgram() : dir_(fs::path(testing::TempDir()) / to_hex(random_array<8>())) {
    fs::create_directories(dir_);
    std::ofstream(genesis()) << "{\"accounts\": [{\"address\": \"" << tron::to_base58(rich_address())
                             << "\", \"balance_sun\": \"1000000000\"}]}";
  }
  ~DevChainProgram() override { fs::remove_all(dir_); }

  tron::Address rich_address() const { return tron::address_of(rich_.public_key()); }
  std::string genesis() const { return (dir_ / "given.json").string(); }
  std::vector<std::string> arguments(bool with_genesis) const {
    std::vector<std::string> out = {"--dir",       (dir_ / "state").string(), "--listen",
                                    "127.0.0.1:0", "--block-interval-ms",     "20"};
    if (with_genesis) out.insert(out.end(), {"--genesis", genesis()});
    return out;
  }
  static std::unique_ptr<tron::Node> connect(const std::string& endpoint) {
    tron::NodeOptions options;
    options.full = options.solidity = endpoint;
    return std::make_unique<tron::Node>(options);
  }

  fs::path dir_;
  SecretKey rich_ = SecretKey::generate();
};

TEST_F(DevChainProgram, PaymentIsSolidifiedAndSurvivesARestart) {
  Program first(arguments(true));
  auto node = connect(first.endpoint());
  auto to = tron::address_of(SecretKey::generate().public_key());
  tron::TransactionFrame frame;
  frame.reference = *node->solidified_head();
  frame.timestamp_ms = 1;
  frame.expiration_ms = node->head()->timestamp_ms + 600'000;
  auto payment = tron::sign_transfer({rich_address(), to, 5, {}}, frame, rich_);
  auto answer = node->broadcast(payment.bytes);
  ASSERT_TRUE(answer && answer->result) << answer->message;
  std::optional<std::int64_t> number;
  while (!number) number = node->inclusion(payment.txid, true).value();
  auto block = node->solidified_block(*number)->value();
  EXPECT_EQ(first.stop(), 0);

  Program second(arguments(false));
  node = connect(second.endpoint());
  EXPECT_EQ(*node->inclusion(payment.txid, true), number);
  EXPECT_EQ(node->solidified_block(*number)->value().ref.id, block.ref.id);
  EXPECT_EQ(node->account(to)->balance_sun, 5);
  while (node->head()->number <= *number + 10) {
  }
  EXPECT_EQ(second.stop(SIGINT), 0);
}

TEST_F(DevChainProgram, FirstRunNeedsAGenesisAndLaterRunsTheSame) {
  Program without(arguments(false));
  EXPECT_THAT(without.line(), testing::HasSubstr("needs --genesis"));
  EXPECT_EQ(without.wait(), 1);
  Program with(arguments(true));
  with.endpoint();
  EXPECT_EQ(with.stop(), 0);
  std::ofstream(genesis()) << "{}";
  Program other(arguments(true));
  EXPECT_THAT(other.line(), testing::HasSubstr("is not the genesis"));
  EXPECT_EQ(other.wait(), 1);
}

TEST_F(DevChainProgram, WrongArgumentsAreNamed) {
  for (const auto& [given, named] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"--nonsense", "1"}, "--nonsense"},
           {{"--dir", "x", "--solid-after", "-1"}, "--solid-after"},
           {{"--dir", "x", "--block-interval-ms", "0"}, "--block-interval-ms"},
           {{"--dir", "x", "--listen", "nowhere"}, "HOST:PORT"},
           {{}, "--dir"}}) {
    Program program(given);
    EXPECT_THAT(program.line(), testing::HasSubstr(named));
    EXPECT_EQ(program.wait(), 2);
  }
}

}  // namespace
}  // namespace windlass::devchain
