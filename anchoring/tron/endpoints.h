// Several TRON nodes as one: nodes that may be gone, lag, or be wrong about what they say is solidified.
//
//   solidified blocks  read from one node at a time (reading_from), and given on only when `min_agreeing`
//                      nodes name the same id for the number
//   inclusion          in a solidified block: held against that block; else what `min_agreeing` nodes tell
//   results and logs   which no block id covers: what `min_agreeing` nodes tell alike
//   heads              the newest that `min_agreeing` nodes have reached; who is far behind is read from no
//                      more until it has caught up
//   broadcasts         to every node that is neither set aside nor failing; the best answer counts
//   the rest           from the node that blocks are read from
//
// A node whose call fails is asked last for a while (backoff); another answers in its place. A node that
// gives a forged block, or contradicts itself or the agreement of the others about a solidified block, is set
// aside for an hour, with a reason. Where the nodes disagree and none of them has a majority, the answer is
// an error: nothing can be done then.
#pragma once

#include <functional>
#include <map>

#include "anchoring/clock.h"
#include "anchoring/tron/chain.h"

namespace windlass::tron {

// After a failed call a node is asked last for so long; doubled with each further failure.
constexpr std::int64_t first_backoff_ms = 1'000;
constexpr std::int64_t longest_backoff_ms = 60'000;
// One that many blocks behind the others is not in sync: a minute.
constexpr std::int64_t max_lag_blocks = 20;
// Ids of solidified blocks that are remembered, of each node and of the agreement: a day of blocks would be
// 28,800; contradictions show within the blocks that are read again and again.
constexpr std::size_t remembered_blocks = 1'000;

struct EndpointsOptions {
  std::size_t min_agreeing = 0;                // 0: the majority
  std::int64_t set_aside_ms = 60 * 60 * 1000;  // a node that was repaired comes back by itself
  // When a node's condition changes: "set_aside", "lagging", "failing" or "good", and why.
  std::function<void(std::string_view name, std::string_view condition, const std::string& why)> on_change;
  std::function<void(std::string_view name)> on_contradiction;  // for each one
  std::function<void()> on_disagreement;  // without a majority: somebody is wrong, and nobody knows who
};

// Not thread-safe.
class Endpoints final : public Chain {
 public:
  struct Endpoint {
    std::string name;  // for people
    Chain* chain = nullptr;
  };
  // At least one; the first is read from first. `min_agreeing` is at most their number.
  Endpoints(const Clock& clock, std::vector<Endpoint> endpoints, EndpointsOptions options);

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
  std::uint64_t reading_from() const override { return reader_; }

  enum class Condition { good, lagging, failing, set_aside };
  Condition condition(std::size_t endpoint) const { return nodes_[endpoint].condition; }
  std::size_t min_agreeing() const { return options_.min_agreeing; }

 private:
  using Ids = std::map<std::int64_t, BlockId>;
  struct Node {
    std::string name;
    Chain* chain = nullptr;
    Condition condition = Condition::good;
    std::int64_t until_ms = 0;  // failing or set aside: for so long
    std::int64_t backoff_ms = 0;
    bool behind = false;
    std::int64_t claimed = -1;  // its newest solidified block, it says
    Ids said;                   // of solidified blocks
  };
  // What the nodes say of one solidified block.
  enum class Agreement { reached, outvoted, open };

  std::vector<std::size_t> order();
  template <typename Call>
  auto ask(std::size_t index, Call call) -> decltype(call(std::declval<Chain&>()));
  template <typename Call>
  auto ask_one(Call call) -> decltype(call(std::declval<Chain&>()));
  template <typename Call>
  ChainResult<std::vector<std::pair<std::size_t, BlockRef>>> heads(Call call);
  ChainResult<Agreement> agree(std::size_t reader, const Block& block);
  bool accepts(std::size_t index, std::int64_t number, const BlockId& id);
  bool accepts(std::size_t index, const Block& block);
  void agreed(const BlockRef& ref);
  void failed(std::size_t index, const ChainError& error);
  void contradicts(std::size_t index, const std::string& why);
  void set_aside(std::size_t index, const std::string& why);
  void change(std::size_t index, Condition condition, const std::string& why);
  void note_lag(const std::vector<std::pair<std::size_t, BlockRef>>& heads, std::int64_t number);
  tl::unexpected<ChainError> nobody() const;
  void disagree() const;

  const Clock& clock_;
  EndpointsOptions options_;
  std::vector<Node> nodes_;
  std::size_t reader_ = 0;
  Ids agreed_ids_;
  BlockRef agreed_head_;  // the newest solidified one that was agreed on
};

}  // namespace windlass::tron
