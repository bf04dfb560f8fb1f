#include "anchoring/devchain/token_machine.h"

#include "anchoring/tron/trc20.h"

namespace windlass::devchain {
namespace {

using tron::Address;
using tron::abi::Uint128;
using tron::abi::word_bytes;
namespace abi = tron::abi;

// What the node charged, a word of storage that was zero and becomes something apart. Allowances and the
// total were not asked for: they are as far away as balances and decimals.
namespace energy {
constexpr std::int64_t transfer = 12'692, approve = 7'401, transfer_from = 18'187, fresh_word = 15'000;
constexpr std::int64_t balance = 457, constant = 285, text = 453;
constexpr std::int64_t refused = 628, unknown = 211;
}  // namespace energy

constexpr unsigned all_percent = 100;
constexpr std::string_view approval_event = "Approval(address,address,uint256)";

CallOutcome success(std::int64_t energy, std::string returned) {
  return {false, energy, std::move(returned), {}};
}

// `text` as the one value returned: where it begins, its length, and itself in whole words.
std::string returned_text(std::string_view text) {
  std::string out = abi::word(word_bytes) + abi::word(text.size()) + std::string(text);
  out.resize((out.size() + word_bytes - 1) / word_bytes * word_bytes);
  return out;
}

CallOutcome revert(const std::string& why) {
  return {true, energy::refused, abi::selector("Error(string)") + returned_text(why), {}};
}
// As a compiler's own checks do: without a word.
CallOutcome revert() {
  return {true, energy::unknown, {}, {}};
}

// Of a word that is at least that much.
void subtract(std::string& word, Uint128 amount) {
  int borrow = 0;
  for (auto byte = word.rbegin(); byte != word.rend(); ++byte, amount >>= 8) {
    int digit = static_cast<unsigned char>(*byte) - static_cast<int>(amount & 0xff) - borrow;
    borrow = digit < 0 ? 1 : 0;
    *byte = static_cast<char>(digit + 256 * borrow);
  }
}

// One call on its way: its methods are the token's functions.
class Call {
 public:
  Call(Token& state, const Address& self, const Address& caller, ByteView arguments)
      : state_(state), self_(self), caller_(caller), arguments_(arguments) {}

  CallOutcome name() { return success(energy::text, returned_text(state_.name)); }
  CallOutcome symbol() { return success(energy::text, returned_text(state_.symbol)); }
  CallOutcome decimals() { return success(energy::constant, abi::word(state_.decimals)); }
  CallOutcome total_supply() { return success(energy::constant, abi::word(state_.supply())); }

  CallOutcome balance_of() {
    auto holder = address(0);
    return holder ? success(energy::balance, abi::word(state_.balance(*holder))) : revert();
  }

  CallOutcome allowance() {
    auto holder = address(0), spender = address(1);
    return holder && spender ? success(energy::balance, allowed(*holder, *spender)) : revert();
  }

  CallOutcome transfer() {
    auto to = address(0);
    if (!to) return revert();
    auto amount = affordable(caller_, word(1));
    return amount ? move(caller_, *to, *amount, energy::transfer) : revert(state_.symbol + ": balance");
  }

  CallOutcome approve() {
    auto spender = address(0);
    if (!spender) return revert();
    std::string amount(word(1)), zero(word_bytes, '\0');
    bool fresh = allowed(caller_, *spender) == zero && amount != zero;
    state_.allowances[{caller_, *spender}] = amount;
    auto outcome = success(energy::approve + (fresh ? energy::fresh_word : 0), abi::word(true));
    log(outcome, approval_event, caller_, *spender, std::move(amount));
    return outcome;
  }

  CallOutcome transfer_from() {
    auto from = address(0), to = address(1);
    if (!from || !to) return revert();
    auto amount = affordable(*from, word(2));
    std::string left = allowed(*from, caller_);
    if (!amount || left < word(2)) return revert(state_.symbol + ": from");
    subtract(left, *amount);
    state_.allowances[{*from, caller_}] = left;
    return move(*from, *to, *amount, energy::transfer_from);
  }

 private:
  ByteView word(std::size_t index) const { return arguments_.substr(index * word_bytes, word_bytes); }
  std::optional<Address> address(std::size_t index) const { return abi::read_address(word(index)); }

  std::string allowed(const Address& holder, const Address& spender) const {
    auto found = state_.allowances.find({holder, spender});
    return found != state_.allowances.end() ? found->second : std::string(word_bytes, '\0');
  }

  // What the word says, where `from` has so much. Wider amounts than 128 bits nobody has.
  std::optional<Uint128> affordable(const Address& from, ByteView word) const {
    auto amount = abi::read_amount(word);
    if (!amount || *amount > state_.balance(from)) return std::nullopt;
    return amount;
  }

  CallOutcome move(const Address& from, const Address& to, Uint128 amount, std::int64_t energy) {
    bool fresh = amount > 0 && state_.balance(to) == 0;
    Uint128 fee = amount / all_percent * state_.fee_percent;
    state_.balances[from] -= amount;
    state_.balances[to] += amount - fee;
    if (fee > 0) state_.balances[self_] += fee;
    auto outcome = success(energy + (fresh ? energy::fresh_word : 0), abi::word(true));
    log(outcome, tron::trc20::transfer_event, from, to, abi::word(state_.hides_fee ? amount : amount - fee));
    if (fee > 0 && !state_.hides_fee) log(outcome, tron::trc20::transfer_event, from, self_, abi::word(fee));
    return outcome;
  }

  void log(CallOutcome& outcome, std::string_view event, const Address& first, const Address& second,
           std::string data) const {
    outcome.logs.push_back(
        {self_, {abi::topic(event), abi::word(first), abi::word(second)}, std::move(data)});
  }

  Token& state_;
  const Address& self_;
  const Address& caller_;
  ByteView arguments_;
};

struct Function {
  CallOutcome (Call::*run)();
  std::size_t words;  // of its arguments
};

// By selector.
const std::map<std::string, Function, std::less<>>& functions() {
  static const std::map<std::string, Function, std::less<>> all = {
      {abi::selector("name()"), {&Call::name, 0}},
      {abi::selector("symbol()"), {&Call::symbol, 0}},
      {abi::selector("decimals()"), {&Call::decimals, 0}},
      {abi::selector("totalSupply()"), {&Call::total_supply, 0}},
      {abi::selector("balanceOf(address)"), {&Call::balance_of, 1}},
      {abi::selector("allowance(address,address)"), {&Call::allowance, 2}},
      {abi::selector("transfer(address,uint256)"), {&Call::transfer, 2}},
      {abi::selector("approve(address,uint256)"), {&Call::approve, 2}},
      {abi::selector("transferFrom(address,address,uint256)"), {&Call::transfer_from, 3}},
  };
  return all;
}

}  // namespace

CallOutcome call_token(Token& state, const Address& self, const Address& caller, ByteView data,
                       std::int64_t value_sun) {
  auto function = functions().find(data.substr(0, abi::selector_bytes));
  if (value_sun != 0 || function == functions().end()) return revert();
  ByteView arguments = data.substr(abi::selector_bytes);
  if (arguments.size() < function->second.words * word_bytes) return revert();
  Call call(state, self, caller, arguments);
  return (call.*function->second.run)();
}

}  // namespace windlass::devchain
