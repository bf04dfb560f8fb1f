// A TRON node over gRPC. Every block is checked before it is given on: its id against its header, its
// transactions against the header's root; one that fails is `forged`. No call is repeated here: which answers
// mean "again" is the caller's to know.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "anchoring/tron/chain.h"

namespace windlass::tron {

struct NodeOptions {
  std::string full;                          // host:port of protocol.Wallet
  std::string solidity;                      // host:port of protocol.WalletSolidity; may be the same
  std::chrono::milliseconds deadline{5000};  // per call
  std::string api_key;                       // hosted gateways: sent as TRON-PRO-API-KEY when not empty
  // After every call, from its own thread: endpoint, method, "ok" | "unreachable" | "deadline" |
  // "bad_answer".
  std::function<void(std::string_view endpoint, std::string_view method, std::string_view outcome)> on_call;
  std::function<void()> on_forged;  // for each block that failed its check
};

// Calls may come from several threads.
class Node final : public Chain {
 public:
  explicit Node(NodeOptions options);
  ~Node() override;

  ChainResult<BlockRef> head() override;
  ChainResult<BlockRef> solidified_head() override;
  ChainResult<std::optional<Block>> solidified_block(std::int64_t number) override;
  ChainResult<std::optional<Block>> block(std::int64_t number) override;
  ChainResult<std::optional<std::int64_t>> inclusion(const Hash& txid, bool solid) override;
  ChainResult<BroadcastAnswer> broadcast(ByteView transaction) override;
  ChainResult<AccountState> account(const Address& address) override;
  ChainResult<abi::Uint128> solidified_balance(const Address& holder, const std::string& token) override;
  ChainResult<ChainParameters> parameters() override;
  ChainResult<std::optional<Execution>> execution(const Hash& txid, bool solid) override;
  ChainResult<std::vector<Execution>> executions(std::int64_t number) override;
  ChainResult<ConstantCall> call_constant(const ContractCall& call) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace windlass::tron
