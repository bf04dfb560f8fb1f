#include "anchoring/gateway/custody.h"

#include "anchoring/gateway/deposit.h"
#include "anchoring/tron/trc20.h"

namespace windlass::anchoring {
namespace {

using Held = tl::expected<core::Int128, std::string>;

core::Int128 held_by_account(const tron::AccountState& account, const core::Asset& asset) {
  if (asset.token.empty()) return account.balance_sun;
  for (const auto& [token, amount] : account.tokens)
    if (token == asset.token) return amount;
  return 0;
}

// What a TRC-20's contract says.
Held held_by_contract(tron::Chain& chain, const tron::Address& contract, const tron::Address& custody) {
  auto told = chain.call_constant({custody, contract, tron::trc20::balance_call(custody)});
  if (!told) return tl::unexpected(told.error().message);
  auto balance = told->succeeded ? tron::abi::read_amount(told->returned) : std::nullopt;
  constexpr auto most = ~tron::abi::Uint128{0} >> 1;
  if (balance && *balance <= most) return static_cast<core::Int128>(*balance);
  return tl::unexpected("contract " + to_base58(contract) + " tells no balance of custody: " +
                        (told->succeeded ? "it returned " + to_hex(told->returned) : told->message));
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
    if (asset.chain != tron_chain || total == totals->end()) continue;
    auto contract = tron::address_from_base58(asset.token);
    Held held = contract ? held_by_contract(chain, *contract, custody) : held_by_account(*account, asset);
    if (!held) return tl::unexpected(asset.symbol + ": " + held.error());
    auto owed = static_cast<core::Int128>(total->credited) - static_cast<core::Int128>(total->paid);
    auto difference = *held - owed;
    differences.push_back(
        {asset.symbol, difference, static_cast<double>(difference) / static_cast<double>(asset.chain_units)});
  }
  return differences;
}

}  // namespace windlass::anchoring
