//! What a look found and is not corrected now, as it appears in the report.

use std::time::Duration;

use holdfast_catalog::report::Status;

use super::super::check::Verdict;
use super::super::turns::MemberResult;
use super::{Correct, CorrectionPass, without};
use crate::provider::{Need, Needed};

impl Correct<'_, '_, '_> {
    /// Reports what is not corrected now, and ends the turn.
    pub(super) fn report(&mut self, index: usize, verdict: Verdict) {
        let came = match self.pass {
            CorrectionPass::First => self.told(index, verdict),
            CorrectionPass::Second => self.told_again(index, &verdict),
        };
        if came.inapplicable {
            self.debts.answered(index);
            self.turns.finish(index, came);
        } else {
            self.finish(index, came, &[]);
        }
    }

    /// Records what a look found; returns what that means for the resources after this one.
    pub(super) fn told(&mut self, index: usize, verdict: Verdict) -> MemberResult {
        let mut came = MemberResult::default();
        match self.resolved(index, verdict) {
            Verdict::Off => {}
            Verdict::InSync(notes) => {
                for note in &notes {
                    self.tell(index, note, Status::Info, None, Duration::ZERO);
                }
            }
            Verdict::Changes(changes) => {
                came.would = changes.iter().any(|change| change.kind.brings_news());
                for change in &changes {
                    self.tell(index, change, Status::WouldChange, None, Duration::ZERO);
                }
            }
            Verdict::Pending(need) if self.turns.reached(index).anticipates => {
                came.would = true;
                let why = format!("not known yet: {need}");
                self.record.whole(index, Status::WouldChange, why, Duration::ZERO);
            }
            Verdict::NotApplicable(why) => {
                came.inapplicable = true;
                self.record.whole(index, Status::NotApplicable, why, Duration::ZERO);
            }
            Verdict::Failed(why) | Verdict::Pending(Need { why, .. }) | Verdict::Down(why) => {
                came.failed = true;
                let why = self.undone_by(index).map_or_else(|| why.clone(), |by| format!("{why}; {by}"));
                self.record.whole(index, Status::Failed, why, Duration::ZERO);
            }
        }
        came
    }

    /// The verdict, adjusted to the failures before it. What waits for something that does not apply to this root does
    /// not apply either; what is wrong in itself is reported as that.
    pub(super) fn resolved(&self, index: usize, verdict: Verdict) -> Verdict {
        const NOWHERE: &str = "its directory does not exist";
        let lacking = match &verdict {
            Verdict::Pending(need) => self.lacking(index, &need.what),
            Verdict::Changes(_) => self.lacking(index, &Needed::Other).filter(|_| self.stands_nowhere(index)),
            _ => None,
        };
        match (verdict, lacking) {
            (Verdict::Pending(need), Some(name)) => Verdict::NotApplicable(without(&need.why, &name)),
            (Verdict::Changes(_), Some(name)) => Verdict::NotApplicable(without(NOWHERE, &name)),
            (verdict, _) => match self.cannot_stand(index, &verdict) {
                // A resource before it may create the place.
                Some(why) if self.turns.reached(index).awaits => Verdict::Pending(why.into()),
                Some(why) => Verdict::Failed(why),
                None => verdict,
            },
        }
    }
}
