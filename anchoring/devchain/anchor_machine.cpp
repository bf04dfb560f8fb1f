#include "anchoring/devchain/anchor_machine.h"

#include "anchoring/contract/anchor_contract.h"

namespace windlass::devchain {
namespace {

using tron::Address;
using tron::abi::address_padding;
using tron::abi::word_bytes;
namespace abi = tron::abi;
namespace contract = tron::anchor_contract;

constexpr std::size_t size_padding = word_bytes - sizeof(std::uint64_t);

CallOutcome revert(std::string_view way, std::string_view error = {}) {
  return {true, contract::energy(way), error.empty() ? "" : abi::selector(error), {}};
}

CallOutcome success(std::string_view way, std::string returned = {}) {
  return {false, contract::energy(way), std::move(returned), {}};
}

bool all_zero(ByteView bytes) {
  return bytes.find_first_not_of('\0') == ByteView::npos;
}

// One call on its way: its methods are the contract's functions.
class Call {
 public:
  Call(AnchorContract& state, const Address& self, const Address& caller, ByteView arguments)
      : state_(state), self_(self), caller_(caller), arguments_(arguments) {}

  CallOutcome anchor() {
    if (arguments_.size() < 2 * word_bytes) return revert("anchor_short");
    if (!all_zero(arguments_.substr(0, size_padding))) return revert("anchor_malformed");
    if (caller_ != state_.owner) return revert("anchor_not_owner", "NotOwner()");
    return emit(success("anchor"), "Anchored(uint64,bytes32)",
                std::string(arguments_.substr(0, 2 * word_bytes)));
  }

  CallOutcome transfer_ownership() {
    if (arguments_.size() < word_bytes) return revert("transfer_short");
    if (!all_zero(arguments_.substr(0, address_padding))) return revert("transfer_malformed");
    if (caller_ != state_.owner) return revert("transfer_not_owner", "NotOwner()");
    ByteView offered = arguments_.substr(address_padding, word_bytes - address_padding);
    // A word that was zero costs more to set.
    bool sets = !state_.pending_owner && !all_zero(offered);
    state_.pending_owner.reset();
    if (!all_zero(offered)) state_.pending_owner = tron::address_from_bytes("\x41" + std::string(offered));
    return emit(success(sets ? "transfer_first" : "transfer_again"), "OwnershipOffered(address,address)",
                abi::word(caller_) + pending_word());
  }

  CallOutcome accept_ownership() {
    if (caller_ != state_.pending_owner) return revert("accept_not_pending", "NotPendingOwner()");
    std::string data = abi::word(state_.owner) + abi::word(caller_);
    state_ = {caller_, std::nullopt};
    return emit(success("accept"), "OwnershipTransferred(address,address)", std::move(data));
  }

  CallOutcome owner() { return success("owner", abi::word(state_.owner)); }
  CallOutcome pending_owner() { return success("pending_owner", pending_word()); }

 private:
  std::string pending_word() const {
    return state_.pending_owner ? abi::word(*state_.pending_owner) : std::string(word_bytes, '\0');
  }
  CallOutcome emit(CallOutcome outcome, std::string_view event, std::string data) const {
    outcome.logs.push_back({self_, {abi::topic(event)}, std::move(data)});
    return outcome;
  }

  AnchorContract& state_;
  const Address& self_;
  const Address& caller_;
  ByteView arguments_;
};

using Function = CallOutcome (Call::*)();

// By selector.
const std::map<std::string, Function, std::less<>>& functions() {
  static const std::map<std::string, Function, std::less<>> all = {
      {abi::selector("anchor(uint64,bytes32)"), &Call::anchor},
      {abi::selector("transferOwnership(address)"), &Call::transfer_ownership},
      {abi::selector("acceptOwnership()"), &Call::accept_ownership},
      {abi::selector("owner()"), &Call::owner},
      {abi::selector("pendingOwner()"), &Call::pending_owner},
  };
  return all;
}

}  // namespace

CallOutcome call_anchor_contract(AnchorContract& state, const Address& self, const Address& caller,
                                 ByteView data, std::int64_t value_sun) {
  if (value_sun != 0) return revert("value_sent");
  if (data.size() < abi::selector_bytes) return revert("no_selector");
  auto function = functions().find(data.substr(0, abi::selector_bytes));
  if (function == functions().end()) return revert("unknown_selector");
  Call call(state, self, caller, data.substr(abi::selector_bytes));
  return (call.*function->second)();
}

}  // namespace windlass::devchain
