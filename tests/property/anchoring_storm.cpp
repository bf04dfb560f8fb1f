#include "tests/property/anchoring_storm.h"

#include "anchoring/tron/trc20.h"
#include "tron/core.pb.h"

namespace windlass::test {
namespace {

using anchoring::AnchorState;
using anchoring::PaymentState;
using Fate = devchain::DevChain::Fate;

constexpr std::int64_t minute_ms = 60'000;
constexpr std::int64_t day_ms = 24 * 60 * minute_ms;
// In the calm after a storm one slot in four makes a block.
constexpr std::int64_t calm_step_ms = 12'000;
// Within so many calm blocks everything is anchored and credited: the expiration of what was signed last, the
// proof that it did not land, an anchor of the rest, and the time for which a liar is set aside.
constexpr std::int64_t max_calm_blocks = 150;
// Until what TRON never takes was tried as often as it is, in vain.
constexpr std::int64_t max_blocks_of_payments = 200;
constexpr std::int64_t set_aside_ms = 2 * minute_ms;
// Above what an anchor costs at the usual prices, below what it costs at the highest.
constexpr std::int64_t ceiling_sun = 2'000'000;
// Above what a payment costs at the usual prices, below what one to a new address costs at the highest.
constexpr std::int64_t payment_ceiling_sun = 1'500'000;
constexpr const char* btt_token = "1002000";
// Of a single node's word: more than is ever there; and, in some storms, little more than the largest
// deposit, or the largest withdrawal.
constexpr core::Amount wide_ceiling = plenty, tight_deposits = 1'500, tight_payments = 150'000;
anchoring::Ceilings ceilings_of(core::Amount amount) {
  return {{"BTT", amount}, {"TRX", amount}, {"BTT20", amount}};
}
constexpr std::int64_t usual_memo_fee = 1'000'000, usual_bandwidth_price = 1'000, usual_energy_price = 100;

// The memo, or what the contract is called with in the same form.
// Of a transfer, or of a call of a token's contract that is one.
tron::Address recipient(const tron::ChainTransaction& transaction) {
  if (const auto* transfer = std::get_if<tron::TransferContract>(&transaction.contract)) return transfer->to;
  const auto* call = std::get_if<tron::ContractCall>(&transaction.contract);
  if (!call || call->data.size() != 68) return {};
  return *tron::address_from_bytes("\x41" + call->data.substr(16, 20));
}

std::string anchored_by(const tron::ChainTransaction& transaction) {
  const auto* call = std::get_if<tron::ContractCall>(&transaction.contract);
  if (!call) return transaction.memo;
  auto anchored = tron::anchor_contract::read_anchor_call(call->data);
  return anchored ? anchoring::anchor_memo(anchored->size, anchored->root) : std::string();
}

}  // namespace

void Storm::Figures::add(const Figures& other) {
  anchors += other.anchors;
  landed += other.landed;
  deposits += other.deposits;
  withdrawals += other.withdrawals;
  crashes += other.crashes;
  blocks += other.blocks;
  for (const auto& [name, count] : other.outcomes) outcomes[name] += count;
  for (const auto& [name, count] : other.payments) payments[name] += count;
  for (const auto& [name, count] : other.sweeps) sweeps[name] += count;
  for (const auto& [name, count] : other.exchange) exchange[name] += count;
  for (const auto& [name, count] : other.faults) faults[name] += count;
}

WorldOptions Storm::world_options(Seeded& random) {
  WorldOptions options;
  options.entropy = [&random] { return *to_array<32>(random.bytes(32)); };
  constexpr std::int64_t finalities[] = {3, 3, 5, 5, 19};
  options.solid_after = finalities[random.below(std::size(finalities))];
  for (int i = 0; i < 3; ++i) options.more_witnesses.push_back(key_from(options.entropy));
  // Enough for none, one or two anchors, now and then.
  if (random.one_in(6)) options.anchor_balance_sun = static_cast<std::int64_t>(random.below(3'000'000));
  return options;
}

Storm::Storm(std::uint64_t seed)
    : random_(seed, Seeded::Quiet{}),
      world_([this] { return std::make_unique<StaleStore>(world_.tables); }, world_options(random_)) {
  world_.scans = true;
  world_.worker_options.interval_ms = minute_ms;
  world_.worker_options.every_entries = 50;
  for (int i = 0; i < 3; ++i) owners_.push_back(key_from(world_.options.entropy));
  world_.chain.fate = [this](const Hash& txid, std::int64_t at_ms) { return fate(txid, at_ms); };
  if (random_.one_in(2)) deploy();
  if (random_.one_in(2)) world_.worker_options.max_fee_sun = ceiling_sun;
  if (random_.one_in(4)) world_.payer_options.max_fee_sun = payment_ceiling_sun;
  connect();
  world_.start();
  world_.tick();  // the scanner knows where it begins
  world_.pays = random_.one_in(3);
  if (more_nodes_.empty()) set_ceilings();
  if (world_.pays) fund();
  check_fees();
  lasts_ = random_.one_in(5) ? 40 : 6;
  add_faults();
}

// Anchors are calls of the contract then.
void Storm::deploy() {
  auto left_sun = world_.options.anchor_balance_sun;
  const auto& key = world_.ledger.anchor_key;
  auto address = tron::address_of(key.public_key()), payer = tron::address_of(world_.payer.public_key());
  auto block = [this] {
    world_.clock.advance(test::block_ms);
    world_.chain.produce_block();
  };
  if (left_sun < plenty) world_.pay(world_.payer, address, plenty / 10);
  block();
  world_.deploy_contract();
  constexpr std::int64_t fee_of_paying_back = 1'000'000;
  if (left_sun < plenty)
    world_.pay(key, payer, world_.chain.account(address)->balance_sun - left_sun - fee_of_paying_back);
  block();
}

// Owners have something to withdraw, and the gateway something to bear fees with.
void Storm::fund() {
  poor_gateway_ = random_.one_in(4);
  // The lower ceiling is below what a call of the token costs.
  pays_tokens_ = world_.payer_options.max_fee_sun != payment_ceiling_sun && random_.one_in(2);
  world_.deposit(poor_gateway_ ? 3'000'000 : 1'000'000'000, "",
                 to_hex(world_.ledger.gateway_key.public_key()));
  if (pays_tokens_) {
    for (const auto& owner : owners_)
      world_.deposit_token(10'000'000 * btt20_unit, to_hex(owner.public_key()));
    world_.payer_options.offers.push_back({.symbol = "BTT20"});
    world_.start();
  }
  if (random_.one_in(2)) {
    clients_ = std::make_unique<ExchangeClients>(random_, world_, withdrawals_);
    clients_->fund();
    world_.start();
  }
  for (const auto& owner : owners_)
    for (const char* token : {btt_token, ""}) world_.deposit(10'000'000, token, to_hex(owner.public_key()));
  while (world_.ledger.available(owners_.back().public_key(), trx) == 0) world_.tick();
  if (random_.one_in(4)) return;
  for (const auto& owner : owners_) addresses_[owner.public_key()] = world_.hand_out(owner.public_key());
  world_.sweeps = !random_.one_in(4);
  if (random_.one_in(2)) world_.sweeper_options.minimums = {{"BTT", 500}, {"TRX", 2'000'000}, {"BTT20", 500}};
  world_.start();
}

// What a single node's word is good for. Funds are deposits too, and large ones.
void Storm::set_ceilings() {
  tight_ceiling_ = random_.one_in(2);
  world_.deposit_ceilings = ceilings_of(tight_ceiling_ && !world_.pays ? tight_deposits : wide_ceiling);
  world_.payer_options.single_node_ceilings =
      ceilings_of(tight_ceiling_ && world_.pays ? tight_payments : wide_ceiling);
  world_.start();
}

// Held to the witnesses' signatures, in some storms. Of the four that take turns three are listed.
std::unique_ptr<tron::WitnessedChain> Storm::held_to_witnesses(TestChain& node) {
  tron::WitnessRules rules{.least = 2};
  for (const auto& key : world_.options.more_witnesses)
    rules.witnesses.push_back({tron::address_of(key.public_key()), tron::address_of(key.public_key())});
  return std::make_unique<tron::WitnessedChain>(node, rules);
}

// One node, or several of which a majority must agree.
void Storm::connect() {
  constexpr std::size_t counts[] = {1, 1, 1, 2, 3, 3};
  std::size_t count = counts[random_.below(std::size(counts))];
  witnessed_ = random_.one_in(2);
  for (std::size_t i = 1; i < count; ++i)
    more_nodes_.push_back(std::make_unique<TestChain>(world_.chain, world_.crashes));
  auto watch = [this](ByteView transaction) { check_send(transaction); };
  world_.network.on_send = watch;
  for (auto& node : more_nodes_) node->on_send = watch;
  // A process begins with what it reads: nothing that was proven before.
  if (count == 1) {
    if (witnessed_) world_.connect = [this] { return held_to_witnesses(world_.network); };
    return;
  }
  world_.connect = [this] {
    std::vector<tron::Endpoints::Endpoint> endpoints;
    for (std::size_t i = 0; i <= more_nodes_.size(); ++i) {
      TestChain& node = i == 0 ? world_.network : *more_nodes_[i - 1];
      endpoints.push_back({std::to_string(i), &node});
      if (!witnessed_) continue;
      witnessed_chains_.push_back(held_to_witnesses(node));
      endpoints.back().chain = witnessed_chains_.back().get();
    }
    tron::EndpointsOptions options;
    options.set_aside_ms = set_aside_ms;
    return std::make_unique<tron::Endpoints>(world_.clock, endpoints, options);
  };
}

// --- what goes wrong

void Storm::add_fault(std::string name, std::uint64_t begins_one_in, std::function<void()> begin,
                      std::function<void()> end) {
  if (random_.one_in(3))
    faults_.push_back({std::move(name), begins_one_in, std::move(begin), std::move(end)});
}

void Storm::add_faults() {
  hidden_last_moments_ = random_.one_in(2);
  add_chain_faults();
  add_process_faults();
  std::size_t liar = random_.below(more_nodes_.size() + 1);
  permanent_liar_ = more_nodes_.size() == 2 && random_.one_in(4);
  add_node_faults(world_.network, liar == 0);
  for (std::size_t i = 0; i < more_nodes_.size(); ++i) add_node_faults(*more_nodes_[i], liar == i + 1);
  if (permanent_liar_) {
    TestChain& node = liar == 0 ? world_.network : *more_nodes_[liar - 1];
    if (random_.one_in(2))
      node.invents_inclusions = true;
    else
      node.forged_from = world_.chain.head().ref.number + static_cast<std::int64_t>(random_.below(10));
    ++figures_.faults["permanent_liar"];
  }
}

void Storm::add_chain_faults() {
  auto& chain = world_.chain;
  add_fault("fork", 8, [this, &chain] {
    auto depth = 1 + random_.below(static_cast<std::uint64_t>(world_.options.solid_after));
    chain.fork(chain.stalls_solidification ? 1'000 : static_cast<std::int64_t>(depth));
    if (random_.one_in(3)) chain.lose_pool();  // none of it comes back
  });
  add_fault("lost_pool", 10, [&chain] { chain.lose_pool(); });
  add_fault(
      "uncertain_fates", 5, [this] { uncertain_fates_ = true; }, [this] { uncertain_fates_ = false; });
  add_fault(
      "last_moment", 2, [this] { last_moments_ = true; }, [this] { last_moments_ = false; });
  add_fault("missed_slots", 15,
            [this] { world_.clock.advance(static_cast<std::int64_t>(random_.below(20)) * minute_ms); });
  add_fault(
      "stalled_day", 25,
      [this, &chain] {
        chain.stalls_solidification = true;
        for (int i = 0; i < 8; ++i) tick(day_ms / 8);
      },
      [&chain] { chain.stalls_solidification = false; });
  add_fault("prices", 15, [this, &chain] {
    constexpr std::int64_t memo_fees[] = {0, 500'000, 1'000'000, 3'000'000};
    constexpr std::int64_t prices[] = {10, 1'000, 2'000};
    chain.parameters().set(devchain::parameter::memo_fee, memo_fees[random_.below(std::size(memo_fees))]);
    chain.parameters().set(devchain::parameter::bandwidth_price, prices[random_.below(std::size(prices))]);
    chain.parameters().set(devchain::parameter::free_bandwidth, random_.one_in(2) ? 600 : 0);
    chain.parameters().set(devchain::parameter::energy_price, random_.one_in(2) ? 420 : 2'000);
  });
  add_fault("refill", 20, [this] { refill(); });
  if (!world_.pays) return;
  add_fault(
      "empty_custody", 12, [this] { empty_custody(); }, [this] { fill_custody(); });
}

void Storm::add_node_faults(TestChain& node, bool may_lie) {
  auto flag = [this, &node](const char* name, std::uint64_t one_in, bool TestChain::*what, bool value) {
    add_fault(
        name, one_in, [&node, what, value] { node.*what = value; },
        [&node, what, value] { node.*what = !value; });
  };
  flag("unreachable", 12, &TestChain::reachable, false);
  flag("hides_transactions", 6, &TestChain::hides_transactions, true);
  flag("invents_inclusions", 12, &TestChain::invents_inclusions, true);
  flag("hides_infos", 8, &TestChain::hides_infos, true);
  flag("empty", 12, &TestChain::empty, true);
  flag("malleates", 6, &TestChain::malleates, true);
  flag("lost_answers", 8, &TestChain::loses_answers, true);
  add_fault(
      "lag", 12, [this, &node] { node.lag = 1 + static_cast<std::int64_t>(random_.below(30)); },
      [&node] { node.lag = 0; });
  add_fault(
      "refusals", 6,
      [this, &node] {
        node.swallow = some_answer();
        node.remembers_refusals = random_.one_in(2);
      },
      [&node] {
        node.swallow.reset();
        if (node.remembers_refusals) return;  // its cache stays until all is calm
        node.refused.clear();
      });
  add_fault(
      "solid_head_ahead", 12, [&node] { node.solid_ahead_ms = day_ms; },
      [&node] { node.solid_ahead_ms = 0; });
  add_lies(node, may_lie);
}

void Storm::add_lies(TestChain& node, bool may_lie) {
  bool alone = more_nodes_.empty();
  auto payer = tron::address_of(world_.payer.public_key());
  if (alone || (may_lie && !permanent_liar_))
    add_fault(
        "stuffs", 8,
        [this, &node, payer] {
          protocol::Transaction nobodys;
          nobodys.ParseFromString(
              tron::sign_transfer({payer, world_.custody, 777, ""},
                                  {world_.chain.head().ref, world_.clock.now_ms(), world_.clock.now_ms(), {}},
                                  world_.payer)
                  .bytes);
          nobodys.add_ret()->set_contractret(protocol::Transaction::Result::SUCCESS);
          node.stuffing = nobodys.SerializeAsString();
        },
        [&node] { node.stuffing.reset(); });
  if (alone)
    add_fault(
        "invents_logs", 4,
        [this, &node] {
          node.change_executions = [this](std::vector<tron::Execution>& all) { invent_logs(all); };
        },
        [&node] { node.change_executions = nullptr; });
  bool forges = may_lie && !permanent_liar_ && (!alone || witnessed_);
  if (forges)
    add_fault(
        "forges", 8,
        [this, &node] {
          node.forged_from = world_.chain.solidified() + static_cast<std::int64_t>(random_.below(5));
          node.flaps = random_.one_in(3);
          node.forger.reset();
          if (random_.one_in(2)) node.forger = tron::address_of(world_.payer.public_key());
        },
        [&node] { node.forged_from.reset(); });
  if (alone) {
    // Of a single node only what contradicts itself shows.
    add_fault(
        "joins_nothing", 12,
        [&node] {
          node.change_block = [](tron::Block& block) {
            block.ref.id.back() ^= 1;
            block.parent.back() ^= 1;
            block.transactions.clear();
          };
        },
        [&node] { node.change_block = nullptr; });
  } else if (may_lie && !permanent_liar_) {
    add_fault(
        "hides_logs", 8, [&node] { node.hides_logs = true; }, [&node] { node.hides_logs = false; });
  }
  tron::ChainTransaction nobodys;
  nobodys.succeeded = true;
  nobodys.contract = tron::TransferContract{payer, world_.custody, 777, ""};
  node.forged_deposit = nobodys;
}

// No block id covers logs: a deposit that happened is told twice.
void Storm::invent_logs(std::vector<tron::Execution>& executions) {
  for (auto& execution : executions) {
    if (execution.logs.size() != 1 || execution.logs[0].address != btt20_token) continue;
    auto transfer = tron::trc20::read_transfer(execution.logs[0]);
    if (!transfer || transfer->to != world_.custody || transfer->from == world_.custody) continue;
    // A sweep is no deposit.
    if (std::any_of(addresses_.begin(), addresses_.end(),
                    [&](const auto& own) { return own.second == transfer->from; }))
      continue;
    execution.logs.push_back(execution.logs[0]);
    invented_.insert({execution.txid, 1});
  }
}

void Storm::add_process_faults() {
  auto& ledger = world_.ledger;
  auto flag = [this, &ledger](const char* name, bool TestLedger::*what, bool value) {
    add_fault(
        name, 12, [&ledger, what, value] { ledger.*what = value; },
        [&ledger, what, value] { ledger.*what = !value; });
  };
  flag("ledger_unreachable", &TestLedger::reachable, false);
  flag("ledger_refuses", &TestLedger::refuses_commands, true);
  flag("ledger_loses_answers", &TestLedger::loses_answers, true);
  add_fault("crash", 5, [this] {
    world_.crashes.arm(1 + static_cast<int>(random_.below(12)));
    ++figures_.crashes;
  });
  auto& controls = world_.tables.controls;
  add_fault(
      "paused_anchors", 12, [&controls] { controls.anchors_paused = true; },
      [&controls] { controls.anchors_paused = false; });
  add_fault(
      "paused_deposits", 12, [&controls] { controls.deposits_paused = true; },
      [&controls] { controls.deposits_paused = false; });
  add_fault(
      "ceiling_set", 12, [&controls] { controls.fee_ceiling_sun = 400'000; },
      [&controls] { controls.fee_ceiling_sun.reset(); });
  add_fault("rival", 12, [this] { take_over(); });
  if (!world_.pays) return;
  add_fault(
      "paused_withdrawals", 12, [&controls] { controls.withdrawals_paused = true; },
      [&controls] { controls.withdrawals_paused = false; });
  add_fault(
      "old_queue", 5,
      [&ledger] {
        if (auto queue = ledger.open_withdrawals(ledger.gateway_key, {})) ledger.old_queue = *queue;
      },
      [&ledger] { ledger.old_queue.reset(); });
  if (tight_ceiling_) return;  // it would take them weeks
  add_fault("many_withdrawals", 200, [this] {
    for (std::size_t i = 0; i < anchoring::payments_under_way + 10; ++i) withdraw();
  });
}

tron::BroadcastAnswer Storm::some_answer() {
  constexpr int codes[] = {0, 1, 2, 4, 5, 6, 6, 8, 8, 9, 10, 11, 12, 20};
  int code = codes[random_.below(std::size(codes))];
  return {code == 0, code, random_.one_in(2) ? "P2P broadcast failed." : ""};
}

// What is in the pool lands at once, unless the seed knows better.
Fate Storm::fate(const Hash& txid, std::int64_t at_ms) {
  if (auto found = last_moment_.find(txid); found != last_moment_.end())
    return at_ms < found->second ? Fate::wait : Fate::land;
  if (!uncertain_fates_) return Fate::land;
  constexpr Fate fates[] = {Fate::land, Fate::land, Fate::fail, Fate::vanish,
                            Fate::wait, Fate::wait, Fate::wait};
  return fates[random_.below(std::size(fates))];
}

void Storm::disturb() {
  for (auto& fault : faults_) {
    if (!fault.active && random_.one_in(fault.begins_one_in)) {
      fault.active = fault.end != nullptr;
      ++figures_.faults[fault.name];
      fault.begin();
    } else if (fault.active && random_.one_in(lasts_)) {
      fault.active = false;
      fault.end();
    }
  }
}

void Storm::heal() {
  for (auto& fault : faults_)
    if (std::exchange(fault.active, false)) fault.end();
  world_.crashes.disarm();
  last_moment_.clear();
  hide_transactions(false);
  auto& parameters = world_.chain.parameters();
  parameters.set(devchain::parameter::memo_fee, usual_memo_fee);
  parameters.set(devchain::parameter::bandwidth_price, usual_bandwidth_price);
  parameters.set(devchain::parameter::energy_price, usual_energy_price);
  world_.network.refused.clear();
  for (auto& node : more_nodes_) node->refused.clear();
  if (world_.options.anchor_balance_sun < plenty) refill();
  if (!taken_.empty()) fill_custody();
  if (poor_gateway_) world_.deposit(1'000'000'000, "", to_hex(world_.ledger.gateway_key.public_key()));
  healed_at_ = world_.chain.head().ref.number;
}

// Of every node: only blocks show them.
void Storm::hide_transactions(bool hidden) {
  world_.network.hides_transactions = hidden;
  for (auto& node : more_nodes_) node->hides_transactions = hidden;
}

void Storm::refill() {
  world_.pay(world_.payer, tron::address_of(world_.ledger.anchor_key.public_key()), 100'000'000);
}

void Storm::deposit() {
  const auto& owner = owners_[random_.below(owners_.size())];
  if (!addresses_.empty() && random_.one_in(2)) return deposit_at_address(owner.public_key());
  std::string memo = random_.one_in(4) ? "" : to_hex(owner.public_key());
  std::uint64_t amount = 1 + random_.below(1000);
  if (random_.one_in(3))
    world_.deposit_token(amount * btt20_unit, memo, random_.one_in(5) ? lookalike_token : btt20_token);
  else
    world_.deposit(static_cast<std::int64_t>(amount), random_.one_in(2) ? "1002000" : "", memo);
}

// Some with a memo that names somebody else.
void Storm::deposit_at_address(const PublicKey& owner) {
  const auto& address = addresses_.at(owner);
  std::string memo = random_.one_in(4) ? to_hex(owners_.front().public_key()) : "";
  auto amount = static_cast<std::int64_t>(1 + random_.below(1'000));
  if (random_.one_in(3))
    world_.call(world_.payer, btt20_token,
                tron::trc20::transfer_call(address, static_cast<core::ChainAmount>(amount) * btt20_unit),
                memo);
  else if (random_.one_in(2))
    world_.pay(world_.payer, address, amount, btt_token, memo);
  else
    world_.pay(world_.payer, address, amount * 5'000, "", memo);
}

// Mostly to an address of the owner's, known to the chain or new to it. To custody itself nothing is sent.
void Storm::withdraw() {
  const auto& owner = owners_[random_.below(owners_.size())];
  auto to = random_.one_in(2) ? owner.public_key() : key_from(world_.options.entropy).public_key();
  core::AssetId asset{1 + static_cast<std::uint32_t>(random_.below(pays_tokens_ ? btt20 : trx))};
  bool in_vain = random_.one_in(40);
  auto destination = in_vain ? world_.custody : tron::address_of(to);
  // No two amounts are the same.
  auto amount = static_cast<core::Amount>(1'000 * (1 + random_.below(100)) + withdrawals_.size());
  auto fee = static_cast<core::Amount>(random_.below(3));
  auto asked = world_.ledger.submit(owner, core::Withdraw{asset, amount, fee, destination.bytes});
  if (asked) withdrawals_[{asked->value}] = owner.public_key();
}

// Somebody else has custody's key, and leaves no more than fees of what custody has of one asset.
void Storm::empty_custody() {
  auto account = *world_.chain.account(world_.custody);
  constexpr std::int64_t left_sun = 2'000'000;
  bool takes_btt = random_.one_in(2);
  auto amount = takes_btt ? account.tokens[btt_token] : account.balance_sun - left_sun;
  if (amount <= 0 || account.balance_sun < left_sun) return;
  taken_.insert(world_
                    .pay(world_.custody_key, tron::address_of(world_.payer.public_key()), amount,
                         takes_btt ? btt_token : "")
                    .txid);
}

// More than was ever taken; it is the payer's on the ledger.
void Storm::fill_custody() {
  world_.deposit(2'000'000'000, "");
  world_.deposit(2'000'000'000, btt_token);
}

// A second process starts while the first still believes that it is alone: it may have been stopped in the
// middle of a step, and goes on with it only now.
void Storm::take_over() {
  rival_store_ = std::move(world_.store);
  rival_worker_ = std::move(world_.worker);
  rival_scanner_ = std::move(world_.scanner);
  rival_gateway_ = std::move(world_.gateway);
  rival_sweeper_ = std::move(world_.sweeper);
  rival_exchange_ = std::move(world_.exchange);
  rival_scanner_->also(World::meet_all(rival_exchange_.get(), *rival_gateway_, *rival_sweeper_));
  rival_connection_ = std::move(world_.connection);
  rival_sleeps_ = random_.below(20);
  dynamic_cast<StaleStore&>(*rival_store_).freeze(world_.tables);
  world_.start();
}

void Storm::step_rival() {
  if (!rival_worker_) return;
  if (rival_sleeps_ > 0) {
    --rival_sleeps_;
    return;
  }
  try {
    static_cast<void>(rival_worker_->step());
    static_cast<void>(rival_scanner_->step());
    if (world_.pays) static_cast<void>(rival_gateway_->step());
    if (rival_exchange_) static_cast<void>(rival_exchange_->step());
    if (world_.sweeps) static_cast<void>(rival_sweeper_->step());
    dynamic_cast<StaleStore&>(*rival_store_).thaw();
  } catch (const anchoring::Fenced&) {
    rival_worker_.reset();
  } catch (const Crash&) {
    rival_worker_.reset();
  }
}

// Of the process, or of a second one that is awake.
void Storm::ask_exchange() {
  bool has_rival = rival_worker_ && !dynamic_cast<StaleStore&>(*rival_store_).is_frozen();
  bool of_rival = has_rival && random_.one_in(2);
  try {
    clients_->act(of_rival ? *rival_exchange_ : *world_.exchange);
  } catch (const anchoring::Fenced&) {
    rival_worker_.reset();
  } catch (const Crash&) {
    if (of_rival)
      rival_worker_.reset();
    else
      world_.start();
  }
}

// --- its course

void Storm::run() {
  std::uint64_t blocks = 30 + random_.below(40);
  for (std::uint64_t i = 0; i < blocks && !::testing::Test::HasFailure(); ++i) {
    if (random_.one_in(3)) world_.ledger.add_entry();
    if (random_.one_in(5)) deposit();
    if (world_.pays && random_.one_in(4)) withdraw();
    for (int times = clients_ ? 2 : 0; times > 0; --times) ask_exchange();
    disturb();
    tick(next_step_ms());
  }
  heal();
  if (!::testing::Test::HasFailure()) settle();
  if (clients_ && !::testing::Test::HasFailure()) deposit_in_calm();
  if (!::testing::Test::HasFailure()) check_end();
}

void Storm::tick(std::int64_t after_ms) {
  bool rival_first = random_.one_in(2);
  if (rival_first) step_rival();
  world_.tick(after_ms);
  if (!rival_first) step_rival();
  check_block();
}

// Mostly some missed slots; never past the last moment of a transaction that waits for it, nor past its last
// resend.
std::int64_t Storm::next_step_ms() {
  constexpr std::int64_t steps[] = {3'000, 3'000, 6'000, 15'000, 30'000, 60'000};
  std::int64_t step = steps[random_.below(std::size(steps))];
  std::int64_t now_ms = world_.clock.now_ms();
  for (const auto& [txid, expiration_ms] : last_moment_)
    for (std::int64_t at_ms : {expiration_ms - minute_ms / 2, expiration_ms})
      if (now_ms < at_ms && at_ms < now_ms + step) step = at_ms - now_ms;
  return step;
}

void Storm::settle() {
  std::int64_t blocks = max_calm_blocks + (world_.pays ? max_blocks_of_payments : 0);
  if (tight_ceiling_) blocks *= 4;
  for (std::int64_t i = 0; i < blocks && !::testing::Test::HasFailure(); ++i) {
    if (is_settled()) return;
    world_.tick(calm_step());
    check_block();
  }
  if (!is_settled())
    ADD_FAILURE() << "not settled: anchor " << world_.newest_anchor().id << " is "
                  << name(world_.newest_anchor().state) << "; withdrawals are "
                  << (is_paid_out() ? "settled; " : "open; ")
                  << (clients_ && !clients_->is_settled() ? "clients wait; " : "") << world_.last_problem();
}

void Storm::deposit_in_calm() {
  clients_->deposit_in_calm(*world_.exchange, [&](bool reachable) {
    world_.network.reachable = reachable;
    for (auto& node : more_nodes_) node->reachable = reachable;
  });
  settle();
}

std::int64_t Storm::calm_step() {
  // After failures the worker waits by design, and longer each time. (What is in the pool lands first.)
  const auto anchor = world_.newest_anchor();
  bool failed = world_.chain.pool_size() == 0 && anchor.state == AnchorState::expired && anchor.block != 0;
  if (failed) return 10 * minute_ms;
  if (waits_for_tomorrow()) return day_ms;
  return waits_for_clients() ? 61 * minute_ms : calm_step_ms;
}

bool Storm::is_settled() {
  return is_anchored_and_scanned() && (!clients_ || clients_->is_settled());
}

// What was prepared expires, and what no Withdraw followed is idle.
bool Storm::waits_for_clients() {
  return clients_ && !clients_->is_settled() && !clients_->is_landing() && is_anchored_and_scanned();
}

bool Storm::is_anchored_and_scanned() {
  const auto anchor = world_.newest_anchor();
  // One that was taken over from may have sealed once more, which waits for the next anchor.
  bool anchored = anchor.state == AnchorState::solidified && anchor.size >= world_.ledger.size_of_news();
  std::int64_t last_deposit = 0;
  for (const auto& [place, deposit] : world_.tables.deposits)
    last_deposit = std::max(last_deposit, static_cast<std::int64_t>(deposit.at.block));
  bool fees_are_booked =
      world_.ledger.totals_of(trx).chain_fees == static_cast<core::ChainAmount>(world_.tables.sweep_fees_sun);
  return anchored && is_paid_out() && fees_are_booked && world_.store->open_sweeps().empty() &&
         world_.tables.cursor && world_.tables.cursor->number == world_.chain.solidified() &&
         world_.chain.pool_size() == 0 &&
         world_.chain.solidified() > std::max(last_deposit + world_.options.solid_after, healed_at_ + 1);
}

// What a single node's word is good for is used up, and nothing is under way that a day would outlast.
bool Storm::waits_for_tomorrow() {
  if (!tight_ceiling_ || world_.chain.pool_size() > 0) return false;
  if (!world_.scanner->waits_for().empty()) return true;
  auto open = world_.store->open_payments();
  return world_.pays && !is_paid_out() &&
         std::all_of(open.begin(), open.end(), [](const auto& payment) { return is_final(payment.state); });
}

bool Storm::is_paid_out() {
  const auto& channels = world_.ledger.state().channels;
  return world_.store->open_payments().empty() &&
         std::none_of(withdrawals_.begin(), withdrawals_.end(),
                      [&](const auto& asked) { return channels.find(asked.first)->open; });
}

// --- what may never be

std::optional<tron::Address> Storm::swept(const tron::ChainTransaction& transaction) const {
  const auto* transfer = std::get_if<tron::TransferContract>(&transaction.contract);
  const auto* call = std::get_if<tron::ContractCall>(&transaction.contract);
  for (const auto& [owner, address] : addresses_)
    if ((transfer && transfer->owner == address) || (call && call->owner == address) ||
        (transfer && transfer->owner == world_.custody && transfer->to == address))
      return address;
  return std::nullopt;
}

bool Storm::is_payment(const tron::ChainTransaction& transaction) const {
  if (swept(transaction)) return false;
  const auto* transfer = std::get_if<tron::TransferContract>(&transaction.contract);
  const auto* call = std::get_if<tron::ContractCall>(&transaction.contract);
  return (transfer && transfer->owner == world_.custody) || (call && call->owner == world_.custody);
}

bool Storm::is_of_client(const tron::ChainTransaction& transaction) const {
  const auto* transfer = std::get_if<tron::TransferContract>(&transaction.contract);
  return clients_ && transfer && clients_->owner_of(transfer->owner);
}

void Storm::check_send(ByteView transaction) {
  auto parsed = *tron::parse_transaction(transaction);
  Sent sent{.withdrawal = {},
            .expiration_ms = parsed.expiration_ms,
            .swept = swept(parsed),
            .of_client = is_of_client(parsed)};
  if (sent.of_client)
    clients_->check_send(transaction, parsed);
  else if (sent.swept)
    check_sweep(transaction, parsed);
  else if (is_payment(parsed))
    sent.withdrawal = check_payment(transaction, parsed);
  else
    check_anchor(transaction, parsed);
  check_alone(parsed, sent);
  if (sent_.emplace(parsed.txid, sent).second && last_moments_ && random_.one_in(2)) {
    last_moment_[parsed.txid] = parsed.expiration_ms;
    if (hidden_last_moments_) hide_transactions(true);
  }
}

// What is sent was saved before, and stays the gateway's.
void Storm::check_sweep(ByteView transaction, const tron::ChainTransaction& parsed) const {
  auto saved = world_.tables.sweeps.find(parsed.txid);
  ASSERT_TRUE(saved != world_.tables.sweeps.end()) << to_hex(parsed.txid) << " was sent unsaved";
  EXPECT_TRUE(saved->second.transaction == transaction) << to_hex(parsed.txid);
  const auto* call = std::get_if<tron::ContractCall>(&parsed.contract);
  if (call) {
    EXPECT_EQ(to_hex(call->data), to_hex(tron::trc20::transfer_call(world_.custody, saved->second.amount)));
    return;
  }
  const auto& transfer = std::get<tron::TransferContract>(parsed.contract);
  EXPECT_TRUE(transfer.to == world_.custody || transfer.owner == world_.custody) << to_hex(parsed.txid);
}

// Two transactions that could both land must never be out at the same time: two anchors, two sweeps of one
// address, or two payments of one withdrawal, of which none follows one that landed either.
void Storm::check_alone(const tron::ChainTransaction& sent, const Sent& of) {
  if (of.of_client || world_.is_over(sent.txid, of.expiration_ms)) return;
  for (const auto& [txid, other] : sent_) {
    if (other.of_client || txid == sent.txid || other.withdrawal != of.withdrawal || other.swept != of.swept)
      continue;
    EXPECT_TRUE(world_.is_over(txid, other.expiration_ms)) << to_hex(txid) << " may still land";
    bool pays_again = of.withdrawal != core::ChannelId{} && world_.succeeded(txid) == true;
    EXPECT_FALSE(pays_again) << to_hex(txid) << " has paid withdrawal " << of.withdrawal.value;
  }
}

// What is sent was saved before, and what is anchored is this log.
void Storm::check_anchor(ByteView transaction, const tron::ChainTransaction& parsed) {
  bool saved = false;
  for (const auto& [id, anchor] : world_.tables.anchors) saved = saved || anchor.transaction == transaction;
  EXPECT_TRUE(saved) << to_hex(parsed.txid) << " was sent unsaved";

  auto anchored = anchored_by(parsed);
  ByteReader memo(anchored);
  auto size = memo.be<std::uint64_t>();
  ASSERT_LE(size, world_.ledger.size());
  EXPECT_EQ(to_hex(anchoring::anchor_memo(size, world_.ledger.root(size))), to_hex(anchored));
}

// What is sent was saved before, and pays a withdrawal that is open. Which one?
core::ChannelId Storm::check_payment(ByteView transaction, const tron::ChainTransaction& parsed) {
  const auto& payments = world_.tables.payments;
  auto saved = std::find_if(payments.begin(), payments.end(),
                            [&](const auto& entry) { return entry.second.transaction == transaction; });
  EXPECT_TRUE(saved != payments.end()) << to_hex(parsed.txid) << " was sent unsaved";
  if (saved == payments.end()) return {};
  auto id = saved->second.withdrawal;
  const auto& withdrawal = *world_.ledger.state().channels.find(id);
  check_paid(parsed, withdrawal);
  EXPECT_TRUE(withdrawal.open || world_.is_over(parsed.txid, parsed.expiration_ms))
      << id.value << " is settled";
  return id;
}

// It pays the withdrawal's amount to its destination.
void Storm::check_paid(const tron::ChainTransaction& parsed, const core::Channel& withdrawal) const {
  auto amount = withdrawal.deposit - withdrawal.fee;
  if (const auto* call = std::get_if<tron::ContractCall>(&parsed.contract)) {
    auto wanted = tron::trc20::transfer_call(*tron::address_from_bytes(withdrawal.content),
                                             static_cast<core::ChainAmount>(amount) * btt20_unit);
    EXPECT_EQ(to_hex(call->data), to_hex(wanted)) << withdrawal.id.value;
    EXPECT_TRUE(call->contract == btt20_token && withdrawal.asset.value == btt20) << withdrawal.id.value;
    return;
  }
  const auto& transfer = std::get<tron::TransferContract>(parsed.contract);
  EXPECT_EQ(transfer.amount, amount) << withdrawal.id.value;
  EXPECT_EQ(to_hex(view(transfer.to.bytes)), to_hex(withdrawal.content)) << withdrawal.id.value;
  EXPECT_EQ(transfer.token_id, withdrawal.asset.value == trx ? "" : btt_token) << withdrawal.id.value;
}

void Storm::check_block() {
  check_deposits();
  if (more_nodes_.empty()) check_ceilings();
  check_payments();
  check_fees();
  if (clients_) clients_->check_block();
  ++figures_.blocks;
}

// Of a single node's word: a day's credits, and a day's payments whatever became of them.
void Storm::check_ceilings() const {
  std::map<std::pair<core::TimeUs, core::AssetId>, core::ChainAmount> credited, signed_out;
  for (const auto& [key, deposit] : world_.tables.deposits)
    credited[{anchoring::start_of_day(deposit.seen_us), deposit.asset}] += deposit.amount;
  for (const auto& [key, payment] : world_.tables.payments)
    signed_out[{anchoring::start_of_day(payment.signed_us), payment.asset}] += payment.amount;
  const auto& assets = world_.ledger.state().globals.assets;
  auto most = [&](const anchoring::Ceilings& ceilings, core::AssetId asset) {
    return anchoring::ceiling_of(ceilings, assets[asset.value - 1]);
  };
  for (const auto& [of, amount] : credited)
    EXPECT_TRUE(amount <= most(*world_.deposit_ceilings, of.second))
        << "credited, of asset " << of.second.value;
  for (const auto& [of, amount] : signed_out)
    EXPECT_TRUE(amount <= most(*world_.payer_options.single_node_ceilings, of.second))
        << "paid, of asset " << of.second.value;
}

// What is said of a payment is final on the chain, and nothing is settled that is not.
void Storm::check_payments() {
  for (const auto& [key, payment] : world_.tables.payments) {
    const auto& txid = payment.transaction_id;
    bool is_open = world_.ledger.state().channels.find(payment.withdrawal)->open;
    if ((is_open && !is_final(payment.state)) || !checked_payments_.insert(txid).second) continue;
    EXPECT_TRUE(world_.is_over(txid, payment.expiration_ms)) << to_hex(txid) << " may still land";
    auto landed = world_.succeeded(txid);
    EXPECT_EQ(name(payment.state), name(!landed   ? PaymentState::expired
                                        : *landed ? PaymentState::landed
                                                  : PaymentState::failed))
        << to_hex(txid);
  }
}

// Prices change only between blocks: what was signed at this one was signed by the present ones.
void Storm::check_fees() {
  const auto& parameters = world_.chain.parameters();
  auto ceiling = world_.tables.controls.fee_ceiling_sun.value_or(world_.worker_options.max_fee_sun);
  for (const auto& [id, anchor] : world_.tables.anchors) {
    if (anchor.transaction.empty() || !checked_fees_.insert(anchor.transaction_id).second || ceiling == 0)
      continue;
    auto transaction = *tron::parse_transaction(anchor.transaction);
    auto sun = transaction.fee_limit_sun +
               tron::bandwidth_of(anchor.transaction) * parameters[devchain::parameter::bandwidth_price];
    if (!transaction.memo.empty()) sun += parameters[devchain::parameter::memo_fee] + 1;
    EXPECT_LE(sun, ceiling) << id;
  }
  for (const auto& [key, payment] : world_.tables.payments)
    if (checked_fees_.insert(payment.transaction_id).second) check_fee(payment);
}

void Storm::check_fee(const anchoring::Payment& payment) const {
  const auto& parameters = world_.chain.parameters();
  auto sun = tron::bandwidth_of(payment.transaction) * parameters[devchain::parameter::bandwidth_price];
  sun += tron::parse_transaction(payment.transaction)->fee_limit_sun;
  if (payment.asset.value != btt20 && !world_.chain.account(payment.destination))
    sun += parameters[devchain::parameter::new_account_fee] +
           parameters[devchain::parameter::create_account_fee];
  auto ceiling = world_.payer_options.max_fee_sun;
  EXPECT_TRUE(ceiling == 0 || sun <= ceiling) << sun << " for withdrawal " << payment.withdrawal.value;
}

// What is credited stands in a solidified block.
void Storm::check_deposits() {
  for (const auto& [key, deposit] : world_.tables.deposits) {
    const auto& txid = deposit.transaction_id;
    if (!checked_deposits_.insert(txid).second) continue;
    auto place = world_.chain.find(txid);
    EXPECT_TRUE(place && place->block == static_cast<std::int64_t>(deposit.at.block) &&
                place->block <= world_.chain.solidified())
        << "the deposit " << to_hex(txid) << " is in no solidified block";
  }
}

void Storm::check_end() {
  check_anchors();
  check_balances();
  if (world_.pays) check_custody();
  check_holdings();
  if (clients_) {
    clients_->check_end(*world_.exchange);
    figures_.exchange = clients_->figures();
  }
  for (const auto& outcome : world_.outcomes) ++figures_.outcomes[outcome];
  for (const auto& outcome : world_.payment_outcomes) ++figures_.payments[outcome];
  for (const auto& outcome : world_.sweep_outcomes) ++figures_.sweeps[outcome];
  figures_.withdrawals = withdrawals_.size();
}

void Storm::check_anchors() {
  // Every anchor that is said to have landed did, no other did, and none twice.
  auto memos = world_.landed_memos();
  if (world_.worker_options.contract) {
    memos.clear();
    for (const auto& event : world_.landed_events())
      memos.push_back(anchoring::anchor_memo(event.size, event.root));
  }
  std::set<std::string> landed(memos.begin(), memos.end());
  EXPECT_EQ(landed.size(), memos.size());
  EXPECT_EQ(memos.size(), world_.solidified_anchors());
  for (const auto& [id, anchor] : world_.tables.anchors)
    EXPECT_EQ(landed.contains(anchoring::anchor_memo(anchor.size, anchor.root)),
              anchor.state == AnchorState::solidified)
        << id;
  figures_.anchors = world_.tables.anchors.size();
  figures_.landed = memos.size();
}

// Every deposit on the chain was credited, once, to its owner, who has it still or withdrew it.
void Storm::check_balances() {
  auto expected = deposits_on_chain();
  std::size_t never_told_again = 0;  // saved, and then the node no longer said so
  for (const auto& [key, deposit] : world_.tables.deposits) {
    auto credit = world_.ledger.find_credit(anchoring::tron_chain, deposit.at);
    // (An invented one may be credited without an answer, and never be told again.)
    EXPECT_TRUE(deposit.sequence == credit || (!deposit.sequence && invented_.contains(key)))
        << to_hex(deposit.transaction_id);
    if (!invented_.contains(key)) continue;
    if (credit)
      expected.push_back(
          {*deposit.owner, deposit.asset.value, static_cast<core::Amount>(deposit.amount / btt20_unit)});
    else
      ++never_told_again;
  }
  EXPECT_EQ(world_.ledger.count(core::Kind::credit), expected.size());
  EXPECT_EQ(world_.tables.deposits.size(), expected.size() + never_told_again);
  std::map<std::pair<PublicKey, std::uint32_t>, core::Amount> owed;
  for (const auto& deposit : expected) owed[{deposit.owner, deposit.asset}] += deposit.amount;
  auto gateway = world_.ledger.gateway_key.public_key();
  for (const auto& [id, owner] : withdrawals_) {
    const auto& withdrawal = *world_.ledger.state().channels.find(id);
    if (withdrawal.claimed == 0) continue;
    owed[{owner, withdrawal.asset.value}] -= withdrawal.deposit;
    owed[{gateway, withdrawal.asset.value}] += withdrawal.fee;
  }
  for (const auto& [key, payment] : world_.tables.payments) owed[{gateway, trx}] -= payment.fee_sun;
  owed[{gateway, trx}] -= world_.tables.sweep_fees_sun;
  for (const auto& [of, amount] : owed) EXPECT_EQ(world_.ledger.available(of.first, of.second), amount);
  figures_.deposits = expected.size();
}

// What left custody paid each withdrawal that is paid, once, and no other; the rest is there, to the sun.
void Storm::check_custody() {
  auto moves = moves_of_custody();
  for (const auto& [id, owner] : withdrawals_) {
    const auto& withdrawal = *world_.ledger.state().channels.find(id);
    EXPECT_EQ(moves.paid[id], withdrawal.claimed == withdrawal.deposit ? 1 : 0) << id.value;
  }
  devchain::DevChainClient client(world_.chain);
  auto surplus = [&](std::uint32_t asset, const std::string& token) {
    const auto& totals = world_.ledger.totals_of(asset);
    EXPECT_EQ(totals.held, 0);
    auto there = static_cast<core::Int128>(*client.solidified_balance(world_.custody, token));
    there += stands_at_addresses(asset);
    return static_cast<core::Amount>(there - static_cast<core::Int128>(totals.credited - totals.paid));
  };
  EXPECT_EQ(world_.tables.sweep_fees_sun, moves.sweep_fees_sun);
  EXPECT_EQ(static_cast<std::int64_t>(world_.ledger.totals_of(trx).chain_fees), moves.sweep_fees_sun);
  EXPECT_EQ(surplus(btt, btt_token), moves.more_btt);
  EXPECT_EQ(surplus(trx, ""), moves.more_sun);
  core::ChainAmount invented = 0;
  for (const auto& [key, deposit] : world_.tables.deposits)
    if (invented_.contains(key) && world_.ledger.find_credit(anchoring::tron_chain, deposit.at))
      invented += deposit.amount;
  EXPECT_EQ(surplus(btt20, tron::to_base58(btt20_token)), static_cast<core::Amount>(-invented));
}

core::Int128 Storm::stands_at_addresses(std::uint32_t asset) const {
  core::Int128 sum = 0;
  for (const auto& [of, amount] : world_.tables.holdings)
    if (of.second.value == asset) sum += amount;
  return sum;
}

// What the scan has counted on deposit addresses is there, to the unit, and nothing else is.
void Storm::check_holdings() {
  devchain::DevChainClient client(world_.chain);
  for (const auto& [owner, address] : addresses_)
    for (const auto& asset : world_.ledger.state().globals.assets) {
      auto counted = world_.tables.holdings.find({address, asset.number});
      auto amount = counted == world_.tables.holdings.end() ? 0 : counted->second;
      EXPECT_TRUE(core::Int128(*client.solidified_balance(address, asset.token)) == amount) << asset.symbol;
    }
}

Storm::Moves Storm::moves_of_custody() {
  std::map<Hash, const anchoring::Payment*> payments;
  for (const auto& [key, payment] : world_.tables.payments) payments[payment.transaction_id] = &payment;
  Moves moves;
  devchain::DevChainClient client(world_.chain);
  for (std::int64_t number = 1; number <= world_.chain.solidified(); ++number) {
    auto block = client.block(number);
    for (std::size_t i = 0; i < (*block)->transactions.size(); ++i) {
      const auto& transaction = (*block)->transactions[i];
      const auto* transfer = std::get_if<tron::TransferContract>(&transaction.contract);
      auto fee_sun = world_.chain.block(number)->receipts[i].fee_sun;
      if (taken_.contains(transaction.txid)) {
        moves.more_sun -= fee_sun;
        auto& more = transfer->token_id.empty() ? moves.more_sun : moves.more_btt;
        more -= transaction.succeeded ? transfer->amount : 0;
      } else if (swept(transaction)) {
        moves.sweep_fees_sun += fee_sun;
      } else if (is_payment(transaction)) {
        const auto* payment = payments[transaction.txid];
        EXPECT_TRUE(payment) << to_hex(transaction.txid) << " pays nothing";
        if (!payment) continue;
        EXPECT_EQ(payment->fee_sun, fee_sun);
        moves.paid[payment->withdrawal] += transaction.succeeded ? 1 : 0;
      } else if (transfer && transfer->to == world_.custody && transfer->owner == world_.worker->address()) {
        moves.more_sun += transaction.succeeded ? transfer->amount : 0;
      }
    }
  }
  return moves;
}

std::vector<Storm::OnChain> Storm::deposits_on_chain() {
  std::vector<OnChain> found;
  devchain::DevChainClient client(world_.chain);
  for (std::int64_t number = 1; number <= world_.chain.solidified(); ++number) {
    auto block = client.block(number);
    for (const auto& transaction : (*block)->transactions) {
      auto moved = transaction.succeeded ? moved_to_custody(transaction) : std::nullopt;
      if (!moved) continue;
      auto owner =
          transaction.memo.empty() ? world_.payer.public_key() : *to_array<33>(*from_hex(transaction.memo));
      if (is_of_client(transaction))
        owner =
            clients_->owner_of(std::get<tron::TransferContract>(transaction.contract).owner)->public_key();
      for (const auto& [key, address] : addresses_)
        if (recipient(transaction) == address) owner = key;
      found.push_back({owner, moved->first, moved->second});
    }
  }
  return found;
}

// Or to a deposit address. As it was asked for, not as it was logged.
std::optional<std::pair<std::uint32_t, core::Amount>> Storm::moved_to_custody(
    const tron::ChainTransaction& transaction) const {
  if (swept(transaction)) return std::nullopt;
  if (const auto* transfer = std::get_if<tron::TransferContract>(&transaction.contract)) {
    bool is_at_address = std::any_of(addresses_.begin(), addresses_.end(),
                                     [&](const auto& entry) { return entry.second == transfer->to; });
    if (transfer->to != world_.custody && !is_at_address) return std::nullopt;
    if (transfer->owner == world_.custody || transfer->owner == world_.worker->address()) return std::nullopt;
    return std::pair(transfer->token_id.empty() ? trx : btt, transfer->amount);
  }
  const auto* call = std::get_if<tron::ContractCall>(&transaction.contract);
  if (!call || call->contract != btt20_token || call->owner == world_.custody) return std::nullopt;
  auto amount = tron::abi::read_amount(ByteView(call->data).substr(call->data.size() - 32));
  return std::pair(btt20, static_cast<core::Amount>(*amount / btt20_unit));
}

Hash Storm::trace() {
  std::string all;
  all += view(world_.ledger.root(world_.ledger.size()));
  all += view(world_.chain.head().ref.id);
  for (const auto& transaction : world_.network.sent) all += transaction;
  for (const auto& node : more_nodes_)
    for (const auto& transaction : node->sent) all += transaction;
  for (const auto& outcome : world_.outcomes) all += outcome;
  for (const auto& outcome : world_.payment_outcomes) all += outcome;
  for (const auto& outcome : world_.sweep_outcomes) all += outcome;
  for (const auto& problem : world_.problems) all += problem;
  for (const auto& [id, anchor] : world_.tables.anchors) all += view(anchor.transaction_id);
  for (const auto& [key, payment] : world_.tables.payments)
    all.append(view(payment.transaction_id)).append(name(payment.state));
  return sha256(all);
}

}  // namespace windlass::test
