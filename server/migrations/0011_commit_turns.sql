-- Which commit came after which. By the time at which they came, a clock that was ahead for a while would call an older commit
-- the newest, and put it in force at the next start.
ALTER TABLE commit_seen ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
UPDATE commit_seen SET turn = numbered.turn
  FROM (SELECT environment, id, row_number() OVER (ORDER BY seen_at, id) AS turn FROM commit_seen) AS numbered
 WHERE commit_seen.environment = numbered.environment AND commit_seen.id = numbered.id;
DROP INDEX commit_seen_newest;
DROP INDEX commit_seen_status;
DROP INDEX commit_seen_id;
CREATE INDEX commit_seen_newest ON commit_seen (environment, turn);
CREATE INDEX commit_seen_status ON commit_seen (environment, status, turn);
CREATE INDEX commit_seen_id ON commit_seen (id, turn);
