// Where the proofs of a history come from: a ledger that is asked, or a file that it once filled. Either may
// lie: whoever asks checks every answer (client/verify.h).
#pragma once

#include "client/connection.h"

namespace windlass::client {

class Evidence {
 public:
  virtual ~Evidence() = default;
  virtual Result<pb::Checkpoint> checkpoint(std::uint64_t minimum_size) = 0;
  virtual Result<pb::InclusionProof> inclusion(std::uint64_t sequence, std::uint64_t size) = 0;
  virtual Result<pb::ConsistencyProof> consistency(std::uint64_t old_size, std::uint64_t size) = 0;
  // The oldest solidified one that covers the entry, else the newest solidified one, else none.
  virtual Result<std::optional<pb::Anchor>> anchor(std::uint64_t covering) = 0;
  virtual Result<pb::Entry> genesis() = 0;
  // In the snapshot of that sequence, else in the newest that an anchored seal names; none: it is in none
  // yet.
  virtual Result<std::optional<pb::Statement>> statement(ByteView key,
                                                         std::optional<std::uint64_t> snapshot) = 0;
  virtual Result<std::vector<pb::Audit>> audits() = 0;
};

// Each refers to what it is made from.
std::unique_ptr<Evidence> evidence_from(Connection& ledger);
// What such a file holds; what it does not is named as missing.
std::unique_ptr<Evidence> evidence_from(const pb::StatementFile& file);
// Keeps in the file what `source` gives. Calls may come from several threads.
std::unique_ptr<Evidence> record(Evidence& source, pb::StatementFile& file);

// Only what a verification of the file looks at, each thing once. A file that is written so, byte for byte,
// has nothing in it that could be changed unnoticed.
pb::StatementFile essential(const pb::StatementFile& file);

}  // namespace windlass::client
