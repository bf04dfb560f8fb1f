#include "anchoring/tron/endpoints.h"

#include <algorithm>
#include <cstdlib>

namespace windlass::tron {
namespace {

using Kind = ChainError::Kind;

void remember(std::map<std::int64_t, BlockId>& ids, std::int64_t number, const BlockId& id) {
  ids[number] = id;
  if (ids.size() > remembered_blocks) ids.erase(ids.begin());
}

std::string_view name(Endpoints::Condition condition) {
  constexpr std::string_view names[] = {"good", "lagging", "failing", "set_aside"};
  return names[static_cast<std::size_t>(condition)];
}

// With its length: no two lists of such have the same bytes.
void add_sized(std::string& all, ByteView part) {
  append_be(all, static_cast<std::uint32_t>(part.size()));
  all += part;
}

// What a block's id does not cover: the results and logs of its transactions.
std::string digest_of(const std::vector<Execution>& executions) {
  std::string all;
  for (const auto& execution : executions) {
    all += view(execution.txid);
    append_be(all, static_cast<std::uint32_t>(execution.result));
    append_be(all, static_cast<std::uint32_t>(execution.failed));
    append_be(all, execution.fee_sun);
    append_be(all, static_cast<std::uint32_t>(execution.logs.size()));
    for (const auto& log : execution.logs) {
      all += view(log.address.bytes);
      append_be(all, static_cast<std::uint32_t>(log.topics.size()));
      for (const auto& topic : log.topics) add_sized(all, topic);
      add_sized(all, log.data);
    }
  }
  return all;
}

bool holds(const Block& block, const Hash& txid) {
  return std::any_of(block.transactions.begin(), block.transactions.end(),
                     [&](const auto& transaction) { return transaction.txid == txid; });
}

}  // namespace

Endpoints::Endpoints(const Clock& clock, std::vector<Endpoint> endpoints, EndpointsOptions options)
    : clock_(clock), options_(std::move(options)) {
  for (auto& endpoint : endpoints) {
    nodes_.emplace_back();
    nodes_.back().name = std::move(endpoint.name);
    nodes_.back().chain = endpoint.chain;
  }
  if (options_.min_agreeing == 0) options_.min_agreeing = nodes_.size() / 2 + 1;
  if (nodes_.empty() || options_.min_agreeing > nodes_.size()) std::abort();  // the caller checks
  agreed_head_.number = -1;
}

// --- who is asked

// All but who is set aside: the node that is read from, the others, then who lags, then who failed lately.
std::vector<std::size_t> Endpoints::order() {
  std::int64_t now_ms = clock_.now_ms();
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    Node& node = nodes_[i];
    bool limited = node.condition == Condition::failing || node.condition == Condition::set_aside;
    if (node.condition == Condition::set_aside && now_ms >= node.until_ms) {
      node.said.clear();
      node.backoff_ms = 0;
    }
    if (limited && now_ms >= node.until_ms)
      change(i, node.behind ? Condition::lagging : Condition::good, "asked again");
    if (node.condition != Condition::set_aside) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    auto key = [&](std::size_t i) { return std::pair(nodes_[i].condition, i != reader_); };
    return key(a) < key(b);
  });
  return order;
}

template <typename Call>
auto Endpoints::ask(std::size_t index, Call call) -> decltype(call(std::declval<Chain&>())) {
  auto answer = call(*nodes_[index].chain);
  if (!answer)
    failed(index, answer.error());
  else
    nodes_[index].backoff_ms = 0;
  return answer;
}

template <typename Call>
auto Endpoints::ask_one(Call call) -> decltype(call(std::declval<Chain&>())) {
  decltype(call(std::declval<Chain&>())) answer = nobody();
  for (std::size_t index : order()) {
    answer = ask(index, call);
    if (answer) break;
  }
  return answer;
}

tl::unexpected<ChainError> Endpoints::nobody() const {
  return tl::unexpected(ChainError{Kind::bad_answer, "every TRON node is set aside for contradictions"});
}

void Endpoints::failed(std::size_t index, const ChainError& error) {
  if (error.kind == Kind::forged) return set_aside(index, error.message);
  Node& node = nodes_[index];
  node.backoff_ms = std::clamp(node.backoff_ms * 2, first_backoff_ms, longest_backoff_ms);
  node.until_ms = clock_.now_ms() + node.backoff_ms;
  change(index, Condition::failing, error.message);
}

void Endpoints::contradicts(std::size_t index, const std::string& why) {
  if (options_.on_contradiction) options_.on_contradiction(nodes_[index].name);
  set_aside(index, why);
}

void Endpoints::disagree() const {
  if (options_.on_disagreement) options_.on_disagreement();
}

void Endpoints::set_aside(std::size_t index, const std::string& why) {
  nodes_[index].until_ms = clock_.now_ms() + options_.set_aside_ms;
  change(index, Condition::set_aside, why);
}

void Endpoints::change(std::size_t index, Condition condition, const std::string& why) {
  Node& node = nodes_[index];
  if (std::exchange(node.condition, condition) != condition && options_.on_change)
    options_.on_change(node.name, name(condition), why);
}

// --- heads

// Of every node, newest first; who cannot be asked is left out, but for when too few are left.
template <typename Call>
ChainResult<std::vector<std::pair<std::size_t, BlockRef>>> Endpoints::heads(Call call) {
  std::vector<std::pair<std::size_t, BlockRef>> heads;
  auto error = nobody();
  for (std::size_t index : order()) {
    if (nodes_[index].condition == Condition::failing && heads.size() >= options_.min_agreeing) continue;
    auto head = ask(index, call);
    if (head)
      heads.emplace_back(index, *head);
    else
      error = tl::unexpected(head.error());
  }
  if (heads.size() < options_.min_agreeing)
    return tl::unexpected(ChainError{
        error.value().kind, std::to_string(heads.size()) + " of " + std::to_string(options_.min_agreeing) +
                                " TRON nodes that must agree answer; " + error.value().message});
  std::sort(heads.begin(), heads.end(),
            [](const auto& a, const auto& b) { return a.second.number > b.second.number; });
  return heads;
}

ChainResult<BlockRef> Endpoints::head() {
  auto all = heads([](Chain& chain) { return chain.head(); });
  if (!all) return tl::unexpected(all.error());
  const BlockRef& head = (*all)[options_.min_agreeing - 1].second;
  note_lag(*all, head.number);
  return head;
}

void Endpoints::note_lag(const std::vector<std::pair<std::size_t, BlockRef>>& heads, std::int64_t number) {
  for (const auto& [index, head] : heads) {
    Node& node = nodes_[index];
    node.behind = head.number + max_lag_blocks < number;
    if (node.condition == Condition::good && node.behind)
      change(index, Condition::lagging,
             "at block " + std::to_string(head.number) + ", others at " + std::to_string(number));
    else if (node.condition == Condition::lagging && !node.behind)
      change(index, Condition::good, "has caught up");
  }
}

ChainResult<BlockRef> Endpoints::solidified_head() {
  auto all = heads([](Chain& chain) { return chain.solidified_head(); });
  if (!all) return tl::unexpected(all.error());
  std::int64_t number = (*all)[options_.min_agreeing - 1].second.number;
  note_lag(*all, number);
  for (const auto& [index, head] : *all) {
    nodes_[index].claimed = head.number;
    accepts(index, head.number, head.id);
  }
  // What was agreed on stays; so it never goes back.
  if (number <= agreed_head_.number) return agreed_head_;
  auto block = solidified_block(number);
  if (!block) return tl::unexpected(block.error());
  if (*block) return (*block)->ref;
  if (agreed_head_.number >= 0) return agreed_head_;
  return tl::unexpected(ChainError{Kind::bad_answer, "TRON nodes name a solidified head " +
                                                         std::to_string(number) + " but give no such block"});
}

// --- solidified blocks

ChainResult<std::optional<Block>> Endpoints::solidified_block(std::int64_t number) {
  auto error = nobody();
  for (std::size_t index : order()) {
    auto block = ask(index, [&](Chain& chain) { return chain.solidified_block(number); });
    if (!block) {
      error = tl::unexpected(block.error());
      continue;
    }
    if (!*block) {
      if (number > std::max(agreed_head_.number, nodes_[index].claimed)) return std::nullopt;
      // It says that it is in sync, or lags less than was noticed: somebody else has the block.
      error = tl::unexpected(ChainError{
          Kind::bad_answer, nodes_[index].name + " lacks solidified block " + std::to_string(number)});
      failed(index, error.value());
      continue;
    }
    if (!accepts(index, **block)) continue;
    auto agreement = agree(index, **block);
    if (!agreement) return tl::unexpected(agreement.error());
    if (*agreement == Agreement::open) return std::nullopt;
    if (*agreement == Agreement::outvoted) continue;
    reader_ = index;
    return block;
  }
  return error;
}

// Whether that many nodes have the same block at its number.
ChainResult<Endpoints::Agreement> Endpoints::agree(std::size_t reader, const Block& block) {
  std::int64_t number = block.ref.number;
  if (auto known = agreed_ids_.find(number); known != agreed_ids_.end())
    return Agreement::reached;  // by accepts()
  std::map<BlockId, std::vector<std::size_t>> votes{{block.ref.id, {reader}}};
  std::optional<BlockId> winner;
  std::optional<ChainError> error;
  if (options_.min_agreeing == 1) winner = block.ref.id;
  for (std::size_t index : order()) {
    if (winner) break;
    if (index == reader) continue;
    auto other = ask(index, [&](Chain& chain) { return chain.solidified_block(number); });
    if (!other) error = other.error();
    if (!other || !*other || !accepts(index, **other)) continue;
    auto& of_same = votes[(*other)->ref.id];
    of_same.push_back(index);
    if (of_same.size() >= options_.min_agreeing) winner = (*other)->ref.id;
  }
  if (winner) {
    for (const auto& [id, voters] : votes)
      for (std::size_t index : voters)
        if (id != *winner)
          contradicts(index, "gives solidified block " + std::to_string(number) + " the id " + to_hex(id) +
                                 ", but others " + to_hex(*winner));
    if (*winner != block.ref.id) return Agreement::outvoted;
    agreed(block.ref);
    return Agreement::reached;
  }
  std::string trouble;
  auto left = static_cast<std::size_t>(std::count_if(
      nodes_.begin(), nodes_.end(), [](const Node& node) { return node.condition != Condition::set_aside; }));
  if (left < options_.min_agreeing)
    trouble = "solidified block " + std::to_string(number) + " needs " +
              std::to_string(options_.min_agreeing) + " TRON nodes that agree; the others are set aside";
  else if (votes.size() > 1) {
    disagree();
    trouble = "TRON nodes disagree about solidified block " + std::to_string(number) + ", and too few agree";
  } else if (error)
    trouble = "too few TRON nodes confirm solidified block " + std::to_string(number) + ": " + error->message;
  if (!trouble.empty()) return tl::unexpected(ChainError{Kind::bad_answer, trouble});
  return Agreement::open;  // the others are a little behind
}

// What a node says of a solidified block, held against what it and the agreement said before.
bool Endpoints::accepts(std::size_t index, std::int64_t number, const BlockId& id) {
  Node& node = nodes_[index];
  if (auto known = agreed_ids_.find(number); known != agreed_ids_.end() && known->second != id) {
    contradicts(index, "gives solidified block " + std::to_string(number) + " the id " + to_hex(id) +
                           ", but it was agreed to be " + to_hex(known->second));
    return false;
  }
  if (auto before = node.said.find(number); before != node.said.end() && before->second != id) {
    contradicts(index, "gives solidified block " + std::to_string(number) + " the id " + to_hex(id) +
                           ", and gave it " + to_hex(before->second) + " before");
    return false;
  }
  remember(node.said, number, id);
  return true;
}

bool Endpoints::accepts(std::size_t index, const Block& block) {
  return accepts(index, block.ref.number, block.ref.id) && accepts(index, block.ref.number - 1, block.parent);
}

void Endpoints::agreed(const BlockRef& ref) {
  remember(agreed_ids_, ref.number, ref.id);
  if (ref.number > agreed_head_.number) agreed_head_ = ref;
}

// --- transactions

ChainResult<std::optional<std::int64_t>> Endpoints::inclusion(const Hash& txid, bool solid) {
  ChainResult<std::optional<std::int64_t>> answer = nobody();
  std::size_t claims = 0;
  std::optional<std::int64_t> first;
  for (std::size_t index : order()) {
    auto said = ask(index, [&](Chain& chain) { return chain.inclusion(txid, solid); });
    if (!said || !*said) {
      if (said || !answer) answer = std::move(said);
      continue;  // somebody else may know it
    }
    if (!solid) {
      // No block can be held against it yet. Were one node believed, it could keep every transaction from
      // being sent.
      if (!first) first = **said;
      if (++claims >= options_.min_agreeing) return first;
      answer = std::optional<std::int64_t>();
      continue;
    }
    auto block = solidified_block(**said);
    if (!block) return tl::unexpected(block.error());
    if (*block && holds(**block, txid)) return said;
    if (*block)
      contradicts(index, "says that solidified block " + std::to_string(**said) + " holds " + to_hex(txid) +
                             ", but it does not");
    answer = std::optional<std::int64_t>();
  }
  return answer;
}

ChainResult<BroadcastAnswer> Endpoints::broadcast(ByteView transaction) {
  ChainResult<BroadcastAnswer> best = nobody();
  for (std::size_t index : order()) {
    if (nodes_[index].condition == Condition::failing && best) continue;
    auto answer = ask(index, [&](Chain& chain) { return chain.broadcast(transaction); });
    bool better = answer ? !best || pool_after(*answer) > pool_after(*best) : !best;
    if (better) best = std::move(answer);
  }
  return best;
}

ChainResult<std::vector<Execution>> Endpoints::executions(std::int64_t number) {
  auto block = solidified_block(number);
  if (!block) return tl::unexpected(block.error());
  if (!*block) return std::vector<Execution>();
  std::map<std::string, std::vector<std::size_t>> votes;
  ChainError error{Kind::bad_answer,
                   "TRON nodes do not agree on what happened in solidified block " + std::to_string(number)};
  for (std::size_t index : order()) {
    auto said = ask(index, [&](Chain& chain) { return chain.executions(number); });
    if (!said) error = said.error();
    // Nothing is also the answer of a node that does not have them yet.
    if (!said || said->size() != (*block)->transactions.size()) continue;
    std::string digest = digest_of(*said);
    auto& of_same = votes[digest];
    of_same.push_back(index);
    if (of_same.size() < options_.min_agreeing) continue;
    for (const auto& [other, voters] : votes)
      for (std::size_t voter : voters)
        if (other != digest)
          contradicts(voter,
                      "tells other results of solidified block " + std::to_string(number) + " than others");
    return said;
  }
  if (votes.size() > 1) disagree();
  return tl::unexpected(error);
}

ChainResult<std::optional<Execution>> Endpoints::execution(const Hash& txid, bool solid) {
  auto included = inclusion(txid, solid);
  if (!included || !*included) return included.map([](auto&&) { return std::optional<Execution>(); });
  if (!solid) return ask_one([&](Chain& chain) { return chain.execution(txid, false); });
  auto all = executions(**included);
  if (!all) return tl::unexpected(all.error());
  for (auto& execution : *all)
    if (execution.txid == txid) return std::move(execution);
  return std::nullopt;
}

// --- from one node

ChainResult<ConstantCall> Endpoints::call_constant(const ContractCall& call) {
  return ask_one([&](Chain& chain) { return chain.call_constant(call); });
}

ChainResult<std::optional<Block>> Endpoints::block(std::int64_t number) {
  return ask_one([&](Chain& chain) { return chain.block(number); });
}
ChainResult<abi::Uint128> Endpoints::solidified_balance(const Address& holder, const std::string& token) {
  return ask_one([&](Chain& chain) { return chain.solidified_balance(holder, token); });
}

ChainResult<AccountState> Endpoints::account(const Address& address) {
  return ask_one([&](Chain& chain) { return chain.account(address); });
}
ChainResult<ChainParameters> Endpoints::parameters() {
  return ask_one([](Chain& chain) { return chain.parameters(); });
}

}  // namespace windlass::tron
