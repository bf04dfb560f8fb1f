#include "ledger/core/state.h"

#include <algorithm>

#include "ledger/core/limits.h"

namespace windlass::core {
namespace {

template <typename Balances>
auto position(Balances& balances, AssetId asset) {
  return std::lower_bound(balances.begin(), balances.end(), asset,
                          [](const Balance& b, AssetId wanted) { return b.asset < wanted; });
}

}  // namespace

std::string_view name(Kind kind) {
  static constexpr std::array<std::string_view, 23> names = {"genesis",
                                                             "seal",
                                                             "receipt",
                                                             "transfer",
                                                             "transfer_list",
                                                             "open_channel",
                                                             "top_up_channel",
                                                             "close_channel",
                                                             "rotate_key",
                                                             "credit",
                                                             "set_roles",
                                                             "set_asset",
                                                             "withdraw",
                                                             "settle_withdrawal",
                                                             "approve_withdrawal",
                                                             "assign_deposit",
                                                             "refuse_btfs",
                                                             "btfs_transfer",
                                                             "btfs_open_channel",
                                                             "btfs_close_channel",
                                                             "btfs_withdraw",
                                                             "btfs_rotate_key",
                                                             "book_chain_fees"};
  static_assert(names.size() == static_cast<std::size_t>(last_kind) + 1);
  auto index = static_cast<std::size_t>(kind);
  return index < names.size() ? names[index] : "unknown";
}

Balance Account::balance(AssetId asset) const {
  auto it = position(balances, asset);
  return it != balances.end() && it->asset == asset ? *it : Balance{.asset = asset};
}

Balance& Account::change_balance(AssetId asset) {
  auto it = position(balances, asset);
  if (it == balances.end() || it->asset != asset) it = balances.insert(it, Balance{.asset = asset});
  return *it;
}

const Asset* State::asset(AssetId number) const {
  if (number == no_asset || number.value > globals.assets.size()) return nullptr;
  return &globals.assets[number.value - 1];
}

const Asset* State::btfs_asset() const {
  // Their amounts are in the token's own unit: another scale would be another amount.
  auto found = std::find_if(globals.assets.begin(), globals.assets.end(), [](const Asset& asset) {
    return asset.chain == btfs_chain && asset.token == btfs_token && asset.chain_units == 1;
  });
  return found == globals.assets.end() ? nullptr : &*found;
}

const Channel* State::find(ChannelId id, Purpose purpose) const {
  const Channel* found = channels.find(id);
  return found && found->purpose == purpose ? found : nullptr;
}

const Account& State::account(AccountNumber number) const {
  const Account* found = accounts.find(number);
  require(found != nullptr);
  return *found;
}

}  // namespace windlass::core
