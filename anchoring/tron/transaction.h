// Building and signing TRON transactions. The node hashes its own re-serialization, so the bytes are
// canonical proto3: fields ascending, no defaults. Checked byte for byte against
// tests/vectors/tron-transactions.json.
#pragma once

#include "anchoring/tron/chain.h"

namespace windlass::tron {

struct TransactionFrame {
  BlockRef reference;              // a solidified block (TAPOS)
  std::int64_t timestamp_ms = 0;   // not validated by the chain; makes the txid unique
  std::int64_t expiration_ms = 0;  // last block timestamp in which it may land, inclusive
  std::string memo;                // raw_data.data; costs getMemoFee when not empty
  std::int64_t fee_limit_sun = 0;  // of the energy that a contract may use; bandwidth and memo come on top
  int permission_id = 0;           // 0: signed as the account's owner; from 2: under that active permission
};

// Creates a smart contract (CreateSmartContract); whoever calls it pays for the call.
struct ContractCreation {
  Address owner;
  std::string code, name;
  std::string abi;  // serialized SmartContract.ABI, or empty: nothing on the chain reads it
  std::int64_t consume_user_resource_percent = 100;
  std::int64_t origin_energy_limit = 10'000'000;
};

// Replaces an account's permissions (AccountPermissionUpdateContract): its owner's key, and one active
// permission.
struct PermissionUpdate {
  struct Key {
    Address address;
    std::int64_t weight = 1;
  };
  Address account;
  std::vector<Key> owner_keys;  // threshold 1
  std::string active_name;
  std::int64_t active_threshold = 1;
  std::vector<int> active_operations;  // contract types that it may sign
  std::vector<Key> active_keys;
};
constexpr int trigger_contract_type = 31, create_contract_type = 30, permission_update_type = 46;

struct SignedTransaction {
  std::string bytes;  // serialized protocol.Transaction: what is saved, then broadcast
  Hash txid{};
  std::int64_t expiration_ms = 0;
};

constexpr std::size_t signature_bytes = 65;  // r, s, v; nodes ignore what follows

// For its sender to sign.
struct UnsignedTransaction {
  std::string raw_data;
  Hash txid{};
};
UnsignedTransaction unsigned_transfer(const TransferContract& transfer, const TransactionFrame& frame);
// The serialized protocol.Transaction of both.
std::string join(ByteView raw_data, ByteView signature);

// TRX (token_id empty) or TRC-10.
SignedTransaction sign_transfer(const TransferContract& transfer, const TransactionFrame& frame,
                                const SecretKey& key);

SignedTransaction sign_call(const ContractCall& call, const TransactionFrame& frame, const SecretKey& key);
SignedTransaction sign_creation(const ContractCreation& creation, const TransactionFrame& frame,
                                const SecretKey& key);
SignedTransaction sign_permission_update(const PermissionUpdate& update, const TransactionFrame& frame,
                                         const SecretKey& key);

// Where the contract that a transaction creates comes to stand.
Address created_address(const Hash& txid, const Address& owner);

// Parses a serialized protocol.Transaction as it stands in a block; nothing when it is malformed or does not
// hold exactly one contract.
std::optional<ChainTransaction> parse_transaction(ByteView transaction);

// Bandwidth points: serialized size without `ret`, plus 64.
std::int64_t bandwidth_of(ByteView transaction);

// Whoever made the (single) signature; nothing when there is not exactly one, or it is malformed.
std::optional<PublicKey> any_signer_key(const ChainTransaction& transaction);
// The signer's key where the (single) signature recovers to `owner`, else nothing.
std::optional<PublicKey> signer_key(const ChainTransaction& transaction, const Address& owner);

}  // namespace windlass::tron
