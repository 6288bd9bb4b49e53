//! `postgresql_role`, `postgresql_database` and `postgresql_grant`, through `psql` as the server's own account.
//!
//! The content of a tenant's database is hostile: settings of a database cannot affect these sessions, every name is
//! looked up in the server's own catalogue, and no query runs a function of the database. SQL is passed on standard
//! input. One session for each server, and one for each database whose content matters, reads for all resources.

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
