// TRC-20 tokens as clients of the chain see them: what is sent to their contracts, and what those emit.
#pragma once

#include "anchoring/tron/abi.h"
#include "anchoring/tron/chain.h"

namespace windlass::tron::trc20 {

constexpr std::string_view transfer_event = "Transfer(address,address,uint256)";

// Call data, in the token's smallest unit.
std::string transfer_call(const Address& to, abi::Uint128 amount);
std::string balance_call(const Address& holder);

struct Transfer {
  Address from, to;
  abi::Uint128 amount = 0;
  bool operator==(const Transfer&) const = default;
};
// The event Transfer(address indexed from, address indexed to, uint256 value), by whichever contract. Nothing
// where the log is not exactly that: three topics, 32 bytes of data, addresses padded with zeros, and a value
// of at most 128 bits.
std::optional<Transfer> read_transfer(const ContractLog& log);

}  // namespace windlass::tron::trc20
