#include "client/payment_list.h"

#include <fmt/format.h>

#include <sstream>

namespace windlass::client {

Result<PaymentList> parse_payment_list(const std::string& text, const AmountOptions& options,
                                       const Assets& assets,
                                       const std::function<Result<core::Key>(const std::string&)>& resolve) {
  PaymentList list;
  std::istringstream lines(text);
  std::size_t number = 0;
  auto wrong = [&](Failure failure) {
    failure.message = fmt::format("line {}: {}", number, failure.message);
    return tl::unexpected(std::move(failure));
  };
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty() || (number == 1 && line == "key,amount")) continue;
    auto comma = line.find(',');
    if (comma == line.npos || line.find(',', comma + 1) != line.npos)
      return wrong({Failure::Kind::usage, "\"" + line + "\" is no payment; write key,amount", {}, {}});
    auto amount = parse_amount(line.substr(comma + 1), options, assets);
    if (!amount) return wrong(amount.error());
    auto key = resolve(line.substr(0, comma));
    if (!key) return wrong(key.error());
    if (!list.payments.empty() && list.asset.value != amount->asset)
      return wrong(
          {Failure::Kind::usage, "another asset than the lines before; make a list for each asset", {}, {}});
    list.asset.value = amount->asset;
    list.payments.push_back({*key, amount->units});
  }
  if (list.payments.empty()) return usage_error("the list has no payments");
  return list;
}

}  // namespace windlass::client
