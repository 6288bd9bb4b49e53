//! Makes a catalog from what was declared.

use std::sync::Arc;

use holdfast_catalog::catalog::{Catalog, CatalogId, Container, Policy, Resource};
use holdfast_catalog::graph::Edge;
use holdfast_catalog::origin::Origin;

use crate::diagnostic::{Code, Diagnostic};
use crate::inventory::Node;
use crate::lookup::{InheritedPolicies, Policies, PolicySubject};

use super::declared::Declarations;
use super::pass::Pass;

/// Makes the catalog of a node; its id is computed with the node's key.
pub(super) fn assemble(
    declared: Declarations<'_>,
    edges: Vec<Edge>,
    policies: &Policies,
    pass: &Pass<'_>,
    (node, environment, key): (&Node, &str, &[u8]),
) -> Catalog {
    let all_policies = policies_of_all(policies, &declared);
    let resource = |(resource, policy): (super::declared::DeclaredResource, _)| Resource {
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
        commit: pass.program.snapshot.commit().clone(),
        environment: environment.to_owned(),
        resources: declared.resources.into_iter().zip(all_policies).map(resource).collect(),
        containers,
        edges,
    };
    catalog.id = catalog.compute_id(key);
    catalog
}

/// The policy of each resource. If classes lead to a resource on several ways, the policy that does most applies.
fn policies_of_all(policies: &Policies, declared: &Declarations<'_>) -> Vec<Policy> {
    if policies.is_empty() {
        return vec![Policy::Enforce; declared.resources.len()];
    }
    let mut inside = vec![InheritedPolicies::default(); declared.containers.len()];
    for index in &declared.outer_first {
        let container = &declared.containers[*index as usize];
        let around = container.declarers.iter().map(|by| &inside[by.container as usize]);
        let class = container.is_class().then_some(&*container.reference.title);
        inside[*index as usize] = policies.inside(class, around);
    }
    let of = |resource: &super::declared::DeclaredResource| {
        policies.of(&resource.reference, resource.declarers.iter().map(|by| &inside[by.container as usize]))
    };
    declared.resources.iter().map(of).collect()
}

/// How the message of such a warning ends, for one node.
pub const NOT_HERE: &str = "which this node does not have";

/// Warnings about policies for something that the catalog does not contain.
pub(super) fn idle_policies(policies: &Policies, declared: &Declarations<'_>) -> Vec<Diagnostic> {
    let idle = |subject: &PolicySubject| match subject {
        PolicySubject::Resource(reference) => declared.find(reference).is_none().then_some(reference.clone()),
        PolicySubject::Class(_) | PolicySubject::Everything => None,
    };
    let warning = |(subject, _, origin): (&PolicySubject, Policy, &Arc<Origin>)| {
        let reference = idle(subject)?;
        let message = format!("a policy names `{reference}`, {NOT_HERE}");
        let of_type = declared.references().filter(|other| other.type_name == reference.type_name);
        let titles: Vec<&str> = of_type.map(|other| &*other.title).collect();
        let problem = Diagnostic::warning(Code::IdlePolicy, message, Origin::clone(origin));
        Some(problem.did_you_mean(&reference.title, titles))
    };
    policies.subjects().filter_map(warning).collect()
}
