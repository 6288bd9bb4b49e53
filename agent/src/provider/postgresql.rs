//! `postgresql_role`, `postgresql_database` and `postgresql_grant`, by `psql` as the server's own account.
//!
//! What a tenant's database holds is hostile: settings of a database cannot reach these sessions, every name is
//! looked up in the server's own catalogue, and what is asked never runs a function of the database. SQL goes by standard
//! input. One session for each server, and one for each database whose inside matters, reads for all resources.

mod database;
mod grant;
mod observed;
mod place;
mod quoting;
mod role;
mod verifier;

pub use database::PostgresqlDatabases;
pub use grant::PostgresqlGrants;
pub use role::Roles;

/// The database that is asked about the whole server.
const MAINTENANCE: &str = "postgres";
