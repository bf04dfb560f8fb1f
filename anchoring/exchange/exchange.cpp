#include "anchoring/exchange/exchange.h"

#include <fmt/format.h>

#include "anchoring/gateway/deposit.h"
#include "anchoring/gateway/frame.h"
#include "ledger/codec/btfs.h"

namespace windlass::anchoring {
namespace {

namespace btfs = codec::btfs;
using protocol::Response;
using State = ExchangeDepositState;

constexpr std::string_view token = "1002000";
// Of both outcomes of a channel, and of a deposit's.
constexpr std::int64_t closing_sequence = 1;
constexpr core::Amount micro = 1'000'000;

std::string in_btt(core::Amount amount) {
  auto text = fmt::format("{}.{:06}", amount / micro, amount % micro);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text + " BTT";
}

template <typename Row>
std::size_t count_of(const std::map<std::int64_t, Row>& rows, const PublicKey& user) {
  return static_cast<std::size_t>(
      std::count_if(rows.begin(), rows.end(), [&](const auto& row) { return row.second.user == user; }));
}

}  // namespace

Exchange::Exchange(ExchangeOptions options, SecretKey gateway_key, const Clock& clock, tron::Chain& chain,
                   LedgerClient& ledger, Store& store, core::TermsOf terms)
    : options_(options),
      key_(std::move(gateway_key)),
      clock_(clock),
      chain_(chain),
      ledger_(ledger),
      store_(store),
      terms_(std::move(terms)) {
  for (auto& deposit : store_.open_exchange_deposits()) open_deposits_[deposit.id] = std::move(deposit);
  for (auto& open : store_.open_exchange_withdrawals()) open_withdrawals_[open.id] = std::move(open);
}

// `fill` makes the answer, or says why there is none: the response is there in any case.
template <typename Answer, typename Fill>
Answer Exchange::answer(Fill fill) {
  Answer out;
  out.mutable_response();
  if (Result<void> done = fill(out); !done) {
    out.mutable_response()->set_code(done.error().code);
    out.mutable_response()->set_return_message(done.error().words);
  }
  return out;
}

tl::expected<core::Asset, Exchange::Refusal> Exchange::btt() {
  auto assets = ledger_.assets();
  if (!assets) return refuse(Response::REMOTE_CALL_ERROR, assets.error().message);
  const auto* asset = asset_of(*assets, token);
  if (!asset) return refuse(Response::OTHER_ERROR, "BTT (TRC-10 1002000) is no asset of this ledger");
  return *asset;
}

// --- deposits

protocol::PrepareDepositResponse Exchange::prepare_deposit(const protocol::PrepareDepositRequest& request) {
  return answer<protocol::PrepareDepositResponse>([&](auto& out) -> Result<void> {
    auto deposit = deposit_of(request);
    if (!deposit) return tl::unexpected(deposit.error());
    out.set_id(deposit->id);
    out.mutable_tron_transaction()->set_raw_data(deposit->raw_data);
    return {};
  });
}

tl::expected<ExchangeDeposit, Exchange::Refusal> Exchange::deposit_of(
    const protocol::PrepareDepositRequest& request) {
  auto user = btfs::parse_address(request.user_address());
  if (!user)
    return refuse(Response::REQUEST_PARAM_ILLEGAL, fmt::format("user_address: {}", words(user.error())));
  auto known = store_.exchange_deposit(*user, request.out_tx_id());
  if (!known) return make_deposit(*user, request);
  if (known->amount != request.amount())
    return refuse(Response::TRANSACTION_EXIST,
                  fmt::format("out_tx_id {} is a deposit of {} already; take a new out_tx_id",
                              request.out_tx_id(), in_btt(known->amount)));
  return *known;
}

tl::expected<ExchangeDeposit, Exchange::Refusal> Exchange::make_deposit(
    const PublicKey& user, const protocol::PrepareDepositRequest& request) {
  auto asset = btt();
  if (!asset) return tl::unexpected(asset.error());
  // What a newcomer needs at least would else be credited to nobody.
  auto least = std::max(least_exchange_deposit, asset->minimum_first_credit);
  if (request.amount() < least)
    return refuse(Response::AMOUNT_ILLEGAL, fmt::format("Please deposit at least {}", in_btt(least)));
  if (request.amount() > most_exchanged)
    return refuse(Response::AMOUNT_ILLEGAL,
                  fmt::format("Please deposit at most {} at once", in_btt(most_exchanged)));
  if (store_.controls().deposits_paused)
    return refuse(Response::OTHER_ERROR, "the operator has paused deposits; try again later");
  if (count_of(open_deposits_, user) >= prepared_per_user || open_deposits_.size() >= prepared_in_all)
    return refuse(Response::OTHER_ERROR,
                  fmt::format("too many deposits are prepared and not finished ({} of a key at most, {} in "
                              "all); finish one, or try again when they have expired, {} minutes after each "
                              "was prepared",
                              prepared_per_user, prepared_in_all, exchange_deposit_life_ms / 60'000));

  // What went to a key that was rotated away would be credited to nobody.
  auto account = ledger_.account(user);
  bool is_new = !account && account.error().reason == core::info(core::Error::unknown_key).reason;
  if (!account && !is_new) return refuse(Response::REMOTE_CALL_ERROR, account.error().message);
  if (account && account->key != user)
    return refuse(Response::REQUEST_PARAM_ILLEGAL,
                  "user_address was rotated away: deposit with the account's key of now");
  auto address = tron::address_of(user);
  if (address == options_.custody)
    return refuse(Response::REQUEST_PARAM_ILLEGAL, "user_address is custody's own key: name another");
  auto frame = frame_at_scan(chain_, store_, exchange_deposit_life_ms);
  if (!frame) return refuse(Response::REMOTE_CALL_ERROR, frame.error());
  last_timestamp_ms_ = std::max(last_timestamp_ms_ + 1, clock_.now_ms());
  frame->timestamp_ms = last_timestamp_ms_;
  auto transaction =
      tron::unsigned_transfer({address, options_.custody, request.amount(), std::string(token)}, *frame);
  if (auto can = check_can_pay(address, request.amount(), transaction.raw_data); !can)
    return tl::unexpected(can.error());

  ExchangeDeposit deposit{.user = user, .out_tx_id = request.out_tx_id(), .amount = request.amount()};
  deposit.raw_data = std::move(transaction.raw_data);
  deposit.transaction_id = transaction.txid;
  deposit.expiration_ms = frame->expiration_ms;
  deposit.reference_block = frame->reference.number;
  deposit.prepared_us = clock_.now_ms() * 1000;
  deposit.id = store_.add_exchange_deposit(deposit);
  open_deposits_[deposit.id] = deposit;
  return deposit;
}

// What would fail on the chain is not begun.
tl::expected<void, Exchange::Refusal> Exchange::check_can_pay(const tron::Address& user, core::Amount amount,
                                                              ByteView raw_data) {
  auto account = chain_.account(user);
  if (!account) return refuse(Response::REMOTE_CALL_ERROR, account.error().message);
  if (!account->exists)
    return refuse(Response::INACTIVATED_ACCOUNT,
                  fmt::format("{} does not exist on TRON: send some TRX to it first", to_base58(user)));
  std::int64_t balance = 0;
  for (const auto& [id, held] : account->tokens)
    if (id == token) balance = held;
  if (balance < amount)
    return refuse(Response::USER_TRON_BALANCE_INSUFFICIENT,
                  fmt::format("{} holds {} (TRC-10 1002000), and {} are to be deposited", to_base58(user),
                              in_btt(balance), in_btt(amount)));
  auto parameters = chain_.parameters();
  if (!parameters) return refuse(Response::REMOTE_CALL_ERROR, parameters.error().message);
  auto sun_a_byte = tron::parameter(*parameters, "getTransactionFee");
  if (!sun_a_byte)
    return refuse(Response::REMOTE_CALL_ERROR, "the TRON node does not say what bandwidth costs");
  auto bandwidth = tron::bandwidth_of(tron::join(raw_data, std::string(tron::signature_bytes, '\0')));
  bool has_bandwidth =
      account->free_bandwidth_left >= bandwidth || account->staked_bandwidth_left >= bandwidth;
  if (has_bandwidth || account->balance_sun >= bandwidth * *sun_a_byte) return {};
  return refuse(Response::USER_TRON_BALANCE_INSUFFICIENT,
                fmt::format("the transfer needs {} bandwidth points or {} sun, and {} has neither: send it "
                            "some TRX",
                            bandwidth, bandwidth * *sun_a_byte, to_base58(user)));
}

tl::expected<ExchangeDeposit, Exchange::Refusal> Exchange::find_deposit(std::int64_t id) {
  if (auto deposit = store_.exchange_deposit(id)) return *std::move(deposit);
  if (store_.exchange_withdrawal(id))
    return refuse(Response::TRANSACTION_TYPE_ILLEGAL, fmt::format("{} is a withdrawal", id));
  return refuse(Response::TRANSACTION_NOT_EXIST,
                fmt::format("there is no deposit {}; one that was prepared and not signed is dropped when it "
                            "can no longer land. Prepare another",
                            id));
}

protocol::DepositResponse Exchange::deposit(const protocol::DepositRequest& request) {
  return answer<protocol::DepositResponse>([&](auto& out) -> Result<void> {
    auto deposit = find_deposit(request.id());
    if (!deposit) return tl::unexpected(deposit.error());
    const auto& transaction = request.signed_tron_transaction();
    if (transaction.raw_data() != deposit->raw_data)
      return refuse(Response::REQUEST_PARAM_ILLEGAL,
                    "raw_data is not what PrepareDeposit answered: sign and send exactly that");
    if (deposit->state == State::failed || deposit->state == State::expired)
      return refuse(Response::TRANSACTION_FAILED,
                    "this deposit has failed and can no longer land; prepare another");
    if (deposit->state != State::prepared) return {};  // the same again
    if (auto done = sign(*deposit, transaction); !done) return done;
    auto sent = send(*deposit);
    // Saved, it is sent until it is in a block: what the node says now decides nothing.
    out.mutable_response()->set_return_message(sent ? *sent : sent.error().words);
    return {};
  });
}

tl::expected<void, Exchange::Refusal> Exchange::sign(ExchangeDeposit& deposit,
                                                     const protocol::TronTransaction& transaction) {
  bool one = transaction.signature_size() == 1 && transaction.signature(0).size() == tron::signature_bytes;
  if (!one || recover_key(transaction.signature(0), deposit.transaction_id) != deposit.user)
    return refuse(Response::SIGN_FAILED,
                  "the transaction needs one signature, of user_address' key: 65 bytes r, s, v over SHA-256 "
                  "of raw_data");
  if (clock_.now_ms() > deposit.expiration_ms)
    return refuse(Response::TRANSACTION_FAILED,
                  "the transaction has expired; prepare another, and sign it at once");
  deposit.signature = transaction.signature(0);
  deposit.state = State::signed_;
  save(deposit);
  return {};
}

// What the node said.
tl::expected<std::string, Exchange::Refusal> Exchange::send(const ExchangeDeposit& deposit) {
  sent_ms_[deposit.id] = clock_.now_ms();
  auto answered = chain_.broadcast(tron::join(deposit.raw_data, deposit.signature));
  if (!answered)
    return refuse(Response::REMOTE_CALL_ERROR,
                  "saved, and sent again and again until it is in a block: " + answered.error().message);
  if (tron::pool_after(*answered) != tron::Pool::without) return std::string();
  return fmt::format("saved, and sent again and again until it is in a block; a TRON node refuses it now: {}",
                     answered->message);
}

void Exchange::save(const ExchangeDeposit& deposit) {
  store_.save_exchange_deposit(deposit);
  if (!is_final(deposit.state)) {
    open_deposits_[deposit.id] = deposit;
    return;
  }
  open_deposits_.erase(deposit.id);
  sent_ms_.erase(deposit.id);
}

void Exchange::drop_deposit(std::int64_t id) {
  store_.drop_exchange_deposit(id);
  open_deposits_.erase(id);
}

void Exchange::meet(const tron::Block& block) {
  if (open_deposits_.empty()) return;
  std::map<Hash, const tron::ChainTransaction*> by_id;
  for (const auto& transaction : block.transactions) by_id[transaction.txid] = &transaction;
  for (auto at = open_deposits_.begin(); at != open_deposits_.end();) {
    auto deposit = (at++)->second;  // saving takes it off the map
    auto found = by_id.find(deposit.transaction_id);
    if (found != by_id.end()) {
      // Whoever sent it: the transaction is the same.
      deposit.state = found->second->succeeded ? State::landed : State::failed;
      deposit.block = block.ref.number;
      save(deposit);
    } else if (block.ref.timestamp_ms >= deposit.expiration_ms) {
      // The walk has met every block that it could have landed in.
      if (deposit.state == State::prepared) {
        drop_deposit(deposit.id);
      } else {
        deposit.state = State::expired;
        save(deposit);
      }
    }
  }
}

std::optional<core::Sequence> Exchange::credit_of(const ExchangeDeposit& deposit) {
  auto found = store_.deposit(deposit.transaction_id, 0);
  if (!found || found->state != DepositState::credited) return std::nullopt;
  return found->sequence;
}

protocol::ConfirmDepositResponse Exchange::confirm_deposit(const protocol::ConfirmDepositRequest& request) {
  return answer<protocol::ConfirmDepositResponse>([&](auto& out) -> Result<void> {
    auto deposit = find_deposit(request.id());
    if (!deposit) return tl::unexpected(deposit.error());
    if (deposit->state == State::failed || deposit->state == State::expired) {
      out.mutable_success_channel_state();  // the client looks for it before it looks at the code
      return refuse(Response::TRANSACTION_FAILED,
                    deposit->state == State::failed
                        ? fmt::format("the transfer failed in block {}; nothing was moved", deposit->block)
                        : "the transfer is in no block and can no longer land; nothing was moved");
    }
    auto sequence = credit_of(*deposit);
    if (!sequence)
      return refuse(Response::TRANSACTION_PENDING,
                    deposit->state == State::prepared ? "the transfer has not been signed yet"
                    : deposit->state == State::signed_
                        ? "the transfer is in no solidified block yet"
                        : "the transfer is in a solidified block and is being credited");
    btfs::ChannelState state{.id = static_cast<std::int64_t>(sequence->value),
                             .sequence = closing_sequence,
                             .from = {key_.public_key(), 0},
                             .to = {deposit->user, deposit->amount}};
    auto bytes = btfs::encode(state);
    out.mutable_success_channel_state()->set_from_signature(btfs::sign(key_, bytes));
    out.mutable_success_channel_state()->set_channel(std::move(bytes));
    return {};
  });
}

// --- withdrawals

protocol::PrepareWithdrawResponse Exchange::prepare_withdraw(
    const protocol::PrepareWithdrawRequest& request) {
  return answer<protocol::PrepareWithdrawResponse>([&](auto& out) -> Result<void> {
    auto withdrawal = withdrawal_of(request);
    if (!withdrawal) return tl::unexpected(withdrawal.error());
    out.set_id(withdrawal->id);
    out.set_ledger_exchange_address(btfs::address_of(key_.public_key()));
    return {};
  });
}

tl::expected<ExchangeWithdrawal, Exchange::Refusal> Exchange::withdrawal_of(
    const protocol::PrepareWithdrawRequest& request) {
  auto user = btfs::parse_address(request.user_address());
  if (!user)
    return refuse(Response::REQUEST_PARAM_ILLEGAL, fmt::format("user_address: {}", words(user.error())));
  if (*user == key_.public_key())
    return refuse(Response::REQUEST_PARAM_ILLEGAL, "user_address is the gateway's own key: name another");
  auto own = tron::address_of(*user);
  if (request.user_external_address() != view(own.bytes))
    return refuse(Response::CHANNEL_ADDRESS_ILLEGAL,
                  fmt::format("only {} is paid, the TRON address of user_address' own key: send its 21 bytes "
                              "as user_external_address. `windlass withdraw --to` pays others, under a "
                              "signature that covers the address",
                              to_base58(own)));
  if (auto known = store_.exchange_withdrawal(*user, request.out_tx_id())) {
    if (known->amount == request.amount()) return *known;
    return refuse(Response::TRANSACTION_EXIST,
                  fmt::format("out_tx_id {} is a withdrawal of {} already; take a new out_tx_id",
                              request.out_tx_id(), in_btt(known->amount)));
  }
  auto asset = btt();
  if (!asset) return tl::unexpected(asset.error());
  if (auto payable = check_payable(asset->number, request.amount()); !payable)
    return tl::unexpected(payable.error());
  auto available = ledger_.available(*user);
  if (!available) {
    bool unknown = available.error().reason == core::info(core::Error::unknown_account).reason;
    if (!unknown) return refuse(Response::REMOTE_CALL_ERROR, available.error().message);
    available.emplace();
  }
  if (auto balance = (*available)[asset->number]; balance < request.amount())
    return refuse(Response::LEDGER_BALANCE_INSUFFICIENT,
                  fmt::format("{} are available on the ledger, and {} are to be withdrawn", in_btt(balance),
                              in_btt(request.amount())));
  if (count_of(open_withdrawals_, *user) >= prepared_per_user || open_withdrawals_.size() >= prepared_in_all)
    return refuse(Response::OTHER_ERROR,
                  fmt::format("too many withdrawals are prepared and no Withdraw followed ({} of a key at "
                              "most, {} in all); finish one, or try again in an hour",
                              prepared_per_user, prepared_in_all));
  ExchangeWithdrawal withdrawal{.user = *user,
                                .out_tx_id = request.out_tx_id(),
                                .amount = request.amount(),
                                .prepared_us = clock_.now_ms() * 1000};
  withdrawal.id = store_.add_exchange_withdrawal(withdrawal);
  open_withdrawals_[withdrawal.id] = withdrawal;
  return withdrawal;
}

// What the gateway could not pay is refused before a channel is opened; the ledger checks it once more when
// it holds the amount.
tl::expected<void, Exchange::Refusal> Exchange::check_payable(core::AssetId asset, core::Amount amount) {
  if (amount < options_.minimum_withdrawal)
    return refuse(Response::AMOUNT_ILLEGAL,
                  fmt::format("Please withdraw at least {}", in_btt(options_.minimum_withdrawal)));
  if (amount > most_exchanged)
    return refuse(Response::AMOUNT_ILLEGAL,
                  fmt::format("Please withdraw at most {} at once", in_btt(most_exchanged)));
  auto terms = terms_(asset);
  auto refusal = terms ? terms->refuses : core::Error::withdrawals_not_offered;
  if (refusal != core::Error::none)
    return refuse(Response::OTHER_ERROR, std::string(core::info(refusal).message));
  // The fee comes out of the amount.
  if (amount - terms->fee < std::max<core::Amount>(1, terms->minimum))
    return refuse(Response::AMOUNT_ILLEGAL, fmt::format("Please withdraw at least {}: {} and the fee of {}",
                                                        in_btt(terms->minimum + terms->fee),
                                                        in_btt(terms->minimum), in_btt(terms->fee)));
  auto totals = ledger_.totals();
  if (!totals) return refuse(Response::REMOTE_CALL_ERROR, totals.error().message);
  core::Amount held = 0;
  for (const auto& of : *totals)
    if (of.asset == asset) held = of.held;
  auto left = terms->payable - std::min(terms->payable, held);
  if (amount <= left) return {};
  return refuse(
      Response::TRON_BALANCE_INSUFFICIENT,
      fmt::format("the gateway can pay out {} now; {}", in_btt(left), core::info(terms->beyond).message));
}

v1::AcceptWithdrawalResponse Exchange::accept_withdrawal(const protocol::WithdrawRequest& request) {
  return answer<v1::AcceptWithdrawalResponse>([&](auto& out) { return accept(request, out); });
}

tl::expected<void, Exchange::Refusal> Exchange::accept(const protocol::WithdrawRequest& request,
                                                       v1::AcceptWithdrawalResponse& out) {
  auto withdrawal = store_.exchange_withdrawal(request.id());
  if (!withdrawal && store_.exchange_deposit(request.id()))
    return refuse(Response::TRANSACTION_TYPE_ILLEGAL, fmt::format("{} is a deposit", request.id()));
  if (!withdrawal)
    return refuse(Response::TRANSACTION_NOT_EXIST,
                  fmt::format("no withdrawal {} is prepared; one that no Withdraw followed within an hour is "
                              "dropped, and what its channel holds is given back. Prepare another",
                              request.id()));
  std::optional<std::int64_t> channel;
  // Whose word it is, and that it says what was prepared: the gateway signs nothing else.
  auto check = [&](std::string_view name, const ledger::SignedChannelState& given, core::Amount from,
                   core::Amount to) -> Result<void> {
    auto state = btfs::parse_channel_state(given.channel());
    if (!state) return refuse(Response::UNMARSHAL_FAILED, fmt::format("{}: {}", name, words(state.error())));
    if (!channel) channel = state->id;
    if (state->id <= 0 || state->id != *channel || state->sequence != closing_sequence)
      return refuse(Response::REQUEST_PARAM_ILLEGAL,
                    fmt::format("{}: both states name the same channel, and have sequence 1", name));
    if (state->from.address != withdrawal->user || state->to.address != key_.public_key())
      return refuse(Response::CHANNEL_ADDRESS_ILLEGAL,
                    fmt::format("{}: a state goes from the user_address of PrepareWithdraw to the "
                                "ledger_exchange_address that it answered",
                                name));
    if (state->from.balance != from || state->to.balance != to)
      return refuse(Response::AMOUNT_ILLEGAL,
                    fmt::format("{}: the balances are {} and {}, as the amount {} that was prepared", name,
                                from, to, withdrawal->amount));
    auto wrong = btfs::verify(withdrawal->user, given.from_signature(), given.channel());
    if (wrong != btfs::Error::none)
      return refuse(Response::SIGN_FAILED, fmt::format("{}: from_signature: {}", name, words(wrong)));
    return {};
  };
  const auto &success = request.success_channel_state(), &failure = request.failure_channel_state();
  if (auto good = check("success_channel_state", success, 0, withdrawal->amount); !good) return good;
  if (auto good = check("failure_channel_state", failure, withdrawal->amount, 0); !good) return good;
  auto bound = bind(*withdrawal, core::ChannelId{static_cast<std::uint64_t>(*channel)});
  if (!bound) return bound;
  out.set_success_to_signature(btfs::sign(key_, success.channel()));
  out.set_failure_to_signature(btfs::sign(key_, failure.channel()));
  return {};
}

// One withdrawal, one channel. The ledger says whose it is: a state alone could name anybody's.
tl::expected<void, Exchange::Refusal> Exchange::bind(ExchangeWithdrawal withdrawal, core::ChannelId id) {
  if (withdrawal.channel == id) return {};
  if (withdrawal.channel)
    return refuse(Response::TRANSACTION_EXIST,
                  fmt::format("withdrawal {} belongs to channel {} already; prepare another for this one",
                              withdrawal.id, withdrawal.channel->value));
  if (auto other = store_.exchange_withdrawal(id))
    return refuse(Response::TRANSACTION_EXIST,
                  fmt::format("channel {} belongs to withdrawal {} already; open another for this one",
                              id.value, other->id));
  auto channel = ledger_.btfs_channel(id);
  if (!channel) return refuse(Response::REMOTE_CALL_ERROR, channel.error().message);
  if (!*channel)
    return refuse(Response::REQUEST_PARAM_ILLEGAL, fmt::format("the ledger has no channel {}", id.value));
  const BtfsChannel& opened = **channel;
  if (opened.payer != withdrawal.user || opened.recipient != key_.public_key())
    return refuse(Response::CHANNEL_ADDRESS_ILLEGAL,
                  fmt::format("channel {} is not from user_address to ledger_exchange_address", id.value));
  if (opened.amount != withdrawal.amount)
    return refuse(Response::AMOUNT_ILLEGAL, fmt::format("channel {} holds {}, and {} were prepared", id.value,
                                                        in_btt(opened.amount), in_btt(withdrawal.amount)));
  if (!opened.open)
    return refuse(
        Response::CHANNEL_CLOSED,
        fmt::format("channel {} is closed: what it held is its payer's again, or was withdrawn", id.value));
  withdrawal.channel = id;
  store_.save_exchange_withdrawal(withdrawal);
  open_withdrawals_.erase(withdrawal.id);
  return {};
}

// --- both

protocol::QueryTransactionResponse Exchange::query_transaction(
    const protocol::QueryTransactionRequest& request) {
  return answer<protocol::QueryTransactionResponse>([&](auto& out) -> Result<void> {
    if (auto deposit = store_.exchange_deposit(request.id()))
      query(*deposit, out);
    else if (auto withdrawal = store_.exchange_withdrawal(request.id()))
      query(*withdrawal, out);
    else
      return refuse(Response::TRANSACTION_NOT_EXIST,
                    fmt::format("there is no deposit or withdrawal {}; what was prepared and not used is "
                                "dropped when it can no longer come to anything",
                                request.id()));
    return {};
  });
}

void Exchange::query(const ExchangeDeposit& deposit, protocol::QueryTransactionResponse& out) {
  out.set_type("deposit");
  out.set_amount(deposit.amount);
  out.set_token_name(std::string(token));
  out.set_user_address(btfs::address_of(deposit.user));
  out.set_tron_status(std::string(name(deposit.state)));
  bool credited = credit_of(deposit).has_value();
  bool failed = deposit.state == State::failed || deposit.state == State::expired;
  out.set_channel_status(credited ? "credited" : "none");
  out.mutable_response()->set_code(credited ? Response::SUCCESS
                                   : failed ? Response::TRANSACTION_FAILED
                                            : Response::TRANSACTION_PENDING);
}

// Its channel was closed before the ledger made a withdrawal of it.
bool Exchange::is_given_back(const ExchangeWithdrawal& withdrawal) {
  if (!withdrawal.channel) return false;
  auto channel = ledger_.btfs_channel(*withdrawal.channel);
  return channel && *channel && !(*channel)->open && (*channel)->given_back == withdrawal.amount;
}

// What the client keeps for good is said once it is so for good.
void Exchange::query(const ExchangeWithdrawal& withdrawal, protocol::QueryTransactionResponse& out) {
  out.set_type("withdraw");
  out.set_amount(withdrawal.amount);
  out.set_token_name(std::string(token));
  out.set_user_address(btfs::address_of(withdrawal.user));
  auto payment = withdrawal.channel ? store_.newest_payment(*withdrawal.channel) : std::nullopt;
  out.set_tron_status(std::string(payment ? name(payment->state) : "none"));
  bool paid = payment && payment->state == PaymentState::landed;
  bool refunded = payment ? !paid && is_final(payment->state) && payment->settled : is_given_back(withdrawal);
  out.set_channel_status(paid ? "paid" : refunded ? "refunded" : withdrawal.channel ? "held" : "none");
  out.mutable_response()->set_code(paid       ? Response::SUCCESS
                                   : refunded ? Response::TRANSACTION_FAILED
                                              : Response::TRANSACTION_PENDING);
}

protocol::ActivateAccountResponse Exchange::activate_account(const protocol::ActivateAccountRequest&) {
  return answer<protocol::ActivateAccountResponse>([&](auto&) -> Result<void> {
    return refuse(Response::ADDRESS_ACCESS_DENIED,
                  "this gateway makes no accounts on TRON for others: send some TRX to the address, or "
                  "withdraw to it; either makes it one");
  });
}

// --- what is done without being asked

tl::expected<void, std::string> Exchange::step() {
  auto sent = send_all();
  if (clock_.now_ms() - cleaned_ms_ >= exchange_cleaning_interval_ms) {
    cleaned_ms_ = clock_.now_ms();
    drop_unused_withdrawals();
    cleaned_ = give_back_idle();
  }
  return sent ? cleaned_ : sent;
}

tl::expected<void, std::string> Exchange::send_all() {
  std::size_t looked_at = 0;
  for (const auto& [id, deposit] : open_deposits_) {
    if (deposit.state != State::signed_) continue;
    auto& sent = sent_ms_[id];
    if (clock_.now_ms() - sent < tron::resend_interval_ms) continue;
    if (++looked_at > exchange_sent_per_step) break;
    sent = clock_.now_ms();  // those behind it have their turn also where it fails
    auto block = chain_.inclusion(deposit.transaction_id, false);
    if (!block) return tl::unexpected(block.error().message);
    if (*block) continue;
    if (auto answered = send(deposit); !answered) return tl::unexpected(answered.error().words);
  }
  return {};
}

void Exchange::drop_unused_withdrawals() {
  auto before_us = clock_.now_ms() * 1000 - exchange_withdrawal_life_us;
  while (!open_withdrawals_.empty() && open_withdrawals_.begin()->second.prepared_us < before_us) {
    store_.drop_exchange_withdrawal(open_withdrawals_.begin()->first);
    open_withdrawals_.erase(open_withdrawals_.begin());
  }
}

tl::expected<void, std::string> Exchange::give_back_idle() {
  auto idle = ledger_.idle_exchange_channels(key_, clock_.now_ms() * 1000 - exchange_withdrawal_life_us);
  if (!idle) return tl::unexpected(idle.error().message);
  tl::expected<void, std::string> done;
  // One that cannot be closed does not keep the others.
  for (const auto& channel : *idle)
    if (auto given = give_back(channel); !given) done = given;
  return done;
}

tl::expected<void, std::string> Exchange::give_back(const BtfsChannel& channel) {
  auto state = btfs::encode(btfs::ChannelState{.id = static_cast<std::int64_t>(channel.id.value),
                                               .sequence = closing_sequence,
                                               .from = {channel.payer, channel.amount},
                                               .to = {key_.public_key(), 0}});
  auto closed = ledger_.close_btfs_channel(state, btfs::sign(key_, state));
  if (!closed)
    return tl::unexpected(
        fmt::format("channel {} cannot be given back: {}", channel.id.value, closed.error().message));
  return {};
}

}  // namespace windlass::anchoring
