#include "anchoring/tron/witnessed_chain.h"

#include <algorithm>
#include <cstdlib>

#include "anchoring/tron/block.h"
#include "tron/core.pb.h"

namespace windlass::tron {
namespace {

using Kind = ChainError::Kind;

// What is forgotten is far away: a scan that is catching up is far below the head, and needs what it read
// last.
template <typename Value>
void remember(std::map<std::int64_t, Value>& values, std::int64_t number, const Value& value) {
  values.insert_or_assign(number, value);
  if (values.size() <= remembered_headers) return;
  values.erase(values.begin()->first == number ? std::prev(values.end()) : values.begin());
}

}  // namespace

std::optional<Witness> parse_witness(std::string_view text) {
  auto slash = text.find('/');
  auto account = address_from_base58(text.substr(0, slash));
  auto signer = slash == text.npos ? account : address_from_base58(text.substr(slash + 1));
  if (!account || !signer) return std::nullopt;
  return Witness{*account, *signer};
}

WitnessedChain::WitnessedChain(Chain& node, WitnessRules rules) : node_(node), rules_(std::move(rules)) {
  if (rules_.least == 0) rules_.least = rules_.witnesses.size() * 2 / 3 + 1;
  if (rules_.witnesses.empty() || rules_.least > rules_.witnesses.size()) std::abort();  // the caller checks
}

// --- what is proven

// The signature is a listed witness's own, or counts for nobody: who is elected changes, and an operator's
// list may be older. But one that a listed witness never made is a forgery.
ChainResult<WitnessedChain::Header> WitnessedChain::read_header(const Block& block) {
  std::string name = "block " + std::to_string(block.ref.number);
  protocol::BlockHeader::raw raw;
  if (!raw.ParseFromString(block.header) || block_id(block.ref.number, block.header) != block.ref.id)
    return forged(name + " does not have its header's id");
  Header header{block.ref, block.parent, std::nullopt};
  auto listed = std::find_if(rules_.witnesses.begin(), rules_.witnesses.end(), [&](const Witness& witness) {
    return view(witness.account.bytes) == raw.witness_address();
  });
  if (listed == rules_.witnesses.end()) return header;
  auto key = recover_key(ByteView(block.witness_signature).substr(0, 65), sha256(block.header));
  if (!key || address_of(*key) != listed->signer)
    return forged(name + " names the witness " + to_base58(listed->account) + ", but was not signed by " +
                  to_base58(listed->signer));
  header.witness = listed->account;
  return header;
}

// Of the node's solidified view or, above that, of its full view; nothing where it has none (yet).
ChainResult<std::optional<WitnessedChain::Header>> WitnessedChain::header(std::int64_t number, bool solid) {
  if (auto known = headers_.find(number); known != headers_.end()) return known->second;
  auto block = solid ? node_.solidified_block(number) : node_.block(number);
  if (!block) return tl::unexpected(block.error());
  if (!*block) return std::nullopt;
  auto header = read_header(**block);
  if (!header) return tl::unexpected(header.error());
  remember(headers_, number, *header);
  return *header;
}

ChainResult<WitnessedChain::Proof> WitnessedChain::prove(const Header& from) {
  if (auto known = proven_.find(from.ref.number); known != proven_.end()) {
    if (known->second == from.ref.id) return Proof::enough;
    return forged("gives solidified block " + std::to_string(from.ref.number) +
                  " another id than witnesses have signed");
  }
  std::set<Address> signers;
  Header at = from;
  for (;;) {
    if (at.witness) signers.insert(*at.witness);
    if (signers.size() >= rules_.least) break;
    if (at.ref.number - from.ref.number >= max_witnessed_span)
      return forged(too_few(from.ref.number, signers.size()));
    auto next = header(at.ref.number + 1, false);
    if (!next) return tl::unexpected(next.error());
    if (!*next) return Proof::not_yet;
    if ((*next)->parent != at.ref.id) {
      // The chain above changed since it was read: it is read anew the next time.
      headers_.erase(headers_.upper_bound(from.ref.number), headers_.end());
      return Proof::not_yet;
    }
    at = **next;
  }
  remember(proven_, from.ref.number, from.ref.id);
  return Proof::enough;
}

std::string WitnessedChain::too_few(std::int64_t number, std::size_t signed_by) const {
  return "solidified block " + std::to_string(number) + ": " + std::to_string(signed_by) +
         " of the witnesses that tron.witnesses lists have signed it or one of the " +
         std::to_string(max_witnessed_span) + " blocks above it, " + std::to_string(rules_.least) +
         " are needed";
}

tl::unexpected<ChainError> WitnessedChain::forged(std::string why) const {
  if (rules_.on_forged) rules_.on_forged(why);
  return tl::unexpected(ChainError{Kind::forged, std::move(why)});
}

// --- solidified blocks

ChainResult<std::optional<Block>> WitnessedChain::solidified_block(std::int64_t number) {
  auto block = node_.solidified_block(number);
  if (!block || !*block) return block;
  auto from = read_header(**block);
  if (!from) return tl::unexpected(from.error());
  remember(headers_, number, *from);
  auto proof = prove(*from);
  if (!proof) return tl::unexpected(proof.error());
  return *proof == Proof::enough ? std::move(block) : std::nullopt;
}

ChainResult<BlockRef> WitnessedChain::solidified_head() {
  auto claimed = node_.solidified_head();
  if (!claimed) return claimed;
  BlockId id = claimed->id;
  for (std::int64_t number = claimed->number; number >= 0; --number) {
    auto found = linked_header(number, id);
    if (!found) return tl::unexpected(found.error());
    auto proof = prove(*found);
    if (!proof) return tl::unexpected(proof.error());
    if (*proof == Proof::enough) return found->ref;
    id = found->parent;
  }
  return tl::unexpected(
      ChainError{Kind::bad_answer, "no solidified block is signed by enough witnesses yet"});
}

// Of the solidified block of that number and id. What was read of that number while it was not solid may have
// been another.
ChainResult<WitnessedChain::Header> WitnessedChain::linked_header(std::int64_t number, const BlockId& id) {
  if (auto known = headers_.find(number); known != headers_.end() && known->second.ref.id != id)
    headers_.erase(known, headers_.end());
  auto found = header(number, true);
  if (!found) return tl::unexpected(found.error());
  if (*found && (*found)->ref.id == id) return **found;
  return tl::unexpected(ChainError{
      Kind::bad_answer, "the node does not give the block " + to_hex(id) + " of its solidified chain"});
}

ChainResult<abi::Uint128> WitnessedChain::solidified_balance(const Address& holder,
                                                             const std::string& token) {
  auto claimed = node_.solidified_head();
  if (!claimed) return tl::unexpected(claimed.error());
  auto proven = solidified_head();
  if (!proven) return tl::unexpected(proven.error());
  if (proven->number < claimed->number)
    return tl::unexpected(ChainError{
        Kind::bad_answer, "too few of tron.witnesses have signed block " + std::to_string(claimed->number) +
                              " or one above it yet, of which the node tells balances"});
  return node_.solidified_balance(holder, token);
}

// --- transactions

ChainResult<std::optional<std::int64_t>> WitnessedChain::inclusion(const Hash& txid, bool solid) {
  auto said = node_.inclusion(txid, solid);
  if (!said || !*said || !solid) return said;
  auto block = solidified_block(**said);
  if (!block) return tl::unexpected(block.error());
  if (!*block) return std::nullopt;
  const auto& transactions = (*block)->transactions;
  bool holds = std::any_of(transactions.begin(), transactions.end(),
                           [&](const auto& transaction) { return transaction.txid == txid; });
  if (holds) return said;
  return forged("solidified block " + std::to_string(**said) + " does not hold " + to_hex(txid) +
                ", as the node says");
}

ChainResult<std::optional<Execution>> WitnessedChain::execution(const Hash& txid, bool solid) {
  if (solid) {
    auto included = inclusion(txid, true);
    if (!included || !*included) return included.map([](auto&&) { return std::optional<Execution>(); });
  }
  return node_.execution(txid, solid);
}

ChainResult<std::vector<Execution>> WitnessedChain::executions(std::int64_t number) {
  auto block = solidified_block(number);
  if (!block) return tl::unexpected(block.error());
  return *block ? node_.executions(number) : std::vector<Execution>();
}

}  // namespace windlass::tron
