//! Reports that will not be delivered: kept for people, and reported until someone clears them.

use holdfast_catalog::count::counted;
use jiff::Timestamp;
use serde::Serialize;

use super::{MAX_BYTES, MAX_WAITING, Spool, read, reports, shorten};
use crate::state::{self, StateDir};

/// The suffix of the file that says why a report was set aside.
pub(super) const WHY: &str = ".why";

/// The most bytes of that file.
const MAX_WHY: u64 = 64 * 1024;

/// The most reports of each kind that are kept.
pub(super) const MAX_ASIDE: usize = MAX_WAITING;

/// The file that counts how many were removed because there were too many.
const REMOVED: &str = "removed";

/// How many reports are set aside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct AsideCounts {
    /// Those that the server refused, or that cannot be read.
    pub refused: usize,
    /// Those of earlier nodes that this machine was.
    pub of_earlier_nodes: usize,
    /// The oldest of both, which were removed because there were too many.
    pub removed: usize,
}

/// A report in the spool, for people.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct SetAside {
    /// What happens to it: `waits`, `refused` or `earlier node`.
    pub place: &'static str,
    pub name: String,
    /// When the run began; `None` if it cannot be read.
    pub began: Option<Timestamp>,
    /// Why it was set aside.
    pub why: Option<String>,
}

impl AsideCounts {
    /// A sentence about them, with what can be done; `None` if there are none.
    pub fn words(self) -> Option<String> {
        let refused = (self.refused > 0).then(|| {
            format!(
                "{} set aside and not delivered: `holdfast-agent reports` says why, with `--retry` the next run delivers {} again",
                were(self.refused),
                if self.refused == 1 { "it" } else { "them" }
            )
        });
        let earlier = (self.of_earlier_nodes > 0).then(|| {
            format!(
                "{} set aside and not delivered, since this machine was another node then",
                were(self.of_earlier_nodes)
            )
        });
        let removed = (self.removed > 0).then(|| {
            let older = counted(self.removed, "older one", "older ones");
            format!("{older} removed, because no more than {MAX_ASIDE} of a kind are kept")
        });
        let all: Vec<_> = refused.into_iter().chain(earlier).chain(removed).collect();
        (!all.is_empty()).then(|| {
            format!("{}; `holdfast-agent reports --clear` removes what is set aside", all.join("; "))
        })
    }
}

fn were(count: usize) -> String {
    counted(count, "report was", "reports were")
}

impl Spool {
    /// The numbers of reports that are set aside.
    ///
    /// # Errors
    /// Fails if a directory cannot be read.
    pub fn aside(&self) -> Result<AsideCounts, state::Error> {
        Ok(AsideCounts {
            refused: reports(&self.refused)?.len(),
            of_earlier_nodes: reports(&self.earlier)?.len(),
            removed: removed(&self.refused) + removed(&self.earlier),
        })
    }

    /// All reports, in the order of their runs in each place.
    ///
    /// # Errors
    /// Fails if a directory cannot be read.
    pub fn list(&self) -> Result<Vec<SetAside>, state::Error> {
        let mut all = Vec::new();
        for (place, dir) in
            [("waits", &self.waiting), ("refused", &self.refused), ("earlier node", &self.earlier)]
        {
            all.extend(reports(dir)?.into_iter().map(|name| listed(place, dir, name)));
        }
        Ok(all)
    }

    /// Queues refused reports again; returns how many. What cannot be read is kept where it is.
    ///
    /// # Errors
    /// Fails if one cannot be moved.
    pub fn retry(&self) -> Result<usize, state::Error> {
        let mut count = 0;
        for name in reports(&self.refused)? {
            let bytes = self.refused.read(&name, MAX_BYTES).ok().flatten().unwrap_or_default();
            if read(&bytes).is_ok() {
                self.refused.hand_over(&name, &self.waiting)?;
                self.refused.discard(&(name + WHY))?;
                count += 1;
            }
        }
        Ok(count)
    }

    /// Removes everything that is set aside; returns how many reports that were.
    ///
    /// # Errors
    /// Fails if one cannot be removed.
    pub fn clear(&self) -> Result<usize, state::Error> {
        let mut count = 0;
        for dir in [&self.refused, &self.earlier] {
            count += reports(dir)?.len();
            dir.names()?.iter().try_for_each(|name| dir.discard(name))?;
        }
        Ok(count)
    }

    /// Moves a report out of the way; returns why. One that cannot be moved is skipped, so it holds up none of the
    /// others.
    pub(super) fn put_aside(&self, to: &StateDir, name: &str, why: String) -> String {
        let moved = self.waiting.hand_over(name, to).and_then(|()| {
            to.replace(&format!("{name}{WHY}"), why.as_bytes())?;
            let over = shorten(to, MAX_ASIDE)?.len();
            if over > 0 {
                to.replace(REMOVED, (removed(to) + over).to_string().as_bytes())?;
            }
            Ok(())
        });
        match moved {
            Ok(()) => why,
            Err(error) => format!("{why}; {error}"),
        }
    }
}

fn listed(place: &'static str, dir: &StateDir, name: String) -> SetAside {
    let read = |name: &str, limit| dir.read(name, limit).ok().flatten();
    let kept = read(&name, MAX_BYTES).and_then(|bytes| super::read(&bytes).ok());
    let why = read(&format!("{name}{WHY}"), MAX_WHY);
    let why = why.map(|why| String::from_utf8_lossy(&why).into_owned());
    SetAside { place, began: kept.map(|kept| kept.report.started), name, why }
}

fn removed(dir: &StateDir) -> usize {
    let count = dir.read(REMOVED, 64).ok().flatten().unwrap_or_default();
    String::from_utf8_lossy(&count).trim().parse().unwrap_or_default()
}
