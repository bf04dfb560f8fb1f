-- The ledger. Applied by the owner; the server's role can add entries and read them, and change nothing it has added.

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'windlass_server') THEN
    CREATE ROLE windlass_server LOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'windlass_anchor') THEN
    CREATE ROLE windlass_anchor LOGIN;
  END IF;
END $$;

-- The truth: everything else in this database can be rebuilt from it. No index but the primary key, so that an append
-- costs the same however large the ledger is.
CREATE TABLE entries (
  sequence  bigint   PRIMARY KEY,
  time_us   bigint   NOT NULL,  -- Unix microseconds
  kind      smallint NOT NULL,
  leaf_hash bytea    NOT NULL,
  secret    bytea    NOT NULL,  -- the entry's salts follow from it
  envelope  bytea    NOT NULL,  -- command, keys and signatures as received
  postings  bytea    NOT NULL,  -- docs/formats.md
  -- Who it touched and the entry that touched them before, in pairs, so that a history is one recursive query:
  -- account n as -2n - 2, channel c as -2c - 3, then the previous sequence (-1: none).
  links     bigint[] NOT NULL
);
-- Signatures and hashes do not compress.
ALTER TABLE entries ALTER COLUMN envelope SET STORAGE EXTERNAL;
ALTER TABLE entries ALTER COLUMN postings SET STORAGE EXTERNAL;
ALTER TABLE entries ALTER COLUMN links SET STORAGE EXTERNAL;

-- One writer: whoever raised the epoch last. Every commit and every flush checks it in its own transaction.
CREATE TABLE writer (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  epoch bigint  NOT NULL,
  since timestamptz NOT NULL DEFAULT now()
);
INSERT INTO writer (epoch) VALUES (0);

-- What follows is written behind the entries: every row is exactly as of ledger.flushed_through.
CREATE TABLE ledger (
  singleton       boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  flushed_through bigint  NOT NULL,  -- sequence; -1: nothing yet
  time_us         bigint  NOT NULL,
  accounts        bigint  NOT NULL,
  open_channels   bigint  NOT NULL
);
INSERT INTO ledger (flushed_through, time_us, accounts, open_channels) VALUES (-1, 0, 0, 0);

CREATE TABLE assets (
  number               integer PRIMARY KEY,
  symbol               text    NOT NULL,
  chain                integer NOT NULL,
  token                text    NOT NULL,
  decimals             integer NOT NULL,
  chain_units          bigint  NOT NULL,  -- the chain's units in one ledger unit
  minimum_first_credit bigint  NOT NULL,
  minimum_channel      bigint  NOT NULL,
  -- totals, in ledger units ...
  available            bigint  NOT NULL,
  locked               bigint  NOT NULL,
  held                 bigint  NOT NULL,
  unassigned           bigint  NOT NULL,
  -- ... and in the chain's
  dust                 numeric NOT NULL,
  credited             numeric NOT NULL,
  paid                 numeric NOT NULL
);

-- Where the last credit of each chain stood.
CREATE TABLE cursors (
  chain       integer PRIMARY KEY,
  block       bigint  NOT NULL,
  transaction bigint  NOT NULL,
  log         bigint  NOT NULL
);

CREATE TABLE accounts (
  number        bigint   PRIMARY KEY,
  key           bytea    NOT NULL,  -- its key now
  roles         integer  NOT NULL,
  open_channels integer  NOT NULL,
  last_sequence bigint   NOT NULL,
  amounts       bigint[] NOT NULL,  -- asset, available, locked, held; asset, ...: see the view balances
  nonces        bytea    NOT NULL   -- pairs of nonce and sequence
) WITH (fillfactor = 90);

-- Every key there ever was; one rotated away stays.
CREATE TABLE keys (
  key        bytea  PRIMARY KEY,
  address    bytea  NOT NULL,  -- its TRON address
  account    bigint NOT NULL,
  rotated_at bigint NOT NULL  -- sequence; -1: current
);
CREATE INDEX keys_address ON keys (address);

CREATE TABLE channels (
  id             bigint  PRIMARY KEY,
  payer          bigint  NOT NULL,
  recipient      bigint  NOT NULL,
  receipt_key    bytea   NOT NULL,
  asset          integer NOT NULL,
  deposit        bigint  NOT NULL,
  claimed        bigint  NOT NULL,
  expires_us     bigint  NOT NULL,
  content        bytea   NOT NULL,
  open           boolean NOT NULL,
  last_sequence  bigint  NOT NULL,
  claim_sequence bigint  NOT NULL,  -- -1: none
  history        bytea   NOT NULL
) WITH (fillfactor = 90);
CREATE INDEX channels_payer ON channels (payer, id);
CREATE INDEX channels_recipient ON channels (recipient, id);

CREATE VIEW balances AS
  SELECT a.number AS account, encode(a.key, 'hex') AS key, s.symbol,
         a.amounts[i + 1] AS available, a.amounts[i + 2] AS locked, a.amounts[i + 3] AS held,
         l.flushed_through AS as_of_sequence
  FROM accounts a
  CROSS JOIN ledger l
  CROSS JOIN LATERAL generate_series(1, cardinality(a.amounts), 4) AS i
  JOIN assets s ON s.number = a.amounts[i];

GRANT USAGE ON SCHEMA public TO windlass_server;
GRANT SELECT, INSERT ON entries TO windlass_server;
GRANT SELECT, UPDATE ON writer TO windlass_server;
GRANT SELECT, INSERT, UPDATE ON ledger, assets, cursors, accounts, keys, channels TO windlass_server;
GRANT SELECT ON balances TO windlass_server;
