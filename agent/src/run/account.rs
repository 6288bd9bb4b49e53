//! The record that a run keeps of itself, and the report that is made from it.

use std::collections::BTreeMap;
use std::time::Instant;

use holdfast_catalog::catalog::{Catalog, CatalogId};
use holdfast_catalog::certname::Certname;
use holdfast_catalog::commit::CommitId;
use holdfast_catalog::report::{Mode, NOTES, NoCatalog, Report, Source};
use holdfast_catalog::run::RunId;
use jiff::Timestamp;
use tracing::Span;
use tracing::field::{Empty, display};

use super::elapsed_ms;
use super::server_time::ClockCheck;
use crate::VERSION;
use crate::config::Installation;
use crate::enforce::Findings;
use crate::facts;
use crate::system::ClockTrust;
use crate::talk;

/// A run's record of itself.
#[derive(Clone)]
pub(super) struct RunRecord {
    run: RunId,
    span: Span,
    started: Timestamp,
    began: Instant,
    mode: Mode,
    source: Source,
    phases: BTreeMap<String, u64>,
    catalog: Option<(CatalogId, CommitId, String)>,
    findings: Findings,
    no_catalog: Option<NoCatalog>,
    notes: Vec<String>,
    is_put_back: bool,
    clock: ClockTrust,
}

impl RunRecord {
    pub(super) fn begin(mode: Mode, source: Source) -> Self {
        let run = RunId::from(uuid::Uuid::now_v7());
        Self {
            run,
            // At any log level, each line of a run says which run it belongs to.
            span: tracing::error_span!("run", %run, node = Empty, commit = Empty),
            started: crate::clock::now(),
            began: Instant::now(),
            mode,
            source,
            phases: BTreeMap::new(),
            catalog: None,
            findings: Findings::default(),
            no_catalog: None,
            notes: Vec::new(),
            is_put_back: false,
            clock: ClockTrust::default(),
        }
    }

    /// Does `work` and records how long it took.
    pub(super) fn timed<T>(&mut self, phase: &str, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let done = work();
        self.phases.insert(phase.to_owned(), elapsed_ms(began));
        done
    }

    pub(super) fn run(&self) -> RunId {
        self.run
    }

    /// The span of everything that is logged about the run.
    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// Adds the node to everything that is logged about the run from now on.
    pub(super) fn is_of(&self, node: &Certname) {
        self.span.record("node", display(node));
    }

    /// Adds the commit to everything that is logged about the run from now on.
    pub(super) fn works_on(&self, catalog: &Catalog) {
        self.span.record("commit", display(&catalog.commit));
    }

    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    /// Records whether the agent's state is older than that of the last report.
    pub(super) fn put_back(&mut self, is_put_back: bool) {
        self.is_put_back = is_put_back;
    }

    pub(super) fn is_put_back(&self) -> bool {
        self.is_put_back
    }

    /// Records what is known of this machine's clock.
    pub(super) fn believes(&mut self, clocks: ClockCheck) {
        self.clock = clocks.trust;
        self.notes.extend(clocks.note);
    }

    pub(super) fn clock(&self) -> ClockTrust {
        self.clock
    }

    pub(super) fn source(&mut self, source: Source) {
        self.source = source;
    }

    /// Says that the server had no new catalog.
    pub(super) fn no_catalog(&mut self, no_catalog: Option<NoCatalog>) {
        self.no_catalog = no_catalog;
    }

    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Lowers the run to an audit, and notes why.
    pub(super) fn audit_only(&mut self, why: String) {
        self.mode = Mode::Audit;
        self.note(why);
    }

    /// Records that the run has only looked.
    pub(super) fn looked(&mut self) {
        self.mode = Mode::Audit;
    }

    pub(super) fn found(&mut self, catalog: &Catalog, findings: Findings) {
        self.catalog = Some((catalog.id.clone(), catalog.commit.clone(), catalog.environment.clone()));
        self.findings = findings;
    }

    pub(super) fn end(mut self, place: &Installation) -> Report {
        self.notes.extend(talk::trouble());
        let (catalog, commit, environment) = match self.catalog {
            Some((catalog, commit, environment)) => (Some(catalog), Some(commit), Some(environment)),
            None => (None, None, None),
        };
        let mut phases = self.phases;
        phases.extend(self.findings.phases);
        Report {
            run: self.run,
            catalog,
            commit,
            environment,
            mode: self.mode,
            source: self.source,
            started: self.started,
            duration_ms: elapsed_ms(self.began),
            phases,
            types: self.findings.types,
            counts: self.findings.counts,
            events: self.findings.events,
            no_catalog: self.no_catalog,
            error: (!self.notes.is_empty()).then(|| self.notes.join(NOTES)),
            agent: VERSION.to_owned(),
            volatile: facts::volatile(&place.root),
        }
    }
}
