#include "anchoring/devchain/execution.h"

#include <cmath>

#include "anchoring/tron/transaction.h"
#include "tron/api.pb.h"
#include "tron/contract.pb.h"

namespace windlass::devchain {
namespace {

using tron::Address;
using ContractType = protocol::Transaction::Contract;

constexpr std::int64_t max_expiration_ms = 24 * 3600 * 1000;
constexpr std::size_t signature_bytes = 65;  // the node takes longer ones and ignores the rest
constexpr std::int64_t max_transaction_bytes = 512'000;
constexpr std::int64_t result_reserve_bytes = 128;  // counted towards it for `ret`
constexpr int owner_permission = 0, active_permission = 2;

// The free bandwidth fades over a day, counted in the network's 3-second slots (java-tron's
// ResourceProcessor).
constexpr std::int64_t slot_ms = 3000;
constexpr std::int64_t window_slots = 24 * 3600 * 1000 / slot_ms;
constexpr std::int64_t precision = 1'000'000;

Refusal refuse(int code, std::string message) {
  return {false, code, std::move(message)};
}
Refusal signature_error(std::string what) {
  return refuse(protocol::Return::SIGERROR, "Validate signature error: " + std::move(what));
}
Refusal validate_error(std::string what) {
  return refuse(protocol::Return::CONTRACT_VALIDATE_ERROR, "Contract validate error : " + std::move(what));
}
Refusal bandwidth_error() {
  return refuse(protocol::Return::BANDWITH_ERROR, "Account resource insufficient error.");
}

std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return a / b + (a % b > 0 ? 1 : 0);
}

// Usage at `now_slot` of `used` at `slot`, and `more` besides.
std::int64_t fade(std::int64_t used, std::int64_t slot, std::int64_t more, std::int64_t now_slot) {
  std::int64_t average = ceil_div(used * precision, window_slots);
  std::int64_t elapsed = now_slot - slot;
  if (elapsed >= window_slots)
    average = 0;
  else if (elapsed > 0)
    average = std::llround(static_cast<double>(average) * static_cast<double>(window_slots - elapsed) /
                           window_slots);
  average += ceil_div(more * precision, window_slots);
  return average * window_slots / precision;
}

// The raw fields that every transfer has, whichever way it is validated.
struct Movement {
  std::string owner, to;  // as sent: maybe no addresses
  std::int64_t amount = 0;
  std::optional<std::string> token;
};

template <typename Message>
std::optional<Message> unpack(const protocol::Transaction::Contract& contract) {
  Message message;
  if (!contract.parameter().UnpackTo(&message)) return std::nullopt;
  return message;
}

std::optional<Movement> movement_of(const protocol::Transaction::Contract& contract) {
  if (contract.type() == ContractType::TransferContract) {
    if (auto m = unpack<protocol::TransferContract>(contract))
      return Movement{m->owner_address(), m->to_address(), m->amount(), std::nullopt};
  } else if (contract.type() == ContractType::TransferAssetContract) {
    if (auto m = unpack<protocol::TransferAssetContract>(contract))
      return Movement{m->owner_address(), m->to_address(), m->amount(), m->asset_name()};
  }
  return std::nullopt;
}

// Empty for what devchain does not know: such a transaction is then signed by nobody.
std::string owner_of(const protocol::Transaction::Contract& contract) {
  if (auto movement = movement_of(contract)) return movement->owner;
  if (contract.type() == ContractType::TriggerSmartContract) {
    if (auto m = unpack<protocol::TriggerSmartContract>(contract)) return m->owner_address();
  } else if (contract.type() == ContractType::CreateSmartContract) {
    if (auto m = unpack<protocol::CreateSmartContract>(contract)) return m->owner_address();
  }
  return {};
}

std::optional<Address> existing(const AccountView& accounts, const std::string& bytes) {
  auto address = tron::address_from_bytes(bytes);
  if (!address || !accounts.find(*address)) return std::nullopt;
  return address;
}

// One transaction on its way through the node.
class Execution {
 public:
  Execution(const Candidate& candidate, AccountView& accounts, const ExecutionContext& context)
      : contract_(candidate.transaction.raw_data().contract(0)),
        memo_(candidate.transaction.raw_data().data()),
        movement_(movement_of(contract_)),
        size_bytes_(tron::bandwidth_of(candidate.transaction.SerializeAsString())),
        accounts_(accounts),
        context_(context) {
    receipt_.txid = candidate.txid;
  }

  tl::expected<Receipt, Refusal> run() {
    std::string owner = owner_of(contract_);
    auto address = existing(accounts_, owner);
    if (!address) return tl::unexpected(no_account(owner));
    owner_ = *address;
    for (auto step : {&Execution::take_bandwidth, &Execution::take_memo_fee, &Execution::move})
      if (auto refusal = (this->*step)()) return tl::unexpected(*refusal);
    return receipt_;
  }

 private:
  static Refusal no_account(const std::string& owner) {
    auto address = tron::address_from_bytes(owner);
    return validate_error("account [" + (address ? tron::to_base58(*address) : "") + "] does not exist");
  }

  std::optional<Refusal> take_bandwidth() {
    bool creates = movement_ && !existing(accounts_, movement_->to);
    if (creates) return take_creation_fee();
    // The node looks at the token's own free bandwidth here, and so misses the token first here.
    if (movement_ && movement_->token && !context_.tokens.contains(*movement_->token))
      return validate_error("asset [<ByteString@0 size=" + std::to_string(movement_->token->size()) +
                            " contents=\"" + *movement_->token + "\">] does not exist");
    if (take_free_bandwidth()) return std::nullopt;
    return pay(size_bytes_ * context_.parameters[parameter::bandwidth_price], true);
  }

  std::optional<Refusal> take_creation_fee() {
    if (std::int64_t limit = context_.parameters[parameter::max_create_account_size]; size_bytes_ > limit)
      return refuse(protocol::Return::TOO_BIG_TRANSACTION_ERROR,
                    "Too big new account transaction, TxId " + to_hex(receipt_.txid) + ", the size is " +
                        std::to_string(size_bytes_) + " bytes, maxTxSize " + std::to_string(limit));
    return pay(context_.parameters[parameter::create_account_fee], true);
  }

  // All or nothing: what exceeds the free bandwidth is paid for whole.
  bool take_free_bandwidth() {
    Account& account = accounts_.edit(owner_);
    std::int64_t now_slot = context_.head_ms / slot_ms;
    std::int64_t used = fade(account.free_bandwidth_used, account.free_bandwidth_slot, 0, now_slot);
    if (size_bytes_ > context_.parameters[parameter::free_bandwidth] - used) return false;
    account.free_bandwidth_used =
        fade(account.free_bandwidth_used, account.free_bandwidth_slot, size_bytes_, now_slot);
    account.free_bandwidth_slot = now_slot;
    account.last_operation_ms = context_.head_ms;
    receipt_.free_bandwidth = size_bytes_;
    return true;
  }

  std::optional<Refusal> take_memo_fee() {
    if (memo_.empty()) return std::nullopt;
    return pay(context_.parameters[parameter::memo_fee], false);
  }

  std::optional<Refusal> pay(std::int64_t fee_sun, bool for_bandwidth) {
    Account& account = accounts_.edit(owner_);
    if (account.balance_sun < fee_sun) return bandwidth_error();
    account.balance_sun -= fee_sun;
    account.last_operation_ms = context_.head_ms;
    receipt_.fee_sun += fee_sun;
    if (for_bandwidth) receipt_.bandwidth_fee_sun += fee_sun;
    return std::nullopt;
  }

  std::optional<Refusal> move() {
    if (!movement_) {
      // Contracts are another machine's: there are none here, and none can be deployed.
      if (contract_.type() == ContractType::TriggerSmartContract)
        return validate_error("No contract or not a smart contract");
      return validate_error("VM work is off, need to be opened by the committee");
    }
    return movement_->token ? move_token() : move_trx();
  }

  std::optional<Refusal> move_trx() {
    auto to = tron::address_from_bytes(movement_->to);
    if (!to) return validate_error("Invalid toAddress!");
    if (*to == owner_) return validate_error("Cannot transfer TRX to yourself.");
    if (movement_->amount <= 0) return validate_error("Amount must be greater than 0.");
    std::int64_t fee = creation_fee(*to), total = 0;
    if (__builtin_add_overflow(movement_->amount, fee, &total)) return validate_error("long overflow");
    if (accounts_.find(owner_)->balance_sun < total)
      return validate_error("Validate TransferContract error, balance is not sufficient.");
    if (std::int64_t sum; __builtin_add_overflow(balance_of(*to), movement_->amount, &sum))
      return validate_error("long overflow");

    accounts_.edit(owner_).balance_sun -= total;
    receipt_.fee_sun += fee;
    open(*to).balance_sun += movement_->amount;
    return std::nullopt;
  }

  std::optional<Refusal> move_token() {
    auto to = tron::address_from_bytes(movement_->to);
    if (!to) return validate_error("Invalid toAddress");
    if (movement_->amount <= 0) return validate_error("Amount must be greater than 0.");
    if (*to == owner_) return validate_error("Cannot transfer asset to yourself.");
    if (!context_.tokens.contains(*movement_->token)) return validate_error("No asset!");
    const Account& owner = *accounts_.find(owner_);
    if (owner.tokens.empty()) return validate_error("Owner has no asset!");
    auto held = owner.tokens.find(*movement_->token);
    if (held == owner.tokens.end() || held->second <= 0)
      return validate_error("assetBalance must be greater than 0.");
    if (movement_->amount > held->second) return validate_error("assetBalance is not sufficient.");
    std::int64_t fee = creation_fee(*to);
    if (owner.balance_sun < fee)
      return validate_error("Validate TransferAssetActuator error, insufficient fee.");

    Account& payer = accounts_.edit(owner_);
    payer.balance_sun -= fee;
    payer.tokens[*movement_->token] -= movement_->amount;
    receipt_.fee_sun += fee;
    open(*to).tokens[*movement_->token] += movement_->amount;
    return std::nullopt;
  }

  std::int64_t creation_fee(const Address& to) const {
    return accounts_.find(to) ? 0 : context_.parameters[parameter::new_account_fee];
  }
  std::int64_t balance_of(const Address& address) const {
    const Account* account = accounts_.find(address);
    return account ? account->balance_sun : 0;
  }
  Account& open(const Address& address) {
    bool known = accounts_.find(address) != nullptr;
    Account& account = accounts_.edit(address);
    if (!known) account.created_ms = context_.head_ms;
    return account;
  }

  const protocol::Transaction::Contract& contract_;
  const std::string& memo_;
  std::optional<Movement> movement_;
  std::int64_t size_bytes_;  // of bandwidth
  AccountView& accounts_;
  const ExecutionContext& context_;
  Address owner_;
  Receipt receipt_;
};

bool active_permission_allows(int contract_type) {
  auto bit = static_cast<unsigned>(contract_type);
  return bit < active_operations.size() * 8 && (active_operations[bit / 8] >> (bit % 8) & 1) != 0;
}

}  // namespace

std::optional<Candidate> parse_candidate(ByteView bytes) {
  Candidate candidate;
  if (!candidate.transaction.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return std::nullopt;
  candidate.txid = sha256(candidate.transaction.raw_data().SerializeAsString());
  return candidate;
}

std::optional<Refusal> check_has_contract(const Candidate& candidate) {
  if (candidate.transaction.raw_data().contract_size() == 0) return validate_error("No contract!");
  return std::nullopt;
}

std::optional<Refusal> check_expiration(const Candidate& candidate, std::int64_t head_ms,
                                        std::int64_t next_slot_ms) {
  std::int64_t expiration = candidate.transaction.raw_data().expiration();
  if (expiration < next_slot_ms || expiration > head_ms + max_expiration_ms)
    return refuse(protocol::Return::TRANSACTION_EXPIRATION_ERROR, "Transaction expired");
  return std::nullopt;
}

std::optional<Refusal> check_signature(const Candidate& candidate) {
  const auto& signatures = candidate.transaction.signature();
  const auto& contract = candidate.transaction.raw_data().contract(0);
  if (signatures.empty()) return signature_error("miss sig or contract");
  int permission = contract.permission_id();
  if (permission != owner_permission && permission != active_permission)
    return signature_error("permission isn't exit");
  if (permission == active_permission && !active_permission_allows(contract.type()))
    return signature_error("Permission denied");
  if (signatures.size() > 1)
    return signature_error("Signature count is " + std::to_string(signatures.size()) +
                           " more than key counts of permission : 1");
  const std::string& signature = signatures[0];
  if (signature.size() < signature_bytes)
    return signature_error("Signature size is " + std::to_string(signature.size()));
  auto key = recover_key(ByteView(signature).substr(0, signature_bytes), candidate.txid);
  if (!key) return signature_error("java.lang.IllegalArgumentException: Invalid point compression");
  Address signer = tron::address_of(*key);
  if (view(signer.bytes) != owner_of(contract))
    return signature_error(to_hex(signature) + " is signed by " + tron::to_base58(signer) +
                           " but it is not contained of permission.");
  return std::nullopt;
}

std::optional<Refusal> check_size(const Candidate& candidate) {
  protocol::Transaction bare = candidate.transaction;
  bare.clear_ret();
  std::int64_t size = static_cast<std::int64_t>(bare.ByteSizeLong()) + result_reserve_bytes;
  if (size <= max_transaction_bytes) return std::nullopt;
  return refuse(protocol::Return::TOO_BIG_TRANSACTION_ERROR,
                "Too big transaction with result, TxId " + to_hex(candidate.txid) + ", the size is " +
                    std::to_string(size) + " bytes, maxTxSize " + std::to_string(max_transaction_bytes));
}

std::optional<Refusal> check_one_contract(const Candidate& candidate) {
  if (candidate.transaction.raw_data().contract_size() == 1) return std::nullopt;
  return validate_error("tx " + to_hex(candidate.txid) +
                        " contract size should be exactly 1, this is extend feature ,actual :" +
                        std::to_string(candidate.transaction.raw_data().contract_size()));
}

tl::expected<Receipt, Refusal> execute(const Candidate& candidate, AccountView& accounts,
                                       const ExecutionContext& context) {
  return Execution(candidate, accounts, context).run();
}

std::int64_t free_bandwidth_used(const Account& account, std::int64_t now_ms) {
  return fade(account.free_bandwidth_used, account.free_bandwidth_slot, 0, now_ms / slot_ms);
}

}  // namespace windlass::devchain
