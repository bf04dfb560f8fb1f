#include "anchoring/tron/trc20.h"

namespace windlass::tron::trc20 {

std::string transfer_call(const Address& to, abi::Uint128 amount) {
  return abi::selector("transfer(address,uint256)") + abi::word(to) + abi::word(amount);
}

std::string balance_call(const Address& holder) {
  return abi::selector("balanceOf(address)") + abi::word(holder);
}

std::optional<Transfer> read_transfer(const ContractLog& log) {
  static const std::string topic = abi::topic(transfer_event);
  if (log.topics.size() != 3 || log.topics[0] != topic) return std::nullopt;
  auto from = abi::read_address(log.topics[1]), to = abi::read_address(log.topics[2]);
  auto amount = abi::read_amount(log.data);
  if (!from || !to || !amount) return std::nullopt;
  return Transfer{*from, *to, *amount};
}

}  // namespace windlass::tron::trc20
