//! Values as JSON: masked for people, exposed only on the connection to the agent, and limited when read.
//!
//! In the protocol a secret scalar is `{"$sensitive": [[text, secret], …]}` or `{"$sensitive": scalar}`. A map that
//! really has such a key is refused, so nothing that a tenant writes can pose as a secret.

use std::cell::Cell;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, SerializeMap, SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};

use super::{Kind, Map, Sensitive, TextPiece, Value};

/// How deep lists and maps may be nested when read from outside.
pub const MAX_DEPTH: usize = 32;

const TAG: &str = "$sensitive";

impl Value {
    /// JSON for people and for `compile`, with secrets masked.
    pub fn to_json_masked(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.kind {
            Kind::Null => Json::Null,
            Kind::Bool(b) => Json::Bool(*b),
            Kind::Int(i) => Json::from(*i),
            Kind::Float(x) => Json::from(*x),
            Kind::String(s) => Json::String(s.to_string()),
            Kind::List(l) => Json::Array(l.iter().map(Value::to_json_masked).collect()),
            Kind::Map(m) => {
                Json::Object(m.iter().map(|(k, v)| (k.to_string(), v.to_json_masked())).collect())
            }
            Kind::Sensitive(s) => Json::String(s.masked()),
        }
    }

    /// JSON for people in the form of the protocol, masked so that it is refused when it is read back.
    pub fn to_json_refused(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.kind {
            Kind::List(l) => Json::Array(l.iter().map(Value::to_json_refused).collect()),
            Kind::Map(m) => {
                Json::Object(m.iter().map(|(k, v)| (k.to_string(), v.to_json_refused())).collect())
            }
            Kind::Sensitive(s) => {
                Json::Object([(TAG.to_owned(), Json::String(s.masked()))].into_iter().collect())
            }
            _ => self.to_json_masked(),
        }
    }

    /// A value from JSON without secrets, such as facts. Integers beyond 64 bits become floats.
    pub fn from_json(json: &serde_json::Value) -> Self {
        use serde_json::Value as Json;
        match json {
            Json::Null => Self::NULL,
            Json::Bool(b) => (*b).into(),
            Json::Number(n) => n.as_i64().map_or_else(|| n.as_f64().unwrap_or_default().into(), Value::from),
            Json::String(s) => s.as_str().into(),
            Json::Array(list) => list.iter().map(Self::from_json).collect::<Vec<_>>().into(),
            Json::Object(map) => {
                map.iter().map(|(k, v)| (Arc::from(k.as_str()), Self::from_json(v))).collect::<Map>().into()
            }
        }
    }
}

/// A float as text: always with a fraction or an exponent, so it is read back as a float.
pub(super) fn float_text(x: f64) -> String {
    let text = x.to_string();
    if x.is_finite() && !text.contains(['.', 'e']) { format!("{text}.0") } else { text }
}

/// The encoding of the protocol, including secrets: only inside a catalog on its way to its own agent.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.kind {
            Kind::Null => serializer.serialize_unit(),
            Kind::Bool(b) => serializer.serialize_bool(*b),
            Kind::Int(i) => serializer.serialize_i64(*i),
            Kind::Float(x) => serializer.serialize_f64(*x),
            Kind::String(s) => serializer.serialize_str(s),
            Kind::List(list) => {
                let mut seq = serializer.serialize_seq(Some(list.len()))?;
                list.iter().try_for_each(|item| seq.serialize_element(item))?;
                seq.end()
            }
            Kind::Map(map) => {
                if map.contains_key(TAG) {
                    return Err(S::Error::custom(format!("`{TAG}` cannot be a key of a map")));
                }
                let mut out = serializer.serialize_map(Some(map.len()))?;
                map.iter().try_for_each(|(k, v)| out.serialize_entry(&**k, v))?;
                out.end()
            }
            Kind::Sensitive(secret) => {
                let mut out = serializer.serialize_map(Some(1))?;
                match secret.as_pieces() {
                    Some(pieces) => {
                        let pieces: Vec<_> = pieces.iter().map(|p| (&*p.text, p.secret)).collect();
                        out.serialize_entry(TAG, &pieces)?;
                    }
                    None => out.serialize_entry(TAG, &secret.expose())?,
                }
                out.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let unlimited = Cell::new(usize::MAX);
        LimitedValue { depth: MAX_DEPTH, left: &unlimited }.deserialize(deserializer)
    }
}

/// Reads a value with at most `depth` levels of lists and maps, and with no more values than are left. It stops at the
/// first one beyond, whatever follows.
#[derive(Clone, Copy)]
pub struct LimitedValue<'a> {
    pub depth: usize,
    pub left: &'a Cell<usize>,
}

impl LimitedValue<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth, ..self }),
            None => Err(E::custom(format!("nested deeper than {MAX_DEPTH} levels"))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for LimitedValue<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let left = self.left.get().checked_sub(1).ok_or_else(|| D::Error::custom("too many values"))?;
        self.left.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for LimitedValue<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::NULL)
    }

    fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
        Ok(b.into())
    }

    fn visit_i64<E>(self, i: i64) -> Result<Value, E> {
        Ok(i.into())
    }

    fn visit_u64<E: serde::de::Error>(self, u: u64) -> Result<Value, E> {
        i64::try_from(u)
            .map(Value::from)
            .map_err(|_| E::custom(format!("integer {u} does not fit in a signed 64-bit integer")))
    }

    fn visit_f64<E>(self, x: f64) -> Result<Value, E> {
        Ok(x.into())
    }

    fn visit_str<E>(self, s: &str) -> Result<Value, E> {
        Ok(s.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if key == TAG {
                let secret = sensitive(&access.next_value_seed(inner)?).map_err(A::Error::custom)?;
                return match access.next_key::<String>()? {
                    None if map.is_empty() => Ok(Kind::Sensitive(secret).into()),
                    _ => Err(A::Error::custom(format!("`{TAG}` must be the only key"))),
                };
            }
            let key: Arc<str> = key.into();
            if map.insert(key.clone(), access.next_value_seed(inner)?).is_some() {
                return Err(A::Error::custom(format!("key `{key}` is listed twice")));
            }
        }
        Ok(map.into())
    }
}

/// Whether JSON contains a secret that was masked for people: then it can only be looked at.
pub fn is_masked(json: &serde_json::Value) -> bool {
    match json {
        serde_json::Value::Array(list) => list.iter().any(is_masked),
        serde_json::Value::Object(fields) => {
            fields.iter().any(|(key, value)| key == TAG && value.is_string() || is_masked(value))
        }
        _ => false,
    }
}

fn sensitive(value: &Value) -> Result<Sensitive, &'static str> {
    let Kind::List(list) = &value.kind else {
        return match &value.kind {
            Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Null => {
                Ok(Sensitive::scalar(value.kind.clone()))
            }
            Kind::String(_) => Err("a masked secret: this is only for viewing"),
            _ => Err("a sensitive value is a scalar or a list of stretches"),
        };
    };
    let piece = |item: &Value| {
        let [text, secret] = item.as_list()? else { return None };
        Some(TextPiece { text: text.as_str()?.into(), secret: secret.as_bool()? })
    };
    let pieces: Option<Vec<_>> = list.iter().map(piece).collect();
    pieces.map(Sensitive::pieces).ok_or("a stretch of a sensitive text is [text, secret]")
}

impl schemars::JsonSchema for Value {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Value".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "description": "any JSON; a secret scalar is {\"$sensitive\": …}" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(value: &Value) -> Value {
        serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
    }

    #[test]
    fn every_kind_survives_the_wire() {
        let secret = Sensitive::pieces([
            TextPiece { text: "a".into(), secret: false },
            TextPiece { text: "b".into(), secret: true },
        ]);
        let value: Value = [
            ("null", Value::NULL),
            ("bool", true.into()),
            ("int", i64::MIN.into()),
            ("float", 1.5.into()),
            ("text", "ü".into()),
            ("list", vec![1.into(), "x".into()].into()),
            ("secret", Kind::Sensitive(secret).into()),
            ("number", Kind::Sensitive(Sensitive::scalar(Kind::Int(3))).into()),
        ]
        .into();
        assert_eq!(round_trip(&value), value);
    }

    #[test]
    fn a_map_cannot_pose_as_a_secret() {
        let posing: Value = [("$sensitive", "x".into())].into();
        assert!(serde_json::to_string(&posing).is_err());
        assert!(serde_json::from_str::<Value>(r#"{"$sensitive":[["a",true]],"b":1}"#).is_err());
        assert!(serde_json::from_str::<Value>(r#"{"$sensitive":{"a":1}}"#).is_err());
    }

    #[test]
    fn depth_and_doubled_keys_are_refused() {
        let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
        assert!(serde_json::from_str::<Value>(&deep).unwrap_err().to_string().contains("nested deeper"));
        assert!(
            serde_json::from_str::<Value>(r#"{"a":1,"a":2}"#)
                .unwrap_err()
                .to_string()
                .contains("is listed twice")
        );
    }

    #[test]
    fn masked_json_shows_no_secret() {
        let value: Value = [("p", Kind::Sensitive(Sensitive::text("hunter2")).into())].into();
        assert_eq!(value.to_json_masked().to_string(), r#"{"p":"[sensitive]"}"#);
    }

    #[test]
    fn floats_keep_their_fraction_as_text() {
        assert_eq!(Value::from(2.0).scalar_text().as_deref(), Some("2.0"));
        assert_eq!(Value::from(2.5).scalar_text().as_deref(), Some("2.5"));
    }
}
