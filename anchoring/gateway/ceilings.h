// What a single node's word is good for. With several nodes nothing rests on one of them; with one, its lies
// can cost no more than these ceilings a day: so much is credited on its word, and so much leaves custody,
// whatever it says became of what left before.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "ledger/core/command.h"

namespace windlass::anchoring {

// By the asset's symbol, in ledger units a day (UTC). An asset without one: nothing.
using Ceilings = std::map<std::string, core::Amount, std::less<>>;

// "BTT 1000000", a symbol and a number of ledger units.
tl::expected<Ceilings::value_type, std::string> parse_ceiling(std::string_view text);

// In the chain's units.
core::ChainAmount ceiling_of(const Ceilings& ceilings, const core::Asset& asset);

constexpr core::TimeUs start_of_day(core::TimeUs now_us) {
  return now_us / core::day_us * core::day_us;
}

}  // namespace windlass::anchoring
