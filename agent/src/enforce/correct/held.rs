//! What is skipped because something that a resource needs has failed, or because the run was interrupted.

use std::sync::Arc;
use std::time::Duration;

use holdfast_catalog::catalog::Policy;
use holdfast_catalog::report::Status;

use super::super::check::Verdict;
use super::super::turns::MemberResult;
use super::{Correct, CorrectionPass};

impl Correct<'_, '_, '_> {
    /// In the second pass, only resources that were in order get another turn. What is skipped then is judged by the
    /// last look.
    pub(super) fn skip(&mut self, index: usize, why: String) {
        if self.pass == CorrectionPass::First {
            self.record.whole(index, Status::Skipped, why, Duration::ZERO);
        }
        self.turns.finish(index, MemberResult { skipped: true, ..MemberResult::default() });
    }

    /// Why a resource is not touched if something that it depends on has failed. A resource that is as wanted is still
    /// reported as such, one that is wrong in itself is reported as that, and a dependency that only orders holds
    /// nothing up.
    pub(super) fn held_up(&self, index: usize) -> Option<String> {
        let reached = self.turns.reached(index);
        let base = reached.failed_base()?;
        let is_enforced = self.subjects[index].policy == Policy::Enforce;
        let failed = |base: &Arc<str>| format!("{base} failed");
        match self.view.latest(index) {
            Verdict::Pending(_) => Some(failed(base)),
            Verdict::Changes(_) if is_enforced => reached.needs.as_ref().map(failed),
            Verdict::InSync(_) if reached.notified.as_ref().is_some_and(|n| n.real && is_enforced) => {
                reached.needs.as_ref().map(|base| format!("{base} failed; its refresh is still pending"))
            }
            _ => None,
        }
    }
}
