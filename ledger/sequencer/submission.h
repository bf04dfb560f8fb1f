// What goes into the sequencer and what comes back.
#pragma once

#include <atomic>
#include <functional>

#include "ledger/codec/command.h"
#include "ledger/codec/entry.h"
#include "ledger/log/note.h"

namespace windlass::sequencer {

// Entries that became durable in one commit, in order. Immutable once shared.
struct CommittedBatch {
  std::vector<codec::Entry> entries;  // empty: answers only
  core::Sequence next;                // the log's size after it
  core::Sequence first() const { return entries.empty() ? next : entries.front().sequence; }
  std::vector<Hash> leaf_hashes() const;
};

struct Answer {
  core::Outcome::Verdict verdict = core::Outcome::Verdict::refused;
  core::Error error = core::Error::none;
  core::Sequence sequence = core::no_sequence;  // accepted, covered, repeated
  core::Amount claimed = 0;                     // covered
  std::array<core::Outcome::Detail, 2> details{};
  std::optional<core::AccountNumber> signer;  // of an accepted command that is no receipt
};

// A command of a submission: decoded, or refused before it got here (it keeps its place among the answers).
using Item = tl::expected<codec::Decoded, core::Error>;

// A connection, for fairness: each has its own queue.
using ClientId = std::uint64_t;

// Commands that are answered together, in their order. Accepted ones stand in `batch`.
struct Commands {
  std::vector<Item> items;
  // Called once, after the commit of everything that the answers were computed from, or when there will be
  // none (answers `unavailable`; then the batch is empty). On a thread of the sequencer: it must not block.
  std::function<void(const std::vector<Answer>&, const std::shared_ptr<const CommittedBatch>& batch)> done;
};

// A look at the state at its place among the commands; `done` like theirs. `state` has what was asked for.
struct Look {
  core::Needs needs;
  std::vector<core::AccountNumber> accounts;
  std::function<void(const core::State& state)> look;
  std::function<void(bool available)> done;
};

// Bad signatures that a connection may still send. Each costs a verification, so what it sends after them is
// refused without one.
using BadSignaturesLeft = std::atomic<std::int32_t>;

struct Submission {
  ClientId client = 0;
  std::variant<Commands, Look> what;
  std::shared_ptr<BadSignaturesLeft> bad_signatures_left;  // none: not counted

  std::size_t commands() const;
  std::size_t bytes() const;
};

// Told what happens, for metrics and logs; called on the sequencer's threads and on those that
// submit, must be quick.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void committed(std::size_t /*entries*/, double /*seconds*/) {}
  // One command's signatures were checked; `none`: they hold.
  virtual void verified(core::Error, double /*seconds*/) {}
  virtual void answered(core::Kind, const Answer&) {}
  virtual void refused_early(core::Error) {}
  virtual void recovered(core::Sequence /*from*/, core::Sequence /*next*/, double /*seconds*/) {}
  virtual void trouble(const std::string& /*what*/) {}
};

}  // namespace windlass::sequencer
