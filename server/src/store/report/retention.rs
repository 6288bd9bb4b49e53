//! How long a node's reports are kept. A run that found something to do is kept for [`DAYS`]; of those that found
//! nothing, the last [`MAX_QUIET`] are kept, and these are deleted first if a node's reports are too large.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};

use super::super::node::NodeId;
use super::super::{Result, Store, millis, time};

/// For how many days a report is kept, as long as the reports of its node are no larger than [`MAX_BYTES`] together.
pub const DAYS: i64 = 90;

/// How many runs that found nothing to do are kept for one node: ten days, with a run every half hour.
pub const MAX_QUIET: u32 = 500;

/// How many bytes of reports are kept for one node, uncompressed: a node that sends reports all the time must not fill
/// the disk.
pub const MAX_BYTES: i64 = 32 * 1024 * 1024;

/// How many bytes are left after deleting: less than the limit, so that it is not reached again with each report.
const LEFT_BYTES: i64 = MAX_BYTES / 10 * 9;

/// The least size that a report counts with, because of its row.
const LEAST_BYTES: i64 = 1024;

/// The size that a report counts with, in bytes.
pub(super) fn weight(unpacked: i64) -> i64 {
    unpacked.max(LEAST_BYTES)
}

/// Deletes what exceeds the limits of a node once a report has arrived, but never that report.
pub(super) fn forget_too_much(connection: &Connection, node: NodeId, newest: i64) -> Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM report WHERE id IN (SELECT id FROM report WHERE node = ?1 AND quiet = 1 AND id <> ?2
               ORDER BY received_at DESC, id DESC LIMIT -1 OFFSET ?3)",
        )?
        .execute(params![node.0, newest, MAX_QUIET])?;
    let bytes: i64 = connection
        .prepare_cached("SELECT report_bytes FROM node WHERE id = ?1")?
        .query_row([node.0], |row| row.get(0))?;
    if bytes > MAX_BYTES {
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
    /// Deletes up to `limit` old reports, and up to as many certificates that ended more than `grace` ago and were
    /// replaced. Returns whether there may be more. Age is counted from the newest report: a clock that is years ahead
    /// must not delete the whole history, and with such a clock no machine can report.
    ///
    /// # Errors
    /// Returns an error if the store fails.
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

    /// Deletes up to `limit` reports that are older than [`DAYS`] at `now`, but keeps the last one of each node.
    /// Returns how many were deleted.
    ///
    /// # Errors
    /// Returns an error if the store fails.
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
