#include "client/history.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "ledger/codec/liabilities.h"
#include "ledger/core/error.h"

namespace windlass::client {
namespace {

constexpr std::uint32_t page_entries = 1000;
constexpr std::string_view statement_format = "windlass/statement/v1";
constexpr std::size_t max_format_offset = 8;  // a serialized message begins with its first field

Result<std::vector<pb::Entry>> read_chain(Connection& connection, pb::GetHistoryRequest request,
                                          const std::function<void(std::size_t)>& count) {
  std::vector<pb::Entry> entries;
  request.set_page_size(page_entries);
  do {
    auto page = connection.call(&pb::Query::Stub::GetHistory, request);
    if (!page) return tl::unexpected(page.error());
    for (auto& entry : *page->mutable_entries()) entries.push_back(std::move(entry));
    request.set_page_token(page->next_page_token());
    count(static_cast<std::size_t>(page->entries_size()));
  } while (!request.page_token().empty());
  return entries;
}

// Opening a channel and asking for a withdrawal touch the account, so its own chain names all of its
// channels.
std::vector<std::uint64_t> channels_opened(const std::vector<pb::Entry>& own) {
  std::vector<std::uint64_t> ids;
  for (const auto& entry : own) {
    auto kind = static_cast<core::Kind>(entry.kind());
    if (kind == core::Kind::open_channel || kind == core::Kind::btfs_open_channel ||
        kind == core::Kind::withdraw)
      ids.push_back(entry.sequence());
  }
  return ids;
}

void add_postings(pb::Entry& to, const pb::Entry& from) {
  for (const auto& posting : from.postings()) {
    auto same = [&](const pb::Posting& known) { return known.index() == posting.index(); };
    if (std::none_of(to.postings().begin(), to.postings().end(), same)) *to.add_postings() = posting;
  }
  if (to.envelope().empty()) {
    to.set_envelope(from.envelope());
    to.set_envelope_salt(from.envelope_salt());
  }
}

bool belongs(const core::Posting& posting, ChainOf kind, std::uint64_t owner) {
  if (const auto* account = std::get_if<core::AccountPosting>(&posting))
    return kind == ChainOf::account && account->account.value == owner;
  if (const auto* closing = std::get_if<core::ClosingPosting>(&posting))
    return kind == ChainOf::account && closing->payer.account.value == owner;
  const auto& channel = std::get<core::ChannelPosting>(posting);
  return kind == ChainOf::channel && channel.channel.value == owner;
}

std::string_view noun(ChainOf kind) {
  return kind == ChainOf::account ? "account" : "channel";
}

// The postings of one entry that belong to the chain, and the entry before it. All of them name the same one.
Proven<std::uint64_t> check_link(ChainOf kind, std::uint64_t owner, const ProvenEntry& entry,
                                 ProvenChain& chain, std::vector<Hash>& folded) {
  std::optional<core::Sequence> previous;
  for (const auto& [posting, hash] : entry.postings) {
    if (!belongs(posting, kind, owner)) continue;
    core::Sequence named = codec::previous_of(posting);
    if (previous && *previous != named)
      return tl::unexpected(
          fmt::format("entry {}: its postings disagree about the entry before", entry.leaf.sequence.value));
    previous = named;
    folded.push_back(hash);
    chain.postings[entry.leaf.sequence.value].push_back(posting);
    if (const auto* closing = std::get_if<core::ClosingPosting>(&posting))
      chain.closings[closing->channel.value] = closing->history;
  }
  if (!previous)
    return tl::unexpected(
        fmt::format("entry {} does not touch {} {}", entry.leaf.sequence.value, noun(kind), owner));
  return previous->value;
}

std::string not_in_history(ChainOf kind, std::uint64_t owner, std::uint64_t missing) {
  return fmt::format("the history of {} {} is incomplete: entry {} is left out", noun(kind), owner, missing);
}

struct Chains {
  std::map<std::uint64_t, Hash> leaf_hashes;  // of all chains
  ProvenChain own;
  std::map<std::uint64_t, ProvenChain> channels;
};

Proven<Chains> check_chains(const History& history) {
  auto own =
      check_chain(ChainOf::account, history.account.number(), history.account.last_sequence(), history.own);
  if (!own) return tl::unexpected(own.error());
  Chains all{own->leaf_hashes, *own, {}};
  for (const auto& [id, entries] : history.channels) {
    std::uint64_t newest = entries.empty() ? id : entries.front().sequence();
    auto chain = check_chain(ChainOf::channel, id, newest, entries);
    if (!chain) return tl::unexpected(chain.error());
    // The payer's closing posting commits to the channel's whole history: its newest entry included.
    if (auto closing = own->closings.find(id);
        closing != own->closings.end() && closing->second != chain->history)
      return tl::unexpected(
          fmt::format("channel {}: its entries are not those that its closing commits to", id));
    for (const auto& [sequence, hash] : chain->leaf_hashes) {
      auto [known, is_new] = all.leaf_hashes.try_emplace(sequence, hash);
      if (!is_new && known->second != hash)
        return tl::unexpected(fmt::format("entry {}: two chains show two different leaves", sequence));
    }
    all.channels[id] = *std::move(chain);
  }
  return all;
}

// --- balance snapshots

// The account's record as of `through`, from its own postings and those of its channels: what its leaf must
// commit to.
core::Account account_at(const ProvenChain& own, core::Sequence through) {
  core::Account account;
  for (const auto& [sequence, postings] : own.postings) {
    if (sequence > through.value) break;
    for (const auto& posting : postings) {
      const auto* closing = std::get_if<core::ClosingPosting>(&posting);
      const auto& after = (closing ? closing->payer : std::get<core::AccountPosting>(posting)).after;
      if (after.asset != core::no_asset) account.change_balance(after.asset) = after;
    }
  }
  return account;
}

core::Int128 set_aside(const core::Balance& balance) {
  return core::Int128{balance.locked} + balance.held;
}

// The channels that it paid for and that were open then, and its withdrawals under way. Either sets aside
// money of the payer, and none of the recipient; the payer's closing posting ends it. Their assets, by id.
std::map<std::uint64_t, core::AssetId> open_channels_at(const Chains& chains, core::Sequence snapshot) {
  std::map<std::uint64_t, core::AssetId> open;
  core::Account account;
  for (const auto& [sequence, postings] : chains.own.postings) {
    if (sequence > snapshot.value) break;
    for (const auto& posting : postings) {
      const auto* closing = std::get_if<core::ClosingPosting>(&posting);
      const auto& after = (closing ? closing->payer : std::get<core::AccountPosting>(posting)).after;
      if (closing)
        open.erase(closing->channel.value);
      else if (chains.channels.contains(sequence) &&
               set_aside(after) > set_aside(account.balance(after.asset)))
        open[sequence] = after.asset;
      if (after.asset != core::no_asset) account.change_balance(after.asset) = after;
    }
  }
  return open;
}

std::vector<core::Channel> channels_at(const Chains& chains, core::Sequence snapshot) {
  std::vector<core::Channel> channels;
  for (auto [id, asset] : open_channels_at(chains, snapshot)) {
    const auto& chain = chains.channels.at(id);
    auto newest = std::prev(chain.postings.upper_bound(snapshot.value));  // it opened before
    const auto& posting = std::get<core::ChannelPosting>(newest->second.back());
    channels.push_back({.id = {id},
                        .asset = asset,
                        .deposit = posting.deposit,
                        .claimed = posting.claimed,
                        .last = {newest->first},
                        .history = chain.history_at.at(newest->first)});
  }
  return channels;
}

// The leaf commits to this very history: nothing before it was left out, and nothing was put in.
Proven<void> check_leaf_of(const Chains& chains, const ProvenStatement& statement) {
  const auto& leaf = statement.leaf;
  auto fault = [&](std::string_view what) {
    return tl::unexpected(fmt::format("the balance snapshot at entry {} knows another history: {}",
                                      statement.snapshot.sequence.value, what));
  };
  auto history = chains.own.history_at.find(leaf.last.value);
  if (history == chains.own.history_at.end())
    return fault(fmt::format("there the account's newest entry is {}, which is left out", leaf.last.value));
  if (history->second != leaf.history)
    return fault(fmt::format("up to entry {}, an entry is left out, put in or changed", leaf.last.value));
  auto next = chains.own.postings.upper_bound(leaf.last.value);
  if (next != chains.own.postings.end() && next->first <= statement.snapshot.sequence.value)
    return fault(fmt::format("entry {} came before it, but is not in it", next->first));
  if (codec::balances_root(account_at(chains.own, leaf.last)) != leaf.balances_root)
    return fault("its balances are not those after the account's newest entry in it");
  auto channels = channels_at(chains, statement.snapshot.sequence);
  std::vector<const core::Channel*> open;
  for (const auto& channel : channels) open.push_back(&channel);
  if (codec::channels_root(std::move(open)) != leaf.channels_root)
    return fault("its open channels, or what happened to one of them, are others");
  return {};
}

// Asks for the inclusion proof of every entry, a few at a time; the first failure wins.
Result<void> prove_inclusion(Evidence& evidence, const std::map<std::uint64_t, Hash>& leaf_hashes,
                             const log::Checkpoint& checkpoint, int in_flight, const OnProgress& progress) {
  std::vector<std::pair<std::uint64_t, Hash>> todo(leaf_hashes.begin(), leaf_hashes.end());
  std::atomic<std::size_t> next = 0, done = 0;
  std::mutex mutex;
  std::optional<Failure> failure;
  auto prove = [&](const std::pair<std::uint64_t, Hash>& entry) -> Result<void> {
    auto proof = evidence.inclusion(entry.first, checkpoint.size);
    if (!proof) return tl::unexpected(proof.error());
    auto leaf = check_inclusion(*proof, checkpoint);
    if (!leaf) return false_proof(leaf.error());
    if (proof->sequence() != entry.first || proof->leaf_hash() != view(entry.second))
      return false_proof(
          fmt::format("entry {}: the log holds another leaf than the history shows", entry.first));
    return {};
  };
  auto work = [&] {
    for (std::size_t i; (i = next++) < todo.size();) {
      auto proven = prove(todo[i]);
      std::lock_guard lock(mutex);
      if (!proven && !failure) failure = proven.error();
      if (failure) return;
      if (progress) progress(++done, todo.size());
    }
  };
  std::vector<std::thread> workers;
  for (int i = 0; i < in_flight; ++i) workers.emplace_back(work);
  for (auto& worker : workers) worker.join();
  if (failure) return tl::unexpected(*failure);
  return {};
}

struct Signed {
  log::Checkpoint checkpoint;
  std::string note;
};

Result<Signed> get_checkpoint(Evidence& evidence, std::uint64_t minimum_size, const log::VerifierKey& vkey) {
  auto answer = evidence.checkpoint(minimum_size);
  if (!answer) return tl::unexpected(answer.error());
  auto checkpoint = check_checkpoint(answer->note(), vkey);
  if (!checkpoint) return false_proof(checkpoint.error());
  if (checkpoint->size < minimum_size)
    return false_proof(fmt::format("the server signs a log of {} entries, but has shown entry {}",
                                   checkpoint->size, minimum_size - 1));
  return Signed{*checkpoint, answer->note()};
}

// A checkpoint of at least `size` entries, which was signed once: `newest` where that has so many.
// A log only grows, so one that does not reach it any more has lost entries.
Result<Signed> not_shorter(Evidence& evidence, const Signed& newest, std::uint64_t size,
                           std::string_view what, const log::VerifierKey& vkey) {
  if (newest.checkpoint.size >= size) return newest;
  auto larger = get_checkpoint(evidence, size, vkey);
  if (larger || larger.error().reason != core::info(core::Error::not_signed_yet).reason) return larger;
  return false_proof(
      fmt::format("{} is on a log of {} entries, but the ledger has a log of {}: entries are gone", what,
                  size, newest.checkpoint.size));
}

Result<AnchorParties> parties_of(Evidence& evidence, const log::Checkpoint& checkpoint) {
  auto entry = evidence.genesis();
  if (!entry) return tl::unexpected(entry.error());
  auto genesis = check_genesis(*entry);
  if (!genesis) return false_proof(genesis.error());
  if (auto in_log = prove_inclusion(evidence, {{0, *to_array<32>(entry->leaf_hash())}}, checkpoint, 1, {});
      !in_log)
    return tl::unexpected(in_log.error());
  auto parties = anchor_parties(*genesis);
  if (!parties) return fail(Failure::Kind::refused, parties.error());
  return *parties;
}

Result<void> check_prefix(Evidence& evidence, const log::Checkpoint& older, const log::Checkpoint& newer) {
  auto proof = evidence.consistency(older.size, newer.size);
  if (!proof) return tl::unexpected(proof.error());
  auto held = check_consistency(older, newer, *proof);
  if (!held) return false_proof(held.error());
  return {};
}

Result<void> prove_anchor(Evidence& evidence, const pb::Anchor& anchor, const VerifyOptions& options,
                          Verified& verified) {
  auto parties = parties_of(evidence, verified.checkpoint);
  if (!parties) return tl::unexpected(parties.error());
  log::Checkpoint anchored{verified.checkpoint.origin, anchor.size(),
                           to_array<32>(anchor.root()).value_or(Hash{})};
  if (auto prefix = check_prefix(evidence, anchored, verified.checkpoint); !prefix)
    return tl::unexpected(prefix.error());
  if (!options.chain) {
    verified.not_anchored_because = "no TRON node was named to look it up (--tron or WINDLASS_TRON_GRPC)";
    return {};
  }
  bool unreachable = false;
  auto proven = check_anchor(anchor, *options.chain, *parties, unreachable);
  if (!proven) return fail(unreachable ? Failure::Kind::later : Failure::Kind::false_proof, proven.error());
  verified.anchor = *proven;
  return {};
}

// The auditor's statement on the largest log.
Result<log::AuditStatement> find_audit(Evidence& evidence, const log::VerifierKey& auditor) {
  auto audits = evidence.audits();
  if (!audits) return tl::unexpected(audits.error());
  std::optional<log::AuditStatement> newest;
  for (const auto& audit : *audits) {
    auto text = audit.vkey() == auditor.text() ? log::open_note(audit.note(), auditor)
                                               : tl::unexpected(std::string());
    auto statement = text ? log::AuditStatement::parse(*text) : std::nullopt;
    if (statement && (!newest || statement->size > newest->size)) newest = statement;
  }
  if (!newest)
    return false_proof(fmt::format(
        "no statement signed by {} is there: this auditor vouches for nothing here", auditor.text()));
  return *newest;
}

Result<std::optional<ProvenStatement>> find_statement(Evidence& evidence, ByteView key,
                                                      const std::optional<log::AuditStatement>& audit,
                                                      const std::optional<core::Sequence>& wanted) {
  std::optional<std::uint64_t> snapshot;
  if (wanted) snapshot = wanted->value;
  if (audit) snapshot = audit->snapshot_sequence;
  auto found = evidence.statement(key, snapshot);
  if (!found) return tl::unexpected(found.error());
  if (!*found) return std::nullopt;
  auto proven = check_statement(**found, key);
  if (!proven) return false_proof(proven.error());
  if (!audit && !proven->seal) return false_proof("the balance snapshot shown is named by no seal");
  return std::optional(*std::move(proven));
}

// The log is the one that the auditor has replayed, and the snapshot shown the one that was signed.
Result<void> check_against_audit(Evidence& evidence, const log::AuditStatement& audit,
                                 const log::Checkpoint& checkpoint,
                                 const std::optional<ProvenStatement>& statement, std::uint64_t first_entry) {
  if (audit.origin != checkpoint.origin) return false_proof("the auditor's statement is on another log");
  if (auto prefix = check_prefix(evidence, {audit.origin, audit.size, audit.root}, checkpoint); !prefix)
    return prefix;
  if (statement &&
      statement->snapshot != codec::SealedSnapshot{{audit.snapshot_sequence}, audit.snapshot_root})
    return false_proof("the balance snapshot shown is not the one that the auditor signed");
  if (!statement && first_entry <= audit.snapshot_sequence)
    return false_proof(
        fmt::format("the auditor's balance snapshot at entry {} must have this account, whose first entry is "
                    "{}, but the ledger does not show it there",
                    audit.snapshot_sequence, first_entry));
  return {};
}

Result<void> prove_snapshot(Evidence& evidence, const Chains& chains, const ProvenStatement& statement,
                            const std::optional<log::AuditStatement>& audit, Verified& verified) {
  if (auto held = check_leaf_of(chains, statement); !held) return false_proof(held.error());
  ProvenSnapshot proven{statement.snapshot.sequence, statement.snapshot.root, statement.leaf.last,
                        core::no_sequence};
  if (audit) proven.audited_size = audit->size;
  if (statement.seal) {
    auto [sequence, leaf_hash] = *statement.seal;
    if (auto in_log = prove_inclusion(evidence, {{sequence.value, leaf_hash}}, verified.checkpoint, 1, {});
        !in_log)
      return in_log;
    proven.seal = sequence;
    proven.anchored = verified.anchor && sequence.value < verified.anchor->checkpoint.size;
  }
  auto newer = chains.leaf_hashes.upper_bound(proven.sequence.value);
  proven.newer = static_cast<std::size_t>(std::distance(newer, chains.leaf_hashes.end()));
  verified.snapshot = proven;
  return {};
}

std::string describe(const ProvenSnapshot& snapshot, bool anchor_known) {
  std::string line = fmt::format("complete: up to entry {}, ", snapshot.sequence.value);
  if (snapshot.audited_size > 0)
    line += fmt::format("the auditor, who has replayed {} entries, signed a balance snapshot ",
                        snapshot.audited_size);
  else
    line += fmt::format("seal {} ({}) names a balance snapshot ", snapshot.seal.value,
                        snapshot.anchored ? "anchored"
                        : anchor_known    ? "not anchored yet"
                                          : "its anchor not proven");
  line += "in which this key has exactly this history and these balances";
  if (snapshot.newer > 0)
    line += fmt::format("; {} newer entr{} linked, and in no such snapshot yet", snapshot.newer,
                        snapshot.newer == 1 ? "y is" : "ies are");
  return line;
}

std::string utc(std::int64_t unix_ms) {
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(static_cast<std::time_t>(unix_ms / 1000)));
}

}  // namespace

std::vector<pb::Entry> History::merged() const {
  std::map<std::uint64_t, pb::Entry, std::greater<>> by_sequence;
  auto add = [&](const std::vector<pb::Entry>& entries) {
    for (const auto& entry : entries) {
      auto [known, is_new] = by_sequence.try_emplace(entry.sequence(), entry);
      if (!is_new) add_postings(known->second, entry);
    }
  };
  add(own);
  for (const auto& [id, entries] : channels) add(entries);
  std::vector<pb::Entry> all;
  all.reserve(by_sequence.size());
  for (auto& [sequence, entry] : by_sequence) all.push_back(std::move(entry));
  return all;
}

Result<History> read_history(Connection& connection, const pb::Account& account, const OnProgress& progress) {
  History history{account, {}, {}, account.size()};
  std::uint64_t read = 0;
  auto count = [&](std::size_t more) {
    read += more;
    if (progress) progress(read, 0);
  };
  pb::GetHistoryRequest request;
  request.set_key(account.key());
  auto own = read_chain(connection, request, count);
  if (!own) return tl::unexpected(own.error());
  history.own = *std::move(own);
  // An entry may have arrived between the two calls: the history read is the newer and the whole one.
  if (!history.own.empty()) history.account.set_last_sequence(history.own.front().sequence());
  for (std::uint64_t id : channels_opened(history.own)) {
    pb::GetHistoryRequest of_channel;
    of_channel.set_channel(id);
    auto entries = read_chain(connection, of_channel, count);
    if (!entries) return tl::unexpected(entries.error());
    history.channels[id] = *std::move(entries);
  }
  return history;
}

Proven<ProvenChain> check_chain(ChainOf kind, std::uint64_t owner, std::uint64_t newest,
                                const std::vector<pb::Entry>& entries) {
  ProvenChain chain;
  std::vector<std::pair<core::Sequence, std::vector<Hash>>> folds;  // newest first
  std::uint64_t expected = newest;
  for (const auto& entry : entries) {
    if (expected == core::no_sequence.value)
      return tl::unexpected(
          fmt::format("entry {} stands before the first of {} {}", entry.sequence(), noun(kind), owner));
    if (entry.sequence() != expected) return tl::unexpected(not_in_history(kind, owner, expected));
    auto proven = check_entry(entry);
    if (!proven) return tl::unexpected(proven.error());
    auto& fold = folds.emplace_back(proven->leaf.sequence, std::vector<Hash>());
    auto previous = check_link(kind, owner, *proven, chain, fold.second);
    if (!previous) return tl::unexpected(previous.error());
    bool goes_back = *previous < expected || *previous == core::no_sequence.value;
    if (!goes_back)
      return tl::unexpected(fmt::format("entry {} names a later entry as the one before", expected));
    chain.sequences.insert(expected);
    chain.leaf_hashes[expected] = proven->leaf_hash;
    expected = *previous;
  }
  if (expected != core::no_sequence.value) return tl::unexpected(not_in_history(kind, owner, expected));
  for (auto fold = folds.rbegin(); fold != folds.rend(); ++fold) {
    for (const Hash& posting : fold->second)
      chain.history = codec::extend_history(chain.history, fold->first, posting);
    chain.history_at[fold->first.value] = chain.history;
  }
  return chain;
}

pb::StatementFile unproven_statement(const History& history) {
  pb::StatementFile file;
  file.set_format(std::string(statement_format));
  *file.mutable_account() = history.account;
  file.mutable_own()->Assign(history.own.begin(), history.own.end());
  for (const auto& [id, entries] : history.channels) {
    auto& channel = *file.add_channels();
    channel.set_channel(id);
    channel.mutable_entries()->Assign(entries.begin(), entries.end());
  }
  return file;
}

History history_of(const pb::StatementFile& file) {
  History history{file.account(), {file.own().begin(), file.own().end()}, {}, 0};
  for (const auto& channel : file.channels())
    history.channels[channel.channel()] = {channel.entries().begin(), channel.entries().end()};
  return history;
}

std::optional<pb::StatementFile> parse_statement(const std::string& bytes) {
  pb::StatementFile file;
  bool is_one = bytes.find(statement_format) < max_format_offset && file.ParseFromString(bytes) &&
                file.format() == statement_format;
  return is_one ? std::optional(std::move(file)) : std::nullopt;
}

Result<Verified> verify_history(Evidence& evidence, const History& history, const VerifyOptions& options,
                                const OnProgress& progress) {
  auto chains = check_chains(history);
  if (!chains) return false_proof(chains.error());
  Verified verified;
  verified.entries = chains->leaf_hashes.size();
  verified.chains = 1 + chains->channels.size();
  std::uint64_t newest = chains->leaf_hashes.rbegin()->first;
  auto anchor = evidence.anchor(newest);
  if (!anchor) return tl::unexpected(anchor.error());
  std::optional<log::AuditStatement> audit;
  if (options.auditor) {
    auto found = find_audit(evidence, *options.auditor);
    if (!found) return tl::unexpected(found.error());
    audit = *found;
  }
  auto statement = find_statement(evidence, history.account.key(), audit, options.snapshot);
  if (!statement) return tl::unexpected(statement.error());
  std::uint64_t shown = newest + 1;
  if (*statement && (*statement)->seal) shown = std::max(shown, (*statement)->seal->first.value + 1);
  if (!options.also_in_log.empty()) shown = std::max(shown, options.also_in_log.rbegin()->first + 1);
  auto newest_signed = get_checkpoint(evidence, shown, options.vkey);
  if (newest_signed && *anchor)
    newest_signed = not_shorter(evidence, *newest_signed, (*anchor)->size(), "an anchor", options.vkey);
  if (newest_signed && audit)
    newest_signed =
        not_shorter(evidence, *newest_signed, audit->size, "the auditor's statement", options.vkey);
  if (!newest_signed) return tl::unexpected(newest_signed.error());
  verified.checkpoint = newest_signed->checkpoint;
  verified.note = newest_signed->note;
  if (audit)
    if (auto held = check_against_audit(evidence, *audit, verified.checkpoint, *statement,
                                        chains->own.postings.begin()->first);
        !held)
      return tl::unexpected(held.error());
  auto in_log = chains->leaf_hashes;
  in_log.insert(options.also_in_log.begin(), options.also_in_log.end());
  auto included = prove_inclusion(evidence, in_log, verified.checkpoint, options.proofs_in_flight, progress);
  if (!included) return tl::unexpected(included.error());

  if (!*anchor) {
    verified.not_anchored_because = "no anchor is solidified yet";
  } else if (auto proven = prove_anchor(evidence, **anchor, options, verified); !proven) {
    return tl::unexpected(proven.error());
  }
  std::uint64_t anchored_size = verified.anchor ? verified.anchor->checkpoint.size : 0;
  auto first_open = chains->leaf_hashes.lower_bound(anchored_size);
  verified.anchored_entries =
      static_cast<std::size_t>(std::distance(chains->leaf_hashes.begin(), first_open));
  if (first_open != chains->leaf_hashes.end()) verified.oldest_unanchored = first_open->first;
  if (*statement)
    if (auto proven = prove_snapshot(evidence, *chains, **statement, audit, verified); !proven)
      return tl::unexpected(proven.error());
  return verified;
}

Proven<core::Amount> owed_after(const History& history, core::Sequence sequence, core::AssetId asset) {
  auto chains = check_chains(history);
  if (!chains) return tl::unexpected(chains.error());
  core::Amount claimed = 0;
  for (const auto& channel : channels_at(*chains, sequence))
    if (channel.asset == asset) claimed += channel.claimed;
  return codec::owed(account_at(chains->own, sequence).balance(asset), claimed);
}

std::vector<std::string> describe(const Verified& verified) {
  std::vector<std::string> lines;
  lines.push_back(
      fmt::format("whole: {} entries in {} chain{}, each linked to the one before, back to the first",
                  verified.entries, verified.chains, verified.chains == 1 ? "" : "s"));
  lines.push_back(fmt::format("included: every one is in the log of {} entries that \"{}\" signed",
                              verified.checkpoint.size, verified.checkpoint.origin));
  if (verified.anchor) {
    const auto& anchor = *verified.anchor;
    lines.push_back(fmt::format(
        "anchored: {} of {} (all below entry {}) by transaction {} of {}{}, in solidified block {} of {}",
        verified.anchored_entries, verified.entries, anchor.checkpoint.size, to_hex(anchor.transaction_id),
        tron::to_base58(anchor.sender),
        anchor.contract ? " through contract " + tron::to_base58(*anchor.contract) : "", anchor.block.number,
        utc(anchor.block.timestamp_ms)));
    if (verified.anchored_entries < verified.entries)
      lines.push_back(fmt::format("not anchored yet: from entry {} on", verified.oldest_unanchored));
  } else {
    lines.push_back("not proven against TRON: " + verified.not_anchored_because);
  }
  lines.push_back(verified.snapshot
                      ? describe(*verified.snapshot, verified.anchor.has_value())
                      : "not proven complete: the ledger shows the account in no sealed balance snapshot");
  // The account's leaf names the key beside the history; without one, the number is the server's word.
  if (!verified.snapshot) lines.push_back("that this account is the key's is the ledger's word until then");
  if (!verified.snapshot || verified.snapshot->audited_size == 0)
    lines.push_back(
        "that the ledger obeyed its rules is what `windlass audit --full` proves, or an auditor's word "
        "(--auditor)");
  return lines;
}

}  // namespace windlass::client
