//! The first look: every resource, read-only, in parallel where that is safe.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use holdfast_catalog::catalog::Policy;

use super::{Subject, Times};
use crate::provider::{AnySeen, Change, Error, Plan, Planned, Reading};

/// So many resources are worth a thread of their own.
const WORTH_A_THREAD: usize = 64;

/// So many are taken by a thread at once.
const CHUNK: usize = 16;

const MAX_THREADS: usize = 4;

/// What a look at a resource came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nobody looked: its policy is off.
    Off,
    /// Nothing to do; perhaps something to say.
    InSync(Vec<Change>),
    /// These changes would mend it.
    Changes(Vec<Change>),
    /// It cannot be known yet, and why.
    Pending(String),
    /// Not to be had here, and why.
    NotApplicable(String),
    /// It could not be looked at, and why.
    Failed(String),
}

/// What the first look found.
pub(super) struct Checked<'a> {
    /// By resource.
    pub(super) verdicts: Vec<Verdict>,
    /// By type, as long as nothing has changed.
    pub(super) seen: BTreeMap<&'a str, AnySeen>,
}

/// Looks at every resource that is not off.
pub(super) fn all<'a>(subjects: &[Subject<'a>], reading: Reading<'_>, times: &mut Times<'a>) -> Checked<'a> {
    let mut verdicts = vec![Verdict::Off; subjects.len()];
    let mut by_type: BTreeMap<&'a str, Vec<usize>> = BTreeMap::new();
    for (index, subject) in subjects.iter().enumerate().filter(|(_, s)| s.policy != Policy::Off) {
        by_type.entry(subject.type_name()).or_default().push(index);
    }
    let mut seen = BTreeMap::new();
    for (type_name, members) in by_type {
        let began = Instant::now();
        let group: Vec<&Subject<'a>> = members.iter().map(|index| &subjects[*index]).collect();
        match observe(&group, reading) {
            Ok(observed) => {
                for (index, verdict) in members.iter().zip(plan_all(&group, &observed, reading)) {
                    verdicts[*index] = verdict;
                }
                seen.insert(type_name, observed);
            }
            Err(why) => members.iter().for_each(|index| verdicts[*index] = Verdict::Failed(why.clone())),
        }
        times.add(type_name, began.elapsed());
    }
    Checked { verdicts, seen }
}

/// Observes the machine for resources of one type.
pub(super) fn observe(group: &[&Subject<'_>], reading: Reading<'_>) -> Result<AnySeen, String> {
    let Some(first) = group.first() else { return Err("no resource".to_owned()) };
    let typed: Vec<_> = group.iter().map(|subject| subject.typed).collect();
    contained(|| first.provider.observe_all(&typed, reading))
}

/// Plans one resource.
pub(super) fn plan(subject: &Subject<'_>, seen: &AnySeen, reading: Reading<'_>) -> Verdict {
    match contained(|| subject.provider.plan_one(subject.typed, seen, reading)) {
        Ok(Plan::InSync(notes)) => Verdict::InSync(notes),
        Ok(Plan::Changes(changes)) => Verdict::Changes(changes),
        Ok(Plan::Pending(why)) => Verdict::Pending(why),
        Ok(Plan::NotApplicable(why)) => Verdict::NotApplicable(why),
        Err(why) => Verdict::Failed(why),
    }
}

fn plan_all(group: &[&Subject<'_>], seen: &AnySeen, reading: Reading<'_>) -> Vec<Verdict> {
    let one_by_one = group.first().is_some_and(|s| s.provider.planned() == Planned::OneByOne);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if one_by_one { 1 } else { cores.min(MAX_THREADS).min(group.len() / WORTH_A_THREAD) };
    if threads < 2 {
        return group.iter().map(|subject| plan(subject, seen, reading)).collect();
    }
    let next = AtomicUsize::new(0);
    let done = Mutex::new(vec![Verdict::Off; group.len()]);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
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

/// Calls a provider; a panic of it fails the resource at hand and nothing else.
pub(super) fn contained<T>(call: impl FnOnce() -> Result<T, Error>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(error.to_string()),
        Err(panic) => Err(panicked(&*panic)),
    }
}

/// What a panic said.
pub(super) fn panicked(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    format!("a defect of the agent: the provider panicked ({text}); the rest of the run goes on")
}

/// Measures a call.
pub(super) fn timed<T>(call: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let value = call();
    (value, began.elapsed())
}
