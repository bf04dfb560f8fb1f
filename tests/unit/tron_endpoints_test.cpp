// Several nodes as one: whom it believes when they differ, and whom it asks when they fail.
#include "anchoring/tron/endpoints.h"
#include "tests/unit/devchain_fixture.h"

namespace windlass::tron {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Condition = Endpoints::Condition;

Hash hash_of(const std::string& text) {
  return sha256(text);
}

// A node that holds blocks 0..solid as solidified and `ahead` more; of branch "" unless told otherwise.
class FakeNode final : public Chain {
 public:
  BlockRef ref(std::int64_t number) const {
    return {number, hash_of(branch_at(number) + std::to_string(number)), number * 3000};
  }
  Block make(std::int64_t number) const {
    Block block{ref(number), ref(number - 1).id, {}};
    for (const auto& [txid, at] : included)
      if (at == number && branch_at(number).empty()) {
        block.transactions.emplace_back();
        block.transactions.back().txid = txid;
      }
    return block;
  }
  template <typename T>
  ChainResult<T> answer(T value) {
    ++calls;
    if (silent) return tl::unexpected(ChainError{ChainError::Kind::deadline, "deadline"});
    if (forges) return tl::unexpected(ChainError{ChainError::Kind::forged, "txTrieRoot is another"});
    return value;
  }

  ChainResult<BlockRef> head() override { return answer(ref(solid + ahead)); }
  ChainResult<BlockRef> solidified_head() override { return answer(ref(claims.value_or(solid))); }
  ChainResult<std::optional<Block>> solidified_block(std::int64_t number) override {
    return answer(empty || number > solid ? std::nullopt : std::optional(make(number)));
  }
  ChainResult<std::optional<Block>> block(std::int64_t number) override {
    return answer(number > solid + ahead ? std::nullopt : std::optional(make(number)));
  }
  ChainResult<std::optional<std::int64_t>> inclusion(const Hash& txid, bool) override {
    auto found = included.find(txid);
    return answer(found == included.end() || empty ? std::nullopt : std::optional(found->second));
  }
  ChainResult<BroadcastAnswer> broadcast(ByteView) override {
    ++broadcasts;
    return answer(broadcast_answer);
  }
  ChainResult<AccountState> account(const Address&) override {
    return answer(AccountState{true, balance, {}, 0});
  }
  ChainResult<abi::Uint128> solidified_balance(const Address&, const std::string&) override {
    return answer(static_cast<abi::Uint128>(balance));
  }
  ChainResult<ChainParameters> parameters() override { return answer(ChainParameters{}); }
  ChainResult<std::optional<Execution>> execution(const Hash&, bool) override {
    return answer(std::optional<Execution>());
  }
  ChainResult<std::vector<Execution>> executions(std::int64_t number) override {
    std::vector<Execution> done;
    if (!empty)
      for (const auto& transaction : make(number).transactions)
        done.push_back({.txid = transaction.txid,
                        .block = number,
                        .fee_sun = fee_sun,
                        .result = result,
                        .failed = failed,
                        .logs = logs});
    return answer(done);
  }
  ChainResult<ConstantCall> call_constant(const ContractCall&) override { return answer(ConstantCall{}); }

  std::int64_t solid = 100, ahead = 19, balance = 7;
  std::optional<std::int64_t> claims;  // another solidified head than it has
  std::string branch;                  // its blocks from `branches_at` on are others
  std::int64_t branches_at = 0;
  bool silent = false, empty = false, forges = false;
  std::int64_t fee_sun = 0;
  std::map<Hash, std::int64_t> included;
  BroadcastAnswer broadcast_answer{true, 0, ""};
  int calls = 0, broadcasts = 0;
  int result = 1;
  bool failed = false;
  std::vector<ContractLog> logs;

 private:
  std::string branch_at(std::int64_t number) const { return number >= branches_at ? branch : std::string(); }
};

class TronEndpoints : public ::testing::Test {
 protected:
  void use(std::size_t count, std::size_t min_agreeing = 0) {
    std::vector<Endpoints::Endpoint> endpoints;
    for (std::size_t i = 0; i < count; ++i)
      endpoints.push_back({std::string(1, static_cast<char>('a' + i)), &nodes[i]});
    EndpointsOptions options;
    options.min_agreeing = min_agreeing;
    options.on_change = [this](std::string_view name, std::string_view condition, const std::string& why) {
      changes.push_back(std::string(name) + " " + std::string(condition));
      whys.push_back(why);
    };
    options.on_disagreement = [this] { ++disagreements; };
    options.on_contradiction = [this](std::string_view name) { contradictions += name; };
    chain = std::make_unique<Endpoints>(clock, std::move(endpoints), options);
  }
  std::string error_of_block(std::int64_t number) {
    auto block = chain->solidified_block(number);
    return block ? "" : block.error().message;
  }
  BlockId id_of_block(std::int64_t number) {
    auto block = chain->solidified_block(number);
    EXPECT_TRUE(block && *block) << (block ? "none" : block.error().message);
    return block && *block ? (*block)->ref.id : BlockId{};
  }
  BlockId right(std::int64_t number) const { return FakeNode().ref(number).id; }

  devchain::TestClock clock{1'790'000'000'000};
  FakeNode nodes[5];
  std::unique_ptr<Endpoints> chain;
  std::vector<std::string> changes, whys;
  std::string contradictions;  // names
  int disagreements = 0;
};

TEST_F(TronEndpoints, WantAMajorityUnlessToldOtherwise) {
  use(1);
  EXPECT_EQ(chain->min_agreeing(), 1u);
  use(2);
  EXPECT_EQ(chain->min_agreeing(), 2u);
  use(3);
  EXPECT_EQ(chain->min_agreeing(), 2u);
  use(5);
  EXPECT_EQ(chain->min_agreeing(), 3u);
  use(3, 3);
  EXPECT_EQ(chain->min_agreeing(), 3u);
}

TEST_F(TronEndpoints, NameTheHeadThatEnoughNodesHaveReached) {
  use(3);
  nodes[0].solid = 1'000'000;  // is alone with that
  nodes[1].solid = 98;
  EXPECT_EQ(chain->head()->number, 119);
  EXPECT_EQ(chain->solidified_head()->number, 100);
  EXPECT_EQ(chain->solidified_head()->id, right(100));
}

TEST_F(TronEndpoints, NeverTakeASolidifiedHeadBack) {
  use(3);
  EXPECT_EQ(chain->solidified_head()->number, 100);
  for (auto& node : nodes) node.solid = 90;
  EXPECT_EQ(chain->solidified_head()->number, 100);
}

TEST_F(TronEndpoints, ReadFromNobodyWhoLagsUntilItHasCaughtUp) {
  use(3);
  nodes[0].solid = 50;
  EXPECT_EQ(chain->head()->number, 119);
  EXPECT_EQ(chain->condition(0), Condition::lagging);
  EXPECT_EQ(id_of_block(100), right(100));
  EXPECT_EQ(chain->reading_from(), 1u);
  EXPECT_EQ(chain->account({})->balance_sun, 7);
  nodes[0].solid = 100;
  static_cast<void>(chain->head());
  EXPECT_EQ(chain->condition(0), Condition::good);
  EXPECT_THAT(changes, ElementsAre("a lagging", "a good"));
  EXPECT_EQ(id_of_block(99), right(99));
  EXPECT_EQ(chain->reading_from(), 1u) << "stays where it is";
}

TEST_F(TronEndpoints, AskAnotherNodeThanOneThatIsSilentAndTryItAgainLater) {
  use(3);
  nodes[0].silent = true;
  EXPECT_EQ(id_of_block(5), right(5));
  EXPECT_EQ(chain->reading_from(), 1u);
  EXPECT_EQ(nodes[0].calls, 1);
  EXPECT_EQ(id_of_block(6), right(6));
  EXPECT_EQ(chain->head()->number, 119);
  EXPECT_EQ(nodes[0].calls, 1) << "is in backoff";
  clock.advance(first_backoff_ms);
  static_cast<void>(chain->head());
  EXPECT_EQ(nodes[0].calls, 2);
  clock.advance(first_backoff_ms);
  static_cast<void>(chain->head());
  EXPECT_EQ(nodes[0].calls, 2) << "for longer the second time";
  nodes[0].silent = false;
  clock.advance(first_backoff_ms);
  static_cast<void>(chain->head());
  EXPECT_EQ(chain->condition(0), Condition::good);
}

TEST_F(TronEndpoints, ProveNothingWhenTooFewAnswer) {
  use(3);
  nodes[0].silent = nodes[2].silent = true;
  EXPECT_THAT(error_of_block(5), HasSubstr("too few TRON nodes confirm"));
  EXPECT_FALSE(chain->head());
  EXPECT_FALSE(chain->solidified_head());
  nodes[2].silent = false;
  EXPECT_EQ(id_of_block(5), right(5)) << "although it is in backoff";
}

TEST_F(TronEndpoints, WaitWhereTheOthersDoNotHaveABlockYet) {
  use(3);
  nodes[0].solid = 101;
  auto block = chain->solidified_block(101);
  ASSERT_TRUE(block) << block.error().message;
  EXPECT_FALSE(*block);
  nodes[1].solid = 101;
  EXPECT_EQ(id_of_block(101), right(101));
}

TEST_F(TronEndpoints, SetAsideANodeThatContradictsTheOthers) {
  use(3);
  nodes[0].branch = "lie";
  nodes[0].branches_at = 50;
  EXPECT_EQ(id_of_block(49), right(49));
  EXPECT_EQ(chain->reading_from(), 0u);
  EXPECT_EQ(id_of_block(50), right(50));
  EXPECT_EQ(chain->reading_from(), 1u);
  EXPECT_EQ(chain->condition(0), Condition::set_aside);
  EXPECT_THAT(changes, ElementsAre("a set_aside"));
  EXPECT_THAT(whys.back(), HasSubstr("solidified block 50"));
  int calls = nodes[0].calls;
  static_cast<void>(chain->head());
  static_cast<void>(chain->broadcast("x"));
  EXPECT_EQ(nodes[0].calls, calls) << "is asked no more";
  clock.advance(EndpointsOptions().set_aside_ms);
  static_cast<void>(chain->head());
  EXPECT_EQ(chain->condition(0), Condition::good) << "for an hour";
}

TEST_F(TronEndpoints, NoticeAContradictionOfALaterAgreement) {
  use(3);
  nodes[2].branch = "lie";  // is not needed to agree
  EXPECT_EQ(id_of_block(50), right(50));
  EXPECT_EQ(chain->condition(2), Condition::good);
  nodes[0].silent = nodes[1].silent = true;
  EXPECT_NE(error_of_block(50), "");
  EXPECT_EQ(chain->condition(2), Condition::set_aside);
}

TEST_F(TronEndpoints, SetAsideANodeThatContradictsItself) {
  use(2, 1);
  EXPECT_EQ(chain->min_agreeing(), 1u);
  nodes[1].silent = true;
  ASSERT_EQ(id_of_block(60), right(60));
  nodes[0].branch = "lie";
  EXPECT_NE(error_of_block(59), "") << "the parent of 60 was another";
  EXPECT_EQ(chain->condition(0), Condition::set_aside);
}

TEST_F(TronEndpoints, DoNothingWhereTwoDisagree) {
  use(2);
  nodes[1].branch = "lie";
  nodes[1].branches_at = 50;
  EXPECT_EQ(id_of_block(49), right(49));
  EXPECT_THAT(error_of_block(50), HasSubstr("disagree"));
  EXPECT_THAT(changes, IsEmpty()) << "nobody can tell which of them is wrong";
}

TEST_F(TronEndpoints, PassOverANodeThatHasNothingOfWhatItClaims) {
  use(3);
  nodes[0].empty = true;
  nodes[0].claims = 100;
  EXPECT_EQ(chain->solidified_head()->number, 100) << "two others have it";
  EXPECT_EQ(id_of_block(100), right(100));
  EXPECT_EQ(id_of_block(70), right(70));
  EXPECT_NE(chain->reading_from(), 0u);
}

TEST_F(TronEndpoints, BelieveAnInclusionOnlyWithItsBlock) {
  use(3);
  Hash there = hash_of("there"), nowhere = hash_of("nowhere");
  for (auto& node : nodes) node.included[there] = 40;
  nodes[0].included[nowhere] = 41;
  nodes[0].branches_at = 41;
  nodes[0].branch = "lie";
  EXPECT_EQ(chain->inclusion(there, true).value(), 40);
  EXPECT_EQ(chain->inclusion(nowhere, true).value(), std::nullopt);
  EXPECT_EQ(chain->condition(0), Condition::set_aside);
}

// It could keep every transaction from being sent.
TEST_F(TronEndpoints, DoNotBelieveASingleNodeThatATransactionIsIncluded) {
  use(3);
  Hash txid = hash_of("nowhere");
  nodes[1].included[txid] = 110;
  EXPECT_EQ(chain->inclusion(txid, false).value(), std::nullopt);
  nodes[2].included[txid] = 111;
  EXPECT_EQ(chain->inclusion(txid, false).value(), 110);
}

TEST_F(TronEndpoints, FindAnInclusionThatTheFirstNodeHides) {
  use(3);
  Hash txid = hash_of("there");
  for (auto& node : nodes) node.included[txid] = 40;
  nodes[0].empty = true;
  EXPECT_TRUE(chain->solidified_head());
  EXPECT_EQ(chain->inclusion(txid, false).value(), 40);
  EXPECT_EQ(chain->inclusion(txid, true).value(), 40);
}

// No block id covers them.
TEST_F(TronEndpoints, BelieveResultsThatEnoughNodesTell) {
  use(3);
  Hash txid = hash_of("there");
  for (auto& node : nodes) node.included[txid] = 40;
  nodes[0].result = 2;
  nodes[1].silent = true;
  EXPECT_FALSE(chain->executions(40)) << "one against one";
  nodes[1].silent = false;
  ASSERT_TRUE(chain->executions(40));
  EXPECT_EQ(chain->executions(40)->at(0).result, 1);
  EXPECT_EQ(chain->execution(txid, true).value()->result, 1);
  EXPECT_EQ(chain->condition(0), Condition::set_aside);
  nodes[1].empty = nodes[2].empty = true;
  EXPECT_FALSE(chain->executions(40)) << "what is empty is not there yet";
}

// Bytes that move from one field of a log to another are another log.
TEST_F(TronEndpoints, TellLogsApartByEveryField) {
  use(2);
  Hash txid = hash_of("there");
  for (auto& node : nodes) node.included[txid] = 40;
  const ContractLog log{Address{{0x41}}, {std::string(32, '\0'), std::string(32, '\0')}, "data"};
  nodes[0].logs = nodes[1].logs = {log};
  ASSERT_TRUE(chain->executions(40));
  EXPECT_EQ(chain->executions(40)->at(0).logs.size(), 1u);
  ContractLog other = log;
  other.topics = {std::string(64, '\0')};
  nodes[1].logs = {other};
  EXPECT_FALSE(chain->executions(40));
  nodes[1].logs = {log};
  nodes[1].failed = true;
  EXPECT_FALSE(chain->executions(40));
}

TEST_F(TronEndpoints, SendToEveryNodeAndCountTheBestAnswer) {
  use(3);
  nodes[0].broadcast_answer = {false, 6, "Tapos check error."};
  nodes[1].silent = true;
  nodes[2].broadcast_answer = {false, 5, "Dup transaction."};
  EXPECT_EQ(chain->broadcast("x")->code, 5);
  nodes[1].silent = false;
  clock.advance(first_backoff_ms);
  EXPECT_TRUE(chain->broadcast("x")->result);
  for (int i : {0, 1, 2}) EXPECT_EQ(nodes[i].broadcasts, 2);
  for (auto& node : nodes) node.silent = true;
  EXPECT_FALSE(chain->broadcast("x"));
}

TEST_F(TronEndpoints, SetAsideWhoGivesAForgedBlock) {
  use(3);
  nodes[0].forges = true;
  EXPECT_EQ(id_of_block(100), right(100));
  EXPECT_EQ(chain->condition(0), Condition::set_aside);
  EXPECT_THAT(whys[0], HasSubstr("txTrieRoot"));
  EXPECT_THAT(contradictions, IsEmpty()) << "it is counted where it was found";
  nodes[0].forges = false;
  clock.advance(EndpointsOptions().set_aside_ms);
  EXPECT_EQ(id_of_block(99), right(99));
  EXPECT_EQ(chain->condition(0), Condition::good);
}

TEST_F(TronEndpoints, OfTwoBelieveNeitherWhenOneIsSetAside) {
  use(2);
  nodes[1].forges = true;
  EXPECT_THAT(error_of_block(100), HasSubstr("needs 2 TRON nodes that agree; the others are set aside"));
  EXPECT_FALSE(chain->solidified_head());
  nodes[1].forges = false;
  clock.advance(EndpointsOptions().set_aside_ms);
  EXPECT_EQ(id_of_block(100), right(100));
}

TEST_F(TronEndpoints, TellWhoseWordWasContradicted) {
  use(3);
  nodes[1].branch = "forged";
  nodes[0].silent = true;
  EXPECT_EQ(error_of_block(100), "TRON nodes disagree about solidified block 100, and too few agree");
  EXPECT_EQ(disagreements, 1);
  nodes[0].silent = false;
  clock.advance(2 * longest_backoff_ms);
  EXPECT_EQ(id_of_block(100), right(100));
  EXPECT_EQ(contradictions, "b");
}

TEST_F(TronEndpoints, TakeNoFeeOnOneNodesWord) {
  use(3);
  Hash txid = hash_of("payment");
  for (auto& node : nodes) node.included[txid] = 100;
  nodes[0].fee_sun = 1;
  EXPECT_EQ(chain->executions(100)->at(0).fee_sun, 0);
  EXPECT_EQ(contradictions, "a");
}

}  // namespace
}  // namespace windlass::tron
