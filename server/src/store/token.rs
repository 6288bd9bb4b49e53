//! One-time tokens of join strings. The store has only a keyed hash of the secret.

use holdfast_catalog::certname::Certname;
use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::audit::{self, NewAuditEntry};
use super::certificate::{self, NewCertificate};
use super::node::{self, AddOutcome, NodeRow, NodeState, OnConflict, Tenancy};
use super::{Error, Result, Store, millis, time};

/// A token to be stored with its node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    pub id: String,
    /// The HMAC of its secret.
    pub secret_mac: Vec<u8>,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// A token with the node that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    pub id: String,
    /// The HMAC of its secret.
    pub secret_mac: Vec<u8>,
    /// When it expires.
    pub expires_at: Timestamp,
    /// How it was used; `None` if it was not.
    pub used: Option<TokenUse>,
    pub node: NodeRow,
}

/// How a token was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenUse {
    /// The SHA-256 of the key that used it.
    pub key: Vec<u8>,
    pub at: Timestamp,
    /// The address that it was used from; earlier versions of the server did not record it.
    pub from: Option<String>,
}

/// The result of a claim on a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// The certificate, in PEM: the new one, or the one that the same key got earlier.
    Granted(String),
    /// Another key used the token first.
    UsedByAnother(TokenUse),
    /// The node has been revoked.
    Revoked,
    /// The token is void, or its node no longer has a use for it.
    Void,
}

impl Store {
    /// A token by its id.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn token(&self, id: String) -> Result<Option<TokenRow>> {
        self.read(move |connection| find(connection, &id)).await
    }

    /// Adds a node, or its next generation, with the token of its join string. Its earlier tokens become void.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn add_node(
        &self,
        certname: Certname,
        tenancy: Tenancy,
        present: OnConflict,
        token: NewToken,
        entry: NewAuditEntry,
    ) -> Result<AddOutcome> {
        self.write(move |connection| {
            let node = match node::living(connection, &certname)? {
                Some(node) if present == OnConflict::Keep => {
                    if node.state != NodeState::Added || node.tenancy != tenancy {
                        return Ok(AddOutcome::Present(node));
                    }
                    node
                }
                Some(node) => {
                    node::end(connection, node.id, NodeState::Gone, entry.at)?;
                    node::insert(connection, &certname, &tenancy, entry.at)?
                }
                None => node::insert(connection, &certname, &tenancy, entry.at)?,
            };
            replace(connection, node.id, &token, &entry)?;
            audit::append(connection, entry)?;
            Ok(AddOutcome::Node(node))
        })
        .await
    }

    /// Uses up a token for a key and stores the certificate, in one transaction.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn claim_token(
        &self,
        id: String,
        certificate: NewCertificate,
        entry: NewAuditEntry,
    ) -> Result<ClaimOutcome> {
        self.write(move |connection| {
            let Some(token) = find(connection, &id)? else { return Ok(ClaimOutcome::Void) };
            match token.used {
                _ if token.node.state == NodeState::Revoked => return Ok(ClaimOutcome::Revoked),
                Some(used) if used.key == certificate.public_key => {
                    let earlier = certificate::of_key(connection, token.node.id, &used.key)?;
                    return Ok(earlier.map_or(ClaimOutcome::Void, ClaimOutcome::Granted));
                }
                Some(used) => return Ok(ClaimOutcome::UsedByAnother(used)),
                None if token.node.state != NodeState::Added => return Ok(ClaimOutcome::Void),
                None => {}
            }
            connection
                .prepare_cached("UPDATE token SET used_at = ?2, used_key = ?3, used_from = ?4 WHERE id = ?1")?
                .execute(params![id, millis(entry.at), certificate.public_key, entry.actor])?;
            connection
                .prepare_cached(
                    "UPDATE node SET state = 'enrolled', enrolled_at = ?2, seen_at = ?2 WHERE id = ?1",
                )?
                .execute(params![token.node.id.0, millis(entry.at)])?;
            certificate::insert(connection, token.node.id, &certificate, entry.at)?;
            audit::append(connection, entry)?;
            Ok(ClaimOutcome::Granted(certificate.pem))
        })
        .await
    }
}

/// Gives a node its token; its earlier tokens become void.
pub(super) fn replace(
    connection: &Connection,
    node: node::NodeId,
    token: &NewToken,
    by: &NewAuditEntry,
) -> Result<()> {
    connection.prepare_cached("DELETE FROM token WHERE node = ?1 AND used_at IS NULL")?.execute([node.0])?;
    connection
        .prepare_cached(
            "INSERT INTO token (id, node, secret_mac, created_at, created_by, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            token.id,
            node.0,
            token.secret_mac,
            millis(by.at),
            by.actor,
            millis(token.expires_at)
        ])?;
    Ok(())
}

fn find(connection: &Connection, id: &str) -> Result<Option<TokenRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, secret_mac, expires_at, node, used_key, used_at, used_from FROM token WHERE id = ?1",
    )?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let node = node::by_id(connection, node::NodeId(row.get(3)?))?
        .ok_or_else(|| Error::Corrupt { what: "token without node", value: id.to_owned() })?;
    Ok(Some(TokenRow {
        id: row.get(0)?,
        secret_mac: row.get(1)?,
        expires_at: time(row.get(2)?)?,
        used: match (row.get(4)?, row.get(5)?) {
            (Some(key), Some(at)) => Some(TokenUse { key, at: time(at)?, from: row.get(6)? }),
            _ => None,
        },
        node,
    }))
}
