-- Of what was paid, what the gateway booked as the chain's fees for moving its own (kind 22).
ALTER TABLE assets ADD COLUMN chain_fees numeric NOT NULL DEFAULT 0 CHECK (chain_fees >= 0);

-- What sweeps have cost so far: the gateway books it, and the ledger says how much of it is booked.
COMMENT ON COLUMN scanner.sweep_fees_sun IS 'of all sweeps so far';
