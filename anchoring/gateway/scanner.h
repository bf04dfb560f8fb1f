// Credits deposits: walks the solidified blocks in order from a stored cursor, each linked to the one before,
// and has the ledger credit every transfer to custody exactly once.
//
//   for each block:  for each deposit in it:  sign a credit ──> save it ──> submit it ──> save as credited
//                    ──> move the cursor behind the block
//
// Exactly once, whatever restarts: the ledger takes credits of a chain only in (block, transaction, log)
// order and keeps the last one's place, so a credit that was submitted before is either the same bytes, which
// get the same answer, or is refused as CREDIT_NOT_IN_ORDER, and found among the ledger's credits by its
// place. (One that is not there was passed by, and is kept as such.) The cursor moves only behind what was
// accepted, and nothing is ever skipped: a block that does not join on, or a credit that the
// ledger refuses, stops the scan until it is mended; and so does one beyond what a single node's word is good
// for (ceilings.h), until the next day. Which of a block's recipients are deposit addresses is asked when the
// block is scanned: an address is saved before anybody is told it, so whoever pays to it does so in a block
// that is scanned later. While the operator has deposits paused (Controls) nothing is credited.
#pragma once

#include <functional>

#include "anchoring/gateway/ceilings.h"
#include "anchoring/gateway/deposit.h"
#include "anchoring/ledger_client.h"
#include "anchoring/store.h"

namespace windlass::anchoring {

// One step takes no longer than some hundred calls, so that anchoring, in the same thread, goes on meanwhile.
constexpr int scan_blocks_per_call = 50;
constexpr int credits_per_call = 100;
// A credit not accepted within this is signed anew.
constexpr core::TimeUs credit_life_us = core::hour_us;

struct ScannerOptions {
  Parties parties;
  std::int64_t start_block = 0;                       // the first to scan where no cursor is stored
  std::optional<Ceilings> single_node_ceilings = {};  // where there is one node only
};

class Scanner {
 public:
  struct Step {
    bool advanced = false;   // there may be more at once
    std::int64_t block = 0;  // scanned through
    struct Counted {
      std::string asset;    // symbol; "other" where the token is none of the ledger's
      std::string outcome;  // credited, unassigned, ignored
    };
    std::vector<Counted> deposits;
  };

  // The key signs credits: it holds the gateway's role on the ledger.
  Scanner(ScannerOptions options, SecretKey key, const Clock& clock, tron::Chain& chain, LedgerClient& ledger,
          Store& store);

  // Who else is to see every solidified block, before the cursor moves behind it: an error stops the scan.
  using Meet = std::function<tl::expected<void, std::string>(const tron::Block& block)>;
  void also(Meet meet) { meet_ = std::move(meet); }

  // A text says what stopped it. Exceptions are the store's.
  tl::expected<Step, std::string> step();
  // Of what the scan waits for the next day, or for a second node: the asset's symbol; else nothing.
  const std::string& waits_for() const { return waits_for_; }

 private:
  template <typename T>
  using Result = tl::expected<T, std::string>;

  BlockPlace first_place() const;
  Result<AddressChanges> scan(const tron::Block& block, Step& step);
  // What the transactions did, and which of the addresses that they touch are deposit addresses.
  struct Findings {
    std::vector<tron::Execution> executions;
    std::map<tron::Address, DepositAddress> addresses;
    Parties parties;
  };
  Result<Findings> look_into(const tron::Block& block);
  Result<PublicKey> key_now(const DepositAddress& address);
  Result<std::optional<PublicKey>> owner(const Arrival& arrival, const Findings& findings);
  Result<void> credit(const tron::Block& block, const Arrival& arrival, const core::Asset& asset,
                      const Findings& findings, Step& step);
  Result<Deposit> prepare(const tron::Block& block, const Arrival& arrival, const core::Asset& asset,
                          const std::optional<PublicKey>& owner);
  Result<void> check_ceiling(const Deposit& deposit, const core::Asset& asset);
  Result<void> submit(Deposit& deposit);
  Result<void> submit_anew(Deposit& deposit);
  Result<void> sign(Deposit& deposit);
  Result<bool> settle(Deposit& deposit, const LedgerResult<core::Sequence>& answer);

  ScannerOptions options_;
  SecretKey key_;
  const Clock& clock_;
  tron::Chain& chain_;
  LedgerClient& ledger_;
  Store& store_;
  Nonces nonces_;
  Meet meet_;
  std::string waits_for_;
  // What the deposits first seen on a day add up to: read once a day, counted on from there. Nobody else who
  // counts can save one.
  core::TimeUs day_us_ = -1;
  std::map<core::AssetId, core::ChainAmount> of_day_;
};

}  // namespace windlass::anchoring
