-- What the store belongs to: one CA and one key of join strings.
CREATE TABLE founding (
  only      INTEGER PRIMARY KEY CHECK (only = 1),
  instance  TEXT NOT NULL,                   -- the installation's name, as in the CA's certificate
  token_key BLOB NOT NULL                    -- derived from ca/token.key
) STRICT;

-- The file of the first error, for lists of nodes.
ALTER TABLE compile_error ADD COLUMN file TEXT;
UPDATE compile_error SET file = json_extract(diagnostics, '$[0].origin.file');
