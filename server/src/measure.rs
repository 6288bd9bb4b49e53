//! What the server counts of its own work, for monitoring: requests, polls, compiles, reports.
//!
//! No label takes its value from facts, reports, or the path that a request names: their number is bounded by the program.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

pub mod process; // what the system says of this process

/// The upper ends of the histograms, in seconds: from an unchanged poll to a page that nobody waits for.
const ENDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];

/// Labels by their names.
pub type Labels<const N: usize> = [(&'static str, String); N];

/// For whom a request was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Nodes,
    /// People and their tools.
    People,
}

/// How a poll was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polled {
    Catalog,
    /// That the node has it.
    Unchanged,
    /// That the facts are wanted.
    FactsWanted,
    /// That the catalog does not compile.
    Broken,
    /// That there is none for another reason.
    Refused,
    /// Not, by a fault of the server.
    Failed,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reported {
    Stored,
    /// It was stored before.
    Known,
    /// It was not stored, since it is over a limit or contradicts itself.
    Refused,
    /// It was not stored, by a fault of the server.
    Failed,
}

/// The counts.
#[derive(Debug)]
pub struct Measures {
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

impl Default for Measures {
    fn default() -> Self {
        let measures = Self {
            registry: Registry::default(),
            requests: Family::default(),
            durations: Family::new_with_constructor(histogram),
            compiles: histogram(),
            polls: Family::default(),
            reports: Family::default(),
        };
        // A rate needs a beginning: what has not happened yet is 0, and not missing.
        for polled in Polled::ALL {
            drop(measures.polls.get_or_create(&[("answer", polled.word().to_owned())]));
        }
        for reported in Reported::ALL {
            drop(measures.reports.get_or_create(&[("outcome", reported.word().to_owned())]));
        }
        measures.registered()
    }
}

impl Measures {
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
        registry.register(
            "holdfast_reports",
            "Reports of nodes, by what became of them",
            self.reports.clone(),
        );
        self
    }

    /// A request was answered; its route is that of the program, and none where it has none.
    pub fn answered(&self, side: Side, route: Option<String>, status: u16, took: Duration) {
        let route = ("route", route.unwrap_or_else(|| "none".to_owned()));
        let port = ("port", side.word().to_owned());
        let labels = [port.clone(), route.clone(), ("status", status.to_string())];
        self.requests.get_or_create(&labels).inc();
        self.durations.get_or_create(&[port, route]).observe(took.as_secs_f64());
    }

    /// A poll was answered.
    pub fn polled(&self, polled: Polled) {
        self.polls.get_or_create(&[("answer", polled.word().to_owned())]).inc();
    }

    /// A catalog was compiled, or found not to compile.
    pub fn compiled(&self, took: Duration) {
        self.compiles.observe(took.as_secs_f64());
    }

    /// A report came.
    pub fn reported(&self, reported: Reported) {
        self.reports.get_or_create(&[("outcome", reported.word().to_owned())]).inc();
    }

    /// What was counted.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }
}

impl Side {
    /// What it is called in labels and in the log.
    pub fn word(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::People => "dashboard",
        }
    }
}

impl Polled {
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

impl Reported {
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
