// windlassd: the ledger server.
#include <absl/synchronization/mutex.h>
#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "api/grpc/server.h"
#include "api/http/routes.h"
#include "api/witnesses.h"
#include "crypto/base58.h"
#include "ops/key_file.h"
#include "ops/log.h"
#include "ops/metrics.h"
#include "ops/stop_signal.h"

namespace windlass {
namespace {

constexpr ops::Option options[] = {
    ops::secret("database.url", "", "libpq connection string of the role windlass_server"),
    ops::secret("database.owner_url", "", "of the database's owner; only --migrate uses it"),
    ops::address("grpc.listen", "127.0.0.1:7380", "where the API listens"),
    ops::path("grpc.certificate", "", "TLS certificate chain, PEM; without one the API is plaintext"),
    ops::path("grpc.key", "", "TLS private key, PEM"),
    ops::boolean("grpc.plaintext_anywhere", false, "allow plaintext on addresses other than loopback"),
    ops::address("http.listen", "127.0.0.1:7381", "where the explorer and the log's tiles are"),
    ops::address("metrics.listen", "127.0.0.1:7382", "where Prometheus scrapes"),
    ops::path("log.directory", "", "tiles and the newest checkpoint; keep it apart from the database"),
    ops::path("log.key_file", "", "the log's signer key, mode 0600; its name is the log's origin"),
    ops::list("log.witnesses", "",
              "that cosign checkpoints (C2SP tlog-witness), at most 16; each \"URL VERIFIER-KEY\""),
    ops::path("log.witness_ca_file", "",
              "PEM certificates to trust for https witnesses; default: the system's"),
    ops::integer("log.witness_interval_ms", 10'000, {100, 3'600'000, "ms"},
                 "between two checkpoints that witnesses are asked to cosign, at least"),
    ops::choice("log.level", "info", ops::log_levels, "of the lines on stderr"),
    ops::boolean("server.public_contents", false,
                 "anybody may read the contents of all entries, not only auditors"),
    ops::boolean(
        "btfs.enabled", false,
        "serve the clients of the historical BTFS ledger: their signatures name neither a ledger nor "
        "a time (docs/btfs.md)"),
    ops::path(
        "btfs.escrow_key_file", "",
        "key that signs balances for those clients, who are configured with its address, mode 0600; not "
        "set: they get none from escrow.EscrowService"),
    ops::address("btfs.exchange", "",
                 "windlass-anchor's exchange.listen, which answers for the gateway; not set: no deposits and "
                 "withdrawals of those clients"),
    ops::integer("sequencer.cache_mib", 512, {16, 1 << 20, "MiB"},
                 "memory for accounts and channels, a sixteenth of it for the points of their keys"),
    ops::integer("sequencer.max_unflushed_entries", 200'000, {1'000, 100'000'000, "entries"},
                 "entries that recovery may have to replay"),
    ops::integer("sequencer.verifier_threads", 0, {0, 1024, "threads"},
                 "that check signatures; 0: one a core"),
    ops::text(
        "deposits.extended_public_key", "",
        "xpub that accounts' deposit addresses are derived from, whose secret only windlass-anchor has; "
        "not set: there are none"),
    ops::text("genesis.operator_key", "", "hex; an empty database becomes a ledger of this operator"),
    ops::text("genesis.gateway_key", "", "hex; credits deposits"),
    ops::text("genesis.anchor_key", "", "hex; requests seals"),
    ops::text("genesis.auditor_key", "", "hex; reads the contents of all entries"),
    ops::text("genesis.anchor_address", "", "TRON address that anchors"),
    ops::text("genesis.anchor_contract", "", "TRON address of the anchor contract"),
    ops::text("genesis.custody_address", "", "TRON address that deposits go to"),
    ops::text("genesis.btt20_contract", "", "TRON address of the newer BTT's contract; makes it an asset"),
};

// The assets that a ledger begins with; the operator adds others with SetAsset.
std::vector<core::Asset> first_assets(const std::string& btt20_contract) {
  std::vector<core::Asset> assets = {
      {core::AssetId{1}, "BTT", 1, "1002000", 6, 1, 1'000, 1'000},
      {core::AssetId{2}, "TRX", 1, "", 6, 1, 1'000, 1'000},
  };
  constexpr std::uint64_t chain_units = 1'000'000'000'000'000;  // of 18 decimals, the ledger keeps 3
  if (!btt20_contract.empty())
    assets.push_back({core::AssetId{3}, "BTT20", 1, btt20_contract, 3, chain_units, 1'000, 1'000});
  return assets;
}

// 21 bytes, the first 0x41.
std::optional<std::string> tron_address_bytes(const std::string& text) {
  auto bytes = base58check_decode(text);
  if (!bytes || bytes->size() != 21 || (*bytes)[0] != 0x41) return std::nullopt;
  return bytes;
}

tl::expected<std::optional<ExtendedPublicKey>, std::string> deposit_key(const ops::Config& config) {
  if (!config.is_set("deposits.extended_public_key")) return std::nullopt;
  return ExtendedPublicKey::parse(config.text("deposits.extended_public_key"));
}

// What --check-config cannot know from the table alone: what has to be there together, and the keys' form.
std::vector<std::string> faults(const ops::Config& config) {
  std::vector<std::string> found;
  for (const char* key : {"database.url", "log.directory", "log.key_file"})
    if (!config.is_set(key)) found.push_back(fmt::format("{} is not set, and there is no default", key));
  for (const char* key :
       {"genesis.operator_key", "genesis.gateway_key", "genesis.anchor_key", "genesis.auditor_key"}) {
    auto bytes = from_hex(config.text(key));
    if (config.is_set(key) && (!bytes || !compress_key(*bytes)))
      found.push_back(fmt::format("{} is not a key: 66 or 130 hex digits", key));
  }
  for (const char* key : {"genesis.anchor_address", "genesis.anchor_contract", "genesis.custody_address",
                          "genesis.btt20_contract"})
    if (config.is_set(key) && !tron_address_bytes(config.text(key)))
      found.push_back(fmt::format("{} is not a TRON address: T and 33 more characters", key));
  if (auto witnesses = api::parse_witnesses(config.list("log.witnesses")); !witnesses)
    found.push_back("log.witnesses: " + witnesses.error());
  if (config.is_set("btfs.exchange") && !config.boolean("btfs.enabled"))
    found.push_back("btfs.exchange is set, but btfs.enabled is not: set both, or none");
  if (auto key = deposit_key(config); !key) found.push_back("deposits.extended_public_key: " + key.error());
  bool tls = config.is_set("grpc.certificate");
  if (tls != config.is_set("grpc.key"))
    found.push_back("grpc.certificate and grpc.key belong together: set both or none");
  if (!tls && !config.address("grpc.listen").is_loopback() && !config.boolean("grpc.plaintext_anywhere"))
    found.push_back(
        "grpc.listen is not a loopback address and there is no TLS: set grpc.certificate and grpc.key, or "
        "grpc.plaintext_anywhere where a proxy in front has it");
  return found;
}

std::optional<codec::GenesisParameters> genesis(const ops::Config& config, const log::NoteSigner& signer) {
  if (!config.is_set("genesis.operator_key")) return std::nullopt;
  auto key = [&](const char* name) { return *compress_key(*from_hex(config.text(name))); };
  auto address = [&](const char* name) {
    return config.is_set(name) ? *tron_address_bytes(config.text(name)) : std::string();
  };
  codec::GenesisParameters parameters{
      random_array<32>(),
      signer.verifier().name,
      {key("genesis.operator_key"), {}, first_assets(config.text("genesis.btt20_contract"))},
      signer.verifier().text()};
  const std::pair<const char*, std::uint32_t> roles[] = {{"genesis.gateway_key", core::role_gateway},
                                                         {"genesis.anchor_key", core::role_anchor},
                                                         {"genesis.auditor_key", core::role_auditor}};
  for (const auto& [name, role] : roles)
    if (config.is_set(name)) parameters.genesis.roles.push_back({key(name), role});
  parameters.anchor_address = address("genesis.anchor_address");
  parameters.anchor_contract = address("genesis.anchor_contract");
  parameters.custody_address = address("genesis.custody_address");
  return parameters;
}

// What happens, as metrics and log lines.
class Reporter final : public sequencer::Observer {
 public:
  explicit Reporter(ops::ServerMetrics& metrics) : metrics_(metrics) {}

  void committed(std::size_t entries, double seconds) override {
    metrics_.commit_seconds.Observe(seconds);
    metrics_.batch_entries.Observe(static_cast<double>(entries));
    metrics_.entries_committed.Increment(static_cast<double>(entries));
  }
  void verified(core::Error error, double seconds) override {
    metrics_.verify_seconds.Observe(seconds);
    metrics_.signatures(check_of(error)).Increment();
  }
  void answered(core::Kind kind, const sequencer::Answer& answer) override {
    using Verdict = core::Outcome::Verdict;
    using Outcome = ops::CommandOutcome;
    auto outcome = answer.verdict == Verdict::accepted   ? Outcome::accepted
                   : answer.verdict == Verdict::covered  ? Outcome::covered
                   : answer.verdict == Verdict::repeated ? Outcome::duplicate
                                                         : Outcome::refused;
    metrics_.commands(kind, outcome).Increment();
    if (outcome == Outcome::refused) metrics_.rejections(answer.error).Increment();
  }
  void refused_early(core::Error error) override { metrics_.rejections(error).Increment(); }
  void recovered(core::Sequence from, core::Sequence next, double seconds) override {
    ops::log_info(
        "recovered",
        {{"replayed_entries", next.value - from.value}, {"size", next.value}, {"seconds", seconds}});
  }
  void trouble(const std::string& what) override {
    ops::log_warning("database trouble; recovering", {{"error", what}});
  }

 private:
  static SignatureCheck check_of(core::Error error) {
    switch (error) {
      case core::Error::none:
        return SignatureCheck::valid;
      case core::Error::bad_key:
        return SignatureCheck::bad_key;
      case core::Error::bad_signature_format:
        return SignatureCheck::malformed;
      case core::Error::high_s:
        return SignatureCheck::high_s;
      default:
        return SignatureCheck::wrong;
    }
  }
  ops::ServerMetrics& metrics_;
};

void report_witness(ops::ServerMetrics& metrics, const std::string& name, api::WitnessOutcome outcome,
                    std::uint64_t size) {
  constexpr std::string_view outcomes[] = {"cosigned", "behind", "refused", "unreachable"};
  metrics.witness_requests(name, outcomes[static_cast<int>(outcome)]).Increment();
  metrics.set_witness_size(name, size);
}

api::WitnessOptions witness_options(const ops::Config& config) {
  api::WitnessOptions out;
  out.witnesses = api::parse_witnesses(config.list("log.witnesses")).value();  // faults() has looked
  out.ca_file = config.path("log.witness_ca_file");
  out.file = config.path("log.directory") / "cosigned";
  out.interval = std::chrono::milliseconds(config.integer("log.witness_interval_ms"));
  return out;
}

// What a scrape reads that nobody counts as it happens.
void refresh(ops::ServerMetrics& metrics, const sequencer::Sequencer& sequencer,
             const sequencer::LogKeeper& log, api::Queries& queries) {
  auto status = sequencer.status();
  metrics.queue_depth.Set(static_cast<double>(status.waiting_commands));
  metrics.unflushed_entries.Set(static_cast<double>(status.committed_next.value - status.flushed_next.value));
  metrics.cache_bytes.Set(static_cast<double>(status.cache_bytes));
  metrics.writer_epoch.Set(static_cast<double>(status.epoch));
  metrics.is_writer.Set(status.serving ? 1 : 0);
  metrics.set_log_size(ops::LogStage::committed, status.committed_next.value);
  metrics.set_log_size(ops::LogStage::signed_, log.signed_size());
  if (!status.serving) return;
  if (auto totals = queries.totals())
    for (std::size_t i = 0; i < totals->globals.assets.size(); ++i)
      metrics.set_ledger_amounts(totals->globals.assets[i], totals->globals.totals[i]);
}

int migrate(const ops::Config& config) {
  if (!config.is_set("database.owner_url")) {
    std::cerr
        << "windlassd: --migrate needs database.owner_url, the connection string of the database's owner\n";
    return 2;
  }
  try {
    int applied = journal::migrate(config.text("database.owner_url"));
    ops::log_info("migrated", {{"applied", applied}});
    return 0;
  } catch (const journal::DatabaseError& error) {
    ops::log_error("cannot migrate", {{"error", error.what()}});
    return 1;
  }
}

// Empty: protocol.Exchange is not served.
std::string exchange_address(const ops::Config& config) {
  auto address = config.optional_address("btfs.exchange");
  return address ? address->text() : std::string();
}

int serve(const ops::Config& config) {
  auto signer = ops::read_note_key_file(config.path("log.key_file"));
  if (!signer) {
    ops::log_error("cannot read the log's key", {{"error", signer.error()}});
    return 1;
  }
  std::optional<SecretKey> escrow_key;
  if (config.is_set("btfs.escrow_key_file")) {
    auto key = ops::read_key_file(config.path("btfs.escrow_key_file"));
    if (!key) {
      ops::log_error("cannot read the escrow's key", {{"error", key.error()}});
      return 1;
    }
    escrow_key = *std::move(key);
  }
  ops::StopSignal stop;
  int exit_code = 0;

  ops::ServerMetrics metrics;
  Reporter reporter(metrics);
  journal::Sessions sessions(config.text("database.url"));
  sequencer::LogKeeper log(config.path("log.directory"), *signer, sessions);

  snapshot::Snapshots snapshots(
      {config.path("log.directory") / "snapshots", config.path("log.directory") / "liabilities",
       [](const std::string& why) {
         ops::log_warning("no balance snapshot", {{"error", why}});
       },
       [](const snapshot::Snapshot& made, double seconds) {
         ops::log_info("balance snapshot", {{"sequence", made.sequence.value},
                                            {"accounts", made.accounts},
                                            {"root", to_hex(made.root)},
                                            {"seconds", seconds}});
       },
       [](core::Sequence sequence, double seconds) {
         ops::log_info("liabilities", {{"sequence", sequence.value}, {"seconds", seconds}});
       }},
      sessions);
  api::Witnesses witnesses(
      witness_options(config),
      {log.signer(), log.tiles(),
       [&](std::uint64_t size, auto deadline) { return log.wait_for_checkpoint(size, deadline); },
       [&](std::uint64_t size, const std::string& line) { log.add_cosignature(size, line); }},
      [&](const std::string& name, api::WitnessOutcome outcome, std::uint64_t size) {
        report_witness(metrics, name, outcome, size);
      });

  // Set once it listens; batches committed before that have nobody watching.
  std::atomic<api::GrpcServer*> watched{nullptr};

  sequencer::Options sequencing;
  sequencing.limits.cache_bytes = static_cast<std::size_t>(config.integer("sequencer.cache_mib")) << 20;
  sequencing.limits.max_unflushed_entries =
      static_cast<std::uint64_t>(config.integer("sequencer.max_unflushed_entries"));
  sequencing.limits.verifier_threads = static_cast<std::size_t>(config.integer("sequencer.verifier_threads"));
  sequencing.clock = api::now_us;
  sequencing.genesis = genesis(config, *signer);
  sequencing.journal_found = [&](core::Sequence end) {
    log.catch_up(end);
    witnesses.start(end.value);
    // Before anybody is served: a server that is up must not tell "later" to who asks for a balance's proof.
    if (end.value == 0) return;
    auto genesis_entry = sessions.reader()->entry({0});
    if (!genesis_entry) throw std::runtime_error("entry 0 is missing from the journal");
    snapshots.start(genesis_entry->leaf_hash);
  };
  api::GatewayTerms gateway_terms(sessions);
  sequencing.terms = [&](core::AssetId asset) { return gateway_terms.of(asset); };
  sequencing.snapshot = [&]() -> codec::SealedSnapshot {
    auto newest = snapshots.newest();
    return newest ? codec::SealedSnapshot{newest->sequence, newest->root} : codec::SealedSnapshot();
  };
  sequencing.liabilities = [&]() -> codec::SealedSnapshot {
    auto newest = snapshots.newest_liabilities();
    return newest ? codec::SealedSnapshot{newest->first, newest->second} : codec::SealedSnapshot();
  };
  sequencing.committed = [&](const auto& batch) {
    log.append(*batch);
    if (auto* server = watched.load()) server->committed(*batch);
  };
  sequencing.failed = [&](const std::string& why) {
    ops::log_error("the ledger cannot go on", {{"reason", why}});
    exit_code = 1;
    stop.request();
  };
  sequencer::Sequencer sequencer(sessions, std::move(sequencing), reporter);
  constexpr std::size_t database_sessions = 16;  // that queries may hold
  api::Queries queries(sequencer, log, snapshots, gateway_terms, *deposit_key(config), sessions,
                       database_sessions);

  api::QueriesReader reader(queries);
  auto why_not_ready = [&]() -> std::optional<std::string> {
    if (!sequencer.status().serving)
      return "not the writer: starting, recovering, draining, or another server holds the lease";
    if (!queries.database_answers()) return "the database does not answer";
    return std::nullopt;
  };
  api::HttpServer metrics_http(config.address("metrics.listen"), api::metrics_handler([&] {
                                 refresh(metrics, sequencer, log, queries);
                                 return metrics.render();
                               }));
  api::HttpServer public_http(
      config.address("http.listen"),
      api::public_handler({reader, log.tiles(), [&] { return log.checkpoint(); }, why_not_ready,
                           [&] { return log.signed_size(); }, [&] { return witnesses.cosigned(); }}));
  api::GrpcServer grpc({config.address("grpc.listen"), config.boolean("server.public_contents"),
                        config.text("grpc.certificate"), config.text("grpc.key"),
                        config.boolean("btfs.enabled"), escrow_key, exchange_address(config)},
                       sequencer, log, queries);
  watched = &grpc;
  // A standby waits here for the lease, with everything up but refusing as retryable.
  ops::log_info("listening", {{"grpc", config.address("grpc.listen").text()},
                              {"http", config.address("http.listen").text()},
                              {"metrics", config.address("metrics.listen").text()},
                              {"log_vkey", signer->verifier().text()}});
  grpc.set_serving(false);
  bool was_serving = false;
  while (!stop.wait(std::chrono::milliseconds(100))) {
    bool serving = sequencer.status().serving;
    if (serving == was_serving) continue;
    was_serving = serving;
    grpc.set_serving(serving);
    ops::log_info(serving ? "serving" : "not serving", {{"epoch", sequencer.status().epoch}});
  }
  ops::log_info("draining");
  grpc.set_serving(false);
  sequencer.drain();
  watched = nullptr;
  grpc.stop();
  public_http.stop();
  metrics_http.stop();
  ops::log_info("stopped", {{"size", sequencer.status().committed_next.value}});
  return exit_code;
}

int run(int argc, char** argv) {
  std::vector<const char*> arguments(argv, argv + argc);
  bool migrates =
      std::erase_if(arguments, [](const char* a) { return std::string_view(a) == "--migrate"; }) > 0;
  auto config =
      ops::configure({"windlassd", "the ledger server (--migrate: bring the database up to date and exit)",
                      options, migrates ? nullptr : faults},
                     static_cast<int>(arguments.size()), arguments.data());
  if (!config) return config.error();
  ops::set_log_level(ops::parse_log_level(config->text("log.level")));
  if (migrates) return migrate(*config);
  return serve(*config);
}

}  // namespace
}  // namespace windlass

int main(int argc, char** argv) {
  // Batches come and go by the megabyte: their memory stays ours, instead of going back to the system and
  // being zeroed again each time.
  ::mallopt(M_MMAP_THRESHOLD, 64 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 128 << 20);
  // Debian's abseil is a debug build: every lock that gRPC takes would go through its search for deadlocks.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  try {
    return windlass::run(argc, argv);
  } catch (const std::exception& error) {
    windlass::ops::log_error("cannot start", {{"error", error.what()}});
    return 1;
  }
}
