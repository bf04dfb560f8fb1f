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

grpc::Status make_status(const core::ErrorInfo& info, const Metadata& metadata) {
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

}  // namespace

grpc::Status to_status(core::Error error, const Metadata& metadata) {
  return make_status(core::info(error), metadata);
}

grpc::Status to_status(codec::btfs::Error error) {
  // A message that is no message of the protocol is never accepted later.
  return make_status({codec::btfs::reason(error), codec::btfs::words(error), false,
                      static_cast<int>(grpc::StatusCode::INVALID_ARGUMENT)},
                     {});
}

grpc::Status with_message(const grpc::Status& status, grpc::StatusCode code, std::string_view message) {
  google::rpc::Status all;
  google::rpc::ErrorInfo details;
  if (all.ParseFromString(status.error_details()) && all.details_size() > 0 &&
      all.details(0).UnpackTo(&details)) {
    (*details.mutable_metadata())["message"] = status.error_message();
    all.mutable_details(0)->PackFrom(details);
  }
  all.set_code(code);
  all.set_message(std::string(message));
  return {code, all.message(), all.SerializeAsString()};
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
