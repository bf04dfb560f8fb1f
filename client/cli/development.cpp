#include <thread>

#include "client/cli/progress.h"
#include "client/cli/table.h"
#include "client/dev/deposit.h"
#include "client/dev/dev.h"
#include "client/dev/faucet.h"

namespace windlass::cli {
namespace {

void add_dir(CLI::App& app, std::string& dir) {
  app.add_option("--dir", dir, "where the system keeps its state")->capture_default_str();
}

Run dev_run(CLI::App& app) {
  struct Options : dev::Options {
    std::string folder = ".windlass";
  };
  auto options = std::make_shared<Options>();
  add_dir(app, options->folder);
  app.add_flag("--reset", options->reset, "drop all state first");
  app.add_flag("--detach", options->detach, "come back once everything answers; `dev stop` ends it");
  app.add_option("--block-interval-ms", options->block_interval_ms, "of the devchain; default 1000");
  app.add_option("--solid-after", options->solid_after, "blocks on top of one that solidify it; default 5");
  app.add_option("--anchor-interval-ms", options->anchor_interval_ms, "between anchors; default 10000");
  app.add_option("--grpc-port", options->ports.grpc,
                 "default 7380, or ten, twenty, ... above where a default is taken");
  app.add_option("--http-port", options->ports.http,
                 "default 7381, or ten, twenty, ... above where a default is taken");
  app.add_option("--metrics-port", options->ports.metrics,
                 "default 7382, or ten, twenty, ... above where a default is taken");
  app.add_option("--anchor-metrics-port", options->ports.anchor_metrics,
                 "default 7383, or ten, twenty, ... above where a default is taken");
  app.add_option("--tron-port", options->ports.tron,
                 "default 7384, or ten, twenty, ... above where a default is taken");
  app.add_option("--exchange-port", options->ports.exchange,
                 "default 7385, or ten, twenty, ... above where a default is taken");
  return [=](Context&) -> Result<int> {
    options->dir = options->folder;
    return dev::run(*options);
  };
}

Run dev_stop(CLI::App& app) {
  auto dir = std::make_shared<std::string>(".windlass");
  add_dir(app, *dir);
  return [=](Context&) -> Result<int> { return dev::stop(*dir); };
}

Run dev_env(CLI::App& app) {
  auto dir = std::make_shared<std::string>(".windlass");
  add_dir(app, *dir);
  return [=](Context& context) -> Result<int> {
    auto settings = dev::load_settings(*dir);
    if (!settings) return usage_error(settings.error());
    JsonObject object;
    for (const auto& [name, value] : dev::environment(*settings)) {
      object.add(name, value);
      if (!context.json()) fmt::print("export {}='{}'\n", name, value);
    }
    if (context.json()) fmt::print("{}\n", object.text());
    return 0;
  };
}

Context connect_to(const dev::Settings& settings, const Context& context) {
  GlobalOptions options = context.options();
  options.address = settings.grpc_address();
  return Context(options);
}

Run dev_fund(CLI::App& app) {
  struct Options {
    std::string dir = ".windlass", who;
    AmountArgument amount;
  };
  auto options = std::make_shared<Options>();
  add_dir(app, options->dir);
  app.add_option("key", options->who, "whose account: hex, key file, or TRON address")->required();
  options->amount.define(app, "what is deposited");
  return [=](Context& context) -> Result<int> {
    auto settings = running_system(options->dir);
    if (!settings) return tl::unexpected(settings.error());
    Context here = connect_to(*settings, context);
    auto key = here.resolve(options->who);
    if (!key) return tl::unexpected(key.error());
    auto amount = options->amount.parse(here);
    if (!amount) return tl::unexpected(amount.error());
    auto faucet = dev::faucet_key(*settings);
    if (!faucet) return tl::unexpected(faucet.error());
    auto node = dev::connect_node(*settings);
    dev::Wallet wallet(node, *faucet);
    auto credited = dev::deposit(here.connection(), *settings, node, wallet, {{*key, *amount}});
    if (!credited) return tl::unexpected(credited.error());
    const auto& deposit = credited->front();
    if (here.json())
      fmt::print("{}\n", JsonObject()
                             .add("sequence", deposit.sequence)
                             .add("transaction", to_hex(deposit.transaction_id))
                             .text());
    else
      fmt::print("credited {} by entry {} (transaction {})\n", here.show(amount->units, amount->asset),
                 deposit.sequence, to_hex(deposit.transaction_id));
    return 0;
  };
}

Run dev_faucet(CLI::App& app) {
  struct Options {
    std::string dir = ".windlass", to;
    AmountArgument amount;
  };
  auto options = std::make_shared<Options>();
  add_dir(app, options->dir);
  app.add_option("address", options->to, "a TRON address")->required();
  options->amount.define(app, "what it gets");
  return [=](Context& context) -> Result<int> {
    auto settings = running_system(options->dir);
    if (!settings) return tl::unexpected(settings.error());
    auto to = tron::address_from_base58(options->to);
    if (!to) return usage_error("\"" + options->to + "\" is no TRON address: T and 33 more characters");
    Context here = connect_to(*settings, context);
    auto amount = options->amount.parse(here);
    if (!amount) return tl::unexpected(amount.error());
    auto facts = here.facts();
    if (!facts) return tl::unexpected(facts.error());
    const auto& asset = (*facts)->assets.at(amount->asset);
    auto faucet = dev::faucet_key(*settings);
    if (!faucet) return tl::unexpected(faucet.error());
    auto node = dev::connect_node(*settings);
    auto sent = dev::Wallet(node, *faucet).send(*to, asset.token(), dev::chain_amount(asset, amount->units));
    if (!sent) return tl::unexpected(sent.error());
    if (auto landed = dev::wait_for(node, {*sent}, false, dev::landing_patience(*settings)); !landed)
      return tl::unexpected(landed.error());
    if (here.json())
      fmt::print("{}\n", JsonObject().add("transaction", to_hex(*sent)).text());
    else
      fmt::print("sent {} to {} (transaction {})\n", here.show(amount->units, amount->asset), options->to,
                 to_hex(*sent));
    return 0;
  };
}

}  // namespace

Result<dev::Settings> running_system(const std::string& dir) {
  auto settings = dev::load_settings(dir);
  if (!settings) return usage_error(settings.error());
  if (!dev::is_running(settings->dir))
    return fail(Failure::Kind::later,
                "the system in " + settings->dir.string() + " does not run; `windlass dev` starts it");
  return *std::move(settings);
}

Commands development_commands() {
  return {
      {"dev", "runs a whole system on this machine", dev_run},
      {"dev stop", "stops it", dev_stop},
      {"dev env", "prints the variables that other programs find it by", dev_env},
      {"dev fund", "deposits to a key through the devchain, and waits until it is credited", dev_fund},
      {"dev faucet", "gives an address of the devchain TRX or a token", dev_faucet},
  };
}

}  // namespace windlass::cli
