//! Reports: what runs found and did. A report that arrives twice counts once.

use holdfast_catalog::commit::CommitId;
use holdfast_catalog::report::{Counts, Mode, Report, Source, took_place};
use holdfast_catalog::run::RunId;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Serialize;

use super::node::NodeId;
use super::{Packed, Result, Store, event, from_word, millis, pack, parsed, time, unpack, word};

mod retention; // for how long

#[cfg(test)]
pub(crate) use retention::MAX_BYTES;
pub use retention::MAX_QUIET;

/// The most reports of one run to look at: each node makes its own ids, so several may have the same one.
const MAX_OF_A_RUN: u32 = 64;

/// A report without its events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportRow {
    /// Its number in this store.
    pub id: i64,
    /// The node that sent it, by its certificate.
    pub node: NodeId,
    /// The agent's id of the run.
    pub run: RunId,
    pub received_at: Timestamp,
    /// When the run began, by the node's clock.
    pub started_at: Timestamp,
    /// How long the run took, in milliseconds.
    pub duration_ms: i64,
    pub catalog: Option<String>,
    pub commit: Option<CommitId>,
    pub environment: Option<String>,
    pub mode: Mode,
    /// Where the catalog came from.
    pub source: Source,
    /// The number of resources by outcome.
    pub counts: Counts,
    /// Why there was no run, or why it used an old catalog.
    pub error: Option<String>,
    pub agent: String,
    /// Whether this server knows the commit. A machine may report anything.
    pub knows_commit: bool,
}

impl ReportRow {
    /// Whether its run took place.
    pub fn took_place(&self) -> bool {
        took_place(self.commit.as_ref())
    }

    /// The commit that the node reported, if this server knows it.
    pub fn known_commit(&self) -> Option<&CommitId> {
        self.commit.as_ref().filter(|_| self.knows_commit)
    }

    /// The commit that the node reported, if this server does not know it.
    pub fn unknown_commit(&self) -> Option<&CommitId> {
        self.commit.as_ref().filter(|_| !self.knows_commit)
    }
}

/// The result of storing a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsertOutcome {
    /// It is new, and has this number.
    New(i64),
    Twice,
}

/// The columns of [`read`], for queries of other files.
pub(super) const COLUMNS: &str = "report.id, report.node, report.run, report.received_at, report.started_at, \
     report.duration_ms, report.catalog, report.commit_id, report.environment, report.mode, report.source, \
     report.total, report.unchanged, report.changed, report.corrective, report.would_change, report.failed, \
     report.skipped, report.not_applicable, report.\"off\", report.refreshed, report.dropped, report.error, report.agent, \
     report.would_refresh, EXISTS (SELECT 1 FROM commit_seen WHERE commit_seen.id = report.commit_id)";

/// Reads the columns [`COLUMNS`] of a row, beginning at column `first`.
pub(super) fn read(row: &Row<'_>, first: usize) -> Result<ReportRow> {
    let at = |index: usize| first + index;
    let count = |index| row.get::<_, u32>(at(index));
    Ok(ReportRow {
        id: row.get(at(0))?,
        node: NodeId(row.get(at(1))?),
        run: parsed("run's id", &row.get::<_, String>(at(2))?)?,
        received_at: time(row.get(at(3))?)?,
        started_at: time(row.get(at(4))?)?,
        duration_ms: row.get(at(5))?,
        catalog: row.get(at(6))?,
        commit: row.get::<_, Option<String>>(at(7))?.map(CommitId::from),
        environment: row.get(at(8))?,
        mode: from_word("report's mode", row.get(at(9))?)?,
        source: from_word("report's source", row.get(at(10))?)?,
        counts: Counts {
            total: count(11)?,
            unchanged: count(12)?,
            changed: count(13)?,
            corrective: count(14)?,
            would_change: count(15)?,
            failed: count(16)?,
            skipped: count(17)?,
            not_applicable: count(18)?,
            off: count(19)?,
            refreshed: count(20)?,
            would_refresh: count(24)?,
            dropped: count(21)?,
        },
        error: row.get(at(22))?,
        agent: row.get(at(23))?,
        knows_commit: row.get(at(25))?,
    })
}

pub(super) fn last_of_node() -> String {
    format!("SELECT {COLUMNS} FROM report WHERE node = ?1 ORDER BY received_at DESC, id DESC LIMIT ?2")
}

impl Store {
    /// Stores a report of a node unless it is stored already, and deletes what exceeds [`MAX_QUIET`] or [`MAX_BYTES`].
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn put_report(&self, node: NodeId, report: Report, now: Timestamp) -> Result<InsertOutcome> {
        // Compressed on a thread for blocking work, since the thread that writes has no time to spare.
        let packing = tokio::task::spawn_blocking(move || Ok::<_, super::Error>((pack(&report)?, report)));
        let (packed, report) = packing.await.map_err(|error| super::Error::Database(Box::new(error)))??;
        self.write(move |connection| {
            if is_of_an_earlier_generation(connection, node, &report)?
                || insert(connection, node, &report, &packed, now)? == 0
            {
                return Ok(InsertOutcome::Twice);
            }
            let id = connection.last_insert_rowid();
            for (position, event) in report.events.iter().enumerate() {
                event::insert(connection, (id, node, now), position, event)?;
            }
            note_at_node(connection, (node, id, now), &report, &packed)?;
            note_last_run(connection, id)?;
            retention::forget_too_much(connection, node, id)?;
            Ok(InsertOutcome::New(id))
        })
        .await
    }

    /// The run of the newest report of a node.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn run_reported_last(&self, node: NodeId) -> Result<Option<RunId>> {
        self.read(move |connection| {
            let sql = "SELECT report.run FROM node JOIN report ON report.id = node.report WHERE node.id = ?1";
            let mut statement = connection.prepare_cached(sql)?;
            let run: Option<String> = statement.query_row([node.0], |row| row.get(0)).optional()?;
            Ok(run.and_then(|run| run.parse().ok()))
        })
        .await
    }

    /// The numbers and nodes of the reports of a run, without reading the reports. Agents make these ids, so several
    /// nodes may have the same one.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn reports_of_run(&self, run: RunId) -> Result<Vec<(i64, NodeId)>> {
        self.read(move |connection| {
            let sql = "SELECT id, node FROM report WHERE run = ?1 ORDER BY id LIMIT ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(params![run.to_string(), MAX_OF_A_RUN], |row| {
                Ok((row.get(0)?, NodeId(row.get(1)?)))
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// The number of a node's report of a run.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn report_of_run(&self, node: NodeId, run: RunId) -> Result<Option<i64>> {
        self.read(move |connection| {
            let sql = "SELECT id FROM report WHERE node = ?1 AND run = ?2";
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.query_row(params![node.0, run.to_string()], |row| row.get(0)).optional()?)
        })
        .await
    }

    /// Makes the body of a report unreadable, to test who reads it.
    #[cfg(test)]
    pub(crate) async fn spoil_report(&self, id: i64) {
        let sql = "UPDATE report SET body = x'00' WHERE id = ?1";
        self.write(move |connection| Ok(connection.execute(sql, [id])?)).await.unwrap();
    }

    /// A report with all its events, by its number.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn report(&self, id: i64) -> Result<Option<(ReportRow, Report)>> {
        self.read(move |connection| {
            let sql = format!("SELECT {COLUMNS}, report.body FROM report WHERE id = ?1");
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query([id])?;
            let Some(row) = rows.next()? else { return Ok(None) };
            let body: Vec<u8> = row.get("body")?;
            Ok(Some((read(row, 0)?, unpack("report", &body)?)))
        })
        .await
    }

    /// The last reports of a node, newest first.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn reports_of(&self, node: NodeId, limit: u32) -> Result<Vec<ReportRow>> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(&last_of_node())?;
            let mut rows = statement.query(params![node.0, limit])?;
            let mut reports = Vec::new();
            while let Some(row) = rows.next()? {
                reports.push(read(row, 0)?);
            }
            Ok(reports)
        })
        .await
    }
}

/// Whether a run was reported by an earlier generation of the node: if an agent sends its report again, it must not
/// count for the new generation.
fn is_of_an_earlier_generation(connection: &Connection, node: NodeId, report: &Report) -> Result<bool> {
    let sql = "SELECT 1 FROM node JOIN report ON report.node = node.id AND report.run = ?2
               WHERE node.certname = (SELECT certname FROM node WHERE id = ?1) AND node.id <> ?1";
    Ok(connection.prepare_cached(sql)?.exists(params![node.0, report.run.to_string()])?)
}

/// Stores with the node what the report means for it.
fn note_at_node(
    connection: &Connection,
    (node, id, now): (NodeId, i64, Timestamp),
    report: &Report,
    packed: &Packed,
) -> Result<()> {
    let counts = &report.counts;
    // A report may have waited for the server: its events happened when the run ended.
    let ended = millis(ended(report).min(now));
    // a run without a catalog did not take place, which counts as a failure
    let at = |count: u32| (count > 0).then_some(ended);
    let runs_on = report.commit.as_deref().filter(|_| report.mode == Mode::Enforce);
    connection
        .prepare_cached(
            "UPDATE node SET report = ?2, seen_at = max(coalesce(seen_at, 0), ?3), runs_on = coalesce(?4, runs_on),
               drifted_at = nullif(max(coalesce(?5, 0), coalesce(drifted_at, 0)), 0),
               changed_at = nullif(max(coalesce(?6, 0), coalesce(changed_at, 0)), 0),
               failed_at = nullif(max(coalesce(?7, 0), coalesce(failed_at, 0)), 0), report_bytes = report_bytes + ?8 WHERE id = ?1",
        )?
        .execute(params![
            node.0,
            id,
            millis(now),
            runs_on,
            at(counts.corrective),
            at(counts.changed.saturating_sub(counts.corrective)),
            at(counts.failed + u32::from(report.commit.is_none())),
            retention::weight(packed.unpacked)
        ])?;
    Ok(())
}

/// Stores the result of the run with the node. Otherwise, a list of all nodes would have to find each last report among
/// all reports.
fn note_last_run(connection: &Connection, report: i64) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO last_run
             SELECT node, received_at, mode, source, commit_id, total, unchanged, changed, corrective, would_change, failed,
               skipped, not_applicable, \"off\", refreshed, dropped,
               CASE WHEN length(error) > 300 THEN substr(error, 1, 300) || '…' ELSE error END, run, refused_commit,
               CASE WHEN length(besides) > 300 THEN substr(besides, 1, 300) || '…' ELSE besides END, would_refresh
             FROM report WHERE id = ?1",
        )?
        .execute([report])?;
    Ok(())
}

/// When a run ended, by the machine's clock.
fn ended(report: &Report) -> Timestamp {
    let took = SignedDuration::from_millis(i64::try_from(report.duration_ms).unwrap_or(i64::MAX));
    report.started.saturating_add(took).unwrap_or(Timestamp::MAX)
}

fn insert(
    connection: &Connection,
    node: NodeId,
    report: &Report,
    packed: &Packed,
    now: Timestamp,
) -> Result<usize> {
    let counts = &report.counts;
    let duration = i64::try_from(report.duration_ms).unwrap_or(i64::MAX);
    let notes = report.notes();
    let inserted = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO report (node, run, received_at, started_at, duration_ms, catalog, commit_id,
               environment, mode, source, total, unchanged, changed, corrective, would_change, failed, skipped,
               not_applicable, \"off\", refreshed, dropped, error, agent, body, bytes, quiet, refused_commit, besides,
               would_refresh)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20,
               ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29)",
        )?
        .execute(params![
            node.0,
            report.run.to_string(),
            millis(now),
            millis(report.started),
            duration,
            report.catalog.as_ref().map(|id| id.as_str()),
            report.commit.as_deref(),
            report.environment,
            word(&report.mode),
            word(&report.source),
            counts.total,
            counts.unchanged,
            counts.changed,
            counts.corrective,
            counts.would_change,
            counts.failed,
            counts.skipped,
            counts.not_applicable,
            counts.off,
            counts.refreshed,
            counts.dropped,
            notes,
            report.agent,
            packed.body,
            retention::weight(packed.unpacked),
            report.events.is_empty() && notes.is_none(),
            report.no_catalog.as_ref().map(|no_catalog| no_catalog.commit.as_str()),
            report.error.as_ref().filter(|_| report.no_catalog.is_some()),
            counts.would_refresh
        ])?;
    Ok(inserted)
}
