-- Pages look for the commit in force, for the newest of an environment, and for one by its id, without a walk over all.
CREATE INDEX commit_seen_newest ON commit_seen (environment, seen_at);
CREATE INDEX commit_seen_status ON commit_seen (environment, status, seen_at);
CREATE INDEX commit_seen_id ON commit_seen (id, seen_at);
DROP INDEX commit_seen_at;
