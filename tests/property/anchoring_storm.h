// The anchoring process through everything that goes wrong at random, in virtual time: forks, transactions
// that vanish, move or fail, pools that drop, nodes that lag, lie or are gone, answers that are lost, prices
// that change, an empty wallet, an empty custody, a ledger that answers late, crashes, rivals; all the while
// it anchors, credits deposits (to addresses too, which it sweeps), pays withdrawals, and answers the clients
// of the historical ledger. A seed decides it all: the same seed is the same story.
#pragma once

#include "anchoring/tron/endpoints.h"
#include "anchoring/tron/witnessed_chain.h"
#include "tests/property/exchange_clients.h"
#include "tests/seeded.h"
#include "tests/unit/anchoring_world.h"

namespace windlass::test {

// The store of a process that may have been stopped after it read and before it writes: it acts on what it
// read then.
class StaleStore final : public anchoring::Store {
 public:
  explicit StaleStore(anchoring::MemoryTables& tables) : live_(tables) {}
  void freeze(const anchoring::MemoryTables& tables) {
    old_tables_ = tables;
    old_.emplace(old_tables_);
  }
  void thaw() { old_.reset(); }
  bool is_frozen() const { return old_.has_value(); }

  bool acquire() override { return live_.acquire(); }
  std::optional<anchoring::Anchor> open_anchor() override { return reading().open_anchor(); }
  std::optional<anchoring::Anchor> newest_solidified() override { return reading().newest_solidified(); }
  std::vector<anchoring::Anchor> newest_anchors(std::int64_t since_us, std::size_t limit) override {
    return reading().newest_anchors(since_us, limit);
  }
  std::int64_t add_anchor(const anchoring::Anchor& anchor) override { return live_.add_anchor(anchor); }
  void save_anchor(const anchoring::Anchor& anchor) override { live_.save_anchor(anchor); }
  std::optional<anchoring::BlockPlace> cursor() override { return reading().cursor(); }
  void save_cursor(const anchoring::BlockPlace& cursor, const anchoring::AddressChanges& changes) override {
    live_.save_cursor(cursor, changes);
  }
  std::map<tron::Address, anchoring::DepositAddress> deposit_addresses(
      const std::set<tron::Address>& of) override {
    return reading().deposit_addresses(of);
  }
  anchoring::AddressTotals address_totals() override { return reading().address_totals(); }
  std::vector<anchoring::Holding> holdings(core::AssetId asset, core::ChainAmount minimum,
                                           std::size_t limit) override {
    return reading().holdings(asset, minimum, limit);
  }
  std::vector<anchoring::Sweep> open_sweeps() override { return reading().open_sweeps(); }
  void add_sweep(const anchoring::Sweep& sweep) override { live_.add_sweep(sweep); }
  void save_sweep(const anchoring::Sweep& sweep) override { live_.save_sweep(sweep); }
  std::optional<anchoring::Deposit> deposit(const Hash& transaction_id, std::uint32_t log) override {
    return reading().deposit(transaction_id, log);
  }
  void save_deposit(const anchoring::Deposit& deposit) override { live_.save_deposit(deposit); }
  std::map<core::AssetId, core::ChainAmount> deposited_since(std::int64_t since_us) override {
    return reading().deposited_since(since_us);
  }
  std::vector<anchoring::Payment> open_payments() override { return reading().open_payments(); }
  std::optional<anchoring::Payment> newest_payment(core::ChannelId withdrawal) override {
    return reading().newest_payment(withdrawal);
  }
  std::map<core::AssetId, core::ChainAmount> paid_since(std::int64_t since_us) override {
    return reading().paid_since(since_us);
  }
  std::map<core::AssetId, core::ChainAmount> signed_since(std::int64_t since_us) override {
    return reading().signed_since(since_us);
  }
  void add_payment(const anchoring::Payment& payment) override { live_.add_payment(payment); }
  void save_payment(const anchoring::Payment& payment) override { live_.save_payment(payment); }
  void publish_terms(const std::vector<anchoring::PublishedTerms>& terms) override {
    live_.publish_terms(terms);
  }
  std::vector<anchoring::ExchangeDeposit> open_exchange_deposits() override {
    return reading().open_exchange_deposits();
  }
  std::optional<anchoring::ExchangeDeposit> exchange_deposit(std::int64_t id) override {
    return reading().exchange_deposit(id);
  }
  std::optional<anchoring::ExchangeDeposit> exchange_deposit(const PublicKey& user,
                                                             std::int64_t out_tx_id) override {
    return reading().exchange_deposit(user, out_tx_id);
  }
  std::int64_t add_exchange_deposit(const anchoring::ExchangeDeposit& deposit) override {
    return live_.add_exchange_deposit(deposit);
  }
  void save_exchange_deposit(const anchoring::ExchangeDeposit& deposit) override {
    live_.save_exchange_deposit(deposit);
  }
  void drop_exchange_deposit(std::int64_t id) override { live_.drop_exchange_deposit(id); }
  std::vector<anchoring::ExchangeWithdrawal> open_exchange_withdrawals() override {
    return reading().open_exchange_withdrawals();
  }
  std::optional<anchoring::ExchangeWithdrawal> exchange_withdrawal(std::int64_t id) override {
    return reading().exchange_withdrawal(id);
  }
  std::optional<anchoring::ExchangeWithdrawal> exchange_withdrawal(const PublicKey& user,
                                                                   std::int64_t out_tx_id) override {
    return reading().exchange_withdrawal(user, out_tx_id);
  }
  std::optional<anchoring::ExchangeWithdrawal> exchange_withdrawal(core::ChannelId channel) override {
    return reading().exchange_withdrawal(channel);
  }
  std::int64_t add_exchange_withdrawal(const anchoring::ExchangeWithdrawal& withdrawal) override {
    return live_.add_exchange_withdrawal(withdrawal);
  }
  void save_exchange_withdrawal(const anchoring::ExchangeWithdrawal& withdrawal) override {
    live_.save_exchange_withdrawal(withdrawal);
  }
  void drop_exchange_withdrawal(std::int64_t id) override { live_.drop_exchange_withdrawal(id); }
  anchoring::Controls controls() override { return reading().controls(); }
  void save_stopped() override { live_.save_stopped(); }

 private:
  anchoring::Store& reading() { return old_ ? *old_ : live_; }

  anchoring::MemoryStore live_;
  anchoring::MemoryTables old_tables_;
  std::optional<anchoring::MemoryStore> old_;
};

class Storm {
 public:
  explicit Storm(std::uint64_t seed);

  // The storm, then calm until all is settled; then what may never be is checked.
  void run();
  // Of all that happened.
  Hash trace();

  struct Figures {
    std::uint64_t anchors = 0, landed = 0, deposits = 0, withdrawals = 0, crashes = 0, blocks = 0;
    std::map<std::string, std::uint64_t> outcomes;  // of the worker's steps
    std::map<std::string, std::uint64_t> payments;  // of the payer's
    std::map<std::string, std::uint64_t> sweeps;    // of the sweeper's
    std::map<std::string, std::uint64_t> exchange;  // of its clients
    std::map<std::string, std::uint64_t> faults;    // by name: how often they began
    void add(const Figures& other);
  };
  const Figures& figures() const { return figures_; }

 private:
  // Begins at random, lasts for a while. A seed knows some kinds of fault and not others, so that each is
  // also seen without the rest.
  struct Fault {
    std::string name;
    std::uint64_t begins_one_in = 1;
    std::function<void()> begin, end;  // without an end it is a single event
    bool active = false;
  };
  struct OnChain {
    PublicKey owner;
    std::uint32_t asset;
    core::Amount amount;
  };

  // What left for a node. Of one purpose, only one may land.
  struct Sent {
    core::ChannelId withdrawal;  // that it pays; of an anchor 0
    std::int64_t expiration_ms;
    std::optional<tron::Address> swept;  // of a sweep: the deposit address
    bool of_client;                      // what a client signed
  };

  // Of custody on the chain, at the end.
  struct Moves {
    std::map<core::ChannelId, int> paid;  // how often
    // Beside deposits and payments: its genesis, what anchors bring, what somebody else took.
    core::Amount more_btt = 0, more_sun = 1'000'000;
    std::int64_t sweep_fees_sun = 0;
  };

  static WorldOptions world_options(Seeded& random);
  void deploy();
  void fund();
  void connect();
  void set_ceilings();
  std::unique_ptr<tron::WitnessedChain> held_to_witnesses(TestChain& node);
  void add_faults();
  void add_chain_faults();
  void add_node_faults(TestChain& node, bool may_lie);
  void add_lies(TestChain& node, bool may_lie);
  void invent_logs(std::vector<tron::Execution>& executions);
  void add_process_faults();
  void add_fault(std::string name, std::uint64_t begins_one_in, std::function<void()> begin,
                 std::function<void()> end = {});
  void disturb();
  void heal();
  void tick(std::int64_t after_ms);
  std::int64_t next_step_ms();

  void deposit();
  void deposit_at_address(const PublicKey& owner);
  void withdraw();
  void refill();
  void empty_custody();
  void fill_custody();
  tron::BroadcastAnswer some_answer();
  devchain::DevChain::Fate fate(const Hash& txid, std::int64_t at_ms);
  void hide_transactions(bool hidden);
  void take_over();
  void step_rival();
  void ask_exchange();
  bool is_of_client(const tron::ChainTransaction& transaction) const;

  void check_send(ByteView transaction);
  void check_alone(const tron::ChainTransaction& sent, const Sent& of);
  void check_anchor(ByteView transaction, const tron::ChainTransaction& parsed);
  core::ChannelId check_payment(ByteView transaction, const tron::ChainTransaction& parsed);
  bool is_payment(const tron::ChainTransaction& transaction) const;
  // Of a sweep, or of TRX for one.
  std::optional<tron::Address> swept(const tron::ChainTransaction& transaction) const;
  void check_sweep(ByteView transaction, const tron::ChainTransaction& parsed) const;
  void check_holdings();
  void check_paid(const tron::ChainTransaction& parsed, const core::Channel& withdrawal) const;
  void check_block();
  void check_deposits();
  void check_ceilings() const;
  void check_payments();
  void check_fees();
  void check_fee(const anchoring::Payment& payment) const;
  void settle();
  void deposit_in_calm();
  void check_end();
  void check_anchors();
  void check_balances();
  void check_custody();
  Moves moves_of_custody();
  core::Int128 stands_at_addresses(std::uint32_t asset) const;
  bool is_settled();
  bool is_paid_out();
  bool is_anchored_and_scanned();
  bool waits_for_tomorrow();
  bool waits_for_clients();
  std::int64_t calm_step();
  std::vector<OnChain> deposits_on_chain();
  std::optional<std::pair<std::uint32_t, core::Amount>> moved_to_custody(
      const tron::ChainTransaction& transaction) const;

  Seeded random_;
  World world_;
  std::vector<std::unique_ptr<TestChain>> more_nodes_;  // beside world_.network
  std::vector<Fault> faults_;
  std::uint64_t lasts_ = 6;  // blocks, on average
  bool permanent_liar_ = false;
  bool witnessed_ = false;      // the witnesses' signatures count
  bool tight_ceiling_ = false;  // of a single node
  std::vector<std::unique_ptr<tron::WitnessedChain>> witnessed_chains_;
  std::set<std::pair<Hash, std::uint32_t>> invented_;  // deposits that a single node told of contracts' logs
  bool uncertain_fates_ = false;
  bool last_moments_ = false, hidden_last_moments_ = false;
  std::map<Hash, Sent> sent_;
  std::map<Hash, std::int64_t> last_moment_;  // those that land at their expiration, if at all
  std::set<Hash> checked_deposits_, checked_payments_, checked_fees_;
  bool pays_tokens_ = false;                          // TRC-20 too
  bool poor_gateway_ = false;                         // it can bear the fees of one or two payments at a time
  std::map<core::ChannelId, PublicKey> withdrawals_;  // and who asked for them
  std::set<Hash> taken_;                              // transfers by which somebody else empties custody
  std::int64_t healed_at_ = 0;                        // block
  std::vector<SecretKey> owners_;
  std::map<PublicKey, tron::Address> addresses_;  // of owners, where there are deposit addresses
  std::unique_ptr<ExchangeClients> clients_;      // where there is an Exchange
  std::unique_ptr<anchoring::Store> rival_store_;
  std::uint64_t rival_sleeps_ = 0;  // blocks
  std::unique_ptr<tron::Chain> rival_connection_;
  std::unique_ptr<anchoring::Worker> rival_worker_;
  std::unique_ptr<anchoring::Scanner> rival_scanner_;
  std::unique_ptr<anchoring::Payer> rival_gateway_;
  std::unique_ptr<anchoring::Sweeper> rival_sweeper_;
  std::unique_ptr<anchoring::Exchange> rival_exchange_;
  Figures figures_;
};

}  // namespace windlass::test
