//! What a parameter of a class is for a node by data and default alone: what a person asks for, without the manifests that
//! may give it themselves.

use holdfast_catalog::facts::Facts;
use holdfast_catalog::value::Value;

use crate::diagnostic::Diagnostic;
use crate::inventory::Node;
use crate::lookup::Lookup;

use super::pass::Pass;
use super::program::Program;
use super::unit::Unit;

/// The value of a class's parameter: from the data, else its default, else null. None where there is no such parameter.
///
/// # Errors
/// It cannot be had: the data is wrong, or so is the default, or it must be given and is not.
pub fn parameter(
    program: &Program,
    node: &Node,
    facts: &Facts,
    environment: &str,
    (class, name): (&str, &str),
) -> Result<Option<Value>, Vec<Diagnostic>> {
    let Some(manifest) = program.modules().class(class) else { return Ok(None) };
    let reader = program.snapshot().reader();
    let profiles = |class: Option<&str>| program.profiles(&node.role, class);
    let lookup = Lookup::new(program.data(), &reader, node, facts, environment, &profiles)?;
    let pass = Pass::new(program, facts, node.to_value(environment), &reader, &lookup);
    let unit = Unit::new(manifest, 0, None, node.origin.clone(), 0);
    let Some((at, named)) = unit.named(name) else { return Ok(None) };
    let computed = pass.value_of(&unit, at, named);
    if let Err(fault) = &computed {
        pass.report_fault(fault);
    }
    let problems = pass.take_problems();
    match computed {
        Ok(traced) if problems.is_empty() => Ok(Some(traced.value)),
        _ => Err(problems),
    }
}
