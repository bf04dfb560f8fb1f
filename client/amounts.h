// Amounts as people write them, exactly: `12.5 BTT` is 12,500,000 ledger units of BTT and nothing near it.
#pragma once

#include <windlass/v1/command.pb.h>

#include <map>

#include "client/failure.h"

namespace windlass::client {

namespace pb = windlass::v1;

using Assets = std::map<std::uint32_t, pb::Asset>;  // by number

struct AssetAmount {
  std::uint32_t asset = 0;
  std::int64_t units = 0;  // ledger units
};

struct AmountOptions {
  std::string asset = "BTT";  // where the text names none
  bool in_units = false;      // the number counts ledger units
  bool may_be_zero = false;
};

// Nothing when there is no asset of that symbol (any case) or number.
const pb::Asset* find_asset(const Assets& assets, std::string_view symbol_or_number);

// `text`: digits with at most the asset's decimals, then perhaps the symbol. The failure
// is a usage error that says what would be right.
Result<AssetAmount> parse_amount(std::string_view text, const AmountOptions& options, const Assets& assets);

// The number alone: units at `decimals`, without trailing zeros: 12.5
std::string format_units(std::int64_t units, std::uint32_t decimals);
// With its symbol: `12.5 BTT`; an asset that is not known: `12500000 units of asset 7`.
std::string format_amount(std::int64_t units, std::uint32_t asset, const Assets& assets);

}  // namespace windlass::client
