//! Resolves the names and functions in a tree, once: variables of macros, paths into the scope, and built-in functions.
//! Returns what remains for the scope.

use std::ops::Range;
use std::sync::Arc;

use holdfast_catalog::count::counted;

use super::function::{self, Builtin};
use super::operator::Binary;
use super::tree::{Ast, AstNode, Call, CallForm, Macro, Select};
use super::{CallUse, ComparisonUse, PathUse, Uses};
use crate::diagnostic::Code;
use crate::language::fault::Fault;

/// Binds the names in a tree.
pub(super) fn bind(root: &mut AstNode) -> Result<Uses, Fault> {
    let mut binder = Binder { locals: Vec::new(), uses: Uses::default() };
    binder.node(root)?;
    Ok(binder.uses)
}

struct Binder {
    locals: Vec<Arc<str>>,
    uses: Uses,
}

impl Binder {
    fn node(&mut self, node: &mut AstNode) -> Result<(), Fault> {
        if let Some(path) = self.path(node) {
            self.uses.paths.push(PathUse { path: path.clone(), span: node.span.clone() });
            match &mut node.ast {
                Ast::Name(name) => name.path = Some(path),
                Ast::Select(select) | Ast::Has(select) => select.path = Some(path),
                _ => {}
            }
        }
        match &mut node.ast {
            Ast::Literal(_) => Ok(()),
            Ast::Name(name) => {
                name.local = self.locals.iter().rposition(|local| *local == name.name);
                Ok(())
            }
            Ast::List(elements) => elements.iter_mut().try_for_each(|element| self.node(&mut element.node)),
            Ast::Map(entries) => entries.iter_mut().try_for_each(|entry| {
                self.node(&mut entry.key)?;
                self.node(&mut entry.value)
            }),
            Ast::Select(select) | Ast::Has(select) => self.operand(select),
            Ast::Index { operand, index, .. } => {
                self.node(operand)?;
                self.node(index)
            }
            Ast::Not(operand) | Ast::Negate(operand) => self.node(operand),
            Ast::Binary(operator, operands) => {
                self.compared(*operator, operands, &node.span);
                self.all(&mut **operands)
            }
            Ast::Logic(_, operands) => self.all(&mut **operands),
            Ast::Choose(parts) => self.all(&mut **parts),
            Ast::Call(call) => self.call(call),
            Ast::Macro(inner) => self.comprehension(inner),
        }
    }

    /// Records a path that is compared with a literal.
    fn compared(&mut self, operator: Binary, operands: &[AstNode; 2], span: &Range<usize>) {
        if !matches!(operator, Binary::Equal | Binary::Unequal) {
            return;
        }
        let [left, right] = operands;
        for (path, literal) in [(left, right), (right, left)] {
            if let (Some(path), Ast::Literal(value)) = (self.path(path), &literal.ast) {
                self.uses.compared.push(ComparisonUse { path, value: value.clone(), span: span.clone() });
            }
        }
    }

    fn all(&mut self, nodes: &mut [AstNode]) -> Result<(), Fault> {
        nodes.iter_mut().try_for_each(|node| self.node(node))
    }

    /// Binds the operand of a selection, unless the whole selection is a path: then its parts are not names of their own.
    fn operand(&mut self, select: &mut Select) -> Result<(), Fault> {
        if select.path.is_none() { self.node(&mut select.operand) } else { Ok(()) }
    }

    /// The dotted path of a name in the scope with the fields selected from it; `None` if the node is not such a path.
    fn path(&self, node: &AstNode) -> Option<Arc<str>> {
        match &node.ast {
            Ast::Name(name) => (!self.locals.contains(&name.name)).then(|| name.name.clone()),
            Ast::Select(select) | Ast::Has(select) => {
                Some(format!("{}.{}", self.path(&select.operand)?, select.field).into())
            }
            _ => None,
        }
    }

    fn call(&mut self, call: &mut Call) -> Result<(), Fault> {
        call.builtin = function::find(&call.name);
        match call.builtin {
            Some(builtin) => arity(call, builtin)?,
            None if call.form == CallForm::Member || call.name.contains('.') => return Err(unknown(call)),
            None => self.uses.functions.push(CallUse {
                name: call.name.clone(),
                span: call.name_span.clone(),
                text: match call.arguments.first().map(|node| &node.ast) {
                    Some(Ast::Literal(value)) => value.as_str().map(Arc::from),
                    _ => None,
                },
            }),
        }
        self.all(&mut call.arguments)
    }

    fn comprehension(&mut self, inner: &mut Macro) -> Result<(), Fault> {
        self.node(&mut inner.range)?;
        let outer = self.locals.len();
        self.locals.extend(inner.variables.iter().cloned());
        if let Some(filter) = &mut inner.filter {
            self.node(filter)?;
        }
        self.node(&mut inner.body)?;
        self.locals.truncate(outer);
        Ok(())
    }
}

fn arity(call: &Call, builtin: &Builtin) -> Result<(), Fault> {
    if builtin.takes.contains(&call.arguments.len()) {
        return Ok(());
    }
    let given = counted(call.arguments.len(), "argument", "arguments");
    let message = format!("`{}` does not take {given}", call.name);
    Err(Fault::new(Code::Syntax, message, call.name_span.clone()).help(format!("it is {}", builtin.usage)))
}

fn unknown(call: &Call) -> Fault {
    let candidates = function::names().chain(Macro::names());
    Fault::new(Code::UnknownFunction, format!("unknown function `{}`", call.name), call.name_span.clone())
        .did_you_mean(&call.name, candidates)
}
