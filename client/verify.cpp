#include "client/verify.h"

#include <fmt/format.h>

#include "anchoring/contract/anchor_contract.h"
#include "anchoring/tron/transaction.h"

namespace windlass::client {
namespace {

template <typename... Parts>
auto wrong(fmt::format_string<Parts...> format, Parts&&... parts) {
  return tl::unexpected(fmt::format(format, std::forward<Parts>(parts)...));
}

template <typename Paths>
std::optional<log::Proof> proof_of(const Paths& path) {
  log::Proof proof;
  for (const auto& bytes : path) {
    auto hash = to_array<32>(bytes);
    if (!hash) return std::nullopt;
    proof.push_back(*hash);
  }
  return proof;
}

template <typename Postings>
Proven<ProvenEntry> check_parts(const codec::Leaf& leaf, const Hash& leaf_hash, const Postings& postings) {
  ProvenEntry proven{leaf, leaf_hash, {}};
  for (const auto& posting : postings) {
    auto checked = check_posting(posting, leaf);
    if (!checked) return tl::unexpected(checked.error());
    proven.postings.push_back(*checked);
  }
  return proven;
}

using tron::anchor_contract::Anchored;

// What a memo's transaction must be for the anchor to stand.
std::optional<std::string> memo_fault(const tron::ChainTransaction& transaction,
                                      const tron::TransferContract& transfer, const Anchored& wanted,
                                      const tron::Address& owner) {
  if (transfer.owner != owner)
    return "the anchoring transaction is not sent by the ledger's anchor address " + tron::to_base58(owner);
  if (!tron::signer_key(transaction, owner)) return "the anchoring transaction is not signed by its sender";
  if (transaction.memo != anchor_memo(wanted.size, wanted.root))
    return "the anchoring transaction carries another root than the anchor says";
  return std::nullopt;
}

// Likewise a call's, with what its contract emitted.
std::optional<std::string> call_fault(const tron::ChainTransaction& transaction,
                                      const tron::ContractCall& call, const Anchored& wanted,
                                      const AnchorParties& parties,
                                      const std::vector<tron::ContractLog>& logs) {
  if (!parties.contract)
    return "the anchoring transaction calls a contract, but the ledger's genesis names none";
  if (call.contract != *parties.contract)
    return "the anchoring transaction calls another contract than the ledger's anchor contract " +
           tron::to_base58(*parties.contract);
  if (tron::anchor_contract::read_anchor_call(call.data) != wanted)
    return "the anchoring transaction carries another root than the anchor says";
  bool by_its_own_key = transaction.permission_id == 0;
  if (by_its_own_key && !tron::signer_key(transaction, call.owner))
    return "the anchoring transaction is not signed by its sender";
  bool emitted = std::any_of(logs.begin(), logs.end(), [&](const auto& log) {
    return tron::anchor_contract::read_anchored(log, *parties.contract) == wanted;
  });
  if (!emitted) return "the ledger's anchor contract did not emit this anchor";
  return std::nullopt;
}

}  // namespace

Proven<codec::Leaf> check_leaf(ByteView bytes, ByteView leaf_hash) {
  auto leaf = codec::Leaf::decode(bytes);
  if (!leaf) return wrong("the leaf is malformed");
  if (view(log::leaf_hash(bytes)) != leaf_hash)
    return wrong("entry {}: the leaf does not hash to the leaf hash", leaf->sequence.value);
  return *leaf;
}

Proven<ProvenPosting> check_posting(const pb::Posting& shown, const codec::Leaf& leaf) {
  auto posting = codec::decode_posting(shown.posting());
  auto salt = to_array<32>(shown.salt());
  auto path = proof_of(shown.path());
  if (!posting || !salt || !path) return wrong("entry {}: a posting is malformed", leaf.sequence.value);
  Hash hash = codec::posting_leaf_hash(*salt, shown.posting());
  if (!log::verify_inclusion(hash, shown.index(), shown.count(), *path, leaf.postings_root))
    return wrong("entry {}: posting {} is not what the leaf commits to", leaf.sequence.value, shown.index());
  return ProvenPosting{*posting, hash};
}

Proven<ProvenEntry> check_entry(const pb::Entry& entry) {
  auto leaf = check_leaf(entry.leaf(), entry.leaf_hash());
  if (!leaf) return tl::unexpected(leaf.error());
  if (leaf->sequence.value != entry.sequence() || leaf->time_us != entry.time_us() ||
      static_cast<std::uint32_t>(leaf->kind) != entry.kind())
    return wrong("entry {}: its sequence, time or kind is not the leaf's", entry.sequence());
  if (!entry.envelope().empty() && sha256({entry.envelope_salt(), entry.envelope()}) != leaf->envelope_hash)
    return wrong("entry {}: the command shown is not the one that the leaf commits to", entry.sequence());
  return check_parts(*leaf, *to_array<32>(entry.leaf_hash()), entry.postings());
}

Proven<ProvenEntry> check_acknowledgement(const pb::Acknowledgement& acknowledgement) {
  auto leaf = check_leaf(acknowledgement.leaf(), acknowledgement.leaf_hash());
  if (!leaf) return tl::unexpected(leaf.error());
  if (leaf->sequence.value != acknowledgement.sequence() || leaf->time_us != acknowledgement.time_us())
    return wrong("the acknowledgement names entry {}, its leaf is that of entry {} or of another time",
                 acknowledgement.sequence(), leaf->sequence.value);
  return check_parts(*leaf, *to_array<32>(acknowledgement.leaf_hash()), acknowledgement.postings());
}

Proven<log::Promise> check_promise(const pb::Promise& shown, const Hash& leaf_hash, core::Sequence sequence,
                                   const log::VerifierKey& vkey) {
  auto text = log::open_note(shown.note(), vkey);
  if (!text) return wrong("the promise: {}", text.error());
  auto promise = log::Promise::parse(*text);
  auto path = proof_of(shown.path());
  if (!promise || !path) return wrong("the promise is malformed");
  if (promise->origin != vkey.name)
    return wrong("the promise is of the log \"{}\", not of \"{}\"", promise->origin, vkey.name);
  if (shown.index() >= promise->count || promise->first_sequence + shown.index() != sequence.value)
    return wrong("the promise is not about entry {}", sequence.value);
  if (!log::verify_inclusion(leaf_hash, shown.index(), promise->count, *path, promise->batch_root))
    return wrong("the promise does not cover the leaf of entry {}", sequence.value);
  return *promise;
}

Proven<log::Checkpoint> check_checkpoint(std::string_view note, const log::VerifierKey& vkey) {
  auto text = log::open_note(note, vkey);
  if (!text) return wrong("the checkpoint: {}", text.error());
  auto checkpoint = log::Checkpoint::parse(*text);
  if (!checkpoint) return wrong("the checkpoint is malformed");
  if (checkpoint->origin != vkey.name)
    return wrong("the checkpoint is of the log \"{}\", not of \"{}\"", checkpoint->origin, vkey.name);
  return *checkpoint;
}

Proven<codec::Leaf> check_inclusion(const pb::InclusionProof& proof, const log::Checkpoint& checkpoint) {
  auto leaf = check_leaf(proof.leaf(), proof.leaf_hash());
  if (!leaf) return tl::unexpected(leaf.error());
  if (leaf->sequence.value != proof.sequence())
    return wrong("the proof is for entry {}, its leaf is that of entry {}", proof.sequence(),
                 leaf->sequence.value);
  auto path = proof_of(proof.path());
  bool included = path && proof.size() == checkpoint.size &&
                  log::verify_inclusion(*to_array<32>(proof.leaf_hash()), proof.sequence(), proof.size(),
                                        *path, checkpoint.root);
  if (!included)
    return wrong("entry {}: not proven to be in the log of {} entries", proof.sequence(), checkpoint.size);
  return *leaf;
}

Proven<void> check_consistency(const log::Checkpoint& older, const log::Checkpoint& newer,
                               const pb::ConsistencyProof& proof) {
  auto path = proof_of(proof.path());
  if (!path || !log::verify_consistency(older.size, older.root, newer.size, newer.root, *path))
    return wrong(
        "the log of {} entries is not the beginning of the log of {}: the history was rewritten, or the "
        "proof is wrong",
        older.size, newer.size);
  return {};
}

std::string make_tlog_proof(const pb::InclusionProof& proof) {
  return log::TlogProof{proof.leaf(), proof.sequence(), proof_of(proof.path()).value_or(log::Proof{}),
                        proof.checkpoint()}
      .text();
}

Proven<ProvenLeaf> check_tlog_proof(std::string_view text, ByteView leaf, const log::VerifierKey& vkey) {
  auto proof = log::TlogProof::parse(text);
  if (!proof) return wrong("this is no tlog-proof (C2SP)");
  if (leaf.empty()) leaf = proof->extra;
  if (leaf.empty()) return wrong("the proof does not carry its leaf; give it with --leaf HEX");
  auto checkpoint = check_checkpoint(proof->checkpoint, vkey);
  if (!checkpoint) return tl::unexpected(checkpoint.error());
  auto decoded = codec::Leaf::decode(leaf);
  if (!decoded) return wrong("the leaf is malformed");
  if (decoded->sequence.value != proof->index)
    return wrong("the proof is for entry {}, its leaf is that of entry {}", proof->index,
                 decoded->sequence.value);
  if (!log::verify_inclusion(log::leaf_hash(leaf), proof->index, checkpoint->size, proof->hashes,
                             checkpoint->root))
    return wrong("entry {}: not proven to be in the log of {} entries", proof->index, checkpoint->size);
  return ProvenLeaf{*decoded, *checkpoint};
}

std::string anchor_memo(std::uint64_t size, const Hash& root) {
  std::string memo;
  append_be(memo, size);
  memo += view(root);
  return memo;
}

Proven<AnchorParties> anchor_parties(const codec::GenesisParameters& genesis) {
  auto owner = tron::address_from_bytes(genesis.anchor_address);
  if (!owner) return wrong("this ledger's genesis names no address that anchors it");
  return AnchorParties{*owner, tron::address_from_bytes(genesis.anchor_contract)};
}

namespace {

// One anchor, looked up at one node.
class AnchorCheck {
 public:
  AnchorCheck(tron::Chain& chain, const AnchorParties& parties, const Hash& txid, const Anchored& wanted,
              bool& unreachable)
      : chain_(chain), parties_(parties), txid_(txid), wanted_(wanted), unreachable_(unreachable) {}

  Proven<ProvenAnchor> run() {
    auto number = chain_.inclusion(txid_, true);
    if (!number) return node_fault(number.error());
    if (!*number) return wrong("the chain has no solidified transaction {}", to_hex(txid_));
    auto block = chain_.solidified_block(**number);
    if (!block) return node_fault(block.error());
    if (!*block) return wrong("the chain has no solidified block {}", **number);
    for (const auto& transaction : (*block)->transactions)
      if (transaction.txid == txid_) return check(transaction, (*block)->ref);
    return wrong("block {} does not hold transaction {}", **number, to_hex(txid_));
  }

 private:
  tl::unexpected<std::string> node_fault(const tron::ChainError& error) {
    unreachable_ = true;
    return tl::unexpected(error.message);
  }

  Proven<ProvenAnchor> check(const tron::ChainTransaction& transaction, const tron::BlockRef& block) {
    if (!transaction.succeeded) return wrong("the anchoring transaction failed on the chain");
    ProvenAnchor proven{{"", wanted_.size, wanted_.root}, txid_, block, {}, {}};
    std::optional<std::string> fault = "the anchoring transaction neither transfers nor calls a contract";
    if (const auto* transfer = std::get_if<tron::TransferContract>(&transaction.contract)) {
      fault = memo_fault(transaction, *transfer, wanted_, parties_.owner);
      proven.sender = transfer->owner;
    } else if (const auto* call = std::get_if<tron::ContractCall>(&transaction.contract)) {
      auto execution = chain_.execution(txid_, true);
      if (!execution) return node_fault(execution.error());
      fault = call_fault(transaction, *call, wanted_, parties_,
                         *execution ? (*execution)->logs : std::vector<tron::ContractLog>{});
      proven.sender = call->owner;
      proven.contract = call->contract;
    }
    if (fault) return tl::unexpected(*fault);
    return proven;
  }

  tron::Chain& chain_;
  const AnchorParties& parties_;
  const Hash& txid_;
  const Anchored& wanted_;
  bool& unreachable_;
};

}  // namespace

Proven<ProvenAnchor> check_anchor(const pb::Anchor& anchor, tron::Chain& chain, const AnchorParties& parties,
                                  bool& unreachable) {
  unreachable = false;
  auto root = to_array<32>(anchor.root());
  auto txid = to_array<32>(anchor.transaction_id());
  if (!root || !txid) return wrong("the anchor of {} entries is malformed", anchor.size());
  Anchored wanted{anchor.size(), *root};
  return AnchorCheck(chain, parties, *txid, wanted, unreachable).run();
}

Proven<ProvenStatement> check_statement(const pb::Statement& statement, ByteView key) {
  auto fault = [](std::string_view what) {
    return tl::unexpected(fmt::format("the balance snapshot: {}", what));
  };
  auto root = to_array<32>(statement.snapshot_root());
  auto leaf = codec::AccountLeaf::decode(statement.leaf());
  if (!root || !leaf) return fault("its root or the account's leaf is malformed");
  if (view(leaf->key) != key) return fault("the leaf shown is another account's");
  log::Proof path;
  for (const auto& hash : statement.path()) path.push_back(to_array<32>(hash).value_or(Hash{}));
  if (!log::verify_inclusion(log::leaf_hash(statement.leaf()), statement.number(), statement.accounts(), path,
                             *root))
    return fault("the account's leaf is not under its root");
  ProvenStatement proven{*leaf, {{statement.snapshot_sequence()}, *root}, {}};
  if (!statement.has_seal()) return proven;
  auto seal = check_entry(statement.seal());
  if (!seal) return tl::unexpected(seal.error());
  auto decoded = codec::decode_stored(statement.seal().envelope());
  if (!decoded || decoded->command.kind() != core::Kind::seal || decoded->snapshot != proven.snapshot ||
      proven.snapshot.sequence >= seal->leaf.sequence)
    return fault(fmt::format("entry {} is not a seal that names it", seal->leaf.sequence.value));
  proven.seal = {seal->leaf.sequence, seal->leaf_hash};
  return proven;
}

Proven<codec::GenesisParameters> check_genesis(const pb::Entry& entry) {
  if (entry.sequence() != 0 || entry.envelope().empty()) return wrong("the server does not show its genesis");
  auto proven = check_entry(entry);
  if (!proven) return tl::unexpected(proven.error());
  auto envelope = codec::Envelope::decode(entry.envelope());
  auto genesis = envelope ? codec::read_genesis(envelope->command) : std::nullopt;
  if (!genesis) return wrong("entry 0 is no genesis");
  return *genesis;
}

}  // namespace windlass::client
