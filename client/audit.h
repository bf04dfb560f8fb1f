// The whole ledger, checked from outside: every hash, link and root, and with a full replay every rule and
// signature.
#pragma once

#include "client/history.h"

namespace windlass::client {

struct AuditOptions {
  std::uint64_t from = 0;
  bool full = false;  // through the core again, from genesis
  log::VerifierKey vkey;
  tron::Chain* chain = nullptr;  // null: anchors are compared with the log, not looked up on the chain
  std::optional<SecretKey> auditor_key;  // where contents are for holders of the auditor role
  std::string deposit_key;  // "xpub..." that deposit addresses are derived from; empty: what the ledger says
};

struct AuditReport {
  std::uint64_t first = 0;
  std::uint64_t entries = 0;              // checked
  log::Checkpoint checkpoint;             // what their root was compared with
  std::string note;                       // the same, as signed
  std::uint64_t anchors = 0;              // whose roots are the log's
  std::uint64_t on_chain = 0;             // of those, looked up in a solidified block
  std::uint64_t signatures = 0;           // verified, with a full replay
  std::uint64_t accounts = 0;             // likewise
  std::uint64_t credits = 0;              // likewise
  std::uint64_t credits_on_chain = 0;     // of those, found in a solidified block, just as they say
  std::uint64_t snapshots = 0;            // balance snapshots that seals name and the replay has found right
  codec::SealedSnapshot newest_snapshot;  // of these; zero: none
  std::uint64_t payments = 0;             // of withdrawals that were settled as paid
  std::uint64_t payments_on_chain = 0;    // of those, found in a solidified block, just as they say
  std::uint64_t liabilities = 0;          // that seals name
  std::uint64_t liabilities_found = 0;  // of those, computed again leaf by leaf: the newest, and earlier ones

  // What an auditor signs of it.
  log::AuditStatement statement() const;
};

// Fails at the first fault, naming the entry.
Result<AuditReport> audit(Connection& connection, const AuditOptions& options, const OnProgress& progress);

}  // namespace windlass::client
