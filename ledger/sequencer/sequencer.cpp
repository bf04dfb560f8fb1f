#include "ledger/sequencer/sequencer.h"

#include <fmt/format.h>

#include "ledger/core/invariants.h"

namespace windlass::sequencer {
namespace {

using SteadyClock = std::chrono::steady_clock;

double seconds_since(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

// What is stored contradicts itself, or the ledger's rules: nobody should go on from there.
class CorruptLedger : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

Answer refusal(core::Error error) {
  return {.error = error};
}

// Rounds under way: one being verified while the one before it is applied.
constexpr std::size_t max_rounds = 2;
// So many are hashed in some 200 us: others are woken for no less.
constexpr std::size_t postings_worth_sharing = 256;
// So many are sent in some 200 us, likewise.
constexpr std::size_t answers_worth_handing_on = 64;

}  // namespace

Sequencer::Sequencer(journal::Sessions& sessions, Options options, Observer& observer)
    : sessions_(sessions),
      options_(std::move(options)),
      observer_(observer),
      intake_(options_.limits),
      points_(options_.limits.bytes_for_points()),
      batch_(std::make_shared<Batch>()),
      pool_("verifier", options_.limits.verifier_threads),
      publisher_("publisher", max_unpublished_batches, [this](auto batch) { publish(std::move(batch)); }),
      committer_("committer", 1, [this](auto batch) { commit(std::move(batch)); }),
      loader_("loader", 1, [this](auto job) { load(std::move(job)); }),
      flusher_("flusher", 1, [this](auto flush_job) { flush(std::move(flush_job)); }),
      writer_([this] { run(); }) {}

Sequencer::~Sequencer() {
  intake_.drain();
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake();
  writer_.join();
}

bool Sequencer::wait_until_serving() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return serving_ || failed_ || stopping_; });
  return serving_;
}

core::Error Sequencer::submit(Submission submission) {
  if (!is_serving()) return core::Error::unavailable;
  auto error = intake_.put(std::move(submission));
  if (error != core::Error::none)
    observer_.refused_early(error);
  else
    go_on_after_submission();
  return error;
}

core::Error Sequencer::room_for(ClientId client, std::size_t commands) const {
  if (!is_serving()) return core::Error::unavailable;
  auto error = intake_.room_for(client, commands);
  if (error != core::Error::none) observer_.refused_early(error);
  return error;
}

// --- the writer's turn, taken by others

template <typename Steps>
void Sequencer::in_turn(Steps steps) {
  bool done = false;
  {
    std::unique_lock turn(turn_, std::try_to_lock);
    if (!turn) {
      turn_wanted_ = true;
      // Whoever still has it looks at that after it has let go.
      if (!turn.try_lock()) return;
    }
    if (!is_serving()) return;
    try {
      done = steps();
    } catch (...) {
      stop_serving();
      fail_with(std::current_exception());
    }
  }
  if (!done || turn_wanted_ || is_draining()) wake();
}

void Sequencer::go_on_after_submission() {
  bool alone = false;
  in_turn([&] {
    start_round();
    plan_next_round();
    if (!next_round_is_verified()) return true;
    alone = rounds_.front().round->submissions().size() == 1 && rounds_.front().round->commands.size() <= 1;
    if (!alone) return false;
    apply_next_round();
    start_commit();
    return rounds_.empty();
  });
  // The committer often wakes on this processor: it comes before what the caller does next.
  if (alone) std::this_thread::yield();
}

void Sequencer::go_on_after_verification() {
  in_turn([&] {
    take_steps();
    return true;
  });
}

void Sequencer::go_on_after_commit() {
  in_turn([&] {
    start_commit();
    // Not a flush's end, at which records are evicted: flush() wakes the writer for that.
    if (flush_stage_ != FlushStage::writing) advance_flush();
    return !next_round_is_verified();
  });
}

bool Sequencer::is_serving() const {
  std::lock_guard lock(mutex_);
  return serving_;
}

bool Sequencer::is_draining() const {
  std::lock_guard lock(mutex_);
  return drained_;
}

void Sequencer::stop_serving() {
  std::lock_guard lock(mutex_);
  serving_ = false;
}

void Sequencer::drain() {
  intake_.drain();
  wake();
  std::unique_lock lock(mutex_);
  drained_ = true;  // asked for; the writer stops once nothing is left
  woken_ = true;
  wake_.notify_all();
  changed_.wait(lock, [&] { return stopping_ || failed_; });
}

Status Sequencer::status() const {
  Status status;
  status.committed_next.value = committed_next_.load();
  status.flushed_next.value = flushed_next_.load();
  status.epoch = epoch_.load();
  status.waiting_commands = intake_.waiting();
  status.cache_bytes = cache_bytes_.load();
  std::lock_guard lock(mutex_);
  status.serving = serving_;
  return status;
}

std::shared_ptr<const codec::SigningTag> Sequencer::signing_tag() const {
  std::lock_guard lock(mutex_);
  return tag_;
}

void Sequencer::wake() {
  std::lock_guard lock(mutex_);
  woken_ = true;
  wake_.notify_all();
}

void Sequencer::fail_with(std::exception_ptr error) {
  {
    std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(error);
  }
  wake();
}

// --- the writer's thread

void Sequencer::run() {
  name_this_thread("writer");
  std::string fatal;
  for (;;) {
    try {
      if (!become_writer()) break;
      recover();
      {
        std::lock_guard lock(mutex_);
        serving_ = true;
      }
      changed_.notify_all();
      serve();
      break;
    } catch (const journal::DatabaseError& error) {
      observer_.trouble(error.what());
    } catch (const std::exception& error) {  // fenced, or corrupt
      fatal = error.what();
    }
    abandon();
    if (!fatal.empty()) break;
    std::unique_lock lock(mutex_);
    if (wake_.wait_for(lock, retry_interval, [&] { return stopping_ || drained_; })) break;
  }
  intake_.drain();
  abandon();
  for (auto& batch : in_doubt_) refuse(batch->finished);
  {
    std::lock_guard lock(mutex_);
    serving_ = false;
    failed_ = !fatal.empty();
    stopping_ = true;
  }
  changed_.notify_all();
  if (!fatal.empty() && options_.failed) options_.failed(fatal);
}

bool Sequencer::become_writer() {
  writer_session_ = sessions_.writer();
  while (!writer_session_->try_acquire()) {
    resolve_doubt_of_lost_lease();
    std::unique_lock lock(mutex_);
    if (wake_.wait_for(lock, retry_interval, [&] { return stopping_ || drained_; })) return false;
  }
  load_session_ = sessions_.loader();
  flush_session_ = sessions_.flusher();
  flush_session_->rest_by([this](auto worked) { rest_between_slices(worked); });
  epoch_ = writer_session_->epoch();
  return true;
}

void Sequencer::recover() {
  auto started = SteadyClock::now();
  auto reader = sessions_.reader();
  state_ = std::make_unique<core::State>(false);
  state_->globals = load_session_->globals();
  core::Sequence from = state_->globals.next;
  core::Sequence end = reader->end_of_entries();
  if (options_.journal_found) options_.journal_found(end);
  if (end < from)
    throw CorruptLedger(fmt::format("balances are written through entry {}, but there are only {} entries",
                                    from.value - 1, end.value));
  replay(end, *reader, *load_session_);
  if (end.value == 0) {
    write_genesis();
    if (options_.journal_found) options_.journal_found(state_->globals.next);
  }
  if (auto fault = core::check_globals(state_->globals)) throw CorruptLedger(*fault);
  if (!tag_) {
    auto genesis = reader->entry({0});
    auto envelope = genesis ? codec::Envelope::decode(genesis->envelope) : std::nullopt;
    auto parameters = envelope ? codec::read_genesis(envelope->command) : std::nullopt;
    if (!parameters) throw CorruptLedger("entry 0 is not a genesis");
    std::lock_guard lock(mutex_);
    tag_ = std::make_shared<const codec::SigningTag>(parameters->origin, genesis->leaf_hash);
  }
  committed_next_ = state_->globals.next.value;
  flushed_next_ = from.value;
  last_flush_ = SteadyClock::now();
  observer_.recovered(from, state_->globals.next, seconds_since(started));
  resolve_doubt();
}

void Sequencer::replay(core::Sequence end, journal::ReadSession& reader, journal::LoadSession& loader) {
  while (state_->globals.next < end) {
    auto page = reader.entries(state_->globals.next, end, replay_page);
    if (page.empty()) throw CorruptLedger(fmt::format("entry {} is missing", state_->globals.next.value));
    std::vector<codec::Decoded> commands;
    core::Needs needs;
    for (const auto& stored : page) {
      auto decoded = codec::decode_stored(stored.envelope);
      if (!decoded) throw CorruptLedger(fmt::format("entry {}: {}", stored.sequence.value, decoded.error()));
      core::collect_needs(decoded->command, needs);
      commands.push_back(*std::move(decoded));
    }
    RoundUnderWay scratch;
    scratch.round = std::make_shared<Round>(std::vector<Submission>{});
    scratch.round->needs = std::move(needs);
    LoadJob missing;
    pin_or_miss(scratch, missing);
    take_in(loader.load(missing.needs, missing.accounts), missing.needs);
    for (std::size_t i = 0; i < page.size(); ++i) {
      auto entry = codec::replay(*state_, commands[i], page[i]);
      if (!entry) throw CorruptLedger(entry.error());
    }
  }
}

void Sequencer::write_genesis() {
  if (!options_.genesis)
    throw CorruptLedger(
        "the journal is empty, and no genesis is configured: set genesis.origin and genesis.operator_key");
  auto decoded = codec::make_genesis(*options_.genesis);
  core::Needs needs;
  core::collect_needs(decoded.command, needs);
  for (const auto& key : needs.keys) state_->keys.load(key, std::nullopt);
  core::TimeUs now = options_.clock();
  auto outcome = core::apply(*state_, decoded.command, now);
  if (!outcome.accepted()) throw CorruptLedger("the configured genesis breaks the ledger's rules");
  std::vector<codec::Entry> entries;
  entries.push_back(codec::seal_entry(*state_, decoded.command, std::move(outcome), decoded.envelope.encode(),
                                      now, random_array<32>()));
  writer_session_->commit(entries);
}

void Sequencer::serve() {
  for (;;) {
    {
      std::lock_guard lock(mutex_);
      if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
      if (stopping_) return;
      woken_ = false;
    }
    auto idle = work();
    if (turn_wanted_) continue;
    std::unique_lock lock(mutex_);
    if (drained_ && idle.nothing_left && !woken_) {
      lock.unlock();
      committer_.wait_until_idle();
      publisher_.wait_until_idle();
      return;
    }
    wake_.wait_for(lock, idle.longest, [&] { return woken_ || stopping_; });
  }
}

Sequencer::Idle Sequencer::work() {
  std::lock_guard turn(turn_);
  // A step of another thread failed meanwhile: serve() has its error.
  if (!is_serving()) return {.nothing_left = false, .longest = options_.limits.flush_interval};
  try {
    take_steps();
  } catch (...) {
    stop_serving();
    throw;
  }
  bool nothing_left = intake_.empty() && rounds_.empty() && batch_->finished.empty() && !committing_ &&
                      flush_stage_ == FlushStage::idle && flushed_next_ == state_->globals.next.value;
  return {.nothing_left = nothing_left,
          .longest = flush_stage_ == FlushStage::draining ? drain_pause : options_.limits.flush_interval};
}

void Sequencer::take_steps() {
  do turn_wanted_ = false;
  while (step() || turn_wanted_);
}

bool Sequencer::step() {
  bool progress = false;
  progress |= advance_loading();
  progress |= start_round();
  progress |= plan_next_round();
  progress |= apply_next_round();
  progress |= start_commit();
  progress |= advance_flush();
  return progress;
}

// --- rounds: load, plan, verify, apply

bool Sequencer::start_round() {
  if (rounds_.size() >= max_rounds || loading_ || intake_.empty()) return false;
  auto round = std::make_shared<Round>(intake_.take());
  auto& under_way = rounds_.emplace_back();
  under_way.round = std::move(round);
  LoadJob missing;
  pin_or_miss(under_way, missing);
  if (missing.empty()) {
    under_way.loaded = true;
  } else {
    loading_ = missing;
    loader_.push(std::move(missing));
  }
  return true;
}

// Pins what is in memory, and says what is not. An account behind a resident key or channel may have been
// evicted.
void Sequencer::pin_or_miss(RoundUnderWay& under_way, LoadJob& missing) {
  auto& state = *state_;
  auto pin = [&](auto& table, const auto& id, auto& missed) {
    auto pinned = table.pin(id);
    if (pinned)
      under_way.pins.push_back(std::move(pinned->pin));
    else
      missed.push_back(id);
    return pinned ? pinned->record : nullptr;
  };
  std::vector<core::AccountNumber> fetched;  // waited for together: a list leads to a thousand
  auto pin_fetched = [&] {
    for (auto number : fetched) pin(state.accounts, number, missing.accounts);
    fetched.clear();
  };
  auto account = [&](core::AccountNumber number) {
    state.accounts.prefetch(number);
    fetched.push_back(number);
    if (fetched.size() == state.accounts.look_ahead) pin_fetched();
  };
  const auto& needs = under_way.round->needs;
  for (std::size_t i = 0; i < needs.keys.size(); ++i) {
    state.keys.prefetch_after(needs.keys, i);
    if (const auto* entry = pin(state.keys, needs.keys[i], missing.needs.keys)) account(entry->account);
  }
  for (std::size_t i = 0; i < needs.channels.size(); ++i) {
    state.channels.prefetch_after(needs.channels, i);
    if (const auto* channel = pin(state.channels, needs.channels[i], missing.needs.channels)) {
      account(channel->payer);
      account(channel->recipient);
    }
  }
  for (const auto& id : needs.btfs_uses) pin(state.btfs_uses, id, missing.needs.btfs_uses);
  for (auto number : under_way.round->accounts) account(number);
  pin_fetched();
}

// What was asked for and is not among what was loaded does not exist.
void Sequencer::take_in(const journal::Loaded& loaded, const core::Needs& asked) {
  for (const auto& key : loaded.keys) state_->keys.load(key.key, key);
  for (const auto& account : loaded.accounts) state_->accounts.load(account.number, account);
  for (const auto& channel : loaded.channels) state_->channels.load(channel.id, channel);
  for (const auto& use : loaded.btfs_uses) state_->btfs_uses.load(use.id, use);
  for (const auto& key : asked.keys) state_->keys.load(key, std::nullopt);
  for (const auto& id : asked.channels) state_->channels.load(id, std::nullopt);
  for (const auto& id : asked.btfs_uses) state_->btfs_uses.load(id, std::nullopt);
}

bool Sequencer::advance_loading() {
  std::optional<journal::Loaded> loaded;
  {
    std::lock_guard lock(mutex_);
    loaded.swap(loaded_);
  }
  if (!loaded) return false;
  // Memory is newer than what was read: load() leaves resident records as they are, and nothing can have been
  // written and evicted meanwhile, because eviction waits for the loader (advance_flush).
  take_in(*loaded, loading_->needs);
  for (const auto& number : loading_->accounts) state_->accounts.load(number, std::nullopt);
  loading_.reset();
  auto& under_way = rounds_.back();
  under_way.pins.clear();
  LoadJob missing;
  pin_or_miss(under_way, missing);
  // A key that another round rotated meanwhile may lead to an account that is not here: load once more.
  if (!missing.empty()) {
    loading_ = missing;
    loader_.push(std::move(missing));
  } else {
    under_way.loaded = true;
  }
  return true;
}

bool Sequencer::plan_next_round() {
  for (auto& under_way : rounds_) {
    if (under_way.planned) continue;
    if (!under_way.loaded) return false;
    under_way.round->plan(*state_);
    // One command and nothing else to do: sooner verified here than by a thread that sleeps.
    bool is_alone = under_way.round->commands.size() == 1 && under_way.round->tasks() == 1 &&
                    rounds_.size() == 1 && intake_.empty();
    if (is_alone) under_way.round->verify(0, *tag_, points_, observer_);
    if (is_alone || under_way.round->tasks() == 0)
      under_way.verified->store(true);
    else
      verify(under_way);
    under_way.planned = true;
    return true;
  }
  return false;
}

void Sequencer::verify(const RoundUnderWay& under_way) {
  auto round = under_way.round;
  pool_.add(
      round->tasks(),
      [this, round, tag = tag_](std::size_t task) { round->verify(task, *tag, points_, observer_); },
      [this, verified = under_way.verified] {
        verified->store(true);
        go_on_after_verification();
      });
}

bool Sequencer::batch_has_room() const {
  return batch_->committed->entries.size() < options_.limits.max_batch_entries &&
         batch_->bytes < options_.limits.max_batch_bytes && recovery_has_room();
}

bool Sequencer::recovery_has_room() const {
  return state_->globals.next.value - flushed_next_ < options_.limits.max_unflushed_entries;
}

bool Sequencer::next_round_is_verified() const {
  return !rounds_.empty() && rounds_.front().verified->load();
}

bool Sequencer::apply_next_round() {
  if (!next_round_is_verified() || !batch_has_room()) return false;
  apply_round(*rounds_.front().round);
  rounds_.pop_front();
  return true;
}

void Sequencer::apply_round(Round& round) {
  core::TimeUs now = std::max(options_.clock(), state_->globals.last_time_us);
  std::vector<std::optional<Answer>> early(round.commands.size());
  auto& submissions = round.submissions();
  std::vector<std::vector<Answer>> answers(submissions.size());
  std::size_t place = 0;
  for (std::size_t s = 0; s < submissions.size(); ++s) {
    if (auto* look = std::get_if<Look>(&submissions[s].what)) {
      look->look(*state_);
      continue;
    }
    answers[s].reserve(submissions[s].commands());
    for (std::size_t i = 0; i < submissions[s].commands(); ++i)
      answers[s].push_back(answer(round, place++, early, now));
  }
  // Only now: where one of them fails, all are still the round's to be refused.
  for (std::size_t s = 0; s < submissions.size(); ++s)
    batch_->finished.push_back({std::move(submissions[s]), std::move(answers[s])});
  batch_->committed->next = state_->globals.next;
}

Answer Sequencer::answer(Round& round, std::size_t place, std::vector<std::optional<Answer>>& early,
                         core::TimeUs now) {
  const auto& command = round.commands[place];
  if (command.group >= 0) {
    // The first of its group: the winner goes ahead.
    auto winner = round.winner(command.group);
    if (winner >= 0 && !early[static_cast<std::size_t>(winner)]) {
      const auto& winning = round.commands[static_cast<std::size_t>(winner)];
      early[static_cast<std::size_t>(winner)] = apply_command(**winning.item, now);
    }
    if (static_cast<std::size_t>(winner) == place) return *early[place];
  }
  switch (command.check) {
    case Round::Check::refused:
      return refusal(command.error);
    case Round::Check::verified:
      return apply_command(**command.item, now);
    case Round::Check::unverified:
      break;
  }
  return answer_unverified(std::get<core::Receipt>((*command.item)->command.body));
}

// A receipt whose signature nobody looked at is never applied.
Answer Sequencer::answer_unverified(const core::Receipt& receipt) const {
  const core::Channel* channel = state_->channels.find(receipt.channel);
  core::require(channel != nullptr);
  if (receipt.cumulative <= channel->claimed)
    return {
        .verdict = core::Outcome::Verdict::covered, .sequence = channel->claim, .claimed = channel->claimed};
  return refusal(channel->open ? core::Error::wrong_receipt_key : core::Error::channel_closed);
}

Answer Sequencer::apply_command(const codec::Decoded& decoded, core::TimeUs now) {
  if (decoded.requests_seal) {
    if (auto refused = refuse_seal_request(decoded, now)) return *refused;
    auto snapshot = options_.snapshot ? options_.snapshot() : codec::SealedSnapshot();
    auto liabilities = options_.liabilities ? options_.liabilities() : codec::SealedSnapshot();
    return apply_command(codec::make_seal(state_->globals, decoded.seal_block_id, snapshot, liabilities),
                         now);
  }
  core::Outcome outcome = core::apply(*state_, decoded.command, now, options_.terms);
  Answer answer{outcome.verdict, outcome.error, outcome.sequence, outcome.claimed, outcome.details, {}};
  if (!outcome.accepted()) return answer;
  bool by_account =
      decoded.command.kind() != core::Kind::receipt && decoded.command.kind() != core::Kind::seal;
  if (by_account) answer.signer = state_->keys.find(decoded.command.signer)->account;
  // No two entries have the same: what is applied again after a commit in doubt is of another epoch.
  std::string number;
  append_be(number, epoch_.load());
  append_be(number, outcome.sequence.value);
  Hash secret = sha256({view(secrets_from_), number});
  batch_->committed->entries.push_back(codec::make_entry(*state_, decoded.command, std::move(outcome),
                                                         decoded.envelope.encode(), now, secret));
  const auto& entry = batch_->committed->entries.back();
  batch_->bytes += entry.envelope.size() + entry.postings.size() * codec::account_posting_bytes + 256;
  return answer;
}

// A request leaves no entry of its own, so the rules that the core has for signers are asked here.
std::optional<Answer> Sequencer::refuse_seal_request(const codec::Decoded& decoded, core::TimeUs now) const {
  const auto& command = decoded.command;
  const auto* entry = state_->keys.find(command.signer);
  if (!entry) return refusal(core::Error::unknown_account);
  if (!entry->current()) return refusal(core::Error::key_rotated);
  if (command.expires_us < now) return refusal(core::Error::expired);
  if (command.expires_us > now + core::day_us) return refusal(core::Error::expiry_too_far);
  if ((state_->account(entry->account).roles & core::role_anchor) == 0)
    return refusal(core::Error::missing_role);
  return std::nullopt;
}

// --- batches: commit, answer

bool Sequencer::start_commit() {
  if (batch_->finished.empty() || committing_) return false;
  committing_ = true;
  committer_.push(std::exchange(batch_, std::make_shared<Batch>()));
  return true;
}

void Sequencer::commit(std::shared_ptr<Batch> batch) {
  auto& entries = batch->committed->entries;
  {
    std::lock_guard lock(mutex_);
    // A batch before it, or a flush, failed: this one is not tried. The writer may have taken the error
    // already.
    if (error_ || !in_doubt_.empty()) {
      in_doubt_.push_back(std::move(batch));
      committing_ = false;
      return;
    }
  }
  try {
    if (!entries.empty()) {
      auto started = SteadyClock::now();
      writer_session_->commit(entries, [&] { seal(entries); });
      observer_.committed(entries.size(), seconds_since(started));
    }
  } catch (...) {
    in_doubt_.push_back(std::move(batch));
    committing_ = false;
    fail_with(std::current_exception());
    return;
  }
  committed_next_ = batch->committed->next.value;
  committing_ = false;
  hand_on(std::move(batch));
}

// Answers them, and has the next batch committed. Few are answered sooner from here than by a thread that
// sleeps; one is, before anything else.
void Sequencer::hand_on(std::shared_ptr<Batch> batch) {
  std::size_t answers = 0;
  for (const auto& finished : batch->finished) answers += finished.submission.commands();
  bool here = answers < answers_worth_handing_on && publisher_.is_idle();
  bool is_alone = here && answers == 1;
  if (!here) publisher_.push(batch);
  if (is_alone) answer(*batch);
  go_on_after_commit();
  if (is_alone)
    log(*batch);
  else if (here && !committing_)
    publish(std::move(batch));
  else if (here)
    publisher_.push(std::move(batch));
}

// Not the writer's work: most of what a list costs is hashing.
void Sequencer::seal(std::vector<codec::Entry>& entries) {
  std::size_t postings = 0;
  for (const auto& entry : entries) postings += entry.postings.size();
  if (postings >= postings_worth_sharing)
    pool_.run(entries.size(), [&](std::size_t i) { codec::seal(entries[i]); });
  else
    for (auto& entry : entries) codec::seal(entry);
}

void Sequencer::publish(std::shared_ptr<Batch> batch) {
  answer(*batch);
  log(*batch);
}

void Sequencer::answer(Batch& batch) {
  std::shared_ptr<const CommittedBatch> committed = batch.committed;
  for (auto& finished : batch.finished) {
    if (auto* look = std::get_if<Look>(&finished.submission.what)) {
      look->done(true);
      continue;
    }
    auto& commands = std::get<Commands>(finished.submission.what);
    for (std::size_t i = 0; i < commands.items.size(); ++i) {
      if (commands.items[i])
        observer_.answered(commands.items[i]->command.kind(), finished.answers[i]);
      else
        observer_.refused_early(commands.items[i].error());
    }
    commands.done(finished.answers, committed);
  }
}

void Sequencer::log(const Batch& batch) {
  if (!batch.committed->entries.empty() && options_.committed) options_.committed(batch.committed);
}

void Sequencer::refuse(std::vector<Finished>& finished) {
  auto nothing = std::make_shared<const CommittedBatch>();
  for (auto& one : finished) {
    if (auto* look = std::get_if<Look>(&one.submission.what)) {
      look->done(false);
      continue;
    }
    auto& commands = std::get<Commands>(one.submission.what);
    std::vector<Answer> answers(commands.items.size(), refusal(core::Error::unavailable));
    commands.done(answers, nothing);
  }
  finished.clear();
}

// --- loading and write-behind

void Sequencer::load(LoadJob job) {
  try {
    auto loaded = load_session_->load(job.needs, job.accounts);
    std::lock_guard lock(mutex_);
    loaded_ = std::move(loaded);
  } catch (...) {
    fail_with(std::current_exception());
  }
  wake();
}

bool Sequencer::advance_flush() {
  switch (flush_stage_) {
    case FlushStage::idle:
      return begin_flush();
    case FlushStage::draining:
      return drain_flush();
    case FlushStage::waiting_for_commit:
      // Balances never get ahead of the entries.
      if (committed_next_ < flush_end_.value) return false;
      flusher_.push(std::move(flush_));
      flush_stage_ = FlushStage::writing;
      return true;
    case FlushStage::writing:
      return finish_flush();
  }
  return false;
}

bool Sequencer::begin_flush() {
  auto& state = *state_;
  auto now = SteadyClock::now();
  if (state.globals.next.value == flushed_next_) {
    last_flush_ = now;
    return false;
  }
  std::size_t changed =
      state.accounts.changed() + state.channels.changed() + state.keys.changed() + state.btfs_uses.changed();
  bool due = changed >= options_.limits.flush_records || now - last_flush_ >= options_.limits.flush_interval;
  if (!due && !must_flush_at_once()) return false;
  flush_ = std::make_shared<journal::Flush>();
  flush_->globals = state.globals;
  flush_end_ = state.globals.next;
  auto freeze = [](auto& table, auto& into) {
    into.reserve(table.changed());
    table.freeze();
  };
  freeze(state.keys, flush_->keys);
  freeze(state.accounts, flush_->accounts);
  freeze(state.channels, flush_->channels);
  freeze(state.btfs_uses, flush_->btfs_uses);
  drain_step_ = std::max(min_drain_step, changed / drain_steps);
  next_drain_ = now;
  flush_stage_ = FlushStage::draining;
  wake();  // whose thread goes on with it, a step each drain_pause
  return true;
}

// A bit at a time: copied at once, a second's records take the processor from verification for so long that
// the commands of some 30 ms wait.
bool Sequencer::drain_flush() {
  if (SteadyClock::now() < next_drain_ && !must_flush_at_once()) return false;
  next_drain_ += drain_pause;
  auto& state = *state_;
  bool more = state.keys.drain(drain_step_, flush_->keys);
  more |= state.accounts.drain(drain_step_, flush_->accounts);
  more |= state.channels.drain(drain_step_, flush_->channels);
  more |= state.btfs_uses.drain(drain_step_, flush_->btfs_uses);
  if (!more) flush_stage_ = FlushStage::waiting_for_commit;
  return true;
}

bool Sequencer::finish_flush() {
  if (loading_) return false;  // what is being read must not be evicted under it
  {
    std::lock_guard lock(mutex_);
    if (!flush_written_) return false;
    flush_written_ = false;
  }
  auto& state = *state_;
  state.keys.finish();
  state.accounts.finish();
  state.channels.finish();
  state.btfs_uses.finish();
  evict();
  flushed_next_ = flush_end_.value;
  last_flush_ = SteadyClock::now();
  flush_stage_ = FlushStage::idle;
  return true;
}

bool Sequencer::must_flush_at_once() const {
  if (!recovery_has_room()) return true;
  std::lock_guard lock(mutex_);
  return drained_;
}

// Each kind may take a third of the cache, and what the others leave of theirs. Historical messages are
// looked up once each: they get next to nothing.
void Sequencer::evict() {
  auto& state = *state_;
  const std::size_t budget = options_.limits.bytes_for_records(), for_uses = budget / 32,
                    third = (budget - for_uses) / 3;
  auto taken = [&] {
    return state.keys.bytes() + state.accounts.bytes() + state.channels.bytes() + state.btfs_uses.bytes();
  };
  auto fit = [&](auto& table, std::size_t share) {
    std::size_t others = taken() - table.bytes();
    table.evict(std::max(share, budget - std::min(budget, others)));
  };
  state.btfs_uses.evict(for_uses);
  fit(state.keys, third);
  fit(state.accounts, third);
  fit(state.channels, third);
  cache_bytes_ = taken();
}

void Sequencer::flush(std::shared_ptr<journal::Flush> flush_job) {
  try {
    flush_session_->write(epoch_, *flush_job);
    std::lock_guard lock(mutex_);
    flush_written_ = true;
  } catch (...) {
    fail_with(std::current_exception());
  }
  wake();
}

void Sequencer::rest_between_slices(std::chrono::duration<double> worked) {
  bool behind = committed_next_ - flushed_next_ > options_.limits.max_unflushed_entries / 2;
  {
    std::lock_guard lock(mutex_);
    if (behind || drained_ || stopping_ || error_) return;
  }
  std::chrono::duration<double> rest = worked * options_.limits.flush_rest;
  std::this_thread::sleep_for(std::min(rest, longest_flush_rest));
}

// --- when something failed

void Sequencer::abandon() {
  stop_serving();
  std::lock_guard turn(turn_);
  committer_.wait_until_idle();
  publisher_.wait_until_idle();
  loader_.wait_until_idle();
  flusher_.wait_until_idle();
  // What was applied on top of the batch in doubt, and what was not applied yet: nothing of it happened.
  refuse(batch_->finished);
  batch_ = std::make_shared<Batch>();
  for (auto& under_way : rounds_) {
    while (!under_way.verified->load() && under_way.planned) std::this_thread::yield();
    std::vector<Finished> unapplied;
    for (auto& submission : under_way.round->submissions()) unapplied.push_back({std::move(submission), {}});
    refuse(unapplied);
  }
  rounds_.clear();
  for (auto waiting = intake_.take(); !waiting.empty(); waiting = intake_.take()) {
    std::vector<Finished> unapplied;
    for (auto& submission : waiting) unapplied.push_back({std::move(submission), {}});
    refuse(unapplied);
  }
  std::lock_guard lock(mutex_);
  loaded_.reset();
  loading_.reset();
  flush_written_ = false;
  flush_.reset();
  flush_stage_ = FlushStage::idle;
  error_ = nullptr;
}

// A batch whose commit failed either stands in the journal now or never will: raising the epoch waited it
// out.
void Sequencer::resolve_doubt() {
  for (; !in_doubt_.empty(); in_doubt_.erase(in_doubt_.begin())) {
    auto& batch = in_doubt_.front();
    const auto& entries = batch->committed->entries;
    bool stands = false;
    if (!entries.empty()) {
      auto stored = sessions_.reader()->entry(entries.back().sequence);
      stands = stored && stored->leaf_hash == entries.back().leaf_hash;
    }
    if (stands)
      publisher_.push(std::move(batch));
    else
      refuse(batch->finished);
  }
}

// Whoever took the lease over has raised the epoch, and with it waited out what this writer had under way.
void Sequencer::resolve_doubt_of_lost_lease() {
  if (!in_doubt_.empty() && sessions_.reader()->epoch() > epoch_) resolve_doubt();
}

}  // namespace windlass::sequencer
