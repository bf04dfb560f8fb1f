// A TRON chain with one witness or a few that take turns, for development and tests: the state machine behind the server, driven from
// outside. It has no threads and reads no clock but the one it is given, so a simulation can live through
// years of it. Not thread-safe.
#pragma once

#include <deque>
#include <functional>
#include <set>

#include "anchoring/clock.h"
#include "anchoring/devchain/accounts.h"
#include "anchoring/devchain/execution.h"
#include "anchoring/devchain/parameters.h"
#include "anchoring/tron/chain.h"

namespace windlass::devchain {

struct GenesisAccount {
  tron::Address address;
  std::int64_t balance_sun = 0;
  std::map<std::string, std::int64_t> tokens;  // TRC-10 id, amount; the ids named here are all that exist
  std::optional<Token> contract = {};          // of an account that is a TRC-20 token
};

struct Options {
  std::int64_t block_interval_ms = 3000;  // blocks stand on multiples of it
  std::int64_t solid_after = 19;          // a block is solidified once so many stand on it
  std::size_t max_pool = 2000;            // like the node, one more gets in
  std::int64_t pool_expiry_ms = 60'000;
  std::vector<SecretKey> more_witnesses;  // take turns with the first, by block number
  Parameters parameters;
};

struct StoredBlock {
  tron::BlockRef ref;
  std::string bytes;  // serialized protocol.Block
  std::vector<Receipt> receipts;
};

class DevChain {
 public:
  struct Place {
    std::int64_t block = 0;
    std::size_t index = 0;
  };

  // Starts with block 0, which holds nothing but the genesis accounts: equal accounts and options make an
  // equal block 0.
  DevChain(const Clock& clock, Options options, const std::vector<GenesisAccount>& genesis,
           SecretKey witness);

  DevChain(const DevChain&) = delete;
  DevChain& operator=(const DevChain&) = delete;

  // Appends a block that was produced before (a restart); the error says why it does not follow.
  tl::expected<void, std::string> restore(ByteView block);

  // Puts what fits of the pool into a block with the clock's slot, or the slot after the head's when that is
  // later.
  const StoredBlock& produce_block();

  // What the node would answer. The bytes must be a protocol.Transaction: nothing otherwise.
  std::optional<tron::BroadcastAnswer> broadcast(ByteView transaction);

  // A fork switch: the newest `depth` blocks are undone (never a solidified one: fewer then) and their
  // transactions go back to the pool, to land in other blocks, later or never. Returns how many were undone.
  std::int64_t fork(std::int64_t depth);
  // Transactions that answered SUCCESS and are never seen again.
  void lose_pool();
  // What a simulation makes of a transaction that could be in the block of that time: it is carried out; it
  // is in the block, but failed; it stays in the pool; or it is gone.
  enum class Fate { land, fail, wait, vanish };
  std::function<Fate(const Hash& txid, std::int64_t block_ms)> fate;
  // While it is set no further block is solidified, and forks can be deeper.
  bool stalls_solidification = false;

  const StoredBlock& head() const { return blocks_.back(); }
  std::int64_t solidified() const { return solidified_; }  // number
  // Null when there is none (yet).
  const StoredBlock* block(std::int64_t number) const;
  std::optional<Place> find(const Hash& txid) const;
  // A transaction of the pool, serialized with the result that it is expected to have.
  std::optional<std::string> pending(const Hash& txid) const;
  std::size_t pool_size() const { return pool_.size(); }
  // As the node tells it: with what the pool changes, or as of the newest solidified block.
  std::optional<Account> account(const tron::Address& address, bool solid = false) const;
  // A call tried, on the state that account() tells.
  ConstantOutcome constant_call(const protocol::TriggerSmartContract& call, bool solid = false) const;
  std::int64_t now_ms() const { return clock_.now_ms(); }
  const Parameters& parameters() const { return options_.parameters; }
  Parameters& parameters() { return options_.parameters; }

 private:
  struct Pooled {
    Candidate candidate;
    std::int64_t arrived_ms = 0;
    int result = 0;  // expected
  };
  struct Undo {
    std::map<tron::Address, std::optional<Account>> before;
  };

  void make_genesis(const std::vector<GenesisAccount>& genesis);
  std::optional<Refusal> refusal(const Candidate& candidate) const;
  bool refers_to_known_block(const Candidate& candidate) const;
  ExecutionContext context() const { return {options_.parameters, tokens_, head().ref.timestamp_ms}; }
  tl::expected<Receipt, Refusal> try_on(AccountView& view, const Candidate& candidate) const;
  bool is_stale(const Pooled& pooled, std::int64_t block_ms) const;
  void fill_block(std::int64_t timestamp_ms, protocol::Block& block, std::vector<Receipt>& receipts,
                  AccountView& view);
  void append(StoredBlock block, const AccountView& view);
  void revive_pool();
  // The accounts as of the newest solidified block.
  AccountView solid_accounts() const;

  const Clock& clock_;
  Options options_;
  std::vector<SecretKey> witnesses_;  // in turn
  std::set<std::string, std::less<>> tokens_;
  std::vector<StoredBlock> blocks_;  // by number
  std::int64_t solidified_ = 0;
  std::map<Hash, Place> places_;
  AccountView accounts_;     // as of the head
  AccountView pool_view_;    // above it, what the pool changes
  std::deque<Pooled> pool_;  // in order of arrival
  std::set<Hash> pooled_;
  std::deque<Undo> undo_;  // of the blocks that are not solidified, oldest first
};

}  // namespace windlass::devchain
