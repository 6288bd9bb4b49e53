//! Names and texts as PostgreSQL reads them; `standard_conforming_strings` is on, which sessions see to.

use super::super::database::quoting::quoted;
pub use super::super::database::quoting::{literal, literals};

/// A name.
pub fn identifier(name: &str) -> String {
    quoted(name, '"')
}
