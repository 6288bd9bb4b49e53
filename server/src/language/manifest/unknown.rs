//! Words in a block that its type does not have: misspelled ones, and those from other tools.

use holdfast_catalog::manifest_words::{METAPARAMETERS, RESERVED};
use holdfast_catalog::origin::Origin;
use holdfast_catalog::resource::TypeDef;
use holdfast_catalog::synonym::{self, Counterpart, SchedulePart};

use super::reading::ReadContext;
use crate::diagnostic::{Code, Diagnostic};
use crate::language::document::{Document, DocumentEntry, unknown_key};
use crate::language::keyword::{CONTENT, TOP_NAMES};

/// The help for a word that is not an attribute.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AttributeHint {
    pub help: String,
    /// The attribute that was meant.
    pub meant: Option<&'static str>,
}

/// Every word that is allowed in a block of this type.
fn words(def: &'static TypeDef) -> impl Iterator<Item = &'static str> {
    let content = def.content_attribute().map_or(&[][..], |_| &CONTENT);
    let names = def.attributes.iter().map(|attribute| attribute.name);
    names.chain(content.iter().copied()).chain(METAPARAMETERS.iter().copied())
}

/// The help for a word that a type does not have; `None` if there is none. `parts` are the words of the same block that
/// form a schedule.
pub(crate) fn cure(
    def: &'static TypeDef,
    word: &str,
    parts: &[(SchedulePart, &str)],
) -> Option<AttributeHint> {
    let said = |help: String, meant: Option<&str>| {
        let meant = meant.and_then(|meant| def.attribute(meant)).map(|attribute| attribute.name);
        Some(AttributeHint { help, meant })
    };
    match synonym::find(def, word) {
        Some(Counterpart::Named(name)) => said(format!("use `{name}`"), Some(name)),
        Some(Counterpart::Schedule(_)) => said(synonym::schedule(parts), Some(synonym::SCHEDULE)),
        Some(Counterpart::Advice(advice)) => said(advice.to_owned(), None),
        None => {
            let near = holdfast_catalog::spelling::nearest(word, words(def))?;
            said(format!("did you mean `{near}`?"), Some(near))
        }
    }
}

/// Whether a type has an attribute, or a way to give its content, with this name.
pub(super) fn has(def: &'static TypeDef, word: &str) -> bool {
    words(def).any(|known| known == word) && !METAPARAMETERS.contains(&word)
}

/// Reports words that a type does not have, and returns the attributes that were meant.
pub(super) fn tell(
    reading: &mut ReadContext<'_>,
    def: &'static TypeDef,
    unknown: &[&DocumentEntry],
) -> Vec<&'static str> {
    let part = |entry: &&DocumentEntry| match synonym::find(def, &entry.key) {
        Some(Counterpart::Schedule(part)) => Some((part, written(reading.document, entry))),
        _ => None,
    };
    let parts: Vec<_> = unknown.iter().filter_map(part).collect();
    let (of_schedule, others): (Vec<&DocumentEntry>, Vec<&DocumentEntry>) =
        unknown.iter().partition(|entry| part(entry).is_some());
    let mut meant = Vec::new();
    // The parts of a schedule are reported as one mistake.
    if let [first, rest @ ..] = &of_schedule[..] {
        let cure = cure(def, &first.key, &parts);
        meant.extend(cure.as_ref().and_then(|cure| cure.meant));
        let part = |problem: Diagnostic, entry: &&DocumentEntry| {
            problem.related(Origin::clone(&entry.key_origin), "and this is a part of it")
        };
        reading.problems.push(rest.iter().fold(problem(first, def, cure), part));
    }
    for entry in others {
        if RESERVED.contains(&&*entry.key) {
            reading.later(entry);
            continue;
        }
        let cure = cure(def, &entry.key, &[]);
        meant.extend(cure.as_ref().and_then(|cure| cure.meant));
        reading.problems.push(problem(entry, def, cure));
    }
    meant
}

fn problem(entry: &DocumentEntry, def: &TypeDef, cure: Option<AttributeHint>) -> Diagnostic {
    let problem = unknown_key(entry, &format!("`{}`", def.name), [], &TOP_NAMES);
    let help = problem.help.or(cure.map(|cure| cure.help));
    Diagnostic { code: Code::UnknownAttribute, help, ..problem }
}

/// A value, as written in the file.
fn written<'a>(document: &'a Document, entry: &DocumentEntry) -> &'a str {
    let place = &entry.item.origin;
    document.text.get(place.start as usize..place.end as usize).unwrap_or_default()
}
