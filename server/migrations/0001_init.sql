-- Times are milliseconds since 1970 (UTC). Hashes and keys are raw bytes; ids that people see are text.

-- One row is one generation of one name: a node made again under the same name is another row.
CREATE TABLE node (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  certname    TEXT    NOT NULL,
  generation  INTEGER NOT NULL,
  reseller    TEXT    NOT NULL,
  customer    TEXT    NOT NULL,
  state       TEXT    NOT NULL CHECK (state IN ('added', 'enrolled', 'revoked', 'gone')),
  added_at    INTEGER NOT NULL,
  enrolled_at INTEGER,
  seen_at     INTEGER,                       -- the last authenticated request
  commit_id   TEXT,                          -- the commit of the last answer to a poll
  report      INTEGER REFERENCES report (id) ON DELETE SET NULL,
  UNIQUE (certname, generation)
) STRICT;
CREATE UNIQUE INDEX node_living ON node (certname) WHERE state <> 'gone';
CREATE INDEX node_customer ON node (reseller, customer, certname);

CREATE TABLE token (
  id         TEXT    PRIMARY KEY,
  node       INTEGER NOT NULL REFERENCES node (id),
  secret_mac BLOB    NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT    NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at    INTEGER,
  used_key   BLOB                            -- SHA-256 of the public key that it was used for
) STRICT;
CREATE INDEX token_node ON token (node);

-- A node has at most two that are not retired: the one in use, and the next until its first use.
CREATE TABLE certificate (
  serial       TEXT    PRIMARY KEY,
  node         INTEGER NOT NULL REFERENCES node (id),
  public_key   BLOB    NOT NULL,             -- SHA-256 of the subject public key info
  not_before   INTEGER NOT NULL,
  not_after    INTEGER NOT NULL,
  pem          TEXT    NOT NULL,
  issued_at    INTEGER NOT NULL,
  confirmed_at INTEGER,                      -- its first request
  retired_at   INTEGER
) STRICT;
CREATE INDEX certificate_node ON certificate (node, issued_at);

CREATE TABLE facts (
  node        INTEGER PRIMARY KEY REFERENCES node (id),
  hash        TEXT    NOT NULL,
  received_at INTEGER NOT NULL,
  body        BLOB    NOT NULL               -- JSON, zstd
) STRICT;

-- The last two that were served to each node; what they name may be fetched.
CREATE TABLE catalog (
  node          INTEGER NOT NULL REFERENCES node (id),
  id            TEXT    NOT NULL,
  commit_id     TEXT    NOT NULL,
  environment   TEXT    NOT NULL,
  resources     INTEGER NOT NULL,
  served_at     INTEGER NOT NULL,
  superseded_at INTEGER,
  PRIMARY KEY (node, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE catalog_content (
  node    INTEGER NOT NULL,
  hash    TEXT    NOT NULL,
  catalog TEXT    NOT NULL,
  PRIMARY KEY (node, hash, catalog),
  FOREIGN KEY (node, catalog) REFERENCES catalog (node, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX catalog_content_catalog ON catalog_content (node, catalog);

-- Why a node has no new catalog; gone with the next good one.
CREATE TABLE compile_error (
  node        INTEGER NOT NULL REFERENCES node (id),
  environment TEXT    NOT NULL,
  commit_id   TEXT    NOT NULL,
  since       INTEGER NOT NULL,
  diagnostics TEXT    NOT NULL,              -- JSON
  PRIMARY KEY (node, environment)
) STRICT, WITHOUT ROWID;

CREATE TABLE report (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  node           INTEGER NOT NULL REFERENCES node (id),
  run            TEXT    NOT NULL,           -- UUIDv7 by the agent: unique for its node alone
  received_at    INTEGER NOT NULL,
  started_at     INTEGER NOT NULL,
  duration_ms    INTEGER NOT NULL,
  catalog        TEXT,
  commit_id      TEXT,
  environment    TEXT,
  mode           TEXT    NOT NULL CHECK (mode IN ('enforce', 'audit')),
  source         TEXT    NOT NULL CHECK (source IN ('server', 'cache', 'file')),
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
  error          TEXT,
  agent          TEXT    NOT NULL,
  body           BLOB    NOT NULL,           -- the whole report: JSON, zstd
  UNIQUE (node, run)
) STRICT;
CREATE INDEX report_node ON report (node, received_at);
CREATE INDEX report_received ON report (received_at);
CREATE INDEX report_commit ON report (commit_id, node);

-- What is searched for; values and diffs stay in the report's body.
CREATE TABLE event (
  report      INTEGER NOT NULL REFERENCES report (id) ON DELETE CASCADE,
  position    INTEGER NOT NULL,              -- in the report's events
  node        INTEGER NOT NULL REFERENCES node (id),
  received_at INTEGER NOT NULL,
  resource    TEXT    NOT NULL,
  property    TEXT,
  path        TEXT,
  status      TEXT    NOT NULL,
  cause       TEXT,
  reason      TEXT,
  PRIMARY KEY (report, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_received ON event (received_at);
CREATE INDEX event_node ON event (node, received_at);

-- Commits that reached the server. The one in force is the last good one by seen_at.
CREATE TABLE commit_seen (
  environment  TEXT    NOT NULL,
  id           TEXT    NOT NULL,
  seen_at      INTEGER NOT NULL,
  committed_at INTEGER,                      -- none for a followed directory
  author       TEXT,
  subject      TEXT,
  status       TEXT    NOT NULL CHECK (status IN ('good', 'broken')),
  diagnostics  TEXT    NOT NULL,             -- JSON
  PRIMARY KEY (environment, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX commit_seen_at ON commit_seen (seen_at);

CREATE TABLE user (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  name       TEXT    NOT NULL UNIQUE,
  role       TEXT    NOT NULL CHECK (role IN ('operator', 'viewer')),
  reseller   TEXT,                           -- both null: sees everything
  customer   TEXT,
  password   TEXT,                           -- argon2id, PHC string; null until it is set
  created_at INTEGER NOT NULL,
  CHECK (customer IS NULL OR reseller IS NOT NULL)
) STRICT;

CREATE TABLE session (
  token_hash BLOB    PRIMARY KEY,            -- SHA-256: a copy of the database opens no session
  user       INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_user ON session (user);

CREATE TABLE login_link (
  token_hash BLOB    PRIMARY KEY,
  user       INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at    INTEGER
) STRICT, WITHOUT ROWID;

-- Append-only: each entry's hash covers the one before.
CREATE TABLE audit (
  seq       INTEGER PRIMARY KEY,
  at        INTEGER NOT NULL,
  actor     TEXT    NOT NULL,
  action    TEXT    NOT NULL,
  object    TEXT    NOT NULL,
  commit_id TEXT,
  detail    TEXT    NOT NULL,
  hash      BLOB    NOT NULL
) STRICT;
CREATE TRIGGER audit_keeps_what_it_says BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_keeps_its_entries BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
