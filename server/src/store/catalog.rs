//! Which catalogs were served to each node (the last two), what content they refer to, and why a node has no new one.
//!
//! The catalogs themselves are not stored: they contain secrets, and compiling one again takes a millisecond.

use holdfast_catalog::catalog::CatalogId;
use holdfast_catalog::commit::CommitId;
use holdfast_catalog::hash::ContentHash;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::diagnostic::{Code, Diagnostic};

use super::fleet::KeptBackRow;
use super::node::NodeId;
use super::{Error, Result, Store, millis, time};

/// A catalog that was served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedCatalog {
    pub id: CatalogId,
    /// The commit that it was first served from.
    pub commit: CommitId,
    pub environment: String,
    /// The number of its resources.
    pub resources: u32,
    /// When it was last served.
    pub served_at: Timestamp,
}

/// Why a node has no new catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompileErrorRow {
    pub node: NodeId,
    pub environment: String,
    pub commit: CommitId,
    /// Since when it fails.
    pub since: Timestamp,
    pub diagnostics: Vec<Diagnostic>,
}

pub(super) const ERRORS_OF_NODE: &str =
    "SELECT node, environment, commit_id, since, diagnostics FROM compile_error
   WHERE node = ?1 ORDER BY since DESC";

impl Store {
    /// Records that a catalog was served. Only this one and the one before are kept; the one before for at least `grace`.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn catalog_served(
        &self,
        node: NodeId,
        catalog: ServedCatalog,
        contents: Vec<ContentHash>,
        grace: SignedDuration,
    ) -> Result<()> {
        self.write(move |connection| {
            let now = catalog.served_at;
            supersede(connection, node, &catalog.id, now)?;
            connection
                .prepare_cached(
                    "INSERT INTO catalog (node, id, commit_id, environment, resources, served_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                     ON CONFLICT (node, id) DO UPDATE SET served_at = excluded.served_at, superseded_at = NULL",
                )?
                .execute(params![
                    node.0,
                    catalog.id.as_str(),
                    catalog.commit.as_str(),
                    catalog.environment,
                    catalog.resources,
                    millis(now)
                ])?;
            let mut name = connection.prepare_cached(
                "INSERT OR IGNORE INTO catalog_content (node, hash, catalog) VALUES (?1, ?2, ?3)",
            )?;
            for hash in contents {
                name.execute(params![node.0, hash.as_str(), catalog.id.as_str()])?;
            }
            forget(connection, node, now, grace)?;
            connection
                .prepare_cached("DELETE FROM compile_error WHERE node = ?1 AND environment = ?2")?
                .execute(params![node.0, catalog.environment])?;
            Ok(())
        })
        .await
    }

    /// The stored catalogs of a node, the newest first.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn served_catalogs(&self, node: NodeId) -> Result<Vec<ServedCatalog>> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, commit_id, environment, resources, served_at FROM catalog
                 WHERE node = ?1 ORDER BY superseded_at IS NULL DESC, superseded_at DESC",
            )?;
            let mut rows = statement.query([node.0])?;
            let mut catalogs = Vec::new();
            while let Some(row) = rows.next()? {
                let id: String = row.get(0)?;
                catalogs.push(ServedCatalog {
                    id: CatalogId::parse(&id).ok_or(Error::Corrupt { what: "catalog's id", value: id })?,
                    commit: row.get::<_, String>(1)?.into(),
                    environment: row.get(2)?,
                    resources: row.get(3)?,
                    served_at: time(row.get(4)?)?,
                });
            }
            Ok(catalogs)
        })
        .await
    }

    /// Whether a stored catalog of this node refers to this content.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn names_content(&self, node: NodeId, hash: ContentHash) -> Result<bool> {
        self.read(move |connection| {
            let found: Option<i64> = connection
                .prepare_cached("SELECT 1 FROM catalog_content WHERE node = ?1 AND hash = ?2")?
                .query_row(params![node.0, hash.as_str()], |row| row.get(0))
                .optional()?;
            Ok(found.is_some())
        })
        .await
    }

    /// Records why a node has no new catalog.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn compile_failed(&self, error: CompileErrorRow) -> Result<()> {
        let diagnostics = json(&error.diagnostics)?;
        self.write(move |connection| {
            let short = KeptBackRow::of(&error.commit, &error.diagnostics);
            connection
                .prepare_cached(
                    "INSERT INTO compile_error (node, environment, commit_id, since, diagnostics, code, message, errors, file)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                     ON CONFLICT (node, environment)
                     DO UPDATE SET commit_id = excluded.commit_id, diagnostics = excluded.diagnostics,
                       code = excluded.code, message = excluded.message, errors = excluded.errors,
                       file = excluded.file",
                )?
                .execute(params![
                    error.node.0,
                    error.environment,
                    error.commit.as_str(),
                    millis(error.since),
                    diagnostics,
                    short.code.map_or("", Code::word),
                    short.message,
                    short.errors,
                    short.file
                ])?;
            Ok(())
        })
        .await
    }

    /// Why a node has no new catalog, in each environment.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn compile_errors(&self, node: NodeId) -> Result<Vec<CompileErrorRow>> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(ERRORS_OF_NODE)?;
            let mut rows = statement.query([node.0])?;
            let mut errors = Vec::new();
            while let Some(row) = rows.next()? {
                errors.push(CompileErrorRow {
                    node: NodeId(row.get(0)?),
                    environment: row.get(1)?,
                    commit: row.get::<_, String>(2)?.into(),
                    since: time(row.get(3)?)?,
                    diagnostics: from_json("diagnostics", &row.get::<_, String>(4)?)?,
                });
            }
            Ok(errors)
        })
        .await
    }
}

pub(super) fn json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Database(Box::new(error)))
}

pub(super) fn from_json<T: serde::de::DeserializeOwned>(what: &'static str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::Corrupt { what, value: error.to_string() })
}

fn supersede(connection: &Connection, node: NodeId, by: &CatalogId, now: Timestamp) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE catalog SET superseded_at = ?3 WHERE node = ?1 AND id <> ?2 AND superseded_at IS NULL",
        )?
        .execute(params![node.0, by.as_str(), millis(now)])?;
    Ok(())
}

/// Deletes all catalogs except the newest, the one before it, and those that were superseded within `grace`.
fn forget(connection: &Connection, node: NodeId, now: Timestamp, grace: SignedDuration) -> Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM catalog WHERE node = ?1 AND superseded_at < ?2 AND superseded_at <
               (SELECT max(superseded_at) FROM catalog WHERE node = ?1)",
        )?
        .execute(params![node.0, millis(now - grace)])?;
    Ok(())
}
