#include "anchoring/gateway/sweeper.h"

#include <fmt/format.h>

#include "anchoring/gateway/custody.h"
#include "anchoring/gateway/frame.h"
#include "anchoring/tron/trc20.h"

namespace windlass::anchoring {
namespace {

using tl::unexpected;

std::string describe(const Holding& holding) {
  return fmt::format("deposit address {} of account {}", tron::to_base58(holding.address), holding.account);
}

}  // namespace

tl::expected<SweepMinimum, std::string> parse_sweep_minimum(std::string_view text) {
  auto offer = parse_offer(text);
  bool is_minimum_only = offer && offer->fee == 0 && offer->daily_cap == 0 && offer->approve_above == 0;
  if (!is_minimum_only || offer->minimum < 1)
    return unexpected(fmt::format(
        "\"{}\": write an asset's symbol, minimum= and a number of ledger units from 1 on", text));
  return SweepMinimum{offer->symbol, offer->minimum};
}

Sweeper::Sweeper(SweeperOptions options, ExtendedSecretKey deposit_key, SecretKey custody_key,
                 SecretKey gateway_key, const Clock& clock, tron::Chain& chain, LedgerClient& ledger,
                 Store& store)
    : options_(std::move(options)),
      deposit_key_(std::move(deposit_key)),
      custody_key_(std::move(custody_key)),
      gateway_key_(std::move(gateway_key)),
      clock_(clock),
      chain_(chain),
      ledger_(ledger),
      store_(store),
      nonces_(clock) {
  for (auto& sweep : store_.open_sweeps()) open_[sweep.address] = std::move(sweep);
}

void Sweeper::move(Sweep& sweep, PaymentState state, std::vector<std::string>& outcomes) {
  sweep.state = state;
  store_.save_sweep(sweep);
  outcomes.emplace_back(name(state));
}

tl::expected<void, std::string> Sweeper::meet(const tron::Block& block) {
  if (open_.empty()) return {};
  std::map<Hash, bool> succeeded;
  for (const auto& transaction : block.transactions) succeeded[transaction.txid] = transaction.succeeded;
  for (auto at = open_.begin(); at != open_.end();) {
    auto& sweep = at->second;
    auto found = succeeded.find(sweep.transaction_id);
    bool is_here = found != succeeded.end();
    // As of payments: the walk meets every block that it could land in.
    bool is_over = is_here || block.ref.timestamp_ms >= sweep.expiration_ms;
    if (is_over) {
      sweep.block = is_here ? block.ref.number : 0;
      bool landed = is_here && found->second;
      if (is_here && !landed) rests_until_ms_[sweep.address] = clock_.now_ms() + failed_sweep_rest_ms;
      move(sweep,
           landed    ? PaymentState::landed
           : is_here ? PaymentState::failed
                     : PaymentState::expired,
           met_);
      sent_ms_.erase(sweep.transaction_id);
    }
    at = is_over ? open_.erase(at) : std::next(at);
  }
  return {};
}

tl::expected<Sweeper::Step, std::string> Sweeper::step() {
  Step step;
  step.outcomes.swap(met_);
  // What is sent goes its way also where nothing can be booked.
  auto booked = book_fees();
  for (auto& [address, sweep] : open_)
    if (auto pursued = pursue(sweep, step); !pursued) return unexpected(pursued.error());
  if (!booked) return unexpected(booked.error());
  if (suspended_ || store_.controls().withdrawals_paused || options_.minimums.empty()) return step;
  if (auto done = sweep_next(step); !done) return unexpected(done.error());
  return step;
}

tl::expected<void, std::string> Sweeper::book_fees() {
  auto spent_sun = store_.address_totals().fees_sun;
  if (spent_sun == booked_sun_) return {};
  auto listed = ledger_.assets();
  if (!listed) return unexpected(listed.error().message);
  const auto* trx = asset_of(*listed, "");
  if (!trx) return unexpected(std::string("TRX is no asset of the ledger: sweeps' fees cannot be booked"));
  auto unbooked = unbooked_fees_sun(ledger_, store_, trx->number);
  if (!unbooked) return unexpected(unbooked.error());
  if (*unbooked > 0)
    if (auto done = book_fees(trx->number, static_cast<core::ChainAmount>(spent_sun)); !done) return done;
  booked_sun_ = spent_sun;
  return {};
}

// The sum of all there ever were: signed anew as often as need be, it is booked once.
tl::expected<void, std::string> Sweeper::book_fees(core::AssetId trx, core::ChainAmount cumulative) {
  auto info = ledger_.info();
  if (!info) return unexpected(info.error().message);
  core::Command command{.signer = gateway_key_.public_key(),
                        .nonce = nonces_.next(),
                        .expires_us = clock_.now_ms() * 1000 + settlement_life_us,
                        .body = core::BookChainFees{trx, cumulative}};
  auto answer = ledger_.execute(codec::sign(codec::encode_command(command), info->tag, {&gateway_key_}));
  bool is_booked = answer || answer.error().reason == core::info(core::Error::chain_fees_booked).reason;
  if (!is_booked) return unexpected("the fees of sweeps are not booked: " + answer.error().message);
  return {};
}

tl::expected<void, std::string> Sweeper::pursue(Sweep& sweep, Step& step) {
  auto sent = sent_ms_.find(sweep.transaction_id);
  if (sent != sent_ms_.end() && clock_.now_ms() - sent->second < tron::resend_interval_ms) return {};
  auto block = chain_.inclusion(sweep.transaction_id, false);
  if (!block) return unexpected(block.error().message);
  if (*block) {
    sent_ms_[sweep.transaction_id] = clock_.now_ms();
    if (sweep.state == PaymentState::included && sweep.block == **block) return {};
    sweep.block = **block;
    move(sweep, PaymentState::included, step.outcomes);
    return {};
  }
  auto answer = chain_.broadcast(sweep.transaction);
  if (!answer) return unexpected(answer.error().message);
  sent_ms_[sweep.transaction_id] = clock_.now_ms();
  bool taken = tron::pool_after(*answer) != tron::Pool::without;
  if (!taken) step.outcomes.emplace_back("refused");
  sweep.block = 0;
  if (taken && sweep.state != PaymentState::broadcast) move(sweep, PaymentState::broadcast, step.outcomes);
  return {};
}

// --- what is next

// TRX last: where tokens wait, the TRX there is to pay for their sweep.
tl::expected<void, std::string> Sweeper::sweep_next(Step& step) {
  auto listed = ledger_.assets();
  if (!listed) return unexpected(listed.error().message);
  trx_ = asset_of(*listed, "");
  if (!trx_)
    return unexpected(std::string("TRX is no asset of the ledger: sweeps' fees could not be booked"));
  busy_.clear();
  Result<void> result;
  for (bool is_trx : {false, true})
    for (const auto& [symbol, minimum] : options_.minimums)
      for (const auto& asset : *listed) {
        if (asset.symbol != symbol || asset.chain != tron_chain || (&asset == trx_) != is_trx) continue;
        auto done = sweep_asset(asset, static_cast<core::ChainAmount>(minimum) * asset.chain_units, step);
        if (!done) result = done;  // the others are none the worse for it
      }
  return result;
}

tl::expected<void, std::string> Sweeper::sweep_asset(const core::Asset& asset, core::ChainAmount minimum,
                                                     Step& step) {
  Result<void> result;
  std::size_t before = open_.size();
  // As many as are under way or rest may stand before those that can be swept now.
  std::size_t looked_at = sweeps_per_step + open_.size() + rests_until_ms_.size() + busy_.size();
  for (const auto& holding : store_.holdings(asset.number, minimum, looked_at)) {
    if (open_.size() >= sweeps_under_way || open_.size() - before >= sweeps_per_step) break;
    auto rests = rests_until_ms_.find(holding.address);
    bool is_resting = rests != rests_until_ms_.end() && clock_.now_ms() < rests->second;
    if (is_resting || open_.contains(holding.address) || !busy_.insert(holding.address).second) continue;
    if (auto done = sweep(holding, asset, step); !done) result = done;
  }
  return result;
}

tl::expected<void, std::string> Sweeper::sweep(const Holding& holding, const core::Asset& asset, Step& step) {
  auto key = key_of(holding);
  if (!key) return unexpected(key.error());
  auto state = chain_.account(holding.address);
  if (!state) return unexpected(state.error().message);
  auto at = frame();
  if (!at) return unexpected(at.error());
  Sweep sweep{.address = holding.address,
              .account = holding.account,
              .asset = asset.number,
              .amount = holding.amount};
  auto contract = tron::address_from_base58(asset.token);
  std::int64_t energy_sun = 0;
  auto sign = [&] {
    if (contract)
      return tron::sign_call(
          {holding.address, *contract, tron::trc20::transfer_call(options_.custody, sweep.amount)}, *at,
          *key);
    auto amount = static_cast<std::int64_t>(sweep.amount);
    return tron::sign_transfer({holding.address, options_.custody, amount, asset.token}, *at, *key);
  };
  if (contract) {
    auto sun_an_energy = price_of("getEnergyFee");
    if (!sun_an_energy) return unexpected(sun_an_energy.error());
    auto tried = chain_.call_constant(
        {holding.address, *contract, tron::trc20::transfer_call(options_.custody, sweep.amount)});
    if (!tried) return unexpected(tried.error().message);
    if (!tried->succeeded)
      return unexpected(fmt::format("the contract of {} would refuse a sweep of {}: {}", asset.symbol,
                                    describe(holding), tried->message));
    energy_sun = tried->energy * *sun_an_energy * (100 + tron::energy_headroom_percent) / 100;
    at->fee_limit_sun = energy_sun;
  }
  auto bandwidth_sun = bandwidth_cost(sign(), *state);
  if (!bandwidth_sun) return unexpected(bandwidth_sun.error());
  auto cost_sun = energy_sun + *bandwidth_sun;
  if (&asset == trx_) {
    // All but the fee; not more than the chain has there by now.
    auto there = std::min(static_cast<std::int64_t>(sweep.amount), state->balance_sun);
    if (there <= cost_sun) return {};
    sweep.amount = static_cast<core::ChainAmount>(there - cost_sun);
  } else if (state->balance_sun < cost_sun) {
    return top_up(holding, *state, cost_sun - state->balance_sun, step);
  }
  if (auto bearable = check_cost(cost_sun); !bearable) return bearable;
  return send(std::move(sweep), sign(), *at, step);
}

// TRX for the fee of a token's sweep. An address that only tokens came to may be new to the chain.
tl::expected<void, std::string> Sweeper::top_up(const Holding& holding, const tron::AccountState& state,
                                                std::int64_t sun, Step& step) {
  auto at = frame();
  if (!at) return unexpected(at.error());
  at->permission_id = options_.permission_id;
  auto custody = chain_.account(options_.custody);
  if (!custody) return unexpected(custody.error().message);
  auto transaction = tron::sign_transfer({options_.custody, holding.address, sun, ""}, *at, custody_key_);
  auto cost_sun = bandwidth_cost(transaction, *custody);
  if (!cost_sun) return unexpected(cost_sun.error());
  if (!state.exists)
    for (const char* parameter : {"getCreateNewAccountFeeInSystemContract", "getCreateAccountFee"}) {
      auto more = price_of(parameter);
      if (!more) return unexpected(more.error());
      *cost_sun += *more;
    }
  if (auto bearable = check_cost(*cost_sun + sun); !bearable) return bearable;
  Sweep sweep{.address = holding.address,
              .account = holding.account,
              .tops_up = true,
              .asset = trx_->number,
              .amount = static_cast<core::ChainAmount>(sun)};
  return send(std::move(sweep), transaction, *at, step);
}

tl::expected<void, std::string> Sweeper::send(Sweep sweep, const tron::SignedTransaction& transaction,
                                              const tron::TransactionFrame& frame, Step& step) {
  sweep.transaction = transaction.bytes;
  sweep.transaction_id = transaction.txid;
  sweep.expiration_ms = transaction.expiration_ms;
  sweep.reference_block = frame.reference.number;
  sweep.signed_us = clock_.now_ms() * 1000;
  store_.add_sweep(sweep);
  step.outcomes.emplace_back(name(sweep.state));
  step.advanced = true;
  auto& open = open_[sweep.address] = std::move(sweep);
  return pursue(open, step);
}

// --- what it takes

tl::expected<SecretKey, std::string> Sweeper::key_of(const Holding& holding) const {
  auto child = holding.account < first_hardened_child
                   ? deposit_key_.child(static_cast<std::uint32_t>(holding.account))
                   : std::nullopt;
  if (!child || tron::address_of(child->key().public_key()) != holding.address)
    return unexpected(
        fmt::format("{} is of another extended key than that of gateway.deposit_key_file; it is not swept",
                    describe(holding)));
  return child->key();
}

tl::expected<tron::TransactionFrame, std::string> Sweeper::frame() {
  auto frame = frame_at_scan(chain_, store_, payment_life_ms);
  if (!frame) return frame;
  last_timestamp_ms_ = std::max(last_timestamp_ms_ + 1, clock_.now_ms());
  frame->timestamp_ms = last_timestamp_ms_;
  return frame;
}

tl::expected<std::int64_t, std::string> Sweeper::price_of(const std::string& parameter) {
  auto parameters = chain_.parameters();
  if (!parameters) return unexpected(parameters.error().message);
  auto price = tron::parameter(*parameters, parameter);
  if (!price) return unexpected("the node does not say what " + parameter + " is");
  return *price;
}

// Nothing where the sender's free or staked bandwidth suffices: the chain takes it from one of them or as
// TRX, never in parts.
tl::expected<std::int64_t, std::string> Sweeper::bandwidth_cost(const tron::SignedTransaction& transaction,
                                                                const tron::AccountState& sender) {
  auto bandwidth = tron::bandwidth_of(transaction.bytes);
  if (bandwidth <= std::max(sender.free_bandwidth_left, sender.staked_bandwidth_left)) return 0;
  auto sun_a_byte = price_of("getTransactionFee");
  if (!sun_a_byte) return sun_a_byte;
  return bandwidth * *sun_a_byte;
}

// What the chain takes is the gateway's to bear, beside what is under way already.
tl::expected<void, std::string> Sweeper::check_cost(std::int64_t cost_sun) {
  if (options_.max_fee_sun > 0 && cost_sun > options_.max_fee_sun)
    return unexpected(
        fmt::format("a sweep costs {} sun now, more than gateway.max_fee_sun ({}); none is made", cost_sun,
                    options_.max_fee_sun));
  if (cost_sun == 0) return {};
  auto own = ledger_.available(gateway_key_.public_key());
  if (!own) return unexpected(own.error().message);
  auto unbooked = unbooked_fees_sun(ledger_, store_, trx_->number);
  if (!unbooked) return unexpected(unbooked.error());
  auto under_way = static_cast<std::int64_t>(open_.size() + store_.open_payments().size());
  auto left_sun = (*own)[trx_->number] - *unbooked - under_way * options_.max_fee_sun;
  if (cost_sun > left_sun)
    return unexpected(
        fmt::format("the gateway's account on the ledger cannot bear {} sun of a sweep's fee: "
                    "deposit TRX with its key as the memo",
                    cost_sun));
  return {};
}

}  // namespace windlass::anchoring
