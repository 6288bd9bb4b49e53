//! What the last run left to report: for `holdfast-agent status`, and for the daemon's clock. The same function as on
//! the server judges the state of the machine.

use std::time::Duration;

use holdfast_catalog::certname::Certname;
use holdfast_catalog::commit::CommitId;
use holdfast_catalog::report::{Counts, Mode, Report, Source, took_place};
use holdfast_catalog::run::RunId;
use holdfast_catalog::state::{self, Judgement, KeptBack, LastRun, Membership, NodeRecord};
use holdfast_catalog::wire::Refusal;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::clock::now;
use crate::state::{Error, StateDir};

pub(crate) const FILE: &str = "status.json";

/// The most bytes of the status file: notes and refusals can be long.
const MAX_BYTES: u64 = 1024 * 1024;

/// The code by which a server says that the catalog does not compile.
const CATALOG_BROKEN: &str = "catalog-broken";

/// The code by which a server says that the node's certificates are revoked.
const REVOKED: &str = "revoked";

/// A summary of the last run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastRunStatus {
    /// The name of this machine.
    pub certname: Certname,
    pub run: RunId,
    pub started: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    pub mode: Mode,
    /// Where its catalog came from.
    pub source: Source,
    /// The commit that it worked on.
    pub commit: Option<CommitId>,
    /// The commit of the last run that corrects: what this machine runs on.
    #[serde(default)]
    pub runs_on: Option<CommitId>,
    /// How many resources ended in which way.
    pub counts: Counts,
    /// What the report says as its error.
    pub error: Option<String>,
    /// The server's refusal of a new catalog, by its code.
    #[serde(default)]
    pub refused: Option<Refusal>,
    /// Seconds between two polls, as a server last sent.
    #[serde(default)]
    pub interval_seconds: Option<u64>,
    /// The number of polls without an answer since the last one that had one.
    #[serde(default)]
    pub missed: u32,
    /// When the server last answered.
    #[serde(default)]
    pub heard: Option<Timestamp>,
    /// When something last drifted.
    #[serde(default)]
    pub drifted: Option<Timestamp>,
    /// When something was last changed that was not drift.
    #[serde(default)]
    pub changed: Option<Timestamp>,
    /// Whether the server has the report.
    pub delivered: bool,
    /// When the next run is.
    pub next_run: Timestamp,
    /// The same as seconds from the end of this run, for clocks that jump.
    pub next_run_seconds: u64,
}

/// What the status needs besides the report.
#[derive(Debug)]
pub struct StatusExtras {
    /// Whether the server has the report.
    pub delivered: bool,
    /// The time to the next run.
    pub next_run: Duration,
    /// The time between two polls, if the server said it.
    pub interval: Option<Duration>,
    /// The server's refusal of a new catalog.
    pub refused: Option<Refusal>,
}

impl LastRunStatus {
    /// Whether the run took place.
    pub fn took_place(&self) -> bool {
        took_place(self.commit.as_ref())
    }

    /// The status after a run, and after the one `before`. Applying a catalog from a file says nothing about the
    /// server, and does not change when the next regular run is.
    pub fn of(report: &Report, certname: &Certname, aside: &StatusExtras, before: Option<Self>) -> Self {
        let wait = SignedDuration::try_from(aside.next_run).unwrap_or_default();
        let now = now();
        let answered = report.source == Source::Server || aside.refused.is_some();
        let counts = &report.counts;
        // As the server counts it, and not from when it received the report, if it did.
        let ended = ended(report.started, report.duration_ms).min(now);
        let drift = (counts.corrective > 0).then_some(ended);
        let change = (counts.changed > counts.corrective).then_some(ended);
        // A run whose clock was behind makes nothing older, and one whose clock was ahead makes nothing younger than
        // now.
        let newest = |this: Option<Timestamp>, earlier: fn(&Self) -> Option<Timestamp>| {
            this.max(before.as_ref().and_then(earlier).map(|at| at.min(now)))
        };
        let (drifted, changed) = (newest(drift, |last| last.drifted), newest(change, |last| last.changed));
        let by_hand = before.as_ref().filter(|_| report.source == Source::File);
        let enforced = report.commit.clone().filter(|_| report.mode == Mode::Enforce);
        Self {
            certname: certname.clone(),
            run: report.run,
            started: report.started,
            duration_ms: report.duration_ms,
            mode: report.mode,
            source: report.source,
            commit: report.commit.clone(),
            runs_on: enforced.or_else(|| before.as_ref()?.runs_on.clone()),
            counts: report.counts,
            error: report.notes(),
            refused: by_hand.map_or_else(|| aside.refused.clone(), |before| before.refused.clone()),
            interval_seconds: aside
                .interval
                .map(|interval| interval.as_secs())
                .or_else(|| before.as_ref()?.interval_seconds),
            missed: match answered {
                true => 0,
                false if report.source == Source::File => before.as_ref().map_or(0, |before| before.missed),
                false => before.as_ref().map_or(0, |before| before.missed).saturating_add(1),
            },
            heard: answered.then_some(now).or_else(|| before.as_ref()?.heard),
            drifted,
            changed,
            delivered: aside.delivered,
            next_run: by_hand
                .map_or_else(|| now.saturating_add(wait).unwrap_or(Timestamp::MAX), |before| before.next_run),
            next_run_seconds: aside.next_run.as_secs(),
        }
    }

    /// The time between two polls, as a server last sent.
    pub fn interval(&self) -> Option<Duration> {
        self.interval_seconds.map(Duration::from_secs)
    }

    /// The state of this machine at `now`. If no server has said so yet, runs are `interval` apart.
    pub fn judge(last: Option<&Self>, now: Timestamp, interval: Duration) -> Judgement {
        let ended = |last: &Self| ended(last.started, last.duration_ms);
        let known = NodeRecord {
            standing: match last.and_then(|last| last.refused.as_ref()) {
                Some(refused) if refused.code == REVOKED => Membership::Revoked,
                _ => Membership::Added,
            },
            heard: last.and_then(|last| last.heard).or_else(|| last.map(ended)).or(Some(now)),
            kept_back: last.and_then(|last| last.refused.as_ref()).map(|refused| KeptBack {
                broken: refused.code == CATALOG_BROKEN,
                why: format!("no new catalog: {}", refused.message),
            }),
            corrected: None,
            last: last.map(|last| LastRun {
                at: ended(last),
                source: last.source,
                took_place: last.took_place(),
                counts: last.counts,
                error: last.error.clone(),
            }),
            drifted: last.and_then(|last| last.drifted),
            changed: last.and_then(|last| last.changed),
        };
        state::judge(&known, now, last.and_then(Self::interval).unwrap_or(interval))
    }

    /// The status of the last run; `None` before the first.
    ///
    /// # Errors
    /// Fails if it cannot be read or is damaged: the next run replaces it.
    pub fn load(state: &StateDir) -> Result<Option<Self>, Error> {
        let Some(bytes) = state.read(FILE, MAX_BYTES)? else { return Ok(None) };
        let damaged = |error: serde_json::Error| Error::damaged(state.path().join(FILE), &error);
        serde_json::from_slice(&bytes).map(Some).map_err(damaged)
    }

    /// The same, if it belongs to the node that this machine is.
    ///
    /// # Errors
    /// Like [`LastRunStatus::load`], and fails if it belongs to another node: the next run replaces it.
    pub fn load_of(state: &StateDir, certname: &Certname) -> Result<Option<Self>, Error> {
        match Self::load(state)? {
            Some(last) if last.certname != *certname => {
                Err(Error::Foreign { path: state.path().join(FILE), certname: last.certname })
            }
            last => Ok(last),
        }
    }

    /// Stores the status.
    ///
    /// # Errors
    /// Fails if it cannot be written.
    pub fn store(&self, state: &StateDir) -> Result<(), Error> {
        state.replace(FILE, &serde_json::to_vec_pretty(self).unwrap_or_default())
    }
}

/// When a run ended.
fn ended(started: Timestamp, duration_ms: u64) -> Timestamp {
    let took = SignedDuration::from_millis(i64::try_from(duration_ms).unwrap_or(i64::MAX));
    started.saturating_add(took).unwrap_or(started)
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::state::State;

    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);
    const INTERVAL: Duration = Duration::from_secs(1_800);

    fn ago(minutes: i64) -> Timestamp {
        NOW - SignedDuration::from_mins(minutes)
    }

    fn last() -> LastRunStatus {
        LastRunStatus {
            certname: Certname::parse("web1.acme.example").unwrap(),
            run: uuid::Uuid::nil().into(),
            started: ago(10),
            duration_ms: 1_000,
            mode: Mode::Enforce,
            source: Source::Server,
            commit: Some("c2".into()),
            runs_on: Some("c2".into()),
            counts: Counts { total: 5, unchanged: 5, ..Counts::default() },
            error: None,
            refused: None,
            interval_seconds: None,
            missed: 0,
            heard: Some(ago(10)),
            drifted: None,
            changed: None,
            delivered: true,
            next_run: NOW,
            next_run_seconds: 600,
        }
    }

    #[test]
    fn a_run_without_a_catalog_did_not_take_place() {
        assert!(last().took_place());
        let none = LastRunStatus { commit: None, counts: Counts::default(), source: Source::Cache, ..last() };
        assert!(!none.took_place());
    }

    #[test]
    fn what_a_run_did_is_as_old_as_the_run_whenever_the_server_had_the_report() {
        let started = now() - SignedDuration::from_mins(3);
        let report = Report {
            run: uuid::Uuid::nil().into(),
            catalog: None,
            commit: None,
            environment: None,
            mode: Mode::Enforce,
            source: Source::Server,
            started,
            duration_ms: 60_000,
            phases: Default::default(),
            types: Default::default(),
            counts: Counts { total: 2, changed: 2, corrective: 1, ..Counts::default() },
            events: Vec::new(),
            no_catalog: None,
            error: None,
            agent: "test".into(),
            volatile: Default::default(),
        };
        let aside =
            StatusExtras { delivered: false, next_run: Duration::ZERO, interval: None, refused: None };
        let status = LastRunStatus::of(&report, &last().certname, &aside, None);
        let ended = Some(started + SignedDuration::from_mins(1));
        assert_eq!((status.drifted, status.changed), (ended, ended));
    }

    #[test]
    fn a_machine_is_called_what_the_server_calls_it() {
        let refusal = |code: &str| {
            Some(Refusal {
                code: code.into(),
                message: "this node's catalog does not compile".into(),
                commit: None,
            })
        };
        let cached = LastRunStatus { source: Source::Cache, error: Some("away".into()), ..last() };
        let not_applicable = Counts { total: 5, not_applicable: 5, ..Counts::default() };
        for (status, expected) in [
            (Some(last()), State::InOrder),
            (None, State::NoRun),
            (Some(LastRunStatus { refused: refusal("catalog-broken"), ..cached.clone() }), State::Broken),
            (Some(LastRunStatus { refused: refusal("place-disagrees"), ..cached.clone() }), State::KeptBack),
            (Some(cached.clone()), State::KeptBack),
            (Some(LastRunStatus { refused: refusal("revoked"), ..cached.clone() }), State::Revoked),
            (
                Some(LastRunStatus {
                    interval_seconds: Some(7_200),
                    heard: Some(ago(90)),
                    started: ago(90),
                    ..last()
                }),
                State::InOrder,
            ),
            (Some(LastRunStatus { interval_seconds: Some(60), ..last() }), State::Late),
            (Some(LastRunStatus { error: Some("no new certificate".into()), ..last() }), State::Trouble),
            (Some(LastRunStatus { heard: Some(ago(90)), ..cached }), State::Late),
            (Some(LastRunStatus { started: ago(90), heard: Some(ago(90)), ..last() }), State::Late),
            (Some(LastRunStatus { counts: not_applicable, ..last() }), State::NotApplicable),
            (Some(LastRunStatus { drifted: Some(ago(200)), ..last() }), State::Drifted),
        ] {
            assert_eq!(LastRunStatus::judge(status.as_ref(), NOW, INTERVAL).state, expected, "{status:?}");
        }
    }
}
