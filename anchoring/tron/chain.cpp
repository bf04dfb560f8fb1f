#include "anchoring/tron/chain.h"

namespace windlass::tron {
namespace {

// protocol.Return.response_code
constexpr int dup_transaction_error = 5;
constexpr int not_enough_effective_connection = 11;

}  // namespace

Pool pool_after(const BroadcastAnswer& answer) {
  if (answer.result) return Pool::holding;
  if (answer.code == dup_transaction_error) return Pool::known;
  // "P2P broadcast failed." is said of what was taken, "Effective connection: ..." of what was not.
  bool taken =
      answer.code == not_enough_effective_connection && answer.message.find("P2P") != std::string::npos;
  return taken ? Pool::unsent : Pool::without;
}

std::optional<std::int64_t> parameter(const ChainParameters& parameters, std::string_view name) {
  for (const auto& [key, value] : parameters)
    if (key == name) return value;
  return std::nullopt;
}

}  // namespace windlass::tron
