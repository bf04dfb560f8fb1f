// Addresses, transactions and blocks against what tronweb made and what a java-tron node answered.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "anchoring/tron/block.h"
#include "anchoring/tron/transaction.h"
#include "tests/unit/tron_vectors.h"
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
  return frame;
}

TransferContract transfer_of(const nlohmann::json& raw) {
  const auto& value = raw["contract"][0]["parameter"]["value"];
  return {*address_from_bytes(unhex(value["owner_address"])), *address_from_bytes(unhex(value["to_address"])),
          value["amount"], unhex(value.value("asset_name", ""))};
}

bool is_plain_transfer(const nlohmann::json& vector) {
  return vector.contains("raw_data") && !vector["raw_data"]["contract"][0].contains("Permission_id");
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

TEST(TronTransaction, IsSignedByteForByteAsTronwebDoes) {
  int built = 0;
  for (const auto& vector : load_vectors("transactions.json")) {
    if (!is_plain_transfer(vector)) continue;
    auto key = SecretKey::from_bytes(unhex(vector["owner_private_key_hex"]));
    auto made = sign_transfer(transfer_of(vector["raw_data"]), frame_of(vector["raw_data"]), *key);
    EXPECT_EQ(to_hex(made.bytes), vector["transaction_hex"]) << vector["name"];
    EXPECT_EQ(to_hex(made.txid), vector["txid"]) << vector["name"];
    EXPECT_EQ(made.expiration_ms, vector["raw_data"]["expiration"]);
    EXPECT_EQ(bandwidth_of(made.bytes), vector["bandwidth"]) << vector["name"];
    ++built;
  }
  EXPECT_EQ(built, 24);
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
    bool transfer =
        vector["contract_type"] == "TransferContract" || vector["contract_type"] == "TransferAssetContract";
    EXPECT_EQ(std::holds_alternative<TransferContract>(parsed->contract), transfer) << vector["name"];

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

TEST(TronTransaction, TransferIsReadBackAsBuilt) {
  for (const auto& vector : load_vectors("transactions.json")) {
    if (!is_plain_transfer(vector)) continue;
    auto parsed = parse_transaction(unhex(vector["transaction_hex"]));
    const auto& transfer = std::get<TransferContract>(parsed->contract);
    auto expected = transfer_of(vector["raw_data"]);
    EXPECT_EQ(transfer.owner, expected.owner);
    EXPECT_EQ(transfer.to, expected.to);
    EXPECT_EQ(transfer.amount, expected.amount);
    EXPECT_EQ(transfer.token_id, expected.token_id);
    EXPECT_EQ(parsed->memo, frame_of(vector["raw_data"]).memo);
    EXPECT_EQ(parsed->expiration_ms, vector["raw_data"]["expiration"]);
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
    auto block = assemble_block(answer.block_header().raw_data(), transactions_of(answer));
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
    EXPECT_FALSE(assemble_block(answer.block_header().raw_data(), transactions)) << "order";
    transactions.pop_back();
    EXPECT_FALSE(assemble_block(answer.block_header().raw_data(), transactions)) << "one missing";
  }
}

}  // namespace
}  // namespace windlass::tron
