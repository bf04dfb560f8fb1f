// The ledger's words as types. Amounts are int64 in an asset's ledger unit, never negative; times are Unix
// microseconds.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "crypto/secp256k1.h"

namespace windlass::core {

// A number that does not mix with numbers of other kinds.
template <typename Tag, typename Rep>
struct Id {
  Rep value{};
  constexpr auto operator<=>(const Id&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, const Id& id) {
    return H::combine(std::move(h), id.value);
  }
};

using Sequence = Id<struct SequenceTag, std::uint64_t>;      // an entry's place in the log, from 0 (genesis)
using AccountNumber = Id<struct AccountTag, std::uint64_t>;  // dense, from 0 (the operator)
using ChannelId = Id<struct ChannelTag, std::uint64_t>;      // the sequence of the entry that opened it
using AssetId = Id<struct AssetTag, std::uint32_t>;          // from 1; 0 stands for "no asset moved"

using Key = PublicKey;
using Amount = std::int64_t;
using TimeUs = std::int64_t;
__extension__ typedef __int128 Int128;                // for sums of amounts
__extension__ typedef unsigned __int128 ChainAmount;  // in the chain's own unit

// No earlier entry: what a chain of `previous` ends with.
constexpr Sequence no_sequence{std::numeric_limits<std::uint64_t>::max()};
constexpr AssetId no_asset{0};

constexpr TimeUs second_us = 1'000'000;
constexpr TimeUs hour_us = 3600 * second_us;
constexpr TimeUs day_us = 24 * hour_us;

}  // namespace windlass::core
