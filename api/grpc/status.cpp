#include "api/grpc/status.h"

#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>

namespace windlass::api {
namespace {

// Long enough for a flush or a takeover to move on, short enough that nobody waits.
constexpr int retry_delay_ms = 200;

Metadata metadata_of(const sequencer::Answer& refused) {
  Metadata metadata;
  for (const auto& detail : refused.details)
    if (!detail.name.empty()) metadata.emplace_back(detail.name, std::to_string(detail.value));
  return metadata;
}

}  // namespace

grpc::Status to_status(core::Error error, const Metadata& metadata) {
  const auto& info = core::info(error);
  google::rpc::ErrorInfo details;
  details.set_reason(std::string(info.reason));
  details.set_domain(std::string(error_domain));
  for (const auto& [name, value] : metadata) (*details.mutable_metadata())[name] = value;
  google::rpc::Status status;
  status.set_code(info.grpc_status);
  status.set_message(std::string(info.message));
  status.add_details()->PackFrom(details);
  if (info.transient) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_nanos(retry_delay_ms * 1'000'000);
    status.add_details()->PackFrom(retry);
  }
  return {static_cast<grpc::StatusCode>(info.grpc_status), status.message(), status.SerializeAsString()};
}

grpc::Status to_status(const sequencer::Answer& refused) {
  return to_status(refused.error, metadata_of(refused));
}

void fill(v1::Rejection& out, const sequencer::Answer& refused) {
  const auto& info = core::info(refused.error);
  out.set_reason(std::string(info.reason));
  out.set_message(std::string(info.message));
  out.set_retry(info.transient);
  for (auto& [name, value] : metadata_of(refused)) (*out.mutable_metadata())[name] = value;
}

}  // namespace windlass::api
