//! Events of reports, with the fields that are searched for; values and diffs are only in the report.

use holdfast_catalog::report::{Cause, Event, Status};
use holdfast_catalog::run::RunId;
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde::Serialize;

use super::node::NodeId;
use super::{Result, Store, from_word, millis, parsed, time, word};

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventRow {
    /// The id of the run that was reported.
    pub run: RunId,
    /// Its position among the report's events, from 0.
    pub position: u32,
    pub node: NodeId,
    /// When the report arrived.
    pub received_at: Timestamp,
    pub resource: String,
    pub property: Option<String>,
    /// The path below a directory, for a directory resource.
    pub path: Option<String>,
    /// The outcome.
    pub status: Status,
    pub cause: Option<Cause>,
    pub reason: Option<String>,
}

/// The columns of [`read`], for queries of other files.
pub(super) const COLUMNS: &str = "(SELECT run FROM report WHERE report.id = event.report), event.position, event.node, event.received_at, event.resource, \
     event.property, event.path, event.status, event.cause, event.reason";

/// Reads the columns [`COLUMNS`] of a row.
pub(super) fn read(row: &Row<'_>) -> Result<EventRow> {
    Ok(EventRow {
        run: parsed("run's id", &row.get::<_, String>(0)?)?,
        position: row.get(1)?,
        node: NodeId(row.get(2)?),
        received_at: time(row.get(3)?)?,
        resource: row.get(4)?,
        property: row.get(5)?,
        path: row.get(6)?,
        status: from_word("event's status", row.get(7)?)?,
        cause: row.get::<_, Option<String>>(8)?.map(|cause| from_word("event's cause", cause)).transpose()?,
        reason: row.get(9)?,
    })
}

pub(super) fn last_of_node() -> String {
    format!(
        "SELECT {COLUMNS} FROM event WHERE node = ?1 ORDER BY received_at DESC, report DESC, position LIMIT ?2"
    )
}

impl Store {
    /// The last events of a node, newest first.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn events_of(&self, node: NodeId, limit: u32) -> Result<Vec<EventRow>> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(&last_of_node())?;
            let mut rows = statement.query(params![node.0, limit])?;
            let mut events = Vec::new();
            while let Some(row) = rows.next()? {
                events.push(read(row)?);
            }
            Ok(events)
        })
        .await
    }
}

/// Stores an event of a report, with the report's number, node and time.
pub(super) fn insert(
    connection: &Connection,
    (report, node, at): (i64, NodeId, Timestamp),
    position: usize,
    event: &Event,
) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO event (report, position, node, received_at, resource, property, path, status, cause, reason)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            report,
            i64::try_from(position).unwrap_or(i64::MAX),
            node.0,
            millis(at),
            event.resource.to_string(),
            event.property,
            event.path,
            word(&event.status),
            event.cause.map(|cause| word(&cause)),
            event.reason
        ])?;
    Ok(())
}
