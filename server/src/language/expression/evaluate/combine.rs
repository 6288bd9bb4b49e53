//! Operators over values that may be secret.

use holdfast_catalog::value::{Kind, Value};

use super::withheld_if;
use crate::language::budget::Budget;
use crate::language::expression::operator::{self, Binary};
use crate::language::fault::Fault;
use crate::language::secrecy::{Stretches, exposed, sealed};

/// Applies an operator to values that may be secret. Texts keep their secret parts; other results are secret as a whole.
pub(in crate::language) fn combine(
    operator: Binary,
    left: &Value,
    right: &Value,
    budget: &mut Budget,
) -> Result<Value, Fault> {
    charge(operator, left, right, budget)?;
    let whole = matches!((&left.kind, &right.kind), (Kind::List(_), Kind::List(_)));
    if operator == Binary::Add && whole {
        return operator::apply(operator, left, right);
    }
    // A secret inside a list or a map matters only if the operator looks inside.
    let looks_inside = matches!(operator, Binary::Equal | Binary::Unequal | Binary::In);
    let is_secret = |value: &Value| match value.kind {
        Kind::Sensitive(_) => true,
        Kind::List(_) | Kind::Map(_) => looks_inside && value.is_sensitive(),
        _ => false,
    };
    if !is_secret(left) && !is_secret(right) {
        return operator::apply(operator, left, right);
    }
    let open = (exposed(left), exposed(right));
    if operator == Binary::Add && open.0.as_str().is_some() && open.1.as_str().is_some() {
        let mut text = Stretches::default();
        let _ = text.push(left) && text.push(right);
        return Ok(text.finish());
    }
    operator::apply(operator, &open.0, &open.1).map(sealed).map_err(|fault| withheld_if(true, fault))
}

/// Spends what an operator costs beyond its step.
fn charge(operator: Binary, left: &Value, right: &Value, budget: &mut Budget) -> Result<(), Fault> {
    match (operator, &left.kind, &right.kind) {
        (Binary::Add, Kind::String(a), Kind::String(b)) => budget.text(a.len() + b.len()),
        // They are compared up to the first difference.
        (_, Kind::String(a), Kind::String(b)) => budget.walk(a.len().min(b.len())),
        _ => {
            budget.weigh(left)?;
            budget.weigh(right)
        }
    }
}
