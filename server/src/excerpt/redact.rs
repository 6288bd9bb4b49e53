//! The words of a diagnostic, without what is masked at its places.
//!
//! Whoever writes a message sees to it that it quotes no secret. This is the second lock: what a message quotes and
//! what is hidden where it points are compared, whoever wrote it.

use std::sync::Arc;

use holdfast_catalog::diagnostic::Diagnostic;
use holdfast_catalog::value::{Kind, MASK, Value};

use super::Masked;
use crate::language::document::Document;

/// A file by its path.
type Files<'a> = dyn Fn(&str) -> Option<Arc<Masked>> + 'a;

pub(super) fn redacted(mut problem: Diagnostic, files: &Files<'_>) -> Diagnostic {
    let places = problem.origin.iter().chain(problem.related.iter().map(|(origin, _)| origin));
    let mut secrets = Secrets::default();
    for place in places {
        let Some(file) = files(&place.file) else { continue };
        file.hidden_in(place.start as usize..place.end as usize).for_each(|raw| secrets.add(raw));
    }
    if secrets.0.is_empty() {
        return problem;
    }
    let message = secrets.without(&problem.message);
    if message != problem.message {
        problem.message = message;
        problem.help = None; // what is near a secret says something about it
    }
    problem.label = secrets.without(&problem.label);
    problem.help = problem.help.map(|help| secrets.without(&help));
    for (_, words) in &mut problem.related {
        *words = secrets.without(words);
    }
    problem
}

/// What is hidden, as it is written and as it is meant.
#[derive(Default)]
struct Secrets(Vec<String>);

impl Secrets {
    fn add(&mut self, raw: &str) {
        self.0.extend([raw.to_owned(), plain(raw)]);
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
                self.0.extend([plain(&text), text.to_string()]);
            }
        }
    }

    /// A text whose quotations hold nothing of them.
    fn without(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(['`', '"']) {
            let quote = &rest[start..=start];
            let Some(length) = rest[start + 1..].find(quote) else { break };
            let inner = &rest[start + 1..start + 1 + length];
            out.push_str(&rest[..start]);
            match self.hold(inner) {
                true => out.push_str(MASK),
                false => out.push_str(&rest[start..start + length + 2]),
            }
            rest = &rest[start + length + 2..];
        }
        out + rest
    }

    fn hold(&self, quoted: &str) -> bool {
        let bare = plain(quoted);
        // A sign alone, such as `}`, says nothing, unless it is all of the secret.
        match bare.is_empty() {
            true => self.0.iter().any(|secret| secret == quoted),
            false => self.0.iter().any(|secret| secret.contains(&bare) || secret.contains(quoted)),
        }
    }
}

/// The letters and digits alone: however a text is escaped, they stay.
fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}
