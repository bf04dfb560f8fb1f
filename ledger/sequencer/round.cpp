#include "ledger/sequencer/round.h"

#include <absl/container/flat_hash_map.h>

namespace windlass::sequencer {
namespace {

std::optional<core::ChannelId> channel_otherwise_named(const core::Command& command) {
  if (const auto* top_up = std::get_if<core::TopUpChannel>(&command.body)) return top_up->channel;
  if (const auto* close = std::get_if<core::CloseChannel>(&command.body)) return close->channel;
  return std::nullopt;
}

}  // namespace

Round::Round(std::vector<Submission> submissions) : submissions_(std::move(submissions)) {
  for (auto& submission : submissions_) {
    if (auto* look = std::get_if<Look>(&submission.what)) {
      needs.add(look->needs);
      accounts.insert(accounts.end(), look->accounts.begin(), look->accounts.end());
      continue;
    }
    for (const auto& item : std::get<Commands>(submission.what).items) {
      Command command{.item = &item, .bad_signatures_left = submission.bad_signatures_left.get()};
      if (item) {
        core::collect_needs(item->command, needs);
        if (item->requests_seal) needs.keys.push_back(item->command.signer);
      } else {
        command.check = Check::refused;
        command.error = item.error();
      }
      commands.push_back(command);
    }
  }
}

void Round::plan(const core::State& state) {
  absl::flat_hash_map<core::ChannelId, std::int32_t> open_groups;
  for (std::size_t i = 0; i < commands.size(); ++i) {
    if (commands[i].check == Check::refused) continue;
    const auto& command = (*commands[i].item)->command;
    auto place = static_cast<std::int32_t>(i);
    if (const auto* receipt = std::get_if<core::Receipt>(&command.body)) {
      plan_receipt(state, place, *receipt, open_groups);
      continue;
    }
    if (auto channel = channel_otherwise_named(command)) open_groups.erase(*channel);
    Task task{.command = place};
    auto keys = codec::unproven_keys(command);
    for (std::size_t k = 0; k < keys.size(); ++k) {
      state.keys.prefetch_after(keys, k);
      if (!state.key_entry(keys[k])) task.new_keys.push_back(keys[k]);
    }
    tasks_.push_back(std::move(task));
  }
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    auto cumulative = [&](std::int32_t place) {
      return std::get<core::Receipt>((*commands[static_cast<std::size_t>(place)].item)->command.body)
          .cumulative;
    };
    auto& candidates = groups_[g].candidates;
    std::stable_sort(candidates.begin(), candidates.end(),
                     [&](auto a, auto b) { return cumulative(a) > cumulative(b); });
    tasks_.push_back({.group = static_cast<std::int32_t>(g)});
  }
}

// Cheap checks first: what no signature can make acceptable is not verified. These facts only ever harden
// (claims grow, a closed channel stays closed, its receipt key is bound), so they still hold when the round
// is applied.
void Round::plan_receipt(const core::State& state, std::int32_t place, const core::Receipt& receipt,
                         absl::flat_hash_map<core::ChannelId, std::int32_t>& open_groups) {
  auto& command = commands[static_cast<std::size_t>(place)];
  const core::Channel* channel = state.find(receipt.channel, core::Purpose::channel);
  if (!channel || receipt.cumulative > channel->deposit) {
    // An earlier round may be opening or topping it up: alone, with its own signature, for the core to judge.
    tasks_.push_back({.command = place});
    return;
  }
  if (receipt.cumulative <= channel->claimed || !channel->open ||
      (*command.item)->command.signer != channel->receipt_key)
    return;
  auto [group, is_new] = open_groups.try_emplace(receipt.channel, static_cast<std::int32_t>(groups_.size()));
  if (is_new) groups_.emplace_back();
  command.group = group->second;
  groups_[static_cast<std::size_t>(command.group)].candidates.push_back(place);
}

void Round::verify(std::size_t index, const codec::SigningTag& tag, PointCache& points, Observer& observer) {
  const Task& task = tasks_[index];
  auto verify = [&](Command& command) {
    if (command.bad_signatures_left && *command.bad_signatures_left <= 0) {
      command.error = core::Error::too_many_bad_signatures;
    } else {
      auto started = std::chrono::steady_clock::now();
      command.error = codec::verify_signatures(**command.item, tag, &points);
      observer.verified(command.error,
                        std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
      if (command.bad_signatures_left && command.error == core::Error::bad_signature)
        --*command.bad_signatures_left;
    }
    command.check = command.error == core::Error::none ? Check::verified : Check::refused;
    return command.check == Check::verified;
  };
  if (task.group >= 0) {
    auto& group = groups_[static_cast<std::size_t>(task.group)];
    for (auto place : group.candidates) {
      if (!verify(commands[static_cast<std::size_t>(place)])) continue;
      group.winner = place;
      return;
    }
    return;
  }
  auto& command = commands[static_cast<std::size_t>(task.command)];
  for (const auto& key : task.new_keys) {
    if (is_public_key(view(key))) continue;
    command.check = Check::refused;
    command.error = core::Error::bad_key;
    return;
  }
  verify(command);
}

}  // namespace windlass::sequencer
