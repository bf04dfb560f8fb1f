// What a call of a contract does, whichever machine carries it out.
#pragma once

#include "anchoring/tron/chain.h"

namespace windlass::devchain {

struct CallOutcome {
  bool reverted = false;
  std::int64_t energy = 0;
  std::string returned;
  std::vector<tron::ContractLog> logs;
};

}  // namespace windlass::devchain
