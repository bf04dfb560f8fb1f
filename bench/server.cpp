#include "bench/server.h"

#include <fmt/format.h>

#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <thread>

#include "bench/measure.h"
#include "client/commands.h"
#include "ledger/journal/postgres.h"
#include "ops/key_file.h"

namespace windlass::bench {
namespace {

namespace fs = std::filesystem;

constexpr auto patience = std::chrono::seconds(60);
constexpr int first_port = 17480;  // below those that the system gives to outgoing connections
constexpr std::string_view origin = "bench.example/log";
constexpr journal::Statement unflushed_entries{
    "unflushed", "SELECT (SELECT max(sequence) FROM entries) - flushed_through FROM ledger"};
constexpr journal::Statement end_of_entries{"end_of_entries", "SELECT max(sequence) + 1 FROM entries"};
constexpr journal::Statement database_size{"database_size", "SELECT pg_database_size(current_database())"};

double peak_bytes = 0;

// Removed when the run ends, the logs' many files at least: ext4 keeps its distance from inodes that were
// freed in the last minutes, so that who creates files soon after many were removed searches long (half of
// the log's work, once). Clusters, few files and most of the bytes, go with their servers.
struct Leftovers {
  std::vector<dev::ClusterPlace> clusters;
  std::vector<fs::path> directories;
  ~Leftovers() {
    for (const auto& place : clusters) dev::remove_cluster(place);
    for (const auto& directory : directories) fs::remove_all(directory);
  }
} leftovers;

int next_port() {
  static int next = first_port;
  while (!dev::is_free_port(next)) ++next;
  return next++;
}

fs::path programs() {
  const char* folder = std::getenv("WINDLASS_BIN_DIR");
  return folder ? fs::path(folder) : fs::read_symlink("/proc/self/exe").parent_path().parent_path() / "bin";
}

}  // namespace

Server::Server(const ServerOptions& options)
    : options_(options), port_(next_port()), metrics_port_(next_port()) {
  std::string pattern = (fs::temp_directory_path() / "windlass-bench-XXXXXX").string();
  if (!::mkdtemp(pattern.data()))
    give_up(fmt::format("cannot make {}: {}; TMPDIR says where", pattern, std::strerror(errno)));
  directory_ = pattern;
  // The cluster lies in it, and runs as another user where this one is root.
  fs::permissions(directory_, fs::perms::others_exec, fs::perm_options::add);
  place_ = dev::place_of(directory_);
  leftovers.directories.push_back(directory_);
  leftovers.clusters.push_back(place_);
  postgres_.emplace(must(dev::start_postgres(place_, directory_)));
  auto windlassd = (programs() / "windlassd").string();
  must(dev::run_program({"migrate",
                         {windlassd, "--migrate", "--database.owner_url=" + database_url()},
                         directory_ / "migrate.log",
                         {}},
                        patience));
  log::NoteSigner signer(std::string(origin), Ed25519SecretKey::generate());
  must(ops::write_note_key_file(directory_ / "log.key", signer));
  core::Genesis genesis{
      operating_.public_key(),
      {{gateway_.public_key(), core::role_gateway}, {anchoring_.public_key(), core::role_anchor}},
      {{core::AssetId{1}, "BTT", 1, "1002000", 6, 1, 1'000, 1'000}}};
  grow(dev::database_url(place_, "windlass_server"), directory_ / "log", signer, genesis, gateway_,
       options_.growth);
  start_windlassd();
  wait_until_serving();
}

Server::~Server() {
  note_peak();
  windlassd_->stop(patience);
  postgres_->stop(patience);
  dev::remove_cluster(place_);
}

std::string Server::address() const {
  return fmt::format("127.0.0.1:{}", port_);
}

std::string Server::database_url() const {
  return dev::database_url(place_, dev::owner_role);
}

void Server::age_wal(std::uint64_t segments) {
  journal::Connection database(database_url(), 60'000);
  for (std::uint64_t i = 0; i < segments; ++i)
    database.script("SELECT pg_logical_emit_message(false, 'windlass-bench', repeat('0', 16 * 1024 * 1024))");
  database.script("CHECKPOINT");
}

void Server::start_windlassd() {
  auto windlassd = (programs() / "windlassd").string();
  windlassd_.emplace(
      must(dev::Process::start({"windlassd",
                                {windlassd, "--database.url=" + dev::database_url(place_, "windlass_server"),
                                 "--grpc.listen=" + address(), "--http.listen=127.0.0.1:0",
                                 fmt::format("--metrics.listen=127.0.0.1:{}", metrics_port_),
                                 "--log.directory=" + (directory_ / "log").string(),
                                 "--log.key_file=" + (directory_ / "log.key").string(), "--log.level=warning",
                                 fmt::format("--sequencer.cache_mib={}", options_.cache_mib),
                                 "--genesis.operator_key=" + to_hex(operating_.public_key()),
                                 "--genesis.gateway_key=" + to_hex(gateway_.public_key())},
                                directory_ / "windlassd.log",
                                {}})));
}

void Server::wait_until_serving() {
  auto deadline = std::chrono::steady_clock::now() + patience;
  // Only the writer answers this. A connection each time: one that failed waits before it tries again.
  auto answers = [&] {
    connection_.emplace(client::ConnectionOptions{address(), patience, {}});
    return connection_->call(&client::pb::Query::Stub::GetTotals, client::pb::GetTotalsRequest{}).has_value();
  };
  while (!answers()) {
    if (!windlassd_->running() || std::chrono::steady_clock::now() > deadline)
      give_up(dev::log_tail(directory_ / "windlassd.log", 20));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

void Server::request_seal() {
  auto now = client::CommandSigner::system_now_ns();
  client::pb::SubmitRequest request;
  *request.mutable_command() = client::to_message(
      codec::sign(codec::encode_request_seal(static_cast<std::uint64_t>(now), now / 1000 + core::hour_us, {}),
                  tag(), {&anchoring_}));
  must(connection_->call(&client::pb::Admin::Stub::Execute, request));
}

std::optional<std::uint64_t> Server::snapshot() const {
  std::ifstream head(directory_ / "log" / "snapshots" / "head");
  std::optional<std::uint64_t> newest;
  for (std::string line; std::getline(head, line);)
    if (std::isdigit(static_cast<unsigned char>(line.front()))) newest = std::stoull(line);
  return newest;
}

void Server::kill() {
  note_peak();
  ::kill(windlassd_->pid(), SIGKILL);
  windlassd_->wait(patience);
}

double Server::start_again() {
  Stopwatch watch;
  start_windlassd();
  wait_until_serving();
  return watch.seconds();
}

void Server::note_peak() const {
  peak_bytes = std::max(peak_bytes, peak_resident_bytes(windlassd_->pid()));
}

double peak_server_bytes() {
  return peak_bytes;
}

double Server::windlassd_cpu_seconds() const {
  return bench::cpu_seconds(windlassd_->pid());
}

double Server::postgres_cpu_seconds() const {
  return cpu_seconds_with_children(postgres_->pid());
}

double Server::cache_bytes() const {
  boost::asio::ip::tcp::iostream metrics;
  metrics.expires_after(patience);
  metrics.connect("127.0.0.1", std::to_string(metrics_port_));
  metrics << "GET /metrics HTTP/1.0\r\n\r\n" << std::flush;
  constexpr std::string_view name = "windlass_cache_bytes ";
  for (std::string line; std::getline(metrics, line);)
    if (line.starts_with(name)) return std::stod(line.substr(name.size()));
  give_up("windlassd's metrics do not say what its cache takes");
}

std::int64_t Server::unflushed() const {
  return journal::Connection(database_url(), 60'000).run(unflushed_entries).bigint(0, 0);
}

void Server::wait_until_flushed() {
  journal::Connection database(database_url(), 60'000);
  while (database.run(unflushed_entries).bigint(0, 0) > 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

std::uint64_t Server::entries() {
  return static_cast<std::uint64_t>(
      journal::Connection(database_url(), 60'000).run(end_of_entries).bigint(0, 0));
}

double Server::database_bytes() {
  return static_cast<double>(journal::Connection(database_url(), 60'000).run(database_size).bigint(0, 0));
}

double Server::tiles_bytes() const {
  std::uintmax_t bytes = 0;
  for (const auto& file : fs::recursive_directory_iterator(directory_ / "log"))
    if (file.is_regular_file()) bytes += file.file_size();
  return static_cast<double>(bytes);
}

}  // namespace windlass::bench
