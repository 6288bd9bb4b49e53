//! The texts of a diagnostic, without what is masked at its places.
//!
//! Code that writes a message must not quote a secret in it. This is the second line of defence: what a message quotes
//! is compared with what is hidden at its places, whatever code wrote it.

use std::sync::Arc;

use holdfast_catalog::value::{Kind, MASK, Value};

use super::MaskedFile;
use crate::diagnostic::Diagnostic;
use crate::language::document::Document;

/// Returns a file by its path.
type MaskedFiles<'a> = dyn Fn(&str) -> Option<Arc<MaskedFile>> + 'a;

pub(super) fn redacted(mut problem: Diagnostic, files: &MaskedFiles<'_>) -> Diagnostic {
    let places = problem.origin.iter().chain(problem.related.iter().map(|(origin, _)| origin));
    let mut secrets = Secrets::default();
    for place in places {
        let Some(file) = files(&place.file) else { continue };
        let is_code = place.file.starts_with("modules/");
        for raw in file.hidden_in(place.start as usize..place.end as usize) {
            secrets.add(raw);
            secrets.code.extend(code_words(raw, is_code));
        }
    }
    if secrets.all.is_empty() {
        return problem;
    }
    let message = secrets.without(&problem.message);
    if message != problem.message {
        problem.message = message;
        problem.help = None; // a word that is similar to a secret reveals something about it
    }
    problem.label = secrets.without(&problem.label);
    problem.help = problem.help.map(|help| secrets.without(&help));
    for (_, words) in &mut problem.related {
        *words = secrets.without(words);
    }
    problem
}

/// The hidden texts, as written and decoded.
#[derive(Default)]
struct Secrets {
    all: Vec<String>,
    /// Words in them that are code and not secret.
    code: Vec<String>,
}

impl Secrets {
    fn add(&mut self, raw: &str) {
        self.all.extend([raw.to_owned(), plain(raw)]);
        let (document, problems) = Document::parse(&"".into(), format!("x = {raw}\n").as_bytes(), None);
        if problems.is_empty() {
            document.root.to_map().values().for_each(|value| self.scalars(value));
        }
    }

    fn scalars(&mut self, value: &Value) {
        match &value.kind {
            Kind::List(list) => list.iter().for_each(|item| self.scalars(item)),
            Kind::Map(map) => map.values().for_each(|item| self.scalars(item)),
            _ => {
                let text = value.scalar_text().unwrap_or_default();
                self.all.extend([plain(&text), text.to_string()]);
            }
        }
    }

    /// The text without any of the secrets, in quotations and outside.
    fn without(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(['`', '"']) {
            let quote = &rest[start..=start];
            let Some(length) = rest[start + 1..].find(quote) else { break };
            let inner = &rest[start + 1..start + 1 + length];
            out.push_str(&self.without_words(&rest[..start]));
            match self.hold(inner) {
                true => out.push_str(MASK),
                false => out.push_str(&rest[start..start + length + 2]),
            }
            rest = &rest[start + length + 2..];
        }
        out + &self.without_words(rest)
    }

    /// The text outside quotations, without secrets that are too long to be a word of the sentence itself.
    fn without_words(&self, text: &str) -> String {
        let mut longest_first: Vec<&String> = self.all.iter().filter(|secret| is_telling(secret)).collect();
        longest_first.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        longest_first.into_iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), MASK))
    }

    /// Whether a quotation is part of a secret, or contains one.
    fn hold(&self, quoted: &str) -> bool {
        if self.code.iter().any(|word| word == quoted) {
            return false;
        }
        let bare = plain(quoted);
        // A sign alone, such as `}`, reveals nothing, unless it is the whole secret.
        match bare.is_empty() {
            true => self.all.iter().any(|secret| secret == quoted),
            false => self.all.iter().any(|secret| {
                let is_part = secret.contains(&bare) || secret.contains(quoted);
                is_part
                    || is_telling(secret)
                        && (bare.contains(secret.as_str()) || quoted.contains(secret.as_str()))
            }),
        }
    }
}

/// The names of functions in the expressions of a text, and in code also the keys that it looks up: a person needs
/// these to find a mistake.
fn code_words(raw: &str, is_code: bool) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = raw.split_once("${").map_or("", |(_, rest)| rest);
    while let Some(at) = rest.find('(') {
        let (before, after) = rest.split_at(at);
        let name: String = {
            let word = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
            let reversed: Vec<char> = before.chars().rev().take_while(word).collect();
            reversed.into_iter().rev().collect()
        };
        rest = &after[1..];
        if name == "lookup"
            && is_code
            && let Some(quote @ ('\'' | '"')) = rest.chars().next()
        {
            words.extend(rest[1..].split(quote).next().map(str::to_owned));
        }
        if !name.is_empty() {
            words.push(name);
        }
    }
    words
}

/// Whether a text that contains it reveals something: one or two letters are in every sentence.
fn is_telling(secret: &str) -> bool {
    plain(secret).chars().count() >= 4
}

/// Only the letters and digits, which stay the same however a text is escaped.
fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::origin::Origin;

    use super::super::masked::{HiddenReason, HiddenSpan};
    use super::*;
    use crate::diagnostic::Code;

    /// A problem with this message at a secret value, redacted.
    fn said(value: &str, words: &str) -> String {
        let text = format!("pw = {value}\n");
        let span = 5..5 + value.len();
        let hidden = HiddenSpan { span: span.clone(), why: HiddenReason::Secret };
        let file = Arc::new(MaskedFile::new(text.as_str().into(), vec![hidden]));
        let place = Origin::locate(&"a.toml".into(), &text, span);
        redacted(Diagnostic::error(Code::BadValue, words, place), &|_| Some(file.clone())).message
    }

    #[test]
    fn a_secret_is_found_in_what_holds_it_and_outside_of_quotations() {
        assert_eq!(said("\"hunter2\"", "`[\"a\",\"hunter2\"]` is a list"), "[sensitive] is a list");
        assert_eq!(said("\"hunter2\"", "`a-hunter2-b` is long"), "[sensitive] is long");
        assert_eq!(said("\"hunter2\"", "hunter2 is not a port"), "[sensitive] is not a port");
        assert_eq!(said("[\"hunter2\", \"x\"]", "found hunter2, and x"), "found [sensitive], and x");
        assert_eq!(
            said("12345", "the number 12345 is not a string"),
            "the number [sensitive] is not a string"
        );
        assert_eq!(said("\"ab\"", "`tab` is about it"), "`tab` is about it", "that says nothing");
    }
}
