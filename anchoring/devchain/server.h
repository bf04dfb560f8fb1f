// A devchain as a node: protocol.Wallet and protocol.WalletSolidity over gRPC on one port, blocks made by a
// thread, and kept in a file.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "anchoring/devchain/block_file.h"
#include "anchoring/devchain/devchain.h"

namespace windlass::devchain {

class Server {
 public:
  // `file` may be null (nothing is kept); `on_error` hears of what keeps blocks from being stored. Both
  // outlive the server.
  Server(DevChain& chain, BlockFile* file, std::function<void(const std::string&)> on_error);
  ~Server();  // stops

  // Serves on host:port, port 0 for any free one; gives the port. With an interval a block is made at each
  // multiple of it (by the system's clock), else only by produce_block().
  tl::expected<int, std::string> start(const std::string& listen, std::chrono::milliseconds block_interval);
  void stop();

  void produce_block();
  // DevChain::fork, on disk too.
  std::int64_t fork(std::int64_t depth);
  // Uses the chain between the calls that are being answered.
  void with_chain(const std::function<void(DevChain&)>& use);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace windlass::devchain
