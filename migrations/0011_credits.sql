-- Credits alone (kind 9): where a gateway finds what became of one whose answer it never had.
CREATE INDEX entries_credits ON entries (sequence) WHERE kind = 9;

ALTER TABLE deposits DROP CONSTRAINT deposits_state_check;
ALTER TABLE deposits ADD CONSTRAINT deposits_state_check CHECK (state IN ('submitted', 'credited', 'passed_by'));

ALTER TABLE anchors ADD COLUMN size_at_request bigint;  -- entries when its seal was requested: the seal's snapshot may lack those since
UPDATE anchors SET size_at_request = size;
ALTER TABLE anchors ALTER COLUMN size_at_request SET NOT NULL;
