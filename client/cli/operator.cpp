#include "anchoring/tron/address.h"
#include "client/cli/table.h"

namespace windlass::cli {
namespace {

constexpr std::uint32_t list_page_size = 1'000;

// Admin's commands go through its own service, which answers as Submit does.
Result<int> execute(Context& context, const pb::SignedCommand& command, std::string_view what) {
  pb::SubmitRequest request;
  *request.mutable_command() = command;
  auto response = context.connection().call(&pb::Admin::Stub::Execute, request);
  if (!response) return tl::unexpected(response.error());
  if (context.json())
    fmt::print("{}\n", to_json(response->accepted()));
  else
    fmt::print("{}: entry {}\n", what, response->accepted().sequence());
  return 0;
}

Result<std::uint32_t> parse_roles(const std::vector<std::string>& names) {
  static const std::map<std::string, std::uint32_t> known = {{"none", 0},
                                                             {"operator", core::role_operator},
                                                             {"gateway", core::role_gateway},
                                                             {"anchor", core::role_anchor},
                                                             {"auditor", core::role_auditor}};
  std::uint32_t roles = 0;
  for (const auto& name : names) {
    auto role = known.find(name);
    if (role == known.end())
      return usage_error("\"" + name + "\" is no role; there are operator, gateway, anchor, auditor, none");
    roles |= role->second;
  }
  return roles;
}

Run roles(CLI::App& app) {
  struct Options {
    std::string who;
    std::vector<std::string> names;
  };
  auto options = std::make_shared<Options>();
  app.add_option("key", options->who, "whose")->required();
  app.add_option("roles", options->names,
                 "all that it holds from now on: operator, gateway, anchor, auditor; or none")
      ->required();
  return [=](Context& context) -> Result<int> {
    auto key = context.resolve(options->who);
    if (!key) return tl::unexpected(key.error());
    auto parsed = parse_roles(options->names);
    if (!parsed) return tl::unexpected(parsed.error());
    auto signer = context.signer();
    if (!signer) return tl::unexpected(signer.error());
    return execute(context, signer->sign(core::SetRoles{*key, *parsed}), "set");
  };
}

Run asset(CLI::App& app) {
  auto wanted = std::make_shared<core::Asset>();
  app.add_option("number", wanted->number.value,
                 "the next one, or one that exists (then only its limits change)")
      ->required();
  app.add_option("symbol", wanted->symbol, "1 to 12 of A-Z and 0-9")->required();
  app.add_option("--chain", wanted->chain, "1 is TRON")->default_val(1);
  app.add_option("--token", wanted->token, "empty: TRX; digits: a TRC-10 id; T...: a TRC-20 contract");
  app.add_option("--decimals", wanted->decimals, "of the ledger's unit")->required();
  app.add_option("--chain-units", wanted->chain_units, "the chain's units in one ledger unit")
      ->default_val(1);
  app.add_option("--minimum-first-credit", wanted->minimum_first_credit, "ledger units")->default_val(0);
  app.add_option("--minimum-channel", wanted->minimum_channel, "ledger units")->default_val(0);
  app.add_option("--maximum-daily-credit", wanted->maximum_daily_credit, "ledger units; 0: no bound")
      ->default_val(0);
  return [=](Context& context) -> Result<int> {
    auto signer = context.signer();
    if (!signer) return tl::unexpected(signer.error());
    return execute(context, signer->sign(core::SetAsset{*wanted}), "set");
  };
}

Run approve(CLI::App& app) {
  auto id = std::make_shared<std::uint64_t>();
  app.add_option("withdrawal", *id, "its id: the sequence of its entry")->required();
  return [=](Context& context) -> Result<int> {
    auto signer = context.signer();
    if (!signer) return tl::unexpected(signer.error());
    return execute(context, signer->sign(core::ApproveWithdrawal{{*id}}), "approved");
  };
}

Run assign(CLI::App& app) {
  struct Options {
    std::uint64_t deposit = 0;
    std::string owner;
  };
  auto options = std::make_shared<Options>();
  app.add_option("deposit", options->deposit, "the sequence of its credit")->required();
  app.add_option("owner", options->owner, "whose it is")->required();
  return [=](Context& context) -> Result<int> {
    auto key = context.resolve(options->owner);
    if (!key) return tl::unexpected(key.error());
    auto signer = context.signer();
    if (!signer) return tl::unexpected(signer.error());
    return execute(context, signer->sign(core::AssignDeposit{{options->deposit}, *key}), "assigned");
  };
}

// A page of a list that only holders of a role may read.
Result<pb::SignedRequest> signed_list(Context& context, std::string_view method, std::uint64_t after) {
  auto facts = context.facts();
  if (!facts) return tl::unexpected(facts.error());
  auto key = context.secret_key();
  if (!key) return tl::unexpected(key.error());
  pb::ListRequest asked;
  asked.set_after(after);
  asked.set_page_size(list_page_size);
  asked.set_expires_us(CommandSigner::system_now_ns() / 1000 + command_life_us);
  asked.set_method(std::string(method));
  pb::SignedRequest request;
  request.set_request(asked.SerializeAsString());
  codec::SigningTag tag((*facts)->info.signing_tag());
  request.mutable_signature()->set_key(std::string(view(key->public_key())));
  request.mutable_signature()->set_signature(std::string(view(key->sign(tag.digest(request.request())))));
  return request;
}

Run deposits(CLI::App&) {
  return [](Context& context) -> Result<int> {
    std::uint64_t after = 0;
    for (std::uint32_t rows = list_page_size; rows == list_page_size;) {
      auto request = signed_list(context, "ListUnassignedDeposits", after);
      if (!request) return tl::unexpected(request.error());
      auto page = context.connection().call(&pb::Admin::Stub::ListUnassignedDeposits, *request);
      if (!page) return tl::unexpected(page.error());
      for (const auto& deposit : page->deposits()) {
        after = deposit.sequence();
        auto source = tron::address_from_bytes(deposit.source());
        if (context.json())
          fmt::print("{}\n", to_json(deposit));
        else
          fmt::print("entry {}: {} from {}, transaction {}\n", deposit.sequence(),
                     context.show(deposit.amount(), deposit.asset()),
                     source ? tron::to_base58(*source) : "an unknown sender",
                     to_hex(deposit.transaction_id()));
      }
      rows = static_cast<std::uint32_t>(page->deposits_size());
    }
    if (after == 0 && !context.json()) fmt::print("every deposit has its owner\n");
    return 0;
  };
}

Run ledger(CLI::App&) {
  return [](Context& context) -> Result<int> {
    auto facts = context.facts();
    if (!facts) return tl::unexpected(facts.error());
    auto totals = context.connection().call(&pb::Query::Stub::GetTotals, pb::GetTotalsRequest{});
    if (!totals) return tl::unexpected(totals.error());
    if (context.json()) {
      fmt::print("{}\n",
                 JsonObject().raw("ledger", to_json((*facts)->info)).raw("totals", to_json(*totals)).text());
      return 0;
    }
    const auto& info = (*facts)->info;
    fmt::print("origin    {}\nlog key   {}\nversion   {}\nentries   {}\naccounts  {}\nchannels  {} open\n",
               info.origin(), info.log_vkey(), info.version(), totals->size(), totals->accounts(),
               totals->open_channels());
    for (const auto& total : totals->totals())
      fmt::print("holds     {} available, {} in channels, {} held for withdrawals, {} unassigned\n",
                 context.show(total.available(), total.asset()), context.show(total.locked(), total.asset()),
                 context.show(total.held(), total.asset()), context.show(total.unassigned(), total.asset()));
    return 0;
  };
}

}  // namespace

Commands operator_commands() {
  return {
      {"ledger", "shows the ledger: who it is, and what it holds", ledger},
      {"admin roles", "sets the roles of a key", roles},
      {"admin asset", "adds an asset, or changes its minimums and its daily bound", asset},
      {"admin deposits", "lists the deposits of nobody, which wait to be assigned", deposits},
      {"admin assign", "gives a deposit of nobody to its owner", assign},
      {"admin approve", "signs a withdrawal above the gateway's threshold as the second", approve},
  };
}

}  // namespace windlass::cli
