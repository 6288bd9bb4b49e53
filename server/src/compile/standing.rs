//! How a node stands to a parameter of a class: whether it has the class, and what its manifests give the parameter
//! themselves. Both may depend on expressions, so that only the node's own compile can tell.

use std::sync::Arc;

use holdfast_catalog::facts::Facts;
use holdfast_catalog::origin::Origin;
use holdfast_catalog::resource::ResourceRef;
use holdfast_catalog::value::Value;

use crate::inventory::Node;
use crate::lookup::Lookup;

use super::pass::Pass;
use super::program::Program;

/// How a node stands to a parameter of a class.
#[derive(Debug)]
pub enum Standing {
    /// It has the class, with what a manifest gives; without, the data is asked.
    Has(Option<Gift>),
    /// It does not have the class.
    Lacks,
    /// Its compile has errors, so that what it would have is unknown.
    Unknown,
}

/// A value that a manifest gives a class itself.
#[derive(Debug)]
pub struct Gift {
    pub origin: Arc<Origin>,
    /// The value; none where it cannot be had.
    pub value: Option<Value>,
}

impl Standing {
    /// How a node stands to the parameter `name` of `class`.
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
            return if has_errors { Self::Unknown } else { Self::Lacks };
        }
        let given = given.get_mut(class).and_then(|given| given.remove(name));
        match given {
            // null is no value: the data is asked
            Some(given) if given.value().is_none_or(|value| !value.is_null()) => {
                let value = given.value().cloned();
                Self::Has(Some(Gift { origin: given.origin, value }))
            }
            None if has_errors && program.modules().givers(class, name).next().is_some() => Self::Unknown,
            _ => Self::Has(None),
        }
    }
}
