// A connection to a ledger server: typed calls with deadlines, and what the ledger says of itself, asked
// once.
#pragma once

#include <grpcpp/grpcpp.h>
#include <windlass/v1/admin.grpc.pb.h>
#include <windlass/v1/ledger.grpc.pb.h>
#include <windlass/v1/log.grpc.pb.h>
#include <windlass/v1/query.grpc.pb.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>

#include "client/failure.h"
#include "ledger/codec/envelope.h"

namespace windlass::client {

namespace pb = windlass::v1;

struct ConnectionOptions {
  std::string address;                         // host:port
  std::chrono::milliseconds deadline{10'000};  // of each call; of a stream: between two of its messages
  std::string ca_file;                         // PEM: speak TLS and trust these; empty: plaintext
};

// What a refusal says, from its google.rpc.ErrorInfo where it carries one. `status` is not OK.
Failure failure_of(const grpc::Status& status);

// Calls may come from several threads.
class Connection {
 public:
  explicit Connection(ConnectionOptions options);

  // One unary call: call(&pb::Query::Stub::GetAccount, request).
  template <typename Service, typename Request, typename Response>
  Result<Response> call(grpc::Status (Service::*method)(grpc::ClientContext*, const Request&, Response*),
                        const Request& request) {
    return call(method, request, options_.deadline);
  }
  template <typename Service, typename Request, typename Response>
  Result<Response> call(grpc::Status (Service::*method)(grpc::ClientContext*, const Request&, Response*),
                        const Request& request, std::chrono::milliseconds deadline) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + deadline);
    Response response;
    grpc::Status status = (stub<Service>().*method)(&context, request, &response);
    if (!status.ok()) return tl::unexpected(with_address(failure_of(status)));
    return response;
  }
  template <typename Service>
  Service& stub() {
    return *std::get<std::unique_ptr<Service>>(stubs_);
  }

  // Of the ledger at the other end; they never change, so they are asked for once.
  struct Facts {
    pb::LedgerInfo info;
    codec::SigningTag tag;
    std::map<std::uint32_t, pb::Asset> assets;  // by number; new ones need a new connection
  };
  Result<const Facts*> facts();

  const ConnectionOptions& options() const { return options_; }
  Failure with_address(Failure failure) const;

 private:
  ConnectionOptions options_;
  std::tuple<std::unique_ptr<pb::Ledger::Stub>, std::unique_ptr<pb::Query::Stub>,
             std::unique_ptr<pb::Log::Stub>, std::unique_ptr<pb::Admin::Stub>>
      stubs_;
  std::mutex mutex_;
  std::optional<Facts> facts_;
};

}  // namespace windlass::client
