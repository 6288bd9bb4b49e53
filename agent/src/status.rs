//! What the last run left to be told: for `holdfast-agent status`, and for the daemon's clock.

use std::time::Duration;

use holdfast_catalog::certname::Certname;
use holdfast_catalog::report::{Counts, Mode, Report, Source};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::identity::{Identity, now};
use crate::spool::Delivery;
use crate::state::{Error, StateDir};

const FILE: &str = "status.json";

/// The last run in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Who this machine is.
    pub certname: Certname,
    /// The run.
    pub run: uuid::Uuid,
    /// When it began.
    pub started: Timestamp,
    /// How long it took.
    pub duration_ms: u64,
    /// Whether it mended.
    pub mode: Mode,
    /// Where its catalog came from.
    pub source: Source,
    /// The live commit.
    pub commit: Option<String>,
    /// How many resources ended how.
    pub counts: Counts,
    /// What was to be said.
    pub error: Option<String>,
    /// Whether the server has the report.
    pub delivered: bool,
    /// When the next run is.
    pub next_run: Timestamp,
    /// The same as seconds from the end of this run, for clocks that jump.
    pub next_run_seconds: u64,
}

impl Status {
    /// The status after a run.
    pub fn of(report: &Report, identity: &Identity, delivery: &Delivery, next_run: Duration) -> Self {
        let wait = SignedDuration::try_from(next_run).unwrap_or_default();
        Self {
            certname: identity.certname.clone(),
            run: report.run,
            started: report.started,
            duration_ms: report.duration_ms,
            mode: report.mode,
            source: report.source,
            commit: report.commit.clone(),
            counts: report.counts,
            error: report.error.clone(),
            delivered: delivery.is_whole(),
            next_run: now().saturating_add(wait).unwrap_or(Timestamp::MAX),
            next_run_seconds: next_run.as_secs(),
        }
    }

    /// The status of the last run; none before the first.
    ///
    /// # Errors
    /// Where it cannot be read. One that is damaged counts as none: the next run replaces it.
    pub fn load(state: &StateDir) -> Result<Option<Self>, Error> {
        Ok(state.read(FILE, 64 * 1024)?.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Stores it.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn store(&self, state: &StateDir) -> Result<(), Error> {
        state.replace(FILE, &serde_json::to_vec_pretty(self).unwrap_or_default())
    }
}
