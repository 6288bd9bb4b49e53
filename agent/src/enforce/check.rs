//! A look at resources: read-only, one observation for each type, in parallel if that is safe.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{Subject, TypeTimes};
use crate::at_hand;
use crate::provider::{Alias, AnySeen, Change, ChangeKind, Error, Need, Plan, Planned, Reading};
use crate::system::Liveness;

/// The number of resources from which another thread is worthwhile.
const WORTH_A_THREAD: usize = 64;

/// The number of resources that a thread takes at once.
const CHUNK: usize = 16;

const MAX_THREADS: usize = 4;

/// The result of looking at a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nobody looked, since its policy is off.
    Off,
    /// Nothing to do, but perhaps something to report.
    InSync(Vec<Change>),
    /// These changes would correct it.
    Changes(Vec<Change>),
    /// It cannot be known yet, for this.
    Pending(Need),
    /// It does not apply here, for this reason.
    NotApplicable(String),
    /// It could not be looked at, for this reason.
    Failed(String),
    /// It fails by itself, in this way; nobody changed it.
    Down(String),
}

impl Verdict {
    /// Whether nothing differs. There may still be something to report, or something to do in every run.
    pub(super) fn is_fine(&self) -> bool {
        match self {
            Self::InSync(_) => true,
            Self::Changes(changes) => {
                changes.iter().all(|change| matches!(change.kind, ChangeKind::Always | ChangeKind::Note))
            }
            _ => false,
        }
    }

    /// Whether the machine got here by itself, so no resource is blamed for it.
    pub(super) fn is_by_itself(&self) -> bool {
        match self {
            Self::Down(_) => true,
            Self::Changes(changes) => {
                let mut to_do = changes.iter().filter(|change| change.kind != ChangeKind::Note).peekable();
                to_do.peek().is_some() && to_do.all(|change| change.by_itself)
            }
            _ => false,
        }
    }
}

/// The result of a look at several resources, each list in any order.
#[derive(Default)]
pub(super) struct Sight {
    /// The verdicts, by index.
    pub(super) verdicts: Vec<(usize, Verdict)>,
    /// Claims under names that only the machine knows, by index.
    pub(super) aliases: Vec<(usize, Vec<Alias>)>,
    /// The current values of resources that follow a moving target, by index.
    pub(super) stands: Vec<(usize, Stand)>,
}

/// The property of a resource that follows a moving target, and its current value.
pub(super) type Stand = (&'static str, String);

/// Looks at these resources, none of which is off.
pub(super) fn look<'a>(
    subjects: &[Subject<'a>],
    which: &[usize],
    reading: Reading<'_>,
    times: &mut TypeTimes<'a>,
) -> Sight {
    let mut by_type: BTreeMap<&'a str, Vec<usize>> = BTreeMap::new();
    for index in which {
        by_type.entry(subjects[*index].type_name()).or_default().push(*index);
    }
    let mut sight = Sight::default();
    sight.verdicts.reserve(which.len());
    let mut groups: Vec<_> = by_type.into_iter().collect();
    let is_first = |members: &[usize]| members.first().is_some_and(|of| subjects[*of].provider.is_first());
    groups.sort_by_key(|(_, members)| !is_first(members));
    for (type_name, members) in groups {
        let began = Instant::now();
        let group: Vec<&Subject<'a>> = members.iter().map(|index| &subjects[*index]).collect();
        at_hand::tell(format_args!("looking at {type_name} ({})", members.len()));
        match observe(&group, reading) {
            Ok(seen) => {
                let aliases = group.iter().map(|subject| aliases(subject, &seen, reading));
                let aliases = members.iter().copied().zip(aliases).filter(|(_, aliases)| !aliases.is_empty());
                sight.aliases.extend(aliases);
                let stands = group.iter().map(|subject| subject.provider.stand_of(subject.typed, &seen));
                let stands = members.iter().zip(stands);
                sight.stands.extend(stands.filter_map(|(index, stand)| Some((*index, stand?))));
                sight.verdicts.extend(members.into_iter().zip(plan_all(&group, &seen, reading)));
            }
            Err(verdict) => {
                sight.verdicts.extend(members.into_iter().map(|index| (index, verdict.clone())));
            }
        }
        times.add(type_name, began.elapsed());
    }
    sight
}

/// What a resource claims under names that only the machine knows. If that cannot be found out, its plan says why.
fn aliases(subject: &Subject<'_>, seen: &AnySeen, reading: Reading<'_>) -> Vec<Alias> {
    contained(|| Ok(subject.provider.aliases_of(subject.typed, seen, reading))).unwrap_or_default()
}

/// Observes the machine for resources of one type.
fn observe(group: &[&Subject<'_>], reading: Reading<'_>) -> Result<AnySeen, Verdict> {
    let Some(first) = group.first() else { return Err(Verdict::Off) };
    let typed: Vec<_> = group.iter().map(|subject| subject.typed).collect();
    let observed = contained(|| match first.provider.observe_all(&typed, reading) {
        Err(error) => error.need().map_or(Err(error), |need| Ok(Err(Verdict::Pending(need)))),
        Ok(seen) => Ok(Ok(seen)),
    });
    observed.unwrap_or_else(|why| Err(Verdict::Failed(why)))
}

/// Plans one resource.
fn plan(subject: &Subject<'_>, seen: &AnySeen, reading: Reading<'_>) -> Verdict {
    let planned = contained(|| match subject.provider.plan_one(subject.typed, seen, reading) {
        Err(error) if error.is_by_itself() => Ok(Verdict::Down(error.to_string())),
        // What is missing may still appear, so this is as unknown as what a provider calls pending.
        Err(error) => error.need().map_or(Err(error), |need| Ok(Verdict::Pending(need))),
        Ok(plan) => Ok(match plan {
            Plan::InSync(notes) => Verdict::InSync(notes),
            Plan::Changes(changes) => Verdict::Changes(changes),
            Plan::Pending(need) => Verdict::Pending(need),
            // Only another root may lack what a machine has. A live machine that lacks it is not what it was asked to
            // be.
            Plan::NotApplicable(why) if reading.machine.liveness() == Liveness::Live => Verdict::Failed(why),
            Plan::NotApplicable(why) => Verdict::NotApplicable(why),
        }),
    });
    planned.unwrap_or_else(Verdict::Failed)
}

fn plan_all(group: &[&Subject<'_>], seen: &AnySeen, reading: Reading<'_>) -> Vec<Verdict> {
    let one_by_one = group.first().is_some_and(|s| s.provider.planned() == Planned::OneByOne);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if one_by_one { 1 } else { cores.min(MAX_THREADS).min(group.len() / WORTH_A_THREAD) };
    if threads < 2 {
        let one = |subject: &&Subject<'_>| {
            if one_by_one {
                at_hand::tell(format_args!("looking at {}", subject.resource.reference));
            }
            plan(subject, seen, reading)
        };
        return group.iter().map(one).collect();
    }
    let next = AtomicUsize::new(0);
    let done = Mutex::new(vec![Verdict::Off; group.len()]);
    let run = tracing::Span::current();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let _within = run.enter();
                loop {
                    let start = next.fetch_add(CHUNK, Ordering::Relaxed);
                    let Some(chunk) = group.get(start..(start + CHUNK).min(group.len())) else { break };
                    if chunk.is_empty() {
                        break;
                    }
                    let verdicts: Vec<_> = chunk.iter().map(|subject| plan(subject, seen, reading)).collect();
                    let mut done = done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    for (slot, verdict) in done[start..].iter_mut().zip(verdicts) {
                        *slot = verdict;
                    }
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Calls a provider. A panic fails the current resource and nothing else.
pub(super) fn contained<T>(call: impl FnOnce() -> Result<T, Error>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(error.to_string()),
        Err(panic) => Err(panicked(&*panic)),
    }
}

/// The error for a panic of a provider, with its message.
pub(super) fn panicked(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    format!("internal error: the provider panicked ({text}); the rest of the run continues")
}

/// Measures how long a call takes.
pub(super) fn timed<T>(call: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let value = call();
    (value, began.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_about_by_itself_is_told_from_what_others_may_have_done() {
        let change = || Change::new("ensure".into(), "failed", "running");
        let note = change().kind(ChangeKind::Note);
        assert!(Verdict::Down("it fails".to_owned()).is_by_itself());
        assert!(Verdict::Changes(vec![change().by_itself(), note.clone()]).is_by_itself());
        assert!(!Verdict::Changes(vec![change().by_itself(), change()]).is_by_itself());
        assert!(!Verdict::Changes(vec![note]).is_by_itself());
        assert!(!Verdict::Failed("it fails".to_owned()).is_by_itself());
    }
}
