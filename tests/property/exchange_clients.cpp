#include "tests/property/exchange_clients.h"

#include "ledger/codec/btfs.h"

namespace windlass::test {
namespace {

namespace btfs = codec::btfs;
using anchoring::Exchange;
using anchoring::ExchangeDepositState;
using protocol::Response;

constexpr const char* btt_token = "1002000";
// What one client has at first: more than it ever asks for, on the chain and on the ledger.
constexpr std::int64_t sun = 1'000'000'000, on_chain = 1'000 * anchoring::least_exchange_deposit;
constexpr core::Amount on_ledger = 10'000'000;
// Under way at once, and then no more are begun.
constexpr std::size_t enough = 6;
// Far below what such clients withdraw, as all withdrawals of a storm are.
constexpr core::Amount least_withdrawal = 1'000;
constexpr auto channel_life_us = anchoring::exchange_withdrawal_life_us;

std::string tron_signature(const SecretKey& key, const std::string& raw_data) {
  return std::string(view(key.sign_recoverable(sha256(raw_data))));
}

template <typename Wanted>
Wanted* some_open(Seeded& random, std::vector<Wanted>& all) {
  std::vector<Wanted*> open;
  for (auto& wanted : all)
    if (!wanted.given_up) open.push_back(&wanted);
  return open.empty() ? nullptr : open[random.below(open.size())];
}

template <typename Wanted>
std::size_t count_open(const std::vector<Wanted>& all) {
  return static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [](const auto& wanted) { return !wanted.given_up; }));
}

// What both kinds of request begin with.
template <typename Request, typename Wish>
Request request_for(const Wish& wish) {
  Request request;
  request.set_amount(wish.amount);
  request.set_out_tx_id(wish.out_tx_id);
  request.set_user_address(btfs::address_of(wish.user->public_key()));
  return request;
}

}  // namespace

ExchangeClients::ExchangeClients(Seeded& random, World& world, Withdrawals& withdrawals)
    : random_(random), world_(world), withdrawals_(withdrawals) {
  for (int i = 0; i < 2; ++i) users_.push_back(key_from(world_.options.entropy));
  world_.exchange_options.minimum_withdrawal = least_withdrawal;
  world_.exchanges = true;
}

void ExchangeClients::fund() {
  for (const auto& user : users_) {
    auto address = tron::address_of(user.public_key());
    world_.pay(world_.payer, address, sun);
    world_.pay(world_.payer, address, on_chain, btt_token);
    world_.deposit(on_ledger, btt_token, to_hex(user.public_key()));
  }
}

const SecretKey* ExchangeClients::owner_of(const tron::Address& address) const {
  for (const auto& user : users_)
    if (tron::address_of(user.public_key()) == address) return &user;
  return nullptr;
}

void ExchangeClients::act(Exchange& exchange) {
  if (random_.one_in(2)) {
    if (count_open(deposits_) < enough && random_.one_in(3)) begin_deposit();
    if (auto* deposit = some_open(random_, deposits_)) proceed(*deposit, exchange);
  } else {
    if (count_open(asked_) < enough && random_.one_in(3)) begin_withdrawal();
    if (auto* withdrawal = some_open(random_, asked_)) proceed(*withdrawal, exchange);
  }
}

// --- deposits

void ExchangeClients::begin_deposit() {
  auto amount = anchoring::least_exchange_deposit + static_cast<core::Amount>(random_.below(1'000));
  deposits_.push_back({&some_user(), ++last_out_tx_id_, amount});
}

void ExchangeClients::proceed(Deposit& deposit, Exchange& exchange) {
  if (!deposit.heard) return prepare(deposit, exchange);
  bool never_signs = deposit.out_tx_id % 5 == 0;
  if (!never_signs && (!deposit.signed_away || random_.one_in(5))) return sign(deposit, exchange);
  confirm(deposit, exchange);
}

// Until its client hears the answer: what was prepared stays what it is while it can land.
void ExchangeClients::prepare(Deposit& deposit, Exchange& exchange) {
  auto request = request_for<protocol::PrepareDepositRequest>(deposit);
  auto answer = exchange.prepare_deposit(request);
  if (answer.response().code() != Response::SUCCESS) {
    deposit.given_up = random_.one_in(10);
    return;
  }
  bool changed = deposit.id != 0 && deposit.id != answer.id();
  EXPECT_TRUE(!changed || world_.is_over(deposit.txid, deposit.expiration_ms)) << deposit.id;
  deposit.id = answer.id();
  deposit.raw_data = answer.tron_transaction().raw_data();
  deposit.txid = sha256(deposit.raw_data);
  auto transaction = tron::parse_transaction(tron::join(deposit.raw_data, "s"));
  deposit.expiration_ms = transaction->expiration_ms;
  const auto& transfer = std::get<tron::TransferContract>(transaction->contract);
  EXPECT_TRUE(transfer.owner == tron::address_of(deposit.user->public_key()) &&
              transfer.to == world_.custody && transfer.amount == deposit.amount &&
              transfer.token_id == btt_token)
      << deposit.id;
  deposit.heard = !random_.one_in(4);
}

// Some have another sign first; some send it themselves too.
void ExchangeClients::sign(Deposit& deposit, Exchange& exchange) {
  protocol::DepositRequest request;
  request.set_id(deposit.id);
  auto& transaction = *request.mutable_signed_tron_transaction();
  transaction.set_raw_data(deposit.raw_data);
  if (!deposit.signed_away && random_.one_in(8)) {
    transaction.add_signature(tron_signature(world_.payer, deposit.raw_data));
    EXPECT_NE(exchange.deposit(request).response().code(), Response::SUCCESS) << deposit.id;
    return;
  }
  auto signature = tron_signature(*deposit.user, deposit.raw_data);
  deposit.signed_away = true;
  if (random_.one_in(6)) world_.chain.broadcast(tron::join(deposit.raw_data, signature));
  transaction.add_signature(signature);
  if (exchange.deposit(request).response().code() == Response::SUCCESS) deposit.accepted = true;
}

void ExchangeClients::confirm(Deposit& deposit, Exchange& exchange) {
  protocol::ConfirmDepositRequest request;
  request.set_id(deposit.id);
  auto answer = exchange.confirm_deposit(request);
  auto code = answer.response().code();
  if (code == Response::TRANSACTION_PENDING) return;
  bool landed = code == Response::SUCCESS;
  EXPECT_TRUE(landed || code == Response::TRANSACTION_FAILED || code == Response::TRANSACTION_NOT_EXIST)
      << code << ": " << answer.response().return_message();
  EXPECT_FALSE(code == Response::TRANSACTION_NOT_EXIST && deposit.accepted) << deposit.id << " is forgotten";
  EXPECT_TRUE(world_.is_over(deposit.txid, deposit.expiration_ms)) << deposit.id << " may still land";
  EXPECT_EQ(world_.succeeded(deposit.txid) == true, landed) << deposit.id;
  EXPECT_EQ(deposit.landed.value_or(landed), landed) << deposit.id;
  if (landed) check_confirmed(deposit, answer);
  if (!deposit.landed)
    ++figures_[landed ? "deposit" : deposit.signed_away ? "deposit_failed" : "deposit_dropped"];
  deposit.landed = landed;
  deposit.given_up = true;
}

// It is credited, and the state that its client closes names the credit.
void ExchangeClients::check_confirmed(const Deposit& deposit,
                                      const protocol::ConfirmDepositResponse& answer) const {
  const auto& given = answer.success_channel_state();
  auto gateway = world_.ledger.gateway_key.public_key();
  EXPECT_EQ(btfs::verify(gateway, given.from_signature(), given.channel()), btfs::Error::none);
  auto credited = world_.tables.deposits.find({deposit.txid, 0});
  ASSERT_TRUE(credited != world_.tables.deposits.end() && credited->second.sequence) << deposit.id;
  EXPECT_EQ(world_.ledger.find_credit(anchoring::tron_chain, credited->second.at), credited->second.sequence)
      << deposit.id << " is not credited";
  auto sequence = static_cast<std::int64_t>(credited->second.sequence->value);
  EXPECT_EQ(btfs::parse_channel_state(given.channel()),
            (btfs::ChannelState{sequence, 1, {gateway, 0}, {deposit.user->public_key(), deposit.amount}}));
}

// --- withdrawals

void ExchangeClients::begin_withdrawal() {
  // Few amounts: one could be taken for another.
  auto amount = static_cast<core::Amount>(1'000 * (1 + random_.below(3)));
  asked_.push_back({&some_user(), ++last_out_tx_id_, amount});
}

void ExchangeClients::proceed(Withdrawal& withdrawal, Exchange& exchange) {
  if (!withdrawal.heard) return prepare(withdrawal, exchange);
  if (withdrawal.channel == core::ChannelId{}) {
    withdrawal.channel = open(*withdrawal.user, withdrawal.amount);
    bool never_withdraws = withdrawal.out_tx_id % 5 == 0;
    withdrawal.given_up = never_withdraws || withdrawal.channel == core::ChannelId{};
    return;
  }
  withdraw(withdrawal, exchange);
}

void ExchangeClients::prepare(Withdrawal& withdrawal, Exchange& exchange) {
  auto request = request_for<protocol::PrepareWithdrawRequest>(withdrawal);
  bool to_another = random_.one_in(8);
  auto to = tron::address_of((to_another ? world_.payer : *withdrawal.user).public_key());
  request.set_user_external_address(std::string(view(to.bytes)));
  auto answer = exchange.prepare_withdraw(request);
  bool prepared = answer.response().code() == Response::SUCCESS;
  EXPECT_FALSE(prepared && to_another) << withdrawal.out_tx_id;
  if (!prepared) {
    withdrawal.given_up = random_.one_in(10);
    return;
  }
  bool changed = withdrawal.id != 0 && withdrawal.id != answer.id();
  EXPECT_TRUE(!changed || world_.clock.now_ms() * 1000 > withdrawal.prepared_us + channel_life_us)
      << withdrawal.id << " was forgotten";
  withdrawal.id = answer.id();
  withdrawal.prepared_us = world_.tables.exchange_withdrawals.at(answer.id()).prepared_us;
  withdrawal.heard = !random_.one_in(4);
}

// None where the user has too little.
core::ChannelId ExchangeClients::open(const SecretKey& user, core::Amount amount) {
  auto opened = world_.ledger.open_btfs_channel(user, amount);
  if (!opened) return {};
  channels_[*opened] = {&user, amount, world_.clock.now_ms() * 1000, {}};
  return *opened;
}

// Mostly as it should be. Else with another's id, for another's channel, or for a second one.
void ExchangeClients::withdraw(Withdrawal& withdrawal, Exchange& exchange) {
  auto id = withdrawal.id;
  auto channel = withdrawal.channel;
  switch (random_.below(8)) {
    case 0:
      id = asked_[random_.below(asked_.size())].id;
      break;
    case 1:
      channel =
          std::next(channels_.begin(), static_cast<std::ptrdiff_t>(random_.below(channels_.size())))->first;
      break;
    case 2:
      if (auto second = open(*withdrawal.user, withdrawal.amount); second != core::ChannelId{})
        channel = second;
      break;
    default:
      withdrawal.given_up = random_.one_in(2);  // or it asks again
  }
  withdraw(id, channel, withdrawal, exchange);
}

// As the server does: the gateway signs, then the ledger makes a withdrawal of the channel. (Some servers end
// in between, and the client may ask again.)
void ExchangeClients::withdraw(std::int64_t id, core::ChannelId channel, const Withdrawal& by,
                               Exchange& exchange) {
  auto gateway = world_.ledger.gateway_key.public_key();
  auto sign = [&](ledger::SignedChannelState& out, core::Amount from, core::Amount to) {
    auto number = static_cast<std::int64_t>(channel.value);
    out.set_channel(
        btfs::encode(btfs::ChannelState{number, 1, {by.user->public_key(), from}, {gateway, to}}));
    out.set_from_signature(btfs::sign(*by.user, out.channel()));
  };
  protocol::WithdrawRequest request;
  request.set_id(id);
  sign(*request.mutable_success_channel_state(), 0, by.amount);
  sign(*request.mutable_failure_channel_state(), by.amount, 0);
  auto accepted = exchange.accept_withdrawal(request);
  if (accepted.response().code() != Response::SUCCESS) return;
  check_bound(id, channel);
  if (random_.one_in(4)) return;
  auto made = world_.ledger.withdraw(request, accepted, static_cast<core::Amount>(random_.below(3)));
  if (!made) return;
  ++figures_["withdrawal"];
  withdrawals_[channel] = by.user->public_key();
}

// What the gateway signed for is the user's own, and no other channel's or withdrawal's; it knows so for
// good.
void ExchangeClients::check_bound(std::int64_t id, core::ChannelId channel) {
  auto& opened = channels_.at(channel);
  auto of = std::find_if(asked_.begin(), asked_.end(), [&](const auto& asked) { return asked.id == id; });
  ASSERT_TRUE(of != asked_.end()) << id << " was never prepared";
  EXPECT_EQ(of->user, opened.user) << id << " is another's";
  EXPECT_EQ(of->amount, opened.amount) << id;
  EXPECT_EQ(opened.withdrawal.value_or(id), id) << channel.value << " is bound twice";
  opened.withdrawal = id;
  for (const auto& [other, bound] : channels_)
    EXPECT_TRUE(other == channel || bound.withdrawal != id)
        << id << " is bound to " << other.value << " and " << channel.value;
  auto saved = world_.tables.exchange_withdrawals.find(id);
  EXPECT_TRUE(saved != world_.tables.exchange_withdrawals.end() && saved->second.channel == channel)
      << id << " was signed for unsaved";
}

// --- what may never be

// Its user signed it, which was saved before.
void ExchangeClients::check_send(ByteView transaction, const tron::ChainTransaction& parsed) const {
  auto deposit = std::find_if(deposits_.begin(), deposits_.end(),
                              [&](const auto& of) { return of.txid == parsed.txid; });
  ASSERT_TRUE(deposit != deposits_.end()) << to_hex(parsed.txid) << " was never prepared";
  EXPECT_TRUE(deposit->signed_away) << deposit->id << " was never signed";
  auto saved = world_.tables.exchange_deposits.find(deposit->id);
  ASSERT_TRUE(saved != world_.tables.exchange_deposits.end()) << deposit->id << " was sent unsaved";
  EXPECT_NE(saved->second.state, ExchangeDepositState::prepared) << deposit->id << " was sent unsaved";
  EXPECT_TRUE(tron::join(deposit->raw_data, saved->second.signature) == transaction) << deposit->id;
}

void ExchangeClients::check_block() {
  // What is said of a deposit is final on the chain.
  for (const auto& [id, deposit] : world_.tables.exchange_deposits) {
    if (!is_final(deposit.state) || !checked_.insert(id).second) continue;
    EXPECT_TRUE(world_.is_over(deposit.transaction_id, deposit.expiration_ms)) << id << " may still land";
    auto landed = world_.succeeded(deposit.transaction_id);
    EXPECT_EQ(name(deposit.state), name(!landed   ? ExchangeDepositState::expired
                                        : *landed ? ExchangeDepositState::landed
                                                  : ExchangeDepositState::failed))
        << id;
  }
  // A channel becomes the withdrawal that it was bound to, to its user's own address, or is idle for an hour
  // and goes back whole.
  for (auto& [id, opened] : channels_) {
    const auto& channel = *world_.ledger.state().channels.find(id);
    if (channel.purpose == core::Purpose::withdrawal) {
      EXPECT_TRUE(opened.withdrawal) << id.value << " was never bound";
      EXPECT_EQ(to_hex(channel.content), to_hex(view(tron::address_of(opened.user->public_key()).bytes)));
      continue;
    }
    if (channel.open || std::exchange(opened.given_back, true)) continue;
    EXPECT_EQ(channel.claimed, 0) << id.value;
    EXPECT_GE(world_.clock.now_ms() * 1000, opened.opened_us + channel_life_us)
        << id.value << " was not idle";
    ++figures_[opened.withdrawal ? "given_back_bound" : "given_back"];
  }
}

void ExchangeClients::deposit_in_calm(Exchange& exchange, const std::function<void(bool)>& reach) {
  begin_deposit();
  auto& deposit = deposits_.back();
  deposit.must_land = true;
  for (int i = 0; i < 100 && !deposit.heard; ++i) prepare(deposit, exchange);
  ASSERT_TRUE(deposit.heard) << "nothing can be deposited";
  reach(random_.one_in(2));
  for (int i = 0; i < 100 && !deposit.accepted; ++i) sign(deposit, exchange);
  reach(true);
  EXPECT_TRUE(deposit.accepted) << deposit.id << " is refused";
}

bool ExchangeClients::is_landing() const {
  auto open = world_.store->open_exchange_deposits();
  return std::any_of(open.begin(), open.end(), [&](const auto& deposit) {
    return deposit.state == ExchangeDepositState::signed_ && world_.clock.now_ms() <= deposit.expiration_ms;
  });
}

bool ExchangeClients::is_settled() const {
  return world_.store->open_exchange_deposits().empty() &&
         std::all_of(channels_.begin(), channels_.end(), [&](const auto& entry) {
           return world_.ledger.state().channels.find(entry.first)->purpose == core::Purpose::withdrawal ||
                  entry.second.given_back;
         });
}

void ExchangeClients::check_end(Exchange& exchange) {
  for (auto& deposit : deposits_) {
    if (deposit.id == 0) continue;
    confirm(deposit, exchange);
    EXPECT_TRUE(deposit.landed) << deposit.id << " is pending for ever";
    EXPECT_TRUE(!deposit.must_land || deposit.landed == true) << deposit.id << " did not land";
  }
  for (const auto& withdrawal : asked_)
    if (withdrawal.id != 0) check_told(withdrawal, exchange);
  EXPECT_EQ(world_.ledger.totals_of(btt).locked, 0);
}

// What its client is told at last is what became of it. (The process may have bound it to a channel and ended
// before its client heard of that.)
void ExchangeClients::check_told(const Withdrawal& withdrawal, Exchange& exchange) const {
  protocol::QueryTransactionRequest request;
  request.set_id(withdrawal.id);
  auto code = exchange.query_transaction(request).response().code();
  auto saved = world_.tables.exchange_withdrawals.find(withdrawal.id);
  if (saved == world_.tables.exchange_withdrawals.end()) {
    EXPECT_EQ(code, Response::TRANSACTION_NOT_EXIST) << withdrawal.id;
  } else if (!saved->second.channel) {
    EXPECT_EQ(code, Response::TRANSACTION_PENDING) << withdrawal.id;
  } else {
    bool paid = world_.ledger.state().channels.find(*saved->second.channel)->claimed > 0;
    EXPECT_EQ(code, paid ? Response::SUCCESS : Response::TRANSACTION_FAILED) << withdrawal.id;
  }
}

}  // namespace windlass::test
