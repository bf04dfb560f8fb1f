-- What the anchoring process keeps: its anchors, the deposits it found and how far it has scanned. Its role reads and
-- writes these and nothing else; the server's role only reads what it shows to clients.

-- One anchoring process: whoever raised the epoch last. Every write checks it in its own transaction.
CREATE TABLE anchoring_lease (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  epoch bigint  NOT NULL,
  since timestamptz NOT NULL DEFAULT now()
);
INSERT INTO anchoring_lease (epoch) VALUES (0);

CREATE TABLE anchors (
  id              bigint PRIMARY KEY,
  size            bigint NOT NULL CHECK (size > 0),  -- entries of the log that it covers
  root            bytea  NOT NULL CHECK (length(root) = 32),
  checkpoint      text   NOT NULL,  -- the signed note
  state           text   NOT NULL
    CHECK (state IN ('sealed', 'signed', 'broadcast', 'included', 'solidified', 'expired')),
  sealed_us       bigint NOT NULL,
  -- Since it is signed; saved before it is first sent, and never another one in its place.
  transaction     bytea,
  transaction_id  bytea CHECK (length(transaction_id) = 32),
  expiration_ms   bigint,
  reference_block bigint,
  reference_id    bytea,
  epoch           bigint NOT NULL,  -- of the process that wrote it last
  -- Since it is in a block.
  block           bigint,
  block_ms        bigint,
  solidified_us   bigint,
  CHECK (state = 'sealed' OR (transaction IS NOT NULL AND transaction_id IS NOT NULL AND expiration_ms IS NOT NULL AND
                              reference_block IS NOT NULL AND reference_id IS NOT NULL)),
  CHECK (state NOT IN ('included', 'solidified') OR block IS NOT NULL),
  CHECK (state <> 'solidified' OR solidified_us IS NOT NULL)
);
-- One at a time: two transactions under way could both land.
CREATE UNIQUE INDEX anchors_open ON anchors ((true)) WHERE state NOT IN ('solidified', 'expired');
CREATE INDEX anchors_size ON anchors (size);
CREATE UNIQUE INDEX anchors_transaction ON anchors (transaction_id);

-- A signed transaction is a promise to send exactly these bytes.
CREATE FUNCTION keep_signed_anchor() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.transaction IS NOT NULL AND
     (NEW.transaction, NEW.transaction_id, NEW.expiration_ms, NEW.size, NEW.root) IS DISTINCT FROM
     (OLD.transaction, OLD.transaction_id, OLD.expiration_ms, OLD.size, OLD.root) THEN
    RAISE EXCEPTION 'anchor % is signed: its transaction never changes', OLD.id;
  END IF;
  IF OLD.state IN ('solidified', 'expired') AND NEW.state <> OLD.state THEN
    RAISE EXCEPTION 'anchor % is %: that is final', OLD.id, OLD.state;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER keep_signed_anchor BEFORE UPDATE ON anchors FOR EACH ROW EXECUTE FUNCTION keep_signed_anchor();

CREATE TABLE deposits (
  transaction_id bytea   NOT NULL CHECK (length(transaction_id) = 32),
  log            integer NOT NULL DEFAULT 0,  -- of a TRC-20 transfer; 0 for TRX and TRC-10
  block          bigint  NOT NULL,
  index_in_block integer NOT NULL,
  asset          integer NOT NULL,
  amount         numeric NOT NULL CHECK (amount > 0),  -- in the chain's units
  owner          bytea   CHECK (length(owner) = 33),   -- the key; null: nobody's, goes to the asset's unassigned part
  source         bytea   NOT NULL,                     -- the sender's TRON address, 21 bytes
  state          text    NOT NULL CHECK (state IN ('submitted', 'credited')),
  sequence       bigint,           -- of the credit's entry; null: not yet, or credited before this row was
  envelope       bytea   NOT NULL, -- the signed credit, saved before it is first submitted
  seen_us        bigint  NOT NULL,
  epoch          bigint  NOT NULL,
  PRIMARY KEY (transaction_id, log)
);
CREATE INDEX deposits_place ON deposits (block, index_in_block, log);

-- The last block of each chain whose deposits are all credited.
CREATE TABLE scanner (
  chain    integer PRIMARY KEY,  -- 1 is TRON
  block    bigint  NOT NULL,
  block_id bytea   NOT NULL CHECK (length(block_id) = 32),
  epoch    bigint  NOT NULL
);

GRANT USAGE ON SCHEMA public TO windlass_anchor;
GRANT SELECT, UPDATE ON anchoring_lease TO windlass_anchor;
GRANT SELECT, INSERT, UPDATE ON anchors, deposits, scanner TO windlass_anchor;
GRANT SELECT ON anchors, deposits, scanner TO windlass_server;
