#include <thread>

#include "anchoring/tron/address.h"
#include "client/cli/table.h"
#include "crypto/bip32.h"

namespace windlass::cli {
namespace {

constexpr std::chrono::milliseconds look_interval{500};
constexpr std::uint32_t page_size = 100;

std::string state_name(const pb::Withdrawal& withdrawal) {
  switch (withdrawal.state()) {
    case pb::Withdrawal::STATE_HELD:
      return "held";
    case pb::Withdrawal::STATE_SENT:
      return "sent";
    case pb::Withdrawal::STATE_INCLUDED:
      return "included";
    case pb::Withdrawal::STATE_PAID:
      return "paid";
    case pb::Withdrawal::STATE_REFUNDED:
      return "refunded";
    default:
      return "unknown";
  }
}

bool is_over(const pb::Withdrawal& withdrawal) {
  return withdrawal.state() == pb::Withdrawal::STATE_PAID ||
         withdrawal.state() == pb::Withdrawal::STATE_REFUNDED;
}

std::string address_text(const std::string& bytes) {
  auto address = tron::address_from_bytes(bytes);
  return address ? tron::to_base58(*address) : to_hex(bytes);
}

void print(Context& context, const pb::Withdrawal& withdrawal) {
  if (context.json()) {
    fmt::print("{}\n", to_json(withdrawal));
    std::fflush(stdout);
    return;
  }
  fmt::print("withdrawal {}: {} to {}, {}", withdrawal.id(),
             context.show(withdrawal.amount(), withdrawal.asset()), address_text(withdrawal.destination()),
             state_name(withdrawal));
  if (withdrawal.state() == pb::Withdrawal::STATE_HELD)
    fmt::print(", {} before it{}", withdrawal.queue_place(), withdrawal.approved() ? ", approved" : "");
  if (!withdrawal.transaction_id().empty())
    fmt::print(", transaction {}", to_hex(withdrawal.transaction_id()));
  if (withdrawal.block() > 0) fmt::print(" in block {}", withdrawal.block());
  fmt::print("\n");
  std::fflush(stdout);
}

Result<pb::ListWithdrawalsResponse> list_page(Context& context, const PublicKey& key, std::uint32_t rows,
                                              const std::string& token) {
  pb::ListWithdrawalsRequest request;
  request.set_key(std::string(view(key)));
  request.set_page_size(rows);
  request.set_page_token(token);
  return context.connection().call(&pb::Query::Stub::ListWithdrawals, request);
}

// What the gateway asks for this asset now; nothing where it pays none of it out.
Result<std::optional<pb::WithdrawalTerms>> terms_of(Context& context, std::uint32_t asset) {
  auto all = context.connection().call(&pb::Query::Stub::GetWithdrawalTerms, pb::GetWithdrawalTermsRequest{});
  if (!all) return tl::unexpected(all.error());
  for (const auto& terms : all->terms())
    if (terms.asset() == asset) return terms;
  return std::nullopt;
}

// As given for a withdrawal of `asset`; empty: what the gateway asks.
Result<std::int64_t> fee_of(Context& context, const std::string& given, std::uint32_t asset, bool in_units) {
  if (given.empty()) {
    auto terms = terms_of(context, asset);
    if (!terms) return tl::unexpected(terms.error());
    return *terms ? (*terms)->fee() : 0;
  }
  auto known = context.facts();
  if (!known) return tl::unexpected(known.error());
  auto fee = parse_amount(given, {std::to_string(asset), in_units, true}, (*known)->assets);
  if (!fee) return tl::unexpected(fee.error());
  if (fee->asset != asset) return usage_error("--fee " + given + ": a fee is of the amount's asset");
  return fee->units;
}

// Shows each state that it passes through, until it is paid or given back.
Result<int> follow(Context& context, const PublicKey& key) {
  std::string shown;
  for (;;) {
    auto page = list_page(context, key, 1, "");
    if (!page) return tl::unexpected(page.error());
    if (page->withdrawals().empty())
      return fail(Failure::Kind::refused, "the account has asked for no withdrawal");
    const auto& newest = page->withdrawals(0);
    if (std::string now = newest.SerializeAsString(); now != shown) {
      print(context, newest);
      shown = now;
    }
    if (is_over(newest)) return newest.state() == pb::Withdrawal::STATE_PAID ? 0 : 1;
    std::this_thread::sleep_for(look_interval);
  }
}

Run withdraw(CLI::App& app) {
  struct Options {
    AmountArgument amount;
    std::string to;
    std::string fee;
    bool wait = false;
  };
  auto options = std::make_shared<Options>();
  app.add_option("amount", options->amount.words, "that arrives: 12.5, or 12.5 BTT")
      ->expected(1, 2)
      ->required();
  app.add_option("--to", options->to, "TRON address; default: the one of the signer's key");
  app.add_option("--asset", options->amount.asset, "of an amount that names none")->capture_default_str();
  app.add_flag("--units", options->amount.units, "amount and fee count ledger units");
  app.add_option("--fee", options->fee, "for the gateway, written as the amount is; default: what it asks");
  app.add_flag("--wait", options->wait, "show every state until it is paid");
  return [=](Context& context) -> Result<int> {
    auto amount = options->amount.parse(context);
    if (!amount) return tl::unexpected(amount.error());
    auto signer = context.signer();
    if (!signer) return tl::unexpected(signer.error());
    auto destination = options->to.empty() ? tron::address_of(signer->key()) : tron::Address{};
    if (!options->to.empty()) {
      auto named = tron::address_from_base58(options->to);
      if (!named) return usage_error("--to " + options->to + " is no TRON address: T and 33 more characters");
      destination = *named;
    }
    auto fee = fee_of(context, options->fee, amount->asset, options->amount.units);
    if (!fee) return tl::unexpected(fee.error());
    core::Withdraw command{core::AssetId{amount->asset}, amount->units, *fee, destination.bytes};
    auto done = context.submit(
        signer->sign(command),
        fmt::format("holding {} and a fee of {} for {}", context.show(amount->units, amount->asset),
                    context.show(*fee, amount->asset), tron::to_base58(destination)));
    if (!done || *done != 0 || !options->wait) return done;
    return follow(context, signer->key());
  };
}

Run withdrawals(CLI::App& app) {
  auto who = std::make_shared<std::string>();
  app.add_option("key", *who, "whose; default: the signer's own");
  return [=](Context& context) -> Result<int> {
    auto key = context.resolve(*who);
    if (!key) return tl::unexpected(key.error());
    std::string token;
    bool any = false;
    do {
      auto page = list_page(context, *key, page_size, token);
      if (!page) return tl::unexpected(page.error());
      for (const auto& withdrawal : page->withdrawals()) print(context, withdrawal);
      any = any || !page->withdrawals().empty();
      token = page->next_page_token();
    } while (!token.empty());
    if (!any && !context.json()) fmt::print("no withdrawals\n");
    return 0;
  };
}

Run withdrawal_terms(CLI::App&) {
  return [](Context& context) -> Result<int> {
    auto all =
        context.connection().call(&pb::Query::Stub::GetWithdrawalTerms, pb::GetWithdrawalTermsRequest{});
    if (!all) return tl::unexpected(all.error());
    if (context.json()) {
      fmt::print("{}\n", to_json(*all));
      return 0;
    }
    for (const auto& terms : all->terms())
      fmt::print("{} now, from {}, for a fee of {}{}\n", context.show(terms.payable_now(), terms.asset()),
                 context.show(terms.minimum(), terms.asset()), context.show(terms.fee(), terms.asset()),
                 terms.refuses().empty() ? "" : ": " + terms.refuses());
    if (all->terms().empty()) fmt::print("nothing is paid out\n");
    return 0;
  };
}

// Why the address is not that of the extended key's child; nothing where it is.
std::optional<std::string> address_fault(const pb::DepositAddress& given) {
  auto key = ExtendedPublicKey::parse(given.deposit_key());
  if (!key) return "the ledger's extended public key is none: " + key.error();
  bool has_child = given.account() < first_hardened_child;
  auto child = has_child ? key->child(static_cast<std::uint32_t>(given.account())) : std::nullopt;
  if (!child || view(tron::address_of(child->key()).bytes) != given.address())
    return fmt::format("the address is not that of child {} of the ledger's extended public key",
                       given.account());
  return std::nullopt;
}

// Who has no address of its own deposits to custody, with the key as the memo.
Result<int> by_memo(Context& context, const Connection::Facts& facts, const core::Key& key,
                    std::string_view why) {
  auto custody = tron::address_from_bytes(facts.info.custody_address());
  if (!custody)
    return fail(Failure::Kind::refused,
                "this ledger takes no deposits: its genesis names no custody address");
  if (context.json())
    fmt::print("{}\n",
               JsonObject().add("address", tron::to_base58(*custody)).add("memo", to_hex(key)).text());
  else
    fmt::print("send to  {}\nmemo     {}\n  ({}, so no address of its own: the memo says whose it is)\n",
               tron::to_base58(*custody), to_hex(key), why);
  return 0;
}

Run deposit_address(CLI::App& app) {
  struct Options {
    std::string who, deposit_key;
  };
  auto options = std::make_shared<Options>();
  app.add_option("key", options->who, "whose; default: the signer's own");
  app.add_option("--deposit-key", options->deposit_key,
                 "xpub that the operator has published: an address of another one is refused");
  return [=](Context& context) -> Result<int> {
    auto key = context.resolve(options->who);
    if (!key) return tl::unexpected(key.error());
    pb::GetDepositAddressRequest request;
    request.set_key(std::string(view(*key)));
    auto given = context.connection().call(&pb::Query::Stub::GetDepositAddress, request);
    auto facts = context.facts();
    if (!facts) return tl::unexpected(facts.error());
    bool is_unknown = !given && given.error().reason == core::info(core::Error::unknown_key).reason;
    if (is_unknown) return by_memo(context, **facts, *key, "the ledger has no account of this key yet");
    if (!given) return tl::unexpected(given.error());
    if (given->address().empty())
      return by_memo(context, **facts, *key, "this ledger has no deposit addresses");
    if (!options->deposit_key.empty() && options->deposit_key != given->deposit_key())
      return fail(Failure::Kind::false_proof,
                  "the address is of " + given->deposit_key() + ", not of the key given by --deposit-key");
    if (auto fault = address_fault(*given)) return fail(Failure::Kind::false_proof, *fault);
    if (context.json()) {
      fmt::print("{}\n", to_json(*given));
      return 0;
    }
    fmt::print("{}\n  of account {}: child {} of {}\n", address_text(given->address()), given->account(),
               given->account(), given->deposit_key());
    return 0;
  };
}

}  // namespace

Commands withdrawal_commands() {
  return {
      {"deposit-address", "says where to send money for an account on TRON, and checks the derivation",
       deposit_address},
      {"withdraw", "pays out to a TRON address", withdraw},
      {"withdrawals", "lists an account's withdrawals with their states and transactions", withdrawals},
      {"withdrawal-terms", "says what the gateway pays out now, and for what", withdrawal_terms},
  };
}

}  // namespace windlass::cli
