//! Reports on their way: on disk until the server has them, delivered once and in their order.
//!
//! Each says whose it is: what a machine did as another node is delivered to nobody. What is set aside is told here until
//! somebody clears it, and what is lost to the server is told in the next report.

use std::time::{Duration, Instant};

use holdfast_catalog::report::Report;
use holdfast_catalog::wire::{ReportAnswer, path};
use serde::{Deserialize, Serialize};

use crate::fetch::Client;
use crate::identity::owner::EnrolledNode;
use crate::state::{self, StateDir};

mod aside; // reports that are not to be delivered any more
mod loss; // what the server is to be told of those

use aside::WHY;
pub use aside::{AsideCounts, SetAside};
use loss::Losses;

/// The most reports that wait: ten days of a server away, at half an hour. The oldest go first.
const MAX_WAITING: usize = 500;

/// The most bytes of a report on disk.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Its name in the state.
pub(crate) const DIRECTORY: &str = "spool";

/// The directory of reports.
#[derive(Debug)]
pub struct Spool {
    waiting: StateDir,
    /// Those that the server refused, or that nobody can read.
    refused: StateDir,
    /// Those of earlier nodes that this machine was.
    earlier: StateDir,
}

/// A report as it waits.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WaitingReport {
    /// Whose it is; none where an identity was damaged that an older agent made.
    owner: Option<EnrolledNode>,
    report: Report,
}

/// What a file in the spool is.
enum SpoolFile {
    Report(Box<Report>),
    Foreign(String),
    /// With what is wrong with it.
    Damaged(String),
}

/// How a delivery went.
#[derive(Debug, Default)]
pub struct Delivery {
    /// Reports that the server has now.
    pub delivered: usize,
    /// Why the last one of those that were set aside was: refused by the server, or unreadable.
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
    /// What becomes of the reports of a machine that the server knows no more.
    pub(crate) const UNTIL_ENROLLED: &str = "they stay here, and are set aside once it is enrolled anew";

    /// Opens it.
    ///
    /// # Errors
    /// Where it cannot be made or is not private.
    pub fn open(state: &StateDir) -> Result<Self, state::Error> {
        let waiting = state.below(DIRECTORY)?;
        let refused = waiting.below("failed")?;
        let earlier = waiting.below("earlier")?;
        Ok(Self { waiting, refused, earlier })
    }

    /// Adds a report, after all that wait: names sort in the order of runs, whatever the clock said to each. It tells of
    /// [`Spool::losses`], which are told when it is delivered.
    ///
    /// # Errors
    /// Where it cannot be written.
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

    /// How many wait.
    ///
    /// # Errors
    /// Where the directory cannot be read.
    pub fn waiting(&self) -> Result<usize, state::Error> {
        Ok(reports(&self.waiting)?.len())
    }

    /// Puts aside what is not to be delivered: what nobody can read, and what is another node's.
    ///
    /// # Errors
    /// Where the spool itself cannot be used.
    pub fn sift(&self, owner: &EnrolledNode) -> Result<(), state::Error> {
        for name in reports(&self.waiting)? {
            // Why is told with what is set aside.
            drop(self.sifted(&name, owner)?);
        }
        Ok(())
    }

    /// Puts aside all that waits and is not this owner's, and forgets what was to be told of reports that are lost: the
    /// machine was another node when these came about, and not even their number is for the next one's server.
    ///
    /// # Errors
    /// Where the spool itself cannot be used.
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

    /// A report that is to be delivered; else it is set aside, with the answer why.
    fn sifted(
        &self,
        name: &str,
        owner: &EnrolledNode,
    ) -> Result<Result<Report, Option<String>>, state::Error> {
        Ok(match self.look_at(name, owner)? {
            SpoolFile::Report(report) => Ok(*report),
            SpoolFile::Foreign(why) => {
                self.put_aside(&self.earlier, name, why);
                // What it was to tell is nothing to the node that this machine is now.
                self.is_told(name);
                Err(None)
            }
            SpoolFile::Damaged(why) => Err(Some(self.refuse(name, why))),
        })
    }

    /// Delivers what waits, oldest first, and stops at the first that the server cannot take now, or when so long has passed.
    ///
    /// # Errors
    /// Where the spool itself cannot be used.
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
                        // It is sent again by the next run, and counts once.
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

    /// What a file that waits is; an error is one of the system at large, which passes.
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

    /// Puts a report aside that the server will not have, and answers with why.
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

    /// What the next report is to tell of those that the server will not have; none where it has all.
    pub fn losses(&self) -> Option<String> {
        Losses::read(&self.waiting).map(|losses| losses.words())
    }
}

/// An older agent kept the report alone.
fn read(bytes: &[u8]) -> serde_json::Result<WaitingReport> {
    serde_json::from_slice::<WaitingReport>(bytes).or_else(|error| match serde_json::from_slice(bytes) {
        Ok(report) => Ok(WaitingReport { owner: None, report }),
        Err(_) => Err(error),
    })
}

fn reports(dir: &StateDir) -> Result<Vec<String>, state::Error> {
    Ok(dir.names()?.into_iter().filter(|name| name.ends_with(".json")).collect())
}

/// The place of a report among those that wait.
fn number_of(name: &str) -> u64 {
    let number = name.strip_prefix('n').and_then(|rest| rest.split_once('-'));
    number.and_then(|(number, _)| number.parse().ok()).unwrap_or_default()
}

/// Removes the oldest over so many, with why they are where they are, and answers which those were.
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
