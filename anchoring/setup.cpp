#include "anchoring/setup.h"

#include <fmt/format.h>

#include <iostream>

#include "anchoring/clock.h"
#include "anchoring/contract/deployment.h"
#include "ops/stop_signal.h"

namespace windlass::anchoring {
namespace {

constexpr std::chrono::milliseconds look_interval{500};
constexpr std::string_view deploy_command = "deploy-contract", limit_command = "limit-key";

int complain(const std::string& what, int code = 1) {
  std::cerr << "windlass-anchor: " << what << '\n';
  return code;
}

std::string trx(std::int64_t sun) {
  return fmt::format("{}.{:06} TRX", sun / 1'000'000, sun % 1'000'000);
}

// Says what it costs, sends it and waits until it is solid.
tl::expected<tron::Execution, std::string> carry_out(tron::Chain& chain, const tron::Prepared& prepared) {
  fmt::print(
      "costs {} at present prices ({} bandwidth, {} energy; never more than {} for the energy); the account "
      "has {}\n",
      trx(prepared.cost_sun), prepared.bandwidth, prepared.energy, trx(prepared.fee_limit_sun),
      trx(prepared.balance_sun));
  fmt::print("sending transaction {}, then waiting until its block is solidified\n",
             to_hex(prepared.transaction.txid));
  std::fflush(stdout);
  ops::StopSignal stop;
  auto done = tron::send_until_solid(chain, prepared.transaction, [&] { return !stop.wait(look_interval); });
  if (done) fmt::print("solidified in block {}; paid {}\n", done->block, trx(done->fee_sun));
  return done;
}

int deploy_contract(const SetupContext& with) {
  if (!with.contract.empty() && !with.again)
    return complain("anchor.contract is " + with.contract + " already; --again deploys another one");
  auto prepared = tron::prepare_anchor_contract(with.chain, with.key, SystemClock().now_ms());
  if (!prepared) return complain(prepared.error());
  auto done = carry_out(with.chain, *prepared);
  if (!done) return complain(done.error());
  std::string contract = tron::to_base58(*done->contract);
  fmt::print(
      "\nThe anchor contract is {}\n\n"
      "Before the ledger's first start, in windlassd's configuration (genesis names it for good):\n"
      "  [genesis]\n  anchor_address = \"{}\"\n  anchor_contract = \"{}\"\n"
      "In windlass-anchor's:\n"
      "  [anchor]\n  contract = \"{}\"\n",
      contract, tron::to_base58(tron::address_of(with.key.public_key())), contract, contract);
  return 0;
}

int limit_key(const SetupContext& with, const std::string& address) {
  auto caller = tron::address_from_base58(address);
  if (!caller) return complain("limit-key wants the TRON address of the key that is to anchor: T...", 2);
  auto prepared = tron::prepare_caller_permission(with.chain, with.key, *caller, SystemClock().now_ms());
  if (!prepared) return complain(prepared.error());
  auto done = carry_out(with.chain, *prepared);
  if (!done) return complain(done.error());
  fmt::print(
      "\nThe key of {} may call contracts for this account, and nothing else. Keep this account's own key\n"
      "elsewhere from now on; the other holds the ledger's anchor role and anchors with:\n"
      "  [anchor]\n  key_file = (that key's)\n  account = \"{}\"\n  permission_id = 2\n",
      address, tron::to_base58(tron::address_of(with.key.public_key())));
  return 0;
}

}  // namespace

bool is_setup_command(const std::vector<std::string>& words) {
  return !words.empty() && (words[0] == deploy_command || words[0] == limit_command);
}

int run_setup_command(const std::vector<std::string>& words, const SetupContext& with) {
  if (words.size() == 1 && words[0] == deploy_command) return deploy_contract(with);
  if (words.size() == 2 && words[0] == limit_command) return limit_key(with, words[1]);
  return complain(fmt::format("no such command. {}", setup_usage), 2);
}

}  // namespace windlass::anchoring
