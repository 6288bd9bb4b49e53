//! What a store that was restored from a backup learns again from certificates that were issued since.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::audit::{self, NewAuditEntry};
use super::certificate::{self, NewCertificate};
use super::node::{self, NodeId, NodeState};
use super::{Result, Store, millis};

impl Store {
    /// Whether a certificate is known, either in force or replaced, or is older than a known one.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn knows_certificate(&self, node: NodeId, certificate: NewCertificate) -> Result<bool> {
        self.read(move |connection| Ok(!is_news(connection, node, &certificate)?)).await
    }

    /// Adds a certificate that this server's CA signed at `issued` and that the store does not have; the node's other
    /// certificates are retired. Does nothing if the node was ended, was added after that, or has a newer certificate.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn take_back(
        &self,
        node: NodeId,
        issued: Timestamp,
        certificate: NewCertificate,
        entry: NewAuditEntry,
    ) -> Result<bool> {
        self.write(move |connection| {
            let Some(row) = node::by_id(connection, node)? else { return Ok(false) };
            let living = matches!(row.state, NodeState::Added | NodeState::Enrolled);
            // Times in certificates are in seconds.
            let is_its_own = issued.as_second() >= row.added_at.as_second();
            if !living || !is_its_own || !is_news(connection, node, &certificate)? {
                return Ok(false);
            }
            let now = millis(entry.at);
            certificate::retire_all_but(connection, node, &certificate.serial, entry.at)?;
            certificate::insert(connection, node, &certificate, entry.at)?;
            let set = |sql| connection.prepare_cached(sql);
            set("UPDATE certificate SET confirmed_at = ?2 WHERE serial = ?1")?
                .execute(params![certificate.serial, now])?;
            set("UPDATE node SET state = 'enrolled', enrolled_at = coalesce(enrolled_at, ?2) WHERE id = ?1")?
                .execute(params![node.0, now])?;
            // The machine has used its join string; otherwise it would have no certificate.
            set("DELETE FROM token WHERE node = ?1 AND used_at IS NULL")?.execute([node.0])?;
            audit::append(connection, entry)?;
            Ok(true)
        })
        .await
    }
}

/// Whether neither the certificate nor its key was ever stored, and all stored ones of the node are older.
fn is_news(connection: &Connection, node: NodeId, certificate: &NewCertificate) -> Result<bool> {
    Ok(connection
        .prepare_cached(
            "SELECT NOT EXISTS (SELECT 1 FROM certificate WHERE serial = ?2 OR (node = ?1 AND public_key = ?3))
             AND coalesce((SELECT max(not_before) / 1000 FROM certificate WHERE node = ?1), 0) < ?4",
        )?
        .query_row(
            params![node.0, certificate.serial, certificate.public_key, certificate.not_before.as_second()],
            |row| row.get(0),
        )?)
}
