#include "client/audit.h"

#include <fmt/format.h>

#include <future>
#include <thread>

#include "anchoring/gateway/deposit.h"
#include "anchoring/tron/trc20.h"
#include "client/commands.h"
#include "crypto/bip32.h"
#include "ledger/codec/balance_tree.h"
#include "ledger/codec/liabilities.h"
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

// A withdrawal that was settled as paid says which transaction on TRON paid it.
struct PaidWithdrawal {
  core::Sequence entry;
  core::AssetId asset;
  core::Amount amount = 0;  // without the fee
  std::string destination, transaction_id;
  std::uint64_t block = 0;
};

bool pays(const tron::ChainTransaction& transaction, const std::vector<tron::ContractLog>& logs,
          std::string_view token, const tron::trc20::Transfer& wanted) {
  if (const auto* transfer = std::get_if<tron::TransferContract>(&transaction.contract))
    return transfer->token_id == token && transfer->owner == wanted.from && transfer->to == wanted.to &&
           transfer->amount > 0 && static_cast<core::ChainAmount>(transfer->amount) == wanted.amount;
  return std::any_of(logs.begin(), logs.end(), [&](const tron::ContractLog& log) {
    return tron::to_base58(log.address) == token && tron::trc20::read_transfer(log) == wanted;
  });
}

// What on TRON contradicts the settlement. `executions` are those of executions_of.
std::optional<std::string> payment_fault(const PaidWithdrawal& paid, const tron::Block& block,
                                         const std::vector<tron::Execution>& executions,
                                         const core::Asset& asset, const tron::Address& custody) {
  std::string where =
      fmt::format("transaction {} in solidified block {}", to_hex(paid.transaction_id), paid.block);
  auto destination = tron::address_from_bytes(paid.destination);
  if (!destination) return "the withdrawal goes to no TRON address";
  tron::trc20::Transfer wanted{custody, *destination,
                               static_cast<core::ChainAmount>(paid.amount) * asset.chain_units};
  for (std::size_t i = 0; i < block.transactions.size(); ++i) {
    const auto& transaction = block.transactions[i];
    if (view(transaction.txid) != paid.transaction_id) continue;
    if (!transaction.succeeded) return where + " failed: it paid nothing";
    bool ran = !executions.empty() && !executions[i].failed && executions[i].result == tron::contract_success;
    if (!pays(transaction, ran ? executions[i].logs : std::vector<tron::ContractLog>(), asset.token, wanted))
      return fmt::format("{} does not pay {} units of {} from custody to {}", where, paid.amount,
                         asset.symbol, tron::to_base58(*destination));
    return std::nullopt;
  }
  return "TRON has no such payment: no " + where;
}

// What seals say of the liabilities, by the entry that they are of.
using NamedLiabilities = std::map<core::Sequence, Hash>;
// Leaves of liabilities that are computed again for each entry replayed, at the most: about as much work as
// its signature is. The newest liabilities are computed in any case.
constexpr std::uint64_t liability_leaves_per_entry = 64;

// The replay: the ledger's own core over its own entries.
class Replay {
 public:
  // The roots that seals name, by sequence.
  Replay(codec::SigningTag tag, std::map<core::Sequence, Hash> snapshots, NamedLiabilities liabilities)
      : tag_(std::move(tag)),
        state_(true),
        snapshots_(std::move(snapshots)),
        liabilities_(std::move(liabilities)) {}

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
  const std::vector<PaidWithdrawal>& payments() const { return payments_; }
  std::uint64_t liabilities() const { return liabilities_.size(); }
  std::uint64_t liabilities_found() const { return liabilities_found_; }
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
      if (auto right = check_seal(sequence, entry.decoded); !right) return right;
    }
    if (const auto* credit = std::get_if<core::Credit>(&entry.decoded.command.body)) {
      pb::Command command;
      command.ParseFromString(entry.decoded.envelope.command);
      credits_.push_back({made->sequence, *credit, command.credit().transaction_id()});
    }
    note_payment(*made, entry.decoded);
    if (!codec::is_public(made->kind)) newest_private_ = made->secret;
    signatures_ += entry.signatures;
    if (auto right = check_snapshot(made->sequence); !right) return right;
    return check_liabilities(made->sequence);
  }

  void note_payment(const codec::Entry& made, const codec::Decoded& decoded) {
    const auto* settled = std::get_if<core::SettleWithdrawal>(&decoded.command.body);
    if (!settled || !settled->paid) return;
    const core::Channel& withdrawal = *state_.channels.find(settled->withdrawal);
    pb::Command command;
    command.ParseFromString(decoded.envelope.command);
    const auto& settlement = command.settle_withdrawal();
    payments_.push_back({made.sequence, withdrawal.asset, withdrawal.deposit - withdrawal.fee,
                         withdrawal.content, settlement.transaction_id(), settlement.block()});
  }

  // A seal names what is of an entry before it, and was compared when the replay was there.
  Proven<void> check_seal(std::uint64_t sequence, const codec::Decoded& seal) const {
    auto listed = [&](const codec::SealedSnapshot& named, const std::map<core::Sequence, Hash>& list) {
      if (named == codec::SealedSnapshot{}) return true;
      auto known = list.find(named.sequence);
      return known != list.end() && known->second == named.root && named.sequence.value < sequence;
    };
    if (!listed(seal.snapshot, snapshots_))
      return tl::unexpected(
          named(sequence, "this seal names a balance snapshot that the list of seals does not"));
    if (!listed(seal.liabilities, liabilities_))
      return tl::unexpected(named(sequence, "this seal names liabilities that the list of seals does not"));
    return {};
  }

  // What is owed changes only by entries that are not public.
  Proven<void> check_liabilities(core::Sequence sequence) {
    auto wanted = liabilities_.find(sequence);
    if (wanted == liabilities_.end()) return {};
    auto leaves = codec::liability_shares * state_.globals.accounts;
    bool affordable = liability_leaves_ + leaves <= liability_leaves_per_entry * (sequence.value + 1);
    if (!affordable && std::next(wanted) != liabilities_.end()) return {};
    liability_leaves_ += leaves;
    auto secret = newest_private_ ? codec::liabilities_secret(sequence, *newest_private_) : codec::Secret{};
    auto assets = codec::liabilities_of(state_, secret);
    if (codec::liabilities_root(assets) != wanted->second)
      return tl::unexpected(
          named(sequence.value,
                "what is owed to all accounts after it does not make the liabilities that a seal names"));
    ++liabilities_found_;
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
  NamedLiabilities liabilities_;
  std::uint64_t liabilities_found_ = 0, liability_leaves_ = 0;
  std::optional<codec::Secret> newest_private_;  // of the newest entry that is not public
  std::vector<CreditedDeposit> credits_;
  std::vector<PaidWithdrawal> payments_;
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
    for (auto step :
         {&Audit::fetch_anchors, &Audit::fetch_checkpoint, &Audit::begin_replay, &Audit::resume, &Audit::read,
          &Audit::finish, &Audit::look_up_anchors, &Audit::look_up_credits, &Audit::look_up_payments})
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
    NamedLiabilities liabilities;
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
        if (seal.sequence() >= report_.checkpoint.size || decoded->liabilities == codec::SealedSnapshot{})
          continue;
        auto [known, is_new] = liabilities.emplace(decoded->liabilities.sequence, decoded->liabilities.root);
        if (!is_new && known->second != decoded->liabilities.root)
          return false_proof(named(seal.sequence(), fmt::format("this seal and an earlier one name different "
                                                                "liabilities after entry {}",
                                                                known->first.value)));
      }
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    replay_.emplace((*connection_.facts())->tag, std::move(snapshots), std::move(liabilities));
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
    report_.liabilities = replay_->liabilities();
    report_.liabilities_found = replay_->liabilities_found();
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
    auto deposit_key = this->deposit_key();
    if (!deposit_key) return tl::unexpected(deposit_key.error());
    std::optional<SolidBlock> block;
    for (const auto& credited : replay_->credits()) {
      if (!block || block->number != credited.credit.at.block) {
        auto found = solid_block(credited.credit.at.block, credited.entry, "deposit");
        if (!found) return tl::unexpected(found.error());
        block = *std::move(found);
      }
      parties.deposit_addresses = deposit_address_of(credited.credit, *deposit_key);
      auto arrivals = anchoring::arrivals(block->block, block->executions, parties);
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

  // A withdrawal that was settled as paid left custody for its destination.
  Result<void> look_up_payments() {
    if (!replay_) return {};
    report_.payments = replay_->payments().size();
    if (!options_.chain || replay_->payments().empty()) return {};
    auto entry = connection_.call(&pb::Query::Stub::GetEntry, pb::GetEntryRequest{});
    if (!entry) return tl::unexpected(entry.error());
    auto genesis = check_genesis(*entry);
    if (!genesis) return false_proof(genesis.error());
    auto custody = tron::address_from_bytes(genesis->custody_address);
    if (!custody)
      return false_proof("there are payments, but genesis names no custody address that they come from");
    std::optional<SolidBlock> block;
    std::map<std::string, core::Sequence> settled;  // by transaction
    for (const auto& paid : replay_->payments()) {
      auto [other, is_new] = settled.emplace(paid.transaction_id, paid.entry);
      if (!is_new)
        return false_proof(
            named(paid.entry.value, fmt::format("entry {} claims the same payment, transaction {}",
                                                other->second.value, to_hex(paid.transaction_id))));
      if (!block || block->number != paid.block) {
        auto found = solid_block(paid.block, paid.entry, "payment");
        if (!found) return tl::unexpected(found.error());
        block = *std::move(found);
      }
      const auto& asset = replay_->assets()[paid.asset.value - 1];
      if (auto fault = payment_fault(paid, block->block, block->executions, asset, *custody))
        return false_proof(named(paid.entry.value, *fault));
    }
    report_.payments_on_chain = report_.payments;
    return {};
  }

  struct SolidBlock {
    std::uint64_t number = 0;
    tron::Block block;
    std::vector<tron::Execution> executions;
  };
  Result<SolidBlock> solid_block(std::uint64_t number, core::Sequence entry, std::string_view claimed) const {
    auto found = options_.chain->solidified_block(static_cast<std::int64_t>(number));
    if (!found) return fail(Failure::Kind::later, found.error().message);
    if (!*found)
      return false_proof(named(
          entry.value, fmt::format("TRON has no such {}: block {} is not solidified", claimed, number)));
    auto executions = anchoring::executions_of(*options_.chain, **found);
    if (!executions) return fail(Failure::Kind::later, executions.error());
    return SolidBlock{number, **std::move(found), *std::move(executions)};
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
