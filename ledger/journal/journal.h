// The ledger in Postgres, one session class for each of the threads that use it. All of them throw
// DatabaseError.
#pragma once

#include <chrono>
#include <functional>

#include "ledger/codec/liabilities.h"
#include "ledger/codec/replay.h"
#include "ledger/journal/postgres.h"

namespace windlass::journal {

// Every statement is bounded by this; a commit in doubt after it is resolved by recovery.
constexpr int statement_timeout_ms = 30'000;

using Epoch = std::int64_t;

// The epoch was raised by another writer: this one may write nothing any more.
class FencedError : public std::runtime_error {
 public:
  FencedError() : std::runtime_error("another writer took over: its epoch is higher than ours") {}
};

// Applies what is missing of migrations/, each with its version in one transaction; answers how many that
// were. By the owner's URL.
int migrate(const std::string& owner_url);

// The oids of tables' row types, for Records.
struct RowTypes {
  std::int32_t entries, keys, accounts, channels, btfs_uses;
};

// The writer's session: holds the lease, commits batches.
class WriterSession {
 public:
  explicit WriterSession(const std::string& url);
  virtual ~WriterSession() = default;
  // Tries to become the one writer: false while another session is. Raising the epoch waits out its last
  // commit.
  bool try_acquire();
  Epoch epoch() const { return epoch_; }
  // A new epoch without giving up the lease: before recovering from a commit in doubt.
  void raise_epoch();
  // The batch, durable, or an exception: FencedError when fenced; otherwise in doubt. `seal`, called once
  // before the entries are read, may still complete them: it works while the database begins the transaction.
  virtual void commit(const std::vector<codec::Entry>& entries, const std::function<void()>& seal);
  void commit(const std::vector<codec::Entry>& entries) {
    commit(entries, [] {});
  }

 private:
  Connection connection_;
  const RowTypes row_types_;
  Epoch epoch_ = 0;
};

// What a flush writes: every record that changed, as of `globals.next` - 1.
struct Flush {
  core::Globals globals;
  std::vector<core::KeyEntry> keys;
  std::vector<core::Account> accounts;
  std::vector<core::Channel> channels;
  std::vector<core::BtfsUse> btfs_uses;
};
class FlushSession {
 public:
  // Called after each slice of a flush (some milliseconds of work) with the time that it took: what it waits,
  // others have the database for themselves.
  using Rest = std::function<void(std::chrono::duration<double> worked)>;

  explicit FlushSession(const std::string& url);
  virtual ~FlushSession() = default;
  void rest_by(Rest rest) { rest_ = std::move(rest); }
  virtual void write(Epoch epoch, const Flush& flush);

 private:
  // Of one kind of row. Without `update`, `insert` is all that there is to it.
  struct Writing {
    std::int32_t row_type;
    const Statement* update;
    const Statement* insert;
  };
  template <typename Row, typename KeyOf>
  void write_rows(const Writing& writing, const std::vector<Row>& rows, KeyOf key_of);
  void write_slice(const Writing& writing, const Parameters& rows, std::size_t count);
  void write_globals(const core::Globals& globals);

  Connection connection_;
  const RowTypes row_types_;
  Rest rest_;
};

// What was asked for and what storage has of it; absent from the answer: does not exist.
struct Loaded {
  std::vector<core::KeyEntry> keys;
  std::vector<core::Account> accounts;
  std::vector<core::Channel> channels;
  std::vector<core::BtfsUse> btfs_uses;
};
class LoadSession {
 public:
  explicit LoadSession(const std::string& url);
  // The named keys, channels and historical messages, the accounts behind those, and the named accounts: in
  // one snapshot.
  Loaded load(const core::Needs& needs, const std::vector<core::AccountNumber>& accounts);
  // As of the newest flush; globals.next is flushed_through + 1.
  core::Globals globals();

 private:
  Connection connection_;
};

// What a balance snapshot is made from: everything as of one flush, however long the reading takes.
class SnapshotSession {
 public:
  explicit SnapshotSession(const std::string& url);
  virtual ~SnapshotSession() = default;
  struct Moment {
    core::Sequence next;  // of the first entry that is not in it
    std::uint64_t accounts = 0;
  };
  virtual Moment begin();
  void end();  // or by its end of life

  struct Postings {
    core::Sequence sequence;
    codec::Secret secret{};
    std::string postings;
  };
  // Of the entries [first, end), at most `limit`, in order.
  std::vector<Postings> postings(core::Sequence first, core::Sequence end, std::size_t limit);
  std::vector<core::AccountNumber> payers_of(const std::vector<core::ChannelId>& channels);
  std::vector<core::Account> accounts(const std::vector<core::AccountNumber>& numbers);
  // By payer and id.
  std::vector<core::Channel> open_channels_of(const std::vector<core::AccountNumber>& payers);

  // The newest entry before `end` whose secret not everybody has; nothing where there is none.
  struct Private {
    core::Sequence sequence;
    codec::Secret secret{};
  };
  std::optional<Private> newest_private(core::Sequence end);
  // What is owed to up to `limit` accounts from number `first` on, and where to go on; nothing after the
  // last.
  struct Owed {
    core::AccountNumber account;
    core::AssetId asset;
    core::Amount amount = 0;  // above 0
  };
  std::optional<core::AccountNumber> owed(core::AccountNumber first, std::size_t limit,
                                          std::vector<Owed>& out);

 private:
  Connection connection_;
};

using codec::link_of;
using codec::StoredEntry;

struct AnchorRow {
  std::int64_t id = 0;
  std::uint64_t size = 0;
  std::string root, checkpoint, state, transaction_id;
  std::int64_t block = 0, sealed_us = 0, solidified_us = 0;
};
// An auditor's statement: a note that it signed with its own key.
struct AuditRow {
  std::string vkey;
  std::uint64_t size = 0;
  core::Sequence snapshot;
  std::string note;
};
// A withdrawal's newest payment by the gateway; no state: none was ever signed.
struct PaymentRow {
  core::ChannelId withdrawal;
  std::string state, transaction_id;
  std::int64_t block = 0;
  std::uint64_t queued_before = 0;  // withdrawals before it that wait for the gateway
};
struct OpenWithdrawalRow {
  core::ChannelId id;
  core::Key key{};
  core::AssetId asset;
  core::Amount amount = 0, fee = 0;
  std::string destination;
  bool approved = false;
};
// A historical channel that is open.
struct OpenBtfsChannelRow {
  core::ChannelId id;
  core::Key payer{};  // the key that opened it
  core::Amount amount = 0;
  core::TimeUs opened_us = 0;
};
struct UnassignedRow {
  core::Sequence sequence;
  core::AssetId asset;
  core::Amount amount = 0;
  std::string transaction_id, source;
};
// What the gateway says that it can pay of an asset: core::WithdrawalTerms, errors by their reasons.
struct TermsRow {
  core::AssetId asset;
  std::string refuses;
  core::Amount minimum = 0, fee = 0, payable = 0;
  std::string beyond;
  core::TimeUs updated_us = 0;
};
// An address that is an account's alone.
struct DepositAddressRow {
  std::string address;
  std::uint64_t account = 0;
  core::Key key{};  // the account's now
};
// A page of entries ends early with the one that makes so many bytes of commands and postings: a list is 100
// kB, and what a client may ask for by count would else be 100 MB of memory. An answer made of a page is
// below gRPC's default bound of 4 MiB.
constexpr std::int64_t max_page_bytes = 2 << 20;

struct HistoryPage {
  std::vector<StoredEntry> entries;         // newest first
  core::Sequence next = core::no_sequence;  // where the next page begins; none: this was the last
};

class ReadSession {
 public:
  explicit ReadSession(const std::string& url);
  // Entries of [first, end), in order from `first`, at most `limit` and as max_page_bytes allows.
  std::vector<StoredEntry> entries(core::Sequence first, core::Sequence end, std::size_t limit);
  std::optional<StoredEntry> entry(core::Sequence sequence);
  std::optional<StoredEntry> newest_seal(core::Sequence end);  // below `end`
  std::vector<StoredEntry> seals(core::Sequence first, core::Sequence end, std::size_t limit);
  std::vector<StoredEntry> credits(core::Sequence end, std::size_t limit);  // below `end`, newest first
  core::Sequence end_of_entries();
  Epoch epoch();  // of whoever became the writer last
  HistoryPage history(std::int64_t link, core::Sequence from, std::size_t limit);  // max_page_bytes as well
  std::optional<core::Key> key_of_address(ByteView address);
  std::vector<core::ChannelId> channels(core::AccountNumber account, std::int64_t above, bool closed_too,
                                        std::size_t limit);
  std::vector<core::ChannelId> withdrawals(core::AccountNumber account, std::int64_t below,
                                           std::size_t limit);
  std::vector<PaymentRow> payments(const std::vector<core::ChannelId>& withdrawals);
  std::vector<OpenWithdrawalRow> open_withdrawals(core::Sequence after, std::size_t limit);
  // Of the historical channels that the account pays for, the first that was closed by an entry above
  // `after`. May be as old as the newest flush.
  std::optional<core::ChannelId> next_closed_btfs_channel(core::AccountNumber payer, std::int64_t after);
  // Open historical channels to `recipient` with ids above `after`, oldest first; likewise.
  std::vector<OpenBtfsChannelRow> open_btfs_channels(core::AccountNumber recipient, core::Sequence after,
                                                     std::size_t limit);
  std::vector<UnassignedRow> unassigned_deposits(core::Sequence after, std::size_t limit);
  std::vector<TermsRow> terms();
  void add_deposit_address(const DepositAddressRow& row, core::TimeUs now_us);  // or finds it there
  std::vector<AnchorRow> anchors(std::int64_t below_id, bool solidified_only, std::size_t limit);
  std::vector<AnchorRow> anchors_covering(core::Sequence sequence, std::int64_t above_id,
                                          bool solidified_only, std::size_t limit);
  // Keeps the one of the largest log for each key, and of `kept` keys those of the largest logs.
  void add_audit(const AuditRow& audit, core::TimeUs now_us, std::size_t kept);
  std::vector<AuditRow> audits(std::size_t limit);

 private:
  Connection connection_;
};

// How the sequencer comes by its sessions; a test puts its own in between.
class Sessions {
 public:
  explicit Sessions(std::string url) : url_(std::move(url)) {}
  virtual ~Sessions() = default;
  virtual std::unique_ptr<WriterSession> writer() { return std::make_unique<WriterSession>(url_); }
  virtual std::unique_ptr<FlushSession> flusher() { return std::make_unique<FlushSession>(url_); }
  virtual std::unique_ptr<LoadSession> loader() { return std::make_unique<LoadSession>(url_); }
  virtual std::unique_ptr<ReadSession> reader() { return std::make_unique<ReadSession>(url_); }
  virtual std::unique_ptr<SnapshotSession> snapshot() { return std::make_unique<SnapshotSession>(url_); }

 protected:
  std::string url_;
};

}  // namespace windlass::journal
