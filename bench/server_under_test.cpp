#include "bench/server_under_test.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <sstream>
#include <thread>

#include "ledger/journal/postgres.h"
#include "ops/key_file.h"

namespace windlass::bench {
namespace {

namespace fs = std::filesystem;

constexpr auto patience = std::chrono::seconds(60);
constexpr journal::Statement unflushed{
    "unflushed", "SELECT (SELECT max(sequence) FROM entries) - flushed_through FROM ledger"};

[[noreturn]] void give_up(const std::string& what) {
  std::cerr << what << '\n';
  std::exit(1);
}
template <typename T, typename E>
T must(tl::expected<T, E> result) {
  if (result) return *std::move(result);
  if constexpr (std::is_same_v<E, std::string>)
    give_up(result.error());
  else
    give_up(result.error().message);
}

fs::path programs() {
  const char* folder = std::getenv("WINDLASS_BIN_DIR");
  return folder ? fs::path(folder) : fs::read_symlink("/proc/self/exe").parent_path().parent_path() / "bin";
}

struct ProcessTimes {
  pid_t parent = 0;
  double own = 0, of_ended_children = 0;
};
std::optional<ProcessTimes> times_of(pid_t pid) {
  std::ifstream in(fmt::format("/proc/{}/stat", pid));
  std::string line;
  if (!std::getline(in, line)) return std::nullopt;
  std::istringstream fields(line.substr(line.rfind(')') + 2));  // the name may hold anything
  std::string skipped;
  ProcessTimes times;
  double user = 0, system = 0, children_user = 0, children_system = 0;
  fields >> skipped >> times.parent;
  for (int i = 5; i <= 13; ++i) fields >> skipped;
  fields >> user >> system >> children_user >> children_system;
  static const double ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  times.own = (user + system) / ticks;
  times.of_ended_children = (children_user + children_system) / ticks;
  return times;
}

}  // namespace

ServerUnderTest::ServerUnderTest(const Growth* growth) {
  std::string pattern = (fs::temp_directory_path() / "windlass-bench-XXXXXX").string();
  directory_ = ::mkdtemp(pattern.data());
  place_ = dev::place_of(directory_);
  postgres_.emplace(must(dev::start_postgres(place_, directory_)));
  auto url = [&](std::string_view role) { return dev::database_url(place_, role); };
  auto windlassd = (programs() / "windlassd").string();
  must(dev::run_program({"migrate",
                         {windlassd, "--migrate", "--database.owner_url=" + url(dev::owner_role)},
                         directory_ / "migrate.log",
                         {}},
                        patience)
           .map([] { return true; }));

  SecretKey operating = SecretKey::generate();
  log::NoteSigner signer("bench.example/log", Ed25519SecretKey::generate());
  must(ops::write_note_key_file(directory_ / "log.key", signer).map([] { return true; }));
  if (growth) {
    core::Genesis genesis{operating.public_key(),
                          {{gateway_.public_key(), core::role_gateway}},
                          {{core::AssetId{1}, "BTT", 1, "1002000", 6, 1, 1'000, 1'000}}};
    grow(url("windlass_server"),
         {random_array<32>(), signer.verifier().name, genesis, signer.verifier().text(), "", "", ""},
         gateway_, *growth);
  }
  const std::string address = "127.0.0.1:17480";
  windlassd_.emplace(must(
      dev::Process::start({"windlassd",
                           {windlassd, "--database.url=" + url("windlass_server"), "--grpc.listen=" + address,
                            "--http.listen=127.0.0.1:0", "--metrics.listen=127.0.0.1:0",
                            "--log.directory=" + (directory_ / "log").string(),
                            "--log.key_file=" + (directory_ / "log.key").string(), "--log.level=warning",
                            "--genesis.operator_key=" + to_hex(operating.public_key()),
                            "--genesis.gateway_key=" + to_hex(gateway_.public_key())},
                           directory_ / "windlassd.log",
                           {}})));
  connection_.emplace(client::ConnectionOptions{address, std::chrono::seconds(60), {}});
  // It hashes every entry for its tiles first.
  auto deadline = std::chrono::steady_clock::now() + patience +
                  std::chrono::seconds(growth ? growth->entries / 10'000 : 0);
  while (!connection_->facts()) {
    if (std::chrono::steady_clock::now() > deadline) give_up(dev::log_tail(directory_ / "windlassd.log", 20));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

ServerUnderTest::~ServerUnderTest() {
  windlassd_->stop(patience);
  postgres_->stop(patience);
  dev::remove_cluster(place_);
  fs::remove_all(directory_);
}

void ServerUnderTest::credit(const PublicKey& owner, core::Amount amount) {
  auto now = client::CommandSigner::system_now_ns();
  core::Command command{
      gateway_.public_key(), static_cast<std::uint64_t>(now), now / 1000 + core::hour_us,
      core::Credit{core::AssetId{1}, static_cast<core::ChainAmount>(amount), owner, 1, {++credits_, 0, 0}}};
  client::pb::SubmitRequest request;
  *request.mutable_command() = client::to_message(codec::sign(
      codec::encode_credit(command, std::string(32, 't'), std::string(21, 's')), tag(), {&gateway_}));
  must(connection_->call(&client::pb::Admin::Stub::Execute, request));
}

double ServerUnderTest::windlassd_cpu_seconds() const {
  return times_of(windlassd_->pid())->own;
}

double ServerUnderTest::cpu_seconds() const {
  double total = windlassd_cpu_seconds();
  auto postmaster = times_of(postgres_->pid());
  total += postmaster->own + postmaster->of_ended_children;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    pid_t pid = std::atoi(entry.path().filename().c_str());
    if (pid <= 0) continue;
    if (auto times = times_of(pid); times && times->parent == postgres_->pid()) total += times->own;
  }
  return total;
}

void ServerUnderTest::wait_until_flushed() {
  journal::Connection database(dev::database_url(place_, dev::owner_role), 60'000);
  while (database.run(unflushed).bigint(0, 0) > 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

double verification_seconds() {
  SecretKey secret = SecretKey::generate();
  auto key = secret.public_key();
  std::vector<double> runs;
  constexpr int per_run = 500;
  for (int run = 0; run < 7; ++run) {
    Hash digest = random_array<32>();
    auto signature = secret.sign(digest);
    timespec from{}, to{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    for (int i = 0; i < per_run; ++i)
      if (verify_signature(view(key), view(signature), digest) != SignatureCheck::valid) std::abort();
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    runs.push_back((static_cast<double>(to.tv_sec - from.tv_sec) +
                    static_cast<double>(to.tv_nsec - from.tv_nsec) * 1e-9) /
                   per_run);
  }
  std::nth_element(runs.begin(), runs.begin() + 3, runs.end());
  return runs[3];
}

}  // namespace windlass::bench
