// A ledger, a chain and an anchoring process in one thread, in virtual time, each of which can be made to
// fail: what the tests of the anchoring worker and of the deposit scanner live in.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "anchoring/contract/anchor_contract.h"
#include "anchoring/devchain/client.h"
#include "anchoring/exchange/exchange.h"
#include "anchoring/gateway/payer.h"
#include "anchoring/gateway/scanner.h"
#include "anchoring/gateway/sweeper.h"
#include "anchoring/memory_store.h"
#include "anchoring/tron/transaction.h"
#include "anchoring/worker/worker.h"
#include "crypto/bip32.h"
#include "ledger/codec/entry.h"
#include "tests/unit/devchain_fixture.h"

namespace windlass::test {

using anchoring::LedgerResult;
using core::Sequence;
using devchain::TestClock;

// 32 bytes that nobody expects: the system's, or those of a seed.
using Entropy = std::function<ByteArray<32>()>;
inline SecretKey key_from(const Entropy& entropy) {
  return *SecretKey::from_bytes(view(entropy()));
}

// What a process that dies throws.
struct Crash {};

// Dies at the nth place where it could matter: before or after anything that leaves the process.
class CrashPoints {
 public:
  void arm(int nth) { left_ = nth; }
  void disarm() { left_ = -1; }
  // Whether the armed one was reached.
  bool fired() const { return left_ == 0; }
  void pass() {
    if (left_ > 0 && --left_ == 0) throw Crash{};
  }

 private:
  int left_ = -1;
};

// The rules of the real ledger (codec, core, log) without server, journal or network.
class TestLedger final : public anchoring::LedgerClient {
 public:
  TestLedger(const Clock& clock, CrashPoints& crashes, Entropy entropy);

  LedgerResult<anchoring::LedgerInfo> info() override;
  LedgerResult<std::vector<core::Asset>> assets() override { return state_.globals.assets; }
  LedgerResult<std::vector<core::AssetTotals>> totals() override { return state_.globals.totals; }
  LedgerResult<anchoring::EntryInfo> entry(Sequence sequence) override;
  LedgerResult<Sequence> execute(const codec::Envelope& envelope) override;
  LedgerResult<std::string> checkpoint(std::uint64_t minimum_size) override;
  LedgerResult<log::Proof> consistency_proof(std::uint64_t old_size, std::uint64_t size) override;
  LedgerResult<std::vector<anchoring::OpenWithdrawal>> open_withdrawals(const SecretKey& gateway,
                                                                        core::ChannelId after) override;
  LedgerResult<std::optional<Sequence>> credit_at(const SecretKey& gateway, std::uint32_t chain,
                                                  core::ChainCursor at) override;
  LedgerResult<std::map<core::AssetId, core::Amount>> available(const PublicKey& key) override;
  LedgerResult<std::optional<anchoring::BtfsChannel>> btfs_channel(core::ChannelId id) override;
  LedgerResult<std::vector<anchoring::BtfsChannel>> idle_exchange_channels(
      const SecretKey& gateway, core::TimeUs opened_before_us) override;
  LedgerResult<void> close_btfs_channel(const std::string& state, const std::string& to_signature) override;
  LedgerResult<anchoring::AccountInfo> account(const PublicKey& key) override;

  // A command of anybody's; what it became.
  LedgerResult<Sequence> submit(const SecretKey& by, core::Body body);
  LedgerResult<Sequence> submit(const codec::Made& command);
  // Of a historical client, to the gateway.
  LedgerResult<core::ChannelId> open_btfs_channel(const SecretKey& payer, core::Amount amount);
  LedgerResult<core::ChannelId> open_btfs_channel(const SecretKey& payer, const PublicKey& recipient,
                                                  core::Amount amount);
  // What the server makes of a Withdraw that the gateway accepted.
  LedgerResult<Sequence> withdraw(const protocol::WithdrawRequest& request,
                                  const v1::AcceptWithdrawalResponse& accepted, core::Amount fee);
  LedgerResult<Sequence> rotate(const SecretKey& from, const SecretKey& to);
  // An entry that is no seal.
  void add_entry();
  std::uint64_t size() const { return leaves_.size(); }
  Hash root(std::uint64_t size) const { return log::root_of(std::span(leaves_).first(size)); }
  // Up to its newest entry that is no seal: a seal alone is no reason to anchor.
  std::uint64_t size_of_news() const;
  std::size_t count(core::Kind kind) const;
  std::optional<Sequence> find_credit(std::uint32_t chain, core::ChainCursor at) const;
  core::Amount available(const PublicKey& key, std::uint32_t asset) const;
  const core::State& state() const { return state_; }
  const core::AssetTotals& totals_of(std::uint32_t asset) const { return state_.globals.totals[asset - 1]; }
  // Forgets its newest entries, as a restored backup does; or changes one, as a forger does.
  void truncate(std::uint64_t size) { leaves_.resize(size), entries_.resize(size); }
  void forge(std::uint64_t sequence) { leaves_[sequence][0] ^= 1; }

  bool reachable = true;
  bool refuses_commands = false;  // is overloaded
  bool loses_answers = false;     // applies what it is sent, but the answer never comes
  int entries_before_seal = 0;    // come while the next seal waits for its snapshot
  // Of withdrawals: shows the queue as it was when this was set.
  std::optional<std::vector<anchoring::OpenWithdrawal>> old_queue;
  log::NoteSigner signer;                        // of checkpoints; a test may give it another key
  std::optional<tron::Address> anchor_contract;  // as its genesis names it
  const SecretKey operator_key, anchor_key, gateway_key;

 private:
  struct Stored {
    core::Kind kind;
    core::TimeUs time_us;
    std::string envelope;
  };
  LedgerResult<Sequence> submit(std::initializer_list<const SecretKey*> signers, core::Body body);
  LedgerResult<Sequence> apply(const codec::Decoded& decoded);
  Sequence append(const codec::Decoded& decoded, core::Outcome outcome);
  LedgerResult<Sequence> refuse(core::Error error) const;
  anchoring::BtfsChannel as_btfs_channel(const core::Channel& channel) const;

  const Clock& clock_;
  CrashPoints& crashes_;
  Entropy entropy_;
  core::State state_{true};
  std::vector<Stored> entries_;
  std::vector<Hash> leaves_;
  std::optional<codec::SigningTag> tag_;
  log::VerifierKey log_key_;
  std::uint64_t nonce_ = 0;
  SecretKey payee_;
};

// A node of the devchain's network, or what stands in its place.
class TestChain final : public tron::Chain {
 public:
  TestChain(devchain::DevChain& chain, CrashPoints& crashes)
      : chain_(chain), client_(chain), crashes_(crashes) {}

  tron::ChainResult<tron::BlockRef> head() override;
  tron::ChainResult<tron::BlockRef> solidified_head() override;
  tron::ChainResult<std::optional<tron::Block>> solidified_block(std::int64_t number) override;
  tron::ChainResult<std::optional<tron::Block>> block(std::int64_t number) override;
  tron::ChainResult<std::optional<std::int64_t>> inclusion(const Hash& txid, bool solid) override;
  tron::ChainResult<tron::BroadcastAnswer> broadcast(ByteView transaction) override;
  tron::ChainResult<tron::AccountState> account(const tron::Address& address) override {
    return reach([&] { return client_.account(address); });
  }
  tron::ChainResult<tron::abi::Uint128> solidified_balance(const tron::Address& holder,
                                                           const std::string& token) override {
    if (hides_balances)
      return tl::unexpected(
          tron::ChainError{tron::ChainError::Kind::bad_answer, "the node tells no balance"});
    return reach([&] { return client_.solidified_balance(holder, token); });
  }
  tron::ChainResult<tron::ChainParameters> parameters() override { return client_.parameters(); }
  tron::ChainResult<std::optional<tron::Execution>> execution(const Hash& txid, bool solid) override;
  tron::ChainResult<std::vector<tron::Execution>> executions(std::int64_t number) override;
  tron::ChainResult<tron::ConstantCall> call_constant(const tron::ContractCall& call) override {
    return reach([&] {
      auto answer = client_.call_constant(call);
      if (change_constant) change_constant(*answer);
      return answer;
    });
  }

  bool reachable = true;
  bool hides_transactions = false;  // finds none by its id
  bool empty = false;               // has no block and no transaction, whatever its heads say
  std::int64_t lag = 0;             // blocks
  // From this block on it is of another chain, whose headers are what their ids say: nothing of what
  // happened, and every third block pays a deposit that nobody made. Signed it is by nobody, in the name of
  // the true block's witness or of the forger.
  std::optional<std::int64_t> forged_from;
  std::optional<tron::Address> forger;
  // Puts this transaction into every third block of the true chain.
  std::optional<std::string> stuffing;
  bool flaps = false;  // forges in every second answer only, like several nodes behind one address
  std::int64_t solid_ahead_ms = 0;  // what its solidified head's time is ahead of the truth
  bool hides_logs = false;          // of what contracts did
  bool hides_balances = false;
  bool hides_infos = false;         // has a block before what its transactions did
  bool invents_inclusions = false;  // says that its head holds every transaction it is asked for
  bool malleates = false;           // changes a transaction's bytes, not its id
  bool loses_answers = false;       // to broadcasts, which take effect
  bool remembers_refusals = false;  // answers DUP to what it refused before
  std::set<Hash> refused;
  std::optional<tron::ChainTransaction> forged_deposit;
  // Instead of the chain's answer; the transaction goes no further.
  std::optional<tron::BroadcastAnswer> swallow;
  std::function<void(tron::Block&)> change_block;
  std::function<void(tron::Execution&)> change_execution;
  std::function<void(std::vector<tron::Execution>&)> change_executions;  // of a block
  std::function<void(tron::ConstantCall&)> change_constant;
  std::vector<std::string> sent;  // every transaction that left the process, in order
  std::function<void(ByteView transaction)> on_send;

 private:
  template <typename Call>
  auto reach(Call call) -> decltype(call()) {
    if (!reachable)
      return tl::unexpected(tron::ChainError{tron::ChainError::Kind::unreachable, "the node is unreachable"});
    return call();
  }
  tron::BlockRef ref(std::int64_t newest);
  tron::ChainResult<std::optional<tron::Block>> read(std::int64_t number, std::int64_t newest);
  tron::ChainResult<std::optional<tron::Block>> stuffed(std::int64_t number) const;
  std::pair<std::string, tron::BlockId> forged_header(std::int64_t number) const;
  bool forges(std::int64_t number) const { return forged_from && number >= *forged_from; }
  void forge(tron::Block& block) const;
  tron::BroadcastAnswer pass_on(ByteView transaction);
  bool flap_ = false;

  devchain::DevChain& chain_;
  devchain::DevChainClient client_;
  CrashPoints& crashes_;
};

constexpr std::int64_t start_ms = 1'790'000'001'000;
constexpr std::int64_t block_ms = 3000;
constexpr std::int64_t solid_after = 19;
constexpr std::uint32_t btt = 1, trx = 2, btt20 = 3;  // asset numbers
constexpr std::int64_t plenty = 1'000'000'000'000;
constexpr core::ChainAmount btt20_unit = 1'000'000'000'000'000;  // the chain's units in one of the ledger
// The TRC-20 that the ledger lists, and another of the same name.
inline const tron::Address btt20_token = *tron::address_from_base58("TAFjULxiVgT4qWk6UZwjqwZXTSaGaqnVp4");
inline const tron::Address lookalike_token{{0x41, 0x20}};

struct WorldOptions {
  Entropy entropy = [] { return random_array<32>(); };
  std::int64_t solid_after = test::solid_after;
  std::int64_t anchor_balance_sun = plenty;
  // The listed token takes it of each transfer, and says so or not.
  unsigned token_fee_percent = 0;
  bool token_hides_fee = false;
  std::vector<SecretKey> more_witnesses = {};  // of blocks, in turn with one that has no name
};

class World {
 public:
  // Each process takes a store of its own; without a maker it is one over `tables`.
  using StoreMaker = std::function<std::unique_ptr<anchoring::Store>()>;
  explicit World(StoreMaker make_store = {}, WorldOptions options = {});

  anchoring::Parties parties() const {
    return {custody, tron::address_of(ledger.anchor_key.public_key()), {}, cold};
  }
  anchoring::ScannerOptions scanner_options(std::int64_t start_block = 1) const {
    return {parties(), start_block, deposit_ceilings};
  }
  // A new process over the same store, as after a crash.
  void start();
  // A block, then the process until it has nothing more to do; after a crash, a new process.
  void tick(std::int64_t after_ms = block_ms);
  void tick_blocks(std::int64_t count);
  template <typename Condition>
  ::testing::AssertionResult tick_until(Condition condition, std::int64_t max_blocks = 400) {
    for (std::int64_t i = 0; i < max_blocks; ++i) {
      if (condition()) return ::testing::AssertionSuccess();
      tick();
    }
    return condition() ? ::testing::AssertionSuccess()
                       : ::testing::AssertionFailure() << "not within " << max_blocks << " blocks";
  }
  void run_worker();
  void run_scanner();
  void run_payer();
  void run_exchange();
  void run_sweeper();
  // What the scan shows its blocks to.
  static anchoring::Scanner::Meet meet_all(anchoring::Exchange* exchange, anchoring::Payer& payer,
                                           anchoring::Sweeper& sweeper);

  // An empty one before the first.
  anchoring::Anchor newest_anchor() const {
    return tables.anchors.empty() ? anchoring::Anchor() : tables.anchors.rbegin()->second;
  }
  std::string last_problem() const { return problems.empty() ? "" : problems.back(); }
  std::size_t solidified_anchors() const;
  // The memos of all transfers of the anchor's address that succeeded in blocks up to now.
  std::vector<std::string> landed_memos() const;

  // Has the anchor's key deploy the anchor contract, genesis name it, and a new process anchor through it.
  void deploy_contract();
  // A call of the anchor contract, or of another, that will be in the next block.
  Hash call(const SecretKey& from, std::string data);
  Hash call(const SecretKey& from, const tron::Address& contract, std::string data, std::string memo = {});
  // What the contract emitted in all blocks up to now.
  std::vector<tron::anchor_contract::Anchored> landed_events() const;
  // What the anchor's address has paid since the world began.
  std::int64_t paid_sun() const {
    return options.anchor_balance_sun - chain.account(worker->address())->balance_sun;
  }

  // It is final what became of the transaction.
  bool is_over(const Hash& txid, std::int64_t expiration_ms) const;
  // What the chain says of it now; nothing where it is in no block.
  std::optional<bool> succeeded(const Hash& txid) const;

  // A transfer that will be in the next block.
  tron::SignedTransaction pay(const SecretKey& from, const tron::Address& to, std::int64_t amount,
                              std::string token = {}, std::string memo = {});
  // To custody, from the payer.
  Hash deposit(std::int64_t amount, std::string token = {}, std::string memo = {});
  Hash deposit_token(core::ChainAmount amount, std::string memo = {},
                     const tron::Address& token = btt20_token);

  // The deposit address of a key's account, as the server gives it; the account is known to the ledger.
  tron::Address hand_out(const PublicKey& key);

  const WorldOptions options;
  CrashPoints crashes;
  TestClock clock{start_ms};
  SecretKey payer = key_from(options.entropy), custody_key = key_from(options.entropy);
  const tron::Address custody = tron::address_of(custody_key.public_key());
  ExtendedSecretKey deposit_key = *ExtendedSecretKey::from_seed(view(options.entropy()));
  std::vector<tron::Address> cold;
  std::optional<anchoring::Ceilings> deposit_ceilings;
  TestLedger ledger{clock, crashes, options.entropy};
  devchain::DevChain chain;
  TestChain network{chain, crashes};
  // What a new process talks to instead of `network`.
  std::function<std::unique_ptr<tron::Chain>()> connect;
  std::unique_ptr<tron::Chain> connection;
  anchoring::MemoryTables tables;
  anchoring::WorkerOptions worker_options;
  std::unique_ptr<anchoring::Store> store;
  std::unique_ptr<anchoring::Worker> worker;
  std::unique_ptr<anchoring::Scanner> scanner;
  std::unique_ptr<anchoring::Payer> gateway;
  std::unique_ptr<anchoring::Sweeper> sweeper;
  std::unique_ptr<anchoring::Exchange> exchange;  // where there is one
  bool scans = false;                             // ticks run the scanner too
  bool pays = false;                              // and the payer of withdrawals
  bool sweeps = false;
  bool exchanges = false;  // from the next process on
  anchoring::PayerOptions payer_options;
  anchoring::SweeperOptions sweeper_options;
  anchoring::ExchangeOptions exchange_options;
  std::vector<std::string> sweep_outcomes;
  std::vector<std::string> payment_outcomes;
  std::vector<std::string> problems, outcomes;
  std::vector<anchoring::Scanner::Step::Counted> deposits;

 private:
  StoreMaker make_store_;
  std::int64_t payments_ = 0;
};

}  // namespace windlass::test
