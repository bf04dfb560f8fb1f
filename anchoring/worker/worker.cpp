#include "anchoring/worker/worker.h"

#include <fmt/format.h>

#include "anchoring/contract/anchor_contract.h"

namespace windlass::anchoring {
namespace {

using tl::unexpected;

// protocol.Transaction.Result.contractResult, of those that a call can end with.
std::string result_name(int result) {
  switch (result) {
    case 2:
      return "REVERT";
    case 8:
      return "ILLEGAL_OPERATION";
    case 10:
      return "OUT_OF_ENERGY";
    case 11:
      return "OUT_OF_TIME";
    default:
      return fmt::format("result {}", result);
  }
}

std::string describe(const Anchor& anchor) {
  return fmt::format("anchor {} of {} entries", anchor.id, anchor.size);
}

}  // namespace

std::string anchor_memo(std::uint64_t size, const Hash& root) {
  std::string memo;
  append_be(memo, size);
  memo += view(root);
  return memo;
}

Worker::Worker(WorkerOptions options, SecretKey key, const Clock& clock, tron::Chain& chain,
               LedgerClient& ledger, Store& store)
    : options_(options),
      key_(std::move(key)),
      address_(options_.account.value_or(tron::address_of(key_.public_key()))),
      clock_(clock),
      chain_(chain),
      ledger_(ledger),
      store_(store),
      nonces_(clock) {}

Worker::StepResult Worker::step() {
  auto anchor = store_.open_anchor();
  bool is_signed = anchor && anchor->state != AnchorState::sealed;
  if (!is_signed && store_.controls().anchors_paused) return Step{};
  if (!anchor) return seal_if_due();
  switch (anchor->state) {
    case AnchorState::sealed:
      return sign(*std::move(anchor));
    case AnchorState::signed_:
    case AnchorState::broadcast:
      return pursue(*std::move(anchor));
    case AnchorState::included:
      return await_solid(*std::move(anchor));
    case AnchorState::solidified:
    case AnchorState::expired:
      break;
  }
  core::require(false);  // the store says that it is open
  return Step{};
}

// --- sealing

Worker::StepResult Worker::seal_if_due() {
  auto info = ledger_.info();
  if (!info) return unexpected(info.error().message);
  auto last = store_.newest_solidified();
  auto due = is_due(*info, last);
  if (!due) return unexpected(due.error());
  if (!*due) return Step{};
  if (auto may = may_anchor(*info); !may) return unexpected(may.error());
  auto anchor = take_checkpoint(*info, last);
  if (!anchor) return unexpected(anchor.error());
  anchor->id = store_.add_anchor(*anchor);
  return Step{true, describe(*anchor) + ": sealed", ""};
}

tl::expected<bool, std::string> Worker::is_due(const LedgerInfo& info, const std::optional<Anchor>& last) {
  if (!last) return true;  // genesis is not anchored yet
  if (info.size < last->size)
    return unexpected(
        fmt::format("the ledger holds {} entries, but {} were anchored: it was restored from a backup or "
                    "is a copy that lags; nothing more is anchored",
                    info.size, last->size));
  std::int64_t age_ms = clock_.now_ms() - last->sealed_us / 1000;
  if (age_ms >= heartbeat_ms) return true;
  auto news = oldest_new(news_from_, std::min(last->size, last->size_at_request), info.size);
  if (!news) return unexpected(news.error());
  if (!*news) return false;
  bool many = options_.every_entries > 0 && info.size - last->size >= options_.every_entries;
  return many || age_ms >= options_.interval_ms;
}

tl::expected<std::optional<core::TimeUs>, std::string> Worker::oldest_new(std::uint64_t& seals_end,
                                                                          std::uint64_t from,
                                                                          std::uint64_t size) {
  seals_end = std::max(seals_end, from);
  while (seals_end < size) {
    auto entry = ledger_.entry(core::Sequence{seals_end});
    if (!entry) return unexpected(entry.error().message);
    if (entry->kind != core::Kind::seal || seals_end >= from + max_new_seals) return entry->time_us;
    ++seals_end;
  }
  return std::nullopt;
}

tl::expected<Anchor, std::string> Worker::take_checkpoint(const LedgerInfo& info,
                                                          const std::optional<Anchor>& last) {
  if (!seal_) {
    auto seal = request_seal(info);
    if (!seal) return unexpected(seal.error());
    seal_ = {*seal, info.size};
  }
  auto note = ledger_.checkpoint(seal_->sequence.value + 1);
  if (!note) return unexpected(note.error().message);
  auto text = log::open_note(*note, info.log_key);
  if (!text) return unexpected("the ledger's checkpoint: " + text.error());
  auto checkpoint = log::Checkpoint::parse(*text);
  if (!checkpoint || checkpoint->origin != info.origin || checkpoint->size <= seal_->sequence.value)
    return unexpected(fmt::format("the ledger's checkpoint is not one of {} that covers the seal at {}: {}",
                                  info.origin, seal_->sequence.value, *text));

  Anchor anchor{.size = checkpoint->size,
                .root = checkpoint->root,
                .checkpoint = *note,
                .sealed_us = clock_.now_ms() * 1000,
                .size_at_request = seal_->size_at_request};
  if (last) {
    if (auto checked = check_consistent(*last, anchor); !checked) return unexpected(checked.error());
  }
  seal_.reset();
  return anchor;
}

tl::expected<core::Sequence, std::string> Worker::request_seal(const LedgerInfo& info) {
  auto solid = chain_.solidified_head();
  if (!solid) return unexpected(solid.error().message);
  auto command =
      codec::encode_request_seal(nonces_.next(), clock_.now_ms() * 1000 + seal_request_life_us, solid->id);
  auto sequence = ledger_.execute(codec::sign(std::move(command), info.tag, {&key_}));
  if (!sequence) return unexpected(sequence.error().message);
  return *sequence;
}

tl::expected<void, std::string> Worker::check_consistent(const Anchor& last, const Anchor& next) {
  auto differs = [&] {
    return unexpected(
        fmt::format("the ledger's checkpoint of {} entries is not consistent with the anchored one of {}: "
                    "the log was rewritten; nothing more is anchored",
                    next.size, last.size));
  };
  if (next.size < last.size) return differs();
  auto proof = ledger_.consistency_proof(last.size, next.size);
  if (!proof) return unexpected(proof.error().message);
  if (!log::verify_consistency(last.size, last.root, next.size, next.root, *proof)) return differs();
  return {};
}

// --- what it costs

tl::unexpected<std::string> Worker::stop(std::string why) {
  status_.stopped = why;
  return unexpected(std::move(why));
}

tl::expected<void, std::string> Worker::may_anchor(const LedgerInfo& info) {
  if (options_.contract && info.anchor_contract != options_.contract)
    return stop(fmt::format(
        "anchor.contract is {}, but the ledger's genesis names {}: nobody would look for anchors there",
        tron::to_base58(*options_.contract),
        info.anchor_contract ? tron::to_base58(*info.anchor_contract) : "none"));
  if (auto pause = check_pause(); !pause) return pause;
  auto cost = price(info.size, Hash{});
  if (!cost) return unexpected(cost.error());
  return {};
}

// After anchors that failed in their blocks, each of which has cost its fee.
tl::expected<void, std::string> Worker::check_pause() {
  std::int64_t now_ms = clock_.now_ms();
  int failures = 0;
  std::int64_t last_ms = 0;
  for (const auto& anchor : store_.newest_anchors((now_ms - heartbeat_ms) * 1000, failures_counted)) {
    bool failed = anchor.state == AnchorState::expired && anchor.block != 0;
    if (!failed) break;
    if (failures++ == 0) last_ms = anchor.block_ms;
  }
  if (failures == 0) return {};
  std::int64_t pause_ms = std::min(longest_failure_pause_ms, failure_pause_ms << (failures - 1));
  if (now_ms >= last_ms + pause_ms) return {};
  return stop(
      fmt::format("the last {} anchors failed in their blocks and cost their fees; the next is tried {} s "
                  "after the last",
                  failures, pause_ms / 1000));
}

tron::SignedTransaction Worker::make_transaction(std::uint64_t size, const Hash& root,
                                                 tron::TransactionFrame frame) const {
  frame.permission_id = options_.permission_id;
  if (options_.contract)
    return tron::sign_call({address_, *options_.contract, tron::anchor_contract::anchor_call(size, root)},
                           frame, key_);
  frame.memo = anchor_memo(size, root);
  return tron::sign_transfer({address_, options_.to, 1, ""}, frame, key_);
}

tl::expected<AnchorCost, std::string> Worker::price(std::uint64_t size, const Hash& root) {
  auto parameters = chain_.parameters();
  if (!parameters) return unexpected(parameters.error().message);
  auto cost = price_at(*parameters, size, root);
  if (!cost) return cost;
  if (auto within = check_ceilings(*parameters, *cost); !within) return unexpected(within.error());
  status_.stopped.clear();
  return cost;
}

tl::expected<AnchorCost, std::string> Worker::price_at(const tron::ChainParameters& parameters,
                                                       std::uint64_t size, const Hash& root) {
  auto sun_a_byte = tron::parameter(parameters, "getTransactionFee"),
       sun_an_energy = tron::parameter(parameters, "getEnergyFee"),
       memo_sun = tron::parameter(parameters, "getMemoFee");
  if (!sun_a_byte || !sun_an_energy || !memo_sun)
    return unexpected(std::string("the node does not say what bandwidth, energy and memos cost"));
  AnchorCost cost;
  if (options_.contract) {
    auto tried =
        chain_.call_constant({address_, *options_.contract, tron::anchor_contract::anchor_call(size, root)});
    if (!tried) return unexpected(tried.error().message);
    if (!tried->succeeded)
      return stop(fmt::format("the anchor contract {} would refuse {}: {} {}",
                              tron::to_base58(*options_.contract), tron::to_base58(address_), tried->message,
                              tron::anchor_contract::revert_reason(tried->returned)));
    cost.energy = tried->energy;
    cost.energy_sun = tried->energy * *sun_an_energy;
    cost.fee_limit_sun = cost.energy_sun + cost.energy_sun * tron::energy_headroom_percent / 100;
  }
  std::int64_t now_ms = clock_.now_ms();
  tron::TransactionFrame frame{{}, now_ms, now_ms + expiration_ahead_ms, {}, cost.fee_limit_sun};
  cost.bandwidth = tron::bandwidth_of(make_transaction(size, root, frame).bytes);
  cost.total_sun = cost.energy_sun + cost.bandwidth * *sun_a_byte;
  if (!options_.contract) cost.total_sun += *memo_sun + 1;  // and what is transferred
  status_.anchor_cost_sun = cost.total_sun;
  return cost;
}

tl::expected<void, std::string> Worker::check_ceilings(const tron::ChainParameters& parameters,
                                                       AnchorCost& cost) {
  auto said = store_.controls().fee_ceiling_sun;  // by the operator, instead of the configuration
  if (std::int64_t ceiling = said.value_or(options_.max_fee_sun); said || ceiling > 0) {
    if (cost.total_sun > ceiling)
      return stop(fmt::format("an anchor costs {} sun now, more than {} ({}); nothing is anchored",
                              cost.total_sun, said ? "the fee ceiling that was set" : "anchor.max_fee_sun",
                              ceiling));
    std::int64_t room = ceiling - (cost.total_sun - cost.energy_sun);
    cost.fee_limit_sun = std::min(cost.fee_limit_sun, room);
  }
  if (options_.max_fee_sun_per_day > 0) {
    auto spent = spent_in_a_day(parameters);
    if (!spent) return unexpected(spent.error());
    if (*spent + cost.total_sun > options_.max_fee_sun_per_day)
      return stop(fmt::format(
          "anchors of the last 24 hours took up to {} sun, and one more costs {}: together more than "
          "anchor.max_fee_sun_per_day ({}); nothing is anchored",
          *spent, cost.total_sun, options_.max_fee_sun_per_day));
  }
  return {};
}

// At most, by what was signed; one that never landed cost nothing.
tl::expected<std::int64_t, std::string> Worker::spent_in_a_day(const tron::ChainParameters& parameters) {
  std::int64_t sun = 0, since_us = (clock_.now_ms() - heartbeat_ms) * 1000;
  for (const auto& anchor : store_.newest_anchors(since_us, anchors_a_day)) {
    bool never_landed = anchor.state == AnchorState::expired && anchor.block == 0;
    if (anchor.transaction.empty() || never_landed) continue;
    auto transaction = tron::parse_transaction(anchor.transaction);
    if (!transaction) return unexpected(describe(anchor) + ": its stored transaction does not parse");
    sun += transaction->fee_limit_sun +
           tron::bandwidth_of(anchor.transaction) * *tron::parameter(parameters, "getTransactionFee");
    if (!transaction->memo.empty()) sun += *tron::parameter(parameters, "getMemoFee") + 1;
  }
  return sun;
}

// --- signing and sending

Worker::StepResult Worker::sign(Anchor anchor) {
  std::int64_t now_ms = clock_.now_ms();
  auto cost = price(anchor.size, anchor.root);
  if (!cost) return unexpected(cost.error());
  if (now_ms - anchor.sealed_us / 1000 > unsigned_checkpoint_life_ms) {
    auto info = ledger_.info();
    if (!info) return unexpected(info.error().message);
    auto newer = take_checkpoint(*info, store_.newest_solidified());
    if (!newer) return unexpected(newer.error());
    newer->id = anchor.id;
    return move(*std::move(newer), AnchorState::sealed, "", "again, with what is new");
  }
  auto head = chain_.head();
  if (!head) return unexpected(head.error().message);
  auto reference = chain_.solidified_head();
  if (!reference) return unexpected(reference.error().message);
  // By a head that lags it could be expired from the start, and the next one too, and so on.
  if (head->timestamp_ms < reference->timestamp_ms)
    return unexpected(fmt::format("the node's head, block {}, is older than the solidified block {}: it lags",
                                  head->number, reference->number));
  // Expirations are held against the chain's time, not against the clock of this machine.
  tron::TransactionFrame frame{
      *reference, now_ms, head->timestamp_ms + expiration_ahead_ms, {}, cost->fee_limit_sun};
  auto transaction = make_transaction(anchor.size, anchor.root, frame);
  anchor.transaction = std::move(transaction.bytes);
  anchor.transaction_id = transaction.txid;
  anchor.expiration_ms = transaction.expiration_ms;
  anchor.reference = {reference->number, reference->id};
  return move(std::move(anchor), AnchorState::signed_, "signed");
}

Worker::StepResult Worker::pursue(Anchor anchor) {
  auto block = chain_.inclusion(anchor.transaction_id, false);
  if (!block) return unexpected(block.error().message);
  if (*block) {
    anchor.block = **block;
    return move(std::move(anchor), AnchorState::included, "included", fmt::format("in block {}", **block));
  }
  auto solid = chain_.solidified_head();
  if (!solid) return unexpected(solid.error().message);
  if (solid->timestamp_ms >= anchor.expiration_ms) return prove_absent(std::move(anchor));
  bool sent_lately =
      last_sent_ == anchor.transaction_id && clock_.now_ms() - last_sent_ms_ < tron::resend_interval_ms;
  if (sent_lately) return Step{};
  return send(std::move(anchor));
}

Worker::StepResult Worker::send(Anchor anchor) {
  auto answer = chain_.broadcast(anchor.transaction);
  if (!answer) return unexpected(answer.error().message);
  last_sent_ = anchor.transaction_id;
  last_sent_ms_ = clock_.now_ms();
  std::string detail = fmt::format("{} answered with code {} {}", to_hex(anchor.transaction_id), answer->code,
                                   answer->message);
  if (tron::pool_after(*answer) == tron::Pool::without)
    return Step{false, describe(anchor) + ": not taken: " + detail, "refused"};
  if (anchor.state == AnchorState::broadcast)
    return Step{false, describe(anchor) + ": sent again: " + detail, "sent_again"};
  return move(std::move(anchor), AnchorState::broadcast, "broadcast", detail);
}

// --- the end of a transaction

Worker::StepResult Worker::prove_absent(Anchor anchor) {
  if (!scan_ || scan_->transaction_id() != anchor.transaction_id) scan_.emplace(anchor);
  auto verdict = scan_->advance(chain_, scan_blocks_per_step);
  if (!verdict) {
    scan_.reset();
    return unexpected(verdict.error());
  }
  if (const auto* unfinished = std::get_if<AbsenceScan::Unfinished>(&*verdict)) {
    if (!unfinished->missing) return Step{true, "", ""};
    return unexpected(fmt::format(
        "{}: expired, but the node lacks solidified block {} of those that would prove that it never landed",
        describe(anchor), *unfinished->missing));
  }
  scan_.reset();
  if (const auto* found = std::get_if<AbsenceScan::Found>(&*verdict))
    return settle(std::move(anchor), found->block);
  return move(std::move(anchor), AnchorState::expired, "expired", "in no block up to its expiration");
}

Worker::StepResult Worker::await_solid(Anchor anchor) {
  auto solid = chain_.inclusion(anchor.transaction_id, true);
  if (!solid) return unexpected(solid.error().message);
  if (*solid) return settle(std::move(anchor), **solid);
  auto head = chain_.solidified_head();
  if (!head) return unexpected(head.error().message);
  // It is time to know, whatever a node's look-ups say.
  if (head->timestamp_ms >= anchor.expiration_ms) return prove_absent(std::move(anchor));
  auto block = chain_.inclusion(anchor.transaction_id, false);
  if (!block) return unexpected(block.error().message);
  if (!*block) {
    anchor.block = 0;
    last_sent_ = {};
    return move(std::move(anchor), AnchorState::broadcast, "dropped", "a fork dropped it");
  }
  if (**block == anchor.block) return Step{};
  anchor.block = **block;
  return move(std::move(anchor), AnchorState::included, "included", fmt::format("now in block {}", **block));
}

Worker::StepResult Worker::settle(Anchor anchor, std::int64_t number) {
  auto block = chain_.solidified_block(number);
  if (!block) return unexpected(block.error().message);
  const tron::ChainTransaction* found = nullptr;
  if (*block)
    for (const auto& transaction : (*block)->transactions)
      if (transaction.txid == anchor.transaction_id) found = &transaction;
  if (!found)
    return unexpected(fmt::format("the node says that solidified block {} holds {}, but it does not", number,
                                  to_hex(anchor.transaction_id)));
  anchor.block = number;
  anchor.block_ms = (*block)->ref.timestamp_ms;
  auto failure = failure_of(*found, number);
  if (!failure) return unexpected(failure.error());
  if (!failure->empty())
    return move(std::move(anchor), AnchorState::expired, "failed", "failed in its block: " + *failure);
  anchor.solidified_us = clock_.now_ms() * 1000;
  return move(std::move(anchor), AnchorState::solidified, "solidified", fmt::format("in block {}", number));
}

tl::expected<std::string, std::string> Worker::failure_of(const tron::ChainTransaction& transaction,
                                                          std::int64_t block) {
  const auto* call = std::get_if<tron::ContractCall>(&transaction.contract);
  if (!call) return std::string(transaction.succeeded ? "" : result_name(transaction.result));
  auto executions = chain_.executions(block);
  if (!executions) return unexpected(executions.error().message);
  auto execution = std::find_if(executions->begin(), executions->end(),
                                [&](const auto& one) { return one.txid == transaction.txid; });
  if (execution == executions->end())
    return unexpected(fmt::format("the node does not say what became of {} in solidified block {}",
                                  to_hex(transaction.txid), block));
  if (!transaction.succeeded)
    return fmt::format("{} {} {}, after {} energy for {} sun", result_name(transaction.result),
                       execution->message, tron::anchor_contract::revert_reason(execution->returned),
                       execution->energy, execution->fee_sun);
  // A contract that takes any call is not the anchor contract.
  auto wanted = tron::anchor_contract::read_anchor_call(call->data);
  for (const auto& log : execution->logs)
    if (wanted && tron::anchor_contract::read_anchored(log, call->contract) == wanted) return std::string();
  return std::string("the contract did not emit Anchored");
}

Worker::StepResult Worker::move(Anchor anchor, AnchorState to, std::string_view outcome,
                                std::string_view detail) {
  anchor.state = to;
  store_.save_anchor(anchor);
  std::string what = fmt::format("{}: {}", describe(anchor), name(to));
  if (!detail.empty()) what += fmt::format(" ({})", detail);
  return Step{true, std::move(what), std::string(outcome)};
}

// --- figures

tl::expected<void, std::string> Worker::refresh_status() {
  auto open = store_.open_anchor();
  auto last = store_.newest_solidified();
  status_.solidified_size = last ? last->size : 0;
  status_.last_anchor_ms = last ? last->block_ms : 0;
  bool in_block = open && open->state == AnchorState::included;
  status_.anchored_size = in_block ? open->size : status_.solidified_size;

  auto info = ledger_.info();
  if (!info) return unexpected(info.error().message);
  auto oldest =
      oldest_new(unanchored_from_, status_.solidified_size, std::max(info->size, status_.solidified_size));
  if (!oldest) return unexpected(oldest.error());
  status_.oldest_unanchored_us = *oldest ? std::max<std::int64_t>(0, clock_.now_ms() * 1000 - **oldest) : 0;

  auto account = chain_.account(address_);
  if (!account) return unexpected(account.error().message);
  status_.balance_sun = account->balance_sun;
  // What keeps it from anchoring is told by `stopped`, and is no error here.
  if (auto may = may_anchor(*info); !may && may.error() != status_.stopped) return may;
  if (status_.anchor_cost_sun > 0)
    status_.runway_ms = status_.balance_sun / status_.anchor_cost_sun * options_.interval_ms;
  return {};
}

}  // namespace windlass::anchoring
