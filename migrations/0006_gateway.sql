-- Money out. What is set aside for a withdrawal, and what was credited to nobody, are kept as channels are.
ALTER TABLE channels
  ADD COLUMN purpose smallint NOT NULL DEFAULT 0,  -- 0: a channel, 1: a withdrawal, 2: a deposit of nobody
  ADD COLUMN fee     bigint   NOT NULL DEFAULT 0;  -- of a withdrawal: the gateway's part of the deposit
-- Both are few, and an update that leaves them alone stays a heap-only one.
CREATE INDEX channels_set_aside ON channels (purpose, id) WHERE open AND purpose > 0;

ALTER TABLE assets
  ADD COLUMN maximum_daily_credit bigint NOT NULL DEFAULT 0,  -- 0: no bound
  ADD COLUMN credit_day           bigint NOT NULL DEFAULT 0,  -- days since 1970
  ADD COLUMN credited_in_day      bigint NOT NULL DEFAULT 0;

CREATE INDEX deposits_sequence ON deposits (sequence);  -- of an unassigned one

-- What the gateway says that it can pay, by asset; the server refuses what it could not.
CREATE TABLE gateway_terms (
  asset      integer PRIMARY KEY,
  refuses    text    NOT NULL,  -- an error's reason; empty: withdrawals are taken
  minimum    bigint  NOT NULL,
  fee        bigint  NOT NULL,
  payable    bigint  NOT NULL,  -- most that may be held for withdrawals, all together
  beyond     text    NOT NULL,  -- what bounds it, as an error's reason
  updated_us bigint  NOT NULL,
  epoch      bigint  NOT NULL
);

-- Payments of withdrawals: one transaction each, another one for the same withdrawal only when the one before can never
-- land.
CREATE TABLE payments (
  withdrawal      bigint  NOT NULL,  -- its id on the ledger
  attempt         integer NOT NULL,  -- from 1
  state           text    NOT NULL
    CHECK (state IN ('signed', 'broadcast', 'included', 'landed', 'failed', 'expired')),
  asset           integer NOT NULL,
  amount          numeric NOT NULL CHECK (amount > 0),  -- in the chain's units
  destination     bytea   NOT NULL CHECK (length(destination) = 21),
  -- Saved before it is first sent, and never another one in its place.
  transaction     bytea   NOT NULL,
  transaction_id  bytea   NOT NULL CHECK (length(transaction_id) = 32) UNIQUE,
  expiration_ms   bigint  NOT NULL,
  reference_block bigint  NOT NULL,
  block           bigint,   -- since it is in one
  fee_sun         bigint,   -- that the chain took, since that block is solidified
  settlement      bytea,    -- the signed command that settles the withdrawal, saved before it is submitted
  settled         boolean NOT NULL DEFAULT false,
  signed_us       bigint  NOT NULL,
  epoch           bigint  NOT NULL,  -- of the process that wrote it last
  PRIMARY KEY (withdrawal, attempt),
  CHECK (state NOT IN ('included', 'landed', 'failed') OR block IS NOT NULL)
);
-- Two that could both land would pay twice; and what has landed is never followed by another.
CREATE UNIQUE INDEX payments_one ON payments (withdrawal) WHERE state NOT IN ('failed', 'expired');
-- What is under way.
CREATE INDEX payments_open ON payments (withdrawal) WHERE NOT settled;
CREATE INDEX payments_signed ON payments (signed_us);

CREATE FUNCTION keep_signed_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.transaction, NEW.transaction_id, NEW.expiration_ms, NEW.reference_block, NEW.amount, NEW.destination)
     IS DISTINCT FROM
     (OLD.transaction, OLD.transaction_id, OLD.expiration_ms, OLD.reference_block, OLD.amount, OLD.destination) THEN
    RAISE EXCEPTION 'payment % of withdrawal % is signed: its transaction never changes', OLD.attempt, OLD.withdrawal;
  END IF;
  IF OLD.state IN ('landed', 'failed', 'expired') AND NEW.state <> OLD.state THEN
    RAISE EXCEPTION 'payment % of withdrawal % is %: that is final', OLD.attempt, OLD.withdrawal, OLD.state;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER keep_signed_payment BEFORE UPDATE ON payments FOR EACH ROW EXECUTE FUNCTION keep_signed_payment();

-- For an operator: every withdrawal with its newest payment.
CREATE VIEW withdrawals AS
  SELECT c.id, encode(a.key, 'hex') AS key, s.symbol, c.deposit - c.fee AS amount, c.fee,
         encode(c.content, 'hex') AS destination,
         CASE WHEN NOT c.open AND c.claimed > 0 THEN 'paid'
              WHEN NOT c.open THEN 'refunded'
              WHEN p.state IN ('signed', 'broadcast') THEN 'sent'
              WHEN p.state IN ('included', 'landed') THEN 'included'
              ELSE 'held' END AS state,
         c.claim_sequence >= 0 AS approved, p.attempt, encode(p.transaction_id, 'hex') AS transaction_id, p.block
  FROM channels c
  JOIN accounts a ON a.number = c.payer
  JOIN assets s ON s.number = c.asset
  LEFT JOIN LATERAL (SELECT * FROM payments WHERE withdrawal = c.id ORDER BY attempt DESC LIMIT 1) p ON true
  WHERE c.purpose = 1;

ALTER TABLE anchoring_control ADD COLUMN withdrawals_paused boolean NOT NULL DEFAULT false;  -- nothing new is signed

GRANT SELECT, INSERT, UPDATE ON gateway_terms, payments TO windlass_anchor;
GRANT SELECT ON gateway_terms, payments, withdrawals TO windlass_server;
