// Proof of liabilities: for each asset a tree of sums over what the ledger owes to its accounts after one
// entry. A node commits to both child sums by themselves, so that none can be counted short; an account is
// two leaves of a random part of its amount each, in an order that says nothing. docs/formats.md,
// "Liabilities".
#pragma once

#include <span>

#include "ledger/codec/entry.h"

namespace windlass::codec {

// In ledger units, never negative.
struct SumNode {
  Hash hash{};
  core::Amount sum = 0;
  bool operator==(const SumNode&) const = default;
};
// SHA256(0x03 || left hash || i64 left sum || right hash || i64 right sum), and the sum of both; nothing
// where one is negative or together they are beyond 2^63 - 1.
std::optional<SumNode> join(const SumNode& left, const SumNode& right);

// A sibling on the way to the root.
struct SumStep {
  SumNode sibling;
  bool left = false;  // where it stands
};
using SumPath = std::vector<SumStep>;
constexpr std::size_t max_sum_path = 64;
// Where the path leads; nothing where a sum on it cannot be.
std::optional<SumNode> climb(SumNode leaf, const SumPath& path);
// Adjacent nodes are joined, level by level; an odd last one goes up as it is (the shape of RFC 6962). Of at
// least one node, whose sums together fit.
SumNode root_of_sums(std::vector<SumNode> nodes);
SumPath path_of_sums(std::vector<SumNode> nodes, std::size_t index);

// Known to the server and to whoever may read all contents: SHA256("windlass/liabilities/v1" || u64 sequence
// || secret of the newest entry up to that one that is not public).
Secret liabilities_secret(core::Sequence sequence, const Secret& entry_secret);
// Opens both leaves of one account and nothing else: SHA256(secret || u64 account || u32 asset).
Secret account_liability_secret(const Secret& secret, core::AccountNumber account, core::AssetId asset);
// The leaf of share 0 or 1: SHA256(0x02 || secret || u64 account || u32 asset || u8 share). Its sum is
// committed to by the node above.
Hash liability_leaf(const Secret& of_account, core::AccountNumber account, core::AssetId asset,
                    std::uint8_t share);
constexpr std::size_t liability_shares = 2;
// Of an amount above 0. Share 0 is the first 16 bytes of SHA256(secret || "split") modulo amount + 1.
std::array<SumNode, liability_shares> liability_leaves(const Secret& secret, core::AccountNumber account,
                                                       core::AssetId asset, core::Amount amount);

// What the ledger owes an account in an asset: all of its balance, less what the recipients of its open
// channels have claimed and have in theirs already.
core::Amount owed(const core::Balance& balance, core::Amount claimed);

// All that is owed in one asset; none of an asset in which nothing is.
struct AssetLiabilities {
  core::AssetId asset;
  core::Amount total = 0;
  Hash root{};
  bool operator==(const AssetLiabilities&) const = default;
};
// RFC 6962 root over {u32 asset || i64 total || 32 root} by asset: what a seal names.
Hash liabilities_root(const std::vector<AssetLiabilities>& assets);

// Of a whole state, in memory: what an audit holds against what seals name.
std::vector<AssetLiabilities> liabilities_of(const core::State& state, const Secret& secret);

}  // namespace windlass::codec
