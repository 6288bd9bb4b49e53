//! Who put a resource off in this run, as far as it can be told.

use std::path::Path;

use super::{Correct, Pass};

/// So many are named.
const NAMED: usize = 3;

/// Who may have put a resource off.
pub(super) struct Suspects {
    who: Vec<usize>,
    /// They work on the same path, or may have done anything; otherwise they only acted.
    may_do_it: bool,
}

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
        self.find_suspects(index);
        self.suspects.get(&index).map(|suspects| self.undone(suspects))
    }

    /// The same, of one that is done once: by others only where they can be named.
    pub(super) fn undone_by_few(&self, index: usize) -> Option<String> {
        let suspects = self.suspects.get(&index).filter(|suspects| suspects.who.len() <= NAMED);
        suspects.map(|suspects| self.undone(suspects))
    }

    /// Finds who may have put a resource off since it was last as wanted.
    fn find_suspects(&mut self, index: usize) {
        let before = self.suspects.remove(&index);
        let Some(mut who) = self.view.acted_since(index).filter(|who| !who.is_empty()) else { return };
        // Who could have done it both times did it, and who works on the same path rather than others.
        narrow(&mut who, |other| before.as_ref().is_some_and(|before| before.who.contains(&other)));
        let paths = self.subjects[index].paths();
        let may_do_it = narrow(&mut who, |other| share_a_path(&paths, &self.subjects[other].paths()))
            || narrow(&mut who, |other| self.subjects[other].provider.acts_anywhere());
        self.suspects.insert(index, Suspects { who, may_do_it });
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

/// Keeps those that are meant, if there are any; answers whether there are.
fn narrow(who: &mut Vec<usize>, mut is_meant: impl FnMut(usize) -> bool) -> bool {
    let meant: Vec<usize> = who.iter().copied().filter(|index| is_meant(*index)).collect();
    let are_any = !meant.is_empty();
    if are_any {
        *who = meant;
    }
    are_any
}

/// Whether two work on one path, or on one below the other's.
fn share_a_path(one: &[&str], other: &[&str]) -> bool {
    let within = |path: &str, top: &str| Path::new(path).starts_with(top);
    other.iter().any(|other| one.iter().any(|path| within(path, other) || within(other, path)))
}
