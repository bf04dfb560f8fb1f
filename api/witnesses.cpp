#include "api/witnesses.h"

#include <fmt/format.h>

#include <fstream>
#include <future>
#include <sstream>

#include "ledger/log/durable_file.h"
#include "ops/log.h"

namespace windlass::api {
namespace {

constexpr std::string_view add_checkpoint = "add-checkpoint";
constexpr auto wait_slice = std::chrono::milliseconds(250);  // between two looks at whether to stop
constexpr std::size_t shown_bytes = 200;                     // of a witness's own words

constexpr unsigned ok = 200, conflict = 409;

// What C2SP tlog-witness says that an answer means.
std::string meaning_of(const WitnessAnswer& answer) {
  const char* meaning = answer.status == 403   ? "it does not accept the log's signature"
                        : answer.status == 404 ? "it does not know this log"
                        : answer.status == 422 ? "it does not find the checkpoint consistent with what it has"
                        : answer.status == 429 ? "it is asked too often"
                                               : "unexpected";
  std::string words;
  for (char c : answer.body.substr(0, shown_bytes)) words += c >= 0x20 && c < 0x7f ? c : ' ';
  return fmt::format("it answers {} ({}): {}", answer.status, meaning, words);
}

// What add-checkpoint said, as far as the size that the witness has is concerned.
std::optional<std::uint64_t> size_after(const WitnessAnswer& answer, std::uint64_t sent) {
  if (answer.status == ok) return sent;
  return answer.status == conflict ? log::parse_witness_size(answer.body) : std::nullopt;
}

}  // namespace

tl::expected<Witness, std::string> Witness::parse(std::string_view text) {
  auto space = text.find(' ');
  if (space == std::string_view::npos)
    return tl::unexpected(fmt::format("\"{}\" is no witness; one reads URL VERIFIER-KEY", text));
  auto url = WitnessUrl::parse(text.substr(0, space));
  if (!url) return tl::unexpected(url.error());
  auto key = log::WitnessKey::parse(text.substr(space + 1));
  if (!key)
    return tl::unexpected(fmt::format(
        "\"{}\" is no witness's key; it reads name+id+key, of type 04 (C2SP tlog-cosignature, v1)",
        text.substr(space + 1)));
  return Witness{*url, *key};
}

tl::expected<std::vector<Witness>, std::string> parse_witnesses(const std::vector<std::string>& texts) {
  if (texts.size() > max_witnesses)
    return tl::unexpected(fmt::format("{} witnesses are too many: at most {}", texts.size(), max_witnesses));
  std::vector<Witness> witnesses;
  for (const auto& text : texts) {
    auto witness = Witness::parse(text);
    if (!witness) return tl::unexpected(witness.error());
    for (const auto& other : witnesses)
      if (other.key.key == witness->key.key || other.key.name == witness->key.name)
        return tl::unexpected(fmt::format("the witness {} stands there twice", witness->key.name));
    witnesses.push_back(*std::move(witness));
  }
  return witnesses;
}

std::size_t Witnesses::Round::count() const {
  return static_cast<std::size_t>(
      std::count_if(lines.begin(), lines.end(), [](const auto& line) { return !line.empty(); }));
}

std::string Witnesses::Round::cosigned_note() const {
  std::string out = note;
  for (const auto& line : lines) out += line;
  return out;
}

Witnesses::Witnesses(WitnessOptions options, WitnessedLog log, Report report)
    : options_(std::move(options)),
      log_(std::move(log)),
      report_(std::move(report)),
      client_(options_.ca_file),
      known_(options_.witnesses.size(), 0) {
  std::ifstream in(options_.file);
  if (!in) return;
  std::stringstream text;
  text << in.rdbuf();
  auto opened = log::open_note(text.str(), log_.signer.verifier());
  auto checkpoint = opened ? log::Checkpoint::parse(*opened) : std::nullopt;
  if (!checkpoint)
    throw std::runtime_error(
        fmt::format("{} is not a checkpoint signed by this log's key {}: restore the file or remove it",
                    options_.file.string(), log_.signer.verifier().text()));
  published_ = text.str();
  published_size_ = checkpoint->size;
  for (const auto& witness : options_.witnesses)
    if (log::open_cosignature(published_, witness.key)) ++published_count_;
}

Witnesses::~Witnesses() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
}

std::string Witnesses::cosigned() const {
  std::lock_guard lock(mutex_);
  return published_;
}

std::string Witnesses::note_of(std::uint64_t size) const {
  return log_.signer.sign(
      log::Checkpoint{log_.signer.verifier().name, size, log::root_at(log_.nodes, size)}.text());
}

void Witnesses::start(std::uint64_t size) {
  if (started_ || options_.witnesses.empty()) return;
  // "old 0" asks: a witness that has cosigned this log answers with its size, another one begins here.
  std::string body = log::add_checkpoint_body(0, {}, note_of(size));
  std::vector<std::future<tl::expected<WitnessAnswer, std::string>>> answers;
  for (const auto& witness : options_.witnesses)
    answers.push_back(std::async(std::launch::async, [&] {
      return client_.post(witness.url, add_checkpoint, body, options_.deadline, stopping_);
    }));
  std::string faults;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const auto& name = options_.witnesses[i].key.name;
    auto answer = answers[i].get();
    auto has = answer ? size_after(*answer, size) : std::nullopt;
    if (!has)
      ops::log_warning("a witness does not say what it has; starting without",
                       {{"witness", name}, {"reason", answer ? meaning_of(*answer) : answer.error()}});
    known_[i] = has.value_or(0);
    if (known_[i] > size)
      faults += fmt::format(
          "{}the witness {} has cosigned a log of {} entries, but the journal holds {}: acknowledged entries "
          "are missing, as after restoring an old backup or starting on a lagging standby; start on a "
          "database "
          "that has them",
          faults.empty() ? "" : "; ", name, known_[i], size);
  }
  if (!faults.empty()) throw std::runtime_error(faults);
  started_ = true;
  threads_.emplace_back([this] { begin_rounds(); });
  for (std::size_t i = 0; i < options_.witnesses.size(); ++i) threads_.emplace_back([this, i] { serve(i); });
}

void Witnesses::begin_rounds() {
  std::uint64_t size = 0;
  while (!stopping_) {
    auto note = log_.wait(size + 1, std::chrono::steady_clock::now() + wait_slice);
    if (!note) continue;
    // As the log alone signed it: what witnesses added already is asked for again.
    auto text = log::open_note(*note, log_.signer.verifier());
    auto checkpoint = log::Checkpoint::parse(text.value()).value();
    size = checkpoint.size;
    std::unique_lock lock(mutex_);
    if (round_.count() > 0 && round_.checkpoint.size > published_size_) publish(round_);
    round_ = {round_.number + 1, checkpoint, log_.signer.sign(*text),
              std::vector<std::string>(options_.witnesses.size())};
    changed_.notify_all();
    changed_.wait_for(lock, options_.interval, [&] { return stopping_.load(); });
  }
}

// The round after `after`, not before `pause` is over; nothing when it is time to stop.
std::optional<Witnesses::Round> Witnesses::next_round(std::size_t index, std::uint64_t after,
                                                      std::chrono::milliseconds pause) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, pause, [&] { return stopping_.load(); });
  // One that failed in this round is asked again in it, until it is over.
  changed_.wait(lock, [&] {
    return stopping_ || round_.number > after || (pause.count() > 0 && round_.lines[index].empty());
  });
  return stopping_ ? std::nullopt : std::optional(round_);
}

void Witnesses::serve(std::size_t index) {
  const auto& name = options_.witnesses[index].key.name;
  std::uint64_t last = 0;
  std::chrono::milliseconds pause{0};
  std::string trouble;
  while (auto round = next_round(index, last, pause)) {
    last = round->number;
    Asked asked = ask(index, *round);
    if (stopping_) return;
    report_(name, asked.outcome, known_[index]);
    if (asked.outcome == WitnessOutcome::cosigned) {
      record(index, *round, asked.line);
      if (!trouble.empty()) ops::log_info("a witness cosigns again", {{"witness", name}});
      trouble.clear();
      pause = {};
      continue;
    }
    pause = std::clamp(pause * 2, options_.first_backoff, options_.max_backoff);
    if (asked.why != trouble)
      ops::log_warning("a witness does not cosign",
                       {{"witness", name}, {"size", round->checkpoint.size}, {"reason", asked.why}});
    trouble = asked.why;
  }
}

Witnesses::Asked Witnesses::ask(std::size_t index, const Round& round) try {
  const Witness& witness = options_.witnesses[index];
  std::uint64_t& has = known_[index];
  bool told = false;  // by a 409, in this call
  for (;;) {
    if (has > round.checkpoint.size)
      return {WitnessOutcome::behind, "",
              fmt::format("it has cosigned {} entries, this checkpoint is of fewer", has)};
    log::Proof proof;
    if (has > 0 && has < round.checkpoint.size)
      proof = log::consistency_proof(log_.nodes, has, round.checkpoint.size);
    auto answer = client_.post(witness.url, add_checkpoint, log::add_checkpoint_body(has, proof, round.note),
                               options_.deadline, stopping_);
    if (!answer) return {WitnessOutcome::unreachable, "", answer.error()};
    if (answer->status == ok) {
      auto cosignature = log::open_cosignature(round.note + answer->body, witness.key);
      if (!cosignature) return {WitnessOutcome::refused, "", cosignature.error()};
      has = round.checkpoint.size;
      return {WitnessOutcome::cosigned, cosignature->line, ""};
    }
    auto size = size_after(*answer, 0);
    if (!size || told) return {WitnessOutcome::refused, "", meaning_of(*answer)};
    told = true;
    has = *size;
  }
} catch (const std::exception& error) {  // tiles that contradict one another
  return {WitnessOutcome::refused, "", error.what()};
}

void Witnesses::record(std::size_t index, const Round& round, const std::string& line) {
  log_.cosigned(round.checkpoint.size, line);
  std::lock_guard lock(mutex_);
  if (round_.number != round.number) return;  // too late: the next round is under way
  round_.lines[index] = line;
  if (round_.count() >= published_count_ || round_.count() == options_.witnesses.size()) publish(round_);
}

// With mutex_ held: the note is small, and only witnesses' threads wait for it.
void Witnesses::publish(const Round& round) try {
  std::string note = round.cosigned_note();
  log::write_durably(options_.file, note);
  published_ = std::move(note);
  published_size_ = round.checkpoint.size;
  published_count_ = round.count();
} catch (const std::exception& error) {
  ops::log_warning("cannot keep the cosigned checkpoint",
                   {{"file", options_.file.string()}, {"error", error.what()}});
}

}  // namespace windlass::api
