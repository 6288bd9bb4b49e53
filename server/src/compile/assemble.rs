//! From what was declared to a catalog.

use std::sync::Arc;

use holdfast_catalog::catalog::{Catalog, CatalogId, Container, Resource};
use holdfast_catalog::graph::Edge;
use holdfast_catalog::origin::Origin;

use crate::inventory::Node;
use crate::lookup::{Policies, Subject};

use super::declared::Declared;
use super::pass::Pass;

/// The catalog of a node, sealed with the node's key.
pub(super) fn assemble(
    declared: Declared<'_>,
    edges: Vec<Edge>,
    policies: &Policies,
    pass: &Pass<'_>,
    (node, environment, key): (&Node, &str, &[u8]),
) -> Catalog {
    let policy = |resource: &super::declared::Resource| {
        let classes = declared.around(resource.container).filter(|c| &*c.reference.type_name == "class");
        policies.of(&resource.reference, classes.map(|class| &*class.reference.title))
    };
    let all_policies: Vec<_> = declared.resources.iter().map(policy).collect();
    let resource = |(resource, policy): (super::declared::Resource, _)| Resource {
        reference: resource.reference,
        attributes: resource.attributes,
        policy,
        container: Some(resource.container),
        tags: resource.tags.into_iter().collect(),
        origin: Some(Origin::clone(&resource.origin)),
        sources: resource.sources,
    };
    let containers = declared.containers.into_iter();
    let containers = containers.map(|c| Container { reference: c.reference, container: c.parent }).collect();
    let mut catalog = Catalog {
        id: CatalogId::unknown(),
        certname: node.certname.clone(),
        commit: pass.program.snapshot.commit().to_string(),
        environment: environment.to_owned(),
        resources: declared.resources.into_iter().zip(all_policies).map(resource).collect(),
        containers,
        edges,
    };
    catalog.id = catalog.compute_id(key);
    catalog
}

/// What a policy says of something that the catalog does not have.
pub(super) fn idle_policies(policies: &Policies, declared: &Declared<'_>) -> Vec<(String, Arc<Origin>)> {
    let idle = |subject: &Subject| match subject {
        Subject::Resource(reference) => declared.find(reference).is_none().then(|| reference.to_string()),
        Subject::Class(_) | Subject::Everything => None,
    };
    policies.subjects().filter_map(|(subject, _, origin)| Some((idle(subject)?, origin.clone()))).collect()
}
