// protocol.Exchange on a devchain in virtual time: what each call answers, and what nobody can have it do.
#include "anchoring/exchange/exchange.h"

#include "ledger/codec/btfs.h"
#include "tests/unit/anchoring_world.h"

namespace windlass::test {
namespace {

namespace btfs = codec::btfs;
using anchoring::Exchange;
using anchoring::ExchangeDepositState;
using anchoring::Payment;
using anchoring::PaymentState;
using core::ChannelId;
using protocol::Response;
using ::testing::HasSubstr;

constexpr const char* token = "1002000";
constexpr core::Amount amount = 2'000'000'000;  // 2,000 BTT

// The node's SHA-256 over raw_data, as a wallet signs it: v is 0 or 1.
std::string tron_signature(const SecretKey& key, const std::string& raw_data) {
  return std::string(view(key.sign_recoverable(sha256(raw_data))));
}

class ExchangeTest : public ::testing::Test {
 protected:
  ExchangeTest() {
    world.scans = true;
    world.pay(world.payer, address, 10'000'000);
    world.pay(world.payer, address, 10 * amount, token);
    world.tick();
    start();
  }
  // A new process over the same tables, as after a crash.
  void start() {
    world.start();
    exchange.emplace(anchoring::ExchangeOptions{world.custody}, world.ledger.gateway_key, world.clock,
                     world.network, world.ledger, *world.store, [this](core::AssetId) { return terms; });
    world.scanner->also([this](const tron::Block& block) {
      exchange->meet(block);
      return tl::expected<void, std::string>();
    });
  }
  // A block, and a step of the exchange; its error.
  std::string tick() {
    world.tick();
    auto done = exchange->step();
    return done ? "" : done.error();
  }
  void tick_blocks(int count) {
    for (int i = 0; i < count; ++i) tick();
  }
  // Until the scan of solidified blocks has passed what was in the newest block.
  void solidify() { tick_blocks(static_cast<int>(solid_after) + 2); }

  // --- deposits
  protocol::PrepareDepositResponse prepare_deposit(core::Amount of = amount, std::int64_t out_tx_id = 1) {
    protocol::PrepareDepositRequest request;
    request.set_amount(of);
    request.set_out_tx_id(out_tx_id);
    request.set_user_address(btfs::address_of(user.public_key()));
    return exchange->prepare_deposit(request);
  }
  protocol::DepositResponse deposit(std::int64_t id, const std::string& raw_data,
                                    const std::string& signature) {
    protocol::DepositRequest request;
    request.set_id(id);
    request.mutable_signed_tron_transaction()->set_raw_data(raw_data);
    if (!signature.empty()) request.mutable_signed_tron_transaction()->add_signature(signature);
    return exchange->deposit(request);
  }
  // Prepared, signed and given in.
  std::int64_t deposit(std::int64_t out_tx_id = 1) {
    auto prepared = prepare_deposit(amount, out_tx_id);
    EXPECT_EQ(prepared.response().code(), Response::SUCCESS) << prepared.response().return_message();
    const auto& raw_data = prepared.tron_transaction().raw_data();
    auto answer = deposit(prepared.id(), raw_data, tron_signature(user, raw_data));
    EXPECT_EQ(answer.response().code(), Response::SUCCESS) << answer.response().return_message();
    return prepared.id();
  }
  protocol::ConfirmDepositResponse confirm(std::int64_t id) {
    protocol::ConfirmDepositRequest request;
    request.set_id(id);
    auto answer = exchange->confirm_deposit(request);
    EXPECT_TRUE(answer.has_response());
    return answer;
  }
  protocol::QueryTransactionResponse query(std::int64_t id) {
    protocol::QueryTransactionRequest request;
    request.set_id(id);
    auto answer = exchange->query_transaction(request);
    EXPECT_TRUE(answer.has_response());
    return answer;
  }
  // What left the process of the user's transactions; anchors leave it too.
  std::vector<std::string> sent() const {
    std::vector<std::string> of_user;
    for (const auto& bytes : world.network.sent) {
      auto transaction = tron::parse_transaction(bytes);
      const auto* transfer = std::get_if<tron::TransferContract>(&transaction->contract);
      if (transfer && transfer->owner == address) of_user.push_back(bytes);
    }
    return of_user;
  }
  core::Amount on_ledger() const { return world.ledger.available(user.public_key(), btt); }
  // Somebody has `deposited` on the ledger.
  void have(core::Amount deposited, const SecretKey& owner) {
    world.deposit(deposited, token, to_hex(owner.public_key()));
    solidify();
    ASSERT_EQ(world.ledger.available(owner.public_key(), btt), deposited);
  }

  // --- withdrawals
  protocol::PrepareWithdrawResponse prepare_withdraw(core::Amount of = amount, std::int64_t out_tx_id = 1) {
    protocol::PrepareWithdrawRequest request;
    request.set_amount(of);
    request.set_out_tx_id(out_tx_id);
    request.set_user_address(btfs::address_of(user.public_key()));
    request.set_user_external_address(std::string(view(address.bytes)));
    return exchange->prepare_withdraw(request);
  }
  ChannelId open_channel(const SecretKey& payer, core::Amount of = amount) {
    return *world.ledger.open_btfs_channel(payer, of);
  }
  bool is_open(ChannelId channel) { return (*world.ledger.btfs_channel(channel))->open; }
  btfs::ChannelState state(ChannelId channel, core::Amount from, core::Amount to) const {
    return {static_cast<std::int64_t>(channel.value),
            1,
            {user.public_key(), from},
            {world.ledger.gateway_key.public_key(), to}};
  }
  static void sign(ledger::SignedChannelState& out, const btfs::ChannelState& state, const SecretKey& by) {
    out.set_channel(btfs::encode(state));
    out.set_from_signature(btfs::sign(by, out.channel()));
  }
  protocol::WithdrawRequest withdraw_request(std::int64_t id, ChannelId channel) const {
    protocol::WithdrawRequest request;
    request.set_id(id);
    sign(*request.mutable_success_channel_state(), state(channel, 0, amount), user);
    sign(*request.mutable_failure_channel_state(), state(channel, amount, 0), user);
    return request;
  }
  Response::return_code accept(const protocol::WithdrawRequest& request) {
    auto answer = exchange->accept_withdrawal(request);
    EXPECT_TRUE(answer.has_response());
    bool accepted = answer.response().code() == Response::SUCCESS;
    EXPECT_EQ(answer.success_to_signature().empty(), !accepted);
    EXPECT_EQ(answer.failure_to_signature().empty(), !accepted);
    EXPECT_EQ(answer.response().return_message().empty(), accepted);
    return answer.response().code();
  }

  World world;
  SecretKey user = SecretKey::generate();
  tron::Address address = tron::address_of(user.public_key());
  std::optional<core::WithdrawalTerms> terms =
      core::WithdrawalTerms{.minimum = 1'000'000, .fee = 100'000, .payable = 100 * amount};
  std::optional<Exchange> exchange;
};

// --- deposits

TEST_F(ExchangeTest, ADepositIsCreditedAndConfirmedWithAStateThatTheGatewaySigned) {
  auto id = deposit();
  for (bool solid = false; !solid;) {
    EXPECT_EQ(confirm(id).response().code(), Response::TRANSACTION_PENDING);
    EXPECT_FALSE(confirm(id).has_success_channel_state());
    EXPECT_EQ(query(id).response().code(), Response::TRANSACTION_PENDING);
    tick();
    solid = on_ledger() > 0;
  }
  EXPECT_EQ(on_ledger(), amount);
  auto answer = confirm(id);
  EXPECT_EQ(answer.response().code(), Response::SUCCESS);
  const auto& closed = answer.success_channel_state();
  auto closing = btfs::parse_channel_state(closed.channel());
  ASSERT_TRUE(closing);
  auto sequence = world.tables.deposits.begin()->second.sequence;
  EXPECT_EQ(*closing, (btfs::ChannelState{static_cast<std::int64_t>(sequence->value),
                                          1,
                                          {world.ledger.gateway_key.public_key(), 0},
                                          {user.public_key(), amount}}));
  EXPECT_EQ(btfs::verify(world.ledger.gateway_key.public_key(), closed.from_signature(), closed.channel()),
            btfs::Error::none);
  EXPECT_TRUE(closed.to_signature().empty());

  auto told = query(id);
  EXPECT_EQ(told.response().code(), Response::SUCCESS);
  EXPECT_EQ(told.type(), "deposit");
  EXPECT_EQ(told.amount(), amount);
  EXPECT_EQ(told.token_name(), token);
  EXPECT_EQ(told.user_address(), btfs::address_of(user.public_key()));
  EXPECT_EQ(told.tron_status(), "landed");
  EXPECT_EQ(told.channel_status(), "credited");
}

TEST_F(ExchangeTest, WhatIsToBeSignedIsATransferToCustodyWithATimestamp) {
  auto prepared = prepare_deposit();
  auto transaction = tron::parse_transaction(tron::join(prepared.tron_transaction().raw_data(), "s"));
  ASSERT_TRUE(transaction);
  auto transfer = std::get<tron::TransferContract>(transaction->contract);
  EXPECT_EQ(transfer.owner, address);
  EXPECT_EQ(transfer.to, world.custody);
  EXPECT_EQ(transfer.amount, amount);
  EXPECT_EQ(transfer.token_id, token);
  EXPECT_EQ(transaction->memo, "");
  EXPECT_EQ(prepared.tron_transaction().signature_size(), 0);
  EXPECT_NEAR(static_cast<double>(transaction->expiration_ms - world.clock.now_ms()),
              anchoring::exchange_deposit_life_ms, 10'000);
  // Field 14 of raw_data is the timestamp: tag 0x70, then six bytes of a number of this century's
  // milliseconds.
  const auto& raw_data = prepared.tron_transaction().raw_data();
  EXPECT_EQ(raw_data[raw_data.size() - 7], '\x70');
}

TEST_F(ExchangeTest, TheSameAgainGetsTheSameAnswerAndAnotherAmountAConflict) {
  auto first = prepare_deposit(), again = prepare_deposit();
  EXPECT_EQ(first.id(), again.id());
  EXPECT_EQ(first.tron_transaction().raw_data(), again.tron_transaction().raw_data());
  auto other = prepare_deposit(amount + 1);
  EXPECT_EQ(other.response().code(), Response::TRANSACTION_EXIST);
  EXPECT_THAT(other.response().return_message(), HasSubstr("take a new out_tx_id"));
  EXPECT_FALSE(other.has_tron_transaction());
  auto next = prepare_deposit(amount, 2);
  EXPECT_GT(next.id(), first.id());
  EXPECT_NE(next.tron_transaction().raw_data(), first.tron_transaction().raw_data());
}

TEST_F(ExchangeTest, WhatCouldNotBeDepositedIsNotPrepared) {
  auto code = [&](core::Amount of) { return prepare_deposit(of, of).response().code(); };
  auto least = prepare_deposit(anchoring::least_exchange_deposit - 1);
  EXPECT_EQ(least.response().code(), Response::AMOUNT_ILLEGAL);
  EXPECT_EQ(least.response().return_message(), "Please deposit at least 10 BTT");
  EXPECT_EQ(code(anchoring::least_exchange_deposit), Response::SUCCESS);
  EXPECT_EQ(code(0), Response::AMOUNT_ILLEGAL);
  EXPECT_EQ(code(-amount), Response::AMOUNT_ILLEGAL);
  EXPECT_EQ(code(anchoring::most_exchanged + 1), Response::AMOUNT_ILLEGAL);
  EXPECT_EQ(code(10 * amount + 1), Response::USER_TRON_BALANCE_INSUFFICIENT);

  protocol::PrepareDepositRequest request;
  request.set_amount(amount);
  for (std::string bad : {std::string(), std::string(65, '\4'), std::string(view(user.public_key()))}) {
    request.set_user_address(bad);
    EXPECT_EQ(exchange->prepare_deposit(request).response().code(), Response::REQUEST_PARAM_ILLEGAL);
  }
  request.set_user_address(btfs::address_of(SecretKey::generate().public_key()));
  EXPECT_EQ(exchange->prepare_deposit(request).response().code(), Response::INACTIVATED_ACCOUNT);

  world.tables.controls.deposits_paused = true;
  EXPECT_EQ(prepare_deposit(amount, 5).response().code(), Response::OTHER_ERROR);
  world.tables.controls.deposits_paused = false;
  world.network.reachable = false;
  EXPECT_EQ(prepare_deposit(amount, 5).response().code(), Response::REMOTE_CALL_ERROR);
}

TEST_F(ExchangeTest, WhoCannotPayForBandwidthIsToldSo) {
  SecretKey poor = SecretKey::generate();
  world.pay(world.payer, tron::address_of(poor.public_key()), amount, token);
  world.tick();
  protocol::PrepareDepositRequest request;
  request.set_amount(anchoring::least_exchange_deposit);
  request.set_user_address(btfs::address_of(poor.public_key()));
  EXPECT_EQ(exchange->prepare_deposit(request).response().code(), Response::SUCCESS)
      << "of its free bandwidth";
  for (int i = 0; i < 2; ++i) world.pay(poor, world.custody, 1, token);
  world.tick();
  request.set_out_tx_id(2);
  auto answer = exchange->prepare_deposit(request);
  EXPECT_EQ(answer.response().code(), Response::USER_TRON_BALANCE_INSUFFICIENT);
  EXPECT_THAT(answer.response().return_message(), HasSubstr("bandwidth"));
}

TEST_F(ExchangeTest, OnlyWhatWasPreparedAndItsUserSignedIsSent) {
  auto prepared = prepare_deposit();
  const auto& raw_data = prepared.tron_transaction().raw_data();
  auto code = [&](std::int64_t id, const std::string& raw, const std::string& signature) {
    auto answer = deposit(id, raw, signature);
    EXPECT_FALSE(answer.response().return_message().empty());
    return answer.response().code();
  };
  auto good = tron_signature(user, raw_data);
  auto changed = raw_data + std::string("\x70\x00", 2);
  EXPECT_EQ(code(prepared.id(), changed, tron_signature(user, changed)), Response::REQUEST_PARAM_ILLEGAL);
  EXPECT_EQ(code(prepared.id(), raw_data, ""), Response::SIGN_FAILED);
  EXPECT_EQ(code(prepared.id(), raw_data, good + "x"), Response::SIGN_FAILED);
  EXPECT_EQ(code(prepared.id(), raw_data, tron_signature(world.payer, raw_data)), Response::SIGN_FAILED);
  EXPECT_EQ(code(prepared.id() + 1, raw_data, good), Response::TRANSACTION_NOT_EXIST);
  EXPECT_TRUE(sent().empty());
  EXPECT_EQ(deposit(prepared.id(), raw_data, good).response().code(), Response::SUCCESS);
  EXPECT_EQ(sent().size(), 1u);
  // Wallets sign a retry with another nonce: what was saved stays, and counts once.
  EXPECT_EQ(deposit(prepared.id(), raw_data, good).response().code(), Response::SUCCESS);
  EXPECT_EQ(sent().size(), 1u);
}

TEST_F(ExchangeTest, NothingIsPreparedForAKeyThatWasRotatedAway) {
  deposit();
  solidify();  // the user has an account now
  ASSERT_TRUE(world.ledger.rotate(user, SecretKey::generate()));
  auto refused = prepare_deposit(amount, 2).response();
  EXPECT_EQ(refused.code(), Response::REQUEST_PARAM_ILLEGAL);
  EXPECT_THAT(refused.return_message(), ::testing::HasSubstr("rotated away"));
}

TEST_F(ExchangeTest, ASignedDepositIsSavedBeforeItIsSentAndSentUntilItIsInABlock) {
  world.network.on_send = [&](ByteView) {
    if (sent().empty()) return;
    EXPECT_EQ(world.tables.exchange_deposits.begin()->second.state, ExchangeDepositState::signed_);
  };
  world.network.swallow = tron::BroadcastAnswer{false, 1, "nobody listens"};
  auto prepared = prepare_deposit();
  const auto& raw_data = prepared.tron_transaction().raw_data();
  auto answer = deposit(prepared.id(), raw_data, tron_signature(user, raw_data));
  EXPECT_EQ(answer.response().code(), Response::SUCCESS);
  EXPECT_THAT(answer.response().return_message(), HasSubstr("nobody listens"));
  start();  // killed, and begun anew
  tick_blocks(10);
  EXPECT_GE(sent().size(), 3u);
  EXPECT_LE(sent().size(), 4u) << "every 15 s, not every step";
  world.network.swallow.reset();
  tick_blocks(8);
  auto before = sent().size();
  solidify();
  EXPECT_EQ(sent().size(), before) << "it is in a block";
  auto all = sent();
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), 1u);
  EXPECT_EQ(confirm(prepared.id()).response().code(), Response::SUCCESS);
  EXPECT_EQ(on_ledger(), amount);
}

TEST_F(ExchangeTest, ADepositHasFailedOnceItCanNeverLandAndNotBefore) {
  world.network.swallow = tron::BroadcastAnswer{false, 1, "nobody listens"};
  auto id = deposit();
  auto expiration_ms = world.tables.exchange_deposits.at(id).expiration_ms;
  while (world.chain.block(world.chain.solidified())->ref.timestamp_ms < expiration_ms) {
    EXPECT_EQ(confirm(id).response().code(), Response::TRANSACTION_PENDING);
    tick();
  }
  auto answer = confirm(id);
  EXPECT_EQ(answer.response().code(), Response::TRANSACTION_FAILED);
  EXPECT_TRUE(answer.has_success_channel_state());
  EXPECT_EQ(answer.success_channel_state().ByteSizeLong(), 0u);
  EXPECT_EQ(query(id).response().code(), Response::TRANSACTION_FAILED);
  EXPECT_EQ(query(id).tron_status(), "expired");
  auto before = sent().size();
  tick_blocks(10);
  EXPECT_EQ(sent().size(), before);
  EXPECT_EQ(on_ledger(), 0);
}

TEST_F(ExchangeTest, ATransferThatFailedInItsBlockHasFailed) {
  auto id = deposit();
  world.network.change_block = [](tron::Block& block) {
    for (auto& transaction : block.transactions) transaction.succeeded = false;
  };
  solidify();
  auto answer = confirm(id);
  EXPECT_EQ(answer.response().code(), Response::TRANSACTION_FAILED);
  EXPECT_TRUE(answer.has_success_channel_state());
  EXPECT_FALSE(answer.success_channel_state().channel().size());
  EXPECT_EQ(query(id).tron_status(), "failed");
  EXPECT_EQ(on_ledger(), 0);
}

TEST_F(ExchangeTest, WhatItsUserSentItselfIsConfirmedToo) {
  auto prepared = prepare_deposit();
  const auto& raw_data = prepared.tron_transaction().raw_data();
  EXPECT_TRUE(world.chain.broadcast(tron::join(raw_data, tron_signature(user, raw_data)))->result);
  solidify();
  EXPECT_EQ(on_ledger(), amount);
  EXPECT_EQ(confirm(prepared.id()).response().code(), Response::SUCCESS);
}

TEST_F(ExchangeTest, WhatIsPreparedAndNotUsedIsBoundedAndDropped) {
  for (std::size_t i = 0; i < anchoring::prepared_per_user; ++i)
    EXPECT_EQ(prepare_deposit(amount, static_cast<std::int64_t>(i)).response().code(), Response::SUCCESS);
  EXPECT_EQ(prepare_deposit(amount, 99).response().code(), Response::OTHER_ERROR);
  start();
  EXPECT_EQ(prepare_deposit(amount, 99).response().code(), Response::OTHER_ERROR);
  EXPECT_EQ(prepare_deposit(amount, 0).response().code(), Response::SUCCESS) << "the same again";
  world.clock.advance(anchoring::exchange_deposit_life_ms);
  solidify();
  EXPECT_TRUE(world.tables.exchange_deposits.empty());
  auto id = prepare_deposit(amount, 99).id();
  EXPECT_EQ(confirm(id).response().code(), Response::TRANSACTION_PENDING);
  EXPECT_EQ(confirm(id - 1).response().code(), Response::TRANSACTION_NOT_EXIST);
}

// --- withdrawals

class ExchangeWithdrawalTest : public ExchangeTest {
 protected:
  ExchangeWithdrawalTest() { have(3 * amount, user); }
};

TEST_F(ExchangeWithdrawalTest, IsPreparedOnceForTheOwnAddressAlone) {
  auto prepared = prepare_withdraw();
  EXPECT_EQ(prepared.response().code(), Response::SUCCESS) << prepared.response().return_message();
  EXPECT_EQ(prepared.ledger_exchange_address(), btfs::address_of(world.ledger.gateway_key.public_key()));
  EXPECT_EQ(prepare_withdraw().id(), prepared.id());
  EXPECT_EQ(prepare_withdraw(amount + 1).response().code(), Response::TRANSACTION_EXIST);
  EXPECT_EQ(query(prepared.id()).response().code(), Response::TRANSACTION_PENDING);
  EXPECT_EQ(confirm(prepared.id()).response().code(), Response::TRANSACTION_TYPE_ILLEGAL);

  protocol::PrepareWithdrawRequest request;
  request.set_amount(amount);
  request.set_user_address(btfs::address_of(user.public_key()));
  for (std::string bad : {std::string(), std::string(view(world.custody.bytes)), std::string(21, '\x41')}) {
    request.set_user_external_address(bad);
    auto answer = exchange->prepare_withdraw(request);
    EXPECT_EQ(answer.response().code(), Response::CHANNEL_ADDRESS_ILLEGAL);
    EXPECT_THAT(answer.response().return_message(), HasSubstr(to_base58(address)));
    EXPECT_EQ(answer.id(), 0);
  }
  request.set_user_address("short");
  EXPECT_EQ(exchange->prepare_withdraw(request).response().code(), Response::REQUEST_PARAM_ILLEGAL);
}

TEST_F(ExchangeWithdrawalTest, WhatTheGatewayCouldNotPayIsNotPrepared) {
  auto ask = [&](core::Amount of) {
    auto answer = prepare_withdraw(of, 7);
    EXPECT_EQ(answer.id(), 0);
    EXPECT_FALSE(answer.response().return_message().empty());
    return answer.response();
  };
  auto least = ask(anchoring::least_exchange_withdrawal - 1);
  EXPECT_EQ(least.code(), Response::AMOUNT_ILLEGAL);
  EXPECT_EQ(least.return_message(), "Please withdraw at least 1000 BTT");
  EXPECT_EQ(ask(anchoring::most_exchanged + 1).code(), Response::AMOUNT_ILLEGAL);
  EXPECT_EQ(ask(3 * amount + 1).code(), Response::LEDGER_BALANCE_INSUFFICIENT);
  terms->minimum = amount;  // and the fee comes out of the amount
  EXPECT_EQ(ask(amount).code(), Response::AMOUNT_ILLEGAL);
  terms->minimum = 0;
  terms->payable = amount - 1;
  EXPECT_EQ(ask(amount).code(), Response::TRON_BALANCE_INSUFFICIENT);
  terms->refuses = core::Error::withdrawals_paused;
  EXPECT_EQ(ask(amount).return_message(), core::info(core::Error::withdrawals_paused).message);
  terms.reset();
  EXPECT_EQ(ask(amount).return_message(), core::info(core::Error::withdrawals_not_offered).message);
  terms.emplace();
  terms->payable = amount;
  world.ledger.reachable = false;
  EXPECT_EQ(prepare_withdraw(amount, 7).response().code(), Response::REMOTE_CALL_ERROR);
}

TEST_F(ExchangeWithdrawalTest, IsAcceptedOnceWithBothOutcomesSigned) {
  auto id = prepare_withdraw().id();
  auto channel = open_channel(user);
  auto request = withdraw_request(id, channel);
  auto answer = exchange->accept_withdrawal(request);
  EXPECT_EQ(answer.response().code(), Response::SUCCESS) << answer.response().return_message();
  auto gateway = world.ledger.gateway_key.public_key();
  EXPECT_EQ(btfs::verify(gateway, answer.success_to_signature(), request.success_channel_state().channel()),
            btfs::Error::none);
  EXPECT_EQ(btfs::verify(gateway, answer.failure_to_signature(), request.failure_channel_state().channel()),
            btfs::Error::none);
  EXPECT_EQ(world.tables.exchange_withdrawals.at(id).channel, channel) << "before it is answered";

  start();
  ASSERT_TRUE(world.ledger.withdraw(request, answer, 0));
  EXPECT_EQ(exchange->accept_withdrawal(request).SerializeAsString(), answer.SerializeAsString());
  EXPECT_EQ(accept(withdraw_request(id, open_channel(user))), Response::TRANSACTION_EXIST);
  auto second = prepare_withdraw(amount, 2).id();
  EXPECT_EQ(accept(withdraw_request(second, channel)), Response::TRANSACTION_EXIST);
}

TEST_F(ExchangeWithdrawalTest, NothingButWhatWasPreparedIsSigned) {
  auto id = prepare_withdraw().id();
  auto channel = open_channel(user);
  auto with_success = [&](const btfs::ChannelState& success) {
    auto request = withdraw_request(id, channel);
    sign(*request.mutable_success_channel_state(), success, user);
    return request;
  };
  auto with_failure = [&](const btfs::ChannelState& failure) {
    auto request = withdraw_request(id, channel);
    sign(*request.mutable_failure_channel_state(), failure, user);
    return request;
  };
  EXPECT_EQ(accept(withdraw_request(id + 1, channel)), Response::TRANSACTION_NOT_EXIST);
  auto deposit_id = prepare_deposit().id();
  EXPECT_EQ(accept(withdraw_request(deposit_id, channel)), Response::TRANSACTION_TYPE_ILLEGAL);
  EXPECT_EQ(accept(with_success(state(channel, 1, amount - 1))), Response::AMOUNT_ILLEGAL);
  EXPECT_EQ(accept(with_failure(state(channel, amount + 1, 0))), Response::AMOUNT_ILLEGAL);
  EXPECT_EQ(accept(with_failure(state(channel, 0, amount))), Response::AMOUNT_ILLEGAL);
  auto later = state(channel, 0, amount);
  later.sequence = 2;
  EXPECT_EQ(accept(with_success(later)), Response::REQUEST_PARAM_ILLEGAL);
  EXPECT_EQ(accept(with_failure(state(open_channel(user), amount, 0))), Response::REQUEST_PARAM_ILLEGAL);
  EXPECT_EQ(accept(with_success(state(ChannelId{0}, 0, amount))), Response::REQUEST_PARAM_ILLEGAL);
  auto turned = state(channel, 0, amount);
  turned.to.address = world.payer.public_key();
  EXPECT_EQ(accept(with_success(turned)), Response::CHANNEL_ADDRESS_ILLEGAL);
  auto stolen = state(channel, 0, amount);
  stolen.from.address = world.payer.public_key();
  EXPECT_EQ(accept(with_success(stolen)), Response::CHANNEL_ADDRESS_ILLEGAL);

  auto forged = withdraw_request(id, channel);
  sign(*forged.mutable_failure_channel_state(), state(channel, amount, 0), world.payer);
  EXPECT_EQ(accept(forged), Response::SIGN_FAILED);
  forged.mutable_failure_channel_state()->clear_from_signature();
  EXPECT_EQ(accept(forged), Response::SIGN_FAILED);
  forged.mutable_failure_channel_state()->set_channel("\x7f");
  EXPECT_EQ(accept(forged), Response::UNMARSHAL_FAILED);
  EXPECT_FALSE(world.tables.exchange_withdrawals.at(id).channel);
  EXPECT_EQ(accept(withdraw_request(id, channel)), Response::SUCCESS);
}

TEST_F(ExchangeWithdrawalTest, BindsNoChannelButItsUsersOwnOpenOne) {
  have(3 * amount, world.payer);
  auto id = prepare_withdraw().id();
  EXPECT_EQ(accept(withdraw_request(id, open_channel(world.payer))), Response::CHANNEL_ADDRESS_ILLEGAL);
  EXPECT_EQ(accept(withdraw_request(id, open_channel(user, amount / 2))), Response::AMOUNT_ILLEGAL);
  EXPECT_EQ(accept(withdraw_request(id, ChannelId{1'000'000})), Response::REQUEST_PARAM_ILLEGAL);
  auto closed = open_channel(user);
  auto given_back = btfs::encode(state(closed, amount, 0));
  ASSERT_TRUE(world.ledger.close_btfs_channel(given_back, btfs::sign(world.ledger.gateway_key, given_back)));
  EXPECT_EQ(accept(withdraw_request(id, closed)), Response::CHANNEL_CLOSED);
  auto elsewhere = *world.ledger.open_btfs_channel(user, world.payer.public_key(), amount);
  EXPECT_EQ(accept(withdraw_request(id, elsewhere)), Response::CHANNEL_ADDRESS_ILLEGAL);
  auto channel = open_channel(user);
  world.ledger.reachable = false;
  EXPECT_EQ(accept(withdraw_request(id, channel)), Response::REMOTE_CALL_ERROR);
  world.ledger.reachable = true;
  EXPECT_EQ(accept(withdraw_request(id, channel)), Response::SUCCESS);
}

TEST_F(ExchangeWithdrawalTest, AChannelThatNoWithdrawFollowedIsGivenBackAfterAnHour) {
  auto id = prepare_withdraw().id();
  auto channel = open_channel(user), bound = open_channel(user);
  auto second = prepare_withdraw(amount, 2).id();
  EXPECT_EQ(accept(withdraw_request(second, bound)), Response::SUCCESS);  // and the ledger never hears of it
  tick();
  world.clock.advance(50 * 60'000);
  EXPECT_EQ(tick(), "");
  EXPECT_TRUE(is_open(channel));
  EXPECT_EQ(query(second).response().code(), Response::TRANSACTION_PENDING);
  world.clock.advance(11 * 60'000);
  world.ledger.reachable = false;
  EXPECT_NE(tick(), "");
  world.ledger.reachable = true;
  tick_blocks(25);  // it looks once a minute
  EXPECT_EQ(tick(), "");
  EXPECT_FALSE(is_open(channel));
  EXPECT_FALSE(is_open(bound));
  EXPECT_EQ(query(id).response().code(), Response::TRANSACTION_NOT_EXIST) << "dropped";
  EXPECT_EQ(query(second).response().code(), Response::TRANSACTION_FAILED);
  EXPECT_EQ(query(second).channel_status(), "refunded");
  EXPECT_EQ(accept(withdraw_request(id, channel)), Response::TRANSACTION_NOT_EXIST);
}

TEST_F(ExchangeWithdrawalTest, QueryTransactionTellsWhatBecameOfThePayment) {
  auto id = prepare_withdraw().id();
  auto channel = open_channel(user);
  EXPECT_EQ(query(id).channel_status(), "none");
  auto request = withdraw_request(id, channel);
  ASSERT_TRUE(world.ledger.withdraw(request, exchange->accept_withdrawal(request), 0));
  auto told = query(id);
  EXPECT_EQ(told.response().code(), Response::TRANSACTION_PENDING);
  EXPECT_EQ(told.channel_status(), "held");
  EXPECT_EQ(told.tron_status(), "none");
  EXPECT_EQ(told.type(), "withdraw");
  auto code = [&](PaymentState state, bool settled) {
    world.tables.payments[{channel, 1}] = Payment{.withdrawal = channel, .state = state, .settled = settled};
    return query(id).response().code();
  };
  for (auto state : {PaymentState::signed_, PaymentState::broadcast, PaymentState::included,
                     PaymentState::failed, PaymentState::expired})
    EXPECT_EQ(code(state, false), Response::TRANSACTION_PENDING) << name(state);
  EXPECT_EQ(code(PaymentState::landed, false), Response::SUCCESS);
  EXPECT_EQ(query(id).channel_status(), "paid");
  EXPECT_EQ(code(PaymentState::failed, true), Response::TRANSACTION_FAILED);
  EXPECT_EQ(code(PaymentState::expired, true), Response::TRANSACTION_FAILED);
  EXPECT_EQ(query(id).channel_status(), "refunded");
}

TEST_F(ExchangeWithdrawalTest, WhatIsPreparedAndNotUsedIsBoundedAndDropped) {
  for (std::size_t i = 0; i < anchoring::prepared_per_user; ++i)
    EXPECT_EQ(prepare_withdraw(amount, static_cast<std::int64_t>(i)).response().code(), Response::SUCCESS);
  EXPECT_EQ(prepare_withdraw(amount, 99).response().code(), Response::OTHER_ERROR);
  start();
  EXPECT_EQ(prepare_withdraw(amount, 99).response().code(), Response::OTHER_ERROR);
  world.clock.advance(anchoring::exchange_withdrawal_life_us / 1000 + 1);
  tick();
  EXPECT_TRUE(world.tables.exchange_withdrawals.empty());
  EXPECT_EQ(prepare_withdraw(amount, 99).response().code(), Response::SUCCESS);
}

TEST_F(ExchangeTest, AccountsAreNotMadeForOthers) {
  auto answer = exchange->activate_account({});
  EXPECT_EQ(answer.response().code(), Response::ADDRESS_ACCESS_DENIED);
  EXPECT_THAT(answer.response().return_message(), HasSubstr("send some TRX"));
}

}  // namespace
}  // namespace windlass::test
