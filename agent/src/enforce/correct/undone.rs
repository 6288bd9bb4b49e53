//! Who put a resource off in this run, as far as it can be told.

use std::path::{Path, PathBuf};

use super::super::check::Verdict;
use super::{Correct, Pass};
use crate::provider::ChangeKind;

/// So many are named.
const NAMED: usize = 3;

pub(super) const DID_NOT_LAST: &str = "what was set in this run did not last";
pub(super) const ONCE_MORE: &str = "corrected once more";

/// Of these, nobody is to blame who works on something below the path.
const SIDES: [&str; 3] = ["mode", "owner", "group"];

/// Who may have put a resource off.
pub(super) struct Suspects {
    who: Vec<usize>,
    /// They work on the same path, or may have done anything; otherwise they only acted.
    may_do_it: bool,
}

/// A path that is off.
struct Off {
    path: PathBuf,
    /// Whether what stands below it may have put it off.
    whole: bool,
}

impl Correct<'_, '_, '_> {
    /// Why a resource is off, where it was as wanted in this run before.
    pub(super) fn why_again(&mut self, index: usize) -> Option<String> {
        let undone = self.undone_by(index);
        match self.pass {
            Pass::First => undone,
            Pass::Second => {
                let why = undone.or_else(|| self.made.contains_key(&index).then(|| DID_NOT_LAST.to_owned()));
                why.map(|why| format!("{why}; {ONCE_MORE}"))
            }
        }
    }

    /// `undone by package[a] in this run`; none where nobody acted since it was as wanted.
    pub(super) fn undone_by(&mut self, index: usize) -> Option<String> {
        self.find_suspects(index);
        self.suspects.get(&index).map(|suspects| self.undone(suspects))
    }

    /// Finds who may have put a resource off since it was last as wanted.
    fn find_suspects(&mut self, index: usize) {
        let before = self.suspects.remove(&index);
        let Some(mut who) = self.view.acted_since(index).filter(|who| !who.is_empty()) else { return };
        // Who can do anything is a suspect whenever it acted, whoever works on the same path.
        let anywhere = |other: usize| self.subjects[other].provider.acts_anywhere();
        // Who could have done it both times did it.
        let was = |other: usize| before.as_ref().is_some_and(|before| before.who.contains(&other));
        if who.iter().any(|other| was(*other)) {
            who.retain(|other| was(*other) || anywhere(*other));
        }
        let off = self.off_at(index);
        let may = |other: usize| anywhere(other) || works_on(&self.subjects[other].paths(), &off);
        let may_do_it = who.iter().any(|other| may(*other));
        who.retain(|other| !may_do_it || may(*other));
        self.suspects.insert(index, Suspects { who, may_do_it });
    }

    /// The paths that are off by the latest look; all that the resource names, where nothing more is known.
    fn off_at(&self, index: usize) -> Vec<Off> {
        let paths = self.subjects[index].paths();
        let all = |whole| paths.iter().map(move |path| Off { path: (*path).into(), whole });
        let Verdict::Changes(changes) = self.view.latest(index) else { return all(true).collect() };
        let to_do = changes.iter().filter(|change| change.kind != ChangeKind::Note);
        to_do
            .flat_map(|change| {
                let whole = !SIDES.contains(&&*change.property);
                all(whole).map(|mut off| {
                    off.path.extend(change.path.as_deref());
                    off
                })
            })
            .collect()
    }

    /// Who did it; where nobody is known to work on the same, only that somebody acted.
    fn undone(&self, Suspects { who, may_do_it }: &Suspects) -> String {
        let names: Vec<_> =
            who.iter().take(NAMED).map(|i| self.subjects[*i].resource.reference.to_string()).collect();
        match (&names[..], who.len()) {
            (names, 1..=NAMED) if !may_do_it => {
                format!("off again once {} had acted in this run", names.join(" and "))
            }
            (_, all) if !may_do_it => format!("off again once {all} other resources had acted in this run"),
            ([one], 1) => format!("undone by {one} in this run"),
            (names, 2..=NAMED) => format!("undone in this run by {}", names.join(" or ")),
            (_, all) => format!("undone in this run by one of the {all} resources that acted after it"),
        }
    }
}

/// Whether one who works on these paths may have put one of those off: it names it, or something around it, or, where that
/// can matter, something in it.
fn works_on(paths: &[&str], off: &[Off]) -> bool {
    let mut pairs = off.iter().flat_map(|off| paths.iter().map(move |path| (off, Path::new(path))));
    pairs.any(|(off, path)| off.path.starts_with(path) || off.whole && path.starts_with(&off.path))
}
