//! The words of a block that any type takes: when it is declared, how often, under which title and with which tags.

use std::collections::BTreeSet;
use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::{Kind, Value};

use crate::diagnostic::{Code, Diagnostic};
use crate::language::formula::Formula;
use crate::language::manifest::{Binding, Block};
use crate::language::name::is_name;

use super::scope::Frame;

impl Frame<'_, '_> {
    /// The value of `when`; `None` if it fails or is not a boolean.
    pub(super) fn condition(&self, when: &Binding) -> Option<bool> {
        let value = self.evaluate(&when.value)?.value;
        let problem = match &value.kind {
            Kind::Bool(on) => return Some(*on),
            Kind::Sensitive(_) => secret("when", &when.origin),
            _ => {
                let message = format!("`when` is {}, not true or false", value.described());
                let help = match (&when.value, &value.kind) {
                    (Formula::Constant(_), Kind::String(text)) if matches!(&**text, "true" | "false") => {
                        "write true and false without quotes"
                    }
                    (Formula::Constant(_), Kind::String(_)) => "write an expression in `${…}`: \"${…}\"",
                    _ => "compare it with something: \"${… == …}\"",
                };
                Diagnostic::error(Code::WrongType, message, Origin::clone(&when.origin)).help(help)
            }
        };
        self.pass.report(problem);
        None
    }

    /// The entries of `for_each`, each as the value of `each`.
    pub(super) fn entries(&self, for_each: &Binding) -> Option<Vec<Value>> {
        let value = self.evaluate(&for_each.value)?.value;
        let problem = match &value.kind {
            Kind::Null => return Some(Vec::new()),
            Kind::List(list) => {
                let entry =
                    |(index, item): (i64, &Value)| [("index", index.into()), ("value", item.clone())].into();
                return Some((0..).zip(list.iter()).map(entry).collect());
            }
            Kind::Map(map) => {
                let entry = |(key, item): (&Arc<str>, &Value)| {
                    [("key", Value::from(key.clone())), ("value", item.clone())].into()
                };
                return Some(map.iter().map(entry).collect());
            }
            Kind::Sensitive(_) => secret("for_each", &for_each.origin),
            _ => {
                let message = format!("`for_each` is {}, not a list or a map", value.described());
                let help = match (&for_each.value, &value.kind) {
                    (Formula::Constant(_), Kind::String(text)) if is_name(text.trim_start_matches('$')) => {
                        format!("did you mean \"${{{}}}\"?", text.trim_start_matches('$'))
                    }
                    _ => "for one entry, write a list with one element: \"${[…]}\"".to_owned(),
                };
                Diagnostic::error(Code::WrongType, message, Origin::clone(&for_each.origin)).help(help)
            }
        };
        self.pass.report(problem);
        None
    }

    /// The title of a block.
    pub(super) fn title(&self, block: &Block) -> Option<Arc<str>> {
        let (formula, origin) = match &block.title {
            Some(binding) => (&binding.value, &binding.origin),
            None => (&block.name_formula, &block.origin),
        };
        let value = self.evaluate(formula)?.value;
        if value.is_sensitive() {
            self.pass.report(secret("title", origin));
            return None;
        }
        let text = value.scalar_text().filter(|text| !text.is_empty());
        if text.is_none() {
            let message = match value.as_str() {
                Some(_) => format!("the title of this `{}` is empty", block.type_name),
                None => format!("the title of this `{}` is {}, not a string", block.type_name, value.noun()),
            };
            self.pass.report(Diagnostic::error(Code::BadName, message, Origin::clone(origin)));
        }
        text
    }

    /// The value of `tag`.
    pub(super) fn tags(&self, tag: &Binding) -> BTreeSet<Arc<str>> {
        let ok = |text: &str| {
            !text.is_empty() && text.len() <= 100 && text.bytes().all(|b| b.is_ascii_graphic() && b != b',')
        };
        let mut tags = BTreeSet::new();
        for (text, origin) in self.words(tag) {
            if ok(&text) {
                tags.insert(text);
            } else {
                let message =
                    format!("`{}` is not a valid tag", text.escape_debug().take(80).collect::<String>());
                self.pass.report(
                    Diagnostic::error(Code::BadName, message, Origin::clone(&origin))
                        .help("a tag is one word of at most 100 printable characters, without a comma"),
                );
            }
        }
        tags
    }

    /// A string or a list of strings, each with its place.
    pub(super) fn words(&self, binding: &Binding) -> Vec<(Arc<str>, Arc<Origin>)> {
        let Some(traced) = self.evaluate(&binding.value) else { return Vec::new() };
        let items = match &traced.value.kind {
            Kind::Null => return Vec::new(),
            Kind::List(list) => list.to_vec(),
            _ => vec![traced.value.clone()],
        };
        let mut words = Vec::new();
        for item in items {
            let place = item.origin.as_ref().filter(|origin| origin.file == binding.origin.file);
            let origin = place.unwrap_or(&binding.origin).clone();
            match &item.kind {
                Kind::String(text) => words.push((text.clone(), origin)),
                Kind::Sensitive(_) => self.pass.report(secret(&binding.name, &origin)),
                _ => {
                    let message = format!("`{}` contains {}, not a string", binding.name, item.described());
                    self.pass.report(Diagnostic::error(Code::WrongType, message, Origin::clone(&origin)));
                }
            }
        }
        words
    }
}

fn secret(word: &str, origin: &Arc<Origin>) -> Diagnostic {
    let message = format!("`{word}` contains a secret");
    Diagnostic::error(Code::Secret, message, Origin::clone(origin))
        .help("titles, conditions, loops and references are shown everywhere: use a value that is not secret")
}
