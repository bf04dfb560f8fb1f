// The anchor contract (anchoring/contract/WindlassAnchor.sol), carried out natively: devchain has no EVM.
// What each way through it emits, returns and costs is held against a real EVM by
// tests/compat/test_contract.py.
#pragma once

#include "anchoring/devchain/accounts.h"
#include "anchoring/devchain/call_outcome.h"

namespace windlass::devchain {

// A call of the contract at `self`, whose `state` changes where it does not revert.
CallOutcome call_anchor_contract(AnchorContract& state, const tron::Address& self,
                                 const tron::Address& caller, ByteView data, std::int64_t value_sun);

}  // namespace windlass::devchain
