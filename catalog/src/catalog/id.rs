//! A catalog's id: what it asks of the machine, and nothing else, keyed for its node.

use std::fmt;

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{Catalog, Container, Resource};
use crate::graph::Edge;
use crate::hash::ContentHash;
use crate::resource::ResourceRef;
use crate::value::{Kind, Sensitive, Value};

/// Identifies what a catalog's resources, edges and contents are, keyed for its node: equal ids mean that there is
/// nothing new to do.
///
/// It covers neither the commit nor where values came from, so a commit that changes nothing for a node changes nothing
/// on its machine. It is keyed, so a secret cannot be guessed from it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct CatalogId(ContentHash);

impl CatalogId {
    /// The id as 64 hex digits.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Parses 64 lower-case hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        ContentHash::parse(text).map(Self)
    }

    /// The id in a catalog before [`Catalog::compute_id`] is called; no catalog has it.
    pub fn unknown() -> Self {
        Self(ContentHash::of(b""))
    }
}

impl fmt::Display for CatalogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for CatalogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_str()[..12].fmt(f)
    }
}

impl Catalog {
    /// The id of these resources, containers and edges, with a node's own key.
    pub fn compute_id(&self, key: &[u8]) -> CatalogId {
        let mut canonical = Canonical::default();
        canonical.text(self.certname.as_str());
        canonical.count(self.resources.len());
        self.resources.iter().for_each(|resource| canonical.resource(resource));
        canonical.count(self.containers.len());
        for Container { reference, container } in &self.containers {
            canonical.reference(reference);
            canonical.place(*container);
        }
        canonical.count(self.edges.len());
        for Edge { from, to, kind } in &self.edges {
            canonical.number(*from);
            canonical.number(*to);
            canonical.tag(*kind as u8);
        }
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
        mac.update(&canonical.0);
        let hex = data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes());
        CatalogId(ContentHash::parse(&hex).expect("HMAC-SHA-256 has 32 bytes"))
    }
}

/// Bytes that are equal exactly if the values are: each part is preceded by its kind or its length. They contain
/// secrets.
#[derive(Default)]
struct Canonical(Zeroizing<Vec<u8>>);

impl Canonical {
    fn tag(&mut self, tag: u8) {
        self.0.push(tag);
    }

    fn number(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn count(&mut self, count: usize) {
        self.0.extend_from_slice(&(count as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn reference(&mut self, reference: &ResourceRef) {
        self.text(&reference.type_name);
        self.text(&reference.title);
    }

    fn place(&mut self, container: Option<u32>) {
        self.tag(u8::from(container.is_some()));
        self.number(container.unwrap_or_default());
    }

    fn resource(&mut self, resource: &Resource) {
        self.reference(&resource.reference);
        self.count(resource.attributes.len());
        for (name, value) in &resource.attributes {
            self.text(name);
            self.value(value);
        }
        self.tag(resource.policy as u8);
        self.place(resource.container);
        self.count(resource.tags.len());
        resource.tags.iter().for_each(|tag| self.text(tag));
    }

    fn value(&mut self, value: &Value) {
        match &value.kind {
            Kind::Null => self.tag(0),
            Kind::Bool(boolean) => {
                self.tag(1);
                self.tag(u8::from(*boolean));
            }
            Kind::Int(integer) => {
                self.tag(2);
                self.0.extend_from_slice(&integer.to_le_bytes());
            }
            Kind::Float(float) => {
                self.tag(3);
                self.0.extend_from_slice(&float.to_bits().to_le_bytes());
            }
            Kind::String(text) => {
                self.tag(4);
                self.text(text);
            }
            Kind::List(list) => {
                self.tag(5);
                self.count(list.len());
                list.iter().for_each(|item| self.value(item));
            }
            Kind::Map(map) => {
                self.tag(6);
                self.count(map.len());
                for (name, item) in map.iter() {
                    self.text(name);
                    self.value(item);
                }
            }
            Kind::Sensitive(secret) => self.secret(secret),
        }
    }

    fn secret(&mut self, secret: &Sensitive) {
        let Some(pieces) = secret.as_pieces() else {
            self.tag(7);
            return self.value(&secret.expose());
        };
        self.tag(8);
        self.count(pieces.len());
        for piece in pieces {
            self.tag(u8::from(piece.secret));
            self.text(&piece.text);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use std::sync::Arc;

    use super::*;
    use crate::value::TextPiece;

    fn values() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::NULL),
            any::<bool>().prop_map(Value::from),
            (0..3i64).prop_map(Value::from),
            (0..3u8).prop_map(|float| Value::from(f64::from(float))),
            "[ab]{0,2}".prop_map(|text| Value::from(text.as_str())),
            ("[ab]{0,2}", any::<bool>()).prop_map(|(text, secret)| {
                Kind::Sensitive(Sensitive::pieces([TextPiece { text: text.into(), secret }])).into()
            }),
        ];
        scalar.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[ab]{0,2}".prop_map(Arc::from), inner, 0..3)
                    .prop_map(|map: crate::value::Map| Value::from(map)),
            ]
        })
    }

    fn bytes(value: &Value) -> Vec<u8> {
        let mut canonical = Canonical::default();
        canonical.value(value);
        canonical.0.to_vec()
    }

    proptest! {
        #[test]
        fn bytes_are_equal_exactly_for_equal_values(one in values(), other in values()) {
            prop_assert_eq!(bytes(&one) == bytes(&other), one == other);
        }

        #[test]
        fn neighbours_are_told_apart_however_they_are_cut(one in "[ab]{0,3}", other in "[ab]{0,3}") {
            let list = |parts: &[&str]| Value::from(parts.iter().map(|p| Value::from(*p)).collect::<Vec<_>>());
            let joined = format!("{one}{other}");
            prop_assert_ne!(bytes(&list(&[&one, &other])), bytes(&list(&[&joined])));
        }
    }
}
