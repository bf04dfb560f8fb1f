#include "anchoring/tron/block.h"

#include "anchoring/tron/transaction.h"
#include "tron/core.pb.h"
#include "tron/exact.pb.h"

namespace windlass::tron {

BlockId block_id(std::int64_t number, ByteView header) {
  BlockId id = sha256(header);
  std::string prefix;
  append_be(prefix, number);
  std::copy(prefix.begin(), prefix.end(), id.begin());
  return id;
}

Hash tx_trie_root(std::span<const std::string> transactions) {
  if (transactions.empty()) return {};
  std::vector<Hash> level;
  level.reserve(transactions.size());
  for (const auto& transaction : transactions) level.push_back(sha256(transaction));
  while (level.size() > 1) {
    std::vector<Hash> parents;
    for (std::size_t i = 0; i < level.size(); i += 2)  // an odd last one rises as it is
      parents.push_back(i + 1 < level.size() ? sha256({view(level[i]), view(level[i + 1])}) : level[i]);
    level = std::move(parents);
  }
  return level.front();
}

tl::expected<Block, std::string> assemble_block(ByteView header, ByteView witness_signature,
                                                std::span<const std::string> transactions) {
  protocol::BlockHeader::raw raw;
  if (!raw.ParseFromArray(header.data(), static_cast<int>(header.size())))
    return tl::unexpected<std::string>("the block header is not a BlockHeader.raw");
  auto parent = to_array<32>(raw.parenthash());
  if (!parent) return tl::unexpected<std::string>("the block header's parentHash is not 32 bytes");
  if (raw.txtrieroot() != view(tx_trie_root(transactions)))
    return tl::unexpected<std::string>("txTrieRoot of block " + std::to_string(raw.number()) +
                                       " is not that of its transactions");

  Block block{{raw.number(), block_id(raw.number(), header), raw.timestamp()},
              *parent,
              {},
              std::string(header),
              std::string(witness_signature)};
  block.transactions.reserve(transactions.size());
  for (const auto& bytes : transactions) {
    auto transaction = parse_transaction(bytes);
    if (!transaction)
      return tl::unexpected<std::string>("a transaction of block " + std::to_string(raw.number()) +
                                         " does not parse");
    block.transactions.push_back(std::move(*transaction));
  }
  return block;
}

tl::expected<Block, std::string> parse_block(ByteView block) {
  exact::Block parsed;
  if (!parsed.ParseFromArray(block.data(), static_cast<int>(block.size())))
    return tl::unexpected<std::string>("not a protocol.Block");
  std::vector<std::string> transactions(parsed.transactions().begin(), parsed.transactions().end());
  return assemble_block(parsed.block_header().raw_data(), parsed.block_header().witness_signature(),
                        transactions);
}

}  // namespace windlass::tron
