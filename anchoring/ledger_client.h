// What the anchoring worker and the gateway need of the ledger, in plain types. Both are clients like any
// other: they read, and send commands signed by a key that holds a role. Implemented over gRPC
// (anchoring/grpc_ledger.h) and, in tests, by a ledger core in the same process.
#pragma once

#include <map>

#include "anchoring/clock.h"
#include "anchoring/tron/address.h"
#include "ledger/codec/command.h"
#include "ledger/log/note.h"

namespace windlass::anchoring {

struct LedgerError {
  // The same bytes may be accepted later; whether they were applied is not known. Otherwise the ledger
  // refused them.
  bool retry = true;
  std::string reason;   // the ledger's stable code (CREDIT_NOT_IN_ORDER, ...); empty where it did not answer
  std::string message;  // names the call
};
template <typename T>
using LedgerResult = tl::expected<T, LedgerError>;

struct LedgerInfo {
  codec::SigningTag tag;
  std::string origin;
  log::VerifierKey log_key;
  std::optional<tron::Address> custody;
  std::uint64_t size = 0;                        // committed entries
  std::optional<tron::Address> anchor_contract;  // as genesis names it: where verifiers look
};

struct EntryInfo {
  core::Kind kind{};
  core::TimeUs time_us = 0;
};

struct AccountInfo {
  std::uint64_t number = 0;
  PublicKey key{};  // now
};

// A withdrawal that waits for the gateway, or for its settlement.
struct OpenWithdrawal {
  core::ChannelId id;
  core::AssetId asset;
  core::Amount amount = 0, fee = 0;  // to pay out; what the gateway keeps
  tron::Address destination;
  bool approved = false;  // by a second signature
};

// A channel of a historical BTFS client, in BTT.
struct BtfsChannel {
  core::ChannelId id;
  core::Key payer, recipient;
  core::Amount amount = 0;
  bool open = false;
  core::Amount given_back = 0;  // to the payer, where it is closed
};

// Every call has a deadline; none retries by itself.
class LedgerClient {
 public:
  virtual ~LedgerClient() = default;
  virtual LedgerResult<LedgerInfo> info() = 0;
  virtual LedgerResult<std::vector<core::Asset>> assets() = 0;
  virtual LedgerResult<std::vector<core::AssetTotals>> totals() = 0;  // by asset number
  virtual LedgerResult<EntryInfo> entry(core::Sequence sequence) = 0;
  // The entry that the command became. The same bytes again get the same answer (not a request for a seal:
  // each makes a seal).
  virtual LedgerResult<core::Sequence> execute(const codec::Envelope& envelope) = 0;
  // The newest signed note, of a log of at least `minimum_size`; waits for it, until the deadline.
  virtual LedgerResult<std::string> checkpoint(std::uint64_t minimum_size) = 0;
  virtual LedgerResult<log::Proof> consistency_proof(std::uint64_t old_size, std::uint64_t size) = 0;
  // A page of the queue behind `after`, oldest first; empty: that was all. It may be a second old: one that
  // was settled just now may still stand in it. `gateway` holds the gateway's role.
  virtual LedgerResult<std::vector<OpenWithdrawal>> open_withdrawals(const SecretKey& gateway,
                                                                     core::ChannelId after) = 0;
  // The credit of the deposit at that place of its chain; nothing: there is none. `gateway` holds the
  // gateway's role.
  virtual LedgerResult<std::optional<core::Sequence>> credit_at(const SecretKey& gateway, std::uint32_t chain,
                                                                core::ChainCursor at) = 0;
  // What the account of a key has available, by asset.
  virtual LedgerResult<std::map<core::AssetId, core::Amount>> available(const PublicKey& key) = 0;
  // Also of one that was turned into a withdrawal; nothing: there is none.
  virtual LedgerResult<std::optional<BtfsChannel>> btfs_channel(core::ChannelId id) = 0;
  // Open BTFS channels to the gateway that were opened before then, oldest first; a page at most. Those that
  // a Withdraw followed are channels no more, and not among them. `gateway` holds the gateway's role.
  virtual LedgerResult<std::vector<BtfsChannel>> idle_exchange_channels(const SecretKey& gateway,
                                                                        core::TimeUs opened_before_us) = 0;
  // `state`: a serialized ledger.ChannelState that gives all of it back to the payer, which takes no
  // signature but the recipient's.
  virtual LedgerResult<void> close_btfs_channel(const std::string& state,
                                                const std::string& to_signature) = 0;
  // The account of a key, which may have been rotated away since.
  virtual LedgerResult<AccountInfo> account(const PublicKey& key) = 0;
};

// Rising nonces, also where the clock does not rise: its nanoseconds, or one more than the last.
class Nonces {
 public:
  explicit Nonces(const Clock& clock) : clock_(clock) {}
  std::uint64_t next() {
    return last_ = std::max(last_ + 1, static_cast<std::uint64_t>(clock_.now_ms()) * 1'000'000);
  }

 private:
  const Clock& clock_;
  std::uint64_t last_ = 0;
};

}  // namespace windlass::anchoring
