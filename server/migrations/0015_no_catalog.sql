-- Which commit a report says had no catalog for its node, and what else the run noted: `error` has both for people. Reports that
-- came before do not tell them apart, nor how many resources a run would have refreshed.
ALTER TABLE report ADD COLUMN refused_commit TEXT;
ALTER TABLE report ADD COLUMN besides TEXT;
ALTER TABLE report ADD COLUMN would_refresh INTEGER NOT NULL DEFAULT 0;
ALTER TABLE last_run ADD COLUMN refused_commit TEXT;
ALTER TABLE last_run ADD COLUMN besides TEXT;
ALTER TABLE last_run ADD COLUMN would_refresh INTEGER NOT NULL DEFAULT 0;
