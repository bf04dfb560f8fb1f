// A devchain in the same process as a tron::Chain: what a simulation gives to the worker and the gateway.
#pragma once

#include "anchoring/devchain/devchain.h"

namespace windlass::devchain {

class DevChainClient final : public tron::Chain {
 public:
  explicit DevChainClient(DevChain& chain) : chain_(chain) {}

  tron::ChainResult<tron::BlockRef> head() override;
  tron::ChainResult<tron::BlockRef> solidified_head() override;
  tron::ChainResult<std::optional<tron::Block>> solidified_block(std::int64_t number) override;
  tron::ChainResult<std::optional<tron::Block>> block(std::int64_t number) override;
  tron::ChainResult<std::optional<std::int64_t>> inclusion(const Hash& txid, bool solid) override;
  tron::ChainResult<tron::BroadcastAnswer> broadcast(ByteView transaction) override;
  tron::ChainResult<tron::AccountState> account(const tron::Address& address) override;
  tron::ChainResult<tron::abi::Uint128> solidified_balance(const tron::Address& holder,
                                                           const std::string& token) override;
  tron::ChainResult<tron::ChainParameters> parameters() override;
  tron::ChainResult<std::optional<tron::Execution>> execution(const Hash& txid, bool solid) override;
  tron::ChainResult<std::vector<tron::Execution>> executions(std::int64_t number) override;
  tron::ChainResult<tron::ConstantCall> call_constant(const tron::ContractCall& call) override;

 private:
  DevChain& chain_;
};

}  // namespace windlass::devchain
