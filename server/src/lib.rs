//! The server, from the ground up: a module uses only those above it.

mod diagnostic; // what is wrong, where, what to do
mod outline; // how much a TOML text contains
mod regular; // reading and writing whole files
mod repo; // git commit or directory -> immutable snapshot
mod language; // types and expressions
mod modules; // the manifests of a snapshot
mod inventory; // the machines that exist
mod lookup; // key -> value and where it came from
mod excerpt; // lines of files, without their secrets
pub mod diagnose; // problems, for people and programs
mod explain; // why a key has its value
mod compile; // snapshot, node and facts to a catalog
mod check; // everything wrong with a repository

mod network; // addresses, and limits on connections
mod store; // what the server remembers
mod fleet; // all machines and their states
pub mod docs; // documentation from definitions
mod clock; // whether the clock can be right
mod identity; // who is who

mod metrics; // counters for monitoring
mod request; // the ids of requests, in answers and in the log
mod control; // which commit is in force, which catalogs nodes were given
mod api; // what nodes may ask
mod dashboard; // the pages for people
mod admin; // operators' commands, over a socket
mod config; // the server's settings
mod logs; // what is logged, and how
mod serve; // from a configuration to a running server
pub mod cli; // one file a command

// For tests, benchmarks and fuzz targets.
pub use check::{check, facts_of};
pub use compile::{Compiled, Program, compile};
pub use config::ServerConfig;
pub use diagnostic::{Code, Diagnostic};
pub use excerpt::Excerpts;
pub use inventory::{Inventory, Node};
pub use language::document::Document;
pub use language::manifest::Manifest;
pub use language::name::ManifestName;
pub use language::{Expression, Fault, Partials, Template, Type};
pub use modules::Modules;
pub use repo::{Directory, Presence, Snapshot};
pub use serve::Server;
pub use store::Store;
pub use store::audit::NewAuditEntry;
pub use store::catalog::CompileErrorRow;
pub use store::certificate::NewCertificate;
pub use store::commit::{CommitRow, CommitStatus};
pub use store::node::{AddOutcome, NodeId, OnConflict};
pub use store::report::{InsertOutcome, MAX_QUIET};
pub use store::token::NewToken;
