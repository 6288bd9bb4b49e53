//! The server, in the order in which data flows.

pub mod language; // types and expressions
pub mod store; // what the server remembers
