//! Words from Puppet, Ansible and Salt, each with its equivalent here: only for the help of errors.
//!
//! What is only misspelt has its own help, the nearest name. A table never lists a word that the type itself has.

use crate::manifest_words::METAPARAMETERS;
use crate::resource::{AttributeError, Attributes, TypeDef};
use crate::value::Value;

mod schedule;
mod table;

pub use schedule::schedule;

/// The equivalent here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counterpart {
    /// An attribute or a metaparameter that takes the same values.
    Named(&'static str),
    /// A part of a schedule: one of the five fields, by number, or the whole as a word.
    Schedule(SchedulePart),
    /// Something else, in a sentence.
    Advice(&'static str),
}

/// The attribute that [`Counterpart::Schedule`] is a part of.
pub const SCHEDULE: &str = "schedule";

/// Which part of a schedule a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchedulePart {
    /// One of the five fields.
    Field(usize),
    /// A word such as `daily`.
    Word,
}

/// Words for one thing, for some types.
struct Synonym {
    /// The types; if empty, every type.
    of: &'static [&'static str],
    words: &'static [&'static str],
    here: Counterpart,
}

/// Values of one attribute that mean one thing.
struct OtherValue {
    /// The types; if empty, every type that has the attribute.
    of: &'static [&'static str],
    attribute: &'static str,
    values: &'static [&'static str],
    /// The equivalent here, in TOML; or a sentence.
    here: ValueCounterpart,
}

enum ValueCounterpart {
    Value(&'static str),
    Advice(&'static str),
}

/// The equivalent of an attribute that such a resource has in other tools.
pub fn find(def: &TypeDef, word: &str) -> Option<Counterpart> {
    let own = table::WORDS.iter().filter(|synonym| synonym.of.contains(&def.name));
    let all = table::WORDS.iter().filter(|synonym| synonym.of.is_empty());
    own.chain(all).filter(|synonym| synonym.words.contains(&word)).map(|synonym| synonym.here).find(|here| {
        match here {
            // Content can also be given by `source`.
            Counterpart::Named(name) => {
                let gives_content = *name == "source" && def.content_attribute().is_some();
                gives_content || def.attribute(name).is_some() || METAPARAMETERS.contains(name)
            }
            Counterpart::Schedule(_) | Counterpart::Advice(_) => true,
        }
    })
}

/// The equivalent of a resource type with this name in other tools.
pub fn of_type(word: &str) -> Option<&'static str> {
    table::TYPES.iter().find(|(words, _)| words.contains(&word)).map(|(_, advice)| *advice)
}

/// The errors from reading these attributes, with help for values that belong to other tools.
pub fn help(def: &TypeDef, attributes: &Attributes, mut errors: Vec<AttributeError>) -> Vec<AttributeError> {
    for error in errors.iter_mut().filter(|error| error.help.is_none()) {
        let given = attributes.get(error.attribute);
        error.help = given.and_then(|given| value(def, error.attribute, given));
    }
    errors
}

/// The equivalent of a value that such an attribute takes in other tools.
fn value(def: &TypeDef, attribute: &str, value: &Value) -> Option<String> {
    if value.is_sensitive() {
        return None;
    }
    let text = value.scalar_text()?;
    let fits = |other: &&OtherValue| {
        other.attribute == attribute
            && (other.of.is_empty() || other.of.contains(&def.name))
            && other.values.contains(&&*text.to_ascii_lowercase())
    };
    Some(match table::VALUES.iter().find(fits)?.here {
        ValueCounterpart::Value(written) => format!("write {attribute} = {written}"),
        ValueCounterpart::Advice(advice) => advice.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::definitions;

    fn def(name: &str) -> &'static TypeDef {
        TypeDef::find(name).unwrap()
    }

    fn refusal(def: &TypeDef, title: &str, attributes: &Attributes) -> Option<Vec<AttributeError>> {
        (def.check)(title, attributes).err().map(|errors| help(def, attributes, errors))
    }

    #[test]
    fn words_of_others_are_told_by_what_says_it_here() {
        assert_eq!(find(def("cron"), "hour"), Some(Counterpart::Schedule(SchedulePart::Field(1))));
        assert_eq!(find(def("exec"), "onlyif"), Some(Counterpart::Named("only_if")));
        assert_eq!(find(def("user"), "managehome"), Some(Counterpart::Named("manage_home")));
        assert_eq!(find(def("file"), "watch"), Some(Counterpart::Named("subscribe")));
        assert_eq!(find(def("package"), "state"), Some(Counterpart::Named("ensure")));
        assert_eq!(find(def("exec"), "state"), None, "an exec has no `ensure`");
        assert!(matches!(find(def("file"), "path"), Some(Counterpart::Advice(_))));
        assert_eq!(find(def("file"), "mode"), None);
    }

    #[test]
    fn no_line_of_the_tables_is_idle_or_leads_nowhere() {
        for synonym in table::WORDS {
            let own = synonym.of.iter().map(|name| def(name));
            let types: Vec<_> =
                if synonym.of.is_empty() { definitions().iter().collect() } else { own.collect() };
            for word in synonym.words {
                assert!(!METAPARAMETERS.contains(word), "{word}");
                let lacking = |def: &&&TypeDef| def.attribute(word).is_none();
                let known =
                    types.iter().filter(lacking).filter(|def| find(def, word) == Some(synonym.here)).count();
                let expected = if synonym.of.is_empty() { 1 } else { types.len() };
                assert!(known >= expected, "`{word}` of {:?}", synonym.of);
            }
        }
    }

    #[test]
    fn types_of_others_lead_to_types_that_there_are() {
        for (words, advice) in table::TYPES {
            for word in *words {
                assert!(TypeDef::find(word).is_none() && of_type(word) == Some(*advice), "{word}");
            }
            let named = advice.split('`').skip(1).step_by(2).find(|name| TypeDef::find(name).is_some());
            assert!(named.is_some(), "{advice}");
        }
        assert!(of_type("copy").unwrap().contains("`file`") && of_type("file").is_none());
    }

    #[test]
    fn values_of_others_are_refused_with_what_is_written_here() {
        for other in table::VALUES {
            let own = other.of.iter().map(|name| def(name));
            let all = definitions().iter().filter(|def| def.attribute(other.attribute).is_some());
            let types: Vec<_> = if other.of.is_empty() { all.collect() } else { own.collect() };
            assert!(!types.is_empty() && types.iter().all(|def| def.attribute(other.attribute).is_some()));
            for (def, text) in
                types.iter().flat_map(|def| other.values.iter().map(move |value| (def, *value)))
            {
                let attributes = Attributes::from([(other.attribute.into(), text.into())]);
                let Some(errors) = refusal(def, "x", &attributes) else { continue };
                let told = errors.iter().find(|error| error.attribute == other.attribute);
                let told = told.map(|error| error.help.as_deref().unwrap_or_default());
                assert!(told.is_none_or(|help| !help.is_empty()), "{} {text}: {told:?}", def.name);
            }
        }
        for (name, given, here) in [
            ("package", Value::from("installed"), "write ensure = \"present\""),
            ("service", true.into(), "write ensure = \"running\""),
            ("user", "removed".into(), "write ensure = \"absent\""),
        ] {
            let errors = refusal(def(name), "x", &[("ensure".into(), given)].into()).unwrap();
            assert_eq!(errors[0].help.as_deref(), Some(here));
        }
    }
}
