// The devchain's own promises: finality, forks, the pool, restarts, and the node client over its server.
#include "anchoring/devchain/devchain.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "anchoring/devchain/block_file.h"
#include "anchoring/devchain/client.h"
#include "anchoring/devchain/genesis.h"
#include "anchoring/devchain/server.h"
#include "anchoring/tron/block.h"
#include "anchoring/tron/node.h"
#include "tests/unit/devchain_fixture.h"
#include "tron/api.grpc.pb.h"
#include "tron/core.pb.h"

namespace windlass::devchain {
namespace {

namespace fs = std::filesystem;
using protocol::Return;

constexpr std::int64_t trx = 1'000'000;
constexpr std::int64_t start_ms = 1'790'000'001'000;
constexpr std::int64_t slot_ms = 3000;
const std::string token = "1002000";

class DevChainTest : public testing::Test {
 protected:
  DevChainTest() { chain_.produce_block(); }

  static Options options() {
    Options options;
    options.solid_after = 3;
    return options;
  }
  std::vector<GenesisAccount> genesis() const {
    return {{address_of(rich_), 1'000 * trx, {{token, 5'000}}}, {address_of(other_), 10 * trx, {}}};
  }
  void produce(int count = 1) {
    for (; count > 0; --count) {
      clock_.advance(slot_ms);
      chain_.produce_block();
    }
  }
  tron::BroadcastAnswer send(const tron::SignedTransaction& transaction) {
    return *chain_.broadcast(transaction.bytes);
  }
  std::int64_t balance(const SecretKey& key, bool solid = false) {
    auto account = chain_.account(address_of(key), solid);
    return account ? account->balance_sun : -1;
  }

  TestClock clock_{start_ms};
  SecretKey rich_ = SecretKey::generate(), other_ = SecretKey::generate(), witness_ = SecretKey::generate();
  DevChain chain_{clock_, options(), genesis(), witness_};
};

TEST_F(DevChainTest, BlocksAreLinkedSignedAndOnSlots) {
  send(pay(chain_, rich_, address_of(other_), 1));
  produce(3);
  for (std::int64_t number = 1; number <= chain_.head().ref.number; ++number) {
    auto stored = *chain_.block(number);
    auto block = tron::parse_block(stored.bytes);
    ASSERT_TRUE(block) << block.error();
    EXPECT_EQ(block->ref.id, stored.ref.id);
    EXPECT_EQ(block->parent, chain_.block(number - 1)->ref.id);
    EXPECT_EQ(stored.ref.timestamp_ms % slot_ms, 0);
    protocol::Block message;
    ASSERT_TRUE(message.ParseFromString(stored.bytes));
    const auto& header = message.block_header();
    auto digest = sha256(header.raw_data().SerializeAsString());
    EXPECT_EQ(recover_key(header.witness_signature(), digest), witness_.public_key());
    EXPECT_EQ(header.raw_data().witness_address(), view(address_of(witness_).bytes));
  }
  EXPECT_TRUE(tron::parse_block(chain_.block(0)->bytes)) << "genesis is read like any other block";
}

TEST_F(DevChainTest, AGapInTheClockIsAGapOfSlots) {
  std::int64_t before = chain_.head().ref.timestamp_ms;
  clock_.advance(100 * slot_ms);
  EXPECT_EQ(chain_.produce_block().ref.timestamp_ms, before + 100 * slot_ms);
  EXPECT_EQ(chain_.head().ref.number, 2);
}

TEST_F(DevChainTest, StandingClockStillGivesLaterBlocks) {
  std::int64_t before = chain_.head().ref.timestamp_ms;
  EXPECT_EQ(chain_.produce_block().ref.timestamp_ms, before + slot_ms);
}

TEST_F(DevChainTest, BlockIsSolidifiedWhenEnoughStandOnIt) {
  send(pay(chain_, rich_, address_of(other_), 7));
  produce();
  std::int64_t number = chain_.head().ref.number;
  produce(2);
  EXPECT_EQ(chain_.solidified(), number - 1);
  EXPECT_EQ(balance(other_, true), 10 * trx);
  EXPECT_EQ(balance(other_), 10 * trx + 7);
  produce();
  EXPECT_EQ(chain_.solidified(), number);
  EXPECT_EQ(balance(other_, true), 10 * trx + 7);
}

TEST_F(DevChainTest, AccountMadeAfterTheSolidifiedBlockIsNotThereYet) {
  SecretKey fresh = SecretKey::generate();
  send(pay(chain_, rich_, address_of(fresh), 5));
  EXPECT_EQ(balance(fresh), 5) << "the full node tells what is pending";
  EXPECT_EQ(balance(fresh, true), -1);
  produce(4);
  EXPECT_EQ(balance(fresh, true), 5);
}

TEST_F(DevChainTest, PendingIsFoundButNotIncluded) {
  auto payment = pay(chain_, rich_, address_of(other_), 1);
  EXPECT_TRUE(send(payment).result);
  EXPECT_TRUE(chain_.pending(payment.txid));
  EXPECT_FALSE(chain_.find(payment.txid));
  produce();
  EXPECT_FALSE(chain_.pending(payment.txid));
  EXPECT_EQ(chain_.find(payment.txid)->block, chain_.head().ref.number);
}

TEST_F(DevChainTest, LandsInTheBlockWhoseTimeIsItsExpirationAndInNoneLater) {
  tron::TransactionFrame frame{chain_.head().ref, 1, chain_.head().ref.timestamp_ms + slot_ms, {}};
  auto in_time = tron::sign_transfer({address_of(rich_), address_of(other_), 1, {}}, frame, rich_);
  ASSERT_TRUE(send(in_time).result);
  produce();
  EXPECT_TRUE(chain_.find(in_time.txid));

  frame = {chain_.head().ref, 2, chain_.head().ref.timestamp_ms + slot_ms, {}};
  auto late = tron::sign_transfer({address_of(rich_), address_of(other_), 1, {}}, frame, rich_);
  ASSERT_TRUE(send(late).result);
  clock_.advance(slot_ms);  // a missed slot
  produce();
  EXPECT_FALSE(chain_.find(late.txid));
  EXPECT_FALSE(chain_.pending(late.txid)) << "dropped without a word";
}

TEST_F(DevChainTest, PoolForgetsAfterAMinute) {
  Options tiny = options();
  tiny.pool_expiry_ms = -1;  // all is too old at once
  DevChain chain(clock_, tiny, genesis(), witness_);
  chain.produce_block();
  auto payment = pay(chain, rich_, address_of(other_), 1);
  EXPECT_TRUE(chain.broadcast(payment.bytes)->result);
  clock_.advance(slot_ms);
  chain.produce_block();
  EXPECT_FALSE(chain.find(payment.txid));
  EXPECT_EQ(chain.pool_size(), 0u);
}

TEST_F(DevChainTest, TransactionSizeIsBoundedAsTheNodeBoundsIt) {
  auto of_size = [&](std::size_t size) {
    auto base = pay(chain_, rich_, address_of(other_), 1, {}, std::string(size - 300, 'm'));
    return pay(chain_, rich_, address_of(other_), 1, {},
               std::string(size - 300 + size - base.bytes.size(), 'm'));
  };
  auto fits = of_size(511'872), exceeds = of_size(511'873);
  ASSERT_EQ(fits.bytes.size(), 511'872u);
  ASSERT_EQ(exceeds.bytes.size(), 511'873u);
  auto refused = send(exceeds);
  EXPECT_EQ(refused.code, Return::TOO_BIG_TRANSACTION_ERROR);
  EXPECT_EQ(refused.message, "Too big transaction with result, TxId " + to_hex(exceeds.txid) +
                                 ", the size is 512001 bytes, maxTxSize 512000");
  EXPECT_TRUE(send(fits).result) << "it costs half a thousand TRX";
}

TEST_F(DevChainTest, TokenMovesWithBandwidthPaidInTrx) {
  EXPECT_TRUE(send(pay(chain_, rich_, address_of(other_), 1'500, token)).result);
  produce();
  EXPECT_EQ(chain_.account(address_of(rich_))->tokens.at(token), 3'500);
  EXPECT_EQ(chain_.account(address_of(other_))->tokens.at(token), 1'500);
  auto refused = send(pay(chain_, other_, address_of(rich_), 1'501, token));
  EXPECT_EQ(refused.message, "Contract validate error : assetBalance is not sufficient.");
}

TEST_F(DevChainTest, RaisedFeeHoldsFromTheNextTransaction) {
  chain_.parameters().set(parameter::memo_fee, 50 * trx);
  auto refused = send(pay(chain_, other_, address_of(rich_), 1, {}, "memo"));
  EXPECT_EQ(refused.code, Return::BANDWITH_ERROR);
}

TEST_F(DevChainTest, FreeBandwidthComesBackWithinADay) {
  for (std::int64_t amount : {1, 2, 3}) send(pay(chain_, other_, address_of(rich_), amount));
  produce();
  EXPECT_EQ(chain_.head().receipts[1].bandwidth_fee_sun, 0);
  EXPECT_GT(chain_.head().receipts[2].bandwidth_fee_sun, 0);
  clock_.advance(12 * 3600 * 1000);
  produce();
  EXPECT_NEAR(static_cast<double>(free_bandwidth_used(*chain_.account(address_of(other_)), clock_.now_ms())),
              265, 2);
  clock_.advance(12 * 3600 * 1000);
  produce();
  EXPECT_EQ(free_bandwidth_used(*chain_.account(address_of(other_)), clock_.now_ms()), 0);
}

TEST_F(DevChainTest, ForkPutsTransactionsBackAndTheyLandElsewhere) {
  auto payment = pay(chain_, rich_, address_of(other_), 9);
  send(payment);
  produce(2);
  auto included = *chain_.find(payment.txid);
  auto replaced = chain_.block(included.block)->ref.id;
  EXPECT_EQ(chain_.fork(2), 2);
  EXPECT_FALSE(chain_.find(payment.txid));
  EXPECT_TRUE(chain_.pending(payment.txid));
  EXPECT_EQ(chain_.account(address_of(other_), true)->balance_sun, 10 * trx);

  clock_.advance(slot_ms);
  produce();
  EXPECT_EQ(chain_.find(payment.txid)->block, included.block);
  EXPECT_NE(chain_.head().ref.id, replaced);
  EXPECT_EQ(balance(other_), 10 * trx + 9) << "once";
}

TEST_F(DevChainTest, ForkNeverUndoesWhatIsSolidified) {
  produce(10);
  std::int64_t solid = chain_.solidified();
  EXPECT_EQ(chain_.fork(100), 3);
  EXPECT_EQ(chain_.head().ref.number, solid);
  EXPECT_EQ(chain_.solidified(), solid);
  produce();
  EXPECT_EQ(chain_.solidified(), solid);
}

TEST_F(DevChainTest, ForkLosesWhatItsBlocksReferredTo) {
  produce();
  auto payment = pay(chain_, rich_, address_of(other_), 9);  // refers to the head
  chain_.fork(1);
  clock_.advance(slot_ms);
  produce();
  EXPECT_EQ(send(payment).code, Return::TAPOS_ERROR);
}

TEST_F(DevChainTest, ForkUndoesTheAccountsThatItsBlocksMade) {
  SecretKey fresh = SecretKey::generate();
  send(pay(chain_, rich_, address_of(fresh), 5));
  produce();
  EXPECT_EQ(balance(fresh), 5);
  chain_.fork(1);
  chain_.lose_pool();
  EXPECT_EQ(balance(fresh), -1);
  EXPECT_EQ(balance(rich_), 1'000 * trx);
}

TEST_F(DevChainTest, LostTransactionIsTakenAgain) {
  auto payment = pay(chain_, rich_, address_of(other_), 9);
  send(payment);
  chain_.lose_pool();
  produce();
  EXPECT_FALSE(chain_.find(payment.txid));
  EXPECT_EQ(balance(other_), 10 * trx);
  EXPECT_TRUE(send(payment).result);
  produce();
  EXPECT_TRUE(chain_.find(payment.txid));
}

TEST_F(DevChainTest, SecondSpenderOfTheSameMoneyIsRefusedWhilePending) {
  ASSERT_TRUE(send(pay(chain_, other_, address_of(rich_), 9 * trx)).result);
  auto refused = send(pay(chain_, other_, address_of(rich_), 8 * trx));
  EXPECT_EQ(refused.code, Return::CONTRACT_VALIDATE_ERROR);
}

TEST_F(DevChainTest, ClientTellsWhatTheChainHas) {
  DevChainClient client(chain_);
  auto payment = pay(chain_, rich_, address_of(other_), 9, {}, "a memo");
  ASSERT_TRUE(client.broadcast(payment.bytes)->result);
  EXPECT_FALSE(*client.inclusion(payment.txid, false));
  produce();
  std::int64_t number = chain_.head().ref.number;
  EXPECT_EQ(*client.inclusion(payment.txid, false), number);
  EXPECT_FALSE(*client.inclusion(payment.txid, true));
  EXPECT_FALSE(*client.solidified_block(number));
  produce(3);
  EXPECT_EQ(*client.inclusion(payment.txid, true), number);
  EXPECT_EQ(client.solidified_head()->number, number);
  auto block = *client.solidified_block(number);
  ASSERT_TRUE(block);
  ASSERT_EQ(block->transactions.size(), 1u);
  EXPECT_EQ(block->transactions[0].txid, payment.txid);
  EXPECT_EQ(block->transactions[0].memo, "a memo");
  EXPECT_TRUE(block->transactions[0].succeeded);
  EXPECT_FALSE(*client.block(number + 4));
  EXPECT_FALSE(client.broadcast("\xff\xff")) << "garbage has no answer";
  auto state = *client.account(address_of(rich_));
  EXPECT_TRUE(state.exists);
  EXPECT_THAT(state.tokens, testing::ElementsAre(testing::Pair(token, 5'000)));
  EXPECT_LT(state.free_bandwidth_left, 600);
  EXPECT_FALSE(client.account(address_of(SecretKey::generate()))->exists);
}

class DevChainDirectory : public DevChainTest {
 protected:
  DevChainDirectory() : path_((fs::path(testing::TempDir()) / to_hex(random_array<8>())).string()) {}
  ~DevChainDirectory() override { fs::remove(path_); }
  BlockFile open() { return std::move(*BlockFile::open(path_)); }
  // A chain as it is after a restart on the file.
  std::unique_ptr<DevChain> restart() {
    auto chain = std::make_unique<DevChain>(clock_, options(), genesis(), witness_);
    for (const auto& block : open().take_blocks()) {
      auto restored = chain->restore(block);
      EXPECT_TRUE(restored) << restored.error();
    }
    return chain;
  }
  void store_all() {
    BlockFile file = open();
    for (std::int64_t number = 1; number <= chain_.head().ref.number; ++number)
      ASSERT_TRUE(file.append(chain_.block(number)->bytes));
  }

  std::string path_;
};

TEST_F(DevChainDirectory, RestartHasTheSameStateAndGoesOn) {
  auto payment = pay(chain_, rich_, address_of(SecretKey::generate()), 9, {}, "memo");
  send(payment);
  produce(5);
  send(pay(chain_, other_, address_of(rich_), 3));
  produce();
  store_all();

  auto again = restart();
  EXPECT_EQ(again->head().ref.id, chain_.head().ref.id);
  EXPECT_EQ(again->solidified(), chain_.solidified());
  EXPECT_EQ(again->find(payment.txid)->block, chain_.find(payment.txid)->block);
  EXPECT_EQ(again->block(2)->receipts[0].fee_sun, chain_.block(2)->receipts[0].fee_sun);
  for (const auto* key : {&rich_, &other_})
    for (bool solid : {false, true})
      EXPECT_EQ(again->account(address_of(*key), solid)->balance_sun, balance(*key, solid));
  EXPECT_EQ(again->broadcast(payment.bytes)->code, Return::DUP_TRANSACTION_ERROR);
  clock_.advance(slot_ms);
  EXPECT_EQ(again->produce_block().ref.number, chain_.head().ref.number + 1);
}

TEST_F(DevChainDirectory, TornEndIsCutOffAtEveryLength) {
  produce(2);
  store_all();
  auto whole = fs::file_size(path_);
  auto last = chain_.head().bytes.size() + 8;  // with its length and checksum
  for (std::uintmax_t cut = 1; cut <= last; ++cut) {
    fs::resize_file(path_, whole - cut);
    BlockFile file = open();
    EXPECT_EQ(file.take_blocks().size(), 2u) << cut;
    EXPECT_EQ(fs::file_size(path_), whole - last);
    ASSERT_TRUE(file.append(chain_.head().bytes));
  }
  EXPECT_EQ(restart()->head().ref.id, chain_.head().ref.id);
}

TEST_F(DevChainDirectory, DamagedBlockAndWhatFollowsIsDropped) {
  produce(2);
  store_all();
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(chain_.block(1)->bytes.size() + 8 + 20));
  file.put('\x7f');
  file.close();
  EXPECT_EQ(open().take_blocks().size(), 1u);
}

TEST_F(DevChainDirectory, BlocksOfAnotherGenesisAreRefused) {
  produce();
  DevChain stranger(clock_, options(), {{address_of(other_), 1, {}}}, witness_);
  EXPECT_FALSE(stranger.restore(chain_.block(1)->bytes));
  DevChain same(clock_, options(), genesis(), witness_);
  EXPECT_FALSE(same.restore(chain_.block(2)->bytes)) << "block 1 is missing";
  EXPECT_TRUE(same.restore(chain_.block(1)->bytes));
}

TEST_F(DevChainDirectory, ForkIsOnDiskToo) {
  BlockFile file = open();
  Server server(chain_, &file, nullptr);
  ASSERT_TRUE(file.append(chain_.block(1)->bytes));
  for (int i = 0; i < 3; ++i) server.produce_block();
  EXPECT_EQ(server.fork(2), 2);
  clock_.advance(10 * slot_ms);
  server.produce_block();
  EXPECT_EQ(restart()->head().ref.id, chain_.head().ref.id);
}

// The node client speaks to the server over a real port.
class DevChainServer : public DevChainTest {
 protected:
  DevChainServer() {
    int port = server_.start("127.0.0.1:0", std::chrono::milliseconds(0)).value();
    endpoint_ = "127.0.0.1:" + std::to_string(port);
    tron::NodeOptions node_options;
    node_options.full = node_options.solidity = endpoint_;
    node_options.on_call = [this](std::string_view, std::string_view method, std::string_view outcome) {
      calls_.push_back(std::string(method) + " " + std::string(outcome));
    };
    node_ = std::make_unique<tron::Node>(node_options);
  }
  void produce_over_server(int count = 1) {
    for (; count > 0; --count) {
      clock_.advance(slot_ms);
      server_.produce_block();
    }
  }

  Server server_{chain_, nullptr, nullptr};
  std::string endpoint_;
  std::vector<std::string> calls_;
  std::unique_ptr<tron::Node> node_;
};

TEST_F(DevChainServer, NodeFollowsATransferToFinality) {
  ASSERT_EQ(node_->head()->id, chain_.head().ref.id);
  auto payment = pay(chain_, rich_, address_of(other_), 9, token, "to the ledger");
  auto answer = node_->broadcast(payment.bytes);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_TRUE(answer->result);
  EXPECT_EQ(node_->broadcast(payment.bytes)->code, Return::DUP_TRANSACTION_ERROR);
  EXPECT_FALSE(*node_->inclusion(payment.txid, false));
  produce_over_server();
  std::int64_t number = chain_.head().ref.number;
  EXPECT_EQ(*node_->inclusion(payment.txid, false), number);
  EXPECT_FALSE(*node_->inclusion(payment.txid, true));
  EXPECT_FALSE(*node_->solidified_block(number));
  EXPECT_TRUE(*node_->block(number));
  produce_over_server(3);
  EXPECT_EQ(*node_->inclusion(payment.txid, true), number);
  EXPECT_EQ(node_->solidified_head()->number, number);

  auto block = *node_->solidified_block(number);
  ASSERT_TRUE(block);
  EXPECT_EQ(block->parent, chain_.block(number - 1)->ref.id);
  ASSERT_EQ(block->transactions.size(), 1u);
  const auto& seen = block->transactions[0];
  EXPECT_EQ(seen.txid, payment.txid);
  EXPECT_TRUE(seen.succeeded);
  EXPECT_EQ(seen.memo, "to the ledger");
  EXPECT_EQ(std::get<tron::TransferContract>(seen.contract).token_id, token);
  EXPECT_EQ(tron::signer_key(seen, address_of(rich_)), rich_.public_key());
  EXPECT_TRUE(*node_->block(0)) << "genesis";
  EXPECT_FALSE(*node_->block(99));
}

TEST_F(DevChainServer, NodeReadsAccountsAndParameters) {
  auto state = node_->account(address_of(rich_));
  ASSERT_TRUE(state) << state.error().message;
  EXPECT_EQ(state->balance_sun, 1'000 * trx);
  EXPECT_THAT(state->tokens, testing::ElementsAre(testing::Pair(token, 5'000)));
  EXPECT_EQ(state->free_bandwidth_left, 600);
  EXPECT_FALSE(node_->account(address_of(SecretKey::generate()))->exists);
  EXPECT_EQ(*node_->parameters(), chain_.parameters().all());
  EXPECT_THAT(calls_, testing::Contains("GetAccountResource ok"));
}

TEST_F(DevChainServer, RangesAndInfosAreThoseOfTheService) {
  auto payment = pay(chain_, rich_, address_of(other_), 9);
  ASSERT_TRUE(chain_.broadcast(payment.bytes)->result);
  produce_over_server(3);
  auto channel = grpc::CreateChannel(endpoint_, grpc::InsecureChannelCredentials());
  auto full = protocol::Wallet::NewStub(channel);
  auto solid = protocol::WalletSolidity::NewStub(channel);
  auto range = [&](std::int64_t begin, std::int64_t end) {
    grpc::ClientContext context;
    protocol::BlockLimit limit;
    limit.set_startnum(begin);
    limit.set_endnum(end);
    protocol::BlockListExtention out;
    EXPECT_TRUE(full->GetBlockByLimitNext2(&context, limit, &out).ok());
    return out.block_size();
  };
  EXPECT_EQ(range(1, 3), 2) << "without the end";
  EXPECT_EQ(range(3, 103), 2) << "up to the head";
  EXPECT_EQ(range(1, 102), 0) << "over a hundred";
  EXPECT_EQ(range(3, 3), 0);
  auto infos = [&](auto& stub) {
    grpc::ClientContext context;
    protocol::NumberMessage number;
    number.set_num(2);
    protocol::TransactionInfoList out;
    EXPECT_TRUE(stub->GetTransactionInfoByBlockNum(&context, number, &out).ok());
    return out;
  };
  ASSERT_EQ(infos(full).transactioninfo_size(), 1);
  EXPECT_EQ(infos(full).transactioninfo(0).id(), view(payment.txid));
  EXPECT_EQ(infos(solid).transactioninfo_size(), 0);
  produce_over_server();
  EXPECT_EQ(infos(solid).transactioninfo_size(), 1);
}

TEST_F(DevChainServer, AddressesWithoutAContractAreAnsweredSo) {
  auto wallet = protocol::Wallet::NewStub(grpc::CreateChannel(endpoint_, grpc::InsecureChannelCredentials()));
  protocol::TriggerSmartContract call;
  call.set_contract_address(std::string(view(address_of(witness_).bytes)));
  grpc::ClientContext first, second;
  protocol::TransactionExtention constant;
  ASSERT_TRUE(wallet->TriggerConstantContract(&first, call, &constant).ok());
  EXPECT_EQ(constant.result().message(), "Contract validate error : Smart contract is not exist.");
  protocol::EstimateEnergyMessage estimate;
  ASSERT_TRUE(wallet->EstimateEnergy(&second, call, &estimate).ok());
  EXPECT_EQ(estimate.result().message(), "Contract validate error : Smart contract is not exist.");
}

TEST_F(DevChainServer, UnreachableNodeIsAnErrorThatNamesItAndTheMethod) {
  server_.stop();
  auto head = node_->head();
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().kind, tron::ChainError::Kind::unreachable);
  EXPECT_THAT(head.error().message, testing::HasSubstr(endpoint_ + " Wallet.GetNowBlock2"));
  EXPECT_THAT(calls_, testing::Contains("GetNowBlock2 unreachable"));
}

TEST_F(DevChainServer, SilentNodeRunsIntoTheDeadline) {
  tron::NodeOptions node_options;
  node_options.full = node_options.solidity = endpoint_;
  node_options.deadline = std::chrono::milliseconds(50);
  tron::Node hasty(node_options);
  ASSERT_TRUE(node_->head());
  // While somebody holds the chain, no call is answered.
  server_.with_chain([&](DevChain&) {
    auto head = hasty.head();
    ASSERT_FALSE(head);
    EXPECT_EQ(head.error().kind, tron::ChainError::Kind::deadline);
  });
}

TEST_F(DevChainServer, TakenPortIsAnError) {
  Server second(chain_, nullptr, nullptr);
  EXPECT_FALSE(second.start(endpoint_, std::chrono::milliseconds(0)));
}

TEST(DevChainGenesis, IsReadFromJson) {
  auto accounts = parse_genesis(
      R"({"accounts": [{"address": "TMVQGm1qAQYVdetCeGRRkTWYYrLXuHK2HC", "balance_sun": "9007199254740993",
          "tokens": {"1002000": "990000000000000000"}}]})");
  ASSERT_TRUE(accounts) << accounts.error();
  EXPECT_EQ(accounts->at(0).balance_sun, 9'007'199'254'740'993);
  EXPECT_EQ(accounts->at(0).tokens.at("1002000"), 990'000'000'000'000'000);
}

TEST(DevChainGenesis, FaultsAreNamed) {
  auto error_of = [](const std::string& account) {
    return parse_genesis("{\"accounts\": [" + account + "]}").error();
  };
  EXPECT_THAT(error_of(R"({"address": "TMVQ", "balance_sun": 1})"), testing::HasSubstr("TMVQ"));
  EXPECT_THAT(error_of(R"({"address": "TMVQGm1qAQYVdetCeGRRkTWYYrLXuHK2HC", "balance_sun": -1})"),
              testing::HasSubstr("negative"));
  EXPECT_THAT(error_of(R"({"address": "TMVQGm1qAQYVdetCeGRRkTWYYrLXuHK2HC", "tokens": {"BTT": 1}})"),
              testing::HasSubstr("BTT"));
  EXPECT_THAT(error_of(R"({"adress": 1})"), testing::HasSubstr("adress"));
}

TEST(DevChainGenesis, TokensAreReadToTheirLastUnit) {
  auto accounts = parse_genesis(
      R"({"contracts": [{"address": "TAFjULxiVgT4qWk6UZwjqwZXTSaGaqnVp4", "name": "BitTorrent", "symbol": "BTT20",
          "decimals": 18, "feePercent": 10, "hidesFee": true,
          "balances": {"TMVQGm1qAQYVdetCeGRRkTWYYrLXuHK2HC": "340282366920938463463374607431768211455"}}]})");
  ASSERT_TRUE(accounts) << accounts.error();
  const auto& gold = accounts->at(0).contract.value();
  EXPECT_EQ(tron::to_base58(accounts->at(0).address), "TAFjULxiVgT4qWk6UZwjqwZXTSaGaqnVp4");
  EXPECT_EQ(gold.symbol, "BTT20");
  EXPECT_EQ(gold.decimals, 18u);
  EXPECT_EQ(gold.fee_percent, 10u);
  EXPECT_TRUE(gold.hides_fee);
  EXPECT_TRUE(gold.supply() == ~tron::abi::Uint128{0});
}

TEST(DevChainGenesis, FaultsOfTokensAreNamed) {
  auto error_of = [](const std::string& fields) {
    return parse_genesis(R"({"contracts": [{"address": "TAFjULxiVgT4qWk6UZwjqwZXTSaGaqnVp4", )" + fields +
                         "}]}")
        .error();
  };
  EXPECT_THAT(parse_genesis(R"({"contracts": [{"address": "TAFj"}]})").error(), testing::HasSubstr("TAFj"));
  EXPECT_THAT(error_of(R"("decimals": 78)"), testing::HasSubstr("77 decimals"));
  EXPECT_THAT(error_of(R"("feePercent": 101)"), testing::HasSubstr("100 percent"));
  EXPECT_THAT(error_of(R"("balances": {"TMVQ": "1"})"), testing::HasSubstr("TMVQ"));
  for (const char* amount : {"", "-1", "1.5", "340282366920938463463374607431768211456"})
    EXPECT_THAT(
        error_of(R"("balances": {"TMVQGm1qAQYVdetCeGRRkTWYYrLXuHK2HC": ")" + std::string(amount) + "\"}"),
        testing::HasSubstr("decimal number"))
        << amount;
  EXPECT_THAT(error_of(R"("balances": {"TMVQGm1qAQYVdetCeGRRkTWYYrLXuHK2HC": "1",
                          "TAFjULxiVgT4qWk6UZwjqwZXTSaGaqnVp4": "340282366920938463463374607431768211455"})"),
              testing::HasSubstr("128 bits"));
}

TEST(DevChainKey, IsMadeOnceAndForItsOwnerAlone) {
  auto path = (fs::path(testing::TempDir()) / to_hex(random_array<8>())).string();
  auto made = load_or_make_key(path);
  ASSERT_TRUE(made) << made.error();
  EXPECT_EQ(load_or_make_key(path)->public_key(), made->public_key());
  EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  std::ofstream(path) << "not a key";
  EXPECT_FALSE(load_or_make_key(path));
  fs::remove(path);
}

}  // namespace
}  // namespace windlass::devchain
