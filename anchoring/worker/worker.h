// Anchors the log: has it sealed, and puts the sealed checkpoint's size and root into a TRON transaction: a
// call of the anchor contract, or the memo of a transfer of 1 sun. One anchor is under way at a time; the
// next covers everything newer, so one transaction catches up after an outage.
//
//              seal requested,        transaction       a node has it
//   (is due) ── checkpoint ──> sealed ── saved ──> signed ──────────> broadcast <───────┐
//                              checked    │ resent, the same bytes ──> │                │ a fork dropped it
//                                         │                            │ in a block     │
//                                         └──────────┬─────────────────┴──────────> included ──> solidified
//       expired, and provably in no solidified block │                                 │ the block is solid,
//                                         up to then v                                 │ but it failed in it
//                                                 expired <────────────────────────────┘
//
// It is due an interval after the last, once an entry that is no seal is not yet anchored, or came too late
// for the snapshot that its seal names; and a day after the last in any case.
//
// TRON knows no account nonces: two variants of a transfer can both land. So what is signed is saved before
// it is sent (a crash in between loses nothing and signs nothing twice), only identical bytes are ever sent
// again, and a new anchor begins only when the last is in a final state: solidified, or `expired` by the
// proof of absence_scan.h.
//
// What an anchor costs is tried and priced before it is sealed, and again before it is signed: above the
// operator's ceilings, or where the contract would refuse it, nothing is anchored and step() says why. One
// that failed in its block has cost its fee: the next waits, longer each time. While the operator has anchors
// paused (Controls) nothing is sealed or signed; what is signed goes its way.
//
// step() looks at what is stored and at the chain, does at most one transition, and saves it: it may be
// killed anywhere.
#pragma once

#include "anchoring/ledger_client.h"
#include "anchoring/tron/transaction.h"
#include "anchoring/worker/absence_scan.h"

namespace windlass::anchoring {

constexpr std::int64_t anchor_interval_default_ms = 10 * 60 * 1000;
// Where only seals are new, an anchor a day shows that the ledger is alive.
constexpr std::int64_t heartbeat_ms = 24 * 60 * 60 * 1000;
// From the chain's head: long enough for several rebroadcasts and a fork, short enough not to wait long for a
// lost one.
constexpr std::int64_t expiration_ahead_ms = 8 * 60 * 1000;
// A checkpoint that could not be signed for so long (no node, no lease) is taken anew, so that one anchor
// catches up.
constexpr std::int64_t unsigned_checkpoint_life_ms = 5 * 60 * 1000;
// The expiry of a request for a seal: a lost one is asked for again at once.
constexpr core::TimeUs seal_request_life_us = 600 * core::second_us;
// More new entries than this are never all seals: each seal is followed by an anchor, but for crashes.
constexpr std::uint64_t max_new_seals = 64;
// Blocks read in one step of an absence scan: it takes no longer than one call may.
constexpr int scan_blocks_per_step = 50;

// After the first anchor that failed in its block; doubled for each further one.
constexpr std::int64_t failure_pause_ms = 60'000, longest_failure_pause_ms = 6LL * 60 * 60 * 1000;
// Anchors looked at for failures in a row; the pause does not grow any more long before.
constexpr std::size_t failures_counted = 16;
// Anchors of a day whose fees are summed up: at the shortest interval there are so many.
constexpr std::size_t anchors_a_day = 86'400;

struct WorkerOptions {
  tron::Address
      to;  // the transfer's other end: any existing account but the anchor's own; only without a contract
  std::int64_t interval_ms = anchor_interval_default_ms;
  std::uint64_t every_entries = 0;        // anchors earlier when so many are new; 0: by time only
  std::optional<tron::Address> contract;  // anchors are calls of it
  std::optional<tron::Address>
      account;                   // that sends them, where the key is not its owner's but of a permission
  int permission_id = 0;         // of that permission
  std::int64_t max_fee_sun = 0;  // ceiling for one anchor; 0: none
  std::int64_t max_fee_sun_per_day = 0;  // for those of 24 hours; 0: none
};

// What one anchor costs at the chain's present prices, with nothing staked and no free bandwidth left.
struct AnchorCost {
  std::int64_t bandwidth = 0, energy = 0;
  std::int64_t energy_sun = 0;     // part of the total
  std::int64_t fee_limit_sun = 0;  // for the energy
  std::int64_t total_sun = 0;
};

// u64 big-endian size || 32-byte root
std::string anchor_memo(std::uint64_t size, const Hash& root);

// For metrics. What could not be read keeps its last value.
struct WorkerStatus {
  std::uint64_t anchored_size = 0;  // in a block
  std::uint64_t solidified_size = 0;
  std::int64_t last_anchor_ms = 0;  // time of the newest solidified anchor's block; 0: none yet
  std::int64_t oldest_unanchored_us =
      0;                             // age of the oldest entry (but seals) in no solidified anchor; 0: none
  std::int64_t balance_sun = 0;      // of the anchor's address
  std::int64_t anchor_cost_sun = 0;  // of one anchor, without free bandwidth and nothing staked
  std::int64_t runway_ms = 0;        // how long the balance lasts at one anchor an interval
  // Why nothing is anchored until somebody does something about it; empty: nothing is in the way.
  std::string stopped;
};

class Worker {
 public:
  struct Step {
    bool advanced = false;  // something was done: look again at once
    std::string what;       // for the log; may be empty
    // What became of a transaction, for a counter: signed, broadcast, sent_again, refused, included, dropped
    // (by a fork), solidified, expired, failed. May be empty.
    std::string outcome;
  };

  // The key signs on TRON and requests seals of the ledger, where it holds the anchor's role.
  Worker(WorkerOptions options, SecretKey key, const Clock& clock, tron::Chain& chain, LedgerClient& ledger,
         Store& store);

  // A text says what is wrong; nothing was done, try again later. Exceptions are the store's.
  tl::expected<Step, std::string> step();
  // Asks ledger and chain what is not known yet; a text says what could not be read.
  tl::expected<void, std::string> refresh_status();
  const WorkerStatus& status() const { return status_; }
  const tron::Address& address() const { return address_; }

 private:
  using StepResult = tl::expected<Step, std::string>;

  StepResult seal_if_due();
  tl::expected<bool, std::string> is_due(const LedgerInfo& info, const std::optional<Anchor>& last);
  tl::expected<Anchor, std::string> take_checkpoint(const LedgerInfo& info,
                                                    const std::optional<Anchor>& last);
  tl::expected<core::Sequence, std::string> request_seal(const LedgerInfo& info);
  tl::expected<void, std::string> check_consistent(const Anchor& last, const Anchor& next);
  // The time of the first entry of [from, size) that is no seal. All from there to `seals_end` are seals,
  // which it moves on.
  tl::expected<std::optional<core::TimeUs>, std::string> oldest_new(std::uint64_t& seals_end,
                                                                    std::uint64_t from, std::uint64_t size);

  // What speaks against anchoring now, but for the chain and the ledger not answering.
  tl::expected<void, std::string> may_anchor(const LedgerInfo& info);
  tl::expected<void, std::string> check_pause();
  // Of an anchor of that size and root; an error where it is not to be made.
  tl::expected<AnchorCost, std::string> price(std::uint64_t size, const Hash& root);
  tl::expected<AnchorCost, std::string> price_at(const tron::ChainParameters& parameters, std::uint64_t size,
                                                 const Hash& root);
  tl::expected<void, std::string> check_ceilings(const tron::ChainParameters& parameters, AnchorCost& cost);
  tl::expected<std::int64_t, std::string> spent_in_a_day(const tron::ChainParameters& parameters);
  tron::SignedTransaction make_transaction(std::uint64_t size, const Hash& root,
                                           tron::TransactionFrame frame) const;
  tl::unexpected<std::string> stop(std::string why);
  // Why a transaction in a solidified block does not anchor; nothing where it does.
  tl::expected<std::string, std::string> failure_of(const tron::ChainTransaction& transaction,
                                                    std::int64_t block);

  StepResult sign(Anchor anchor);
  StepResult pursue(Anchor anchor);  // signed or broadcast
  StepResult send(Anchor anchor);
  StepResult prove_absent(Anchor anchor);
  StepResult await_solid(Anchor anchor);
  StepResult settle(Anchor anchor, std::int64_t block);
  StepResult move(Anchor anchor, AnchorState to, std::string_view outcome, std::string_view detail = {});

  WorkerOptions options_;
  SecretKey key_;
  tron::Address address_;
  const Clock& clock_;
  tron::Chain& chain_;
  LedgerClient& ledger_;
  Store& store_;
  Nonces nonces_;
  WorkerStatus status_;

  // What a restart may forget.
  struct Seal {
    core::Sequence sequence;
    std::uint64_t size_at_request = 0;
  };
  std::optional<Seal> seal_;  // requested, its checkpoint not yet taken
  std::optional<AbsenceScan> scan_;
  Hash last_sent_{};  // txid
  std::int64_t last_sent_ms_ = 0;
  std::uint64_t news_from_ = 0, unanchored_from_ = 0;  // for oldest_new()
};

}  // namespace windlass::anchoring
