//! What a node says about itself: untrusted, and limited before anything reads it.

use std::cell::Cell;

use serde::de::DeserializeSeed as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::value::{Kind, LimitedValue, MAX_DEPTH, Value};

/// The most bytes that a node's facts may take as JSON.
pub const MAX_BYTES: usize = 1024 * 1024 * 4;

/// The most values in a node's facts.
pub const MAX_VALUES: usize = 20_000;

/// A node's stable facts: a map of values without secrets.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Facts(Value);

/// Why a value is not valid as facts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFacts {
    /// Facts must be a map.
    #[error("facts are {0}, not a map")]
    NotAMap(&'static str),
    /// They have more than [`MAX_VALUES`] values.
    #[error("facts contain more than {MAX_VALUES} values")]
    TooMany,
    /// A fact has the form of a secret.
    #[error("facts cannot be sensitive")]
    Sensitive,
}

impl Facts {
    /// Empty facts.
    pub fn none() -> Self {
        Self(Value::from([]))
    }

    /// Facts from a value.
    ///
    /// # Errors
    /// Fails if it is not a map, is too large, or contains a secret.
    pub fn new(value: Value) -> Result<Self, InvalidFacts> {
        if value.as_map().is_none() {
            return Err(InvalidFacts::NotAMap(value.noun()));
        }
        if value.is_sensitive() {
            return Err(InvalidFacts::Sensitive);
        }
        if count(&value) > MAX_VALUES {
            return Err(InvalidFacts::TooMany);
        }
        Ok(Self(value))
    }

    /// The facts as a map.
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// A fact by its path, such as `["os", "family"]`.
    pub fn get<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Option<&Value> {
        self.0.at_path(path)
    }

    /// SHA-256 of the canonical JSON, in hex: agent and server compare it to see that nothing changed.
    pub fn hash(&self) -> String {
        crate::hash::sha256(serde_json::to_string(&self.0).unwrap_or_default().as_bytes())
    }
}

fn count(value: &Value) -> usize {
    1 + match &value.kind {
        Kind::List(list) => list.iter().map(count).sum(),
        Kind::Map(map) => map.values().map(count).sum(),
        _ => 0,
    }
}

impl<'de> Deserialize<'de> for Facts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(limited(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Reads a value with at most [`MAX_VALUES`] values, and nothing after the first one beyond.
///
/// # Errors
/// Fails if there are more, or it is not valid.
pub fn limited<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    let left = Cell::new(MAX_VALUES);
    LimitedValue { depth: MAX_DEPTH, left: &left }.deserialize(deserializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_map_without_secrets_is_facts() {
        assert!(serde_json::from_str::<Facts>(r#"{"os":{"family":"debian"}}"#).is_ok());
        assert!(serde_json::from_str::<Facts>("[]").is_err());
        assert!(serde_json::from_str::<Facts>(r#"{"a":{"$sensitive":[["x",true]]}}"#).is_err());
    }

    #[test]
    fn equal_facts_hash_alike_whatever_their_order() {
        let hash = |json| serde_json::from_str::<Facts>(json).unwrap().hash();
        assert_eq!(hash(r#"{"a":1,"b":2}"#), hash(r#"{"b":2,"a":1}"#));
        assert_ne!(hash(r#"{"a":1}"#), hash(r#"{"a":2}"#));
    }

    #[test]
    fn a25_reading_ends_at_the_first_value_beyond() {
        let fine = format!(r#"{{"a":[{}]}}"#, vec!["[]"; MAX_VALUES - 2].join(","));
        assert!(serde_json::from_str::<Facts>(&fine).is_ok());
        // What comes after it is not looked at, and so is not kept.
        let many = format!(r#"{{"a":[{},no json"#, vec!["[]"; MAX_VALUES].join(","));
        let error = serde_json::from_str::<Facts>(&many).unwrap_err().to_string();
        assert!(error.contains("too many values"), "{error}");
    }

    #[test]
    fn too_many_values_are_refused() {
        let list: Vec<Value> = (0..=MAX_VALUES as i64).map(Value::from).collect();
        assert_eq!(Facts::new([("a", list.into())].into()), Err(InvalidFacts::TooMany));
    }
}
