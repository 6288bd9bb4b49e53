//! `notify`: a message in the log and in the report.

use super::Rules;
use super::claim::Claim;
use super::define::resource_type;

resource_type! {
    /// A message in the agent's log and in the report. It changes nothing and is never drift.
    Notify("notify"), titled String {
        /// The text.
        parameter message: Option<String> => "the title",
    }
}

impl Rules for Notify {
    fn claims(&self) -> Vec<Claim> {
        Vec::new()
    }
}
