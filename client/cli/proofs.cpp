#include <fstream>

#include "client/audit.h"
#include "client/cli/progress.h"
#include "client/cli/table.h"
#include "client/cli/views.h"
#include "client/history.h"
#include "ops/key_file.h"

namespace windlass::cli {
namespace {

// --- entries

pb::Posting without_proof(const pb::Posting& posting) {
  pb::Posting out = posting;
  out.clear_path();
  return out;
}

std::string csv_line(const pb::Entry& entry, const core::Posting& posting) {
  std::string prefix = fmt::format("{},{},{},", entry.sequence(), entry.time_us(), kind_name(entry.kind()));
  const core::AccountPosting* account = std::get_if<core::AccountPosting>(&posting);
  if (const auto* closing = std::get_if<core::ClosingPosting>(&posting)) account = &closing->payer;
  if (account)
    return prefix + fmt::format("{},,{},{},{},{},,\n", account->account.value, account->after.asset.value,
                                account->after.available, account->after.locked, account->after.held);
  const auto& channel = std::get<core::ChannelPosting>(posting);
  return prefix + fmt::format(",{},,,,,{},{}\n", channel.channel.value, channel.deposit, channel.claimed);
}

std::string entry_json(const pb::Entry& entry, Context& context) {
  JsonObject object;
  object.add("sequence", entry.sequence())
      .add("time_us", entry.time_us())
      .add("kind", kind_name(entry.kind()));
  std::vector<std::string> changes;
  for (const auto& shown : entry.postings())
    if (auto posting = codec::decode_posting(shown.posting()))
      changes.push_back(json_string(describe(*posting, context)));
  return object.raw("changes", json_array(changes)).raw("entry", to_json(entry)).text();
}

void print_entry(const pb::Entry& entry, Context& context) {
  fmt::print("entry {}  {}  {}\n", entry.sequence(), utc(entry.time_us()), kind_name(entry.kind()));
  for (const auto& shown : entry.postings())
    if (auto posting = codec::decode_posting(shown.posting()))
      fmt::print("  {}\n", describe(*posting, context));
}

Run entry(CLI::App& app) {
  struct Options {
    std::uint64_t number = 0;
    std::string who;
  };
  auto options = std::make_shared<Options>();
  app.add_option("number", options->number, "its sequence")->required();
  app.add_option("--of", options->who, "show what it did to this key too");
  return [=](Context& context) -> Result<int> {
    pb::GetEntryRequest request;
    request.set_sequence(options->number);
    if (!options->who.empty()) {
      auto key = context.resolve(options->who);
      if (!key) return tl::unexpected(key.error());
      request.set_key(std::string(view(*key)));
    }
    auto found = context.connection().call(&pb::Query::Stub::GetEntry, request);
    if (!found) return tl::unexpected(found.error());
    if (auto proven = check_entry(*found); !proven) return false_proof(proven.error());
    if (context.json()) {
      fmt::print("{}\n", entry_json(*found, context));
      return 0;
    }
    print_entry(*found, context);
    fmt::print("  leaf hash {}\n", to_hex(found->leaf_hash()));
    return 0;
  };
}

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

constexpr std::string_view statement_format = "windlass/statement/v1";
constexpr std::size_t max_format_offset = 8;  // a serialized message begins with its first field

Result<std::optional<log::VerifierKey>> parse_auditor(const std::string& vkey) {
  if (vkey.empty()) return std::nullopt;
  auto key = log::VerifierKey::parse(vkey);
  if (!key) return usage_error("--auditor is no verifier key: name+8 hex digits+base64");
  return key;
}

std::string verified_json(const Verified& verified);

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

History history_of(const pb::StatementFile& file) {
  History history{file.account(), {file.own().begin(), file.own().end()}, {}, 0};
  for (const auto& channel : file.channels())
    history.channels[channel.channel()] = {channel.entries().begin(), channel.entries().end()};
  return history;
}

void print_verified(Context& context, std::FILE* out, const Verified& verified) {
  if (context.json())
    fmt::print(out, "{}\n", verified_json(verified));
  else
    for (const auto& line : describe(verified)) fmt::print(out, "{}\n", line);
}

Result<int> verify_statement(Context& context, const pb::StatementFile& file, const std::string& bytes,
                             const log::VerifierKey& vkey, const std::optional<log::VerifierKey>& auditor) {
  if (file.own_size() == 0) return false_proof("the statement shows no entry");
  FileEvidence evidence(file);
  auto held = verify_history(evidence, history_of(file), {vkey, auditor, context.chain(), 1}, {});
  if (!held) return tl::unexpected(held.error());
  if (essential(file).SerializeAsString() != bytes)
    return false_proof(
        "the statement holds something that none of its proofs covers: it was changed after it was written");
  if (!context.json()) fmt::print("holds: the history of {}\n", to_hex(file.account().key()));
  print_verified(context, stdout, *held);
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
    auto auditor = parse_auditor(options->auditor);
    if (!auditor) return tl::unexpected(auditor.error());
    if (pb::StatementFile file; text->find(statement_format) < max_format_offset &&
                                file.ParseFromString(*text) && file.format() == statement_format)
      return verify_statement(context, file, *text, key->vkey, *auditor);
    if (!options->against.empty() && !text->starts_with("{"))
      return usage_error("--against needs an acknowledgement: what was promised");
    if (text->starts_with("{")) return verify_acknowledgement(context, *text, options->against, key->vkey);
    if (text->starts_with(split_view_header)) return verify_evidence(context, *text, key->vkey);
    if (text->starts_with(log::tlog_proof_header))
      return verify_tlog_proof(context, *text, options->leaf, key->vkey);
    return verify_checkpoint_note(context, *text, options->evidence, key->vkey);
  };
}

// --- history

std::string verified_json(const Verified& verified) {
  JsonObject object;
  object.add("holds", true)
      .add("entries", verified.entries)
      .add("chains", verified.chains)
      .add("checkpoint_size", verified.checkpoint.size)
      .add("anchored_entries", verified.anchored_entries);
  if (verified.anchor) {
    object.add("anchored_by", tron::to_base58(verified.anchor->sender));
    if (verified.anchor->contract) object.add("anchor_contract", tron::to_base58(*verified.anchor->contract));
    object.add("transaction", to_hex(verified.anchor->transaction_id))
        .add("block", verified.anchor->block.number)
        .add("anchored_size", verified.anchor->checkpoint.size);
  } else {
    object.add("not_anchored_because", verified.not_anchored_because);
  }
  object.add("complete", verified.snapshot.has_value());
  if (const auto& snapshot = verified.snapshot) {
    object.add("snapshot_sequence", snapshot->sequence.value)
        .add("snapshot_root", to_hex(snapshot->root))
        .add("newer_entries", snapshot->newer);
    if (snapshot->seal != core::no_sequence) object.add("seal", snapshot->seal.value);
    if (snapshot->audited_size > 0) object.add("audited_size", snapshot->audited_size);
  }
  return object.text();
}

Result<Verified> verify_against_log(Context& context, Evidence& evidence, const History& history,
                                    const std::string& auditor_vkey, bool* trusted) {
  auto key = context.log_key();
  if (!key) return tl::unexpected(key.error());
  auto auditor = parse_auditor(auditor_vkey);
  if (!auditor) return tl::unexpected(auditor.error());
  *trusted = key->trusted;
  Progress progress("proofs");
  return verify_history(evidence, history, {key->vkey, *auditor, context.chain(), 4},
                        [&](std::uint64_t done, std::uint64_t of) { progress.show(done, of); });
}

Result<History> read_history_of(Context& context, const std::string& who) {
  auto key = context.resolve(who);
  if (!key) return tl::unexpected(key.error());
  pb::GetAccountRequest request;
  request.set_key(std::string(view(*key)));
  auto account = context.connection().call(&pb::Query::Stub::GetAccount, request);
  if (!account) return tl::unexpected(account.error());
  Progress reading("entries");
  return read_history(context.connection(), *account,
                      [&](std::uint64_t done, std::uint64_t of) { reading.show(done, of); });
}

void print_history(const std::vector<pb::Entry>& entries, Context& context, bool csv) {
  if (csv) {
    fmt::print("sequence,time_us,kind,account,channel,asset,available,locked,held,deposit,claimed\n");
    for (const auto& entry : entries)
      for (const auto& shown : entry.postings())
        if (auto posting = codec::decode_posting(shown.posting()))
          fmt::print("{}", csv_line(entry, *posting));
    return;
  }
  for (const auto& entry : entries) print_entry(entry, context);
}

void print_history_json(const std::vector<pb::Entry>& entries, Context& context,
                        const std::optional<Verified>& verified) {
  std::vector<std::string> items;
  for (const auto& entry : entries) {
    pb::Entry shown = entry;
    for (auto& posting : *shown.mutable_postings()) posting = without_proof(posting);
    items.push_back(entry_json(shown, context));
  }
  JsonObject object;
  object.raw("entries", json_array(items));
  if (verified) object.raw("verified", verified_json(*verified));
  fmt::print("{}\n", object.text());
}

Run history(CLI::App& app) {
  struct Options {
    std::string who, auditor;
    bool verify = false, csv = false, quiet = false;
  };
  auto options = std::make_shared<Options>();
  app.add_option("key", options->who, "whose; default: the signer's own");
  app.add_flag("--verify", options->verify, "prove every entry: links, inclusion, and the anchor on TRON");
  app.add_option("--auditor", options->auditor, "with --verify: whose statement must cover it, as a vkey");
  app.add_flag("--csv", options->csv, "as a table");
  app.add_flag("--quiet", options->quiet, "only what --verify finds");
  return [=](Context& context) -> Result<int> {
    if (!options->auditor.empty() && !options->verify) return usage_error("--auditor needs --verify");
    auto read = read_history_of(context, options->who);
    if (!read) return tl::unexpected(read.error());
    bool trusted = false;
    std::optional<Verified> verified;
    if (options->verify) {
      LedgerEvidence evidence(context.connection());
      auto held = verify_against_log(context, evidence, *read, options->auditor, &trusted);
      if (!held) return tl::unexpected(held.error());
      if (auto key_of_log = context.log_key())
        if (auto seen = watch_for_split_view(context, key_of_log->vkey, held->note); !seen)
          return tl::unexpected(seen.error());
      verified = *std::move(held);
    }
    auto entries = options->quiet ? std::vector<pb::Entry>() : read->merged();
    if (context.json()) {
      print_history_json(entries, context, verified);
      return 0;
    }
    if (!options->quiet) print_history(entries, context, options->csv);
    if (!verified) return 0;
    std::FILE* out = options->csv ? stderr : stdout;
    for (const auto& line : describe(*verified)) fmt::print(out, "{}\n", line);
    if (!trusted)
      fmt::print(out, "the log's key was taken from the ledger itself; --vkey names one that you trust\n");
    return 0;
  };
}

Run statement(CLI::App& app) {
  struct Options {
    std::string who, out, auditor;
  };
  auto options = std::make_shared<Options>();
  app.add_option("key", options->who, "whose; default: the signer's own");
  app.add_option("--out", options->out, "the file to write; default: <first 16 digits of the key>.statement");
  app.add_option("--auditor", options->auditor, "whose signature it shall carry, as a vkey");
  return [=](Context& context) -> Result<int> {
    auto read = read_history_of(context, options->who);
    if (!read) return tl::unexpected(read.error());
    pb::StatementFile file;
    file.set_format(std::string(statement_format));
    *file.mutable_account() = read->account;
    file.mutable_own()->Assign(read->own.begin(), read->own.end());
    for (const auto& [id, entries] : read->channels) {
      auto& channel = *file.add_channels();
      channel.set_channel(id);
      channel.mutable_entries()->Assign(entries.begin(), entries.end());
    }
    LedgerEvidence ledger(context.connection());
    RecordedEvidence evidence(ledger, file);
    bool trusted = false;
    auto held = verify_against_log(context, evidence, *read, options->auditor, &trusted);
    if (!held) return tl::unexpected(held.error());
    std::string out =
        options->out.empty() ? to_hex(read->account.key()).substr(0, 16) + ".statement" : options->out;
    auto others = [&](const pb::Audit& audit) { return audit.vkey() != options->auditor; };
    auto& audits = *file.mutable_audits();
    audits.erase(std::remove_if(audits.begin(), audits.end(), others), audits.end());
    std::string bytes = essential(file).SerializeAsString();
    std::ofstream stream(out, std::ios::binary);
    if (!(stream << bytes).flush()) return usage_error(fmt::format("cannot write {}", out));
    print_verified(context, stderr, *held);
    fmt::print(stderr, "{}: {} bytes; `windlass verify {} --vkey ...` checks it without the ledger\n", out,
               bytes.size(), out);
    return 0;
  };
}

// --- audit

// Signs what was found, and leaves it with the ledger for those who do not replay.
Result<void> cosign(Context& context, const AuditReport& report, const std::string& key_file,
                    const std::optional<SecretKey>& auditor_key) {
  auto signer =
      ops::read_note_key_file(key_file, ops::AskPassphrase([](const std::filesystem::path& file) {
                                auto text = ask_passphrase(fmt::format("passphrase of {}: ", file.string()));
                                return text ? std::optional(ops::SecretText(*text)) : std::nullopt;
                              }));
  if (!signer) return usage_error(signer.error() + "; `windlass key new-auditor NAME --key FILE` makes one");
  pb::AddAuditRequest request;
  request.set_note(signer->sign(report.statement().text()));
  request.set_vkey(signer->verifier().text());
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
  if (full)
    fmt::print(
        "replayed from genesis: {} signatures and every rule hold, for {} accounts; {} balance snapshots are "
        "what seals say\n",
        report.signatures, report.accounts, report.snapshots);
}

Run audit_command(CLI::App& app) {
  struct Options {
    std::uint64_t from = 0;
    bool full = false, as_auditor = false;
    std::string cosign;
  };
  auto options = std::make_shared<Options>();
  auto* from = app.add_option("--from", options->from, "begin at this entry");
  app.add_flag("--full", options->full, "replay everything through the ledger's rules, signatures included")
      ->excludes(from);
  app.add_option(
      "--cosign", options->cosign,
      "sign what was found with this auditor's key file, for those who do not replay (with --full)");
  app.add_flag("--as-auditor", options->as_auditor, "sign the requests: the key holds the auditor role");
  return [=](Context& context) -> Result<int> {
    if (!options->cosign.empty() && !options->full)
      return usage_error("an auditor signs for a whole replay: --cosign needs --full");
    auto key = context.log_key();
    if (!key) return tl::unexpected(key.error());
    AuditOptions audit_options{options->from, options->full, key->vkey, context.chain(), {}};
    if (options->as_auditor) {
      auto auditor = context.secret_key();
      if (!auditor) return tl::unexpected(auditor.error());
      audit_options.auditor_key = *std::move(auditor);
    }
    Progress progress("entries");
    auto report = audit(context.connection(), audit_options,
                        [&](std::uint64_t done, std::uint64_t of) { progress.show(done, of); });
    progress.finish();
    if (!report) return tl::unexpected(report.error());
    if (auto seen = watch_for_split_view(context, key->vkey, report->note); !seen)
      return tl::unexpected(seen.error());
    print_report(context, *report, options->full);
    if (options->cosign.empty()) return 0;
    if (auto signed_it = cosign(context, *report, options->cosign, audit_options.auditor_key); !signed_it)
      return tl::unexpected(signed_it.error());
    return 0;
  };
}

}  // namespace

Commands proof_commands() {
  return {
      {"history", "shows all that happened to a key, newest first, and proves it", history},
      {"statement", "writes a file that proves a key's history, without the ledger", statement},
      {"entry", "shows an entry", entry},
      {"proof", "prints the proof that an entry is in the log (C2SP tlog-proof)", proof},
      {"verify", "checks a file: offline, but for a peer's checkpoint", verify},
      {"audit", "checks the whole ledger", audit_command},
  };
}

}  // namespace windlass::cli
