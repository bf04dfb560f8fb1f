#include "tests/property/core_model.h"

#include <fmt/format.h>

#include "ledger/core/limits.h"

namespace windlass::core {
namespace {

constexpr Int128 max_amount = std::numeric_limits<Amount>::max();

Amount narrow(Int128 amount) {
  require(amount >= 0 && amount <= max_amount);
  return static_cast<Amount>(amount);
}

Sequence newest(const std::vector<Sequence>& entries) {
  return entries.empty() ? no_sequence : entries.back();
}

std::uint32_t role_needed(Kind kind) {
  if (kind == Kind::set_roles || kind == Kind::set_asset || kind == Kind::approve_withdrawal ||
      kind == Kind::assign_deposit)
    return role_operator;
  if (kind == Kind::credit || kind == Kind::settle_withdrawal || kind == Kind::book_chain_fees)
    return role_gateway;
  return 0;
}

// Signed by a historical client.
bool historical(Kind kind) {
  return kind == Kind::btfs_transfer || kind == Kind::btfs_open_channel || kind == Kind::btfs_close_channel ||
         kind == Kind::btfs_withdraw || kind == Kind::btfs_rotate_key;
}

// With a nonce of the signer's.
bool by_an_account(Kind kind) {
  return kind != Kind::genesis && kind != Kind::seal && kind != Kind::receipt && !historical(kind);
}

std::optional<Hash> btfs_id(const Command& command) {
  if (const auto* transfer = std::get_if<BtfsTransfer>(&command.body)) return transfer->id;
  if (const auto* open = std::get_if<BtfsOpenChannel>(&command.body)) return open->id;
  return std::nullopt;
}

}  // namespace

std::optional<WithdrawalTerms> some_terms(AssetId, Sequence next) {
  std::uint64_t n = next.value;
  if (n % 11 == 0) return std::nullopt;
  WithdrawalTerms terms{.minimum = static_cast<Amount>(n % 5), .fee = static_cast<Amount>(n % 3)};
  if (n % 13 == 0) terms.refuses = Error::withdrawals_paused;
  if (n % 17 == 0) terms.refuses = Error::gateway_away;
  terms.payable = n % 4 == 0 ? 2'000 : std::numeric_limits<Amount>::max();
  terms.beyond = n % 8 == 0 ? Error::daily_cap_reached : Error::gateway_out_of_funds;
  return terms;
}

Outcome Model::apply(const Command& command, TimeUs now_us) {
  now_us_ = now_us;
  if (auto answer = known_already(command)) return *answer;
  if (auto wrong = signer_faults(command); !wrong.empty()) return {.error = *wrong.begin()};
  auto wrong = std::visit([&](const auto& body) { return faults(body, command.signer); }, command.body);
  if (!wrong.empty()) return {.error = *wrong.begin()};

  std::optional<std::uint64_t> signer;
  if (by_an_account(command.kind())) signer = owner(command.signer);
  std::visit([&](const auto& body) { carry_out(body, command.signer); }, command.body);
  if (signer) accounts_[*signer].used_nonces[command.nonce] = Sequence{size_};
  if (auto id = btfs_id(command)) btfs_uses_[*id] = Sequence{size_};
  Outcome outcome{.verdict = Outcome::Verdict::accepted, .sequence = Sequence{size_}};
  outcome.postings = write_entry();
  return outcome;
}

std::optional<Outcome> Model::known_already(const Command& command) const {
  if (const auto* receipt = std::get_if<Receipt>(&command.body)) {
    const Channel* channel = own_channel(receipt->channel);
    if (channel && receipt->cumulative <= channel->claimed)
      return Outcome{.verdict = Outcome::Verdict::covered,
                     .sequence = newest(channel->claims),
                     .claimed = narrow(channel->claimed)};
  }
  auto signer = owner(command.signer);
  if (by_an_account(command.kind()) && signer) {
    auto kept = kept_nonces(*signer);
    if (kept.contains(command.nonce))
      return Outcome{.verdict = Outcome::Verdict::repeated, .sequence = kept[command.nonce]};
  }
  auto id = btfs_id(command);
  if (id && signer && btfs_uses_.contains(*id))
    return Outcome{.verdict = Outcome::Verdict::repeated, .sequence = btfs_uses_.at(*id)};
  return std::nullopt;
}

// --- what is wrong with a command

Model::Faults Model::signer_faults(const Command& command) const {
  if (historical(command.kind())) return btfs_signer_faults(command);
  if (!by_an_account(command.kind())) return {};
  auto signer = owner(command.signer);
  if (!signer) return {Error::unknown_account};
  Faults faults;
  if (rotated_away(command.signer)) faults.insert(Error::key_rotated);
  if (command.expires_us < now_us_) faults.insert(Error::expired);
  if (command.expires_us > now_us_ + max_expiry_ahead_us) faults.insert(Error::expiry_too_far);
  auto kept = kept_nonces(*signer);
  if (kept.size() == max_kept_nonces && command.nonce < kept.begin()->first)
    faults.insert(Error::nonce_too_old);
  auto role = role_needed(command.kind());
  if (role != 0 && (accounts_[*signer].roles & role) == 0) faults.insert(Error::missing_role);
  return faults;
}

// Whoever signed a channel's end is asked about with the channel.
Model::Faults Model::btfs_signer_faults(const Command& command) const {
  Kind kind = command.kind();
  if (kind == Kind::btfs_close_channel || kind == Kind::btfs_withdraw) return {};
  auto signer = owner(command.signer);
  if (!signer) return {Error::unknown_account};
  Faults faults;
  if (rotated_away(command.signer)) faults.insert(Error::key_rotated);
  if (command.expires_us != 0 && command.expires_us < now_us_) faults.insert(Error::expired);
  if (accounts_[*signer].refuses_btfs) faults.insert(Error::btfs_refused);
  return faults;
}

Model::Faults Model::faults(const Genesis&, const Key&) const {
  return size_ == 0 ? Faults{} : Faults{Error::forbidden_command};
}

Model::Faults Model::faults(const Seal& seal, const Key&) const {
  bool right = seal.accounts == accounts_.size() && seal.totals == totals();
  return right ? Faults{} : Faults{Error::seal_mismatch};
}

Model::Faults Model::faults(const Receipt& receipt, const Key& signer) const {
  const Channel* channel = own_channel(receipt.channel);
  if (!channel) return {Error::unknown_channel};
  Faults faults;
  if (!channel->open) faults.insert(Error::channel_closed);
  claim_faults(*channel, receipt, signer, faults);
  return faults;
}

Model::Faults Model::faults(const Transfer& transfer, const Key& signer) const {
  Faults faults;
  payment_faults(transfer.asset, {{transfer.recipient, transfer.amount}}, signer, faults);
  return faults;
}

Model::Faults Model::faults(const TransferList& list, const Key& signer) const {
  Faults faults;
  payment_faults(list.asset, list.payments, signer, faults);
  return faults;
}

Model::Faults Model::faults(const OpenChannel& open, const Key& signer) const {
  Faults faults;
  if (rotated_away(open.recipient)) faults.insert(Error::key_rotated);
  if (!exists(open.asset)) faults.insert(Error::unknown_asset);
  if (life_is_bad(open.expires_us)) faults.insert(Error::bad_channel_expiry);
  if (exists(open.asset) && open.amount < asset(open.asset).minimum_channel)
    faults.insert(Error::below_minimum_channel);
  const Account& payer = accounts_[*owner(signer)];
  if (payer.paying_for.size() + payer.withdrawing.size() >= max_open_channels)
    faults.insert(Error::too_many_channels);
  deposit_faults(open.asset, open.amount, signer, faults);
  return faults;
}

Model::Faults Model::faults(const TopUpChannel& top_up, const Key& signer) const {
  const Channel* found = own_channel(top_up.channel);
  if (!found) return {Error::unknown_channel};
  const Channel& channel = *found;
  Faults faults;
  if (!channel.open) faults.insert(Error::channel_closed);
  if (channel.payer != owner(signer)) faults.insert(Error::not_a_party);
  bool moves_expiry = top_up.expires_us != 0;
  if (moves_expiry && (life_is_bad(top_up.expires_us) || top_up.expires_us < channel.terms.expires_us))
    faults.insert(Error::bad_channel_expiry);
  deposit_faults(channel.terms.asset, top_up.amount, signer, faults);
  return faults;
}

Model::Faults Model::faults(const CloseChannel& close, const Key& signer) const {
  const Channel* found = own_channel(close.channel);
  if (!found) return {Error::unknown_channel};
  const Channel& channel = *found;
  Faults faults;
  if (!channel.open) faults.insert(Error::channel_closed);
  bool by_payer = channel.payer == owner(signer);
  bool by_recipient = channel.recipient == owner(signer);
  if (!by_payer && !by_recipient) faults.insert(Error::not_a_party);
  if (close.last_receipt) {
    if (close.last_receipt->receipt.channel != close.channel) faults.insert(Error::receipt_channel_mismatch);
    claim_faults(channel, close.last_receipt->receipt, close.last_receipt->signer, faults);
  }
  if (!by_recipient && now_us_ < channel.terms.expires_us + channel_grace_us)
    faults.insert(Error::not_yet_reclaimable);
  return faults;
}

Model::Faults Model::faults(const RotateKey& rotate, const Key&) const {
  return owners_.contains(rotate.new_key) ? Faults{Error::key_in_use} : Faults{};
}

Model::Faults Model::faults(const Credit& credit, const Key&) const {
  if (!exists(credit.asset) || asset(credit.asset).chain != credit.chain) return {Error::unknown_asset};
  Faults faults;
  auto cursor = cursors_.find(credit.chain);
  if (cursor != cursors_.end() && !(cursor->second < credit.at)) faults.insert(Error::credit_not_in_order);
  ChainAmount units = asset(credit.asset).chain_units;
  auto of = [&](const auto& amounts) {
    auto it = amounts.find(credit.asset);
    return it == amounts.end() ? ChainAmount{0} : it->second;
  };
  ChainAmount most = static_cast<ChainAmount>(asset(credit.asset).maximum_daily_credit);
  auto today = credited_on_.find({now_us_ / day_us, credit.asset});
  auto so_far = today == credited_on_.end() ? 0 : static_cast<ChainAmount>(today->second);
  ChainAmount more = credit.amount / units;
  if (most > 0 && more > 0 && (more > most || so_far + more > most))
    faults.insert(Error::daily_credit_reached);
  // Nothing else makes money: what there is, is what was credited and not paid.
  ChainAmount supply = (of(credited_) - of(paid_) - of(dust_)) / units;
  if (credit.amount / units > static_cast<ChainAmount>(max_amount) - supply) faults.insert(Error::overflow);
  return faults;
}

Model::Faults Model::faults(const SetRoles& set, const Key&) const {
  return rotated_away(set.key) ? Faults{Error::key_rotated} : Faults{};
}

Model::Faults Model::faults(const SetAsset& set, const Key&) const {
  Faults faults;
  const Asset& wanted = set.asset;
  if (exists(wanted.number)) {
    const Asset& known = asset(wanted.number);
    bool same = known.symbol == wanted.symbol && known.chain == wanted.chain && known.token == wanted.token &&
                known.decimals == wanted.decimals && known.chain_units == wanted.chain_units;
    if (!same) faults.insert(Error::asset_mismatch);
  } else {
    if (wanted.number.value != assets_.size() + 1) faults.insert(Error::asset_mismatch);
    if (assets_.size() == max_assets) faults.insert(Error::too_many_assets);
  }
  return faults;
}

Model::Faults Model::faults(const Withdraw& withdraw, const Key& signer) const {
  Faults faults;
  const Account& account = accounts_[*owner(signer)];
  if (!exists(withdraw.asset)) faults.insert(Error::unknown_asset);
  if (account.paying_for.size() + account.withdrawing.size() >= max_open_channels)
    faults.insert(Error::too_many_channels);
  Int128 wanted = Int128{withdraw.amount} + withdraw.fee;
  if (wanted > available(*owner(signer), withdraw.asset)) faults.insert(Error::insufficient_funds);
  auto terms = some_terms(withdraw.asset, Sequence{size_});
  if (!terms) faults.insert(Error::withdrawals_not_offered);
  if (!terms || !exists(withdraw.asset)) return faults;
  if (terms->refuses != Error::none) faults.insert(terms->refuses);
  if (withdraw.amount < terms->minimum) faults.insert(Error::below_minimum_withdrawal);
  if (withdraw.fee < terms->fee) faults.insert(Error::fee_too_low);
  Int128 all_held = 0;
  for (std::uint64_t n = 0; n < accounts_.size(); ++n) all_held += held(n, withdraw.asset);
  if (all_held + wanted > terms->payable) faults.insert(terms->beyond);
  return faults;
}

Model::Faults Model::faults(const SettleWithdrawal& settle, const Key& signer) const {
  Faults faults;
  bool takes_fee = settle.chain_fee > 0;
  if (takes_fee) fee_faults(settle.fee_asset, settle.chain_fee, signer, faults);
  auto it = withdrawals_.find(settle.withdrawal);
  if (it == withdrawals_.end()) faults.insert(Error::unknown_withdrawal);
  if (it != withdrawals_.end() && !it->second.open) faults.insert(Error::withdrawal_settled);
  return faults;
}

void Model::fee_faults(AssetId of, ChainAmount fee, const Key& signer, Faults& faults) const {
  if (!exists(of)) {
    faults.insert(Error::unknown_asset);
    return;
  }
  auto own = static_cast<ChainAmount>(available(*owner(signer), of));
  if (fee > own * asset(of).chain_units) faults.insert(Error::insufficient_funds);
}

ChainAmount Model::chain_fees(AssetId asset) const {
  auto booked = chain_fees_.find(asset);
  return booked == chain_fees_.end() ? 0 : booked->second;
}

Model::Faults Model::faults(const BookChainFees& book, const Key& signer) const {
  ChainAmount before = chain_fees(book.asset);
  if (book.cumulative <= before)
    return {exists(book.asset) ? Error::chain_fees_booked : Error::unknown_asset};
  Faults faults;
  fee_faults(book.asset, book.cumulative - before, signer, faults);
  return faults;
}

Model::Faults Model::faults(const ApproveWithdrawal& approve, const Key&) const {
  auto it = withdrawals_.find(approve.withdrawal);
  if (it == withdrawals_.end()) return {Error::unknown_withdrawal};
  return it->second.open ? Faults{} : Faults{Error::withdrawal_settled};
}

Model::Faults Model::faults(const AssignDeposit& assign, const Key&) const {
  Faults faults;
  if (rotated_away(assign.owner)) faults.insert(Error::key_rotated);
  auto it = deposits_.find(assign.deposit);
  if (it == deposits_.end()) faults.insert(Error::unknown_deposit);
  if (it != deposits_.end() && it->second.assigned) faults.insert(Error::deposit_assigned);
  return faults;
}

Model::Faults Model::faults(const RefuseBtfs&, const Key&) const {
  return {};
}

Model::Faults Model::faults(const BtfsTransfer& transfer, const Key& signer) const {
  Faults faults;
  payment_faults(btfs_asset().value_or(no_asset), {{transfer.recipient, transfer.amount}}, signer, faults);
  return faults;
}

// As any channel, but for its expiry; and whoever refuses historical messages gets none.
Model::Faults Model::faults(const BtfsOpenChannel& open, const Key& signer) const {
  OpenChannel terms{.asset = btfs_asset().value_or(no_asset),
                    .recipient = open.recipient,
                    .amount = open.amount,
                    .expires_us = now_us_ + 1};
  Faults faults = this->faults(terms, signer);
  auto recipient = owner(open.recipient);
  if (recipient && accounts_[*recipient].refuses_btfs) faults.insert(Error::btfs_refused);
  return faults;
}

Model::Faults Model::state_faults(const BtfsChannelState& agreed) const {
  Faults faults;
  if (rotated_away(agreed.to)) faults.insert(Error::key_rotated);
  const Channel* channel = btfs_channel(agreed.channel);
  if (!channel) {
    faults.insert(Error::unknown_channel);
    return faults;
  }
  if (!channel->open) faults.insert(Error::channel_closed);
  if (agreed.from != channel->terms.receipt_key) faults.insert(Error::state_mismatch);
  if (owner(agreed.to) != channel->recipient) faults.insert(Error::state_mismatch);
  if (Int128{agreed.from_balance} + agreed.to_balance != channel->terms.amount)
    faults.insert(Error::state_mismatch);
  return faults;
}

Model::Faults Model::faults(const BtfsCloseChannel& close, const Key&) const {
  Faults faults = state_faults(close.state);
  if (!close.from_signed && close.state.to_balance > 0) faults.insert(Error::unsigned_state);
  return faults;
}

Model::Faults Model::faults(const BtfsWithdraw& withdraw, const Key&) const {
  Faults faults = state_faults(withdraw.paid);
  if (withdraw.paid.from_balance != 0) faults.insert(Error::state_mismatch);
  const Channel* channel = btfs_channel(withdraw.paid.channel);
  if (!channel) return faults;
  if ((accounts_[channel->recipient].roles & role_gateway) == 0) faults.insert(Error::not_to_the_gateway);
  auto terms = some_terms(channel->terms.asset, Sequence{size_});
  if (!terms) faults.insert(Error::withdrawals_not_offered);
  if (!terms) return faults;
  if (terms->refuses != Error::none) faults.insert(terms->refuses);
  if (channel->terms.amount - withdraw.fee < terms->minimum) faults.insert(Error::below_minimum_withdrawal);
  if (withdraw.fee < terms->fee) faults.insert(Error::fee_too_low);
  Int128 all_held = 0;
  for (std::uint64_t n = 0; n < accounts_.size(); ++n) all_held += held(n, channel->terms.asset);
  if (all_held + channel->terms.amount > terms->payable) faults.insert(terms->beyond);
  return faults;
}

Model::Faults Model::faults(const BtfsRotateKey& rotate, const Key& signer) const {
  return faults(RotateKey{rotate.new_key}, signer);
}

void Model::claim_faults(const Channel& channel, const Receipt& receipt, const Key& signer,
                         Faults& faults) const {
  if (signer != channel.terms.receipt_key) faults.insert(Error::wrong_receipt_key);
  if (receipt.cumulative > channel.terms.amount) faults.insert(Error::above_deposit);
}

void Model::payment_faults(AssetId asset_number, const std::vector<Payment>& payments, const Key& signer,
                           Faults& faults) const {
  Int128 sum = 0;
  std::set<Key> seen;
  for (const auto& payment : payments) {
    sum += payment.amount;
    if (rotated_away(payment.recipient)) faults.insert(Error::key_rotated);
    bool first_credit = !owner(payment.recipient) && seen.insert(payment.recipient).second;
    if (first_credit && exists(asset_number) && payment.amount < asset(asset_number).minimum_first_credit)
      faults.insert(Error::below_minimum_first_credit);
  }
  if (!exists(asset_number)) faults.insert(Error::unknown_asset);
  if (sum > available(*owner(signer), asset_number)) faults.insert(Error::insufficient_funds);
}

void Model::deposit_faults(AssetId asset_number, Amount amount, const Key& signer, Faults& faults) const {
  if (amount > available(*owner(signer), asset_number)) faults.insert(Error::insufficient_funds);
  if (amount + locked(*owner(signer), asset_number) > max_amount) faults.insert(Error::overflow);
}

bool Model::life_is_bad(TimeUs expires_us) const {
  return expires_us <= now_us_ || expires_us > now_us_ + max_channel_life_us;
}

// --- what it does

void Model::carry_out(const Genesis& genesis, const Key&) {
  auto first = find_or_make(genesis.operator_key);
  accounts_[first].roles = role_operator;
  name(first);
  for (const auto& grant : genesis.roles) {
    auto holder = find_or_make(grant.key);
    accounts_[holder].roles |= grant.roles;
    name(holder);
  }
  assets_ = genesis.assets;
}

void Model::carry_out(const Seal&, const Key&) {}

void Model::carry_out(const Receipt& receipt, const Key&) {
  claim(receipt.channel, receipt.cumulative);
}

void Model::carry_out(const Transfer& transfer, const Key& signer) {
  carry_out(TransferList{transfer.asset, {{transfer.recipient, transfer.amount}}}, signer);
}

void Model::carry_out(const TransferList& list, const Key& signer) {
  auto payer = *owner(signer);
  name(payer, list.asset);
  for (const auto& payment : list.payments) {
    auto recipient = find_or_make(payment.recipient);
    accounts_[payer].available[list.asset] -= payment.amount;
    accounts_[recipient].available[list.asset] += payment.amount;
    name(recipient, list.asset);
  }
}

void Model::carry_out(const OpenChannel& open, const Key& signer) {
  auto payer = *owner(signer);
  auto recipient = find_or_make(open.recipient);
  ChannelId id{size_};
  channels_[id] = Channel{.terms = open, .payer = payer, .recipient = recipient};
  accounts_[payer].available[open.asset] -= open.amount;
  accounts_[payer].paying_for.insert(id);
  name(payer, open.asset);
  name(recipient, open.asset);
  named_channel_ = id;
}

void Model::carry_out(const TopUpChannel& top_up, const Key&) {
  Channel& channel = channels_.at(top_up.channel);
  channel.terms.amount += top_up.amount;
  if (top_up.expires_us != 0) channel.terms.expires_us = top_up.expires_us;
  accounts_[channel.payer].available[channel.terms.asset] -= top_up.amount;
  name(channel.payer, channel.terms.asset);
  named_channel_ = top_up.channel;
}

void Model::carry_out(const CloseChannel& close, const Key&) {
  Channel& channel = channels_.at(close.channel);
  if (close.last_receipt && close.last_receipt->receipt.cumulative > channel.claimed)
    claim(close.channel, close.last_receipt->receipt.cumulative);
  this->close(close.channel);
}

void Model::close(ChannelId id) {
  Channel& channel = channels_.at(id);
  channel.open = false;
  Account& payer = accounts_[channel.payer];
  payer.paying_for.erase(id);
  payer.available[channel.terms.asset] += channel.terms.amount - channel.claimed;
  name(channel.payer, channel.terms.asset);
  name(channel.recipient, channel.terms.asset);
  named_channel_ = id;
  closes_ = true;
}

void Model::carry_out(const RotateKey& rotate, const Key& signer) {
  auto account = *owner(signer);
  owners_[rotate.new_key] = account;
  rotations_[signer] = Sequence{size_};
  accounts_[account].key = rotate.new_key;
  name(account);
}

void Model::carry_out(const Credit& credit, const Key& signer) {
  ChainAmount chain_units = asset(credit.asset).chain_units;
  ChainAmount amount = credit.amount / chain_units;
  cursors_[credit.chain] = credit.at;
  credited_[credit.asset] += credit.amount;
  credited_on_[{now_us_ / day_us, credit.asset}] += static_cast<Int128>(amount);
  dust_[credit.asset] += credit.amount - amount * chain_units;
  name(*owner(signer));

  bool for_somebody = credit.owner.has_value() && !rotated_away(*credit.owner) && amount > 0;
  if (for_somebody && !owner(*credit.owner))
    for_somebody = amount >= static_cast<ChainAmount>(asset(credit.asset).minimum_first_credit);
  if (for_somebody) {
    auto account = find_or_make(*credit.owner);
    accounts_[account].available[credit.asset] += static_cast<Int128>(amount);
    name(account, credit.asset);
  } else if (amount > 0) {
    named_channel_ = ChannelId{size_};
    deposits_[*named_channel_] = {credit.asset, static_cast<Amount>(amount), *owner(signer)};
  }
}

void Model::carry_out(const Withdraw& withdraw, const Key& signer) {
  auto account = *owner(signer);
  named_channel_ = ChannelId{size_};
  withdrawals_[*named_channel_] = {withdraw, account};
  accounts_[account].withdrawing.insert(*named_channel_);
  accounts_[account].available[withdraw.asset] -= withdraw.amount;
  accounts_[account].available[withdraw.asset] -= withdraw.fee;
  name(account, withdraw.asset);
}

void Model::carry_out(const SettleWithdrawal& settle, const Key& signer) {
  auto gateway = *owner(signer);
  Withdrawal& withdrawal = withdrawals_.at(settle.withdrawal);
  const auto& [asset_number, amount, fee, destination] = withdrawal.terms;
  if (settle.chain_fee > 0) bear_fee(gateway, settle.fee_asset, settle.chain_fee);
  withdrawal.open = false;
  withdrawal.paid = settle.paid;
  accounts_[withdrawal.owner].withdrawing.erase(settle.withdrawal);
  if (settle.paid) {
    paid_[asset_number] += static_cast<ChainAmount>(amount) * asset(asset_number).chain_units;
    accounts_[gateway].available[asset_number] += fee;
    if (fee > 0) name(gateway, asset_number);
  } else {
    accounts_[withdrawal.owner].available[asset_number] += amount;
    accounts_[withdrawal.owner].available[asset_number] += fee;
  }
  name(withdrawal.owner, asset_number);
  name(gateway);
  named_channel_ = settle.withdrawal;
  closes_ = true;
}

void Model::bear_fee(std::uint64_t gateway, AssetId of, ChainAmount fee) {
  ChainAmount chain_units = asset(of).chain_units;
  ChainAmount units = (fee + chain_units - 1) / chain_units;
  accounts_[gateway].available[of] -= static_cast<Int128>(units);
  dust_[of] += units * chain_units - fee;
  paid_[of] += fee;
  name(gateway, of);
}

void Model::carry_out(const BookChainFees& book, const Key& signer) {
  bear_fee(*owner(signer), book.asset, book.cumulative - chain_fees_[book.asset]);
  chain_fees_[book.asset] = book.cumulative;
}

void Model::carry_out(const ApproveWithdrawal& approve, const Key& signer) {
  name(*owner(signer));
  withdrawals_.at(approve.withdrawal).approvals.push_back(Sequence{size_});
  named_channel_ = approve.withdrawal;
}

void Model::carry_out(const AssignDeposit& assign, const Key& signer) {
  name(*owner(signer));
  Deposit& deposit = deposits_.at(assign.deposit);
  deposit.assigned = true;
  auto account = find_or_make(assign.owner);
  accounts_[account].available[deposit.asset] += deposit.amount;
  name(account, deposit.asset);
  named_channel_ = assign.deposit;
}

void Model::carry_out(const RefuseBtfs&, const Key& signer) {
  name(*owner(signer));
  accounts_[*owner(signer)].refuses_btfs = true;
}

void Model::carry_out(const BtfsTransfer& transfer, const Key& signer) {
  carry_out(Transfer{*btfs_asset(), transfer.recipient, transfer.amount}, signer);
}

void Model::carry_out(const BtfsOpenChannel& open, const Key& signer) {
  carry_out(OpenChannel{*btfs_asset(), open.recipient, open.amount, 0, signer, {}}, signer);
  channels_.at(*named_channel_).btfs = true;
}

void Model::carry_out(const BtfsCloseChannel& close, const Key&) {
  if (close.state.to_balance > 0) claim(close.state.channel, close.state.to_balance);
  this->close(close.state.channel);
}

void Model::carry_out(const BtfsWithdraw& withdraw, const Key&) {
  ChannelId id = withdraw.paid.channel;
  Channel channel = channels_.at(id);
  Account& payer = accounts_[channel.payer];
  payer.paying_for.erase(id);
  payer.withdrawing.insert(id);
  Withdrawal& withdrawal = withdrawals_[id];
  withdrawal.terms = {channel.terms.asset, channel.terms.amount - withdraw.fee, withdraw.fee,
                      withdraw.destination};
  withdrawal.owner = channel.payer;
  withdrawal.entries = channel.entries;
  withdrawal.was = channel;
  channels_.erase(id);
  name(channel.payer, channel.terms.asset);
  named_channel_ = id;
}

void Model::carry_out(const BtfsRotateKey& rotate, const Key& signer) {
  carry_out(RotateKey{rotate.new_key}, signer);
}

void Model::carry_out(const SetRoles& set, const Key& signer) {
  name(*owner(signer));
  auto account = find_or_make(set.key);
  accounts_[account].roles = set.roles;
  name(account);
}

void Model::carry_out(const SetAsset& set, const Key& signer) {
  name(*owner(signer));
  if (exists(set.asset.number))
    assets_[set.asset.number.value - 1] = set.asset;
  else
    assets_.push_back(set.asset);
}

void Model::claim(ChannelId id, Amount cumulative) {
  Channel& channel = channels_.at(id);
  accounts_[channel.recipient].available[channel.terms.asset] += cumulative - channel.claimed;
  channel.claimed = cumulative;
  channel.claims.push_back(Sequence{size_});
  name(channel.recipient, channel.terms.asset);
  named_channel_ = id;
}

// --- entries

std::uint64_t Model::find_or_make(const Key& key) {
  if (auto known = owner(key)) return *known;
  owners_[key] = accounts_.size();
  accounts_.push_back(Account{.key = key});
  return accounts_.size() - 1;
}

// An account that is named without an asset (0) and with one has the posting of that asset only.
void Model::name(std::uint64_t account, AssetId asset) {
  auto at = named_accounts_.lower_bound({account, no_asset});
  bool is_named = at != named_accounts_.end() && at->first == account;
  if (asset == no_asset && is_named) return;
  named_accounts_.insert({account, asset});
  if (asset != no_asset) named_accounts_.erase({account, no_asset});
}

std::optional<Posting> Model::posting_of_set_aside() {
  if (!named_channel_) return std::nullopt;
  ChannelPosting posting{.channel = *named_channel_};
  auto fill = [&](Amount deposit, Int128 claimed, std::vector<Sequence>& entries) {
    posting.deposit = deposit;
    posting.claimed = narrow(claimed);
    posting.previous = newest(entries);
    entries.push_back(Sequence{size_});
  };
  if (auto it = channels_.find(*named_channel_); it != channels_.end())
    fill(it->second.terms.amount, it->second.claimed, it->second.entries);
  if (auto it = withdrawals_.find(*named_channel_); it != withdrawals_.end()) {
    auto& of = it->second;
    Amount held = of.terms.amount + of.terms.fee;
    fill(held, of.paid ? held : 0, of.entries);
  }
  if (auto it = deposits_.find(*named_channel_); it != deposits_.end())
    fill(it->second.amount, it->second.assigned ? it->second.amount : 0, it->second.entries);
  return posting;
}

std::vector<Posting> Model::write_entry() {
  std::vector<Posting> postings;
  std::optional<std::uint64_t> payer;  // of what ends here
  if (closes_ && channels_.contains(*named_channel_)) payer = channels_.at(*named_channel_).payer;
  if (closes_ && withdrawals_.contains(*named_channel_)) payer = withdrawals_.at(*named_channel_).owner;
  std::set<std::uint64_t> touched;
  for (const auto& [number, asset] : named_accounts_) {
    AccountPosting posting{AccountNumber{number}, balance(number, asset), newest(accounts_[number].entries)};
    if (payer == number)
      postings.push_back(ClosingPosting{.payer = posting, .channel = *named_channel_});
    else
      postings.push_back(posting);
    touched.insert(number);
  }
  for (auto number : touched) accounts_[number].entries.push_back(Sequence{size_});
  if (auto posting = posting_of_set_aside()) postings.push_back(*posting);
  named_accounts_.clear();
  named_channel_.reset();
  closes_ = false;
  ++size_;
  return postings;
}

// --- what can be asked

std::optional<std::uint64_t> Model::owner(const Key& key) const {
  auto it = owners_.find(key);
  return it == owners_.end() ? std::nullopt : std::optional(it->second);
}

const Model::Channel* Model::own_channel(ChannelId id) const {
  auto it = channels_.find(id);
  return it == channels_.end() || it->second.btfs ? nullptr : &it->second;
}

const Model::Channel* Model::btfs_channel(ChannelId id) const {
  auto it = channels_.find(id);
  return it == channels_.end() || !it->second.btfs ? nullptr : &it->second;
}

std::optional<AssetId> Model::btfs_asset() const {
  for (const auto& asset : assets_)
    if (asset.chain == 1 && asset.token == "1002000") return asset.number;
  return std::nullopt;
}

bool Model::exists(AssetId asset) const {
  return asset.value >= 1 && asset.value <= assets_.size();
}

Int128 Model::available(std::uint64_t account, AssetId asset) const {
  const auto& amounts = accounts_[account].available;
  auto it = amounts.find(asset);
  return it == amounts.end() ? 0 : it->second;
}

Int128 Model::locked(std::uint64_t account, AssetId asset) const {
  Int128 sum = 0;
  for (ChannelId id : accounts_[account].paying_for) {
    const Channel& channel = channels_.at(id);
    if (channel.terms.asset == asset) sum += channel.terms.amount;
  }
  return sum;
}

Int128 Model::held(std::uint64_t account, AssetId asset) const {
  Int128 sum = 0;
  for (ChannelId id : accounts_[account].withdrawing) {
    const auto& terms = withdrawals_.at(id).terms;
    if (terms.asset == asset) sum += Int128{terms.amount} + terms.fee;
  }
  return sum;
}

Int128 Model::unassigned(AssetId asset) const {
  Int128 sum = 0;
  for (const auto& [id, deposit] : deposits_)
    if (deposit.asset == asset && !deposit.assigned) sum += deposit.amount;
  return sum;
}

Balance Model::balance(std::uint64_t account, AssetId asset) const {
  return {.asset = asset,
          .available = narrow(available(account, asset)),
          .locked = narrow(locked(account, asset)),
          .held = narrow(held(account, asset))};
}

std::map<std::uint64_t, Sequence> Model::kept_nonces(std::uint64_t account) const {
  std::map<std::uint64_t, Sequence> kept;
  const auto& all = accounts_[account].used_nonces;
  for (auto it = all.rbegin(); it != all.rend() && kept.size() < max_kept_nonces; ++it) kept.insert(*it);
  return kept;
}

std::vector<AssetTotals> Model::totals() const {
  std::vector<AssetTotals> totals;
  for (const auto& one : assets_) {
    AssetId id = one.number;
    Int128 available_sum = 0, unclaimed = 0, held_sum = 0;
    for (std::uint64_t n = 0; n < accounts_.size(); ++n) {
      available_sum += available(n, id);
      held_sum += held(n, id);
      for (ChannelId channel_id : accounts_[n].paying_for) {
        const Channel& channel = channels_.at(channel_id);
        if (channel.terms.asset == id) unclaimed += channel.terms.amount - channel.claimed;
      }
    }
    auto of = [&](const auto& amounts) {
      auto it = amounts.find(id);
      return it == amounts.end() ? ChainAmount{0} : it->second;
    };
    totals.push_back({.asset = id,
                      .available = narrow(available_sum),
                      .locked = narrow(unclaimed),
                      .held = narrow(held_sum),
                      .unassigned = narrow(unassigned(id)),
                      .dust = of(dust_),
                      .credited = of(credited_),
                      .paid = of(paid_),
                      .chain_fees = of(chain_fees_)});
  }
  return totals;
}

// --- comparing

std::optional<std::string> Model::difference_of_account(const State& state, std::uint64_t n) const {
  auto differs = [&](std::string_view what) { return fmt::format("account {}: {} differs", n, what); };
  const Account& mine = accounts_[n];
  const core::Account* theirs = state.accounts.find(AccountNumber{n});
  if (!theirs) return differs("existence");
  if (theirs->number.value != n) return differs("number");
  if (theirs->key != mine.key) return differs("key");
  if (theirs->roles != mine.roles) return differs("roles");
  if (theirs->open_channels != mine.paying_for.size() + mine.withdrawing.size())
    return differs("count of open channels");
  if (theirs->last != newest(mine.entries)) return differs("last entry");
  if (theirs->refuses_btfs != mine.refuses_btfs) return differs("refusing historical messages");
  for (std::size_t i = 0; i < assets_.size(); ++i)
    if (theirs->balance(assets_[i].number) != balance(n, assets_[i].number)) return differs("a balance");
  for (std::size_t i = 0; i < theirs->balances.size(); ++i) {
    if (!exists(theirs->balances[i].asset)) return differs("a balance's asset");
    if (i > 0 && !(theirs->balances[i - 1].asset < theirs->balances[i].asset))
      return differs("the order of balances");
  }
  auto kept = kept_nonces(n);
  bool same = kept.size() == theirs->nonces.size();
  auto it = kept.begin();
  for (std::size_t i = 0; same && i < theirs->nonces.size(); ++i, ++it)
    same = theirs->nonces[i] == NonceUse{it->first, it->second};
  if (!same) return differs("its kept nonces");
  return std::nullopt;
}

std::optional<std::string> Model::difference_of_channel(const State& state, ChannelId id) const {
  const core::Channel* theirs = state.channels.find(id);
  if (!theirs) return fmt::format("channel {}: existence differs", id.value);
  core::Channel mine{.id = id};
  if (auto it = channels_.find(id); it != channels_.end()) {
    const Channel& channel = it->second;
    if (channel.btfs) mine.purpose = Purpose::btfs_channel;
    mine.payer.value = channel.payer;
    mine.recipient.value = channel.recipient;
    mine.receipt_key = channel.terms.receipt_key;
    mine.asset = channel.terms.asset;
    mine.deposit = channel.terms.amount;
    mine.claimed = narrow(channel.claimed);
    mine.expires_us = channel.terms.expires_us;
    mine.content = channel.terms.content;
    mine.open = channel.open;
    mine.last = newest(channel.entries);
    mine.claim = newest(channel.claims);
  } else if (auto at = withdrawals_.find(id); at != withdrawals_.end()) {
    const Withdrawal& withdrawal = at->second;
    mine.purpose = Purpose::withdrawal;
    mine.payer.value = mine.recipient.value = withdrawal.owner;
    if (withdrawal.was) {
      mine.recipient.value = withdrawal.was->recipient;
      mine.receipt_key = withdrawal.was->terms.receipt_key;
    }
    mine.asset = withdrawal.terms.asset;
    mine.deposit = withdrawal.terms.amount + withdrawal.terms.fee;
    mine.claimed = withdrawal.paid ? mine.deposit : 0;
    mine.fee = withdrawal.terms.fee;
    mine.content = std::string(view(withdrawal.terms.destination));
    mine.open = withdrawal.open;
    mine.last = newest(withdrawal.entries);
    mine.claim = newest(withdrawal.approvals);
  } else {
    const Deposit& deposit = deposits_.at(id);
    mine.purpose = Purpose::deposit;
    mine.payer.value = mine.recipient.value = deposit.gateway;
    mine.asset = deposit.asset;
    mine.deposit = deposit.amount;
    mine.claimed = deposit.assigned ? deposit.amount : 0;
    mine.open = !deposit.assigned;
    mine.last = newest(deposit.entries);
  }
  return difference_of_set_aside(*theirs, mine);
}

std::optional<std::string> Model::difference_of_set_aside(const core::Channel& theirs,
                                                          const core::Channel& mine) const {
  auto differs = [&](std::string_view what) {
    return fmt::format("channel {}: {} differs", mine.id.value, what);
  };
  if (theirs.id != mine.id) return differs("id");
  if (theirs.purpose != mine.purpose) return differs("purpose");
  if (theirs.payer != mine.payer || theirs.recipient != mine.recipient) return differs("a party");
  if (theirs.receipt_key != mine.receipt_key) return differs("receipt key");
  if (theirs.asset != mine.asset) return differs("asset");
  if (theirs.deposit != mine.deposit) return differs("deposit");
  if (theirs.claimed != mine.claimed) return differs("claimed");
  if (theirs.fee != mine.fee) return differs("fee");
  if (theirs.expires_us != mine.expires_us) return differs("expiry");
  if (theirs.content != mine.content) return differs("content");
  if (theirs.open != mine.open) return differs("being open");
  if (theirs.last != mine.last) return differs("last entry");
  if (theirs.claim != mine.claim) return differs("last claim or approval");
  return std::nullopt;
}

std::optional<std::string> Model::difference(const State& state) const {
  if (state.globals.next.value != size_) return "the number of entries differs";
  if (state.globals.accounts != accounts_.size()) return "the number of accounts differs";
  if (state.globals.assets != assets_) return "the assets differ";
  if (state.globals.totals != totals()) return "the totals differ";
  if (state.globals.cursors != cursors_) return "the chains' cursors differ";
  std::uint64_t open = 0;
  for (const auto& account : accounts_) open += account.paying_for.size() + account.withdrawing.size();
  if (state.globals.open_channels != open) return "the number of open channels differs";
  if (state.accounts.size() != accounts_.size() ||
      state.channels.size() != channels_.size() + withdrawals_.size() + deposits_.size() ||
      state.keys.size() != owners_.size() || state.btfs_uses.size() != btfs_uses_.size())
    return "the number of records differs";
  for (const auto& [id, sequence] : btfs_uses_)
    if (const BtfsUse* use = state.btfs_uses.find(id); !use || *use != BtfsUse{id, sequence})
      return fmt::format("the use of historical message {} differs", to_hex(id));
  for (std::uint64_t n = 0; n < accounts_.size(); ++n)
    if (auto found = difference_of_account(state, n)) return found;
  for (const auto& [id, channel] : channels_)
    if (auto found = difference_of_channel(state, id)) return found;
  for (const auto& [id, withdrawal] : withdrawals_)
    if (auto found = difference_of_channel(state, id)) return found;
  for (const auto& [id, deposit] : deposits_)
    if (auto found = difference_of_channel(state, id)) return found;
  for (const auto& [key, account] : owners_) {
    const KeyEntry* theirs = state.keys.find(key);
    auto rotation = rotations_.find(key);
    Sequence rotated_at = rotation == rotations_.end() ? no_sequence : rotation->second;
    if (!theirs || *theirs != KeyEntry{key, AccountNumber{account}, rotated_at})
      return fmt::format("the entry of key {} differs", to_hex(key));
  }
  return std::nullopt;
}

}  // namespace windlass::core
