#include "client/dev/postgres.h"

#include <fmt/format.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "crypto/hash.h"
#include "ledger/journal/postgres.h"

namespace windlass::dev {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view database = "windlass";
constexpr std::string_view socket_name = "/.s.PGSQL.5432";
constexpr std::chrono::seconds initdb_patience{60}, start_patience{60};
constexpr std::chrono::milliseconds poll_interval{50};
constexpr int statement_timeout_ms = 10'000;

std::string short_hash(const fs::path& dir) {
  return to_hex(sha256(dir.string())).substr(0, 12);
}

bool fits_a_socket(const fs::path& folder) {
  return folder.string().size() + socket_name.size() < sizeof(sockaddr_un::sun_path);
}

// Every folder on the way lets strangers through.
bool is_reachable_by_all(fs::path path) {
  for (; path != path.root_path(); path = path.parent_path()) {
    std::error_code error;
    auto status = fs::status(path, error);
    if (error) continue;  // not made yet
    if ((status.permissions() & fs::perms::others_exec) == fs::perms::none) return false;
  }
  return true;
}

// The newest that Debian installed, else what the path has.
std::optional<fs::path> find_program(const std::string& name) {
  std::vector<std::pair<int, fs::path>> found;
  std::error_code error;
  for (const auto& version : fs::directory_iterator("/usr/lib/postgresql", error)) {
    fs::path program = version.path() / "bin" / name;
    if (fs::exists(program)) found.emplace_back(std::atoi(version.path().filename().c_str()), program);
  }
  if (!found.empty()) return std::max_element(found.begin(), found.end())->second;
  for (const char* folder : {"/usr/local/bin", "/usr/bin"})
    if (fs::path program = fs::path(folder) / name; fs::exists(program)) return program;
  return std::nullopt;
}

tl::expected<void, std::string> make_folder(const fs::path& folder, const std::optional<User>& owner) {
  std::error_code error;
  fs::create_directories(folder, error);
  // In /tmp anybody could have put something else there before.
  if (!error && !fs::is_directory(fs::symlink_status(folder, error)))
    error = std::make_error_code(std::errc::not_a_directory);
  if (!error) fs::permissions(folder, fs::perms::owner_all, error);
  if (!error && owner && chown(folder.c_str(), owner->uid, owner->gid) != 0)
    error = std::error_code(errno, std::generic_category());
  if (error) return tl::unexpected(fmt::format("cannot make {}: {}", folder.string(), error.message()));
  return {};
}

tl::expected<void, std::string> init_cluster(const fs::path& data, const fs::path& logs,
                                             const std::optional<User>& user) {
  auto initdb = find_program("initdb");
  // Under another name until it is whole: an interrupted start leaves nothing that looks like a cluster.
  fs::path unfinished = data.string() + ".new";
  std::error_code error;
  fs::remove_all(unfinished, error);
  if (!initdb) return tl::unexpected(std::string("there is no initdb: install Debian's package postgresql"));
  // Trust stops at the socket's folder, which only the owner can enter.
  ProcessSpec spec{"initdb",
                   {initdb->string(), "--pgdata", unfinished.string(), "--username", std::string(owner_role),
                    "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-instructions"},
                   logs / "postgres.log",
                   user};
  if (auto made = run_program(spec, initdb_patience); !made) return made;
  fs::rename(unfinished, data, error);
  if (error) return tl::unexpected(fmt::format("cannot make {}: {}", data.string(), error.message()));
  return {};
}

// An eighth of the machine's memory, in bounds: others live here too.
long shared_buffers_mib() {
  long machine_mib = (sysconf(_SC_PHYS_PAGES) >> 10) * (sysconf(_SC_PAGESIZE) >> 10);
  return std::clamp(machine_mib / 8, 128L, 2048L);
}

ProcessSpec server_spec(const ClusterPlace& place, const fs::path& program, const fs::path& logs,
                        const std::optional<User>& user) {
  ProcessSpec spec{
      "postgres", {program.string(), "-D", (place.home / "data").string()}, logs / "postgres.log", user};
  // Its fast shutdown: after SIGTERM it would wait for its clients, and SIGKILL leaves its own children
  // behind.
  spec.stop_signal = spec.orphan_signal = SIGINT;
  for (const std::string& setting :
       {"unix_socket_directories=" + place.socket.string(), std::string("listen_addresses="),
        std::string("port=5432"), std::string("fsync=on"), std::string("synchronous_commit=on"),
        std::string("full_page_writes=on"), std::string("wal_compression=lz4"),
        std::string("min_wal_size=1GB"), std::string("max_wal_size=4GB"),
        std::string("checkpoint_timeout=15min"),
        fmt::format("shared_buffers={}MB", shared_buffers_mib()), std::string("max_connections=60")}) {
    spec.command.push_back("-c");
    spec.command.push_back(setting);
  }
  return spec;
}

std::string url_of(const ClusterPlace& place, std::string_view role, std::string_view name) {
  std::string host;
  for (char c : place.socket.string()) {
    bool plain = std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
    host += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return fmt::format("postgresql://{}@{}/{}", role, host, name);
}

tl::expected<void, std::string> wait_until_ready(const ClusterPlace& place, Process& server) {
  auto until = std::chrono::steady_clock::now() + start_patience;
  std::string last;
  while (server.running() && std::chrono::steady_clock::now() < until) {
    try {
      journal::Connection connection(url_of(place, owner_role, "postgres"), statement_timeout_ms);
      static constexpr journal::Statement has_database{
          "has_database", "SELECT 1 FROM pg_database WHERE datname = 'windlass'"};
      if (connection.run(has_database).rows() == 0) connection.script("CREATE DATABASE windlass");
      return {};
    } catch (const journal::DatabaseError& error) {
      last = error.what();
      std::this_thread::sleep_for(poll_interval);
    }
  }
  return tl::unexpected(fmt::format("postgres does not answer ({}); the end of {}:\n{}", last,
                                    server.log().string(), log_tail(server.log(), 12)));
}

}  // namespace

ClusterPlace place_of(const fs::path& dir) {
  ClusterPlace place;
  bool needs_another = geteuid() == 0 && !is_reachable_by_all(dir);
  place.home = needs_another ? fs::path("/var/lib/windlass-dev") / short_hash(dir) : dir / "postgres";
  place.socket = place.home / "socket";
  if (!fits_a_socket(place.socket)) place.socket = fs::path("/tmp") / ("windlass-dev-" + short_hash(dir));
  return place;
}

std::string database_url(const ClusterPlace& place, std::string_view role) {
  return url_of(place, role, database);
}

tl::expected<Process, std::string> start_postgres(const ClusterPlace& place, const fs::path& logs) {
  auto user = unprivileged_user();
  auto program = find_program("postgres");
  if (!program)
    return tl::unexpected(std::string("there is no postgres: install Debian's package postgresql"));
  if (geteuid() == 0 && !user)
    return tl::unexpected(std::string("postgres does not run as root, and there is no other user"));
  for (const auto& folder : {place.home, place.socket})
    if (auto made = make_folder(folder, user); !made) return tl::unexpected(made.error());
  fs::path data = place.home / "data";
  if (!fs::exists(data / "PG_VERSION"))
    if (auto made = init_cluster(data, logs, user); !made) return tl::unexpected(made.error());
  auto server = Process::start(server_spec(place, *program, logs, user));
  if (!server) return server;
  if (auto ready = wait_until_ready(place, *server); !ready) return tl::unexpected(ready.error());
  return server;
}

void remove_cluster(const ClusterPlace& place) {
  std::error_code error;
  fs::remove_all(place.home, error);
  fs::remove_all(place.socket, error);
}

}  // namespace windlass::dev
