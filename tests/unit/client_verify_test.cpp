#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "anchoring/contract/anchor_contract.h"
#include "crypto/hash.h"
#include "tests/unit/client_ledger.h"

namespace windlass::client {
namespace {

// An acknowledgement is checked as `windlass verify` does: by itself, then its promise.
std::optional<std::string> fault_of(const pb::Acknowledgement& acknowledgement,
                                    const log::VerifierKey& vkey) {
  auto proven = check_acknowledgement(acknowledgement);
  if (!proven) return proven.error();
  auto promise = check_promise(acknowledgement.promise(), proven->leaf_hash, proven->leaf.sequence, vkey);
  if (!promise) return promise.error();
  return std::nullopt;
}

std::optional<std::string> fault_of(const pb::InclusionProof& proof, const log::VerifierKey& vkey) {
  auto checkpoint = check_checkpoint(proof.checkpoint(), vkey);
  if (!checkpoint) return checkpoint.error();
  auto leaf = check_inclusion(proof, *checkpoint);
  return leaf ? std::nullopt : std::optional(leaf.error());
}

TEST(Acknowledgement, HoldsAsTheLedgerGaveIt) {
  TinyLedger ledger;
  ledger.play();
  EXPECT_EQ(fault_of(ledger.acknowledge(3), ledger.vkey()), std::nullopt);
}

TEST(Acknowledgement, FailsWhicheverFieldIsChanged) {
  TinyLedger ledger;
  ledger.play();
  std::set<std::string> tampered;
  for_each_tampered<pb::Acknowledgement>(ledger.acknowledge(3),
                                         [&](const std::string& field, const auto& changed) {
                                           EXPECT_NE(fault_of(changed, ledger.vkey()), std::nullopt) << field;
                                           tampered.insert(field);
                                         });
  for (const char* field :
       {"sequence", "time_us", "leaf", "leaf_hash", "postings.posting", "postings.salt", "postings.index",
        "postings.path", "promise.note", "promise.index", "promise.path"})
    EXPECT_TRUE(tampered.contains(field)) << field;
}

TEST(Acknowledgement, FailsUnderAnotherLogsKey) {
  TinyLedger ledger, other;
  ledger.play();
  EXPECT_NE(fault_of(ledger.acknowledge(3), other.vkey()), std::nullopt);
}

TEST(Promise, DoesNotSpeakForAnotherEntry) {
  TinyLedger ledger;
  ledger.play();
  auto promise = ledger.acknowledge(3).promise();
  const auto& neighbour = ledger.entry(4);
  EXPECT_FALSE(check_promise(promise, neighbour.leaf_hash, neighbour.sequence, ledger.vkey()));
  EXPECT_FALSE(check_promise(promise, ledger.entry(3).leaf_hash, core::Sequence{4}, ledger.vkey()));
}

TEST(ShownEntry, HoldsInFullAndFailsWhicheverFieldIsChanged) {
  TinyLedger ledger;
  ledger.play();
  EXPECT_TRUE(check_entry(ledger.show(2)));
  for_each_tampered<pb::Entry>(ledger.show(2), [&](const std::string& field, const auto& changed) {
    // Nothing is claimed by the count: it shapes the path, and 3 and 4 give the first postings the same.
    if (field == "postings.count") return;
    EXPECT_FALSE(check_entry(changed)) << field;
  });
}

TEST(ShownEntry, HoldsWithoutWhatIsNotTheAskers) {
  TinyLedger ledger;
  ledger.play();
  pb::Entry entry = ledger.show(2);
  entry.clear_envelope();
  entry.clear_envelope_salt();
  entry.mutable_postings()->DeleteSubrange(0, 1);
  EXPECT_TRUE(check_entry(entry));
}

TEST(Inclusion, HoldsForEveryEntryAndFailsWhicheverFieldIsChanged) {
  TinyLedger ledger;
  ledger.play();
  for (std::uint64_t i = 0; i < ledger.size(); ++i)
    EXPECT_EQ(fault_of(ledger.include(i), ledger.vkey()), std::nullopt);
  for_each_tampered<pb::InclusionProof>(ledger.include(3),
                                        [&](const std::string& field, const auto& changed) {
                                          EXPECT_NE(fault_of(changed, ledger.vkey()), std::nullopt) << field;
                                        });
}

TEST(TlogProof, CarriesItsLeafAndHoldsOffline) {
  TinyLedger ledger;
  ledger.play();
  std::string text = make_tlog_proof(ledger.include(3));
  auto proven = check_tlog_proof(text, {}, ledger.vkey());
  ASSERT_TRUE(proven) << proven.error();
  EXPECT_EQ(proven->leaf.sequence.value, 3U);
  EXPECT_EQ(proven->checkpoint.size, ledger.size());
}

TEST(TlogProof, FailsWhereverALineIsChanged) {
  TinyLedger ledger;
  ledger.play();
  std::string text = make_tlog_proof(ledger.include(3));
  for (std::size_t i = 0; i < text.size(); ++i) {
    // The name in the signature line is looked up, and base64's unused bits are no data; all else must
    // matter.
    std::string changed = text;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    if (changed == text) continue;
    EXPECT_FALSE(check_tlog_proof(changed, {}, ledger.vkey())) << i << ": " << changed;
  }
}

TEST(TlogProof, WithoutALeafAsksForIt) {
  TinyLedger ledger;
  ledger.play();
  auto proof = ledger.include(3);
  std::string leaf = proof.leaf();
  proof.clear_leaf();
  std::string text = make_tlog_proof(proof);
  EXPECT_FALSE(check_tlog_proof(text, {}, ledger.vkey()));
  EXPECT_TRUE(check_tlog_proof(text, leaf, ledger.vkey()));
  EXPECT_FALSE(check_tlog_proof(text, ledger.entry(2).leaf.encode(), ledger.vkey()));
}

// --- anchors

// A chain of one block with one transaction.
class OneBlock final : public tron::Chain {
 public:
  tron::Block only;
  std::optional<tron::Execution> executed;  // what became of its transaction
  std::optional<tron::ChainError::Kind> down;

  tron::ChainResult<tron::BlockRef> head() override { return only.ref; }
  tron::ChainResult<tron::BlockRef> solidified_head() override { return only.ref; }
  tron::ChainResult<std::optional<tron::Block>> solidified_block(std::int64_t number) override {
    return number == only.ref.number ? std::optional(only) : std::nullopt;
  }
  tron::ChainResult<std::optional<tron::Block>> block(std::int64_t number) override {
    return solidified_block(number);
  }
  tron::ChainResult<std::optional<std::int64_t>> inclusion(const Hash& txid, bool) override {
    if (down) return tl::unexpected(tron::ChainError{*down, "node: down"});
    return txid == only.transactions[0].txid ? std::optional(only.ref.number) : std::nullopt;
  }
  tron::ChainResult<tron::BroadcastAnswer> broadcast(ByteView) override { return tron::BroadcastAnswer{}; }
  tron::ChainResult<tron::AccountState> account(const tron::Address&) override {
    return tron::AccountState{};
  }
  tron::ChainResult<tron::abi::Uint128> solidified_balance(const tron::Address&,
                                                           const std::string&) override {
    return tron::abi::Uint128{0};
  }
  tron::ChainResult<tron::ChainParameters> parameters() override { return tron::ChainParameters{}; }
  tron::ChainResult<std::optional<tron::Execution>> execution(const Hash&, bool) override {
    if (down) return tl::unexpected(tron::ChainError{*down, "node: down"});
    return executed;
  }
  tron::ChainResult<std::vector<tron::Execution>> executions(std::int64_t) override {
    return std::vector<tron::Execution>{};
  }
  tron::ChainResult<tron::ConstantCall> call_constant(const tron::ContractCall&) override {
    return tron::ConstantCall{};
  }
};

class Anchored : public testing::Test {
 protected:
  Anchored() {
    ledger.play();
    send(ledger.anchor_key, anchor_memo(ledger.size(), ledger.checkpoint(ledger.size()).root));
  }
  // Puts a transfer of `key`'s with this memo into the block, and the anchor names it.
  void send(const SecretKey& key, const std::string& memo) {
    tron::TransactionFrame frame{{7, {}, 0}, 1'000, 61'000, memo};
    tron::TransferContract transfer{tron::address_of(key.public_key()),
                                    tron::address_of(ledger.payer.public_key()), 1, ""};
    auto signed_transaction = tron::sign_transfer(transfer, frame, key);
    auto transaction = tron::parse_transaction(signed_transaction.bytes);
    transaction->succeeded = true;
    chain.only = {{7, {}, 0}, {}, {*transaction}};
    anchor.set_size(ledger.size());
    anchor.set_root(std::string(view(ledger.checkpoint(ledger.size()).root)));
    anchor.set_transaction_id(std::string(view(transaction->txid)));
  }
  Proven<ProvenAnchor> check() { return check_anchor(anchor, chain, parties, unreachable); }

  TinyLedger ledger;
  OneBlock chain;
  pb::Anchor anchor;
  AnchorParties parties{ledger.anchor_address(), std::nullopt};
  bool unreachable = false;
};

TEST_F(Anchored, HoldsWithItsTransaction) {
  auto proven = check();
  ASSERT_TRUE(proven) << proven.error();
  EXPECT_EQ(proven->checkpoint.size, ledger.size());
  EXPECT_EQ(proven->block.number, 7);
}

TEST_F(Anchored, FailsWhicheverFieldIsChanged) {
  for_each_tampered<pb::Anchor>(anchor, [&](const std::string& field, const auto& changed) {
    EXPECT_FALSE(check_anchor(changed, chain, parties, unreachable)) << field;
  });
}

TEST_F(Anchored, FailsWhenTheTransactionFailed) {
  chain.only.transactions[0].succeeded = false;
  EXPECT_FALSE(check());
}

TEST_F(Anchored, FailsWhenSomebodyElseSentIt) {
  send(ledger.recipient, anchor_memo(ledger.size(), ledger.checkpoint(ledger.size()).root));
  EXPECT_FALSE(check());
}

TEST_F(Anchored, FailsWhenTheSignatureIsNotTheSenders) {
  chain.only.transactions[0].signatures[0][3] ^= 1;
  EXPECT_FALSE(check());
}

// The same through the anchor contract that genesis names.
class AnchoredByContract : public Anchored {
 protected:
  AnchoredByContract() {
    parties.contract = contract;
    call(ledger.anchor_key, contract, ledger.size(), root());
  }
  Hash root() { return ledger.checkpoint(ledger.size()).root; }
  // Puts a call of `to`, signed by `key`, into the block, and what the contract would have emitted for it.
  void call(const SecretKey& key, const tron::Address& to, std::uint64_t size, const Hash& called_root,
            int permission_id = 0) {
    tron::TransactionFrame frame{{7, {}, 0}, 1'000, 61'000, {}, 300'000, permission_id};
    auto sender = permission_id == 0 ? tron::address_of(key.public_key()) : ledger.anchor_address();
    auto made =
        tron::sign_call({sender, to, tron::anchor_contract::anchor_call(size, called_root)}, frame, key);
    auto transaction = tron::parse_transaction(made.bytes);
    transaction->succeeded = true;
    chain.only = {{7, {}, 0}, {}, {*transaction}};
    chain.executed = tron::Execution{.txid = made.txid,
                                     .block = 7,
                                     .result = 1,
                                     .contract = to,
                                     .logs = {{to,
                                               {std::string(view(keccak256("Anchored(uint64,bytes32)")))},
                                               tron::abi::word(size) + std::string(view(called_root))}}};
    anchor.set_transaction_id(std::string(view(made.txid)));
  }
  std::string fault() {
    auto proven = check();
    return proven ? "" : proven.error();
  }

  tron::Address contract{{0x41, 7, 7, 7}};
};

TEST_F(AnchoredByContract, HoldsWithItsCallAndEvent) {
  auto proven = check();
  ASSERT_TRUE(proven) << proven.error();
  EXPECT_EQ(proven->contract, contract);
  EXPECT_EQ(proven->sender, ledger.anchor_address());
}

TEST_F(AnchoredByContract, HoldsStillAsAMemo) {
  send(ledger.anchor_key, anchor_memo(ledger.size(), root()));
  auto proven = check();
  ASSERT_TRUE(proven) << proven.error();
  EXPECT_FALSE(proven->contract);
}

TEST_F(AnchoredByContract, HoldsUnderAPermissionAndForAnotherOwnerOfTheContract) {
  call(ledger.recipient, contract, ledger.size(), root(), 2);
  EXPECT_TRUE(check()) << "a key that the owner allowed to";
  call(ledger.recipient, contract, ledger.size(), root());
  auto proven = check();
  ASSERT_TRUE(proven) << "the contract was given away";
  EXPECT_EQ(proven->sender, tron::address_of(ledger.recipient.public_key()));
}

TEST_F(AnchoredByContract, FailsWhicheverFieldIsChanged) {
  for_each_tampered<pb::Anchor>(anchor, [&](const std::string& field, const auto& changed) {
    EXPECT_FALSE(check_anchor(changed, chain, parties, unreachable)) << field;
  });
}

TEST_F(AnchoredByContract, FailsForAnotherContract) {
  call(ledger.anchor_key, tron::Address{{0x41, 7, 7, 8}}, ledger.size(), root());
  EXPECT_THAT(fault(), testing::HasSubstr("another contract"));
}

TEST_F(AnchoredByContract, FailsWhereGenesisNamesNoContract) {
  parties.contract.reset();
  EXPECT_THAT(fault(), testing::HasSubstr("names none"));
}

TEST_F(AnchoredByContract, FailsForAnotherRootOrSize) {
  Hash other = root();
  other[0] ^= 1;
  call(ledger.anchor_key, contract, ledger.size(), other);
  EXPECT_THAT(fault(), testing::HasSubstr("another root"));
  call(ledger.anchor_key, contract, ledger.size() + 1, root());
  EXPECT_THAT(fault(), testing::HasSubstr("another root"));
}

TEST_F(AnchoredByContract, FailsWhenTheCallReverted) {
  chain.only.transactions[0].succeeded = false;
  EXPECT_THAT(fault(), testing::HasSubstr("failed on the chain"));
}

TEST_F(AnchoredByContract, FailsWithoutTheContractsEvent) {
  chain.executed->logs[0].topics[0][0] ^= 1;
  EXPECT_THAT(fault(), testing::HasSubstr("did not emit"));
  chain.executed->logs.clear();
  EXPECT_THAT(fault(), testing::HasSubstr("did not emit"));
  chain.executed.reset();
  EXPECT_THAT(fault(), testing::HasSubstr("did not emit"));
}

TEST_F(AnchoredByContract, FailsWhenTheSignatureIsNotTheSenders) {
  chain.only.transactions[0].signatures[0][3] ^= 1;
  EXPECT_THAT(fault(), testing::HasSubstr("not signed by its sender"));
}

TEST_F(Anchored, FailsWithAnotherRootInTheMemo) {
  send(ledger.anchor_key, anchor_memo(ledger.size(), ledger.checkpoint(ledger.size() - 1).root));
  EXPECT_FALSE(check());
}

TEST_F(Anchored, SaysWhenItIsTheNodeThatDoesNotAnswer) {
  using Kind = tron::ChainError::Kind;
  for (auto kind : {Kind::unreachable, Kind::deadline, Kind::bad_answer}) {
    chain.down = kind;
    unreachable = false;
    EXPECT_FALSE(check());
    EXPECT_TRUE(unreachable);
  }
}

TEST(Genesis, NamesWhoAnchorsAndFailsWhenChanged) {
  TinyLedger ledger;
  auto genesis = check_genesis(ledger.show(0));
  ASSERT_TRUE(genesis) << genesis.error();
  EXPECT_EQ(genesis->anchor_address, view(ledger.anchor_address().bytes));
  for_each_tampered<pb::Entry>(ledger.show(0), [&](const std::string& field, const auto& changed) {
    EXPECT_FALSE(check_genesis(changed)) << field;
  });
}

TEST(Consistency, TellsARewrittenLog) {
  TinyLedger ledger;
  ledger.play();
  log::Checkpoint old = ledger.checkpoint(1), now = ledger.checkpoint(2);
  pb::ConsistencyProof proof;
  proof.add_path(std::string(view(ledger.entry(1).leaf_hash)));
  EXPECT_TRUE(check_consistency(old, now, proof));
  old.root[0] ^= 1;
  EXPECT_FALSE(check_consistency(old, now, proof));
}

}  // namespace
}  // namespace windlass::client
