// A server to measure: its own Postgres and windlassd as processes, with what they burn from the operating
// system.
#pragma once

#include "bench/grown_ledger.h"
#include "client/connection.h"
#include "client/dev/postgres.h"

namespace windlass::bench {

constexpr int default_cache_mib = 1024;  // a million accounts and channels take 710

struct ServerOptions {
  Growth growth;  // what is in the ledger before the server starts
  int cache_mib = default_cache_mib;
};

class Server {
 public:
  explicit Server(const ServerOptions& options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  client::Connection& connection() { return *connection_; }
  std::string address() const;
  const codec::SigningTag& tag() { return (*connection_->facts())->tag; }
  std::string database_url() const;                                      // the owner's
  const std::filesystem::path& directory() const { return directory_; }  // of all its files

  // CPU seconds (user and system) that windlassd and all of Postgres have burned so far.
  double cpu_seconds() const { return windlassd_cpu_seconds() + postgres_cpu_seconds(); }
  pid_t windlassd_id() const { return windlassd_->pid(); }
  double windlassd_cpu_seconds() const;
  double postgres_cpu_seconds() const;
  // Waits until balances are written through the last entry: what is put off is paid for.
  void wait_until_flushed();
  std::int64_t unflushed() const;  // entries
  double cache_bytes() const;      // by windlassd's metrics

  // As after some time of running: Postgres writes over segments (16 MiB) of its own log that a checkpoint
  // left to be used again. A new cluster makes each of them, and commits wait 20 ms for it.
  void age_wal(std::uint64_t segments);

  // Asks for a seal, which begins a balance snapshot and does not wait for a long one.
  void request_seal();
  // The last entry of the newest finished snapshot.
  std::optional<std::uint64_t> snapshot() const;

  void kill();
  // A new start after kill(): the seconds until it serves again.
  double start_again();

  std::uint64_t entries();
  double database_bytes();
  double tiles_bytes() const;

 private:
  void start_windlassd();
  void wait_until_serving();

  void note_peak() const;

  ServerOptions options_;
  const int port_, metrics_port_;
  std::filesystem::path directory_;
  dev::ClusterPlace place_;
  std::optional<dev::Process> postgres_, windlassd_;
  std::optional<client::Connection> connection_;
  SecretKey operating_ = SecretKey::generate(), gateway_ = SecretKey::generate(),
            anchoring_ = SecretKey::generate();
};

// The most memory that any windlassd of this run ever had resident.
double peak_server_bytes();

}  // namespace windlass::bench
