#include "anchoring/devchain/client.h"

#include "anchoring/tron/block.h"

namespace windlass::devchain {

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

ChainResult<tron::ChainParameters> DevChainClient::parameters() {
  return chain_.parameters().all();
}

}  // namespace windlass::devchain
