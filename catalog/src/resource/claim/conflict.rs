//! Which resources of a catalog claim one thing.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use super::clash::{self, Clash, clash};
use super::{Claim, ClaimTarget, FilePiece, Hold};

/// Two resources that claim one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The earlier one, by its index.
    pub first: usize,
    pub second: usize,
    pub thing: ClaimTarget,
    /// What both of them manage, for people.
    pub what: String,
    pub help: &'static str,
}

/// The most pairs of lines of one file that are compared by their patterns: a pattern costs time for each line, and
/// data may contain many. Beyond that, only lines that are equal word for word are found.
const MAX_LINE_PAIRS: usize = 250_000;

type Holders<'c> = Vec<(usize, &'c Hold)>;

/// All pairs of resources that claim one thing, each pair once, in order; `claims` has those of each resource.
pub fn conflicts(claims: &[Vec<Claim>]) -> Vec<Conflict> {
    let homes = homes(claims);
    let mut by_thing: BTreeMap<ClaimTarget, Holders<'_>> = BTreeMap::new();
    for (index, claims) in claims.iter().enumerate() {
        for claim in claims {
            by_thing.entry(placed(&claim.thing, &homes)).or_default().push((index, &claim.hold));
        }
    }
    let mut found = Clashes::default();
    for (thing, held) in &by_thing {
        let several = held.iter().any(|(index, _)| *index != held[0].0);
        if several {
            found.look(thing, held);
        }
    }
    found.below(&by_thing);
    found.within(&by_thing);
    let conflict = |((first, second), (thing, clash)): ((usize, usize), (ClaimTarget, Clash))| Conflict {
        first,
        second,
        thing,
        what: clash.what,
        help: clash.help,
    };
    found.0.into_iter().map(conflict).collect()
}

/// Home directories of users, as far as the catalog sets them.
fn homes(claims: &[Vec<Claim>]) -> HashMap<&str, &str> {
    let all = claims.iter().flatten();
    all.filter_map(|claim| match (&claim.thing, &claim.hold) {
        (ClaimTarget::Path(path), Hold::Home(user)) => Some((user.as_str(), path.as_str())),
        _ => None,
    })
    .collect()
}

/// A thing, in which a path below a home directory is completed with the catalog's home, or else with the usual one.
fn placed(thing: &ClaimTarget, homes: &HashMap<&str, &str>) -> ClaimTarget {
    let ClaimTarget::InHome { user, below } = thing else { return thing.clone() };
    let usual = || if user == "root" { "/root".to_owned() } else { format!("/home/{user}") };
    let home = homes.get(user.as_str()).map_or_else(usual, |home| (*home).to_owned());
    match below.as_str() {
        "" => ClaimTarget::Path(home),
        below => ClaimTarget::Path(format!("{}/{below}", home.trim_end_matches('/'))),
    }
}

/// The clash with the lowest rank of each pair.
#[derive(Default)]
struct Clashes(BTreeMap<(usize, usize), (ClaimTarget, Clash)>);

impl Clashes {
    /// Compares the holds of one thing. What has a name is compared by it, and what already has a conflict is compared
    /// no further, so the time that this takes grows only with the catalog.
    fn look(&mut self, thing: &ClaimTarget, held: &Holders<'_>) {
        let mut whole: Holders<'_> = Vec::new();
        let mut parts: Holders<'_> = Vec::new();
        for (index, hold) in held {
            match hold {
                Hold::Tree | Hold::Home(_) | Hold::Links => {}
                Hold::Piece(..) | Hold::Member(_) | Hold::SaidOfPart(_) | Hold::Taken => {
                    parts.push((*index, hold));
                }
                _ => {
                    let mut rivals = whole.iter().filter(|one| self.compare(thing, **one, (*index, hold)));
                    if rivals.next().is_none() && !whole.iter().any(|(_, known)| known == hold) {
                        whole.push((*index, hold));
                    }
                }
            }
        }
        for one in whole {
            parts.iter().for_each(|part| {
                self.compare(thing, one, *part);
            });
        }
        self.pieces(thing, &parts);
    }

    /// Compares what must not be a directory with what others want below it. One conflict for each is enough.
    fn below(&mut self, by_thing: &BTreeMap<ClaimTarget, Holders<'_>>) {
        let wanted: BTreeMap<&str, Vec<usize>> = by_thing
            .iter()
            .filter_map(|(thing, held)| {
                let ClaimTarget::Path(path) = thing else { return None };
                let who = held.iter().filter(|(_, hold)| hold.is_wanted()).map(|(index, _)| *index);
                Some((path.as_str(), who.collect::<Vec<_>>())).filter(|(_, who)| !who.is_empty())
            })
            .collect();
        for (thing, held) in by_thing {
            let ClaimTarget::Path(path) = thing else { continue };
            let nothing = held.iter().find_map(|(index, hold)| Some((*index, clash::holds_nothing(hold)?)));
            let Some((index, is)) = nothing else { continue };
            let inside = format!("{}/", path.trim_end_matches('/'));
            let from = (Bound::Included(inside.as_str()), Bound::Unbounded);
            let below = wanted.range::<str, _>(from).take_while(|(path, _)| path.starts_with(&inside));
            let rival = below
                .flat_map(|(path, who)| who.iter().map(move |who| (*path, *who)))
                .find(|(_, who)| *who != index);
            if let Some((inner, other)) = rival {
                let pair = (index.min(other), index.max(other));
                self.0.entry(pair).or_insert_with(|| (thing.clone(), clash::below(thing, is, inner)));
            }
        }
    }

    /// Compares what one resource makes with everything in it with purges inside: they would remove its content.
    fn within(&mut self, by_thing: &BTreeMap<ClaimTarget, Holders<'_>>) {
        let whole: BTreeMap<&str, usize> = by_thing
            .iter()
            .filter_map(|(thing, held)| {
                let ClaimTarget::Path(path) = thing else { return None };
                let holds =
                    |who: usize, hold: &Hold| held.iter().any(|(index, is)| *index == who && *is == hold);
                let tree =
                    held.iter().find(|(who, hold)| **hold == Hold::Tree && holds(*who, &Hold::Content));
                tree.map(|(who, _)| (path.as_str(), *who))
            })
            .collect();
        if whole.is_empty() {
            return;
        }
        for (thing, held) in by_thing {
            let ClaimTarget::Path(path) = thing else { continue };
            let purge = held.iter().find(|(_, hold)| clash::is_purge(hold)).map(|(who, _)| *who);
            let Some(purge) = purge else { continue };
            let around = path.match_indices('/').filter_map(|(end, _)| path.get(..end));
            let Some((top, who)) = around.filter_map(|top| whole.get_key_value(top)).next_back() else {
                continue;
            };
            let pair = (purge.min(*who), purge.max(*who));
            if purge != *who {
                self.0.entry(pair).or_insert_with(|| (thing.clone(), clash::within(thing, top)));
            }
        }
    }

    /// Compares pieces of one file with each other.
    fn pieces(&mut self, thing: &ClaimTarget, parts: &Holders<'_>) {
        let mut named = HashMap::new();
        let (mut lines, mut settings): (Holders<'_>, Holders<'_>) = (Vec::new(), Vec::new());
        for (index, hold) in parts {
            let Hold::Piece(piece, _) = hold else { continue };
            match piece {
                FilePiece::Line { .. } => {
                    lines.push((*index, hold));
                    continue;
                }
                FilePiece::Setting { .. } => settings.push((*index, hold)),
                FilePiece::Entry { .. } => {}
            }
            let first = *named.entry(name(piece)).or_insert((*index, *hold));
            self.compare(thing, first, (*index, hold));
        }
        if lines.len() * (lines.len() + settings.len()) > MAX_LINE_PAIRS {
            self.twins(thing, &lines);
            return;
        }
        for (at, one) in lines.iter().enumerate() {
            let mut others = lines[at + 1..].iter().chain(&settings);
            others.find(|other| self.compare(thing, *one, **other));
        }
    }

    /// If there are too many lines to compare by patterns, finds those that are equal word for word.
    fn twins(&mut self, thing: &ClaimTarget, lines: &Holders<'_>) {
        let mut known = HashMap::new();
        for (index, hold) in lines {
            let Hold::Piece(FilePiece::Line { text: Some(text), .. }, _) = hold else { continue };
            let first = *known.entry(text.expose().to_string()).or_insert((*index, *hold));
            self.compare(thing, first, (*index, hold));
        }
    }

    /// Compares two holds, stores the clash, and returns whether there is one.
    fn compare(&mut self, thing: &ClaimTarget, one: (usize, &Hold), other: (usize, &Hold)) -> bool {
        if one.0 == other.0 {
            return false;
        }
        let Some(clash) = clash(thing, one.1, other.1) else { return false };
        let pair = (one.0.min(other.0), one.0.max(other.0));
        let known = self.0.entry(pair).or_insert_with(|| (thing.clone(), clash.clone()));
        if clash.rank < known.1.rank {
            *known = (thing.clone(), clash);
        }
        true
    }
}

/// What identifies a piece of a file.
fn name(piece: &FilePiece) -> (&str, &str, &str) {
    match piece {
        FilePiece::Entry { of, name } => (of, name, ""),
        FilePiece::Setting { section, key, .. } => ("setting", section, key),
        FilePiece::Line { .. } => ("line", "", ""),
    }
}
