//! The values of a tag's arguments: literals, paths, helpers.

use std::ops::Range;
use std::sync::Arc;

use holdfast_catalog::value::{Kind, Value};

use super::super::function::Helper;
use super::super::tree::{Argument, ArgumentKind, Path, Position, Root, Segment};
use super::{Renderer, written};
use crate::diagnostic::Code;
use crate::language::expression::evaluate::{self, combine, placed};
use crate::language::expression::outcome::Evaluation;
use crate::language::expression::{function, operator};
use crate::language::fault::Fault;
use crate::language::secrecy::{opened, sealed_if};

/// A boolean, and whether it depends on a secret.
pub(super) struct Truth {
    pub(super) holds: bool,
    pub(super) secret: bool,
}

impl Renderer<'_> {
    pub(super) fn value(&mut self, argument: &Argument) -> Result<Value, Fault> {
        self.budget.spend(1)?;
        match &argument.kind {
            ArgumentKind::Literal(value) => Ok(value.clone()),
            ArgumentKind::Path(path) => self.path(path, &argument.span),
            ArgumentKind::Call { helper, arguments } => {
                self.call(*helper, arguments, &argument.span).map_err(|fault| placed(fault, &argument.span))
            }
        }
    }

    /// The value that `each` loops over. It may be the parts of a secret, since the whole output of a loop over secrets
    /// is secret.
    pub(super) fn looped(&mut self, argument: &Argument) -> Result<Value, Fault> {
        let ArgumentKind::Call { helper: Helper::Function(builtin), arguments } = &argument.kind else {
            return self.value(argument);
        };
        self.budget.spend(1)?;
        let values = arguments.iter().map(|a| self.value(a)).collect::<Result<Vec<_>, _>>()?;
        let outcome = function::call_hidden(builtin, &values, &mut self.budget);
        match outcome.map_err(|fault| placed(fault, &argument.span))? {
            Evaluation::Value(value) => Ok(value),
            Evaluation::Optional(value) => Ok(value.unwrap_or(Value::NULL)),
        }
    }

    /// A boolean, where null counts as false; any other value is an error, since it would be a guess.
    pub(super) fn truth(&mut self, argument: &Argument, asker: &str) -> Result<Truth, Fault> {
        let value = self.value(argument)?;
        let secret = matches!(value.kind, Kind::Sensitive(_));
        match opened(&value).kind {
            Kind::Bool(holds) => Ok(Truth { holds, secret }),
            Kind::Null => Ok(Truth { holds: false, secret }),
            other => {
                let written = written(self.template, argument);
                let noun = Value::from(other).noun();
                let message = format!("`{asker}` takes a boolean, but `{written}` is {noun}");
                let fault = Fault::new(Code::WrongType, message, argument.span.clone());
                Err(match noun {
                    "a list" | "a map" => fault.help(format!("write (gt (size {written}) 0)")),
                    _ => fault.help(format!("compare it: (eq {written} …), (ne {written} …)")),
                })
            }
        }
    }

    fn path(&mut self, path: &Path, span: &Range<usize>) -> Result<Value, Fault> {
        let (root, of_scope) = self.root(path, span)?;
        let result = self.follow(root, &path.segments);
        if of_scope {
            match &result {
                Ok(value) => self.scope.read(&path.dotted, Some(value)),
                Err(fault) if fault.code == Code::MissingKey => self.scope.read(&path.dotted, None),
                Err(_) => {}
            }
        }
        result
    }

    /// The value at which a path begins, and whether it is a name in the scope.
    fn root(&self, path: &Path, span: &Range<usize>) -> Result<(Value, bool), Fault> {
        match &path.root {
            Root::Name(name) => match self.in_view(name) {
                Some(value) => Ok((value, false)),
                None => self.of_scope(name, span),
            },
            Root::Scope(name) => self.of_scope(name, span),
            Root::Context(up) => self.context(*up, path, span),
            Root::Position(position, up) => self.position(*position, *up, span).map(|value| (value, false)),
        }
    }

    /// The value of a name from a block around, or in `this`.
    fn in_view(&self, name: &str) -> Option<Value> {
        let named = self.contexts.iter().rev().find_map(|context| {
            context.names.iter().find(|(known, _)| **known == *name).map(|(_, value)| value.clone())
        });
        named.or_else(|| self.this(0)?.get(name).cloned())
    }

    /// The value of `this`, `up` contexts further out; `None` at the top.
    fn this(&self, up: usize) -> Option<&Value> {
        self.contexts.iter().rev().filter_map(|context| context.this.as_ref()).nth(up)
    }

    fn of_scope(&self, name: &str, span: &Range<usize>) -> Result<(Value, bool), Fault> {
        let found = self.scope.resolve(name).map_err(|fault| evaluate::of_scope(fault, span))?;
        if let Some(value) = found {
            return Ok((value, true));
        }
        self.scope.read(name, None);
        let start = span.start..span.start + name.len().min(span.len());
        let fault = evaluate::unknown_name(name, &start, self.scope);
        match self.this(0).and_then(Value::as_map) {
            Some(map) if fault.help.as_ref().is_none_or(|help| !help.starts_with("did")) => {
                Err(fault.did_you_mean(name, map.keys().map(|key| &**key)))
            }
            _ => Err(fault),
        }
    }

    /// The value of `this` or `../`; outside the outermost block are the names of the scope.
    fn context(&self, up: usize, path: &Path, span: &Range<usize>) -> Result<(Value, bool), Fault> {
        if let Some(this) = self.this(up) {
            return Ok((this.clone(), false));
        }
        let depth = self.contexts.iter().filter(|context| context.this.is_some()).count();
        match path.segments.first() {
            Some(first) if up == depth => {
                let (value, _) = self.of_scope(&first.name, &first.span)?;
                // The path is followed from this segment on, so pass it a map with just that.
                Ok(([(&*first.name, value)].into(), false))
            }
            _ => {
                let message = "there is no such context here";
                Err(Fault::new(Code::UnknownName, message, span.clone())
                    .help("`this` is for {{#each}} and {{#with}}"))
            }
        }
    }

    fn position(&self, position: Position, up: usize, span: &Range<usize>) -> Result<Value, Fault> {
        let found = self.contexts.iter().rev().filter_map(|context| context.position.as_ref()).nth(up);
        let Some((key, at, count)) = found else {
            let message = "this is only for {{#each}}";
            return Err(Fault::new(Code::UnknownName, message, span.clone()));
        };
        Ok(match position {
            Position::Index => i64::try_from(*at).unwrap_or(i64::MAX).into(),
            Position::Key => key.clone(),
            Position::First => (*at == 0).into(),
            Position::Last => (at + 1 == *count).into(),
        })
    }

    fn follow(&self, root: Value, segments: &[Segment]) -> Result<Value, Fault> {
        segments.iter().try_fold(root, |value, segment| select(&value, &segment.name, &segment.span))
    }

    fn call(&mut self, helper: Helper, arguments: &[Argument], span: &Range<usize>) -> Result<Value, Fault> {
        match helper {
            Helper::And => self.logic(arguments, "and", false),
            Helper::Or => self.logic(arguments, "or", true),
            Helper::Not => {
                let truth = self.truth(&arguments[0], "not")?;
                sealed_if(truth.secret, (!truth.holds).into())
            }
            // null counts as no value
            Helper::Has => {
                self.given(&arguments[0]).map(|found| found.is_some_and(|value| !value.is_null()).into())
            }
            Helper::Default => match self.given(&arguments[0])? {
                Some(value) if !value.is_null() => Ok(value),
                _ => self.value(&arguments[1]),
            },
            Helper::Operator(operator) => {
                let (left, right) = (self.value(&arguments[0])?, self.value(&arguments[1])?);
                combine(operator, &left, &right, &mut self.budget)
            }
            Helper::Get => {
                let (map, key) = (self.value(&arguments[0])?, self.value(&arguments[1])?);
                if key.is_sensitive() {
                    return Err(Fault::new(
                        Code::Secret,
                        "`get` does not take a sensitive key",
                        span.clone(),
                    ));
                }
                match operator::index(&map, &key)? {
                    Some(value) => Ok(value.clone()),
                    None => Err(operator::missing(&map, &key)),
                }
            }
            Helper::Function(builtin) => {
                let values = arguments.iter().map(|a| self.value(a)).collect::<Result<Vec<_>, _>>()?;
                match function::call(builtin, &values, &mut self.budget)? {
                    Evaluation::Value(value) => Ok(value),
                    Evaluation::Optional(value) => Ok(value.unwrap_or(Value::NULL)),
                }
            }
        }
    }

    /// `and` and `or`: the first operand that decides ends the evaluation.
    fn logic(&mut self, arguments: &[Argument], asker: &str, deciding: bool) -> Result<Value, Fault> {
        let mut secret = false;
        for argument in arguments {
            let truth = self.truth(argument, asker)?;
            secret |= truth.secret;
            if truth.holds == deciding {
                return sealed_if(secret, deciding.into());
            }
        }
        sealed_if(secret, (!deciding).into())
    }

    /// A value, or `None` if it is missing below a name that is known.
    fn given(&mut self, argument: &Argument) -> Result<Option<Value>, Fault> {
        match self.value(argument) {
            Ok(value) => Ok(Some(value)),
            Err(fault) if fault.code == Code::MissingKey => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}

/// An entry of a map, or an element of a list by its index.
fn select(value: &Value, name: &Arc<str>, span: &Range<usize>) -> Result<Value, Fault> {
    let index = match &value.kind {
        Kind::List(_) => name.parse::<i64>().map_or_else(|_| name.clone().into(), Value::from),
        _ => Value::from(name.clone()),
    };
    if value.is_null() {
        return Err(Fault::new(Code::MissingKey, format!("null has no `{name}`"), span.clone()));
    }
    match operator::index(value, &index) {
        Ok(Some(found)) => Ok(found.clone()),
        Ok(None) => Err(placed(operator::missing(value, &index), span)),
        Err(_) => {
            let message = format!("{} has no `{name}`", operator::described(value));
            Err(Fault::new(Code::WrongType, message, span.clone()))
        }
    }
}
