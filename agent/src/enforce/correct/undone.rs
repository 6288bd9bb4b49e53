//! Who put a resource off in this run, as far as it can be told.

use std::path::Path;

use super::super::Subject;
use super::{Correct, Pass};

/// So many are named.
const NAMED: usize = 3;

impl Correct<'_, '_, '_> {
    /// Why a resource is off, where it was as wanted in this run before.
    pub(super) fn why_again(&mut self, index: usize) -> Option<String> {
        let undone = self.undone_by(index);
        match self.pass {
            Pass::First => undone,
            Pass::Second => {
                let why = undone.or_else(|| {
                    self.made.contains_key(&index).then(|| "what was set in this run did not last".to_owned())
                });
                why.map(|why| format!("{why}; corrected once more"))
            }
        }
    }

    /// `undone by package[a] in this run`; none where nobody acted since it was as wanted.
    pub(super) fn undone_by(&mut self, index: usize) -> Option<String> {
        self.undoers(index);
        self.suspects.get(&index).map(|who| self.undone(index, who))
    }

    /// The same, of one that is done once: by others only where they can be named.
    pub(super) fn undone_by_few(&self, index: usize) -> Option<String> {
        self.suspects.get(&index).filter(|who| who.len() <= NAMED).map(|who| self.undone(index, who))
    }

    /// Finds who may have put a resource off since it was last as wanted.
    fn undoers(&mut self, index: usize) {
        let before = self.suspects.remove(&index);
        let Some(mut who) = self.view.acted_since(index).filter(|who| !who.is_empty()) else { return };
        // Who could have done it both times did it, and who works on the same path rather than others.
        narrow(&mut who, |other| before.as_ref().is_some_and(|before| before.contains(&other)));
        narrow(&mut who, |other| share_a_path(&self.subjects[index], &self.subjects[other]));
        narrow(&mut who, |other| self.may_undo(index, other));
        self.suspects.insert(index, who);
    }

    /// Whether one works on the same path as another, or may have done anything.
    fn may_undo(&self, index: usize, other: usize) -> bool {
        let (one, other) = (&self.subjects[index], &self.subjects[other]);
        share_a_path(one, other) || other.provider.acts_anywhere()
    }

    /// Who did it; where nobody is known to work on the same, only that somebody acted.
    fn undone(&self, index: usize, who: &[usize]) -> String {
        let names: Vec<_> =
            who.iter().take(NAMED).map(|i| self.subjects[*i].resource.reference.to_string()).collect();
        let is_told = who.iter().any(|other| self.may_undo(index, *other));
        match (&names[..], who.len()) {
            (names, 1..=NAMED) if !is_told => {
                format!("off again once {} had acted in this run", names.join(" and "))
            }
            (_, all) if !is_told => format!("off again once {all} other resources had acted in this run"),
            ([one], 1) => format!("undone by {one} in this run"),
            (names, 2..=NAMED) => format!("undone in this run by {}", names.join(" or ")),
            (_, all) => format!("undone in this run by one of the {all} resources that acted after it"),
        }
    }
}

/// Keeps those that are meant, if there are any.
fn narrow(who: &mut Vec<usize>, mut is_meant: impl FnMut(usize) -> bool) {
    let meant: Vec<usize> = who.iter().copied().filter(|index| is_meant(*index)).collect();
    if !meant.is_empty() {
        *who = meant;
    }
}

/// Whether two work on one path, or on one below the other's.
fn share_a_path(one: &Subject<'_>, other: &Subject<'_>) -> bool {
    let within = |path: &str, top: &str| Path::new(path).starts_with(top);
    let paths = one.paths();
    other.paths().iter().any(|other| paths.iter().any(|path| within(path, other) || within(other, path)))
}
