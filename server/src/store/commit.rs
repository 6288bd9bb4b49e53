//! Commits that arrived at the server, good or broken. The last good one of an environment is in force.

use holdfast_catalog::commit::CommitId;
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};

use crate::diagnostic::{Diagnostic, Severity};

use super::catalog::{from_json, json};
use super::{Result, Store, from_word, millis, time, word};

/// Whether a commit came into force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommitStatus {
    Good,
    /// It has errors and did not come into force.
    Broken,
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CommitRow {
    /// The branch, or `directory`.
    pub environment: String,
    /// The commit's hash, or the directory's.
    pub id: CommitId,
    /// When the server took it; updated if it arrives again after another commit.
    pub seen_at: Timestamp,
    /// When it was committed.
    pub committed_at: Option<Timestamp>,
    pub author: Option<String>,
    /// The first line of its message.
    pub subject: Option<String>,
    /// Whether it came into force.
    pub status: CommitStatus,
    pub diagnostics: Vec<Diagnostic>,
}

impl CommitRow {
    /// How many of its diagnostics are errors.
    pub fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|problem| problem.severity == Severity::Error).count()
    }
}

const COLUMNS: &str = "environment, id, seen_at, committed_at, author, subject, status, diagnostics";

/// The columns without the diagnostics of a commit, which may be a megabyte.
const WITHOUT_DIAGNOSTICS: &str = "environment, id, seen_at, committed_at, author, subject, status, '[]'";

pub(super) fn last_of_environment() -> String {
    format!(
        "SELECT {WITHOUT_DIAGNOSTICS}, errors FROM commit_seen WHERE environment = ?1
         ORDER BY turn DESC LIMIT ?3 OFFSET ?2"
    )
}

pub(super) fn by_id() -> String {
    format!("SELECT {COLUMNS} FROM commit_seen WHERE id = ?1 ORDER BY turn DESC")
}

pub(super) fn newest(columns: &str) -> String {
    format!(
        "SELECT {columns} FROM commit_seen WHERE environment = ?1 AND status = ?2 ORDER BY turn DESC LIMIT 1"
    )
}

/// The newest broken commit, unless a good one came after it.
fn newest_broken() -> String {
    format!(
        "SELECT {COLUMNS} FROM commit_seen WHERE environment = ?1 AND status = 'broken'
           AND turn > coalesce((SELECT max(turn) FROM commit_seen WHERE environment = ?1 AND status = 'good'), 0)
         ORDER BY turn DESC LIMIT 1"
    )
}

fn read(row: &Row<'_>) -> Result<CommitRow> {
    Ok(CommitRow {
        environment: row.get(0)?,
        id: row.get::<_, String>(1)?.into(),
        seen_at: time(row.get(2)?)?,
        committed_at: row.get::<_, Option<i64>>(3)?.map(time).transpose()?,
        author: row.get(4)?,
        subject: row.get(5)?,
        status: from_word("commit's status", row.get(6)?)?,
        diagnostics: from_json("diagnostics", &row.get::<_, String>(7)?)?,
    })
}

impl Store {
    /// Records a commit that was checked. If it is the newest already, as when the server starts, the time since when
    /// it is stays the same.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn put_commit(&self, commit: CommitRow) -> Result<()> {
        let (diagnostics, errors) = (json(&commit.diagnostics)?, commit.errors());
        self.write(move |connection| {
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO commit_seen
                       (environment, id, seen_at, committed_at, author, subject, status, diagnostics, errors, turn)
                     SELECT ?1, ?2, coalesce(same.seen_at, ?3), ?4, ?5, ?6, ?7, ?8, ?9,
                       (SELECT coalesce(max(turn), 0) + 1 FROM commit_seen)
                     FROM (SELECT 1) LEFT JOIN (SELECT id, status, seen_at, max(turn)
                       FROM commit_seen WHERE environment = ?1) AS same ON same.id = ?2 AND same.status = ?7",
                )?
                .execute(params![
                    commit.environment,
                    commit.id.as_str(),
                    millis(commit.seen_at),
                    commit.committed_at.map(millis),
                    commit.author,
                    commit.subject,
                    word(&commit.status),
                    diagnostics,
                    errors as i64
                ])?;
            Ok(())
        })
        .await
    }

    /// The newest good commit of an environment.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn last_good_commit(&self, environment: String) -> Result<Option<CommitId>> {
        self.read(move |connection| {
            Ok(connection
                .prepare_cached(
                    "SELECT id FROM commit_seen WHERE environment = ?1 AND status = 'good'
                     ORDER BY turn DESC LIMIT 1",
                )?
                .query_row([environment], |row| row.get::<_, String>(0))
                .optional()?
                .map(CommitId::from))
        })
        .await
    }

    /// The last commits of an environment, newest first, after skipping `skip` of them, each with its number of errors.
    /// Their diagnostics are left out: use [`Store::commit`] for them.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn commits(
        &self,
        environment: String,
        skip: u32,
        limit: u32,
    ) -> Result<Vec<(CommitRow, usize)>> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(&last_of_environment())?;
            let mut rows = statement.query(params![environment, skip, limit])?;
            let mut commits = Vec::new();
            while let Some(row) = rows.next()? {
                let errors: u32 = row.get("errors")?;
                commits.push((read(row)?, errors as usize));
            }
            Ok(commits)
        })
        .await
    }

    /// The rows of a commit by its full id: one for each environment in which it arrived.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn commit(&self, id: CommitId) -> Result<Vec<CommitRow>> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(&by_id())?;
            let mut rows = statement.query([id.as_str()])?;
            let mut commits = Vec::new();
            while let Some(row) = rows.next()? {
                commits.push(read(row)?);
            }
            Ok(commits)
        })
        .await
    }

    /// The ids of commits that begin with these digits: at most two, which is enough to see that the digits are ambiguous.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn commits_that_begin(&self, digits: String) -> Result<Vec<CommitId>> {
        self.read(move |connection| {
            let sql = "SELECT DISTINCT id FROM commit_seen WHERE id >= ?1 AND id < ?1 || 'g' LIMIT 2";
            let mut statement = connection.prepare_cached(sql)?;
            let found = statement.query_map([digits], |row| row.get::<_, String>(0))?;
            Ok(found.map(|id| id.map(CommitId::from)).collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// The commit in force in an environment, and a newer one that did not come into force; `None` if no commit has
    /// arrived.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn head(&self, environment: String) -> Result<Option<EnvironmentHead>> {
        self.read(move |connection| {
            let mut good = connection.prepare_cached(&newest(WITHOUT_DIAGNOSTICS))?;
            let mut rows = good.query([environment.as_str(), "good"])?;
            let in_force = rows.next()?.map(read).transpose()?;
            let mut newer = connection.prepare_cached(&newest_broken())?;
            let broken = newer.query([&environment])?.next()?.map(read).transpose()?;
            Ok((in_force.is_some() || broken.is_some()).then_some(EnvironmentHead {
                environment,
                in_force,
                broken,
            }))
        })
        .await
    }
}

/// The state of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentHead {
    pub environment: String,
    /// The last good commit, without its diagnostics.
    pub in_force: Option<CommitRow>,
    /// A newer commit that is broken.
    pub broken: Option<CommitRow>,
}
