//! Certificates issued to nodes. At most two of a node are not retired: the one in use, and its successor until the
//! node has used it.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::audit::{self, NewAuditEntry};
use super::node::{self, NodeId, NodeRow, NodeState};
use super::{Result, Store, millis, time};

/// A signed certificate to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCertificate {
    /// Its serial number in hex.
    pub serial: String,
    /// The SHA-256 of the subject's public key info.
    pub public_key: Vec<u8>,
    /// From when it is valid.
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    pub pem: String,
}

/// A certificate that is in use or may come into use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRow {
    /// Its serial number in hex.
    pub serial: String,
    pub node: NodeId,
    /// The SHA-256 of the subject's public key info.
    pub public_key: Vec<u8>,
    /// Until when it is valid.
    pub not_after: Timestamp,
    /// When it was first used; `None` if it was not yet.
    pub confirmed_at: Option<Timestamp>,
}

/// The result of a renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// The certificate, in PEM: the new one, or the one that the same key got earlier.
    Granted(String),
    /// The certificate with which the node asked is not in force, or no longer.
    NotInForce,
    /// The new key was used before.
    KeyUsedBefore,
    /// The node was issued the most certificates that it may get within half the lifetime of one.
    TooOften,
}

/// The most certificates that a node may get within half the lifetime of one; it needs only one. Each is stored for a
/// while, and its entry in the audit log for ever.
const MAX_CERTIFICATES: u32 = 20;

const COLUMNS: &str = "serial, node, public_key, not_after, confirmed_at";

fn read(row: &Row<'_>) -> Result<CertificateRow> {
    Ok(CertificateRow {
        serial: row.get(0)?,
        node: NodeId(row.get(1)?),
        public_key: row.get(2)?,
        not_after: time(row.get(3)?)?,
        confirmed_at: row.get::<_, Option<i64>>(4)?.map(time).transpose()?,
    })
}

impl Store {
    /// All certificates in force with their nodes, for the running server's memory.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn certificates_in_force(&self) -> Result<Vec<(NodeRow, Vec<CertificateRow>)>> {
        self.read(|connection| {
            let sql = format!("SELECT {} FROM node WHERE state IN ('enrolled', 'revoked')", node::COLUMNS);
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query([])?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                let node = node::read(row)?;
                let certificates = in_force(connection, node.id)?;
                all.push((node, certificates));
            }
            Ok(all)
        })
        .await
    }

    /// Certificates of one node that are in force, oldest first.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn certificates(&self, node: NodeId) -> Result<Vec<CertificateRow>> {
        self.read(move |connection| in_force(connection, node)).await
    }

    /// Stores the successor of the certificate `by`. Any other certificate of the node that is waiting to be used is
    /// retired.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn renew(
        &self,
        node: NodeId,
        by: String,
        certificate: NewCertificate,
        entry: NewAuditEntry,
    ) -> Result<Renewal> {
        self.write(move |connection| {
            let enrolled =
                node::by_id(connection, node)?.is_some_and(|node| node.state == NodeState::Enrolled);
            let present = in_force(connection, node)?;
            if !enrolled || !present.iter().any(|c| c.serial == by) {
                return Ok(Renewal::NotInForce);
            }
            if let Some(same) = present.iter().find(|c| c.public_key == certificate.public_key) {
                let waiting = same.serial != by && same.confirmed_at.is_none();
                let earlier = of_key(connection, node, &certificate.public_key)?.filter(|_| waiting);
                return Ok(earlier.map_or(Renewal::KeyUsedBefore, Renewal::Granted));
            }
            if of_key(connection, node, &certificate.public_key)?.is_some() {
                return Ok(Renewal::KeyUsedBefore);
            }
            if issued_lately(connection, node, &certificate, entry.at)? >= MAX_CERTIFICATES {
                return Ok(Renewal::TooOften);
            }
            retire_all_but(connection, node, &by, entry.at)?;
            insert(connection, node, &certificate, entry.at)?;
            audit::append(connection, entry)?;
            Ok(Renewal::Granted(certificate.pem))
        })
        .await
    }

    /// Deletes up to `limit` certificates that ended before the time `before` and were replaced. Each node keeps its
    /// newest one, by which a restored server recognizes older ones. Returns how many were deleted.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn forget_past_certificates(&self, before: Timestamp, limit: u32) -> Result<usize> {
        self.write(move |connection| {
            let forgotten = connection
                .prepare_cached(
                    "DELETE FROM certificate WHERE serial IN (SELECT old.serial FROM certificate old
                       WHERE old.retired_at IS NOT NULL AND old.not_after < ?1 AND EXISTS (
                         SELECT 1 FROM certificate newer WHERE newer.node = old.node
                           AND newer.issued_at >= old.issued_at AND newer.not_before > old.not_before) LIMIT ?2)",
                )?
                .execute(params![millis(before), limit])?;
            Ok(forgotten)
        })
        .await
    }

    /// Records the first use of a certificate, and retires those before it.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn confirm_certificate(&self, node: NodeId, serial: String, now: Timestamp) -> Result<()> {
        self.write(move |connection| {
            connection
                .prepare_cached("UPDATE certificate SET confirmed_at = ?2 WHERE serial = ?1")?
                .execute(params![serial, millis(now)])?;
            connection
                .prepare_cached(
                    "UPDATE certificate SET retired_at = ?3 WHERE node = ?1 AND retired_at IS NULL
                     AND rowid < (SELECT rowid FROM certificate WHERE serial = ?2)",
                )?
                .execute(params![node.0, serial, millis(now)])?;
            Ok(())
        })
        .await
    }
}

/// How many certificates a node was issued within half the lifetime of this one.
fn issued_lately(
    connection: &Connection,
    node: NodeId,
    certificate: &NewCertificate,
    now: Timestamp,
) -> Result<u32> {
    let half = certificate.not_after.duration_since(now) / 2;
    Ok(connection
        .prepare_cached("SELECT count(*) FROM certificate WHERE node = ?1 AND issued_at > ?2")?
        .query_row(params![node.0, millis(now - half)], |row| row.get(0))?)
}

fn in_force(connection: &Connection, node: NodeId) -> Result<Vec<CertificateRow>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM certificate WHERE node = ?1 AND retired_at IS NULL ORDER BY issued_at, rowid"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([node.0])?;
    let mut certificates = Vec::new();
    while let Some(row) = rows.next()? {
        certificates.push(read(row)?);
    }
    Ok(certificates)
}

/// The certificate that was issued for a key, in PEM.
pub(super) fn of_key(connection: &Connection, node: NodeId, key: &[u8]) -> Result<Option<String>> {
    Ok(connection
        .prepare_cached("SELECT pem FROM certificate WHERE node = ?1 AND public_key = ?2")?
        .query_row(params![node.0, key], |row| row.get(0))
        .optional()?)
}

/// Stores a certificate.
pub(super) fn insert(
    connection: &Connection,
    node: NodeId,
    certificate: &NewCertificate,
    now: Timestamp,
) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO certificate (serial, node, public_key, not_before, not_after, pem, issued_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            certificate.serial,
            node.0,
            certificate.public_key,
            millis(certificate.not_before),
            millis(certificate.not_after),
            certificate.pem,
            millis(now)
        ])?;
    Ok(())
}

/// Retires all other certificates of a node.
pub(super) fn retire_all_but(
    connection: &Connection,
    node: NodeId,
    serial: &str,
    now: Timestamp,
) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE certificate SET retired_at = ?3 WHERE node = ?1 AND serial <> ?2 AND retired_at IS NULL",
        )?
        .execute(params![node.0, serial, millis(now)])?;
    Ok(())
}
