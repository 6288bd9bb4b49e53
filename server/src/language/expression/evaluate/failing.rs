//! Faults of an evaluation, which get a place and reveal no secrets.

use std::ops::Range;
use std::sync::Arc;

use holdfast_catalog::manifest_words::NODE;
use holdfast_catalog::value::{Kind, Value};

use crate::diagnostic::Code;
use crate::language::expression::function;
use crate::language::expression::operator::{self, described};
use crate::language::fault::Fault;
use crate::language::scope::Scope;
use crate::language::secrecy::WITHHELD;

/// Gives a fault of an operator or a function its place.
pub(in crate::language) fn placed(fault: Fault, span: &Range<usize>) -> Fault {
    if fault.span == (0..0) { Fault { span: span.clone(), ..fault } } else { fault }
}

/// Gives a fault of the scope its place, since the scope does not know the bytes of this text; a fault that is in
/// another text keeps its own.
pub(in crate::language) fn of_scope(fault: Fault, span: &Range<usize>) -> Fault {
    if fault.origin.is_some() { fault } else { Fault { span: span.clone(), ..fault } }
}

/// Reduces a fault that involved a secret to the fact that it failed.
pub(super) fn withheld_if(secret: bool, fault: Fault) -> Fault {
    if !secret || fault.code == Code::Limit {
        return fault;
    }
    Fault { message: format!("this failed on {WITHHELD}"), help: None, withheld: true, ..fault }
}

/// Whether `&&`, `||`, `all` and `exists` continue after a fault if something else decides. They do not after a limit
/// was reached, nor if a secret must not decide.
pub(super) fn is_absorbed(fault: &Fault) -> bool {
    !matches!(fault.code, Code::Limit | Code::Secret)
}

/// The error for a missing field; the message lists the fields that exist.
pub(super) fn no_field(operand: &Value, field: &Arc<str>, span: &Range<usize>) -> Fault {
    let fault = match &operand.kind {
        Kind::Map(_) => operator::missing(operand, &field.clone().into()),
        Kind::Null => Fault::new(Code::WrongType, format!("null has no `{field}`"), 0..0)
            .help(format!("`.?{field}` gives no value instead")),
        _ => Fault::new(Code::WrongType, format!("{} has no `{field}`", described(operand)), 0..0),
    };
    placed(fault, span)
}

/// The error for a name in an expression that the scope does not have.
pub(in crate::language) fn unknown_in_expression(
    name: &str,
    span: &Range<usize>,
    scope: &dyn Scope,
) -> Fault {
    let is_of_a_shell = name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    let fault = unknown_name(name, span, scope);
    let in_small = scope.names().into_iter().find(|known| known.eq_ignore_ascii_case(name));
    match in_small {
        _ if !is_of_a_shell => fault,
        Some(known) => fault.help(format!("did you mean `{known}`?")),
        None => fault.help(format!("for a shell variable, write `$${{{name}}}`, which stays `${{{name}}}`")),
    }
}

/// The error for a name that the scope does not have.
pub(in crate::language) fn unknown_name(name: &str, span: &Range<usize>, scope: &dyn Scope) -> Fault {
    let names = scope.names();
    let fault = Fault::new(Code::UnknownName, format!("unknown name `{name}`"), span.clone());
    let fault = Fault { unknown: Some(name.into()), ..fault }.did_you_mean(name, names.iter().map(|n| &**n));
    if fault.help.is_some() || names.is_empty() {
        return fault;
    }
    match function::find(name) {
        Some(builtin) => fault.help(format!("it is a function: {}", builtin.usage)),
        None => fault.help(known(name, &names)),
    }
}

/// The names that may be used instead of an unknown one, for the help text.
fn known(name: &str, names: &[Arc<str>]) -> String {
    const MAX_NAMES: usize = 12;
    if NODE.contains(&name) && names.iter().any(|known| **known == *"node") {
        return format!("did you mean `node.{name}`?");
    }
    let mut listed: Vec<_> = names.iter().take(MAX_NAMES).map(|name| format!("`{name}`")).collect();
    if names.len() > MAX_NAMES {
        listed.push(format!("{} more", names.len() - MAX_NAMES));
    }
    let last = listed.pop().unwrap_or_default();
    let first = if listed.is_empty() { String::new() } else { format!("{} and ", listed.join(", ")) };
    format!("the names here are {first}{last}; write a string in quotes: 'text'")
}

/// The error for a function that neither the language nor the scope has.
pub(in crate::language) fn unknown_function(name: &str, span: &Range<usize>, scope: &dyn Scope) -> Fault {
    let mut candidates: Vec<&str> = function::names().collect();
    candidates.extend(scope.functions());
    Fault::new(Code::UnknownFunction, format!("unknown function `{name}`"), span.clone())
        .did_you_mean(name, candidates)
}
