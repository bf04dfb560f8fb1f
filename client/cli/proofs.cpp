#include "client/audit.h"
#include "client/cli/progress.h"
#include "client/cli/table.h"
#include "client/history.h"

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
    if (context.json())
      fmt::print("{}\n", to_json(*found));
    else
      fmt::print("{}", make_tlog_proof(*found));
    return 0;
  };
}

// --- offline

Result<int> verify_acknowledgement(Context& context, const std::string& text, const log::VerifierKey& vkey) {
  pb::Acknowledgement acknowledgement;
  if (auto parsed = from_json(text, acknowledgement); !parsed) return tl::unexpected(parsed.error());
  auto proven = check_acknowledgement(acknowledgement);
  if (!proven) return false_proof(proven.error());
  if (!acknowledgement.has_promise())
    return false_proof("the acknowledgement has no promise: nobody signed it, so it proves nothing");
  auto promise = check_promise(acknowledgement.promise(), proven->leaf_hash, proven->leaf.sequence, vkey);
  if (!promise) return false_proof(promise.error());
  if (context.json())
    fmt::print("{}\n", JsonObject()
                           .add("holds", true)
                           .add("sequence", proven->leaf.sequence.value)
                           .add("log", promise->origin)
                           .text());
  else
    fmt::print("holds: \"{}\" promised entry {} ({}, {})\n", promise->origin, proven->leaf.sequence.value,
               core::name(proven->leaf.kind), utc(proven->leaf.time_us));
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
    std::string file, leaf;
  };
  auto options = std::make_shared<Options>();
  app.add_option("file", options->file,
                 "an acknowledgement (`pay --json`), or a tlog-proof (`proof`); - is standard input")
      ->required();
  app.add_option("--leaf", options->leaf, "the leaf, hex, of a tlog-proof that does not carry it");
  return [=](Context& context) -> Result<int> {
    if (context.options().vkey.empty())
      return usage_error(
          "offline, whose signature counts must be said: give the log's verifier key with --vkey or "
          "WINDLASS_LOG_VKEY");
    auto key = context.log_key();
    if (!key) return tl::unexpected(key.error());
    auto text = read_file(options->file);
    if (!text) return tl::unexpected(text.error());
    if (text->starts_with("{")) return verify_acknowledgement(context, *text, key->vkey);
    return verify_tlog_proof(context, *text, options->leaf, key->vkey);
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
  if (verified.anchor)
    object.add("anchored_by", tron::to_base58(verified.anchored_by))
        .add("transaction", to_hex(verified.anchor->transaction_id))
        .add("block", verified.anchor->block.number)
        .add("anchored_size", verified.anchor->checkpoint.size);
  else
    object.add("not_anchored_because", verified.not_anchored_because);
  return object.text();
}

Result<Verified> verify_against_log(Context& context, const History& history, bool* trusted) {
  auto key = context.log_key();
  if (!key) return tl::unexpected(key.error());
  *trusted = key->trusted;
  Progress progress("proofs");
  return verify_history(context.connection(), history, {key->vkey, context.chain(), 4},
                        [&](std::uint64_t done, std::uint64_t of) { progress.show(done, of); });
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
    std::string who;
    bool verify = false, csv = false, quiet = false;
  };
  auto options = std::make_shared<Options>();
  app.add_option("key", options->who, "whose; default: the signer's own");
  app.add_flag("--verify", options->verify, "prove every entry: links, inclusion, and the anchor on TRON");
  app.add_flag("--csv", options->csv, "as a table");
  app.add_flag("--quiet", options->quiet, "only what --verify finds");
  return [=](Context& context) -> Result<int> {
    auto key = context.resolve(options->who);
    if (!key) return tl::unexpected(key.error());
    pb::GetAccountRequest request;
    request.set_key(std::string(view(*key)));
    auto account = context.connection().call(&pb::Query::Stub::GetAccount, request);
    if (!account) return tl::unexpected(account.error());
    Progress reading("entries");
    auto read = read_history(context.connection(), *account,
                             [&](std::uint64_t done, std::uint64_t of) { reading.show(done, of); });
    reading.finish();
    if (!read) return tl::unexpected(read.error());
    bool trusted = false;
    std::optional<Verified> verified;
    if (options->verify) {
      auto held = verify_against_log(context, *read, &trusted);
      if (!held) return tl::unexpected(held.error());
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

// --- audit

void print_report(Context& context, const AuditReport& report, bool full) {
  if (context.json()) {
    JsonObject object;
    object.add("holds", true)
        .add("first", report.first)
        .add("entries", report.entries)
        .add("checkpoint_size", report.checkpoint.size)
        .add("anchors", report.anchors)
        .add("anchors_on_chain", report.on_chain);
    if (full) object.add("signatures", report.signatures).add("accounts", report.accounts);
    fmt::print("{}\n", object.text());
    return;
  }
  fmt::print(
      "{} entries from {} on: every hash holds, and they make the root of the log of {} that \"{}\" signed\n",
      report.entries, report.first, report.checkpoint.size, report.checkpoint.origin);
  fmt::print("{} solidified anchors have the log's roots{}\n", report.anchors,
             report.on_chain > 0 ? fmt::format("; {} were found on TRON", report.on_chain)
                                 : std::string("; none was looked up on TRON"));
  if (full)
    fmt::print("replayed from genesis: {} signatures and every rule hold, for {} accounts\n",
               report.signatures, report.accounts);
}

Run audit_command(CLI::App& app) {
  struct Options {
    std::uint64_t from = 0;
    bool full = false, as_auditor = false;
  };
  auto options = std::make_shared<Options>();
  auto* from = app.add_option("--from", options->from, "begin at this entry");
  app.add_flag("--full", options->full, "replay everything through the ledger's rules, signatures included")
      ->excludes(from);
  app.add_flag("--as-auditor", options->as_auditor, "sign the requests: the key holds the auditor role");
  return [=](Context& context) -> Result<int> {
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
    print_report(context, *report, options->full);
    return 0;
  };
}

}  // namespace

Commands proof_commands() {
  return {
      {"history", "shows all that happened to a key, newest first, and proves it", history},
      {"entry", "shows an entry", entry},
      {"proof", "prints the proof that an entry is in the log (C2SP tlog-proof)", proof},
      {"verify", "checks a file without asking anybody", verify},
      {"audit", "checks the whole ledger", audit_command},
  };
}

}  // namespace windlass::cli
