// A development system's folder: what was chosen when it was made, its keys, and where everything lies.
#pragma once

#include <cstdint>
#include <filesystem>
#include <tl/expected.hpp>

#include "anchoring/tron/address.h"
#include "client/dev/postgres.h"
#include "ledger/log/note.h"

namespace windlass::dev {

// The ports tried first; where one is taken, the next block of ten that is free, once and for all.
struct Ports {
  int grpc = 7380;     // the ledger's gRPC
  int http = 7381;     // explorer and JSON
  int metrics = 7382;  // of the ledger server
  int anchor_metrics = 7383;
  int tron = 7384;      // the devchain's gRPC
  int exchange = 7385;  // the anchoring process's private listener
};

// 0: as it was, or the default.
struct Options {
  std::filesystem::path dir = ".windlass";
  bool reset = false;
  bool detach = false;
  std::int64_t block_interval_ms = 0;
  std::int64_t solid_after = 0;
  std::int64_t anchor_interval_ms = 0;
  Ports ports{0, 0, 0, 0, 0, 0};
};

// Kept in DIR/dev.conf between runs.
struct Settings {
  std::filesystem::path dir;  // absolute
  Ports ports;
  std::int64_t block_interval_ms = 1000;
  std::int64_t solid_after = 5;
  std::int64_t anchor_interval_ms = 10'000;
  std::string log_vkey;
  std::string custody;      // base58
  std::string deposit_key;  // xpub; empty: the system is older than deposit addresses, and has none
  // Base58; empty: the system is older than the contract, or was made without one, and anchors by memo.
  // `to_be_deployed`: it is new, and its ledger's genesis waits for one.
  std::string anchor_contract;
  bool anchors_by_contract() const { return !anchor_contract.empty() && anchor_contract != to_be_deployed; }
  static constexpr std::string_view to_be_deployed = "to be deployed";

  std::filesystem::path key_file(std::string_view name) const;  // operator, gateway, anchor, faucet, ...
  std::filesystem::path logs() const { return dir / "logs"; }
  std::filesystem::path conf() const { return dir / "dev.conf"; }
  std::string grpc_address() const;
  std::string http_url() const;
  std::string tron_address() const;
  std::string exchange_address() const;
  ClusterPlace cluster() const { return place_of(dir); }
};

// Of a system that was made before; the error says how to make one.
tl::expected<Settings, std::string> load_settings(const std::filesystem::path& dir);
// Likewise, or makes its folder, keys and configuration; options that are given replace what was kept.
tl::expected<Settings, std::string> prepare(const Options& options);
// Writes what has changed since, for the next start and for the programs.
tl::expected<void, std::string> save(const Settings& settings);
// Removes a system's folder and database; refuses a folder that is none.
tl::expected<void, std::string> remove_system(const std::filesystem::path& dir);

// The variables that other programs find the system by: name and value, in the order of the documentation.
std::vector<std::pair<std::string, std::string>> environment(const Settings& settings);

// Key files and configurations that the programs are started with; names below DIR.
constexpr std::string_view server_conf = "windlassd.toml", anchor_conf = "windlass-anchor.toml",
                           genesis_file = "devchain-genesis.json", lock_file = "lock", pid_file = "pid";

}  // namespace windlass::dev
