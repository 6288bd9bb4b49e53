//! Two resources that claim one thing on this machine: conflicts known before anything was done, and those found on the
//! way.

use std::time::Duration;

use holdfast_catalog::report::Status;

use super::super::check::Verdict;
use super::super::claims::Claims;
use super::{Correct, last};

/// The result of the first look.
pub(in crate::enforce) struct FirstLook {
    pub(in crate::enforce) verdicts: Vec<Verdict>,
    /// What resources really claim.
    pub(in crate::enforce) claims: Claims,
}

impl Correct<'_, '_, '_> {
    /// Fails resources that turned out to claim what another does: with this look, at their turn, or now if that is
    /// over.
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
