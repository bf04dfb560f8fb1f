#include "anchoring/devchain/client.h"

#include "anchoring/tron/block.h"
#include "anchoring/tron/trc20.h"

namespace windlass::devchain {

namespace {

tron::Execution execution_of(const StoredBlock& block, const Receipt& receipt) {
  return {.txid = receipt.txid,
          .block = block.ref.number,
          .block_ms = block.ref.timestamp_ms,
          .fee_sun = receipt.fee_sun,
          .energy = receipt.energy,
          .result = receipt.contract ? receipt.result : 0,
          .failed = receipt.contract && receipt.result != protocol::Transaction::Result::SUCCESS,
          .returned = receipt.returned,
          .message = receipt.message,
          .contract = receipt.contract,
          .logs = receipt.logs};
}

protocol::TriggerSmartContract to_message(const tron::ContractCall& call) {
  protocol::TriggerSmartContract message;
  message.set_owner_address(std::string(view(call.owner.bytes)));
  if (call.contract != tron::Address{}) message.set_contract_address(std::string(view(call.contract.bytes)));
  message.set_data(call.data);
  message.set_call_value(call.value_sun);
  return message;
}

}  // namespace

using tron::ChainError;
using tron::ChainResult;

ChainResult<tron::BlockRef> DevChainClient::head() {
  return chain_.head().ref;
}

ChainResult<tron::BlockRef> DevChainClient::solidified_head() {
  return chain_.block(chain_.solidified())->ref;
}

ChainResult<std::optional<tron::Block>> DevChainClient::solidified_block(std::int64_t number) {
  if (number > chain_.solidified()) return std::nullopt;
  return block(number);
}

ChainResult<std::optional<tron::Block>> DevChainClient::block(std::int64_t number) {
  const StoredBlock* stored = chain_.block(number);
  if (!stored) return std::nullopt;
  auto block = tron::parse_block(stored->bytes);
  if (!block) return tl::unexpected(ChainError{ChainError::Kind::bad_answer, "devchain: " + block.error()});
  return std::move(*block);
}

ChainResult<std::optional<std::int64_t>> DevChainClient::inclusion(const Hash& txid, bool solid) {
  auto place = chain_.find(txid);
  if (!place || (solid && place->block > chain_.solidified())) return std::nullopt;
  return place->block;
}

ChainResult<tron::BroadcastAnswer> DevChainClient::broadcast(ByteView transaction) {
  auto answer = chain_.broadcast(transaction);
  if (!answer)
    return tl::unexpected(
        ChainError{ChainError::Kind::bad_answer, "devchain broadcast: the bytes are no Transaction"});
  return *answer;
}

ChainResult<tron::AccountState> DevChainClient::account(const tron::Address& address) {
  tron::AccountState state;
  auto account = chain_.account(address);
  if (!account) return state;
  state.exists = true;
  state.balance_sun = account->balance_sun;
  state.tokens.assign(account->tokens.begin(), account->tokens.end());
  state.free_bandwidth_left = chain_.parameters()[parameter::free_bandwidth] -
                              free_bandwidth_used(*account, chain_.head().ref.timestamp_ms);
  return state;
}

ChainResult<tron::abi::Uint128> DevChainClient::solidified_balance(const tron::Address& holder,
                                                                   const std::string& token) {
  if (auto contract = tron::address_from_base58(token)) {
    auto told =
        chain_.constant_call(to_message({holder, *contract, tron::trc20::balance_call(holder)}), true);
    auto balance = told && !told->reverted ? tron::abi::read_amount(told->returned) : std::nullopt;
    if (balance) return *balance;
    return tl::unexpected(
        ChainError{ChainError::Kind::bad_answer, "devchain: " + token + " tells no balance"});
  }
  auto account = chain_.account(holder, true);
  if (!account) return tron::abi::Uint128{0};
  if (token.empty()) return static_cast<tron::abi::Uint128>(account->balance_sun);
  auto held = account->tokens.find(token);
  return held == account->tokens.end() ? 0 : static_cast<tron::abi::Uint128>(held->second);
}

ChainResult<tron::ChainParameters> DevChainClient::parameters() {
  return chain_.parameters().all();
}

ChainResult<std::optional<tron::Execution>> DevChainClient::execution(const Hash& txid, bool solid) {
  auto place = chain_.find(txid);
  if (!place || (solid && place->block > chain_.solidified())) return std::nullopt;
  const StoredBlock& block = *chain_.block(place->block);
  return execution_of(block, block.receipts[place->index]);
}

ChainResult<std::vector<tron::Execution>> DevChainClient::executions(std::int64_t number) {
  std::vector<tron::Execution> out;
  const StoredBlock* block = number <= chain_.solidified() ? chain_.block(number) : nullptr;
  if (block)
    for (const auto& receipt : block->receipts) out.push_back(execution_of(*block, receipt));
  return out;
}

ChainResult<tron::ConstantCall> DevChainClient::call_constant(const tron::ContractCall& call) {
  auto outcome = chain_.constant_call(to_message(call));
  if (!outcome) return tron::ConstantCall{.message = "Contract validate error : " + outcome.error()};
  return tron::ConstantCall{!outcome->reverted, outcome->energy, outcome->returned,
                            outcome->reverted ? std::string(revert_message) : "", outcome->logs};
}

}  // namespace windlass::devchain
