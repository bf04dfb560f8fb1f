// A TRC-20 token, carried out natively: devchain has no EVM. It answers, logs and costs what the token did
// that a java-tron node was seen to carry out (tests/vectors/tron/trc20.json).
#pragma once

#include "anchoring/devchain/accounts.h"
#include "anchoring/devchain/call_outcome.h"

namespace windlass::devchain {

// A call of the token at `self`, whose `state` is to be kept where it does not revert.
CallOutcome call_token(Token& state, const tron::Address& self, const tron::Address& caller, ByteView data,
                       std::int64_t value_sun);

}  // namespace windlass::devchain
