#include "anchoring/gateway/custody.h"

#include "anchoring/gateway/deposit.h"

namespace windlass::anchoring {
namespace {

// TRC-20 balances are a contract's to tell, not the account's.
bool is_in_account(const core::Asset& asset) {
  return asset.chain == tron_chain && asset.token.find_first_not_of("0123456789") == std::string::npos;
}

std::int64_t held(const tron::AccountState& account, const core::Asset& asset) {
  if (asset.token.empty()) return account.balance_sun;
  for (const auto& [token, amount] : account.tokens)
    if (token == asset.token) return amount;
  return 0;
}

}  // namespace

tl::expected<std::vector<CustodyDifference>, std::string> custody_differences(tron::Chain& chain,
                                                                              LedgerClient& ledger,
                                                                              const tron::Address& custody) {
  auto assets = ledger.assets();
  if (!assets) return tl::unexpected(assets.error().message);
  auto totals = ledger.totals();
  if (!totals) return tl::unexpected(totals.error().message);
  auto account = chain.account(custody);
  if (!account) return tl::unexpected(account.error().message);

  std::vector<CustodyDifference> differences;
  for (const auto& asset : *assets) {
    auto total = std::find_if(totals->begin(), totals->end(),
                              [&](const auto& of) { return of.asset == asset.number; });
    if (!is_in_account(asset) || total == totals->end()) continue;
    auto owed = static_cast<core::Int128>(total->credited) - static_cast<core::Int128>(total->paid);
    auto units = static_cast<double>(held(*account, asset) - owed) / static_cast<double>(asset.chain_units);
    differences.push_back({asset.symbol, units});
  }
  return differences;
}

}  // namespace windlass::anchoring
