// The ledger over gRPC: what counts as refused, what as unknown, and what no answer may do.
#include "anchoring/grpc_ledger.h"

#include <gmock/gmock.h>
#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <grpcpp/grpcpp.h>
#include <windlass/v1/admin.grpc.pb.h>
#include <windlass/v1/log.grpc.pb.h>
#include <windlass/v1/query.grpc.pb.h>

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
  std::string node = std::string(32, 'n');
  std::string amount = "\x01";
  std::uint32_t kind = 1;
  bool accepts = true;
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
  std::unique_ptr<grpc::Server> server;
  std::string address;
  std::optional<GrpcLedger> ledger;
};

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
