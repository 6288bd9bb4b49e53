//! The scope of expressions in data: `node`, `facts`, and `lookup(key)` in operators' files.
//!
//! A tenant's level has no `lookup`: with it, a customer could read an operator's data on its own machine.

use std::sync::Arc;

use holdfast_catalog::value::Value;

use super::Lookup;
use super::hierarchy::LevelWriter;
use crate::diagnostic::Code;
use crate::language::SharedBudget;
use crate::language::fault::Fault;
use crate::language::scope::Scope;

const NAMES: [&str; 2] = ["facts", "node"];
const FUNCTIONS: &[&str] = &["lookup"];

/// The scope of one evaluation.
pub(super) struct DataScope<'l, 'a> {
    pub lookup: &'l Lookup<'a>,
    pub writer: LevelWriter,
}

/// The names of this scope, without values, for checking a file before any node reads it.
pub(super) struct NamesOf(pub LevelWriter);

impl Scope for DataScope<'_, '_> {
    fn resolve(&self, name: &str) -> Result<Option<Value>, Fault> {
        Ok(match name {
            "node" => Some(self.lookup.node_value.clone()),
            "facts" => Some(self.lookup.facts.value().clone()),
            _ => None,
        })
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, Fault>> {
        (name == "lookup" && self.writer == LevelWriter::Operators).then(|| {
            let [key] = arguments else {
                return Err(Fault::of_scope(Code::WrongType, "lookup takes one key"));
            };
            let key = key.as_str().ok_or_else(|| {
                Fault::of_scope(
                    Code::WrongType,
                    format!("lookup takes a key as a string, not {}", key.noun()),
                )
            })?;
            match self.lookup.get_or_null(key)? {
                Some(value) => Ok(value),
                None => Err(Fault::of_scope(Code::NoData, format!("no level has the key `{key}`"))
                    .help("give it a value in the data, for example in hieradata/common.toml")),
            }
        })
    }

    fn names(&self) -> Vec<Arc<str>> {
        NamesOf(self.writer).names()
    }

    fn functions(&self) -> &[&str] {
        if self.writer == LevelWriter::Operators { FUNCTIONS } else { &[] }
    }

    fn allowance(&self) -> SharedBudget {
        self.lookup.allowance()
    }
}

impl Scope for NamesOf {
    fn resolve(&self, _: &str) -> Result<Option<Value>, Fault> {
        Ok(None)
    }

    fn names(&self) -> Vec<Arc<str>> {
        NAMES.map(Arc::from).to_vec()
    }

    fn functions(&self) -> &[&str] {
        if self.0 == LevelWriter::Operators { FUNCTIONS } else { &[] }
    }
}
