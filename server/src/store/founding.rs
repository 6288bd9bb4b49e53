//! What the store was created with: it belongs to one CA with one key for join strings, and to no other.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Result, Store, pool};

/// The CA and key that a store belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Founding {
    /// The name of the installation, which is in the CA's certificate.
    pub instance: String,
    /// Derived from the key for join strings; the key cannot be computed from it.
    pub token_key: Vec<u8>,
}

/// What a store itself shows about whom it belongs to.
#[derive(Debug, Default)]
pub struct StoreOwner {
    /// What was recorded at the first start; `None` if that was interrupted, or done by a version that did not record it.
    pub founding: Option<Founding>,
    /// A certificate that was issued to a node, in PEM.
    pub certificate: Option<String>,
    /// Whether there ever was a CA beside it, or anyone was ever admitted.
    pub is_used: bool,
}

impl StoreOwner {
    /// Reads the owner from a file that is a store. Does not change the file, whatever version wrote it.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub fn of(file: &Path) -> Result<Self> {
        let connection = pool::open_for_reading(file)?;
        let founding = founding(&connection)?;
        let certificate = "SELECT pem FROM certificate ORDER BY rowid DESC LIMIT 1";
        let used = "SELECT EXISTS (SELECT 1 FROM node) OR EXISTS (SELECT 1 FROM user)";
        Ok(Self {
            is_used: founding.is_some() || connection.query_row(used, [], |row| row.get(0))?,
            certificate: connection.query_row(certificate, [], |row| row.get(0)).optional()?,
            founding,
        })
    }
}

fn founding(connection: &Connection) -> Result<Option<Founding>> {
    let is_kept = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'founding')";
    if !connection.query_row(is_kept, [], |row| row.get::<_, bool>(0))? {
        return Ok(None);
    }
    let sql = "SELECT instance, token_key FROM founding";
    let read = |row: &rusqlite::Row<'_>| Ok(Founding { instance: row.get(0)?, token_key: row.get(1)? });
    Ok(connection.query_row(sql, [], read).optional()?)
}

impl Store {
    /// Records what the store belongs to, which can be done only once.
    ///
    /// # Errors
    /// Returns an error if the store fails, or if it is recorded already.
    pub async fn found(&self, founding: Founding) -> Result<()> {
        self.write(move |connection| {
            let sql = "INSERT INTO founding (only, instance, token_key) VALUES (1, ?1, ?2)";
            connection.execute(sql, params![founding.instance, founding.token_key])?;
            Ok(())
        })
        .await
    }
}
