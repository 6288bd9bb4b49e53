//! Reports: what runs found and did. One that comes twice counts once.

use holdfast_catalog::report::{Counts, Mode, Report, Source};
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde::Serialize;

use super::node::NodeId;
use super::{Packed, Result, Store, event, from_word, millis, pack, time, unpack, word};

/// So many reports of one node are kept: one that sends them all the time fills no disk.
pub const MOST: u32 = 500;

/// So many bytes of them, unpacked.
pub const MOST_BYTES: i64 = 32 * 1024 * 1024;

/// A report without its events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportRow {
    /// Its number in this store.
    pub id: i64,
    /// The node that sent it: by its certificate.
    pub node: NodeId,
    /// The agent's id of the run.
    pub run: String,
    /// When it came.
    pub received_at: Timestamp,
    /// When the run began, by the node's clock.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_ms: i64,
    /// The catalog.
    pub catalog: Option<String>,
    /// The commit.
    pub commit: Option<String>,
    /// The environment.
    pub environment: Option<String>,
    /// Whether it mended.
    pub mode: Mode,
    /// Where the catalog came from.
    pub source: Source,
    /// How many resources ended how.
    pub counts: Counts,
    /// Why there was no run, or why the catalog is an old one.
    pub error: Option<String>,
    /// The agent's version.
    pub agent: String,
}

/// What becomes of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It is new and has this number.
    New(i64),
    /// It was there.
    Twice,
}

/// The columns of [`read`], for queries of other files.
pub(super) const COLUMNS: &str = "report.id, report.node, report.run, report.received_at, report.started_at, \
     report.duration_ms, report.catalog, report.commit_id, report.environment, report.mode, report.source, \
     report.total, report.unchanged, report.changed, report.corrective, report.would_change, report.failed, \
     report.skipped, report.not_applicable, report.\"off\", report.refreshed, report.dropped, report.error, report.agent";

/// Reads [`COLUMNS`], which begin at column `first`.
pub(super) fn read(row: &Row<'_>, first: usize) -> Result<ReportRow> {
    let at = |index: usize| first + index;
    let count = |index| row.get::<_, u32>(at(index));
    Ok(ReportRow {
        id: row.get(at(0))?,
        node: NodeId(row.get(at(1))?),
        run: row.get(at(2))?,
        received_at: time(row.get(at(3))?)?,
        started_at: time(row.get(at(4))?)?,
        duration_ms: row.get(at(5))?,
        catalog: row.get(at(6))?,
        commit: row.get(at(7))?,
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
            dropped: count(21)?,
        },
        error: row.get(at(22))?,
        agent: row.get(at(23))?,
    })
}

impl Store {
    /// Stores a report of a node, unless it has it, and forgets the oldest over [`MOST`] or [`MOST_BYTES`].
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn put_report(&self, node: NodeId, report: Report, now: Timestamp) -> Result<Stored> {
        // Packed on the caller's thread for blocking work: the one that writes has no time to waste.
        let packing = tokio::task::spawn_blocking(move || Ok::<_, super::Error>((pack(&report)?, report)));
        let (packed, report) = packing.await.map_err(|error| super::Error::Database(Box::new(error)))??;
        self.write(move |connection| {
            if insert(connection, node, &report, &packed, now)? == 0 {
                return Ok(Stored::Twice);
            }
            let id = connection.last_insert_rowid();
            for (position, event) in report.events.iter().enumerate() {
                event::insert(connection, (id, node, now), position, event)?;
            }
            connection
                .prepare_cached(
                    "UPDATE node SET report = ?2, seen_at = max(coalesce(seen_at, 0), ?3) WHERE id = ?1",
                )?
                .execute(params![node.0, id, millis(now)])?;
            forget_over(connection, node, id)?;
            // Only a report larger than its share can be what is too much.
            if packed.unpacked > MOST_BYTES / i64::from(MOST) {
                forget_heavy(connection, node, id)?;
            }
            Ok(Stored::New(id))
        })
        .await
    }

    /// A report with all its events, by its number.
    ///
    /// # Errors
    /// Where the store fails.
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
    /// Where the store fails.
    pub async fn reports_of(&self, node: NodeId, limit: u32) -> Result<Vec<ReportRow>> {
        self.read(move |connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM report WHERE node = ?1 ORDER BY received_at DESC, id DESC LIMIT ?2"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query(params![node.0, limit])?;
            let mut reports = Vec::new();
            while let Some(row) = rows.next()? {
                reports.push(read(row, 0)?);
            }
            Ok(reports)
        })
        .await
    }

    /// Deletes up to `limit` reports that came before `before`; each node keeps its last one. Returns how many.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn forget_reports(&self, before: Timestamp, limit: u32) -> Result<usize> {
        self.write(move |connection| {
            let forgotten = connection
                .prepare_cached(
                    "DELETE FROM report WHERE id IN (SELECT report.id FROM report JOIN node ON node.id = report.node
                       WHERE report.received_at < ?1 AND node.report IS NOT report.id LIMIT ?2)",
                )?
                .execute(params![millis(before), limit])?;
            Ok(forgotten)
        })
        .await
    }
}

/// Deletes the oldest of a node over [`MOST`], and never the one that has just come.
fn forget_over(connection: &Connection, node: NodeId, newest: i64) -> Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM report WHERE id IN (SELECT id FROM report WHERE node = ?1 AND id <> ?2
               ORDER BY received_at DESC, id DESC LIMIT -1 OFFSET ?3)",
        )?
        .execute(params![node.0, newest, MOST - 1])?;
    Ok(())
}

/// Deletes the oldest of a node over [`MOST_BYTES`], and never the one that has just come.
fn forget_heavy(connection: &Connection, node: NodeId, newest: i64) -> Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM report WHERE id IN (SELECT id FROM (
               SELECT id, sum(bytes) OVER (ORDER BY id = ?2 DESC, received_at DESC, id DESC) AS so_far
                 FROM report WHERE node = ?1) WHERE so_far > ?3 AND id <> ?2)",
        )?
        .execute(params![node.0, newest, MOST_BYTES])?;
    Ok(())
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
    let inserted = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO report (node, run, received_at, started_at, duration_ms, catalog, commit_id,
               environment, mode, source, total, unchanged, changed, corrective, would_change, failed, skipped,
               not_applicable, \"off\", refreshed, dropped, error, agent, body, bytes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20,
               ?21, ?22, ?23, ?24, ?25)",
        )?
        .execute(params![
            node.0,
            report.run.to_string(),
            millis(now),
            millis(report.started),
            duration,
            report.catalog.as_ref().map(|id| id.as_str()),
            report.commit,
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
            report.error,
            report.agent,
            packed.body,
            packed.unpacked
        ])?;
    Ok(inserted)
}
