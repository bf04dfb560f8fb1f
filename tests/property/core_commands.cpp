#include "tests/property/core_commands.h"

#include <algorithm>

#include "ledger/core/limits.h"

namespace windlass::core {
namespace {

constexpr Amount max_amount = std::numeric_limits<Amount>::max();
constexpr std::size_t recent_commands = 256;
constexpr std::size_t enough_open_channels = 100;  // more make the model slow
constexpr std::uint64_t fresh_keys_at_a_time = 4;

constexpr std::uint32_t chain_of_plenty = 2;  // its assets come near the largest supply
constexpr AssetId plenty{3};

// In place of hashes: what the ids of historical messages are made of.
std::uint64_t number_of(const Key& key) {
  return ByteReader(view(key).substr(1)).be<std::uint64_t>();
}
Hash transfer_id(const Command& command, const Key& recipient, Amount amount) {
  std::string bytes;
  append_be(bytes, number_of(command.signer));
  append_be(bytes, number_of(recipient));
  append_be(bytes, amount);
  append_be(bytes, command.nonce);
  return *to_array<32>(bytes);
}
Hash commit_id(const Key& payer, std::int64_t payer_id) {
  std::string bytes;
  append_be(bytes, number_of(payer));
  append_be(bytes, payer_id);
  return *to_array<32>(bytes + std::string(16, '\xff'));
}

Amount at_least_one(Int128 amount) {
  return static_cast<Amount>(std::clamp<Int128>(amount, 1, max_amount));
}

}  // namespace

Key key_number(std::uint64_t n) {
  std::string bytes(1, n % 2 == 0 ? '\x02' : '\x03');
  for (int i = 0; i < 4; ++i) append_be(bytes, n);
  return *to_array<33>(bytes);
}

Command CommandSource::next() {
  Command command;
  if (model_.size() == 0) {
    command.body = genesis();
    return command;
  }
  if (model_.size() == 1 || random_.one_in(5000)) wheel_steps_ = 60;
  if (wheel_steps_ > 0) {
    --wheel_steps_;
    command.body = wheel(command);
    return command;
  }
  if (!recent_.empty() && random_.percent(2)) return random_.pick(recent_);
  if (!btfs_messages_.empty() && random_.one_in(150)) return random_.pick(btfs_messages_);
  advance_time();
  command.body = any_body(command);
  return command;
}

void CommandSource::observe(const Command& command, const Outcome& outcome) {
  if (recent_.size() < recent_commands)
    recent_.push_back(command);
  else
    recent_[random_.below(recent_commands)] = command;
  if (!outcome.accepted()) return;
  if (std::holds_alternative<RotateKey>(command.body) || std::holds_alternative<BtfsRotateKey>(command.body))
    rotated_keys_.push_back(command.signer);
  if (std::holds_alternative<OpenChannel>(command.body))
    open_channels_.push_back(ChannelId{outcome.sequence.value});
  if (const auto* close = std::get_if<CloseChannel>(&command.body))
    std::erase(open_channels_, close->channel);

  bool of_btfs = command.kind() >= Kind::btfs_transfer && command.kind() <= Kind::btfs_rotate_key;
  if (of_btfs && btfs_messages_.size() < recent_commands)
    btfs_messages_.push_back(command);
  else if (of_btfs)
    btfs_messages_[random_.below(recent_commands)] = command;
  if (std::holds_alternative<BtfsOpenChannel>(command.body))
    btfs_channels_.push_back(ChannelId{outcome.sequence.value});
  if (const auto* close = std::get_if<BtfsCloseChannel>(&command.body))
    std::erase(btfs_channels_, close->state.channel);
  if (const auto* withdraw = std::get_if<BtfsWithdraw>(&command.body)) {
    std::erase(btfs_channels_, withdraw->paid.channel);
    btfs_withdrawals_.push_back(withdraw->paid.channel);
  }
  if (const auto* settle = std::get_if<SettleWithdrawal>(&command.body))
    std::erase(btfs_withdrawals_, settle->withdrawal);
}

void CommandSource::advance_time() {
  auto dice = random_.below(1000);
  if (dice < 500) return;
  if (dice < 950)
    now_us_ += static_cast<TimeUs>(random_.below(second_us));
  else if (dice < 995)
    now_us_ += static_cast<TimeUs>(random_.below(hour_us));
  else
    now_us_ += static_cast<TimeUs>(random_.below(3 * day_us));
}

Body CommandSource::any_body(Command& command) {
  if (random_.percent(14)) return any_btfs_body(command);
  auto dice = random_.below(1000);
  bool many_channels = open_channels_.size() > enough_open_channels;
  if (many_channels && dice < 200) return close_channel(command);
  if (dice < 280) return receipt(command);
  if (dice < 420) return transfer(command);
  if (dice < 480) return transfer_list(command);
  if (dice < 620) return open_channel(command);
  if (dice < 690) return top_up_channel(command);
  if (dice < 810) return close_channel(command);
  if (dice < 830) return rotate_key(command);
  if (dice < 910) return credit(command);
  if (dice < 920) return withdraw(command);
  if (dice < 927) return settle_withdrawal(command);
  if (dice < 928) return book_chain_fees(command);
  if (dice < 931) return approve_withdrawal(command);
  if (dice < 935) return assign_deposit(command);
  if (dice < 950) return set_roles(command);
  if (dice < 975) return set_asset(command);
  if (dice < 998) return seal();
  return genesis();
}

// --- the ledger's own

Body CommandSource::genesis() {
  auto asset = [](std::uint32_t number, std::string symbol, std::uint32_t chain, std::uint64_t units) {
    return Asset{.number = AssetId{number},
                 .symbol = std::move(symbol),
                 .chain = chain,
                 .token = std::to_string(number),
                 .decimals = 6,
                 .chain_units = units};
  };
  Genesis genesis{.operator_key = key_number(0)};
  genesis.roles = {{key_number(1), role_gateway},
                   {key_number(2), role_gateway | role_anchor},
                   {key_number(3), role_auditor},
                   {key_number(0), role_auditor}};
  genesis.assets = {asset(1, "ONE", 1, 1), asset(2, "THOUSAND", 1, 1000),
                    asset(3, "PLENTY", chain_of_plenty, 1)};
  genesis.assets[0].token = "1002000";  // which historical clients pay with
  genesis.assets[0].minimum_first_credit = 50;
  genesis.assets[0].minimum_channel = 10;
  return genesis;
}

// Two accounts lock all they have for one another, claim it and lock it again, and close nothing: until what
// is locked would overflow.
Body CommandSource::wheel(Command& command) {
  constexpr std::uint64_t one = 2, other = 3;
  auto total = model_.totals()[plenty.value - 1];
  Int128 left = Int128{max_amount} - total.available - total.locked - total.held - total.unassigned;
  if (left > 0) {
    Body body = credit(command);
    auto& all = std::get<Credit>(body);
    all.asset = plenty;
    all.chain = chain_of_plenty;
    all.amount = static_cast<ChainAmount>(left);
    all.owner = model_.accounts()[one].key;
    if (auto cursor = model_.cursors().find(all.chain); cursor != model_.cursors().end())
      all.at = cursor->second;
    ++all.at.block;
    return body;
  }
  for (auto account : {one, other})
    for (ChannelId id : model_.accounts()[account].paying_for) {
      const auto& channel = model_.channels().at(id);
      bool between_the_two = channel.recipient == one || channel.recipient == other;
      if (channel.terms.asset != plenty || channel.claimed == channel.terms.amount || !between_the_two)
        continue;
      command.signer = channel.terms.receipt_key;
      return Receipt{id, channel.terms.amount};
    }
  auto payer = model_.available(one, plenty) > model_.available(other, plenty) ? one : other;
  sign_as(command, payer);
  Amount amount = at_least_one(model_.available(payer, plenty));
  const auto& paying_for = model_.accounts()[payer].paying_for;
  if (!paying_for.empty() && random_.percent(40) &&
      model_.channels().at(*paying_for.rbegin()).terms.asset == plenty)
    return TopUpChannel{.channel = *paying_for.rbegin(), .amount = amount};
  return OpenChannel{.asset = plenty,
                     .recipient = model_.accounts()[one + other - payer].key,
                     .amount = amount,
                     .expires_us = now_us_ + day_us,
                     .receipt_key = command.signer};
}

Body CommandSource::seal() {
  Seal seal{.totals = model_.totals(), .accounts = model_.accounts().size()};
  if (random_.percent(60)) return seal;
  auto& total = seal.totals[random_.below(seal.totals.size())];
  switch (random_.below(9)) {
    case 0:
      ++seal.accounts;
      break;
    case 1:
      total.available ^= 1;
      break;
    case 2:
      total.locked ^= 1;
      break;
    case 3:
      total.unassigned ^= 1;
      break;
    case 4:
      total.dust ^= 1;
      break;
    case 5:
      total.credited ^= 1;
      break;
    case 6:
      total.paid ^= 1;
      break;
    case 7:
      total.chain_fees ^= 1;
      break;
    default:
      seal.totals.pop_back();
      break;
  }
  return seal;
}

// --- channels

Body CommandSource::receipt(Command& command) {
  Receipt receipt{.channel = some_channel(), .cumulative = 1 + static_cast<Amount>(random_.below(100))};
  auto it = model_.channels().find(receipt.channel);
  command.signer = strange_key();
  if (it == model_.channels().end()) return receipt;
  receipt.cumulative = some_cumulative(it->second);
  if (!random_.percent(5)) command.signer = it->second.terms.receipt_key;
  return receipt;
}

Body CommandSource::open_channel(Command& command) {
  auto payer = some_account();
  sign_as(command, payer);
  OpenChannel open{.asset = some_asset_of(payer), .recipient = some_key(command.signer)};
  Int128 available = model_.available(payer, open.asset);
  bool all = open.asset == plenty && random_.percent(70);
  open.amount = all ? at_least_one(available) : amount_from(available);
  open.expires_us = some_life(now_us_);
  open.receipt_key = command.signer;
  if (random_.percent(20))
    open.receipt_key = random_.percent(50) ? strange_key() : key_number(random_.next());
  if (random_.percent(40))
    open.content.assign(random_.percent(50) ? 20 : 32, static_cast<char>(random_.below(4)));
  return open;
}

Body CommandSource::top_up_channel(Command& command) {
  TopUpChannel top_up{.channel = some_channel()};
  sign_as(command, some_account());
  auto it = model_.channels().find(top_up.channel);
  if (it != model_.channels().end()) {
    const auto& channel = it->second;
    if (!random_.percent(8)) sign_as(command, random_.percent(95) ? channel.payer : channel.recipient);
    if (random_.percent(75))
      top_up.amount = amount_from(model_.available(channel.payer, channel.terms.asset));
    if (random_.percent(40)) top_up.expires_us = std::max<TimeUs>(0, some_life(channel.terms.expires_us));
  }
  if (top_up.amount == 0 && top_up.expires_us == 0) top_up.amount = 1;
  return top_up;
}

Body CommandSource::close_channel(Command& command) {
  CloseChannel close{.channel = some_channel()};
  auto it = model_.channels().find(close.channel);
  sign_as(command, some_account());
  if (it == model_.channels().end()) return close;
  const auto& channel = it->second;
  bool by_payer = random_.percent(45);
  TimeUs reclaimable_us = channel.terms.expires_us + channel_grace_us;
  if (by_payer && random_.percent(30) && reclaimable_us < now_us_ + 30 * day_us)
    now_us_ = std::max(now_us_, reclaimable_us - 1 + static_cast<TimeUs>(random_.below(3)));
  if (!random_.percent(8)) sign_as(command, by_payer ? channel.payer : channel.recipient);
  if (random_.percent(40)) {
    CloseChannel::LastReceipt last{.receipt = {close.channel, some_cumulative(channel)},
                                   .signer = channel.terms.receipt_key};
    if (random_.percent(6)) last.receipt.channel = some_channel();
    if (random_.percent(6)) last.signer = strange_key();
    close.last_receipt = last;
  }
  return close;
}

// --- payments

Body CommandSource::transfer(Command& command) {
  auto payer = some_account();
  sign_as(command, payer);
  Transfer transfer{.asset = some_asset_of(payer), .recipient = some_key(command.signer)};
  transfer.amount = amount_from(model_.available(payer, transfer.asset));
  return transfer;
}

Body CommandSource::transfer_list(Command& command) {
  auto payer = some_account();
  sign_as(command, payer);
  TransferList list{.asset = some_asset_of(payer)};
  std::uint64_t count = 1 + random_.below(6);
  if (random_.one_in(100)) count = 1 + random_.below(64);
  if (random_.one_in(3000)) count = max_list_payments;
  Int128 left = model_.available(payer, list.asset);
  bool to_the_last_unit = random_.percent(20);
  if (random_.percent(5)) {  // a newcomer paid twice, in any order around the least it may be paid first
    Key newcomer = fresh_key();
    for (int i = 0; i < 2; ++i)
      list.payments.push_back({newcomer, amount_near(minimum_first_credit(list.asset))});
    return list;
  }
  for (std::uint64_t i = 0; i < count; ++i) {
    Payment payment{.recipient = some_key(command.signer), .amount = amount_from(left)};
    bool to_one_twice = !list.payments.empty() && random_.percent(15);
    if (to_one_twice) payment.recipient = random_.pick(list.payments).recipient;
    if (to_the_last_unit && i + 1 == count) payment.amount = at_least_one(left);
    left = std::max<Int128>(0, left - payment.amount);
    list.payments.push_back(payment);
  }
  return list;
}

// --- accounts, roles, assets, money from outside

Body CommandSource::rotate_key(Command& command) {
  sign_as(command, some_account());
  RotateKey rotate{.new_key = fresh_key()};
  if (random_.percent(25)) rotate.new_key = some_key(command.signer);
  return rotate;
}

Body CommandSource::credit(Command& command) {
  sign_as_holder_of(command, role_gateway);
  AssetId number = some_asset();
  bool known = number.value >= 1 && number.value <= model_.assets().size();
  const Asset& asset = model_.assets()[known ? number.value - 1 : 0];
  Credit credit{.asset = number, .chain = asset.chain};
  ChainAmount units = random_.below(2'000);
  if (asset.chain == chain_of_plenty) {
    units = random_.next() >> (1 + random_.below(8));
    if (random_.percent(5)) units = static_cast<ChainAmount>(max_amount) + random_.below(2);
  }
  credit.amount = units * asset.chain_units + random_.below(asset.chain_units);
  if (random_.percent(10))
    credit.amount = random_.below(std::min<std::uint64_t>(asset.chain_units, 3000)) + 1;
  if (random_.one_in(500)) credit.amount = ~ChainAmount{0};
  credit.amount = std::max<ChainAmount>(1, credit.amount);
  if (random_.percent(2)) credit.chain = 3 - credit.chain;
  if (!random_.percent(8)) credit.owner = some_key(Key{});

  auto cursor = model_.cursors().find(credit.chain);
  if (cursor != model_.cursors().end()) credit.at = cursor->second;
  auto step = static_cast<std::uint32_t>(random_.below(3));
  switch (random_.below(16)) {
    case 0:
      break;  // the same again
    case 1:
      credit.at.block -= std::min<std::uint64_t>(credit.at.block, 1), credit.at.log = 9;
      break;
    case 2:
      credit.at.transaction -= std::min(credit.at.transaction, 1U);
      break;
    case 3:
    case 4:
    case 5:
      credit.at.log += step;
      break;
    case 6:
    case 7:
    case 8:
      ++credit.at.transaction, credit.at.log = step;
      break;
    default:
      ++credit.at.block, credit.at.transaction = step, credit.at.log = 0;
      break;
  }
  return credit;
}

Body CommandSource::set_roles(Command& command) {
  sign_as_holder_of(command, role_operator);
  SetRoles set{.key = some_key(Key{}), .roles = static_cast<std::uint32_t>(random_.below(all_roles + 1))};
  if (random_.percent(60)) set.roles &= role_auditor | role_anchor;
  // Somebody stays the operator, or nothing more could be set.
  if (model_.owner(set.key) == 0) set.roles |= role_operator;
  return set;
}

Body CommandSource::set_asset(Command& command) {
  sign_as_holder_of(command, role_operator);
  static constexpr std::array<Amount, 6> minimums = {0, 0, 1, 10, 50, 500};
  SetAsset set{.asset = random_.pick(model_.assets())};
  set.asset.minimum_first_credit = random_.pick(minimums);
  set.asset.minimum_channel = random_.pick(minimums);
  set.asset.maximum_daily_credit = random_.percent(20) ? 1 + static_cast<Amount>(random_.below(20'000)) : 0;
  if (random_.percent(70)) return set;
  switch (random_.below(6)) {
    case 0:
      set.asset.symbol += "X";
      return set;
    case 1:
      set.asset.token += "1";
      return set;
    case 2:
      set.asset.chain += 1;
      return set;
    case 3:
      set.asset.chain_units += 1;
      return set;
    case 4:
      set.asset.decimals += 1;
      return set;
    default:
      break;
  }
  bool make = model_.assets().size() < 6;
  set.asset.number.value = static_cast<std::uint32_t>(model_.assets().size() + (make ? 1 : 2));
  set.asset.symbol = "A" + std::to_string(set.asset.number.value);
  set.asset.chain_units = random_.percent(50) ? 7 : ~std::uint64_t{0};
  return set;
}

// --- money to outside

// Mostly one of the newest, sometimes none.
template <typename SetAside>
ChannelId CommandSource::some_of(const std::map<ChannelId, SetAside>& set_aside) {
  if (set_aside.empty() || random_.percent(4)) return some_channel();
  auto at = set_aside.end();
  for (std::uint64_t back = 1 + random_.below(5); back > 0 && at != set_aside.begin(); --back) --at;
  return at->first;
}

Body CommandSource::withdraw(Command& command) {
  auto owner = some_account();
  sign_as(command, owner);
  Withdraw withdraw{.asset = some_asset_of(owner)};
  withdraw.amount = amount_from(model_.available(owner, withdraw.asset));
  if (random_.percent(70)) withdraw.fee = amount_near(20);
  if (random_.one_in(200)) withdraw.fee = static_cast<Amount>(max_amount);
  withdraw.destination[0] = 0x41;
  withdraw.destination[20] = static_cast<std::uint8_t>(random_.below(4));
  return withdraw;
}

Body CommandSource::settle_withdrawal(Command& command) {
  auto gateway = sign_as_holder_of(command, role_gateway);
  SettleWithdrawal settle{.withdrawal = some_withdrawal(), .paid = random_.percent(60)};
  if (random_.percent(60)) {
    settle.fee_asset = some_asset();
    settle.chain_fee = some_fee(gateway, settle.fee_asset);
  }
  return settle;
}

ChainAmount CommandSource::some_fee(std::uint64_t gateway, AssetId asset) {
  bool known = asset.value >= 1 && asset.value <= model_.assets().size();
  ChainAmount fee = 1 + random_.below(2'000);
  if (known && random_.percent(20)) {
    auto all = static_cast<ChainAmount>(model_.available(gateway, asset));
    fee = std::max<ChainAmount>(1, all * model_.assets()[asset.value - 1].chain_units);
  }
  return fee + (random_.percent(30) ? 1 : 0);
}

Body CommandSource::book_chain_fees(Command& command) {
  auto gateway = sign_as_holder_of(command, role_gateway);
  BookChainFees book{.asset = some_asset()};
  ChainAmount before = model_.chain_fees(book.asset);
  book.cumulative = random_.percent(20) ? std::max<ChainAmount>(1, before - before % 3)
                                        : before + some_fee(gateway, book.asset);
  return book;
}

Body CommandSource::approve_withdrawal(Command& command) {
  sign_as_holder_of(command, role_operator);
  return ApproveWithdrawal{some_withdrawal()};
}

Body CommandSource::assign_deposit(Command& command) {
  sign_as_holder_of(command, role_operator);
  return AssignDeposit{some_of(model_.deposits()), some_key(Key{})};
}

ChannelId CommandSource::some_withdrawal() {
  if (!btfs_withdrawals_.empty() && random_.percent(40)) return random_.pick(btfs_withdrawals_);
  return some_of(model_.withdrawals());
}

// --- what historical clients sign

Body CommandSource::any_btfs_body(Command& command) {
  auto dice = random_.below(1000);
  bool many_channels = btfs_channels_.size() > enough_open_channels / 2;
  if (many_channels && dice < 500) return btfs_close_channel(command);
  if (dice < 400) return btfs_transfer(command);
  if (dice < 640) return btfs_open_channel(command);
  if (dice < 840) return btfs_close_channel(command);
  if (dice < 960) return btfs_withdraw(command);
  if (dice < 990) return btfs_rotate_key(command);
  return refuse_btfs(command);
}

// Few do, or nobody could send historical messages any more.
Body CommandSource::refuse_btfs(Command& command) {
  auto account = some_account() | 3;
  sign_as(command, account < model_.accounts().size() ? account : 3);
  return RefuseBtfs{};
}

Body CommandSource::btfs_transfer(Command& command) {
  auto payer = some_account();
  sign_as_btfs(command, payer);
  BtfsTransfer transfer{.recipient = some_key(command.signer)};
  transfer.amount = amount_from(model_.available(payer, *model_.btfs_asset()));
  transfer.id = transfer_id(command, transfer.recipient, transfer.amount);
  return transfer;
}

Body CommandSource::btfs_open_channel(Command& command) {
  auto payer = some_account();
  sign_as_btfs(command, payer);
  command.nonce = 0, command.expires_us = 0;
  BtfsOpenChannel open{.recipient = some_key(command.signer)};
  Key gateway = model_.accounts()[some_holder_of(role_gateway)].key;
  if (random_.percent(50) && gateway != command.signer) open.recipient = gateway;
  open.amount = amount_from(model_.available(payer, *model_.btfs_asset()));
  bool again = random_.percent(10);  // with what may be another recipient and amount
  std::int64_t back = again ? static_cast<std::int64_t>(random_.below(100)) : 0;
  open.id = commit_id(command.signer,
                      std::max<std::int64_t>(1, again ? payer_id_clock_ - back : ++payer_id_clock_));
  return open;
}

// Of the parties of `id`, where that is a historical channel: everything to one, or shared.
BtfsChannelState CommandSource::some_state(ChannelId id) {
  BtfsChannelState agreed{.channel = id, .from = strange_key(), .to = strange_key(), .to_balance = 1};
  auto it = model_.channels().find(id);
  if (it == model_.channels().end()) return agreed;
  const auto& channel = it->second;
  if (!random_.percent(3)) agreed.from = channel.terms.receipt_key;
  if (!random_.percent(3)) agreed.to = model_.accounts()[channel.recipient].key;
  if (random_.percent(3)) agreed.to = model_.accounts()[channel.payer].key;
  Amount amount = channel.terms.amount;
  switch (random_.below(4)) {
    case 0:
      agreed.to_balance = 0;
      break;
    case 1:
      agreed.to_balance = amount;
      break;
    default:
      agreed.to_balance = static_cast<Amount>(random_.below(static_cast<std::uint64_t>(amount) + 1));
  }
  agreed.from_balance = amount - agreed.to_balance;
  if (random_.percent(2)) agreed.from_balance = std::max<Amount>(0, agreed.from_balance - 1);
  if (random_.percent(2) && amount < max_amount) ++agreed.from_balance;
  return agreed;
}

Body CommandSource::btfs_close_channel(Command& command) {
  BtfsCloseChannel close{.state = some_state(some_btfs_channel()), .from_signed = random_.percent(75)};
  command.signer = close.state.to;
  return close;
}

Body CommandSource::btfs_withdraw(Command& command) {
  ChannelId id = some_btfs_channel();
  auto to_the_gateway = [&] {
    auto it = model_.channels().find(id);
    return it != model_.channels().end() &&
           (model_.accounts()[it->second.recipient].roles & role_gateway) != 0;
  };
  bool rightly = !random_.percent(10);
  for (int tries = 0; rightly && tries < 20 && !to_the_gateway(); ++tries) id = some_btfs_channel();
  BtfsWithdraw withdraw{.paid = some_state(id)};
  Amount amount = std::max<Amount>(1, withdraw.paid.from_balance + withdraw.paid.to_balance);
  if (!random_.percent(10)) withdraw.paid.from_balance = 0, withdraw.paid.to_balance = amount;
  if (random_.percent(70)) withdraw.fee = static_cast<Amount>(random_.below(10)) % amount;
  if (random_.percent(5)) withdraw.fee = amount - 1;
  withdraw.destination[0] = 0x41;
  withdraw.destination[20] = static_cast<std::uint8_t>(random_.below(4));
  command.signer = withdraw.paid.from;
  return withdraw;
}

Body CommandSource::btfs_rotate_key(Command& command) {
  Body body = rotate_key(command);
  command.nonce = 0, command.expires_us = 0;
  return BtfsRotateKey{std::get<RotateKey>(body).new_key};
}

// Some with the extension: a nonce and an expiry.
void CommandSource::sign_as_btfs(Command& command, std::uint64_t account) {
  sign_as(command, account);
  if (random_.percent(70)) command.nonce = 0, command.expires_us = 0;
}

// --- signers, keys, numbers

void CommandSource::sign_as(Command& command, std::uint64_t account) {
  command.signer = model_.accounts()[account].key;
  if (random_.percent(2)) command.signer = strange_key();
  command.nonce = some_nonce(account);
  command.expires_us = now_us_ + static_cast<TimeUs>(random_.below(day_us + 1));
  switch (random_.below(60)) {
    case 0:
      command.expires_us = now_us_;
      break;
    case 1:
      command.expires_us = now_us_ - 1;
      break;
    case 2:
      command.expires_us = now_us_ + max_expiry_ahead_us;
      break;
    case 3:
      command.expires_us = now_us_ + max_expiry_ahead_us + 1;
      break;
    default:
      break;
  }
}

std::uint64_t CommandSource::sign_as_holder_of(Command& command, Role role) {
  auto account = random_.percent(6) ? some_account() : some_holder_of(role);
  sign_as(command, account);
  return account;
}

// Anybody where nobody holds it.
std::uint64_t CommandSource::some_holder_of(Role role) {
  auto account = some_account();
  for (int tries = 0; tries < 1000 && !(model_.accounts()[account].roles & role); ++tries)
    account = some_account();
  return account;
}

std::uint64_t CommandSource::some_account() {
  std::uint64_t count = model_.accounts().size();
  auto dice = random_.below(100);
  if (dice < 75) return random_.below(std::min<std::uint64_t>(count, 8));
  if (dice < 95) return random_.below(std::min<std::uint64_t>(count, 64));
  return random_.below(count);
}

Key CommandSource::some_key(const Key& but) {
  while (true) {
    Key key = model_.accounts()[some_account()].key;
    auto dice = random_.below(200);
    if (dice < 4 && !rotated_keys_.empty()) key = random_.pick(rotated_keys_);
    if (dice >= 4 && dice < 8) key = fresh_key();
    if (key != but) return key;
  }
}

Key CommandSource::fresh_key() {
  while (model_.owner(key_number(next_fresh_key_))) ++next_fresh_key_;
  return key_number(next_fresh_key_ + random_.below(fresh_keys_at_a_time));
}

Key CommandSource::strange_key() {
  if (!rotated_keys_.empty() && random_.percent(50)) return random_.pick(rotated_keys_);
  return random_.percent(50) ? fresh_key() : model_.accounts()[some_account()].key;
}

AssetId CommandSource::some_asset() {
  auto count = static_cast<std::uint32_t>(model_.assets().size());
  if (random_.percent(2)) return AssetId{random_.percent(50) ? 0 : count + 1};
  return AssetId{1 + static_cast<std::uint32_t>(random_.below(count))};
}

AssetId CommandSource::some_asset_of(std::uint64_t account) {
  AssetId asset = some_asset();
  for (int tries = 0; tries < 3 && model_.available(account, asset) == 0; ++tries) asset = some_asset();
  return asset;
}

ChannelId CommandSource::some_channel() {
  if (open_channels_.empty() || random_.percent(4)) return ChannelId{random_.below(model_.size() + 10)};
  if (random_.percent(10) && !model_.channels().empty()) {
    auto it = model_.channels().lower_bound(ChannelId{random_.below(model_.size())});
    return it == model_.channels().end() ? model_.channels().begin()->first : it->first;
  }
  std::size_t newest = std::min<std::size_t>(open_channels_.size(), random_.percent(70) ? 16 : 1000);
  return open_channels_[open_channels_.size() - 1 - random_.below(newest)];
}

ChannelId CommandSource::some_btfs_channel() {
  if (btfs_channels_.empty() || random_.percent(4)) return some_channel();
  if (!btfs_messages_.empty() && random_.percent(4)) {  // one that has ended, perhaps
    const Command& command = random_.pick(btfs_messages_);
    if (const auto* close = std::get_if<BtfsCloseChannel>(&command.body)) return close->state.channel;
  }
  return random_.pick(btfs_channels_);
}

Amount CommandSource::minimum_first_credit(AssetId asset) const {
  bool known = asset.value >= 1 && asset.value <= model_.assets().size();
  return known ? model_.assets()[asset.value - 1].minimum_first_credit : 0;
}

Amount CommandSource::amount_near(Int128 limit) {
  switch (random_.below(12)) {
    case 0:
      return 1;
    case 1:
    case 2:
      return at_least_one(limit - 1);
    case 3:
    case 4:
    case 5:
      return at_least_one(limit);
    case 6:
    case 7:
      return at_least_one(limit + 1);
    case 8:
      return at_least_one(limit / 2);
    case 9:
      return max_amount;
    case 10:
      return at_least_one(static_cast<Int128>(random_.next() >> (1 + random_.below(63))));
    default:
      return 1 + static_cast<Amount>(random_.below(100));
  }
}

Amount CommandSource::amount_from(Int128 available) {
  if (random_.percent(15)) return amount_near(available);
  auto share = static_cast<std::uint64_t>(available / (random_.percent(50) ? 4 : 32));
  return at_least_one(static_cast<Int128>(random_.below(share + 1)));
}

Amount CommandSource::some_cumulative(const Model::Channel& channel) {
  Int128 left = channel.terms.amount - channel.claimed;
  switch (random_.below(10)) {
    case 0:
      return at_least_one(channel.claimed);
    case 1:
      return at_least_one(channel.claimed - static_cast<Int128>(random_.below(3)));
    case 2:
      return at_least_one(channel.terms.amount);
    case 3:
      return at_least_one(Int128{channel.terms.amount} + 1);
    case 4:
      return amount_near(channel.terms.amount);
    case 5:
      return at_least_one(channel.claimed + 1);
    default:
      return at_least_one(channel.claimed + left / static_cast<Int128>(2 + random_.below(8)));
  }
}

TimeUs CommandSource::some_life(TimeUs around_us) {
  switch (random_.below(20)) {
    case 0:
      return now_us_;
    case 1:
      return now_us_ + max_channel_life_us;
    case 2:
      return now_us_ + max_channel_life_us + 1;
    case 3:
      return around_us - 1;
    case 4:
      return 1 + static_cast<TimeUs>(random_.below(100));
    case 5:
      return around_us + 1;
    case 6:
      return around_us;
    case 7:
      return now_us_ + 1;
    default:
      return std::max(now_us_, around_us) + static_cast<TimeUs>(random_.below(2 * day_us));
  }
}

std::uint64_t CommandSource::some_nonce(std::uint64_t account) {
  auto dice = random_.below(200);
  if (dice < 12) {
    auto kept = model_.kept_nonces(account);
    if (kept.empty()) return 1;
    std::uint64_t lowest = kept.begin()->first;
    if (dice < 6) return std::max<std::uint64_t>(1, lowest - 1 - random_.below(3));
    return std::next(kept.begin(), static_cast<std::ptrdiff_t>(random_.below(kept.size())))->first;
  }
  if (dice == 12) return random_.percent(50) ? 1 : ~std::uint64_t{0} - random_.below(2);
  nonce_clock_ += 1 + random_.below(5);
  return nonce_clock_ - random_.below(100);
}

}  // namespace windlass::core
