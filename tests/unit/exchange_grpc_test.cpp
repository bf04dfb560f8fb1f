// The way of a historical client's request: the ledger's server, the private listener, the thread that
// answers.
#include <grpcpp/grpcpp.h>

#include <thread>

#include "anchoring/exchange/listener.h"
#include "api/grpc/exchange_service.h"
#include "ledger/codec/btfs.h"
#include "tests/unit/anchoring_world.h"

namespace windlass::test {
namespace {

namespace btfs = codec::btfs;
using anchoring::Desk;
using anchoring::Exchange;
using protocol::Response;

constexpr core::Amount amount = 2'000'000'000;

// A thread that has a world, as the anchoring process's main thread has its session.
class Answering {
 public:
  explicit Answering(Desk& desk, Exchange* exchange) {
    thread_ = std::thread([this, &desk, exchange] {
      while (!stopping_) {
        try {
          desk.serve(exchange);
        } catch (const anchoring::Fenced&) {
          ++fenced;
        }
        std::this_thread::yield();
      }
    });
  }
  ~Answering() {
    stopping_ = true;
    thread_.join();
  }
  std::atomic<int> fenced = 0;

 private:
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

class ExchangeGrpcTest : public ::testing::Test {
 protected:
  // The public server in front of `exchange_port`.
  void serve(int exchange_port) {
    service.emplace("127.0.0.1:" + std::to_string(exchange_port),
                    [this](const std::string&, codec::BtfsWithdrawal withdrawal, auto finish) {
                      submitted = std::move(withdrawal);
                      finish({.error = refused});
                    });
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&*service);
    server = builder.BuildAndStart();
    stub = protocol::Exchange::NewStub(
        grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials()));
  }
  template <typename Request, typename Answer>
  Answer call(grpc::Status (protocol::Exchange::Stub::*method)(grpc::ClientContext*, const Request&, Answer*),
              const Request& request = {}) {
    grpc::ClientContext context;
    Answer answer;
    auto status = (*stub.*method)(&context, request, &answer);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_TRUE(answer.has_response());
    return answer;
  }
  // Of all seven calls, with empty requests.
  std::vector<Response> responses() {
    using Stub = protocol::Exchange::Stub;
    return {call(&Stub::PrepareDeposit).response(),
            call(&Stub::Deposit).response(),
            call(&Stub::ConfirmDeposit).response(),
            call(&Stub::PrepareWithdraw).response(),
            call(&Stub::Withdraw).response(),
            call(&Stub::QueryTransaction).response(),
            call(&Stub::ActivateAccountOnChain).response()};
  }
  void expect_all(Response::return_code code, std::size_t calls = 7) {
    std::size_t count = 0;
    for (const auto& response : responses()) {
      EXPECT_FALSE(response.return_message().empty());
      count += response.code() == code ? 1 : 0;
    }
    EXPECT_EQ(count, calls);
  }

  World world;
  Exchange exchange{{world.custody},
                    world.ledger.gateway_key,
                    world.clock,
                    world.network,
                    world.ledger,
                    *world.store,
                    [](core::AssetId) { return core::WithdrawalTerms{.fee = 1, .payable = 10 * amount}; }};
  Desk desk{[] {}};
  std::optional<anchoring::ExchangeListener> listener;
  std::optional<api::ExchangeService> service;
  std::optional<codec::BtfsWithdrawal> submitted;
  core::Error refused = core::Error::none;  // by the ledger
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<protocol::Exchange::Stub> stub;
};

TEST_F(ExchangeGrpcTest, AGatewayThatIsAwayIsSaidToBe) {
  serve(1);  // nobody listens there
  expect_all(Response::REMOTE_CALL_ERROR);
}

TEST_F(ExchangeGrpcTest, AGatewayThatStandsByIsSaidTo) {
  listener.emplace("127.0.0.1:0", desk);
  Answering answering(desk, nullptr);
  serve(listener->port());
  expect_all(Response::REMOTE_CALL_ERROR);
}

TEST_F(ExchangeGrpcTest, EveryAnswerHasAResponseThatSaysWhatWasWrong) {
  listener.emplace("127.0.0.1:0", desk);
  Answering answering(desk, &exchange);
  serve(listener->port());
  for (const auto& response : responses()) {
    EXPECT_NE(response.code(), Response::SUCCESS);
    EXPECT_NE(response.code(), Response::REMOTE_CALL_ERROR);
    EXPECT_FALSE(response.return_message().empty());
  }
}

TEST_F(ExchangeGrpcTest, WhoLostTheLeaseAnswersAndEndsItsSession) {
  world.ledger.submit(world.ledger.operator_key, core::SetRoles{world.payer.public_key(), 0});
  world.tick_blocks(1);
  world.scans = true;
  world.tick_blocks(30);  // the scan has a place, so that a deposit could be prepared
  listener.emplace("127.0.0.1:0", desk);
  world.tables.epoch += 1;
  Answering answering(desk, &exchange);
  serve(listener->port());
  protocol::PrepareDepositRequest request;
  request.set_amount(amount);
  request.set_user_address(btfs::address_of(world.payer.public_key()));
  auto answer = call(&protocol::Exchange::Stub::PrepareDeposit, request);
  EXPECT_EQ(answer.response().code(), Response::DATABASE_ERROR) << answer.response().return_message();
  EXPECT_FALSE(answer.has_tron_transaction());
  // The answer is on its way before the session is told.
  while (answering.fenced < 1) std::this_thread::yield();
  EXPECT_EQ(answering.fenced, 1);
}

TEST_F(ExchangeGrpcTest, WaitingRequestsAreBoundedAndAnsweredWhenTheListenerEnds) {
  std::vector<int> answered;
  int posted = 0;
  while (desk.post([&](Exchange* with) { answered.push_back(with ? 1 : 0); })) ++posted;
  EXPECT_EQ(posted, static_cast<int>(anchoring::max_waiting_requests));
  listener.emplace("127.0.0.1:0", desk);
  serve(listener->port());
  EXPECT_EQ(call(&protocol::Exchange::Stub::ActivateAccountOnChain).response().code(),
            Response::REMOTE_CALL_ERROR);
  listener.reset();
  EXPECT_EQ(answered, std::vector<int>(anchoring::max_waiting_requests, 0));
}

TEST_F(ExchangeGrpcTest, AWithdrawalGoesToTheLedgerWithBothOutcomesSignedByBoth) {
  SecretKey user = SecretKey::generate();
  world.scans = true;
  world.deposit(2 * amount, "1002000", to_hex(user.public_key()));
  world.tick_blocks(30);
  auto gateway = world.ledger.gateway_key.public_key();
  auto channel = *world.ledger.open_btfs_channel(user, amount);
  listener.emplace("127.0.0.1:0", desk);
  Answering answering(desk, &exchange);
  serve(listener->port());

  protocol::PrepareWithdrawRequest prepare;
  prepare.set_amount(amount);
  prepare.set_user_address(btfs::address_of(user.public_key()));
  prepare.set_user_external_address(std::string(view(tron::address_of(user.public_key()).bytes)));
  auto prepared = call(&protocol::Exchange::Stub::PrepareWithdraw, prepare);
  ASSERT_EQ(prepared.response().code(), Response::SUCCESS) << prepared.response().return_message();

  protocol::WithdrawRequest request;
  request.set_id(prepared.id());
  auto sign = [&](ledger::SignedChannelState& out, core::Amount from, core::Amount to) {
    auto id = static_cast<std::int64_t>(channel.value);
    out.set_channel(btfs::encode(btfs::ChannelState{id, 1, {user.public_key(), from}, {gateway, to}}));
    out.set_from_signature(btfs::sign(user, out.channel()));
  };
  sign(*request.mutable_success_channel_state(), 0, amount);
  sign(*request.mutable_failure_channel_state(), amount, 1);
  EXPECT_EQ(call(&protocol::Exchange::Stub::Withdraw, request).response().code(), Response::AMOUNT_ILLEGAL);
  EXPECT_FALSE(submitted) << "what the gateway did not sign is not submitted";
  sign(*request.mutable_failure_channel_state(), amount, 0);
  refused = core::Error::channel_closed;
  EXPECT_EQ(call(&protocol::Exchange::Stub::Withdraw, request).response().code(), Response::CHANNEL_CLOSED);
  refused = core::Error::none;
  EXPECT_EQ(call(&protocol::Exchange::Stub::Withdraw, request).response().code(), Response::SUCCESS);
  ASSERT_TRUE(submitted);
  EXPECT_EQ(submitted->success_state, request.success_channel_state().channel());
  EXPECT_EQ(submitted->failure_state, request.failure_channel_state().channel());
  for (const auto& [by, key, state] :
       {std::tuple(submitted->success_from, user.public_key(), submitted->success_state),
        std::tuple(submitted->failure_from, user.public_key(), submitted->failure_state),
        std::tuple(submitted->success_to, gateway, submitted->success_state),
        std::tuple(submitted->failure_to, gateway, submitted->failure_state)}) {
    EXPECT_EQ(by.key, view(key));
    EXPECT_EQ(btfs::verify(key, by.signature, state), btfs::Error::none);
  }
}

}  // namespace
}  // namespace windlass::test
