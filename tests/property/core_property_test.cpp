// The core against the model: a million random commands, every answer and every record the same.
//   WINDLASS_SEED=n               only this seed
//   WINDLASS_PROPERTY_COMMANDS=n  commands in all
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "ledger/core/invariants.h"
#include "tests/property/core_commands.h"
#include "tests/property/core_seeds.h"

namespace windlass::core {
namespace {

constexpr std::uint64_t commands_by_default = 1'000'000;
constexpr std::uint64_t whole_check_interval = 8'192;
constexpr std::uint64_t commands_of_a_seed = 125'000;

using Coverage = std::map<std::string, std::uint64_t>;

std::string describe(const Posting& posting) {
  auto account = [](const AccountPosting& p) {
    return fmt::format("account {} asset {}: {} available, {} locked, {} held, previous {}", p.account.value,
                       p.after.asset.value, p.after.available, p.after.locked, p.after.held,
                       p.previous.value);
  };
  if (const auto* p = std::get_if<AccountPosting>(&posting)) return account(*p);
  if (const auto* p = std::get_if<ClosingPosting>(&posting))
    return fmt::format("closing channel {}, {}", p->channel.value, account(p->payer));
  const auto& p = std::get<ChannelPosting>(posting);
  return fmt::format("channel {}: {} of {}, previous {}", p.channel.value, p.claimed, p.deposit,
                     p.previous.value);
}

std::string outcome_name(const Outcome& outcome) {
  using Verdict = Outcome::Verdict;
  switch (outcome.verdict) {
    case Verdict::accepted:
      return "accepted";
    case Verdict::covered:
      return "covered";
    case Verdict::repeated:
      return "repeated";
    case Verdict::refused:
      return std::string(info(outcome.error).reason);
  }
  return "unknown";
}

std::string describe(const Outcome& outcome) {
  std::string text = fmt::format("{} sequence {} claimed {}", outcome_name(outcome), outcome.sequence.value,
                                 outcome.claimed);
  for (const auto& posting : outcome.postings) text += "\n    " + describe(posting);
  return text;
}

bool same(const Outcome& a, const Outcome& b) {
  return a.verdict == b.verdict && a.error == b.error && a.sequence == b.sequence && a.claimed == b.claimed &&
         a.postings == b.postings;
}

// One run from genesis. After each command its answer and all that it names are compared; now and then, and
// at the end, everything.
class Run {
 public:
  explicit Run(std::uint64_t seed) : source_(seed, model_) {}

  // What went wrong with the next command; nothing when all is the same.
  Fault step(Coverage& coverage) {
    Command command = source_.next();
    Outcome expected = model_.apply(command, source_.now_us());
    Outcome got = apply(state_, command, source_.now_us(), terms_at(state_));
    if (!same(expected, got))
      return fmt::format("{}: expected {}\n  got {}", name(command.kind()), describe(expected),
                         describe(got));
    if (auto fault = check_named(command, got)) return fmt::format("{}: {}", name(command.kind()), *fault);
    source_.observe(command, got);
    ++coverage[outcome_name(got)];
    ++coverage[fmt::format("{} {}", name(command.kind()), outcome_name(got))];
    return std::nullopt;
  }

  Fault check_all() const {
    if (auto fault = check_whole(state_)) return fault;
    return model_.difference(state_);
  }

 private:
  Fault check_named(const Command& command, const Outcome& got) {
    if (state_.globals.next.value != model_.size()) return "the next sequence differs";
    Needs needs;
    collect_needs(command, needs);
    for (const auto& key : needs.keys)
      if (auto account = model_.owner(key))
        if (auto fault = model_.difference_of_account(state_, *account)) return fault;
    for (auto channel : needs.channels) {
      if (auto of = model_.withdrawals().find(channel); of != model_.withdrawals().end()) {
        if (auto fault = model_.difference_of_channel(state_, channel)) return fault;
        if (auto fault = model_.difference_of_account(state_, of->second.owner)) return fault;
      }
      auto it = model_.channels().find(channel);
      if (it == model_.channels().end()) continue;
      if (auto fault = model_.difference_of_channel(state_, channel)) return fault;
      if (auto fault = model_.difference_of_account(state_, it->second.payer)) return fault;
      if (auto fault = model_.difference_of_account(state_, it->second.recipient)) return fault;
    }
    for (const auto& id : needs.btfs_uses) {
      const BtfsUse* use = state_.btfs_uses.find(id);
      auto it = model_.btfs_uses().find(id);
      bool same = use ? it != model_.btfs_uses().end() && *use == BtfsUse{id, it->second}
                      : it == model_.btfs_uses().end();
      if (!same) return "the use of a historical message differs";
    }
    if (!got.accepted()) return std::nullopt;
    if (command.kind() == Kind::open_channel || command.kind() == Kind::btfs_open_channel)
      if (auto fault = model_.difference_of_channel(state_, ChannelId{got.sequence.value})) return fault;
    return chains_.check(got.sequence, got.postings);
  }

  Model model_;
  State state_{true};
  CommandSource source_;
  ChainChecker chains_;
};

Fault run(std::uint64_t seed, std::uint64_t commands, Coverage& coverage) {
  Run run(seed);
  for (std::uint64_t i = 0; i < commands; ++i) {
    Fault fault = run.step(coverage);
    if (!fault && (i + 1) % whole_check_interval == 0) fault = run.check_all();
    if (fault) return fmt::format("command {}: {}", i, *fault);
  }
  return run.check_all();
}

// Every way to answer must be reached, or the generator has lost its bite.
void expect_everything_reached(const Coverage& coverage) {
  for (auto error = Error::unknown_account; error <= Error::seal_mismatch;
       error = static_cast<Error>(static_cast<int>(error) + 1)) {
    if (error == Error::nonce_conflict) continue;     // "repeated" here; told apart by the bytes
    if (error == Error::too_many_channels) continue;  // a unit test opens that many
    if (error == Error::too_many_assets) continue;    // likewise
    std::string reason(info(error).reason);
    EXPECT_TRUE(coverage.contains(reason)) << reason << " never happened";
  }
  for (const auto* outcome :
       {"covered", "open_channel OVERFLOW", "top_up_channel OVERFLOW", "credit OVERFLOW",
        "btfs_transfer EXPIRED", "btfs_transfer KEY_ROTATED", "btfs_transfer BTFS_REFUSED",
        "btfs_open_channel BTFS_REFUSED", "btfs_rotate_key BTFS_REFUSED", "btfs_close_channel CHANNEL_CLOSED",
        "btfs_close_channel KEY_ROTATED", "btfs_withdraw STATE_MISMATCH", "btfs_withdraw WITHDRAWALS_PAUSED",
        "btfs_withdraw FEE_TOO_LOW", "btfs_withdraw GATEWAY_OUT_OF_FUNDS", "top_up_channel UNKNOWN_CHANNEL"})
    EXPECT_TRUE(coverage.contains(outcome)) << outcome << " never happened";
  for (int i = 0; i <= static_cast<int>(last_kind); ++i) {
    auto kind = static_cast<Kind>(i);
    EXPECT_TRUE(coverage.contains(fmt::format("{} accepted", name(kind)))) << name(kind);
    // Of these, the same again finds the channel ended, or the key rotated away.
    bool has_no_id =
        kind == Kind::btfs_close_channel || kind == Kind::btfs_withdraw || kind == Kind::btfs_rotate_key;
    bool is_known_again = kind != Kind::genesis && kind != Kind::seal && kind != Kind::receipt && !has_no_id;
    EXPECT_TRUE(!is_known_again || coverage.contains(fmt::format("{} repeated", name(kind)))) << name(kind);
  }
}

TEST(CoreProperty, AnswersAndChangesAsTheModelDoes) {
  Coverage coverage;
  auto seeds = property_seeds(commands_by_default, commands_of_a_seed);
  for (auto seed : seeds) {
    std::cout << fmt::format("seed {}: {} commands", seed, commands_of_a_seed) << std::endl;
    auto fault = run(seed, commands_of_a_seed, coverage);
    ASSERT_FALSE(fault) << "WINDLASS_SEED=" << seed << ": " << *fault;
  }
  for (const auto& [what, count] : coverage) std::cout << fmt::format("{:>10} {}\n", count, what);
  if (seeds.size() * commands_of_a_seed >= commands_by_default) expect_everything_reached(coverage);
}

}  // namespace
}  // namespace windlass::core
