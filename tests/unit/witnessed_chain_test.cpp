// Blocks that must bear the super representatives' signatures: on a devchain with four producers, and on
// blocks that a real node made.
#include "anchoring/tron/witnessed_chain.h"

#include "anchoring/devchain/client.h"
#include "anchoring/tron/block.h"
#include "tests/unit/devchain_fixture.h"
#include "tests/unit/tron_vectors.h"
#include "tron/core.pb.h"
#include "tron/exact.pb.h"

namespace windlass::tron {
namespace {

using ::testing::HasSubstr;
using Kind = ChainError::Kind;

// A node of the devchain that changes what it gives of both views.
class ChangingNode final : public Chain {
 public:
  explicit ChangingNode(devchain::DevChain& chain) : client_(chain) {}
  ChainResult<BlockRef> head() override { return client_.head(); }
  ChainResult<BlockRef> solidified_head() override {
    auto head = client_.solidified_head();
    if (auto block = changed(client_.solidified_block(head->number)); change && *block) return (*block)->ref;
    return head;
  }
  ChainResult<std::optional<Block>> solidified_block(std::int64_t number) override {
    ++calls;
    return changed(client_.solidified_block(number));
  }
  ChainResult<std::optional<Block>> block(std::int64_t number) override {
    ++calls;
    return changed(client_.block(number));
  }
  ChainResult<std::optional<std::int64_t>> inclusion(const Hash& txid, bool solid) override {
    if (invents_inclusion) return client_.solidified_head()->number;
    return client_.inclusion(txid, solid);
  }
  ChainResult<BroadcastAnswer> broadcast(ByteView bytes) override { return client_.broadcast(bytes); }
  ChainResult<AccountState> account(const Address& address) override { return client_.account(address); }
  ChainResult<abi::Uint128> solidified_balance(const Address& holder, const std::string& token) override {
    return client_.solidified_balance(holder, token);
  }
  ChainResult<ChainParameters> parameters() override { return client_.parameters(); }
  ChainResult<std::optional<Execution>> execution(const Hash& txid, bool solid) override {
    return client_.execution(txid, solid);
  }
  ChainResult<std::vector<Execution>> executions(std::int64_t number) override {
    return client_.executions(number);
  }
  ChainResult<ConstantCall> call_constant(const ContractCall& call) override {
    return client_.call_constant(call);
  }

  std::function<void(Block&)> change;
  bool invents_inclusion = false;
  int calls = 0;

 private:
  ChainResult<std::optional<Block>> changed(ChainResult<std::optional<Block>> block) {
    if (change && block && *block) change(**block);
    return block;
  }
  devchain::DevChainClient client_;
};

// Of another header, which names the same witness; signed by `key`, or not at all.
void forge(Block& block, const SecretKey* key) {
  protocol::BlockHeader::raw raw;
  raw.ParseFromString(block.header);
  raw.set_timestamp(raw.timestamp() + 1);
  block.header = raw.SerializeAsString();
  block.ref.id = block_id(block.ref.number, block.header);
  if (key) block.witness_signature = view(key->sign_recoverable(sha256(block.header)));
}

class TronWitnessedChain : public ::testing::Test {
 protected:
  TronWitnessedChain() {
    for (int i = 0; i < 3; ++i) options_.more_witnesses.push_back(SecretKey::generate());
    options_.solid_after = 2;  // as devchain counts; the witnesses decide
    chain_ = std::make_unique<devchain::DevChain>(clock_, options_, std::vector<devchain::GenesisAccount>{},
                                                  first_);
    node_ = std::make_unique<ChangingNode>(*chain_);
    produce(20);
    use({0, 1, 2, 3});
  }
  void produce(int blocks) {
    for (int i = 0; i < blocks; ++i) {
      clock_.advance(3000);
      chain_->produce_block();
    }
  }
  const SecretKey& key(std::size_t number) const {
    return number == 0 ? first_ : options_.more_witnesses[number - 1];
  }
  // Lists those of the four, and `strangers` that produce nothing.
  void use(std::vector<std::size_t> listed, std::size_t least = 0, int strangers = 0) {
    WitnessRules rules{.least = least,
                       .on_forged = [this](const std::string& why) { forged_.push_back(why); }};
    for (auto number : listed) {
      auto address = address_of(key(number).public_key());
      rules.witnesses.push_back({address, address});
    }
    for (int i = 0; i < strangers; ++i) {
      auto address = address_of(SecretKey::generate().public_key());
      rules.witnesses.push_back({address, address});
    }
    witnessed_ = std::make_unique<WitnessedChain>(*node_, rules);
  }
  std::string forgery_in(std::int64_t number) {
    auto block = witnessed_->solidified_block(number);
    if (block || block.error().kind != Kind::forged) return "";
    return block.error().message;
  }

  devchain::TestClock clock_{1'790'000'001'000};
  devchain::Options options_;
  SecretKey first_ = SecretKey::generate();
  std::unique_ptr<devchain::DevChain> chain_;
  std::unique_ptr<ChangingNode> node_;
  std::unique_ptr<WitnessedChain> witnessed_;
  std::vector<std::string> forged_;
};

TEST_F(TronWitnessedChain, WantsMoreThanTwoThirdsUnlessToldOtherwise) {
  EXPECT_EQ(witnessed_->least(), 3u);
  use({0, 1, 2, 3}, 0, 23);
  EXPECT_EQ(witnessed_->least(), 19u);
  use({0, 1}, 1);
  EXPECT_EQ(witnessed_->least(), 1u);
}

TEST_F(TronWitnessedChain, GivesABlockOnceEnoughHaveSignedItOrOneAboveIt) {
  EXPECT_EQ(chain_->solidified(), 18);
  EXPECT_TRUE(witnessed_->solidified_block(18)->has_value()) << "18, 19 and 20 by three";
  EXPECT_EQ(witnessed_->solidified_head()->number, 18);
  use({0, 1, 2, 3}, 4);
  EXPECT_FALSE(witnessed_->solidified_block(18)->has_value());
  EXPECT_TRUE(witnessed_->solidified_block(17)->has_value());
  EXPECT_EQ(witnessed_->solidified_head()->number, 17);
  EXPECT_EQ(witnessed_->solidified_balance({}, "").error().kind, Kind::bad_answer);
  produce(1);
  EXPECT_TRUE(witnessed_->solidified_block(18)->has_value());
  EXPECT_TRUE(forged_.empty());
}

TEST_F(TronWitnessedChain, ReadsOneMoreBlockForEachThatItGives) {
  use({0, 1, 2, 3}, 4);
  ASSERT_TRUE(witnessed_->solidified_block(5)->has_value());
  int before = node_->calls;
  for (std::int64_t number = 6; number <= 15; ++number)
    ASSERT_TRUE(witnessed_->solidified_block(number)->has_value());
  EXPECT_EQ(node_->calls - before, 20);
}

TEST_F(TronWitnessedChain, RefusesABlockThatItsWitnessDidNotSign) {
  node_->change = [](Block& block) {
    if (block.ref.number == 10) forge(block, nullptr);
  };
  EXPECT_THAT(forgery_in(10), HasSubstr("was not signed by"));
  EXPECT_EQ(forged_.size(), 1u);
  auto stranger = SecretKey::generate();
  node_->change = [&](Block& block) {
    if (block.ref.number == 11) forge(block, &stranger);
  };
  EXPECT_THAT(forgery_in(11), HasSubstr("was not signed by"));
}

TEST_F(TronWitnessedChain, RefusesABlockWithAnothersHeader) {
  node_->change = [](Block& block) { block.ref.id.back() ^= 1; };
  EXPECT_THAT(forgery_in(10), HasSubstr("header's id"));
}

TEST_F(TronWitnessedChain, OneWitnessOnItsOwnConvincesNobody) {
  // It forges block 17 and all above it, in everybody's name that it has a key of.
  auto id = std::make_shared<BlockId>(chain_->block(16)->ref.id);
  node_->change = [this, id](Block& block) {
    if (block.ref.number < 17) return;
    protocol::BlockHeader::raw raw;
    raw.ParseFromString(block.header);
    raw.set_parenthash(std::string(view(block.ref.number == 17 ? chain_->block(16)->ref.id : *id)));
    raw.set_witness_address(std::string(view(address_of(first_.public_key()).bytes)));
    block.header = raw.SerializeAsString();
    block.parent = *to_array<32>(raw.parenthash());
    block.ref.id = *id = block_id(block.ref.number, block.header);
    block.witness_signature = view(first_.sign_recoverable(sha256(block.header)));
  };
  EXPECT_FALSE(witnessed_->solidified_block(17)->has_value());
}

TEST_F(TronWitnessedChain, TellsWhenWitnessesStayAwayForRounds) {
  use({0, 1}, 3, 2);  // two of the listed produce nothing
  EXPECT_FALSE(witnessed_->solidified_block(10)->has_value());
  produce(max_witnessed_span);
  EXPECT_THAT(forgery_in(10), HasSubstr("2 of the witnesses that tron.witnesses lists"));
}

TEST_F(TronWitnessedChain, FollowsAForkAboveWhatIsSolid) {
  use({0, 1, 2, 3}, 4);
  EXPECT_FALSE(witnessed_->solidified_block(18)->has_value());
  clock_.advance(30'000);  // other blocks in the place of 19 and 20
  chain_->fork(2);
  produce(3);
  EXPECT_FALSE(witnessed_->solidified_block(18)->has_value()) << "what was read before is dropped";
  EXPECT_TRUE(witnessed_->solidified_block(18)->has_value());
  EXPECT_TRUE(forged_.empty());
}

TEST_F(TronWitnessedChain, BelievesAnInclusionOnlyOfAProvenBlock) {
  node_->invents_inclusion = true;
  EXPECT_EQ(witnessed_->inclusion(Hash{}, true).error().kind, Kind::forged);
  EXPECT_EQ(*witnessed_->inclusion(Hash{}, false), 18) << "not final: nobody rests on it";
}

TEST_F(TronWitnessedChain, KnowsWhoSignsForAnotherAccount) {
  auto account = address_of(SecretKey::generate().public_key());
  auto signer = address_of(first_.public_key());
  EXPECT_EQ(parse_witness(to_base58(account) + "/" + to_base58(signer)), (Witness{account, signer}));
  EXPECT_EQ(parse_witness(to_base58(account)), (Witness{account, account}));
  for (const std::string& text : {std::string(), std::string("T"), to_base58(account) + "/",
                                  "/" + to_base58(signer), to_base58(account) + "=" + to_base58(signer)})
    EXPECT_FALSE(parse_witness(text)) << text;
  use({0});
  ASSERT_TRUE(witnessed_->solidified_head());
  WitnessRules rules{.witnesses = {{signer, account}}};
  WitnessedChain other(*node_, rules);
  EXPECT_EQ(other.solidified_head().error().kind, Kind::forged);
}

// The rule is java-tron's: its own blocks pass.
TEST(TronWitness, SignedTheCapturedBlocks) {
  int checked = 0;
  for (const auto& capture : test::load_vectors("blocks.json")) {
    exact::BlockExtention answer;
    ASSERT_TRUE(answer.ParseFromString(test::unhex(capture["response_hex"])));
    const auto& header = answer.block_header();
    protocol::BlockHeader::raw raw;
    ASSERT_TRUE(raw.ParseFromString(header.raw_data()));
    if (header.witness_signature().empty()) continue;  // the genesis block
    auto key = recover_key(header.witness_signature(), sha256(header.raw_data()));
    ASSERT_TRUE(key) << capture["name"];
    EXPECT_EQ(to_hex(view(address_of(*key).bytes)), to_hex(raw.witness_address())) << capture["name"];
    ++checked;
  }
  EXPECT_GT(checked, 0);
}

}  // namespace
}  // namespace windlass::tron
