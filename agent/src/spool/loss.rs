//! What to tell the server about reports that it will never get. If a machine's report is lost, the machine must not
//! look as if nothing had been in it.

use holdfast_catalog::count::counted;
use serde::{Deserialize, Serialize};

use crate::state::{self, StateDir};

/// The name of the file, which is not a report.
const FILE: &str = "untold";

/// The suffix of the file with the losses that a report mentions: they count as reported once that report is delivered.
const TOLD: &str = ".told";

/// The most bytes of the file.
const MAX_BYTES: u64 = 64 * 1024;

/// The most reasons that are reported.
const MAX_REASONS: usize = 3;

/// The longest reason, in characters.
const MAX_REASON: usize = 300;

/// Reports that are lost, and not reported yet.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Losses {
    count: usize,
    /// Why the first of them are lost.
    why: Vec<String>,
}

impl Losses {
    pub(super) fn read(dir: &StateDir) -> Option<Self> {
        match dir.read(FILE, MAX_BYTES) {
            Ok(None) => None,
            Ok(Some(bytes)) => Some(serde_json::from_slice(&bytes).unwrap_or_default()),
            Err(_) => Some(Self::default()),
        }
    }

    /// Adds a loss, and the losses that the lost reports would have mentioned.
    pub(super) fn add(dir: &StateDir, lost: &[String], why: &str) -> Result<(), state::Error> {
        let mut losses = Self::read(dir).unwrap_or_default();
        losses.count += lost.len();
        losses.because(why);
        for name in lost {
            let told = Self::of_a_report(dir, name);
            losses.count += told.count;
            told.why.iter().for_each(|why| losses.because(why));
        }
        dir.discard(FILE)?;
        dir.replace(FILE, &serde_json::to_vec(&losses).unwrap_or_default())?;
        lost.iter().try_for_each(|name| Self::settle(dir, name))
    }

    /// Forgets them: nobody should be told any more.
    pub(super) fn forget(dir: &StateDir) -> Result<(), state::Error> {
        dir.discard(FILE)
    }

    fn because(&mut self, why: &str) {
        let why: String = why.chars().take(MAX_REASON).collect();
        if self.why.len() < MAX_REASONS && !self.why.contains(&why) {
            self.why.push(why);
        }
    }

    /// The losses that a waiting report mentions.
    fn of_a_report(dir: &StateDir, name: &str) -> Self {
        let told = dir.read(&told_by(name), MAX_BYTES).ok().flatten();
        told.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Leaves all present losses to a report, which mentions them.
    pub(super) fn leave_to(dir: &StateDir, name: &str) -> Result<(), state::Error> {
        let told = dir.read(FILE, MAX_BYTES).ok().flatten();
        told.iter().try_for_each(|bytes| dir.replace(&told_by(name), bytes))?;
        dir.discard(FILE)
    }

    /// Removes the record of what a report mentions: that is now reported, or left to another report.
    pub(super) fn settle(dir: &StateDir, name: &str) -> Result<(), state::Error> {
        dir.discard(&told_by(name))
    }

    pub(super) fn words(&self) -> String {
        let reports = match self.count {
            // The record of them cannot be read.
            0 => "some reports of earlier runs are".to_owned(),
            count => counted(count, "report of an earlier run is", "reports of earlier runs are"),
        };
        let why = match self.why.is_empty() {
            true => String::new(),
            false => format!(": {}", self.why.join("; ")),
        };
        format!("{reports} not delivered, and their content is not known here{why}")
    }
}

fn told_by(name: &str) -> String {
    format!("{name}{TOLD}")
}
