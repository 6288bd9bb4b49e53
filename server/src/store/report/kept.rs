//! What is kept of a node's reports. A run that found something to do is kept for [`DAYS`]; of runs that found nothing
//! the last [`MOST_QUIET`] are, and they go first where a node's reports weigh too much.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};

use super::super::node::NodeId;
use super::super::{Result, Store, millis, time};

/// For so many days a report is kept, as long as its node's weigh no more than [`MOST_BYTES`] together.
pub const DAYS: i64 = 90;

/// So many runs of one node that found nothing to do are kept: ten days of them, at a run each half hour.
pub const MOST_QUIET: u32 = 500;

/// So many bytes of one node's reports are kept, unpacked: one that sends them all the time fills no disk.
pub const MOST_BYTES: i64 = 32 * 1024 * 1024;

/// What is left when a node had more: it is not looked through at each report from then on.
const LEFT_BYTES: i64 = MOST_BYTES / 10 * 9;

/// A report weighs so much at least, as its row does.
const LEAST_BYTES: i64 = 1024;

/// What a report weighs.
pub(super) fn weight(unpacked: i64) -> i64 {
    unpacked.max(LEAST_BYTES)
}

/// Deletes what of a node is too much once a report has come, and never that one.
pub(super) fn forget_too_much(connection: &Connection, node: NodeId, newest: i64) -> Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM report WHERE id IN (SELECT id FROM report WHERE node = ?1 AND quiet = 1 AND id <> ?2
               ORDER BY received_at DESC, id DESC LIMIT -1 OFFSET ?3)",
        )?
        .execute(params![node.0, newest, MOST_QUIET])?;
    let bytes: i64 = connection
        .prepare_cached("SELECT report_bytes FROM node WHERE id = ?1")?
        .query_row([node.0], |row| row.get(0))?;
    if bytes > MOST_BYTES {
        connection
            .prepare_cached(
                "DELETE FROM report WHERE id IN (SELECT id FROM (
                   SELECT id, sum(bytes) OVER (ORDER BY id = ?2 DESC, quiet, received_at DESC, id DESC) AS so_far
                     FROM report WHERE node = ?1) WHERE so_far > ?3 AND id <> ?2)",
            )?
            .execute(params![node.0, newest, LEFT_BYTES])?;
    }
    Ok(())
}

impl Store {
    /// Deletes up to `limit` old reports, and as many certificates that ended longer than `grace` ago and were replaced.
    /// Whether there may be more. What is old is counted from the newest report: a clock that is years ahead must not cost
    /// all history, and with such a clock no machine's report comes.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn forget_what_is_past(
        &self,
        clock: Timestamp,
        grace: SignedDuration,
        limit: u32,
    ) -> Result<bool> {
        let newest = self.read(|connection| {
            let sql = "SELECT max(received_at) FROM report";
            Ok(connection.query_row(sql, [], |row| row.get::<_, Option<i64>>(0))?)
        });
        let Some(newest) = newest.await?.map(time).transpose()? else { return Ok(false) };
        let now = newest.min(clock);
        let reports = self.forget_old_reports(now, limit).await?;
        let certificates = self.forget_past_certificates(now - grace, limit).await?;
        Ok(reports.max(certificates) == limit as usize)
    }

    /// Deletes up to `limit` reports that are older than [`DAYS`] at `now`; each node keeps its last one. Returns how
    /// many.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn forget_old_reports(&self, now: Timestamp, limit: u32) -> Result<usize> {
        let before = now - SignedDuration::from_hours(DAYS * 24);
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
