#include "api/http/json_api.h"

#include <fmt/format.h>

#include "api/http/format.h"
#include "api/http/json.h"
#include "ops/config.h"

namespace windlass::api {
namespace {

using core::Error;

constexpr std::chrono::seconds proof_deadline{5};  // for a checkpoint that covers the entry

Json optional_number(core::Sequence sequence) {
  auto number = number_of(sequence);
  return number ? Json(*number) : Json();
}
Json hex(ByteView bytes) {
  return Json(to_hex(bytes));
}
Json hex_list(const log::Proof& hashes) {
  return Json::array(hashes, [](const Hash& hash) { return Json(to_hex(hash)); });
}

Json to_json(const core::Asset& asset) {
  return Json::object({{"number", asset.number.value},
                       {"symbol", asset.symbol},
                       {"chain", asset.chain},
                       {"token", asset.token},
                       {"decimals", asset.decimals},
                       {"chain_units", asset.chain_units},
                       {"minimum_first_credit", asset.minimum_first_credit},
                       {"minimum_channel", asset.minimum_channel}});
}

Json to_json(const LedgerView& ledger) {
  return Json::object({{"origin", ledger.genesis.origin},
                       {"genesis_leaf_hash", to_hex(ledger.genesis_leaf_hash)},
                       {"signing_tag", ledger.signing_tag},
                       {"log_vkey", ledger.genesis.log_vkey},
                       {"anchor_address", tron_text(ledger.genesis.anchor_address)},
                       {"anchor_contract", tron_text(ledger.genesis.anchor_contract)},
                       {"custody_address", tron_text(ledger.genesis.custody_address)},
                       {"deposit_key", ledger.deposit_key},
                       {"size", ledger.size},
                       {"version", ops::version()}});
}

Json to_json(const core::AssetTotals& totals) {
  return Json::object({{"asset", totals.asset.value},
                       {"available", totals.available},
                       {"locked", totals.locked},
                       {"held", totals.held},
                       {"unassigned", totals.unassigned},
                       {"dust", decimal_text(totals.dust)},
                       {"credited", decimal_text(totals.credited)},
                       {"paid", decimal_text(totals.paid)},
                       {"chain_fees", decimal_text(totals.chain_fees)}});
}

Json to_json(const TotalsView& view) {
  return Json::object(
      {{"totals", Json::array(view.globals.totals, [](const auto& totals) { return to_json(totals); })},
       {"accounts", view.globals.accounts},
       {"open_channels", view.globals.open_channels},
       {"size", view.size}});
}

Json to_json(const core::Balance& balance) {
  return Json::object({{"asset", balance.asset.value},
                       {"available", balance.available},
                       {"locked", balance.locked},
                       {"held", balance.held}});
}

Json to_json(const AccountView& view) {
  const core::Account& account = view.account;
  return Json::object(
      {{"key", to_hex(account.key)},
       {"address", tron_text(account.key)},
       {"number", account.number.value},
       {"balances", Json::array(account.balances, [](const auto& balance) { return to_json(balance); })},
       {"last_sequence", optional_number(account.last)},
       {"open_channels", account.open_channels},
       {"roles", account.roles},
       {"nonces", Json::array(account.nonces, [](const auto& use) { return Json(use.nonce); })},
       {"rotated_at", optional_number(view.rotated_at)},
       {"size", view.size}});
}

Json to_json(const ChannelView& view) {
  const core::Channel& channel = view.channel;
  return Json::object({{"id", channel.id.value},
                       {"payer", to_hex(view.payer)},
                       {"recipient", to_hex(view.recipient)},
                       {"receipt_key", to_hex(channel.receipt_key)},
                       {"asset", channel.asset.value},
                       {"deposit", channel.deposit},
                       {"claimed", channel.claimed},
                       {"expires_us", channel.expires_us},
                       {"content", hex(channel.content)},
                       {"open", channel.open},
                       {"last_sequence", optional_number(channel.last)},
                       {"claim_sequence", optional_number(channel.claim)},
                       {"history_hash", to_hex(channel.history)}});
}

std::vector<Json::Member> members_of(const core::AccountPosting& posting) {
  return {{"account", posting.account.value},     {"asset", posting.after.asset.value},
          {"available", posting.after.available}, {"locked", posting.after.locked},
          {"held", posting.after.held},           {"previous", optional_number(posting.previous)}};
}
std::vector<Json::Member> members_of(const core::ClosingPosting& posting) {
  auto members = members_of(posting.payer);
  members.emplace_back("channel", posting.channel.value);
  members.emplace_back("history_hash", to_hex(posting.history));
  return members;
}
std::vector<Json::Member> members_of(const core::ChannelPosting& posting) {
  return {{"channel", posting.channel.value},
          {"deposit", posting.deposit},
          {"claimed", posting.claimed},
          {"previous", optional_number(posting.previous)}};
}

// Decoded for people, and as the bytes that its proof is over.
Json to_json(const ProvenPosting& proven) {
  std::vector<Json::Member> members;
  if (auto posting = codec::decode_posting(proven.posting))
    members = std::visit([](const auto& kind) { return members_of(kind); }, *posting);
  members.emplace_back("posting", hex(proven.posting));
  members.emplace_back("salt", to_hex(proven.salt));
  members.emplace_back("index", proven.index);
  members.emplace_back("count", proven.count);
  members.emplace_back("path", hex_list(proven.path));
  return Json::object(members);
}

Json to_json(const EntryView& view) {
  std::vector<Json::Member> members = {
      {"sequence", view.leaf.sequence.value},
      {"time_us", view.leaf.time_us},
      {"kind", core::name(view.leaf.kind)},
      {"leaf", hex(view.leaf.encode())},
      {"leaf_hash", to_hex(view.leaf_hash)},
      {"postings", Json::array(view.postings, [](const auto& posting) { return to_json(posting); })}};
  if (view.envelope) members.emplace_back("envelope", hex(*view.envelope));
  if (view.envelope_salt) members.emplace_back("envelope_salt", to_hex(*view.envelope_salt));
  if (view.secret) members.emplace_back("secret", to_hex(*view.secret));
  return Json::object(members);
}

Json to_json(const HistoryView& view) {
  return Json::object(
      {{"entries", Json::array(view.entries, [](const auto& entry) { return to_json(entry); })},
       {"next_page_token", view.next_page_token},
       {"size", view.size}});
}

Json to_json(const ChannelsView& view) {
  return Json::object(
      {{"channels", Json::array(view.channels, [](const auto& channel) { return to_json(channel); })},
       {"next_page_token", view.next_page_token}});
}

Json to_json(const WithdrawalView& view) {
  const core::Channel& channel = view.channel;
  return Json::object({{"id", channel.id.value},
                       {"asset", channel.asset.value},
                       {"amount", channel.deposit - channel.fee},
                       {"fee", channel.fee},
                       {"destination", tron_text(channel.content)},
                       {"state", name(view.state)},
                       {"transaction_id", hex(view.transaction_id)},
                       {"block", view.block},
                       {"queue_place", view.queued_before},
                       {"last_sequence", channel.last.value},
                       {"approved", channel.claim != core::no_sequence}});
}

Json to_json(const WithdrawalsView& view) {
  return Json::object(
      {{"withdrawals", Json::array(view.withdrawals, [](const auto& one) { return to_json(one); })},
       {"next_page_token", view.next_page_token}});
}

Json to_json(const DepositAddressView& view) {
  return Json::object({{"address", tron_text(view.address)},
                       {"account", view.account},
                       {"deposit_key", view.deposit_key},
                       {"custody_address", tron_text(view.custody_address)}});
}

Json to_json(const TermsView& view) {
  bool takes = view.terms.refuses == Error::none;
  return Json::object({{"asset", view.asset.value},
                       {"minimum", view.terms.minimum},
                       {"fee", view.terms.fee},
                       {"payable_now", view.payable_now},
                       {"refuses", takes ? std::string_view() : core::info(view.terms.refuses).reason}});
}

Json to_json(const journal::AnchorRow& anchor) {
  return Json::object({{"id", anchor.id},
                       {"size", anchor.size},
                       {"root", hex(anchor.root)},
                       {"checkpoint", anchor.checkpoint},
                       {"state", anchor.state},
                       {"transaction_id", hex(anchor.transaction_id)},
                       {"block", anchor.block},
                       {"sealed_us", anchor.sealed_us},
                       {"solidified_us", anchor.solidified_us}});
}

Json to_json(const AnchorsView& view) {
  return Json::object(
      {{"anchors", Json::array(view.anchors, [](const auto& anchor) { return to_json(anchor); })},
       {"next_page_token", view.next_page_token}});
}

Json to_json(std::uint64_t sequence, const InclusionView& view) {
  return Json::object({{"sequence", sequence},
                       {"size", view.size},
                       {"leaf", hex(view.leaf)},
                       {"leaf_hash", to_hex(view.leaf_hash)},
                       {"path", hex_list(view.path)},
                       {"checkpoint", view.checkpoint}});
}

Json to_json(std::uint64_t old_size, const ConsistencyView& view) {
  return Json::object({{"old_size", old_size},
                       {"size", view.size},
                       {"path", hex_list(view.path)},
                       {"checkpoint", view.checkpoint}});
}

// A request for one of the routes below.
class Call {
 public:
  Call(Reader& to_read, const HttpRequest& request, std::string_view named)
      : reader(to_read), query_(request.query), named_(named) {}
  Reader& reader;

  // What stands for {} in the path.
  Answered<core::Key> key() const { return named_key(reader, named_); }
  Answered<std::uint64_t> number(Error unknown) const {
    auto number = parse_number(named_);
    if (!number) return tl::unexpected(unknown);
    return *number;
  }
  std::string text(std::string_view name) const {
    auto found = query_.find(name);
    return found == query_.end() ? "" : found->second;
  }
  bool flag(std::string_view name) const { return text(name) == "true"; }
  // 0 where it is not given; `wrong` where it is no number.
  Answered<std::uint64_t> number(std::string_view name, Error wrong) const {
    std::string given = text(name);
    auto number = given.empty() ? std::optional<std::uint64_t>(0) : parse_number(given);
    if (!number) return tl::unexpected(wrong);
    return *number;
  }
  Answered<std::uint64_t> page_size() const { return number("page_size", Error::bad_page_size); }

 private:
  const std::map<std::string, std::string, std::less<>>& query_;
  std::string_view named_;
};

using AnsweredJson = Answered<Json>;
constexpr auto as_json = [](const auto& view) { return to_json(view); };

AnsweredJson get_ledger(const Call& call) {
  return call.reader.ledger().map(as_json);
}
AnsweredJson get_totals(const Call& call) {
  return call.reader.totals().map(as_json);
}
AnsweredJson list_assets(const Call& call) {
  return call.reader.totals().map([](const TotalsView& view) {
    return Json::object({{"assets", Json::array(view.globals.assets, as_json)}});
  });
}
AnsweredJson get_account(const Call& call) {
  return call.key().and_then([&](const core::Key& key) { return call.reader.account(key); }).map(as_json);
}
AnsweredJson get_account_history(const Call& call) {
  auto key = call.key();
  auto page_size = call.page_size();
  if (!key) return tl::unexpected(key.error());
  if (!page_size) return tl::unexpected(page_size.error());
  return call.reader.history(*key, *page_size, call.text("page_token")).map(as_json);
}
AnsweredJson list_channels(const Call& call) {
  auto key = call.key();
  auto page_size = call.page_size();
  if (!key) return tl::unexpected(key.error());
  if (!page_size) return tl::unexpected(page_size.error());
  return call.reader.channels(*key, call.flag("include_closed"), *page_size, call.text("page_token"))
      .map(as_json);
}
AnsweredJson list_withdrawals(const Call& call) {
  auto key = call.key();
  auto page_size = call.page_size();
  if (!key) return tl::unexpected(key.error());
  if (!page_size) return tl::unexpected(page_size.error());
  return call.reader.withdrawals(*key, *page_size, call.text("page_token")).map(as_json);
}
AnsweredJson get_deposit_address(const Call& call) {
  return call.key()
      .and_then([&](const core::Key& key) { return call.reader.deposit_address(key); })
      .map(as_json);
}
AnsweredJson get_withdrawal_terms(const Call& call) {
  return call.reader.withdrawal_terms().map([](const auto& all) {
    return Json::object({{"terms", Json::array(all, as_json)}});
  });
}
AnsweredJson get_channel(const Call& call) {
  return call.number(Error::unknown_channel)
      .and_then([&](std::uint64_t id) { return call.reader.channel({id}); })
      .map(as_json);
}
AnsweredJson get_channel_history(const Call& call) {
  auto id = call.number(Error::unknown_channel);
  auto page_size = call.page_size();
  if (!id) return tl::unexpected(id.error());
  if (!page_size) return tl::unexpected(page_size.error());
  return call.reader.history(core::ChannelId{*id}, *page_size, call.text("page_token")).map(as_json);
}
AnsweredJson get_entry(const Call& call) {
  auto sequence = call.number(Error::unknown_entry);
  if (!sequence) return tl::unexpected(sequence.error());
  std::optional<core::Key> key;
  if (std::string named = call.text("key"); !named.empty()) {
    auto found = named_key(call.reader, named);
    if (!found) return tl::unexpected(found.error());
    key = *found;
  }
  return call.reader.entry({*sequence}, key).map(as_json);
}
AnsweredJson get_inclusion(const Call& call) {
  auto sequence = call.number(Error::unknown_entry);
  auto size = call.number("size", Error::bad_tree_size);
  if (!sequence) return tl::unexpected(sequence.error());
  if (!size) return tl::unexpected(size.error());
  return call.reader.inclusion({*sequence}, *size, std::chrono::steady_clock::now() + proof_deadline)
      .map([&](const InclusionView& view) { return to_json(*sequence, view); });
}
AnsweredJson get_consistency(const Call& call) {
  auto old_size = call.number("old_size", Error::bad_tree_size);
  auto size = call.number("size", Error::bad_tree_size);
  if (!old_size) return tl::unexpected(old_size.error());
  if (!size) return tl::unexpected(size.error());
  return call.reader.consistency(*old_size, *size).map([&](const ConsistencyView& view) {
    return to_json(*old_size, view);
  });
}
AnsweredJson list_anchors(const Call& call) {
  auto page_size = call.page_size();
  auto covering = call.number("covering", Error::unknown_entry);
  if (!page_size) return tl::unexpected(page_size.error());
  if (!covering) return tl::unexpected(covering.error());
  std::optional<core::Sequence> sequence;
  if (!call.text("covering").empty()) sequence = core::Sequence{*covering};
  return call.reader.anchors(sequence, call.flag("solidified_only"), *page_size, call.text("page_token"))
      .map(as_json);
}

// Everything that /api/v1 answers: dispatch and the OpenAPI description follow from this table. At most one
// {} a path.
struct JsonRoute {
  std::string_view path;
  std::string_view summary;
  std::string_view parameters;  // of the query, separated by spaces
  AnsweredJson (*answer)(const Call& call);
};
constexpr JsonRoute json_routes[] = {
    {"ledger", "What a client needs to sign for this ledger and to verify it", "", get_ledger},
    {"totals", "Totals of each asset, in ledger units; dust, credited, paid and chain_fees in the chain's",
     "", get_totals},
    {"assets", "The assets", "", list_assets},
    {"accounts/{key}", "An account, by its public key (hex) or TRON address", "", get_account},
    {"accounts/{key}/history", "Its entries, newest first", "page_size page_token", get_account_history},
    {"accounts/{key}/channels", "The channels that it pays for or is paid by",
     "include_closed page_size page_token", list_channels},
    {"accounts/{key}/withdrawals", "Its withdrawals, newest first", "page_size page_token", list_withdrawals},
    {"accounts/{key}/deposit-address", "Where to send money for it on TRON", "", get_deposit_address},
    {"withdrawal-terms", "What the gateway pays out now, and on what terms", "", get_withdrawal_terms},
    {"channels/{id}", "A channel", "", get_channel},
    {"channels/{id}/history", "Its entries, newest first", "page_size page_token", get_channel_history},
    {"entries/{sequence}", "An entry: its leaf, and with `key` that key's postings", "key", get_entry},
    {"inclusion/{sequence}", "Proof that an entry is in the log of the newest checkpoint, or of `size`",
     "size", get_inclusion},
    {"consistency", "Proof that the log of `old_size` is the beginning of the log of `size` (or the newest)",
     "old_size size", get_consistency},
    {"anchors", "Anchors, newest first; with `covering` those of logs that hold that entry, oldest first",
     "covering solidified_only page_size page_token", list_anchors},
};

// What {} stands for, when `path` is of the route.
std::optional<std::string_view> match(std::string_view pattern, std::string_view path) {
  auto open = pattern.find('{'), close = pattern.find('}');
  if (open == std::string_view::npos) return path == pattern ? std::make_optional(path) : std::nullopt;
  std::string_view before = pattern.substr(0, open), after = pattern.substr(close + 1);
  if (path.size() <= before.size() + after.size() || !path.starts_with(before) || !path.ends_with(after))
    return std::nullopt;
  std::string_view named = path.substr(before.size(), path.size() - before.size() - after.size());
  if (named.find('/') != std::string_view::npos) return std::nullopt;
  return named;
}

Json parameter(std::string_view name, std::string_view where) {
  return Json::object({{"name", name},
                       {"in", where},
                       {"required", where == "path"},
                       {"schema", Json::object({{"type", "string"}})}});
}

Json describe(const JsonRoute& route) {
  std::vector<Json> parameters;
  if (auto open = route.path.find('{'); open != std::string_view::npos)
    parameters.push_back(parameter(route.path.substr(open + 1, route.path.find('}') - open - 1), "path"));
  std::string_view rest = route.parameters;
  while (!rest.empty()) {
    std::string_view name = rest.substr(0, rest.find(' '));
    parameters.push_back(parameter(name, "query"));
    rest.remove_prefix(std::min(name.size() + 1, rest.size()));
  }
  auto content =
      Json::object({{"application/json", Json::object({{"schema", Json::object({{"type", "object"}})}})}});
  auto refusal =
      Json::object({{"description", "Refused; `error` says what was wrong and what would be right"},
                    {"content", content}});
  auto responses = Json::object(
      {{"200", Json::object({{"description", route.summary}, {"content", content}})}, {"default", refusal}});
  return Json::object({{"get", Json::object({{"summary", route.summary},
                                             {"parameters", Json::array(parameters)},
                                             {"responses", responses}})}});
}

std::string openapi() {
  std::vector<std::string> names;
  for (const JsonRoute& route : json_routes) names.push_back("/api/v1/" + std::string(route.path));
  std::vector<Json::Member> paths;
  for (std::size_t i = 0; i < names.size(); ++i) paths.emplace_back(names[i], describe(json_routes[i]));
  return Json::object({{"openapi", "3.0.3"},
                       {"info", Json::object({{"title", "Windlass"},
                                              {"version", ops::version()},
                                              {"description",
                                               "64-bit numbers are strings, bytes are hex, amounts are "
                                               "in the asset's ledger unit, times are Unix "
                                               "microseconds."}})},
                       {"paths", Json::object(paths)}})
      .text();
}

HttpResponse json_response(int status, std::string text) {
  return {.status = status,
          .content_type = "application/json",
          .body = std::move(text) + "\n",
          .headers = {{"Access-Control-Allow-Origin", "*"}, {"Cache-Control", "no-store"}}};
}

HttpResponse refusal(int status, std::string_view reason, std::string_view message, bool retry) {
  return json_response(
      status,
      Json::object({{"error", Json::object({{"reason", reason}, {"message", message}, {"retry", retry}})}})
          .text());
}

}  // namespace

HttpResponse answer_json(Reader& reader, const HttpRequest& request) {
  std::string_view path = request.path;
  path.remove_prefix(std::string_view("/api/v1/").size());
  if (path == "openapi.json") return json_response(200, openapi());
  for (const JsonRoute& route : json_routes) {
    auto named = match(route.path, path);
    if (!named) continue;
    auto answer = route.answer(Call(reader, request, *named));
    if (answer) return json_response(200, answer->text());
    const core::ErrorInfo& error = core::info(answer.error());
    return refusal(http_status(answer.error()), error.reason, error.message, error.transient);
  }
  return refusal(404, "UNKNOWN_PATH", "there is nothing at this path; /api/v1/openapi.json lists all", false);
}

}  // namespace windlass::api
