//! The value that a parameter of a class has for a node from data and default only, leaving aside the manifests that
//! may give it themselves: for people who ask about a key.

use holdfast_catalog::facts::Facts;
use holdfast_catalog::value::Value;

use crate::diagnostic::Diagnostic;
use crate::inventory::Node;
use crate::lookup::Lookup;

use super::pass::Pass;
use super::program::Program;
use super::unit::ManifestInstance;

/// The value of a class's parameter: from the data, or else its default, or else null. `None` if there is no such
/// parameter.
///
/// # Errors
/// Returns an error if the data or the default is wrong, or if the parameter is required and has no value.
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
    let unit = ManifestInstance::new(manifest, 0, None, node.origin.clone(), 0);
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
