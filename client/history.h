// An account's history: its own chain of entries merged with those of its channels, and what of it can be
// proven.
#pragma once

#include <functional>
#include <set>

#include "client/evidence.h"
#include "client/verify.h"

namespace windlass::client {

// Called now and then with how far a long piece of work is.
using OnProgress = std::function<void(std::uint64_t done, std::uint64_t of)>;

struct History {
  pb::Account account;
  std::vector<pb::Entry> own;                                // its chain, newest first
  std::map<std::uint64_t, std::vector<pb::Entry>> channels;  // by id, each newest first
  std::uint64_t size = 0;                                    // committed entries when reading began

  // All entries once, newest first; one that stands in several chains shows the postings of all of them.
  std::vector<pb::Entry> merged() const;
};
// Reads all of it. Entries that arrive meanwhile are left out.
Result<History> read_history(Connection& connection, const pb::Account& account, const OnProgress& progress);

// A history as a file that stays verifiable offline; record() puts the proofs into it.
pb::StatementFile unproven_statement(const History& history);
History history_of(const pb::StatementFile& file);
// Nothing where the bytes are no statement.
std::optional<pb::StatementFile> parse_statement(const std::string& bytes);

// One chain, link by link. `owner` is the account's number or the channel's id.
enum class ChainOf { account, channel };
struct ProvenChain {
  std::set<std::uint64_t> sequences;
  std::map<std::uint64_t, Hash> leaf_hashes;  // by sequence: what must be in the log
  Hash history{};                             // folded over all postings, oldest first
  std::map<std::uint64_t, Hash> closings;     // channel id: the final history that its closing posting names
  // By sequence: the owner's postings there, and the history up to and including them.
  std::map<std::uint64_t, std::vector<core::Posting>> postings;
  std::map<std::uint64_t, Hash> history_at;
};
// Every entry holds together, the first is `newest`, each names the next as the one before, and the last is
// the owner's first: nothing was left out between them.
Proven<ProvenChain> check_chain(ChainOf kind, std::uint64_t owner, std::uint64_t newest,
                                const std::vector<pb::Entry>& entries);

struct VerifyOptions {
  log::VerifierKey vkey;
  std::optional<log::VerifierKey> auditor;  // whose statement must cover the history
  tron::Chain* chain = nullptr;             // null: anchors are not looked up
  int proofs_in_flight = 4;
  // Which balance snapshot; where neither this nor an auditor says: the newest that an anchored seal names.
  std::optional<core::Sequence> snapshot = std::nullopt;
  std::map<std::uint64_t, Hash> also_in_log = {};  // leaf hashes of further entries, by sequence
};
// A balance snapshot has the account with exactly this history.
struct ProvenSnapshot {
  core::Sequence sequence;  // the snapshot's
  Hash root{};
  core::Sequence through;          // the account's newest entry in it
  core::Sequence seal;             // names it; none where an auditor does
  std::uint64_t audited_size = 0;  // entries that the auditor has replayed; 0: none was asked for
  std::size_t newer = 0;           // entries of the history that came after it
  bool anchored = false;           // its seal is
};
// What is proven of a history. Where something does not hold, verify_history() fails instead.
struct Verified {
  std::size_t entries = 0;
  std::size_t chains = 0;
  log::Checkpoint checkpoint;  // all of them are in it
  std::string note;            // the same, as signed
  std::optional<ProvenAnchor> anchor;
  std::size_t anchored_entries = 0;
  std::uint64_t oldest_unanchored = 0;  // where anchored_entries < entries
  std::string not_anchored_because;     // where there is no anchor
  std::optional<ProvenSnapshot> snapshot;
};
Result<Verified> verify_history(Evidence& evidence, const History& history, const VerifyOptions& options,
                                const OnProgress& progress);

// What the ledger owed the account after an entry, by what the history shows; that it is complete up to there
// is verify_history's to say.
Proven<core::Amount> owed_after(const History& history, core::Sequence sequence, core::AssetId asset);

// The verified facts as sentences.
std::vector<std::string> describe(const Verified& verified);

}  // namespace windlass::client
