//! Calls: functions before or after their first argument, `has`, and macros.

use std::ops::Range;
use std::sync::Arc;

use holdfast_catalog::count::counted;

use super::node;
use crate::diagnostic::Code;
use crate::language::expression::function;
use crate::language::expression::tree::{Ast, AstNode, Call, CallForm, Macro, Name};
use crate::language::fault::Fault;

/// Parses `name(…)`.
pub(super) fn global(
    name: Arc<str>,
    name_span: Range<usize>,
    mut arguments: Vec<AstNode>,
    end: usize,
) -> Result<AstNode, Fault> {
    let span = name_span.start..end;
    if &*name != "has" {
        return call(name, name_span, CallForm::Global, arguments, span);
    }
    match (arguments.pop(), arguments.is_empty()) {
        (Some(AstNode { ast: Ast::Select(select), depth, .. }), true) => {
            node(span, depth - 1, Ast::Has(select))
        }
        _ => {
            Err(Fault::new(Code::Syntax, "`has` takes one selection", span).help("such as has(facts.cloud)"))
        }
    }
}

/// Parses `operand.name(…)`: a macro, a function with a dot in its name, or a function after its first argument.
pub(super) fn member(
    operand: AstNode,
    name: Arc<str>,
    name_span: Range<usize>,
    arguments: Vec<AstNode>,
    end: usize,
) -> Result<AstNode, Fault> {
    let span = operand.span.start..end;
    if let Ast::Name(root) = &operand.ast {
        let full = format!("{}.{name}", root.name);
        if function::find(&full).is_some() {
            return call(full.into(), operand.span.start..name_span.end, CallForm::Global, arguments, span);
        }
    }
    if Macro::is_name(&name) {
        return comprehension(operand, &name, name_span, arguments, span);
    }
    let mut all = vec![operand];
    all.extend(arguments);
    call(name, name_span, CallForm::Member, all, span)
}

fn call(
    name: Arc<str>,
    name_span: Range<usize>,
    form: CallForm,
    arguments: Vec<AstNode>,
    span: Range<usize>,
) -> Result<AstNode, Fault> {
    let depth = arguments.iter().map(|argument| argument.depth).max().unwrap_or(0);
    node(span, depth, Ast::Call(Call { name, name_span, form, arguments, builtin: None }))
}

/// Parses `range.map(x, …)`.
fn comprehension(
    range: AstNode,
    name: &str,
    name_span: Range<usize>,
    arguments: Vec<AstNode>,
    span: Range<usize>,
) -> Result<AstNode, Fault> {
    let Some((sort, count)) = Macro::shape(name, arguments.len()) else {
        let given = counted(arguments.len(), "argument", "arguments");
        let message = format!("`{name}` does not take {given}");
        return Err(Fault::new(Code::Syntax, message, name_span).help(format!("such as list.{name}(x, …)")));
    };
    let depth = arguments.iter().map(|a| a.depth).max().unwrap_or(0).max(range.depth);
    let mut rest = arguments.into_iter();
    let mut variables: Vec<Arc<str>> = Vec::new();
    for argument in rest.by_ref().take(count) {
        match argument.ast {
            Ast::Name(Name { name, .. }) if !variables.contains(&name) => variables.push(name),
            _ => {
                let message = format!("`{name}` takes a new name here, for the elements");
                return Err(Fault::new(Code::Syntax, message, argument.span));
            }
        }
    }
    let (filter, body) = match (rest.next(), rest.next()) {
        (Some(filter), Some(body)) => (Some(filter), body),
        (Some(body), None) => (None, body),
        _ => return Err(Fault::new(Code::Syntax, format!("`{name}` takes an expression"), span)),
    };
    node(span, depth, Ast::Macro(Box::new(Macro { sort, range, variables, filter, body })))
}
