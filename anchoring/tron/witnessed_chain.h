// A node whose solidified blocks must be proven by the super representatives' signatures: a block counts only
// once enough distinct ones of those that the operator lists have signed it or blocks above it, each linked
// to the one before by its parent. So a node alone can invent no block: it has no such keys.
//
// The proof reads the blocks above, from the full node's view: about one more for each solidified block,
// since what was read stays in memory. What no header covers (results and logs of contracts, balances,
// prices) stays the node's word.
#pragma once

#include <functional>
#include <map>
#include <set>

#include "anchoring/tron/chain.h"

namespace windlass::tron {

// Of one producer. On TRON its account may have another key sign its blocks (the witness permission).
struct Witness {
  Address account;  // as headers name it
  Address signer;   // of its blocks; mostly the same
  bool operator==(const Witness&) const = default;
};
// "T..." or, where another key signs, "T.../T...": account and signer.
std::optional<Witness> parse_witness(std::string_view text);

// Four rounds of 27: within so many blocks each producer that is at work has signed one.
constexpr std::int64_t max_witnessed_span = 108;
// Proven blocks and headers that are remembered.
constexpr std::size_t remembered_headers = 1'000;

struct WitnessRules {
  std::vector<Witness> witnesses;  // no account twice
  std::size_t least = 0;           // 0: more than two thirds of those listed
  std::function<void(const std::string& why)> on_forged;
};

// Not thread-safe. Calls that are not about solidified blocks pass through.
class WitnessedChain final : public Chain {
 public:
  // At least one witness; `least` at most their number.
  WitnessedChain(Chain& node, WitnessRules rules);

  ChainResult<BlockRef> head() override { return node_.head(); }
  // The newest that is proven, at or below what the node names.
  ChainResult<BlockRef> solidified_head() override;
  // Nothing while too few have signed.
  ChainResult<std::optional<Block>> solidified_block(std::int64_t number) override;
  ChainResult<std::optional<Block>> block(std::int64_t number) override { return node_.block(number); }
  ChainResult<std::optional<std::int64_t>> inclusion(const Hash& txid, bool solid) override;
  ChainResult<BroadcastAnswer> broadcast(ByteView transaction) override {
    return node_.broadcast(transaction);
  }
  ChainResult<AccountState> account(const Address& address) override { return node_.account(address); }
  // An error while the node's newest solidified block, of which it tells balances, is not proven.
  ChainResult<abi::Uint128> solidified_balance(const Address& holder, const std::string& token) override;
  ChainResult<ChainParameters> parameters() override { return node_.parameters(); }
  ChainResult<std::optional<Execution>> execution(const Hash& txid, bool solid) override;
  ChainResult<std::vector<Execution>> executions(std::int64_t number) override;
  ChainResult<ConstantCall> call_constant(const ContractCall& call) override {
    return node_.call_constant(call);
  }
  std::uint64_t reading_from() const override { return node_.reading_from(); }

  std::size_t least() const { return rules_.least; }

 private:
  struct Header {
    BlockRef ref;
    BlockId parent{};
    std::optional<Address> witness;  // a listed one, whose signature it bears
  };
  enum class Proof { enough, not_yet };

  ChainResult<Header> read_header(const Block& block);
  ChainResult<std::optional<Header>> header(std::int64_t number, bool solid);
  ChainResult<Header> linked_header(std::int64_t number, const BlockId& id);
  ChainResult<Proof> prove(const Header& from);
  tl::unexpected<ChainError> forged(std::string why) const;
  std::string too_few(std::int64_t number, std::size_t signed_by) const;

  Chain& node_;
  WitnessRules rules_;
  std::map<std::int64_t, Header> headers_;
  std::map<std::int64_t, BlockId> proven_;
};

}  // namespace windlass::tron
