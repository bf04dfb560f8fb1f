#include "anchoring/tron/transaction.h"

#include "tron/contract.pb.h"
#include "tron/core.pb.h"
#include "tron/exact.pb.h"

namespace windlass::tron {
namespace {

constexpr std::int64_t result_allowance_bytes = 64;  // java-tron's MAX_RESULT_SIZE_IN_TX
constexpr std::uint8_t v_offset = 27;                // how wallets write the recovery id
constexpr std::size_t operations_bytes = 32;         // a permission's bit mask of contract types

template <typename Message>
bool parse(Message& message, ByteView bytes) {
  return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

std::string bytes_of(const Address& address) {
  return std::string(view(address.bytes));
}

void set_contract(protocol::Transaction::Contract& contract, const TransferContract& transfer) {
  if (transfer.token_id.empty()) {
    protocol::TransferContract message;
    message.set_owner_address(bytes_of(transfer.owner));
    message.set_to_address(bytes_of(transfer.to));
    message.set_amount(transfer.amount);
    contract.set_type(protocol::Transaction::Contract::TransferContract);
    contract.mutable_parameter()->PackFrom(message);
  } else {
    protocol::TransferAssetContract message;
    message.set_asset_name(transfer.token_id);
    message.set_owner_address(bytes_of(transfer.owner));
    message.set_to_address(bytes_of(transfer.to));
    message.set_amount(transfer.amount);
    contract.set_type(protocol::Transaction::Contract::TransferAssetContract);
    contract.mutable_parameter()->PackFrom(message);
  }
}

template <typename Message>
std::optional<TransferContract> read_transfer(const google::protobuf::Any& parameter, std::string token_id) {
  Message message;
  if (!parameter.UnpackTo(&message)) return std::nullopt;
  auto owner = address_from_bytes(message.owner_address());
  auto to = address_from_bytes(message.to_address());
  if (!owner || !to) return std::nullopt;
  if constexpr (requires { message.asset_name(); }) token_id = message.asset_name();
  return TransferContract{*owner, *to, message.amount(), std::move(token_id)};
}

std::optional<ContractCall> read_call(const google::protobuf::Any& parameter) {
  protocol::TriggerSmartContract message;
  if (!parameter.UnpackTo(&message)) return std::nullopt;
  auto owner = address_from_bytes(message.owner_address());
  auto contract = address_from_bytes(message.contract_address());
  if (!owner || !contract) return std::nullopt;
  return ContractCall{*owner,
                      *contract,
                      message.data(),
                      message.call_value(),
                      message.call_token_value(),
                      message.token_id()};
}

std::variant<OtherContract, TransferContract, ContractCall> read_contract(
    const protocol::Transaction::Contract& contract) {
  std::optional<TransferContract> transfer;
  if (contract.type() == protocol::Transaction::Contract::TransferContract)
    transfer = read_transfer<protocol::TransferContract>(contract.parameter(), {});
  else if (contract.type() == protocol::Transaction::Contract::TransferAssetContract)
    transfer = read_transfer<protocol::TransferAssetContract>(contract.parameter(), {});
  if (transfer) return *transfer;
  if (contract.type() == protocol::Transaction::Contract::TriggerSmartContract)
    if (auto call = read_call(contract.parameter())) return *call;
  return OtherContract{static_cast<int>(contract.type())};
}

// `set` fills in type and parameter of the one contract.
template <typename Set>
protocol::Transaction::raw raw_data_of(const TransactionFrame& frame, Set set) {
  protocol::Transaction::raw raw;
  ByteView reference = view(frame.reference.id);
  raw.set_ref_block_bytes(std::string(reference.substr(6, 2)));
  raw.set_ref_block_hash(std::string(reference.substr(8, 8)));
  raw.set_expiration(frame.expiration_ms);
  raw.set_data(frame.memo);
  auto& contract = *raw.add_contract();
  set(contract);
  contract.set_permission_id(frame.permission_id);
  raw.set_timestamp(frame.timestamp_ms);
  raw.set_fee_limit(frame.fee_limit_sun);
  return raw;
}

template <typename Set>
SignedTransaction sign_contract(const TransactionFrame& frame, const SecretKey& key, Set set) {
  protocol::Transaction transaction;
  *transaction.mutable_raw_data() = raw_data_of(frame, set);
  Hash txid = sha256(transaction.raw_data().SerializeAsString());
  RecoverableSignature signature = key.sign_recoverable(txid);
  if (signature[64] < v_offset) signature[64] = static_cast<std::uint8_t>(signature[64] + v_offset);
  transaction.add_signature(std::string(view(signature)));
  return {transaction.SerializeAsString(), txid, frame.expiration_ms};
}

void add_keys(protocol::Permission& permission, const std::vector<PermissionUpdate::Key>& keys) {
  for (const auto& key : keys) {
    auto& added = *permission.add_keys();
    added.set_address(bytes_of(key.address));
    added.set_weight(key.weight);
  }
}

// A bit for each contract type, lowest first.
std::string operations_mask(const std::vector<int>& types) {
  std::string mask(operations_bytes, '\0');
  for (int type : types) {
    auto bit = static_cast<std::size_t>(type);
    mask.at(bit / 8) = static_cast<char>(static_cast<unsigned char>(mask[bit / 8]) | 1u << (bit % 8));
  }
  return mask;
}

}  // namespace

SignedTransaction sign_transfer(const TransferContract& transfer, const TransactionFrame& frame,
                                const SecretKey& key) {
  return sign_contract(frame, key, [&](auto& contract) { set_contract(contract, transfer); });
}

UnsignedTransaction unsigned_transfer(const TransferContract& transfer, const TransactionFrame& frame) {
  auto raw = raw_data_of(frame, [&](auto& contract) { set_contract(contract, transfer); });
  UnsignedTransaction transaction{raw.SerializeAsString(), {}};
  transaction.txid = sha256(transaction.raw_data);
  return transaction;
}

std::string join(ByteView raw_data, ByteView signature) {
  exact::Transaction transaction;
  transaction.set_raw_data(std::string(raw_data));
  transaction.add_signature(std::string(signature));
  return transaction.SerializeAsString();
}

SignedTransaction sign_call(const ContractCall& call, const TransactionFrame& frame, const SecretKey& key) {
  protocol::TriggerSmartContract message;
  message.set_owner_address(bytes_of(call.owner));
  message.set_contract_address(bytes_of(call.contract));
  message.set_call_value(call.value_sun);
  message.set_data(call.data);
  message.set_call_token_value(call.token_value);
  message.set_token_id(call.token_id);
  return sign_contract(frame, key, [&](auto& contract) {
    contract.set_type(protocol::Transaction::Contract::TriggerSmartContract);
    contract.mutable_parameter()->PackFrom(message);
  });
}

SignedTransaction sign_creation(const ContractCreation& creation, const TransactionFrame& frame,
                                const SecretKey& key) {
  protocol::CreateSmartContract message;
  message.set_owner_address(bytes_of(creation.owner));
  auto& contract = *message.mutable_new_contract();
  contract.set_origin_address(bytes_of(creation.owner));
  contract.set_abi(creation.abi);
  contract.set_bytecode(creation.code);
  contract.set_consume_user_resource_percent(creation.consume_user_resource_percent);
  contract.set_name(creation.name);
  contract.set_origin_energy_limit(creation.origin_energy_limit);
  return sign_contract(frame, key, [&](auto& made) {
    made.set_type(protocol::Transaction::Contract::CreateSmartContract);
    made.mutable_parameter()->PackFrom(message);
  });
}

SignedTransaction sign_permission_update(const PermissionUpdate& update, const TransactionFrame& frame,
                                         const SecretKey& key) {
  protocol::AccountPermissionUpdateContract message;
  message.set_owner_address(bytes_of(update.account));
  auto& owner = *message.mutable_owner();
  owner.set_permission_name("owner");
  owner.set_threshold(1);
  add_keys(owner, update.owner_keys);
  auto& active = *message.add_actives();
  active.set_type(protocol::Permission::Active);
  active.set_permission_name(update.active_name);
  active.set_threshold(update.active_threshold);
  active.set_operations(operations_mask(update.active_operations));
  add_keys(active, update.active_keys);
  return sign_contract(frame, key, [&](auto& contract) {
    contract.set_type(protocol::Transaction::Contract::AccountPermissionUpdateContract);
    contract.mutable_parameter()->PackFrom(message);
  });
}

Address created_address(const Hash& txid, const Address& owner) {
  Hash hash = keccak256(std::string(view(txid)) + std::string(view(owner.bytes)));
  Address address = owner;  // keeps the prefix
  std::copy(hash.begin() + 12, hash.end(), address.bytes.begin() + 1);
  return address;
}

std::optional<ChainTransaction> parse_transaction(ByteView transaction) {
  exact::Transaction outer;
  protocol::Transaction::raw raw;
  if (!parse(outer, transaction) || !parse(raw, outer.raw_data()) || raw.contract_size() != 1)
    return std::nullopt;

  ChainTransaction out;
  out.txid = sha256(outer.raw_data());
  out.raw_data = outer.raw_data();
  out.signatures.assign(outer.signature().begin(), outer.signature().end());
  out.memo = raw.data();
  out.expiration_ms = raw.expiration();
  out.contract = read_contract(raw.contract(0));
  out.fee_limit_sun = raw.fee_limit();
  out.permission_id = raw.contract(0).permission_id();
  if (outer.ret_size() > 0) {
    protocol::Transaction::Result result;
    if (!parse(result, outer.ret(0))) return std::nullopt;
    out.result = static_cast<int>(result.contractret());
    out.succeeded = result.contractret() == protocol::Transaction::Result::SUCCESS;
  }
  return out;
}

std::int64_t bandwidth_of(ByteView transaction) {
  protocol::Transaction parsed;
  if (!parse(parsed, transaction))
    return static_cast<std::int64_t>(transaction.size()) + result_allowance_bytes;
  parsed.clear_ret();
  return static_cast<std::int64_t>(parsed.ByteSizeLong()) + result_allowance_bytes;
}

std::optional<PublicKey> any_signer_key(const ChainTransaction& transaction) {
  if (transaction.signatures.size() != 1) return std::nullopt;
  return recover_key(ByteView(transaction.signatures.front()).substr(0, signature_bytes), transaction.txid);
}

std::optional<PublicKey> signer_key(const ChainTransaction& transaction, const Address& owner) {
  auto key = any_signer_key(transaction);
  if (!key || address_of(*key) != owner) return std::nullopt;
  return key;
}

}  // namespace windlass::tron
