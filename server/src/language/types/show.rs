//! Writes a type in Puppet's notation; the result parses to the same type.

use std::fmt::{Display, Formatter, Result};

use super::{Bounds, Need, Type};

impl Display for Type {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Any => f.write_str("Any"),
            Self::Undef => f.write_str("Undef"),
            Self::NotUndef(inner) => write!(f, "NotUndef[{inner}]"),
            Self::Scalar => f.write_str("Scalar"),
            Self::Boolean => f.write_str("Boolean"),
            Self::String(size) => bounded(f, "String", &[], *size),
            Self::Integer(bounds) => bounded(f, "Integer", &[], *bounds),
            Self::Float(bounds) => bounded(f, "Float", &[], *bounds),
            Self::Number(bounds) => bounded(f, "Number", &[], *bounds),
            Self::Array(inner, size) => bounded(f, "Array", &[inner], *size),
            Self::Hash(types, size) => bounded(f, "Hash", &[&types[0], &types[1]], *size),
            Self::Tuple(types) => list(f, "Tuple", types.iter()),
            Self::Variant(types) => list(f, "Variant", types.iter()),
            Self::Enum(words) => list(f, "Enum", words.iter().map(|word| QuotedWord(word))),
            Self::Pattern(patterns) => {
                list(f, "Pattern", patterns.iter().map(|p| format!("'{}'", escaped(p.0.as_str()))))
            }
            Self::Struct(fields) => {
                f.write_str("Struct[{ ")?;
                for (at, field) in fields.iter().enumerate() {
                    f.write_str(if at == 0 { "" } else { ", " })?;
                    match field.need {
                        Need::Optional if !field.of.takes_null() => {
                            write!(f, "Optional[{}] => {}", QuotedWord(&field.name), field.of)?;
                        }
                        _ => write!(f, "{} => {}", QuotedWord(&field.name), field.of)?,
                    }
                }
                f.write_str(" }]")
            }
            Self::Optional(inner) => write!(f, "Optional[{inner}]"),
            Self::Sensitive(inner) => write!(f, "Sensitive[{inner}]"),
            Self::Format(format) => f.write_str(format.name()),
            Self::Define(name) => f.write_str(name),
        }
    }
}

/// A regular expression on one line: control characters are escaped, since they are invisible or look like others.
fn escaped(pattern: &str) -> String {
    pattern.replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t")
}

/// A word, in quotes if it could be read as something else.
struct QuotedWord<'a>(&'a str);

impl Display for QuotedWord<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let plain = self.0.starts_with(|c: char| c.is_ascii_lowercase())
            && self.0.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
        if plain { f.write_str(self.0) } else { write!(f, "'{}'", self.0) }
    }
}

fn list<T: Display>(f: &mut Formatter<'_>, name: &str, items: impl Iterator<Item = T>) -> Result {
    write!(f, "{name}[")?;
    for (at, item) in items.enumerate() {
        f.write_str(if at == 0 { "" } else { ", " })?;
        write!(f, "{item}")?;
    }
    f.write_str("]")
}

fn bounded<T: Display>(f: &mut Formatter<'_>, name: &str, inner: &[&Type], bounds: Bounds<T>) -> Result {
    let mut items: Vec<String> = inner.iter().map(ToString::to_string).collect();
    if bounds.min.is_some() || bounds.max.is_some() {
        items.push(bounds.min.map_or_else(|| "default".to_owned(), |min| min.to_string()));
    }
    items.extend(bounds.max.map(|max| max.to_string()));
    if items.is_empty() { f.write_str(name) } else { list(f, name, items.iter()) }
}
