//! Reports on their way: on disk until the server has them, delivered once and in order.
//!
//! Each says which node it belongs to: what a machine did as another node is delivered to nobody. What is set aside is
//! reported here until someone clears it, and what the server will never get is mentioned in the next report.

use std::time::{Duration, Instant};

use holdfast_catalog::report::Report;
use holdfast_catalog::wire::{ReportAnswer, path};
use serde::{Deserialize, Serialize};

use crate::fetch::Client;
use crate::identity::owner::EnrolledNode;
use crate::state::{self, StateDir};

mod aside; // reports that will not be delivered
mod loss; // what to tell the server about those

use aside::WHY;
pub use aside::{AsideCounts, SetAside};
use loss::Losses;

/// The most reports that wait: ten days without a server, at one each half hour. The oldest are dropped first.
const MAX_WAITING: usize = 500;

/// The most bytes of a report on disk.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The name of the spool in the state directory.
pub(crate) const DIRECTORY: &str = "spool";

/// The directory of reports.
#[derive(Debug)]
pub struct Spool {
    waiting: StateDir,
    /// Reports that the server refused, or that cannot be read.
    refused: StateDir,
    /// Reports of earlier nodes that this machine was.
    earlier: StateDir,
}

/// A report that waits.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WaitingReport {
    /// The node that it belongs to; `None` if the identity was damaged and an older agent made it.
    owner: Option<EnrolledNode>,
    report: Report,
}

/// What a file in the spool turns out to be.
enum SpoolFile {
    Report(Box<Report>),
    Foreign(String),
    /// Damaged, in this way.
    Damaged(String),
}

/// The result of a delivery.
#[derive(Debug, Default)]
pub struct Delivery {
    /// The number of reports that the server has now.
    pub delivered: usize,
    /// Why the last of the reports that were set aside was: refused by the server, or unreadable.
    pub refused: Option<String>,
    /// Why the rest waits.
    pub waits: Option<String>,
    /// Why the report of this run could not even be stored.
    pub lost: Option<String>,
}

impl Delivery {
    /// The results of both deliveries.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            delivered: self.delivered + other.delivered,
            refused: other.refused.or(self.refused),
            waits: other.waits.or(self.waits),
            lost: other.lost.or(self.lost),
        }
    }

    /// Whether the server has everything.
    pub fn is_whole(&self) -> bool {
        self.refused.is_none() && self.waits.is_none() && self.lost.is_none()
    }
}

impl Spool {
    /// What happens to the reports of a machine that the server no longer knows.
    pub(crate) const UNTIL_ENROLLED: &str = "they stay here, and are set aside once it is enrolled again";

    /// Opens the spool.
    ///
    /// # Errors
    /// Fails if it cannot be made or is not private.
    pub fn open(state: &StateDir) -> Result<Self, state::Error> {
        let waiting = state.below(DIRECTORY)?;
        let refused = waiting.below("failed")?;
        let earlier = waiting.below("earlier")?;
        Ok(Self { waiting, refused, earlier })
    }

    /// Adds a report after all that wait: names sort in the order of the runs, whatever each one's clock said. The
    /// report mentions [`Spool::losses`], which counts as reported once it is delivered.
    ///
    /// # Errors
    /// Fails if it cannot be written.
    pub fn add(&self, owner: Option<&EnrolledNode>, report: &Report) -> Result<(), state::Error> {
        let kept = WaitingReport { owner: owner.cloned(), report: report.clone() };
        let number = reports(&self.waiting)?.last().map_or(0, |last| number_of(last)) + 1;
        let name = format!("n{number:010}-{}.json", report.run);
        self.waiting.replace(&name, &serde_json::to_vec(&kept).unwrap_or_default())?;
        if let Err(error) = Losses::leave_to(&self.waiting, &name) {
            tracing::warn!("the loss of reports will be reported again: {error}");
        }
        let over = shorten(&self.waiting, MAX_WAITING)?;
        if !over.is_empty() {
            self.lose(&over, &format!("more than {MAX_WAITING} were waiting, and the oldest were removed"));
        }
        Ok(())
    }

    /// The number of reports that wait.
    ///
    /// # Errors
    /// Fails if the directory cannot be read.
    pub fn waiting(&self) -> Result<usize, state::Error> {
        Ok(reports(&self.waiting)?.len())
    }

    /// Sets aside what must not be delivered: what cannot be read, and what belongs to another node.
    ///
    /// # Errors
    /// Fails if the spool itself cannot be used.
    pub fn sift(&self, owner: &EnrolledNode) -> Result<(), state::Error> {
        for name in reports(&self.waiting)? {
            // The reason is reported with what is set aside.
            drop(self.sifted(&name, owner)?);
        }
        Ok(())
    }

    /// Sets aside everything that waits and is not this owner's, and forgets what was to be reported of lost reports.
    /// Those were another node's, and not even their number is meant for the new one's server.
    ///
    /// # Errors
    /// Fails if the spool itself cannot be used.
    pub(crate) fn disown(&self, owner: &EnrolledNode) -> Result<(), state::Error> {
        for name in reports(&self.waiting)? {
            let why = match self.look_at(&name, owner)? {
                SpoolFile::Report(_) => continue,
                SpoolFile::Foreign(why) => why,
                SpoolFile::Damaged(why) => format!("the run was an earlier node's, and {why}"),
            };
            self.put_aside(&self.earlier, &name, why);
            self.is_told(&name);
        }
        Losses::forget(&self.waiting)
    }

    /// A report to deliver. Otherwise it is set aside, and the error has the reason.
    fn sifted(
        &self,
        name: &str,
        owner: &EnrolledNode,
    ) -> Result<Result<Report, Option<String>>, state::Error> {
        Ok(match self.look_at(name, owner)? {
            SpoolFile::Report(report) => Ok(*report),
            SpoolFile::Foreign(why) => {
                self.put_aside(&self.earlier, name, why);
                // What it was going to mention does not concern the node that this machine is now.
                self.is_told(name);
                Err(None)
            }
            SpoolFile::Damaged(why) => Err(Some(self.refuse(name, why))),
        })
    }

    /// Delivers what waits, oldest first. Stops at the first report that the server cannot take now, or when `patience`
    /// is over.
    ///
    /// # Errors
    /// Fails if the spool itself cannot be used.
    pub async fn deliver(
        &self,
        client: &Client,
        owner: &EnrolledNode,
        patience: Duration,
    ) -> Result<Delivery, state::Error> {
        let (began, mut delivery) = (Instant::now(), Delivery::default());
        for name in reports(&self.waiting)? {
            if began.elapsed() >= patience {
                let why = format!("the server is slow; after {} s the rest waits", patience.as_secs());
                delivery.waits = Some(format!("{why} for the next run"));
                break;
            }
            let report = match self.sifted(&name, owner)? {
                Ok(report) => report,
                Err(why) => {
                    delivery.refused = why.or(delivery.refused);
                    continue;
                }
            };
            match client.post::<ReportAnswer>(path::REPORTS, &report).await {
                Ok(_) => {
                    delivery.delivered += 1;
                    self.is_told(&name);
                    if let Err(error) = self.waiting.remove(&name) {
                        // The next run sends it again, and it counts once.
                        tracing::warn!("cannot remove a delivered report: {error}");
                    }
                }
                Err(error) if error.is_final() => {
                    delivery.refused = Some(self.refuse(&name, error.to_string()));
                }
                Err(error) => {
                    delivery.waits = Some(error.to_string());
                    break;
                }
            }
        }
        Ok(delivery)
    }

    /// Delivers a report from memory that could not be stored, for the reason `why`.
    pub async fn deliver_unkept(client: &Client, report: &Report, why: String) -> Delivery {
        match client.post::<ReportAnswer>(path::REPORTS, report).await {
            Ok(_) => Delivery { delivered: 1, ..Delivery::default() },
            Err(error) if error.is_final() => {
                Delivery { refused: Some(error.to_string()), ..Delivery::default() }
            }
            Err(error) => Delivery { lost: Some(format!("{why}; {error}")), ..Delivery::default() },
        }
    }

    /// What a waiting file turns out to be. An error is one of the system, which passes.
    fn look_at(&self, name: &str, owner: &EnrolledNode) -> Result<SpoolFile, state::Error> {
        let bytes = match self.waiting.read(name, MAX_BYTES) {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(error) if error.is_shortage() => return Err(error),
            Err(error) => return Ok(SpoolFile::Damaged(error.to_string())),
        };
        let kept = match read(&bytes) {
            Ok(kept) => kept,
            Err(error) => {
                return Ok(SpoolFile::Damaged(format!("{name} is damaged: {}", state::unfit(&error))));
            }
        };
        if owner.has(kept.owner.as_ref()) {
            return Ok(SpoolFile::Report(Box::new(kept.report)));
        }
        let whose = kept.owner.map_or("an earlier node".to_owned(), |owner| match owner.uri.is_empty() {
            true => owner.certname.to_string(),
            false => owner.uri,
        });
        Ok(SpoolFile::Foreign(format!("the run was {whose}'s, which this machine no longer is")))
    }

    /// Sets aside a report that the server refuses; returns why.
    fn refuse(&self, name: &str, why: String) -> String {
        let why = self.put_aside(&self.refused, name, why);
        self.lose(&[name.to_owned()], &why);
        why
    }

    fn lose(&self, lost: &[String], why: &str) {
        if let Err(error) = Losses::add(&self.waiting, lost, why) {
            tracing::warn!("cannot record for the server that a report is lost: {error}");
        }
    }

    fn is_told(&self, name: &str) {
        if let Err(error) = Losses::settle(&self.waiting, name) {
            tracing::debug!("cannot remove what a report said about others: {error}");
        }
    }

    /// What the next report should say about those that the server will never get; `None` if it has everything.
    pub fn losses(&self) -> Option<String> {
        Losses::read(&self.waiting).map(|losses| losses.words())
    }
}

/// An older agent stored only the report.
fn read(bytes: &[u8]) -> serde_json::Result<WaitingReport> {
    serde_json::from_slice::<WaitingReport>(bytes).or_else(|error| match serde_json::from_slice(bytes) {
        Ok(report) => Ok(WaitingReport { owner: None, report }),
        Err(_) => Err(error),
    })
}

fn reports(dir: &StateDir) -> Result<Vec<String>, state::Error> {
    Ok(dir.names()?.into_iter().filter(|name| name.ends_with(".json")).collect())
}

/// The position of a report among those that wait.
fn number_of(name: &str) -> u64 {
    let number = name.strip_prefix('n').and_then(|rest| rest.split_once('-'));
    number.and_then(|(number, _)| number.parse().ok()).unwrap_or_default()
}

/// Removes the oldest files beyond `most`, with their reasons; returns their names.
fn shorten(dir: &StateDir, most: usize) -> Result<Vec<String>, state::Error> {
    let mut over = reports(dir)?;
    over.truncate(over.len().saturating_sub(most));
    for name in &over {
        dir.discard(name)?;
        dir.discard(&format!("{name}{WHY}"))?;
    }
    Ok(over)
}

#[cfg(test)]
mod tests;
