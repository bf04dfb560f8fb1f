// The ledger's errors as gRPC statuses, with google.rpc.ErrorInfo (domain `windlass`) and RetryInfo in the
// details.
#pragma once

#include <grpcpp/support/status.h>
#include <windlass/v1/ledger.pb.h>

#include "ledger/sequencer/submission.h"

namespace windlass::api {

constexpr std::string_view error_domain = "windlass";

using Metadata = std::vector<std::pair<std::string, std::string>>;

grpc::Status to_status(core::Error error, const Metadata& metadata = {});
grpc::Status to_status(const sequencer::Answer& refused);
void fill(v1::Rejection& out, const sequencer::Answer& refused);

}  // namespace windlass::api
