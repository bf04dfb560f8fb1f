-- What clients of the historical BTFS ledger sign. Their messages have no nonces: each is known by an id (of a transfer its
-- hash, of a channel its payer and payer_id) and becomes one entry, ever. Written behind, as of ledger.flushed_through.
CREATE TABLE btfs_uses (
  id       bytea  PRIMARY KEY,
  sequence bigint NOT NULL  -- of the entry
);
GRANT SELECT, INSERT, UPDATE ON btfs_uses TO windlass_server;

ALTER TABLE accounts ADD COLUMN refuses_btfs boolean NOT NULL DEFAULT false;

-- channels.purpose 3: a channel of that protocol. A withdrawal (1) whose recipient is another than its payer was one. None of
-- these columns changes with a claim, so claims stay heap-only updates.
CREATE INDEX channels_btfs ON channels (payer, id) WHERE purpose IN (1, 3);
