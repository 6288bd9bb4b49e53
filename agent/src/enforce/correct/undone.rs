//! Who put a resource off in this run, as far as it can be told.

use std::path::PathBuf;

use super::super::check::Verdict;
use super::{Correct, CorrectionPass};
use crate::provider::{Change, ChangeKind};

/// So many are named.
const NAMED: usize = 3;

pub(super) const DID_NOT_LAST: &str = "what was set in this run did not last";
pub(super) const ONCE_MORE: &str = "corrected once more";

/// Sides of a path that are changed alone.
const SIDES: [&str; 3] = ["mode", "owner", "group"];

/// Who may have put a resource off.
pub(super) struct Suspects {
    who: Vec<usize>,
    evidence: Evidence,
}

/// What speaks for it that it was one of the suspects.
#[derive(Clone, Copy)]
enum Evidence {
    /// They changed what is off, and nobody else acted who may do anything.
    Work,
    /// One of them may do anything. Whatever else is on the machine may have done it at that time, too.
    Chance,
    /// They acted, and on other things.
    Time,
}

/// A path that is off, or that was changed.
pub(super) struct Spot {
    path: PathBuf,
    /// Whether all of it is, and not only its mode, owner or group.
    whole: bool,
}

impl Correct<'_, '_, '_> {
    /// Why a resource is off, where it was as wanted in this run before.
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

    /// `undone by file[/a] in this run`; none where nobody acted since it was as wanted.
    pub(super) fn undone_by(&mut self, index: usize) -> Option<String> {
        self.find_suspects(index);
        self.suspects.get(&index).map(|suspects| self.undone(suspects))
    }

    /// Finds who may have put a resource off since it was last as wanted.
    fn find_suspects(&mut self, index: usize) {
        let before = self.suspects.remove(&index);
        if self.view.latest(index).is_by_itself() {
            return;
        }
        let Some(mut who) = self.view.acted_since(index).filter(|who| !who.is_empty()) else { return };
        // Who can do anything is a suspect whenever it acted, no matter who works on the same path.
        let anywhere = |other: usize| self.subjects[other].provider.acts_anywhere();
        // Who could have done it both times did it.
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

    /// Takes down what a resource is about to change.
    pub(super) fn works_on(&mut self, index: usize, changes: &[Change]) {
        let spots = self.spots(index, changes);
        self.worked.entry(index).or_default().extend(spots);
    }

    /// What is off by the latest look; all that the resource names, where nothing more is known.
    fn off_at(&self, index: usize) -> Vec<Spot> {
        let paths = self.subjects[index].paths();
        match self.view.latest(index) {
            Verdict::Changes(changes) => self.spots(index, changes),
            _ => paths.iter().map(|path| Spot { path: (*path).into(), whole: true }).collect(),
        }
    }

    /// What these changes of a resource are changes of.
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

    /// Who did it, or may have, or only acted.
    fn undone(&self, Suspects { who, evidence }: &Suspects) -> String {
        let names: Vec<_> =
            who.iter().take(NAMED).map(|i| self.subjects[*i].resource.reference.to_string()).collect();
        let is_few = who.len() <= NAMED;
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
    /// Whether a change here may have put that off: it is the same or around it, or, where that can matter, in it. A mode,
    /// owner or group is at most another mode, owner or group of the same.
    fn reaches(&self, off: &Self) -> bool {
        if self.path == off.path {
            return self.whole || !off.whole;
        }
        self.whole && (off.path.starts_with(&self.path) || off.whole && self.path.starts_with(&off.path))
    }
}
