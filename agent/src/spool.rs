//! Reports on their way: on disk until the server has them, delivered once and in their order.

use std::time::{Duration, Instant};

use holdfast_catalog::report::Report;
use holdfast_catalog::wire::{ReportAnswer, path};

use crate::fetch::Client;
use crate::state::{self, StateDir};

/// The most reports that wait: ten days of a server away, at half an hour. The oldest go first.
const MAX_WAITING: usize = 500;

/// The most refused reports that are kept for people to look at.
const MAX_REFUSED: usize = 20;

/// The most bytes of a report on disk.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The directory of reports.
#[derive(Debug)]
pub struct Spool {
    waiting: StateDir,
    refused: StateDir,
}

/// How a delivery went.
#[derive(Debug, Default)]
pub struct Delivery {
    /// Reports that the server has now.
    pub delivered: usize,
    /// Why the last one of those that were put aside was: refused by the server, or unreadable.
    pub refused: Option<String>,
    /// Why the rest waits.
    pub waits: Option<String>,
    /// Why the report of this run could not even be kept.
    pub lost: Option<String>,
}

impl Delivery {
    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            delivered: self.delivered + other.delivered,
            refused: other.refused.or(self.refused),
            waits: other.waits.or(self.waits),
            lost: other.lost.or(self.lost),
        }
    }

    /// Whether the server has all there was.
    pub fn is_whole(&self) -> bool {
        self.refused.is_none() && self.waits.is_none() && self.lost.is_none()
    }
}

impl Spool {
    /// Opens it.
    ///
    /// # Errors
    /// Where it cannot be made or is not private.
    pub fn open(state: &StateDir) -> Result<Self, state::Error> {
        let waiting = state.below("spool")?;
        let refused = waiting.below("failed")?;
        Ok(Self { waiting, refused })
    }

    /// Adds a report, after all that wait: names sort in the order of runs, whatever the clock said to each.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn add(&self, report: &Report) -> Result<(), state::Error> {
        let json = serde_json::to_vec(report).unwrap_or_default();
        let number = reports(&self.waiting)?.last().map_or(0, |last| number_of(last)) + 1;
        self.waiting.replace(&format!("n{number:010}-{}.json", report.run), &json)?;
        shorten(&self.waiting, MAX_WAITING)
    }

    /// How many wait.
    ///
    /// # Errors
    /// Where the directory cannot be read.
    pub fn waiting(&self) -> Result<usize, state::Error> {
        Ok(reports(&self.waiting)?.len())
    }

    /// Delivers what waits, oldest first, and stops at the first that the server cannot take now, or when so long has passed.
    ///
    /// # Errors
    /// Where the spool itself cannot be used.
    pub async fn deliver(&self, client: &Client, patience: Duration) -> Result<Delivery, state::Error> {
        let (began, mut delivery) = (Instant::now(), Delivery::default());
        for name in reports(&self.waiting)? {
            if began.elapsed() >= patience {
                let why = format!("the server is slow; after {} s the rest waits", patience.as_secs());
                delivery.waits = Some(format!("{why} for the next run"));
                break;
            }
            let report = match self.report(&name)? {
                Ok(report) => report,
                Err(why) => {
                    delivery.refused = Some(self.put_aside(&name, why));
                    continue;
                }
            };
            match client.post::<ReportAnswer>(path::REPORTS, &report).await {
                Ok(_) => {
                    delivery.delivered += 1;
                    if let Err(error) = self.waiting.remove(&name) {
                        // It is sent again by the next run, and counts once.
                        tracing::warn!("a report that was delivered stays on disk: {error}");
                    }
                }
                Err(error) if error.is_final() => {
                    delivery.refused = Some(self.put_aside(&name, error.to_string()));
                }
                Err(error) => {
                    delivery.waits = Some(error.to_string());
                    break;
                }
            }
        }
        Ok(delivery)
    }

    /// Delivers a report that could not be kept, straight from memory; `why` it could not be kept.
    pub async fn deliver_unkept(client: &Client, report: &Report, why: String) -> Delivery {
        match client.post::<ReportAnswer>(path::REPORTS, report).await {
            Ok(_) => Delivery { delivered: 1, ..Delivery::default() },
            Err(error) if error.is_final() => {
                Delivery { refused: Some(error.to_string()), ..Delivery::default() }
            }
            Err(error) => Delivery { lost: Some(format!("{why}; {error}")), ..Delivery::default() },
        }
    }

    /// A report that waits, or what is wrong with its file; an error is one of the system at large, which passes.
    fn report(&self, name: &str) -> Result<Result<Report, String>, state::Error> {
        match self.waiting.read(name, MAX_BYTES) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes.unwrap_or_default())
                .map_err(|error| format!("{name} is damaged: {error}"))),
            Err(error) if error.is_shortage() => Err(error),
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    /// Moves a report out of the way and answers with why. One that cannot be moved is passed by: it holds nobody up.
    fn put_aside(&self, name: &str, why: String) -> String {
        let aside =
            self.waiting.hand_over(name, &self.refused).and_then(|()| shorten(&self.refused, MAX_REFUSED));
        match aside {
            Ok(()) => why,
            Err(error) => format!("{why}; {error}"),
        }
    }
}

fn reports(dir: &StateDir) -> Result<Vec<String>, state::Error> {
    Ok(dir.names()?.into_iter().filter(|name| name.ends_with(".json")).collect())
}

/// The place of a report among those that wait.
fn number_of(name: &str) -> u64 {
    let number = name.strip_prefix('n').and_then(|rest| rest.split_once('-'));
    number.and_then(|(number, _)| number.parse().ok()).unwrap_or_default()
}

fn shorten(dir: &StateDir, most: usize) -> Result<(), state::Error> {
    let names = reports(dir)?;
    let over = names.len().saturating_sub(most);
    names[..over].iter().try_for_each(|name| dir.remove(name))
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::report::{Counts, Mode, Source};

    use super::*;

    fn spool() -> (tempfile::TempDir, Spool) {
        let parent = tempfile::tempdir().unwrap();
        let state = StateDir::open(&parent.path().join("agent")).unwrap();
        (parent, Spool::open(&state).unwrap())
    }

    fn report(run: uuid::Uuid) -> Report {
        Report {
            run,
            catalog: None,
            commit: None,
            environment: None,
            mode: Mode::Enforce,
            source: Source::Cache,
            started: jiff::Timestamp::UNIX_EPOCH,
            duration_ms: 1,
            phases: [].into(),
            types: [].into(),
            counts: Counts::default(),
            events: Vec::new(),
            error: None,
            agent: "0".into(),
            volatile: [].into(),
        }
    }

    #[test]
    fn reports_wait_in_the_order_of_runs_and_are_bounded() {
        let (_parent, spool) = spool();
        let ids: Vec<_> = (0..MAX_WAITING + 3).map(|_| uuid::Uuid::now_v7()).collect();
        for id in &ids {
            spool.waiting.replace(&format!("{id}.json"), b"{}").unwrap();
        }
        shorten(&spool.waiting, MAX_WAITING).unwrap();
        let expected: Vec<_> = ids[3..].iter().map(|id| format!("{id}.json")).collect();
        assert_eq!(reports(&spool.waiting).unwrap(), expected);
        assert_eq!(spool.waiting().unwrap(), MAX_WAITING);
    }

    #[test]
    fn a_run_whose_clock_was_ahead_is_told_before_the_next_one() {
        let (_parent, spool) = spool();
        spool.waiting.replace(&format!("{}.json", uuid::Uuid::now_v7()), b"{}").unwrap();
        let runs = [9, 3, 7].map(uuid::Uuid::from_u128);
        for run in runs {
            spool.add(&report(run)).unwrap();
        }
        let names = reports(&spool.waiting).unwrap();
        let told: Vec<_> = names[1..].iter().map(|name| name.split_once('-').unwrap().1.to_owned()).collect();
        assert_eq!(told, runs.map(|run| format!("{run}.json")));
    }
}
