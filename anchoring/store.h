// What the anchoring process remembers: anchors, deposits and how far it has scanned. Whoever writes holds
// the lease: one process at a time, told apart by an epoch that only grows and is checked in every writing
// transaction. So a process that lost its lease unknowingly can save nothing, and what was not saved is never
// sent.
#pragma once

#include <map>
#include <set>
#include <stdexcept>

#include "anchoring/tron/chain.h"
#include "ledger/core/apply.h"

namespace windlass::anchoring {

// A block of the solidified chain.
struct BlockPlace {
  std::int64_t number = 0;
  tron::BlockId id{};
  bool operator==(const BlockPlace&) const = default;
};

// The states of an anchor; worker/worker.h shows how it passes through them.
enum class AnchorState : std::uint8_t { sealed, signed_, broadcast, included, solidified, expired };
std::string_view name(AnchorState state);
std::optional<AnchorState> anchor_state(std::string_view name);
inline bool is_final(AnchorState state) {
  return state == AnchorState::solidified || state == AnchorState::expired;
}

struct Anchor {
  std::int64_t id = 0;  // from 1, given by the store
  AnchorState state = AnchorState::sealed;
  std::uint64_t size = 0;  // of the log, with its root and the signed note that says so
  Hash root{};
  std::string checkpoint;
  std::int64_t sealed_us = 0;
  // Of the log when its seal was requested: what came between that and the seal is in no snapshot that the
  // seal names, though it is anchored.
  std::uint64_t size_at_request = 0;

  // Since it was signed; never changed afterwards.
  std::string transaction;  // serialized protocol.Transaction: these bytes are sent, however often
  Hash transaction_id{};
  std::int64_t expiration_ms = 0;
  BlockPlace reference;  // it can land only after this block

  std::int64_t block = 0;          // since it was included: where it was seen last
  std::int64_t block_ms = 0;       // since it is solidified: the block's time, ...
  std::int64_t solidified_us = 0;  // ... and when it was seen to be
  bool operator==(const Anchor&) const = default;
};

// passed_by: the ledger has credited what came behind it on the chain, and not this one. So it never will: as
// where the scan begins anew, from before the deposit's asset was one of the ledger's.
enum class DepositState : std::uint8_t { submitted, credited, passed_by };
std::string_view name(DepositState state);
std::optional<DepositState> deposit_state(std::string_view name);

struct Deposit {
  Hash transaction_id{};
  core::ChainCursor at;
  core::AssetId asset;
  core::ChainAmount amount = 0;    // in the chain's units
  std::optional<PublicKey> owner;  // nobody: goes to the unassigned part
  tron::Address source;
  DepositState state = DepositState::submitted;
  std::string envelope;                    // the signed credit, saved before it is sent
  std::optional<core::Sequence> sequence;  // of the credit's entry, once it is credited
  std::int64_t seen_us = 0;
  bool operator==(const Deposit&) const = default;
};

// An address that is an account's alone: what comes to it is the account's.
struct DepositAddress {
  std::uint64_t account = 0;  // its number
  PublicKey key{};            // the account's when the address was handed out
};
// How what stands on deposit addresses changed, in the chain's units; and what the chain took for moving it,
// from there or from custody.
struct AddressChanges {
  std::map<std::pair<tron::Address, core::AssetId>, core::Int128> amounts;
  std::int64_t fees_sun = 0;
  void add(const AddressChanges& more);
};
// All that stands on deposit addresses as of the cursor.
struct AddressTotals {
  std::map<core::AssetId, core::Int128> amounts;
  std::int64_t fees_sun = 0;  // that sweeps have cost so far
};

// The states of a withdrawal's payment; gateway/payer.h shows how it passes through them.
enum class PaymentState : std::uint8_t { signed_, broadcast, included, landed, failed, expired };
std::string_view name(PaymentState state);
std::optional<PaymentState> payment_state(std::string_view name);
// The chain has decided, in a solidified block or by passing the expiration.
inline bool is_final(PaymentState state) {
  return state >= PaymentState::landed;
}

struct Payment {
  core::ChannelId withdrawal;  // its id on the ledger
  int attempt = 1;             // another one only when the one before can never land
  PaymentState state = PaymentState::signed_;
  core::AssetId asset;
  core::ChainAmount amount = 0;  // in the chain's units
  tron::Address destination;

  // Never changed.
  std::string transaction;  // serialized protocol.Transaction: these bytes are sent, however often
  Hash transaction_id{};
  std::int64_t expiration_ms = 0;
  std::int64_t reference_block = 0;  // it can land only after this one
  std::int64_t signed_us = 0;

  std::int64_t block = 0;    // since it was included: where it was seen last
  std::int64_t fee_sun = 0;  // that the chain took, since it landed or failed
  std::string settlement;    // the signed command that settles the withdrawal, saved before it is sent
  bool settled = false;      // or followed by another attempt: nothing more is to be done
  bool operator==(const Payment&) const = default;
};

// The states of a deposit that a historical client makes through protocol.Exchange; exchange/exchange.h.
enum class ExchangeDepositState : std::uint8_t { prepared, signed_, landed, failed, expired };
std::string_view name(ExchangeDepositState state);
std::optional<ExchangeDepositState> exchange_deposit_state(std::string_view name);
// The scan of solidified blocks has met it, or passed its expiration.
inline bool is_final(ExchangeDepositState state) {
  return state >= ExchangeDepositState::landed;
}

// Of a user, that is of a key, `out_tx_id` names one: the client's own number. So with withdrawals.
struct ExchangeDeposit {
  std::int64_t id = 0;  // given by the store: above that of all others, withdrawals too
  ExchangeDepositState state = ExchangeDepositState::prepared;
  PublicKey user{};
  std::int64_t out_tx_id = 0;
  core::Amount amount = 0;

  // Never changed.
  std::string raw_data;  // of the transaction that the user is to sign
  Hash transaction_id{};
  std::int64_t expiration_ms = 0;
  std::int64_t reference_block = 0;  // it can land only after this one
  std::int64_t prepared_us = 0;

  std::string signature;   // the user's, since it was signed
  std::int64_t block = 0;  // since it landed or failed
  bool operator==(const ExchangeDeposit&) const = default;
};

struct ExchangeWithdrawal {
  std::int64_t id = 0;
  PublicKey user{};
  std::int64_t out_tx_id = 0;
  core::Amount amount = 0;
  std::int64_t prepared_us = 0;
  std::optional<core::ChannelId> channel;  // since a Withdraw came; no two have the same
  bool operator==(const ExchangeWithdrawal&) const = default;
};

// What stands on a deposit address, of an asset.
struct Holding {
  tron::Address address;
  std::uint64_t account = 0;  // whose address it is
  core::ChainAmount amount = 0;
};
// A transaction that brings what stands on a deposit address to custody, or TRX from custody to the address
// to pay for that. Its states are those of a payment: it too is saved before it is sent.
struct Sweep {
  tron::Address address;
  std::uint64_t account = 0;
  bool tops_up = false;  // from custody to the address
  core::AssetId asset;
  core::ChainAmount amount = 0;  // in the chain's units
  PaymentState state = PaymentState::signed_;

  // Never changed.
  std::string transaction;  // serialized protocol.Transaction: these bytes are sent, however often
  Hash transaction_id{};
  std::int64_t expiration_ms = 0;
  std::int64_t reference_block = 0;  // it can land only after this one
  std::int64_t signed_us = 0;

  std::int64_t block = 0;  // since it was included: where it was seen last
  bool operator==(const Sweep&) const = default;
};

// What the gateway can pay out of an asset: core::WithdrawalTerms, for the server to read.
struct PublishedTerms {
  core::AssetId asset;
  core::WithdrawalTerms terms;
  std::int64_t updated_us = 0;
};

// What the operator told the process, however often it was restarted since (windlass-anchor pause, ...).
struct Controls {
  bool anchors_paused = false;                  // nothing new is signed; what is signed is pursued to its end
  bool deposits_paused = false;                 // nothing is credited
  bool withdrawals_paused = false;              // nothing new is signed, and no withdrawal is taken
  bool stop_when_idle = false;                  // the process ends once nothing that is signed is under way
  std::optional<std::int64_t> fee_ceiling_sun;  // of one anchor, instead of the configuration's
  bool operator==(const Controls&) const = default;
};

// Another process took the lease: this one must start anew.
class Fenced : public std::runtime_error {
 public:
  Fenced()
      : std::runtime_error("another anchoring process has taken over; this one may write nothing more") {}
};

// Calls that write throw Fenced once the lease is lost; all throw when the database fails (a write that threw
// may have happened: look again, do not repeat it blindly).
class Store {
 public:
  virtual ~Store() = default;
  // Takes the lease where nobody holds it, and makes every earlier holder's writes fail from now on.
  virtual bool acquire() = 0;

  // The one that is neither solidified nor expired; there is at most one.
  virtual std::optional<Anchor> open_anchor() = 0;
  virtual std::optional<Anchor> newest_solidified() = 0;
  // Those sealed at or after `since_us`, newest first, at most `limit`.
  virtual std::vector<Anchor> newest_anchors(std::int64_t since_us, std::size_t limit) = 0;
  virtual std::int64_t add_anchor(const Anchor& anchor) = 0;  // gives it its id
  virtual void save_anchor(const Anchor& anchor) = 0;

  // The last block whose deposits are all credited.
  virtual std::optional<BlockPlace> cursor() = 0;
  // With what the blocks up to it, from the last one on, changed on deposit addresses: all or nothing.
  virtual void save_cursor(const BlockPlace& cursor, const AddressChanges& changes) = 0;
  // Those of them that were handed out.
  virtual std::map<tron::Address, DepositAddress> deposit_addresses(const std::set<tron::Address>& of) = 0;
  virtual AddressTotals address_totals() = 0;
  virtual std::optional<Deposit> deposit(const Hash& transaction_id, std::uint32_t log) = 0;
  virtual void save_deposit(const Deposit& deposit) = 0;  // by its transaction id and log
  // Sums of those seen first since then.
  virtual std::map<core::AssetId, core::ChainAmount> deposited_since(std::int64_t since_us) = 0;

  // Those that are not settled, oldest withdrawal first.
  virtual std::vector<Payment> open_payments() = 0;
  virtual std::optional<Payment> newest_payment(core::ChannelId withdrawal) = 0;
  // Of those signed since then, but for those that can never land.
  virtual std::map<core::AssetId, core::ChainAmount> paid_since(std::int64_t since_us) = 0;
  // Of all that were signed since then, whatever became of them.
  virtual std::map<core::AssetId, core::ChainAmount> signed_since(std::int64_t since_us) = 0;
  // Fails where a payment of the same withdrawal may still land, or has; one that never can is settled by it.
  virtual void add_payment(const Payment& payment) = 0;
  virtual void save_payment(const Payment& payment) = 0;  // by its withdrawal and attempt
  virtual void publish_terms(
      const std::vector<PublishedTerms>& terms) = 0;  // of every asset that is paid out

  // `prepared` and `signed_` ones.
  virtual std::vector<ExchangeDeposit> open_exchange_deposits() = 0;
  virtual std::optional<ExchangeDeposit> exchange_deposit(std::int64_t id) = 0;
  virtual std::optional<ExchangeDeposit> exchange_deposit(const PublicKey& user, std::int64_t out_tx_id) = 0;
  virtual std::int64_t add_exchange_deposit(const ExchangeDeposit& deposit) = 0;  // gives it its id
  virtual void save_exchange_deposit(const ExchangeDeposit& deposit) = 0;         // state, signature, block
  virtual void drop_exchange_deposit(std::int64_t id) = 0;                        // one that is prepared

  // Those without a channel.
  virtual std::vector<ExchangeWithdrawal> open_exchange_withdrawals() = 0;
  virtual std::optional<ExchangeWithdrawal> exchange_withdrawal(std::int64_t id) = 0;
  virtual std::optional<ExchangeWithdrawal> exchange_withdrawal(const PublicKey& user,
                                                                std::int64_t out_tx_id) = 0;
  virtual std::optional<ExchangeWithdrawal> exchange_withdrawal(core::ChannelId channel) = 0;
  virtual std::int64_t add_exchange_withdrawal(const ExchangeWithdrawal& withdrawal) = 0;  // gives it its id
  virtual void save_exchange_withdrawal(const ExchangeWithdrawal& withdrawal) = 0;         // its channel
  virtual void drop_exchange_withdrawal(std::int64_t id) = 0;  // one without a channel

  // Addresses that hold at least so much of it, as of the cursor, most first.
  virtual std::vector<Holding> holdings(core::AssetId asset, core::ChainAmount minimum,
                                        std::size_t limit) = 0;
  // Those whose fate is open: of an address there is at most one.
  virtual std::vector<Sweep> open_sweeps() = 0;
  // Fails where another of the same address may still land.
  virtual void add_sweep(const Sweep& sweep) = 0;
  virtual void save_sweep(const Sweep& sweep) = 0;  // by its transaction id

  virtual Controls controls() = 0;
  // It has become idle and stops; the next process is not to stop as well, but begins with all paused.
  virtual void save_stopped() = 0;
};

// Nothing that may still land is under way.
inline bool is_idle(Store& store) {
  auto anchor = store.open_anchor();
  bool anchored = !anchor || anchor->state == AnchorState::sealed;
  // What became of payments and sweeps shows in the scan, which stands still while deposits are paused.
  return anchored &&
         (store.controls().deposits_paused || (store.open_payments().empty() && store.open_sweeps().empty()));
}

}  // namespace windlass::anchoring
