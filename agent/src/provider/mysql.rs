//! `mysql_user`, `mysql_database` and `mysql_grant`, by the client `mariadb` as root over the local socket.
//!
//! SQL goes by standard input, in the client's binary mode, in which nothing in it is a command of the client. Of accounts,
//! roles and anonymous ones are nobody's business here: only what the catalog names is looked at.

mod client;
mod database;
mod grant;
mod quoting;
mod user;

pub use database::MysqlDatabases;
pub use grant::MysqlGrants;
pub use user::MysqlUsers;
