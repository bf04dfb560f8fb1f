#include "client/evidence.h"

#include <fmt/format.h>

#include "ledger/core/error.h"

namespace windlass::client {
namespace {

class LedgerEvidence final : public Evidence {
 public:
  explicit LedgerEvidence(Connection& connection) : connection_(connection) {}
  Result<pb::Checkpoint> checkpoint(std::uint64_t minimum_size) override {
    pb::GetCheckpointRequest request;
    request.set_minimum_size(minimum_size);
    return connection_.call(&pb::Log::Stub::GetCheckpoint, request);
  }
  Result<pb::InclusionProof> inclusion(std::uint64_t sequence, std::uint64_t size) override {
    pb::GetInclusionProofRequest request;
    request.set_sequence(sequence);
    request.set_size(size);
    return connection_.call(&pb::Log::Stub::GetInclusionProof, request);
  }
  Result<pb::ConsistencyProof> consistency(std::uint64_t old_size, std::uint64_t size) override {
    pb::GetConsistencyProofRequest request;
    request.set_old_size(old_size);
    request.set_size(size);
    return connection_.call(&pb::Log::Stub::GetConsistencyProof, request);
  }
  Result<std::optional<pb::Anchor>> anchor(std::uint64_t newest) override {
    pb::ListAnchorsRequest request;
    request.set_page_size(1);
    request.set_solidified_only(true);
    for (std::uint64_t covering : {newest, std::uint64_t{0}}) {
      request.set_covering(covering);
      auto listed = connection_.call(&pb::Log::Stub::ListAnchors, request);
      if (!listed) return tl::unexpected(listed.error());
      if (listed->anchors_size() > 0) return listed->anchors(0);
    }
    return std::nullopt;
  }
  Result<pb::Entry> genesis() override {
    return connection_.call(&pb::Query::Stub::GetEntry, pb::GetEntryRequest{});
  }
  Result<std::optional<pb::Statement>> statement(ByteView key,
                                                 std::optional<std::uint64_t> snapshot) override {
    pb::GetStatementRequest request;
    request.set_key(std::string(key));
    if (snapshot) request.set_snapshot_sequence(*snapshot);
    auto found = connection_.call(&pb::Log::Stub::GetStatement, request);
    if (found) return *std::move(found);
    if (found.error().reason == core::info(core::Error::unknown_snapshot).reason) return std::nullopt;
    return tl::unexpected(found.error());
  }
  Result<std::vector<pb::Audit>> audits() override {
    auto listed = connection_.call(&pb::Log::Stub::ListAudits, pb::ListAuditsRequest{});
    if (!listed) return tl::unexpected(listed.error());
    return std::vector<pb::Audit>(listed->audits().begin(), listed->audits().end());
  }

 private:
  Connection& connection_;
};

class RecordedEvidence final : public Evidence {
 public:
  RecordedEvidence(Evidence& source, pb::StatementFile& file) : source_(source), file_(file) {}
  Result<pb::Checkpoint> checkpoint(std::uint64_t minimum_size) override {
    auto found = source_.checkpoint(minimum_size);
    if (found) *file_.mutable_checkpoint() = *found;
    return found;
  }
  Result<pb::InclusionProof> inclusion(std::uint64_t sequence, std::uint64_t size) override {
    auto found = source_.inclusion(sequence, size);
    if (!found) return found;
    std::lock_guard lock(mutex_);
    auto& kept = *file_.add_inclusions();
    kept = *found;
    kept.clear_checkpoint();  // the file has it once
    return found;
  }
  Result<pb::ConsistencyProof> consistency(std::uint64_t old_size, std::uint64_t size) override {
    auto found = source_.consistency(old_size, size);
    if (!found) return found;
    auto& kept = *file_.add_consistencies();
    kept = *found;
    kept.clear_checkpoint();
    return found;
  }
  Result<std::optional<pb::Anchor>> anchor(std::uint64_t covering) override {
    auto found = source_.anchor(covering);
    if (found && *found) *file_.mutable_anchor() = **found;
    return found;
  }
  Result<pb::Entry> genesis() override {
    auto found = source_.genesis();
    if (found) *file_.mutable_genesis() = *found;
    return found;
  }
  Result<std::optional<pb::Statement>> statement(ByteView key,
                                                 std::optional<std::uint64_t> snapshot) override {
    auto found = source_.statement(key, snapshot);
    if (found && *found) *file_.mutable_statement() = **found;
    return found;
  }
  Result<std::vector<pb::Audit>> audits() override {
    auto found = source_.audits();
    if (found) file_.mutable_audits()->Assign(found->begin(), found->end());
    return found;
  }

 private:
  Evidence& source_;
  std::mutex mutex_;
  pb::StatementFile& file_;
};

auto not_in_file(const std::string& what) {
  return false_proof(fmt::format("the file does not hold {}", what));
}

class FileEvidence final : public Evidence {
 public:
  explicit FileEvidence(const pb::StatementFile& file) : file_(file) {
    for (const auto& proof : file.inclusions()) inclusions_[proof.sequence()] = &proof;
  }
  Result<pb::Checkpoint> checkpoint(std::uint64_t) override { return file_.checkpoint(); }
  Result<pb::InclusionProof> inclusion(std::uint64_t sequence, std::uint64_t) override {
    auto found = inclusions_.find(sequence);
    if (found == inclusions_.end())
      return not_in_file(fmt::format("the inclusion proof of entry {}", sequence));
    return *found->second;
  }
  Result<pb::ConsistencyProof> consistency(std::uint64_t old_size, std::uint64_t) override {
    for (const auto& proof : file_.consistencies())
      if (proof.old_size() == old_size) return proof;
    return not_in_file(fmt::format("the consistency proof from a log of {}", old_size));
  }
  Result<std::optional<pb::Anchor>> anchor(std::uint64_t) override {
    return file_.has_anchor() ? std::optional(file_.anchor()) : std::nullopt;
  }
  Result<pb::Entry> genesis() override {
    if (!file_.has_genesis()) return not_in_file("entry 0");
    return file_.genesis();
  }
  Result<std::optional<pb::Statement>> statement(ByteView, std::optional<std::uint64_t>) override {
    return file_.has_statement() ? std::optional(file_.statement()) : std::nullopt;
  }
  Result<std::vector<pb::Audit>> audits() override {
    return std::vector<pb::Audit>(file_.audits().begin(), file_.audits().end());
  }

 private:
  const pb::StatementFile& file_;
  std::map<std::uint64_t, const pb::InclusionProof*> inclusions_;
};

// --- what of a file is looked at

pb::Entry essential(const pb::Entry& entry) {
  pb::Entry kept;
  kept.set_sequence(entry.sequence());
  kept.set_time_us(entry.time_us());
  kept.set_kind(entry.kind());
  kept.set_leaf(entry.leaf());
  kept.set_leaf_hash(entry.leaf_hash());
  kept.set_envelope(entry.envelope());
  kept.set_envelope_salt(entry.envelope_salt());
  for (const auto& shown : entry.postings()) {
    auto& posting = *kept.add_postings();
    posting.set_posting(shown.posting());
    posting.set_salt(shown.salt());
    posting.set_index(shown.index());
    posting.set_count(shown.count());
    *posting.mutable_path() = shown.path();
  }
  return kept;
}

pb::Statement essential(const pb::Statement& statement) {
  pb::Statement kept;
  kept.set_snapshot_sequence(statement.snapshot_sequence());
  kept.set_snapshot_root(statement.snapshot_root());
  kept.set_accounts(statement.accounts());
  kept.set_number(statement.number());
  kept.set_leaf(statement.leaf());
  *kept.mutable_path() = statement.path();
  if (statement.has_seal()) *kept.mutable_seal() = essential(statement.seal());
  return kept;
}

// In the order of the keys, one of each.
void keep_proofs(const pb::StatementFile& file, pb::StatementFile& kept) {
  std::map<std::uint64_t, const pb::InclusionProof*> inclusions;
  for (const auto& proof : file.inclusions()) inclusions.try_emplace(proof.sequence(), &proof);
  for (const auto& [sequence, proof] : inclusions) {
    auto& copy = *kept.add_inclusions();
    copy.set_sequence(sequence);
    copy.set_size(proof->size());
    copy.set_leaf(proof->leaf());
    copy.set_leaf_hash(proof->leaf_hash());
    *copy.mutable_path() = proof->path();
  }
  std::map<std::uint64_t, const pb::ConsistencyProof*> consistencies;
  for (const auto& proof : file.consistencies()) consistencies.try_emplace(proof.old_size(), &proof);
  for (const auto& [old_size, proof] : consistencies) {
    auto& copy = *kept.add_consistencies();
    copy.set_old_size(old_size);
    *copy.mutable_path() = proof->path();
  }
}

}  // namespace

std::unique_ptr<Evidence> evidence_from(Connection& ledger) {
  return std::make_unique<LedgerEvidence>(ledger);
}
std::unique_ptr<Evidence> evidence_from(const pb::StatementFile& file) {
  return std::make_unique<FileEvidence>(file);
}
std::unique_ptr<Evidence> record(Evidence& source, pb::StatementFile& file) {
  return std::make_unique<RecordedEvidence>(source, file);
}

pb::StatementFile essential(const pb::StatementFile& file) {
  pb::StatementFile kept;
  kept.set_format(file.format());
  kept.mutable_account()->set_key(file.account().key());
  kept.mutable_account()->set_number(file.account().number());
  kept.mutable_account()->set_last_sequence(file.account().last_sequence());
  for (const auto& entry : file.own()) *kept.add_own() = essential(entry);
  for (const auto& channel : file.channels()) {
    auto& copy = *kept.add_channels();
    copy.set_channel(channel.channel());
    for (const auto& entry : channel.entries()) *copy.add_entries() = essential(entry);
  }
  kept.mutable_checkpoint()->set_note(file.checkpoint().note());
  keep_proofs(file, kept);
  if (file.has_anchor()) {
    auto& anchor = *kept.mutable_anchor();
    anchor.set_size(file.anchor().size());
    anchor.set_root(file.anchor().root());
    anchor.set_transaction_id(file.anchor().transaction_id());
  }
  if (file.has_genesis()) {
    *kept.mutable_genesis() = essential(file.genesis());
    kept.mutable_genesis()->clear_postings();
  }
  if (file.has_statement()) *kept.mutable_statement() = essential(file.statement());
  for (const auto& audit : file.audits()) {
    auto& copy = *kept.add_audits();
    copy.set_vkey(audit.vkey());
    copy.set_note(audit.note());
  }
  return kept;
}

}  // namespace windlass::client
