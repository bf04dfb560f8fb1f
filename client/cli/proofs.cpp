#include "client/audit.h"
#include "client/cli/history.h"
#include "client/cli/progress.h"
#include "client/cli/table.h"
#include "client/cli/views.h"
#include "client/history.h"

namespace windlass::cli {
namespace {

Run proof(CLI::App& app) {
  auto number = std::make_shared<std::uint64_t>(0);
  app.add_option("number", *number, "the entry")->required();
  return [=](Context& context) -> Result<int> {
    auto key = context.log_key();
    if (!key) return tl::unexpected(key.error());
    pb::GetInclusionProofRequest request;
    request.set_sequence(*number);
    auto found = context.connection().call(&pb::Log::Stub::GetInclusionProof, request);
    if (!found) return tl::unexpected(found.error());
    auto checkpoint = check_checkpoint(found->checkpoint(), key->vkey);
    if (!checkpoint) return false_proof(checkpoint.error());
    if (auto included = check_inclusion(*found, *checkpoint); !included) return false_proof(included.error());
    if (auto seen = watch_for_split_view(context, key->vkey, found->checkpoint()); !seen)
      return tl::unexpected(seen.error());
    if (context.json())
      fmt::print("{}\n", to_json(*found));
    else
      fmt::print("{}", make_tlog_proof(*found));
    return 0;
  };
}

// --- offline

// What the log has in the place that it promised to an entry: both signed by its key.
Result<std::uint64_t> check_kept(const ProvenEntry& promised, const std::string& proof_file,
                                 const log::VerifierKey& vkey) {
  auto text = read_file(proof_file);
  if (!text) return tl::unexpected(text.error());
  auto found = check_tlog_proof(*text, {}, vkey);
  if (!found) return false_proof(found.error());
  std::uint64_t sequence = promised.leaf.sequence.value;
  if (found->leaf.sequence.value != sequence)
    return usage_error(fmt::format("the promise is of entry {}, the proof of entry {}: `windlass proof {}`",
                                   sequence, found->leaf.sequence.value, sequence));
  if (log::leaf_hash(found->leaf.encode()) != promised.leaf_hash)
    return false_proof(
        fmt::format("the promise of entry {} is broken: the log of {} entries that \"{}\" signed has another "
                    "leaf there",
                    sequence, found->checkpoint.size, found->checkpoint.origin));
  return found->checkpoint.size;
}

Result<int> verify_acknowledgement(Context& context, const std::string& text, const std::string& against,
                                   const log::VerifierKey& vkey) {
  pb::Acknowledgement acknowledgement;
  if (auto parsed = from_json(text, acknowledgement); !parsed) return tl::unexpected(parsed.error());
  auto proven = check_acknowledgement(acknowledgement);
  if (!proven) return false_proof(proven.error());
  if (!acknowledgement.has_promise())
    return false_proof("the acknowledgement has no promise: nobody signed it, so it proves nothing");
  auto promise = check_promise(acknowledgement.promise(), proven->leaf_hash, proven->leaf.sequence, vkey);
  if (!promise) return false_proof(promise.error());
  std::optional<std::uint64_t> kept;
  if (!against.empty()) {
    auto size = check_kept(*proven, against, vkey);
    if (!size) return tl::unexpected(size.error());
    kept = *size;
  }
  JsonObject object;
  object.add("holds", true).add("sequence", proven->leaf.sequence.value).add("log", promise->origin);
  if (kept) object.add("kept", true).add("size", *kept);
  if (context.json())
    fmt::print("{}\n", object.text());
  else
    fmt::print("holds: \"{}\" promised entry {} ({}, {})\n", promise->origin, proven->leaf.sequence.value,
               core::name(proven->leaf.kind), utc(proven->leaf.time_us));
  if (kept && !context.json()) fmt::print("kept: it is in the log of {} entries\n", *kept);
  return 0;
}

Result<int> verify_tlog_proof(Context& context, const std::string& text, const std::string& leaf_hex,
                              const log::VerifierKey& vkey) {
  auto leaf = from_hex(leaf_hex);
  if (!leaf) return usage_error("--leaf is not hex");
  auto proven = check_tlog_proof(text, *leaf, vkey);
  if (!proven) return false_proof(proven.error());
  if (context.json())
    fmt::print("{}\n", JsonObject()
                           .add("holds", true)
                           .add("sequence", proven->leaf.sequence.value)
                           .add("size", proven->checkpoint.size)
                           .add("log", proven->checkpoint.origin)
                           .text());
  else
    fmt::print("holds: entry {} ({}, {}) is in the log of {} entries that \"{}\" signed\n",
               proven->leaf.sequence.value, core::name(proven->leaf.kind), utc(proven->leaf.time_us),
               proven->checkpoint.size, proven->checkpoint.origin);
  return 0;
}

Run verify(CLI::App& app) {
  struct Options {
    std::string file, leaf, auditor, against, evidence;
  };
  auto options = std::make_shared<Options>();
  app.add_option("file", options->file,
                 "an acknowledgement (`pay --json`), a tlog-proof (`proof`), a statement (`statement`), a "
                 "checkpoint (a peer's: it is held against the ledger's), or evidence of a split view; "
                 "- is standard input")
      ->required();
  app.add_option("--auditor", options->auditor, "whose signature a statement must carry besides, as a vkey");
  app.add_option("--against", options->against,
                 "with an acknowledgement: the proof (`proof N`) of what the log has in its place");
  app.add_option("--leaf", options->leaf, "the leaf, hex, of a tlog-proof that does not carry it");
  app.add_option("--evidence", options->evidence,
                 "where evidence of a split view goes; default: split-view-*.txt here");
  return [=](Context& context) -> Result<int> {
    if (context.options().vkey.empty())
      return usage_error(
          "offline, whose signature counts must be said: give the log's verifier key with --vkey or "
          "WINDLASS_LOG_VKEY");
    auto key = context.log_key();
    if (!key) return tl::unexpected(key.error());
    auto text = read_file(options->file);
    if (!text) return tl::unexpected(text.error());
    if (auto file = parse_statement(*text))
      return verify_statement(context, *file, *text, key->vkey, options->auditor);
    if (!options->against.empty() && !text->starts_with("{"))
      return usage_error("--against needs an acknowledgement: what was promised");
    if (text->starts_with("{")) return verify_acknowledgement(context, *text, options->against, key->vkey);
    if (text->starts_with(split_view_header)) return verify_evidence(context, *text, key->vkey);
    if (text->starts_with(log::tlog_proof_header))
      return verify_tlog_proof(context, *text, options->leaf, key->vkey);
    return verify_checkpoint_note(context, *text, options->evidence, key->vkey);
  };
}

// --- audit

Result<log::NoteSigner> cosigner(const std::string& key_file) {
  auto signer = ops::read_note_key_file(key_file, terminal_passphrase());
  if (!signer) return usage_error(signer.error() + "; `windlass key new-auditor NAME --key FILE` makes one");
  return *std::move(signer);
}

// Signs what was found, and leaves it with the ledger for those who do not replay.
Result<void> cosign(Context& context, const AuditReport& report, const log::NoteSigner& signer,
                    const std::optional<SecretKey>& auditor_key) {
  pb::AddAuditRequest request;
  request.set_note(signer.sign(report.statement().text()));
  request.set_vkey(signer.verifier().text());
  if (auditor_key) {
    auto facts = context.facts();
    if (!facts) return tl::unexpected(facts.error());
    auto envelope = codec::sign(request.note(), (*facts)->tag, {&*auditor_key});
    request.mutable_signature()->set_key(envelope.signers[0].key);
    request.mutable_signature()->set_signature(envelope.signers[0].signature);
  }
  auto added = context.connection().call(&pb::Log::Stub::AddAudit, request);
  if (!added) return tl::unexpected(added.error());
  fmt::print(stderr, "signed with {}, and left with the ledger:\n{}", request.vkey(), request.note());
  return {};
}

void print_report(Context& context, const AuditReport& report, bool full) {
  if (context.json()) {
    JsonObject object;
    object.add("holds", true)
        .add("first", report.first)
        .add("entries", report.entries)
        .add("checkpoint_size", report.checkpoint.size)
        .add("anchors", report.anchors)
        .add("anchors_on_chain", report.on_chain);
    if (full)
      object.add("signatures", report.signatures)
          .add("accounts", report.accounts)
          .add("credits", report.credits)
          .add("credits_on_chain", report.credits_on_chain)
          .add("payments", report.payments)
          .add("payments_on_chain", report.payments_on_chain)
          .add("liabilities", report.liabilities)
          .add("liabilities_computed", report.liabilities_found)
          .add("snapshots", report.snapshots)
          .add("snapshot_sequence", report.newest_snapshot.sequence.value);
    fmt::print("{}\n", object.text());
    return;
  }
  fmt::print(
      "{} entries from {} on: every hash holds, and they make the root of the log of {} that \"{}\" signed\n",
      report.entries, report.first, report.checkpoint.size, report.checkpoint.origin);
  fmt::print("{} solidified anchors have the log's roots{}\n", report.anchors,
             report.on_chain > 0 ? fmt::format("; {} were found on TRON", report.on_chain)
                                 : std::string("; none was looked up on TRON"));
  if (full && report.credits > 0)
    fmt::print(
        "credits: {}; {}\n", report.credits,
        report.credits_on_chain > 0 ? "each is a deposit on TRON, as it says" : "none was looked up on TRON");
  if (full && report.payments > 0)
    fmt::print("withdrawals paid: {}; {}\n", report.payments,
               report.payments_on_chain > 0 ? "each is a payment from custody on TRON, as it says"
                                            : "none was looked up on TRON");
  if (full)
    fmt::print(
        "replayed from genesis: {} signatures and every rule hold, for {} accounts; {} balance snapshots are "
        "what seals say\n",
        report.signatures, report.accounts, report.snapshots);
  if (full && report.liabilities > 0)
    fmt::print(
        "liabilities: {} of {} that seals name, the newest included, were computed again: they count "
        "every account\n",
        report.liabilities_found, report.liabilities);
}

Run audit_command(CLI::App& app) {
  struct Options {
    std::uint64_t from = 0;
    bool full = false, as_auditor = false;
    std::string cosign, deposit_key;
  };
  auto options = std::make_shared<Options>();
  auto* from = app.add_option("--from", options->from, "begin at this entry");
  app.add_flag("--full", options->full, "replay everything through the ledger's rules, signatures included")
      ->excludes(from);
  app.add_option(
      "--cosign", options->cosign,
      "sign what was found with this auditor's key file, for those who do not replay (with --full)");
  app.add_option("--deposit-key", options->deposit_key,
                 "xpub that deposit addresses must be derived from; default: what the ledger names");
  app.add_flag("--as-auditor", options->as_auditor, "sign the requests: the key holds the auditor role");
  return [=](Context& context) -> Result<int> {
    if (!options->cosign.empty() && !options->full)
      return usage_error("an auditor signs for a whole replay: --cosign needs --full");
    auto key = context.log_key();
    if (!key) return tl::unexpected(key.error());
    AuditOptions audit_options{options->from,       options->full, key->vkey, context.chain(), {},
                               options->deposit_key};
    if (options->as_auditor) {
      auto auditor = context.secret_key();
      if (!auditor) return tl::unexpected(auditor.error());
      audit_options.auditor_key = *std::move(auditor);
    }
    std::optional<log::NoteSigner> signer;  // before a long replay
    if (!options->cosign.empty()) {
      auto read = cosigner(options->cosign);
      if (!read) return tl::unexpected(read.error());
      signer = *std::move(read);
    }
    Progress progress("entries");
    auto report = audit(context.connection(), audit_options,
                        [&](std::uint64_t done, std::uint64_t of) { progress.show(done, of); });
    progress.finish();
    if (!report) return tl::unexpected(report.error());
    if (auto seen = watch_for_split_view(context, key->vkey, report->note); !seen)
      return tl::unexpected(seen.error());
    print_report(context, *report, options->full);
    if (!signer) return 0;
    if (auto signed_it = cosign(context, *report, *signer, audit_options.auditor_key); !signed_it)
      return tl::unexpected(signed_it.error());
    return 0;
  };
}

}  // namespace

Commands proof_commands() {
  return {
      {"proof", "prints the proof that an entry is in the log (C2SP tlog-proof)", proof},
      {"verify", "checks a file: offline, but for a peer's checkpoint", verify},
      {"audit", "checks the whole ledger", audit_command},
  };
}

}  // namespace windlass::cli
