//! Counts the server's own work for monitoring: requests, polls, compiles and reports.
//!
//! No label takes its value from facts, reports or the path of a request, so the program bounds the number of labels.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

pub mod process; // the process, as the system sees it

/// The upper bounds of the histogram buckets, in seconds: from an unchanged poll to a page that is too slow to wait for.
const ENDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];

/// The label names with their values.
pub type Labels<const N: usize> = [(&'static str, String); N];

/// The port that a request came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Nodes,
    /// People and their tools.
    People,
}

/// How a poll was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollResult {
    Catalog,
    /// The node has this catalog already.
    Unchanged,
    /// The node is asked for its facts.
    FactsWanted,
    /// The catalog does not compile.
    Broken,
    /// There is no catalog for another reason.
    Refused,
    /// There was no answer, because of an error of the server.
    Failed,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportResult {
    Stored,
    /// It had been stored before.
    Known,
    /// It was not stored, because it exceeds a limit or contradicts itself.
    Refused,
    /// It was not stored, because of an error of the server.
    Failed,
}

/// The counters.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Labels<3>, Counter>,
    durations: Family<Labels<2>, Histogram, fn() -> Histogram>,
    compiles: Histogram,
    polls: Family<Labels<1>, Counter>,
    reports: Family<Labels<1>, Counter>,
}

fn histogram() -> Histogram {
    Histogram::new(ENDS)
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Registry::default(),
            requests: Family::default(),
            durations: Family::new_with_constructor(histogram),
            compiles: histogram(),
            polls: Family::default(),
            reports: Family::default(),
        };
        // A rate needs a starting point: a counter begins at 0 instead of being absent.
        for polled in PollResult::ALL {
            drop(metrics.polls.get_or_create(&[("answer", polled.word().to_owned())]));
        }
        for reported in ReportResult::ALL {
            drop(metrics.reports.get_or_create(&[("outcome", reported.word().to_owned())]));
        }
        metrics.registered()
    }
}

impl Metrics {
    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        registry.register(
            "holdfast_http_requests",
            "Requests that were answered, by port, route and status",
            self.requests.clone(),
        );
        registry.register_with_unit(
            "holdfast_http_request_duration",
            "Time from a request to the head of its answer",
            Unit::Seconds,
            self.durations.clone(),
        );
        registry.register("holdfast_polls", "Polls of nodes, by how they were answered", self.polls.clone());
        registry.register_with_unit(
            "holdfast_compile_duration",
            "Time that the compile of a node's catalog took",
            Unit::Seconds,
            self.compiles.clone(),
        );
        registry.register("holdfast_reports", "Reports of nodes, by result", self.reports.clone());
        self
    }

    /// Counts an answered request. `route` is the program's name for it; `None` if no route matched.
    pub fn answered(&self, side: Side, route: Option<String>, status: u16, took: Duration) {
        let route = ("route", route.unwrap_or_else(|| "none".to_owned()));
        let port = ("port", side.word().to_owned());
        let labels = [port.clone(), route.clone(), ("status", status.to_string())];
        self.requests.get_or_create(&labels).inc();
        self.durations.get_or_create(&[port, route]).observe(took.as_secs_f64());
    }

    /// Counts an answered poll.
    pub fn polled(&self, polled: PollResult) {
        self.polls.get_or_create(&[("answer", polled.word().to_owned())]).inc();
    }

    /// Counts a compile, whether or not it succeeded.
    pub fn compiled(&self, took: Duration) {
        self.compiles.observe(took.as_secs_f64());
    }

    /// Counts a report.
    pub fn reported(&self, reported: ReportResult) {
        self.reports.get_or_create(&[("outcome", reported.word().to_owned())]).inc();
    }

    /// The registry that contains all counters.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }
}

impl Side {
    /// Its name in labels and in the log.
    pub fn word(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::People => "dashboard",
        }
    }
}

impl PollResult {
    const ALL: [Self; 6] =
        [Self::Catalog, Self::Unchanged, Self::FactsWanted, Self::Broken, Self::Refused, Self::Failed];

    fn word(self) -> &'static str {
        match self {
            Self::Catalog => "catalog",
            Self::Unchanged => "unchanged",
            Self::FactsWanted => "facts-wanted",
            Self::Broken => "broken",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl ReportResult {
    const ALL: [Self; 4] = [Self::Stored, Self::Known, Self::Refused, Self::Failed];

    fn word(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Known => "known",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}
