// The one writer: puts commands in order, applies them, commits them in batches, answers.
//
//   intake -> load what is missing -> verify (all cores) -> apply -> commit -> answer, log
//   '-------------- rounds ----------------------------'   '--- batches --------------'
//
// One writer owns the state: whoever has the turn, which is the thread that made the next step possible, or
// the writer's own for what nobody else is there to do. Up to two rounds are under way, so that the cores
// verify one while another is applied; one commit is in flight, and the next batch is whatever was applied
// meanwhile. Every answer waits for the commit of everything that it was computed from. Balances are written
// behind (core/table.h), never ahead of the entries. When a commit fails or is in doubt, the state is dropped
// and recovered by replaying the entries, as at the start: there is one such path.
#pragma once

#include "crypto/point_cache.h"
#include "ledger/journal/journal.h"
#include "ledger/sequencer/intake.h"
#include "ledger/sequencer/round.h"
#include "ledger/sequencer/task_pool.h"
#include "ledger/sequencer/worker_thread.h"

namespace windlass::sequencer {

struct Options {
  Limits limits;
  std::function<core::TimeUs()> clock;
  // For an empty journal; nothing: refuse to start on one.
  std::optional<codec::GenesisParameters> genesis;
  // During every recovery, with the number of entries that the journal holds: throws where that cannot be
  // (then the sequencer fails with its words).
  std::function<void(core::Sequence end)> journal_found;
  // What the gateway can pay out now; empty: withdrawals are bound by nothing. The writer asks: it must not
  // block.
  core::TermsOf terms;
  // What the next seal names; none: there are no snapshots. The writer asks: it must not block.
  std::function<codec::SealedSnapshot()> snapshot, liabilities;
  // Every committed batch with entries, in order, after its answers: nobody waits for the log, which shows an
  // entry only once a checkpoint covers it. On one thread at a time.
  std::function<void(const std::shared_ptr<const CommittedBatch>&)> committed;
  // The sequencer cannot go on: another writer took over, or what is stored contradicts itself. Called once.
  std::function<void(const std::string& why)> failed;
};

struct Status {
  core::Sequence committed_next;
  core::Sequence flushed_next;
  journal::Epoch epoch = 0;
  bool serving = false;
  std::size_t waiting_commands = 0;
  std::size_t cache_bytes = 0;
};

class Sequencer {
 public:
  // Takes the lease (waiting while another server holds it), recovers, writes genesis on an empty journal,
  // serves.
  Sequencer(journal::Sessions& sessions, Options options, Observer& observer);
  ~Sequencer();  // without drain(): as a crash, but for memory

  // Waits until it serves; false when it failed, or was told to stop, before that.
  bool wait_until_serving();
  // queue_full, draining, or none: taken, `done` will be called.
  core::Error submit(Submission submission);
  // What submit() would refuse so many commands with, whatever they are: asked before they are decoded, so
  // that an overloaded server spends little on what it refuses. `none`: there is room now.
  core::Error room_for(ClientId client, std::size_t commands) const;
  // No new work; returns when everything accepted is committed, answered and flushed. Without the lease or
  // the database it does not wait for them: what is not committed is refused as unavailable.
  void drain();

  Status status() const;
  // Once serving.
  std::shared_ptr<const codec::SigningTag> signing_tag() const;

 private:
  // A submission with its answers, waiting for the commit.
  struct Finished {
    Submission submission;
    std::vector<Answer> answers;
  };
  struct Batch {
    std::shared_ptr<CommittedBatch> committed = std::make_shared<CommittedBatch>();
    std::vector<Finished> finished;
    std::size_t bytes = 0;
  };
  // Rounds come to the front in order, whatever their state.
  struct RoundUnderWay {
    std::shared_ptr<Round> round;
    bool loaded = false;
    bool planned = false;
    std::shared_ptr<std::atomic<bool>> verified = std::make_shared<std::atomic<bool>>(false);
    std::vector<core::Pin> pins;
  };
  struct LoadJob {
    core::Needs needs;
    std::vector<core::AccountNumber> accounts;
    bool empty() const { return needs.empty() && accounts.empty(); }
  };
  enum class FlushStage { idle, draining, waiting_for_commit, writing };
  // What the writer's thread finds when it has done all that can be done.
  struct Idle {
    bool nothing_left;                  // neither here nor under way
    std::chrono::milliseconds longest;  // that it may sleep
  };

  // What the writer has to do, by the thread that made it possible: sooner done than another is woken. Where
  // another has the turn, that one goes on with it; what a submitter or the committer should not spend its
  // time on is left to the writer's thread.
  void go_on_after_submission();
  void go_on_after_verification();
  void go_on_after_commit();
  template <typename Steps>  // bool(): nothing is left to the writer's thread
  void in_turn(Steps steps);
  bool is_serving() const;
  bool is_draining() const;
  void stop_serving();  // in_turn does nothing from then on: the state may be half changed

  // --- the writer: its thread, or who holds turn_
  void run();
  bool become_writer();  // false: told to stop
  void recover();
  void replay(core::Sequence end, journal::ReadSession& reader, journal::LoadSession& loader);
  void write_genesis();
  void serve();       // until drained; throws what the other threads ran into
  Idle work();        // takes steps, and says what is left
  void take_steps();  // until there is none to take
  bool step();        // does what can be done; false when there was nothing
  bool start_round();
  bool advance_loading();
  bool plan_next_round();
  void verify(const RoundUnderWay& under_way);
  bool next_round_is_verified() const;
  bool apply_next_round();
  void apply_round(Round& round);
  Answer answer(Round& round, std::size_t place, std::vector<std::optional<Answer>>& early, core::TimeUs now);
  Answer answer_unverified(const core::Receipt& receipt) const;
  Answer apply_command(const codec::Decoded& decoded, core::TimeUs now);
  std::optional<Answer> refuse_seal_request(const codec::Decoded& decoded, core::TimeUs now) const;
  bool start_commit();
  bool advance_flush();
  bool begin_flush();
  bool drain_flush();
  bool finish_flush();
  bool must_flush_at_once() const;
  void evict();
  void pin_or_miss(RoundUnderWay& under_way, LoadJob& missing);
  void take_in(const journal::Loaded& loaded, const core::Needs& asked);
  void abandon();  // drops the state and everything not committed
  void resolve_doubt();
  void resolve_doubt_of_lost_lease();
  bool batch_has_room() const;     // for another round
  bool recovery_has_room() const;  // for more to replay

  // --- other threads
  void commit(std::shared_ptr<Batch> batch);
  void hand_on(std::shared_ptr<Batch> batch);
  void seal(std::vector<codec::Entry>& entries);
  void publish(std::shared_ptr<Batch> batch);
  void answer(Batch& batch);
  void log(const Batch& batch);
  void refuse(std::vector<Finished>& finished);
  void load(LoadJob job);
  void flush(std::shared_ptr<journal::Flush> flush);
  void rest_between_slices(std::chrono::duration<double> worked);
  void wake();
  void fail_with(std::exception_ptr error);

  journal::Sessions& sessions_;
  const Options options_;
  const Hash secrets_from_ = random_array<32>();
  Observer& observer_;
  Intake intake_;
  PointCache points_;  // any thread's

  std::mutex turn_;  // the writer's, while it serves: what follows, and loading_
  std::unique_ptr<core::State> state_;
  std::deque<RoundUnderWay> rounds_;
  std::shared_ptr<Batch> batch_;
  std::vector<std::shared_ptr<Batch>> in_doubt_;  // the committer's, until it is idle
  FlushStage flush_stage_ = FlushStage::idle;
  std::shared_ptr<journal::Flush> flush_;  // until the flusher has it, which frees it
  core::Sequence flush_end_;
  std::size_t drain_step_ = 0;
  std::chrono::steady_clock::time_point last_flush_{}, next_drain_{};

  std::unique_ptr<journal::WriterSession> writer_session_;  // the committer's while serving
  std::unique_ptr<journal::LoadSession> load_session_;      // the loader's
  std::unique_ptr<journal::FlushSession> flush_session_;    // the flusher's

  // --- shared, under mutex_
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool woken_ = false;
  bool stopping_ = false;
  bool failed_ = false;
  bool drained_ = false;
  bool serving_ = false;
  std::condition_variable changed_;  // serving_, drained_, failed_
  std::exception_ptr error_;         // of another thread, for the writer's
  std::optional<journal::Loaded> loaded_;
  std::optional<LoadJob> loading_;  // the writer's own note of what it asked for
  bool flush_written_ = false;
  std::shared_ptr<const codec::SigningTag> tag_;

  std::atomic<bool> committing_{false};
  std::atomic<bool> turn_wanted_{false};  // while another had it
  std::atomic<std::uint64_t> committed_next_{0};
  std::atomic<std::uint64_t> flushed_next_{0};
  std::atomic<journal::Epoch> epoch_{0};
  std::atomic<std::size_t> cache_bytes_{0};

  // --- threads, last: stopped first, the committer before the pool that it has hash
  TaskPool pool_;
  WorkerThread<std::shared_ptr<Batch>> publisher_;
  WorkerThread<std::shared_ptr<Batch>> committer_;
  WorkerThread<LoadJob> loader_;
  WorkerThread<std::shared_ptr<journal::Flush>> flusher_;
  std::thread writer_;
};

}  // namespace windlass::sequencer
