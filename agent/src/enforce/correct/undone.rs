//! Which resource changed another one in this run, as far as that can be known.

use std::path::PathBuf;

use super::super::check::Verdict;
use super::{Correct, CorrectionPass};
use crate::provider::{Change, ChangeKind};

/// The most suspects that a message names.
const MAX_NAMED: usize = 3;

pub(super) const DID_NOT_LAST: &str = "what was set in this run did not last";
pub(super) const ONCE_MORE: &str = "corrected again";

/// Properties of a path that can be changed on their own.
const SIDES: [&str; 3] = ["mode", "owner", "group"];

/// Which resources may have changed another one.
pub(super) struct Suspects {
    who: Vec<usize>,
    evidence: Evidence,
}

/// Why the suspects are suspected.
#[derive(Clone, Copy)]
enum Evidence {
    /// They changed what differs, and no resource acted that can do anything, such as a command.
    Work,
    /// One of them can do anything. Something else on the machine may also have done it at that time.
    Chance,
    /// They acted in that time, but on other things.
    Time,
}

/// A path that differs, or that was changed.
pub(super) struct Spot {
    path: PathBuf,
    /// Whether all of it is meant, and not only its mode, owner or group.
    whole: bool,
}

impl Correct<'_, '_, '_> {
    /// Why a resource differs that was as wanted earlier in this run.
    pub(super) fn why_again(&mut self, index: usize) -> Option<String> {
        let undone = self.undone_by(index);
        match self.pass {
            CorrectionPass::First => undone,
            CorrectionPass::Second => {
                let why = undone.or_else(|| self.made.contains_key(&index).then(|| DID_NOT_LAST.to_owned()));
                why.map(|why| format!("{why}; {ONCE_MORE}"))
            }
        }
    }

    /// `undone by file[/a] in this run`; `None` if no resource acted since it was as wanted.
    pub(super) fn undone_by(&mut self, index: usize) -> Option<String> {
        self.find_suspects(index);
        self.suspects.get(&index).map(|suspects| self.undone(suspects))
    }

    /// Finds which resources may have changed this one since it was last as wanted.
    fn find_suspects(&mut self, index: usize) {
        let before = self.suspects.remove(&index);
        if self.view.latest(index).is_by_itself() {
            return;
        }
        let Some(mut who) = self.view.acted_since(index).filter(|who| !who.is_empty()) else { return };
        // A resource that can do anything is a suspect whenever it acted, whichever other one works on the same path.
        let anywhere = |other: usize| self.subjects[other].provider.acts_anywhere();
        // If one of them could have done it both times, it is the culprit.
        let was = |other: usize| before.as_ref().is_some_and(|before| before.who.contains(&other));
        if who.iter().any(|other| was(*other)) {
            who.retain(|other| was(*other) || anywhere(*other));
        }
        let off = self.off_at(index);
        let worked = |other: &usize| {
            let worked = self.worked.get(other).into_iter().flatten();
            worked.into_iter().any(|worked| off.iter().any(|off| worked.reaches(off)))
        };
        let evidence = match (who.iter().any(worked), who.iter().any(|other| anywhere(*other))) {
            (true, false) => Evidence::Work,
            (_, true) => Evidence::Chance,
            (false, false) => Evidence::Time,
        };
        if !matches!(evidence, Evidence::Time) {
            who.retain(|other| worked(other) || anywhere(*other));
        }
        self.suspects.insert(index, Suspects { who, evidence });
    }

    /// Records what a resource is about to change.
    pub(super) fn works_on(&mut self, index: usize, changes: &[Change]) {
        let spots = self.spots(index, changes);
        self.worked.entry(index).or_default().extend(spots);
    }

    /// What differs according to the latest look; all that the resource names if nothing more is known.
    fn off_at(&self, index: usize) -> Vec<Spot> {
        let paths = self.subjects[index].paths();
        match self.view.latest(index) {
            Verdict::Changes(changes) => self.spots(index, changes),
            _ => paths.iter().map(|path| Spot { path: (*path).into(), whole: true }).collect(),
        }
    }

    /// The paths that these changes of a resource affect.
    fn spots(&self, index: usize, changes: &[Change]) -> Vec<Spot> {
        let paths = self.subjects[index].paths();
        let to_do = changes.iter().filter(|change| change.kind != ChangeKind::Note);
        let spots = to_do.flat_map(|change| {
            let whole = !SIDES.contains(&&*change.property);
            paths.iter().map(move |path| {
                let mut path = PathBuf::from(path);
                path.extend(change.path.as_deref());
                Spot { path, whole }
            })
        });
        spots.collect()
    }

    /// The message: which resource did it, may have done it, or only acted at the time.
    fn undone(&self, Suspects { who, evidence }: &Suspects) -> String {
        let names: Vec<_> =
            who.iter().take(MAX_NAMED).map(|i| self.subjects[*i].resource.reference.to_string()).collect();
        let is_few = who.len() <= MAX_NAMED;
        match (evidence, &names[..]) {
            (Evidence::Work, [one]) => format!("undone by {one} in this run"),
            (Evidence::Work, names) if is_few => format!("undone in this run by {}", names.join(" or ")),
            (Evidence::Work, _) => {
                format!("undone in this run by one of the {} resources that acted after it", who.len())
            }
            (Evidence::Chance, names) if is_few => {
                format!(
                    "changed back in this run; {}, which acted since, may have done it",
                    names.join(" or ")
                )
            }
            (Evidence::Chance, _) => {
                format!(
                    "changed back in this run; one of the {} resources that acted since may have done it",
                    who.len()
                )
            }
            (Evidence::Time, names) if is_few => {
                format!("changed back after {} acted in this run", names.join(" and "))
            }
            (Evidence::Time, _) => {
                format!("changed back after {} other resources acted in this run", who.len())
            }
        }
    }
}

impl Spot {
    /// Whether a change here may have caused that difference: it is at the same path or around it or, if that can
    /// matter, inside it. A change of mode, owner or group can only cause a difference in the mode, owner or group of
    /// the same path.
    fn reaches(&self, off: &Self) -> bool {
        if self.path == off.path {
            return self.whole || !off.whole;
        }
        self.whole && (off.path.starts_with(&self.path) || off.whole && self.path.starts_with(&off.path))
    }
}
