#include "client/liabilities.h"

#include "client/cli/history.h"
#include "client/cli/progress.h"
#include "client/cli/table.h"
#include "client/cli/views.h"

namespace windlass::cli {
namespace {

// What custody holds on the chain, in ledger units, for what is owed.
struct Custody {
  tron::Address address;
  core::Amount holds = 0;  // rounded down
};

Result<Custody> look_at_custody(Context& context, const pb::Asset& asset) {
  auto entry = context.connection().call(&pb::Query::Stub::GetEntry, pb::GetEntryRequest{});
  if (!entry) return tl::unexpected(entry.error());
  auto genesis = check_genesis(*entry);
  if (!genesis) return false_proof(genesis.error());
  auto custody = tron::address_from_bytes(genesis->custody_address);
  if (!custody)
    return fail(Failure::Kind::refused, "genesis names no custody address: there is nothing to compare with");
  auto held = context.chain()->solidified_balance(*custody, asset.token());
  if (!held) return fail(Failure::Kind::later, held.error().message);
  auto units = *held / std::max<std::uint64_t>(asset.chain_units(), 1);
  constexpr auto most = std::numeric_limits<core::Amount>::max();
  return Custody{*custody,
                 units > static_cast<std::uint64_t>(most) ? most : static_cast<core::Amount>(units)};
}

void print_json(const VerifiedLiability& verified, std::uint32_t asset,
                const std::optional<Custody>& custody) {
  const auto& liability = verified.liability;
  JsonObject object;
  object.add("holds", true)
      .add("asset", asset)
      .add("sequence", liability.sequence.value)
      .add("amount", liability.amount)
      .add("total", liability.total)
      .add("seal", liability.seal.value)
      .add("anchored", verified.anchored)
      .add("checkpoint_size", verified.history.checkpoint.size);
  if (custody)
    object.add("custody_address", tron::to_base58(custody->address))
        .add("custody", custody->holds)
        .add("solvent", custody->holds >= liability.total);
  fmt::print("{}\n", object.text());
}

void print(Context& context, const VerifiedLiability& verified, const pb::Account& account,
           std::uint32_t asset, const std::optional<Custody>& custody) {
  const auto& liability = verified.liability;
  fmt::print("counted: {} is owed {} of {} in total, as of entry {}\n", to_hex(account.key()),
             context.show(liability.amount, asset), context.show(liability.total, asset),
             liability.sequence.value);
  fmt::print("in the log: seal {} ({}) names this total, in the log of {} entries that \"{}\" signed\n",
             liability.seal.value, verified.anchored ? "anchored" : "no anchor of it was looked up on TRON",
             verified.history.checkpoint.size, verified.history.checkpoint.origin);
  if (!custody) {
    fmt::print("custody: not looked up; --tron names a node to ask\n");
    return;
  }
  std::string there = fmt::format("custody {} holds {}", tron::to_base58(custody->address),
                                  context.show(custody->holds, asset));
  if (custody->holds >= liability.total)
    fmt::print("solvent: {}, {} more than is owed\n", there,
               context.show(custody->holds - liability.total, asset));
  else
    fmt::print(
        "short: {}, {} less than is owed; payments that left it and are not settled yet are some of that\n",
        there, context.show(liability.total - custody->holds, asset));
}

Run liabilities(CLI::App& app) {
  struct Options {
    std::string who, asset = "BTT";
  };
  auto options = std::make_shared<Options>();
  app.add_option("key", options->who, "whose; default: the signer's own");
  app.add_option("--asset", options->asset, "symbol or number")->capture_default_str();
  return [=](Context& context) -> Result<int> {
    auto facts = context.facts();
    if (!facts) return tl::unexpected(facts.error());
    const auto* asset = find_asset((*facts)->assets, options->asset);
    if (!asset) return usage_error(fmt::format("there is no asset {}", options->asset));
    auto key = context.resolve(options->who);
    if (!key) return tl::unexpected(key.error());
    pb::GetLiabilityProofRequest request;
    request.set_key(std::string(view(*key)));
    request.set_asset(asset->number());
    auto proof = context.connection().call(&pb::Log::Stub::GetLiabilityProof, request);
    if (!proof) return tl::unexpected(proof.error());
    auto history = read_history_of(context, options->who);
    if (!history) return tl::unexpected(history.error());
    auto log_key = context.log_key();
    if (!log_key) return tl::unexpected(log_key.error());
    Progress progress("proofs");
    auto evidence = evidence_from(context.connection());
    auto verified = verify_liability(*evidence, *proof, *history, {asset->number()},
                                     {log_key->vkey, {}, context.chain(), 4},
                                     [&](std::uint64_t done, std::uint64_t of) { progress.show(done, of); });
    progress.finish();
    if (!verified) return tl::unexpected(verified.error());
    if (auto seen = watch_for_split_view(context, log_key->vkey, verified->history.note); !seen)
      return tl::unexpected(seen.error());
    std::optional<Custody> custody;
    if (context.chain()) {
      auto found = look_at_custody(context, *asset);
      if (!found) return tl::unexpected(found.error());
      custody = *found;
    }
    if (context.json())
      print_json(*verified, asset->number(), custody);
    else
      print(context, *verified, history->account, asset->number(), custody);
    return custody && custody->holds < verified->liability.total ? 1 : 0;
  };
}

}  // namespace

Commands liability_commands() {
  return {{"liabilities", "proves that a key is counted in what the ledger owes", liabilities}};
}

}  // namespace windlass::cli
