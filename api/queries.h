// Reading the ledger: what the gRPC services and the explorer both answer from. Blocking, thread-safe,
// bounded by the number of database sessions; always of committed state.
#pragma once

#include <condition_variable>
#include <mutex>

#include "api/gateway_terms.h"
#include "crypto/bip32.h"
#include "ledger/sequencer/log_keeper.h"
#include "ledger/sequencer/sequencer.h"
#include "ledger/snapshot/snapshots.h"

namespace windlass::api {

template <typename T>
using Answered = tl::expected<T, core::Error>;

constexpr std::size_t max_page_size = 1000;
constexpr std::size_t default_page_size = 100;
// Looking at the state takes one commit; beyond this the server is not well.
constexpr std::chrono::seconds look_deadline{10};
// A seal waits so long for a balance snapshot of all that is before it; then it names an older one.
constexpr std::chrono::seconds seal_waits_for_snapshot{5};

struct LedgerView {
  codec::GenesisParameters genesis;
  Hash genesis_leaf_hash{};
  std::string signing_tag;
  std::uint64_t size = 0;
  std::string deposit_key = {};  // deposit addresses' extended public key; empty: there are none
};
struct AccountView {
  core::Account account;
  core::Sequence rotated_at = core::no_sequence;  // of the key asked for
  std::uint64_t size = 0;                         // of the log when this was read
};
struct ChannelView {
  core::Channel channel;
  core::Key payer{}, recipient{};
};
struct TotalsView {
  core::Globals globals;
  core::AssetId btfs_asset = core::no_asset;  // what amounts of the historical protocol are of
  std::uint64_t size = 0;
};

// One of an entry's postings with what proves it.
struct ProvenPosting {
  std::string posting;
  codec::Salt salt{};
  std::uint32_t index = 0, count = 0;
  log::Proof path;
};
// As much of an entry as the asker may see.
struct EntryView {
  codec::Leaf leaf;
  Hash leaf_hash{};
  std::vector<ProvenPosting> postings;
  std::optional<std::string> envelope;
  std::optional<codec::Salt> envelope_salt;
  std::optional<codec::Secret> secret;
};
struct CreditView {
  core::Sequence sequence;
  std::uint32_t chain = 0;
  core::ChainCursor at;
};
struct HistoryView {
  std::vector<EntryView> entries;
  std::string next_page_token;  // empty: that was all
  std::uint64_t size = 0;
};
struct ChannelsView {
  std::vector<ChannelView> channels;
  std::string next_page_token;
};
// Withdrawals as their owner sees them; newest first.
enum class WithdrawalState : std::uint8_t { held = 1, sent, included, paid, refunded };
std::string_view name(WithdrawalState state);
struct WithdrawalView {
  core::Channel channel;
  WithdrawalState state = WithdrawalState::held;
  std::string transaction_id;       // of the payment, since it is sent
  std::int64_t block = 0;           // since it is in one
  std::uint64_t queued_before = 0;  // while held
};
struct WithdrawalsView {
  std::vector<WithdrawalView> withdrawals;
  std::string next_page_token;
};
// What one more withdrawal of an asset may take now, and on what terms.
struct TermsView {
  core::AssetId asset;
  core::WithdrawalTerms terms;
  core::Amount payable_now = 0;
};
// Where to send money for an account.
struct DepositAddressView {
  std::string address;  // 21 bytes; empty: to custody, with the key as the memo
  std::uint64_t account = 0;
  std::string deposit_key, custody_address;
};
struct AnchorsView {
  std::vector<journal::AnchorRow> anchors;
  std::string next_page_token;
};
struct InclusionView {
  std::uint64_t size = 0;
  std::string leaf;
  Hash leaf_hash{};
  log::Proof path;
  std::string checkpoint;
};
struct ConsistencyView {
  std::uint64_t size = 0;
  log::Proof path;
  std::string checkpoint;
};
// An account in a balance snapshot, and the seal that names it.
struct StatementView {
  core::AccountNumber account;
  snapshot::AccountProof proof;
  std::optional<EntryView> seal;
};

// An account in the liabilities that the seal names.
struct LiabilityView {
  core::AccountNumber account;
  snapshot::LiabilityProof proof;
  EntryView seal;
};

ProvenPosting prove_posting(const codec::Entry& entry, std::size_t index);

class Queries {
 public:
  Queries(sequencer::Sequencer& sequencer, sequencer::LogKeeper& log, snapshot::Snapshots& snapshots,
          const GatewayTerms& terms, std::optional<ExtendedPublicKey> deposit_key,
          journal::Sessions& sessions, std::size_t max_sessions);

  Answered<LedgerView> ledger();
  Answered<AccountView> account(const core::Key& key);
  Answered<core::Key> key_of_address(ByteView address);
  Answered<ChannelView> channel(core::ChannelId id);
  // Of historical clients: their channels, those that became withdrawals too.
  Answered<ChannelView> btfs_channel(core::ChannelId id);
  Answered<ChannelView> next_closed_btfs_channel(const core::Key& payer, std::int64_t after);
  Answered<std::vector<journal::OpenBtfsChannelRow>> open_btfs_channels(const core::Key& recipient,
                                                                        core::Sequence after,
                                                                        std::size_t page_size);
  Answered<core::Amount> btfs_balance(const core::Key& key);  // 0 where the key is not known
  Answered<core::Amount> btfs_withdrawal_fee();               // now
  Answered<ChannelsView> channels(const core::Key& key, bool closed_too, std::size_t page_size,
                                  const std::string& page_token);
  Answered<WithdrawalsView> withdrawals(const core::Key& key, std::size_t page_size,
                                        const std::string& page_token);
  Answered<std::vector<TermsView>> withdrawal_terms();
  // Saved before it is told, so that the gateway knows it when something comes to it.
  Answered<DepositAddressView> deposit_address(const core::Key& key);
  Answered<std::vector<journal::OpenWithdrawalRow>> open_withdrawals(core::Sequence after,
                                                                     std::size_t page_size);
  Answered<std::vector<journal::UnassignedRow>> unassigned_deposits(core::Sequence after,
                                                                    std::size_t page_size);
  // Newest first; of those below `below`, or of all where it is 0.
  Answered<std::vector<CreditView>> credits(core::Sequence below, std::size_t page_size);
  Answered<HistoryView> history(const core::Key& key, std::size_t page_size, const std::string& page_token);
  Answered<HistoryView> history(core::ChannelId channel, std::size_t page_size,
                                const std::string& page_token);
  // With the postings of `key` where it is given.
  Answered<EntryView> entry(core::Sequence sequence, const std::optional<core::Key>& key);
  Answered<TotalsView> totals();
  // Whole, in order: for an audit. The caller has checked that the asker may.
  Answered<std::vector<codec::StoredEntry>> contents(core::Sequence first, std::size_t limit);
  // Asks the database something small.
  bool database_answers();
  Answered<bool> has_role(const core::Key& key, core::Role role);
  // The entry that used a nonce: for a command that came again.
  Answered<codec::Entry> accepted_entry(core::Sequence sequence);

  std::uint64_t signed_size() const { return log_.signed_size(); }
  Answered<std::string> checkpoint(std::uint64_t minimum_size,
                                   std::chrono::steady_clock::time_point deadline);
  // Of the newest checkpoint where `size` is 0.
  Answered<InclusionView> inclusion(core::Sequence sequence, std::uint64_t size,
                                    std::chrono::steady_clock::time_point deadline);
  Answered<ConsistencyView> consistency(std::uint64_t old_size, std::uint64_t size);
  Answered<AnchorsView> anchors(const std::optional<core::Sequence>& covering, bool solidified_only,
                                std::size_t page_size, const std::string& page_token);

  // In the snapshot of this sequence; without one, in that of the newest anchored seal, or of the newest seal
  // while none is anchored.
  Answered<StatementView> statement(const core::Key& key, const std::optional<core::Sequence>& snapshot);
  // In the newest liabilities that an anchored seal names, else, where these are not kept, that any seal
  // does.
  Answered<LiabilityView> liability(const core::Key& key, core::AssetId asset);
  // Oldest first.
  Answered<HistoryView> seals(std::size_t page_size, const std::string& page_token);
  // Held against the log and the snapshots, then kept.
  core::Error add_audit(const std::string& vkey, const std::string& note);
  Answered<std::vector<journal::AuditRow>> audits();
  // Makes a snapshot of what is committed, for the seal that is about to be written, or gives up soon.
  void prepare_seal();

 private:
  // A look at the state at its place among the commands.
  core::Error look(core::Needs needs, std::vector<core::AccountNumber> accounts,
                   std::function<void(const core::State&)> look);
  // Runs `read` with a session; a failing database is `unavailable`.
  template <typename Read>
  auto with_session(Read read) -> Answered<decltype(read(std::declval<journal::ReadSession&>()))>;
  // The one that the newest solidified anchor covers, else the newest.
  Answered<std::optional<codec::Entry>> newest_seal(bool anchored = true);
  Answered<std::optional<codec::Entry>> seal_naming(core::Sequence snapshot);
  Answered<HistoryView> page_of(std::int64_t link, core::Sequence head, std::size_t page_size,
                                const std::string& page_token, const std::optional<core::Key>& key);

  sequencer::Sequencer& sequencer_;
  sequencer::LogKeeper& log_;
  snapshot::Snapshots& snapshots_;
  const GatewayTerms& terms_;
  const std::optional<ExtendedPublicKey> deposit_key_;
  journal::Sessions& sessions_;

  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<journal::ReadSession>> idle_;
  std::size_t sessions_left_;
  std::optional<LedgerView> ledger_;  // what never changes of it
};

}  // namespace windlass::api
