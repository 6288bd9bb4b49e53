//! Macros over lists and maps: `all`, `exists`, `map`, `filter`, `transformMap`, …

use std::ops::Range;

use holdfast_catalog::value::{Kind, Value};

use super::super::operator;
use super::super::outcome::Evaluation;
use super::super::tree::{AstNode, Macro, MacroKind};
use super::{Evaluator, Truth, is_absorbed, key_of, placed};
use crate::diagnostic::Code;
use crate::language::fault::Fault;
use crate::language::secrecy::{exposed, sealed_if, shown_by};
use holdfast_catalog::value::Map;

/// The values of a macro's variables in one iteration.
type Round = Vec<Value>;

impl Evaluator<'_> {
    pub(super) fn comprehension(&mut self, inner: &Macro, span: &Range<usize>) -> Result<Evaluation, Fault> {
        let range = match (inner.sort, self.outcome(&inner.range)?) {
            (MacroKind::OptMap | MacroKind::OptFlatMap, range) => return self.on_optional(inner, range),
            (_, Evaluation::Value(range)) => range,
            (_, Evaluation::Optional(_)) => {
                let fault = Fault::new(Code::WrongType, "this may have no value", inner.range.span.clone());
                return Err(fault.help("say what to use instead: .orValue([])"));
            }
        };
        // All iterations are prepared before the first one runs, even if it is the last.
        self.budget.glance(&range).map_err(|fault| placed(fault, span))?;
        let rounds = rounds(&range, inner)?;
        let result = match inner.sort {
            MacroKind::All => self.quantified(inner, rounds, false)?,
            MacroKind::Exists => self.quantified(inner, rounds, true)?,
            MacroKind::ExistsOne => self.exists_one(inner, rounds)?,
            MacroKind::Map | MacroKind::TransformList => self.mapped(inner, rounds)?,
            MacroKind::Filter => self.filtered(inner, rounds)?,
            MacroKind::TransformMap => self.transformed(inner, &range, rounds)?,
            MacroKind::TransformMapEntry => self.entries(inner, rounds)?,
            MacroKind::SortBy | MacroKind::OptMap | MacroKind::OptFlatMap => {
                self.sorted(inner, rounds, span)?
            }
        };
        self.budget.weigh(&result).map_err(|fault| placed(fault, span))?;
        Ok(result.into())
    }

    /// Runs `run` with the variables of one iteration in scope.
    fn round<T>(
        &mut self,
        round: Round,
        run: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let outer = self.locals.len();
        self.locals.extend(round);
        let result = run(self);
        self.locals.truncate(outer);
        result
    }

    /// Whether the macro's filter accepts an iteration. A secret must not decide that, since the result would reveal it.
    fn passes(&mut self, filter: Option<&AstNode>) -> Result<bool, Fault> {
        let Some(filter) = filter else { return Ok(true) };
        let truth = self.truth(filter)?;
        if truth.secret { Err(placed(shown_by("what is left"), &filter.span)) } else { Ok(truth.holds) }
    }

    /// `all` and `exists`, which absorb errors as `&&` and `||` do.
    fn quantified(&mut self, inner: &Macro, rounds: Vec<Round>, deciding: bool) -> Result<Value, Fault> {
        let (mut secret, mut failed) = (false, None);
        for round in rounds {
            match self.round(round, |this| this.truth(&inner.body)) {
                Ok(truth) if truth.holds == deciding => {
                    return Ok(Truth { holds: deciding, secret: secret || truth.secret }.value());
                }
                Ok(truth) => secret |= truth.secret,
                Err(fault) if !is_absorbed(&fault) => return Err(fault),
                Err(fault) => {
                    self.budget.fault().map_err(|fault| placed(fault, &inner.body.span))?;
                    secret |= fault.withheld;
                    failed = failed.or(Some(fault));
                }
            }
        }
        match failed {
            Some(fault) => Err(fault),
            None => Ok(Truth { holds: !deciding, secret }.value()),
        }
    }

    fn exists_one(&mut self, inner: &Macro, rounds: Vec<Round>) -> Result<Value, Fault> {
        let (mut secret, mut count) = (false, 0);
        for round in rounds {
            let truth = self.round(round, |this| this.truth(&inner.body))?;
            secret |= truth.secret;
            count += usize::from(truth.holds);
        }
        Ok(Truth { holds: count == 1, secret }.value())
    }

    fn mapped(&mut self, inner: &Macro, rounds: Vec<Round>) -> Result<Value, Fault> {
        let mut list = Vec::new();
        for round in rounds {
            self.round(round, |this| {
                if this.passes(inner.filter.as_ref())? {
                    list.push(this.value(&inner.body)?);
                }
                Ok(())
            })?;
        }
        Ok(list.into())
    }

    fn filtered(&mut self, inner: &Macro, rounds: Vec<Round>) -> Result<Value, Fault> {
        let mut list = Vec::new();
        for round in rounds {
            let item = round[0].clone();
            if self.round(round, |this| this.passes(Some(&inner.body)))? {
                list.push(item);
            }
        }
        Ok(list.into())
    }

    /// A map with the same keys. Over a list, the indexes would be the keys, but keys are strings.
    fn transformed(&mut self, inner: &Macro, range: &Value, rounds: Vec<Round>) -> Result<Value, Fault> {
        if range.as_list().is_some() {
            let fault = Fault::new(
                Code::WrongType,
                "`transformMap` over a list would give integers as keys",
                inner.range.span.clone(),
            );
            return Err(fault.help("transformMapEntry(i, v, {string(i): v}) gives strings"));
        }
        let mut map = Map::new();
        for round in rounds {
            let key = key_of(&round[0])?;
            self.round(round, |this| {
                if this.passes(inner.filter.as_ref())? {
                    map.insert(key, this.value(&inner.body)?);
                }
                Ok(())
            })?;
        }
        Ok(map.into())
    }

    /// `transformMapEntry`: each iteration gives a map; no two may have the same key.
    fn entries(&mut self, inner: &Macro, rounds: Vec<Round>) -> Result<Value, Fault> {
        let mut map = Map::new();
        for round in rounds {
            self.round(round, |this| {
                if !this.passes(inner.filter.as_ref())? {
                    return Ok(());
                }
                let value = this.value(&inner.body)?;
                let wrong = |message: String| Fault::new(Code::BadValue, message, inner.body.span.clone());
                let entries =
                    value.as_map().ok_or_else(|| wrong(format!("expected a map, found {}", value.noun())))?;
                for (key, item) in entries {
                    if map.insert(key.clone(), item.clone()).is_some() {
                        return Err(wrong(format!("two entries have the key `{key}`")));
                    }
                }
                Ok(())
            })?;
        }
        Ok(map.into())
    }

    fn sorted(&mut self, inner: &Macro, rounds: Vec<Round>, span: &Range<usize>) -> Result<Value, Fault> {
        let (mut secret, mut keyed) = (false, Vec::new());
        for round in rounds {
            let item = round[0].clone();
            let key = self.round(round, |this| this.value(&inner.body))?;
            secret |= matches!(key.kind, Kind::Sensitive(_));
            // The keys are compared with each other, up to their full length.
            self.budget.weigh(&key).map_err(|fault| placed(fault, span))?;
            keyed.push((exposed(&key), item));
        }
        if !operator::sort(&mut keyed) {
            let message = "these keys cannot be compared with each other";
            let fault = Fault::new(Code::WrongType, message, inner.body.span.clone());
            return Err(fault.help("sort only by numbers, or only by strings"));
        }
        // Each element is sealed on its own, since the order of lists and maps would reveal something.
        let sealed = keyed.into_iter().map(|(_, item)| sealed_if(secret, item));
        let list: Vec<Value> = sealed.collect::<Result<_, _>>().map_err(|fault| placed(fault, span))?;
        Ok(list.into())
    }

    fn on_optional(&mut self, inner: &Macro, range: Evaluation) -> Result<Evaluation, Fault> {
        let Evaluation::Optional(range) = range else {
            let message = "this always has a value";
            let fault = Fault::new(Code::WrongType, message, inner.range.span.clone());
            return Err(fault.help("`optMap` applies to a value that may be missing, such as a.?b"));
        };
        let Some(value) = range else { return Ok(Evaluation::Optional(None)) };
        self.round(vec![value], |this| match (inner.sort, this.outcome(&inner.body)?) {
            (MacroKind::OptFlatMap, optional @ Evaluation::Optional(_)) => Ok(optional),
            (MacroKind::OptMap, Evaluation::Value(value)) => Ok(Evaluation::Optional(Some(value))),
            (MacroKind::OptFlatMap, _) => {
                let fault = Fault::new(Code::WrongType, "expected an optional", inner.body.span.clone());
                Err(fault.help("`optMap` takes a value"))
            }
            _ => {
                let fault = Fault::new(Code::WrongType, "expected a value", inner.body.span.clone());
                Err(fault.help("`optFlatMap` takes an optional"))
            }
        })
    }
}

/// The values of the variables in each iteration: elements or keys; with two variables, indexes and elements or keys
/// and values.
fn rounds(range: &Value, inner: &Macro) -> Result<Vec<Round>, Fault> {
    let two = inner.variables.len() == 2;
    match &range.kind {
        Kind::List(list) if two => {
            let index = |i: usize| Value::from(i64::try_from(i).unwrap_or(i64::MAX));
            Ok(list.iter().enumerate().map(|(i, item)| vec![index(i), item.clone()]).collect())
        }
        Kind::List(list) => Ok(list.iter().map(|item| vec![item.clone()]).collect()),
        Kind::Map(map) if two => {
            Ok(map.iter().map(|(key, item)| vec![key.clone().into(), item.clone()]).collect())
        }
        Kind::Map(map) => Ok(map.keys().map(|key| vec![key.clone().into()]).collect()),
        _ => {
            let message = format!("expected a list or a map, found {}", operator::described(range));
            let fault = Fault::new(Code::WrongType, message, inner.range.span.clone());
            Err(if range.is_null() { fault.help("use default(x, []) for null") } else { fault })
        }
    }
}
