#include "client/dev/dev.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <iostream>
#include <thread>

#include "anchoring/clock.h"
#include "anchoring/contract/deployment.h"
#include "client/connection.h"
#include "client/dev/deposit.h"
#include "client/dev/faucet.h"
#include "ops/key_file.h"
#include "ops/stop_signal.h"

namespace windlass::dev {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// A server replays what was not flushed before it serves; a development ledger does so in seconds.
constexpr auto start_patience = 120s;
constexpr auto stop_patience = 60s;  // of each: what was accepted is committed first
constexpr auto fault_patience = 5s;  // where one of them has died: the others may wait for it in vain
constexpr auto poll_interval = 100ms;
constexpr auto lock_patience = 30s;  // for the last parts of a system that was killed to end

constexpr int exit_done = 0, exit_failed = 1, exit_usage = 2;

// An advisory lock on a file. `inherited`: our children hold it too, so it is free again only when all have
// gone.
class Lock {
 public:
  static std::optional<Lock> take(const fs::path& file, std::chrono::milliseconds patience, bool inherited) {
    int fd = open(file.c_str(), O_RDWR | O_CREAT | (inherited ? 0 : O_CLOEXEC), 0644);
    auto until = std::chrono::steady_clock::now() + patience;
    while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
      if (std::chrono::steady_clock::now() >= until) {
        close(fd);
        return std::nullopt;
      }
      std::this_thread::sleep_for(poll_interval);
    }
    if (fd < 0) return std::nullopt;
    return Lock(fd);
  }
  Lock(Lock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Lock& operator=(Lock&&) = delete;
  ~Lock() {
    if (fd_ >= 0) close(fd_);
  }

 private:
  explicit Lock(int fd) : fd_(fd) {}
  int fd_;
};

// Of the process that runs the system in `dir`: it holds the lock on its pid file as long as it lives.
// `patience`: for one that was just killed to be gone.
std::optional<pid_t> running_pid(const fs::path& dir, std::chrono::milliseconds patience = 0ms) {
  pid_t pid = 0;
  std::ifstream(dir / pid_file) >> pid;
  if (pid <= 0 || Lock::take(dir / pid_file, patience, false)) return std::nullopt;
  return pid;
}

// Our own programs lie beside us.
fs::path program(std::string_view name) {
  return fs::read_symlink("/proc/self/exe").parent_path() / name;
}

int complain(const std::string& what, int code = exit_failed) {
  std::cerr << "windlass dev: " << what << "\n";
  return code;
}

constexpr std::int64_t gateway_sun = 1'000'000'000'000;  // 10^6 TRX

class System {
 public:
  System(Settings settings, ops::StopSignal& stop) : settings_(std::move(settings)), stop_(stop) {}
  ~System() { stop_all(); }

  // Nothing when it was told to stop meanwhile.
  tl::expected<void, std::string> start() {
    auto postgres = start_postgres(settings_.cluster(), settings_.logs());
    if (!postgres) return tl::unexpected(postgres.error());
    parts_.push_back(*std::move(postgres));
    for (auto step :
         {&System::start_devchain, &System::fund_gateway, &System::deploy_contract, &System::migrate,
          &System::start_server, &System::start_anchor, &System::await_gateway_funds})
      if (auto done = (this->*step)(); !done) return done;
    return {};
  }

  // Until a signal comes, or a part dies: then which, and how.
  std::optional<std::string> supervise() {
    while (!stop_.wait(poll_interval))
      if (auto dead = first_dead()) return dead;
    return std::nullopt;
  }

  const Settings& settings() const { return settings_; }

  void stop_all(std::chrono::milliseconds patience = fault_patience) {
    while (!parts_.empty()) {
      parts_.back().stop(patience);
      parts_.pop_back();
    }
  }

 private:
  tl::expected<void, std::string> start_devchain() {
    ProcessSpec spec{
        "windlass-devchain",
        {program("windlass-devchain").string(), "--listen", settings_.tron_address(), "--dir",
         (settings_.dir / "devchain").string(), "--block-interval-ms",
         std::to_string(settings_.block_interval_ms), "--solid-after", std::to_string(settings_.solid_after),
         "--genesis", (settings_.dir / genesis_file).string()},
        settings_.logs() / "devchain.log"};
    return launch(spec, [&] { return accepts(settings_.ports.tron); });
  }
  // Of a new system: the gateway bears the fees of payments out of its own account on the ledger. What is
  // sent now is solid once the contract is.
  tl::expected<void, std::string> fund_gateway() {
    if (settings_.anchor_contract != Settings::to_be_deployed) return {};
    auto faucet = faucet_key(settings_);
    auto gateway = ops::read_key_file(settings_.key_file("gateway"));
    auto custody = tron::address_from_base58(settings_.custody);
    if (!faucet) return tl::unexpected(faucet.error().message);
    if (!gateway) return tl::unexpected(gateway.error());
    if (!custody) return tl::unexpected("no custody address in " + settings_.conf().string());
    tron::Node chain = connect_node(settings_);
    gateway_ = gateway->public_key();
    auto sent = Wallet(chain, *faucet).send(*custody, "", gateway_sun, to_hex(*gateway_));
    if (!sent) return tl::unexpected("the gateway's TRX: " + sent.error().message);
    return {};
  }
  tl::expected<void, std::string> await_gateway_funds() {
    if (!gateway_) return {};
    client::Connection ledger({settings_.grpc_address(), 5s, ""});
    client::pb::GetAccountRequest request;
    request.set_key(std::string(view(*gateway_)));
    auto until = std::chrono::steady_clock::now() + credit_patience(settings_);
    while (std::chrono::steady_clock::now() < until) {
      auto account = ledger.call(&client::pb::Query::Stub::GetAccount, request);
      if (account && !account->balances().empty()) return {};
      if (auto dead = first_dead()) return tl::unexpected(*dead);
      if (stop_.wait(poll_interval / 4)) return tl::unexpected(std::string("it was told to stop"));
    }
    return tl::unexpected(std::string("the gateway's TRX is not credited; see windlass-anchor's log"));
  }
  // Of a new system: before its ledger's genesis is made, which names the contract for good.
  tl::expected<void, std::string> deploy_contract() {
    if (settings_.anchor_contract != Settings::to_be_deployed) return {};
    auto key = ops::read_key_file(settings_.key_file("anchor"));
    if (!key) return tl::unexpected(key.error());
    tron::Node chain = connect_node(settings_);
    auto prepared = tron::prepare_anchor_contract(chain, *key, SystemClock().now_ms());
    if (!prepared) return tl::unexpected("the anchor contract: " + prepared.error());
    auto until = std::chrono::steady_clock::now() + credit_patience(settings_);
    auto wait = [&] {
      return !stop_.wait(poll_interval) && std::chrono::steady_clock::now() < until && !first_dead();
    };
    auto done = tron::send_until_solid(chain, prepared->transaction, wait);
    if (!done) return tl::unexpected("the anchor contract: " + done.error());
    settings_.anchor_contract = tron::to_base58(*done->contract);
    return save(settings_);
  }
  tl::expected<void, std::string> migrate() {
    ProcessSpec spec{"windlassd --migrate",
                     {program("windlassd").string(), "--config", (settings_.dir / server_conf).string(),
                      "--migrate", "--database.owner_url=" + database_url(settings_.cluster(), owner_role)},
                     settings_.logs() / "windlassd.log"};
    return run_program(spec, start_patience);
  }
  tl::expected<void, std::string> start_server() {
    ProcessSpec spec{"windlassd",
                     {program("windlassd").string(), "--config", (settings_.dir / server_conf).string()},
                     settings_.logs() / "windlassd.log"};
    return launch(spec, [&] {
      // A connection each time: one that failed waits a while before it tries again.
      if (!accepts(settings_.ports.grpc)) return false;
      client::Connection connection({settings_.grpc_address(), 1s, ""});
      // Only the writer answers this: a server that is about to refuse what it found in the database does
      // not.
      return connection.call(&client::pb::Query::Stub::GetTotals, client::pb::GetTotalsRequest{}).has_value();
    });
  }
  tl::expected<void, std::string> start_anchor() {
    ProcessSpec spec{
        "windlass-anchor",
        {program("windlass-anchor").string(), "--config", (settings_.dir / anchor_conf).string()},
        settings_.logs() / "windlass-anchor.log"};
    return launch(spec, [&] { return accepts(settings_.ports.anchor_metrics); });
  }

  tl::expected<void, std::string> launch(const ProcessSpec& spec, const std::function<bool()>& answers) {
    auto process = Process::start(spec);
    if (!process) return tl::unexpected(process.error());
    parts_.push_back(*std::move(process));
    auto until = std::chrono::steady_clock::now() + start_patience;
    while (!answers()) {
      if (auto dead = first_dead()) return tl::unexpected(*dead);
      if (std::chrono::steady_clock::now() >= until)
        return tl::unexpected(fmt::format("{} does not answer; the end of {}:\n{}", spec.name,
                                          spec.log.string(), log_tail(spec.log, 12)));
      if (stop_.wait(poll_interval / 4)) return tl::unexpected(std::string("it was told to stop"));
    }
    return {};
  }

  static bool accepts(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    bool connected = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    close(fd);
    return connected;
  }

  std::optional<std::string> first_dead() {
    for (auto& part : parts_)
      if (!part.running())
        return fmt::format("{} {} unexpectedly; the end of {}:\n{}", part.name(), part.ending(),
                           part.log().string(), log_tail(part.log(), 20));
    return std::nullopt;
  }

  Settings settings_;
  std::optional<PublicKey> gateway_;  // of a new system, whose first deposit is under way
  ops::StopSignal& stop_;
  std::vector<Process> parts_;  // in the order of their start
};

std::string summary(const Settings& settings) {
  return fmt::format(
      "Windlass runs.\n"
      "  ledger    {}  (gRPC)\n"
      "  explorer  {}/\n"
      "  TRON      {}  (devchain: a block every {} ms, solid after {})\n"
      "  anchored  {}\n"
      "  database  {}\n"
      "  logs      {}\n"
      "For other shells: eval \"$(windlass dev env --dir {})\"\n",
      settings.grpc_address(), settings.http_url(), settings.tron_address(), settings.block_interval_ms,
      settings.solid_after,
      settings.anchors_by_contract() ? "through contract " + settings.anchor_contract : "by memo",
      database_url(settings.cluster(), owner_role), settings.logs().string(), settings.dir.string());
}

// `ready` hears the summary once everything answers.
int run_system(const Options& options, const std::function<void(const std::string&)>& ready) {
  ops::StopSignal stop;
  auto already = [&] {
    return complain(
        fmt::format("a system runs in {} already; `windlass dev stop` stops it", options.dir.string()));
  };
  std::error_code ignored;
  fs::create_directories(options.dir, ignored);
  if (running_pid(options.dir, 1s)) return already();
  // One system in a folder at a time; the parts of one that was killed may still be on their way out.
  auto lock = Lock::take(options.dir / lock_file, lock_patience, true);
  if (!lock) return already();
  if (options.reset)
    if (auto removed = remove_system(options.dir); !removed) return complain(removed.error(), exit_usage);
  auto settings = prepare(options);
  if (!settings) return complain(settings.error(), exit_usage);
  auto pid_lock = Lock::take(settings->dir / pid_file, 0ms, false);
  if (!pid_lock) return already();
  std::ofstream(settings->dir / pid_file) << getpid() << "\n";

  System system(*settings, stop);
  if (auto started = system.start(); !started) {
    if (stop.wait(0ms)) return exit_done;
    return complain(started.error());
  }
  ready(summary(system.settings()));
  auto fault = system.supervise();
  system.stop_all(fault ? fault_patience : stop_patience);
  fs::remove(settings->dir / pid_file, ignored);
  return fault ? complain(*fault) : exit_done;
}

// The system lives on in a child; we wait until it is ready, and say what it says.
int run_detached(const Options& options) {
  int told[2];
  if (pipe2(told, O_CLOEXEC) != 0) return complain("cannot make a pipe");
  pid_t pid = fork();
  if (pid < 0) return complain("cannot fork");
  if (pid > 0) {
    close(told[1]);
    std::string heard;
    char buffer[4096];
    for (ssize_t count; (count = read(told[0], buffer, sizeof buffer)) > 0;)
      heard.append(buffer, static_cast<std::size_t>(count));
    bool is_ready = heard.starts_with("Windlass runs.");
    (is_ready ? std::cout : std::cerr) << heard << std::flush;
    int status = 0;
    if (is_ready) return exit_done;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : exit_failed;
  }
  close(told[0]);
  setsid();
  int nothing = open("/dev/null", O_RDWR);
  dup2(nothing, 0);
  dup2(nothing, 1);
  dup2(told[1], 2);  // complaints before it is ready go to whoever started us
  close(told[1]);
  _exit(run_system(options, [&](const std::string& text) {
    [[maybe_unused]] auto said = write(2, text.data(), text.size());
    fs::path log = fs::absolute(options.dir) / "logs" / "dev.log";
    dup2(open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644), 2);
  }));
}

}  // namespace

int run(const Options& options) {
  if (options.detach) return run_detached(options);
  return run_system(options, [](const std::string& text) {
    std::cout << text << "Ctrl-C stops it.\n" << std::flush;
  });
}

int stop(const fs::path& dir) {
  auto pid = running_pid(dir);
  if (!pid) {
    std::cout << "nothing runs in " << dir.string() << "\n";
    return exit_done;
  }
  kill(*pid, SIGTERM);
  if (!Lock::take(dir / lock_file, 5 * stop_patience, true))
    return complain(fmt::format("process {} does not stop", *pid));
  std::cout << "stopped\n";
  return exit_done;
}

bool is_running(const fs::path& dir) {
  return running_pid(dir).has_value();
}

}  // namespace windlass::dev
