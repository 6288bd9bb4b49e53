//! Sessions and one-time login links. The store has only hashes of their tokens, so a copy of it cannot be used to log in.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};

use super::audit::{self, NewAuditEntry};
use super::user::{self, UserRow};
use super::{Result, Store, millis};

/// The SHA-256 of a token that a browser has.
pub type TokenHash = [u8; 32];

/// Adds a token for a user, valid until it expires, and deletes expired ones from the same table.
fn add(
    connection: &Connection,
    table: &'static str,
    (user, token, expires_at): (i64, TokenHash, Timestamp),
    entry: NewAuditEntry,
) -> Result<()> {
    let sweep = format!("DELETE FROM {table} WHERE expires_at <= ?1");
    connection.prepare_cached(&sweep)?.execute([millis(entry.at)])?;
    let insert =
        format!("INSERT INTO {table} (token_hash, user, created_at, expires_at) VALUES (?1, ?2, ?3, ?4)");
    connection.prepare_cached(&insert)?.execute(params![
        token,
        user,
        millis(entry.at),
        millis(expires_at)
    ])?;
    audit::append(connection, entry)
}

impl Store {
    /// Stores a login link for a user, and deletes expired ones.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn add_login_link(
        &self,
        user: i64,
        token: TokenHash,
        expires_at: Timestamp,
        entry: NewAuditEntry,
    ) -> Result<()> {
        self.write(move |connection| add(connection, "login_link", (user, token, expires_at), entry)).await
    }

    /// Uses up a login link, and returns its user; `None` if it was used, has expired or never existed.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn use_login_link(&self, token: TokenHash, now: Timestamp) -> Result<Option<UserRow>> {
        self.write(move |connection| {
            let used = connection
                .prepare_cached(
                    "UPDATE login_link SET used_at = ?2
                     WHERE token_hash = ?1 AND used_at IS NULL AND expires_at > ?2",
                )?
                .execute(params![token, millis(now)])?;
            if used == 0 {
                return Ok(None);
            }
            let sql = format!(
                "SELECT {} FROM user JOIN login_link ON login_link.user = user.id WHERE token_hash = ?1",
                user::COLUMNS
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query([token])?;
            rows.next()?.map(user::read).transpose()
        })
        .await
    }

    /// Stores a session of a user, and deletes expired ones.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn add_session(
        &self,
        user: i64,
        token: TokenHash,
        expires_at: Timestamp,
        entry: NewAuditEntry,
    ) -> Result<()> {
        self.write(move |connection| add(connection, "session", (user, token, expires_at), entry)).await
    }

    /// The user of a session; `None` if it has expired or does not exist.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn session_user(&self, token: TokenHash, now: Timestamp) -> Result<Option<UserRow>> {
        self.read(move |connection| {
            let sql = format!(
                "SELECT {} FROM user JOIN session ON session.user = user.id
                 WHERE token_hash = ?1 AND expires_at > ?2",
                user::COLUMNS
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query(params![token, millis(now)])?;
            rows.next()?.map(user::read).transpose()
        })
        .await
    }

    /// Extends a session that is in use by `idle`, but never beyond `most` in total.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn extend_session(
        &self,
        token: TokenHash,
        now: Timestamp,
        idle: SignedDuration,
        most: SignedDuration,
    ) -> Result<()> {
        let (idle, most) = (idle.as_millis() as i64, most.as_millis() as i64);
        self.write(move |connection| {
            // Once a minute is enough: an open page must not cost a sync each time.
            connection
                .prepare_cached(
                    "UPDATE session SET expires_at = min(created_at + ?4, ?2 + ?3)
                     WHERE token_hash = ?1 AND expires_at > ?2 AND expires_at + 60000 < min(created_at + ?4, ?2 + ?3)",
                )?
                .execute(params![token, millis(now), idle, most])?;
            Ok(())
        })
        .await
    }

    /// Ends a session.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn end_session(&self, token: TokenHash) -> Result<()> {
        self.write(move |connection| {
            connection
                .prepare_cached("DELETE FROM session WHERE token_hash = ?1")?
                .execute(params![token])?;
            Ok(())
        })
        .await
    }
}
