#include "client/history.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <thread>

namespace windlass::client {
namespace {

constexpr std::uint32_t page_entries = 1000;

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

// Opening a channel touches the account, so its own chain names all of its channels.
std::vector<std::uint64_t> channels_opened(const std::vector<pb::Entry>& own) {
  std::vector<std::uint64_t> ids;
  for (const auto& entry : own)
    if (entry.kind() == static_cast<std::uint32_t>(core::Kind::open_channel)) ids.push_back(entry.sequence());
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
  std::size_t count = 0;
};

Proven<Chains> check_chains(const History& history) {
  auto own =
      check_chain(ChainOf::account, history.account.number(), history.account.last_sequence(), history.own);
  if (!own) return tl::unexpected(own.error());
  Chains all{own->leaf_hashes, 1};
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
    ++all.count;
  }
  return all;
}

// Asks for the inclusion proof of every entry, a few at a time; the first failure wins.
Result<void> prove_inclusion(Connection& connection, const std::map<std::uint64_t, Hash>& leaf_hashes,
                             const log::Checkpoint& checkpoint, int in_flight, const OnProgress& progress) {
  std::vector<std::pair<std::uint64_t, Hash>> todo(leaf_hashes.begin(), leaf_hashes.end());
  std::atomic<std::size_t> next = 0, done = 0;
  std::mutex mutex;
  std::optional<Failure> failure;
  auto prove = [&](const std::pair<std::uint64_t, Hash>& entry) -> Result<void> {
    pb::GetInclusionProofRequest request;
    request.set_sequence(entry.first);
    request.set_size(checkpoint.size);
    auto proof = connection.call(&pb::Log::Stub::GetInclusionProof, request);
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

// The oldest solidified anchor that covers `newest`, else the newest solidified one there is.
Result<std::optional<pb::Anchor>> find_anchor(Connection& connection, std::uint64_t newest) {
  pb::ListAnchorsRequest request;
  request.set_page_size(1);
  request.set_solidified_only(true);
  for (std::uint64_t covering : {newest, std::uint64_t{0}}) {
    request.set_covering(covering);
    auto listed = connection.call(&pb::Log::Stub::ListAnchors, request);
    if (!listed) return tl::unexpected(listed.error());
    if (listed->anchors_size() > 0) return listed->anchors(0);
  }
  return std::nullopt;
}

Result<log::Checkpoint> get_checkpoint(Connection& connection, std::uint64_t minimum_size,
                                       const log::VerifierKey& vkey) {
  pb::GetCheckpointRequest request;
  request.set_minimum_size(minimum_size);
  auto answer = connection.call(&pb::Log::Stub::GetCheckpoint, request);
  if (!answer) return tl::unexpected(answer.error());
  auto checkpoint = check_checkpoint(answer->note(), vkey);
  if (!checkpoint) return false_proof(checkpoint.error());
  if (checkpoint->size < minimum_size)
    return false_proof(fmt::format("the server signs a log of {} entries, but has shown entry {}",
                                   checkpoint->size, minimum_size - 1));
  return *checkpoint;
}

Result<tron::Address> anchor_address(Connection& connection, const log::Checkpoint& checkpoint) {
  auto entry = connection.call(&pb::Query::Stub::GetEntry, pb::GetEntryRequest{});
  if (!entry) return tl::unexpected(entry.error());
  auto genesis = check_genesis(*entry);
  if (!genesis) return false_proof(genesis.error());
  if (auto in_log = prove_inclusion(connection, {{0, *to_array<32>(entry->leaf_hash())}}, checkpoint, 1, {});
      !in_log)
    return tl::unexpected(in_log.error());
  auto address = tron::address_from_bytes(genesis->anchor_address);
  if (!address) return fail(Failure::Kind::refused, "this ledger's genesis names no address that anchors it");
  return *address;
}

Result<void> check_prefix(Connection& connection, const log::Checkpoint& older,
                          const log::Checkpoint& newer) {
  pb::GetConsistencyProofRequest request;
  request.set_old_size(older.size);
  request.set_size(newer.size);
  auto proof = connection.call(&pb::Log::Stub::GetConsistencyProof, request);
  if (!proof) return tl::unexpected(proof.error());
  auto held = check_consistency(older, newer, *proof);
  if (!held) return false_proof(held.error());
  return {};
}

Result<void> prove_anchor(Connection& connection, const pb::Anchor& anchor, const VerifyOptions& options,
                          Verified& verified) {
  auto owner = anchor_address(connection, verified.checkpoint);
  if (!owner) return tl::unexpected(owner.error());
  verified.anchored_by = *owner;
  bool unreachable = false;
  auto proven = check_anchor(anchor, *options.chain, *owner, unreachable);
  if (!proven) return fail(unreachable ? Failure::Kind::later : Failure::Kind::false_proof, proven.error());
  if (auto prefix = check_prefix(connection, proven->checkpoint, verified.checkpoint); !prefix)
    return tl::unexpected(prefix.error());
  verified.anchor = *proven;
  return {};
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
  for (auto fold = folds.rbegin(); fold != folds.rend(); ++fold)
    for (const Hash& posting : fold->second)
      chain.history = codec::extend_history(chain.history, fold->first, posting);
  return chain;
}

Result<Verified> verify_history(Connection& connection, const History& history, const VerifyOptions& options,
                                const OnProgress& progress) {
  auto chains = check_chains(history);
  if (!chains) return false_proof(chains.error());
  Verified verified;
  verified.entries = chains->leaf_hashes.size();
  verified.chains = chains->count;
  std::uint64_t newest = chains->leaf_hashes.rbegin()->first;
  auto anchor = find_anchor(connection, newest);
  if (!anchor) return tl::unexpected(anchor.error());
  std::uint64_t needed = std::max(newest + 1, *anchor ? (*anchor)->size() : 0);
  auto checkpoint = get_checkpoint(connection, needed, options.vkey);
  if (!checkpoint) return tl::unexpected(checkpoint.error());
  verified.checkpoint = *checkpoint;
  auto included =
      prove_inclusion(connection, chains->leaf_hashes, *checkpoint, options.proofs_in_flight, progress);
  if (!included) return tl::unexpected(included.error());

  if (!*anchor) {
    verified.not_anchored_because = "no anchor is solidified yet";
  } else if (!options.chain) {
    verified.not_anchored_because = "no TRON node was named to look it up (--tron or WINDLASS_TRON_GRPC)";
  } else if (auto proven = prove_anchor(connection, **anchor, options, verified); !proven) {
    return tl::unexpected(proven.error());
  }
  std::uint64_t anchored_size = verified.anchor ? verified.anchor->checkpoint.size : 0;
  auto first_open = chains->leaf_hashes.lower_bound(anchored_size);
  verified.anchored_entries =
      static_cast<std::size_t>(std::distance(chains->leaf_hashes.begin(), first_open));
  if (first_open != chains->leaf_hashes.end()) verified.oldest_unanchored = first_open->first;
  return verified;
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
        "anchored: {} of {} (all below entry {}) by transaction {} of {}, in solidified block {} of {}",
        verified.anchored_entries, verified.entries, anchor.checkpoint.size, to_hex(anchor.transaction_id),
        tron::to_base58(verified.anchored_by), anchor.block.number, utc(anchor.block.timestamp_ms)));
    if (verified.anchored_entries < verified.entries)
      lines.push_back(fmt::format("not anchored yet: from entry {} on", verified.oldest_unanchored));
  } else {
    lines.push_back("not proven against TRON: " + verified.not_anchored_because);
  }
  lines.push_back(
      "that the account number is this key's, and that the ledger obeyed its rules, is what "
      "`windlass audit --full` proves");
  return lines;
}

}  // namespace windlass::client
