//! The audit log: who did what. It is append-only, and each entry's hash covers the entry before, so a changed or
//! missing entry is detected.

use holdfast_catalog::commit::CommitId;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};

use super::{Result, Store, millis, time};

/// An entry to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAuditEntry {
    pub at: Timestamp,
    /// Who did it: `uid 0`, a user's name, `node web1.acme.example (gen 1)`, or an address if the caller is unknown.
    pub actor: String,
    /// What was done, as a stable word such as `node-added`.
    pub action: &'static str,
    pub object: String,
    /// The commit that was in force.
    pub commit: Option<CommitId>,
    /// Details for people. Never a secret.
    pub detail: String,
}

impl NewAuditEntry {
    /// An entry that `actor` did `action` to `object`, without details.
    pub fn new(at: Timestamp, actor: &str, action: &'static str, object: &str) -> Self {
        Self {
            at,
            actor: actor.to_owned(),
            action,
            object: object.to_owned(),
            commit: None,
            detail: String::new(),
        }
    }
}

/// An entry as it is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its place in the log, counted from 1.
    pub seq: i64,
    pub at: Timestamp,
    pub actor: String,
    pub action: String,
    pub object: String,
    pub commit: Option<CommitId>,
    pub detail: String,
    hash: Vec<u8>,
}

/// The place of an entry in the log, and the hash that covers it and all entries before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditHead {
    /// Its place, which is also the number of entries.
    pub seq: i64,
    /// Its hash in hex.
    pub hash: String,
}

impl AuditHead {
    fn of(seq: i64, hash: &[u8]) -> Self {
        Self { seq, hash: data_encoding::HEXLOWER.encode(hash) }
    }
}

/// The result of a check of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainCheck {
    /// The last entry that is intact; `None` if there is none.
    pub head: Option<AuditHead>,
    /// The place of the first entry that was changed or is missing.
    pub broken_at: Option<i64>,
    /// The place of the entry with the hash that was sought, if it is among the intact ones.
    pub found: Option<i64>,
}

impl AuditRow {
    /// Its hash in hex.
    pub fn hash(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.hash)
    }

    /// The hash over every field and the entry before; each field is preceded by its length, so that neighbouring
    /// fields cannot be confused.
    fn hash_after(&self, previous: &[u8]) -> Vec<u8> {
        let mut hash = Sha256::new();
        let commit = self.commit.as_deref().unwrap_or_default();
        let (seq, at) = (self.seq.to_be_bytes(), millis(self.at).to_be_bytes());
        let texts = [&self.actor, &self.action, &self.object, commit, &self.detail].map(str::as_bytes);
        for field in [previous, &seq, &at].into_iter().chain(texts) {
            hash.update((field.len() as u64).to_be_bytes());
            hash.update(field);
        }
        hash.finalize().to_vec()
    }

    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<(i64, Self)> {
        let millis = row.get(1)?;
        let read = Self {
            seq: row.get(0)?,
            at: Timestamp::UNIX_EPOCH,
            actor: row.get(2)?,
            action: row.get(3)?,
            object: row.get(4)?,
            commit: row.get::<_, Option<String>>(5)?.map(CommitId::from),
            detail: row.get(6)?,
            hash: row.get(7)?,
        };
        Ok((millis, read))
    }

    fn dated((millis, row): (i64, Self)) -> Result<Self> {
        Ok(Self { at: time(millis)?, ..row })
    }
}

const COLUMNS: &str = "seq, at, actor, action, object, commit_id, detail, hash";

/// Appends an entry within the caller's transaction.
pub(super) fn append(connection: &Connection, entry: NewAuditEntry) -> Result<()> {
    let last: Option<(i64, Vec<u8>)> = connection
        .prepare_cached("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (seq, previous) = last.unwrap_or_default();
    let mut row = AuditRow {
        seq: seq + 1,
        // The hash must be the same when the entry is read back, and the table stores milliseconds.
        at: time(millis(entry.at))?,
        actor: entry.actor,
        action: entry.action.to_owned(),
        object: entry.object,
        commit: entry.commit,
        detail: entry.detail,
        hash: Vec::new(),
    };
    row.hash = row.hash_after(&previous);
    connection
        .prepare_cached(
            "INSERT INTO audit (seq, at, actor, action, object, commit_id, detail, hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            row.seq,
            millis(row.at),
            row.actor,
            row.action,
            row.object,
            row.commit.as_deref(),
            row.detail,
            row.hash
        ])?;
    Ok(())
}

impl Store {
    /// Writes an entry to the log.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn audit(&self, entry: NewAuditEntry) -> Result<()> {
        self.write(move |connection| append(connection, entry)).await
    }

    /// Who logged in, from which address and when, among the newest `among` entries; the oldest first.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn logins(&self, among: u32) -> Result<Vec<(String, String, Timestamp)>> {
        self.read(move |connection| {
            let sql = "SELECT actor, object, at FROM (SELECT * FROM audit ORDER BY seq DESC LIMIT ?1)
                       WHERE action = 'logged-in' ORDER BY seq";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query([among])?;
            let mut logins = Vec::new();
            while let Some(row) = rows.next()? {
                logins.push((row.get(0)?, row.get(1)?, time(row.get(2)?)?));
            }
            Ok(logins)
        })
        .await
    }

    /// Entries since a time and after a place, the oldest first, up to a number.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn audit_after(
        &self,
        since: Option<Timestamp>,
        place: i64,
        limit: u32,
    ) -> Result<Vec<AuditRow>> {
        let since = since.map_or(i64::MIN, millis);
        self.read(move |connection| {
            let sql =
                format!("SELECT {COLUMNS} FROM audit WHERE seq > ?1 AND at >= ?2 ORDER BY seq LIMIT ?3");
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(params![place, since, limit], AuditRow::read)?;
            rows.map(|row| AuditRow::dated(row?)).collect()
        })
        .await
    }

    /// Entries before a place, the newest first, up to `limit`.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn audit_before(&self, place: i64, limit: u32) -> Result<Vec<AuditRow>> {
        self.read(move |connection| {
            let sql = format!("SELECT {COLUMNS} FROM audit WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2");
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(params![place, limit], AuditRow::read)?;
            rows.map(|row| AuditRow::dated(row?)).collect()
        })
        .await
    }

    /// The place and hash of the newest entry; `None` if the log is empty.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn audit_head(&self) -> Result<Option<AuditHead>> {
        self.read(|connection| {
            let head = connection
                .prepare_cached("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")?
                .query_row([], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?)))
                .optional()?;
            Ok(head.map(|(seq, hash)| AuditHead::of(seq, &hash)))
        })
        .await
    }

    /// Checks the chain from its beginning, and looks for the entry with this hash, given in hex.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn audit_checked(&self, sought: Option<String>) -> Result<ChainCheck> {
        self.read(move |connection| {
            let sql = format!("SELECT {COLUMNS} FROM audit ORDER BY seq");
            let mut statement = connection.prepare(&sql)?;
            let (mut at, mut previous) = (0, Vec::new());
            let (mut broken_at, mut found) = (None, None);
            for row in statement.query_map([], AuditRow::read)? {
                let row = AuditRow::dated(row?)?;
                if row.seq != at + 1 || row.hash != row.hash_after(&previous) {
                    broken_at = Some(at + 1);
                    break;
                }
                (at, previous) = (row.seq, row.hash);
                if found.is_none()
                    && sought.as_deref().is_some_and(|hash| hash == AuditHead::of(at, &previous).hash)
                {
                    found = Some(at);
                }
            }
            let head = (at > 0).then(|| AuditHead::of(at, &previous));
            Ok(ChainCheck { head, broken_at, found })
        })
        .await
    }
}
