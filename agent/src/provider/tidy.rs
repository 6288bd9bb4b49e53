//! `tidy`: removes files that have grown old or large below a directory.
//!
//! It is one walk on open handles, which follows no link and enters no other file system. Each path is judged again
//! just before it is removed. What is removed is not drift: nobody changed what the last run left, time did.

use std::path::Path;

use holdfast_catalog::resource::Tidy;
use holdfast_catalog::resource::tidy::TidyBy;

use super::{Applied, ChangeKind, Error, Left, Provider, Reading, Spared, Writing, properties};
use crate::system::{ClockTrust, FileKind, Inspect, Stat, text_path};

mod look;
#[cfg(test)]
mod tests;

/// The provider of `tidy`.
pub struct Tidying;

properties! {
    Matches => "matches",
}

impl Provider for Tidying {
    type Want = Tidy;
    type Seen = Spared;
    type Property = Property;

    fn observe(&self, _: &[&Tidy], reading: Reading<'_>) -> Result<Spared, Error> {
        reading.named.spared(reading.machine)
    }

    fn plan(&self, want: &Tidy, spared: &Spared, reading: Reading<'_>) -> Result<Plan, Error> {
        let directory = Path::new(want.directory());
        match reading.machine.stat(directory)? {
            None => Ok(Plan::IN_SYNC),
            Some(stat) if stat.kind == FileKind::Directory => {
                look::plan(want, &stat, spared, reading).map(Plan::of)
            }
            Some(_) => Err(Error::Conflict(format!("{} is not a directory; name one", want.directory()))),
        }
    }

    fn apply(&self, want: &Tidy, changes: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        let mut applied = Applied::default();
        for (index, change) in changes.iter().enumerate() {
            let Some(below) = change.path.as_deref().filter(|_| change.kind != ChangeKind::Note) else {
                continue;
            };
            match remove(want, &Path::new(want.directory()).join(text_path(below)), writing) {
                Ok(None) => {}
                Ok(Some(kept)) => applied.said.push((index, kept.to_owned())),
                Err(error) => applied.failed.push((index, error)),
            }
        }
        Ok(applied)
    }

    fn left<'a>(&self, _: &'a Tidy) -> Left<'a> {
        Left::new()
    }
}

/// Removes one path, unless it is no longer what was judged; returns why it was left.
fn remove(want: &Tidy, path: &Path, writing: Writing<'_>) -> Result<Option<&'static str>, Error> {
    let Some(stat) = writing.machine.lstat(path)? else { return Ok(None) };
    let is_still_due = match stat.kind {
        FileKind::File => is_due(want, &stat, today(writing.machine)),
        FileKind::Directory => want.remove_dirs,
        FileKind::Symlink | FileKind::Other => false,
    };
    if !is_still_due {
        return Ok(Some("kept: it was changed during the run"));
    }
    match writing.machine.remove(path) {
        Err(error) if error.kind() == Some(std::io::ErrorKind::DirectoryNotEmpty) => {
            Ok(Some("kept: something was put into it during the run"))
        }
        removed => Ok(removed.map(|()| None)?),
    }
}

/// The present time, for judging ages: if this machine's clock is ahead of the server's, the server's. A wrong clock
/// must not remove what is new.
fn today(machine: &dyn Inspect) -> i64 {
    let ahead = match machine.clock_trust() {
        ClockTrust::Ahead(by) => i64::try_from(by.as_secs()).unwrap_or(i64::MAX),
        ClockTrust::Plausible | ClockTrust::InDoubt => 0,
    };
    machine.now().saturating_sub(ahead)
}

/// Whether a file is old enough and large enough to be removed.
fn is_due(want: &Tidy, stat: &Stat, now: i64) -> bool {
    is_old(want, stat, now) && want.size.is_none_or(|size| stat.size >= size.0)
}

/// Whether something is old enough to be removed.
fn is_old(want: &Tidy, stat: &Stat, now: i64) -> bool {
    want.age.is_none_or(|age| age_of(want, stat, now) >= i64::from(age.0))
}

/// Its age in seconds; negative if its time is in the future.
fn age_of(want: &Tidy, stat: &Stat, now: i64) -> i64 {
    let time = match want.by {
        TidyBy::Mtime => stat.times.modified,
        TidyBy::Atime => stat.times.accessed,
        TidyBy::Ctime => stat.times.changed,
    };
    now.saturating_sub(time)
}
