//! People who may log in: their names, what they may see, and a hash of their passwords.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use super::audit::{self, NewAuditEntry};
use super::node::Tenancy;
use super::{Result, Store, from_word, millis, parsed, time, word};

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserRole {
    /// May do everything that pages offer.
    Operator,
    Viewer,
}

/// Which nodes a user sees.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserScope {
    Everything,
    /// Nodes of a reseller's customers.
    Reseller(holdfast_catalog::certname::Slug),
    /// Nodes of one customer.
    Customer(Tenancy),
}

impl UserScope {
    /// Whether a node at this place is visible.
    pub fn covers(&self, tenancy: &Tenancy) -> bool {
        match self {
            Self::Everything => true,
            Self::Reseller(reseller) => *reseller == tenancy.reseller,
            Self::Customer(own) => own == tenancy,
        }
    }
}

impl std::str::FromStr for UserScope {
    type Err = String;
    /// Parses `everything`, `RESELLER` or `RESELLER/CUSTOMER`.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "everything" => Ok(Self::Everything),
            tenancy if tenancy.contains('/') => tenancy.parse().map(Self::Customer),
            reseller => reseller
                .parse()
                .map(Self::Reseller)
                .map_err(|error: holdfast_catalog::certname::InvalidName| error.to_string()),
        }
    }
}

impl std::fmt::Display for UserScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Everything => f.write_str("everything"),
            Self::Reseller(reseller) => reseller.fmt(f),
            Self::Customer(tenancy) => tenancy.fmt(f),
        }
    }
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserRow {
    pub id: i64,
    /// The name to log in with.
    pub name: String,
    pub role: UserRole,
    /// Which nodes the user sees.
    pub scope: UserScope,
    /// The password's argon2id hash, as a PHC string; `None` until a password is set.
    #[serde(skip)]
    pub password: Option<String>,
    /// When the user was added.
    pub created_at: Timestamp,
}

impl UserRow {
    /// Whether the user may see the audit log, which names all tenants and shows what operators do.
    pub fn sees_the_audit_log(&self) -> bool {
        self.role == UserRole::Operator && self.scope == UserScope::Everything
    }
}

/// The columns of [`read`], for queries of other files.
pub(super) const COLUMNS: &str =
    "user.id, user.name, user.role, user.reseller, user.customer, user.password, user.created_at";

/// Reads the columns [`COLUMNS`] of a row.
pub(super) fn read(row: &Row<'_>) -> Result<UserRow> {
    let tenancy: (Option<String>, Option<String>) = (row.get(3)?, row.get(4)?);
    let scope = match tenancy {
        (None, _) => UserScope::Everything,
        (Some(reseller), None) => UserScope::Reseller(parsed("reseller", &reseller)?),
        (Some(reseller), Some(customer)) => UserScope::Customer(Tenancy {
            reseller: parsed("reseller", &reseller)?,
            customer: parsed("customer", &customer)?,
        }),
    };
    Ok(UserRow {
        id: row.get(0)?,
        name: row.get(1)?,
        role: from_word("user's role", row.get(2)?)?,
        scope,
        password: row.get(5)?,
        created_at: time(row.get(6)?)?,
    })
}

fn find(connection: &Connection, name: &str) -> Result<Option<UserRow>> {
    let sql = format!("SELECT {COLUMNS} FROM user WHERE name = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([name])?;
    rows.next()?.map(read).transpose()
}

impl Store {
    /// Adds a user; `None` if the name is taken.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn add_user(
        &self,
        name: String,
        role: UserRole,
        scope: UserScope,
        entry: NewAuditEntry,
    ) -> Result<Option<UserRow>> {
        let (reseller, customer) = match scope {
            UserScope::Everything => (None, None),
            UserScope::Reseller(reseller) => (Some(reseller.to_string()), None),
            UserScope::Customer(tenancy) => {
                (Some(tenancy.reseller.to_string()), Some(tenancy.customer.to_string()))
            }
        };
        self.write(move |connection| {
            let added = connection
                .prepare_cached(
                    "INSERT OR IGNORE INTO user (name, role, reseller, customer, created_at)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![name, word(&role), reseller, customer, millis(entry.at)])?;
            if added == 0 {
                return Ok(None);
            }
            audit::append(connection, entry)?;
            find(connection, &name)
        })
        .await
    }

    /// A user by name.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn user(&self, name: String) -> Result<Option<UserRow>> {
        self.read(move |connection| find(connection, &name)).await
    }

    /// All users, by name.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn users(&self) -> Result<Vec<UserRow>> {
        self.read(|connection| {
            let sql = format!("SELECT {COLUMNS} FROM user ORDER BY name");
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query([])?;
            let mut users = Vec::new();
            while let Some(row) = rows.next()? {
                users.push(read(row)?);
            }
            Ok(users)
        })
        .await
    }

    /// Sets a user's password (an argon2id hash as a PHC string) and ends the user's sessions.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn set_password(&self, user: i64, hash: String, entry: NewAuditEntry) -> Result<()> {
        self.write(move |connection| {
            connection
                .prepare_cached("UPDATE user SET password = ?2 WHERE id = ?1")?
                .execute(params![user, hash])?;
            connection.prepare_cached("DELETE FROM session WHERE user = ?1")?.execute([user])?;
            audit::append(connection, entry)
        })
        .await
    }

    /// Removes a user with all sessions and login links; returns false if there is no such user.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn remove_user(&self, name: String, entry: NewAuditEntry) -> Result<bool> {
        self.write(move |connection| {
            let removed = connection.prepare_cached("DELETE FROM user WHERE name = ?1")?.execute([name])?;
            if removed > 0 {
                audit::append(connection, entry)?;
            }
            Ok(removed > 0)
        })
        .await
    }
}
