// Random commands for the core, biased so that things collide: few keys, channels and assets, amounts at the
// edges of what is allowed, times around expiries, nonces out of order and used twice. The same seed gives
// the same commands, as long as the rules answer the same.
#pragma once

#include <random>

#include "tests/property/core_model.h"

namespace windlass::core {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t next() { return engine_(); }
  std::uint64_t below(std::uint64_t count) { return engine_() % count; }  // count > 0
  bool percent(std::uint64_t chance) { return below(100) < chance; }
  bool one_in(std::uint64_t count) { return below(count) == 0; }
  template <typename Items>
  const auto& pick(const Items& items) {
    return items[below(items.size())];
  }

 private:
  std::mt19937_64 engine_;
};

Key key_number(std::uint64_t n);  // the form of a key, no point on the curve: the core does not look

class CommandSource {
 public:
  // `model` has applied every command that came from here, in order, but for a few of the newest.
  CommandSource(std::uint64_t seed, const Model& model) : random_(seed), model_(model) {}

  // Genesis first. Keeps every limit that the codec checks.
  Command next();
  TimeUs now_us() const { return now_us_; }  // for the command that next() gave
  void observe(const Command& command, const Outcome& outcome);

 private:
  using Account = Model::Account;

  void advance_time();
  Body genesis();
  Body wheel(Command& command);
  Body any_body(Command& command);
  Body seal();
  Body receipt(Command& command);
  Body transfer(Command& command);
  Body transfer_list(Command& command);
  Body open_channel(Command& command);
  Body top_up_channel(Command& command);
  Body close_channel(Command& command);
  Body rotate_key(Command& command);
  Body credit(Command& command);
  Body set_roles(Command& command);
  Body set_asset(Command& command);
  Body withdraw(Command& command);
  Body settle_withdrawal(Command& command);
  Body book_chain_fees(Command& command);
  ChainAmount some_fee(std::uint64_t gateway, AssetId asset);
  Body approve_withdrawal(Command& command);
  Body assign_deposit(Command& command);
  Body refuse_btfs(Command& command);
  Body any_btfs_body(Command& command);
  Body btfs_transfer(Command& command);
  Body btfs_open_channel(Command& command);
  Body btfs_close_channel(Command& command);
  Body btfs_withdraw(Command& command);
  Body btfs_rotate_key(Command& command);
  BtfsChannelState some_state(ChannelId id);

  void sign_as(Command& command, std::uint64_t account);
  void sign_as_btfs(Command& command, std::uint64_t account);
  std::uint64_t sign_as_holder_of(Command& command, Role role);
  std::uint64_t some_holder_of(Role role);
  std::uint64_t some_account();
  Key some_key(const Key& but);  // to be paid
  Key fresh_key();               // one of a few that are used up slowly
  Key strange_key();             // of a signer that should not be
  AssetId some_asset();
  AssetId some_asset_of(std::uint64_t account);
  Amount minimum_first_credit(AssetId asset) const;
  ChannelId some_channel();
  ChannelId some_btfs_channel();
  ChannelId some_withdrawal();
  template <typename SetAside>
  ChannelId some_of(const std::map<ChannelId, SetAside>& set_aside);
  Amount amount_near(Int128 limit);  // mostly at most `limit`
  Amount amount_from(Int128 available);
  Amount some_cumulative(const Model::Channel& channel);
  TimeUs some_life(TimeUs around_us);
  std::uint64_t some_nonce(std::uint64_t account);

  Random random_;
  const Model& model_;
  TimeUs now_us_ = 1'700'000'000 * second_us;
  std::uint64_t nonce_clock_ = 1000;
  std::uint64_t wheel_steps_ = 0;  // left of going round and round
  std::uint64_t next_fresh_key_ = 100;
  std::vector<Key> rotated_keys_;
  std::vector<ChannelId> open_channels_;
  std::vector<Command> recent_;
  std::int64_t payer_id_clock_ = 1;
  std::vector<Command> btfs_messages_;       // that were accepted, old ones too
  std::vector<ChannelId> btfs_channels_;     // open
  std::vector<ChannelId> btfs_withdrawals_;  // under way
};

}  // namespace windlass::core
