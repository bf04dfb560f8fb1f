// The anchor contract (anchoring/contract/WindlassAnchor.sol), carried out natively: devchain has no EVM.
// What each way through it emits, returns and costs is held against a real EVM by
// tests/compat/test_contract.py.
#pragma once

#include "anchoring/devchain/accounts.h"
#include "anchoring/tron/chain.h"

namespace windlass::devchain {

struct CallOutcome {
  bool reverted = false;
  std::int64_t energy = 0;
  std::string returned;
  std::vector<tron::ContractLog> logs;
};

// A call of the contract at `self`, whose `state` changes where it does not revert.
CallOutcome call_anchor_contract(AnchorContract& state, const tron::Address& self,
                                 const tron::Address& caller, ByteView data, std::int64_t value_sun);

}  // namespace windlass::devchain
