// Every SQL statement of the ledger, in one place. Layouts: migrations/0001_ledger.sql.
#pragma once

#include "ledger/journal/postgres.h"

namespace windlass::journal::sql {

// What arrays of rows name their elements by.
constexpr Statement row_types{"row_types",
                              "SELECT 'entries'::regtype::oid::integer, 'keys'::regtype::oid::integer, "
                              "'accounts'::regtype::oid::integer, 'channels'::regtype::oid::integer, "
                              "'btfs_uses'::regtype::oid::integer"};

// --- the writer: one append, fenced

// Held by the writer's session for as long as it lives; a second server waits for it.
constexpr Statement try_lock_writer{"try_lock_writer",
                                    "SELECT pg_try_advisory_lock(hashtext('windlass writer'))"};
// Waits for commits of an older epoch that still hold the row.
constexpr Statement raise_epoch{"raise_epoch",
                                "UPDATE writer SET epoch = epoch + 1, since = now() RETURNING epoch"};
inline std::string has_epoch(std::int64_t epoch) {
  return "SELECT 1 FROM writer WHERE epoch = " + std::to_string(epoch) + " FOR SHARE";
}
constexpr Statement check_epoch{"check_epoch", "SELECT 1 FROM writer WHERE epoch = $1::bigint FOR SHARE"};
constexpr Statement read_epoch{"read_epoch", "SELECT epoch FROM writer"};
constexpr Statement copy_entries{
    "copy_entries",
    "COPY entries (sequence, time_us, kind, leaf_hash, secret, envelope, postings, links) "
    "FROM STDIN (FORMAT binary)"};
// One entry, or a few: a transaction by itself, in one round trip. It writes nothing where the epoch is
// another. One alone does without the array, which would cost it a seventh of its time.
constexpr Statement insert_entry{
    "insert_entry",
    "INSERT INTO entries (sequence, time_us, kind, leaf_hash, secret, envelope, postings, links) "
    "SELECT $2::bigint, $3::bigint, $4::smallint, $5::bytea, $6::bytea, $7::bytea, $8::bytea, $9::bigint[] "
    "FROM writer WHERE epoch = $1::bigint FOR SHARE"};
constexpr Statement insert_entries{
    "insert_entries",
    "WITH fence AS (SELECT 1 FROM writer WHERE epoch = $1::bigint FOR SHARE) "
    "INSERT INTO entries SELECT (row).* FROM (SELECT unnest($2::entries[]) AS row FROM fence) AS rows"};

// --- reading entries

constexpr Statement end_of_entries{"end_of_entries", "SELECT coalesce(max(sequence), -1) + 1 FROM entries"};
// Up to the first that makes $4 bytes. Lengths are known without reading what is stored out of line.
constexpr Statement read_entries{
    "read_entries",
    "SELECT sequence, time_us, kind, leaf_hash, secret, envelope, postings, links FROM ("
    "  SELECT *, sum(octet_length(envelope) + octet_length(postings)) OVER earlier AS bytes_before FROM "
    "entries "
    "  WHERE sequence >= $1::bigint AND sequence < $2::bigint "
    "  WINDOW earlier AS (ORDER BY sequence ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) "
    "  ORDER BY sequence LIMIT $3::bigint) page "
    "WHERE coalesce(bytes_before, 0) < $4::bigint ORDER BY sequence"};
// Kind 1 is a seal (core::Kind::seal); an index holds these alone.
constexpr Statement newest_seal{
    "newest_seal",
    "SELECT sequence, time_us, kind, leaf_hash, secret, envelope, postings, links FROM entries "
    "WHERE kind = 1 AND sequence < $1::bigint ORDER BY sequence DESC LIMIT 1"};
constexpr Statement list_seals{
    "list_seals",
    "SELECT sequence, time_us, kind, leaf_hash, secret, envelope, postings, links FROM entries "
    "WHERE kind = 1 AND sequence >= $1::bigint AND sequence < $2::bigint ORDER BY sequence LIMIT $3::bigint"};
// Kind 9 is a credit (core::Kind::credit); an index holds these alone.
constexpr Statement list_credits{
    "list_credits",
    "SELECT sequence, time_us, kind, leaf_hash, secret, envelope, postings, links FROM entries "
    "WHERE kind = 9 AND sequence < $1::bigint ORDER BY sequence DESC LIMIT $2::bigint"};
// One page of the chain that runs through $1 for the account or channel $2 (as in links), newest first, up to
// the first that makes $4 bytes.
constexpr Statement walk_history{
    "walk_history",
    "WITH RECURSIVE chain AS ("
    "  SELECT e.*, 1 AS place, octet_length(e.envelope) + octet_length(e.postings) AS bytes "
    "    FROM entries e WHERE e.sequence = $1::bigint"
    "  UNION ALL"
    "  SELECT e.*, c.place + 1, c.bytes + octet_length(e.envelope) + octet_length(e.postings)"
    "    FROM chain c JOIN entries e ON e.sequence = c.links[array_position(c.links, $2::bigint) + 1]"
    "    WHERE c.place < $3::bigint AND c.bytes < $4::bigint)"
    "SELECT sequence, time_us, kind, leaf_hash, secret, envelope, postings, links, "
    "       links[array_position(links, $2::bigint) + 1] FROM chain ORDER BY place"};

// --- what follows the entries

constexpr Statement read_ledger{"read_ledger",
                                "SELECT flushed_through, time_us, accounts, open_channels FROM ledger"};
constexpr Statement write_ledger{"write_ledger",
                                 "UPDATE ledger SET flushed_through = $1::bigint, time_us = $2::bigint, "
                                 "accounts = $3::bigint, open_channels = $4::bigint"};
constexpr Statement read_assets{
    "read_assets",
    "SELECT number, symbol, chain, token, decimals, chain_units, minimum_first_credit, "
    "minimum_channel, available, locked, held, unassigned, dust::text, credited::text, "
    "paid::text, maximum_daily_credit, credit_day, credited_in_day, chain_fees::text FROM assets "
    "ORDER BY number"};
constexpr Statement write_asset{
    "write_asset",
    "INSERT INTO assets VALUES ($1::integer, $2::text, $3::integer, $4::text, $5::integer, $6::bigint, "
    "$7::bigint, "
    "$8::bigint, $9::bigint, $10::bigint, $11::bigint, $12::bigint, $13::text::numeric, $14::text::numeric, "
    "$15::text::numeric, $16::bigint, $17::bigint, $18::bigint, $19::text::numeric) "
    "ON CONFLICT (number) DO UPDATE SET minimum_first_credit = "
    "excluded.minimum_first_credit, "
    "minimum_channel = excluded.minimum_channel, available = excluded.available, locked = excluded.locked, "
    "held = excluded.held, unassigned = excluded.unassigned, dust = excluded.dust, credited = "
    "excluded.credited, "
    "paid = excluded.paid, maximum_daily_credit = excluded.maximum_daily_credit, "
    "credit_day = excluded.credit_day, credited_in_day = excluded.credited_in_day, "
    "chain_fees = excluded.chain_fees"};
constexpr Statement read_cursors{"read_cursors", "SELECT chain, block, transaction, log FROM cursors"};
constexpr Statement write_cursor{
    "write_cursor",
    "INSERT INTO cursors VALUES ($1::integer, $2::bigint, $3::bigint, $4::bigint) "
    "ON CONFLICT (chain) DO UPDATE SET block = excluded.block, "
    "transaction = excluded.transaction, log = excluded.log"};

// A flush writes slices of rows, each slice one array of a table's row type. What is new is inserted, once an
// update has found fewer rows than it was given: an update of a row that is there costs a sixth less than an
// insert that turns into one, and two fifths less of Postgres' log.
// Plans outlive what the planner knew of tables that were small once.
constexpr const char* find_rows_by_index =
    "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off";
constexpr Statement update_accounts{
    "update_accounts",
    "UPDATE accounts SET key = new.key, roles = new.roles, open_channels = new.open_channels, "
    "last_sequence = new.last_sequence, amounts = new.amounts, nonces = new.nonces, "
    "refuses_btfs = new.refuses_btfs FROM unnest($1::accounts[]) AS new WHERE accounts.number = new.number"};
constexpr Statement insert_accounts{
    "insert_accounts",
    "INSERT INTO accounts SELECT * FROM unnest($1::accounts[]) ON CONFLICT (number) DO NOTHING"};
constexpr Statement update_channels{
    "update_channels",
    "UPDATE channels SET deposit = new.deposit, claimed = new.claimed, expires_us = new.expires_us, "
    "open = new.open, last_sequence = new.last_sequence, claim_sequence = new.claim_sequence, "
    "history = new.history, content = new.content, purpose = new.purpose, fee = new.fee "
    "FROM unnest($1::channels[]) AS new WHERE channels.id = new.id"};
constexpr Statement insert_channels{
    "insert_channels",
    "INSERT INTO channels SELECT * FROM unnest($1::channels[]) ON CONFLICT (id) DO NOTHING"};
// Most keys of a flush are new.
constexpr Statement upsert_keys{
    "upsert_keys",
    "INSERT INTO keys SELECT * FROM unnest($1::keys[]) ON CONFLICT (key) DO UPDATE SET "
    "rotated_at = excluded.rotated_at"};
// A use never changes.
constexpr Statement insert_btfs_uses{
    "insert_btfs_uses",
    "INSERT INTO btfs_uses SELECT * FROM unnest($1::btfs_uses[]) ON CONFLICT (id) DO NOTHING"};

constexpr Statement load_keys{"load_keys",
                              "SELECT key, account, rotated_at FROM keys WHERE key = ANY($1::bytea[])"};
constexpr Statement load_accounts{"load_accounts",
                                  "SELECT number, key, roles, open_channels, last_sequence, amounts, nonces, "
                                  "refuses_btfs "
                                  "FROM accounts WHERE number = ANY($1::bigint[])"};
constexpr Statement load_channels{
    "load_channels",
    "SELECT id, payer, recipient, receipt_key, asset, deposit, claimed, expires_us, "
    "content, open, last_sequence, claim_sequence, history, purpose, fee FROM channels "
    "WHERE id = ANY($1::bigint[])"};
constexpr Statement load_btfs_uses{"load_btfs_uses",
                                   "SELECT id, sequence FROM btfs_uses WHERE id = ANY($1::bytea[])"};

// --- balance snapshots

constexpr Statement read_postings{
    "read_postings",
    "SELECT sequence, secret, postings FROM entries WHERE sequence >= $1::bigint AND sequence < $2::bigint "
    "ORDER BY sequence LIMIT $3::bigint"};
constexpr Statement payers_of_channels{"payers_of_channels",
                                       "SELECT DISTINCT payer FROM channels WHERE id = ANY($1::bigint[])"};
constexpr Statement open_channels_of{
    "open_channels_of",
    "SELECT id, payer, recipient, receipt_key, asset, deposit, claimed, expires_us, content, open, "
    "last_sequence, claim_sequence, history, purpose, fee FROM channels "
    "WHERE payer = ANY($1::bigint[]) AND open AND purpose <> 2 ORDER BY payer, id"};

// Accounts and their amounts in order, from $1 on.
constexpr Statement read_amounts{
    "read_amounts",
    "SELECT number, amounts FROM accounts WHERE number >= $1::bigint ORDER BY number LIMIT $2::bigint"};
// Of the channels of payers from $1 to below $2: what their recipients have in their own balances already.
constexpr Statement read_claimed{"read_claimed",
                                 "SELECT payer, asset, sum(claimed)::bigint FROM channels WHERE payer >= "
                                 "$1::bigint AND payer < $2::bigint "
                                 "AND open AND claimed > 0 GROUP BY payer, asset"};
constexpr Statement newest_private{
    "newest_private",
    "SELECT sequence, secret FROM entries WHERE sequence < $1::bigint AND kind <> ALL($2::bigint[]) "
    "ORDER BY sequence DESC LIMIT 1"};

// --- auditors' statements

constexpr Statement write_audit{
    "write_audit",
    "INSERT INTO audits (vkey, size, snapshot_sequence, note, received_us) "
    "VALUES ($1::text, $2::bigint, $3::bigint, $4::text, $5::bigint) ON CONFLICT (vkey) DO UPDATE SET "
    "size = excluded.size, snapshot_sequence = excluded.snapshot_sequence, note = excluded.note, "
    "received_us = excluded.received_us WHERE audits.size <= excluded.size"};
constexpr Statement drop_audits{"drop_audits",  // all but the $1 that list_audits begins with
                                "DELETE FROM audits WHERE vkey NOT IN "
                                "(SELECT vkey FROM audits ORDER BY size DESC, vkey LIMIT $1::bigint)"};
constexpr Statement list_audits{
    "list_audits",
    "SELECT vkey, size, snapshot_sequence, note FROM audits ORDER BY size DESC, vkey LIMIT $1::bigint"};

// --- queries

constexpr Statement key_of_address{"key_of_address", "SELECT key FROM keys WHERE address = $1::bytea"};
// Ids of an account's channels above $2, lowest first: those flushed, and those opened since.
constexpr Statement list_channels{
    "list_channels",
    "SELECT id FROM channels WHERE payer = $1::bigint AND purpose = 0 AND id > $2::bigint AND "
    "(open OR $3::boolean) "
    "UNION SELECT id FROM channels WHERE recipient = $1::bigint AND purpose = 0 AND id > $2::bigint AND "
    "(open OR $3::boolean) "
    "UNION SELECT sequence FROM entries WHERE sequence > greatest($2::bigint, (SELECT flushed_through FROM "
    "ledger)) "
    "  AND kind = 5 AND array_position(links, -2 * $1::bigint - 2) IS NOT NULL "
    "ORDER BY 1 LIMIT $4::bigint"};
// Ids of an account's withdrawals below $2, newest first: those flushed, and those asked for since.
constexpr Statement list_withdrawals{
    "list_withdrawals",
    "SELECT id FROM channels WHERE payer = $1::bigint AND purpose = 1 AND id < $2::bigint "
    "UNION SELECT sequence FROM entries WHERE sequence > (SELECT flushed_through FROM ledger) "
    "  AND sequence < $2::bigint AND kind = 12 AND array_position(links, -2 * $1::bigint - 2) IS NOT NULL "
    "ORDER BY 1 DESC LIMIT $3::bigint"};
// How many withdrawals that wait for the gateway come before each of these, and each one's newest payment.
constexpr Statement list_payments{
    "list_payments",
    "SELECT w.id, p.state, p.transaction_id, coalesce(p.block, 0), "
    "(SELECT count(*) FROM channels c WHERE c.open AND c.purpose = 1 AND c.id < w.id AND NOT EXISTS "
    "  (SELECT FROM payments o WHERE o.withdrawal = c.id AND o.state NOT IN ('failed', 'expired'))) "
    "FROM unnest($1::bigint[]) AS w (id) LEFT JOIN LATERAL "
    "(SELECT * FROM payments WHERE withdrawal = w.id ORDER BY attempt DESC LIMIT 1) p ON true"};
constexpr Statement open_withdrawals{
    "open_withdrawals",
    "SELECT c.id, a.key, c.asset, c.deposit - c.fee, c.fee, c.content, c.claim_sequence >= 0 FROM channels c "
    "JOIN accounts a ON a.number = c.payer WHERE c.open AND c.purpose = 1 AND c.id > $1::bigint "
    "ORDER BY c.id LIMIT $2::bigint"};
// Of purpose 3, and what was one until it became a withdrawal (1): its recipient is the gateway.
constexpr Statement next_closed_btfs_channel{
    "next_closed_btfs_channel",
    "SELECT id FROM channels WHERE payer = $1::bigint AND purpose IN (1, 3) AND recipient <> payer "
    "AND NOT open AND last_sequence > $2::bigint ORDER BY last_sequence LIMIT 1"};
constexpr Statement open_btfs_channels{
    "open_btfs_channels",
    "SELECT c.id, c.receipt_key, c.deposit, e.time_us FROM channels c JOIN entries e ON e.sequence = c.id "
    "WHERE c.open AND c.purpose = 3 AND c.recipient = $1::bigint AND c.id > $2::bigint "
    "ORDER BY c.id LIMIT $3::bigint"};
constexpr Statement unassigned_deposits{
    "unassigned_deposits",
    "SELECT c.id, c.asset, c.deposit, coalesce(d.transaction_id, ''), coalesce(d.source, '') FROM channels c "
    "LEFT JOIN deposits d ON d.sequence = c.id WHERE c.open AND c.purpose = 2 AND c.id > $1::bigint "
    "ORDER BY c.id LIMIT $2::bigint"};
constexpr Statement read_terms{
    "read_terms", "SELECT asset, refuses, minimum, fee, payable, beyond, updated_us FROM gateway_terms"};
constexpr Statement add_deposit_address{
    "add_deposit_address",
    "INSERT INTO deposit_addresses (address, account, key, handed_out_us) VALUES ($1::bytea, $2::bigint, "
    "$3::bytea, $4::bigint) ON CONFLICT (address) DO NOTHING"};

constexpr Statement list_anchors{
    "list_anchors",
    "SELECT id, size, root, checkpoint, state, coalesce(transaction_id, ''), coalesce(block, 0), sealed_us, "
    "coalesce(solidified_us, 0) FROM anchors WHERE (id < $1::bigint OR $1::bigint = 0) AND "
    "(NOT $2::boolean OR state = 'solidified') ORDER BY id DESC LIMIT $3::bigint"};
constexpr Statement list_anchors_covering{
    "list_anchors_covering",
    "SELECT id, size, root, checkpoint, state, coalesce(transaction_id, ''), coalesce(block, 0), sealed_us, "
    "coalesce(solidified_us, 0) FROM anchors WHERE size > $1::bigint AND id > $2::bigint AND "
    "(NOT $3::boolean OR state = 'solidified') ORDER BY id LIMIT $4::bigint"};

// --- migrations

constexpr Statement migrations_done{"migrations_done",
                                    "SELECT version FROM schema_migrations ORDER BY version"};
constexpr Statement record_migration{"record_migration",
                                     "INSERT INTO schema_migrations VALUES ($1::integer, now())"};

}  // namespace windlass::journal::sql
