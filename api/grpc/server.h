// The gRPC server: windlass.v1's services, those of the historical BTFS ledger where they are wanted, health
// and reflection on one port.
#pragma once

#include <memory>

#include "api/queries.h"
#include "ops/config.h"

namespace windlass::api {

struct GrpcOptions {
  ops::Address listen;
  bool public_contents = false;            // everybody may read the contents of all entries
  std::string certificate_file, key_file;  // TLS where given
  // The services of the historical BTFS ledger.
  bool btfs = false;
  std::optional<SecretKey> escrow_key;
  std::string exchange_address;  // the anchoring process's exchange.listen; empty: no protocol.Exchange
};

class GrpcServer {
 public:
  // Throws std::runtime_error that names the address when it cannot listen.
  GrpcServer(const GrpcOptions& options, sequencer::Sequencer& sequencer, sequencer::LogKeeper& log,
             Queries& queries);
  ~GrpcServer();  // stop()

  int port() const;
  // Watchers are told about what these entries touched. On the publishing thread.
  void committed(const sequencer::CommittedBatch& batch);
  void set_serving(bool serving);  // in the health service
  // No new calls; those under way end, or are cut off after the grace.
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace windlass::api
