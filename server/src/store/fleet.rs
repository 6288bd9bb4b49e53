//! All nodes at once, with what pages count, sort and filter by: one query, so that a number and its list agree.

use std::collections::HashMap;

use holdfast_catalog::report::{Mode, Source};
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::node::{self, NodeId, NodeRow};
use super::user::Scope;
use super::{Result, Store, from_word, millis, time};

/// A node and how it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetRow {
    /// The node.
    pub node: NodeRow,
    /// How its last run ended.
    pub last: Option<LastRun>,
    /// Whether its last compile failed.
    pub broken: bool,
    /// Until when its newest certificate is valid.
    pub certificate_until: Option<Timestamp>,
    /// What happened to it lately.
    pub lately: Lately,
}

/// How a node's last run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRun {
    /// When its report came.
    pub received_at: Timestamp,
    /// Whether it mended.
    pub mode: Mode,
    /// Where the catalog came from.
    pub source: Source,
    /// All resources.
    pub total: u32,
    /// Mended ones.
    pub changed: u32,
    /// Those of them, and of the pending ones, that had drifted.
    pub corrective: u32,
    /// What an audit would change.
    pub would_change: u32,
    /// Failed ones.
    pub failed: u32,
    /// Whether there was no run at all, or one on an old catalog.
    pub error: bool,
}

/// When something last happened to a node, as far back as was asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lately {
    /// Something had drifted.
    pub drifted: Option<Timestamp>,
    /// Something was changed on purpose.
    pub changed: Option<Timestamp>,
    /// Something failed.
    pub failed: Option<Timestamp>,
}

impl Store {
    /// All living nodes of a scope by name, or one of them, with what happened to them since `since`.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn fleet(&self, scope: Scope, only: Option<NodeId>, since: Timestamp) -> Result<Vec<FleetRow>> {
        self.read(move |connection| {
            let mut lately = lately(connection, only, since)?;
            let (reseller, customer) = match &scope {
                Scope::Everything => (None, None),
                Scope::Reseller(reseller) => (Some(reseller.as_str()), None),
                Scope::Customer(place) => (Some(place.reseller.as_str()), Some(place.customer.as_str())),
            };
            let sql = format!(
                "SELECT {}, report.received_at, report.mode, report.source, report.total, report.changed,
                   report.corrective, report.would_change, report.failed, report.error IS NOT NULL,
                   EXISTS (SELECT 1 FROM compile_error WHERE compile_error.node = node.id),
                   (SELECT max(not_after) FROM certificate
                     WHERE certificate.node = node.id AND certificate.retired_at IS NULL)
                 FROM node LEFT JOIN report ON report.id = node.report
                 WHERE node.state <> 'gone' AND (?1 IS NULL OR node.reseller = ?1)
                   AND (?2 IS NULL OR node.customer = ?2) AND (?3 IS NULL OR node.id = ?3)
                 ORDER BY node.certname",
                node::COLUMNS
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query(params![reseller, customer, only.map(|node| node.0)])?;
            let mut fleet = Vec::new();
            while let Some(row) = rows.next()? {
                let node = node::read(row)?;
                let lately = lately.remove(&node.id).unwrap_or_default();
                fleet.push(read(row, node, lately)?);
            }
            Ok(fleet)
        })
        .await
    }
}

/// The columns before belong to the node.
const FIRST: usize = 11;

fn read(row: &Row<'_>, node: NodeRow, lately: Lately) -> Result<FleetRow> {
    let maybe_time = |index: usize| row.get::<_, Option<i64>>(FIRST + index)?.map(time).transpose();
    let last = maybe_time(0)?.map(|received_at| last_run(row, received_at)).transpose()?;
    Ok(FleetRow { node, last, broken: row.get(FIRST + 9)?, certificate_until: maybe_time(10)?, lately })
}

fn last_run(row: &Row<'_>, received_at: Timestamp) -> Result<LastRun> {
    Ok(LastRun {
        received_at,
        mode: from_word("report's mode", row.get(FIRST + 1)?)?,
        source: from_word("report's source", row.get(FIRST + 2)?)?,
        total: row.get(FIRST + 3)?,
        changed: row.get(FIRST + 4)?,
        corrective: row.get(FIRST + 5)?,
        would_change: row.get(FIRST + 6)?,
        failed: row.get(FIRST + 7)?,
        error: row.get(FIRST + 8)?,
    })
}

/// What happened since a time, by node. Skipped and not applicable are no happenings.
fn lately(
    connection: &Connection,
    only: Option<NodeId>,
    since: Timestamp,
) -> Result<HashMap<NodeId, Lately>> {
    let mut statement = connection.prepare_cached(
        "SELECT node,
           max(CASE WHEN cause = 'corrective' AND status IN ('changed', 'would_change') THEN received_at END),
           max(CASE WHEN coalesce(cause, '') <> 'corrective' AND status = 'changed' THEN received_at END),
           max(CASE WHEN status = 'failed' THEN received_at END)
         FROM event WHERE received_at >= ?1 AND (?2 IS NULL OR node = ?2) GROUP BY node",
    )?;
    let mut rows = statement.query(params![millis(since), only.map(|node| node.0)])?;
    let mut all = HashMap::new();
    while let Some(row) = rows.next()? {
        let at = |index: usize| row.get::<_, Option<i64>>(index)?.map(time).transpose();
        let lately = Lately { drifted: at(1)?, changed: at(2)?, failed: at(3)? };
        all.insert(NodeId(row.get(0)?), lately);
    }
    Ok(all)
}
