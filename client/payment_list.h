// A CSV of payments: `key,amount` a line, a header `key,amount` allowed, one asset in all.
#pragma once

#include <functional>

#include "client/amounts.h"
#include "ledger/core/command.h"

namespace windlass::client {

struct PaymentList {
  core::AssetId asset;
  std::vector<core::Payment> payments;
};

// `resolve` turns the first column into a key. A fault names its line; nothing is half read.
Result<PaymentList> parse_payment_list(const std::string& text, const AmountOptions& options,
                                       const Assets& assets,
                                       const std::function<Result<core::Key>(const std::string&)>& resolve);

}  // namespace windlass::client
