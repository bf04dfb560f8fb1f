#include "client/connection.h"

#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>

#include <fstream>
#include <sstream>

namespace windlass::client {
namespace {

// Servers keep their answers below gRPC's default of 4 MiB; older ones sent pages of a thousand lists, 50 kB
// each.
constexpr int max_message_bytes = 64 * 1024 * 1024;

std::string file_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::shared_ptr<grpc::Channel> make_channel(const ConnectionOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(max_message_bytes);
  if (options.ca_file.empty())
    return grpc::CreateCustomChannel(options.address, grpc::InsecureChannelCredentials(), arguments);
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = file_text(options.ca_file);
  return grpc::CreateCustomChannel(options.address, grpc::SslCredentials(tls), arguments);
}

bool is_transient(grpc::StatusCode code) {
  return code == grpc::StatusCode::UNAVAILABLE || code == grpc::StatusCode::DEADLINE_EXCEEDED ||
         code == grpc::StatusCode::ABORTED;
}

}  // namespace

Failure failure_of(const grpc::Status& status) {
  Failure failure;
  failure.kind = is_transient(status.error_code()) ? Failure::Kind::later : Failure::Kind::refused;
  failure.message = status.error_message();
  google::rpc::Status rich;
  if (!rich.ParseFromString(status.error_details())) return failure;
  for (const auto& detail : rich.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::RetryInfo retry;
    if (detail.Is<google::rpc::ErrorInfo>() && detail.UnpackTo(&info)) {
      failure.reason = info.reason();
      failure.metadata = {info.metadata().begin(), info.metadata().end()};
      if (auto said = failure.metadata.find("retry"); said != failure.metadata.end()) {
        if (said->second == "true") failure.kind = Failure::Kind::later;
        failure.metadata.erase(said);
      }
    }
    if (detail.Is<google::rpc::RetryInfo>() && detail.UnpackTo(&retry)) failure.kind = Failure::Kind::later;
  }
  return failure;
}

Connection::Connection(ConnectionOptions options) : options_(std::move(options)) {
  auto channel = make_channel(options_);
  stubs_ = {pb::Ledger::NewStub(channel), pb::Query::NewStub(channel), pb::Log::NewStub(channel),
            pb::Admin::NewStub(channel)};
}

Failure Connection::with_address(Failure failure) const {
  if (failure.kind == Failure::Kind::later && failure.reason.empty())
    failure.message = "the ledger at " + options_.address + " did not answer (" + failure.message +
                      "); is it running, and is --address or WINDLASS_ADDRESS right?";
  return failure;
}

Result<const Connection::Facts*> Connection::facts() {
  std::lock_guard lock(mutex_);
  if (facts_) return &*facts_;
  auto info = call(&pb::Query::Stub::GetLedger, pb::GetLedgerRequest{});
  if (!info) return tl::unexpected(info.error());
  auto listed = call(&pb::Query::Stub::ListAssets, pb::ListAssetsRequest{});
  if (!listed) return tl::unexpected(listed.error());
  auto genesis = to_array<32>(info->genesis_leaf_hash());
  if (!genesis)
    return fail(Failure::Kind::refused,
                options_.address + " gives no genesis hash: is it a Windlass ledger?");
  // Computed here, not taken from the answer: what is signed is decided by origin and genesis alone.
  codec::SigningTag tag(info->origin(), *genesis);
  facts_.emplace(Facts{*std::move(info), std::move(tag), {}});
  for (const auto& asset : listed->assets()) facts_->assets[asset.number()] = asset;
  return &*facts_;
}

}  // namespace windlass::client
