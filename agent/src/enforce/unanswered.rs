//! What is known of a run that did not come to its end: what it reported, and where it was stuck.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use holdfast_catalog::catalog::{Catalog, Policy};
use holdfast_catalog::report::{Cause, Counts, Event, MAX_EVENTS, Status};

use super::Findings;
use super::record::{ResourceOutcome, blank};
use super::redact::Redact;
use crate::provider::provider_of;

/// The reason for resources of which nothing is known.
const UNKNOWN: &str = "the run was ended before this was known";

/// The findings of a run that reported these events and is stuck at a path, if that is known. `why` is the reason for
/// the resources at that path.
pub(crate) fn findings(catalog: &Catalog, told: Vec<Event>, at: Option<&Path>, why: &str) -> Findings {
    let held = at.map(|at| held_at(catalog, at)).unwrap_or_default();
    let mut outcomes: BTreeMap<String, ResourceOutcome> = BTreeMap::new();
    for event in &told {
        let outcome = outcomes.entry(event.resource.to_string()).or_insert(ResourceOutcome::Unchanged);
        *outcome = (*outcome).max(ResourceOutcome::of(event.status));
    }
    let corrective = told.iter().filter(|event| event.cause == Some(Cause::Corrective));
    let corrective: std::collections::BTreeSet<_> =
        corrective.map(|event| event.resource.to_string()).collect();
    let why = Redact::of_all(catalog.resources.iter().map(|of| (&*of.reference.title, &of.attributes)))
        .said(why.to_owned(), &mut catalog.resources.iter().map(|of| &*of.reference.title));
    let (mut counts, mut events) = (Counts::default(), told);
    for (index, resource) in catalog.resources.iter().enumerate() {
        let name = resource.reference.to_string();
        let known = outcomes.get(&name).copied().filter(|outcome| *outcome > ResourceOutcome::Unchanged);
        let outcome = match known {
            _ if resource.policy == Policy::Off => ResourceOutcome::Off,
            _ if held.contains(&index) => ResourceOutcome::Failed,
            known => known.unwrap_or(ResourceOutcome::Skipped),
        };
        let (status, reason) = match outcome {
            ResourceOutcome::Failed if held.contains(&index) => (Some(Status::Failed), &*why),
            ResourceOutcome::Skipped if known.is_none() => (Some(Status::Skipped), UNKNOWN),
            _ => (None, ""),
        };
        events.extend(status.map(|status| blank(resource, status, Some(reason.to_owned()), Duration::ZERO)));
        outcome.count(&mut counts);
        counts.corrective += u32::from(outcome == ResourceOutcome::Changed && corrective.contains(&name));
    }
    counts.dropped = u32::try_from(events.len().saturating_sub(MAX_EVENTS)).unwrap_or(u32::MAX);
    // Failures are kept, however many events there are.
    events.sort_by_key(|event| event.status != Status::Failed);
    events.truncate(MAX_EVENTS);
    Findings { counts, events, ..Findings::default() }
}

/// The resources that name a path, or a directory that contains it.
fn held_at(catalog: &Catalog, at: &Path) -> Vec<usize> {
    let Ok(typed) = catalog.validate() else { return Vec::new() };
    let names = |index: &usize| {
        let names = provider_of(&typed[*index]).names_of(&typed[*index]);
        let title = &*catalog.resources[*index].reference.title;
        names
            .into_iter()
            .chain([title])
            .any(|name| name.starts_with('/') && name != "/" && at.starts_with(name))
    };
    (0..typed.len()).filter(names).collect()
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::report::Mode;

    use super::*;
    use crate::enforce::bench::Bench;

    #[test]
    fn what_a_run_is_held_at_has_failed_and_what_it_told_counts() {
        let mut bench = Bench::directory();
        bench.file("/a", "x");
        let told = bench.run(Mode::Enforce).events;
        bench.file("/srv/hung/b", "x");
        bench.file("/z", "x");
        let found =
            findings(&bench.catalog, told, Some(Path::new("/srv/hung/b")), "/srv/hung did not answer");
        let Counts { total, changed, failed, skipped, .. } = found.counts;
        assert_eq!((total, changed, failed, skipped), (3, 1, 1, 1));
        assert!(found.counts.add_up());
        let said: Vec<_> =
            found.events.iter().map(|event| (event.status, event.resource.to_string())).collect();
        assert_eq!(said[0], (Status::Failed, "file[/srv/hung/b]".to_owned()));
        assert!(said.contains(&(Status::Skipped, "file[/z]".to_owned())), "{said:?}");
        let nowhere = findings(&bench.catalog, Vec::new(), None, "");
        assert_eq!((nowhere.counts.failed, nowhere.counts.skipped), (0, 3));
    }
}
