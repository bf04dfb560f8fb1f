#include "ledger/core/apply.h"

#include <absl/container/flat_hash_set.h>

#include <algorithm>

#include "ledger/core/limits.h"

namespace windlass::core {
namespace {

using Details = std::array<Outcome::Detail, 2>;

Outcome refuse(Error error, Details details = {}) {
  return {.verdict = Outcome::Verdict::refused, .error = error, .details = details};
}
std::int64_t index(std::size_t i) {
  return static_cast<std::int64_t>(i);
}
Outcome covered(const Channel& channel) {
  return {.verdict = Outcome::Verdict::covered, .sequence = channel.claim, .claimed = channel.claimed};
}

// One command being applied. Each rule first checks everything, then changes, so a refusal leaves no trace.
// An entry's postings are gathered as accounts and channels are touched, and filled in at the end, when
// balances are final.
class Application {
 public:
  Application(State& state, const Command& command, TimeUs now_us, const TermsOf& terms)
      : state_(state), globals_(state.globals), command_(command), now_us_(now_us), terms_(terms) {}

  Outcome run() {
    require(now_us_ >= globals_.last_time_us);
    return std::visit([this](const auto& body) { return apply(body); }, command_.body);
  }

 private:
  // --- what the ledger itself writes

  Outcome apply(const Genesis& genesis) {
    if (sequence() != Sequence{0}) return refuse(Error::forbidden_command);
    Account& first = account_for(genesis.operator_key);
    first.roles = role_operator;
    touch(first.number);
    for (const auto& grant : genesis.roles) {
      Account& holder = account_for(grant.key);
      holder.roles |= grant.roles;
      touch(holder.number);
    }
    for (const auto& asset : genesis.assets) add_asset(asset);
    return accept();
  }

  Outcome apply(const Seal& seal) {
    if (seal.accounts != globals_.accounts || seal.totals != globals_.totals)
      return refuse(Error::seal_mismatch);
    return accept();
  }

  // --- channels

  Outcome apply(const Receipt& receipt) {
    const Channel* channel = state_.find(receipt.channel, Purpose::channel);
    if (!channel) return refuse(Error::unknown_channel);
    if (receipt.cumulative <= channel->claimed) return covered(*channel);
    if (auto bad = check_claim(*channel, receipt, command_.signer); bad.error != Error::none) return bad;
    claim(state_.channels.change(receipt.channel), receipt.cumulative);
    return accept();
  }

  Outcome apply(const OpenChannel& open) {
    return as_signer(0, [&](const Account& payer) {
      const KeyEntry* recipient = state_.key_entry(open.recipient);
      if (recipient && !recipient->current()) return refuse(Error::key_rotated);
      const Asset* asset = state_.asset(open.asset);
      if (!asset) return refuse(Error::unknown_asset);
      if (open.expires_us <= now_us_ || open.expires_us > now_us_ + max_channel_life_us)
        return refuse(Error::bad_channel_expiry);
      if (auto bad = check_deposit(payer, *asset, open.amount)) return *bad;
      return open_channel(open.recipient, Channel{.payer = payer.number,
                                                  .receipt_key = open.receipt_key,
                                                  .asset = open.asset,
                                                  .deposit = open.amount,
                                                  .expires_us = open.expires_us,
                                                  .content = open.content});
    });
  }

  // Whether the payer can lock so much for one channel more.
  std::optional<Outcome> check_deposit(const Account& payer, const Asset& asset, Amount amount) const {
    if (amount < asset.minimum_channel)
      return refuse(Error::below_minimum_channel, {{{"minimum", asset.minimum_channel}, {"amount", amount}}});
    if (payer.open_channels >= max_open_channels) return refuse(Error::too_many_channels);
    if (auto short_of = check_funds(payer, asset.number, amount)) return short_of;
    if (locks_too_much(payer, asset.number, amount)) return refuse(Error::overflow);
    return std::nullopt;
  }

  Outcome open_channel(const Key& recipient, Channel channel) {
    channel.recipient = account_for(recipient).number;
    Account& paying = state_.accounts.change(channel.payer);
    ++paying.open_channels;
    ++globals_.open_channels;
    lock(paying, channel.asset, channel.deposit);
    touch(channel.payer, channel.asset);
    touch(channel.recipient, channel.asset);
    keep(std::move(channel));
    return accept();
  }

  Outcome apply(const TopUpChannel& top_up) {
    return as_signer(0, [&](const Account& payer) {
      const Channel* channel = state_.find(top_up.channel, Purpose::channel);
      if (!channel) return refuse(Error::unknown_channel);
      if (!channel->open) return refuse(Error::channel_closed);
      if (channel->payer != payer.number) return refuse(Error::not_a_party);
      if (top_up.expires_us != 0 &&
          (top_up.expires_us < channel->expires_us || top_up.expires_us <= now_us_ ||
           top_up.expires_us > now_us_ + max_channel_life_us))
        return refuse(Error::bad_channel_expiry);
      if (auto short_of = check_funds(payer, channel->asset, top_up.amount)) return *short_of;
      if (locks_too_much(payer, channel->asset, top_up.amount)) return refuse(Error::overflow);

      Channel& changed = state_.channels.change(top_up.channel);
      changed.deposit += top_up.amount;
      if (top_up.expires_us != 0) changed.expires_us = top_up.expires_us;
      lock(state_.accounts.change(payer.number), changed.asset, top_up.amount);
      touch(payer.number, changed.asset);
      touch(changed.id);
      return accept();
    });
  }

  Outcome apply(const CloseChannel& close) {
    return as_signer(0, [&](const Account& closer) {
      const Channel* channel = state_.find(close.channel, Purpose::channel);
      if (!channel) return refuse(Error::unknown_channel);
      if (!channel->open) return refuse(Error::channel_closed);
      bool by_recipient = channel->recipient == closer.number;
      if (!by_recipient && channel->payer != closer.number) return refuse(Error::not_a_party);
      if (close.last_receipt) {
        const auto& last = *close.last_receipt;
        if (last.receipt.channel != close.channel) return refuse(Error::receipt_channel_mismatch);
        if (auto bad = check_claim(*channel, last.receipt, last.signer); bad.error != Error::none) return bad;
      }
      if (!by_recipient && now_us_ < channel->expires_us + channel_grace_us)
        return refuse(Error::not_yet_reclaimable,
                      {{{"reclaimable_us", channel->expires_us + channel_grace_us}}});

      Channel& closing = state_.channels.change(close.channel);
      if (close.last_receipt && close.last_receipt->receipt.cumulative > closing.claimed)
        claim(closing, close.last_receipt->receipt.cumulative);
      return end(closing);
    });
  }

  // What nobody claimed goes back to the payer.
  Outcome end(Channel& channel) {
    channel.open = false;
    --globals_.open_channels;
    Account& payer = state_.accounts.change(channel.payer);
    --payer.open_channels;
    Balance& balance = payer.change_balance(channel.asset);
    Amount refund = channel.deposit - channel.claimed;
    balance.locked -= channel.deposit;
    balance.available += refund;
    totals(channel.asset).locked -= refund;
    totals(channel.asset).available += refund;
    touch(channel.payer, channel.asset);
    touch(channel.recipient, channel.asset);
    touch(channel.id);
    closed_ = channel.id;
    return accept();
  }

  // --- payments

  Outcome apply(const Transfer& transfer) {
    return as_signer(0, [&](const Account& payer) {
      return pay_one(payer, state_.asset(transfer.asset), {transfer.recipient, transfer.amount});
    });
  }

  Outcome pay_one(const Account& payer, const Asset* asset, const Payment& payment) {
    const KeyEntry* recipient = state_.key_entry(payment.recipient);
    if (recipient && !recipient->current()) return refuse(Error::key_rotated);
    if (!asset) return refuse(Error::unknown_asset);
    if (!recipient && payment.amount < asset->minimum_first_credit)
      return below_first_credit(*asset, payment.amount);
    if (auto short_of = check_funds(payer, asset->number, payment.amount)) return *short_of;
    pay(payer.number, asset->number, payment.amount, {payment});
    return accept();
  }

  Outcome apply(const TransferList& list) {
    return as_signer(0, [&](const Account& payer) {
      absl::InlinedVector<std::size_t, 8> to_new_keys;
      Int128 sum = 0;
      for (std::size_t i = 0; i < list.payments.size(); ++i) {
        state_.keys.prefetch_after(list.payments, i, &Payment::recipient);
        const KeyEntry* recipient = state_.key_entry(list.payments[i].recipient);
        if (recipient) state_.accounts.prefetch(recipient->account);
        if (!recipient) to_new_keys.push_back(i);
        if (recipient && !recipient->current()) return refuse(Error::key_rotated, {{{"payment", index(i)}}});
        sum += list.payments[i].amount;
      }
      const Asset* asset = state_.asset(list.asset);
      if (!asset) return refuse(Error::unknown_asset);
      absl::flat_hash_set<Key> new_keys;
      for (std::size_t i : to_new_keys) {
        const auto& [key, amount] = list.payments[i];
        // Only the first payment to a new key is its first credit.
        if (new_keys.insert(key).second && amount < asset->minimum_first_credit)
          return refuse(Error::below_minimum_first_credit,
                        {{{"minimum", asset->minimum_first_credit}, {"payment", index(i)}}});
      }
      if (sum > std::numeric_limits<Amount>::max())
        return refuse(Error::insufficient_funds, {{{"available", payer.balance(list.asset).available}}});
      auto total = static_cast<Amount>(sum);
      if (auto short_of = check_funds(payer, list.asset, total)) return *short_of;
      pay(payer.number, list.asset, total, list.payments);
      return accept();
    });
  }

  // --- accounts, roles, assets

  Outcome apply(const RotateKey& rotate) {
    return as_signer(0, [&](const Account& account) { return rotate_key(account, rotate.new_key); });
  }

  Outcome rotate_key(const Account& account, const Key& new_key) {
    if (state_.key_entry(new_key)) return refuse(Error::key_in_use);
    state_.keys.change(account.key).rotated_at = sequence();
    state_.keys.insert(new_key, KeyEntry{.key = new_key, .account = account.number});
    state_.accounts.change(account.number).key = new_key;
    touch(account.number);
    return accept();
  }

  Outcome apply(const SetRoles& set) {
    return as_signer(role_operator, [&](const Account& signer) {
      const KeyEntry* target = state_.key_entry(set.key);
      if (target && !target->current()) return refuse(Error::key_rotated);
      AccountNumber by = signer.number;
      Account& account = account_for(set.key);
      account.roles = set.roles;
      touch(by);
      touch(account.number);
      return accept();
    });
  }

  Outcome apply(const SetAsset& set) {
    return as_signer(role_operator, [&](const Account& signer) {
      const Asset* known = state_.asset(set.asset.number);
      if (known) {
        Asset with_new_limits = *known;
        with_new_limits.minimum_first_credit = set.asset.minimum_first_credit;
        with_new_limits.minimum_channel = set.asset.minimum_channel;
        with_new_limits.maximum_daily_credit = set.asset.maximum_daily_credit;
        if (set.asset != with_new_limits) return refuse(Error::asset_mismatch);
        globals_.assets[set.asset.number.value - 1] = set.asset;
      } else {
        std::size_t next = globals_.assets.size() + 1;
        if (set.asset.number.value != next)
          return refuse(Error::asset_mismatch, {{{"next_number", index(next)}}});
        if (globals_.assets.size() >= max_assets) return refuse(Error::too_many_assets);
        add_asset(set.asset);
      }
      touch(signer.number);
      return accept();
    });
  }

  // --- money from outside

  Outcome apply(const Credit& credit) {
    return as_signer(role_gateway, [&](const Account& gateway) {
      const Asset* asset = state_.asset(credit.asset);
      if (!asset || asset->chain != credit.chain) return refuse(Error::unknown_asset);
      auto cursor = globals_.cursors.find(credit.chain);
      if (cursor != globals_.cursors.end() && credit.at <= cursor->second)
        return refuse(Error::credit_not_in_order);
      ChainAmount units = credit.amount / asset->chain_units;
      AssetTotals& total = totals(credit.asset);
      Amount today = credited_today(credit.asset), most = asset->maximum_daily_credit;
      if (most != 0 && units > static_cast<ChainAmount>(most - std::min(most, today)))
        return refuse(Error::daily_credit_reached, {{{"maximum", most}, {"credited_today", today}}});
      if (units > max_units_left(total) || total.credited + credit.amount < total.credited)
        return refuse(Error::overflow);

      auto amount = static_cast<Amount>(units);
      globals_.cursors[credit.chain] = credit.at;
      globals_.daily_credits[credit.asset.value - 1] = {day(), today + amount};
      total.credited += credit.amount;
      total.dust += credit.amount % asset->chain_units;
      AccountNumber by = gateway.number;
      if (const Key* owner = creditable_owner(credit, *asset, amount)) {
        Account& account = account_for(*owner);
        account.change_balance(credit.asset).available += amount;
        total.available += amount;
        touch(account.number, credit.asset);
      } else if (amount > 0) {
        total.unassigned += amount;
        keep(Channel{.purpose = Purpose::deposit,
                     .payer = by,
                     .recipient = by,
                     .asset = credit.asset,
                     .deposit = amount});
      }
      touch(by);
      return accept();
    });
  }

  Outcome apply(const AssignDeposit& assign) {
    return as_signer(role_operator, [&](const Account& signer) {
      const KeyEntry* owner = state_.key_entry(assign.owner);
      if (owner && !owner->current()) return refuse(Error::key_rotated);
      const Channel* deposit = state_.find(assign.deposit, Purpose::deposit);
      if (!deposit) return refuse(Error::unknown_deposit);
      if (!deposit->open) return refuse(Error::deposit_assigned);

      AccountNumber by = signer.number;
      Channel& assigned = state_.channels.change(assign.deposit);
      assigned.open = false;
      assigned.claimed = assigned.deposit;
      Account& account = account_for(assign.owner);
      account.change_balance(assigned.asset).available += assigned.deposit;
      totals(assigned.asset).unassigned -= assigned.deposit;
      totals(assigned.asset).available += assigned.deposit;
      touch(by);
      touch(account.number, assigned.asset);
      touch(assigned.id);
      return accept();
    });
  }

  // --- money to outside

  Outcome apply(const Withdraw& withdraw) {
    return as_signer(0, [&](const Account& owner) {
      if (!state_.asset(withdraw.asset)) return refuse(Error::unknown_asset);
      if (owner.open_channels >= max_open_channels) return refuse(Error::too_many_channels);
      auto terms = terms_ ? terms_(withdraw.asset) : std::nullopt;
      if (terms_)
        if (auto refused = check_offer(withdraw, terms)) return *refused;
      if (withdraw.amount > std::numeric_limits<Amount>::max() - withdraw.fee)
        return refuse(Error::insufficient_funds, {{{"available", owner.balance(withdraw.asset).available}}});
      Amount held = withdraw.amount + withdraw.fee;
      if (auto short_of = check_funds(owner, withdraw.asset, held)) return *short_of;
      if (terms)
        if (auto unpayable = check_payable(withdraw.asset, held, *terms)) return *unpayable;

      Account& holder = state_.accounts.change(owner.number);
      Balance& balance = holder.change_balance(withdraw.asset);
      balance.available -= held;
      balance.held += held;
      totals(withdraw.asset).available -= held;
      totals(withdraw.asset).held += held;
      ++holder.open_channels;
      ++globals_.open_channels;
      touch(holder.number, withdraw.asset);
      keep(Channel{.purpose = Purpose::withdrawal,
                   .payer = holder.number,
                   .recipient = holder.number,
                   .asset = withdraw.asset,
                   .deposit = held,
                   .fee = withdraw.fee,
                   .content = std::string(view(withdraw.destination))});
      return accept();
    });
  }

  static std::optional<Outcome> check_offer(const Withdraw& withdraw,
                                            const std::optional<WithdrawalTerms>& terms) {
    if (!terms) return refuse(Error::withdrawals_not_offered);
    if (terms->refuses != Error::none) return refuse(terms->refuses);
    if (withdraw.amount < terms->minimum)
      return refuse(Error::below_minimum_withdrawal,
                    {{{"minimum", terms->minimum}, {"amount", withdraw.amount}}});
    if (withdraw.fee < terms->fee)
      return refuse(Error::fee_too_low, {{{"fee", terms->fee}, {"offered", withdraw.fee}}});
    return std::nullopt;
  }

  // Whether the gateway could pay this too, beside all that is held already.
  std::optional<Outcome> check_payable(AssetId asset, Amount held, const WithdrawalTerms& terms) {
    Amount left = terms.payable - std::min(terms.payable, totals(asset).held);
    if (held <= left) return std::nullopt;
    return refuse(terms.beyond, {{{"payable_now", left}, {"amount", held}}});
  }

  Outcome apply(const SettleWithdrawal& settle) {
    return as_signer(role_gateway, [&](const Account& gateway) {
      const Asset* fee_asset = state_.asset(settle.fee_asset);
      if (settle.chain_fee > 0 && !fee_asset) return refuse(Error::unknown_asset);
      const Channel* withdrawal = state_.find(settle.withdrawal, Purpose::withdrawal);
      if (!withdrawal) return refuse(Error::unknown_withdrawal);
      if (!withdrawal->open) return refuse(Error::withdrawal_settled);
      if (settle.chain_fee > 0)
        if (auto bad = check_chain_fee(gateway, *fee_asset, settle.chain_fee)) return *bad;
      AccountNumber by = gateway.number, owner = withdrawal->payer;

      if (settle.chain_fee > 0) pay_chain_fee(by, settle.fee_asset, settle.chain_fee);
      release(state_.channels.change(settle.withdrawal), settle.paid, by);
      touch(owner, withdrawal->asset);
      touch(by);
      return accept();
    });
  }

  Outcome apply(const BookChainFees& book) {
    return as_signer(role_gateway, [&](const Account& gateway) {
      const Asset* asset = state_.asset(book.asset);
      if (!asset) return refuse(Error::unknown_asset);
      if (book.cumulative <= totals(book.asset).chain_fees) return refuse(Error::chain_fees_booked);
      ChainAmount fee = book.cumulative - totals(book.asset).chain_fees;
      if (auto bad = check_chain_fee(gateway, *asset, fee)) return *bad;
      pay_chain_fee(gateway.number, book.asset, fee);
      totals(book.asset).chain_fees = book.cumulative;
      return accept();
    });
  }

  // The fee in whole units: what is too much by rounding becomes dust.
  static ChainAmount units_of_fee(const Asset& asset, ChainAmount fee) {
    return fee / asset.chain_units + (fee % asset.chain_units == 0 ? 0 : 1);
  }

  std::optional<Outcome> check_chain_fee(const Account& gateway, const Asset& asset, ChainAmount fee) const {
    Amount available = gateway.balance(asset.number).available;
    if (units_of_fee(asset, fee) <= static_cast<ChainAmount>(available)) return std::nullopt;
    return refuse(Error::insufficient_funds, {{{"available", available}}});
  }

  void pay_chain_fee(AccountNumber gateway, AssetId asset, ChainAmount fee) {
    ChainAmount units = units_of_fee(*state_.asset(asset), fee);
    AssetTotals& total = totals(asset);
    state_.accounts.change(gateway).change_balance(asset).available -= static_cast<Amount>(units);
    total.available -= static_cast<Amount>(units);
    total.dust += units * state_.asset(asset)->chain_units - fee;
    total.paid += fee;
    touch(gateway, asset);
  }

  // Ends a withdrawal: paid, with its fee to the gateway, or given back whole.
  void release(Channel& withdrawal, bool paid, AccountNumber gateway) {
    Account& owner = state_.accounts.change(withdrawal.payer);
    AssetTotals& total = totals(withdrawal.asset);
    withdrawal.open = false;
    --owner.open_channels;
    --globals_.open_channels;
    owner.change_balance(withdrawal.asset).held -= withdrawal.deposit;
    total.held -= withdrawal.deposit;
    if (paid) {
      withdrawal.claimed = withdrawal.deposit;
      Amount amount = withdrawal.deposit - withdrawal.fee;
      total.paid += static_cast<ChainAmount>(amount) * state_.asset(withdrawal.asset)->chain_units;
      total.available += withdrawal.fee;
      state_.accounts.change(gateway).change_balance(withdrawal.asset).available += withdrawal.fee;
      if (withdrawal.fee > 0) touch(gateway, withdrawal.asset);
    } else {
      owner.change_balance(withdrawal.asset).available += withdrawal.deposit;
      total.available += withdrawal.deposit;
    }
    touch(withdrawal.id);
    closed_ = withdrawal.id;
  }

  Outcome apply(const ApproveWithdrawal& approve) {
    return as_signer(role_operator, [&](const Account& signer) {
      const Channel* withdrawal = state_.find(approve.withdrawal, Purpose::withdrawal);
      if (!withdrawal) return refuse(Error::unknown_withdrawal);
      if (!withdrawal->open) return refuse(Error::withdrawal_settled);
      state_.channels.change(approve.withdrawal).claim = sequence();
      touch(signer.number);
      touch(approve.withdrawal);
      return accept();
    });
  }

  // --- what historical clients sign

  Outcome apply(const RefuseBtfs&) {
    return as_signer(0, [&](const Account& account) {
      state_.accounts.change(account.number).refuses_btfs = true;
      touch(account.number);
      return accept();
    });
  }

  Outcome apply(const BtfsTransfer& transfer) {
    return as_btfs_signer(transfer.id, [&](const Account& payer) {
      return pay_one(payer, state_.btfs_asset(), {transfer.recipient, transfer.amount});
    });
  }

  Outcome apply(const BtfsOpenChannel& open) {
    return as_btfs_signer(open.id, [&](const Account& payer) {
      const KeyEntry* recipient = state_.key_entry(open.recipient);
      if (recipient && !recipient->current()) return refuse(Error::key_rotated);
      // It could not sign the channel's end any more.
      if (recipient && state_.account(recipient->account).refuses_btfs) return refuse(Error::btfs_refused);
      const Asset* asset = state_.btfs_asset();
      if (!asset) return refuse(Error::unknown_asset);
      if (auto bad = check_deposit(payer, *asset, open.amount)) return *bad;
      return open_channel(open.recipient, Channel{.purpose = Purpose::btfs_channel,
                                                  .payer = payer.number,
                                                  .receipt_key = command_.signer,
                                                  .asset = asset->number,
                                                  .deposit = open.amount});
    });
  }

  Outcome apply(const BtfsCloseChannel& close) {
    const BtfsChannelState& agreed = close.state;
    if (auto bad = check_state(agreed)) return *bad;
    if (!close.from_signed && agreed.to_balance > 0) return refuse(Error::unsigned_state);
    Channel& closing = state_.channels.change(agreed.channel);
    if (agreed.to_balance > 0) claim(closing, agreed.to_balance);
    return end(closing);
  }

  Outcome apply(const BtfsWithdraw& withdraw) {
    if (auto bad = check_state(withdraw.paid)) return *bad;
    const Channel& channel = *state_.channels.find(withdraw.paid.channel);
    if (withdraw.paid.from_balance != 0) return refuse(Error::state_mismatch);
    if ((state_.account(channel.recipient).roles & role_gateway) == 0)
      return refuse(Error::not_to_the_gateway);
    if (terms_) {
      auto terms = terms_(channel.asset);
      Withdraw asked{channel.asset, channel.deposit - withdraw.fee, withdraw.fee, withdraw.destination};
      if (auto refused = check_offer(asked, terms)) return *refused;
      if (auto unpayable = check_payable(channel.asset, channel.deposit, *terms)) return *unpayable;
    }

    Channel& withdrawal = state_.channels.change(channel.id);
    withdrawal.purpose = Purpose::withdrawal;
    withdrawal.fee = withdraw.fee;
    withdrawal.content = std::string(view(withdraw.destination));
    Balance& balance = state_.accounts.change(withdrawal.payer).change_balance(withdrawal.asset);
    balance.locked -= withdrawal.deposit;
    balance.held += withdrawal.deposit;
    totals(withdrawal.asset).locked -= withdrawal.deposit;
    totals(withdrawal.asset).held += withdrawal.deposit;
    touch(withdrawal.payer, withdrawal.asset);
    touch(withdrawal.id);
    return accept();
  }

  Outcome apply(const BtfsRotateKey& rotate) {
    const KeyEntry* entry = state_.key_entry(command_.signer);
    if (auto bad = check_btfs_signer(entry)) return *bad;
    return rotate_key(state_.account(entry->account), rotate.new_key);
  }

  // A state that could be the end of its channel.
  std::optional<Outcome> check_state(const BtfsChannelState& agreed) const {
    const KeyEntry* recipient = state_.key_entry(agreed.to);
    if (recipient && !recipient->current()) return refuse(Error::key_rotated);
    const Channel* channel = state_.find(agreed.channel, Purpose::btfs_channel);
    if (!channel) return refuse(Error::unknown_channel);
    if (!channel->open) return refuse(Error::channel_closed);
    bool of_its_parties =
        agreed.from == channel->receipt_key && recipient && recipient->account == channel->recipient;
    if (!of_its_parties || agreed.from_balance + agreed.to_balance != channel->deposit)
      return refuse(Error::state_mismatch, {{{"amount", channel->deposit}}});
    return std::nullopt;
  }

  // Runs `rule` for a signer that may act, as as_signer does, of a message that was not used before.
  template <typename Rule>
  Outcome as_btfs_signer(const Hash& id, Rule rule) {
    const KeyEntry* entry = state_.key_entry(command_.signer);
    if (const BtfsUse* use = entry ? state_.btfs_uses.find(id) : nullptr)
      return {.verdict = Outcome::Verdict::repeated, .sequence = use->sequence};
    if (auto bad = check_btfs_signer(entry)) return *bad;
    btfs_id_ = id;
    return rule(state_.account(entry->account));
  }

  std::optional<Outcome> check_btfs_signer(const KeyEntry* entry) const {
    if (!entry) return refuse(Error::unknown_account);
    if (!entry->current()) return refuse(Error::key_rotated);
    if (command_.expires_us != 0 && command_.expires_us < now_us_)
      return refuse(Error::expired, {{{"now_us", now_us_}}});
    if (state_.account(entry->account).refuses_btfs) return refuse(Error::btfs_refused);
    return std::nullopt;
  }

  // --- whose a credit is

  // Nobody's where no key is named, the key was rotated away, nothing is left after dust, or a newcomer's
  // deposit is below the minimum. Such money is kept, as unassigned.
  const Key* creditable_owner(const Credit& credit, const Asset& asset, Amount amount) const {
    if (!credit.owner || amount == 0) return nullptr;
    const KeyEntry* entry = state_.key_entry(*credit.owner);
    if (entry ? !entry->current() : amount < asset.minimum_first_credit) return nullptr;
    return &*credit.owner;
  }

  std::int64_t day() const { return now_us_ / day_us; }
  Amount credited_today(AssetId asset) const {
    const DailyCredit& credited = globals_.daily_credits[asset.value - 1];
    return credited.day == day() ? credited.amount : 0;
  }

  // Supply that fits is the reason that what is available can never overflow: it is a part of the supply.
  static ChainAmount max_units_left(const AssetTotals& total) {
    ChainAmount present = static_cast<ChainAmount>(total.available) + static_cast<ChainAmount>(total.locked) +
                          static_cast<ChainAmount>(total.held) + static_cast<ChainAmount>(total.unassigned);
    return static_cast<ChainAmount>(std::numeric_limits<Amount>::max()) - present;
  }

  // --- what the rules share

  // Runs `rule` for a signer that may act: known, current, in time, with a fresh nonce and the role.
  template <typename Rule>
  Outcome as_signer(std::uint32_t role, Rule rule) {
    const KeyEntry* entry = state_.key_entry(command_.signer);
    if (!entry) return refuse(Error::unknown_account);
    const Account& signer = state_.account(entry->account);
    const auto& nonces = signer.nonces;
    for (const auto& use : nonces)
      if (use.nonce == command_.nonce)
        return {.verdict = Outcome::Verdict::repeated, .sequence = use.sequence};
    if (!entry->current()) return refuse(Error::key_rotated);
    if (command_.expires_us < now_us_) return refuse(Error::expired, {{{"now_us", now_us_}}});
    if (command_.expires_us > now_us_ + max_expiry_ahead_us)
      return refuse(Error::expiry_too_far, {{{"now_us", now_us_}}});
    if (nonces.size() == max_kept_nonces && command_.nonce < nonces.front().nonce)
      return refuse(Error::nonce_too_old);
    if ((signer.roles & role) != role) return refuse(Error::missing_role);
    signer_ = signer.number;
    return rule(signer);
  }

  // A claim that would be above what is claimed already, by whoever holds the receipt. No error: `error` is
  // none.
  static Outcome check_claim(const Channel& channel, const Receipt& receipt, const Key& signer) {
    if (!channel.open) return refuse(Error::channel_closed);
    if (signer != channel.receipt_key) return refuse(Error::wrong_receipt_key);
    if (receipt.cumulative > channel.deposit)
      return refuse(Error::above_deposit,
                    {{{"deposit", channel.deposit}, {"cumulative", receipt.cumulative}}});
    return refuse(Error::none);
  }

  std::optional<Outcome> check_funds(const Account& payer, AssetId asset, Amount amount) const {
    Amount available = payer.balance(asset).available;
    if (available >= amount) return std::nullopt;
    return refuse(Error::insufficient_funds, {{{"available", available}, {"amount", amount}}});
  }

  // Deposits count in full until their channel closes, also what was claimed from them and may have come back
  // to the payer: only here can a figure grow past the supply.
  static bool locks_too_much(const Account& payer, AssetId asset, Amount amount) {
    return payer.balance(asset).locked > std::numeric_limits<Amount>::max() - amount;
  }

  static Outcome below_first_credit(const Asset& asset, Amount amount) {
    return refuse(Error::below_minimum_first_credit,
                  {{{"minimum", asset.minimum_first_credit}, {"amount", amount}}});
  }

  void claim(Channel& channel, Amount cumulative) {
    Amount earned = cumulative - channel.claimed;
    channel.claimed = cumulative;
    channel.claim = sequence();
    state_.accounts.change(channel.recipient).change_balance(channel.asset).available += earned;
    totals(channel.asset).locked -= earned;
    totals(channel.asset).available += earned;
    touch(channel.recipient, channel.asset);
    touch(channel.id);
  }

  // Sets aside what this very entry takes.
  void keep(Channel set_aside) {
    set_aside.id = ChannelId{sequence().value};
    state_.channels.insert(set_aside.id, set_aside);
    touch(set_aside.id);
  }

  void lock(Account& payer, AssetId asset, Amount amount) {
    Balance& balance = payer.change_balance(asset);
    balance.available -= amount;
    balance.locked += amount;
    totals(asset).available -= amount;
    totals(asset).locked += amount;
  }

  void pay(AccountNumber payer, AssetId asset, Amount total, const std::vector<Payment>& payments) {
    state_.accounts.change(payer).change_balance(asset).available -= total;
    touch(payer, asset);
    for (const auto& payment : payments) {
      Account& recipient = account_for(payment.recipient);
      recipient.change_balance(asset).available += payment.amount;
      touch(recipient.number, asset);
    }
  }

  // The account of a key, made where the key is new.
  Account& account_for(const Key& key) {
    if (const KeyEntry* known = state_.key_entry(key)) return state_.accounts.change(known->account);
    AccountNumber number{globals_.accounts++};
    state_.keys.insert(key, KeyEntry{.key = key, .account = number});
    return state_.accounts.insert(number, Account{.number = number, .key = key});
  }

  void add_asset(const Asset& asset) {
    globals_.assets.push_back(asset);
    globals_.totals.push_back(AssetTotals{.asset = asset.number});
    globals_.daily_credits.emplace_back();
  }

  AssetTotals& totals(AssetId asset) { return globals_.totals[asset.value - 1]; }
  Sequence sequence() const { return globals_.next; }

  void touch(AccountNumber account, AssetId asset = no_asset) { touched_.emplace_back(account, asset); }
  void touch(ChannelId channel) { channel_ = channel; }  // no command touches two

  Outcome accept() {
    if (signer_) remember_nonce(state_.accounts.change(*signer_));
    if (btfs_id_) state_.btfs_uses.insert(*btfs_id_, {*btfs_id_, sequence()});
    Outcome outcome{.verdict = Outcome::Verdict::accepted, .sequence = sequence()};
    outcome.postings = make_postings();
    ++globals_.next.value;
    globals_.last_time_us = now_us_;
    return outcome;
  }

  void remember_nonce(Account& signer) {
    auto& nonces = signer.nonces;
    auto at = std::lower_bound(nonces.begin(), nonces.end(), command_.nonce,
                               [](const NonceUse& use, std::uint64_t nonce) { return use.nonce < nonce; });
    nonces.insert(at, NonceUse{command_.nonce, sequence()});
    if (nonces.size() > max_kept_nonces) nonces.erase(nonces.begin());
  }

  // At most one posting for each (account, asset), and for an asset-less touch only where nothing moved.
  std::vector<Posting> make_postings() {
    std::sort(touched_.begin(), touched_.end());
    touched_.erase(std::unique(touched_.begin(), touched_.end()), touched_.end());
    std::vector<Posting> postings;
    postings.reserve(touched_.size() + 1);
    for (std::size_t i = 0; i < touched_.size(); ++i) {
      auto [number, asset] = touched_[i];
      bool more_of_it = i + 1 < touched_.size() && touched_[i + 1].first == number;
      if (asset == no_asset && more_of_it) continue;
      Account& account = state_.accounts.change(number);
      postings.push_back(account_posting(account, asset));
      if (!more_of_it) account.last = sequence();
    }
    if (channel_) {
      Channel& channel = state_.channels.change(*channel_);
      postings.push_back(ChannelPosting{channel.id, channel.deposit, channel.claimed, channel.last});
      channel.last = sequence();
    }
    return postings;
  }

  Posting account_posting(const Account& account, AssetId asset) const {
    AccountPosting posting{account.number, account.balance(asset), account.last};
    if (closed_ && state_.channels.find(*closed_)->payer == account.number)
      return ClosingPosting{.payer = posting, .channel = *closed_};
    return posting;
  }

  State& state_;
  Globals& globals_;
  const Command& command_;
  TimeUs now_us_;
  const TermsOf& terms_;
  std::optional<AccountNumber> signer_;  // whose nonce is used up on acceptance
  std::optional<Hash> btfs_id_;          // likewise
  std::vector<std::pair<AccountNumber, AssetId>> touched_;
  std::optional<ChannelId> channel_;
  std::optional<ChannelId> closed_;
};

}  // namespace

Outcome apply(State& state, const Command& command, TimeUs now_us, const TermsOf& terms) {
  return Application(state, command, now_us, terms).run();
}

void Needs::add(const Needs& others) {
  keys.insert(keys.end(), others.keys.begin(), others.keys.end());
  channels.insert(channels.end(), others.channels.begin(), others.channels.end());
  btfs_uses.insert(btfs_uses.end(), others.btfs_uses.begin(), others.btfs_uses.end());
}

void collect_needs(const Command& command, Needs& needs) {
  bool signer_is_an_account =
      command.kind() != Kind::genesis && command.kind() != Kind::seal && command.kind() != Kind::receipt;
  if (signer_is_an_account) needs.keys.push_back(command.signer);
  struct Collector {
    Needs& needs;
    void operator()(const Genesis& genesis) const {
      needs.keys.push_back(genesis.operator_key);
      for (const auto& grant : genesis.roles) needs.keys.push_back(grant.key);
    }
    void operator()(const Seal&) const {}
    void operator()(const Receipt& receipt) const { needs.channels.push_back(receipt.channel); }
    void operator()(const Transfer& transfer) const { needs.keys.push_back(transfer.recipient); }
    void operator()(const TransferList& list) const {
      for (const auto& payment : list.payments) needs.keys.push_back(payment.recipient);
    }
    void operator()(const OpenChannel& open) const { needs.keys.push_back(open.recipient); }
    void operator()(const TopUpChannel& top_up) const { needs.channels.push_back(top_up.channel); }
    void operator()(const CloseChannel& close) const { needs.channels.push_back(close.channel); }
    void operator()(const RotateKey& rotate) const { needs.keys.push_back(rotate.new_key); }
    void operator()(const Credit& credit) const {
      if (credit.owner) needs.keys.push_back(*credit.owner);
    }
    void operator()(const SetRoles& set) const { needs.keys.push_back(set.key); }
    void operator()(const SetAsset&) const {}
    void operator()(const Withdraw&) const {}
    void operator()(const SettleWithdrawal& settle) const { needs.channels.push_back(settle.withdrawal); }
    void operator()(const ApproveWithdrawal& approve) const { needs.channels.push_back(approve.withdrawal); }
    void operator()(const AssignDeposit& assign) const {
      needs.keys.push_back(assign.owner);
      needs.channels.push_back(assign.deposit);
    }
    void operator()(const BookChainFees&) const {}
    void operator()(const RefuseBtfs&) const {}
    void operator()(const BtfsTransfer& transfer) const {
      needs.keys.push_back(transfer.recipient);
      needs.btfs_uses.push_back(transfer.id);
    }
    void operator()(const BtfsOpenChannel& open) const {
      needs.keys.push_back(open.recipient);
      needs.btfs_uses.push_back(open.id);
    }
    void operator()(const BtfsCloseChannel& close) const { (*this)(close.state); }
    void operator()(const BtfsWithdraw& withdraw) const { (*this)(withdraw.paid); }
    void operator()(const BtfsChannelState& agreed) const {
      needs.keys.push_back(agreed.to);
      needs.channels.push_back(agreed.channel);
    }
    void operator()(const BtfsRotateKey& rotate) const { needs.keys.push_back(rotate.new_key); }
  };
  std::visit(Collector{needs}, command.body);
}

}  // namespace windlass::core
