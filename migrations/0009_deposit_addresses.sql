-- Deposit addresses: one an account, a child of the operator's extended public key; and what stands there.
CREATE TABLE deposit_addresses (
  address       bytea  PRIMARY KEY CHECK (length(address) = 21),
  account       bigint NOT NULL,  -- its number, which is the child's
  key           bytea  NOT NULL CHECK (length(key) = 33),  -- the account's then; it may have been rotated since
  handed_out_us bigint NOT NULL
);

-- By the walk over solidified blocks, as of scanner.block: changed only together with it.
CREATE TABLE deposit_holdings (
  address bytea   NOT NULL REFERENCES deposit_addresses,
  asset   integer NOT NULL,
  amount  numeric NOT NULL,  -- in the chain's units; below 0 only where what was there before it was handed out left
  epoch   bigint  NOT NULL,
  PRIMARY KEY (address, asset)
);
-- For the sums, and for what is worth sweeping.
CREATE INDEX deposit_holdings_amounts ON deposit_holdings (asset, amount) WHERE amount <> 0;

-- What the chain has taken for sweeps so far and no entry of the ledger says; likewise as of its block.
ALTER TABLE scanner ADD COLUMN sweep_fees_sun bigint NOT NULL DEFAULT 0;

-- Sweeps, and the TRX that pays for them: each one transaction, another one of the same address only when what became
-- of the one before is final.
CREATE TABLE sweeps (
  transaction_id  bytea   PRIMARY KEY CHECK (length(transaction_id) = 32),
  address         bytea   NOT NULL REFERENCES deposit_addresses,
  tops_up         boolean NOT NULL,  -- from custody to the address, to pay for a sweep; else to custody
  asset           integer NOT NULL,
  amount          numeric NOT NULL CHECK (amount > 0),  -- in the chain's units
  state           text    NOT NULL
    CHECK (state IN ('signed', 'broadcast', 'included', 'landed', 'failed', 'expired')),
  transaction     bytea   NOT NULL,  -- saved before it is first sent
  expiration_ms   bigint  NOT NULL,
  reference_block bigint  NOT NULL,
  block           bigint,
  signed_us       bigint  NOT NULL,
  epoch           bigint  NOT NULL,
  CHECK (state NOT IN ('included', 'landed', 'failed') OR block IS NOT NULL)
);
CREATE UNIQUE INDEX sweeps_one ON sweeps (address) WHERE state NOT IN ('landed', 'failed', 'expired');

GRANT SELECT, INSERT ON deposit_addresses TO windlass_server;
GRANT SELECT ON deposit_addresses TO windlass_anchor;
GRANT SELECT, INSERT, UPDATE ON deposit_holdings TO windlass_anchor;
GRANT SELECT, INSERT ON sweeps TO windlass_anchor;
GRANT UPDATE (state, block, epoch) ON sweeps TO windlass_anchor;  -- what is signed never changes
GRANT SELECT ON deposit_holdings, sweeps TO windlass_server;
