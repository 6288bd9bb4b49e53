//! The metaparameters of a block, which every type takes: when it is declared, how often, with which title and tags.

use std::collections::BTreeSet;
use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::Kind;

use crate::diagnostic::{Code, Diagnostic};
use crate::language::formula::Formula;
use crate::language::manifest::{Binding, Block};
use crate::language::name::is_name;

use super::scope::{Frame, data_places};
use super::turns::place_of;
use super::unit::TracedValue;
use super::whence::{Decides, Whence};

impl Frame<'_, '_> {
    /// The value of `when`, with its places in the data; `None` if it fails or is not a boolean.
    pub(super) fn condition(&self, when: &Binding) -> Option<(bool, Vec<Arc<Origin>>)> {
        let traced = self.evaluate(&when.value)?;
        let value = &traced.value;
        let problem = match &value.kind {
            Kind::Bool(on) => return Some((*on, placed(&traced))),
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
        self.report_value(problem, &traced);
        None
    }

    /// Reports what is wrong with a value, with its places in the data.
    fn report_value(&self, problem: Diagnostic, traced: &TracedValue) {
        let mut whence = Whence::default();
        whence.add(&placed(traced), Decides::Value);
        whence.within(&self.unit.whence);
        self.pass.report(whence.told(problem));
    }

    /// The value of `for_each`: a list, a map or null.
    pub(super) fn list(&self, for_each: &Binding) -> Option<TracedValue> {
        let traced = self.evaluate(&for_each.value)?;
        let value = &traced.value;
        let problem = match &value.kind {
            Kind::Null | Kind::List(_) | Kind::Map(_) => return Some(traced),
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
        self.report_value(problem, &traced);
        None
    }

    /// The title of a block, with its places in the data.
    pub(super) fn title(&self, block: &Block) -> Option<(Arc<str>, Vec<Arc<Origin>>)> {
        let (formula, origin) = match &block.title {
            Some(binding) => (&binding.value, &binding.origin),
            None => (&block.name_formula, &block.origin),
        };
        let traced = self.evaluate(formula)?;
        let value = &traced.value;
        if value.is_sensitive() {
            self.report_value(secret("title", origin), &traced);
            return None;
        }
        let text = value.scalar_text().filter(|text| !text.is_empty());
        if text.is_none() {
            let message = match value.as_str() {
                Some(_) => format!("the title of this `{}` is empty", block.type_name),
                None => format!("the title of this `{}` is {}, not a string", block.type_name, value.noun()),
            };
            self.report_value(Diagnostic::error(Code::BadName, message, Origin::clone(origin)), &traced);
        }
        Some((text?, placed(&traced)))
    }

    /// The value of `tag`.
    pub(super) fn tags(&self, tag: &Binding) -> BTreeSet<Arc<str>> {
        let ok = |text: &str| {
            !text.is_empty() && text.len() <= 100 && text.bytes().all(|b| b.is_ascii_graphic() && b != b',')
        };
        let mut tags = BTreeSet::new();
        for Said { text, origin, whence } in self.words(tag) {
            if ok(&text) {
                tags.insert(text);
            } else {
                let message =
                    format!("`{}` is not a valid tag", text.escape_debug().take(80).collect::<String>());
                let problem = Diagnostic::error(Code::BadName, message, Origin::clone(&origin))
                    .help("a tag is one word of at most 100 printable characters, without a comma");
                self.pass.report(whence.told(problem));
            }
        }
        tags
    }

    /// A string or a list of strings, each with its place.
    pub(super) fn words(&self, binding: &Binding) -> Vec<Said> {
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
            let mut whence = Whence::default();
            whence.add(place_of(&item).into_iter().chain(&traced.sources), Decides::Value);
            whence.within(&self.unit.whence);
            match &item.kind {
                Kind::String(text) => words.push(Said { text: text.clone(), origin, whence }),
                Kind::Sensitive(_) => self.pass.report(whence.told(secret(&binding.name, &origin))),
                _ => {
                    let message = format!("`{}` contains {}, not a string", binding.name, item.described());
                    let problem = Diagnostic::error(Code::WrongType, message, Origin::clone(&origin));
                    self.pass.report(whence.told(problem));
                }
            }
        }
        words
    }
}

/// A word of a metaparameter.
pub(super) struct Said {
    pub(super) text: Arc<str>,
    /// Its place in the manifest.
    pub(super) origin: Arc<Origin>,
    pub(super) whence: Whence,
}

/// The places in the data that a value comes from.
fn placed(traced: &TracedValue) -> Vec<Arc<Origin>> {
    let mut places = Vec::new();
    data_places(&traced.value, &mut places);
    places.extend(traced.sources.iter().cloned());
    places
}

fn secret(word: &str, origin: &Arc<Origin>) -> Diagnostic {
    let message = format!("`{word}` contains a secret");
    Diagnostic::error(Code::Secret, message, Origin::clone(origin))
        .help("titles, conditions, loops and references are shown everywhere: use a value that is not secret")
}
