//! A run, as a list of calls: lock, facts, poll, enforce, report.
//!
//! One run at a time, by a lock of the system. If the server is away, the last good catalog is enforced. What the
//! catalog asks for is handled by [`crate::enforce`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use holdfast_catalog::catalog::{Catalog, Policy};
use holdfast_catalog::certname::Certname;
use holdfast_catalog::count::counted;
use holdfast_catalog::report::{Mode, Report, Source};
use jiff::Timestamp;

use crate::at_hand;
use crate::cache::{self, Cache, Cached};
use crate::config::Installation;
use crate::content::ContentSource;
use crate::contents::{Contents, Fetching};
use crate::enforce;
use crate::facts;
use crate::fetch::Client;
use crate::identity::owner::EnrolledNode;
use crate::identity::{self, Identity};
use crate::spool::{self, Delivery, Spool};
use crate::state::{self, StateDir};
use crate::status::{LastRunStatus, StatusExtras};
use crate::system::Machine;

mod account;
mod deadline;
mod given;
mod handover;
mod held;
mod memory;
mod poll;
mod server_time;
mod takeover;
mod waits;

use account::RunRecord;
use deadline::RunBounds;
pub use given::GivenCatalog;
use handover::{deliver, lost_reports, put_aside};
use held::RunWatch;
use memory::MemoryDir;
pub use memory::{Unended, faults as memory_faults, unended};
use poll::{Poll, RunWork};
pub(crate) use takeover::fault as owner_fault;
pub use takeover::take_over;
pub(crate) use waits::fallback_wait;
use waits::{retry_wait, soon_after_boot};

/// Why there was no run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The state directory cannot be used, or another run is in progress.
    #[error(transparent)]
    State(#[from] state::Error),
    /// This machine has no identity.
    #[error(transparent)]
    Identity(#[from] identity::Error),
    /// The facts could not be collected.
    #[error(transparent)]
    Facts(#[from] facts::Error),
    /// The file cannot be applied.
    #[error(transparent)]
    Given(#[from] given::Error),
    /// The machine cannot be opened.
    #[error(transparent)]
    Machine(#[from] crate::system::Error),
    /// Nothing was looked at.
    #[error(transparent)]
    Enforce(#[from] enforce::Error),
    /// The system provides no threads or no timers.
    #[error("cannot start: {0}")]
    Start(#[from] std::io::Error),
}

/// A run that took place.
#[derive(Debug)]
pub struct Done {
    /// What it found and did.
    pub report: Report,
    /// The name of the machine.
    pub certname: Certname,
    /// Whether the server was reached and refused a new catalog.
    pub is_refused: bool,
    /// What became of the reports.
    pub delivery: Delivery,
    /// The numbers of reports that are set aside, from this run and earlier ones.
    pub aside: spool::AsideCounts,
}

/// Enforces or audits a catalog from a file.
///
/// # Errors
/// Fails if nothing was looked at.
pub fn apply(
    place: &Installation,
    state: &StateDir,
    given: &GivenCatalog,
    mode: Mode,
    stop: &Arc<AtomicBool>,
) -> Result<Report, Error> {
    let (lock, watch) = (state.lock()?, RunWatch::default());
    let mut account = RunRecord::begin(mode, Source::File);
    let span = account.span();
    let _within = span.enter();
    account.is_of(given.certname());
    put_in_order(state, &lock, &mut account);
    let enrolled = certname(state).ok();
    at_hand::begins();
    if let Some(certname) = enrolled.as_ref().filter(|certname| *certname != given.certname()) {
        account.note(format!("this machine is {certname}, but the catalog is for {}", given.certname()));
    }
    account.believes(server_time::judge(state, None, false));
    let bounds = RunBounds::now(place, stop, &watch);
    correct(place, state, &given.catalog, given, &mut account, bounds)?;
    let report = account.end(place);
    memory::keep(state, report.run, None);
    if let Some(certname) = enrolled {
        let next_run = fallback_wait(place, &certname);
        let aside = StatusExtras { delivered: false, next_run, interval: None, refused: None };
        keep_status(state, &report, &certname, &aside);
    }
    Ok(report)
}

/// Does one run with the server, or without it if it is away.
///
/// # Errors
/// Fails if nothing was looked at; then there is no report either.
pub fn once(place: &Installation, mode: Mode, stop: &Arc<AtomicBool>) -> Result<Done, Error> {
    held::watched(place, mode, stop)
}

fn run_on_thread(
    place: &Installation,
    mode: Mode,
    stop: &Arc<AtomicBool>,
    watch: &RunWatch,
) -> Result<Done, Error> {
    let state = StateDir::open(&place.state_dir)?;
    let lock = state.lock()?;
    let mut account = RunRecord::begin(mode, Source::Cache);
    let span = account.span();
    let _within = span.enter();
    put_in_order(&state, &lock, &mut account);
    watch.keeps(lock);
    match Identity::load(&state) {
        Ok(identity) => with_server(place, &state, identity, account, (stop, watch)),
        Err(error) => alone(place, &state, error, account, (stop, watch)),
    }
}

/// Repairs the state first, so everything that needs it finds it in order.
fn put_in_order(state: &StateDir, lock: &state::StateLock, account: &mut RunRecord) {
    let notes = lock.note.clone().into_iter().chain(state.put_in_order());
    let damaged = last_status(state).err().map(|error| error.to_string());
    for note in notes.chain(damaged) {
        tracing::warn!("{note}");
        account.note(note);
    }
}

/// A run of a machine whose identity is damaged: no server can be asked, and the last good catalog is enforced.
fn alone(
    place: &Installation,
    state: &StateDir,
    error: identity::Error,
    mut account: RunRecord,
    (stop, watch): (&Arc<AtomicBool>, &RunWatch),
) -> Result<Done, Error> {
    let Some(cached) = last_known(state, &error, Cache::load_any) else { return Err(error.into()) };
    let certname = cached.catalog.certname.clone();
    account.is_of(&certname);
    at_hand::begins();
    let why = format!("{error}; until then, no server is asked, and the last good catalog stays in force");
    account.note(why.clone());
    account.believes(server_time::judge(state, None, false));
    let spool = Spool::open(state);
    spool.iter().filter_map(Spool::losses).for_each(|lost| account.note(lost));
    let work = RunWork {
        catalog: Some(cached),
        source: Source::Cache,
        next_run: None,
        interval: None,
        refused: None,
        reported: None,
        no_catalog: None,
        notes: Vec::new(),
    };
    enforce_work(place, state, None, work, &mut account, RunBounds::now(place, stop, watch))?;
    let report = account.end(place);
    memory::keep(state, report.run, None);
    let kept = spool.and_then(|spool| spool.add(EnrolledNode::last(state).as_ref(), &report));
    let delivery =
        Delivery { lost: kept.err().map(|error| error.to_string()), waits: Some(why), ..Delivery::default() };
    let next_run = fallback_wait(place, &certname);
    let aside = StatusExtras { delivered: false, next_run, interval: None, refused: None };
    keep_status(state, &report, &certname, &aside);
    Ok(Done { report, certname, is_refused: false, delivery, aside: put_aside(state) })
}

/// The cached catalog of a machine that cannot use its identity; `None` if it never had one or must not use it.
fn last_known(
    state: &StateDir,
    error: &identity::Error,
    read: impl FnOnce(&Cache) -> Result<Option<Cached>, cache::Error>,
) -> Option<Cached> {
    let is_damaged = matches!(error, identity::Error::Damaged { .. } | identity::Error::Newer { .. });
    is_damaged.then(|| read(&Cache::open(state).ok()?).ok().flatten()).flatten()
}

/// The name of this machine, as far as it knows it.
///
/// # Errors
/// Fails if it is not enrolled, or if its identity is damaged and there is no cached catalog either.
pub(crate) fn certname(state: &StateDir) -> Result<Certname, identity::Error> {
    match Identity::load(state) {
        Ok(identity) => Ok(identity.certname),
        Err(error) => {
            let known = last_known(state, &error, Cache::look_any);
            known.map(|cached| cached.catalog.certname).ok_or(error)
        }
    }
}

fn keep_status(state: &StateDir, report: &Report, certname: &Certname, aside: &StatusExtras) {
    // One that cannot be read counts as `None`: this one replaces it.
    let before = LastRunStatus::load_of(state, certname).ok().flatten();
    if let Err(error) = LastRunStatus::of(report, certname, aside, before).store(state) {
        tracing::error!("cannot record the result of this run for `status`: {error}");
    }
}

fn with_server(
    place: &Installation,
    state: &StateDir,
    mut identity: Identity,
    mut account: RunRecord,
    (stop, watch): (&Arc<AtomicBool>, &RunWatch),
) -> Result<Done, Error> {
    account.is_of(&identity.certname);
    at_hand::begins();
    let network = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    identity.note.take().into_iter().for_each(|note| account.note(note));
    let taken = takeover::for_run(state, &identity)?;
    taken.forgotten.iter().chain(&taken.note).for_each(|said| tracing::warn!("{said}"));
    taken.note.into_iter().for_each(|note| account.note(note));
    lost_reports(state, &EnrolledNode::of(&identity)).into_iter().for_each(|lost| account.note(lost));
    let facts = account.timed("facts", || facts::stable(&place.root))?;
    facts.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let cache = Cache::open(state);
    let mut poll = Poll::of(place, state, &mut identity, &cache);
    at_hand::tell("asking the server");
    let work = account.timed("poll", || network.block_on(poll.work(&facts.facts)));
    account.believes(poll.clocks);
    let next_run = work.next_run.unwrap_or_else(|| match work.refused {
        Some(_) => fallback_wait(place, &identity.certname),
        None => retry_wait(place, &identity.certname),
    });
    let (interval, refused, reported) = (work.interval, work.refused.clone(), work.reported);
    account.no_catalog(work.no_catalog.clone());
    work.notes.iter().for_each(|note| account.note(note));
    let client = identity.client(place.config.server.as_deref()).ok();
    let client = if work.source == Source::Server { client.map(Client::taken) } else { client };
    let bounds = RunBounds::now(place, stop, watch);
    let fetching = client.as_ref().map(|client| Fetching { client, network: &network, end: bounds.end });
    enforce_work(place, state, fetching, work, &mut account, bounds)?;

    let doubted = reported.filter(|_| account.is_put_back());
    let report = account.end(place);
    memory::keep(state, report.run, doubted);
    at_hand::tell("delivering the report");
    let delivery = deliver(place, state, &identity, &network, &report);
    let is_refused = refused.is_some();
    let next_run = soon_after_boot(&report).map_or(next_run, |soon| soon.min(next_run));
    let aside = StatusExtras { delivered: delivery.is_whole(), next_run, interval, refused };
    keep_status(state, &report, &identity.certname, &aside);
    Ok(Done { report, certname: identity.certname, is_refused, delivery, aside: put_aside(state) })
}

/// Enforces the catalog, if there is one; an old catalog is only audited.
fn enforce_work(
    place: &Installation,
    state: &StateDir,
    fetching: Option<Fetching<'_>>,
    work: RunWork,
    account: &mut RunRecord,
    bounds: RunBounds<'_>,
) -> Result<(), Error> {
    let Some(found) = work.catalog else {
        account.note("there is no catalog to enforce yet");
        return Ok(());
    };
    account.source(work.source);
    account.put_back(memory::is_older(state, work.reported, account.run()));
    if let Some(days) = stale_days(place, found.confirmed) {
        account.audit_only(format!(
            "the catalog was last confirmed by a server {} ago, more than max_stale_days = {}: it is audited and not enforced",
            counted(days, "day", "days"),
            place.config.max_stale_days
        ));
    }
    let mut contents = Contents::open(state, fetching);
    if work.source == Source::Server {
        at_hand::tell("fetching contents");
        account.timed("content", || contents.fetch(&found.catalog));
        contents.prune(&found.catalog);
    }
    correct(place, state, &Arc::new(found.catalog), &contents, account, bounds)
}

fn correct(
    place: &Installation,
    state: &StateDir,
    catalog: &Arc<Catalog>,
    content: &dyn ContentSource,
    account: &mut RunRecord,
    RunBounds { stop, end, watch }: RunBounds<'_>,
) -> Result<(), Error> {
    account.works_on(catalog);
    let door = held::door(state);
    let machine = Machine::open(&place.root)?.stopped_by(stop.clone()).until(end);
    let machine = machine.with_clock(account.clock()).through(door.clone());
    let memory = MemoryDir::open(state)?;
    memory.notes.iter().for_each(|note| account.note(note));
    let mode = account.mode();
    watch.begins(account, catalog, end, door);
    let (findings, too_long) = deadline::within(end, stop, || {
        enforce::run(enforce::Run {
            catalog,
            mode,
            system: &machine,
            content,
            state_dir: memory.path(),
            is_put_back: account.is_put_back(),
            stop,
            told: &|event| watch.told(event),
        })
    });
    watch.ends();
    let findings = findings?;
    if is_only_watched(catalog) {
        account.looked();
    }
    findings.notes.iter().for_each(|note| account.note(note));
    account.found(catalog, findings);
    if too_long {
        account.note(format!(
            "the run was ended after run_timeout = {} s: what was running was ended, and the rest was skipped",
            place.config.run_timeout().as_secs()
        ));
    } else if stop.load(Ordering::Relaxed) {
        account.note("the run was interrupted by a signal: the rest was skipped");
    }
    Ok(())
}

/// Whether policy lets a run correct nothing in the catalog. Such a run only looks, or not even that, and the machine
/// does not run its commit.
fn is_only_watched(catalog: &Catalog) -> bool {
    let catalog = catalog.assembled();
    let mut policies = catalog.resources.iter().map(|resource| resource.policy).peekable();
    policies.peek().is_some() && policies.all(|policy| policy < Policy::Enforce)
}

/// The number of days since the server last confirmed the catalog, if that is too many.
fn stale_days(place: &Installation, confirmed: Timestamp) -> Option<i64> {
    let days = crate::clock::now().duration_since(confirmed).as_hours() / 24;
    (days >= i64::from(place.config.max_stale_days)).then_some(days)
}

/// How the last run of this machine went; `None` before the first.
///
/// # Errors
/// Fails if the status cannot be read, or belongs to another machine.
pub(crate) fn last_status(state: &StateDir) -> Result<Option<LastRunStatus>, state::Error> {
    match Identity::load(state) {
        Ok(identity) => LastRunStatus::load_of(state, &identity.certname),
        Err(_) => LastRunStatus::load(state),
    }
}

/// Milliseconds since `began`.
fn elapsed_ms(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
