//! A whole value, as it is written in TOML, whose strings may hold `${…}`.
//!
//! Parsed once for a commit, evaluated for each node. What holds no expression is shared, not copied.

use std::collections::BTreeMap;
use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::{Kind, Map, Value};

use super::fault::Fault;
use super::interpolation::Interpolation;
use super::problems::MOST;
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
                Ok(Some(text)) => return Self::Text(Arc::new(text), origin),
                Ok(None) => return Self::Constant(value.clone()),
                Err(fault) => {
                    faults.push(fault.within(origin.as_ref()));
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
        if formula.children().all(|child| matches!(child, Self::Constant(_))) {
            return Self::Constant(value.clone());
        }
        formula
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

    /// Names and functions that `scope` does not have, found without evaluating; the first of very many.
    pub fn unknown(&self, scope: &dyn Scope) -> Vec<Fault> {
        let faults = |(text, origin): (&Interpolation, Option<&Arc<Origin>>)| {
            text.unknown(scope).into_iter().map(|fault| fault.within(origin)).collect::<Vec<_>>()
        };
        self.texts().into_iter().flat_map(faults).take(MOST + 1).collect()
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
                (entries.collect::<Map>().into(), origin)
            }
        };
        Value { origin: value.origin.or_else(|| origin.clone()), ..value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: u32, value: impl Into<Value>) -> Value {
        let file: Arc<str> = "a.toml".into();
        value.into().at(Arc::new(Origin { file, start: 0, end: 0, line, column: 1, level: None }))
    }

    fn line(value: Option<&Value>) -> u32 {
        value.unwrap().origin.as_ref().unwrap().line
    }

    #[test]
    fn computed_values_stand_where_they_are_written_and_passed_ones_where_they_came_from() {
        let scope = Map::from([("port".into(), at(9, 80))]);
        let written: Value =
            [("sum", at(1, "${port + 1}")), ("same", at(2, "${port}")), ("plain", at(3, "x"))].into();
        let value = Formula::parse(&written).unwrap().evaluate(&scope).unwrap();
        assert_eq!(value.get("sum"), Some(&81.into()));
        assert_eq!([line(value.get("sum")), line(value.get("same")), line(value.get("plain"))], [1, 9, 3]);
    }

    #[test]
    fn all_faults_are_found_each_with_its_place() {
        let written: Value = vec![at(1, "${nope}"), [("k", at(2, "x${1 / 0}"))].into()].into();
        let formula = Formula::parse(&written).unwrap();
        let faults = formula.evaluate(&Map::new()).unwrap_err();
        let lines: Vec<u32> = faults.iter().map(|f| f.origin.as_ref().unwrap().line).collect();
        assert_eq!(lines, [1, 2]);
        assert_eq!(formula.unknown(&Map::new()).len(), 1);
        let unparsed = Formula::parse(&vec![at(4, "${("), at(5, "${1 +}")].into()).unwrap_err();
        assert_eq!(unparsed.len(), 2);
    }

    #[test]
    fn what_holds_no_expression_is_shared() {
        let written: Value = [("a", vec![at(1, "x"), at(2, 3)].into())].into();
        assert!(matches!(Formula::parse(&written).unwrap(), Formula::Constant(_)));
    }
}
