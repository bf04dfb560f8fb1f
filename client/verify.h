// What a client can check without trusting the server: pure functions of messages, the log's verifier key
// and, for an anchor, a TRON node. Each gives what is proven, or a sentence that names what does not hold.
// docs/auditing.md says what each of them proves.
//
// The log's origin is the name of its verifier key, as C2SP recommends.
#pragma once

#include <windlass/v1/log.pb.h>
#include <windlass/v1/query.pb.h>

#include "anchoring/tron/chain.h"
#include "ledger/codec/command.h"
#include "ledger/codec/entry.h"
#include "ledger/log/note.h"

namespace windlass::client {

namespace pb = windlass::v1;

template <typename T>
using Proven = tl::expected<T, std::string>;

// --- one entry

// The leaf hashes to `leaf_hash`.
Proven<codec::Leaf> check_leaf(ByteView leaf, ByteView leaf_hash);

struct ProvenPosting {
  core::Posting posting;
  Hash leaf{};  // its salted leaf hash: what histories are folded from
};
// The posting stands in the entry that the leaf commits to.
Proven<ProvenPosting> check_posting(const pb::Posting& posting, const codec::Leaf& leaf);

struct ProvenEntry {
  codec::Leaf leaf;
  Hash leaf_hash{};
  std::vector<ProvenPosting> postings;  // those shown
};
// Leaf, every posting shown and, where it is shown, the envelope agree with one another and with the entry's
// sequence, time and kind.
Proven<ProvenEntry> check_entry(const pb::Entry& entry);

// --- what the ledger promised

// Its leaf, and every posting it shows. The promise, where there is one, needs the verifier key:
// check_promise.
Proven<ProvenEntry> check_acknowledgement(const pb::Acknowledgement& acknowledgement);
// The promise, signed by the log, covers this leaf at this sequence.
Proven<log::Promise> check_promise(const pb::Promise& promise, const Hash& leaf_hash, core::Sequence sequence,
                                   const log::VerifierKey& vkey);

// --- the log

Proven<log::Checkpoint> check_checkpoint(std::string_view note, const log::VerifierKey& vkey);
// The leaf stands at its sequence in the tree of the proof's size, which is the checkpoint's.
Proven<codec::Leaf> check_inclusion(const pb::InclusionProof& proof, const log::Checkpoint& checkpoint);
// The tree of `older` is the beginning of that of `newer`.
Proven<void> check_consistency(const log::Checkpoint& older, const log::Checkpoint& newer,
                               const pb::ConsistencyProof& proof);
// A C2SP tlog-proof: `leaf` where given, else the leaf that the proof carries as its extra data.
struct ProvenLeaf {
  codec::Leaf leaf;
  log::Checkpoint checkpoint;
};
Proven<ProvenLeaf> check_tlog_proof(std::string_view text, ByteView leaf, const log::VerifierKey& vkey);
// The same in words of C2SP, for a file: the leaf is its extra data.
std::string make_tlog_proof(const pb::InclusionProof& proof);

// --- the chain

// Who may anchor a ledger, as its genesis names them.
struct AnchorParties {
  tron::Address owner;
  std::optional<tron::Address> contract;  // the anchor contract
};
Proven<AnchorParties> anchor_parties(const codec::GenesisParameters& genesis);

struct ProvenAnchor {
  log::Checkpoint checkpoint;  // origin empty where the anchor shows no note
  Hash transaction_id{};
  tron::BlockRef block;                   // solidified
  tron::Address sender;                   // the owner, but where it gave the contract away
  std::optional<tron::Address> contract;  // that emitted it; nothing: it is a memo
};
// A successful transaction in a solidified block carries the anchor's size and root: as the memo of a
// transaction that the owner sent and signed, or as a call anchor(size, root) of the contract, which emitted
// as much. A call that the owner sent bears its signature; where it is signed under a permission of its, or
// comes from another whom the contract took for its owner, that rests on the node's word that the contract
// emitted the event. `unreachable` is set when it is the node that does not answer, or not as a TRON node
// does, which proves nothing either way.
Proven<ProvenAnchor> check_anchor(const pb::Anchor& anchor, tron::Chain& chain, const AnchorParties& parties,
                                  bool& unreachable);
// An anchor's memo: u64 size || 32-byte root.
std::string anchor_memo(std::uint64_t size, const Hash& root);

// --- balance snapshots

struct ProvenStatement {
  codec::AccountLeaf leaf;
  codec::SealedSnapshot snapshot;
  std::optional<std::pair<core::Sequence, Hash>> seal;  // that names the snapshot, with its leaf hash
};
// The account of `key` stands in the snapshot, and the seal, where there is one, names that snapshot. That
// the seal is in the log is check_inclusion's to say.
Proven<ProvenStatement> check_statement(const pb::Statement& statement, ByteView key);

// --- genesis

// Entry 0 as the server shows it: who anchors, and the key that the ledger's log was born with. Its leaf hash
// makes the signing tag.
Proven<codec::GenesisParameters> check_genesis(const pb::Entry& entry);

}  // namespace windlass::client
