//! The harness: everything that is the same for every resource type.
//!
//! It first looks at all resources, read-only. Then it corrects what differs, in the order of the edges, judging each
//! resource by its state at that time. If anything was changed, it looks at everything again. Policy, events,
//! redaction, timing, refresh and failure are handled here and in no provider.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use holdfast_catalog::catalog::{Catalog, InvalidCatalog, Policy, Resource};
use holdfast_catalog::report::{Counts, Event, Mode, Status};
use holdfast_catalog::resource::TypedResource;
use jiff::tz::TimeZone;
use tracing::Span;

use crate::clock;
use crate::content::ContentSource;
use crate::provider::{AnyProvider, CatalogClaims, Reading, Writing, forget_secrets, let_go, provider_of};
use crate::system::System;

use check::Verdict;
use claims::Claims;
use correct::FirstLook;
use memory::{End, Past, RunMemory};
use record::Record;

mod check;
mod claims;
mod correct;
mod ending;
mod memory;
mod record;
mod redact;
mod turns;
mod unanswered;
mod view;

pub(crate) use memory::{
    FILES as MEMORY_FILES, MAX_MARK, PUT_BACK, UNENDED, disown, faults as memory_faults, split_mark,
};
pub(crate) use record::EVENTS;
pub(crate) use unanswered::findings as unanswered;

/// What a run works with.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// What the node should be.
    pub catalog: &'a Catalog,
    /// The most that is done: `audit` lowers every resource's policy to it.
    pub mode: Mode,
    pub system: &'a dyn System,
    /// File contents by hash.
    pub content: &'a dyn ContentSource,
    /// Where the memory of the last run, owed refreshes and backups are kept: an existing directory with mode 0700.
    pub state_dir: &'a Path,
    /// Whether that directory is older than the machine: the server has reports of later runs.
    pub is_put_back: bool,
    /// When set, resources whose turn has not come are skipped.
    pub stop: &'a AtomicBool,
    /// Is called with each event at once, since the run may not come to its end.
    pub told: &'a (dyn Fn(&Event) + Sync),
}

/// What a run found and did: the harness's part of a report.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// How many resources ended in which way.
    pub counts: Counts,
    /// What changed, would change, failed or was skipped.
    pub events: Vec<Event>,
    /// Milliseconds by phase: `check`, `apply`.
    pub phases: BTreeMap<String, u64>,
    /// Milliseconds by resource type.
    pub types: BTreeMap<String, u64>,
    /// Notes about the run as a whole.
    pub notes: Vec<String>,
}

/// Why there was no run at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The catalog cannot be used.
    #[error(transparent)]
    Catalog(#[from] InvalidCatalog),
    /// The state directory cannot be used.
    #[error("the agent's state cannot be used: {0}")]
    State(#[from] crate::system::Error),
    /// Others could have changed the state.
    #[error(
        "{} (mode {mode:04o}, uid {uid}) can be read or written by others; its state is not trusted: check what is in \
         it, then give it to the agent's user with mode 0700", .path.display()
    )]
    OpenState { path: PathBuf, mode: u32, uid: u32 },
    /// The kernel provides no random numbers.
    #[error("cannot read random numbers from the kernel")]
    NoRandomness,
}

/// Checks and corrects the machine once.
///
/// # Errors
/// Fails if nothing was looked at: the catalog or the state directory cannot be used. What happens to single resources
/// is in the findings.
pub fn run(run: Run<'_>) -> Result<Findings, Error> {
    let catalog = run.catalog.assembled();
    let run = Run { catalog: &catalog, ..run };
    let typed = run.catalog.validate()?;
    let subjects: Vec<_> = run
        .catalog
        .resources
        .iter()
        .zip(&typed)
        .map(|(resource, typed)| Subject::new(run, resource, typed))
        .collect();
    let memory = RunMemory::open(run.state_dir, &run.catalog.id, run.is_put_back)?;
    let past = Past::new(&memory, &subjects);
    let began = Instant::now();
    let named = CatalogClaims::new(&typed);
    let reading =
        Reading { machine: run.system, content: run.content, named: &named, state_dir: run.state_dir };
    let mut record = Record::new(&subjects, &past, run.told);
    let mut claims = Claims::new(&subjects);
    let first = look_at_all(&subjects, reading, &mut claims, &mut record);
    let check = began.elapsed();
    let first = FirstLook { verdicts: first, claims };
    let (view, claims) = correct::all(run, reading, &subjects, first, &memory, &mut record);
    record.tell_the_rest();
    let all = subjects.iter().enumerate();
    let mut notes = Vec::new();
    match run.mode {
        Mode::Enforce => {
            notes.extend(
                forget_secrets(&typed, run.state_dir)
                    .err()
                    .map(|error| format!("an unencrypted backup of a secret cannot be removed: {error}")),
            );
            let today = clock::now().to_zoned(TimeZone::UTC).date();
            if let Err(error) = let_go(&typed, run.state_dir, today) {
                tracing::warn!(%error, "the state that is kept for resources that are gone was not cleaned up");
            }
            let ends: Vec<End> =
                all.map(|(index, subject)| ending::of(index, subject, &view, &record)).collect();
            memory.remember(&subjects, &ends, |index| claims.stand(index), run.system);
        }
        Mode::Audit => {
            let ends: Vec<End> = all.map(|(index, subject)| ending::seen(index, subject, &view)).collect();
            memory.look_instead(&subjects, &ends, run.system);
        }
    }
    let phases = [("check", check), ("apply", began.elapsed().saturating_sub(check))];
    Ok(Findings {
        counts: record.counts(),
        events: record.events,
        phases: phases.into_iter().map(|(name, time)| (name.to_owned(), milliseconds(time))).collect(),
        types: record.times.0.into_iter().map(|(name, time)| (name.to_owned(), milliseconds(time))).collect(),
        notes: notes.into_iter().chain(memory.notes()).collect(),
    })
}

/// The first look. It also reports what failed half way in the last run and does not show.
fn look_at_all<'a>(
    subjects: &[Subject<'a>],
    reading: Reading<'_>,
    claims: &mut Claims,
    record: &mut Record<'a>,
) -> Vec<Verdict> {
    let mut verdicts = vec![Verdict::Off; subjects.len()];
    let which: Vec<_> = (0..subjects.len()).filter(|index| subjects[*index].policy != Policy::Off).collect();
    for (index, verdict) in claims.look(subjects, &which, reading, &mut record.times) {
        verdicts[index] = verdict;
    }
    for (index, words) in claims.same() {
        record.whole(index, Status::Info, words, Duration::ZERO);
    }
    let failed = record.half_done().into_iter().map(|(index, why)| {
        let text = format!(
            "an earlier run failed at this, and no comparison can show it now: check that everything is there ({why})"
        );
        (index, text)
    });
    let interrupted = record.interrupted().into_iter().map(|index| {
        let text = "an earlier run was interrupted during this, and no comparison can show how far it got: check that \
                    everything is there";
        (index, text.to_owned())
    });
    let told: Vec<_> = failed.chain(interrupted).collect();
    for (index, text) in told {
        if matches!(verdicts[index], Verdict::InSync(_)) {
            record.whole(index, Status::Info, text, Duration::ZERO);
        }
    }
    verdicts
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl<'a> Run<'a> {
    fn writing<'w>(&self, named: &'w CatalogClaims<'w>, once_secret: &'w BTreeSet<String>) -> Writing<'w>
    where
        'a: 'w,
    {
        let Self { system: machine, content, state_dir, .. } = *self;
        Writing { machine, content, named, state_dir, once_secret }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// A resource, with everything that the harness knows about it before it looks at the machine.
struct Subject<'a> {
    resource: &'a Resource,
    typed: &'a TypedResource,
    provider: &'static dyn AnyProvider,
    policy: Policy,
}

impl<'a> Subject<'a> {
    fn new(run: Run<'_>, resource: &'a Resource, typed: &'a TypedResource) -> Self {
        let policy = match run.mode {
            Mode::Enforce => resource.policy,
            Mode::Audit => resource.policy.min(Policy::Audit),
        };
        Self { resource, typed, provider: provider_of(typed), policy }
    }

    /// The span of everything that is logged while this resource is worked on.
    fn span(&self) -> Span {
        tracing::error_span!("resource", resource = %self.resource.reference)
    }

    fn type_name(&self) -> &'a str {
        &self.resource.reference.type_name
    }

    /// The paths that the resource names.
    fn paths(&self) -> Vec<&'a str> {
        self.provider.names_of(self.typed)
    }
}

/// Time spent, by type.
#[derive(Default)]
struct TypeTimes<'a>(BTreeMap<&'a str, Duration>);

impl<'a> TypeTimes<'a> {
    fn add(&mut self, type_name: &'a str, time: Duration) {
        *self.0.entry(type_name).or_default() += time;
    }
}

#[cfg(test)]
pub(crate) mod bench;
#[cfg(test)]
mod tests;
