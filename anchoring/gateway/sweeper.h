// Brings what stands on deposit addresses to custody.
//
//   the scan saw it there ──> worth the fee? ──> can the address bear the fee? ── no ──> TRX from custody ─┐
//   (store.holdings)                                  │ yes       ^                                         │
//                                                     │           └───────────── once the scan has met it ──┘
//                                       signed ──> saved ──> sent ──> landed, failed or expired
//
// A sweep moves what is the gateway's from one of its addresses to another, so that two of them could do no
// harm but to cost a fee. They keep the payments' rule all the same (payer.h): saved before sent, only the
// same bytes again, another one of the same address only when the last can never land.
//
// What sweeps cost, the scan sums up together with what moved (AddressChanges), and the gateway's account on
// the ledger bears it: one entry books all of the sum that no other did.
#pragma once

#include "anchoring/gateway/payer.h"
#include "crypto/bip32.h"

namespace windlass::anchoring {

// Sweeps signed in one step; each costs some calls.
constexpr std::size_t sweeps_per_step = 16;
// Under way at once: each is sent again now and then.
constexpr std::size_t sweeps_under_way = 64;
// After one that failed in its block, which cost a fee: until the same address is tried again.
constexpr std::int64_t failed_sweep_rest_ms = 60 * 60 * 1000;

// From how much on an asset is worth a sweep, in ledger units.
struct SweepMinimum {
  std::string symbol;
  core::Amount minimum = 1;
};
// "BTT minimum=1000".
tl::expected<SweepMinimum, std::string> parse_sweep_minimum(std::string_view text);

struct SweeperOptions {
  tron::Address custody;
  int permission_id = 0;               // of custody's, that its key signs under
  std::vector<SweepMinimum> minimums;  // what is swept
  std::int64_t max_fee_sun = 0;        // ceiling for one sweep, with the TRX sent for it
};

class Sweeper {
 public:
  using Step = Payer::Step;
  // `deposit_key` has the secrets of the deposit addresses, `custody_key` pays for tokens' sweeps, out of
  // what the account of `gateway_key` on the ledger can bear, where that holds the gateway's role.
  Sweeper(SweeperOptions options, ExtendedSecretKey deposit_key, SecretKey custody_key, SecretKey gateway_key,
          const Clock& clock, tron::Chain& chain, LedgerClient& ledger, Store& store);

  // Called by the scan with every solidified block, in order, before its cursor moves behind it.
  tl::expected<void, std::string> meet(const tron::Block& block);
  // Books what was spent, sends what is signed and signs what is next. A text says what is wrong.
  tl::expected<Step, std::string> step();
  // Signs nothing until it is resumed.
  void suspend(bool suspended) { suspended_ = suspended; }

 private:
  template <typename T>
  using Result = tl::expected<T, std::string>;
  void move(Sweep& sweep, PaymentState state, std::vector<std::string>& outcomes);
  Result<void> book_fees();
  Result<void> book_fees(core::AssetId trx, core::ChainAmount cumulative);
  Result<void> pursue(Sweep& sweep, Step& step);
  Result<void> sweep_next(Step& step);
  Result<void> sweep_asset(const core::Asset& asset, core::ChainAmount minimum, Step& step);
  Result<void> sweep(const Holding& holding, const core::Asset& asset, Step& step);
  Result<void> top_up(const Holding& holding, const tron::AccountState& state, std::int64_t sun, Step& step);
  Result<void> send(Sweep sweep, const tron::SignedTransaction& transaction,
                    const tron::TransactionFrame& frame, Step& step);
  Result<SecretKey> key_of(const Holding& holding) const;
  Result<tron::TransactionFrame> frame();
  Result<std::int64_t> price_of(const std::string& parameter);
  Result<std::int64_t> bandwidth_cost(const tron::SignedTransaction& transaction,
                                      const tron::AccountState& sender);
  Result<void> check_cost(std::int64_t cost_sun);

  SweeperOptions options_;
  ExtendedSecretKey deposit_key_;
  SecretKey custody_key_;
  SecretKey gateway_key_;
  const Clock& clock_;
  tron::Chain& chain_;
  LedgerClient& ledger_;
  Store& store_;
  Nonces nonces_;
  bool suspended_ = false;
  const core::Asset* trx_ = nullptr;  // while a step signs

  std::map<tron::Address, Sweep> open_;  // of which this process is the only writer
  // What a restart may forget.
  std::int64_t booked_sun_ = 0;  // of sweeps' fees, at least
  std::map<tron::Address, std::int64_t> rests_until_ms_;
  std::map<Hash, std::int64_t> sent_ms_;
  std::vector<std::string> met_;  // outcomes that the scan saw
  std::set<tron::Address> busy_;  // in this step: what is swept there next is decided
  std::int64_t last_timestamp_ms_ = 0;
};

}  // namespace windlass::anchoring
