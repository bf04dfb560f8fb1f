// The ledger's errors as gRPC statuses, with google.rpc.ErrorInfo (domain `windlass`) and RetryInfo in the
// details.
#pragma once

#include <grpcpp/support/status.h>
#include <windlass/v1/ledger.pb.h>

#include "ledger/codec/btfs.h"
#include "ledger/sequencer/submission.h"

namespace windlass::api {

constexpr std::string_view error_domain = "windlass";

using Metadata = std::vector<std::pair<std::string, std::string>>;

grpc::Status to_status(core::Error error, const Metadata& metadata = {});
grpc::Status to_status(const sequencer::Answer& refused);
// Of what historical clients signed.
grpc::Status to_status(codec::btfs::Error error);
// The same details under another code and text, which they then explain: the text of before is `message`
// among the metadata.
grpc::Status with_message(const grpc::Status& status, grpc::StatusCode code, std::string_view message);
void fill(v1::Rejection& out, const sequencer::Answer& refused);

}  // namespace windlass::api
