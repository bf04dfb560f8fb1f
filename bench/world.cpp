#include "bench/world.h"

#include <fmt/format.h>

#include "bench/measure.h"
#include "bench/parallel.h"
#include "client/commands.h"
#include "ledger/core/limits.h"

namespace windlass::bench {
namespace {

constexpr core::Amount step = 1;  // of a channel's claim, from one receipt to the next
constexpr std::size_t hot_accounts = 10;
constexpr std::size_t list_payers = 64;
// 2 GiB of Postgres' log: what it writes between two checkpoints.
constexpr std::uint64_t aged_segments = 128, accounts_a_segment = 1000;
// A walk over the accounts that meets each before it meets one again.
constexpr std::uint64_t stride = 7919;

// Made at its first use, so that it ends before what it is made of.
std::unique_ptr<World>& shared() {
  static std::unique_ptr<World> world;
  return world;
}

}  // namespace

// `nth` of those that are signed together: an account's nonces rise in the order that they are sent in.
core::Command World::command(std::uint64_t who, std::int64_t began_ns, std::size_t nth, core::Body body) {
  return {secret_key(who).public_key(), static_cast<std::uint64_t>(began_ns) + nth,
          began_ns / 1000 + core::hour_us, std::move(body)};
}

std::vector<pb::SignedCommand> World::receipts(std::size_t count) {
  std::vector<pb::SignedCommand> signed_ones(count);
  in_parallel(count, [&](std::size_t i) {
    std::uint64_t place = receipts_ + i, channel = place % growth_.channels;
    auto payer = secret_key(payer_of(growth_, channel));
    client::CommandSigner signer(payer, server.tag());
    auto round = static_cast<core::Amount>(place / growth_.channels + 1);
    signed_ones[i] = signer.sign_receipt(channel_id(growth_, channel), round * step);
  });
  receipts_ += count;
  return signed_ones;
}

std::vector<pb::SignedCommand> World::receipts_in_rows(std::size_t count, std::size_t each) {
  // Above all that receipts() has signed so far.
  auto base = static_cast<core::Amount>(receipts_ / growth_.channels + 1) * step;
  std::vector<pb::SignedCommand> signed_ones(count);
  in_parallel(count, [&](std::size_t i) {
    std::uint64_t channel = i / each % growth_.channels;
    client::CommandSigner signer(secret_key(payer_of(growth_, channel)), server.tag());
    signed_ones[i] = signer.sign_receipt(channel_id(growth_, channel),
                                         base + static_cast<core::Amount>(i % each + 1) * step);
  });
  receipts_ += (each + 1) * growth_.channels;  // the next round is above the last of the rows
  return signed_ones;
}

std::vector<pb::SignedCommand> World::transfers(std::size_t count, unsigned hot_percent) {
  std::vector<pb::SignedCommand> signed_ones(count);
  std::vector<PublicKey> hot(hot_accounts);
  auto began = client::CommandSigner::system_now_ns();
  for (std::size_t i = 0; i < hot.size(); ++i) hot[i] = secret_key(i).public_key();
  in_parallel(count, [&](std::size_t i) {
    std::uint64_t place = transfers_ + i, who = place % growth_.accounts;
    bool to_hot = place % 100 < hot_percent && who >= hot_accounts;
    std::uint64_t other = (who + 1 + place * stride % (growth_.accounts - 1)) % growth_.accounts;
    core::Transfer transfer{asset, to_hot ? hot[place % hot_accounts] : secret_key(other).public_key(), 1};
    auto key = secret_key(who);
    signed_ones[i] = client::to_message(codec::sign(
        codec::encode_command(command(who, began, i, std::move(transfer))), server.tag(), {&key}));
  });
  transfers_ += count;
  return signed_ones;
}

std::vector<pb::SignedCommand> World::lists(std::size_t count, std::size_t accounts) {
  auto keys = public_keys(std::min<std::uint64_t>(accounts, growth_.accounts));
  auto began = client::CommandSigner::system_now_ns();
  std::vector<pb::SignedCommand> signed_ones(count);
  in_parallel(count, [&](std::size_t i) {
    std::uint64_t place = lists_ + i, who = place % std::min<std::uint64_t>(list_payers, keys.size());
    core::TransferList list{asset, {}};
    for (std::size_t k = 0; k < core::max_list_payments; ++k) {
      std::uint64_t payee = (place * core::max_list_payments + k) * stride % keys.size();
      if (payee == who) payee = (payee + 1) % keys.size();
      list.payments.push_back({keys[payee], 1});
    }
    auto key = secret_key(who);
    signed_ones[i] = client::to_message(
        codec::sign(codec::encode_command(command(who, began, i, std::move(list))), server.tag(), {&key}));
  });
  lists_ += count;
  return signed_ones;
}

void World::warm_up(std::size_t accounts) {
  if (std::exchange(is_warm_, true)) return;
  // Before, not after: the checkpoint in it makes whoever touches a page next log the whole page.
  server.age_wal(std::clamp<std::uint64_t>(growth_.accounts / accounts_a_segment, 1, aged_segments));
  must_all_be_accepted(send(load(), receipts(growth_.channels)));
  if (accounts > 0) must_all_be_accepted(send(load(), transfers(accounts, 0)));
}

World& shared_world(const Growth& growth) {
  if (shared() && shared()->growth() == growth) return *shared();
  end_shared_world();
  shared() = std::make_unique<World>(ServerOptions{.growth = growth});
  return *shared();
}
World& young_world(const Scale& scale) {
  World& world = shared_world({.accounts = scale.accounts, .channels = scale.channels});
  world.warm_up(scale.accounts);
  return world;
}
void end_shared_world() {
  shared().reset();
}

Cost measure(World& world, const LoadOptions& options, std::vector<pb::SignedCommand> commands) {
  world.server.wait_until_flushed();
  Cost cost;
  double before = verification_seconds(different_signatures), same_before = verification_seconds(1);
  double windlassd = world.server.windlassd_cpu_seconds(), postgres = world.server.postgres_cpu_seconds();
  cost.load = send(options, std::move(commands));
  world.server.wait_until_flushed();
  cost.windlassd = world.server.windlassd_cpu_seconds() - windlassd;
  cost.postgres = world.server.postgres_cpu_seconds() - postgres;
  cost.server = cost.windlassd + cost.postgres;
  cost.verification = (before + verification_seconds(different_signatures)) / 2;
  cost.same_again = (same_before + verification_seconds(1)) / 2;
  return cost;
}

void must_all_be_accepted(const LoadResult& load) {
  if (load.covered > 0) give_up(fmt::format("{} were covered", load.covered));
  for (const auto* reasons : {&load.rejected, &load.to_be_retried})
    for (const auto& [reason, times] : *reasons) give_up(fmt::format("{} refused as {}", times, reason));
}

}  // namespace windlass::bench
