-- What historical BTFS clients have under way with the gateway (protocol.Exchange). Ids of both tables rise together, with the
-- clock's microseconds; nothing rests on their being secret.
CREATE TABLE exchange_deposits (
  id              bigint  PRIMARY KEY,
  prepared_us     bigint  NOT NULL,
  user_key        bytea   NOT NULL CHECK (length(user_key) = 33),
  out_tx_id       bigint  NOT NULL,  -- the client's own number: the same again gets the same answer
  amount          bigint  NOT NULL CHECK (amount > 0),
  raw_data        bytea   NOT NULL,  -- of the transaction that the user is to sign
  transaction_id  bytea   NOT NULL CHECK (length(transaction_id) = 32) UNIQUE,
  expiration_ms   bigint  NOT NULL,
  reference_block bigint  NOT NULL,
  state           text    NOT NULL CHECK (state IN ('prepared', 'signed', 'landed', 'failed', 'expired')),
  signature       bytea,             -- the user's, saved before it is first sent
  block           bigint,            -- that it landed or failed in
  epoch           bigint  NOT NULL,  -- of the process that wrote it last
  UNIQUE (user_key, out_tx_id),
  CHECK (state <> 'signed' OR signature IS NOT NULL),
  CHECK (state NOT IN ('landed', 'failed') OR block IS NOT NULL)
);
CREATE INDEX exchange_deposits_open ON exchange_deposits (id) WHERE state IN ('prepared', 'signed');

CREATE FUNCTION keep_exchange_deposit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.user_key, NEW.amount, NEW.raw_data, NEW.transaction_id, NEW.expiration_ms)
     IS DISTINCT FROM
     (OLD.user_key, OLD.amount, OLD.raw_data, OLD.transaction_id, OLD.expiration_ms) THEN
    RAISE EXCEPTION 'deposit % was prepared: its transaction never changes', OLD.id;
  END IF;
  IF OLD.state IN ('landed', 'failed', 'expired') AND NEW.state <> OLD.state THEN
    RAISE EXCEPTION 'deposit % is %: that is final', OLD.id, OLD.state;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER keep_exchange_deposit BEFORE UPDATE ON exchange_deposits
  FOR EACH ROW EXECUTE FUNCTION keep_exchange_deposit();

CREATE TABLE exchange_withdrawals (
  id          bigint  PRIMARY KEY,
  prepared_us bigint  NOT NULL,
  user_key    bytea   NOT NULL CHECK (length(user_key) = 33),
  out_tx_id   bigint  NOT NULL,
  amount      bigint  NOT NULL CHECK (amount > 0),
  channel     bigint  UNIQUE,  -- on the ledger, since a Withdraw came
  epoch       bigint  NOT NULL,
  UNIQUE (user_key, out_tx_id)
);
CREATE INDEX exchange_withdrawals_open ON exchange_withdrawals (id) WHERE channel IS NULL;

CREATE FUNCTION keep_exchange_withdrawal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.channel IS NOT NULL AND NEW.channel IS DISTINCT FROM OLD.channel THEN
    RAISE EXCEPTION 'withdrawal % belongs to channel %: that is final', OLD.id, OLD.channel;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER keep_exchange_withdrawal BEFORE UPDATE ON exchange_withdrawals
  FOR EACH ROW EXECUTE FUNCTION keep_exchange_withdrawal();

-- What was prepared and never used is deleted.
GRANT SELECT, INSERT, UPDATE, DELETE ON exchange_deposits, exchange_withdrawals TO windlass_anchor;
GRANT SELECT ON exchange_deposits, exchange_withdrawals TO windlass_server;
