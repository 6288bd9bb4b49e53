//! The one place where texts about a resource lose its secrets.
//!
//! Providers mask values that they know to be secret. This handles all the rest: the output of a command, what an error
//! quotes, the lines of a diff.

mod pieces; // pieces of secrets in the output of tools

use holdfast_catalog::resource::Attributes;
use holdfast_catalog::value::{Kind, MASK, Value};

use pieces::{Pieces, SHORTEST};

/// Shorter secrets occur in texts by chance, so a text that may contain one is hidden as a whole.
const SHORT: usize = 4;

/// From this many bytes on, a secret can be distinguished from other text in events of other resources, too.
const TELLING: usize = 8;

/// The secrets to remove: a resource's, or a catalog's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Redact {
    Nothing,
    These {
        /// Replaced wherever they occur, longest first.
        secrets: Vec<String>,
        /// Replaced where they occur as whole words.
        words: Vec<String>,
        /// Pieces of the secrets, for the output of tools.
        pieces: Box<Pieces>,
    },
    /// One secret is too short to be distinguished from other text, so everything is hidden.
    Everything,
}

impl Redact {
    /// The secrets of one resource.
    pub(super) fn of(attributes: &Attributes) -> Self {
        let secrets = all(attributes);
        if secrets.iter().any(|secret| secret.len() < SHORT) {
            return Self::Everything;
        }
        Self::these(secrets, Vec::new(), SHORT, SHORTEST)
    }

    /// The secrets of every resource of a catalog, by title and attributes: one resource may print what another was
    /// given, as a service does that quotes its settings. A short secret is hidden as a word, unless the catalog also
    /// has that word in plain text, such as `root`.
    pub(super) fn of_all<'a>(resources: impl Iterator<Item = (&'a str, &'a Attributes)> + Clone) -> Self {
        let secrets = resources.clone().flat_map(|(_, attributes)| all(attributes));
        let (secrets, mut words): (Vec<_>, Vec<_>) = secrets.partition(|secret| secret.len() >= TELLING);
        let lines = secrets.iter().flat_map(|secret| secret.lines()).map(|line| line.trim().to_owned());
        words.extend(lines.filter(|line| line.len() < TELLING));
        words.retain(|word| word.len() >= SHORT);
        words.sort_unstable();
        words.dedup();
        let is_plain = |word: &str| {
            let holds = |text: &str| word_at(text, word, 0).is_some();
            resources.clone().any(|(title, attributes)| {
                holds(title) || attributes.values().any(|value| is_any_plain_text(value, &holds))
            })
        };
        words.retain(|word| !is_plain(word));
        Self::these(secrets, words, TELLING, TELLING)
    }

    /// These secrets, their lines of at least `least` bytes, and their pieces of at least `piece` bytes.
    fn these(mut secrets: Vec<String>, words: Vec<String>, least: usize, piece: usize) -> Self {
        if secrets.is_empty() && words.is_empty() {
            return Self::Nothing;
        }
        // A command quotes lines and seldom whole files.
        let lines: Vec<_> =
            secrets.iter().flat_map(|s| s.lines()).map(|line| line.trim().to_owned()).collect();
        secrets.extend(lines.into_iter().filter(|line| line.len() >= least));
        secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        secrets.dedup();
        let pieces = Box::new(Pieces::of(secrets.iter().map(String::as_str), piece));
        Self::These { secrets, words, pieces }
    }

    /// The text without secrets.
    pub(super) fn text(&self, text: String) -> String {
        match self {
            Self::Nothing => text,
            Self::These { secrets, words, .. } => {
                let text = secrets.iter().fold(text, |text, secret| {
                    if text.contains(secret.as_str()) { text.replace(secret.as_str(), MASK) } else { text }
                });
                words.iter().fold(text, |text, word| without_word(text, word))
            }
            Self::Everything => MASK.to_owned(),
        }
    }

    /// A text that may quote the output of a tool, also without pieces of secrets in any encoding. Text within one of
    /// these names is kept: names are not secret. Values and diffs come from the machine itself and are not shown at
    /// all if they are secret.
    pub(super) fn said(&self, text: String, names: &mut dyn Iterator<Item = &str>) -> String {
        let text = self.text(text);
        match self {
            Self::These { pieces, .. } => pieces.without(text, names),
            _ => text,
        }
    }
}

/// The next position of a word in a text, at or after `from`, with no letter or digit on either side.
fn word_at(text: &str, word: &str, from: usize) -> Option<usize> {
    let mut from = from;
    loop {
        let at = from + text.get(from..)?.find(word)?;
        let (before, after) = (&text[..at], &text[at + word.len()..]);
        if !before.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric) {
            return Some(at);
        }
        from = at + text[at..].chars().next().map_or(1, char::len_utf8);
    }
}

fn without_word(text: String, word: &str) -> String {
    let Some(mut at) = word_at(&text, word, 0) else { return text };
    let (mut out, mut end) = (String::with_capacity(text.len()), 0);
    loop {
        out.push_str(&text[end..at]);
        out.push_str(MASK);
        end = at + word.len();
        match word_at(&text, word, end) {
            Some(next) => at = next,
            None => return out + &text[end..],
        }
    }
}

/// Whether `holds` is true of any string in a value that is not secret.
fn is_any_plain_text(value: &Value, holds: &dyn Fn(&str) -> bool) -> bool {
    match &value.kind {
        Kind::String(text) => holds(text),
        Kind::Sensitive(secret) => secret
            .as_pieces()
            .is_some_and(|pieces| pieces.iter().any(|piece| !piece.secret && holds(&piece.text))),
        Kind::List(list) => list.iter().any(|item| is_any_plain_text(item, holds)),
        Kind::Map(map) => map.iter().any(|(key, item)| holds(key) || is_any_plain_text(item, holds)),
        _ => false,
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

    use holdfast_catalog::value::{Sensitive, TextPiece};

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
        let pieces = pieces.map(|(text, secret)| TextPiece { text: text.into(), secret });
        let redact = Redact::of(&attributes(Kind::Sensitive(Sensitive::pieces(pieces))));
        assert_eq!(redact.text("near hunter2, user=app".into()), "near [sensitive], user=app");
        let redact = Redact::of(&attributes(vec![secret("line one\n  line two")]));
        assert_eq!(redact.text("bad `line two`".into()), "bad `[sensitive]`");
    }

    #[test]
    fn a47_what_a_tool_says_shows_no_piece_of_a_secret() {
        let redact = Redact::of(&attributes(secret("hunter2zqxwvk")));
        let said = |text: &str| redact.said(text.into(), &mut std::iter::empty());
        assert_eq!(said("near 'er2zqxwvk' at 1"), "near '[sensitive]' at 1");
        assert_eq!(said("HUNTER2ZQXWVK"), "[sensitive]");
        assert_eq!(said("hunter2zqxwvk, and no more"), "[sensitive], and no more");
    }

    #[test]
    fn a_name_is_left_whole_and_not_what_goes_beyond_it() {
        let redact = Redact::of(&attributes(secret("https://u:hunter2@db.example.org/x")));
        let names = ["/etc/db.example.org.conf", "db.example.org"];
        for (said, shown) in [
            ("notified by file[/etc/db.example.org.conf]", "notified by file[/etc/db.example.org.conf]"),
            ("no host db.example.org", "no host db.example.org"),
            ("at u:hunter2@db.example.org/x", "at [sensitive]"),
            ("at @db.example.org", "at [sensitive]"),
        ] {
            assert_eq!(redact.said(said.into(), &mut names.into_iter()), shown);
        }
    }

    #[test]
    fn a47_a_short_secret_is_hidden_beside_other_resources_unless_it_is_a_word_of_the_catalog() {
        let settings = [("password=", false), ("hunter2", true), ("\nuser=app", false)];
        let settings = settings.map(|(text, secret)| TextPiece { text: text.into(), secret });
        let settings = attributes(Kind::Sensitive(Sensitive::pieces(settings)));
        let others =
            attributes(vec![secret("root"), secret("app"), secret("titled"), Value::from("owner=root")]);
        let all = Redact::of_all([("/etc/app.ini", &settings), ("titled", &others)].into_iter());
        let of_lines = attributes(secret("long enough\n  pw9Xq\n"));
        let of_lines = Redact::of_all([("/etc/pw", &of_lines)].into_iter());
        assert_eq!(of_lines.text("it is pw9Xq".into()), "it is [sensitive]");
        for (said, shown) in [
            ("bad value: password = hunter2", "bad value: password = [sensitive]"),
            ("'hunter2' hunter2", "'[sensitive]' [sensitive]"),
            ("hunter22, ahunter2 and ähunter2", "hunter22, ahunter2 and ähunter2"),
            ("root of titled", "root of titled"),
        ] {
            assert_eq!(all.text(said.into()), shown, "{said}");
        }
    }

    #[test]
    fn beside_a_short_secret_no_text_is_shown() {
        assert_eq!(Redact::of(&attributes(secret("ab"))).text("grab".into()), MASK);
        assert_eq!(Redact::of(&attributes("ab")).text("grab".into()), "grab");
    }
}
