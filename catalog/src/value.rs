//! Values: what data, expressions, facts and attributes consist of.
//!
//! A value knows where it came from ([`Origin`]) and whether it is secret: sensitivity is part of the value, for each
//! leaf of a map and each piece of a text, so it survives everything that values pass through. Equality and encodings
//! ignore origins. Copies are cheap: texts, lists and maps are shared.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::origin::Origin;

mod encoding;
mod sensitive;

pub use encoding::{LimitedValue, MAX_DEPTH, is_masked};
pub use sensitive::{MASK, Sensitive, TextPiece};

/// A map's entries, always in the order of their keys: the same input gives the same bytes.
pub type Map = BTreeMap<Arc<str>, Value>;

/// A value and where it came from.
#[derive(Clone)]
pub struct Value {
    pub kind: Kind,
    /// Where it is written, unless it was computed.
    pub origin: Option<Arc<Origin>>,
}

/// The kinds of values.
#[derive(Clone, PartialEq)]
pub enum Kind {
    /// No value: an attribute that is null is unset.
    Null,
    Bool(bool),
    /// An integer; integers stay integers.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// A text that may be shown.
    String(Arc<str>),
    List(Arc<Vec<Value>>),
    Map(Arc<Map>),
    /// A scalar that must not be shown anywhere but in its target.
    Sensitive(Sensitive),
}

impl Value {
    /// Null, without an origin.
    pub const NULL: Self = Self { kind: Kind::Null, origin: None };

    /// The same value with an origin.
    #[must_use]
    pub fn at(mut self, origin: Arc<Origin>) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Kind::Bool(b) = self.kind { Some(b) } else { None }
    }

    /// The integer, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        if let Kind::Int(i) = self.kind { Some(i) } else { None }
    }

    /// The text, if it is one that may be shown.
    pub fn as_str(&self) -> Option<&str> {
        if let Kind::String(s) = &self.kind { Some(s) } else { None }
    }

    /// The list, if it is one.
    pub fn as_list(&self) -> Option<&[Value]> {
        if let Kind::List(l) = &self.kind { Some(l) } else { None }
    }

    /// The map, if it is one.
    pub fn as_map(&self) -> Option<&Map> {
        if let Kind::Map(m) = &self.kind { Some(m) } else { None }
    }

    /// The entry of a map; `None` if it is not a map or has no such key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_map()?.get(key)
    }

    /// The value at the end of `path`, if every step exists.
    pub fn at_path<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Option<&Value> {
        path.into_iter().try_fold(self, |value, key| value.get(key))
    }

    /// Whether it contains a secret, at any depth.
    pub fn is_sensitive(&self) -> bool {
        match &self.kind {
            Kind::Sensitive(_) => true,
            Kind::List(list) => list.iter().any(Value::is_sensitive),
            Kind::Map(map) => map.values().any(Value::is_sensitive),
            _ => false,
        }
    }

    /// The noun of its kind, for error texts: `a string`, `an integer`, …
    pub fn noun(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "null",
            Kind::Bool(_) => "a boolean",
            Kind::Int(_) => "an integer",
            Kind::Float(_) => "a float",
            Kind::String(_) => "a string",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
            Kind::Sensitive(_) => "a sensitive value",
        }
    }

    /// The value itself if an error text has space for it: it must be short, and neither null, a list nor a map.
    pub fn brief(&self) -> Option<String> {
        let is_one = !matches!(self.kind, Kind::List(_) | Kind::Map(_) | Kind::Null);
        Some(self.shown()).filter(|shown| is_one && shown.chars().count() <= 60)
    }

    /// The value in an error text: itself if there is space for it, otherwise its kind.
    pub fn described(&self) -> String {
        self.brief().unwrap_or_else(|| self.noun().to_owned())
    }

    /// The scalar as plain text; `None` for null, lists, maps and secrets.
    pub fn scalar_text(&self) -> Option<Arc<str>> {
        match &self.kind {
            Kind::Bool(b) => Some(b.to_string().into()),
            Kind::Int(i) => Some(i.to_string().into()),
            Kind::Float(x) => Some(encoding::float_text(*x).into()),
            Kind::String(s) => Some(s.clone()),
            Kind::Null | Kind::List(_) | Kind::Map(_) | Kind::Sensitive(_) => None,
        }
    }

    /// Compact JSON with secrets masked, for people.
    pub fn shown(&self) -> String {
        match &self.kind {
            Kind::Sensitive(secret) => secret.masked(),
            _ => serde_json::to_string(&self.to_json_masked()).unwrap_or_default(),
        }
    }
}

impl Value {
    /// At most the first `most` characters of [`Value::shown`], with an ellipsis if there are more; the rest is not
    /// even encoded.
    pub fn beginning(&self, most: usize) -> String {
        let mut text = String::new();
        // Four bytes for each character, and one character more, which shows whether there is one.
        self.write_beginning(4 * (most + 1), &mut text);
        if let Some((at, _)) = text.char_indices().nth(most) {
            text.truncate(at);
            text.push('…');
        }
        text
    }

    fn write_beginning(&self, bytes: usize, text: &mut String) {
        let quoted = |word: &str| {
            let end = word.char_indices().map(|(at, _)| at).find(|at| *at >= bytes).unwrap_or(word.len());
            serde_json::to_string(&word[..end]).unwrap_or_default()
        };
        match &self.kind {
            Kind::List(list) => {
                text.push('[');
                for (at, item) in list.iter().enumerate() {
                    if text.len() >= bytes {
                        return;
                    }
                    text.push_str(if at > 0 { "," } else { "" });
                    item.write_beginning(bytes, text);
                }
                text.push(']');
            }
            Kind::Map(map) => {
                text.push('{');
                for (at, (key, item)) in map.iter().enumerate() {
                    if text.len() >= bytes {
                        return;
                    }
                    text.push_str(if at > 0 { "," } else { "" });
                    text.push_str(&quoted(key));
                    text.push(':');
                    item.write_beginning(bytes, text);
                }
                text.push('}');
            }
            Kind::String(word) => text.push_str(&quoted(word)),
            _ => text.push_str(&self.to_json_masked().to_string()),
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// Equal values have the same hash, so duplicates are found without comparing each with each.
impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kind.hash(state);
    }
}

impl Hash for Kind {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Self::Null => {}
            Self::Bool(b) => b.hash(state),
            Self::Int(i) => i.hash(state),
            // Zero equals negative zero.
            Self::Float(x) => (x + 0.0).to_bits().hash(state),
            Self::String(s) => s.hash(state),
            Self::List(l) => l.hash(state),
            Self::Map(m) => m.hash(state),
            Self::Sensitive(s) => s.hash(state),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.kind, f)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(b) => fmt::Debug::fmt(b, f),
            Self::Int(i) => fmt::Debug::fmt(i, f),
            Self::Float(x) => fmt::Debug::fmt(x, f),
            Self::String(s) => fmt::Debug::fmt(s, f),
            Self::List(l) => fmt::Debug::fmt(l, f),
            Self::Map(m) => fmt::Debug::fmt(m, f),
            Self::Sensitive(s) => fmt::Debug::fmt(s, f),
        }
    }
}

impl From<Kind> for Value {
    fn from(kind: Kind) -> Self {
        Self { kind, origin: None }
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Kind::Bool(b).into()
    }
}

impl From<i64> for Value {
    fn from(i: i64) -> Self {
        Kind::Int(i).into()
    }
}

impl From<f64> for Value {
    fn from(x: f64) -> Self {
        Kind::Float(x).into()
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Kind::String(text.into()).into()
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Kind::String(text.into()).into()
    }
}

impl From<Arc<str>> for Value {
    fn from(text: Arc<str>) -> Self {
        Kind::String(text).into()
    }
}

impl From<Vec<Value>> for Value {
    fn from(list: Vec<Value>) -> Self {
        Kind::List(Arc::new(list)).into()
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Kind::Map(Arc::new(map)).into()
    }
}

impl<const N: usize> From<[(&str, Value); N]> for Value {
    fn from(entries: [(&str, Value); N]) -> Self {
        entries.into_iter().map(|(k, v)| (Arc::from(k), v)).collect::<Map>().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_that_of_the_whole() {
        let secret: Value = Kind::Sensitive(Sensitive::text("hunter2")).into();
        let value: Value = [("a", vec![1.into(), "ü\"".into(), secret].into()), ("b", Value::NULL)].into();
        let whole = value.shown();
        assert_eq!(value.beginning(100), whole);
        assert_eq!(value.beginning(whole.chars().count()), whole);
        for most in 0..whole.chars().count() {
            let expected: String = whole.chars().take(most).chain(['…']).collect();
            assert_eq!(value.beginning(most), expected);
        }
        let long = Value::from(vec!["x".repeat(1_000_000).into(); 1_000]);
        assert_eq!(long.beginning(3), "[\"x…");
    }
}
