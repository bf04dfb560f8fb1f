// The private gRPC listener: protocol.Exchange and windlass.v1.ExchangeSigner, for the ledger's server alone.
#pragma once

#include <memory>

#include "anchoring/exchange/desk.h"

namespace windlass::anchoring {

class ExchangeListener {
 public:
  // Throws std::runtime_error that names the address (host:port) when it cannot listen.
  ExchangeListener(const std::string& address, Desk& desk);
  // On the thread that serves the desk, which is closed: nobody waits at it for ever.
  ~ExchangeListener();
  int port() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace windlass::anchoring
