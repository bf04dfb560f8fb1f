// The chain parameters that devchain answers and lives by: those of TRON's main network as a java-tron 4.8.0
// node gave them.
#pragma once

#include "anchoring/tron/chain.h"

namespace windlass::devchain {

namespace parameter {
constexpr std::string_view create_account_fee = "getCreateAccountFee";  // instead of bandwidth
constexpr std::string_view bandwidth_price = "getTransactionFee";       // sun a byte
constexpr std::string_view new_account_fee = "getCreateNewAccountFeeInSystemContract";
constexpr std::string_view free_bandwidth = "getFreeNetLimit";  // bytes a day and account
constexpr std::string_view total_bandwidth = "getTotalNetLimit";
constexpr std::string_view total_energy = "getTotalEnergyLimit";
constexpr std::string_view memo_fee = "getMemoFee";
constexpr std::string_view energy_price = "getEnergyFee";  // sun
constexpr std::string_view max_fee_limit = "getMaxFeeLimit";
constexpr std::string_view permission_fee = "getUpdateAccountPermissionFee";
constexpr std::string_view multi_sign_fee = "getMultiSignFee";
constexpr std::string_view max_create_account_size = "getMaxCreateAccountTxSize";
}  // namespace parameter

class Parameters {
 public:
  Parameters();
  // `name` must be one of the chain's.
  std::int64_t operator[](std::string_view name) const;
  void set(std::string_view name, std::int64_t value);
  // In the node's order, zeros included.
  const tron::ChainParameters& all() const { return values_; }

 private:
  tron::ChainParameters values_;
};

}  // namespace windlass::devchain
