#include "anchoring/store.h"

namespace windlass::anchoring {
namespace {

constexpr std::array<std::string_view, 6> anchor_states = {"sealed",   "signed",     "broadcast",
                                                           "included", "solidified", "expired"};
constexpr std::array<std::string_view, 3> deposit_states = {"submitted", "credited", "passed_by"};
constexpr std::array<std::string_view, 6> payment_states = {"signed", "broadcast", "included",
                                                            "landed", "failed",    "expired"};
constexpr std::array<std::string_view, 5> exchange_deposit_states = {"prepared", "signed", "landed", "failed",
                                                                     "expired"};

template <typename State, std::size_t count>
std::optional<State> state_named(const std::array<std::string_view, count>& names, std::string_view text) {
  auto found = std::find(names.begin(), names.end(), text);
  if (found == names.end()) return std::nullopt;
  return static_cast<State>(found - names.begin());
}

}  // namespace

std::string_view name(AnchorState state) {
  return anchor_states.at(static_cast<std::size_t>(state));
}
std::optional<AnchorState> anchor_state(std::string_view text) {
  return state_named<AnchorState>(anchor_states, text);
}
std::string_view name(DepositState state) {
  return deposit_states.at(static_cast<std::size_t>(state));
}
std::optional<DepositState> deposit_state(std::string_view text) {
  return state_named<DepositState>(deposit_states, text);
}
std::string_view name(PaymentState state) {
  return payment_states.at(static_cast<std::size_t>(state));
}
std::optional<PaymentState> payment_state(std::string_view text) {
  return state_named<PaymentState>(payment_states, text);
}
std::string_view name(ExchangeDepositState state) {
  return exchange_deposit_states.at(static_cast<std::size_t>(state));
}
std::optional<ExchangeDepositState> exchange_deposit_state(std::string_view text) {
  return state_named<ExchangeDepositState>(exchange_deposit_states, text);
}

void AddressChanges::add(const AddressChanges& more) {
  for (const auto& [of, amount] : more.amounts) amounts[of] += amount;
  fees_sun += more.fees_sun;
}

}  // namespace windlass::anchoring
