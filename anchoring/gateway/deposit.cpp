#include "anchoring/gateway/deposit.h"

#include "anchoring/tron/transaction.h"

namespace windlass::anchoring {

namespace {

constexpr std::size_t anchor_memo_bytes = 40;  // size and root

bool is_anchor(const tron::ChainTransaction& transaction, const tron::TransferContract& transfer,
               const tron::Address& anchor) {
  return transfer.owner == anchor && transfer.token_id.empty() &&
         transaction.memo.size() == anchor_memo_bytes;
}

}  // namespace

std::vector<Arrival> arrivals(const tron::Block& block, const Parties& parties) {
  std::vector<Arrival> found;
  for (std::size_t i = 0; i < block.transactions.size(); ++i) {
    const auto& transaction = block.transactions[i];
    const auto* transfer = std::get_if<tron::TransferContract>(&transaction.contract);
    if (!transfer || !transaction.succeeded) continue;
    if (transfer->to != parties.custody || transfer->owner == parties.custody) continue;
    if (transfer->amount <= 0 || is_anchor(transaction, *transfer, parties.anchor)) continue;
    found.push_back({&transaction, transfer, static_cast<std::uint32_t>(i)});
  }
  return found;
}

const core::Asset* asset_of(const std::vector<core::Asset>& assets, std::string_view token_id) {
  for (const auto& asset : assets)
    if (asset.chain == tron_chain && asset.token == token_id) return &asset;
  return nullptr;
}

std::optional<PublicKey> key_in_memo(ByteView memo) {
  std::string decoded;
  constexpr std::size_t key_bytes = std::tuple_size_v<PublicKey>;
  if (memo.size() != key_bytes) {
    if (memo.starts_with("0x") || memo.starts_with("0X")) memo.remove_prefix(2);
    auto bytes = from_hex(memo);
    if (!bytes) return std::nullopt;
    decoded = *std::move(bytes);
    memo = decoded;
  }
  if (!is_public_key(memo)) return std::nullopt;
  return to_array<key_bytes>(memo);
}

std::optional<PublicKey> owner_of(const Arrival& arrival) {
  if (auto key = key_in_memo(arrival.transaction->memo)) return key;
  return tron::signer_key(*arrival.transaction, arrival.transfer->owner);
}

}  // namespace windlass::anchoring
