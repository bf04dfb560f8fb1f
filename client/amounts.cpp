#include "client/amounts.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace windlass::client {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool same_symbol(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::toupper(x) == std::toupper(y); });
}
std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// Digits to an integer; nothing when it does not fit.
std::optional<std::int64_t> integer(std::string_view digits) {
  constexpr auto max = std::numeric_limits<std::int64_t>::max();
  std::int64_t value = 0;
  for (char c : digits) {
    int digit = c - '0';
    if (value > (max - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

std::string known_symbols(const Assets& assets) {
  std::string out;
  for (const auto& [number, asset] : assets) out += (out.empty() ? "" : ", ") + asset.symbol();
  return out;
}

}  // namespace

const pb::Asset* find_asset(const Assets& assets, std::string_view name) {
  for (const auto& [number, asset] : assets)
    if (same_symbol(asset.symbol(), name) || std::to_string(number) == name) return &asset;
  return nullptr;
}

Result<AssetAmount> parse_amount(std::string_view given, const AmountOptions& options, const Assets& assets) {
  std::string_view text = trim(given);
  auto end = std::find_if_not(text.begin(), text.end(), [](char c) { return is_digit(c) || c == '.'; });
  std::string_view number = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  std::string_view symbol = trim(text.substr(number.size()));
  const pb::Asset* asset = find_asset(assets, symbol.empty() ? options.asset : symbol);

  auto point = number.find('.');
  std::string whole(number.substr(0, point));
  std::string fraction(point == number.npos ? std::string_view() : number.substr(point + 1));
  bool well_formed =
      !whole.empty() && (point == number.npos || !fraction.empty()) && fraction.find('.') == fraction.npos;
  if (!well_formed)
    return usage_error(fmt::format("\"{}\" is no amount; write one as 12.5 or \"12.5 BTT\"", given));
  if (!asset)
    return usage_error(fmt::format("\"{}\": there is no asset \"{}\"; this ledger has {}", given,
                                   symbol.empty() ? options.asset : std::string(symbol),
                                   known_symbols(assets)));
  std::uint32_t decimals = options.in_units ? 0 : asset->decimals();
  if (fraction.size() > decimals)
    return usage_error(options.in_units
                           ? fmt::format("\"{}\": with --units an amount is a whole number", given)
                           : fmt::format("\"{}\": {} has {} decimals", given, asset->symbol(), decimals));
  std::string digits = whole + fraction;
  for (std::size_t i = fraction.size(); i < decimals; ++i) digits += '0';
  auto units = integer(digits);
  if (!units) return usage_error(fmt::format("\"{}\" is more than a ledger can hold of one asset", given));
  if (*units == 0 && !options.may_be_zero)
    return usage_error(fmt::format("\"{}\": an amount is more than nothing", given));
  return AssetAmount{asset->number(), *units};
}

std::string format_units(std::int64_t units, std::uint32_t decimals) {
  std::string digits = std::to_string(units);
  std::string sign;
  if (units < 0) {
    sign = "-";
    digits.erase(0, 1);
  }
  digits = fmt::format("{:0>{}}", digits, decimals + 1);  // one digit before the point at least
  std::string fraction = digits.substr(digits.size() - decimals);
  fraction.erase(fraction.find_last_not_of('0') + 1);
  digits.erase(digits.size() - decimals);
  return sign + digits + (fraction.empty() ? "" : "." + fraction);
}

std::string format_amount(std::int64_t units, std::uint32_t asset, const Assets& assets) {
  auto known = assets.find(asset);
  if (known == assets.end()) return fmt::format("{} units of asset {}", units, asset);
  return format_units(units, known->second.decimals()) + " " + known->second.symbol();
}

}  // namespace windlass::client
