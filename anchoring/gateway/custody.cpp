#include "anchoring/gateway/custody.h"

namespace windlass::anchoring {
namespace {

using tl::unexpected;

// What has left custody and the ledger has not booked yet: payments in solidified blocks, and the fees of
// those that failed there too.
core::Int128 on_its_way(const std::vector<Payment>& payments, const core::Asset& asset) {
  core::Int128 sum = 0;
  for (const auto& payment : payments) {
    if (payment.asset == asset.number && payment.state == PaymentState::landed)
      sum += static_cast<core::Int128>(payment.amount);
    if (asset.token.empty()) sum += payment.fee_sun;
  }
  return sum;
}

tl::expected<bool, std::string> scan_has_reached_solid(tron::Chain& chain, Store& store) {
  auto solid = chain.solidified_head();
  if (!solid) return unexpected(solid.error().message);
  auto cursor = store.cursor();
  return cursor && cursor->number == solid->number;
}

tl::expected<core::Int128, std::string> held_by(tron::Chain& chain, const std::vector<tron::Address>& holders,
                                                const core::Asset& asset) {
  core::Int128 sum = 0;
  for (const auto& holder : holders) {
    auto held = chain.solidified_balance(holder, asset.token);
    if (!held) return unexpected(asset.symbol + ": " + held.error().message);
    sum += static_cast<core::Int128>(*held);
  }
  return sum;
}

const core::AssetTotals* totals_of(const std::vector<core::AssetTotals>& totals, core::AssetId asset) {
  auto found = std::find_if(totals.begin(), totals.end(), [&](const auto& of) { return of.asset == asset; });
  return found == totals.end() ? nullptr : &*found;
}

std::int64_t unbooked(const AddressTotals& spent, const core::AssetTotals& trx) {
  return spent.fees_sun - static_cast<std::int64_t>(trx.chain_fees);
}

}  // namespace

tl::expected<std::int64_t, std::string> unbooked_fees_sun(LedgerClient& ledger, Store& store,
                                                          core::AssetId trx) {
  auto spent = store.address_totals();
  if (spent.fees_sun == 0) return 0;
  auto totals = ledger.totals();
  if (!totals) return unexpected(totals.error().message);
  const auto* of_trx = totals_of(*totals, trx);
  if (!of_trx) return unexpected(std::string("the ledger tells no totals of TRX"));
  return unbooked(spent, *of_trx);
}

tl::expected<std::optional<std::vector<CustodyDifference>>, std::string> reconcile(tron::Chain& chain,
                                                                                   LedgerClient& ledger,
                                                                                   Store& store,
                                                                                   const Parties& parties) {
  auto level = scan_has_reached_solid(chain, store);
  if (!level) return unexpected(level.error());
  if (!*level) return std::nullopt;
  auto assets = ledger.assets();
  if (!assets) return unexpected(assets.error().message);
  auto totals = ledger.totals();
  if (!totals) return unexpected(totals.error().message);
  auto payments = store.open_payments();
  auto addresses = store.address_totals();
  std::vector<CustodyDifference> differences;
  for (const auto& asset : *assets) {
    const auto* total = totals_of(*totals, asset.number);
    if (asset.chain != tron_chain || !total) continue;
    auto hot = held_by(chain, {parties.custody}, asset), cold = held_by(chain, parties.cold, asset);
    if (!hot) return unexpected(hot.error());
    if (!cold) return unexpected(cold.error());
    auto owed = static_cast<core::Int128>(total->credited) - static_cast<core::Int128>(total->paid);
    auto elsewhere = *cold + addresses.amounts[asset.number] + on_its_way(payments, asset);
    if (asset.token.empty()) elsewhere += unbooked(addresses, *total);
    auto difference = *hot + elsewhere - owed;
    auto in_units = [&](core::Int128 amount) {
      return static_cast<double>(amount) / static_cast<double>(asset.chain_units);
    };
    differences.push_back({asset.symbol, difference, in_units(difference), in_units(*hot), in_units(*cold)});
  }
  auto still_level = scan_has_reached_solid(chain, store);
  if (!still_level) return unexpected(still_level.error());
  if (!*still_level) return std::nullopt;
  return differences;
}

}  // namespace windlass::anchoring
