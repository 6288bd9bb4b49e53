//! The walk that finds what to remove: files as they are met, a directory if everything in it is removed.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;

use holdfast_catalog::count::counted;
use holdfast_catalog::resource::Tidy;
use holdfast_catalog::state;
use jiff::SignedDuration;

use super::{Change, Property};
use super::{age_of, is_due, is_old, today};
use crate::provider::archive::record::unpacked_in;
use crate::provider::deployment::holds_releases;
use crate::provider::git_checkout::tracked::{Tracked, tracked_in};
use crate::provider::{ChangeKind, Error, PathAliases, Reading, Spared, inside};
use crate::system::glob::matches_any;
use crate::system::{
    ClockTrust, FileKind, Stat, TreeMember, UnreadMember, WalkStep, path_text, shown_text, text_path,
};

/// The most paths of one directory that are removed in a run; the next run continues.
const MAX_REMOVED: usize = 20_000;

/// The longest path that the kernel accepts, including the byte that ends it.
const MAX_PATH: usize = 4096;

/// A directory that the walk is in.
struct OpenDir {
    path: String,
    stat: Stat,
    /// Whether it stays, or something in it does.
    stays: bool,
    /// Whether it contains anything.
    holds: bool,
}

/// A walk in progress.
struct TidyWalk<'a> {
    want: &'a Tidy,
    /// The real path of the directory.
    place: String,
    reading: Reading<'a>,
    spared: &'a Spared,
    /// What was unpacked from an archive around it, which would be unpacked again, and the files that git tracks in a
    /// checkout around it, which git would miss.
    kept: BTreeSet<String>,
    now: i64,
    device: u64,
    most: usize,
    inside: Vec<OpenDir>,
    changes: Vec<Change>,
    /// The number of members that could not be looked at, and the reason for the first.
    unread: usize,
    first_unread: Option<String>,
}

/// What to remove from a directory, each directory after its members.
pub(super) fn plan(
    want: &Tidy,
    stat: &Stat,
    spared: &Spared,
    reading: Reading<'_>,
) -> Result<Vec<Change>, Error> {
    plan_at_most(MAX_REMOVED, want, stat, spared, reading)
}

pub(super) fn plan_at_most(
    most: usize,
    want: &Tidy,
    stat: &Stat,
    spared: &Spared,
    reading: Reading<'_>,
) -> Result<Vec<Change>, Error> {
    let (now, device) = (today(reading.machine), stat.id.0);
    let place = PathAliases::new(reading.machine).place(want.directory());
    let nothing = |why: &str| {
        let kept = format!("nothing is removed: {why}");
        Ok(vec![Change::new(Property::Matches, "", "").kind(ChangeKind::Note).note(kept)])
    };
    if let Some(why) = stays_whole(want, &place, spared, reading) {
        return nothing(why);
    }
    let mut kept = unpacked_in(&place, reading);
    match tracked_in(&place, reading)? {
        Tracked::All => return nothing("it is git's own directory in a checkout"),
        Tracked::Files(files) => kept.extend(files),
    }
    let mut look = TidyWalk {
        want,
        kept,
        place,
        reading,
        spared,
        now,
        device,
        most,
        inside: Vec::new(),
        changes: Vec::new(),
        unread: 0,
        first_unread: None,
    };
    reading.machine.walk(Path::new(want.directory()), &mut |met| {
        Ok(match met {
            Ok(member) => look.member(member),
            Err(unread) => look.unread(&unread),
        })
    })?;
    look.leave_for("");
    Ok(look.finish())
}

/// Why nothing in a directory is removed, if that is known before anything in it is looked at.
fn stays_whole(want: &Tidy, place: &str, spared: &Spared, reading: Reading<'_>) -> Option<&'static str> {
    let is_in_doubt = reading.machine.clock_trust() == ClockTrust::InDoubt;
    if want.age.is_some() && is_in_doubt {
        return Some(
            "the clock of this machine is in doubt: by it the server's certificate has expired, and what time the server has \
             is not known since the boot; compare `date -u` with a clock that is right",
        );
    }
    if spared.is_whole(place) {
        return Some("another resource manages the content of the directory");
    }
    holds_releases(place, reading)
        .then_some("a deployment manages its own releases, and what outlives them is in its `shared`")
}

impl TidyWalk<'_> {
    fn member(&mut self, member: &TreeMember<'_>) -> WalkStep {
        self.leave_for(&parent_text(member.path));
        if self.changes.len() >= self.most {
            self.inside.iter_mut().for_each(|open| open.stays = true);
            return WalkStep::Stop;
        }
        if let Some(open) = self.inside.last_mut() {
            open.holds = true;
        }
        let path = &*path_text(member.path);
        if text_path(&self.whole(path)).as_os_str().len() >= MAX_PATH {
            return self.stays_unread(|| {
                format!("{}: its path is longer than the kernel accepts", shown_text(path))
            });
        }
        match member.stat.kind {
            FileKind::File => self.file(path, member),
            FileKind::Directory => self.directory(path, member.stat),
            FileKind::Symlink | FileKind::Other => self.keep(),
        }
    }

    /// Keeps what cannot be looked at, with the directories around it: anyone may have made it, to stop the walk.
    fn unread(&mut self, unread: &UnreadMember<'_>) -> WalkStep {
        let path = path_text(unread.path);
        if let Some(open) = self.inside.iter_mut().rfind(|open| open.path == path) {
            open.stays = true;
        }
        self.leave_for(&parent_text(unread.path));
        self.stays_unread(|| unread.error.to_string())
    }

    fn stays_unread(&mut self, why: impl FnOnce() -> String) -> WalkStep {
        self.unread += 1;
        self.first_unread.get_or_insert_with(why);
        self.keep()
    }

    fn file(&mut self, path: &str, member: &TreeMember<'_>) -> WalkStep {
        let name = member.path.file_name().unwrap_or_default();
        let named = self.want.matches.is_empty() || matches_any(&self.want.matches, name);
        if named && is_due(self.want, &member.stat, self.now) && !self.is_anothers(&self.whole(path)) {
            self.change(path, &member.stat);
            return WalkStep::Past;
        }
        self.keep()
    }

    fn directory(&mut self, path: &str, stat: Stat) -> WalkStep {
        let level = u32::try_from(self.inside.len() + 1).unwrap_or(u32::MAX);
        if stat.id.0 != self.device || !self.want.recurse.reaches(level) {
            return self.keep();
        }
        let whole = self.whole(path);
        if self.spared.is_tree(&whole) {
            return self.keep();
        }
        let named = self.is_anothers(&whole) || self.spared.any_below(&whole);
        let stays = named || !self.want.remove_dirs || !is_old(self.want, &stat, self.now);
        self.inside.push(OpenDir { path: path.to_owned(), stat, stays, holds: false });
        WalkStep::Into
    }

    /// Closes the directories that the walk has left, now that it is in `parent`.
    fn leave_for(&mut self, parent: &str) {
        while let Some(open) = self.inside.pop_if(|open| open.path != parent) {
            if !open.stays && (open.holds || self.is_empty(&open)) {
                self.change(&open.path, &open.stat);
            } else {
                self.keep();
            }
        }
    }

    /// Whether a directory is empty: one in which the walk found nothing may be a mount that it did not enter.
    fn is_empty(&self, open: &OpenDir) -> bool {
        let names = self.reading.machine.list(&text_path(&self.whole(&open.path)));
        names.is_ok_and(|names| names.is_empty())
    }

    /// Notes that something stays, so the directory around it stays, too.
    fn keep(&mut self) -> WalkStep {
        if let Some(open) = self.inside.last_mut() {
            open.stays = true;
        }
        WalkStep::Past
    }

    fn change(&mut self, path: &str, stat: &Stat) {
        let days = age_of(self.want, stat, self.now).max(0) / 86_400;
        let change = Change::new(Property::Matches, "present", "absent").kind(ChangeKind::Moved).below(path);
        let (age, size) = (counted(days, "day", "days"), counted(stat.size, "byte", "bytes"));
        self.changes.push(change.note(format!("{age} old, {size}")));
    }

    fn is_anothers(&self, whole: &str) -> bool {
        self.spared.contains(whole) || self.kept.contains(whole)
    }

    fn whole(&self, path: &str) -> String {
        inside(&self.place, path)
    }

    fn finish(mut self) -> Vec<Change> {
        let is_full = self.changes.len() >= self.most;
        let unread = self.first_unread.take().map(|why| {
            let stay = counted(self.unread, "path stays", "paths stay");
            format!("{stay} that cannot be read; the first: {why}; check who made it")
        });
        let more = is_full.then(|| {
            let go = counted(self.most, "path goes", "paths go");
            format!("{go} in one run; the next run continues")
        });
        let by_the_server = match self.reading.machine.clock_trust() {
            ClockTrust::Ahead(ahead) if self.want.age.is_some() => {
                let ahead = state::span(ahead.try_into().unwrap_or(SignedDuration::MAX));
                Some(format!(
                    "ages are measured by the server's clock, since this machine's clock is {ahead} ahead of it"
                ))
            }
            _ => None,
        };
        let note = |words| Change::new(Property::Matches, "", "").kind(ChangeKind::Note).note(words);
        let notes = unread.into_iter().chain(more).chain(by_the_server);
        self.changes.extend(notes.map(note));
        self.changes
    }
}

/// The text of the directory that a member is in; empty if that is the top.
fn parent_text(path: &Path) -> Cow<'_, str> {
    path_text(path.parent().unwrap_or(Path::new("")))
}
