//! Walks the tree: one evaluation in one scope.

use std::ops::Range;
use std::sync::Arc;

use holdfast_catalog::value::{Kind, Value};

use super::function;
use super::operator::{self, Binary, described};
use super::outcome::Evaluation;
use super::tree::{Ast, AstNode, Call, Element, Logic, MapEntry, Name, Select, Strictness};
use crate::diagnostic::Code;
use crate::language::budget::Budget;
use crate::language::fault::Fault;
use crate::language::scope::Scope;
use crate::language::secrecy::{opened, sealed, sealed_if, shown_by};
use holdfast_catalog::value::Map;

mod combine;
mod comprehension;
mod failing;

pub(in crate::language) use combine::combine;
use failing::{is_absorbed, no_field, withheld_if};
pub(in crate::language) use failing::{
    of_scope, placed, unknown_function, unknown_in_expression, unknown_name,
};

/// One evaluation.
pub(super) struct Evaluator<'a> {
    scope: &'a dyn Scope,
    /// The variables of the macros around the current node, outermost first.
    locals: Vec<Value>,
    budget: Budget,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(scope: &'a dyn Scope) -> Self {
        Self { scope, locals: Vec::new(), budget: Budget::new(scope.allowance()) }
    }

    /// The value of a whole expression; an optional without a value becomes null.
    pub(super) fn root(&mut self, node: &AstNode) -> Result<Value, Fault> {
        match self.outcome(node)? {
            Evaluation::Value(value) => Ok(value),
            Evaluation::Optional(value) => Ok(value.unwrap_or(Value::NULL)),
        }
    }

    /// The value of a part of the expression.
    fn value(&mut self, node: &AstNode) -> Result<Value, Fault> {
        match self.outcome(node)? {
            Evaluation::Value(value) => Ok(value),
            Evaluation::Optional(_) => {
                let fault = Fault::new(Code::WrongType, "this may have no value", node.span.clone());
                Err(fault.help("say what to use instead: .orValue(…)"))
            }
        }
    }

    fn outcome(&mut self, node: &AstNode) -> Result<Evaluation, Fault> {
        self.budget.spend(1).map_err(|fault| placed(fault, &node.span))?;
        match &node.ast {
            Ast::Literal(value) => Ok(value.clone().into()),
            Ast::Name(name) => self.name(name, &node.span).map(Evaluation::Value),
            Ast::List(elements) => self.list(elements, &node.span).map(Evaluation::Value),
            Ast::Map(entries) => self.map(entries, &node.span).map(Evaluation::Value),
            Ast::Select(select) => self.select(select),
            Ast::Index { operand, index, mode } => self.index(operand, index, *mode),
            Ast::Has(select) => self.has(select).map(|found| Value::from(found).into()),
            Ast::Not(operand) => self.not(operand).map(Evaluation::Value),
            Ast::Negate(operand) => self.negate(operand, &node.span).map(Evaluation::Value),
            Ast::Binary(operator, operands) => {
                self.binary(*operator, operands, &node.span).map(Evaluation::Value)
            }
            Ast::Logic(logic, operands) => self.logic(*logic, operands).map(Evaluation::Value),
            Ast::Choose(parts) => self.choose(parts),
            Ast::Call(call) => self.call(call, &node.span),
            Ast::Macro(inner) => self.comprehension(inner, &node.span),
        }
    }

    fn name(&mut self, name: &Name, span: &Range<usize>) -> Result<Value, Fault> {
        if let Some(local) = name.local {
            return Ok(self.locals[local].clone());
        }
        let found = self.scope.resolve(&name.name).map_err(|fault| of_scope(fault, span))?;
        if let Some(path) = &name.path {
            self.scope.read(path, found.as_ref());
        }
        found.ok_or_else(|| unknown_in_expression(&name.name, span, self.scope))
    }

    fn list(&mut self, elements: &[Element], span: &Range<usize>) -> Result<Value, Fault> {
        let mut list = Vec::with_capacity(elements.len());
        for element in elements {
            list.extend(self.given(&element.node, element.mode)?);
        }
        let list = Value::from(list);
        self.budget.weigh(&list).map_err(|fault| placed(fault, span))?;
        Ok(list)
    }

    fn map(&mut self, entries: &[MapEntry], span: &Range<usize>) -> Result<Value, Fault> {
        let mut map = Map::new();
        for entry in entries {
            let key = self.key(&entry.key)?;
            if map.contains_key(&key) {
                let message = format!("the key `{key}` is listed twice");
                return Err(Fault::new(Code::BadValue, message, entry.key.span.clone()));
            }
            if let Some(value) = self.given(&entry.value, entry.mode)? {
                map.insert(key, value);
            }
        }
        let map = Value::from(map);
        self.budget.weigh(&map).map_err(|fault| placed(fault, span))?;
        Ok(map)
    }

    /// A value, which may be left out if it is marked with `?`.
    fn given(&mut self, node: &AstNode, mode: Strictness) -> Result<Option<Value>, Fault> {
        match (mode, self.outcome(node)?) {
            (Strictness::Strict, Evaluation::Value(value)) => Ok(Some(value)),
            (Strictness::Optional, Evaluation::Optional(value)) => Ok(value),
            (Strictness::Optional, Evaluation::Value(_)) => {
                let message = "`?` comes before something that may have no value";
                Err(Fault::new(Code::WrongType, message, node.span.clone()).help("such as a.?b"))
            }
            (Strictness::Strict, Evaluation::Optional(_)) => {
                let fault = Fault::new(Code::WrongType, "this may have no value", node.span.clone());
                Err(fault.help("write `?` before it, or .orValue(…) after it"))
            }
        }
    }

    fn key(&mut self, node: &AstNode) -> Result<Arc<str>, Fault> {
        let key = self.value(node)?;
        key_of(&key).map_err(|fault| placed(fault, &node.span))
    }

    fn select(&mut self, select: &Select) -> Result<Evaluation, Fault> {
        let result = self.outcome(&select.operand).and_then(|operand| self.field(operand, select));
        if let Some(path) = &select.path {
            match &result {
                Ok(Evaluation::Value(value)) => self.scope.read(path, Some(value)),
                Ok(Evaluation::Optional(value)) => self.scope.read(path, value.as_ref()),
                Err(fault) if fault.code == Code::MissingKey => self.scope.read(path, None),
                Err(_) => {}
            }
        }
        result
    }

    fn field(&mut self, operand: Evaluation, select: &Select) -> Result<Evaluation, Fault> {
        let (operand, optional) = match operand {
            Evaluation::Value(value) => (value, select.mode == Strictness::Optional),
            Evaluation::Optional(Some(value)) => (value, true),
            Evaluation::Optional(None) => return Ok(Evaluation::Optional(None)),
        };
        match (operand.get(&select.field), &operand.kind) {
            (Some(value), _) if optional => Ok(Evaluation::Optional(Some(value.clone()))),
            (Some(value), _) => Ok(value.clone().into()),
            (None, Kind::Map(_) | Kind::Null) if optional => Ok(Evaluation::Optional(None)),
            (None, _) => {
                let looked = self.budget.missing(&operand, &select.field);
                looked.map_err(|fault| placed(fault, &select.field_span))?;
                Err(no_field(&operand, &select.field, &select.field_span))
            }
        }
    }

    fn index(&mut self, operand: &AstNode, index: &AstNode, mode: Strictness) -> Result<Evaluation, Fault> {
        let (value, optional) = match self.outcome(operand)? {
            Evaluation::Value(value) => (value, mode == Strictness::Optional),
            Evaluation::Optional(Some(value)) => (value, true),
            Evaluation::Optional(None) => return Ok(Evaluation::Optional(None)),
        };
        let key = self.value(index)?;
        let secret = matches!(key.kind, Kind::Sensitive(_)) || matches!(value.kind, Kind::Sensitive(_));
        if optional && matches!(key.kind, Kind::Sensitive(_)) {
            // Whether there is a value would reveal the key, and an optional cannot be secret.
            return Err(placed(shown_by("an optional"), &index.span));
        }
        let key = opened(&key);
        self.budget.glance(&key).map_err(|fault| placed(fault, &index.span))?;
        let found = match operator::index(&value, &key) {
            Ok(found) => found.cloned(),
            Err(_) if optional && value.is_null() => None,
            Err(fault) => return Err(placed(withheld_if(secret, fault), &index.span)),
        };
        match found {
            Some(found) if optional => Ok(Evaluation::Optional(Some(found))),
            Some(found) => {
                sealed_if(secret, found).map(Evaluation::Value).map_err(|fault| placed(fault, &index.span))
            }
            None if optional => Ok(Evaluation::Optional(None)),
            None => {
                let looked = self.budget.missing(&value, key.as_str().unwrap_or_default());
                looked.map_err(|fault| placed(fault, &index.span))?;
                Err(placed(withheld_if(secret, operator::missing(&value, &key)), &index.span))
            }
        }
    }

    fn has(&mut self, select: &Select) -> Result<bool, Fault> {
        let operand = self.outcome(&select.operand)?;
        let found = match operand {
            Evaluation::Value(value) | Evaluation::Optional(Some(value)) => match &value.kind {
                Kind::Map(map) => map.get(&select.field).cloned(),
                _ => return Err(no_field(&value, &select.field, &select.field_span)),
            },
            Evaluation::Optional(None) => None,
        };
        if let Some(path) = &select.path {
            self.scope.read(path, found.as_ref());
        }
        Ok(found.is_some())
    }

    fn not(&mut self, operand: &AstNode) -> Result<Value, Fault> {
        let truth = self.truth(operand)?;
        Ok(Truth { holds: !truth.holds, ..truth }.value())
    }

    fn negate(&mut self, operand: &AstNode, span: &Range<usize>) -> Result<Value, Fault> {
        let value = self.value(operand)?;
        let secret = matches!(value.kind, Kind::Sensitive(_));
        let result = match opened(&value).kind {
            Kind::Int(i) => i.checked_neg().map(Value::from).ok_or_else(|| {
                Fault::new(Code::BadValue, format!("-({i}) does not fit in a signed 64-bit integer"), 0..0)
            }),
            Kind::Float(x) => Ok((-x).into()),
            _ => {
                Err(Fault::new(Code::WrongType, format!("`-` does not apply to {}", described(&value)), 0..0))
            }
        };
        match result {
            Ok(value) => sealed_if(secret, value),
            Err(fault) => Err(placed(withheld_if(secret, fault), span)),
        }
    }

    fn binary(
        &mut self,
        operator: Binary,
        operands: &[AstNode; 2],
        span: &Range<usize>,
    ) -> Result<Value, Fault> {
        let left = self.value(&operands[0])?;
        let right = self.value(&operands[1])?;
        combine(operator, &left, &right, &mut self.budget).map_err(|fault| placed(fault, span))
    }

    /// `&&` and `||`: an operand that decides takes precedence over an error in the other one.
    fn logic(&mut self, logic: Logic, operands: &[AstNode; 2]) -> Result<Value, Fault> {
        let left = self.truth(&operands[0]);
        match &left {
            Ok(left) if left.holds == logic.deciding() => return Ok(left.value()),
            Err(fault) if !is_absorbed(fault) => return Err(fault.clone()),
            Err(_) => self.budget.fault().map_err(|fault| placed(fault, &operands[0].span))?,
            Ok(_) => {}
        }
        let right = self.truth(&operands[1]);
        match (left, right) {
            (Ok(left), Ok(right)) => {
                Ok(Truth { holds: right.holds, secret: left.secret || right.secret }.value())
            }
            (Err(fault), Ok(right)) if right.holds == logic.deciding() => {
                Ok(Truth { secret: right.secret || fault.withheld, ..right }.value())
            }
            (_, Err(fault)) if !is_absorbed(&fault) => Err(fault),
            (Err(fault), _) | (_, Err(fault)) => Err(fault),
        }
    }

    fn truth(&mut self, node: &AstNode) -> Result<Truth, Fault> {
        let value = self.value(node)?;
        let secret = matches!(value.kind, Kind::Sensitive(_));
        match opened(&value).as_bool() {
            Some(holds) => Ok(Truth { holds, secret }),
            None => {
                let message = format!("expected a boolean, found {}", described(&value));
                let fault = Fault::new(Code::WrongType, message, node.span.clone());
                Err(fault.help("compare it: x == y, size(x) > 0, has(x.y)"))
            }
        }
    }

    fn choose(&mut self, parts: &[AstNode; 3]) -> Result<Evaluation, Fault> {
        let truth = self.truth(&parts[0])?;
        let chosen = self.outcome(&parts[if truth.holds { 1 } else { 2 }])?;
        match chosen {
            Evaluation::Value(value) => sealed_if(truth.secret, value).map(Evaluation::Value),
            Evaluation::Optional(_) if truth.secret => Err(shown_by("an optional")),
            open => Ok(open),
        }
        .map_err(|fault| placed(fault, &parts[0].span))
    }

    fn call(&mut self, call: &Call, span: &Range<usize>) -> Result<Evaluation, Fault> {
        if let Some(outcome) = self.optional_call(call, span)? {
            return Ok(outcome);
        }
        let arguments = call.arguments.iter().map(|node| self.value(node)).collect::<Result<Vec<_>, _>>()?;
        let Some(builtin) = call.builtin else { return self.scope_call(call, &arguments, span) };
        function::call(builtin, &arguments, &mut self.budget).map_err(|fault| placed(fault, span))
    }

    fn scope_call(&self, call: &Call, arguments: &[Value], span: &Range<usize>) -> Result<Evaluation, Fault> {
        match self.scope.call(&call.name, arguments) {
            Some(Ok(value)) => Ok(value.into()),
            Some(Err(fault)) => Err(of_scope(fault, span)),
            None => Err(unknown_function(&call.name, &call.name_span, self.scope)),
        }
    }

    /// Calls the functions on optionals, such as `a.?b.orValue(c)`.
    fn optional_call(&mut self, call: &Call, span: &Range<usize>) -> Result<Option<Evaluation>, Fault> {
        let (Some(AstNode { .. }), true) =
            (call.arguments.first(), call.builtin.is_some_and(|builtin| builtin.is_optional()))
        else {
            return Ok(None);
        };
        let Evaluation::Optional(inner) = self.outcome(&call.arguments[0])? else {
            let message = format!("`{}` applies only to what may have no value", call.name);
            let fault = Fault::new(Code::WrongType, message, span.clone());
            return Err(fault.help("such as a.?b; use default(x, other) for null"));
        };
        Ok(Some(match (&*call.name, inner) {
            ("hasValue", inner) => Value::from(inner.is_some()).into(),
            ("value", Some(value)) | ("orValue", Some(value)) => value.into(),
            ("value", None) => {
                return Err(Fault::new(Code::MissingKey, "there is no value", span.clone()));
            }
            ("orValue", None) => self.value(&call.arguments[1])?.into(),
            (_, Some(value)) => Evaluation::Optional(Some(value)),
            (_, None) => match self.outcome(&call.arguments[1])? {
                optional @ Evaluation::Optional(_) => optional,
                Evaluation::Value(_) => {
                    let fault = Fault::new(Code::WrongType, "`or` takes another optional", span.clone());
                    return Err(fault.help("`orValue` takes a value"));
                }
            },
        }))
    }
}

/// A boolean, and whether it depends on a secret.
#[derive(Debug, Clone, Copy)]
struct Truth {
    holds: bool,
    secret: bool,
}

impl Truth {
    fn value(self) -> Value {
        let value = self.holds.into();
        if self.secret { sealed(value) } else { value }
    }
}

/// The value as a key of a map.
fn key_of(value: &Value) -> Result<Arc<str>, Fault> {
    match &value.kind {
        Kind::String(key) => Ok(key.clone()),
        Kind::Sensitive(_) => {
            Err(Fault::new(Code::Secret, "a sensitive value cannot be a key of a map, which is shown", 0..0))
        }
        _ => {
            let message = format!("a key of a map is a string, not {}", described(value));
            Err(Fault::new(Code::WrongType, message, 0..0).help("convert it with string(…)"))
        }
    }
}
