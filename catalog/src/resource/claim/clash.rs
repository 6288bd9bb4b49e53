//! When two holds of one thing conflict, and the message about it.

use super::{ClaimTarget, FilePiece, Hold, PathKind};
use crate::resource::attribute::Presence;

/// A conflict, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clash {
    /// Of several clashes of a pair of resources, the one with the lowest rank is shown, which says most.
    pub(super) rank: u8,
    pub(super) what: String,
    pub(super) help: &'static str,
}

const ONCE: &str = "declare it once";
const STANDING: &str = "remove one of the two: each run would undo what the other did";
const BELOW: &str = "remove one of the two, or move it: only a directory can contain something";
const CONTENT: &str = "manage the file with one resource, or manage only parts of it";
const WITHIN: &str = "remove `purge`: each run would remove what the other puts there; use only `recurse` for owner, group and mode";
const PART: &str = "declare it once, with the settings of both";
const LINES: &str = "write `match` so that it finds no line of the other, or make it one resource";
const LIST: &str = "set it in one place: name the member in the list, or do not manage the whole list";
const TAKEN: &str = "change one of the two, or set it for both";
const SAID: &str = "remove one of the two, or give both the same value";

/// How two holds of a thing conflict; `None` if they are compatible. The order of the two does not matter.
pub(super) fn clash(thing: &ClaimTarget, one: &Hold, other: &Hold) -> Option<Clash> {
    one_way(thing, one, other).or_else(|| one_way(thing, other, one))
}

fn one_way(thing: &ClaimTarget, one: &Hold, other: &Hold) -> Option<Clash> {
    let clash = |rank, what: String, help| Some(Clash { rank, what, help });
    match (one, other) {
        (Hold::Standing(a), Hold::Standing(b)) if a != b => {
            clash(0, format!("what is at {thing}: {a}, and {b}"), STANDING)
        }
        (Hold::Standing(a), other) if is_denied(*a, other) => {
            let b = if matches!(other, Hold::Something) { "something" } else { "a file" };
            clash(0, format!("what is at {thing}: {a}, and {b}"), STANDING)
        }
        (Hold::Content | Hold::Seed, Hold::Content | Hold::Seed) => {
            clash(1, format!("the content of {thing}"), CONTENT)
        }
        (Hold::Content, Hold::Piece(piece, _)) => {
            clash(1, format!("the content of {thing}: all of it, and {}", words(piece)), CONTENT)
        }
        (Hold::Rest(_), Hold::Content | Hold::Seed | Hold::Rest(_)) => {
            clash(1, format!("the content of {thing}"), CONTENT)
        }
        (Hold::Rest(kind), Hold::Piece(piece, _)) if !is_of(piece, kind) => {
            clash(1, format!("the content of {thing}: all of it, and {}", words(piece)), CONTENT)
        }
        (Hold::Piece(a, there), Hold::Piece(b, other)) => piece_clash(thing, (a, *there), (b, *other)),
        (Hold::Side(a), Hold::Side(b)) if a == b => clash(4, format!("the {a} of {thing}"), ONCE),
        (Hold::Whole, Hold::Whole | Hold::Side(_)) => clash(0, thing.to_string(), ONCE),
        (Hold::Whole, Hold::Taken) => clash(0, thing.to_string(), TAKEN),
        (Hold::Members(a), Hold::Members(b)) if a != b => {
            clash(3, format!("all of {thing}, differently"), LIST)
        }
        (Hold::Members(all), Hold::Member(one)) if !all.contains(one) => {
            clash(3, format!("{thing}: all of them, and `{one}`, who is not among them"), LIST)
        }
        (Hold::Said(a), Hold::Said(b) | Hold::SaidOfPart(b)) if a != b => {
            clash(3, format!("{thing}: {a}, and {b}"), SAID)
        }
        _ => None,
    }
}

/// Whether what is at a path rules out a hold of its content.
fn is_denied(standing: PathKind, hold: &Hold) -> bool {
    let needs_a_file = matches!(hold, Hold::Seed | Hold::Piece(_, Presence::Present) | Hold::Rest(_));
    match standing {
        PathKind::File => false,
        PathKind::Directory | PathKind::Symlink => needs_a_file && !is_purge(hold),
        PathKind::Nothing => needs_a_file || matches!(hold, Hold::Content | Hold::Something),
    }
}

/// If a hold of a path means that nothing can be below it, what that says is there.
pub(super) fn holds_nothing(hold: &Hold) -> Option<&'static str> {
    match hold {
        Hold::Standing(PathKind::Nothing) => Some("nothing"),
        Hold::Standing(PathKind::File) => Some("a file"),
        _ => None,
    }
}

/// The clash if one thing is not a directory, and another one should be in it.
pub(super) fn below(thing: &ClaimTarget, is: &str, inner: &str) -> Clash {
    Clash { rank: 0, what: format!("what is at {thing}: {is}, and `{inner}` in it"), help: BELOW }
}

/// Whether a hold removes from a directory what no resource claims.
pub(super) fn is_purge(hold: &Hold) -> bool {
    matches!(hold, Hold::Rest(kind) if *kind == super::MEMBER)
}

/// The clash if one resource purges in what another makes with everything in it.
pub(super) fn within(thing: &ClaimTarget, top: &str) -> Clash {
    Clash {
        rank: 1,
        what: format!("the content of {thing}: everything in `{top}`, and nothing else"),
        help: WITHIN,
    }
}

fn is_of(piece: &FilePiece, kind: &str) -> bool {
    matches!(piece, FilePiece::Entry { of, .. } if *of == kind)
}

/// A piece, for people; nothing of a line, which may be secret.
fn words(piece: &FilePiece) -> String {
    match piece {
        FilePiece::Entry { of, name } if name.chars().count() > 60 => format!("the {of} `{:.24}…`", name),
        FilePiece::Entry { of, name } => format!("the {of} `{name}`"),
        FilePiece::Setting { section, key, .. } if section.is_empty() => format!("the setting `{key}`"),
        FilePiece::Setting { section, key, .. } => format!("the setting `{key}` of `[{section}]`"),
        FilePiece::Line { .. } => "a line of it".to_owned(),
    }
}

fn piece_clash(
    thing: &ClaimTarget,
    one: (&FilePiece, Presence),
    other: (&FilePiece, Presence),
) -> Option<Clash> {
    let clash = |what: String, help| Some(Clash { rank: 2, what, help });
    match (one, other) {
        ((a @ FilePiece::Entry { .. }, _), (b, _)) if a == b => {
            clash(format!("{} in {thing}", words(a)), ONCE)
        }
        (
            (a @ FilePiece::Setting { section, key, .. }, _),
            (FilePiece::Setting { section: s, key: k, .. }, _),
        ) if (section, key) == (s, k) => clash(format!("{} in {thing}", words(a)), PART),
        ((FilePiece::Line { .. }, _), (FilePiece::Line { .. }, _)) if same_line(one, other) => {
            clash(format!("the same line of {thing}"), ONCE)
        }
        (
            (FilePiece::Line { finds, text }, there),
            (FilePiece::Line { text: Some(line), .. }, Presence::Present),
        ) => {
            let replaces =
                there == Presence::Absent || text.as_ref().is_none_or(|text| text.expose() != line.expose());
            let found = finds.as_ref().is_some_and(|finds| finds.finds(&line.expose()));
            (found && replaces).then(|| Clash {
                rank: 2,
                what: format!("a line of {thing}: `match` of one finds the line of the other"),
                help: LINES,
            })
        }
        ((FilePiece::Line { finds, text }, _), (setting @ FilePiece::Setting { section, key, line }, _)) => {
            let found = line.as_ref().zip(finds.as_ref());
            let found = found.is_some_and(|(line, finds)| finds.finds(&line.expose()));
            let sets = text.as_ref().is_some_and(|text| section.is_empty() && sets(&text.expose(), key));
            if found || sets { clash(format!("{} in {thing}", words(setting)), PART) } else { None }
        }
        _ => None,
    }
}

/// Whether both are about one line, word for word, and match no others.
fn same_line(one: (&FilePiece, Presence), other: (&FilePiece, Presence)) -> bool {
    let line = |piece: &FilePiece| match piece {
        FilePiece::Line { text, .. } => text.as_ref().map(crate::resource::attribute::Secret::expose),
        _ => None,
    };
    line(one.0).is_some() && line(one.0) == line(other.0)
}

/// Whether a line sets this key.
fn sets(line: &str, key: &str) -> bool {
    let rest = line.trim_start().strip_prefix(key);
    rest.is_some_and(|rest| rest.trim_start().starts_with(['=', ':']))
}
