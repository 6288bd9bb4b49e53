//! What is known of each resource, and since when. What was seen before something changed in this run no longer counts,
//! since any change may have touched anything: the resource is looked at again.
//!
//! Not here: looking itself ([`super::check`]), and acting on the result.

use super::check::Verdict;
use crate::provider::{Change, ChangeKind};

/// The time of a run, counted in acts: looks between two acts see the same machine.
type Moment = u32;

/// Something that changed the machine, or may have.
struct Act {
    at: Moment,
    who: Vec<usize>,
}

/// What is known of each resource.
pub(super) struct MachineView {
    latest: Vec<Verdict>,
    /// What the first look found; kept from the first act on.
    first: Option<Vec<Verdict>>,
    looked: Vec<Moment>,
    /// When it was last as wanted: seen so, or just corrected.
    fine: Vec<Option<Moment>>,
    now: Moment,
    acts: Vec<Act>,
    /// How many resources the next look includes.
    ahead: usize,
}

impl MachineView {
    /// The view after the first look.
    pub(super) fn new(first: Vec<Verdict>) -> Self {
        Self {
            looked: vec![0; first.len()],
            fine: first.iter().map(|verdict| verdict.is_fine().then_some(0)).collect(),
            latest: first,
            first: None,
            now: 0,
            acts: Vec::new(),
            ahead: 1,
        }
    }

    /// Whether the first look found nothing to do and nothing to report.
    pub(super) fn is_quiet(&self) -> bool {
        self.latest.iter().all(|verdict| match verdict {
            Verdict::Off => true,
            Verdict::InSync(notes) => notes.is_empty(),
            _ => false,
        })
    }

    /// What the latest look found.
    pub(super) fn latest(&self, index: usize) -> &Verdict {
        &self.latest[index]
    }

    /// Whether nothing was done since the latest look at a resource.
    pub(super) fn is_fresh(&self, index: usize) -> bool {
        self.looked[index] == self.now
    }

    /// The resources that were not looked at since something was done.
    pub(super) fn stale(&self) -> Vec<usize> {
        (0..self.latest.len()).filter(|i| !self.is_fresh(*i) && self.latest[*i] != Verdict::Off).collect()
    }

    /// Whether anything was done.
    pub(super) fn has_changed(&self) -> bool {
        self.now > 0
    }

    /// Stores the result of a look that was just taken.
    pub(super) fn found(&mut self, index: usize, verdict: Verdict) {
        if verdict.is_fine() {
            self.fine[index] = Some(self.now);
        }
        self.looked[index] = self.now;
        self.latest[index] = verdict;
    }

    /// Records that these resources act now: what was seen before is stale.
    pub(super) fn act(&mut self, who: Vec<usize>) {
        if self.first.is_none() {
            self.first = Some(self.latest.clone());
        }
        self.now += 1;
        self.ahead = 1;
        self.acts.push(Act { at: self.now, who });
    }

    /// Takes back the last act: it touched nothing, and so changed nothing.
    pub(super) fn did_nothing(&mut self) {
        self.acts.pop();
    }

    /// Records that a resource was just corrected, according to its provider.
    pub(super) fn put_right(&mut self, index: usize) {
        self.fine[index] = Some(self.now);
    }

    /// Records that a resource acted and is not known to be as wanted since: a later act cannot undo what was never
    /// achieved.
    pub(super) fn never_was(&mut self, index: usize) {
        self.fine[index] = None;
    }

    /// How many resources to look at together: twice as many each time, as long as nothing is done. So a run with one
    /// change looks at everything in a few steps, and one with many looks at little that the next change makes stale.
    pub(super) fn ahead(&mut self) -> usize {
        let ahead = self.ahead;
        self.ahead = ahead.saturating_mul(2);
        ahead
    }

    /// Whether a change was due when the run began; otherwise this run caused it.
    pub(super) fn was_due(&self, index: usize, change: &Change) -> bool {
        match self.first.as_ref().map_or(&self.latest[index], |first| &first[index]) {
            Verdict::InSync(_) | Verdict::Off => false,
            Verdict::Changes(first) => {
                first.iter().filter(|other| other.kind != ChangeKind::Note).any(|other| {
                    let is_whole =
                        other.property == "ensure" && (other.path.is_none() || other.path == change.path);
                    is_whole || (other.property == change.property && other.path == change.path)
                })
            }
            Verdict::Pending(_) | Verdict::NotApplicable(_) | Verdict::Failed(_) | Verdict::Down(_) => true,
        }
    }

    /// Which resources acted since this one was last as wanted, and so may have changed it; `None` if it never was.
    pub(super) fn acted_since(&self, index: usize) -> Option<Vec<usize>> {
        let fine = self.fine[index]?;
        let together = |act: &Act| act.at == fine && act.who.contains(&index);
        let acts = self.acts.iter().filter(|act| act.at > fine || together(act));
        let mut who: Vec<usize> =
            acts.flat_map(|act| &act.who).copied().filter(|who| *who != index).collect();
        who.sort_unstable();
        who.dedup();
        Some(who)
    }
}
