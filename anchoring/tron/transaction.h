// Building and signing TRON transactions. The node hashes its own re-serialization, so the bytes are canonical proto3:
// fields ascending, no defaults. Checked byte for byte against tests/vectors/tron-transactions.json.
#pragma once

#include "anchoring/tron/chain.h"

namespace windlass::tron {

struct TransactionFrame {
  BlockRef reference;               // a solidified block (TAPOS)
  std::int64_t timestamp_ms = 0;    // not validated by the chain; makes the txid unique
  std::int64_t expiration_ms = 0;   // last block timestamp in which it may land, inclusive
  std::string memo;                 // raw_data.data; costs getMemoFee when not empty
};

struct SignedTransaction {
  std::string bytes;  // serialized protocol.Transaction: what is saved, then broadcast
  Hash txid{};
  std::int64_t expiration_ms = 0;
};

// TRX (token_id empty) or TRC-10.
SignedTransaction sign_transfer(const TransferContract& transfer, const TransactionFrame& frame, const SecretKey& key);

// Parses a serialized protocol.Transaction as it stands in a block; nothing when it is malformed or does not hold
// exactly one contract.
std::optional<ChainTransaction> parse_transaction(ByteView transaction);

// Bandwidth points: serialized size without `ret`, plus 64.
std::int64_t bandwidth_of(ByteView transaction);

// The signer's key where the (single) signature recovers to `owner`, else nothing.
std::optional<PublicKey> signer_key(const ChainTransaction& transaction, const Address& owner);

}  // namespace windlass::tron
