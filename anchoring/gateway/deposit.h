// Which transactions of a block are deposits, and whose. What decides is what the chain executed and checked:
// contract type, contractRet, custody as the recipient, and the token's id (names can be anybody's).
#pragma once

#include "anchoring/tron/chain.h"
#include "ledger/core/command.h"

namespace windlass::anchoring {

constexpr std::uint32_t tron_chain = 1;  // Asset.chain and Credit.chain in command.proto

// Who is who on the chain.
struct Parties {
  tron::Address custody;  // deposits go to it
  tron::Address anchor;  // anchors come from it, perhaps to custody: no deposits, or each would need the next
};

// A transfer of something to custody that really happened.
struct Arrival {
  const tron::ChainTransaction* transaction = nullptr;
  const tron::TransferContract* transfer = nullptr;
  std::uint32_t index = 0;  // of the transaction in its block
};
// In `block`, in its order.
std::vector<Arrival> arrivals(const tron::Block& block, const Parties& parties);

// The listed asset that `token_id` is on TRON (empty: TRX).
const core::Asset* asset_of(const std::vector<core::Asset>& assets, std::string_view token_id);

// The key that a memo names: 66 hex digits of either case, 0x before them or not, or the 33 bytes themselves;
// nothing when that is no point on the curve.
std::optional<PublicKey> key_in_memo(ByteView memo);
// Of the memo, else the sender's own, as its signature shows it (not where several signed, or a key that was
// merely given permission).
std::optional<PublicKey> owner_of(const Arrival& arrival);

}  // namespace windlass::anchoring
