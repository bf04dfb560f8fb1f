#include "anchoring/tron/transaction.h"

#include "tron/contract.pb.h"
#include "tron/core.pb.h"
#include "tron/exact.pb.h"

namespace windlass::tron {
namespace {

constexpr std::int64_t result_allowance_bytes = 64;  // java-tron's MAX_RESULT_SIZE_IN_TX
constexpr std::size_t signature_bytes = 65;          // nodes ignore what follows
constexpr std::uint8_t v_offset = 27;                // how wallets write the recovery id

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

std::variant<OtherContract, TransferContract> read_contract(const protocol::Transaction::Contract& contract) {
  std::optional<TransferContract> transfer;
  if (contract.type() == protocol::Transaction::Contract::TransferContract)
    transfer = read_transfer<protocol::TransferContract>(contract.parameter(), {});
  else if (contract.type() == protocol::Transaction::Contract::TransferAssetContract)
    transfer = read_transfer<protocol::TransferAssetContract>(contract.parameter(), {});
  if (transfer) return *transfer;
  return OtherContract{static_cast<int>(contract.type())};
}

}  // namespace

SignedTransaction sign_transfer(const TransferContract& transfer, const TransactionFrame& frame,
                                const SecretKey& key) {
  protocol::Transaction transaction;
  auto& raw = *transaction.mutable_raw_data();
  ByteView reference = view(frame.reference.id);
  raw.set_ref_block_bytes(std::string(reference.substr(6, 2)));
  raw.set_ref_block_hash(std::string(reference.substr(8, 8)));
  raw.set_expiration(frame.expiration_ms);
  raw.set_data(frame.memo);
  set_contract(*raw.add_contract(), transfer);
  raw.set_timestamp(frame.timestamp_ms);

  Hash txid = sha256(raw.SerializeAsString());
  RecoverableSignature signature = key.sign_recoverable(txid);
  if (signature[64] < v_offset) signature[64] = static_cast<std::uint8_t>(signature[64] + v_offset);
  transaction.add_signature(std::string(view(signature)));
  return {transaction.SerializeAsString(), txid, frame.expiration_ms};
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
  if (outer.ret_size() > 0) {
    protocol::Transaction::Result result;
    if (!parse(result, outer.ret(0))) return std::nullopt;
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

std::optional<PublicKey> signer_key(const ChainTransaction& transaction, const Address& owner) {
  if (transaction.signatures.size() != 1) return std::nullopt;
  auto key =
      recover_key(ByteView(transaction.signatures.front()).substr(0, signature_bytes), transaction.txid);
  if (!key || address_of(*key) != owner) return std::nullopt;
  return key;
}

}  // namespace windlass::tron
