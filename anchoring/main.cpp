// windlass-anchor: anchors the log to TRON, credits what was deposited there and pays out what was withdrawn.
// Holds the keys for all of it;
// everything it has to remember is in Postgres, so it may be killed at any time, and a second one stands by
// until the first is gone.
#include <fmt/format.h>

#include <iostream>

#include "anchoring/admin.h"
#include "anchoring/exchange/listener.h"
#include "anchoring/gateway/custody.h"
#include "anchoring/gateway/payer.h"
#include "anchoring/gateway/scanner.h"
#include "anchoring/gateway/sweeper.h"
#include "anchoring/grpc_ledger.h"
#include "anchoring/postgres_store.h"
#include "anchoring/setup.h"
#include "anchoring/tron/endpoints.h"
#include "anchoring/tron/node.h"
#include "anchoring/tron/witnessed_chain.h"
#include "anchoring/worker/worker.h"
#include "api/http/routes.h"
#include "ops/key_file.h"
#include "ops/log.h"
#include "ops/metrics.h"
#include "ops/stop_signal.h"

namespace windlass::anchoring {
namespace {

using std::chrono::milliseconds;

// Several times what an anchor costs in either form.
constexpr std::int64_t max_fee_default_sun = 5'000'000;
// Every one of them is asked for every head.
constexpr std::int64_t max_nodes = 9;
// Elected producers are 27; those that may be elected next can be listed too.
constexpr std::int64_t max_witnesses = 127;

constexpr ops::Option options[] = {
    ops::address("ledger.address", "127.0.0.1:7380", "where windlassd's API listens"),
    ops::path("ledger.ca_file", "",
              "PEM certificates that windlassd's is signed by; without them the API is plaintext"),
    ops::secret("database.url", ops::required, "libpq connection string of the role windlass_anchor"),
    ops::address("tron.full_node", ops::required, "gRPC of a TRON full node"),
    ops::address("tron.solidity_node", "", "gRPC of its solidity port; not set: the full node's own address"),
    ops::secret("tron.api_key", "", "sent to tron.full_node and tron.solidity_node as TRON-PRO-API-KEY"),
    ops::list(
        "tron.more_nodes", "",
        "further nodes, each `host:port` or, where the solidity port is another, `full/solidity`: they are "
        "asked when others fail, and must agree on what is solidified"),
    ops::integer("tron.min_agreeing", 0, {0, max_nodes, "nodes"},
                 "that must name the same solidified block before anything rests on it; 0: the majority; of "
                 "several nodes never fewer than 2"),
    ops::list(
        "tron.witnesses", "",
        "super representatives, each `T...` or, where another key signs its blocks, `T.../T...` (account "
        "and signer): a block counts only once enough of them have signed it or one above it; not set: "
        "signatures are not looked at"),
    ops::integer("tron.min_witnesses", 0, {0, max_witnesses, "witnesses"},
                 "of tron.witnesses that must have; 0: more than two thirds of those listed (19 of 27)"),
    ops::integer("tron.poll_interval_ms", 1000, {50, 60'000, "ms"}, "between two looks at the chain"),
    ops::path("anchor.key_file", "",
              "key that pays for anchors and requests seals, mode 0600; not set: nothing is anchored"),
    ops::text(
        "anchor.contract", "",
        "TRON address of the anchor contract, which genesis must name too; `windlass-anchor deploy-contract` "
        "makes one; not set: anchors are memos"),
    ops::text(
        "anchor.to", "",
        "without a contract: TRON address, other than the key's own, that gets the 1 sun of each anchor; if "
        "it is custody, its TRX exceeds what is owed by as much"),
    ops::text(
        "anchor.account", "",
        "TRON address that sends and pays the anchors, where the key is one of its permissions'; not set: "
        "the key's own"),
    ops::integer(
        "anchor.permission_id", 0, {0, 9, ""},
        "of the account's permission that the key signs under; `windlass-anchor limit-key` sets up 2"),
    ops::integer("anchor.max_fee_sun", max_fee_default_sun, {0, 1'000'000'000'000, "sun"},
                 "an anchor that would cost more is not made; 0: no ceiling"),
    ops::integer("anchor.max_fee_sun_per_day", 0, {0, 1'000'000'000'000, "sun"},
                 "the same for all anchors of 24 hours; 0: no ceiling"),
    ops::integer("anchor.interval_ms", anchor_interval_default_ms, {1000, heartbeat_ms, "ms"},
                 "between two anchors while something is new"),
    ops::integer("anchor.every_entries", 0, {0, 1'000'000'000'000, "entries"},
                 "anchor earlier when so many are new; 0: by time only"),
    ops::path("gateway.key_file", "",
              "key that credits deposits on the ledger, mode 0600; not set: no deposits"),
    ops::text("gateway.custody", "", "TRON address that deposits go to and withdrawals are paid from"),
    ops::path("gateway.custody_key_file", "",
              "key that signs payments from custody, mode 0600; not set: nothing is paid out"),
    ops::integer("gateway.custody_permission_id", 0, {0, 9, ""},
                 "of custody's permission that the key signs under; 0: it is the owner's"),
    ops::list(
        "gateway.withdrawals", "",
        "what is paid out, each `SYMBOL minimum=N fee=N daily_cap=N approve_above=N hot_ceiling=N` in ledger "
        "units; all but the symbol may be left out: no cap, no second signature, and any amount in custody"),
    ops::list(
        "gateway.cold", "",
        "TRON addresses whose keys are elsewhere and that hold a part of custody: what they hold counts, "
        "and what moves between them and gateway.custody is no deposit"),
    ops::list("gateway.single_node_ceilings", "",
              "with one TRON node, what its word is good for: each `SYMBOL N`, in ledger units a day (UTC), "
              "of deposits and as much again of payments; an asset without one waits"),
    ops::integer("gateway.max_fee_sun", max_fee_default_sun, {1, 1'000'000'000'000, "sun"},
                 "a payment that would cost more is not made"),
    ops::path("gateway.deposit_key_file", "",
              "xprv of windlassd's deposits.extended_public_key, mode 0600: brings what stands on deposit "
              "addresses to custody; not set: it stays there"),
    ops::list("gateway.sweeps", "",
              "from how much on an address is brought to custody, each `SYMBOL minimum=N` in ledger units"),
    ops::integer("gateway.start_block", 0, {0, 1'000'000'000'000, "blocks"},
                 "the first block that can hold a deposit; only the first start reads it"),
    ops::address("exchange.listen", "",
                 "private gRPC for windlassd's btfs.exchange: what historical BTFS clients ask of the "
                 "gateway; not set: none"),
    ops::boolean("exchange.plaintext_anywhere", false,
                 "allow exchange.listen on addresses other than loopback: whoever reaches it has the gateway "
                 "sign"),
    ops::integer("exchange.minimum_withdrawal", least_exchange_withdrawal, {1, most_exchanged, "micro-BTT"},
                 "of historical clients, which print 1,000 BTT"),
    ops::address("metrics.listen", "127.0.0.1:7383", "where Prometheus scrapes"),
    ops::choice("log.level", "info", ops::log_levels, "of the lines on stderr"),
};

// What makes no progress for so long is worth another line.
constexpr std::int64_t repeat_complaint_ms = 60'000;
// Balances and ages change slowly, and each look costs several calls.
constexpr std::int64_t refresh_interval_ms = 5'000;
// Where the chain moved on while custody was being held against the ledger.
constexpr std::int64_t custody_retry_ms = 1'000;
constexpr std::string_view not_reconciled_yet = "custody has not been held against the ledger yet";
// Before the database is tried again, or the lease.
constexpr milliseconds session_retry{2'000};

struct Settings {
  std::optional<SecretKey> anchor_key, gateway_key;
  WorkerOptions worker;
  ScannerOptions scanner;
  std::optional<SecretKey> custody_key;
  PayerOptions payer;
  std::optional<ExchangeOptions> exchange;
  std::optional<ExtendedSecretKey> deposit_key;
  SweeperOptions sweeper;
  tron::WitnessRules witnesses;
};

// `full` or `full/solidity`, each host:port.
std::optional<std::pair<std::string, std::string>> node_addresses(const std::string& text) {
  auto slash = text.find('/');
  std::string full = text.substr(0, slash);
  std::string solidity = slash == std::string::npos ? full : text.substr(slash + 1);
  if (!ops::Address::parse(full) || !ops::Address::parse(solidity)) return std::nullopt;
  return std::pair(full, solidity);
}

void find_witness_faults(const ops::Config& config, std::vector<std::string>& found) {
  auto witnesses = config.list("tron.witnesses");
  std::set<tron::Address> accounts;
  for (const auto& text : witnesses) {
    auto witness = tron::parse_witness(text);
    if (!witness)
      found.push_back(
          fmt::format("tron.witnesses: {} is neither a TRON address nor two: account/signer", text));
    else if (!accounts.insert(witness->account).second)
      found.push_back(fmt::format("tron.witnesses: {} is listed twice", to_base58(witness->account)));
  }
  auto least = config.integer("tron.min_witnesses");
  if (least > static_cast<std::int64_t>(witnesses.size()))
    found.push_back(
        fmt::format("tron.min_witnesses is {}, but tron.witnesses lists {}", least, witnesses.size()));
}

// Whose word is good for how much.
void find_trust_faults(const ops::Config& config, std::vector<std::string>& found) {
  bool one_node = config.list("tron.more_nodes").empty();
  if (!one_node && config.integer("tron.min_agreeing") == 1)
    found.push_back(
        "tron.min_agreeing is 1: of several nodes at least 2 must agree, or any of them could lie");
  Ceilings ceilings;
  for (const auto& text : config.list("gateway.single_node_ceilings")) {
    auto ceiling = parse_ceiling(text);
    if (ceiling)
      ceilings.insert(*ceiling);
    else
      found.push_back(fmt::format("gateway.single_node_ceilings: {}", ceiling.error()));
  }
  if (one_node && config.is_set("gateway.key_file") && !config.is_set("gateway.single_node_ceilings"))
    found.push_back(
        "there is one TRON node, which could invent deposits: name a second one in tron.more_nodes, or in "
        "gateway.single_node_ceilings how much of each asset its word is good for in a day");
  if (one_node && config.is_set("gateway.single_node_ceilings"))
    for (const auto& text : config.list("gateway.withdrawals"))
      if (auto offer = parse_offer(text); offer && !ceilings.contains(offer->symbol))
        found.push_back(fmt::format(
            "gateway.single_node_ceilings has none for {}, which gateway.withdrawals pays out: with one TRON "
            "node none would be paid",
            offer->symbol));
  for (const auto& text : config.list("gateway.cold"))
    if (!tron::address_from_base58(text) || text == config.text("gateway.custody"))
      found.push_back(fmt::format(
          "gateway.cold: {} is not a TRON address (T and 33 more characters) other than custody's", text));
}

// What --check-config cannot know from the table alone.
std::vector<std::string> faults(const ops::Config& config) {
  std::vector<std::string> found;
  find_witness_faults(config, found);
  find_trust_faults(config, found);
  for (const char* address : {"anchor.to", "anchor.contract", "anchor.account", "gateway.custody"})
    if (config.is_set(address) && !tron::address_from_base58(config.text(address)))
      found.push_back(fmt::format("{} is not a TRON address: T and 33 more characters", address));
  if (config.is_set("gateway.key_file") != config.is_set("gateway.custody"))
    found.push_back("gateway.key_file and gateway.custody belong together: set both or none");
  if (config.is_set("gateway.custody_key_file") &&
      (!config.is_set("gateway.key_file") || !config.is_set("gateway.withdrawals")))
    found.push_back(
        "gateway.custody_key_file needs gateway.key_file (settles withdrawals) and gateway.withdrawals (says "
        "what is paid out)");
  for (const auto& offer : config.list("gateway.withdrawals"))
    if (auto parsed = parse_offer(offer); !parsed)
      found.push_back(fmt::format("gateway.withdrawals: {}", parsed.error()));
  if (config.is_set("exchange.listen") && !config.is_set("gateway.key_file"))
    found.push_back("exchange.listen needs gateway.key_file, which signs for historical clients");
  if (auto listen = config.optional_address("exchange.listen");
      listen && !listen->is_loopback() && !config.boolean("exchange.plaintext_anywhere"))
    found.push_back(
        "exchange.listen is not a loopback address, and there is no TLS: set exchange.plaintext_anywhere "
        "where nobody but windlassd can reach it");
  if (config.is_set("gateway.deposit_key_file") &&
      (!config.is_set("gateway.custody_key_file") || !config.is_set("gateway.sweeps")))
    found.push_back(
        "gateway.deposit_key_file needs gateway.custody_key_file (pays for tokens' sweeps) and "
        "gateway.sweeps "
        "(says from how much on)");
  for (const auto& sweep : config.list("gateway.sweeps"))
    if (auto parsed = parse_sweep_minimum(sweep); !parsed)
      found.push_back(fmt::format("gateway.sweeps: {}", parsed.error()));
  bool where = config.is_set("anchor.contract") || config.is_set("anchor.to");
  if (config.is_set("anchor.key_file") != where)
    found.push_back(
        "anchor.key_file belongs together with anchor.contract (to anchor by calls) or anchor.to (by memos)");
  if (config.is_set("anchor.account") != (config.integer("anchor.permission_id") != 0))
    found.push_back("anchor.account and anchor.permission_id belong together: set both or none");
  auto more = config.list("tron.more_nodes");
  for (const auto& node : more)
    if (!node_addresses(node))
      found.push_back(fmt::format("tron.more_nodes: {} is neither host:port nor host:port/host:port", node));
  if (auto least = config.integer("tron.min_agreeing"); least > static_cast<std::int64_t>(more.size() + 1))
    found.push_back(fmt::format("tron.min_agreeing is {}, but there are {} nodes", least, more.size() + 1));
  if (more.size() + 1 > max_nodes)
    found.push_back(fmt::format("tron.more_nodes: there may be {} nodes at most", max_nodes));
  if (!config.is_set("anchor.key_file") && !config.is_set("gateway.key_file"))
    found.push_back(
        "there is nothing to do: set anchor.key_file to anchor, gateway.key_file to credit deposits");
  return found;
}

// Whom to trust, and how far.
void read_trust(const ops::Config& config, Settings& settings) {
  for (const auto& witness : config.list("tron.witnesses"))
    settings.witnesses.witnesses.push_back(*tron::parse_witness(witness));
  settings.witnesses.least = static_cast<std::size_t>(config.integer("tron.min_witnesses"));
  for (const auto& address : config.list("gateway.cold"))
    settings.scanner.parties.cold.push_back(*tron::address_from_base58(address));
  if (!config.list("tron.more_nodes").empty()) return;
  settings.scanner.single_node_ceilings.emplace();
  for (const auto& ceiling : config.list("gateway.single_node_ceilings"))
    settings.scanner.single_node_ceilings->insert(*parse_ceiling(ceiling));
  settings.payer.single_node_ceilings = settings.scanner.single_node_ceilings;
}

tl::expected<Settings, std::string> read_settings(const ops::Config& config) {
  Settings settings;
  read_trust(config, settings);
  if (config.is_set("anchor.key_file")) {
    auto key = ops::read_key_file(config.path("anchor.key_file"));
    if (!key) return tl::unexpected(key.error());
    auto address = [&](const char* name) { return tron::address_from_base58(config.text(name)); };
    settings.worker.account = address("anchor.account");
    settings.worker.permission_id = static_cast<int>(config.integer("anchor.permission_id"));
    settings.worker.contract = address("anchor.contract");
    settings.worker.to = address("anchor.to").value_or(tron::Address{});
    settings.worker.interval_ms = config.integer("anchor.interval_ms");
    settings.worker.every_entries = static_cast<std::uint64_t>(config.integer("anchor.every_entries"));
    settings.worker.max_fee_sun = config.integer("anchor.max_fee_sun");
    settings.worker.max_fee_sun_per_day = config.integer("anchor.max_fee_sun_per_day");
    settings.scanner.parties.anchor = settings.worker.account.value_or(tron::address_of(key->public_key()));
    if (!settings.worker.contract && settings.worker.to == settings.scanner.parties.anchor)
      return tl::unexpected(std::string(
          "anchor.to is the anchor key's own address, and TRON refuses transfers to oneself: name "
          "another existing account"));
    settings.anchor_key = *std::move(key);
  }
  if (config.is_set("gateway.key_file")) {
    auto key = ops::read_key_file(config.path("gateway.key_file"));
    if (!key) return tl::unexpected(key.error());
    settings.scanner.parties.custody = *tron::address_from_base58(config.text("gateway.custody"));
    // Block 0 holds no transfers, only what the chain began with.
    settings.scanner.start_block = std::max<std::int64_t>(1, config.integer("gateway.start_block"));
    settings.gateway_key = *std::move(key);
  }
  if (config.is_set("exchange.listen"))
    settings.exchange = {settings.scanner.parties.custody, config.integer("exchange.minimum_withdrawal")};
  if (config.is_set("gateway.custody_key_file")) {
    auto key = ops::read_key_file(config.path("gateway.custody_key_file"));
    if (!key) return tl::unexpected(key.error());
    settings.payer.custody = settings.scanner.parties.custody;
    settings.payer.permission_id = static_cast<int>(config.integer("gateway.custody_permission_id"));
    settings.payer.max_fee_sun = config.integer("gateway.max_fee_sun");
    for (const auto& offer : config.list("gateway.withdrawals"))
      settings.payer.offers.push_back(*parse_offer(offer));
    bool own = settings.payer.permission_id == 0;
    if (own && settings.payer.custody != tron::address_of(key->public_key()))
      return tl::unexpected(
          std::string("gateway.custody_key_file is not the key of gateway.custody; name the permission that "
                      "it signs under"));
    settings.custody_key = *std::move(key);
  }
  if (config.is_set("gateway.deposit_key_file")) {
    auto text = ops::read_secret_file(config.path("gateway.deposit_key_file"));
    if (!text) return tl::unexpected(text.error());
    auto key = ExtendedSecretKey::parse(text->reveal());
    if (!key) return tl::unexpected("gateway.deposit_key_file: " + key.error());
    settings.deposit_key = *std::move(key);
    const auto& payer = settings.payer;
    settings.sweeper = {payer.custody, payer.permission_id, {}, payer.max_fee_sun};
    for (const auto& sweep : config.list("gateway.sweeps"))
      settings.sweeper.minimums.push_back(*parse_sweep_minimum(sweep));
  }
  return settings;
}

// Says what is wrong when that changes, again now and then while it lasts, and when it is over.
class Complaints {
 public:
  explicit Complaints(const Clock& clock) : clock_(clock) {}
  void report(std::string_view part, const std::string& trouble) {
    auto& last = last_[std::string(part)];
    std::int64_t now_ms = clock_.now_ms();
    if (last.text != trouble || now_ms - last.at_ms >= repeat_complaint_ms) {
      ops::log_warning("no progress", {{"part", part}, {"error", trouble}});
      last = {trouble, now_ms};
    }
  }
  void clear(std::string_view part) {
    if (last_.erase(std::string(part)) > 0) ops::log_info("progress again", {{"part", part}});
  }
  template <typename Result>
  bool check(std::string_view part, const Result& result) {
    result ? clear(part) : report(part, result.error());
    return result.has_value();
  }

 private:
  struct Last {
    std::string text;
    std::int64_t at_ms = 0;
  };
  const Clock& clock_;
  std::map<std::string, Last> last_;
};

// The two workers over one database session, while it holds the lease.
class Session {
 public:
  Session(const std::string& url, const Settings& settings, const Clock& clock, tron::Chain& chain,
          LedgerClient& ledger, ops::AnchorMetrics& metrics, Complaints& complaints)
      : store_(url),
        settings_(settings),
        clock_(clock),
        chain_(chain),
        ledger_(ledger),
        metrics_(metrics),
        complaints_(complaints) {
    if (settings.anchor_key)
      worker_.emplace(settings.worker, *settings.anchor_key, clock, chain, ledger, store_);
    if (settings.gateway_key)
      scanner_.emplace(settings.scanner, *settings.gateway_key, clock, chain, ledger, store_);
  }

  bool acquire() {
    if (!store_.acquire()) return false;
    if (settings_.custody_key) {
      // What is under way is read now: nobody else changes it any more.
      payer_.emplace(settings_.payer, *settings_.custody_key, *settings_.gateway_key, clock_, chain_, ledger_,
                     store_);
      payer_->suspend(std::string(not_reconciled_yet));
      if (settings_.deposit_key)
        sweeper_.emplace(settings_.sweeper, *settings_.deposit_key, *settings_.custody_key,
                         *settings_.gateway_key, clock_, chain_, ledger_, store_);
    }
    if (settings_.exchange) {
      auto terms = [this](core::AssetId asset) { return payer_ ? payer_->published(asset) : std::nullopt; };
      exchange_.emplace(*settings_.exchange, *settings_.gateway_key, clock_, chain_, ledger_, store_, terms);
    }
    if (scanner_) scanner_->also([this](const tron::Block& block) { return meet(block); });
    return true;
  }

  // The operator wants the process to end, and nothing that may still land is under way.
  bool is_drained() {
    if (!store_.controls().stop_when_idle || !is_idle(store_)) return false;
    store_.save_stopped();
    return true;
  }

  // Whether there may be more to do at once.
  bool step() {
    bool more = worker_ && anchor();
    more = (scanner_ && scan()) || more;
    more = (payer_ && pay()) || more;
    if (exchange_) complaints_.check("exchange", exchange_->step());
    more = (sweeper_ && sweep()) || more;
    if (clock_.now_ms() - refreshed_ms_ >= refresh_interval_ms) refresh();
    return more;
  }

  Exchange* exchange() { return exchange_ ? &*exchange_ : nullptr; }

 private:
  tl::expected<void, std::string> meet(const tron::Block& block) {
    if (exchange_) exchange_->meet(block);
    tl::expected<void, std::string> met;
    if (payer_) met = payer_->meet(block);
    return met && sweeper_ ? sweeper_->meet(block) : met;
  }

  bool anchor() {
    auto step = worker_->step();
    if (!complaints_.check("anchoring", step)) return false;
    if (!step->what.empty()) ops::log_info(step->what);
    if (!step->outcome.empty()) metrics_.anchor_transactions(step->outcome).Increment();
    if (step->advanced) refreshed_ms_ = 0;
    return step->advanced;
  }

  bool scan() {
    auto step = scanner_->step();
    metrics_.deposits_waiting.Set(scanner_->waits_for().empty() ? 0 : 1);
    if (!complaints_.check("deposits", step)) return false;
    for (const auto& deposit : step->deposits) {
      metrics_.deposits(deposit.asset, deposit.outcome).Increment();
      refreshed_ms_ = 0;  // there is more to pay out
      ops::log_info("deposit",
                    {{"asset", deposit.asset}, {"outcome", deposit.outcome}, {"through_block", step->block}});
    }
    return step->advanced;
  }

  bool pay() {
    auto step = payer_->step();
    if (!complaints_.check("withdrawals", step)) return false;
    for (const auto& outcome : step->outcomes) metrics_.payment_transactions(outcome).Increment();
    for (auto state : {PaymentState::broadcast, PaymentState::included})
      metrics_.withdrawals(state == PaymentState::included ? "included" : "sent")
          .Set(static_cast<double>(payer_->under_way(state)));
    return step->advanced;
  }

  bool sweep() {
    auto step = sweeper_->step();
    if (!complaints_.check("sweeps", step)) return false;
    for (const auto& outcome : step->outcomes) metrics_.sweep_transactions(outcome).Increment();
    return step->advanced;
  }

  void refresh() {
    refreshed_ms_ = clock_.now_ms();
    auto controls = store_.controls();
    metrics_.paused("anchors").Set(controls.anchors_paused ? 1 : 0);
    metrics_.paused("deposits").Set(controls.deposits_paused ? 1 : 0);
    metrics_.paused("withdrawals").Set(controls.withdrawals_paused ? 1 : 0);
    if (worker_) {
      complaints_.check("status", worker_->refresh_status());
      const auto& status = worker_->status();
      metrics_.set_log_size(ops::LogStage::anchored, status.anchored_size);
      metrics_.set_log_size(ops::LogStage::solidified, status.solidified_size);
      metrics_.set_oldest_unanchored(static_cast<double>(status.oldest_unanchored_us) / 1e6);
      metrics_.set_last_anchor(static_cast<double>(status.last_anchor_ms) / 1e3);
      metrics_.anchor_balance_sun.Set(static_cast<double>(status.balance_sun));
      metrics_.anchor_runway_seconds.Set(static_cast<double>(status.runway_ms) / 1e3);
      metrics_.anchor_cost_sun.Set(static_cast<double>(status.anchor_cost_sun));
      metrics_.anchor_stopped.Set(status.stopped.empty() ? 0 : 1);
    }
    if (scanner_) compare_custody();
    if (payer_) complaints_.check("withdrawal terms", payer_->publish());
  }

  // Where custody lacks something nothing more leaves it. What is there and owed to nobody stops nothing: or
  // anybody could, with a unit.
  void compare_custody() {
    auto differences = reconcile(chain_, ledger_, store_, settings_.scanner.parties);
    if (!complaints_.check("custody", differences)) return;
    if (!*differences) {
      refreshed_ms_ = clock_.now_ms() - refresh_interval_ms + custody_retry_ms;
      return;
    }
    for (const auto& offer : settings_.payer.offers)
      for (const auto& held : **differences)
        if (offer.symbol == held.symbol && offer.hot_ceiling > 0)
          metrics_.custody_above_ceiling(offer.symbol)
              .Set(std::max(0.0, held.hot - static_cast<double>(offer.hot_ceiling)));
    std::string missing;
    for (const auto& difference : **differences) {
      metrics_.custody_difference(difference.symbol).Set(difference.ledger_units);
      metrics_.custody_amount(difference.symbol, "hot").Set(difference.hot);
      metrics_.custody_amount(difference.symbol, "cold").Set(difference.cold);
      if (difference.chain_units < 0) missing += (missing.empty() ? "" : ", ") + difference.symbol;
    }
    // Behind the differences: whoever sees this time sees what was found then.
    metrics_.set_custody_compared(static_cast<double>(clock_.now_ms()) / 1e3);
    using Whole = tl::expected<void, std::string>;
    complaints_.check(
        "reconciliation",
        missing.empty()
            ? Whole()
            : Whole(tl::unexpected(fmt::format(
                  "custody holds less than the ledger owes: {}; nothing is paid out until it is there",
                  missing))));
    if (!payer_) return;
    if (sweeper_) sweeper_->suspend(!missing.empty());
    missing.empty() ? payer_->resume() : payer_->suspend("custody lacks " + missing);
  }

  PostgresStore store_;
  const Settings& settings_;
  const Clock& clock_;
  tron::Chain& chain_;
  LedgerClient& ledger_;
  ops::AnchorMetrics& metrics_;
  Complaints& complaints_;
  std::optional<Worker> worker_;
  std::optional<Scanner> scanner_;
  std::optional<Payer> payer_;
  std::optional<Exchange> exchange_;
  std::optional<Sweeper> sweeper_;
  std::int64_t refreshed_ms_ = 0;
};

// The configured node, or several as one.
class Nodes {
 public:
  // Without witnesses, their signatures are not looked at.
  Nodes(const ops::Config& config, const Clock& clock, ops::AnchorMetrics& metrics,
        tron::WitnessRules witnesses)
      : metrics_(metrics), witnesses_(std::move(witnesses)) {
    std::string full = config.address("tron.full_node").text();
    auto solidity = config.optional_address("tron.solidity_node");
    add(full, solidity ? solidity->text() : full, config.text("tron.api_key"));
    for (const auto& node : config.list("tron.more_nodes")) {
      auto [more_full, more_solidity] = *node_addresses(node);
      add(more_full, more_solidity, "");
    }
    if (chains_.size() > 1) join(config, clock);
  }
  tron::Chain& chain() { return endpoints_ ? *endpoints_ : *chains_.front(); }

 private:
  void add(const std::string& full, const std::string& solidity, const std::string& api_key) {
    auto count = [this](std::string_view endpoint, std::string_view method, std::string_view outcome) {
      metrics_.chain_requests(endpoint, method, outcome).Increment();
    };
    auto forged = [this, full](const char* reason) { metrics_.chain_forged(full, reason).Increment(); };
    nodes_.push_back(std::make_unique<tron::Node>(tron::NodeOptions{
        .full = full, .solidity = solidity, .api_key = api_key, .on_call = count, .on_forged = [forged] {
          forged("hash");
        }}));
    chains_.push_back(nodes_.back().get());
    names_.push_back(full);
    if (witnesses_.witnesses.empty()) return;
    auto rules = witnesses_;
    rules.on_forged = [forged](const std::string&) { forged("witnesses"); };
    witnessed_.push_back(std::make_unique<tron::WitnessedChain>(*chains_.back(), std::move(rules)));
    chains_.back() = witnessed_.back().get();
  }

  void join(const ops::Config& config, const Clock& clock) {
    std::vector<tron::Endpoints::Endpoint> endpoints;
    for (std::size_t i = 0; i < chains_.size(); ++i) endpoints.push_back({names_[i], chains_[i]});
    for (const auto& name : names_) show(name, "good");
    tron::EndpointsOptions rules;
    rules.min_agreeing = static_cast<std::size_t>(config.integer("tron.min_agreeing"));
    rules.on_change = [this](std::string_view name, std::string_view condition, const std::string& why) {
      auto report = condition == "good" ? ops::log_info : ops::log_warning;
      report("TRON node", {{"endpoint", name}, {"condition", condition}, {"why", why}});
      show(name, condition);
    };
    rules.on_contradiction = [this](std::string_view name) {
      metrics_.chain_forged(name, "contradiction").Increment();
    };
    rules.on_disagreement = [this] { metrics_.chain_disagreements.Increment(); };
    endpoints_.emplace(clock, std::move(endpoints), std::move(rules));
  }

  void show(std::string_view name, std::string_view condition) {
    for (std::string_view each : {"good", "lagging", "failing", "set_aside"})
      metrics_.chain_endpoint(name, each).Set(each == condition ? 1 : 0);
  }

  ops::AnchorMetrics& metrics_;
  const tron::WitnessRules witnesses_;
  std::vector<std::unique_ptr<tron::Node>> nodes_;
  std::vector<std::unique_ptr<tron::WitnessedChain>> witnessed_;
  std::vector<tron::Chain*> chains_;  // of each node: itself, or what holds it to the witnesses' signatures
  std::vector<std::string> names_;
  std::optional<tron::Endpoints> endpoints_;
};

// The pause between two steps, in which requests are answered as they come. True: it is time to stop.
bool rest(ops::StopSignal& stop, milliseconds pause, Desk& desk, Session* session) {
  auto end = std::chrono::steady_clock::now() + pause;
  for (;;) {
    desk.serve(session ? session->exchange() : nullptr);
    auto left = end - std::chrono::steady_clock::now();
    if (stop.wait(std::max(milliseconds{0}, std::chrono::ceil<milliseconds>(left)))) return true;
    if (std::chrono::steady_clock::now() >= end) return false;
  }
}

int serve(const ops::Config& config, const Settings& settings) {
  ops::StopSignal stop;
  SystemClock clock;
  ops::AnchorMetrics metrics;
  api::HttpServer metrics_http(config.address("metrics.listen"),
                               api::metrics_handler([&] { return metrics.render(); }));
  Nodes nodes(config, clock, metrics, settings.witnesses);
  GrpcLedger ledger({config.address("ledger.address").text(), config.text("ledger.ca_file")});
  Complaints complaints(clock);
  Desk desk([&] { stop.wake(); });
  std::optional<ExchangeListener> listener;
  if (settings.exchange) listener.emplace(config.address("exchange.listen").text(), desk);
  ops::log_info("started",
                {{"ledger", config.address("ledger.address").text()},
                 {"tron", config.address("tron.full_node").text()},
                 {"anchors", settings.anchor_key.has_value()},
                 {"anchor_contract", config.text("anchor.contract")},
                 {"anchor_address", settings.anchor_key ? to_base58(settings.scanner.parties.anchor) : ""},
                 {"credits", settings.gateway_key.has_value()},
                 {"custody", config.text("gateway.custody")},
                 {"pays_withdrawals", settings.custody_key.has_value()},
                 {"exchange", settings.exchange ? config.address("exchange.listen").text() : ""},
                 {"sweeps", settings.deposit_key.has_value()},
                 {"metrics", config.address("metrics.listen").text()}});

  std::unique_ptr<Session> session;
  milliseconds pause{0};
  // A step that has begun is finished; every call in it has a deadline.
  for (;;) {
    try {
      if (rest(stop, pause, desk, session.get())) break;
      if (!session) {
        auto made = std::make_unique<Session>(config.text("database.url"), settings, clock, nodes.chain(),
                                              ledger, metrics, complaints);
        complaints.clear("database");
        if (!made->acquire()) {
          complaints.report("lease", "another anchoring process holds the lease; standing by");
          pause = session_retry;
          continue;
        }
        complaints.clear("lease");
        session = std::move(made);
        ops::log_info("holding the lease");
      }
      if (session->is_drained()) {
        ops::log_info("drained: nothing that is signed is under way; anchors and deposits stay paused");
        break;
      }
      pause = session->step() ? milliseconds{0} : milliseconds{config.integer("tron.poll_interval_ms")};
    } catch (const Fenced& fenced) {
      session.reset();
      complaints.report("lease", fenced.what());
      pause = session_retry;
    } catch (const journal::DatabaseError& error) {
      session.reset();
      complaints.report("database", error.what());
      pause = session_retry;
    }
  }
  listener.reset();
  metrics_http.stop();
  ops::log_info("stopped");
  return 0;
}

// For the commands that set anchoring up.
int set_up(const ops::Config& config, const std::vector<std::string>& words, bool again) {
  auto key = ops::read_key_file(config.path("anchor.key_file"));
  if (!key) {
    std::cerr << "windlass-anchor: " << key.error() << '\n';
    return 2;
  }
  ops::AnchorMetrics metrics;
  SystemClock clock;
  Nodes nodes(config, clock, metrics, {});
  return run_setup_command(words, {*key, nodes.chain(), config.text("anchor.contract"), again});
}

int run(int argc, char** argv) {
  std::vector<const char*> arguments(argv, argv + argc);
  bool again = std::erase_if(arguments, [](const char* a) { return std::string_view(a) == "--again"; }) > 0;
  auto words = take_command(arguments);
  std::string about = fmt::format(
      "anchors the log to TRON, credits deposits and pays withdrawals\n\n{}\n\n{}", setup_usage, admin_usage);
  ops::Program program{"windlass-anchor", about, options, words.empty() ? faults : nullptr};
  auto config = ops::configure(program, static_cast<int>(arguments.size()), arguments.data());
  if (!config) return config.error();
  if (is_setup_command(words)) return set_up(*config, words, again);
  if (!words.empty()) return run_admin_command(words, config->text("database.url"));
  ops::set_log_level(ops::parse_log_level(config->text("log.level")));
  auto settings = read_settings(*config);
  if (!settings) {
    std::cerr << "windlass-anchor: " << settings.error() << '\n';
    return 2;
  }
  return serve(*config, *settings);
}

}  // namespace
}  // namespace windlass::anchoring

int main(int argc, char** argv) {
  try {
    return windlass::anchoring::run(argc, argv);
  } catch (const std::exception& error) {
    windlass::ops::log_error("cannot go on", {{"error", error.what()}});
    return 1;
  }
}
