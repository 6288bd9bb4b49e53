//! A catalog: what one node should be, compiled from one commit.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::certname::Certname;
use crate::commit::CommitId;
use crate::graph::{Cycle, Edge, Graph, NodeIndex};
use crate::hash::ContentHash;
use crate::origin::Origin;
use crate::resource::{Attributes, ResourceRef, TypedResource};
use crate::value::Value;

mod id;

pub use id::CatalogId;

/// The most resources in a catalog.
pub const MAX_RESOURCES: usize = 50_000;

/// What to do about a resource that is not as wanted.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// It is not looked at.
    Off,
    /// What would change is reported.
    Audit,
    /// It is corrected.
    #[default]
    Enforce,
}

/// A resource of a catalog.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// `type[title]`.
    pub reference: ResourceRef,
    /// Its attributes, which the server has already read in the same way as the agent will.
    #[schemars(with = "std::collections::BTreeMap<String, crate::value::Value>")]
    pub attributes: Attributes,
    /// What to do about it if it is not as wanted.
    #[serde(default, skip_serializing_if = "is_enforce")]
    pub policy: Policy,
    /// The container that directly contains it, by index in [`Catalog::containers`].
    pub container: Option<u32>,
    /// Words to select it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Arc<str>>,
    /// Where it is declared.
    pub origin: Option<Origin>,
    /// Where each attribute is written, and which data set its value.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub sources: std::collections::BTreeMap<Arc<str>, Vec<Origin>>,
}

// serde passes a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_enforce(policy: &Policy) -> bool {
    *policy == Policy::Enforce
}

/// A class or a define's instance: `class[nginx]`, `nginx::vhost[shop]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Container {
    /// The container's name.
    pub reference: ResourceRef,
    /// The container around it.
    pub container: Option<u32>,
}

/// What one node should be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    /// See [`CatalogId`].
    pub id: CatalogId,
    /// The node that it is for.
    pub certname: Certname,
    /// The commit or directory hash that it was compiled from.
    pub commit: CommitId,
    /// The branch, or `directory`.
    pub environment: String,
    /// The resources, in the order in which they are written.
    pub resources: Vec<Resource>,
    /// The classes and defines that contain the resources.
    pub containers: Vec<Container>,
    /// The edges, between the indices of [`NodeIndex`].
    pub edges: Vec<Edge>,
}

/// Why a catalog cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCatalog {
    #[error("the catalog has {0} resources, more than {MAX_RESOURCES}")]
    TooLarge(usize),
    /// An index refers to nothing.
    #[error("an edge or container of the catalog points to node {0}, which does not exist")]
    Dangling(u32),
    /// Two resources have the same name.
    #[error("`{0}` is listed twice in the catalog")]
    Twice(ResourceRef),
    /// A type that this program does not know.
    #[error("`{0}` is of a type that this agent does not know; upgrade the agent")]
    UnknownType(ResourceRef),
    /// An attribute is wrong.
    #[error("`{0}`: {1}")]
    Attribute(ResourceRef, String),
    /// The edges have a cycle.
    #[error("the catalog's edges have a cycle")]
    Cycle(Vec<NodeIndex>),
}

impl Catalog {
    /// The number of nodes of its graph.
    pub fn nodes(&self) -> usize {
        self.resources.len() + 2 * self.containers.len()
    }

    /// The nodes at which container `index` begins and ends.
    #[cfg(any(test, feature = "testing"))]
    pub fn container_nodes(&self, index: u32) -> (NodeIndex, NodeIndex) {
        let begin = u32::try_from(self.resources.len()).unwrap_or(u32::MAX) + 2 * index;
        (begin, begin + 1)
    }

    /// The graph of its nodes and edges.
    pub fn graph(&self) -> Graph {
        Graph::new(self.nodes(), &self.edges)
    }

    /// All nodes in the order in which they are applied: by edges, then as written.
    ///
    /// # Errors
    /// Fails if there is a cycle, which it returns.
    pub fn order(&self) -> Result<Vec<NodeIndex>, Cycle> {
        let resources = u32::try_from(self.resources.len()).unwrap_or(u32::MAX);
        // The ends of a container hold nothing back, so they are passed as soon as they are free.
        self.graph().order(|node| if node < resources { node + 1 } else { 0 })
    }

    /// The name of a node of the graph, for people.
    pub fn node_name(&self, node: NodeIndex) -> String {
        let resources = self.resources.len();
        match self.resources.get(node as usize) {
            Some(resource) => resource.reference.to_string(),
            None => self
                .containers
                .get((node as usize - resources) / 2)
                .map_or_else(|| format!("node {node}"), |container| container.reference.to_string()),
        }
    }

    /// Checks everything that the agent relies on, and reads every resource.
    ///
    /// # Errors
    /// Returns the first thing that is wrong.
    pub fn validate(&self) -> Result<Vec<TypedResource>, InvalidCatalog> {
        if self.resources.len() > MAX_RESOURCES {
            return Err(InvalidCatalog::TooLarge(self.resources.len()));
        }
        self.check_indices()?;
        let mut seen = std::collections::HashSet::with_capacity(self.resources.len());
        let read = |resource: &Resource| {
            let reference = || resource.reference.clone();
            match TypedResource::read(
                &resource.reference.type_name,
                &resource.reference.title,
                &resource.attributes,
            ) {
                None => Err(InvalidCatalog::UnknownType(reference())),
                Some(Err(errors)) => {
                    let all: Vec<_> = errors.iter().map(ToString::to_string).collect();
                    Err(InvalidCatalog::Attribute(reference(), all.join("; ")))
                }
                Some(Ok(typed)) => Ok(typed),
            }
        };
        for resource in &self.resources {
            if !seen.insert(&resource.reference) {
                return Err(InvalidCatalog::Twice(resource.reference.clone()));
            }
        }
        let typed = self.resources.iter().map(read).collect::<Result<_, _>>()?;
        self.order().map_err(|Cycle(nodes)| InvalidCatalog::Cycle(nodes))?;
        Ok(typed)
    }

    fn check_indices(&self) -> Result<(), InvalidCatalog> {
        let nodes = u32::try_from(self.nodes()).unwrap_or(u32::MAX);
        let containers = u32::try_from(self.containers.len()).unwrap_or(u32::MAX);
        let ends = self.edges.iter().flat_map(|edge| [edge.from, edge.to]).filter(|node| *node >= nodes);
        let held = self.resources.iter().filter_map(|r| r.container);
        let nested = self.containers.iter().filter_map(|c| c.container);
        match ends.chain(held.chain(nested).filter(|c| *c >= containers)).next() {
            Some(index) => Err(InvalidCatalog::Dangling(index)),
            None => Ok(()),
        }
    }

    /// JSON for people: secrets are masked, in a form that [`Catalog`] does not read back. If there are any, the id is
    /// that of the masked form, so they cannot be guessed from it.
    pub fn to_json_masked(&self) -> serde_json::Value {
        let mut bare = self.clone();
        let sensitive = self.resources.iter().flat_map(|r| r.attributes.values()).any(Value::is_sensitive);
        if sensitive {
            for value in bare.resources.iter_mut().flat_map(|r| r.attributes.values_mut()) {
                *value = Value::from_json(&value.to_json_masked());
            }
            bare.id = bare.compute_id(b"");
        }
        bare.resources.iter_mut().for_each(|resource| resource.attributes.clear());
        let mut json = serde_json::to_value(&bare).expect("a catalog without attributes encodes");
        for (index, resource) in self.resources.iter().enumerate() {
            let attributes =
                resource.attributes.iter().map(|(name, value)| (name.to_string(), value.to_json_refused()));
            json["resources"][index]["attributes"] = serde_json::Value::Object(attributes.collect());
        }
        json
    }

    /// The hashes of all content that its resources name.
    pub fn content_hashes(&self) -> Vec<ContentHash> {
        let mut hashes: Vec<_> =
            self.resources.iter().flat_map(|r| r.attributes.values()).flat_map(hashes_of).collect();
        hashes.sort();
        hashes.dedup();
        hashes
    }
}

/// The hashes in a value. Only a map for content by hash (`Content::hash_value`) names one.
fn hashes_of(value: &Value) -> Vec<ContentHash> {
    use crate::resource::Attribute as _;
    match crate::resource::attribute::FileContent::read(value) {
        Ok(content) => content.hashes().into_iter().cloned().collect(),
        Err(_) => Vec::new(),
    }
}

/// A catalog with the file contents that it names: what `compile --bundle` writes and `apply` reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// The catalog.
    pub catalog: Catalog,
    /// File contents as base64, by hash.
    pub contents: std::collections::BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::EdgeKind;
    use crate::value::{Kind, Sensitive};

    fn resource(reference: &str, attributes: &[(&str, Value)]) -> Resource {
        Resource {
            reference: ResourceRef::parse(reference).unwrap(),
            attributes: attributes.iter().map(|(k, v)| (Arc::from(*k), v.clone())).collect(),
            policy: Policy::Enforce,
            container: None,
            tags: Vec::new(),
            origin: None,
            sources: std::collections::BTreeMap::new(),
        }
    }

    fn catalog(resources: Vec<Resource>) -> Catalog {
        let mut catalog = Catalog {
            id: CatalogId::unknown(),
            certname: Certname::parse("web1.acme.example").unwrap(),
            commit: "c1".into(),
            environment: "main".into(),
            resources,
            containers: Vec::new(),
            edges: Vec::new(),
        };
        catalog.id = catalog.compute_id(b"key");
        catalog
    }

    #[test]
    fn the_id_covers_what_is_done_and_not_the_commit_or_places() {
        let base = catalog(vec![resource("file[/a]", &[("mode", "0644".into())])]);
        let mut moved = base.clone();
        moved.commit = "c2".into();
        moved.resources[0].origin = Some(Origin::locate(&"x.toml".into(), "x", 0..1));
        assert_eq!(moved.compute_id(b"key"), base.id);
        assert_ne!(base.compute_id(b"other node"), base.id);
        let changed = catalog(vec![resource("file[/a]", &[("mode", "0600".into())])]);
        assert_ne!(changed.id, base.id);
        let secret = |s: &str| ("content", Kind::Sensitive(Sensitive::text(s)).into());
        let ids = ["a", "b"].map(|s| catalog(vec![resource("file[/a]", &[secret(s)])]).id);
        assert_ne!(ids[0], ids[1]);
    }

    #[test]
    fn a_catalog_survives_the_wire_and_refuses_unknown_fields() {
        let base = catalog(vec![resource("file[/a]", &[("mode", "0644".into())])]);
        let json = serde_json::to_string(&base).unwrap();
        assert_eq!(serde_json::from_str::<Catalog>(&json).unwrap(), base);
        let foreign = json.replacen("{\"id\"", "{\"extra\":1,\"id\"", 1);
        assert!(serde_json::from_str::<Catalog>(&foreign).is_err());
        let mut ordered = base;
        ordered.resources.push(resource("file[/b]", &[]));
        ordered.edges = vec![Edge { from: 0, to: 1, kind: EdgeKind::Need }];
        let json = serde_json::to_string(&ordered).unwrap();
        assert_eq!(serde_json::from_str::<Catalog>(&json).unwrap(), ordered);
        // This program must not mistake an unknown edge for another kind.
        assert!(serde_json::from_str::<Catalog>(&json.replace("\"need\"", "\"newer\"")).is_err());
    }

    #[test]
    fn what_the_agent_relies_on_is_checked() {
        let twice = catalog(vec![resource("file[/a]", &[]), resource("file[/a]", &[])]);
        assert!(matches!(twice.validate(), Err(InvalidCatalog::Twice(_))));
        let unknown = catalog(vec![resource("fiel[/a]", &[])]);
        assert!(matches!(unknown.validate(), Err(InvalidCatalog::UnknownType(_))));
        let mut dangling = catalog(vec![resource("file[/a]", &[])]);
        dangling.edges.push(Edge { from: 0, to: 7, kind: EdgeKind::Order });
        assert_eq!(dangling.validate(), Err(InvalidCatalog::Dangling(7)));
        let wrong = catalog(vec![resource("file[/a]", &[("mode", "rw".into())])]);
        assert!(matches!(wrong.validate(), Err(InvalidCatalog::Attribute(..))));
    }

    #[test]
    fn a_masked_catalog_holds_no_secret_and_is_not_read_back() {
        let secret = |s: &str| ("content", Kind::Sensitive(Sensitive::text(s)).into());
        let [one, other] = ["hunter2", "hunter3"].map(|s| catalog(vec![resource("file[/a]", &[secret(s)])]));
        let shown = one.to_json_masked();
        assert!(!shown.to_string().contains("hunter2") && shown.to_string().contains("[sensitive]"));
        assert_eq!(shown["id"], other.to_json_masked()["id"]);
        let error = serde_json::from_value::<Catalog>(shown).unwrap_err().to_string();
        assert!(error.contains("only for viewing"), "{error}");
        let open = catalog(vec![resource("file[/a]", &[("mode", "0644".into())])]);
        assert_eq!(serde_json::from_value::<Catalog>(open.to_json_masked()).unwrap(), open);
    }

    #[test]
    fn containers_hold_their_members_between_their_ends() {
        let mut catalog = catalog(vec![resource("notify[a]", &[]), resource("notify[b]", &[])]);
        catalog.containers.push(Container { reference: ResourceRef::new("class", "x"), container: None });
        catalog.resources[0].container = Some(0);
        let (begin, end) = catalog.container_nodes(0);
        catalog.edges = vec![
            Edge { from: begin, to: 0, kind: EdgeKind::Contain },
            Edge { from: 0, to: end, kind: EdgeKind::Contain },
            Edge { from: 1, to: begin, kind: EdgeKind::Order },
        ];
        assert_eq!(catalog.order().unwrap(), [1, begin, 0, end]);
        assert_eq!(catalog.node_name(end), "class[x]");
    }

    #[test]
    fn content_hashes_are_those_that_resources_name() {
        use crate::resource::attribute::FileContent;
        let hash = ContentHash::of(b"x");
        let content = ("content", FileContent::hash_value(&hash, 1));
        let catalog =
            catalog(["file[/a]", "file[/b]"].map(|r| resource(r, std::slice::from_ref(&content))).into());
        assert_eq!(catalog.content_hashes(), [hash]);
    }
}
