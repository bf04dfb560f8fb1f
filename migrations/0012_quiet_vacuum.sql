-- Autovacuum took a quarter of a core from commits, minutes long. It needs not hurry: entries are only added, and an old
-- version of an account or a channel is written over by the row's next updates (0005), each row having one at all times.
ALTER TABLE entries SET (autovacuum_vacuum_cost_delay = 10, toast.autovacuum_vacuum_cost_delay = 10);
ALTER TABLE keys SET (autovacuum_vacuum_cost_delay = 10);
ALTER TABLE accounts SET (autovacuum_vacuum_cost_delay = 10, autovacuum_vacuum_scale_factor = 1.5);
ALTER TABLE channels SET (autovacuum_vacuum_cost_delay = 10, autovacuum_vacuum_scale_factor = 1.5);

-- Its statistics are for the planner, which asks about these columns alone; those of arrays and bytes are the dearest of all.
DO $$
DECLARE
  it record;
BEGIN
  FOR it IN
    SELECT attrelid::regclass AS relation, attname AS name,
           (attrelid::regclass::text, attname::text) IN
             (('entries', 'sequence'), ('entries', 'kind'), ('keys', 'key'), ('keys', 'address'), ('accounts', 'number'),
              ('channels', 'id'), ('channels', 'payer'), ('channels', 'recipient'), ('channels', 'open'),
              ('channels', 'purpose'), ('btfs_uses', 'id')) AS asked
    FROM pg_attribute
    WHERE attnum > 0 AND NOT attisdropped AND
          attrelid IN ('entries'::regclass, 'keys'::regclass, 'accounts'::regclass, 'channels'::regclass, 'btfs_uses'::regclass)
  LOOP
    EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', it.relation, it.name, CASE WHEN it.asked THEN 10 ELSE 0 END);
  END LOOP;
END $$;
