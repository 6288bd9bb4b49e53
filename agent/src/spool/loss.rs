//! What the server is to be told of reports that it will not have: a machine whose report is lost is not said to be in order
//! as if nothing had been in it.

use serde::{Deserialize, Serialize};

use crate::state::{self, StateDir};

/// The file, which is no report.
const FILE: &str = "untold";

/// The most bytes of it.
const LIMIT: u64 = 64 * 1024;

/// The most reasons that are told.
const MOST: usize = 3;

/// The longest reason, in characters.
const LONGEST: usize = 300;

/// Reports that are lost, and not told yet.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Losses {
    count: usize,
    /// Why the first of them are.
    why: Vec<String>,
}

impl Losses {
    pub(super) fn read(dir: &StateDir) -> Option<Self> {
        match dir.read(FILE, LIMIT) {
            Ok(None) => None,
            Ok(Some(bytes)) => Some(serde_json::from_slice(&bytes).unwrap_or_default()),
            Err(_) => Some(Self::default()),
        }
    }

    pub(super) fn add(dir: &StateDir, count: usize, why: String) -> Result<(), state::Error> {
        let mut losses = Self::read(dir).unwrap_or_default();
        losses.count += count;
        if losses.why.len() < MOST && !losses.why.contains(&why) {
            losses.why.push(why.chars().take(LONGEST).collect());
        }
        dir.discard(FILE)?;
        dir.replace(FILE, &serde_json::to_vec(&losses).unwrap_or_default())
    }

    pub(super) fn forget(dir: &StateDir) -> Result<(), state::Error> {
        dir.discard(FILE)
    }

    pub(super) fn words(&self) -> String {
        let reports = match self.count {
            // What was written down of them cannot be read.
            0 => "some reports of earlier runs are".to_owned(),
            1 => "1 report of an earlier run is".to_owned(),
            count => format!("{count} reports of earlier runs are"),
        };
        let why = match self.why.is_empty() {
            true => String::new(),
            false => format!(": {}", self.why.join("; ")),
        };
        format!("{reports} not delivered, and what they told is not known here{why}")
    }
}
