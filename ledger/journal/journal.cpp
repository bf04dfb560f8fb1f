#include "ledger/journal/journal.h"

#include <algorithm>
#include <map>

#include "crypto/tron_address.h"
#include "ledger/journal/statements.h"

namespace windlass::journal {
namespace {

// 2 to 4 ms of work for the database, which a commit beside it may have to wait for.
constexpr std::size_t rows_of_a_slice = 512;
// Fewer entries than that are one INSERT, which takes two thirds of a COPY's time with 8 of them, and as much
// with 100.
constexpr std::size_t rows_worth_a_copy = 64, bytes_worth_a_copy = 64 << 10;

std::int64_t signed_of(core::Sequence sequence) {
  return static_cast<std::int64_t>(sequence.value);
}
core::Sequence sequence_of(std::int64_t value) {
  return {static_cast<std::uint64_t>(value)};
}

template <std::size_t N>
ByteArray<N> array(ByteView bytes) {
  auto out = to_array<N>(bytes);
  if (!out)
    throw DatabaseError(
        "a column holds " + std::to_string(bytes.size()) + " bytes instead of " + std::to_string(N), "");
  return *out;
}

std::string decimal(core::ChainAmount amount) {
  std::string out;
  do out.insert(out.begin(), static_cast<char>('0' + static_cast<int>(amount % 10)));
  while ((amount /= 10) > 0);
  return out;
}
core::ChainAmount parse_decimal(ByteView text) {
  core::ChainAmount amount = 0;
  for (char c : text) amount = amount * 10 + static_cast<unsigned>(c - '0');
  return amount;
}

constexpr int entry_columns = 8;
// Of a COPY's row, an array's, or a statement's parameters.
template <typename Columns>
void add_entry(Columns& columns, const codec::Entry& entry) {
  columns.bigint(signed_of(entry.sequence))
      .bigint(entry.time_us)
      .smallint(static_cast<std::int16_t>(entry.kind))
      .bytes(view(entry.leaf_hash))
      .bytes(view(entry.secret))
      .bytes(entry.envelope)
      .bytes(codec::encode_postings(entry.postings))
      .bigints(codec::links_of(entry.postings));
}

void add_row(Records& rows, const core::KeyEntry& entry) {
  rows.row(4)
      .bytes(view(entry.key))
      .bytes(view(tron_address(entry.key)))
      .bigint(static_cast<std::int64_t>(entry.account.value))
      .bigint(signed_of(entry.rotated_at));
}

void add_row(Records& rows, const core::Account& account) {
  std::vector<std::int64_t> amounts;
  for (const auto& b : account.balances)
    amounts.insert(amounts.end(), {std::int64_t{b.asset.value}, b.available, b.locked, b.held});
  std::string nonces;
  for (const auto& use : account.nonces) {
    append_be(nonces, use.nonce);
    append_be(nonces, use.sequence.value);
  }
  rows.row(8)
      .bigint(static_cast<std::int64_t>(account.number.value))
      .bytes(view(account.key))
      .integer(static_cast<std::int32_t>(account.roles))
      .integer(static_cast<std::int32_t>(account.open_channels))
      .bigint(signed_of(account.last))
      .bigints(amounts)
      .bytes(nonces)
      .boolean(account.refuses_btfs);
}

void add_row(Records& rows, const core::BtfsUse& use) {
  rows.row(2).bytes(view(use.id)).bigint(signed_of(use.sequence));
}

void add_row(Records& rows, const core::Channel& channel) {
  rows.row(15)
      .bigint(static_cast<std::int64_t>(channel.id.value))
      .bigint(static_cast<std::int64_t>(channel.payer.value))
      .bigint(static_cast<std::int64_t>(channel.recipient.value))
      .bytes(view(channel.receipt_key))
      .integer(static_cast<std::int32_t>(channel.asset.value))
      .bigint(channel.deposit)
      .bigint(channel.claimed)
      .bigint(channel.expires_us)
      .bytes(channel.content)
      .boolean(channel.open)
      .bigint(signed_of(channel.last))
      .bigint(signed_of(channel.claim))
      .bytes(view(channel.history))
      .smallint(static_cast<std::int16_t>(channel.purpose))
      .bigint(channel.fee);
}

core::Account read_account(const Result& rows, int row) {
  core::Account account;
  account.number.value = static_cast<std::uint64_t>(rows.bigint(row, 0));
  account.key = array<33>(rows.bytes(row, 1));
  account.roles = static_cast<std::uint32_t>(rows.integer(row, 2));
  account.open_channels = static_cast<std::uint32_t>(rows.integer(row, 3));
  account.last = sequence_of(rows.bigint(row, 4));
  auto amounts = rows.bigints(row, 5);
  for (std::size_t i = 0; i + 3 < amounts.size(); i += 4)
    account.balances.push_back({core::AssetId{static_cast<std::uint32_t>(amounts[i])}, amounts[i + 1],
                                amounts[i + 2], amounts[i + 3]});
  ByteReader nonces(rows.bytes(row, 6));
  while (nonces.remaining() >= 16) {
    auto nonce = nonces.be<std::uint64_t>();
    account.nonces.push_back({nonce, {nonces.be<std::uint64_t>()}});
  }
  account.refuses_btfs = rows.boolean(row, 7);
  return account;
}

core::Channel read_channel(const Result& rows, int row) {
  core::Channel channel;
  channel.id.value = static_cast<std::uint64_t>(rows.bigint(row, 0));
  channel.payer.value = static_cast<std::uint64_t>(rows.bigint(row, 1));
  channel.recipient.value = static_cast<std::uint64_t>(rows.bigint(row, 2));
  channel.receipt_key = array<33>(rows.bytes(row, 3));
  channel.asset.value = static_cast<std::uint32_t>(rows.integer(row, 4));
  channel.deposit = rows.bigint(row, 5);
  channel.claimed = rows.bigint(row, 6);
  channel.expires_us = rows.bigint(row, 7);
  channel.content = rows.bytes(row, 8);
  channel.open = rows.boolean(row, 9);
  channel.last = sequence_of(rows.bigint(row, 10));
  channel.claim = sequence_of(rows.bigint(row, 11));
  channel.history = array<32>(rows.bytes(row, 12));
  channel.purpose = static_cast<core::Purpose>(rows.smallint(row, 13));
  channel.fee = rows.bigint(row, 14);
  return channel;
}

StoredEntry read_entry(const Result& rows, int row) {
  StoredEntry entry;
  entry.sequence = sequence_of(rows.bigint(row, 0));
  entry.time_us = rows.bigint(row, 1);
  entry.kind = static_cast<core::Kind>(rows.smallint(row, 2));
  entry.leaf_hash = array<32>(rows.bytes(row, 3));
  entry.secret = array<32>(rows.bytes(row, 4));
  entry.envelope = rows.bytes(row, 5);
  entry.postings = rows.bytes(row, 6);
  entry.links = rows.bigints(row, 7);
  return entry;
}

std::vector<StoredEntry> read_entries(const Result& rows) {
  std::vector<StoredEntry> entries;
  entries.reserve(static_cast<std::size_t>(rows.rows()));
  for (int i = 0; i < rows.rows(); ++i) entries.push_back(read_entry(rows, i));
  return entries;
}

std::vector<AnchorRow> read_anchors(const Result& rows) {
  std::vector<AnchorRow> anchors;
  for (int i = 0; i < rows.rows(); ++i) {
    AnchorRow anchor;
    anchor.id = rows.bigint(i, 0);
    anchor.size = static_cast<std::uint64_t>(rows.bigint(i, 1));
    anchor.root = rows.bytes(i, 2);
    anchor.checkpoint = rows.bytes(i, 3);
    anchor.state = rows.bytes(i, 4);
    anchor.transaction_id = rows.bytes(i, 5);
    anchor.block = rows.bigint(i, 6);
    anchor.sealed_us = rows.bigint(i, 7);
    anchor.solidified_us = rows.bigint(i, 8);
    anchors.push_back(std::move(anchor));
  }
  return anchors;
}

template <typename Id>
std::vector<std::int64_t> numbers(const std::vector<Id>& ids) {
  std::vector<std::int64_t> out;
  out.reserve(ids.size());
  for (const auto& id : ids) out.push_back(static_cast<std::int64_t>(id.value));
  return out;
}

}  // namespace

// --- the writer

static RowTypes read_row_types(Connection& connection) {
  auto types = connection.run(sql::row_types);
  return {types.integer(0, 0), types.integer(0, 1), types.integer(0, 2), types.integer(0, 3),
          types.integer(0, 4)};
}

WriterSession::WriterSession(const std::string& url)
    : connection_(url, statement_timeout_ms), row_types_(read_row_types(connection_)) {}

bool WriterSession::try_acquire() {
  if (!connection_.run(sql::try_lock_writer).boolean(0, 0)) return false;
  raise_epoch();
  return true;
}

void WriterSession::raise_epoch() {
  epoch_ = connection_.run(sql::raise_epoch).bigint(0, 0);
}

static bool is_worth_a_copy(const std::vector<codec::Entry>& entries) {
  std::size_t bytes = 0;
  for (const auto& entry : entries)
    bytes += entry.envelope.size() + entry.postings.size() * codec::account_posting_bytes;
  return entries.size() >= rows_worth_a_copy || bytes >= bytes_worth_a_copy;
}

void WriterSession::commit(const std::vector<codec::Entry>& entries, const std::function<void()>& seal) {
  auto add_all = [&](auto rows) {
    seal();
    for (const auto& entry : entries) add_entry(rows.row(entry_columns), entry);
    return rows;
  };
  bool let_in = false;
  if (is_worth_a_copy(entries)) {
    auto make_rows = [&] { return add_all(CopyRows()); };
    let_in = connection_.commit_copy(sql::has_epoch(epoch_), sql::copy_entries, make_rows);
  } else {
    Parameters parameters;
    parameters.bigint(epoch_);
    bool is_alone = entries.size() == 1;
    if (is_alone) {
      seal();
      add_entry(parameters, entries[0]);
    } else {
      parameters.records(add_all(Records(row_types_.entries)));
    }
    let_in = connection_.run(is_alone ? sql::insert_entry : sql::insert_entries, parameters).affected() > 0;
  }
  if (!let_in) throw FencedError();
}

// --- write-behind

FlushSession::FlushSession(const std::string& url)
    : connection_(url, statement_timeout_ms), row_types_(read_row_types(connection_)) {
  connection_.script(sql::find_rows_by_index);
}

template <typename Row, typename KeyOf>
void FlushSession::write_rows(const Writing& writing, const std::vector<Row>& rows, KeyOf key_of) {
  // With their keys beside them: sorted without a look at the rows.
  std::vector<std::pair<std::decay_t<decltype(key_of(rows[0]))>, const Row*>> in_order;
  in_order.reserve(rows.size());
  for (const auto& row : rows) in_order.emplace_back(key_of(row), &row);
  std::sort(in_order.begin(), in_order.end());
  for (std::size_t begin = 0; begin < in_order.size(); begin += rows_of_a_slice) {
    auto started = std::chrono::steady_clock::now();
    std::size_t end = std::min(in_order.size(), begin + rows_of_a_slice);
    Records slice(writing.row_type);
    for (std::size_t i = begin; i < end; ++i) add_row(slice, *in_order[i].second);
    write_slice(writing, Parameters().records(std::move(slice)), end - begin);
    if (rest_) rest_(std::chrono::steady_clock::now() - started);
  }
}

void FlushSession::write_slice(const Writing& writing, const Parameters& rows, std::size_t count) {
  if (writing.update && connection_.run(*writing.update, rows).affected() == static_cast<std::int64_t>(count))
    return;
  connection_.run(*writing.insert, rows);
}

void FlushSession::write(Epoch epoch, const Flush& flush) {
  Transaction transaction(connection_);
  write_rows(
      {row_types_.keys, nullptr, &sql::upsert_keys}, flush.keys,
      [](const auto& entry) -> const auto& { return entry.key; });
  write_rows({row_types_.accounts, &sql::update_accounts, &sql::insert_accounts}, flush.accounts,
             [](const auto& account) { return account.number.value; });
  write_rows({row_types_.channels, &sql::update_channels, &sql::insert_channels}, flush.channels,
             [](const auto& channel) { return channel.id.value; });
  write_rows(
      {row_types_.btfs_uses, nullptr, &sql::insert_btfs_uses}, flush.btfs_uses,
      [](const auto& use) -> const auto& { return use.id; });
  write_globals(flush.globals);
  // Last: the row is shared with the commits beside this for as short as can be, since each of those that
  // finds it shared has to leave a note of who shares it.
  if (connection_.run(sql::check_epoch, Parameters().bigint(epoch)).rows() == 0) throw FencedError();
  transaction.commit();
}

void FlushSession::write_globals(const core::Globals& globals) {
  for (std::size_t i = 0; i < globals.assets.size(); ++i) {
    const auto& asset = globals.assets[i];
    const auto& total = globals.totals[i];
    connection_.run(sql::write_asset, Parameters()
                                          .integer(static_cast<std::int32_t>(asset.number.value))
                                          .text(asset.symbol)
                                          .integer(static_cast<std::int32_t>(asset.chain))
                                          .text(asset.token)
                                          .integer(static_cast<std::int32_t>(asset.decimals))
                                          .bigint(static_cast<std::int64_t>(asset.chain_units))
                                          .bigint(asset.minimum_first_credit)
                                          .bigint(asset.minimum_channel)
                                          .bigint(total.available)
                                          .bigint(total.locked)
                                          .bigint(total.held)
                                          .bigint(total.unassigned)
                                          .text(decimal(total.dust))
                                          .text(decimal(total.credited))
                                          .text(decimal(total.paid))
                                          .bigint(asset.maximum_daily_credit)
                                          .bigint(globals.daily_credits[i].day)
                                          .bigint(globals.daily_credits[i].amount)
                                          .text(decimal(total.chain_fees)));
  }
  for (const auto& [chain, at] : globals.cursors)
    connection_.run(sql::write_cursor, Parameters()
                                           .integer(static_cast<std::int32_t>(chain))
                                           .bigint(static_cast<std::int64_t>(at.block))
                                           .bigint(at.transaction)
                                           .bigint(at.log));
  connection_.run(sql::write_ledger, Parameters()
                                         .bigint(signed_of(globals.next) - 1)
                                         .bigint(globals.last_time_us)
                                         .bigint(static_cast<std::int64_t>(globals.accounts))
                                         .bigint(static_cast<std::int64_t>(globals.open_channels)));
}

// --- loading

LoadSession::LoadSession(const std::string& url) : connection_(url, statement_timeout_ms) {}

Loaded LoadSession::load(const core::Needs& needs, const std::vector<core::AccountNumber>& wanted) {
  Loaded loaded;
  std::vector<core::AccountNumber> behind = wanted;
  connection_.begin_read_only();
  try {
    if (!needs.keys.empty()) {
      std::vector<ByteView> keys;
      for (const auto& key : needs.keys) keys.push_back(view(key));
      auto rows = connection_.run(sql::load_keys, Parameters().byte_arrays(keys));
      for (int i = 0; i < rows.rows(); ++i) {
        loaded.keys.push_back({array<33>(rows.bytes(i, 0)),
                               {static_cast<std::uint64_t>(rows.bigint(i, 1))},
                               sequence_of(rows.bigint(i, 2))});
        behind.push_back(loaded.keys.back().account);
      }
    }
    if (!needs.channels.empty()) {
      auto rows = connection_.run(sql::load_channels, Parameters().bigints(numbers(needs.channels)));
      for (int i = 0; i < rows.rows(); ++i) {
        loaded.channels.push_back(read_channel(rows, i));
        behind.push_back(loaded.channels.back().payer);
        behind.push_back(loaded.channels.back().recipient);
      }
    }
    if (!needs.btfs_uses.empty()) {
      std::vector<ByteView> ids;
      for (const auto& id : needs.btfs_uses) ids.push_back(view(id));
      auto rows = connection_.run(sql::load_btfs_uses, Parameters().byte_arrays(ids));
      for (int i = 0; i < rows.rows(); ++i)
        loaded.btfs_uses.push_back({array<32>(rows.bytes(i, 0)), sequence_of(rows.bigint(i, 1))});
    }
    if (!behind.empty()) {
      auto rows = connection_.run(sql::load_accounts, Parameters().bigints(numbers(behind)));
      for (int i = 0; i < rows.rows(); ++i) loaded.accounts.push_back(read_account(rows, i));
    }
    connection_.commit();
  } catch (...) {
    connection_.rollback();
    throw;
  }
  return loaded;
}

core::Globals LoadSession::globals() {
  core::Globals globals;
  connection_.begin_read_only();
  try {
    auto ledger = connection_.run(sql::read_ledger);
    globals.next = sequence_of(ledger.bigint(0, 0) + 1);
    globals.last_time_us = ledger.bigint(0, 1);
    globals.accounts = static_cast<std::uint64_t>(ledger.bigint(0, 2));
    globals.open_channels = static_cast<std::uint64_t>(ledger.bigint(0, 3));
    auto assets = connection_.run(sql::read_assets);
    for (int i = 0; i < assets.rows(); ++i) {
      core::AssetId number{static_cast<std::uint32_t>(assets.integer(i, 0))};
      globals.assets.push_back(
          {number, std::string(assets.bytes(i, 1)), static_cast<std::uint32_t>(assets.integer(i, 2)),
           std::string(assets.bytes(i, 3)), static_cast<std::uint32_t>(assets.integer(i, 4)),
           static_cast<std::uint64_t>(assets.bigint(i, 5)), assets.bigint(i, 6), assets.bigint(i, 7),
           assets.bigint(i, 15)});
      globals.totals.push_back({number, assets.bigint(i, 8), assets.bigint(i, 9), assets.bigint(i, 10),
                                assets.bigint(i, 11), parse_decimal(assets.bytes(i, 12)),
                                parse_decimal(assets.bytes(i, 13)), parse_decimal(assets.bytes(i, 14)),
                                parse_decimal(assets.bytes(i, 18))});
      globals.daily_credits.push_back({assets.bigint(i, 16), assets.bigint(i, 17)});
    }
    auto cursors = connection_.run(sql::read_cursors);
    for (int i = 0; i < cursors.rows(); ++i)
      globals.cursors[static_cast<std::uint32_t>(cursors.integer(i, 0))] = {
          static_cast<std::uint64_t>(cursors.bigint(i, 1)), static_cast<std::uint32_t>(cursors.bigint(i, 2)),
          static_cast<std::uint32_t>(cursors.bigint(i, 3))};
    connection_.commit();
  } catch (...) {
    connection_.rollback();
    throw;
  }
  return globals;
}

// --- balance snapshots

SnapshotSession::SnapshotSession(const std::string& url) : connection_(url, statement_timeout_ms) {}

SnapshotSession::Moment SnapshotSession::begin() {
  connection_.begin_read_only();
  auto ledger = connection_.run(sql::read_ledger);
  return {sequence_of(ledger.bigint(0, 0) + 1), static_cast<std::uint64_t>(ledger.bigint(0, 2))};
}

void SnapshotSession::end() {
  connection_.commit();
}

std::vector<SnapshotSession::Postings> SnapshotSession::postings(core::Sequence first, core::Sequence end,
                                                                 std::size_t limit) {
  auto rows = connection_.run(
      sql::read_postings,
      Parameters().bigint(signed_of(first)).bigint(signed_of(end)).bigint(static_cast<std::int64_t>(limit)));
  std::vector<Postings> postings;
  for (int i = 0; i < rows.rows(); ++i)
    postings.push_back(
        {sequence_of(rows.bigint(i, 0)), array<32>(rows.bytes(i, 1)), std::string(rows.bytes(i, 2))});
  return postings;
}

std::vector<core::AccountNumber> SnapshotSession::payers_of(const std::vector<core::ChannelId>& channels) {
  auto rows = connection_.run(sql::payers_of_channels, Parameters().bigints(numbers(channels)));
  std::vector<core::AccountNumber> payers;
  for (int i = 0; i < rows.rows(); ++i) payers.push_back({static_cast<std::uint64_t>(rows.bigint(i, 0))});
  return payers;
}

std::vector<core::Account> SnapshotSession::accounts(const std::vector<core::AccountNumber>& wanted) {
  auto rows = connection_.run(sql::load_accounts, Parameters().bigints(numbers(wanted)));
  std::vector<core::Account> accounts;
  for (int i = 0; i < rows.rows(); ++i) accounts.push_back(read_account(rows, i));
  return accounts;
}

std::vector<core::Channel> SnapshotSession::open_channels_of(const std::vector<core::AccountNumber>& payers) {
  auto rows = connection_.run(sql::open_channels_of, Parameters().bigints(numbers(payers)));
  std::vector<core::Channel> channels;
  for (int i = 0; i < rows.rows(); ++i) channels.push_back(read_channel(rows, i));
  return channels;
}

std::optional<SnapshotSession::Private> SnapshotSession::newest_private(core::Sequence end) {
  std::vector<std::int64_t> kinds;
  for (auto kind : codec::public_kinds) kinds.push_back(static_cast<std::int64_t>(kind));
  auto rows = connection_.run(sql::newest_private, Parameters().bigint(signed_of(end)).bigints(kinds));
  if (rows.rows() == 0) return std::nullopt;
  return Private{sequence_of(rows.bigint(0, 0)), array<32>(rows.bytes(0, 1))};
}

std::optional<core::AccountNumber> SnapshotSession::owed(core::AccountNumber first, std::size_t limit,
                                                         std::vector<Owed>& out) {
  auto from = static_cast<std::int64_t>(first.value);
  auto rows =
      connection_.run(sql::read_amounts, Parameters().bigint(from).bigint(static_cast<std::int64_t>(limit)));
  if (rows.rows() == 0) return std::nullopt;
  std::int64_t end = rows.bigint(rows.rows() - 1, 0) + 1;
  std::map<std::pair<std::int64_t, std::int64_t>, core::Amount> claimed;  // by payer and asset
  auto claims = connection_.run(sql::read_claimed, Parameters().bigint(from).bigint(end));
  for (int i = 0; i < claims.rows(); ++i)
    claimed[{claims.bigint(i, 0), claims.integer(i, 1)}] = claims.bigint(i, 2);
  for (int i = 0; i < rows.rows(); ++i) {
    std::int64_t number = rows.bigint(i, 0);
    auto amounts = rows.bigints(i, 1);
    for (std::size_t k = 0; k + 3 < amounts.size(); k += 4) {
      core::Balance balance{core::AssetId{static_cast<std::uint32_t>(amounts[k])}, amounts[k + 1],
                            amounts[k + 2], amounts[k + 3]};
      auto used = claimed.find({number, amounts[k]});
      auto amount = codec::owed(balance, used == claimed.end() ? 0 : used->second);
      if (amount > 0) out.push_back({{static_cast<std::uint64_t>(number)}, balance.asset, amount});
    }
  }
  return core::AccountNumber{static_cast<std::uint64_t>(end)};
}

// --- queries

ReadSession::ReadSession(const std::string& url) : connection_(url, statement_timeout_ms) {}

std::vector<StoredEntry> ReadSession::entries(core::Sequence first, core::Sequence end, std::size_t limit) {
  auto rows = connection_.run(sql::read_entries, Parameters()
                                                     .bigint(signed_of(first))
                                                     .bigint(signed_of(end))
                                                     .bigint(static_cast<std::int64_t>(limit))
                                                     .bigint(max_page_bytes));
  return read_entries(rows);
}

std::optional<StoredEntry> ReadSession::entry(core::Sequence sequence) {
  auto found = entries(sequence, {sequence.value + 1}, 1);
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

std::optional<StoredEntry> ReadSession::newest_seal(core::Sequence end) {
  auto rows = connection_.run(sql::newest_seal, Parameters().bigint(signed_of(end)));
  if (rows.rows() == 0) return std::nullopt;
  return read_entry(rows, 0);
}

std::vector<StoredEntry> ReadSession::seals(core::Sequence first, core::Sequence end, std::size_t limit) {
  auto rows = connection_.run(
      sql::list_seals,
      Parameters().bigint(signed_of(first)).bigint(signed_of(end)).bigint(static_cast<std::int64_t>(limit)));
  return read_entries(rows);
}

std::vector<StoredEntry> ReadSession::credits(core::Sequence end, std::size_t limit) {
  return read_entries(connection_.run(
      sql::list_credits, Parameters().bigint(signed_of(end)).bigint(static_cast<std::int64_t>(limit))));
}

core::Sequence ReadSession::end_of_entries() {
  return sequence_of(connection_.run(sql::end_of_entries).bigint(0, 0));
}

Epoch ReadSession::epoch() {
  return connection_.run(sql::read_epoch).bigint(0, 0);
}

HistoryPage ReadSession::history(std::int64_t link, core::Sequence from, std::size_t limit) {
  HistoryPage page;
  if (from == core::no_sequence) return page;
  auto rows = connection_.run(sql::walk_history, Parameters()
                                                     .bigint(signed_of(from))
                                                     .bigint(link)
                                                     .bigint(static_cast<std::int64_t>(limit))
                                                     .bigint(max_page_bytes));
  for (int i = 0; i < rows.rows(); ++i) {
    page.entries.push_back(read_entry(rows, i));
    page.next = rows.null(i, 8) ? core::no_sequence : sequence_of(rows.bigint(i, 8));
  }
  return page;
}

std::optional<core::Key> ReadSession::key_of_address(ByteView address) {
  auto rows = connection_.run(sql::key_of_address, Parameters().bytes(address));
  if (rows.rows() == 0) return std::nullopt;
  return array<33>(rows.bytes(0, 0));
}

std::vector<core::ChannelId> ReadSession::channels(core::AccountNumber account, std::int64_t above,
                                                   bool closed_too, std::size_t limit) {
  auto rows = connection_.run(sql::list_channels, Parameters()
                                                      .bigint(static_cast<std::int64_t>(account.value))
                                                      .bigint(above)
                                                      .boolean(closed_too)
                                                      .bigint(static_cast<std::int64_t>(limit)));
  std::vector<core::ChannelId> ids;
  for (int i = 0; i < rows.rows(); ++i) ids.push_back({static_cast<std::uint64_t>(rows.bigint(i, 0))});
  return ids;
}

std::vector<core::ChannelId> ReadSession::withdrawals(core::AccountNumber account, std::int64_t below,
                                                      std::size_t limit) {
  auto rows = connection_.run(sql::list_withdrawals, Parameters()
                                                         .bigint(static_cast<std::int64_t>(account.value))
                                                         .bigint(below)
                                                         .bigint(static_cast<std::int64_t>(limit)));
  std::vector<core::ChannelId> ids;
  for (int i = 0; i < rows.rows(); ++i) ids.push_back({static_cast<std::uint64_t>(rows.bigint(i, 0))});
  return ids;
}

std::vector<PaymentRow> ReadSession::payments(const std::vector<core::ChannelId>& withdrawals) {
  auto rows = connection_.run(sql::list_payments, Parameters().bigints(numbers(withdrawals)));
  std::vector<PaymentRow> payments;
  for (int i = 0; i < rows.rows(); ++i) {
    PaymentRow payment{.withdrawal = {static_cast<std::uint64_t>(rows.bigint(i, 0))},
                       .block = rows.bigint(i, 3),
                       .queued_before = static_cast<std::uint64_t>(rows.bigint(i, 4))};
    if (!rows.null(i, 1)) payment.state = rows.bytes(i, 1);
    if (!rows.null(i, 2)) payment.transaction_id = rows.bytes(i, 2);
    payments.push_back(std::move(payment));
  }
  return payments;
}

std::vector<OpenWithdrawalRow> ReadSession::open_withdrawals(core::Sequence after, std::size_t limit) {
  auto rows = connection_.run(sql::open_withdrawals,
                              Parameters().bigint(signed_of(after)).bigint(static_cast<std::int64_t>(limit)));
  std::vector<OpenWithdrawalRow> open;
  for (int i = 0; i < rows.rows(); ++i)
    open.push_back({{static_cast<std::uint64_t>(rows.bigint(i, 0))},
                    array<33>(rows.bytes(i, 1)),
                    {static_cast<std::uint32_t>(rows.integer(i, 2))},
                    rows.bigint(i, 3),
                    rows.bigint(i, 4),
                    std::string(rows.bytes(i, 5)),
                    rows.boolean(i, 6)});
  return open;
}

std::optional<core::ChannelId> ReadSession::next_closed_btfs_channel(core::AccountNumber payer,
                                                                     std::int64_t after) {
  auto rows = connection_.run(sql::next_closed_btfs_channel,
                              Parameters().bigint(static_cast<std::int64_t>(payer.value)).bigint(after));
  if (rows.rows() == 0) return std::nullopt;
  return core::ChannelId{static_cast<std::uint64_t>(rows.bigint(0, 0))};
}

std::vector<OpenBtfsChannelRow> ReadSession::open_btfs_channels(core::AccountNumber recipient,
                                                                core::Sequence after, std::size_t limit) {
  auto rows = connection_.run(sql::open_btfs_channels, Parameters()
                                                           .bigint(static_cast<std::int64_t>(recipient.value))
                                                           .bigint(signed_of(after))
                                                           .bigint(static_cast<std::int64_t>(limit)));
  std::vector<OpenBtfsChannelRow> open;
  for (int i = 0; i < rows.rows(); ++i)
    open.push_back({{static_cast<std::uint64_t>(rows.bigint(i, 0))},
                    array<33>(rows.bytes(i, 1)),
                    rows.bigint(i, 2),
                    rows.bigint(i, 3)});
  return open;
}

std::vector<UnassignedRow> ReadSession::unassigned_deposits(core::Sequence after, std::size_t limit) {
  auto rows = connection_.run(sql::unassigned_deposits,
                              Parameters().bigint(signed_of(after)).bigint(static_cast<std::int64_t>(limit)));
  std::vector<UnassignedRow> deposits;
  for (int i = 0; i < rows.rows(); ++i)
    deposits.push_back({sequence_of(rows.bigint(i, 0)),
                        {static_cast<std::uint32_t>(rows.integer(i, 1))},
                        rows.bigint(i, 2),
                        std::string(rows.bytes(i, 3)),
                        std::string(rows.bytes(i, 4))});
  return deposits;
}

std::vector<TermsRow> ReadSession::terms() {
  auto rows = connection_.run(sql::read_terms);
  std::vector<TermsRow> terms;
  for (int i = 0; i < rows.rows(); ++i)
    terms.push_back({{static_cast<std::uint32_t>(rows.integer(i, 0))},
                     std::string(rows.bytes(i, 1)),
                     rows.bigint(i, 2),
                     rows.bigint(i, 3),
                     rows.bigint(i, 4),
                     std::string(rows.bytes(i, 5)),
                     rows.bigint(i, 6)});
  return terms;
}

void ReadSession::add_deposit_address(const DepositAddressRow& row, core::TimeUs now_us) {
  Parameters values;
  values.bytes(row.address).bigint(static_cast<std::int64_t>(row.account)).bytes(view(row.key));
  connection_.run(sql::add_deposit_address, values.bigint(now_us));
}

std::vector<AnchorRow> ReadSession::anchors(std::int64_t below_id, bool solidified_only, std::size_t limit) {
  return read_anchors(connection_.run(
      sql::list_anchors,
      Parameters().bigint(below_id).boolean(solidified_only).bigint(static_cast<std::int64_t>(limit))));
}

std::vector<AnchorRow> ReadSession::anchors_covering(core::Sequence sequence, std::int64_t above_id,
                                                     bool solidified_only, std::size_t limit) {
  return read_anchors(
      connection_.run(sql::list_anchors_covering, Parameters()
                                                      .bigint(signed_of(sequence))
                                                      .bigint(above_id)
                                                      .boolean(solidified_only)
                                                      .bigint(static_cast<std::int64_t>(limit))));
}

void ReadSession::add_audit(const AuditRow& audit, core::TimeUs now_us, std::size_t kept) {
  connection_.run(sql::write_audit, Parameters()
                                        .text(audit.vkey)
                                        .bigint(static_cast<std::int64_t>(audit.size))
                                        .bigint(signed_of(audit.snapshot))
                                        .text(audit.note)
                                        .bigint(now_us));
  connection_.run(sql::drop_audits, Parameters().bigint(static_cast<std::int64_t>(kept)));
}

std::vector<AuditRow> ReadSession::audits(std::size_t limit) {
  auto rows = connection_.run(sql::list_audits, Parameters().bigint(static_cast<std::int64_t>(limit)));
  std::vector<AuditRow> audits;
  for (int i = 0; i < rows.rows(); ++i)
    audits.push_back({std::string(rows.bytes(i, 0)), static_cast<std::uint64_t>(rows.bigint(i, 1)),
                      sequence_of(rows.bigint(i, 2)), std::string(rows.bytes(i, 3))});
  return audits;
}

}  // namespace windlass::journal
