//! Determines whether a node has the class of a parameter, and what its manifests themselves give the parameter. Both
//! may depend on expressions, so only the node's own compile can tell.

use std::collections::BTreeSet;
use std::sync::Arc;

use holdfast_catalog::facts::Facts;
use holdfast_catalog::origin::Origin;
use holdfast_catalog::resource::ResourceRef;
use holdfast_catalog::value::Value;

use crate::inventory::Node;
use crate::language::manifest::Manifest;
use crate::lookup::Lookup;

use super::declared::Declarations;
use super::pass::Pass;
use super::program::Program;

/// The relation between a node and a parameter of a class.
#[derive(Debug)]
pub enum ClassStatus {
    /// The node has the class. `Some` if a manifest gives the parameter a value; otherwise the data does.
    Has(Option<ManifestValue>),
    /// The node does not have the class. `Some` if there is a single reason.
    Lacks(Option<Absence>),
    /// The compile of the node has errors, so it is unknown what it would have.
    Unknown,
}

/// What keeps a class from a node whose role leads to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Absence {
    /// A `when` does not hold.
    When(Arc<Origin>),
    /// A `for_each` is empty.
    ForEach(Arc<Origin>),
}

impl Absence {
    /// Looks at the manifests that would declare the class, and at those that would declare these, up to one that the
    /// node has.
    fn of(program: &Program, declared: &Declarations<'_>, class: &str) -> Option<Self> {
        let (mut lacking, mut seen) = (vec![class], BTreeSet::from([class]));
        while let Some(name) = lacking.pop() {
            for manifest in program.modules().manifests().filter(|manifest| declares(manifest, name)) {
                if declared.has(manifest) {
                    return Self::between(manifest, name);
                }
                if seen.insert(manifest.name.as_str()) {
                    lacking.push(manifest.name.as_str());
                }
            }
        }
        None
    }

    /// What keeps a node that has the manifest from what the manifest would declare.
    fn between(manifest: &Manifest, name: &str) -> Option<Self> {
        let mut inclusions = manifest.inclusions.iter().filter(|inclusion| *inclusion.class == *name);
        if let Some(when) = inclusions.find_map(|inclusion| inclusion.when.as_ref()) {
            return Some(Self::When(when.origin.clone()));
        }
        let block = manifest.blocks.iter().find(|block| *block.type_name == *name)?;
        match (&block.when, &block.for_each) {
            (Some(when), None) => Some(Self::When(when.origin.clone())),
            (None, Some(for_each)) => Some(Self::ForEach(for_each.origin.clone())),
            _ => None,
        }
    }
}

/// Whether a manifest would declare a class, or an instance of a define.
fn declares(manifest: &Manifest, name: &str) -> bool {
    manifest.inclusions.iter().any(|inclusion| *inclusion.class == *name)
        || manifest.blocks.iter().any(|block| *block.type_name == *name)
}

/// A value that a manifest itself gives a class.
#[derive(Debug)]
pub struct ManifestValue {
    pub origin: Arc<Origin>,
    /// The value; `None` if evaluating it failed.
    pub value: Option<Value>,
}

impl ClassStatus {
    /// Determines the relation between a node and the parameter `name` of `class`.
    pub fn of(
        program: &Program,
        node: &Node,
        facts: &Facts,
        environment: &str,
        (class, name): (&str, &str),
    ) -> Self {
        let reader = program.snapshot().reader();
        let profiles = |class: Option<&str>| program.profiles(&node.role, class);
        let Ok(lookup) = Lookup::new(program.data(), &reader, node, facts, environment, &profiles) else {
            return Self::Unknown;
        };
        let pass = Pass::new(program, facts, node.to_value(environment), &reader, &lookup);
        let (declared, mut given) = super::walk(&pass, node);
        let has_errors = !pass.take_problems().is_empty();
        if declared.find(&ResourceRef::new("class", class)).is_none() {
            return if has_errors {
                Self::Unknown
            } else {
                Self::Lacks(Absence::of(program, &declared, class))
            };
        }
        let given = given.get_mut(class).and_then(|given| given.remove(name));
        match given {
            // null counts as no value: then the data is used
            Some(given) if given.value().is_none_or(|value| !value.is_null()) => {
                let value = given.value().cloned();
                Self::Has(Some(ManifestValue { origin: given.origin, value }))
            }
            None if has_errors && program.modules().givers(class, name).next().is_some() => Self::Unknown,
            _ => Self::Has(None),
        }
    }
}
