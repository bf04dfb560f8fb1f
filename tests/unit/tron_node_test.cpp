// The node client against nodes that answer wrongly.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "anchoring/tron/node.h"
#include "tests/unit/tron_vectors.h"
#include "tron/api.grpc.pb.h"

namespace windlass::tron {
namespace {

using grpc::ServerContext;
using grpc::Status;
using Kind = ChainError::Kind;

// Says whatever a test puts into it.
class ScriptedWallet final : public protocol::Wallet::Service {
 public:
  Status GetNowBlock2(ServerContext* context, const protocol::EmptyMessage*,
                      protocol::BlockExtention* out) override {
    auto key = context->client_metadata().find("tron-pro-api-key");
    if (key != context->client_metadata().end()) api_key.assign(key->second.data(), key->second.size());
    *out = block;
    return status;
  }
  Status GetBlockByNum2(ServerContext*, const protocol::NumberMessage*,
                        protocol::BlockExtention* out) override {
    *out = block;
    return status;
  }
  Status GetTransactionInfoById(ServerContext*, const protocol::BytesMessage*,
                                protocol::TransactionInfo* out) override {
    *out = info;
    return status;
  }
  Status GetAccount(ServerContext*, const protocol::Account*, protocol::Account* out) override {
    *out = account;
    return status;
  }

  Status status;
  protocol::BlockExtention block;
  protocol::TransactionInfo info;
  protocol::Account account;
  std::string api_key;
};

class TronNode : public testing::Test {
 protected:
  TronNode() {
    // Block 415: eight transactions of several kinds.
    for (const auto& capture : test::load_vectors("blocks.json"))
      if (capture["number"] == 415) wallet_.block.ParseFromString(test::unhex(capture["response_hex"]));
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&wallet_);
    server_ = builder.BuildAndStart();
    NodeOptions options;
    options.full = options.solidity = "127.0.0.1:" + std::to_string(port);
    options.api_key = "a key";
    options.on_forged = [this] { ++forged_; };
    node_ = std::make_unique<Node>(options);
  }

  void expect_bad(const std::string& what) {
    auto block = node_->block(415);
    ASSERT_FALSE(block) << what;
    EXPECT_EQ(block.error().kind, Kind::forged);
    EXPECT_EQ(forged_, 1);
    forged_ = 0;
    EXPECT_THAT(block.error().message, testing::HasSubstr(what));
  }
  protocol::BlockHeader::raw& header() { return *wallet_.block.mutable_block_header()->mutable_raw_data(); }

  ScriptedWallet wallet_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Node> node_;
  int forged_ = 0;
};

TEST_F(TronNode, TakesARealBlockAndSendsItsApiKey) {
  auto block = node_->block(415);
  ASSERT_TRUE(block) << block.error().message;
  EXPECT_EQ((*block)->transactions.size(), 8u);
  EXPECT_EQ(node_->head()->number, 415);
  EXPECT_EQ(wallet_.api_key, "a key");
}

TEST_F(TronNode, RefusesABlockIdThatIsNotTheHeaders) {
  wallet_.block.mutable_blockid()->back() ^= 1;
  expect_bad("block id");
}

TEST_F(TronNode, RefusesAChangedHeader) {
  header().set_timestamp(header().timestamp() + 1);
  expect_bad("block id");
}

TEST_F(TronNode, RefusesABlockWithATransactionLeftOut) {
  wallet_.block.mutable_transactions()->RemoveLast();
  expect_bad("txTrieRoot");
}

TEST_F(TronNode, RefusesABlockWithAChangedResult) {
  wallet_.block.mutable_transactions(0)->mutable_transaction()->mutable_ret(0)->set_contractret(
      protocol::Transaction::Result::REVERT);
  expect_bad("txTrieRoot");
}

TEST_F(TronNode, RefusesAnotherBlockThanItAskedFor) {
  auto block = node_->block(414);
  ASSERT_FALSE(block);
  EXPECT_THAT(block.error().message, testing::HasSubstr("asked for 414"));
}

TEST_F(TronNode, EmptyAnswerIsNoBlockButNoHeadEither) {
  wallet_.block.Clear();
  EXPECT_EQ(node_->block(415)->has_value(), false);
  EXPECT_EQ(node_->head().error().kind, Kind::bad_answer);
}

TEST_F(TronNode, RefusesInfoOfAnotherTransaction) {
  wallet_.info.set_id(std::string(32, 'x'));
  EXPECT_EQ(node_->inclusion(Hash{}, false).error().kind, Kind::bad_answer);
}

TEST_F(TronNode, TellsAFailureWhicheverFieldNamesIt) {
  wallet_.info.set_id(std::string(32, '\0'));
  wallet_.info.mutable_receipt()->set_result(protocol::Transaction::Result::SUCCESS);
  EXPECT_FALSE(node_->execution(Hash{}, false).value()->failed);
  wallet_.info.set_result(protocol::TransactionInfo::FAILED);
  EXPECT_TRUE(node_->execution(Hash{}, false).value()->failed);
}

// Taken back or not, it stands apart from the logs, and nothing here reads it.
TEST_F(TronNode, MoneyThatContractsMoveInsideIsInNoLog) {
  auto captures = test::load_vectors("internal-transactions.json");
  ASSERT_EQ(captures.size(), 2u);
  for (const auto& capture : captures) {
    wallet_.info.ParseFromString(test::unhex(capture["response_hex"]));
    auto execution = node_->execution(*to_array<32>(wallet_.info.id()), false);
    ASSERT_TRUE(execution && *execution);
    EXPECT_EQ((*execution)->result, contract_success);
    EXPECT_TRUE((*execution)->logs.empty());
  }
}

TEST_F(TronNode, RefusesAnotherAccount) {
  wallet_.account.set_address("another");
  EXPECT_EQ(node_->account(Address{}).error().kind, Kind::bad_answer);
}

TEST_F(TronNode, TellsUnreachableFromWrong) {
  wallet_.status = Status(grpc::StatusCode::UNAVAILABLE, "this API is unavailable due to config");
  EXPECT_EQ(node_->head().error().kind, Kind::unreachable);
  wallet_.status = Status(grpc::StatusCode::UNIMPLEMENTED, "no such method");
  EXPECT_EQ(node_->head().error().kind, Kind::bad_answer);
  EXPECT_FALSE(node_->broadcast("\xff\xff")) << "garbage is never sent";
}

}  // namespace
}  // namespace windlass::tron
