#include "client/cli/history.h"

#include <fstream>

#include "client/cli/progress.h"
#include "client/cli/table.h"
#include "client/cli/views.h"
#include "client/history.h"

namespace windlass::cli {
namespace {

// --- entries

pb::Posting without_proof(const pb::Posting& posting) {
  pb::Posting out = posting;
  out.clear_path();
  return out;
}

std::vector<core::Posting> postings_of(const pb::Entry& entry) {
  std::vector<core::Posting> out;
  for (const auto& shown : entry.postings())
    if (auto posting = codec::decode_posting(shown.posting())) out.push_back(*posting);
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
  for (const auto& line : describe(postings_of(entry), context)) changes.push_back(json_string(line));
  return object.raw("changes", json_array(changes)).raw("entry", to_json(entry)).text();
}

void print_entry(const pb::Entry& entry, Context& context) {
  fmt::print("entry {}  {}  {}\n", entry.sequence(), utc(entry.time_us()), kind_name(entry.kind()));
  for (const auto& line : describe(postings_of(entry), context)) fmt::print("  {}\n", line);
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

// --- histories

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

void print_verified(Context& context, std::FILE* out, const Verified& verified) {
  if (context.json())
    fmt::print(out, "{}\n", verified_json(verified));
  else
    for (const auto& line : describe(verified)) fmt::print(out, "{}\n", line);
}

Result<std::optional<log::VerifierKey>> parse_auditor(const std::string& vkey) {
  if (vkey.empty()) return std::nullopt;
  auto key = log::VerifierKey::parse(vkey);
  if (!key) return usage_error("--auditor is no verifier key: name+8 hex digits+base64");
  return key;
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

void print_history(const std::vector<pb::Entry>& entries, Context& context, bool csv) {
  if (csv) {
    fmt::print("sequence,time_us,kind,account,channel,asset,available,locked,held,deposit,claimed\n");
    for (const auto& entry : entries)
      for (const auto& posting : postings_of(entry)) fmt::print("{}", csv_line(entry, posting));
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
      auto evidence = evidence_from(context.connection());
      auto held = verify_against_log(context, *evidence, *read, options->auditor, &trusted);
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
    pb::StatementFile file = unproven_statement(*read);
    auto ledger = evidence_from(context.connection());
    auto evidence = record(*ledger, file);
    bool trusted = false;
    auto held = verify_against_log(context, *evidence, *read, options->auditor, &trusted);
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

}  // namespace

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

Result<int> verify_statement(Context& context, const pb::StatementFile& file, const std::string& bytes,
                             const log::VerifierKey& vkey, const std::string& auditor_vkey) {
  auto auditor = parse_auditor(auditor_vkey);
  if (!auditor) return tl::unexpected(auditor.error());
  if (file.own_size() == 0) return false_proof("the statement shows no entry");
  auto held =
      verify_history(*evidence_from(file), history_of(file), {vkey, *auditor, context.chain(), 1}, {});
  if (!held) return tl::unexpected(held.error());
  if (essential(file).SerializeAsString() != bytes)
    return false_proof(
        "the statement holds something that none of its proofs covers: it was changed after it was written");
  if (!context.json()) fmt::print("holds: the history of {}\n", to_hex(file.account().key()));
  print_verified(context, stdout, *held);
  return 0;
}

Commands history_commands() {
  return {
      {"history", "shows all that happened to a key, newest first, and proves it", history},
      {"statement", "writes a file that proves a key's history, without the ledger", statement},
      {"entry", "shows an entry", entry},
  };
}

}  // namespace windlass::cli
