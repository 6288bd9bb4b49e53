//! The state of each resource when a run ended, from the last look at it and what became of it.

use std::collections::BTreeSet;

use holdfast_catalog::catalog::Policy;

use super::Subject;
use super::check::Verdict;
use super::memory::End;
use super::record::{Record, ResourceOutcome};
use super::view::MachineView;
use crate::provider::{Change, ChangeKind};

/// The end of a resource in an enforcing run, from the last look at it and what became of it.
pub(super) fn of(index: usize, subject: &Subject<'_>, view: &MachineView, record: &Record<'_>) -> End {
    let outcome = record.outcome(index);
    if subject.policy != Policy::Enforce {
        return End::Untouched;
    }
    // A run that was interrupted has no last look.
    if !view.is_fresh(index) {
        let touched = matches!(outcome, ResourceOutcome::Changed | ResourceOutcome::Failed);
        return if touched { End::Unknown(None) } else { End::Unreached };
    }
    if record.is_unreached(index) && !matches!(view.latest(index), Verdict::InSync(_)) {
        return End::Unreached;
    }
    let off = match view.latest(index) {
        Verdict::InSync(_) => BTreeSet::new(),
        Verdict::Changes(changes) => off(changes),
        _ => return End::Unknown(None),
    };
    match outcome {
        _ if !off.is_empty() => End::Off(off),
        ResourceOutcome::Failed => End::Unknown(record.why_failed(index)),
        _ => End::AsWanted,
    }
}

/// The end of a resource in a run that changes nothing, from the look at it.
pub(super) fn seen(index: usize, subject: &Subject<'_>, view: &MachineView) -> End {
    match view.latest(index) {
        _ if subject.resource.policy != Policy::Enforce => End::Untouched,
        Verdict::InSync(_) => End::Seen(BTreeSet::new()),
        Verdict::Changes(changes) => End::Seen(off(changes)),
        _ => End::Unreached,
    }
}

/// The properties that differ.
fn off(changes: &[Change]) -> BTreeSet<String> {
    changes.iter().filter(|change| change.kind == ChangeKind::Differs).map(key).collect()
}

fn key(change: &Change) -> String {
    match &change.path {
        Some(path) => format!("{path}:{}", change.property),
        None => change.property.to_string(),
    }
}
