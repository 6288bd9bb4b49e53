//! What is unknown because an earlier run did not end, or because this memory is older than the machine: the mark on
//! disk, and how it is cleared.
//!
//! The mark exists while a run changes the machine. The first run that finds it reports it. A run that corrects has a
//! last look of its own, which ends the doubt. An audit takes the last look that the interrupted run did not have: what
//! is as wanted then counts as left that way, and what differs stays in doubt, and is reported so, until it is
//! corrected.
//!
//! The first line of the mark says when the run began. The second lists the resources that were being worked on and
//! whose progress no comparison shows.

use std::path::Path;

use super::{PRIVATE, RunMemory};
use crate::system::{Inspect as _, System as _, write_durably};

/// Exists while a run changes the machine, and after one that did not end: what earlier runs left may no longer be so.
pub(crate) const UNENDED: &str = "/unended";

/// The mark of a memory that was restored from an older copy: later runs, unknown to it, have changed the machine.
pub(crate) const PUT_BACK: &str = "put back";

/// The mark of a run that did not end and whose start time is lost.
const LOST: &str = "lost";

/// The longest text of a mark, in bytes.
pub(crate) const MAX_BYTES: u64 = 64 * 1024;

/// The content of a mark.
pub(super) struct UnendedMark {
    /// When the run began, or a word for why that is unknown.
    pub(super) began: String,
    /// The resources that it was working on.
    pub(super) at: Vec<String>,
}

impl RunMemory {
    /// The mark of an earlier run that did not end, or of a memory that was restored; `None` if there is neither.
    pub(super) fn mark(&self) -> Option<UnendedMark> {
        let lost = || UnendedMark { began: LOST.to_owned(), at: Vec::new() };
        match self.dir.read(Path::new(UNENDED), MAX_BYTES) {
            Ok(None) => None,
            Ok(Some(mark)) => Some(read(&mark).unwrap_or_else(lost)),
            // The file exists, and that alone says that a run did not end.
            Err(_) => Some(lost()),
        }
    }

    /// Believes nothing of what it remembers, and records that on disk: later runs must not believe it either.
    pub(super) fn put_back(&mut self) {
        if self.in_doubt.is_none() {
            self.write_mark(PUT_BACK);
            self.in_doubt = Some(PUT_BACK.to_owned());
        }
    }

    fn write_mark(&self, mark: &str) {
        let mark = format!("{mark}\n");
        if let Err(error) = write_durably(&self.dir, Path::new(UNENDED), PRIVATE, mark.as_bytes()) {
            self.note(format!("cannot record that this run began: a kill would go unnoticed ({error})"));
        }
    }

    /// Records on disk, before the first change, that a run is changing the machine. [`RunMemory::remember`] clears it.
    pub(in crate::enforce) fn begin(&self) {
        let one_did_not_end = self.in_doubt.as_deref().is_some_and(|mark| mark != PUT_BACK);
        if self.began.get().is_some() || one_did_not_end {
            self.began.get_or_init(|| self.in_doubt.clone().unwrap_or_default());
            return;
        }
        // With all digits: another run may have begun in the same second.
        let began = self.began.get_or_init(|| jiff::Timestamp::now().to_string());
        self.write_mark(began);
    }

    /// Records on disk which resources act now, if no comparison shows later how far they came; none once that is over.
    /// Resources that an earlier run was interrupted at stay named to the end of this run.
    pub(in crate::enforce) fn is_at(&self, now: &[String]) {
        // A mark that is lost stays lost.
        let Some(began) = self.began.get().filter(|began| *began != LOST) else { return };
        let all: Vec<&String> = self.interrupted.iter().chain(now).collect();
        let names = serde_json::to_string(&all).unwrap_or_default();
        self.write_mark(&if all.is_empty() { began.clone() } else { format!("{began}\n{names}") });
    }

    /// Clears the mark: this run came to its end, or has given the interrupted one the look that it lacked.
    pub(super) fn end(&self) {
        let is_there = self.began.get().is_some() || self.in_doubt.is_some();
        let done = || self.dir.remove(Path::new(UNENDED)).and_then(|()| self.dir.settle());
        if let Some(Err(error)) = is_there.then(done) {
            self.note(format!(
                "cannot record that this run ended: the next run will treat it as unfinished ({error})"
            ));
        }
    }
}

/// Parses a mark; `None` if it is damaged.
pub(super) fn read(mark: &[u8]) -> Option<UnendedMark> {
    let (began, at) = split(mark)?;
    let is_known = began == PUT_BACK || began.parse::<jiff::Timestamp>().is_ok();
    let at = if at.is_empty() { Vec::new() } else { serde_json::from_str(at).ok()? };
    is_known.then(|| UnendedMark { began: began.to_owned(), at })
}

/// Splits a mark into the time at which the run began, as text, and the rest.
pub(crate) fn split(mark: &[u8]) -> Option<(&str, &str)> {
    let mark = std::str::from_utf8(mark).ok()?.trim();
    Some(mark.split_once('\n').unwrap_or((mark, "")))
}

/// What to report about a doubt, by its mark.
pub(super) fn words(mark: &str) -> String {
    let why = match mark {
        LOST => {
            "an earlier run did not end, and its start time cannot be read: no report says what it changed"
                .to_owned()
        }
        PUT_BACK => {
            "the server has reports of runs that the agent's state does not know of: the state was restored \
                     from an older copy, or could not be written before this machine was booted"
                .to_owned()
        }
        began => format!(
            "an earlier run, which began {}, did not end: no report says what it changed",
            to_the_second(began)
        ),
    };
    format!("{why}; for what differs now, drift cannot be told from intentional changes")
}

/// What to report about a change that would be drift if it were not for the doubt.
pub(super) fn of_a_change(mark: &str) -> String {
    match mark {
        PUT_BACK => {
            "possibly drift: the agent's state was restored from an older copy, or could not be saved, and a \
                     later run may have left this"
                .to_owned()
        }
        LOST => "possibly drift: an earlier run did not end, and may have changed it".to_owned(),
        began => {
            format!(
                "possibly drift: the run that began {} did not end, and may have changed it",
                to_the_second(began)
            )
        }
    }
}

fn to_the_second(began: &str) -> String {
    began.parse::<jiff::Timestamp>().map_or_else(|_| began.to_owned(), |began| format!("{began:.0}"))
}
