#include <fstream>

#include "client/cli/progress.h"
#include "client/cli/table.h"
#include "client/payment_list.h"
#include "client/submit_stream.h"
#include "ledger/core/limits.h"

namespace windlass::cli {
namespace {

// --- account

Result<pb::Account> get_account(Context& context, const std::string& who) {
  auto key = context.resolve(who);
  if (!key) return tl::unexpected(key.error());
  pb::GetAccountRequest request;
  request.set_key(std::string(view(*key)));
  return context.connection().call(&pb::Query::Stub::GetAccount, request);
}

std::string role_names(std::uint32_t roles) {
  std::string out;
  for (const auto& [role, name] :
       std::initializer_list<std::pair<std::uint32_t, const char*>>{{core::role_operator, "operator"},
                                                                    {core::role_gateway, "gateway"},
                                                                    {core::role_anchor, "anchor"},
                                                                    {core::role_auditor, "auditor"}})
    if (roles & role) out += (out.empty() ? "" : ", ") + std::string(name);
  return out;
}

void print_account(Context& context, const pb::Account& account) {
  fmt::print("account  {}\nkey      {}\n", account.number(), to_hex(account.key()));
  if (auto address = tron::address_from_bytes(account.address()))
    fmt::print("address  {}\n", tron::to_base58(*address));
  for (const auto& balance : account.balances()) {
    fmt::print("balance  {} available", context.show(balance.available(), balance.asset()));
    if (balance.locked() != 0)
      fmt::print(", {} in channels", context.show(balance.locked(), balance.asset()));
    if (balance.held() != 0)
      fmt::print(", {} held for withdrawal", context.show(balance.held(), balance.asset()));
    fmt::print("\n");
  }
  if (account.balances().empty()) fmt::print("balance  none\n");
  if (account.open_channels() > 0) fmt::print("channels {} open\n", account.open_channels());
  if (account.roles() != 0) fmt::print("roles    {}\n", role_names(account.roles()));
  if (account.rotated_at() != 0)
    fmt::print("rotated  the key asked for was given up by entry {}\n", account.rotated_at());
  fmt::print("newest   entry {} (of {})\n", account.last_sequence(), account.size());
}

Run account(CLI::App& app) {
  auto who = std::make_shared<std::string>();
  app.add_option("key", *who, "whose; default: the signer's own");
  return [=](Context& context) -> Result<int> {
    auto found = get_account(context, *who);
    if (!found) return tl::unexpected(found.error());
    if (context.json())
      fmt::print("{}\n", to_json(*found));
    else
      print_account(context, *found);
    return 0;
  };
}

Run watch(CLI::App& app) {
  auto who = std::make_shared<std::string>();
  app.add_option("key", *who, "whose; default: the signer's own");
  return [=](Context& context) -> Result<int> {
    auto key = context.resolve(*who);
    if (!key) return tl::unexpected(key.error());
    pb::GetAccountRequest request;
    request.set_key(std::string(view(*key)));
    grpc::ClientContext call;  // no deadline: it is watched until it is interrupted, or the server goes
    auto reader = context.connection().stub<pb::Query::Stub>().WatchAccount(&call, request);
    for (pb::Account seen; reader->Read(&seen);) {
      if (context.json()) {
        fmt::print("{}\n", to_json(seen));
      } else {
        fmt::print("entry {}:", seen.last_sequence());
        for (const auto& balance : seen.balances())
          fmt::print(" {} available, {} in channels", context.show(balance.available(), balance.asset()),
                     context.show(balance.locked(), balance.asset()));
        fmt::print("\n");
      }
      std::fflush(stdout);
    }
    return tl::unexpected(context.connection().with_address(failure_of(reader->Finish())));
  };
}

// --- payments

Result<int> pay_one(Context& context, const std::string& to, const AmountArgument& amount,
                    const std::string& memo) {
  auto recipient = context.resolve(to);
  if (!recipient) return tl::unexpected(recipient.error());
  auto parsed = amount.parse(context);
  if (!parsed) return tl::unexpected(parsed.error());
  auto signer = context.signer();
  if (!signer) return tl::unexpected(signer.error());
  core::Transfer transfer{core::AssetId{parsed->asset}, *recipient, parsed->units};
  return context.submit(signer->sign(transfer, memo), "paid " + context.show(parsed->units, parsed->asset));
}

// Each 1,024 payments are one command: all of them happen or none. The whole file is read before the first is
// sent.
Result<int> pay_list(Context& context, const std::string& file, const AmountArgument& defaults,
                     const std::string& memo) {
  auto text = read_file(file);
  if (!text) return tl::unexpected(text.error());
  auto facts = context.facts();
  if (!facts) return tl::unexpected(facts.error());
  auto list = parse_payment_list(*text, {defaults.asset, defaults.units}, (*facts)->assets,
                                 [&](const std::string& key) { return context.resolve(key); });
  if (!list) return tl::unexpected(list.error());
  auto signer = context.signer();
  if (!signer) return tl::unexpected(signer.error());
  const auto& payments = list->payments;
  for (std::size_t begin = 0; begin < payments.size(); begin += core::max_list_payments) {
    std::size_t end = std::min(begin + core::max_list_payments, payments.size());
    core::TransferList part{list->asset,
                            {payments.begin() + static_cast<std::ptrdiff_t>(begin),
                             payments.begin() + static_cast<std::ptrdiff_t>(end)}};
    auto sent = context.submit(signer->sign(part, memo), fmt::format("paid lines' payments {} to {} of {}",
                                                                     begin + 1, end, payments.size()));
    if (!sent && begin > 0)
      fmt::print(stderr, "windlass: the first {} payments were made, the rest were not\n", begin);
    if (!sent) return sent;
  }
  return 0;
}

Run pay(CLI::App& app) {
  struct Options {
    std::string to, list, memo;
    AmountArgument amount;
  };
  auto options = std::make_shared<Options>();
  auto* to = app.add_option("to", options->to, "a key: hex, key file, or TRON address");
  auto* amount = app.add_option("amount", options->amount.words, "12.5, or 12.5 BTT")->expected(1, 2);
  auto* list =
      app.add_option("--list", options->list, "pay everybody in this CSV: key,amount; - is standard input");
  list->excludes(to)->excludes(amount);
  app.add_option("--asset", options->amount.asset, "of an amount that names none")->capture_default_str();
  app.add_flag("--units", options->amount.units, "amounts count ledger units");
  app.add_option("--memo", options->memo, "for the parties, at most 64 bytes");
  return [=](Context& context) -> Result<int> {
    if (!options->list.empty()) return pay_list(context, options->list, options->amount, options->memo);
    if (options->to.empty() || options->amount.words.empty())
      return usage_error("pay whom how much? windlass pay TO AMOUNT, or windlass pay --list FILE.csv");
    return pay_one(context, options->to, options->amount, options->memo);
  };
}

// --- channels

Run channel_open(CLI::App& app) {
  struct Options {
    std::string to, expires = "30d", content, receipt_key;
    AmountArgument amount;
  };
  auto options = std::make_shared<Options>();
  app.add_option("to", options->to, "the recipient's key")->required();
  options->amount.define(app, "the deposit");
  app.add_option("--expires", options->expires, "how long the recipient may claim")->capture_default_str();
  app.add_option("--content", options->content, "what it is for: an infohash, 40 or 64 hex digits");
  app.add_option("--receipt-key", options->receipt_key,
                 "the key that signs its receipts; default: the signer's");
  return [=](Context& context) -> Result<int> {
    auto recipient = context.resolve(options->to);
    if (!recipient) return tl::unexpected(recipient.error());
    auto amount = options->amount.parse(context);
    if (!amount) return tl::unexpected(amount.error());
    auto life_us = parse_duration_us(options->expires);
    if (!life_us) return tl::unexpected(life_us.error());
    auto content = from_hex(options->content);
    if (!content || (!content->empty() && content->size() != 20 && content->size() != 32))
      return usage_error("--content is an infohash: 40 or 64 hex digits");
    core::OpenChannel open{core::AssetId{amount->asset},
                           *recipient,
                           amount->units,
                           CommandSigner::system_now_ns() / 1000 + *life_us,
                           {},
                           *content};
    if (!options->receipt_key.empty()) {
      auto key = context.resolve(options->receipt_key);
      if (!key) return tl::unexpected(key.error());
      open.receipt_key = *key;
    }
    auto signer = context.signer();
    if (!signer) return tl::unexpected(signer.error());
    return context.submit(signer->sign(open), "opened a channel; its id is the entry's number");
  };
}

Result<pb::Channel> get_channel(Context& context, std::uint64_t id) {
  pb::GetChannelRequest request;
  request.set_channel(id);
  return context.connection().call(&pb::Query::Stub::GetChannel, request);
}

Run channel_top_up(CLI::App& app) {
  struct Options {
    std::uint64_t channel = 0;
    std::string expires;
    AmountArgument amount;
  };
  auto options = std::make_shared<Options>();
  app.add_option("channel", options->channel, "its id")->required();
  options->amount.define(app, "what is added to the deposit");
  app.add_option("--expires", options->expires, "a new expiry, from now; never earlier than it is");
  return [=](Context& context) -> Result<int> {
    auto amount = options->amount.parse(context);
    if (!amount) return tl::unexpected(amount.error());
    core::TopUpChannel top_up{core::ChannelId{options->channel}, amount->units, 0};
    if (!options->expires.empty()) {
      auto life_us = parse_duration_us(options->expires);
      if (!life_us) return tl::unexpected(life_us.error());
      top_up.expires_us = CommandSigner::system_now_ns() / 1000 + *life_us;
    }
    auto channel = get_channel(context, options->channel);
    if (!channel) return tl::unexpected(channel.error());
    if (channel->asset() != amount->asset)
      return usage_error("the channel holds another asset: " +
                         context.show(channel->deposit(), channel->asset()));
    auto signer = context.signer();
    if (!signer) return tl::unexpected(signer.error());
    return context.submit(signer->sign(top_up), "topped up");
  };
}

Result<pb::SignedCommand> read_receipt(const std::string& file) {
  auto text = read_file(file);
  if (!text) return tl::unexpected(text.error());
  pb::SignedCommand receipt;
  if (auto parsed = from_json(*text, receipt); !parsed) return tl::unexpected(parsed.error());
  if (receipt.signatures_size() != 1) return usage_error(file + " is no receipt: it has not one signature");
  return receipt;
}

Run channel_close(CLI::App& app) {
  struct Options {
    std::uint64_t channel = 0;
    std::string receipt;
  };
  auto options = std::make_shared<Options>();
  app.add_option("channel", options->channel, "its id")->required();
  app.add_option("--receipt", options->receipt,
                 "the last receipt, claimed before it closes (for the recipient)");
  return [=](Context& context) -> Result<int> {
    auto signer = context.signer();
    if (!signer) return tl::unexpected(signer.error());
    core::ChannelId id{options->channel};
    if (options->receipt.empty()) return context.submit(signer->sign(core::CloseChannel{id, {}}), "closed");
    auto receipt = read_receipt(options->receipt);
    if (!receipt) return tl::unexpected(receipt.error());
    return context.submit(signer->sign_close(id, *receipt), "claimed and closed");
  };
}

void print_channel(Context& context, const pb::Channel& channel) {
  fmt::print("channel {} {}: {} of {} claimed, {} to {}, expires {}{}\n", channel.id(),
             channel.open() ? "open" : "closed", context.show(channel.claimed(), channel.asset()),
             context.show(channel.deposit(), channel.asset()), to_hex(channel.payer()),
             to_hex(channel.recipient()), utc(channel.expires_us()),
             channel.content().empty() ? "" : ", content " + to_hex(channel.content()));
}

Run channel_show(CLI::App& app) {
  auto id = std::make_shared<std::uint64_t>(0);
  app.add_option("channel", *id, "its id")->required();
  return [=](Context& context) -> Result<int> {
    auto channel = get_channel(context, *id);
    if (!channel) return tl::unexpected(channel.error());
    if (context.json())
      fmt::print("{}\n", to_json(*channel));
    else
      print_channel(context, *channel);
    return 0;
  };
}

Run channel_list(CLI::App& app) {
  struct Options {
    std::string who;
    bool closed = false;
  };
  auto options = std::make_shared<Options>();
  app.add_option("key", options->who, "whose; default: the signer's own");
  app.add_flag("--closed", options->closed, "closed ones too");
  return [=](Context& context) -> Result<int> {
    auto key = context.resolve(options->who);
    if (!key) return tl::unexpected(key.error());
    pb::ListChannelsRequest request;
    request.set_key(std::string(view(*key)));
    request.set_page_size(1000);
    request.set_include_closed(options->closed);
    std::vector<std::string> json;
    do {
      auto page = context.connection().call(&pb::Query::Stub::ListChannels, request);
      if (!page) return tl::unexpected(page.error());
      for (const auto& channel : page->channels()) {
        if (context.json())
          json.push_back(to_json(channel));
        else
          print_channel(context, channel);
      }
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    if (context.json()) fmt::print("{}\n", json_array(json));
    return 0;
  };
}

// --- receipts

Run receipt_sign(CLI::App& app) {
  struct Options {
    std::uint64_t channel = 0;
    AmountArgument amount;
  };
  auto options = std::make_shared<Options>();
  app.add_option("channel", options->channel, "its id")->required();
  options->amount.define(app, "all that the recipient has earned by it so far");
  return [=](Context& context) -> Result<int> {
    auto amount = options->amount.parse(context);
    if (!amount) return tl::unexpected(amount.error());
    auto signer = context.signer();
    if (!signer) return tl::unexpected(signer.error());
    fmt::print("{}\n", to_json(signer->sign_receipt(core::ChannelId{options->channel}, amount->units)));
    return 0;
  };
}

Run receipt_submit(CLI::App& app) {
  auto file = std::make_shared<std::string>("-");
  app.add_option("file", *file, "what `receipt sign` printed; - is standard input")->capture_default_str();
  return [=](Context& context) -> Result<int> {
    auto receipt = read_receipt(*file);
    if (!receipt) return tl::unexpected(receipt.error());
    return context.submit(*receipt, "claimed");
  };
}

// What became of many receipts.
struct Outcomes {
  std::uint64_t accepted = 0, covered = 0, refused = 0;
  std::vector<std::string> refusals;  // the first few
};

Result<std::vector<pb::SignedCommand>> read_receipts(const std::string& file) {
  auto text = read_file(file);
  if (!text) return tl::unexpected(text.error());
  std::vector<pb::SignedCommand> receipts;
  std::istringstream lines(*text);
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.empty()) continue;
    if (auto parsed = from_json(line, receipts.emplace_back()); !parsed)
      return usage_error(fmt::format("{}, line {}: {}", file, number, parsed.error().message));
  }
  return receipts;
}

Run receipt_submit_all(CLI::App& app) {
  auto file = std::make_shared<std::string>();
  app.add_option("file", *file, "receipts as `receipt sign` prints them, one a line; - is standard input")
      ->required();
  return [=](Context& context) -> Result<int> {
    constexpr std::size_t refusals_shown = 10;
    auto receipts = read_receipts(*file);
    if (!receipts) return tl::unexpected(receipts.error());
    Outcomes outcomes;
    Progress progress("receipts");
    auto on_result = [&](std::uint64_t line, const pb::SubmitResult& result) {
      if (result.has_accepted()) ++outcomes.accepted;
      if (result.has_covered()) ++outcomes.covered;
      if (result.has_rejected() && ++outcomes.refused <= refusals_shown)
        outcomes.refusals.push_back(fmt::format("receipt {}: {}: {}", line + 1, result.rejected().reason(),
                                                result.rejected().message()));
      progress.show(line + 1, receipts->size());
    };
    SubmitStream stream(context.connection(), {}, on_result);
    for (std::size_t i = 0; i < receipts->size(); ++i)
      if (!stream.send(std::move((*receipts)[i]), i)) break;
    if (auto finished = stream.finish(); !finished) return tl::unexpected(finished.error());
    progress.finish();
    for (const auto& refusal : outcomes.refusals) fmt::print(stderr, "{}\n", refusal);
    if (context.json())
      fmt::print("{}\n", JsonObject()
                             .add("accepted", outcomes.accepted)
                             .add("covered", outcomes.covered)
                             .add("refused", outcomes.refused)
                             .text());
    else
      fmt::print("{} claimed, {} covered by higher ones, {} refused\n", outcomes.accepted, outcomes.covered,
                 outcomes.refused);
    return outcomes.refused == 0 ? 0 : 1;
  };
}

}  // namespace

Commands payment_commands() {
  return {
      {"account", "shows an account: balances, channels, newest entry", account},
      {"pay", "pays one key, or everybody in a list", pay},
      {"channel open", "locks a deposit for a recipient", channel_open},
      {"channel top-up", "adds to a channel's deposit", channel_top_up},
      {"channel close", "closes a channel: its recipient at any time, its payer after expiry", channel_close},
      {"channel list", "lists an account's channels", channel_list},
      {"channel show", "shows a channel", channel_show},
      {"receipt sign", "signs how much the recipient has earned in all", receipt_sign},
      {"receipt submit", "claims with a receipt", receipt_submit},
      {"receipt submit-all", "claims with many receipts over one stream", receipt_submit_all},
      {"watch", "shows an account whenever it changes", watch},
  };
}

}  // namespace windlass::cli
