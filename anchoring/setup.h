// Setting anchoring up, each once: `windlass-anchor --config FILE COMMAND`. Each says what it costs, sends
// one transaction and waits until it is solidified.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "anchoring/tron/chain.h"

namespace windlass::anchoring {

constexpr std::string_view setup_usage =
    "Before the first start:\n"
    "  deploy-contract [--again]  creates the anchor contract, owned by anchor.key_file's address\n"
    "  limit-key ADDRESS          lets ADDRESS's key call contracts for that account, and nothing else";

bool is_setup_command(const std::vector<std::string>& words);

struct SetupContext {
  const SecretKey& key;  // pays and signs
  tron::Chain& chain;
  std::string contract;  // the one that is configured; may be empty
  bool again = false;    // another one is wanted
};
// The exit code: 2 for words that are no such command.
int run_setup_command(const std::vector<std::string>& words, const SetupContext& with);

}  // namespace windlass::anchoring
