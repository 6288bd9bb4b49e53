//! The server, from the ground up: a module uses those above it alone.

mod diagnostic; // what is wrong, where, what to do
mod regular; // files that are read whole
mod repo; // git commit or directory -> immutable snapshot
mod language; // types and expressions
mod modules; // the manifests of a snapshot
mod inventory; // which machines there are
mod lookup; // key -> value and where it came from
mod excerpt; // lines of files, without their secrets
pub mod diagnose; // what is wrong, for people and programs
mod explain; // why a key has its value
mod compile; // snapshot, node and facts to a catalog
mod check; // everything wrong with a repository

mod network; // whom an address stands for, who may hold a connection
mod store; // what the server remembers
mod fleet; // all machines, each with how it is
pub mod docs; // what definitions say, for people
mod clock; // whether the time can be right
mod identity; // who is who

mod measure; // what is counted for monitoring
mod request; // a request's id: in its answer, and in what is logged of it
mod live; // which commit is in force, what nodes were given
mod api; // what nodes may ask
mod dashboard; // what people see
mod admin; // operators' wishes, by a socket
mod config; // what the server is told
mod logs; // what is logged, and how
mod serve; // from a configuration to a running server
pub mod cli; // one file a command

// What tests, benchmarks and fuzz targets use.
pub use check::{check, facts_of};
pub use compile::{Compiled, Program, compile};
pub use config::Config;
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
pub use store::audit::Entry as AuditEntry;
pub use store::catalog::CompileErrorRow;
pub use store::certificate::NewCertificate;
pub use store::commit::{CommitRow, CommitStatus};
pub use store::node::{Added, NodeId, Present};
pub use store::report::{MOST_QUIET, Stored};
pub use store::token::NewToken;
