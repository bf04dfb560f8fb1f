// What the services that only read have in common.
#pragma once

#include <grpcpp/grpcpp.h>
#include <windlass/v1/ledger.pb.h>

#include "api/grpc/pool.h"
#include "api/queries.h"

namespace windlass::api {

// Runs `answer` (which fills the response and says how that went) on the pool; without one right here.
grpc::ServerUnaryReactor* on_pool(Pool* pool, grpc::CallbackServerContext* context,
                                  std::function<core::Error()> answer);

// `bytes` are signed, like a command, by an account that holds `role` now; `otherwise` where it does not.
core::Error check_role(Queries& queries, ByteView bytes, const v1::Signature& signature, core::Role role,
                       core::Error otherwise);

}  // namespace windlass::api
