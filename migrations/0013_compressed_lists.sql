-- A list's postings and links are mostly small numbers, wide: with lz4 a payment takes half as much. Envelopes are
-- signatures and ids, which do not compress. Rows below 2 kB are left as they are, whatever this says.
ALTER TABLE entries
  ALTER COLUMN postings SET STORAGE EXTENDED, ALTER COLUMN postings SET COMPRESSION lz4,
  ALTER COLUMN links SET STORAGE EXTENDED, ALTER COLUMN links SET COMPRESSION lz4;
