//! Nodes. A row is one generation of one name; what belongs to one generation is never shown to the next.

use holdfast_catalog::certname::{Certname, Slug};
use holdfast_catalog::commit::CommitId;
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use super::audit::{self, NewAuditEntry};
use super::{Error, Result, Store, from_word, millis, parsed, time};

/// One generation of one node, in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub(super) i64);

impl NodeId {
    /// The number in the tables.
    pub fn number(self) -> i64 {
        self.0
    }
}

/// Whom a node belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tenancy {
    pub reseller: Slug,
    pub customer: Slug,
}

impl std::fmt::Display for Tenancy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.reseller, self.customer)
    }
}

impl std::str::FromStr for Tenancy {
    type Err = String;
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (reseller, customer) =
            text.split_once('/').ok_or_else(|| format!("`{text}` is not RESELLER/CUSTOMER"))?;
        let slug = |text| Slug::parse(text).map_err(|error| error.to_string());
        Ok(Self { reseller: slug(reseller)?, customer: slug(customer)? })
    }
}

/// The state of a node's enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    /// It was added and has not used its join string.
    Added,
    /// It has a certificate.
    Enrolled,
    /// Its certificates are refused.
    Revoked,
    /// A newer generation has replaced it, or it was removed.
    Gone,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeRow {
    pub id: NodeId,
    pub certname: Certname,
    /// Counted from 1 for each name.
    pub generation: u32,
    /// Whom it belongs to: fixed when it was added.
    pub tenancy: Tenancy,
    pub state: NodeState,
    /// When it was added.
    pub added_at: Timestamp,
    /// When it got its first certificate.
    pub enrolled_at: Option<Timestamp>,
    /// When its last request was; written every few seconds.
    pub seen_at: Option<Timestamp>,
    /// The commit of its last enforcing run, as it reported. The commits that it was offered since do not count.
    pub runs_on: Option<CommitId>,
    pub report: Option<i64>,
}

/// The columns of [`read`], for queries of other files.
pub(super) const COLUMNS: &str = "node.id, node.certname, node.generation, node.reseller, node.customer, node.state, \
     node.added_at, node.enrolled_at, node.seen_at, node.runs_on, node.report";

/// Reads [`COLUMNS`].
pub(super) fn read(row: &Row<'_>) -> Result<NodeRow> {
    let text = |index| row.get::<_, String>(index);
    let maybe_time = |index| row.get::<_, Option<i64>>(index)?.map(time).transpose();
    Ok(NodeRow {
        id: NodeId(row.get(0)?),
        certname: parsed("certname", &text(1)?)?,
        generation: row.get(2)?,
        tenancy: Tenancy {
            reseller: parsed("reseller", &text(3)?)?,
            customer: parsed("customer", &text(4)?)?,
        },
        state: from_word("node's state", text(5)?)?,
        added_at: time(row.get(6)?)?,
        enrolled_at: maybe_time(7)?,
        seen_at: maybe_time(8)?,
        runs_on: row.get::<_, Option<String>>(9)?.map(CommitId::from),
        report: row.get(10)?,
    })
}

pub(super) fn by_name() -> String {
    format!("SELECT {COLUMNS} FROM node WHERE certname = ?1 AND state <> 'gone'")
}

/// The living generation of a name; `None` if there is none.
pub(super) fn living(connection: &Connection, certname: &Certname) -> Result<Option<NodeRow>> {
    let mut statement = connection.prepare_cached(&by_name())?;
    let mut rows = statement.query([certname.as_str()])?;
    rows.next()?.map(read).transpose()
}

pub(super) fn by_id(connection: &Connection, id: NodeId) -> Result<Option<NodeRow>> {
    let sql = format!("SELECT {COLUMNS} FROM node WHERE id = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([id.0])?;
    rows.next()?.map(read).transpose()
}

/// What to do if a name exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnConflict {
    /// Leave it. Only a node that has not enrolled yet gets another token.
    Keep,
    /// End it. The node becomes a new generation, as after a rebuild or for another customer.
    Replace,
}

/// The result of adding a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddOutcome {
    /// It was added, and its join string can be used.
    Node(NodeRow),
    /// A node of this name exists, and was left.
    Present(NodeRow),
}

impl Store {
    /// Records that a replaced certificate of a node was refused.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn node_refused(&self, certname: Certname, generation: u32, now: Timestamp) -> Result<()> {
        self.write(move |connection| {
            let sql =
                "UPDATE node SET refused_at = ?3 WHERE certname = ?1 AND generation = ?2 AND state <> 'gone'";
            connection.prepare_cached(sql)?.execute(params![certname.as_str(), generation, millis(now)])?;
            Ok(())
        })
        .await
    }

    /// Ends a node's rights. A revoked node stays visible; for one that is gone, the name is free for the next generation.
    ///
    /// Returns the node as it was, or `None` if there is no living node of this name.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn end_node(
        &self,
        certname: Certname,
        state: NodeState,
        entry: NewAuditEntry,
    ) -> Result<Option<NodeRow>> {
        self.write(move |connection| {
            let Some(node) = living(connection, &certname)? else { return Ok(None) };
            end(connection, node.id, state, entry.at)?;
            audit::append(connection, entry)?;
            Ok(Some(node))
        })
        .await
    }

    /// The living generation of a name; `None` if there is none.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn node(&self, certname: Certname) -> Result<Option<NodeRow>> {
        self.read(move |connection| living(connection, &certname)).await
    }

    /// A generation of a node, living or not, by its number.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn node_by_id(&self, id: NodeId) -> Result<Option<NodeRow>> {
        self.read(move |connection| by_id(connection, id)).await
    }

    /// Writes when nodes were last seen.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn nodes_seen(&self, seen: Vec<(NodeId, Timestamp)>) -> Result<()> {
        self.write(move |connection| {
            let mut statement = connection.prepare_cached("UPDATE node SET seen_at = ?2 WHERE id = ?1")?;
            for (node, at) in seen {
                statement.execute(params![node.0, millis(at)])?;
            }
            Ok(())
        })
        .await
    }
}

pub(super) fn insert(
    connection: &Connection,
    certname: &Certname,
    tenancy: &Tenancy,
    now: Timestamp,
) -> Result<NodeRow> {
    connection
        .prepare_cached(
            "INSERT INTO node (certname, generation, reseller, customer, state, added_at)
             SELECT ?1, coalesce(max(generation), 0) + 1, ?2, ?3, 'added', ?4 FROM node WHERE certname = ?1",
        )?
        .execute(params![
            certname.as_str(),
            tenancy.reseller.as_str(),
            tenancy.customer.as_str(),
            millis(now)
        ])?;
    let id = connection.last_insert_rowid();
    by_id(connection, NodeId(id))?
        .ok_or_else(|| Error::Corrupt { what: "new node", value: certname.to_string() })
}

pub(super) fn end(connection: &Connection, node: NodeId, state: NodeState, now: Timestamp) -> Result<()> {
    let set = |sql| connection.prepare_cached(sql);
    set("UPDATE node SET state = ?2 WHERE id = ?1")?.execute(params![node.0, super::word(&state)])?;
    set("UPDATE certificate SET retired_at = ?2 WHERE node = ?1 AND retired_at IS NULL")?
        .execute(params![node.0, millis(now)])?;
    set("DELETE FROM token WHERE node = ?1 AND used_at IS NULL")?.execute([node.0])?;
    Ok(())
}
