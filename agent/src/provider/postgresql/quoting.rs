//! Names and texts as PostgreSQL reads them; sessions turn `standard_conforming_strings` on.

use super::super::database::quoting::quoted;
pub use super::super::database::quoting::{literal, literals};

/// A quoted identifier.
pub fn identifier(name: &str) -> String {
    quoted(name, '"')
}
