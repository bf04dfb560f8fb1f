#include "anchoring/gateway/ceilings.h"

#include <fmt/format.h>

#include <charconv>

namespace windlass::anchoring {

tl::expected<Ceilings::value_type, std::string> parse_ceiling(std::string_view text) {
  auto space = text.find(' ');
  auto symbol = text.substr(0, space);
  auto digits = space == text.npos ? std::string_view() : text.substr(space + 1);
  core::Amount amount = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), amount);
  if (symbol.empty() || error != std::errc() || end != digits.data() + digits.size() || amount < 0)
    return tl::unexpected(
        fmt::format("\"{}\": write an asset's symbol and a number of ledger units a day", text));
  return Ceilings::value_type(symbol, amount);
}

core::ChainAmount ceiling_of(const Ceilings& ceilings, const core::Asset& asset) {
  auto found = ceilings.find(asset.symbol);
  return found == ceilings.end() ? 0 : static_cast<core::ChainAmount>(found->second) * asset.chain_units;
}

}  // namespace windlass::anchoring
