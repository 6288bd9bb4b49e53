//! The one place where texts about a resource lose its secrets.
//!
//! Providers mask values that they know to be secret; this is for all the rest: what a command said, what an error quotes,
//! what stands in a diff.

mod pieces; // of secrets, in what tools say

use holdfast_catalog::resource::Attributes;
use holdfast_catalog::value::{Kind, MASK, Value};

use pieces::{Pieces, SHORTEST};

/// Shorter secrets stand in texts by chance: texts beside them are hidden whole.
const SHORT: usize = 4;

/// Beside other resources than its own, a secret of so many bytes is told from other text.
const TELLING: usize = 8;

/// The secrets of a resource, or of a catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Redact {
    /// It has none.
    Nothing,
    /// These are replaced, longest first; and pieces of them in what tools say.
    These(Vec<String>, Pieces),
    /// One is too short to be told from other text.
    Everything,
}

impl Redact {
    /// For one resource.
    pub(super) fn of(attributes: &Attributes) -> Self {
        let secrets = all(attributes);
        if secrets.iter().any(|secret| secret.len() < SHORT) {
            return Self::Everything;
        }
        Self::these(secrets, SHORT, SHORTEST)
    }

    /// For every resource of a catalog: what one is given another may print, as a service does that quotes its settings. A
    /// secret that may be a word of any text, such as `root`, is hidden beside its own resource alone.
    pub(super) fn of_all<'a>(resources: impl Iterator<Item = &'a Attributes>) -> Self {
        let secrets = resources.flat_map(all).filter(|secret| secret.len() >= TELLING);
        Self::these(secrets.collect(), TELLING, TELLING)
    }

    /// These, their lines of `least` bytes, and their pieces from `piece` bytes on.
    fn these(mut secrets: Vec<String>, least: usize, piece: usize) -> Self {
        if secrets.is_empty() {
            return Self::Nothing;
        }
        // A command quotes lines rather than whole files.
        let lines: Vec<_> =
            secrets.iter().flat_map(|s| s.lines()).map(|line| line.trim().to_owned()).collect();
        secrets.extend(lines.into_iter().filter(|line| line.len() >= least));
        secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        secrets.dedup();
        let pieces = Pieces::of(secrets.iter().map(String::as_str), piece);
        Self::These(secrets, pieces)
    }

    /// The text without secrets.
    pub(super) fn text(&self, text: String) -> String {
        match self {
            Self::Nothing => text,
            Self::These(secrets, _) => secrets.iter().fold(text, |text, secret| {
                if text.contains(secret.as_str()) { text.replace(secret.as_str(), MASK) } else { text }
            }),
            Self::Everything => MASK.to_owned(),
        }
    }

    /// A sentence that may quote what a tool said: without pieces of secrets either, and in whatever form. Values and
    /// differences are the machine's own; where they are secret they are not shown at all.
    pub(super) fn said(&self, text: String) -> String {
        let text = self.text(text);
        match self {
            Self::These(_, pieces) => pieces.without(text),
            _ => text,
        }
    }
}

/// The secrets among attributes.
fn all(attributes: &Attributes) -> Vec<String> {
    let mut secrets = Vec::new();
    attributes.values().for_each(|value| collect(value, &mut secrets));
    secrets.retain(|secret| !secret.trim().is_empty());
    secrets
}

fn collect(value: &Value, secrets: &mut Vec<String>) {
    match &value.kind {
        Kind::Sensitive(secret) => match secret.as_pieces() {
            Some(pieces) => secrets.extend(pieces.iter().filter(|p| p.secret).map(|p| p.text.to_string())),
            None => secrets.extend(secret.expose().scalar_text().map(|text| text.to_string())),
        },
        Kind::List(list) => list.iter().for_each(|item| collect(item, secrets)),
        Kind::Map(map) => map.values().for_each(|item| collect(item, secrets)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use holdfast_catalog::value::{Piece, Sensitive};

    use super::*;

    fn attributes(value: impl Into<Value>) -> Attributes {
        [(Arc::from("content"), value.into())].into()
    }

    fn secret(text: &str) -> Value {
        Kind::Sensitive(Sensitive::text(text)).into()
    }

    #[test]
    fn secrets_and_their_lines_are_replaced_wherever_they_stand() {
        let pieces = [("user=app\npassword=", false), ("hunter2", true)];
        let pieces = pieces.map(|(text, secret)| Piece { text: text.into(), secret });
        let redact = Redact::of(&attributes(Kind::Sensitive(Sensitive::pieces(pieces))));
        assert_eq!(redact.text("near hunter2, user=app".into()), "near [sensitive], user=app");
        let redact = Redact::of(&attributes(vec![secret("line one\n  line two")]));
        assert_eq!(redact.text("bad `line two`".into()), "bad `[sensitive]`");
    }

    #[test]
    fn a47_what_a_tool_says_shows_no_piece_of_a_secret() {
        let redact = Redact::of(&attributes(secret("hunter2zqxwvk")));
        assert_eq!(redact.said("near 'er2zqxwvk' at 1".into()), "near '[sensitive]' at 1");
        assert_eq!(redact.said("HUNTER2ZQXWVK".into()), "[sensitive]");
        assert_eq!(redact.said("hunter2zqxwvk, and no more".into()), "[sensitive], and no more");
    }

    #[test]
    fn beside_a_short_secret_no_text_is_shown() {
        assert_eq!(Redact::of(&attributes(secret("ab"))).text("grab".into()), MASK);
        assert_eq!(Redact::of(&attributes("ab")).text("grab".into()), "grab");
    }
}
