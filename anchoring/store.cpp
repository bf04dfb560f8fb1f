#include "anchoring/store.h"

namespace windlass::anchoring {
namespace {

constexpr std::array<std::string_view, 6> state_names = {"sealed",   "signed",     "broadcast",
                                                         "included", "solidified", "expired"};

constexpr std::array<std::string_view, 6> payment_states = {"signed", "broadcast", "included",
                                                            "landed", "failed",    "expired"};

constexpr std::array<std::string_view, 5> exchange_deposit_states = {"prepared", "signed", "landed", "failed",
                                                                     "expired"};

}  // namespace

std::string_view name(AnchorState state) {
  return state_names.at(static_cast<std::size_t>(state));
}

std::optional<AnchorState> anchor_state(std::string_view text) {
  auto found = std::find(state_names.begin(), state_names.end(), text);
  if (found == state_names.end()) return std::nullopt;
  return static_cast<AnchorState>(found - state_names.begin());
}

std::string_view name(PaymentState state) {
  return payment_states.at(static_cast<std::size_t>(state));
}

std::optional<PaymentState> payment_state(std::string_view text) {
  auto found = std::find(payment_states.begin(), payment_states.end(), text);
  if (found == payment_states.end()) return std::nullopt;
  return static_cast<PaymentState>(found - payment_states.begin());
}

std::string_view name(ExchangeDepositState state) {
  return exchange_deposit_states.at(static_cast<std::size_t>(state));
}

std::optional<ExchangeDepositState> exchange_deposit_state(std::string_view text) {
  auto found = std::find(exchange_deposit_states.begin(), exchange_deposit_states.end(), text);
  if (found == exchange_deposit_states.end()) return std::nullopt;
  return static_cast<ExchangeDepositState>(found - exchange_deposit_states.begin());
}

void AddressChanges::add(const AddressChanges& more) {
  for (const auto& [of, amount] : more.amounts) amounts[of] += amount;
  fees_sun += more.fees_sun;
}

std::string_view name(DepositState state) {
  return state == DepositState::submitted ? "submitted" : "credited";
}

}  // namespace windlass::anchoring
