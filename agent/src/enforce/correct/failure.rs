//! A change that could not be made.

use crate::provider::{Error, Needed};

/// Why a change could not be made.
#[derive(Clone)]
pub(super) struct ChangeFailure {
    pub(super) why: String,
    /// What is missing that another resource may bring.
    pub(super) needed: Option<Needed>,
}

impl From<&Error> for ChangeFailure {
    fn from(error: &Error) -> Self {
        Self { why: error.to_string(), needed: error.need().map(|need| need.what) }
    }
}
