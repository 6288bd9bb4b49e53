//! Paths of levels: text with `${node.…}`, `${facts.…}` and `${profile}`, resolved for one node.
//!
//! This is deliberately not the expression language: a path decides whose data a node reads, so it contains only plain
//! names, and each value must match a grammar before it becomes part of a path.

use std::sync::Arc;

use holdfast_catalog::facts::Facts;
use holdfast_catalog::origin::Origin;

use crate::diagnostic::{Code, Diagnostic};
use crate::inventory::Node;
use crate::language::document::Item;

/// The folder that patterns are relative to.
pub const FOLDER: &str = "hieradata";

/// A path that contains names.
#[derive(Debug, Clone)]
pub struct PathPattern {
    /// The text, as written.
    pub text: Arc<str>,
    /// The place of the text.
    pub origin: Arc<Origin>,
    parts: Vec<PatternPart>,
}

#[derive(Debug, Clone, PartialEq)]
enum PatternPart {
    Text(Arc<str>),
    Node(NodeField),
    Label(Arc<str>),
    Fact(Arc<[Arc<str>]>),
    Profile,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum NodeField {
    Certname,
    Reseller,
    Customer,
    Role,
    Stage,
}

/// A way to read a path: its pieces in order, each with the name that it is the value of (empty for literal text), name
/// first.
pub type PathReading = Vec<(String, String)>;

/// Where a pattern leads for one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A path from the repository's root.
    Path(Arc<str>),
    /// Nowhere: the node does not have a fact or a label that is in the pattern.
    Skipped {
        /// The reason, in a few words.
        why: String,
    },
}

const NAMES: &str = "node.certname, node.reseller, node.customer, node.role, node.stage, node.labels.NAME, facts.… or profile";

impl PathPattern {
    pub(super) fn read(item: &Item, problems: &mut Vec<Diagnostic>) -> Option<Self> {
        let Some(text) = item.as_str() else {
            problems.push(item.not("path", "a string"));
            return None;
        };
        match parse(text) {
            Ok(parts) => Some(Self { text: text.clone(), origin: item.origin.clone(), parts }),
            Err(problem) => {
                problems.push(Diagnostic::error(Code::BadPath, problem, Origin::clone(&item.origin)));
                None
            }
        }
    }

    /// Whether it depends on a fact.
    pub fn holds_fact(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, PatternPart::Fact(_)))
    }

    /// The labels in it.
    pub fn labels(&self) -> impl Iterator<Item = &Arc<str>> {
        self.parts
            .iter()
            .filter_map(|part| if let PatternPart::Label(label) = part { Some(label) } else { None })
    }

    /// Whether it has a file for each profile.
    pub fn holds_profile(&self) -> bool {
        self.parts.contains(&PatternPart::Profile)
    }

    /// Where it leads for a node. `profile` is the class's name without `profile::`, for patterns that contain it.
    ///
    /// # Errors
    /// Returns an error if a fact cannot be part of a path.
    pub fn locate(&self, node: &Node, facts: &Facts, profile: &str) -> Result<Location, Diagnostic> {
        let mut path = format!("{FOLDER}/");
        for part in &self.parts {
            match part {
                PatternPart::Text(text) => path.push_str(text),
                PatternPart::Node(field) => path.push_str(field.of(node)),
                PatternPart::Profile => path.push_str(&profile.replace("::", "/")),
                PatternPart::Label(label) => match node.labels.get(label) {
                    Some(value) => path.push_str(value),
                    None => return Ok(Location::Skipped { why: format!("no label {label}") }),
                },
                PatternPart::Fact(names) => match facts.get(names.iter().map(|name| &**name)) {
                    Some(value) if !value.is_null() => match value.scalar_text().filter(|text| is_safe(text))
                    {
                        Some(text) => path.push_str(&text),
                        None => return Err(self.unsafe_fact(names)),
                    },
                    _ => return Ok(Location::Skipped { why: format!("no fact {}", names.join(".")) }),
                },
            }
        }
        Ok(Location::Path(path.into()))
    }

    /// Whether some node, fact or profile could lead to this path.
    pub fn could_be(&self, path: &str) -> bool {
        let Some(rest) = path.strip_prefix(FOLDER).and_then(|rest| rest.strip_prefix('/')) else {
            return false;
        };
        could_match(&self.parts, rest)
    }

    /// The ways in which a path can match this pattern: the pieces, each with the name that it is the value of; that
    /// name is empty for literal text.
    pub fn readings(&self, path: &str) -> Vec<PathReading> {
        let mut all = Vec::new();
        if let Some(rest) = path.strip_prefix(FOLDER).and_then(|rest| rest.strip_prefix('/')) {
            read_parts(&self.parts, rest, &mut Vec::new(), &mut all);
        }
        all
    }

    /// Whether a path begins like this pattern: such a file was meant for its level.
    pub fn begins(&self, path: &str) -> bool {
        let Some(PatternPart::Text(text)) = self.parts.first() else { return false };
        path.strip_prefix(FOLDER)
            .and_then(|rest| rest.strip_prefix('/'))
            .is_some_and(|rest| rest.starts_with(&**text))
    }

    /// The error for a fact that cannot be part of a path. Its value may be hostile, so it is not quoted.
    fn unsafe_fact(&self, names: &[Arc<str>]) -> Diagnostic {
        let message = format!("the fact `{}` of this node cannot be part of a path", names.join("."));
        Diagnostic::error(Code::BadFact, message, Origin::clone(&self.origin)).help(
            "in a path, a fact has letters, digits, `.`, `_` and `-`, beginning with a letter or digit, at most 64",
        )
    }
}

impl NodeField {
    fn named(name: &str) -> Option<Self> {
        match name {
            "certname" => Some(Self::Certname),
            "reseller" => Some(Self::Reseller),
            "customer" => Some(Self::Customer),
            "role" => Some(Self::Role),
            "stage" => Some(Self::Stage),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Certname => "certname",
            Self::Reseller => "reseller",
            Self::Customer => "customer",
            Self::Role => "role",
            Self::Stage => "stage",
        }
    }

    fn of(self, node: &Node) -> &str {
        match self {
            Self::Certname => node.certname.as_str(),
            Self::Reseller => node.reseller.as_str(),
            Self::Customer => node.customer.as_str(),
            Self::Role => &node.role,
            Self::Stage => node.stage.name(),
        }
    }
}

fn parse(text: &str) -> Result<Vec<PatternPart>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').ok_or("a `${` is not closed")?;
        if !before.is_empty() {
            parts.push(PatternPart::Text(before.into()));
        }
        parts.push(
            part(name.trim()).ok_or_else(|| format!("`{name}` cannot be used in a path: write {NAMES}"))?,
        );
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(PatternPart::Text(rest.into()));
    }
    let is_relative = !text.starts_with('/') && text.split('/').all(|s| !s.is_empty() && !s.starts_with('.'));
    if !is_relative || !text.ends_with(".toml") {
        return Err(format!("`{text}` is not a path of a file below {FOLDER}/ that ends in .toml"));
    }
    Ok(parts)
}

fn part(name: &str) -> Option<PatternPart> {
    let segments: Vec<&str> = name.split('.').collect();
    if segments.iter().any(|s| s.is_empty() || !s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')) {
        return None;
    }
    match segments.as_slice() {
        ["profile"] => Some(PatternPart::Profile),
        ["node", "labels", label] => Some(PatternPart::Label((*label).into())),
        ["node", field] => NodeField::named(field).map(PatternPart::Node),
        ["facts", names @ ..] if !names.is_empty() => {
            Some(PatternPart::Fact(names.iter().map(|name| Arc::from(*name)).collect()))
        }
        _ => None,
    }
}

/// The grammar of a fact in a path: it cannot leave its segment or be a hidden file.
fn is_safe(text: &str) -> bool {
    text.len() <= 64
        && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        && !text.contains("..")
}

/// Whether text can match the parts. A name matches any text within one segment; `profile` may match several.
fn could_match(parts: &[PatternPart], text: &str) -> bool {
    match parts {
        [] => text.is_empty(),
        [PatternPart::Text(literal), rest @ ..] => {
            text.strip_prefix(&**literal).is_some_and(|text| could_match(rest, text))
        }
        [name, rest @ ..] => {
            let spans = |at: &usize| *name == PatternPart::Profile || !text[..*at].contains('/');
            let ends = text.char_indices().map(|(at, _)| at).skip(1).chain([text.len()]);
            ends.take_while(spans).any(|at| name.could_be(&text[..at]) && could_match(rest, &text[at..]))
        }
    }
}

/// The most readings of one path.
const MAX_READINGS: usize = 64;

fn read_parts(parts: &[PatternPart], text: &str, before: &mut PathReading, all: &mut Vec<PathReading>) {
    let Some((part, rest)) = parts.split_first() else {
        if text.is_empty() && all.len() < MAX_READINGS {
            all.push(before.clone());
        }
        return;
    };
    let mut ends = Vec::new();
    match part {
        PatternPart::Text(literal) => ends.extend(text.starts_with(&**literal).then_some(literal.len())),
        name => {
            let spans = |at: &usize| *name == PatternPart::Profile || !text[..*at].contains('/');
            let all_ends = text.char_indices().map(|(at, _)| at).skip(1).chain([text.len()]);
            ends.extend(all_ends.take_while(spans).filter(|at| *at > 0));
        }
    }
    for end in ends {
        before.push((part.name(), text[..end].to_owned()));
        read_parts(rest, &text[end..], before, all);
        before.pop();
    }
}

impl PatternPart {
    /// Whether some node could have this text in its place.
    fn could_be(&self, text: &str) -> bool {
        !matches!(self, Self::Fact(_)) || is_safe(text)
    }

    /// The name, as written; empty for text.
    fn name(&self) -> String {
        match self {
            Self::Text(_) => String::new(),
            Self::Node(field) => format!("node.{}", field.name()),
            Self::Label(label) => format!("node.labels.{label}"),
            Self::Fact(names) => format!("facts.{}", names.join(".")),
            Self::Profile => "profile".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
