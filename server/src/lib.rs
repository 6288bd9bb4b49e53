//! The server, from the ground up: a module uses those above it alone.

pub mod regular; // files that are read whole
pub mod repo; // git commit or directory -> immutable snapshot
pub mod language; // types and expressions
pub mod modules; // the manifests of a snapshot
pub mod inventory; // which machines there are
pub mod lookup; // key -> value and where it came from
pub mod excerpt; // lines of files, without their secrets
pub mod diagnose; // what is wrong, for people and programs
pub mod explain; // why a key has its value
pub mod compile; // snapshot, node and facts to a catalog
pub mod check; // everything wrong with a repository

pub mod network; // whom an address stands for, who may hold a connection
pub mod store; // what the server remembers
pub mod fleet; // all machines, each with how it is
pub mod docs; // what definitions say, for people
pub mod clock; // whether the time can be right
pub mod identity; // who is who

pub mod measure; // what is counted for monitoring
pub mod live; // which commit is in force, what nodes were given
pub mod api; // what nodes may ask
pub mod dashboard; // what people see
pub mod admin; // operators' wishes, by a socket
pub mod config; // what the server is told
pub mod serve; // from a configuration to a running server
pub mod cli; // one file a command
