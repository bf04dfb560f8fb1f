// Pays withdrawals out: each by one TRON transfer from custody.
//
//                            transaction   a node has it      in a block
//   (held on the ledger) ──> signed ────────> broadcast <────────> included
//                            saved   │             │    a fork      │
//                                    └─────────────┼────────────────┘
//                                                  │ the scan of solidified blocks decides
//                     ┌────────────────────────────┼──────────────────────────────┐
//                     v                            v                              v
//                  landed                       failed                         expired
//            settled as paid        settled as given back        paid anew; after some attempts given back
//
// TRON knows no account nonces: two transfers of one withdrawal can both land. So what is signed is saved
// before it is sent, only identical bytes are ever sent again, and another one is signed only when the last
// can never land. What became of a payment is read off the same contiguous, parent-linked walk over
// solidified blocks that finds deposits (scanner.h): a payment refers to the block that the walk has reached,
// so the walk meets every block that it could land in. One that it has not met when it passes its expiration
// is in none. What the walk found is saved before its cursor moves.
//
// A withdrawal is settled by a command of the gateway, saved before it is sent: the ledger takes only one.
#pragma once

#include "anchoring/gateway/ceilings.h"
#include "anchoring/gateway/deposit.h"
#include "anchoring/ledger_client.h"
#include "anchoring/store.h"
#include "anchoring/tron/transaction.h"

namespace windlass::anchoring {

// Payments under way at once; each costs some calls a step.
constexpr std::size_t payments_under_way = 64;
// Payments looked up, sent or settled in one step, so that the others in the thread go on meanwhile.
constexpr std::size_t payments_per_step = 32;
// From the chain's head: long enough for several rebroadcasts and a fork.
constexpr std::int64_t payment_life_ms = 8 * 60 * 1000;
// Attempts, each provably dead before the next, until a withdrawal is given back.
constexpr int payment_attempts = 3;
// A settlement not accepted within this is signed anew.
constexpr core::TimeUs settlement_life_us = core::hour_us;
// Pages of the queue looked at for one that can be paid: those before it wait for funds or a signature.
constexpr int queue_pages_per_step = 10;

// What the operator offers for one asset, in ledger units.
struct Offer {
  std::string symbol;
  core::Amount minimum = 1;
  core::Amount fee = 0;
  core::Amount daily_cap = 0;      // 0: none
  core::Amount approve_above = 0;  // those above it wait for a second signature; 0: none do
  core::Amount hot_ceiling = 0;    // what custody should hold at most; 0: anything. The payer does not look
};
// "BTT minimum=1000 fee=10 daily_cap=5000000 approve_above=100000 hot_ceiling=9000000"; all but the symbol
// may be left out.
tl::expected<Offer, std::string> parse_offer(std::string_view text);

struct PayerOptions {
  tron::Address custody;
  int permission_id = 0;  // of custody's, that the key signs under; 0: it is the owner's
  std::vector<Offer> offers;
  std::int64_t max_fee_sun = 0;  // ceiling for one payment; 0: none
  // Where there is one node only: of all payments signed in a day, for they may all have landed.
  std::optional<Ceilings> single_node_ceilings = {};
};

class Payer {
 public:
  struct Step {
    bool advanced = false;
    std::vector<std::string> outcomes;  // signed, broadcast, ... of payments, for a counter
  };
  // `custody_key` signs on TRON, `gateway_key` on the ledger, where it holds the gateway's role.
  Payer(PayerOptions options, SecretKey custody_key, SecretKey gateway_key, const Clock& clock,
        tron::Chain& chain, LedgerClient& ledger, Store& store);

  // Called by the scan with every solidified block, in order, before its cursor moves behind it. An error
  // keeps the cursor where it is.
  tl::expected<void, std::string> meet(const tron::Block& block);
  // Settles what is decided, sends what is not, signs what is next. A text says what is wrong.
  tl::expected<Step, std::string> step();
  // Tells the ledger's server what can be paid now.
  tl::expected<void, std::string> publish();
  // What it told last; nothing: the asset is not paid out.
  std::optional<core::WithdrawalTerms> published(core::AssetId asset) const;
  // Signs nothing, and has no withdrawal taken, until it is resumed: because of `why`.
  void suspend(std::string why) { suspended_ = std::move(why); }
  void resume() { suspended_.clear(); }

  // How many are included and not settled yet, or sent and not in a block.
  std::size_t under_way(PaymentState state) const;

 private:
  template <typename T>
  using Result = tl::expected<T, std::string>;
  struct Offered {
    Offer offer;
    core::Asset asset;
  };

  // By asset, what may still be signed in this step.
  struct Budget {
    std::vector<Offered> offers;
    const core::Asset* trx = nullptr;
    std::map<core::AssetId, core::ChainAmount> custody;      // what is there
    std::map<core::AssetId, core::ChainAmount> left_of_day;  // of the caps, where there are any
    std::map<core::AssetId, core::ChainAmount> left;
    core::Amount own_trx = 0;        // of the gateway, on the ledger
    std::int64_t fees_left_sun = 0;  // that the gateway's account can bear
    std::size_t signed_now = 0;
    const Offered* offer_of(core::AssetId asset) const;
    bool is_used_up(std::size_t under_way) const {
      return signed_now >= payments_per_step || under_way >= payments_under_way;
    }
  };

  Result<std::vector<core::Asset>> assets();
  // --- what is decided
  using Executions = std::optional<std::vector<tron::Execution>>;  // of a block
  Result<void> decide(Payment& payment, const tron::Block& block, const tron::ChainTransaction& found,
                      Executions& executions);
  bool has_paid(const Payment& payment, const tron::ChainTransaction& found,
                const tron::Execution& execution) const;
  Result<void> settle_all(Step& step);
  Result<void> settle(Payment& payment);
  Result<void> sign_settlement(Payment& payment);
  // --- what is not
  Result<void> pursue_all(Step& step);
  Result<void> pursue(Payment& payment, Step& step);
  // --- what is next
  Result<void> pay_next(Step& step);
  Result<void> pay_again(Budget& budget, Step& step);
  Result<void> pay_queue(Budget& budget, Step& step);
  core::WithdrawalTerms terms_of(const Offered& offered, Budget& budget) const;
  Result<Budget> make_budget(const std::vector<core::Asset>& assets);
  std::map<core::AssetId, core::ChainAmount> left_of_day(const std::vector<Offered>& offers);
  // False: not now, for want of funds.
  Result<bool> pay(Payment payment, Budget& budget, Step& step);
  Result<tron::TransactionFrame> frame();
  Result<std::int64_t> price(const Payment& payment, const core::Asset& asset, tron::TransactionFrame& frame);
  tron::SignedTransaction make_transaction(const Payment& payment, const core::Asset& asset,
                                           const tron::TransactionFrame& frame) const;
  void move(Payment& payment, PaymentState state, std::vector<std::string>& outcomes);
  core::ChainAmount sum(core::AssetId asset, bool (*counts)(PaymentState state)) const;

  PayerOptions options_;
  SecretKey custody_key_, gateway_key_;
  const Clock& clock_;
  tron::Chain& chain_;
  LedgerClient& ledger_;
  Store& store_;
  Nonces nonces_;
  std::vector<PublishedTerms> published_;
  std::string suspended_;  // from outside
  std::string stopped_;    // by what the last step ran into

  // Those that are not settled, by withdrawal: what the store has, of which this process is the only writer.
  std::map<core::ChannelId, Payment> payments_;
  // What a restart may forget.
  std::map<core::ChannelId, std::int64_t> sent_ms_;
  core::ChannelId looked_at_;           // the last one in turn
  std::vector<std::string> met_;        // outcomes that the scan saw
  std::int64_t last_timestamp_ms_ = 0;  // no two payments have the same: their ids would be the same too
};

}  // namespace windlass::anchoring
