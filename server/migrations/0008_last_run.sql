-- How the last run of each node ended: a list of all nodes finds them side by side, and not far apart among all reports.
CREATE TABLE last_run (
  node           INTEGER PRIMARY KEY REFERENCES node (id),
  received_at    INTEGER NOT NULL,
  mode           TEXT    NOT NULL,
  source         TEXT    NOT NULL,
  commit_id      TEXT,
  total          INTEGER NOT NULL,
  unchanged      INTEGER NOT NULL,
  changed        INTEGER NOT NULL,
  corrective     INTEGER NOT NULL,
  would_change   INTEGER NOT NULL,
  failed         INTEGER NOT NULL,
  skipped        INTEGER NOT NULL,
  not_applicable INTEGER NOT NULL,
  "off"          INTEGER NOT NULL,
  refreshed      INTEGER NOT NULL,
  dropped        INTEGER NOT NULL,
  error          TEXT                        -- its beginning
) STRICT;
INSERT INTO last_run
  SELECT report.node, received_at, mode, source, report.commit_id, total, unchanged, changed, corrective, would_change,
    failed, skipped, not_applicable, "off", refreshed, dropped, substr(error, 1, 300)
  FROM node JOIN report ON report.id = node.report AND report.node = node.id;
