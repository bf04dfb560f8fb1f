-- What an operator tells the anchoring process while it runs: `windlass-anchor pause|resume|drain|set-fee-ceiling`. The
-- process reads it at every step; it outlives restarts and holds for whoever has the lease.
CREATE TABLE anchoring_control (
  singleton        boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  anchors_paused   boolean NOT NULL DEFAULT false,  -- nothing new is signed; what is signed is pursued to its end
  deposits_paused  boolean NOT NULL DEFAULT false,  -- nothing is credited
  stop_when_idle   boolean NOT NULL DEFAULT false,  -- the process ends once nothing that is signed is under way
  fee_ceiling_sun  bigint  CHECK (fee_ceiling_sun >= 0),  -- of one anchor; null: what the configuration says
  changed          timestamptz NOT NULL DEFAULT now()
);
INSERT INTO anchoring_control DEFAULT VALUES;
GRANT SELECT, UPDATE ON anchoring_control TO windlass_anchor;
