// The ledger over gRPC: what counts as refused, what as unknown, and what no answer may do.
#include "anchoring/grpc_ledger.h"

#include <btfs/ledger.grpc.pb.h>
#include <gmock/gmock.h>
#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <grpcpp/grpcpp.h>
#include <windlass/v1/admin.grpc.pb.h>
#include <windlass/v1/log.grpc.pb.h>
#include <windlass/v1/query.grpc.pb.h>

#include "ledger/codec/btfs.h"

namespace windlass::anchoring {
namespace {

namespace pb = windlass::v1;

grpc::Status refusal(core::Error error) {
  const auto& info = core::info(error);
  google::rpc::ErrorInfo detail;
  detail.set_reason(std::string(info.reason));
  detail.set_domain("windlass");
  google::rpc::Status details;
  details.add_details()->PackFrom(detail);
  return {static_cast<grpc::StatusCode>(info.grpc_status), std::string(info.message),
          details.SerializeAsString()};
}

// Answers what the test set.
class Script final : public pb::Query::Service, public pb::Admin::Service, public pb::Log::Service {
 public:
  grpc::Status GetLedger(grpc::ServerContext*, const pb::GetLedgerRequest*, pb::LedgerInfo* out) override {
    *out = ledger;
    return status;
  }
  grpc::Status ListAssets(grpc::ServerContext*, const pb::ListAssetsRequest*,
                          pb::ListAssetsResponse* out) override {
    auto& asset = *out->add_assets();
    asset.set_number(1);
    asset.set_symbol("BTT");
    asset.set_chain(1);
    asset.set_token("1002000");
    asset.set_decimals(6);
    asset.set_chain_units(10);
    return status;
  }
  grpc::Status GetTotals(grpc::ServerContext*, const pb::GetTotalsRequest*,
                         pb::GetTotalsResponse* out) override {
    auto& totals = *out->add_totals();
    totals.set_asset(1);
    totals.set_credited(amount);
    return status;
  }
  grpc::Status GetEntry(grpc::ServerContext*, const pb::GetEntryRequest* in, pb::Entry* out) override {
    out->set_sequence(in->sequence());
    out->set_kind(kind);
    out->set_time_us(77);
    return status;
  }
  grpc::Status Execute(grpc::ServerContext*, const pb::SubmitRequest* in, pb::SubmitResponse* out) override {
    submitted = *in;
    if (accepts) out->mutable_accepted()->set_sequence(41);
    return status;
  }
  grpc::Status ListExchangeChannels(grpc::ServerContext*, const pb::SignedRequest* in,
                                    pb::ListExchangeChannelsResponse* out) override {
    asked = *in;
    for (std::int64_t opened_us : {5, 10, 15}) {
      auto& channel = *out->add_channels();
      channel.set_id(static_cast<std::uint64_t>(opened_us));
      channel.set_key(payer);
      channel.set_amount(7);
      channel.set_opened_us(opened_us);
    }
    return status;
  }
  // `credits` of them: one in each block from 1 on, those of another chain among them.
  grpc::Status ListCredits(grpc::ServerContext*, const pb::SignedRequest* in,
                           pb::ListCreditsResponse* out) override {
    asked = *in;
    pb::ListRequest request;
    request.ParseFromString(in->request());
    auto newest = request.after() == 0 ? credits : request.after() - 1;
    for (auto block = newest; block > 0 && out->credits_size() < static_cast<int>(request.page_size());
         --block) {
      auto& credit = *out->add_credits();
      credit.set_sequence(block);
      credit.set_chain(block % 10 == 0 ? 2 : 1);
      credit.set_block(block);
      credit.set_transaction(3);
      credit.set_log(4);
    }
    return status;
  }
  // Waits as the real one does for a checkpoint that never comes.
  grpc::Status GetCheckpoint(grpc::ServerContext* context, const pb::GetCheckpointRequest* in,
                             pb::Checkpoint* out) override {
    if (in->minimum_size() > 100) {
      while (!context->IsCancelled()) std::this_thread::yield();
      return grpc::Status::CANCELLED;
    }
    out->set_note("a note");
    return status;
  }
  grpc::Status GetConsistencyProof(grpc::ServerContext*, const pb::GetConsistencyProofRequest*,
                                   pb::ConsistencyProof* out) override {
    out->add_path(node);
    return status;
  }

  pb::LedgerInfo ledger;
  grpc::Status status;
  pb::SubmitRequest submitted;
  pb::SignedRequest asked;
  std::string payer;
  std::uint64_t credits = 0;
  std::string node = std::string(32, 'n');
  std::string amount = "\x01";
  std::uint32_t kind = 1;
  bool accepts = true;
};

// The historical services, likewise.
class BtfsScript final : public ledger::Channels::Service {
 public:
  grpc::Status GetChannelInfo(grpc::ServerContext*, const ledger::ChannelID* in,
                              ledger::ChannelInfo* out) override {
    *out = info;
    *out->mutable_id() = *in;
    return status;
  }
  grpc::Status CloseChannel(grpc::ServerContext*, const ledger::SignedChannelState* in,
                            ledger::ChannelClosed*) override {
    closed = *in;
    return status;
  }
  ledger::ChannelInfo info;
  ledger::SignedChannelState closed;
  grpc::Status status;
};

class GrpcLedgerTest : public ::testing::Test {
 protected:
  GrpcLedgerTest() {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(static_cast<pb::Query::Service*>(&script));
    builder.RegisterService(static_cast<pb::Admin::Service*>(&script));
    builder.RegisterService(static_cast<pb::Log::Service*>(&script));
    builder.RegisterService(&btfs);
    server = builder.BuildAndStart();
    ledger.emplace(
        GrpcLedgerOptions{"127.0.0.1:" + std::to_string(port), "", std::chrono::milliseconds(2000)});
    script.ledger.set_origin("example.org/log");
    script.ledger.set_signing_tag("windlass/v1/example.org/log/00");
    script.ledger.set_log_vkey(log_key.text());
    script.ledger.set_size(7);
  }
  LedgerResult<core::Sequence> execute() { return ledger->execute({"command", {{"key", "signature"}}}); }

  log::VerifierKey log_key =
      log::VerifierKey::of("example.org/log", Ed25519SecretKey::generate().public_key());
  Script script;
  BtfsScript btfs;
  std::unique_ptr<grpc::Server> server;
  std::string address;
  std::optional<GrpcLedger> ledger;
};

TEST_F(GrpcLedgerTest, ReadsAndClosesChannelsOfHistoricalClients) {
  SecretKey payer = SecretKey::generate(), gateway = SecretKey::generate();
  namespace codec = windlass::codec::btfs;
  btfs.info.mutable_from_account()->mutable_address()->set_key(codec::address_of(payer.public_key()));
  btfs.info.mutable_from_account()->set_balance(7);
  btfs.info.mutable_to_account()->mutable_address()->set_key(codec::address_of(gateway.public_key()));
  auto channel = ledger->btfs_channel({12});
  ASSERT_TRUE(channel && *channel);
  EXPECT_EQ((*channel)->payer, payer.public_key());
  EXPECT_EQ((*channel)->recipient, gateway.public_key());
  EXPECT_EQ((*channel)->amount, 7);
  EXPECT_TRUE((*channel)->open);
  EXPECT_EQ((*channel)->given_back, 0);
  btfs.info.set_close_sequence(99);
  channel = ledger->btfs_channel({12});
  EXPECT_FALSE((*channel)->open);
  EXPECT_EQ((*channel)->given_back, 7);
  btfs.info.mutable_to_account()->mutable_address()->set_key("short");
  EXPECT_FALSE(ledger->btfs_channel({12}));
  btfs.status = refusal(core::Error::unknown_channel);
  channel = ledger->btfs_channel({12});
  EXPECT_TRUE(channel && !*channel);
  btfs.status = refusal(core::Error::queue_full);
  EXPECT_FALSE(ledger->btfs_channel({12}));
  EXPECT_FALSE(ledger->close_btfs_channel("a state", "a signature"));
  btfs.status = grpc::Status::OK;
  EXPECT_TRUE(ledger->close_btfs_channel("a state", "a signature"));
  EXPECT_EQ(btfs.closed.channel(), "a state");
  EXPECT_EQ(btfs.closed.from_signature(), "");
  EXPECT_EQ(btfs.closed.to_signature(), "a signature");

  script.payer = std::string(view(payer.public_key()));
  auto idle = ledger->idle_exchange_channels(gateway, 11);
  ASSERT_TRUE(idle) << idle.error().message;
  ASSERT_EQ(idle->size(), 2u) << "the third is too young";
  EXPECT_EQ((*idle)[1].id, core::ChannelId{10});
  EXPECT_EQ((*idle)[1].payer, payer.public_key());
  pb::ListRequest asked;
  asked.ParseFromString(script.asked.request());
  EXPECT_EQ(asked.method(), "ListExchangeChannels");
  script.payer = "no key";
  EXPECT_FALSE(ledger->idle_exchange_channels(gateway, 11));
}

TEST_F(GrpcLedgerTest, FindsACreditByItsPlace) {
  auto gateway = SecretKey::generate();
  script.credits = 2'500;
  auto at = [&](core::ChainCursor place) { return ledger->credit_at(gateway, 1, place).value(); };
  EXPECT_EQ(at({2'499, 3, 4}), core::Sequence{2'499});
  EXPECT_EQ(at({11, 3, 4}), core::Sequence{11}) << "on the third page";
  EXPECT_EQ(at({11, 3, 5}), std::nullopt);
  EXPECT_EQ(at({20, 3, 4}), std::nullopt) << "of another chain";
  EXPECT_EQ(at({0, 0, 0}), std::nullopt) << "before all";
  EXPECT_EQ(at({2'501, 0, 0}), std::nullopt) << "behind all";
  script.status = refusal(core::Error::missing_role);
  EXPECT_FALSE(ledger->credit_at(gateway, 1, {11, 3, 4}));
}

TEST_F(GrpcLedgerTest, ReadsWhatAWorkerNeeds) {
  auto info = ledger->info();
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->tag.text(), "windlass/v1/example.org/log/00");
  EXPECT_EQ(info->log_key.text(), log_key.text());
  EXPECT_EQ(info->size, 7u);
  auto assets = ledger->assets();
  ASSERT_TRUE(assets && assets->size() == 1);
  EXPECT_EQ(assets->front().token, "1002000");
  EXPECT_EQ(assets->front().chain_units, 10u);
  auto entry = ledger->entry(core::Sequence{3});
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->kind, core::Kind::seal);
  EXPECT_EQ(entry->time_us, 77);
  EXPECT_EQ(ledger->checkpoint(5).value(), "a note");
  EXPECT_EQ(ledger->consistency_proof(1, 2)->size(), 1u);
  EXPECT_EQ(ledger->totals()->front().credited, 1u);
}

TEST_F(GrpcLedgerTest, SendsTheSignedBytesAsTheyAre) {
  auto sequence = execute();
  ASSERT_TRUE(sequence) << sequence.error().message;
  EXPECT_EQ(sequence->value, 41u);
  EXPECT_EQ(script.submitted.command().command(), "command");
  EXPECT_EQ(script.submitted.command().signatures(0).key(), "key");
  EXPECT_EQ(script.submitted.command().signatures(0).signature(), "signature");
}

TEST_F(GrpcLedgerTest, TellsARefusalFromWhatMayBeTriedAgain) {
  script.status = refusal(core::Error::credit_not_in_order);
  auto refused = execute();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, "CREDIT_NOT_IN_ORDER");
  EXPECT_FALSE(refused.error().retry);
  script.status = refusal(core::Error::queue_full);
  EXPECT_TRUE(execute().error().retry);
  // Statuses that the ledger itself gave no reason for say nothing of what happened.
  for (auto code :
       {grpc::StatusCode::INTERNAL, grpc::StatusCode::PERMISSION_DENIED, grpc::StatusCode::UNKNOWN}) {
    script.status = grpc::Status(code, "a proxy");
    EXPECT_TRUE(execute().error().retry);
    EXPECT_EQ(execute().error().reason, "");
  }
}

TEST_F(GrpcLedgerTest, TakesNothingForAcceptedThatIsNot) {
  script.accepts = false;
  ASSERT_FALSE(execute());
  EXPECT_TRUE(execute().error().retry);
}

TEST_F(GrpcLedgerTest, GivesUpAtTheDeadline) {
  ledger.emplace(GrpcLedgerOptions{address, "", std::chrono::milliseconds(100)});
  auto late = ledger->checkpoint(101);
  ASSERT_FALSE(late);
  EXPECT_TRUE(late.error().retry);
  EXPECT_THAT(late.error().message, ::testing::HasSubstr("GetCheckpoint"));
}

TEST_F(GrpcLedgerTest, NoticesThatTheLedgerBecameAnother) {
  ASSERT_TRUE(ledger->info());
  script.ledger.set_signing_tag("windlass/v1/example.org/log/01");
  auto other = ledger->info();
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, ::testing::HasSubstr("another ledger"));
}

TEST_F(GrpcLedgerTest, RefusesMalformedAnswers) {
  script.node = "short";
  script.kind = static_cast<std::uint32_t>(core::last_kind) + 1;
  script.amount = std::string(17, '\1');
  script.ledger.set_log_vkey("no key");
  EXPECT_FALSE(ledger->consistency_proof(1, 2));
  EXPECT_FALSE(ledger->entry(core::Sequence{3}));
  EXPECT_FALSE(ledger->totals());
  EXPECT_FALSE(ledger->info());
}

TEST_F(GrpcLedgerTest, SaysWhoDidNotAnswer) {
  server->Shutdown();
  auto nobody = ledger->info();
  ASSERT_FALSE(nobody);
  EXPECT_TRUE(nobody.error().retry);
  EXPECT_THAT(nobody.error().message, ::testing::HasSubstr("GetLedger"));
}

}  // namespace
}  // namespace windlass::anchoring
