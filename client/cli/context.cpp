#include "client/cli/context.h"

#include <fmt/chrono.h>
#include <termios.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace windlass::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view where_keys_come_from =
    " (windlass key new makes a key; --key or WINDLASS_KEY names one)";

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

Result<PublicKey> key_of_address(Connection& connection, const tron::Address& address) {
  pb::GetAccountRequest request;
  request.set_address(std::string(view(address.bytes)));
  auto account = connection.call(&pb::Query::Stub::GetAccount, request);
  if (!account && account.error().kind == Failure::Kind::refused)
    return fail(Failure::Kind::refused,
                "the ledger has never seen the owner of " + tron::to_base58(address) +
                    "; a key cannot be known from its address: name the key itself (66 hex digits)");
  if (!account) return tl::unexpected(account.error());
  auto key = to_array<33>(account->key());
  if (!key || tron::address_of(*key) != address)
    return false_proof("the ledger names a key for " + tron::to_base58(address) +
                       " that is not that address'");
  return *key;
}

// The ledger gives figures in ledger units; a person reads amounts.
Failure with_amounts(Failure failure, std::optional<std::uint32_t> asset, Context& context) {
  static const std::set<std::string_view> amounts = {"amount", "available", "cumulative", "deposit",
                                                     "fee",    "minimum",   "offered",    "payable_now"};
  for (auto& [name, value] : failure.metadata) {
    std::int64_t units = 0;
    auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), units);
    bool is_whole = error == std::errc() && end == value.data() + value.size();
    if (asset && is_whole && amounts.contains(name)) value = context.show(units, *asset);
  }
  return failure;
}

std::string describe(const core::AccountPosting& account, Context& context) {
  const auto& after = account.after;
  if (after.asset == core::no_asset)
    return fmt::format("account {}: named, nothing moved", account.account.value);
  std::string text = fmt::format("account {}: {} available", account.account.value,
                                 context.show(after.available, after.asset.value));
  if (after.locked != 0) text += ", " + context.show(after.locked, after.asset.value) + " in channels";
  if (after.held != 0) text += ", " + context.show(after.held, after.asset.value) + " held";
  return text;
}

std::string describe(const core::Posting& posting, Context& context) {
  if (const auto* account = std::get_if<core::AccountPosting>(&posting)) return describe(*account, context);
  if (const auto* closing = std::get_if<core::ClosingPosting>(&posting))
    return describe(closing->payer, context) + fmt::format("; channel {} is closed", closing->channel.value);
  const auto& channel = std::get<core::ChannelPosting>(posting);
  auto asset = context.channel_asset(channel.channel);
  if (!asset)
    return fmt::format("channel {}: {} of {} units claimed", channel.channel.value, channel.claimed,
                       channel.deposit);
  return fmt::format("channel {}: {} of {} claimed", channel.channel.value,
                     context.show(channel.claimed, *asset), context.show(channel.deposit, *asset));
}

}  // namespace

Connection& Context::connection() {
  if (!connection_)
    connection_ = std::make_unique<Connection>(ConnectionOptions{
        options_.address, std::chrono::milliseconds(options_.deadline_ms), options_.ca_file});
  return *connection_;
}

std::string Context::key_path() const {
  if (!options_.key_file.empty()) return options_.key_file;
  if (auto named = variable("WINDLASS_KEY"); !named.empty()) return named;
  return variable("HOME") + "/.config/windlass/key";
}

Result<SecretKey> Context::secret_key() const {
  auto key = ops::read_key_file(key_path(), terminal_passphrase());
  if (!key) return usage_error(key.error() + std::string(where_keys_come_from));
  return *std::move(key);
}

Result<ops::AnyKey> Context::any_key() const {
  auto key = ops::read_any_key_file(key_path(), terminal_passphrase());
  if (!key) return usage_error(key.error() + std::string(where_keys_come_from));
  return *std::move(key);
}

Result<CommandSigner> Context::signer() {
  auto key = secret_key();
  if (!key) return tl::unexpected(key.error());
  auto known = facts();
  if (!known) return tl::unexpected(known.error());
  return CommandSigner(*std::move(key), (*known)->tag);
}

Result<PublicKey> Context::resolve(const std::string& text) {
  if (text.empty()) {
    auto key = secret_key();
    if (!key) return tl::unexpected(key.error());
    return key->public_key();
  }
  if (auto bytes = from_hex(text); bytes && (bytes->size() == 33 || bytes->size() == 65)) {
    if (auto key = compress_key(*bytes)) return *key;
    return usage_error(text + " has the length of a key, but is no point on secp256k1");
  }
  if (auto address = tron::address_from_base58(text)) return key_of_address(connection(), *address);
  std::error_code error;
  if (!fs::is_regular_file(text, error))
    return usage_error("\"" + text +
                       "\" is no key: give 66 (or 130) hex digits, a key file, or a TRON address");
  auto key = ops::read_key_file(text, terminal_passphrase());
  if (!key) return usage_error(key.error());
  return key->public_key();
}

Result<AssetAmount> Context::amount(const std::vector<std::string>& words, const std::string& asset,
                                    bool units) {
  auto known = facts();
  if (!known) return tl::unexpected(known.error());
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : " ") + word;
  return parse_amount(text, {asset, units}, (*known)->assets);
}

std::string Context::show(std::int64_t units, std::uint32_t asset) {
  auto known = facts();
  return format_amount(units, asset, known ? (*known)->assets : Assets{});
}

// What the amounts in a command, and in the ledger's answer to it, are of; nothing where it has none.
std::optional<std::uint32_t> Context::asset_of(const pb::SignedCommand& command) {
  auto decoded = codec::decode_submitted(to_envelope(command));
  if (!decoded) return std::nullopt;
  return std::visit(
      [&](const auto& body) -> std::optional<std::uint32_t> {
        if constexpr (requires { body.asset.value; })
          return body.asset.value;
        else if constexpr (requires { body.channel.value; })
          return channel_asset(body.channel);
        else
          return std::nullopt;
      },
      decoded->command.body);
}

std::optional<std::uint32_t> Context::channel_asset(core::ChannelId channel) {
  auto [known, is_new] = channel_assets_.try_emplace(channel.value);
  if (!is_new) return known->second;
  pb::GetChannelRequest request;
  request.set_channel(channel.value);
  auto found = connection().call(&pb::Query::Stub::GetChannel, request);
  if (found) known->second = found->asset();
  return known->second;
}

Result<Context::LogKey> Context::log_key() {
  if (!options_.vkey.empty()) {
    auto vkey = log::VerifierKey::parse(options_.vkey);
    if (!vkey)
      return usage_error("\"" + options_.vkey +
                         "\" is no verifier key; it reads name+id+key (C2SP signed-note)");
    return LogKey{*vkey, true};
  }
  auto known = facts();
  if (!known) return tl::unexpected(known.error());
  auto vkey = log::VerifierKey::parse((*known)->info.log_vkey());
  if (!vkey) return fail(Failure::Kind::refused, "the ledger names no log key; give it with --vkey");
  return LogKey{*vkey, false};
}

tron::Chain* Context::chain() {
  if (options_.tron.empty()) return nullptr;
  if (!node_)
    node_ = std::make_unique<tron::Node>(
        tron::NodeOptions{.full = options_.tron,
                          .solidity = options_.tron,
                          .deadline = std::chrono::milliseconds(options_.deadline_ms)});
  return node_.get();
}

Result<int> Context::submit(const pb::SignedCommand& command, std::string_view what) {
  pb::SubmitRequest request;
  *request.mutable_command() = command;
  request.set_want_promise(true);
  auto response = connection().call(&pb::Ledger::Stub::Submit, request);
  if (!response) return tl::unexpected(with_amounts(response.error(), asset_of(command), *this));
  if (response->has_covered()) {
    const auto& covered = response->covered();
    if (json())
      fmt::print("{}\n", to_json(*response));
    else
      fmt::print("covered: the channel has claimed {} by entry {} already\n",
                 show(covered.claimed(), asset_of(command).value_or(0)), covered.sequence());
    return 0;
  }
  const auto& acknowledgement = response->accepted();
  auto proven = check_acknowledgement(acknowledgement);
  if (!proven) return false_proof(proven.error());
  auto key = log_key();
  if (!key) return tl::unexpected(key.error());
  if (acknowledgement.has_promise()) {
    auto promise =
        check_promise(acknowledgement.promise(), proven->leaf_hash, proven->leaf.sequence, key->vkey);
    if (!promise) return false_proof(promise.error());
  }
  if (json()) {
    fmt::print("{}\n", to_json(acknowledgement));
    return 0;
  }
  fmt::print("{}: entry {}, {}{}{}\n", what, acknowledgement.sequence(), utc(acknowledgement.time_us()),
             acknowledgement.repeated_command() ? ", accepted before" : "",
             acknowledgement.has_promise() ? ", with the log's promise" : "");
  std::vector<core::Posting> postings;
  for (const auto& posting : proven->postings) postings.push_back(posting.posting);
  for (const auto& line : describe(postings, *this)) fmt::print("  {}\n", line);
  return 0;
}

std::vector<std::string> describe(const std::vector<core::Posting>& postings, Context& context) {
  // An entry moves one asset: what its accounts hold tells what its channels are of.
  for (const auto& posting : postings)
    if (const auto* account = std::get_if<core::AccountPosting>(&posting);
        account && account->after.asset != core::no_asset)
      for (const auto& other : postings)
        if (const auto* channel = std::get_if<core::ChannelPosting>(&other))
          context.remember_channel_asset(channel->channel, account->after.asset.value);
  std::vector<std::string> lines;
  for (const auto& posting : postings) lines.push_back(describe(posting, context));
  return lines;
}

std::string_view kind_name(std::uint32_t kind) {
  return core::name(static_cast<core::Kind>(kind));
}

std::string utc(std::int64_t time_us) {
  auto seconds = static_cast<std::time_t>(time_us / 1'000'000);
  return fmt::format("{:%Y-%m-%d %H:%M:%S}.{:06} UTC", fmt::gmtime(seconds), time_us % 1'000'000);
}

Result<std::int64_t> parse_duration_us(const std::string& text) {
  std::int64_t count = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  std::int64_t unit_us = unit == "d"   ? core::day_us
                         : unit == "h" ? core::hour_us
                         : unit == "m" ? 60 * core::second_us
                         : unit == "s" ? core::second_us
                                       : 0;
  if (error != std::errc() || unit_us == 0 || count <= 0 ||
      count > std::numeric_limits<std::int64_t>::max() / unit_us)
    return usage_error("\"" + text + "\" is no span of time; write one as 30d, 12h, 90m or 45s");
  return count * unit_us;
}

Result<std::string> read_file(const std::string& path) {
  std::ostringstream out;
  if (path == "-") {
    out << std::cin.rdbuf();
    return out.str();
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) return usage_error("cannot read " + path);
  out << in.rdbuf();
  return out.str();
}

Result<std::string> ask_passphrase(const std::string& prompt) {
  if (const char* given = std::getenv("WINDLASS_PASSPHRASE")) return given;
  termios terminal;
  if (tcgetattr(STDIN_FILENO, &terminal) != 0)
    return usage_error("there is no terminal to ask for a passphrase; set WINDLASS_PASSPHRASE");
  termios silent = terminal;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  std::cerr << prompt << std::flush;
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  std::string answer;
  std::getline(std::cin, answer);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal);
  std::cerr << "\n";
  return answer;
}

ops::AskPassphrase terminal_passphrase() {
  return [](const fs::path& file) -> tl::expected<ops::SecretText, std::string> {
    auto answer = ask_passphrase("passphrase of " + file.string() + ": ");
    if (!answer) return tl::unexpected(answer.error().message);
    return ops::SecretText(*std::move(answer));
  };
}

}  // namespace windlass::cli
