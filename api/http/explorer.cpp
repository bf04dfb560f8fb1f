#include "api/http/explorer.h"

#include <fmt/format.h>

#include "api/http/explorer_assets.h"
#include "api/http/format.h"
#include "ledger/core/limits.h"

namespace windlass::api {
namespace {

using core::Error;

constexpr std::size_t rows_per_page = 25;
constexpr std::size_t newest_anchors = 5;
constexpr std::size_t short_hex = 12;  // characters of a hash or key where the whole one is a click away

struct Page {
  std::string title;
  std::string body;
  bool moving = false;  // it will look different soon
  int status = 200;
};

// ---- pieces of HTML; whatever comes from outside goes through escape_html ----

std::string link(const std::string& path, std::string_view text) {
  return fmt::format("<a href=\"{}\">{}</a>", escape_html(path), escape_html(text));
}
std::string shortened(std::string_view text) {
  if (text.size() <= short_hex + 2) return fmt::format("<code>{}</code>", escape_html(text));
  return fmt::format("<code title=\"{}\">{}…</code>", escape_html(text),
                     escape_html(text.substr(0, short_hex)));
}
std::string key_link(const core::Key& key) {
  return fmt::format("<a href=\"/key/{}\">{}</a>", to_hex(key), shortened(to_hex(key)));
}
std::string entry_link(core::Sequence sequence, const std::optional<core::Key>& as = {}) {
  auto number = number_of(sequence);
  if (!number) return "";
  return link(fmt::format("/entry/{}{}", *number, as ? "?key=" + to_hex(*as) : ""), std::to_string(*number));
}
std::string channel_link(core::ChannelId id) {
  return link(fmt::format("/channel/{}", id.value), std::to_string(id.value));
}

// `1,234.5`
std::string grouped(std::string_view text) {
  std::size_t first = text.starts_with('-') ? 1 : 0, end = std::min(text.find('.'), text.size());
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i > first && i < end && (end - i) % 3 == 0) out += ',';
    out += text[i];
  }
  return out;
}
std::string count_text(std::uint64_t count) {
  return grouped(std::to_string(count));
}

std::string row(const std::vector<std::string>& cells) {
  std::string out = "<tr>";
  for (const std::string& cell : cells) out += "<td>" + cell + "</td>";
  return out + "</tr>\n";
}
std::string table(const std::vector<std::string_view>& headings, const std::string& rows) {
  std::string head;
  for (std::string_view heading : headings) head += fmt::format("<th>{}</th>", heading);
  return fmt::format(
      "<div class=\"scroll\"><table><thead><tr>{}</tr></thead><tbody>\n{}</tbody></table></div>\n", head,
      rows);
}
// Names and values; the values are HTML.
using Facts = std::vector<std::pair<std::string_view, std::string>>;
std::string facts(const Facts& all) {
  std::string rows;
  for (const auto& [name, value] : all)
    if (!value.empty()) rows += fmt::format("<tr><th>{}</th><td>{}</td></tr>\n", name, value);
  return fmt::format("<div class=\"scroll\"><table class=\"facts\"><tbody>\n{}</tbody></table></div>\n",
                     rows);
}
std::string card(std::string_view name, const std::string& value, const std::string& note) {
  return fmt::format("<div class=\"card\"><span>{}</span><b>{}</b><span>{}</span></div>\n", name, value,
                     note);
}
std::string code(std::string_view text) {
  return fmt::format("<code>{}</code>", escape_html(text));
}
std::string nothing_yet(std::string_view text) {
  return fmt::format("<p class=\"soft\">{}</p>\n", text);
}
std::string older_link(const std::string& base, const std::string& token) {
  if (token.empty()) return "";
  return fmt::format("<nav class=\"pages\">{}</nav>\n", link(base + "?page=" + token, "Older"));
}

// ---- amounts ----

class Amounts {
 public:
  explicit Amounts(const TotalsView& totals)
      : assets_(totals.globals.assets), btfs_asset_(totals.btfs_asset) {}
  // `<data value="1234.5">1,234.5</data> BTT`: a browser shows groups, a program reads none.
  std::string show(core::Amount amount, core::AssetId asset, bool with_sign = false) const {
    const core::Asset* found = find(asset);
    if (!found) return std::to_string(amount);
    std::string plain = amount_text(amount, found->decimals);
    std::string sign = with_sign && amount > 0 ? "+" : "";
    return fmt::format("<data value=\"{}\">{}{}</data> {}", plain, sign, grouped(plain),
                       escape_html(found->symbol));
  }
  std::string show_chain(core::ChainAmount amount, core::AssetId asset) const {
    const core::Asset* found = find(asset);
    return found ? show(static_cast<core::Amount>(amount / found->chain_units), asset) : decimal_text(amount);
  }
  // What clients of the historical protocol sign names no asset.
  std::string show_btfs(core::Amount amount) const { return show(amount, btfs_asset_); }
  std::string symbol(core::AssetId asset) const {
    const core::Asset* found = find(asset);
    return found ? escape_html(found->symbol) : "";
  }

 private:
  const core::Asset* find(core::AssetId asset) const {
    return asset.value >= 1 && asset.value <= assets_.size() ? &assets_[asset.value - 1] : nullptr;
  }
  std::vector<core::Asset> assets_;
  core::AssetId btfs_asset_;
};

// ---- what several pages show ----

std::string anchor_rows(const std::vector<journal::AnchorRow>& anchors) {
  std::string rows;
  for (const auto& anchor : anchors) {
    bool solid = anchor.state == "solidified";
    rows +=
        row({count_text(anchor.size), shortened(to_hex(anchor.root)),
             fmt::format("<span class=\"{}\">{}</span>", solid ? "good" : "wait", escape_html(anchor.state)),
             anchor.transaction_id.empty() ? "" : shortened(to_hex(anchor.transaction_id)),
             anchor.block > 0 ? std::to_string(anchor.block) : "",
             time_text(solid ? anchor.solidified_us : anchor.sealed_us)});
  }
  return rows;
}
std::string anchors_table(const std::vector<journal::AnchorRow>& anchors) {
  if (anchors.empty()) return nothing_yet("Nothing is anchored yet.");
  return table({"Entries", "Root", "State", "TRON transaction", "Block", "Time"}, anchor_rows(anchors));
}

const core::AccountPosting* account_posting(const core::Posting& posting) {
  if (const auto* closing = std::get_if<core::ClosingPosting>(&posting)) return &closing->payer;
  return std::get_if<core::AccountPosting>(&posting);
}

// The command's parties, for who may see the command. `reader` knows that it is itself.
std::string describe(const core::Command& command, const Amounts& amounts,
                     const std::optional<core::Key>& reader) {
  struct Describe {
    const Amounts& amounts;
    std::string operator()(const core::Receipt& c) const { return "on channel " + channel_link(c.channel); }
    std::string operator()(const core::Transfer& c) const {
      return amounts.show(c.amount, c.asset) + " to " + key_link(c.recipient);
    }
    std::string operator()(const core::TransferList& c) const {
      return fmt::format("{} payments", c.payments.size());
    }
    std::string operator()(const core::OpenChannel& c) const {
      return amounts.show(c.amount, c.asset) + " for " + key_link(c.recipient);
    }
    std::string operator()(const core::TopUpChannel& c) const {
      return "of channel " + channel_link(c.channel);
    }
    std::string operator()(const core::CloseChannel& c) const {
      return "of channel " + channel_link(c.channel);
    }
    std::string operator()(const core::RotateKey& c) const { return "to " + key_link(c.new_key); }
    std::string operator()(const core::Credit& c) const {
      return fmt::format("{} from block {}", amounts.show_chain(c.amount, c.asset), c.at.block);
    }
    std::string operator()(const core::SetAsset& c) const { return escape_html(c.asset.symbol); }
    std::string operator()(const core::SetRoles& c) const { return "of " + key_link(c.key); }
    std::string operator()(const core::Withdraw& c) const {
      return amounts.show(c.amount, c.asset) + " to " + escape_html(tron_text(view(c.destination)));
    }
    std::string operator()(const core::SettleWithdrawal& c) const {
      return fmt::format("of withdrawal {}: {}", c.withdrawal.value, c.paid ? "paid" : "given back");
    }
    std::string operator()(const core::ApproveWithdrawal& c) const {
      return fmt::format("of withdrawal {}", c.withdrawal.value);
    }
    std::string operator()(const core::AssignDeposit& c) const {
      return fmt::format("of deposit {} to ", c.deposit.value) + key_link(c.owner);
    }
    std::string operator()(const core::BookChainFees& c) const {
      return amounts.show_chain(c.cumulative, c.asset) + " in all";
    }
    std::string operator()(const core::RefuseBtfs&) const { return ""; }
    std::string operator()(const core::BtfsTransfer& c) const {
      return amounts.show_btfs(c.amount) + " to " + key_link(c.recipient);
    }
    std::string operator()(const core::BtfsOpenChannel& c) const {
      return amounts.show_btfs(c.amount) + " for " + key_link(c.recipient);
    }
    std::string operator()(const core::BtfsCloseChannel& c) const {
      return fmt::format("of channel {}: {} to {}, {} back", channel_link(c.state.channel),
                         amounts.show_btfs(c.state.to_balance), key_link(c.state.to),
                         amounts.show_btfs(c.state.from_balance));
    }
    std::string operator()(const core::BtfsWithdraw& c) const {  // the channel is a withdrawal from then on
      return fmt::format("of channel {}: {} to {}", c.paid.channel.value,
                         amounts.show_btfs(c.paid.to_balance - c.fee),
                         escape_html(tron_text(view(c.destination))));
    }
    std::string operator()(const core::BtfsRotateKey& c) const { return "to " + key_link(c.new_key); }
    std::string operator()(const core::Genesis&) const { return ""; }
    std::string operator()(const core::Seal&) const { return ""; }
  };
  std::string out = std::visit(Describe{amounts}, command.body);
  bool unsigned_kind =
      std::holds_alternative<core::Genesis>(command.body) || std::holds_alternative<core::Seal>(command.body);
  if (unsigned_kind || command.signer == reader) return out;
  return out + " <span class=\"soft\">by</span> " + key_link(command.signer);
}
std::string describe(const EntryView& entry, const Amounts& amounts,
                     const std::optional<core::Key>& reader = {}) {
  if (!entry.envelope) return "";
  auto decoded = codec::decode_stored(*entry.envelope);
  return decoded ? describe(decoded->command, amounts, reader) : "";
}

std::string kind_text(core::Kind kind) {
  std::string out(core::name(kind));
  std::replace(out.begin(), out.end(), '_', ' ');
  return escape_html(out);
}

// Entries of an account, newest first. A posting says what was left; what moved is the difference to the next
// older one of the same asset, where the page has it.
class AccountHistory {
 public:
  AccountHistory(const std::vector<EntryView>& entries, const Amounts& amounts, const core::Key& key)
      : entries_(entries), amounts_(amounts), key_(key) {
    for (const EntryView& entry : entries) {
      auto& postings = postings_.emplace_back();
      for (const ProvenPosting& proven : entry.postings)
        if (auto posting = codec::decode_posting(proven.posting)) postings.push_back(*posting);
    }
  }

  std::string html() const {
    std::string rows;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      const EntryView& entry = entries_[i];
      std::string moved, left;
      for (const core::Posting& posting : postings_[i]) add(i, posting, moved, left);
      rows += row({entry_link(entry.leaf.sequence, key_), time_text(entry.leaf.time_us),
                   kind_text(entry.leaf.kind), moved, left, describe(entry, amounts_, key_)});
    }
    if (rows.empty()) return nothing_yet("No entries yet.");
    return table({"Entry", "Time", "Kind", "Available moved by", "Available after", "What"}, rows);
  }

 private:
  void add(std::size_t place, const core::Posting& posting, std::string& moved, std::string& left) const {
    if (const auto* account = account_posting(posting)) {
      if (account->after.asset == core::no_asset) return;
      core::Amount after = account->after.available;
      if (auto before = available_before(place, *account))
        moved += amounts_.show(after - *before, account->after.asset, true) + "<br>";
      left += amounts_.show(after, account->after.asset) + "<br>";
    } else if (const auto* channel = std::get_if<core::ChannelPosting>(&posting)) {
      left += "<span class=\"soft\">channel</span> " + channel_link(channel->channel) + "<br>";
    }
  }
  std::optional<core::Amount> available_before(std::size_t place, const core::AccountPosting& posting) const {
    if (posting.previous == core::no_sequence) return 0;
    for (std::size_t i = place + 1; i < postings_.size(); ++i)
      for (const core::Posting& older : postings_[i]) {
        const auto* account = account_posting(older);
        if (!account || account->account != posting.account) continue;
        if (account->after.asset == posting.after.asset) return account->after.available;
        if (account->previous == core::no_sequence) return 0;  // its first entry: this asset came later
      }
    return std::nullopt;
  }

  const std::vector<EntryView>& entries_;
  const Amounts& amounts_;
  const core::Key& key_;
  std::vector<std::vector<core::Posting>> postings_;
};

// ---- pages ----

using AnsweredPage = Answered<Page>;

std::string totals_table(const TotalsView& totals, const Amounts& amounts) {
  std::string rows;
  for (const auto& of : totals.globals.totals)
    rows += row({amounts.symbol(of.asset), amounts.show(of.available, of.asset),
                 amounts.show(of.locked, of.asset), amounts.show(of.held, of.asset),
                 amounts.show(of.unassigned, of.asset), amounts.show_chain(of.credited, of.asset),
                 amounts.show_chain(of.paid, of.asset)});
  return table(
      {"Asset", "Available", "In channels", "Held for withdrawal", "Unassigned", "Credited", "Paid out"},
      rows);
}

AnsweredPage home_page(const Site& site) {
  auto ledger = site.reader.ledger();
  auto totals = site.reader.totals();
  auto anchors = site.reader.anchors({}, false, newest_anchors, "");
  auto solidified = site.reader.anchors({}, true, 1, "");
  if (!ledger) return tl::unexpected(ledger.error());
  if (!totals) return tl::unexpected(totals.error());
  if (!anchors) return tl::unexpected(anchors.error());
  if (!solidified) return tl::unexpected(solidified.error());
  Amounts amounts(*totals);
  auto checkpoint = log::Checkpoint::of_own_note(site.checkpoint());
  bool any = !solidified->anchors.empty();
  std::string body = "<div class=\"cards\">\n";
  body += card("Entries", count_text(ledger->size), "committed");
  body += card("Checkpoint", checkpoint ? count_text(checkpoint->size) : "none yet",
               checkpoint ? "entries signed, root " + shortened(to_hex(checkpoint->root)) : "");
  body += card("Anchored", any ? count_text(solidified->anchors[0].size) : "none yet",
               any ? "entries, solid on TRON at block " + std::to_string(solidified->anchors[0].block) : "");
  body += card("Accounts", count_text(totals->globals.accounts),
               count_text(totals->globals.open_channels) +
                   (totals->globals.open_channels == 1 ? " open channel" : " open channels"));
  body += "</div>\n<h2>Assets</h2>\n" + totals_table(*totals, amounts);
  body += "<h2>Newest anchors</h2>\n" + anchors_table(anchors->anchors);
  if (!anchors->anchors.empty())
    body += fmt::format("<nav class=\"pages\">{}</nav>\n", link("/anchors", "All anchors"));
  body +=
      "<h2>Verify it yourself</h2>\n" +
      facts({{"Log", code(ledger->genesis.origin)},
             {"Verifier key", code(ledger->genesis.log_vkey)},
             {"Signing tag", code(ledger->signing_tag)},
             {"Anchored by", code(tron_text(ledger->genesis.anchor_address))},
             {"Deposits to", code(tron_text(ledger->genesis.custody_address))},
             {"Machine readable", link("/checkpoint", "checkpoint") + ", " + link("/tile/0/000", "tiles") +
                                      ", " + link("/api/v1/openapi.json", "JSON")}});
  return Page{ledger->genesis.origin, body, true};
}

std::string balances_table(const core::Account& account, const Amounts& amounts) {
  std::string rows;
  for (const core::Balance& balance : account.balances)
    rows += row({amounts.symbol(balance.asset), amounts.show(balance.available, balance.asset),
                 amounts.show(balance.locked, balance.asset), amounts.show(balance.held, balance.asset)});
  if (rows.empty()) return nothing_yet("No balance.");
  return table({"Asset", "Available", "Locked in channels", "Held for withdrawal"}, rows);
}

std::string channels_table(const std::vector<ChannelView>& channels, const Amounts& amounts) {
  std::string rows;
  for (const auto& [channel, payer, recipient] : channels)
    rows += row({channel_link(channel.id), key_link(payer), key_link(recipient),
                 amounts.show(channel.deposit, channel.asset), amounts.show(channel.claimed, channel.asset),
                 time_text(channel.expires_us)});
  if (rows.empty()) return nothing_yet("No open channels.");
  return table({"Channel", "Payer", "Recipient", "Deposit", "Claimed", "Expires"}, rows);
}

AnsweredPage key_page(const Site& site, const core::Key& key, const std::string& token) {
  auto account = site.reader.account(key);
  auto totals = site.reader.totals();
  auto history = site.reader.history(key, rows_per_page, token);
  auto channels = site.reader.channels(key, false, rows_per_page, "");
  if (!account) return tl::unexpected(account.error());
  if (!totals) return tl::unexpected(totals.error());
  if (!history) return tl::unexpected(history.error());
  if (!channels) return tl::unexpected(channels.error());
  Amounts amounts(*totals);
  std::string path = "/key/" + to_hex(key);
  std::string body = "<h1>Account</h1>\n";
  bool rotated = account->rotated_at != core::no_sequence;
  body += facts({{"Key", code(to_hex(key))},
                 {"TRON address", code(tron_text(key))},
                 {"Rotated away", rotated ? "by entry " + entry_link(account->rotated_at) + " to " +
                                                key_link(account->account.key)
                                          : ""},
                 {"Open channels", std::to_string(account->account.open_channels)}});
  body += "<h2>Balances</h2>\n" + balances_table(account->account, amounts);
  body += "<h2>Open channels</h2>\n" + channels_table(channels->channels, amounts);
  body += "<h2>History</h2>\n" + AccountHistory(history->entries, amounts, key).html();
  body += older_link(path, history->next_page_token);
  return Page{"Key " + to_hex(key).substr(0, short_hex), body, token.empty()};
}

AnsweredPage channel_page(const Site& site, core::ChannelId id, const std::string& token) {
  auto found = site.reader.channel(id);
  auto totals = site.reader.totals();
  auto history = site.reader.history(id, rows_per_page, token);
  if (!found) return tl::unexpected(found.error());
  if (!totals) return tl::unexpected(totals.error());
  if (!history) return tl::unexpected(history.error());
  Amounts amounts(*totals);
  const core::Channel& channel = found->channel;
  std::string body = fmt::format("<h1>Channel {}</h1>\n", id.value);
  body += facts({{"State", channel.open ? "<span class=\"good\">open</span>" : "closed"},
                 {"Payer", key_link(found->payer)},
                 {"Recipient", key_link(found->recipient)},
                 {"Receipts signed by", code(to_hex(channel.receipt_key))},
                 {"Deposit", amounts.show(channel.deposit, channel.asset)},
                 {"Claimed", amounts.show(channel.claimed, channel.asset)},
                 {"Last claim", entry_link(channel.claim)},
                 {"Expires", channel.expires_us == 0 ? "never" : time_text(channel.expires_us)},
                 {"Content", channel.content.empty() ? "" : code(to_hex(channel.content))}});
  std::string rows;
  for (const EntryView& entry : history->entries) {
    std::string deposit, claimed;
    for (const ProvenPosting& proven : entry.postings) {
      auto posting = codec::decode_posting(proven.posting);
      const auto* of = posting ? std::get_if<core::ChannelPosting>(&*posting) : nullptr;
      if (!of || of->channel != id) continue;
      deposit = amounts.show(of->deposit, channel.asset);
      claimed = amounts.show(of->claimed, channel.asset);
    }
    rows += row({entry_link(entry.leaf.sequence), time_text(entry.leaf.time_us), kind_text(entry.leaf.kind),
                 deposit, claimed});
  }
  body += "<h2>History</h2>\n" + table({"Entry", "Time", "Kind", "Deposit after", "Claimed after"}, rows);
  body += older_link(fmt::format("/channel/{}", id.value), history->next_page_token);
  return Page{fmt::format("Channel {}", id.value), body, channel.open && token.empty()};
}

// How far an entry has come, in words.
std::string proof_status(std::uint64_t sequence, const std::optional<log::Checkpoint>& checkpoint,
                         const std::vector<journal::AnchorRow>& covering) {
  if (!covering.empty() && covering[0].state == "solidified")
    return fmt::format("<span class=\"good\">anchored</span>: solid on TRON in block {}, transaction {}",
                       covering[0].block, code(to_hex(covering[0].transaction_id)));
  if (!covering.empty())
    return fmt::format("<span class=\"wait\">being anchored</span>: {}", escape_html(covering[0].state));
  if (checkpoint && checkpoint->size > sequence)
    return "<span class=\"wait\">signed</span>: under a checkpoint, not yet anchored";
  return "<span class=\"wait\">committed</span>: durable, not yet under a checkpoint";
}

// The solidified anchor that covers the entry, else the one that is on its way.
Answered<std::vector<journal::AnchorRow>> covering_anchor(Reader& reader, core::Sequence sequence) {
  auto solidified = reader.anchors(sequence, true, 1, "");
  if (!solidified) return tl::unexpected(solidified.error());
  if (!solidified->anchors.empty()) return solidified->anchors;
  auto any = reader.anchors(sequence, false, 1, "");
  if (!any) return tl::unexpected(any.error());
  return any->anchors;
}

// A channel's posting names no asset: an account's of the same entry does, or the channel itself.
core::AssetId asset_of_channels(Reader& reader, const EntryView& entry) {
  core::AssetId asset = core::no_asset;
  for (const ProvenPosting& proven : entry.postings) {
    auto posting = codec::decode_posting(proven.posting);
    if (!posting) continue;
    if (const auto* account = account_posting(*posting); account && account->after.asset != core::no_asset)
      return account->after.asset;
    if (const auto* channel = std::get_if<core::ChannelPosting>(&*posting))
      if (auto found = reader.channel(channel->channel)) asset = found->channel.asset;
  }
  return asset;
}

std::string postings_table(Reader& reader, const EntryView& entry, const Amounts& amounts) {
  std::string rows;
  core::AssetId of_channels = asset_of_channels(reader, entry);
  for (const ProvenPosting& proven : entry.postings) {
    auto posting = codec::decode_posting(proven.posting);
    if (!posting) continue;
    if (const auto* account = account_posting(*posting)) {
      const core::Balance& after = account->after;
      bool moved = after.asset != core::no_asset;
      rows += row({fmt::format("account {}", account->account.value),
                   moved ? amounts.show(after.available, after.asset) : "unchanged",
                   moved ? amounts.show(after.locked, after.asset) : "",
                   moved ? amounts.show(after.held, after.asset) : "", entry_link(account->previous)});
    } else if (const auto* channel = std::get_if<core::ChannelPosting>(&*posting)) {
      rows +=
          row({"channel " + channel_link(channel->channel),
               "deposit " + amounts.show(channel->deposit, of_channels),
               "claimed " + amounts.show(channel->claimed, of_channels), "", entry_link(channel->previous)});
    }
  }
  if (rows.empty())
    return nothing_yet("Who moved what is shown to the parties: open the entry from a key's page.");
  return table({"Of", "Available after", "Locked after", "Held after", "Previous entry"}, rows);
}

AnsweredPage entry_page(const Site& site, core::Sequence sequence, const std::optional<core::Key>& key) {
  auto entry = site.reader.entry(sequence, key);
  auto totals = site.reader.totals();
  auto covering = covering_anchor(site.reader, sequence);
  if (!entry) return tl::unexpected(entry.error());
  if (!totals) return tl::unexpected(totals.error());
  if (!covering) return tl::unexpected(covering.error());
  Amounts amounts(*totals);
  bool solid = !covering->empty() && (*covering)[0].state == "solidified";
  std::string body = fmt::format("<h1>Entry {}</h1>\n", sequence.value);
  body += facts(
      {{"Kind", kind_text(entry->leaf.kind)},
       {"What", describe(*entry, amounts)},
       {"Time", time_text(entry->leaf.time_us)},
       {"Proof", proof_status(sequence.value, log::Checkpoint::of_own_note(site.checkpoint()), *covering)},
       {"Leaf hash", code(to_hex(entry->leaf_hash))},
       {"Leaf", code(to_hex(entry->leaf.encode()))},
       {"Machine readable",
        link(fmt::format("/api/v1/entries/{}", sequence.value), "entry") + ", " +
            link(fmt::format("/api/v1/inclusion/{}", sequence.value), "inclusion proof")}});
  body += "<h2>Postings</h2>\n" + postings_table(site.reader, *entry, amounts);
  if (!covering->empty()) body += "<h2>Anchor</h2>\n" + anchors_table(*covering);
  return Page{fmt::format("Entry {}", sequence.value), body, !solid};
}

AnsweredPage anchors_page(const Site& site, const std::string& token) {
  auto anchors = site.reader.anchors({}, false, rows_per_page, token);
  if (!anchors) return tl::unexpected(anchors.error());
  std::string body = "<h1>Anchors</h1>\n" + anchors_table(anchors->anchors);
  return Page{"Anchors", body + older_link("/anchors", anchors->next_page_token), token.empty()};
}

Page failure_page(Error error) {
  const core::ErrorInfo& what = core::info(error);
  return {"Windlass",
          fmt::format("<h1>{}</h1>\n<p>{}</p>\n", escape_html(what.reason), escape_html(what.message)), false,
          http_status(error)};
}

HttpResponse render(const Page& page) {
  static constexpr auto form =
      R"(<form action="/lookup"><input name="q" aria-label="Look up" placeholder="Public key, TRON address or entry number")"
      R"( autocomplete="off" spellcheck="false" required><button>Look up</button></form>)";
  HttpResponse response{.status = page.status, .content_type = "text/html; charset=utf-8"};
  response.body = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{} · "
      "Windlass</title>\n"
      "<link rel=\"icon\" href=\"data:,\">\n<style>{}</style>\n</head>\n<body>\n"
      "<header><a class=\"name\" href=\"/\">Windlass</a>{}</header>\n<main{}>\n{}</main>\n"
      "<footer>Everything here can be checked against TRON: <code>windlass history KEY "
      "--verify</code></footer>\n"
      "<script>{}</script>\n</body>\n</html>\n",
      escape_html(page.title), explorer_style, form, page.moving ? " data-moving" : "", page.body,
      explorer_script);
  response.headers = {{"Cache-Control", "no-store"},
                      {"Content-Security-Policy", explorer_policy()},
                      {"Referrer-Policy", "no-referrer"}};
  return response;
}

HttpResponse lookup(std::string_view asked) {
  std::string path = "/";
  auto first = asked.find_first_not_of(" \t"), last = asked.find_last_not_of(" \t");
  if (first != std::string_view::npos) asked = asked.substr(first, last - first + 1);
  if (parse_number(asked)) path = fmt::format("/entry/{}", asked);
  bool plain = std::all_of(asked.begin(), asked.end(), [](unsigned char c) { return std::isalnum(c) != 0; });
  if (looks_like_key(asked) && plain) path = fmt::format("/key/{}", asked);
  if (path == "/") return render(failure_page(Error::bad_key));
  return {.status = 303, .headers = {{"Location", path}, {"Cache-Control", "no-store"}}};
}

std::string query(const HttpRequest& request, std::string_view name) {
  auto found = request.query.find(name);
  return found == request.query.end() ? "" : found->second;
}

// The page that `path` names; nothing when it names none.
std::optional<AnsweredPage> find_page(const Site& site, const HttpRequest& request) {
  std::string_view path = request.path;
  auto after = [&](std::string_view prefix) -> std::optional<std::string_view> {
    if (!path.starts_with(prefix)) return std::nullopt;
    return path.substr(prefix.size());
  };
  std::string token = query(request, "page");
  if (path == "/") return home_page(site);
  if (path == "/anchors") return anchors_page(site, token);
  if (auto named = after("/key/"))
    return named_key(site.reader, *named).and_then([&](const core::Key& key) {
      return key_page(site, key, token);
    });
  if (auto named = after("/channel/")) {
    auto id = parse_number(*named);
    return id ? channel_page(site, {*id}, token) : AnsweredPage(tl::unexpected(Error::unknown_channel));
  }
  if (auto named = after("/entry/")) {
    auto sequence = parse_number(*named);
    if (!sequence) return AnsweredPage(tl::unexpected(Error::unknown_entry));
    std::optional<core::Key> key;
    if (std::string as = query(request, "key"); !as.empty()) {
      auto found = named_key(site.reader, as);
      if (!found) return AnsweredPage(tl::unexpected(found.error()));
      key = *found;
    }
    return entry_page(site, {*sequence}, key);
  }
  return std::nullopt;
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::optional<HttpResponse> answer_page(const Site& site, const HttpRequest& request) {
  if (request.path == "/lookup") return lookup(query(request, "q"));
  auto page = find_page(site, request);
  if (!page) return std::nullopt;
  return render(*page ? **page : failure_page(page->error()));
}

}  // namespace windlass::api
