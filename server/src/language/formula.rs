//! A whole value, as it is written in TOML, whose strings may hold `${…}`.
//!
//! Parsed once for a commit, evaluated for each node. What holds no expression is shared, not copied.

use std::collections::BTreeMap;
use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::{Kind, Value};

use super::fault::Fault;
use super::interpolation::Interpolation;
use super::scope::Scope;

/// A value with expressions in it. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Formula {
    /// Nothing in it is special.
    Constant(Value),
    /// A string with expressions.
    Text(Arc<Interpolation>, Option<Arc<Origin>>),
    /// A list, with expressions at some depth.
    List(Arc<[Formula]>, Option<Arc<Origin>>),
    /// A map, with expressions at some depth of its values; its keys are as they are written.
    Map(Arc<BTreeMap<Arc<str>, Formula>>, Option<Arc<Origin>>),
}

impl Formula {
    /// Parses the strings of a value. Each fault has the origin of its string.
    ///
    /// # Errors
    /// Everything that does not parse.
    pub fn parse(value: &Value) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let formula = Self::read(value, &mut faults);
        if faults.is_empty() { Ok(formula) } else { Err(faults) }
    }

    fn read(value: &Value, faults: &mut Vec<Fault>) -> Self {
        let origin = value.origin.clone();
        let formula = match &value.kind {
            Kind::String(text) => match Interpolation::parse(text) {
                Ok(Some(text)) => Self::Text(Arc::new(text), origin),
                Ok(None) => return Self::Constant(value.clone()),
                Err(fault) => {
                    faults.push(fault.within(value.origin.as_ref()));
                    return Self::Constant(value.clone());
                }
            },
            Kind::List(list) => {
                Self::List(list.iter().map(|item| Self::read(item, faults)).collect(), origin)
            }
            Kind::Map(map) => {
                let entries = map.iter().map(|(key, item)| (key.clone(), Self::read(item, faults)));
                Self::Map(Arc::new(entries.collect()), origin)
            }
            _ => return Self::Constant(value.clone()),
        };
        if formula.children().next().is_some() || matches!(formula, Self::Text(..)) {
            if formula.children().all(|f| matches!(f, Self::Constant(_)))
                && !matches!(formula, Self::Text(..))
            {
                return Self::Constant(value.clone());
            }
            return formula;
        }
        Self::Constant(value.clone())
    }

    fn children(&self) -> Box<dyn Iterator<Item = &Self> + '_> {
        match self {
            Self::List(list, _) => Box::new(list.iter()),
            Self::Map(map, _) => Box::new(map.values()),
            Self::Constant(_) | Self::Text(..) => Box::new(std::iter::empty()),
        }
    }

    /// Its interpolated strings at any depth, each with its origin.
    pub fn texts(&self) -> Vec<(&Interpolation, Option<&Arc<Origin>>)> {
        match self {
            Self::Text(text, origin) => vec![(text, origin.as_ref())],
            _ => self.children().flat_map(Self::texts).collect(),
        }
    }

    /// Names and functions that `scope` does not have, found without evaluating.
    pub fn unknown(&self, scope: &dyn Scope) -> Vec<Fault> {
        let faults = |(text, origin): (&Interpolation, Option<&Arc<Origin>>)| {
            text.unknown(scope).into_iter().map(|fault| fault.within(origin)).collect::<Vec<_>>()
        };
        self.texts().into_iter().flat_map(faults).collect()
    }

    /// Its value in a scope. What an expression computed stands where the expression's string stands; what it
    /// merely passed through keeps its own origin.
    ///
    /// # Errors
    /// Everything that is wrong, each with the origin of its string.
    pub fn evaluate(&self, scope: &dyn Scope) -> Result<Value, Vec<Fault>> {
        let mut faults = Vec::new();
        let value = self.fill(scope, &mut faults);
        if faults.is_empty() { Ok(value) } else { Err(faults) }
    }

    fn fill(&self, scope: &dyn Scope, faults: &mut Vec<Fault>) -> Value {
        let (value, origin): (Value, _) = match self {
            Self::Constant(value) => return value.clone(),
            Self::Text(text, origin) => match text.evaluate(scope) {
                Ok(value) => (value, origin),
                Err(fault) => {
                    faults.push(fault.within(origin.as_ref()));
                    return Value::NULL;
                }
            },
            Self::List(list, origin) => {
                (list.iter().map(|item| item.fill(scope, faults)).collect::<Vec<_>>().into(), origin)
            }
            Self::Map(map, origin) => {
                let entries = map.iter().map(|(key, item)| (key.clone(), item.fill(scope, faults)));
                (entries.collect::<holdfast_catalog::value::Map>().into(), origin)
            }
        };
        Value { origin: value.origin.or_else(|| origin.clone()), ..value }
    }
}
