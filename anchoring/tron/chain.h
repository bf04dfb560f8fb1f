// What the anchoring worker and the gateway need of a TRON node, in plain types. Implemented by the node
// client (gRPC, anchoring/tron/node.h) and, for simulation, by devchain in the same process. Facts about
// finality and about what each answer proves: docs/tron.md.
#pragma once

#include <tl/expected.hpp>
#include <variant>
#include <vector>

#include "anchoring/tron/abi.h"

namespace windlass::tron {

// A 32-byte block id: 8 bytes of big-endian number, then the last 24 bytes of SHA-256 of the header's raw
// data.
using BlockId = Hash;

struct BlockRef {
  std::int64_t number = 0;
  BlockId id{};
  std::int64_t timestamp_ms = 0;
};

// A plain movement of money. `token_id` is empty for TRX, else the TRC-10 id in ASCII digits.
struct TransferContract {
  Address owner, to;
  std::int64_t amount = 0;  // sun, or the token's smallest unit
  std::string token_id;
};
// A call of a smart contract (TriggerSmartContract).
struct ContractCall {
  Address owner, contract;
  std::string data;
  std::int64_t value_sun = 0;    // sent along
  std::int64_t token_value = 0;  // of TRC-10 token `token_id`, likewise
  std::int64_t token_id = 0;
};
struct OtherContract {
  int type = 0;  // protocol.Transaction.Contract.ContractType
};

struct ChainTransaction {
  Hash txid{};           // SHA-256 of raw_data: match on this, never on whole bytes
  std::string raw_data;  // exactly as received
  std::vector<std::string> signatures;
  std::string memo;        // raw_data.data
  bool succeeded = false;  // ret[0].contractRet == SUCCESS
  std::int64_t expiration_ms = 0;
  std::variant<OtherContract, TransferContract, ContractCall> contract;
  int result = 0;  // ret[0].contractRet; 0 before it was carried out
  std::int64_t fee_limit_sun = 0;
  int permission_id = 0;  // the sender's permission that it is signed under; 0 is the owner's
};

struct Block {
  BlockRef ref;
  BlockId parent{};
  std::vector<ChainTransaction> transactions;
  std::string header;             // the serialized protocol.BlockHeader.raw, exactly as received
  std::string witness_signature;  // of its producer, over SHA-256 of the header
};

// What a node answered to a broadcast; `code` is protocol.Return.response_code. No code proves absence from
// the chain.
struct BroadcastAnswer {
  bool result = false;
  int code = 0;
  std::string message;
};

// A node's pool drops transactions after 60 s: what is in no block is sent again this often.
constexpr std::int64_t resend_interval_ms = 15'000;

// What an answer tells of the node's pool of waiting transactions. `known`: it was there already, or is in a
// block.
enum class Pool { without, known, unsent, holding };
Pool pool_after(const BroadcastAnswer& answer);

// What a contract emitted.
struct ContractLog {
  Address address;                  // of the contract, with its 0x41
  std::vector<std::string> topics;  // 32 bytes each
  std::string data;
};

constexpr int contract_success = 1;  // protocol.Transaction.Result.contractResult

// What became of a transaction in its block (TransactionInfo).
struct Execution {
  Hash txid{};
  std::int64_t block = 0;
  std::int64_t block_ms = 0;
  std::int64_t fee_sun = 0;  // all that was paid beside the amount
  std::int64_t energy = 0;
  int result = 0;                   // of a contract: protocol.Transaction.Result.contractResult; else 0
  bool failed = false;              // TransactionInfo.result is FAILED
  std::string returned;             // by a contract
  std::string message;              // of one that failed
  std::optional<Address> contract;  // called or created
  std::vector<ContractLog> logs;
};

// A transaction's energy is limited to what it was found to need and so much more: the network raises the
// price of a contract that is called very often, by a fifth at a time.
constexpr std::int64_t energy_headroom_percent = 30;

// What a call would do, tried on a node's state without a transaction.
struct ConstantCall {
  bool succeeded = false;
  std::int64_t energy = 0;
  std::string returned;
  std::string message;  // why it did not succeed
  std::vector<ContractLog> logs;
};

struct AccountState {
  bool exists = false;
  std::int64_t balance_sun = 0;
  std::vector<std::pair<std::string, std::int64_t>> tokens;  // TRC-10 id, amount
  std::int64_t free_bandwidth_left = 0;
  std::int64_t staked_bandwidth_left = 0;
  std::int64_t staked_energy_left = 0;
};

// Chain parameters by the node's own names (getTransactionFee, getMemoFee, ...).
using ChainParameters = std::vector<std::pair<std::string, std::int64_t>>;

struct ChainError {
  // `forged`: what the node gave is proven wrong by itself: no honest one gives it, however far it lags.
  enum class Kind { unreachable, deadline, bad_answer, forged } kind = Kind::unreachable;
  std::string message;  // names the endpoint and the method
};
template <typename T>
using ChainResult = tl::expected<T, ChainError>;

// The value of a parameter; nothing where the node does not name it.
std::optional<std::int64_t> parameter(const ChainParameters& parameters, std::string_view name);

// Every call has a deadline; none retries by itself.
class Chain {
 public:
  virtual ~Chain() = default;
  virtual ChainResult<BlockRef> head() = 0;
  virtual ChainResult<BlockRef> solidified_head() = 0;
  // Of the solidified chain. Nothing when the node does not have a block of that number yet.
  virtual ChainResult<std::optional<Block>> solidified_block(std::int64_t number) = 0;
  // Of the full node: maybe not final. Nothing when there is none.
  virtual ChainResult<std::optional<Block>> block(std::int64_t number) = 0;
  // The number of the block that holds it, by the full node (`solid` false) or the solidified view. Nothing
  // when that view does not know it as included; a pending transaction is not included.
  virtual ChainResult<std::optional<std::int64_t>> inclusion(const Hash& txid, bool solid) = 0;
  // `transaction` is a serialized protocol.Transaction.
  virtual ChainResult<BroadcastAnswer> broadcast(ByteView transaction) = 0;
  virtual ChainResult<AccountState> account(const Address& address) = 0;
  // What an address holds as of the newest solidified block, in the chain's units. `token`: nothing for TRX,
  // a TRC-10 id, or the address of a TRC-20 contract.
  virtual ChainResult<abi::Uint128> solidified_balance(const Address& holder, const std::string& token) = 0;
  virtual ChainResult<ChainParameters> parameters() = 0;
  // What became of an included transaction, by the full node or the solidified view. Nothing when that view
  // does not know it as included.
  virtual ChainResult<std::optional<Execution>> execution(const Hash& txid, bool solid) = 0;
  // The same of all transactions of a solidified block, in their order. Empty for an empty block and for one
  // that is not there (yet): ask solidified_block for which.
  virtual ChainResult<std::vector<Execution>> executions(std::int64_t number) = 0;
  // Tries a call on the full node's state. Where `contract` is all zero, `data` is creation code to be tried.
  virtual ChainResult<ConstantCall> call_constant(const ContractCall& call) = 0;
  // Tells apart the nodes that solidified blocks come from: what needs several blocks of one node begins anew
  // when it changes. Of a single node always the same.
  virtual std::uint64_t reading_from() const { return 0; }
};

}  // namespace windlass::tron
