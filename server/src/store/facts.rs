//! What nodes last reported about themselves: untrusted, and one set for each node.

use holdfast_catalog::facts::Facts;
use jiff::Timestamp;
use rusqlite::params;

use super::node::NodeId;
use super::{Result, Store, millis, pack, time, unpack};

/// A node's facts.
#[derive(Debug, Clone, PartialEq)]
pub struct FactsRow {
    /// The SHA-256 of the canonical JSON of the facts.
    pub hash: String,
    pub received_at: Timestamp,
    pub facts: Facts,
}

impl Store {
    /// Stores a node's facts, and replaces the earlier ones.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn put_facts(&self, node: NodeId, hash: String, facts: &Facts, now: Timestamp) -> Result<()> {
        let body = pack(facts)?.body;
        self.write(move |connection| {
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO facts (node, hash, received_at, body) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![node.0, hash, millis(now), body])?;
            Ok(())
        })
        .await
    }

    /// A node's facts.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn facts(&self, node: NodeId) -> Result<Option<FactsRow>> {
        self.read(move |connection| {
            let mut statement =
                connection.prepare_cached("SELECT hash, received_at, body FROM facts WHERE node = ?1")?;
            let mut rows = statement.query([node.0])?;
            let Some(row) = rows.next()? else { return Ok(None) };
            let body: Vec<u8> = row.get(2)?;
            Ok(Some(FactsRow {
                hash: row.get(0)?,
                received_at: time(row.get(1)?)?,
                facts: unpack("node's facts", &body)?,
            }))
        })
        .await
    }
}
