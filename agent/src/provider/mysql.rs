//! `mysql_user`, `mysql_database` and `mysql_grant`, through the client `mariadb` as root over the local socket.
//!
//! SQL is passed on standard input, in the client's binary mode, in which it cannot contain commands of the client.
//! Roles and anonymous accounts are not managed here: only what the catalog names is looked at.

mod client;
mod database;
mod grant;
mod quoting;
mod user;

pub use database::MysqlDatabases;
pub use grant::MysqlGrants;
pub use user::MysqlUsers;
