//! What names mean in a manifest, and in the templates that it uses.
//!
//! A define sees its own parameters, and nothing from the place where it is declared. What is read is recorded: facts
//! for the record of the compile, and places in the data for the attribute that is being computed.

use std::cell::RefCell;
use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::{Kind, Value};

use crate::diagnostic::Code;
use crate::language::{Fault, Formula, Scope, SharedBudget};

use super::pass::Pass;
use super::unit::{ManifestInstance, TracedValue};
use super::words::FUNCTIONS;

/// The most places to keep for one attribute.
const MAX_SOURCES: usize = 16;

/// The names of a unit at one of its blocks.
pub(super) struct Frame<'f, 'a> {
    pub(super) pass: &'f Pass<'a>,
    pub(super) unit: &'f ManifestInstance<'a>,
    /// `each`, in a loop.
    pub(super) each: Option<&'f Value>,
    trace: RefCell<Vec<Arc<Origin>>>,
}

impl<'f, 'a> Frame<'f, 'a> {
    /// The names of `unit`; in a loop with `each`.
    pub(super) fn new(pass: &'f Pass<'a>, unit: &'f ManifestInstance<'a>, each: Option<&'f Value>) -> Self {
        Self { pass, unit, each, trace: RefCell::default() }
    }

    /// The value of a formula; `None` if it fails, which is reported.
    pub(super) fn evaluate(&self, formula: &Formula) -> Option<TracedValue> {
        if let Formula::Constant(value) = formula {
            return Some(TracedValue { value: value.clone(), sources: Vec::new() });
        }
        let outer = self.trace.take();
        let result = formula.evaluate(self);
        let sources = self.trace.replace(outer);
        match result {
            Ok(value) => Some(TracedValue { value, sources }),
            Err(faults) => {
                for fault in faults {
                    self.pass.report_fault(&fault);
                }
                None
            }
        }
    }

    /// The places in the data that were read since the frame was made.
    pub(super) fn into_sources(self) -> Vec<Arc<Origin>> {
        self.trace.into_inner()
    }
}

impl Scope for Frame<'_, '_> {
    fn resolve(&self, name: &str) -> Result<Option<Value>, Fault> {
        match name {
            "facts" => return Ok(Some(self.pass.facts.value().clone())),
            "node" => return Ok(Some(self.pass.node_value.clone())),
            "each" => return Ok(self.each.cloned()),
            "title" if self.unit.title.is_some() => return Ok(self.unit.title.clone().map(Value::from)),
            _ => {}
        }
        let Some((at, named)) = self.unit.named(name) else { return Ok(None) };
        let traced = self.pass.value_of(self.unit, at, named)?;
        traced.sources.iter().for_each(|source| keep(&mut self.trace.borrow_mut(), source));
        Ok(Some(traced.value))
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, Fault>> {
        if !FUNCTIONS.contains(&name) {
            return None;
        }
        let [Value { kind: Kind::String(argument), .. }] = arguments else {
            return Some(Err(Fault::of_scope(Code::WrongType, format!("`{name}` takes one string"))));
        };
        let result = match name {
            "lookup" => self.pass.lookup(argument),
            _ => self.pass.render(self, argument),
        };
        if let Ok(value) = &result {
            data_places(value, &mut self.trace.borrow_mut());
        }
        Some(result)
    }

    fn names(&self) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = vec!["facts".into(), "node".into()];
        names.extend(self.each.map(|_| Arc::from("each")));
        names.extend(self.unit.title.as_ref().map(|_| Arc::from("title")));
        names.extend(self.unit.manifest.parameters.iter().map(|parameter| parameter.name.clone()));
        names.extend(self.unit.manifest.lets.iter().map(|binding| binding.name.clone()));
        names
    }

    fn functions(&self) -> &[&str] {
        FUNCTIONS
    }

    fn allowance(&self) -> SharedBudget {
        self.pass.lookup.allowance()
    }

    fn read(&self, path: &str, value: Option<&Value>) {
        if path == "facts" || path.starts_with("facts.") {
            self.pass.note_fact(path);
        } else if let Some(value) = value {
            data_places(value, &mut self.trace.borrow_mut());
        }
    }
}

/// Collects the places in the data where a value, or its parts, were set.
pub(super) fn data_places(value: &Value, into: &mut Vec<Arc<Origin>>) {
    if into.len() >= MAX_SOURCES {
        return;
    }
    match &value.kind {
        Kind::List(list) if !list.is_empty() => list.iter().for_each(|item| data_places(item, into)),
        Kind::Map(map) if !map.is_empty() => map.values().for_each(|item| data_places(item, into)),
        _ => {
            if let Some(origin) = value.origin.as_ref().filter(|origin| origin.level.is_some()) {
                keep(into, origin);
            }
        }
    }
}

fn keep(into: &mut Vec<Arc<Origin>>, origin: &Arc<Origin>) {
    if into.len() < MAX_SOURCES && !into.contains(origin) {
        into.push(origin.clone());
    }
}
