-- Credits alone (kind 9): where a gateway finds what became of one whose answer it never had.
CREATE INDEX entries_credits ON entries (sequence) WHERE kind = 9;
