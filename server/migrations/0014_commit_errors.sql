-- The list of commits tells how many errors each has, and does not read them: they may be a megabyte.
ALTER TABLE commit_seen ADD COLUMN errors INTEGER NOT NULL DEFAULT 0;
UPDATE commit_seen SET errors =
  (SELECT count(*) FROM json_each(commit_seen.diagnostics) WHERE json_extract(json_each.value, '$.severity') = 'error')
 WHERE diagnostics <> '[]';
