//! The server.

pub mod language;
