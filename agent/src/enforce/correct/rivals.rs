//! Two that claim one thing, as the machine has it: what was known before anything was done, and what turns out on the way.

use std::time::Duration;

use holdfast_catalog::report::Status;

use super::super::check::Verdict;
use super::super::claims::Claims;
use super::{Correct, last};

/// What the first look came to.
pub(in crate::enforce) struct FirstLook {
    pub(in crate::enforce) verdicts: Vec<Verdict>,
    /// What resources really claim.
    pub(in crate::enforce) claims: Claims,
}

impl Correct<'_, '_, '_> {
    /// Who has turned out to claim what another does fails: with this look, at its turn, or now where that is over.
    pub(super) fn see_rivals(&mut self, looked_at: &[usize]) {
        for index in self.claims.take_new() {
            let Some(why) = self.claims.why(index) else { continue };
            self.view.found(index, Verdict::Failed(why.clone()));
            let is_over = self.over[index] && !looked_at.contains(&index);
            if is_over && last::is_in_order(self.record.outcome(index)) {
                self.record.whole(index, Status::Failed, why, Duration::ZERO);
            }
        }
    }
}
