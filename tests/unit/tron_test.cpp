// Addresses, transactions and blocks against what tronweb made and what a java-tron node answered.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "anchoring/contract/anchor_contract.h"
#include "anchoring/tron/block.h"
#include "anchoring/tron/transaction.h"
#include "anchoring/tron/trc20.h"
#include "crypto/hash.h"
#include "tests/unit/tron_vectors.h"
#include "tron/contract.pb.h"
#include "tron/core.pb.h"
#include "tron/exact.pb.h"

namespace windlass::tron {
namespace {

using test::load_vectors;
using test::unhex;

TransactionFrame frame_of(const nlohmann::json& raw) {
  TransactionFrame frame;
  // Only these ten bytes of the reference block's id go into a transaction.
  std::string reference = unhex(raw["ref_block_bytes"]) + unhex(raw["ref_block_hash"]);
  std::copy(reference.begin(), reference.end(), frame.reference.id.begin() + 6);
  frame.timestamp_ms = raw["timestamp"];
  frame.expiration_ms = raw["expiration"];
  frame.memo = unhex(raw.value("data", ""));
  frame.fee_limit_sun = raw.value("fee_limit", std::int64_t{0});
  frame.permission_id = raw["contract"][0].value("Permission_id", 0);
  return frame;
}

TransferContract transfer_of(const nlohmann::json& raw) {
  const auto& value = raw["contract"][0]["parameter"]["value"];
  return {*address_from_bytes(unhex(value["owner_address"])), *address_from_bytes(unhex(value["to_address"])),
          value["amount"], unhex(value.value("asset_name", ""))};
}

bool is_transfer(const nlohmann::json& vector) {
  return vector["contract_type"] == "TransferContract" || vector["contract_type"] == "TransferAssetContract";
}

ContractCall call_of(const nlohmann::json& value) {
  return {*address_from_bytes(unhex(value["owner_address"])),
          *address_from_bytes(unhex(value["contract_address"])),
          unhex(value["data"]),
          value.value("call_value", std::int64_t{0}),
          value.value("call_token_value", std::int64_t{0}),
          value.value("token_id", std::int64_t{0})};
}

// tronweb's names for the interface are not ours to serialize: its bytes are those in the vector.
std::string abi_in(const std::string& raw_data) {
  protocol::Transaction::raw raw;
  raw.ParseFromString(raw_data);
  protocol::CreateSmartContract creation;
  raw.contract(0).parameter().UnpackTo(&creation);
  return creation.new_contract().abi();
}

ContractCreation creation_of(const nlohmann::json& value, const std::string& raw_data) {
  const auto& contract = value["new_contract"];
  return {*address_from_bytes(unhex(value["owner_address"])),
          unhex(contract["bytecode"]),
          contract["name"],
          abi_in(raw_data),
          contract["consume_user_resource_percent"],
          contract["origin_energy_limit"]};
}

std::vector<PermissionUpdate::Key> keys_of(const nlohmann::json& permission) {
  std::vector<PermissionUpdate::Key> keys;
  for (const auto& key : permission["keys"])
    keys.push_back({*address_from_bytes(unhex(key["address"])), key["weight"]});
  return keys;
}

PermissionUpdate update_of(const nlohmann::json& value) {
  const auto& active = value["actives"][0];
  EXPECT_EQ(active["operations"], "00000080" + std::string(56, '0')) << "bit 31 alone";
  return {*address_from_bytes(unhex(value["owner_address"])),
          keys_of(value["owner"]),
          active["permission_name"],
          active["threshold"],
          {trigger_contract_type},
          keys_of(active)};
}

SignedTransaction build(const nlohmann::json& vector, const SecretKey& key) {
  const auto& raw = vector["raw_data"];
  const auto& value = raw["contract"][0]["parameter"]["value"];
  TransactionFrame frame = frame_of(raw);
  if (is_transfer(vector)) return sign_transfer(transfer_of(raw), frame, key);
  if (vector["contract_type"] == "TriggerSmartContract") return sign_call(call_of(value), frame, key);
  if (vector["contract_type"] == "CreateSmartContract")
    return sign_creation(creation_of(value, unhex(vector["raw_data_hex"])), frame, key);
  return sign_permission_update(update_of(value), frame, key);
}

TEST(TronAddress, OfKeyAndTextAgreeWithTronweb) {
  int valid = 0;
  for (const auto& vector : load_vectors("addresses.json")) {
    if (!vector["valid"]) continue;
    auto key = SecretKey::from_bytes(unhex(vector["private_key_hex"]));
    ASSERT_TRUE(key);
    EXPECT_EQ(to_hex(key->public_key()), vector["compressed_hex"]);
    Address address = address_of(key->public_key());
    EXPECT_EQ(to_hex(address.bytes), vector["address_hex"]);
    EXPECT_EQ(to_base58(address), vector["address_base58"]);
    EXPECT_EQ(address_from_base58(vector["address_base58"].get<std::string>()), address);
    ++valid;
  }
  EXPECT_EQ(valid, 50);
}

TEST(TronAddress, RefusesEveryTextThatIsNoAddress) {
  int invalid = 0;
  for (const auto& vector : load_vectors("addresses.json")) {
    if (vector["valid"]) continue;
    EXPECT_FALSE(address_from_base58(vector["address_base58"].get<std::string>())) << vector["name"];
    ++invalid;
  }
  EXPECT_EQ(invalid, 31);
}

TEST(TronAddress, RefusesBytesOfAnotherLengthOrPrefix) {
  EXPECT_TRUE(address_from_bytes(unhex("417e5f4552091a69125d5dfcb7b8c2659029395bdf")));
  EXPECT_FALSE(address_from_bytes(unhex("a07e5f4552091a69125d5dfcb7b8c2659029395bdf")));
  EXPECT_FALSE(address_from_bytes(unhex("7e5f4552091a69125d5dfcb7b8c2659029395bdf")));
}

TEST(TronTransaction, EveryKindIsBuiltByteForByteAsTronwebDoes) {
  std::map<std::string, int> built;
  for (const auto& vector : load_vectors("transactions.json")) {
    if (!vector.contains("raw_data")) continue;
    auto key = SecretKey::from_bytes(unhex(vector["owner_private_key_hex"]));
    auto made = build(vector, *key);
    EXPECT_EQ(to_hex(made.txid), vector["txid"]) << vector["name"];
    EXPECT_EQ(made.expiration_ms, vector["raw_data"]["expiration"]);
    if (vector["signatures_hex"].size() > 1) continue;  // somebody else signed it too
    EXPECT_EQ(to_hex(made.bytes), vector["transaction_hex"]) << vector["name"];
    EXPECT_EQ(bandwidth_of(made.bytes), vector["bandwidth"]) << vector["name"];
    ++built[vector["contract_type"]];
  }
  EXPECT_EQ(built, (std::map<std::string, int>{{"TransferContract", 21},
                                               {"TransferAssetContract", 9},
                                               {"TriggerSmartContract", 21},
                                               {"CreateSmartContract", 3},
                                               {"AccountPermissionUpdateContract", 3}}));
}

TEST(TronTransaction, CreatedContractStandsWhereTheNodePutIt) {
  auto txid = *to_array<32>(unhex("0be76726aee8a2cdb943095f610095556011a80124945ea470dc45779f79da63"));
  auto owner = *address_from_bytes(unhex("4159190a66a52db246593bb032c2a957e530128015"));
  EXPECT_EQ(to_hex(created_address(txid, owner).bytes), "41063acdb4ad4cf0f44a5b0cdcedd0357839bb1a37");
}

TEST(AnchorContract, CodeHashIsThatOfTheCodeThatStandsOnTheChain) {
  EXPECT_EQ(anchor_contract::code_hash(), keccak256(anchor_contract::runtime_code()));
  EXPECT_TRUE(anchor_contract::creation_code().ends_with(anchor_contract::runtime_code()));
}

TEST(AnchorContract, CallAndEventHoldSizeAndRootInTwoWords) {
  Hash root{};
  root.fill(0xab);
  std::string call = anchor_contract::anchor_call(0x0102, root);
  EXPECT_EQ(to_hex(call), "a6855208" + std::string(60, '0') + "0102" + to_hex(root));
  EXPECT_EQ(anchor_contract::read_anchor_call(call), (anchor_contract::Anchored{0x0102, root}));
  for (std::string other :
       {call + '\0', call.substr(1), call.substr(0, 67), std::string("\xa6\x85\x52\x09") + call.substr(4)})
    EXPECT_FALSE(anchor_contract::read_anchor_call(other));
  std::string padded = call;
  padded[5] = 1;
  EXPECT_FALSE(anchor_contract::read_anchor_call(padded)) << "a size above 2^64";

  // The topic is the one that a node gave for Anchored(uint64,bytes32).
  Address contract{{0x41, 1, 2}};
  ContractLog log{contract,
                  {unhex("4ac5b9bdb01817da80ec1c33e76c5bef927ab969dd8e8ba4ce21da0d7996e56f")},
                  abi::word(0x0102) + std::string(view(root))};
  EXPECT_EQ(anchor_contract::read_anchored(log, contract), (anchor_contract::Anchored{0x0102, root}));
  EXPECT_FALSE(anchor_contract::read_anchored(log, Address{{0x41, 1, 3}}));
  auto other = log;
  other.topics[0][0] ^= 1;
  EXPECT_FALSE(anchor_contract::read_anchored(other, contract));
  other = log;
  other.topics.push_back(log.topics[0]);
  EXPECT_FALSE(anchor_contract::read_anchored(other, contract));
  other = log;
  other.data += '\0';
  EXPECT_FALSE(anchor_contract::read_anchored(other, contract));
}

TEST(Abi, WordsHoldAddressesAndAmounts) {
  Address address{{0x41, 1, 2, 3}};
  EXPECT_EQ(abi::read_address(abi::word(address)), address);
  abi::Uint128 most = ~abi::Uint128{0};
  for (abi::Uint128 amount : {abi::Uint128{0}, abi::Uint128{1} << 64, most})
    EXPECT_TRUE(abi::read_amount(abi::word(amount)) == amount);
  EXPECT_EQ(to_hex(abi::word(most)), std::string(32, '0') + std::string(32, 'f'));
  EXPECT_EQ(to_hex(abi::word(0x0102)), std::string(60, '0') + "0102");
  std::string wide = abi::word(most);
  wide[15] = 1;
  EXPECT_FALSE(abi::read_amount(wide));
  std::string dirty = abi::word(address);
  dirty[11] = 0x41;
  EXPECT_FALSE(abi::read_address(dirty));
  for (std::size_t size : {0, 31, 33}) {
    EXPECT_FALSE(abi::read_amount(std::string(size, '\0')));
    EXPECT_FALSE(abi::read_address(std::string(size, '\0')));
  }
}

// The data that tronweb made of the same recipients and amounts.
TEST(Trc20, TransferCallIsByteForByteTronwebs) {
  int compared = 0;
  for (const auto& vector : load_vectors("transactions.json")) {
    if (!vector["name"].get<std::string>().starts_with("trc20-transfer")) continue;
    std::string data = unhex(vector["raw_data"]["contract"][0]["parameter"]["value"]["data"]);
    auto to = abi::read_address(ByteView(data).substr(4, 32));
    ASSERT_TRUE(to);
    // The greatest amount of a uint256 is none that we send.
    auto amount = abi::read_amount(ByteView(data).substr(36));
    if (!amount) continue;
    EXPECT_EQ(to_hex(trc20::transfer_call(*to, *amount)), to_hex(data)) << vector["name"];
    ++compared;
  }
  EXPECT_EQ(compared, 3);
  EXPECT_EQ(
      to_hex(trc20::balance_call(*address_from_bytes(unhex("41d953826712e6a1c2b10b63f89256a95d294098da")))),
      "70a08231000000000000000000000000d953826712e6a1c2b10b63f89256a95d294098da");
}

TEST(Trc20, TransferIsReadFromExactlySuchALog) {
  // As a node gave it.
  const ContractLog log{*address_from_bytes(unhex("41b230adc648ce8731b8cef728dd6c29c7fbeb86c5")),
                        {unhex("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"),
                         unhex("00000000000000000000000059190a66a52db246593bb032c2a957e530128015"),
                         unhex("000000000000000000000000d953826712e6a1c2b10b63f89256a95d294098da")},
                        unhex("0000000000000000000000000000000000000000000000056bc75e2d63100000")};
  auto read = trc20::read_transfer(log);
  ASSERT_TRUE(read);
  EXPECT_EQ(to_hex(read->from.bytes), "4159190a66a52db246593bb032c2a957e530128015");
  EXPECT_EQ(to_hex(read->to.bytes), "41d953826712e6a1c2b10b63f89256a95d294098da");
  EXPECT_TRUE(read->amount == abi::Uint128{100} * 1'000'000'000'000'000'000);

  const std::pair<const char*, std::function<void(ContractLog&)>> faults[] = {
      {"an approval", [](auto& l) { l.topics[0] = abi::topic("Approval(address,address,uint256)"); }},
      {"a topic less", [](auto& l) { l.topics.pop_back(); }},
      {"a topic more, as of a token that is one of its kind", [](auto& l) { l.topics.push_back(l.data); }},
      {"no topics", [](auto& l) { l.topics.clear(); }},
      {"no data", [](auto& l) { l.data.clear(); }},
      {"a byte less", [](auto& l) { l.data.pop_back(); }},
      {"a byte more", [](auto& l) { l.data += '\0'; }},
      {"a value of more than 128 bits", [](auto& l) { l.data[15] = 1; }},
      {"a sender that is no address", [](auto& l) { l.topics[1][11] = 0x41; }},
      {"a recipient that is no address", [](auto& l) { l.topics[2][0] = 1; }},
      {"a short topic", [](auto& l) { l.topics[2].erase(0, 12); }}};
  for (const auto& [what, plant] : faults) {
    ContractLog other = log;
    plant(other);
    EXPECT_FALSE(trc20::read_transfer(other)) << what;
  }
}

TEST(TronTransaction, EveryKindIsReadWithItsTxidAndSigner) {
  for (const auto& vector : load_vectors("transactions.json")) {
    std::string bytes = unhex(vector["transaction_hex"]);
    auto parsed = parse_transaction(bytes);
    ASSERT_TRUE(parsed) << vector["name"];
    EXPECT_EQ(to_hex(parsed->txid), vector["txid"]);
    EXPECT_EQ(to_hex(parsed->raw_data), vector["raw_data_hex"]);
    EXPECT_EQ(bandwidth_of(bytes), vector["bandwidth"]) << vector["name"];
    EXPECT_FALSE(parsed->succeeded) << "nothing executed it";
    EXPECT_EQ(std::holds_alternative<TransferContract>(parsed->contract), is_transfer(vector))
        << vector["name"];
    EXPECT_EQ(std::holds_alternative<ContractCall>(parsed->contract),
              vector["contract_type"] == "TriggerSmartContract");

    auto owner = *address_from_base58(vector["owner_base58"].get<std::string>());
    auto key = SecretKey::from_bytes(unhex(vector["owner_private_key_hex"]));
    auto signer = signer_key(*parsed, owner);
    if (vector["signatures_hex"].size() == 1)
      EXPECT_EQ(signer, key->public_key()) << vector["name"];
    else
      EXPECT_FALSE(signer) << "two signatures have no one signer";
    EXPECT_FALSE(signer_key(*parsed, address_of(SecretKey::generate().public_key())));
  }
}

TEST(TronTransaction, IsReadBackAsBuilt) {
  for (const auto& vector : load_vectors("transactions.json")) {
    if (!vector.contains("raw_data")) continue;
    auto parsed = parse_transaction(unhex(vector["transaction_hex"]));
    auto frame = frame_of(vector["raw_data"]);
    EXPECT_EQ(parsed->fee_limit_sun, frame.fee_limit_sun);
    EXPECT_EQ(parsed->permission_id, frame.permission_id);
    EXPECT_EQ(parsed->memo, frame.memo);
    EXPECT_EQ(parsed->expiration_ms, frame.expiration_ms);
    if (const auto* call = std::get_if<ContractCall>(&parsed->contract)) {
      auto expected = call_of(vector["raw_data"]["contract"][0]["parameter"]["value"]);
      EXPECT_EQ(call->owner, expected.owner);
      EXPECT_EQ(call->contract, expected.contract);
      EXPECT_EQ(call->data, expected.data);
      EXPECT_EQ(call->value_sun, expected.value_sun);
      EXPECT_EQ(call->token_value, expected.token_value);
      EXPECT_EQ(call->token_id, expected.token_id);
    }
    if (!is_transfer(vector)) continue;
    const auto& transfer = std::get<TransferContract>(parsed->contract);
    auto expected = transfer_of(vector["raw_data"]);
    EXPECT_EQ(transfer.owner, expected.owner);
    EXPECT_EQ(transfer.to, expected.to);
    EXPECT_EQ(transfer.amount, expected.amount);
    EXPECT_EQ(transfer.token_id, expected.token_id);
  }
}

TEST(TronTransaction, RefusesGarbageAndTransactionsWithoutOneContract) {
  EXPECT_FALSE(parse_transaction("\xff\xff\xff"));
  EXPECT_FALSE(parse_transaction(""));
  exact::Transaction outer;
  outer.set_raw_data("\xff");
  EXPECT_FALSE(parse_transaction(outer.SerializeAsString()));
}

std::vector<std::string> transactions_of(const exact::BlockExtention& answer) {
  std::vector<std::string> out;
  for (const auto& transaction : answer.transactions()) out.push_back(transaction.transaction());
  return out;
}

TEST(TronBlock, CapturedBlocksHaveTheirIdsRootsAndTxids) {
  for (const auto& capture : load_vectors("blocks.json")) {
    exact::BlockExtention answer;
    ASSERT_TRUE(answer.ParseFromString(unhex(capture["response_hex"])));
    EXPECT_EQ(to_hex(tx_trie_root(transactions_of(answer))), capture["txTrieRoot"]) << capture["name"];
    auto block = assemble_block(answer.block_header().raw_data(), answer.block_header().witness_signature(),
                                transactions_of(answer));
    ASSERT_TRUE(block) << capture["name"] << ": " << block.error();
    EXPECT_EQ(block->ref.number, capture["number"]);
    EXPECT_EQ(block->ref.timestamp_ms, capture["timestamp"]);
    EXPECT_EQ(to_hex(block->ref.id), capture["blockid"]);
    EXPECT_EQ(to_hex(block->parent), capture["parentHash"]);
    ASSERT_EQ(block->transactions.size(), capture["txids"].size());
    for (std::size_t i = 0; i < block->transactions.size(); ++i) {
      EXPECT_EQ(to_hex(block->transactions[i].txid), capture["txids"][i]);
      EXPECT_EQ(block->transactions[i].succeeded, capture["contractRet"][i] == "SUCCESS");
    }
  }
}

TEST(TronBlock, RefusesTransactionsThatAreNotTheHeaders) {
  for (const auto& capture : load_vectors("blocks.json")) {
    if (capture["txids"].size() < 2) continue;
    exact::BlockExtention answer;
    ASSERT_TRUE(answer.ParseFromString(unhex(capture["response_hex"])));
    auto transactions = transactions_of(answer);
    std::swap(transactions[0], transactions[1]);
    EXPECT_FALSE(assemble_block(answer.block_header().raw_data(), answer.block_header().witness_signature(),
                                transactions))
        << "order";
    transactions.pop_back();
    EXPECT_FALSE(assemble_block(answer.block_header().raw_data(), answer.block_header().witness_signature(),
                                transactions))
        << "one missing";
  }
}

}  // namespace
}  // namespace windlass::tron
