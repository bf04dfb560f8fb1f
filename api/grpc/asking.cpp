#include "api/grpc/asking.h"

#include "api/grpc/status.h"
#include "ops/log.h"

namespace windlass::api {

grpc::ServerUnaryReactor* on_pool(Pool* pool, grpc::CallbackServerContext* context,
                                  std::function<core::Error()> answer) {
  auto* reactor = context->DefaultReactor();
  auto job = [=, answer = std::move(answer)] {
    if (context->IsCancelled()) {
      reactor->Finish(grpc::Status::CANCELLED);
      return;
    }
    try {
      auto error = answer();
      reactor->Finish(error == core::Error::none ? grpc::Status::OK : to_status(error));
    } catch (const std::exception& error) {  // damaged tiles: a query must not end the ledger
      ops::log_error("a query failed", {{"error", error.what()}});
      reactor->Finish({grpc::StatusCode::INTERNAL, error.what()});
    }
  };
  if (!pool)
    job();
  else if (!pool->run(job))
    reactor->Finish(to_status(core::Error::queue_full));
  return reactor;
}

core::Error check_role(Queries& queries, ByteView bytes, const v1::Signature& signature, core::Role role,
                       core::Error otherwise) {
  auto ledger = queries.ledger();
  if (!ledger) return ledger.error();
  auto key = to_array<33>(signature.key());
  if (!key) return otherwise;
  auto digest = codec::SigningTag(ledger->signing_tag).digest(bytes);
  if (verify_signature(signature.key(), signature.signature(), digest) != SignatureCheck::valid)
    return core::Error::bad_signature;
  auto holds = queries.has_role(*key, role);
  if (!holds) return holds.error();
  return *holds ? core::Error::none : otherwise;
}

}  // namespace windlass::api
