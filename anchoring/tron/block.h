// Blocks as a node sends or stores them. What is hashed is the bytes that came, never a re-serialization.
#pragma once

#include <span>

#include "anchoring/tron/chain.h"

namespace windlass::tron {

// `header` is the serialized protocol.BlockHeader.raw.
BlockId block_id(std::int64_t number, ByteView header);

// Merkle root over SHA-256 of each whole serialized protocol.Transaction, `ret` included; 32 zero bytes
// without any.
Hash tx_trie_root(std::span<const std::string> transactions);

// The block of a serialized header and transactions; the error says what is wrong with them: a header or a
// transaction that does not parse, or a header whose txTrieRoot is not theirs. Whoever signed the header is
// not looked at: witnessed_chain.h does.
tl::expected<Block, std::string> assemble_block(ByteView header, ByteView witness_signature,
                                                std::span<const std::string> transactions);

// Of a serialized protocol.Block.
tl::expected<Block, std::string> parse_block(ByteView block);

}  // namespace windlass::tron
