#include "anchoring/postgres_store.h"

#include <charconv>
#include <type_traits>

#include "ledger/core/table.h"

namespace windlass::anchoring {
namespace {

using journal::Parameters;
using journal::Result;
using journal::Statement;

constexpr int statement_timeout_ms = 10'000;  // of statements that touch a row or two
constexpr std::int32_t tron_chain_number = 1;

// --- every statement of the anchoring process

constexpr Statement try_lock{"try_lock_anchoring",
                             "SELECT pg_try_advisory_lock(hashtext('windlass anchoring'))"};
// Waits for writes of an older epoch that still hold the row.
constexpr Statement raise_epoch{
    "raise_anchoring_epoch", "UPDATE anchoring_lease SET epoch = epoch + 1, since = now() RETURNING epoch"};
constexpr Statement check_epoch{"check_anchoring_epoch",
                                "SELECT 1 FROM anchoring_lease WHERE epoch = $1::bigint FOR SHARE"};

#define WINDLASS_ANCHOR_COLUMNS                                                                \
  "id, state, size, root, checkpoint, sealed_us, transaction, transaction_id, expiration_ms, " \
  "reference_block, "                                                                          \
  "reference_id, block, block_ms, solidified_us, size_at_request"
constexpr Statement open_anchor_sql{"open_anchor",
                                    "SELECT " WINDLASS_ANCHOR_COLUMNS
                                    " FROM anchors WHERE state NOT IN ('solidified', 'expired')"};
constexpr Statement newest_solidified_sql{
    "newest_solidified",
    "SELECT " WINDLASS_ANCHOR_COLUMNS " FROM anchors WHERE state = 'solidified' ORDER BY id DESC LIMIT 1"};
constexpr Statement newest_anchors_sql{"newest_anchors",
                                       "SELECT " WINDLASS_ANCHOR_COLUMNS
                                       " FROM anchors WHERE sealed_us >= $1::bigint ORDER BY id DESC LIMIT "
                                       "$2::bigint"};
constexpr Statement add_anchor_sql{
    "add_anchor",
    "INSERT INTO anchors (id, state, size, root, checkpoint, sealed_us, size_at_request, epoch) "
    "SELECT coalesce(max(id), 0) + 1, 'sealed', $1::bigint, $2::bytea, $3::text, $4::bigint, $5::bigint, "
    "$6::bigint FROM anchors "
    "RETURNING id"};
constexpr Statement save_anchor_sql{
    "save_anchor",
    "UPDATE anchors SET state = $2::text, size = $3::bigint, root = $4::bytea, checkpoint = $5::text, "
    "sealed_us = $6::bigint, transaction = $7::bytea, transaction_id = $8::bytea, expiration_ms = "
    "$9::bigint, "
    "reference_block = $10::bigint, reference_id = $11::bytea, block = $12::bigint, block_ms = $13::bigint, "
    "solidified_us = $14::bigint, size_at_request = $15::bigint, epoch = $16::bigint WHERE id = $1::bigint"};

constexpr Statement read_cursor{"read_scanner",
                                "SELECT block, block_id FROM scanner WHERE chain = $1::integer"};
constexpr Statement write_cursor{"write_scanner",
                                 "INSERT INTO scanner (chain, block, block_id, epoch, sweep_fees_sun) VALUES "
                                 "($1::integer, $2::bigint, $3::bytea, $4::bigint, $5::bigint) "
                                 "ON CONFLICT (chain) DO UPDATE SET block = excluded.block, block_id = "
                                 "excluded.block_id, epoch = excluded.epoch, sweep_fees_sun = "
                                 "scanner.sweep_fees_sun + excluded.sweep_fees_sun"};
constexpr Statement change_holding{
    "change_holding",
    "INSERT INTO deposit_holdings (address, asset, amount, epoch) VALUES ($1::bytea, $2::integer, "
    "$3::text::numeric, $4::bigint) ON CONFLICT (address, asset) DO UPDATE SET "
    "amount = deposit_holdings.amount + excluded.amount, epoch = excluded.epoch"};
constexpr Statement read_addresses{
    "read_deposit_addresses",
    "SELECT address, account, key FROM deposit_addresses WHERE address = ANY ($1::bytea[])"};
constexpr Statement sum_holdings{
    "sum_holdings", "SELECT asset, sum(amount)::text FROM deposit_holdings WHERE amount <> 0 GROUP BY asset"};
constexpr Statement read_sweep_fees{"read_sweep_fees",
                                    "SELECT sweep_fees_sun FROM scanner WHERE chain = $1::integer"};
constexpr Statement read_holdings{
    "read_holdings",
    "SELECT h.address, a.account, h.amount::text FROM deposit_holdings h JOIN deposit_addresses a USING "
    "(address) WHERE h.asset = $1::integer AND h.amount >= $2::text::numeric AND h.amount > 0 "
    "ORDER BY h.amount DESC LIMIT $3::bigint"};
constexpr Statement open_sweeps_sql{
    "open_sweeps",
    "SELECT s.address, a.account, s.tops_up, s.asset, s.amount::text, s.state, s.transaction, "
    "s.transaction_id, s.expiration_ms, s.reference_block, s.signed_us, s.block FROM sweeps s "
    "JOIN deposit_addresses a USING (address) WHERE s.state NOT IN ('landed', 'failed', 'expired')"};
constexpr Statement add_sweep_sql{
    "add_sweep",
    "INSERT INTO sweeps (transaction_id, address, tops_up, asset, amount, state, transaction, expiration_ms, "
    "reference_block, signed_us, epoch) VALUES ($1::bytea, $2::bytea, $3::boolean, $4::integer, "
    "$5::text::numeric, $6::text, $7::bytea, $8::bigint, $9::bigint, $10::bigint, $11::bigint)"};
constexpr Statement save_sweep_sql{
    "save_sweep",
    "UPDATE sweeps SET state = $2::text, block = $3::bigint, epoch = $4::bigint "
    "WHERE transaction_id = $1::bytea"};
constexpr Statement read_deposit{"read_deposit",
                                 "SELECT block, index_in_block, log, asset, amount::text, owner, source, "
                                 "state, sequence, envelope, seen_us "
                                 "FROM deposits WHERE transaction_id = $1::bytea AND log = $2::integer"};
constexpr Statement write_deposit{
    "write_deposit",
    "INSERT INTO deposits (transaction_id, log, block, index_in_block, asset, amount, owner, source, state, "
    "sequence, "
    "envelope, seen_us, epoch) VALUES ($1::bytea, $2::integer, $3::bigint, $4::integer, $5::integer, "
    "$6::text::numeric, $7::bytea, $8::bytea, $9::text, $10::bigint, $11::bytea, $12::bigint, $13::bigint) "
    "ON CONFLICT (transaction_id, log) DO UPDATE SET state = excluded.state, sequence = excluded.sequence, "
    "envelope = excluded.envelope, epoch = excluded.epoch"};

#define WINDLASS_PAYMENT_COLUMNS                                                                \
  "withdrawal, attempt, state, asset, amount::text, destination, transaction, transaction_id, " \
  "expiration_ms, reference_block, block, fee_sun, settlement, settled, signed_us"
constexpr Statement open_payments_sql{"open_payments",
                                      "SELECT " WINDLASS_PAYMENT_COLUMNS
                                      " FROM payments WHERE NOT settled ORDER BY withdrawal, attempt"};
constexpr Statement newest_payment_sql{"newest_payment", "SELECT " WINDLASS_PAYMENT_COLUMNS
                                                         " FROM payments WHERE withdrawal = $1::bigint "
                                                         "ORDER BY attempt DESC LIMIT 1"};
constexpr Statement paid_since_sql{
    "paid_since",
    "SELECT asset, sum(amount)::text FROM payments WHERE signed_us >= $1::bigint AND "
    "state NOT IN ('failed', 'expired') GROUP BY asset"};
constexpr Statement signed_since_sql{
    "signed_since",
    "SELECT asset, sum(amount)::text FROM payments WHERE signed_us >= $1::bigint GROUP BY asset"};
// Reads all of them: once a day.
constexpr Statement deposited_since_sql{
    "deposited_since",
    "SELECT asset, sum(amount)::text FROM deposits WHERE seen_us >= $1::bigint GROUP BY asset"};
// The one before it can never land: nothing more is to be done about that one.
constexpr Statement add_payment_sql{
    "add_payment",
    "WITH before AS (UPDATE payments SET settled = true, epoch = $12::bigint "
    "                WHERE withdrawal = $1::bigint AND attempt = $2::integer - 1 AND state = 'expired') "
    "INSERT INTO payments (withdrawal, attempt, state, asset, amount, destination, transaction, "
    "transaction_id, "
    "expiration_ms, reference_block, signed_us, epoch) VALUES ($1::bigint, $2::integer, $3::text, "
    "$4::integer, "
    "$5::text::numeric, $6::bytea, $7::bytea, $8::bytea, $9::bigint, $10::bigint, $11::bigint, $12::bigint)"};
constexpr Statement save_payment_sql{
    "save_payment",
    "UPDATE payments SET state = $3::text, block = $4::bigint, fee_sun = $5::bigint, settlement = $6::bytea, "
    "settled = $7::boolean, epoch = $8::bigint WHERE withdrawal = $1::bigint AND attempt = $2::integer"};
constexpr Statement publish_terms_sql{
    "publish_terms",
    "INSERT INTO gateway_terms (asset, refuses, minimum, fee, payable, beyond, updated_us, epoch) VALUES "
    "($1::integer, $2::text, $3::bigint, $4::bigint, $5::bigint, $6::text, $7::bigint, $8::bigint) "
    "ON CONFLICT (asset) DO UPDATE SET refuses = excluded.refuses, minimum = excluded.minimum, "
    "fee = excluded.fee, payable = excluded.payable, beyond = excluded.beyond, "
    "updated_us = excluded.updated_us, epoch = excluded.epoch"};
// Ids of both tables rise together, and with the clock: one that was given out before a backup was restored
// is not given out again.
#define WINDLASS_NEXT_EXCHANGE_ID                                                            \
  "greatest($1::bigint, 1 + greatest((SELECT coalesce(max(id), 0) FROM exchange_deposits), " \
  "(SELECT coalesce(max(id), 0) FROM exchange_withdrawals)))"
#define WINDLASS_EXCHANGE_DEPOSIT_COLUMNS                                                   \
  "id, prepared_us, user_key, out_tx_id, amount, raw_data, transaction_id, expiration_ms, " \
  "reference_block, state, signature, block"
#define WINDLASS_SELECT_EXCHANGE_DEPOSIT \
  "SELECT " WINDLASS_EXCHANGE_DEPOSIT_COLUMNS " FROM exchange_deposits "
constexpr Statement open_exchange_deposits_sql{"open_exchange_deposits", WINDLASS_SELECT_EXCHANGE_DEPOSIT
                                               "WHERE state IN ('prepared', 'signed') ORDER BY id"};
constexpr Statement read_exchange_deposit{"read_exchange_deposit",
                                          WINDLASS_SELECT_EXCHANGE_DEPOSIT "WHERE id = $1::bigint"};
constexpr Statement find_exchange_deposit{"find_exchange_deposit", WINDLASS_SELECT_EXCHANGE_DEPOSIT
                                          "WHERE user_key = $1::bytea AND out_tx_id = $2::bigint"};
constexpr Statement add_exchange_deposit_sql{
    "add_exchange_deposit", "INSERT INTO exchange_deposits (" WINDLASS_EXCHANGE_DEPOSIT_COLUMNS
                            ", epoch) VALUES (" WINDLASS_NEXT_EXCHANGE_ID
                            ", $1::bigint, $2::bytea, $3::bigint, $4::bigint, $5::bytea, $6::bytea, "
                            "$7::bigint, $8::bigint, $9::text, "
                            "$10::bytea, $11::bigint, $12::bigint) RETURNING id"};
constexpr Statement save_exchange_deposit_sql{
    "save_exchange_deposit",
    "UPDATE exchange_deposits SET state = $2::text, signature = $3::bytea, block = $4::bigint, "
    "epoch = $5::bigint WHERE id = $1::bigint"};
constexpr Statement drop_exchange_deposit_sql{
    "drop_exchange_deposit", "DELETE FROM exchange_deposits WHERE id = $1::bigint AND state = 'prepared'"};

#define WINDLASS_EXCHANGE_WITHDRAWAL_COLUMNS "id, prepared_us, user_key, out_tx_id, amount, channel"
#define WINDLASS_SELECT_EXCHANGE_WITHDRAWAL \
  "SELECT " WINDLASS_EXCHANGE_WITHDRAWAL_COLUMNS " FROM exchange_withdrawals "
constexpr Statement open_exchange_withdrawals_sql{
    "open_exchange_withdrawals", WINDLASS_SELECT_EXCHANGE_WITHDRAWAL "WHERE channel IS NULL ORDER BY id"};
constexpr Statement read_exchange_withdrawal{"read_exchange_withdrawal",
                                             WINDLASS_SELECT_EXCHANGE_WITHDRAWAL "WHERE id = $1::bigint"};
constexpr Statement find_exchange_withdrawal{"find_exchange_withdrawal", WINDLASS_SELECT_EXCHANGE_WITHDRAWAL
                                             "WHERE user_key = $1::bytea AND out_tx_id = $2::bigint"};
constexpr Statement exchange_withdrawal_of_channel{
    "exchange_withdrawal_of_channel", WINDLASS_SELECT_EXCHANGE_WITHDRAWAL "WHERE channel = $1::bigint"};
constexpr Statement add_exchange_withdrawal_sql{
    "add_exchange_withdrawal",
    "INSERT INTO exchange_withdrawals (" WINDLASS_EXCHANGE_WITHDRAWAL_COLUMNS
    ", epoch) VALUES (" WINDLASS_NEXT_EXCHANGE_ID
    ", $1::bigint, $2::bytea, $3::bigint, $4::bigint, $5::bigint, $6::bigint) RETURNING id"};
constexpr Statement save_exchange_withdrawal_sql{
    "save_exchange_withdrawal",
    "UPDATE exchange_withdrawals SET channel = $2::bigint, epoch = $3::bigint WHERE id = $1::bigint"};
constexpr Statement drop_exchange_withdrawal_sql{
    "drop_exchange_withdrawal", "DELETE FROM exchange_withdrawals WHERE id = $1::bigint AND channel IS NULL"};

#define WINDLASS_CONTROL_COLUMNS \
  "anchors_paused, deposits_paused, withdrawals_paused, stop_when_idle, fee_ceiling_sun"
constexpr Statement read_controls{"read_anchoring_control",
                                  "SELECT " WINDLASS_CONTROL_COLUMNS " FROM anchoring_control"};
constexpr Statement lock_controls{"lock_anchoring_control",
                                  "SELECT " WINDLASS_CONTROL_COLUMNS " FROM anchoring_control FOR UPDATE"};
constexpr Statement write_controls{
    "write_anchoring_control",
    "UPDATE anchoring_control SET anchors_paused = $1::boolean, deposits_paused = $2::boolean, "
    "withdrawals_paused = $3::boolean, stop_when_idle = $4::boolean, fee_ceiling_sun = $5::bigint, "
    "changed = now()"};
constexpr Statement write_stopped{"write_anchoring_stopped",
                                  "UPDATE anchoring_control SET deposits_paused = true, "
                                  "stop_when_idle = false, changed = now()"};

// --- rows

std::int64_t bigint_or_zero(const Result& result, int column, int row = 0) {
  return result.null(row, column) ? 0 : result.bigint(row, column);
}
std::string bytes_of(const Result& result, int column, int row = 0) {
  return result.null(row, column) ? std::string() : std::string(result.bytes(row, column));
}
template <std::size_t N>
ByteArray<N> array_of(const Result& result, int column, int row = 0) {
  if (result.null(row, column)) return {};
  auto array = to_array<N>(result.bytes(row, column));
  core::require(array.has_value());  // the table's own constraints
  return *array;
}

Anchor read_anchor(const Result& result, int row) {
  auto state = anchor_state(result.bytes(row, 1));
  core::require(state.has_value());
  Anchor anchor;
  anchor.id = result.bigint(row, 0);
  anchor.state = *state;
  anchor.size = static_cast<std::uint64_t>(result.bigint(row, 2));
  anchor.root = array_of<32>(result, 3, row);
  anchor.checkpoint = bytes_of(result, 4, row);
  anchor.sealed_us = result.bigint(row, 5);
  anchor.transaction = bytes_of(result, 6, row);
  anchor.transaction_id = array_of<32>(result, 7, row);
  anchor.expiration_ms = bigint_or_zero(result, 8, row);
  anchor.reference = {bigint_or_zero(result, 9, row), array_of<32>(result, 10, row)};
  anchor.block = bigint_or_zero(result, 11, row);
  anchor.block_ms = bigint_or_zero(result, 12, row);
  anchor.solidified_us = bigint_or_zero(result, 13, row);
  anchor.size_at_request = static_cast<std::uint64_t>(result.bigint(row, 14));
  return anchor;
}

std::optional<Anchor> read_anchor(const Result& result) {
  if (result.rows() == 0) return std::nullopt;
  return read_anchor(result, 0);
}

void bigint_unless_zero(Parameters& parameters, std::int64_t value) {
  value == 0 ? parameters.null() : parameters.bigint(value);
}

Parameters anchor_row(const Anchor& anchor, std::int64_t epoch) {
  Parameters row;
  row.bigint(anchor.id).text(name(anchor.state)).bigint(static_cast<std::int64_t>(anchor.size));
  row.bytes(view(anchor.root)).text(anchor.checkpoint).bigint(anchor.sealed_us);
  if (anchor.transaction.empty()) {
    row.null().null().null().null().null();
  } else {
    row.bytes(anchor.transaction).bytes(view(anchor.transaction_id)).bigint(anchor.expiration_ms);
    row.bigint(anchor.reference.number).bytes(view(anchor.reference.id));
  }
  bigint_unless_zero(row, anchor.block);
  bigint_unless_zero(row, anchor.block_ms);
  bigint_unless_zero(row, anchor.solidified_us);
  row.bigint(static_cast<std::int64_t>(anchor.size_at_request)).bigint(epoch);
  return row;
}

Controls read_controls_row(const Result& result) {
  core::require(result.rows() == 1);  // the migration made it, and nobody may delete it
  Controls controls{
      result.boolean(0, 0), result.boolean(0, 1), result.boolean(0, 2), result.boolean(0, 3), {}};
  if (!result.null(0, 4)) controls.fee_ceiling_sun = result.bigint(0, 4);
  return controls;
}

// Amounts of a chain are wider than any integer of libpq's: they travel as decimal text.
std::string decimal(core::ChainAmount amount) {
  std::string digits;
  do {
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(amount % 10)));
    amount /= 10;
  } while (amount > 0);
  return digits;
}
std::string decimal(core::Int128 amount) {
  auto magnitude = static_cast<core::ChainAmount>(amount < 0 ? -amount : amount);
  return (amount < 0 ? "-" : "") + decimal(magnitude);
}
core::ChainAmount from_decimal(ByteView digits) {
  core::ChainAmount amount = 0;
  for (char digit : digits) amount = amount * 10 + static_cast<core::ChainAmount>(digit - '0');
  return amount;
}
core::Int128 from_signed_decimal(ByteView digits) {
  bool negative = digits.starts_with('-');
  auto magnitude = static_cast<core::Int128>(from_decimal(digits.substr(negative ? 1 : 0)));
  return negative ? -magnitude : magnitude;
}

}  // namespace

PostgresStore::PostgresStore(const std::string& url) : connection_(url, statement_timeout_ms) {}

bool PostgresStore::acquire() {
  if (!connection_.run(try_lock).boolean(0, 0)) return false;
  epoch_ = connection_.run(raise_epoch).bigint(0, 0);
  return true;
}

// `write` in one transaction with the check that this process still holds the lease.
template <typename Write>
auto PostgresStore::fenced(Write write) {
  journal::Transaction transaction(connection_);
  if (epoch_ == 0 || connection_.run(check_epoch, Parameters().bigint(epoch_)).rows() == 0) throw Fenced();
  if constexpr (std::is_void_v<decltype(write())>) {
    write();
    transaction.commit();
  } else {
    auto written = write();
    transaction.commit();
    return written;
  }
}

std::optional<Anchor> PostgresStore::open_anchor() {
  return read_anchor(connection_.run(open_anchor_sql));
}

std::optional<Anchor> PostgresStore::newest_solidified() {
  return read_anchor(connection_.run(newest_solidified_sql));
}

std::vector<Anchor> PostgresStore::newest_anchors(std::int64_t since_us, std::size_t limit) {
  auto result = connection_.run(newest_anchors_sql,
                                Parameters().bigint(since_us).bigint(static_cast<std::int64_t>(limit)));
  std::vector<Anchor> found;
  for (int row = 0; row < result.rows(); ++row) found.push_back(read_anchor(result, row));
  return found;
}

std::int64_t PostgresStore::add_anchor(const Anchor& anchor) {
  Parameters row;
  row.bigint(static_cast<std::int64_t>(anchor.size)).bytes(view(anchor.root)).text(anchor.checkpoint);
  row.bigint(anchor.sealed_us).bigint(static_cast<std::int64_t>(anchor.size_at_request)).bigint(epoch_);
  return fenced([&] { return connection_.run(add_anchor_sql, row); }).bigint(0, 0);
}

void PostgresStore::save_anchor(const Anchor& anchor) {
  auto saved = fenced([&] { return connection_.run(save_anchor_sql, anchor_row(anchor, epoch_)); });
  core::require(saved.affected() == 1);
}

std::optional<BlockPlace> PostgresStore::cursor() {
  auto result = connection_.run(read_cursor, Parameters().integer(tron_chain_number));
  if (result.rows() == 0) return std::nullopt;
  return BlockPlace{result.bigint(0, 0), array_of<32>(result, 1)};
}

void PostgresStore::save_cursor(const BlockPlace& cursor, const AddressChanges& changes) {
  Parameters row;
  row.integer(tron_chain_number).bigint(cursor.number).bytes(view(cursor.id)).bigint(epoch_);
  row.bigint(changes.fees_sun);
  fenced([&] {
    for (const auto& [of, amount] : changes.amounts) {
      Parameters change;
      change.bytes(view(of.first.bytes)).integer(static_cast<std::int32_t>(of.second.value));
      connection_.run(change_holding, change.text(decimal(amount)).bigint(epoch_));
    }
    connection_.run(write_cursor, row);
  });
}

std::map<tron::Address, DepositAddress> PostgresStore::deposit_addresses(const std::set<tron::Address>& of) {
  std::vector<ByteView> wanted;
  for (const auto& address : of) wanted.push_back(view(address.bytes));
  std::map<tron::Address, DepositAddress> found;
  if (wanted.empty()) return found;
  auto result = connection_.run(read_addresses, Parameters().byte_arrays(wanted));
  for (int row = 0; row < result.rows(); ++row)
    found[{array_of<21>(result, 0, row)}] = {static_cast<std::uint64_t>(result.bigint(row, 1)),
                                             array_of<33>(result, 2, row)};
  return found;
}

AddressTotals PostgresStore::address_totals() {
  AddressTotals totals;
  auto result = connection_.run(sum_holdings);
  for (int row = 0; row < result.rows(); ++row)
    totals.amounts[{static_cast<std::uint32_t>(result.integer(row, 0))}] =
        from_signed_decimal(result.bytes(row, 1));
  auto fees = connection_.run(read_sweep_fees, Parameters().integer(tron_chain_number));
  if (fees.rows() > 0) totals.fees_sun = fees.bigint(0, 0);
  return totals;
}

std::vector<Holding> PostgresStore::holdings(core::AssetId asset, core::ChainAmount minimum,
                                             std::size_t limit) {
  Parameters wanted;
  wanted.integer(static_cast<std::int32_t>(asset.value)).text(decimal(minimum));
  auto result = connection_.run(read_holdings, wanted.bigint(static_cast<std::int64_t>(limit)));
  std::vector<Holding> found;
  for (int row = 0; row < result.rows(); ++row)
    found.push_back({{array_of<21>(result, 0, row)},
                     static_cast<std::uint64_t>(result.bigint(row, 1)),
                     from_decimal(result.bytes(row, 2))});
  return found;
}

std::vector<Sweep> PostgresStore::open_sweeps() {
  auto result = connection_.run(open_sweeps_sql);
  std::vector<Sweep> open;
  for (int row = 0; row < result.rows(); ++row) {
    auto state = payment_state(result.bytes(row, 5));
    core::require(state.has_value());
    Sweep sweep;
    sweep.address.bytes = array_of<21>(result, 0, row);
    sweep.account = static_cast<std::uint64_t>(result.bigint(row, 1));
    sweep.tops_up = result.boolean(row, 2);
    sweep.asset.value = static_cast<std::uint32_t>(result.integer(row, 3));
    sweep.amount = from_decimal(result.bytes(row, 4));
    sweep.state = *state;
    sweep.transaction = bytes_of(result, 6, row);
    sweep.transaction_id = array_of<32>(result, 7, row);
    sweep.expiration_ms = result.bigint(row, 8);
    sweep.reference_block = result.bigint(row, 9);
    sweep.signed_us = result.bigint(row, 10);
    sweep.block = bigint_or_zero(result, 11, row);
    open.push_back(std::move(sweep));
  }
  return open;
}

void PostgresStore::add_sweep(const Sweep& sweep) {
  Parameters row;
  row.bytes(view(sweep.transaction_id)).bytes(view(sweep.address.bytes)).boolean(sweep.tops_up);
  row.integer(static_cast<std::int32_t>(sweep.asset.value)).text(decimal(sweep.amount));
  row.text(name(sweep.state)).bytes(sweep.transaction).bigint(sweep.expiration_ms);
  row.bigint(sweep.reference_block).bigint(sweep.signed_us).bigint(epoch_);
  fenced([&] { return connection_.run(add_sweep_sql, row); });
}

void PostgresStore::save_sweep(const Sweep& sweep) {
  Parameters row;
  row.bytes(view(sweep.transaction_id)).text(name(sweep.state));
  bigint_unless_zero(row, sweep.block);
  auto saved = fenced([&] { return connection_.run(save_sweep_sql, row.bigint(epoch_)); });
  core::require(saved.affected() == 1);
}

std::optional<Deposit> PostgresStore::deposit(const Hash& transaction_id, std::uint32_t log) {
  auto result = connection_.run(
      read_deposit, Parameters().bytes(view(transaction_id)).integer(static_cast<std::int32_t>(log)));
  if (result.rows() == 0) return std::nullopt;
  Deposit deposit;
  deposit.transaction_id = transaction_id;
  deposit.at = {static_cast<std::uint64_t>(result.bigint(0, 0)),
                static_cast<std::uint32_t>(result.integer(0, 1)),
                static_cast<std::uint32_t>(result.integer(0, 2))};
  deposit.asset = core::AssetId{static_cast<std::uint32_t>(result.integer(0, 3))};
  deposit.amount = from_decimal(result.bytes(0, 4));
  if (!result.null(0, 5)) deposit.owner = array_of<33>(result, 5);
  deposit.source.bytes = array_of<21>(result, 6);
  auto state = deposit_state(result.bytes(0, 7));
  core::require(state.has_value());
  deposit.state = *state;
  if (!result.null(0, 8)) deposit.sequence = core::Sequence{static_cast<std::uint64_t>(result.bigint(0, 8))};
  deposit.envelope = bytes_of(result, 9);
  deposit.seen_us = result.bigint(0, 10);
  return deposit;
}

void PostgresStore::save_deposit(const Deposit& deposit) {
  Parameters row;
  row.bytes(view(deposit.transaction_id)).integer(static_cast<std::int32_t>(deposit.at.log));
  row.bigint(static_cast<std::int64_t>(deposit.at.block))
      .integer(static_cast<std::int32_t>(deposit.at.transaction));
  row.integer(static_cast<std::int32_t>(deposit.asset.value)).text(decimal(deposit.amount));
  deposit.owner ? row.bytes(view(*deposit.owner)) : row.null();
  row.bytes(view(deposit.source.bytes)).text(name(deposit.state));
  deposit.sequence ? row.bigint(static_cast<std::int64_t>(deposit.sequence->value)) : row.null();
  row.bytes(deposit.envelope).bigint(deposit.seen_us).bigint(epoch_);
  fenced([&] { return connection_.run(write_deposit, row); });
}

namespace {

Payment read_payment(const Result& result, int row) {
  auto state = payment_state(result.bytes(row, 2));
  core::require(state.has_value());
  Payment payment;
  payment.withdrawal.value = static_cast<std::uint64_t>(result.bigint(row, 0));
  payment.attempt = result.integer(row, 1);
  payment.state = *state;
  payment.asset.value = static_cast<std::uint32_t>(result.integer(row, 3));
  payment.amount = from_decimal(result.bytes(row, 4));
  payment.destination.bytes = array_of<21>(result, 5, row);
  payment.transaction = bytes_of(result, 6, row);
  payment.transaction_id = array_of<32>(result, 7, row);
  payment.expiration_ms = result.bigint(row, 8);
  payment.reference_block = result.bigint(row, 9);
  payment.block = bigint_or_zero(result, 10, row);
  payment.fee_sun = bigint_or_zero(result, 11, row);
  payment.settlement = bytes_of(result, 12, row);
  payment.settled = result.boolean(row, 13);
  payment.signed_us = result.bigint(row, 14);
  return payment;
}

std::int64_t id_of(const Payment& payment) {
  return static_cast<std::int64_t>(payment.withdrawal.value);
}

}  // namespace

std::vector<Payment> PostgresStore::open_payments() {
  auto result = connection_.run(open_payments_sql);
  std::vector<Payment> open;
  for (int row = 0; row < result.rows(); ++row) open.push_back(read_payment(result, row));
  return open;
}

std::optional<Payment> PostgresStore::newest_payment(core::ChannelId withdrawal) {
  auto result =
      connection_.run(newest_payment_sql, Parameters().bigint(static_cast<std::int64_t>(withdrawal.value)));
  if (result.rows() == 0) return std::nullopt;
  return read_payment(result, 0);
}

std::map<core::AssetId, core::ChainAmount> PostgresStore::sums(const journal::Statement& statement,
                                                               std::int64_t since_us) {
  auto result = connection_.run(statement, Parameters().bigint(since_us));
  std::map<core::AssetId, core::ChainAmount> sums;
  for (int row = 0; row < result.rows(); ++row)
    sums[core::AssetId{static_cast<std::uint32_t>(result.integer(row, 0))}] =
        from_decimal(result.bytes(row, 1));
  return sums;
}

std::map<core::AssetId, core::ChainAmount> PostgresStore::deposited_since(std::int64_t since_us) {
  return sums(deposited_since_sql, since_us);
}
std::map<core::AssetId, core::ChainAmount> PostgresStore::paid_since(std::int64_t since_us) {
  return sums(paid_since_sql, since_us);
}
std::map<core::AssetId, core::ChainAmount> PostgresStore::signed_since(std::int64_t since_us) {
  return sums(signed_since_sql, since_us);
}

void PostgresStore::add_payment(const Payment& payment) {
  Parameters row;
  row.bigint(id_of(payment)).integer(payment.attempt).text(name(payment.state));
  row.integer(static_cast<std::int32_t>(payment.asset.value)).text(decimal(payment.amount));
  row.bytes(view(payment.destination.bytes)).bytes(payment.transaction).bytes(view(payment.transaction_id));
  row.bigint(payment.expiration_ms).bigint(payment.reference_block).bigint(payment.signed_us).bigint(epoch_);
  fenced([&] { return connection_.run(add_payment_sql, row); });
}

void PostgresStore::save_payment(const Payment& payment) {
  Parameters row;
  row.bigint(id_of(payment)).integer(payment.attempt).text(name(payment.state));
  bigint_unless_zero(row, payment.block);
  bigint_unless_zero(row, payment.fee_sun);
  payment.settlement.empty() ? row.null() : row.bytes(payment.settlement);
  row.boolean(payment.settled).bigint(epoch_);
  auto saved = fenced([&] { return connection_.run(save_payment_sql, row); });
  core::require(saved.affected() == 1);
}

// In one transaction: no look at the terms finds one asset's paused and another's not yet.
void PostgresStore::publish_terms(const std::vector<PublishedTerms>& all) {
  fenced([&] {
    for (const auto& [asset, terms, updated_us] : all) {
      bool refuses = terms.refuses != core::Error::none;
      Parameters row;
      row.integer(static_cast<std::int32_t>(asset.value));
      row.text(refuses ? core::info(terms.refuses).reason : std::string_view());
      row.bigint(terms.minimum).bigint(terms.fee).bigint(terms.payable);
      row.text(core::info(terms.beyond).reason).bigint(updated_us).bigint(epoch_);
      connection_.run(publish_terms_sql, row);
    }
  });
}

// --- what historical clients have under way

namespace {

ExchangeDeposit read_exchange_deposit_row(const Result& result, int row) {
  auto state = exchange_deposit_state(result.bytes(row, 9));
  core::require(state.has_value());
  ExchangeDeposit deposit;
  deposit.id = result.bigint(row, 0);
  deposit.prepared_us = result.bigint(row, 1);
  deposit.user = array_of<33>(result, 2, row);
  deposit.out_tx_id = result.bigint(row, 3);
  deposit.amount = result.bigint(row, 4);
  deposit.raw_data = bytes_of(result, 5, row);
  deposit.transaction_id = array_of<32>(result, 6, row);
  deposit.expiration_ms = result.bigint(row, 7);
  deposit.reference_block = result.bigint(row, 8);
  deposit.state = *state;
  deposit.signature = bytes_of(result, 10, row);
  deposit.block = bigint_or_zero(result, 11, row);
  return deposit;
}

ExchangeWithdrawal read_exchange_withdrawal_row(const Result& result, int row) {
  ExchangeWithdrawal withdrawal;
  withdrawal.id = result.bigint(row, 0);
  withdrawal.prepared_us = result.bigint(row, 1);
  withdrawal.user = array_of<33>(result, 2, row);
  withdrawal.out_tx_id = result.bigint(row, 3);
  withdrawal.amount = result.bigint(row, 4);
  if (!result.null(row, 5))
    withdrawal.channel = core::ChannelId{static_cast<std::uint64_t>(result.bigint(row, 5))};
  return withdrawal;
}

template <typename Read>
auto all_rows(const Result& result, Read read) {
  std::vector<decltype(read(result, 0))> rows;
  for (int row = 0; row < result.rows(); ++row) rows.push_back(read(result, row));
  return rows;
}

template <typename Read>
auto first_row(const Result& result, Read read) -> std::optional<decltype(read(result, 0))> {
  if (result.rows() == 0) return std::nullopt;
  return read(result, 0);
}

void add_channel(Parameters& row, const std::optional<core::ChannelId>& channel) {
  channel ? row.bigint(static_cast<std::int64_t>(channel->value)) : row.null();
}

}  // namespace

std::vector<ExchangeDeposit> PostgresStore::open_exchange_deposits() {
  return all_rows(connection_.run(open_exchange_deposits_sql), read_exchange_deposit_row);
}

std::optional<ExchangeDeposit> PostgresStore::exchange_deposit(std::int64_t id) {
  return first_row(connection_.run(read_exchange_deposit, Parameters().bigint(id)),
                   read_exchange_deposit_row);
}

std::optional<ExchangeDeposit> PostgresStore::exchange_deposit(const PublicKey& user,
                                                               std::int64_t out_tx_id) {
  return first_row(connection_.run(find_exchange_deposit, Parameters().bytes(view(user)).bigint(out_tx_id)),
                   read_exchange_deposit_row);
}

std::int64_t PostgresStore::add_exchange_deposit(const ExchangeDeposit& deposit) {
  Parameters row;
  row.bigint(deposit.prepared_us).bytes(view(deposit.user)).bigint(deposit.out_tx_id).bigint(deposit.amount);
  row.bytes(deposit.raw_data).bytes(view(deposit.transaction_id)).bigint(deposit.expiration_ms);
  row.bigint(deposit.reference_block).text(name(deposit.state));
  deposit.signature.empty() ? row.null() : row.bytes(deposit.signature);
  bigint_unless_zero(row, deposit.block);
  row.bigint(epoch_);
  return fenced([&] { return connection_.run(add_exchange_deposit_sql, row); }).bigint(0, 0);
}

void PostgresStore::save_exchange_deposit(const ExchangeDeposit& deposit) {
  Parameters row;
  row.bigint(deposit.id).text(name(deposit.state));
  deposit.signature.empty() ? row.null() : row.bytes(deposit.signature);
  bigint_unless_zero(row, deposit.block);
  row.bigint(epoch_);
  auto saved = fenced([&] { return connection_.run(save_exchange_deposit_sql, row); });
  core::require(saved.affected() == 1);
}

void PostgresStore::drop_exchange_deposit(std::int64_t id) {
  fenced([&] { return connection_.run(drop_exchange_deposit_sql, Parameters().bigint(id)); });
}

std::vector<ExchangeWithdrawal> PostgresStore::open_exchange_withdrawals() {
  return all_rows(connection_.run(open_exchange_withdrawals_sql), read_exchange_withdrawal_row);
}

std::optional<ExchangeWithdrawal> PostgresStore::exchange_withdrawal(std::int64_t id) {
  return first_row(connection_.run(read_exchange_withdrawal, Parameters().bigint(id)),
                   read_exchange_withdrawal_row);
}

std::optional<ExchangeWithdrawal> PostgresStore::exchange_withdrawal(const PublicKey& user,
                                                                     std::int64_t out_tx_id) {
  return first_row(
      connection_.run(find_exchange_withdrawal, Parameters().bytes(view(user)).bigint(out_tx_id)),
      read_exchange_withdrawal_row);
}

std::optional<ExchangeWithdrawal> PostgresStore::exchange_withdrawal(core::ChannelId channel) {
  return first_row(connection_.run(exchange_withdrawal_of_channel,
                                   Parameters().bigint(static_cast<std::int64_t>(channel.value))),
                   read_exchange_withdrawal_row);
}

std::int64_t PostgresStore::add_exchange_withdrawal(const ExchangeWithdrawal& withdrawal) {
  Parameters row;
  row.bigint(withdrawal.prepared_us).bytes(view(withdrawal.user)).bigint(withdrawal.out_tx_id);
  row.bigint(withdrawal.amount);
  add_channel(row, withdrawal.channel);
  row.bigint(epoch_);
  return fenced([&] { return connection_.run(add_exchange_withdrawal_sql, row); }).bigint(0, 0);
}

void PostgresStore::save_exchange_withdrawal(const ExchangeWithdrawal& withdrawal) {
  Parameters row;
  row.bigint(withdrawal.id);
  add_channel(row, withdrawal.channel);
  row.bigint(epoch_);
  auto saved = fenced([&] { return connection_.run(save_exchange_withdrawal_sql, row); });
  core::require(saved.affected() == 1);
}

void PostgresStore::drop_exchange_withdrawal(std::int64_t id) {
  fenced([&] { return connection_.run(drop_exchange_withdrawal_sql, Parameters().bigint(id)); });
}

Controls PostgresStore::controls() {
  return read_controls_row(connection_.run(read_controls));
}

void PostgresStore::save_stopped() {
  fenced([&] { return connection_.run(write_stopped); });
}

Controls PostgresStore::change_controls(const std::function<void(Controls&)>& change) {
  journal::Transaction transaction(connection_);
  Controls controls = read_controls_row(connection_.run(lock_controls));
  change(controls);
  Parameters row;
  row.boolean(controls.anchors_paused).boolean(controls.deposits_paused);
  row.boolean(controls.withdrawals_paused).boolean(controls.stop_when_idle);
  controls.fee_ceiling_sun ? row.bigint(*controls.fee_ceiling_sun) : row.null();
  connection_.run(write_controls, row);
  transaction.commit();
  return controls;
}

}  // namespace windlass::anchoring
