// Accounts, and views that stack: what a transaction, the pool or a block changes is held apart until it is
// taken over.
#pragma once

#include <map>
#include <variant>

#include "anchoring/tron/abi.h"
#include "tron/core.pb.h"

namespace windlass::devchain {

// What the anchor contract stores.
struct AnchorContract {
  tron::Address owner;
  std::optional<tron::Address> pending_owner;
};

// What a TRC-20 token stores, and what is peculiar to it.
struct Token {
  std::string name, symbol;
  unsigned decimals = 0;
  std::map<tron::Address, tron::abi::Uint128> balances;
  std::map<std::pair<tron::Address, tron::Address>, std::string> allowances;  // holder, spender; a word each
  unsigned fee_percent = 0;  // of each transfer, which the contract keeps
  bool hides_fee = false;    // its logs say that all has arrived

  tron::abi::Uint128 balance(const tron::Address& holder) const {
    auto found = balances.find(holder);
    return found != balances.end() ? found->second : 0;
  }
  tron::abi::Uint128 supply() const {
    tron::abi::Uint128 sum = 0;
    for (const auto& [holder, amount] : balances) sum += amount;
    return sum;
  }
};

using Contract = std::variant<AnchorContract, Token>;

// Who may sign for an account, once it has chosen; before, its own key may.
struct Permissions {
  protocol::Permission owner;
  std::vector<protocol::Permission> actives;
};

struct Account {
  std::int64_t balance_sun = 0;
  std::map<std::string, std::int64_t> tokens;  // TRC-10 id, amount
  std::int64_t created_ms = 0;                 // 0: by genesis
  std::int64_t last_operation_ms = 0;
  std::int64_t free_bandwidth_used = 0;  // as of `free_bandwidth_slot`; it fades over a day
  std::int64_t free_bandwidth_slot = 0;
  std::int64_t last_energy_ms = 0;   // when it last used energy
  std::optional<Contract> contract;  // of an account that is one
  std::optional<Permissions> permissions;
};

class AccountView {
 public:
  using Changes = std::map<tron::Address, Account>;

  explicit AccountView(const AccountView* below = nullptr) : below_(below) {}

  const Account* find(const tron::Address& address) const {
    if (auto found = changed_.find(address); found != changed_.end()) return &found->second;
    return below_ ? below_->find(address) : nullptr;
  }
  // The account to change; made empty where there is none. Valid until the view is cleared.
  Account& edit(const tron::Address& address) {
    auto found = changed_.find(address);
    if (found != changed_.end()) return found->second;
    const Account* old = below_ ? below_->find(address) : nullptr;
    return changed_[address] = old ? *old : Account{};
  }
  const Changes& changes() const { return changed_; }
  void take_over(const AccountView& above) {
    for (const auto& [address, account] : above.changed_) changed_[address] = account;
  }
  void erase(const tron::Address& address) { changed_.erase(address); }
  void clear() { changed_.clear(); }

 private:
  const AccountView* below_;
  Changes changed_;
};

}  // namespace windlass::devchain
