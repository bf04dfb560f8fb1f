-- What auditors signed after they had replayed the ledger: for each the statement on the largest log. Whoever does not
-- replay asks for these (docs/auditing.md).
CREATE TABLE audits (
  vkey              text   PRIMARY KEY,  -- the auditor's verifier key, in note format
  size              bigint NOT NULL,     -- entries replayed
  snapshot_sequence bigint NOT NULL,     -- of the newest balance snapshot among them; -1: none
  note              text   NOT NULL,     -- as signed
  received_us       bigint NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON audits TO windlass_server;

-- Seals are rare: this costs an ordinary entry nothing, and finds the one before an anchor at once.
CREATE INDEX entries_seals ON entries (sequence) WHERE kind = 1;
