// The anchoring process through hours of everything that goes wrong at random: forks, lost pools, nodes that
// lie or are gone, a ledger that answers late, crashes, rivals. What it may never do is checked at every send
// and at the end.
#include "tests/property/core_seeds.h"
#include "tests/seeded.h"
#include "tests/unit/anchoring_world.h"

namespace windlass::test {
namespace {

using anchoring::AnchorState;

constexpr std::uint64_t blocks_by_default = 9'000;  // of all seeds together: a few seconds
constexpr std::uint64_t blocks_of_a_seed = 1'000;

class Storm {
 public:
  explicit Storm(std::uint64_t seed) : random_(seed) {
    world_.scans = true;
    world_.worker_options.interval_ms = 60'000;
    world_.worker_options.every_entries = 50;
    world_.start();
    world_.network.on_send = [this](ByteView transaction) { check_send(transaction); };
    for (int i = 0; i < 4; ++i) owners_.push_back(SecretKey::generate());
  }

  void run(std::uint64_t blocks) {
    for (std::uint64_t i = 0; i < blocks && !::testing::Test::HasFailure(); ++i) {
      if (random_.one_in(4)) world_.ledger.add_entry();
      if (random_.one_in(4)) deposit();
      disturb();
      world_.tick();
      step_rival();
    }
    heal();
    settle();
  }

  void check_end() {
    // Every anchor that is said to have landed did, no other did, and none twice.
    auto memos = world_.landed_memos();
    std::set<std::string> landed(memos.begin(), memos.end());
    EXPECT_EQ(landed.size(), memos.size());
    EXPECT_EQ(memos.size(), world_.solidified_anchors());
    for (const auto& [id, anchor] : world_.tables.anchors)
      EXPECT_EQ(landed.contains(anchoring::anchor_memo(anchor.size, anchor.root)),
                anchor.state == AnchorState::solidified)
          << id;
    // Every deposit on the chain was credited, once, to its owner.
    auto expected = deposits_on_chain();
    EXPECT_EQ(world_.ledger.count(core::Kind::credit), expected.size());
    EXPECT_EQ(world_.tables.deposits.size(), expected.size());
    std::map<std::pair<PublicKey, std::uint32_t>, core::Amount> owed;
    for (const auto& deposit : expected) owed[{deposit.owner, deposit.asset}] += deposit.amount;
    for (const auto& [of, amount] : owed) EXPECT_EQ(world_.ledger.available(of.first, of.second), amount);
    std::cout << world_.tables.anchors.size() << " anchors (" << world_.solidified_anchors() << " landed), "
              << expected.size() << " deposits, " << crashes_ << " crashes\n";
  }

 private:
  struct OnChain {
    PublicKey owner;
    std::uint32_t asset;
    core::Amount amount;
  };

  void deposit() {
    const auto& owner = owners_[random_.below(owners_.size())];
    std::string token = random_.one_in(2) ? "1002000" : "";
    std::string memo = random_.one_in(4) ? "" : to_hex(owner.public_key());
    world_.deposit(static_cast<std::int64_t>(1 + random_.below(1000)), token, memo);
  }

  // Each fault lasts for some blocks; several may hold at once.
  void disturb() {
    if (random_.one_in(12)) world_.chain.fork(1 + static_cast<std::int64_t>(random_.below(25)));
    if (random_.one_in(20)) world_.chain.lose_pool();
    if (random_.one_in(100)) world_.clock.advance(static_cast<std::int64_t>(random_.below(20 * 60 * 1000)));
    if (random_.one_in(25)) {
      world_.crashes.arm(1 + static_cast<int>(random_.below(25)));
      ++crashes_;
    }
    if (random_.one_in(60)) world_.network.reachable = false;
    if (random_.one_in(40)) world_.network.swallow = some_answer();
    if (random_.one_in(80)) world_.network.hides_transactions = true;
    if (random_.one_in(60)) world_.ledger.reachable = false;
    if (random_.one_in(60)) world_.ledger.refuses_commands = true;
    if (random_.one_in(60)) world_.ledger.loses_answers = true;
    if (random_.one_in(100)) take_over();
    if (random_.one_in(random_.one_in(5) ? 200 : 6)) heal();  // some last long
  }

  void heal() {
    world_.crashes.disarm();
    world_.network.reachable = true;
    world_.network.swallow.reset();
    world_.network.hides_transactions = false;
    world_.ledger.reachable = true;
    world_.ledger.refuses_commands = false;
    world_.ledger.loses_answers = false;
  }

  tron::BroadcastAnswer some_answer() {
    constexpr int codes[] = {0, 1, 2, 4, 5, 6, 8, 9, 10, 11, 12, 20};
    int code = codes[random_.below(std::size(codes))];
    return {code == 0, code, random_.one_in(2) ? "P2P broadcast failed." : ""};
  }

  // A second process starts while the first still believes that it is alone.
  void take_over() {
    rival_store_ = std::move(world_.store);
    rival_worker_ = std::move(world_.worker);
    rival_scanner_ = std::move(world_.scanner);
    world_.start();
  }

  void step_rival() {
    if (!rival_worker_) return;
    try {
      static_cast<void>(rival_worker_->step());
      static_cast<void>(rival_scanner_->step());
    } catch (const anchoring::Fenced&) {
      rival_worker_.reset();
    } catch (const Crash&) {
      rival_worker_.reset();
    }
  }

  // Two transactions that could both land must never be out at the same time.
  void check_send(ByteView transaction) {
    auto parsed = *tron::parse_transaction(transaction);
    const auto* solid = world_.chain.block(world_.chain.solidified());
    for (const auto& [txid, expiration_ms] : sent_) {
      if (txid == parsed.txid) continue;
      auto place = world_.chain.find(txid);
      bool landed = place && place->block <= solid->ref.number;
      bool dead = !place && solid->ref.timestamp_ms >= expiration_ms;
      EXPECT_TRUE(landed || dead) << to_hex(txid) << " may still land";
    }
    sent_[parsed.txid] = parsed.expiration_ms;
    // And what is sent was saved before.
    bool saved = false;
    for (const auto& [id, anchor] : world_.tables.anchors) saved = saved || anchor.transaction == transaction;
    EXPECT_TRUE(saved);
  }

  void settle() {
    auto settled = [&] {
      const auto& anchors = world_.tables.anchors;
      bool anchored = !anchors.empty() && anchors.rbegin()->second.state == AnchorState::solidified &&
                      anchors.rbegin()->second.size == world_.ledger.size();
      std::int64_t last_deposit = 0;
      for (const auto& [txid, deposit] : world_.tables.deposits)
        last_deposit = std::max(last_deposit, static_cast<std::int64_t>(deposit.at.block));
      return anchored && world_.tables.cursor && world_.tables.cursor->number == world_.chain.solidified() &&
             world_.chain.pool_size() == 0 && world_.chain.solidified() > last_deposit + solid_after;
    };
    ASSERT_TRUE(world_.tick_until(settled, 2'000)) << (world_.problems.empty() ? "" : world_.problems.back());
  }

  std::vector<OnChain> deposits_on_chain() {
    std::vector<OnChain> found;
    devchain::DevChainClient client(world_.chain);
    for (std::int64_t number = 1; number <= world_.chain.solidified(); ++number) {
      auto block = client.block(number);
      for (const auto& transaction : (*block)->transactions) {
        const auto& transfer = std::get<tron::TransferContract>(transaction.contract);
        if (transfer.to != world_.custody || transfer.owner == world_.worker->address()) continue;
        auto owner =
            transaction.memo.empty() ? world_.payer.public_key() : *to_array<33>(*from_hex(transaction.memo));
        found.push_back({owner, transfer.token_id.empty() ? trx : btt, transfer.amount});
      }
    }
    return found;
  }

  Seeded random_;
  World world_;
  std::vector<SecretKey> owners_;
  std::map<Hash, std::int64_t> sent_;  // txid, expiration
  std::unique_ptr<anchoring::Store> rival_store_;
  std::unique_ptr<anchoring::Worker> rival_worker_;
  std::unique_ptr<anchoring::Scanner> rival_scanner_;
  int crashes_ = 0;
};

TEST(AnchoringProperty, LandsEachAnchorAndCreditsEachDepositOnceWhateverHappens) {
  for (auto seed : property_seeds(blocks_by_default, blocks_of_a_seed)) {
    Storm storm(seed);
    storm.run(blocks_of_a_seed);
    if (HasFailure()) return;
    storm.check_end();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace windlass::test
