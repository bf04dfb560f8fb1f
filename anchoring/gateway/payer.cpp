#include "anchoring/gateway/payer.h"

#include <fmt/format.h>

#include <charconv>
#include <set>
#include <sstream>

#include "anchoring/gateway/custody.h"
#include "anchoring/gateway/frame.h"
#include "anchoring/tron/trc20.h"

namespace windlass::anchoring {
namespace {

using tl::unexpected;

std::string describe(const Payment& payment) {
  return fmt::format("payment {} of withdrawal {}", payment.attempt, payment.withdrawal.value);
}

bool is_sent(PaymentState state) {
  return state == PaymentState::signed_ || state == PaymentState::broadcast;
}
bool is_in_block(PaymentState state) {
  return state == PaymentState::included || state == PaymentState::landed;
}
bool is_undecided(PaymentState state) {
  return !is_final(state);
}
bool has_landed(PaymentState state) {
  return state == PaymentState::landed;
}
bool may_land(PaymentState state) {
  return is_undecided(state) || has_landed(state);
}
// It can never land, and is not the last attempt.
bool is_to_be_paid_anew(const Payment& payment) {
  return payment.state == PaymentState::expired && payment.attempt < payment_attempts;
}

core::ChainAmount less(core::ChainAmount from, core::ChainAmount amount) {
  return from - std::min(from, amount);
}

// A TRC-20's contract; nothing for TRX and TRC-10, which move by plain transfers.
std::optional<tron::Address> contract_of(const core::Asset& asset) {
  return tron::address_from_base58(asset.token);
}

tron::ContractCall token_transfer(const tron::Address& from, const tron::Address& contract,
                                  const Payment& payment) {
  return {from, contract, tron::trc20::transfer_call(payment.destination, payment.amount)};
}

}  // namespace

tl::expected<Offer, std::string> parse_offer(std::string_view text) {
  std::istringstream words{std::string(text)};
  Offer offer;
  words >> offer.symbol;
  if (offer.symbol.empty()) return unexpected(std::string("an offer begins with an asset's symbol"));
  const std::pair<std::string_view, core::Amount Offer::*> names[] = {
      {"minimum", &Offer::minimum},
      {"fee", &Offer::fee},
      {"daily_cap", &Offer::daily_cap},
      {"approve_above", &Offer::approve_above},
      {"hot_ceiling", &Offer::hot_ceiling}};
  for (std::string word; words >> word;) {
    auto equals = word.find('=');
    auto name = std::find_if(std::begin(names), std::end(names),
                             [&](const auto& known) { return known.first == word.substr(0, equals); });
    std::string digits = equals == std::string::npos ? "" : word.substr(equals + 1);
    core::Amount value = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    bool is_number = error == std::errc() && end == digits.data() + digits.size() && value >= 0;
    if (name == std::end(names) || !is_number)
      return unexpected(
          fmt::format("\"{}\": write minimum=, fee=, daily_cap=, approve_above= or hot_ceiling= and a number "
                      "of ledger units",
                      word));
    offer.*(name->second) = value;
  }
  return offer;
}

Payer::Payer(PayerOptions options, SecretKey custody_key, SecretKey gateway_key, const Clock& clock,
             tron::Chain& chain, LedgerClient& ledger, Store& store)
    : options_(std::move(options)),
      custody_key_(std::move(custody_key)),
      gateway_key_(std::move(gateway_key)),
      clock_(clock),
      chain_(chain),
      ledger_(ledger),
      store_(store),
      nonces_(clock) {
  for (auto& payment : store_.open_payments()) payments_[payment.withdrawal] = std::move(payment);
}

tl::expected<Payer::Step, std::string> Payer::step() {
  Step step;
  step.outcomes.swap(met_);
  stopped_.clear();
  // What is sent goes its way also where the ledger takes no settlement.
  auto settled = settle_all(step), pursued = pursue_all(step);
  if (!settled) return unexpected(settled.error());
  if (!pursued) return unexpected(pursued.error());
  if (store_.controls().withdrawals_paused || !suspended_.empty()) return step;
  if (auto done = pay_next(step); !done) {
    stopped_ = done.error();
    return unexpected(done.error());
  }
  return step;
}

tl::expected<std::vector<core::Asset>, std::string> Payer::assets() {
  auto assets = ledger_.assets();
  if (!assets) return unexpected(assets.error().message);
  return *assets;
}

void Payer::move(Payment& payment, PaymentState state, std::vector<std::string>& outcomes) {
  payment.state = state;
  store_.save_payment(payment);
  outcomes.emplace_back(name(state));
}

std::size_t Payer::under_way(PaymentState state) const {
  auto counts = state == PaymentState::included ? is_in_block : is_sent;
  return static_cast<std::size_t>(std::count_if(
      payments_.begin(), payments_.end(), [&](const auto& entry) { return counts(entry.second.state); }));
}

core::ChainAmount Payer::sum(core::AssetId asset, bool (*counts)(PaymentState)) const {
  core::ChainAmount all = 0;
  for (const auto& [id, payment] : payments_)
    if (payment.asset == asset && counts(payment.state)) all += payment.amount;
  return all;
}

// --- what the scan sees

tl::expected<void, std::string> Payer::meet(const tron::Block& block) {
  if (payments_.empty()) return {};
  std::map<Hash, const tron::ChainTransaction*> by_id;
  for (const auto& transaction : block.transactions) by_id[transaction.txid] = &transaction;
  Executions executions;  // asked for once a block, where a payment is in it
  for (auto& [id, payment] : payments_) {
    if (is_final(payment.state)) continue;
    auto found = by_id.find(payment.transaction_id);
    if (found != by_id.end()) {
      if (auto decided = decide(payment, block, *found->second, executions); !decided) return decided;
    } else if (block.ref.timestamp_ms >= payment.expiration_ms) {
      // The walk has met every block that it could have landed in.
      payment.block = 0;
      move(payment, PaymentState::expired, met_);
    }
  }
  return {};
}

tl::expected<void, std::string> Payer::decide(Payment& payment, const tron::Block& block,
                                              const tron::ChainTransaction& found, Executions& executions) {
  if (!executions) {
    auto told = chain_.executions(block.ref.number);
    if (!told) return unexpected(told.error().message);
    executions = *std::move(told);
  }
  auto execution = std::find_if(executions->begin(), executions->end(),
                                [&](const auto& one) { return one.txid == found.txid; });
  if (execution == executions->end())
    return unexpected(fmt::format("the node does not say what became of {} in solidified block {}",
                                  to_hex(found.txid), block.ref.number));
  bool paid = has_paid(payment, found, *execution);
  payment.block = block.ref.number;
  payment.fee_sun = execution->fee_sun;
  move(payment, paid ? PaymentState::landed : PaymentState::failed, met_);
  return {};
}

// A call of a contract that succeeded has paid where the token logged the transfer: some answer false
// instead.
bool Payer::has_paid(const Payment& payment, const tron::ChainTransaction& found,
                     const tron::Execution& execution) const {
  const auto* call = std::get_if<tron::ContractCall>(&found.contract);
  if (!found.succeeded || !call) return found.succeeded;
  tron::trc20::Transfer wanted{options_.custody, payment.destination, payment.amount};
  for (const auto& log : execution.logs)
    if (log.address == call->contract && tron::trc20::read_transfer(log) == wanted) return true;
  return false;
}

// --- what is decided is settled

tl::expected<void, std::string> Payer::settle_all(Step& step) {
  std::size_t settled = 0;
  for (auto at = payments_.begin(); at != payments_.end() && settled < payments_per_step;) {
    auto& payment = at->second;
    if (!is_final(payment.state) || is_to_be_paid_anew(payment)) {
      ++at;
      continue;
    }
    if (auto done = settle(payment); !done) return done;
    step.outcomes.emplace_back(payment.state == PaymentState::landed ? "paid" : "refunded");
    step.advanced = true;
    ++settled;
    sent_ms_.erase(at->first);
    at = payments_.erase(at);
  }
  return {};
}

tl::expected<void, std::string> Payer::settle(Payment& payment) {
  auto done = [&] {
    payment.settled = true;
    store_.save_payment(payment);
  };
  bool fresh = payment.settlement.empty();
  for (;;) {
    if (fresh)
      if (auto signed_now = sign_settlement(payment); !signed_now) return signed_now;
    auto envelope = codec::Envelope::decode(payment.settlement);
    if (!envelope) return unexpected(describe(payment) + ": its stored settlement is malformed");
    auto answer = ledger_.execute(*envelope);
    if (answer || answer.error().reason == core::info(core::Error::withdrawal_settled).reason) {
      done();
      return {};
    }
    const auto& refused = answer.error();
    if (refused.retry) return unexpected(refused.message);
    // What was saved may have expired since, or its nonce been passed by. Signing it anew is safe: the ledger
    // settles a withdrawal once.
    if (fresh)
      return unexpected(fmt::format("the ledger refuses to settle {}: {} ({})", describe(payment),
                                    refused.message, refused.reason));
    fresh = true;
  }
}

tl::expected<void, std::string> Payer::sign_settlement(Payment& payment) {
  auto info = ledger_.info();
  if (!info) return unexpected(info.error().message);
  auto listed = assets();
  if (!listed) return unexpected(listed.error());
  core::SettleWithdrawal settle{.withdrawal = payment.withdrawal,
                                .paid = payment.state == PaymentState::landed};
  if (payment.fee_sun > 0) {
    const auto* trx = asset_of(*listed, "");
    if (!trx)
      return unexpected(std::string("TRX is no asset of the ledger: payments' fees cannot be booked"));
    settle.fee_asset = trx->number;
    settle.chain_fee = static_cast<core::ChainAmount>(payment.fee_sun);
  }
  core::Command command{.signer = gateway_key_.public_key(),
                        .nonce = nonces_.next(),
                        .expires_us = clock_.now_ms() * 1000 + settlement_life_us,
                        .body = settle};
  auto bytes = codec::encode_settlement(command, view(payment.transaction_id),
                                        static_cast<std::uint64_t>(payment.block));
  payment.settlement = codec::sign(std::move(bytes), info->tag, {&gateway_key_}).encode();
  store_.save_payment(payment);
  return {};
}

// --- what is not decided is sent, again and again

tl::expected<void, std::string> Payer::pursue_all(Step& step) {
  for (std::size_t i = 0; i < std::min(payments_per_step, payments_.size()); ++i) {
    auto next = payments_.upper_bound(looked_at_);
    if (next == payments_.end()) next = payments_.begin();
    looked_at_ = next->first;
    if (is_final(next->second.state)) continue;
    if (auto done = pursue(next->second, step); !done) return done;
  }
  return {};
}

tl::expected<void, std::string> Payer::pursue(Payment& payment, Step& step) {
  // To custody itself nothing is sent: it expires, and in the end is given back.
  if (payment.destination == options_.custody) return {};
  auto block = chain_.inclusion(payment.transaction_id, false);
  if (!block) return unexpected(block.error().message);
  if (*block) {
    if (payment.state == PaymentState::included && payment.block == **block) return {};
    payment.block = **block;
    move(payment, PaymentState::included, step.outcomes);
    return {};
  }
  if (payment.state == PaymentState::included) {  // a fork dropped it
    payment.block = 0;
    sent_ms_.erase(payment.withdrawal);
    move(payment, PaymentState::broadcast, step.outcomes);
  }
  auto sent = sent_ms_.find(payment.withdrawal);
  if (sent != sent_ms_.end() && clock_.now_ms() - sent->second < tron::resend_interval_ms) return {};
  auto answer = chain_.broadcast(payment.transaction);
  if (!answer) return unexpected(answer.error().message);
  sent_ms_[payment.withdrawal] = clock_.now_ms();
  bool taken = tron::pool_after(*answer) != tron::Pool::without;
  if (!taken) step.outcomes.emplace_back("refused");
  if (taken && payment.state == PaymentState::signed_) move(payment, PaymentState::broadcast, step.outcomes);
  return {};
}

// --- what is next

const Payer::Offered* Payer::Budget::offer_of(core::AssetId asset) const {
  auto found = std::find_if(offers.begin(), offers.end(),
                            [&](const auto& offered) { return offered.asset.number == asset; });
  return found == offers.end() ? nullptr : &*found;
}

tl::expected<Payer::Budget, std::string> Payer::make_budget(const std::vector<core::Asset>& listed) {
  Budget budget;
  budget.trx = asset_of(listed, "");
  if (!budget.trx)
    return unexpected(std::string("TRX is no asset of the ledger: payments' fees could not be booked"));
  for (const auto& offer : options_.offers)
    for (const auto& asset : listed)
      if (asset.symbol == offer.symbol && asset.chain == tron_chain) budget.offers.push_back({offer, asset});
  auto own = ledger_.available(gateway_key_.public_key());
  if (!own) return unexpected(own.error().message);
  auto unbooked = unbooked_fees_sun(ledger_, store_, budget.trx->number);
  if (!unbooked) return unexpected(unbooked.error());
  std::int64_t unbooked_sun = *unbooked;
  for (const auto& [id, payment] : payments_)
    unbooked_sun += is_final(payment.state) ? payment.fee_sun : options_.max_fee_sun;
  budget.own_trx = (*own)[budget.trx->number];
  budget.fees_left_sun = budget.own_trx - unbooked_sun;
  budget.left_of_day = left_of_day(budget.offers);
  core::ChainAmount topping_up = 0;
  for (const auto& sweep : store_.open_sweeps()) topping_up += sweep.tops_up ? sweep.amount : 0;
  for (const auto& [offer, asset] : budget.offers) {
    // As of a solidified block: what is not decided has not left yet, as far as that tells.
    auto there = chain_.solidified_balance(options_.custody, asset.token);
    if (!there) return unexpected(there.error().message);
    budget.custody[asset.number] = *there;
    auto left = less(*there, sum(asset.number, is_undecided));
    if (asset.number == budget.trx->number) left = less(left, topping_up);
    budget.left[asset.number] = left;
  }
  return budget;
}

// A payment that can never land does not count towards the operator's cap; but that it cannot is, with a
// single node, that node's word.
std::map<core::AssetId, core::ChainAmount> Payer::left_of_day(const std::vector<Offered>& offers) {
  auto now_us = clock_.now_ms() * 1000;
  auto paid = store_.paid_since(now_us - core::day_us);
  const auto& ceilings = options_.single_node_ceilings;
  auto signed_today = ceilings ? store_.signed_since(start_of_day(now_us)) : decltype(paid)();
  decltype(paid) left;
  auto bound = [&](core::AssetId asset, core::ChainAmount cap, core::ChainAmount used) {
    auto [at, fresh] = left.emplace(asset, less(cap, used));
    if (!fresh) at->second = std::min(at->second, less(cap, used));
  };
  for (const auto& [offer, asset] : offers) {
    auto cap = static_cast<core::ChainAmount>(offer.daily_cap) * asset.chain_units;
    if (cap > 0) bound(asset.number, cap, paid[asset.number]);
    if (ceilings) bound(asset.number, ceiling_of(*ceilings, asset), signed_today[asset.number]);
  }
  return left;
}

tl::expected<void, std::string> Payer::pay_next(Step& step) {
  if (options_.offers.empty()) return {};
  auto listed = assets();
  if (!listed) return unexpected(listed.error());
  auto budget = make_budget(*listed);
  if (!budget) return unexpected(budget.error());
  // However many are under way: these are among them, and make room for others only when they are settled.
  if (auto done = pay_again(*budget, step); !done) return done;
  return budget->is_used_up(payments_.size()) ? Result<void>() : pay_queue(*budget, step);
}

// Withdrawals whose last payment can never land.
tl::expected<void, std::string> Payer::pay_again(Budget& budget, Step& step) {
  for (auto& [id, payment] : payments_) {
    if (!is_to_be_paid_anew(payment) || budget.signed_now >= payments_per_step) continue;
    Payment next{.withdrawal = id,
                 .attempt = payment.attempt + 1,
                 .asset = payment.asset,
                 .amount = payment.amount,
                 .destination = payment.destination};
    if (auto paid = pay(std::move(next), budget, step); !paid) return unexpected(paid.error());
  }
  return {};
}

// In turn, those of each asset one after the other: where one must wait for funds, those behind it wait too.
// One that waits for a second signature is passed by.
tl::expected<void, std::string> Payer::pay_queue(Budget& budget, Step& step) {
  std::set<core::AssetId> waiting;
  core::ChannelId after;
  for (int page = 0; page < queue_pages_per_step; ++page) {
    auto queue = ledger_.open_withdrawals(gateway_key_, after);
    if (!queue) return unexpected(queue.error().message);
    if (queue->empty()) return {};
    for (const auto& withdrawal : *queue) {
      after = withdrawal.id;
      if (budget.is_used_up(payments_.size())) return {};
      const auto* offered = budget.offer_of(withdrawal.asset);
      if (!offered || waiting.contains(withdrawal.asset) || payments_.contains(withdrawal.id)) continue;
      const auto& offer = offered->offer;
      bool approved =
          offer.approve_above == 0 || withdrawal.amount <= offer.approve_above || withdrawal.approved;
      // Settled just now: the queue is a second old.
      if (!approved || store_.newest_payment(withdrawal.id)) continue;
      Payment payment{
          .withdrawal = withdrawal.id,
          .asset = withdrawal.asset,
          .amount = static_cast<core::ChainAmount>(withdrawal.amount) * offered->asset.chain_units,
          .destination = withdrawal.destination};
      auto paid = pay(std::move(payment), budget, step);
      if (!paid) return unexpected(paid.error());
      if (!*paid) waiting.insert(withdrawal.asset);
    }
  }
  return {};
}

tl::expected<bool, std::string> Payer::pay(Payment payment, Budget& budget, Step& step) {
  const auto* offered = budget.offer_of(payment.asset);
  if (!offered) return false;
  auto at = frame();
  if (!at) return unexpected(at.error());
  auto cost_sun = price(payment, offered->asset, *at);
  if (!cost_sun) return unexpected(cost_sun.error());
  if (*cost_sun > budget.fees_left_sun)
    return unexpected(
        fmt::format("the gateway's account on the ledger cannot bear {} sun of fees: deposit TRX with its "
                    "key as the memo",
                    *cost_sun));
  auto& left = budget.left[payment.asset];
  auto fee = payment.asset == budget.trx->number ? static_cast<core::ChainAmount>(*cost_sun) : 0;
  // Caps are of amounts: what is taken on the ledger under one can be paid whatever the fee.
  auto capped = budget.left_of_day.find(payment.asset);
  bool is_capped = capped != budget.left_of_day.end();
  if (payment.amount + fee > left || (is_capped && payment.amount > capped->second)) return false;

  auto transaction = make_transaction(payment, offered->asset, *at);
  payment.transaction = std::move(transaction.bytes);
  payment.transaction_id = transaction.txid;
  payment.expiration_ms = transaction.expiration_ms;
  payment.reference_block = at->reference.number;
  payment.signed_us = clock_.now_ms() * 1000;
  store_.add_payment(payment);
  step.outcomes.emplace_back(name(payment.state));
  step.advanced = true;
  left -= payment.amount + fee;
  if (is_capped) capped->second -= payment.amount;
  budget.fees_left_sun -= std::max(*cost_sun, options_.max_fee_sun);
  ++budget.signed_now;
  payments_[payment.withdrawal] = std::move(payment);
  return true;
}

tl::expected<tron::TransactionFrame, std::string> Payer::frame() {
  auto frame = frame_at_scan(chain_, store_, payment_life_ms);
  if (!frame) return frame;
  last_timestamp_ms_ = std::max(last_timestamp_ms_ + 1, clock_.now_ms());
  frame->timestamp_ms = last_timestamp_ms_;
  frame->permission_id = options_.permission_id;
  return frame;
}

tron::SignedTransaction Payer::make_transaction(const Payment& payment, const core::Asset& asset,
                                                const tron::TransactionFrame& frame) const {
  if (auto contract = contract_of(asset))
    return tron::sign_call(token_transfer(options_.custody, *contract, payment), frame, custody_key_);
  auto amount = static_cast<std::int64_t>(payment.amount);
  return tron::sign_transfer({options_.custody, payment.destination, amount, asset.token}, frame,
                             custody_key_);
}

// At most, with nothing staked and no free bandwidth left. Limits the frame's energy to what the call needs.
tl::expected<std::int64_t, std::string> Payer::price(const Payment& payment, const core::Asset& asset,
                                                     tron::TransactionFrame& frame) {
  auto parameters = chain_.parameters();
  if (!parameters) return unexpected(parameters.error().message);
  auto sun_a_byte = tron::parameter(*parameters, "getTransactionFee"),
       sun_an_energy = tron::parameter(*parameters, "getEnergyFee"),
       account_sun = tron::parameter(*parameters, "getCreateNewAccountFeeInSystemContract"),
       account_bandwidth_sun = tron::parameter(*parameters, "getCreateAccountFee");
  if (!sun_a_byte || !sun_an_energy || !account_sun || !account_bandwidth_sun)
    return unexpected(std::string("the node does not say what bandwidth, energy and new accounts cost"));
  std::int64_t cost_sun = 0;
  if (auto contract = contract_of(asset)) {
    auto tried = chain_.call_constant(token_transfer(options_.custody, *contract, payment));
    if (!tried) return unexpected(tried.error().message);
    if (!tried->succeeded)
      return unexpected(fmt::format("the contract of {} would refuse a payment from custody: {}",
                                    asset.symbol, tried->message));
    frame.fee_limit_sun = tried->energy * *sun_an_energy * (100 + tron::energy_headroom_percent) / 100;
    cost_sun = frame.fee_limit_sun;
  } else {
    auto recipient = chain_.account(payment.destination);
    if (!recipient) return unexpected(recipient.error().message);
    if (!recipient->exists) cost_sun = *account_sun + *account_bandwidth_sun;
  }
  cost_sun += tron::bandwidth_of(make_transaction(payment, asset, frame).bytes) * *sun_a_byte;
  if (options_.max_fee_sun > 0 && cost_sun > options_.max_fee_sun)
    return unexpected(
        fmt::format("a payment costs {} sun now, more than gateway.max_fee_sun ({}); none is made", cost_sun,
                    options_.max_fee_sun));
  return cost_sun;
}

// --- what can be paid now

tl::expected<void, std::string> Payer::publish() {
  auto listed = assets();
  if (!listed) return unexpected(listed.error());
  auto budget = make_budget(*listed);
  if (!budget) return unexpected(budget.error());
  bool refuses = !suspended_.empty() || !stopped_.empty() || store_.controls().withdrawals_paused;
  std::vector<PublishedTerms> terms;
  for (const auto& offered : budget->offers) {
    auto now = terms_of(offered, *budget);
    if (refuses) now.refuses = core::Error::withdrawals_paused;
    terms.push_back({offered.asset.number, now, clock_.now_ms() * 1000});
  }
  store_.publish_terms(terms);
  published_ = std::move(terms);
  return {};
}

std::optional<core::WithdrawalTerms> Payer::published(core::AssetId asset) const {
  for (const auto& terms : published_)
    if (terms.asset == asset) return terms.terms;
  return std::nullopt;
}

core::WithdrawalTerms Payer::terms_of(const Offered& offered, Budget& budget) const {
  const auto& [offer, asset] = offered;
  core::WithdrawalTerms terms{.minimum = offer.minimum, .fee = offer.fee};
  // What is held on the ledger for payments that have left custody already is no burden on what is there.
  auto payable = (budget.custody[asset.number] + sum(asset.number, has_landed)) / asset.chain_units;
  // Fees come out of the gateway's own money, which is there too.
  if (asset.number == budget.trx->number)
    payable = less(payable, static_cast<core::ChainAmount>(budget.own_trx));
  if (auto capped = budget.left_of_day.find(asset.number); capped != budget.left_of_day.end()) {
    auto cap = (capped->second + sum(asset.number, may_land)) / asset.chain_units;
    if (cap < payable) {
      payable = cap;
      terms.beyond = core::Error::daily_cap_reached;
    }
  }
  constexpr auto most = static_cast<core::ChainAmount>(std::numeric_limits<core::Amount>::max());
  terms.payable = static_cast<core::Amount>(std::min(payable, most));
  return terms;
}

}  // namespace windlass::anchoring
