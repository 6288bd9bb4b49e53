//! A catalog's id: what it asks of the machine, and nothing else, keyed for its node.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{Catalog, Container, Policy};
use crate::certname::Certname;
use crate::graph::Edge;
use crate::hash::ContentHash;
use crate::resource::{Attributes, ResourceRef};

/// What a catalog's resources, edges and contents are, keyed for its node: equal ids mean that there is nothing new to do.
///
/// It covers neither the commit nor where values came from, so a commit that changes nothing for a node changes
/// nothing on its machine; and it is keyed, so that a secret cannot be guessed from it.
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

    /// What stands in a catalog until [`Catalog::compute_id`] has been asked; the id of no catalog.
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
    /// The id of these resources, containers and edges, for a node's own key.
    pub fn compute_id(&self, key: &[u8]) -> CatalogId {
        type CanonicalResource<'a> = (&'a ResourceRef, &'a Attributes, Policy, Option<u32>, &'a [Arc<str>]);
        #[derive(Serialize)]
        struct Canonical<'a> {
            certname: &'a Certname,
            resources: Vec<CanonicalResource<'a>>,
            containers: &'a [Container],
            edges: &'a [Edge],
        }
        let canonical = Canonical {
            certname: &self.certname,
            resources: self
                .resources
                .iter()
                .map(|r| (&r.reference, &r.attributes, r.policy, r.container, &*r.tags))
                .collect(),
            containers: &self.containers,
            edges: &self.edges,
        };
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
        // Encoded whole first: a hash takes one long text faster than many short ones. It holds secrets.
        let text =
            Zeroizing::new(serde_json::to_vec(&canonical).expect("values of a compiled catalog encode"));
        mac.update(&text);
        let hex = data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes());
        CatalogId(ContentHash::parse(&hex).expect("HMAC-SHA-256 has 32 bytes"))
    }
}
