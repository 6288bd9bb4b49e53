//! A change that could not be made.

use crate::provider::Error;

/// Why a change could not be made.
pub(super) struct ChangeFailure {
    pub(super) why: String,
    /// Whether something is missing that another resource may still bring.
    pub(super) missing: bool,
}

impl From<&Error> for ChangeFailure {
    fn from(error: &Error) -> Self {
        Self { why: error.to_string(), missing: error.is_missing() }
    }
}
