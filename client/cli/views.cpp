#include "client/cli/views.h"

#include <bit>
#include <fstream>

#include "ledger/core/error.h"

namespace windlass::cli {
namespace {

// The ledger signs twice a second: one that is not there after this is not about to come.
constexpr std::chrono::milliseconds checkpoint_wait{3'000};

struct Signed {
  std::string note;
  log::Checkpoint checkpoint;
};

CheckpointMemory memory_of(const Context& context) {
  return CheckpointMemory(CheckpointMemory::default_directory(context.options().checkpoints));
}

std::optional<Signed> remembered(const Context& context, const log::VerifierKey& vkey) {
  auto note = memory_of(context).newest(vkey);
  if (!note) return std::nullopt;
  return Signed{*note, check_checkpoint(*note, vkey).value()};
}

Result<Signed> newest_of_ledger(Context& context, const log::VerifierKey& vkey, std::uint64_t minimum_size) {
  pb::GetCheckpointRequest request;
  request.set_minimum_size(minimum_size);
  auto deadline = std::min(checkpoint_wait, context.connection().options().deadline);
  auto answer = context.connection().call(&pb::Log::Stub::GetCheckpoint, request, deadline);
  if (!answer) return tl::unexpected(answer.error());
  auto checkpoint = check_checkpoint(answer->note(), vkey);
  if (!checkpoint) return false_proof("the ledger's own " + checkpoint.error().substr(4));
  return Signed{answer->note(), *checkpoint};
}

// The root of the newer tree's first `older` leaves, as the ledger shows it. Where that is a whole perfect
// subtree a consistency proof does not name it; the audit path of entry 0 leads over it.
Result<std::optional<Hash>> shown_beginning(Context& context, const Signed& older, const Signed& newer,
                                            const log::Proof& proof) {
  std::uint64_t size = older.checkpoint.size;
  if (!std::has_single_bit(size)) return log::claimed_old_root(size, newer.checkpoint.size, proof);
  pb::GetInclusionProofRequest request;
  request.set_size(newer.checkpoint.size);
  auto answer = context.connection().call(&pb::Log::Stub::GetInclusionProof, request);
  if (!answer) return tl::unexpected(answer.error());
  auto root = to_array<32>(answer->leaf_hash());
  int levels = std::countr_zero(size);
  for (int level = 0; root && level < levels; ++level) {
    auto sibling = level < answer->path_size() ? to_array<32>(answer->path(level)) : std::nullopt;
    root = sibling ? std::optional(log::node_hash(*root, *sibling)) : std::nullopt;
  }
  return root;
}

// Nothing: the newer tree begins with the older one. Evidence: it provably does not. A failure: neither is
// shown.
Result<std::optional<SplitView>> compare(Context& context, const Signed& a, const Signed& b,
                                         const log::VerifierKey& vkey) {
  const Signed& older = a.checkpoint.size <= b.checkpoint.size ? a : b;
  const Signed& newer = &older == &a ? b : a;
  SplitView evidence{older.note, newer.note, std::nullopt, {}};
  if (older.checkpoint.size == newer.checkpoint.size) {
    if (older.checkpoint.root == newer.checkpoint.root) return std::nullopt;
    return evidence;
  }
  if (older.checkpoint.size == 0) return std::nullopt;
  pb::GetConsistencyProofRequest request;
  request.set_old_size(older.checkpoint.size);
  request.set_size(newer.checkpoint.size);
  auto answer = context.connection().call(&pb::Log::Stub::GetConsistencyProof, request);
  if (!answer) return tl::unexpected(answer.error());
  if (check_consistency(older.checkpoint, newer.checkpoint, *answer)) return std::nullopt;
  for (const auto& bytes : answer->path())
    if (auto hash = to_array<32>(bytes)) evidence.proof.push_back(*hash);
  auto root = shown_beginning(context, older, newer, evidence.proof);
  if (!root) return tl::unexpected(root.error());
  evidence.root = *root;
  if (check_split_view(evidence, vkey)) return evidence;
  return false_proof(
      fmt::format("the log that \"{}\" signed with {} entries is not shown to begin with the one of {} that "
                  "it signed too: "
                  "the ledger's proof of consistency does not hold, and it does not show what it begins with "
                  "instead; keep "
                  "both checkpoints",
                  vkey.name, newer.checkpoint.size, older.checkpoint.size));
}

tl::unexpected<Failure> split_found(const SplitView& evidence, std::string file,
                                    const log::VerifierKey& vkey) {
  auto split = check_split_view(evidence, vkey).value();
  if (file.empty())
    file = fmt::format("split-view-{}-{}-{}.txt", split.older.size, split.newer.size,
                       to_hex(split.older.root).substr(0, 8));
  std::ofstream out(file, std::ios::binary);
  out << evidence.text() << std::flush;
  return false_proof(fmt::format(
      "split view: {}. {}", describe(split),
      out ? fmt::format("The evidence is in {}; `windlass verify {}` checks it, offline", file, file)
          : fmt::format("The evidence could not be written to {}", file)));
}

// The ledger's newest checkpoint that is at least as long as the peer's.
Result<Signed> current_for(Context& context, const Signed& peers, const log::VerifierKey& vkey) {
  auto current = newest_of_ledger(context, vkey, 0);
  if (!current || current->checkpoint.size >= peers.checkpoint.size) return current;
  auto later = newest_of_ledger(context, vkey, peers.checkpoint.size);
  if (later || later.error().reason != core::info(core::Error::not_signed_yet).reason) return later;
  return false_proof(
      fmt::format("\"{}\" signed {} entries, but the ledger shows only {} now: it lacks acknowledged "
                  "entries, or keeps them "
                  "from you; keep this checkpoint, it is the log's own signature",
                  vkey.name, peers.checkpoint.size, current->checkpoint.size));
}

void print_consistent(const Context& context, const Signed& peers, const std::optional<Signed>& known,
                      const Signed& current) {
  if (context.json()) {
    JsonObject object;
    object.add("holds", true)
        .add("log", peers.checkpoint.origin)
        .add("size", peers.checkpoint.size)
        .add("ledger_size", current.checkpoint.size);
    if (known) object.add("remembered_size", known->checkpoint.size);
    fmt::print("{}\n", object.text());
    return;
  }
  fmt::print("holds: \"{}\" signed this log of {} entries\n", peers.checkpoint.origin, peers.checkpoint.size);
  fmt::print("it is consistent with the ledger's current one, of {} entries{}\n", current.checkpoint.size,
             known ? fmt::format(", and with the newest seen before, of {}", known->checkpoint.size)
                   : std::string("; none was seen before"));
}

}  // namespace

Result<int> verify_checkpoint_note(Context& context, const std::string& note,
                                   const std::string& evidence_file, const log::VerifierKey& vkey) {
  auto checkpoint = check_checkpoint(note, vkey);
  if (!checkpoint)
    return false_proof(
        "this is no statement, acknowledgement, proof or evidence, and no checkpoint of the log \"" +
        vkey.name + "\": " + checkpoint.error());
  Signed peers{note, *checkpoint};
  auto known = remembered(context, vkey);
  // What can be told without asking anybody.
  if (known && known->checkpoint.size == peers.checkpoint.size &&
      known->checkpoint.root != peers.checkpoint.root)
    return split_found({known->note, peers.note, std::nullopt, {}}, evidence_file, vkey);
  auto current = current_for(context, peers, vkey);
  if (!current && current.error().kind == Failure::Kind::later)
    return fail(
        Failure::Kind::later,
        fmt::format("\"{}\" signed this log of {} entries; whether it is consistent with the ledger's "
                    "could not be asked: {}",
                    vkey.name, peers.checkpoint.size, current.error().message));
  if (!current) return tl::unexpected(current.error());
  for (const Signed* older : {&peers, known ? &*known : nullptr}) {
    if (!older) continue;
    auto split = compare(context, *older, *current, vkey);
    if (!split) return tl::unexpected(split.error());
    if (*split) return split_found(**split, evidence_file, vkey);
  }
  if (!known || known->checkpoint.size < current->checkpoint.size)
    memory_of(context).keep(vkey, current->note);
  print_consistent(context, peers, known, *current);
  return 0;
}

Result<int> verify_evidence(Context& context, const std::string& text, const log::VerifierKey& vkey) {
  auto evidence = SplitView::parse(text);
  if (!evidence) return usage_error("this begins like evidence of a split view, but is malformed");
  auto split = check_split_view(*evidence, vkey);
  if (!split) return false_proof(split.error());
  if (context.json())
    fmt::print("{}\n", JsonObject()
                           .add("holds", true)
                           .add("split_view", true)
                           .add("log", split->older.origin)
                           .add("older_size", split->older.size)
                           .add("newer_size", split->newer.size)
                           .text());
  else
    fmt::print("holds: a split view. {}\n", describe(*split));
  return 0;
}

Result<void> watch_for_split_view(Context& context, const log::VerifierKey& vkey, std::string note) {
  auto known = remembered(context, vkey);
  std::optional<Signed> current;
  if (note.empty()) {
    if (auto newest = newest_of_ledger(context, vkey, 0)) current = *std::move(newest);
  } else if (auto checkpoint = check_checkpoint(note, vkey)) {
    current = Signed{std::move(note), *checkpoint};
  }
  if (!current) return {};
  // Whatever else fails than a proof shows nothing either way.
  auto if_false = [](const Failure& failure) -> Result<void> {
    if (failure.kind == Failure::Kind::false_proof) return tl::unexpected(failure);
    return {};
  };
  if (known) {
    if (known->checkpoint.size > current->checkpoint.size)
      if (auto still_there = current_for(context, *known, vkey); !still_there)
        return if_false(still_there.error());
    auto split = compare(context, *known, *current, vkey);
    if (!split) return if_false(split.error());
    if (*split) return split_found(**split, "", vkey);
  }
  if (!known || known->checkpoint.size < current->checkpoint.size)
    memory_of(context).keep(vkey, current->note);
  return {};
}

}  // namespace windlass::cli
