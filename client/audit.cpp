#include "client/audit.h"

#include <fmt/format.h>

#include <future>
#include <thread>

#include "anchoring/gateway/deposit.h"
#include "client/commands.h"
#include "crypto/bip32.h"
#include "ledger/codec/balance_tree.h"
#include "ledger/codec/replay.h"
#include "ledger/core/error.h"
#include "ledger/core/invariants.h"

namespace windlass::client {
namespace {

// Enough to keep all cores at signatures, little enough to hold in memory when every entry is a list.
constexpr std::size_t entries_at_once = 2048;
constexpr std::uint32_t page_anchors = 1000;

std::string named(std::uint64_t sequence, std::string_view what) {
  return fmt::format("entry {}: {}", sequence, what);
}

Proven<codec::StoredEntry> stored_of(const pb::Entry& entry) {
  codec::StoredEntry stored{core::Sequence{entry.sequence()}, entry.time_us(),
                            static_cast<core::Kind>(entry.kind())};
  auto leaf_hash = to_array<32>(entry.leaf_hash());
  auto secret = to_array<32>(entry.secret());
  if (!leaf_hash || !secret || entry.envelope().empty())
    return tl::unexpected(named(entry.sequence(), "the server does not show its contents"));
  stored.leaf_hash = *leaf_hash;
  stored.secret = *secret;
  stored.envelope = entry.envelope();
  for (const auto& posting : entry.postings()) stored.postings += posting.posting();
  stored.links.assign(entry.links().begin(), entry.links().end());
  return stored;
}

// All that one entry says of itself: leaf, postings and envelope against the leaf hash. Needs no state.
Proven<codec::StoredEntry> check_alone(const pb::Entry& entry) {
  auto stored = stored_of(entry);
  if (!stored) return stored;
  auto checked = codec::check_stored(*stored);
  if (!checked) return tl::unexpected(checked.error());
  if (checked->leaf.encode() != entry.leaf())
    return tl::unexpected(named(entry.sequence(), "the leaf shown is not the one its contents make"));
  return stored;
}

struct Replayable {
  codec::StoredEntry stored;
  codec::Decoded decoded;
  std::size_t signatures = 0;
};

Proven<Replayable> check_command(codec::StoredEntry stored, const codec::SigningTag& tag) {
  auto decoded = codec::decode_stored(stored.envelope);
  if (!decoded) return tl::unexpected(named(stored.sequence.value, decoded.error()));
  if (auto error = codec::verify_signatures(*decoded, tag); error != core::Error::none)
    return tl::unexpected(named(stored.sequence.value, core::info(error).message));
  std::size_t signatures = decoded->signatures().size();
  return Replayable{std::move(stored), *std::move(decoded), signatures};
}

// Runs `check` over all of `entries` on all cores; the fault of the earliest entry wins.
template <typename Out, typename In, typename Check>
Proven<std::vector<Out>> on_all_cores(std::vector<In>& entries, Check check) {
  std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  std::size_t share = (entries.size() + cores - 1) / cores;
  std::vector<std::future<Proven<std::vector<Out>>>> parts;
  for (std::size_t begin = 0; begin < entries.size(); begin += share)
    parts.push_back(std::async(std::launch::async, [&, begin]() -> Proven<std::vector<Out>> {
      std::vector<Out> out;
      for (std::size_t i = begin; i < std::min(begin + share, entries.size()); ++i) {
        auto checked = check(entries[i]);
        if (!checked) return tl::unexpected(checked.error());
        out.push_back(*std::move(checked));
      }
      return out;
    }));
  Proven<std::vector<Out>> all;
  for (auto& part : parts) {
    auto done = part.get();
    if (!done && all) all = tl::unexpected(done.error());
    if (done && all) std::move(done->begin(), done->end(), std::back_inserter(*all));
  }
  return all;
}

// A credit says which transaction on TRON it is for.
struct CreditedDeposit {
  core::Sequence entry;
  core::Credit credit;
  std::string transaction_id;
};

// What on TRON contradicts the credit; `assets` are the ledger's. What came to custody is its owner's as the
// transaction says, what came elsewhere that of whose deposit address it is.
std::optional<std::string> credit_fault(const CreditedDeposit& credited,
                                        const std::vector<anchoring::Arrival>& arrivals,
                                        const tron::Address& custody,
                                        const std::vector<core::Asset>& assets) {
  const auto& credit = credited.credit;
  std::string where =
      fmt::format("transaction {} in solidified block {}", to_hex(credited.transaction_id), credit.at.block);
  for (const auto& arrival : arrivals) {
    if (arrival.index != credit.at.transaction || arrival.log != credit.at.log ||
        view(arrival.transaction->txid) != credited.transaction_id)
      continue;
    const auto* asset = anchoring::asset_of(assets, arrival.token);
    if (!asset || asset->number != credit.asset) return where + " moved another token than the credit says";
    if (arrival.amount != credit.amount) return where + " moved another amount than the credit says";
    if (arrival.to == custody && credit.owner != anchoring::owner_of(arrival))
      return where + " belongs to another key than the credit says";
    return std::nullopt;
  }
  return "TRON has no such deposit: no " + where +
         " that went to custody or to the deposit address of its owner";
}

// The replay: the ledger's own core over its own entries.
class Replay {
 public:
  // `snapshots`: the roots that seals name, by sequence.
  Replay(codec::SigningTag tag, std::map<core::Sequence, Hash> snapshots)
      : tag_(std::move(tag)), state_(true), snapshots_(std::move(snapshots)) {}

  Proven<void> apply(std::vector<codec::StoredEntry> entries) {
    auto checked = on_all_cores<Replayable>(
        entries, [&](codec::StoredEntry& stored) { return check_command(std::move(stored), tag_); });
    if (!checked) return tl::unexpected(checked.error());
    for (const auto& entry : *checked)
      if (auto applied = apply(entry); !applied) return applied;
    return {};
  }
  Proven<void> finish() const {
    if (auto fault = core::check_whole(state_)) return tl::unexpected("after the last entry: " + *fault);
    return {};
  }
  std::uint64_t signatures() const { return signatures_; }
  std::uint64_t accounts() const { return state_.globals.accounts; }
  std::uint64_t snapshots() const { return snapshots_found_; }
  const codec::SealedSnapshot& newest_snapshot() const { return newest_snapshot_; }
  const std::vector<CreditedDeposit>& credits() const { return credits_; }
  const std::vector<core::Asset>& assets() const { return state_.globals.assets; }
  // The account of a key that may have been rotated away since.
  std::optional<std::uint64_t> account_of(const PublicKey& key) const {
    const auto* entry = state_.key_entry(key);
    return entry ? std::optional(entry->account.value) : std::nullopt;
  }

 private:
  Proven<void> apply(const Replayable& entry) {
    std::uint64_t sequence = entry.stored.sequence.value;
    for (const auto& key : codec::unproven_keys(entry.decoded.command))
      if (!state_.key_entry(key) && !is_public_key(view(key)))
        return tl::unexpected(named(sequence, "it brings a key that is no point on the curve"));
    auto made = codec::replay(state_, entry.decoded, entry.stored);
    if (!made) return tl::unexpected(made.error());
    if (auto fault = chains_.check(made->sequence, made->postings)) return tl::unexpected(*fault);
    accounts_.follow(state_, *made);
    if (made->kind == core::Kind::seal) {
      if (auto fault = core::check_globals(state_.globals)) return tl::unexpected(named(sequence, *fault));
      if (auto right = check_seal(sequence, entry.decoded.snapshot); !right) return right;
    }
    if (const auto* credit = std::get_if<core::Credit>(&entry.decoded.command.body)) {
      pb::Command command;
      command.ParseFromString(entry.decoded.envelope.command);
      credits_.push_back({made->sequence, *credit, command.credit().transaction_id()});
    }
    signatures_ += entry.signatures;
    return check_snapshot(made->sequence);
  }

  // A seal names a snapshot before it, which was compared when the replay was there.
  Proven<void> check_seal(std::uint64_t sequence, const codec::SealedSnapshot& named_by_it) const {
    if (named_by_it == codec::SealedSnapshot{}) return {};
    auto known = snapshots_.find(named_by_it.sequence);
    if (known == snapshots_.end() || known->second != named_by_it.root ||
        named_by_it.sequence.value >= sequence)
      return tl::unexpected(
          named(sequence, "this seal names a balance snapshot that the list of seals does not"));
    return {};
  }

  Proven<void> check_snapshot(core::Sequence sequence) {
    auto wanted = snapshots_.find(sequence);
    if (wanted == snapshots_.end()) return {};
    if (accounts_.root(state_) != wanted->second)
      return tl::unexpected(
          named(sequence.value,
                "the balances and histories after it are not those of the snapshot that a seal names"));
    ++snapshots_found_;
    newest_snapshot_ = {sequence, wanted->second};
    return {};
  }

  codec::SigningTag tag_;
  core::State state_;
  core::ChainChecker chains_;
  codec::BalanceTree accounts_;
  std::map<core::Sequence, Hash> snapshots_;
  std::uint64_t snapshots_found_ = 0;
  codec::SealedSnapshot newest_snapshot_;
  std::vector<CreditedDeposit> credits_;
  std::uint64_t signatures_ = 0;
};

// Roots that the growing log must have at certain sizes.
class Milestones {
 public:
  void add(const pb::Anchor& anchor) { anchors_.emplace(anchor.size(), anchor); }
  std::uint64_t passed() const { return passed_; }
  std::uint64_t largest() const { return anchors_.empty() ? 0 : anchors_.rbegin()->first; }
  const std::multimap<std::uint64_t, pb::Anchor>& anchors() const { return anchors_; }

  Proven<void> check(const log::CompactRange& range) {
    auto [begin, end] = anchors_.equal_range(range.size());
    for (auto it = begin; it != end; ++it, ++passed_)
      if (it->second.root() != view(range.root()))
        return tl::unexpected(
            fmt::format("the anchor of {} entries (transaction {}) is not the log's root of that size",
                        range.size(), to_hex(it->second.transaction_id())));
    return {};
  }

 private:
  std::multimap<std::uint64_t, pb::Anchor> anchors_;  // by size
  std::uint64_t passed_ = 0;
};

class Audit {
 public:
  Audit(Connection& connection, const AuditOptions& options, const OnProgress& progress)
      : connection_(connection), options_(options), progress_(progress) {}

  Result<AuditReport> run() {
    auto facts = connection_.facts();
    if (!facts) return tl::unexpected(facts.error());
    report_.first = options_.from;
    for (auto step : {&Audit::fetch_anchors, &Audit::fetch_checkpoint, &Audit::begin_replay, &Audit::resume,
                      &Audit::read, &Audit::finish, &Audit::look_up_anchors, &Audit::look_up_credits})
      if (auto done = (this->*step)(); !done) return tl::unexpected(done.error());
    return report_;
  }

 private:
  Result<void> fetch_checkpoint() {
    pb::GetCheckpointRequest request;
    request.set_minimum_size(std::max(options_.from + 1, milestones_.largest()));
    auto answer = connection_.call(&pb::Log::Stub::GetCheckpoint, request);
    if (!answer && answer.error().reason == core::info(core::Error::not_signed_yet).reason &&
        milestones_.largest() > options_.from)
      return shorter_than_anchored();
    if (!answer) return tl::unexpected(answer.error());
    auto checkpoint = check_checkpoint(answer->note(), options_.vkey);
    if (!checkpoint) return false_proof(checkpoint.error());
    report_.checkpoint = *checkpoint;
    report_.note = answer->note();
    return {};
  }

  // What is anchored was signed before: a log only grows.
  Result<void> shorter_than_anchored() {
    auto newest = connection_.call(&pb::Log::Stub::GetCheckpoint, pb::GetCheckpointRequest{});
    if (!newest) return tl::unexpected(newest.error());
    auto checkpoint = check_checkpoint(newest->note(), options_.vkey);
    if (!checkpoint) return false_proof(checkpoint.error());
    return false_proof(
        fmt::format("an anchor is on a log of {} entries, but the ledger has a log of {}: entries are gone",
                    milestones_.largest(), checkpoint->size));
  }

  // Before the checkpoint, which then must cover them all.
  Result<void> fetch_anchors() {
    pb::ListAnchorsRequest request;
    request.set_page_size(page_anchors);
    request.set_solidified_only(true);
    do {
      auto listed = connection_.call(&pb::Log::Stub::ListAnchors, request);
      if (!listed) return tl::unexpected(listed.error());
      for (const auto& anchor : listed->anchors())
        if (anchor.size() > options_.from) milestones_.add(anchor);
      request.set_page_token(listed->next_page_token());
    } while (!request.page_token().empty());
    return {};
  }

  // The snapshots that seals name must be known before the replay comes by: a seal names an earlier one.
  Result<void> begin_replay() {
    if (!options_.full) return {};
    std::map<core::Sequence, Hash> snapshots;
    pb::ListSealsRequest request;
    request.set_page_size(page_anchors);
    do {
      auto page = connection_.call(&pb::Log::Stub::ListSeals, request);
      // Which one it is, and how, read() finds.
      if (!page && page.error().reason == core::info(core::Error::damaged_entry).reason) break;
      if (!page) return tl::unexpected(page.error());
      for (const auto& seal : page->seals()) {
        auto decoded = codec::decode_stored(seal.envelope());
        if (!decoded || decoded->command.kind() != core::Kind::seal)
          return false_proof(named(seal.sequence(), "the server lists it as a seal, but it is none"));
        if (seal.sequence() < report_.checkpoint.size && decoded->snapshot != codec::SealedSnapshot{})
          snapshots.emplace(decoded->snapshot.sequence, decoded->snapshot.root);
      }
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    replay_.emplace((*connection_.facts())->tag, std::move(snapshots));
    return {};
  }

  // In a tree of N + 1 leaves, the audit path of the last one is what the first N hash to: with it a log can
  // be continued from its middle. That it is right shows at the end, by the signed root.
  Result<void> resume() {
    if (options_.from == 0) return {};
    pb::GetInclusionProofRequest request;
    request.set_sequence(options_.from);
    request.set_size(options_.from + 1);
    auto proof = connection_.call(&pb::Log::Stub::GetInclusionProof, request);
    if (!proof) return tl::unexpected(proof.error());
    std::vector<Hash> peaks;
    for (auto hash = proof->path().rbegin(); hash != proof->path().rend(); ++hash)
      peaks.push_back(to_array<32>(*hash).value_or(Hash{}));
    auto range = log::CompactRange::resume(options_.from, std::move(peaks));
    if (!range) return false_proof(named(options_.from, "the proof of its place is malformed"));
    range_ = *std::move(range);
    return {};
  }

  // In calls of a batch each, so that each has its own deadline and memory stays bounded.
  Result<void> read() {
    while (range_.size() < report_.checkpoint.size) {
      auto batch = read_batch(range_.size());
      if (!batch) return tl::unexpected(batch.error());
      if (batch->empty()) return {};  // finish() names what is missing
      if (auto checked = check(*batch); !checked) return false_proof(checked.error());
    }
    return {};
  }

  Result<std::vector<pb::Entry>> read_batch(std::uint64_t first) {
    pb::ReadEntriesRequest request;
    request.set_first(first);
    request.set_count(std::min<std::uint64_t>(entries_at_once, report_.checkpoint.size - first));
    if (options_.auditor_key) sign(request);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + connection_.options().deadline);
    auto reader = connection_.stub<pb::Query::Stub>().ReadEntries(&context, request);
    std::vector<pb::Entry> batch;
    for (pb::Entry entry; reader->Read(&entry);) batch.push_back(std::move(entry));
    grpc::Status status = reader->Finish();
    if (!status.ok()) return tl::unexpected(connection_.with_address(failure_of(status)));
    return batch;
  }

  Proven<void> check(std::vector<pb::Entry>& entries) {
    auto stored =
        on_all_cores<codec::StoredEntry>(entries, [](const pb::Entry& entry) { return check_alone(entry); });
    if (!stored) return tl::unexpected(stored.error());
    for (const auto& entry : *stored) {
      if (entry.sequence.value != range_.size())
        return tl::unexpected(named(range_.size(), "it is missing; the server sent entry " +
                                                       std::to_string(entry.sequence.value) +
                                                       " in its place"));
      range_.append(entry.leaf_hash);
      if (auto held = milestones_.check(range_); !held) return held;
    }
    report_.entries += stored->size();
    if (progress_) progress_(report_.entries, report_.checkpoint.size - options_.from);
    if (replay_) return replay_->apply(*std::move(stored));
    return {};
  }

  Result<void> finish() {
    if (range_.size() != report_.checkpoint.size)
      return false_proof(named(range_.size(), "it is missing; the signed log has " +
                                                  std::to_string(report_.checkpoint.size) + " entries"));
    if (range_.root() != report_.checkpoint.root)
      return false_proof(fmt::format("the entries up to {} do not hash to the signed root of the log of {}",
                                     range_.size() - 1, range_.size()));
    report_.anchors = milestones_.passed();
    if (!replay_) return {};
    if (auto whole = replay_->finish(); !whole) return false_proof(whole.error());
    report_.signatures = replay_->signatures();
    report_.accounts = replay_->accounts();
    report_.snapshots = replay_->snapshots();
    report_.newest_snapshot = replay_->newest_snapshot();
    return {};
  }

  Result<void> look_up_anchors() {
    if (!options_.chain || milestones_.anchors().empty()) return {};
    auto entry = connection_.call(&pb::Query::Stub::GetEntry, pb::GetEntryRequest{});
    if (!entry) return tl::unexpected(entry.error());
    auto genesis = check_genesis(*entry);
    if (!genesis) return false_proof(genesis.error());
    auto parties = anchor_parties(*genesis);
    if (!parties) return false_proof("there are anchors, but " + parties.error());
    for (const auto& [size, anchor] : milestones_.anchors()) {
      bool unreachable = false;
      auto proven = check_anchor(anchor, *options_.chain, *parties, unreachable);
      if (!proven)
        return fail(unreachable ? Failure::Kind::later : Failure::Kind::false_proof, proven.error());
      ++report_.on_chain;
    }
    return {};
  }

  // Money comes into the ledger in no other way than by these.
  Result<void> look_up_credits() {
    if (!replay_) return {};
    report_.credits = replay_->credits().size();
    if (!options_.chain || replay_->credits().empty()) return {};
    auto entry = connection_.call(&pb::Query::Stub::GetEntry, pb::GetEntryRequest{});
    if (!entry) return tl::unexpected(entry.error());
    auto genesis = check_genesis(*entry);
    if (!genesis) return false_proof(genesis.error());
    auto custody = tron::address_from_bytes(genesis->custody_address);
    auto anchor = tron::address_from_bytes(genesis->anchor_address);
    if (!custody)
      return false_proof("there are credits, but genesis names no custody address that deposits go to");
    anchoring::Parties parties{*custody, anchor.value_or(tron::Address{})};
    std::optional<tron::Block> block;
    std::vector<tron::Execution> executions;  // of the block
    auto deposit_key = this->deposit_key();
    if (!deposit_key) return tl::unexpected(deposit_key.error());
    for (const auto& credited : replay_->credits()) {
      auto number = static_cast<std::int64_t>(credited.credit.at.block);
      if (!block || block->ref.number != number) {
        auto found = options_.chain->solidified_block(number);
        if (!found) return fail(Failure::Kind::later, found.error().message);
        if (!*found)
          return false_proof(
              named(credited.entry.value,
                    fmt::format("TRON has no such deposit: block {} is not solidified", number)));
        block = **found;
        auto told = anchoring::executions_of(*options_.chain, *block);
        if (!told) return fail(Failure::Kind::later, told.error());
        executions = *std::move(told);
      }
      parties.deposit_addresses = deposit_address_of(credited.credit, *deposit_key);
      auto arrivals = anchoring::arrivals(*block, executions, parties);
      if (auto fault = credit_fault(credited, arrivals, *custody, replay_->assets()))
        return false_proof(named(credited.entry.value, *fault));
    }
    report_.credits_on_chain = report_.credits;
    return {};
  }

  // That deposit addresses are derived from: named by whoever audits, else by the ledger itself.
  Result<std::optional<ExtendedPublicKey>> deposit_key() {
    auto facts = connection_.facts();
    if (!facts) return tl::unexpected(facts.error());
    std::string text = options_.deposit_key.empty() ? (*facts)->info.deposit_key() : options_.deposit_key;
    if (text.empty()) return std::nullopt;
    auto key = ExtendedPublicKey::parse(text);
    if (!key) return false_proof("the ledger's extended public key for deposits: " + key.error());
    return *key;
  }

  std::set<tron::Address> deposit_address_of(const core::Credit& credit,
                                             const std::optional<ExtendedPublicKey>& deposit_key) const {
    auto account = credit.owner ? replay_->account_of(*credit.owner) : std::nullopt;
    if (!deposit_key || !account || *account >= first_hardened_child) return {};
    auto child = deposit_key->child(static_cast<std::uint32_t>(*account));
    if (!child) return {};
    return {tron::address_of(child->key())};
  }

  void sign(pb::ReadEntriesRequest& request) const {
    pb::AuditorRequest asked;
    asked.set_first(request.first());
    asked.set_count(request.count());
    asked.set_expires_us(CommandSigner::system_now_ns() / 1000 + command_life_us);
    request.set_request(asked.SerializeAsString());
    auto facts = connection_.facts();  // known by now
    auto envelope = codec::sign(request.request(), (*facts)->tag, {&*options_.auditor_key});
    request.mutable_signature()->set_key(envelope.signers[0].key);
    request.mutable_signature()->set_signature(envelope.signers[0].signature);
  }

  Connection& connection_;
  const AuditOptions& options_;
  const OnProgress& progress_;
  AuditReport report_;
  log::CompactRange range_;
  Milestones milestones_;
  std::optional<Replay> replay_;
};

}  // namespace

log::AuditStatement AuditReport::statement() const {
  return {checkpoint.origin, checkpoint.size, checkpoint.root, newest_snapshot.sequence.value,
          newest_snapshot.root};
}

Result<AuditReport> audit(Connection& connection, const AuditOptions& options, const OnProgress& progress) {
  return Audit(connection, options, progress).run();
}

}  // namespace windlass::client
