#include "anchoring/devchain/execution.h"

#include <cmath>

#include "anchoring/contract/anchor_contract.h"
#include "anchoring/devchain/anchor_machine.h"
#include "anchoring/devchain/token_machine.h"
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
constexpr int owner_permission = 0, first_active_permission = 2;
constexpr int max_permission_keys = 5, max_active_permissions = 8;
constexpr std::size_t max_name_bytes = 32;  // of a contract and of a permission
constexpr int max_percent = 100;

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
constexpr std::string_view no_evm =
    "devchain has no EVM: it creates the anchor contract (anchoring/contract/WindlassAnchor.json) and no "
    "other";

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
  } else if (contract.type() == ContractType::AccountPermissionUpdateContract) {
    if (auto m = unpack<protocol::AccountPermissionUpdateContract>(contract)) return m->owner_address();
  }
  return {};
}

std::optional<Address> existing(const AccountView& accounts, const std::string& bytes) {
  auto address = tron::address_from_bytes(bytes);
  if (!address || !accounts.find(*address)) return std::nullopt;
  return address;
}

protocol::Permission default_permission(const std::string& owner, int id) {
  protocol::Permission permission;
  permission.set_id(id);
  permission.set_threshold(1);
  if (id != owner_permission) {
    permission.set_type(protocol::Permission::Active);
    permission.set_operations(std::string(view(active_operations)));
  }
  auto& key = *permission.add_keys();
  key.set_address(owner);
  key.set_weight(1);
  return permission;
}

std::optional<protocol::Permission> permission_of(const std::string& owner, int id,
                                                  const AccountView& accounts) {
  auto address = tron::address_from_bytes(owner);
  const Account* account = address ? accounts.find(*address) : nullptr;
  if (!account || !account->permissions) {
    if (id != owner_permission && id != first_active_permission) return std::nullopt;
    return default_permission(owner, id);
  }
  if (id == owner_permission) return account->permissions->owner;
  for (const auto& active : account->permissions->actives)
    if (active.id() == id) return active;
  return std::nullopt;
}

bool allows(const protocol::Permission& permission, int contract_type) {
  auto bit = static_cast<std::size_t>(contract_type);
  const std::string& operations = permission.operations();
  return bit < operations.size() * 8 &&
         (static_cast<unsigned char>(operations[bit / 8]) >> (bit % 8) & 1) != 0;
}

// What speaks against a permission that an account chooses, by the node's order.
std::optional<Refusal> permission_fault(const protocol::Permission& permission) {
  if (permission.keys_size() > max_permission_keys)
    return validate_error("number of keys in permission should not be greater than 5");
  if (permission.keys().empty()) return validate_error("key's count should be greater than 0");
  if (permission.threshold() <= 0) return validate_error("permission's threshold should be greater than 0");
  if (permission.permission_name().size() > max_name_bytes)
    return validate_error("permission's name is too long");
  std::set<std::string> seen;
  std::int64_t weight = 0;
  for (const auto& key : permission.keys()) {
    if (!seen.insert(key.address()).second)
      return validate_error("address should be distinct in permission " +
                            protocol::Permission::PermissionType_Name(permission.type()));
    if (!tron::address_from_bytes(key.address())) return validate_error("key is not a validate address");
    if (key.weight() <= 0) return validate_error("key's weight should be greater than 0");
    if (__builtin_add_overflow(weight, key.weight(), &weight)) return validate_error("long overflow");
  }
  if (weight < permission.threshold())
    return validate_error("sum of all key's weight should not be less than threshold in permission " +
                          protocol::Permission::PermissionType_Name(permission.type()));
  bool is_owner = permission.type() == protocol::Permission::Owner;
  if (is_owner && !permission.operations().empty())
    return validate_error("Owner permission needn't operations");
  if (!is_owner && permission.operations().size() != active_operations.size())
    return validate_error("operations size must 32");
  return std::nullopt;
}

CallOutcome run_contract(Contract& state, const Address& self, const Address& caller,
                         const protocol::TriggerSmartContract& call) {
  if (auto* token = std::get_if<Token>(&state))
    return call_token(*token, self, caller, call.data(), call.call_value());
  return call_anchor_contract(std::get<AnchorContract>(state), self, caller, call.data(), call.call_value());
}

// One transaction on its way through the node.
class Execution {
 public:
  Execution(const Candidate& candidate, AccountView& accounts, const ExecutionContext& context)
      : candidate_(candidate),
        contract_(candidate.transaction.raw_data().contract(0)),
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
    // Who may sign can have changed since it was broadcast.
    if (accounts_.find(owner_)->permissions)
      if (auto refusal = check_signature(candidate_, accounts_)) return tl::unexpected(*refusal);
    for (auto step : {&Execution::take_bandwidth, &Execution::take_multi_sign_fee, &Execution::take_memo_fee,
                      &Execution::carry_out})
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

  std::optional<Refusal> take_multi_sign_fee() {
    if (candidate_.transaction.signature_size() < 2) return std::nullopt;
    return pay(context_.parameters[parameter::multi_sign_fee], false);
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

  std::optional<Refusal> carry_out() {
    if (movement_) return movement_->token ? move_token() : move_trx();
    if (contract_.type() == ContractType::TriggerSmartContract)
      if (auto call = unpack<protocol::TriggerSmartContract>(contract_)) return call_contract(*call);
    if (contract_.type() == ContractType::CreateSmartContract)
      if (auto creation = unpack<protocol::CreateSmartContract>(contract_)) return create_contract(*creation);
    if (contract_.type() == ContractType::AccountPermissionUpdateContract)
      if (auto update = unpack<protocol::AccountPermissionUpdateContract>(contract_))
        return update_permissions(*update);
    return validate_error("devchain does not carry out contracts of type " +
                          std::to_string(contract_.type()));
  }

  // --- contracts

  std::optional<Refusal> call_contract(const protocol::TriggerSmartContract& call) {
    auto address = existing(accounts_, call.contract_address());
    const Account* account = address ? accounts_.find(*address) : nullptr;
    if (!account || !account->contract) return validate_error("No contract or not a smart contract");
    if (auto refusal = check_values(call.call_value(), call.call_token_value())) return refusal;
    Contract state = *account->contract;
    auto outcome = run_contract(state, *address, owner_, call);
    receipt_.contract = *address;
    if (finish(std::move(outcome))) accounts_.edit(*address).contract = state;
    return std::nullopt;
  }

  std::optional<Refusal> create_contract(const protocol::CreateSmartContract& creation) {
    const auto& made = creation.new_contract();
    if (creation.owner_address() != made.origin_address())
      return validate_error("OwnerAddress is not equals OriginAddress");
    if (made.name().size() > max_name_bytes)
      return validate_error("contractName's length cannot be greater than 32");
    if (made.consume_user_resource_percent() < 0 || made.consume_user_resource_percent() > max_percent)
      return validate_error("percent must be >= 0 and <= 100");
    if (auto refusal = check_values(made.call_value(), creation.call_token_value())) return refusal;
    if (made.bytecode() != tron::anchor_contract::creation_code()) return validate_error(std::string(no_evm));
    Address address = tron::created_address(receipt_.txid, owner_);
    if (accounts_.find(address))
      return validate_error("Trying to create a contract with existing contract address: " +
                            tron::to_base58(address));
    receipt_.contract = address;
    bool refused = made.call_value() != 0;  // the constructor takes no money
    CallOutcome outcome{refused,
                        tron::anchor_contract::energy(refused ? "value_sent" : "deploy"),
                        refused ? "" : tron::anchor_contract::runtime_code(),
                        {}};
    if (finish(std::move(outcome))) open(address).contract = AnchorContract{owner_, std::nullopt};
    return std::nullopt;
  }

  std::optional<Refusal> check_values(std::int64_t sun, std::int64_t token_value) {
    std::int64_t fee_limit = candidate_.transaction.raw_data().fee_limit(),
                 max = context_.parameters[parameter::max_fee_limit];
    if (fee_limit < 0 || fee_limit > max)
      return validate_error("feeLimit must be >= 0 and <= " + std::to_string(max));
    if (sun < 0) return validate_error("callValue must be >= 0");
    if (token_value != 0) return validate_error("devchain sends no TRC-10 tokens along with a call");
    if (accounts_.find(owner_)->balance_sun < sun)
      return validate_error("Validate InternalTransfer error, balance is not sufficient.");
    return std::nullopt;
  }

  // Has the energy paid for, as far as fee_limit and balance go; whether what it did is to stand.
  bool finish(CallOutcome outcome) {
    using Result = protocol::Transaction::Result;
    std::int64_t price = context_.parameters[parameter::energy_price];
    std::int64_t most_sun =
        std::min(candidate_.transaction.raw_data().fee_limit(), accounts_.find(owner_)->balance_sun);
    std::int64_t limit = price > 0 ? most_sun / price : outcome.energy;
    bool exhausted = outcome.energy > limit;
    receipt_.result = exhausted ? Result::OUT_OF_ENERGY : outcome.reverted ? Result::REVERT : Result::SUCCESS;
    receipt_.energy = exhausted ? limit : outcome.energy;
    receipt_.energy_fee_sun = receipt_.energy * price;
    receipt_.fee_sun += receipt_.energy_fee_sun;
    Account& payer = accounts_.edit(owner_);
    payer.balance_sun -= receipt_.energy_fee_sun;
    payer.last_operation_ms = payer.last_energy_ms = context_.head_ms;
    if (exhausted) {
      // The node names the operation that came too dear, which only an EVM knows.
      receipt_.message = "Not enough energy for 'STOP' operation executing: curInvokeEnergyLimit[" +
                         std::to_string(limit) + "], curOpEnergy[0], usedEnergy[" +
                         std::to_string(outcome.energy) + "]";
      return false;
    }
    receipt_.returned = std::move(outcome.returned);
    if (outcome.reverted) receipt_.message = revert_message;
    receipt_.logs = std::move(outcome.logs);
    return !outcome.reverted;
  }

  // --- permissions

  std::optional<Refusal> update_permissions(const protocol::AccountPermissionUpdateContract& update) {
    if (!update.has_owner()) return validate_error("owner permission is missed");
    if (update.has_witness()) return validate_error("account isn't witness can't set witness permission");
    if (update.actives().empty()) return validate_error("active permission is missed");
    if (update.actives_size() > max_active_permissions)
      return validate_error("active permission is too many");
    if (update.owner().type() != protocol::Permission::Owner)
      return validate_error("owner permission type is error");
    if (auto fault = permission_fault(update.owner())) return fault;
    for (const auto& active : update.actives()) {
      if (active.type() != protocol::Permission::Active)
        return validate_error("active permission type is error");
      if (auto fault = permission_fault(active)) return fault;
    }
    std::int64_t fee = context_.parameters[parameter::permission_fee];
    if (accounts_.find(owner_)->balance_sun < fee)
      return refuse(protocol::Return::CONTRACT_EXE_ERROR,
                    "Contract execute error : " + tron::to_base58(owner_) + " insufficient balance");
    Permissions chosen{update.owner(), {update.actives().begin(), update.actives().end()}};
    chosen.owner.set_id(owner_permission);
    for (std::size_t i = 0; i < chosen.actives.size(); ++i)
      chosen.actives[i].set_id(first_active_permission + static_cast<int>(i));
    accounts_.edit(owner_).permissions = std::move(chosen);
    return pay(fee, false);
  }

  // --- transfers

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

  const Candidate& candidate_;
  const protocol::Transaction::Contract& contract_;
  const std::string& memo_;
  std::optional<Movement> movement_;
  std::int64_t size_bytes_;  // of bandwidth
  AccountView& accounts_;
  const ExecutionContext& context_;
  Address owner_;
  Receipt receipt_;
};

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

std::optional<Refusal> check_signature(const Candidate& candidate, const AccountView& accounts) {
  const auto& signatures = candidate.transaction.signature();
  const auto& contract = candidate.transaction.raw_data().contract(0);
  if (signatures.empty()) return signature_error("miss sig or contract");
  auto permission = permission_of(owner_of(contract), contract.permission_id(), accounts);
  if (!permission) return signature_error("permission isn't exit");
  if (permission->type() == protocol::Permission::Active && !allows(*permission, contract.type()))
    return signature_error("Permission denied");
  if (signatures.size() > permission->keys_size())
    return signature_error(
        "Signature count is " + std::to_string(signatures.size()) +
        " more than key counts of permission : " + std::to_string(permission->keys_size()));
  std::set<Address> signers;
  std::int64_t weight = 0;
  for (const std::string& signature : signatures) {
    if (signature.size() < signature_bytes)
      return signature_error("Signature size is " + std::to_string(signature.size()));
    auto key = recover_key(ByteView(signature).substr(0, signature_bytes), candidate.txid);
    if (!key) return signature_error("java.lang.IllegalArgumentException: Invalid point compression");
    Address signer = tron::address_of(*key);
    const auto& keys = permission->keys();
    auto known = std::find_if(keys.begin(), keys.end(),
                              [&](const auto& one) { return one.address() == view(signer.bytes); });
    if (known == keys.end())
      return signature_error(to_hex(signature) + " is signed by " + tron::to_base58(signer) +
                             " but it is not contained of permission.");
    if (!signers.insert(signer).second)
      return signature_error(tron::to_base58(signer) + " has signed twice!");
    weight += known->weight();
  }
  if (weight < permission->threshold()) return signature_error("sig error");
  return std::nullopt;
}

ConstantOutcome call_constant(const protocol::TriggerSmartContract& call, const AccountView& accounts) {
  if (call.contract_address().empty()) {
    if (call.data() != tron::anchor_contract::creation_code()) return tl::unexpected(std::string(no_evm));
    return CallOutcome{
        false, tron::anchor_contract::energy("deploy"), tron::anchor_contract::runtime_code(), {}};
  }
  auto address = existing(accounts, call.contract_address());
  auto caller = tron::address_from_bytes(call.owner_address());
  const Account* account = address ? accounts.find(*address) : nullptr;
  if (!account || !account->contract || !caller)
    return tl::unexpected<std::string>("Smart contract is not exist.");
  Contract state = *account->contract;
  return run_contract(state, *address, *caller, call);
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
