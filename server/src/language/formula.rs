//! A whole value, as written in TOML, whose strings may contain `${…}`.
//!
//! It is parsed once for each commit and evaluated for each node. Parts without expressions are shared, not copied.

use std::collections::BTreeMap;
use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::{Kind, Map, Value};

use crate::diagnostic::Code;

use super::document::{Item, ItemContent};
use super::expression::CallUse;
use super::fault::Fault;
use super::interpolation::{ESCAPED, Interpolation, OPEN};
use super::problems::MAX_PROBLEMS;
use super::scope::Scope;

/// A value that may contain expressions. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Formula {
    /// A value without expressions.
    Constant(Value),
    /// A string with expressions.
    Text(Arc<Interpolation>, Option<Arc<Origin>>),
    /// A list with expressions at some depth.
    List(Arc<[Formula]>, Option<Arc<Origin>>),
    /// A map with expressions at some depth of its values; its keys contain none.
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

    /// Like [`Formula::parse`], for a value in a file, whose keys have places.
    ///
    /// # Errors
    /// Everything that does not parse, and expressions in keys.
    pub fn of_item(item: &Item) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        keys(item, &mut faults);
        let formula = Self::read(&item.to_value(), &mut faults);
        if faults.is_empty() { Ok(formula) } else { Err(faults) }
    }

    fn read(value: &Value, faults: &mut Vec<Fault>) -> Self {
        if !opens(value) {
            return Self::Constant(value.clone());
        }
        let origin = value.origin.clone();
        match &value.kind {
            Kind::String(text) => match Interpolation::parse(text) {
                Ok(Some(text)) => Self::Text(Arc::new(text), origin),
                Ok(None) => Self::Constant(value.clone()),
                Err(fault) => {
                    faults.push(fault.within(origin.as_ref()));
                    Self::Constant(value.clone())
                }
            },
            Kind::List(list) => {
                Self::List(list.iter().map(|item| Self::read(item, faults)).collect(), origin)
            }
            Kind::Map(map) => {
                let entries = map.iter().map(|(key, item)| (literal(key), Self::read(item, faults)));
                Self::Map(Arc::new(entries.collect()), origin)
            }
            _ => Self::Constant(value.clone()),
        }
    }

    fn children(&self) -> Box<dyn Iterator<Item = &Self> + '_> {
        match self {
            Self::List(list, _) => Box::new(list.iter()),
            Self::Map(map, _) => Box::new(map.values()),
            Self::Constant(_) | Self::Text(..) => Box::new(std::iter::empty()),
        }
    }

    /// Whether its value could be this text, by its literal parts.
    pub fn could_be(&self, text: &str) -> bool {
        match self {
            Self::Constant(value) => value.scalar_text().is_some_and(|own| *own == *text),
            Self::Text(own, _) => own.could_be(text),
            Self::List(..) | Self::Map(..) => false,
        }
    }

    /// Its interpolated strings at any depth, each with its origin.
    pub fn texts(&self) -> Vec<(&Interpolation, Option<&Arc<Origin>>)> {
        match self {
            Self::Text(text, origin) => vec![(text, origin.as_ref())],
            _ => self.children().flat_map(Self::texts).collect(),
        }
    }

    /// The calls of a function of the scope, at any depth.
    pub fn calls(&self, function: &str) -> Vec<CallUse> {
        let expressions = self.texts().into_iter().flat_map(|(text, _)| text.expressions());
        let calls = expressions.flat_map(|(expression, _)| &expression.uses().functions);
        calls.filter(|call| *call.name == *function).cloned().collect()
    }

    /// Names and functions that `scope` does not have, found without evaluating; only the first ones if there are very
    /// many.
    pub fn unknown(&self, scope: &dyn Scope) -> Vec<Fault> {
        let faults = |(text, origin): (&Interpolation, Option<&Arc<Origin>>)| {
            text.unknown(scope).into_iter().map(|fault| fault.within(origin)).collect::<Vec<_>>()
        };
        self.texts().into_iter().flat_map(faults).take(MAX_PROBLEMS + 1).collect()
    }

    /// Its value in a scope. The origin of a computed value is the string of its expression; a value that is only
    /// passed through keeps its own origin.
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

/// Whether an expression or an escape begins somewhere in a value.
fn opens(value: &Value) -> bool {
    match &value.kind {
        Kind::String(text) => text.contains(OPEN),
        Kind::List(list) => list.iter().any(opens),
        Kind::Map(map) => map.iter().any(|(key, item)| key.contains(ESCAPED) || opens(item)),
        _ => false,
    }
}

/// A key with its escapes decoded.
fn literal(key: &Arc<str>) -> Arc<str> {
    if key.contains(ESCAPED) { key.replace(ESCAPED, OPEN).into() } else { key.clone() }
}

/// Finds expressions in keys, at any depth. They are refused: two of them could give the same key, and their order is
/// not defined.
fn keys(item: &Item, faults: &mut Vec<Fault>) {
    match &item.content {
        ItemContent::List(items) => items.iter().for_each(|item| keys(item, faults)),
        ItemContent::Table(table, _) => {
            for entry in &table.entries {
                let plain = entry.key.replace(ESCAPED, "   ");
                if let Some(at) = plain.find(OPEN) {
                    let fault = Fault::new(Code::Syntax, "keys are not evaluated", at..at + OPEN.len());
                    let help = "write the whole map as an expression, such as \"${{name + '@localhost': 'x'}}\"; \
                                a literal `${` is written `$${`";
                    faults.push(fault.help(help).within(Some(&entry.key_origin)));
                }
                keys(&entry.item, faults);
            }
        }
        ItemContent::Scalar(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::document::Document;

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
    fn keys_hold_no_expression_and_a_doubled_dollar_is_literal_there_too() {
        let read = |text: &str| {
            let (document, problems) = Document::parse(&"a.toml".into(), text.as_bytes(), None);
            assert_eq!(problems, []);
            Formula::of_item(&document.root.entries[0].item)
        };
        for text in ["x = { \"${a}\" = 1 }", "x = [{ k = { \"--${a}\" = true } }]", "[x.\"a${b\"]\nc = 1"] {
            let faults = read(text).unwrap_err();
            assert_eq!((faults.len(), &*faults[0].message), (1, "keys are not evaluated"), "{text}");
            let place = faults[0].diagnostic(Some(text)).origin.unwrap();
            assert_eq!(&text[place.start as usize..place.end as usize], "${", "{text}");
        }
        let formula = read("x = { \"$${a}\" = 1 }").unwrap();
        assert_eq!(formula.evaluate(&Map::new()).unwrap().get("${a}"), Some(&1.into()));
    }

    #[test]
    fn what_holds_no_expression_is_shared() {
        let written: Value = [("a", vec![at(1, "x"), at(2, 3)].into())].into();
        assert!(matches!(Formula::parse(&written).unwrap(), Formula::Constant(_)));
    }
}
