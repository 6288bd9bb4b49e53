//! Brings the tables up to date: numbered files, applied in order, each with its checksum.
//!
//! A file that was applied never changes again; a change is always a new file.

use rusqlite::{Connection, params};
use sha2::{Digest as _, Sha256};

use super::{Error, Result};

const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_init.sql"),
    include_str!("../../migrations/0002_node_report.sql"),
    include_str!("../../migrations/0003_report_bytes.sql"),
    include_str!("../../migrations/0004_state.sql"),
    include_str!("../../migrations/0005_commit_lists.sql"),
    include_str!("../../migrations/0006_certificate_until.sql"),
    include_str!("../../migrations/0007_founding.sql"),
    include_str!("../../migrations/0008_last_run.sql"),
    include_str!("../../migrations/0009_past_certificates.sql"),
    include_str!("../../migrations/0010_refused.sql"),
    include_str!("../../migrations/0011_commit_turns.sql"),
    include_str!("../../migrations/0012_token_used_from.sql"),
    include_str!("../../migrations/0013_runs_by_id.sql"),
    include_str!("../../migrations/0014_commit_errors.sql"),
    include_str!("../../migrations/0015_no_catalog.sql"),
];

/// Applies the migrations that are missing.
pub fn up(connection: &Connection) -> Result<()> {
    apply(connection, MIGRATIONS)
}

/// Brings the tables to an older version, as a program that knew only that version left them.
#[cfg(test)]
pub fn up_to(connection: &Connection, version: usize) -> Result<()> {
    apply(connection, MIGRATIONS.get(..version).unwrap_or_default())
}

/// The version of this program.
#[cfg(test)]
pub fn newest() -> usize {
    MIGRATIONS.len()
}

fn apply(connection: &Connection, migrations: &[&str]) -> Result<()> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, checksum BLOB NOT NULL) STRICT",
    )?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version > migrations.len() as i64 {
        return Err(Error::Migration(format!(
            "the database is at version {version}, this program knows {}: use the newer program",
            migrations.len()
        )));
    }
    for (number, sql) in (1i64..).zip(migrations) {
        let checksum = Sha256::digest(sql).to_vec();
        if number <= version {
            check(connection, number, &checksum)?;
        } else {
            let transaction = connection.unchecked_transaction()?;
            transaction.execute_batch(sql)?;
            transaction.execute("INSERT INTO migration VALUES (?1, ?2)", params![number, checksum])?;
            transaction.pragma_update(None, "user_version", number)?;
            transaction.commit()?;
        }
    }
    Ok(())
}

fn check(connection: &Connection, number: i64, checksum: &[u8]) -> Result<()> {
    let applied: Vec<u8> =
        connection
            .query_row("SELECT checksum FROM migration WHERE number = ?1", [number], |row| row.get(0))?;
    if applied == checksum {
        return Ok(());
    }
    Err(Error::Migration(format!(
        "migration {number} of the database differs from this program's: it was made by another build"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_applied_once_and_in_order() {
        let connection = Connection::open_in_memory().unwrap();
        let two = ["CREATE TABLE a (x INTEGER) STRICT", "ALTER TABLE a ADD COLUMN y INTEGER"];
        apply(&connection, &two[..1]).unwrap();
        apply(&connection, &two).unwrap();
        apply(&connection, &two).unwrap();
        connection.execute("INSERT INTO a VALUES (1, 2)", []).unwrap();
    }

    #[test]
    fn another_programs_tables_are_refused() {
        let connection = Connection::open_in_memory().unwrap();
        apply(&connection, &["CREATE TABLE a (x INTEGER) STRICT"]).unwrap();
        let changed = apply(&connection, &["CREATE TABLE a (x TEXT) STRICT"]).unwrap_err();
        assert!(changed.to_string().contains("migration 1"), "{changed}");
        let newer = apply(&connection, &[]).unwrap_err();
        assert!(newer.to_string().contains("version 1"), "{newer}");
    }

    #[test]
    fn a_migration_that_fails_leaves_nothing() {
        let connection = Connection::open_in_memory().unwrap();
        assert!(apply(&connection, &["CREATE TABLE a (x INTEGER) STRICT; nonsense"]).is_err());
        apply(&connection, &["CREATE TABLE a (x INTEGER) STRICT"]).unwrap();
    }
}
