//! What is not known, since an earlier run did not end, or since this memory is older than the machine: the mark on disk, and
//! what becomes of it.
//!
//! The mark stands while a run changes the machine. The first run that finds it says so. One that corrects has its own last
//! look, and ends the doubt by that. One that only looks gives the run that did not end the look that it never had: what is
//! as wanted then counts as left so, what is off then stays in doubt until it is corrected, and is said to be.
//!
//! Its first line says when the run began; the second, who was at hand of whom no comparison shows how far they came.

use std::path::Path;

use super::{PRIVATE, RunMemory};
use crate::system::{Inspect as _, System as _, write_durably};

/// There while a run changes the machine, and after one that did not end: what an earlier run left is not so any more then.
pub(crate) const UNENDED: &str = "/unended";

/// The mark of a memory that was put back: later runs than it knows of have changed the machine.
pub(crate) const PUT_BACK: &str = "put back";

/// The mark of a run that did not end, where the time is lost at which it began.
const LOST: &str = "lost";

/// The longest text of a mark.
pub(crate) const MOST: u64 = 64 * 1024;

/// What a mark says.
pub(super) struct UnendedMark {
    /// When the run began, or a word for why nobody knows.
    pub(super) began: String,
    /// The resources that it was at.
    pub(super) at: Vec<String>,
}

impl RunMemory {
    /// The mark of an earlier run that did not end, or of a memory that was put back; none where neither is so.
    pub(super) fn mark(&self) -> Option<UnendedMark> {
        let lost = || UnendedMark { began: LOST.to_owned(), at: Vec::new() };
        match self.dir.read(Path::new(UNENDED), MOST) {
            Ok(None) => None,
            Ok(Some(mark)) => Some(read(&mark).unwrap_or_else(lost)),
            // It is there, and that alone says that a run did not end.
            Err(_) => Some(lost()),
        }
    }

    /// Believes nothing of what it remembers, and says so on disk: no later run may believe it either.
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

    /// Says on disk, before the first change, that a run is changing the machine: [`RunMemory::remember`] takes it back.
    pub(in crate::enforce) fn begin(&self) {
        let one_did_not_end = self.in_doubt.as_deref().is_some_and(|mark| mark != PUT_BACK);
        if self.began.get().is_some() || one_did_not_end {
            self.began.get_or_init(|| self.in_doubt.clone().unwrap_or_default());
            return;
        }
        // To the full: another may have begun in the same second.
        let began = self.began.get_or_init(|| jiff::Timestamp::now().to_string());
        self.write_mark(began);
    }

    /// Says on disk who acts now, of whom no comparison shows later how far they came; none once that is over. Who was interrupted
    /// before stays named to the end of this run.
    pub(in crate::enforce) fn is_at(&self, now: &[String]) {
        // A mark that is lost stays lost.
        let Some(began) = self.began.get().filter(|began| *began != LOST) else { return };
        let all: Vec<&String> = self.interrupted.iter().chain(now).collect();
        let names = serde_json::to_string(&all).unwrap_or_default();
        self.write_mark(&if all.is_empty() { began.clone() } else { format!("{began}\n{names}") });
    }

    /// The run came to its end, or has given the one that did not the look that it lacked.
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

/// A mark as it was written; none where it is damaged.
pub(super) fn read(mark: &[u8]) -> Option<UnendedMark> {
    let (began, at) = split(mark)?;
    let is_known = began == PUT_BACK || began.parse::<jiff::Timestamp>().is_ok();
    let at = if at.is_empty() { Vec::new() } else { serde_json::from_str(at).ok()? };
    is_known.then(|| UnendedMark { began: began.to_owned(), at })
}

/// When the run of a mark began, as it says, and the rest.
pub(crate) fn split(mark: &[u8]) -> Option<(&str, &str)> {
    let mark = std::str::from_utf8(mark).ok()?.trim();
    Some(mark.split_once('\n').unwrap_or((mark, "")))
}

/// What is said of a doubt, by its mark.
pub(super) fn words(mark: &str) -> String {
    let why = match mark {
        LOST => "an earlier run did not end, and its start time cannot be read: no report says what it changed".to_owned(),
        PUT_BACK => "the server has reports of runs that the agent's state does not know of: it was put back from an older copy, or \
                     could not be written until this machine was booted"
            .to_owned(),
        began => format!(
            "an earlier run, begun {}, did not end: no report says what it changed",
            to_the_second(began)
        ),
    };
    format!("{why}, and of what differs now, nobody can tell drift from intentional changes")
}

/// What is said of a change that would be drift, were it not for the doubt.
pub(super) fn of_a_change(mark: &str) -> String {
    match mark {
        PUT_BACK => "possibly drift: the agent's state was put back from an older copy, or could not be kept, and a later run may \
                     have left it so"
            .to_owned(),
        LOST => "possibly drift: an earlier run did not end, and may have changed it".to_owned(),
        began => {
            format!("possibly drift: the run begun {} did not end, and may have changed it", to_the_second(began))
        }
    }
}

fn to_the_second(began: &str) -> String {
    began.parse::<jiff::Timestamp>().map_or_else(|_| began.to_owned(), |began| format!("{began:.0}"))
}
