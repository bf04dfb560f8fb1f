// A round: submissions that are loaded, verified and applied together.
//
// Receipts of one channel that meet in a round cover one another: the highest that the channel can pay is
// verified, and if it holds, the lower ones are answered COVERED without a look at their signatures. Nothing
// else is reordered, and a receipt never moves past a command that names its channel: the commands of a round
// that touch a channel otherwise cut its receipts into groups. The group's winner is applied at the place of
// the group's first receipt (a claim made earlier harms nobody: it only raises the recipient's balance).
#pragma once

#include <absl/container/flat_hash_map.h>

#include "ledger/sequencer/submission.h"

namespace windlass::sequencer {

class Round {
 public:
  explicit Round(std::vector<Submission> submissions);

  std::vector<Submission>& submissions() { return submissions_; }

  // --- what it needs in memory (pinned by the writer until it has been applied)
  core::Needs needs;
  std::vector<core::AccountNumber> accounts;

  // --- verification: planned by the writer with a look at the state, carried out by any threads
  void plan(const core::State& state);
  std::size_t tasks() const { return tasks_.size(); }
  // Each task once.
  void verify(std::size_t task, const codec::SigningTag& tag, PointCache& points, Observer& observer);

  // --- what verification found, by the command's place
  struct Place {
    std::uint32_t submission = 0, item = 0;
  };
  enum class Check : std::uint8_t {
    verified,    // its signatures hold
    unverified,  // a receipt that was not looked at: covered by another, or never to be accepted
    refused,     // `error`
  };
  struct Command {
    const Item* item = nullptr;
    Check check = Check::unverified;
    core::Error error = core::Error::none;
    std::int32_t group = -1;  // of receipts
    BadSignaturesLeft* bad_signatures_left = nullptr;
  };
  // All commands, submission after submission.
  std::vector<Command> commands;
  // The command to apply when the first of its group is reached; -1: none of them held.
  std::int32_t winner(std::int32_t group) const { return groups_[static_cast<std::size_t>(group)].winner; }

 private:
  struct Group {
    std::vector<std::int32_t> candidates;  // highest cumulative first
    std::int32_t winner = -1;
  };
  struct Task {
    std::int32_t command = -1;        // one command, or
    std::int32_t group = -1;          // a group
    std::vector<core::Key> new_keys;  // to be checked to be points on the curve
  };
  void plan_receipt(const core::State& state, std::int32_t place, const core::Receipt& receipt,
                    absl::flat_hash_map<core::ChannelId, std::int32_t>& open_groups);

  std::vector<Submission> submissions_;
  std::vector<Group> groups_;
  std::vector<Task> tasks_;
};

}  // namespace windlass::sequencer
