//! What each file on a node's path has for a key, before anything is merged: to explain why a value is what it is.

use std::collections::HashSet;
use std::sync::Arc;

use holdfast_catalog::value::Value;

use super::scope::DataScope;
use super::source::{DataSource, SourceState};
use super::{Declaration, Lookup, LookupError};
use crate::diagnostic::Diagnostic;
use crate::language::scope::Scope as _;

/// One file that could have a key.
#[derive(Debug, Clone)]
pub struct Step {
    pub level: Arc<str>,
    /// The path from the repository's root; the pattern if there is no file.
    pub path: Arc<str>,
    pub says: LevelAnswer,
    /// The names and keys that the expressions of its value read.
    pub reads: Vec<NameUse>,
}

/// What one file has for a key.
#[derive(Debug, Clone)]
pub enum LevelAnswer {
    /// A value, evaluated on its own.
    Value(Value),
    /// The file does not have the key.
    NoKey,
    /// There is no such file.
    NoFile,
    /// The path does not lead to a file for this node, for this reason.
    Skipped(Arc<str>),
    /// The value has errors.
    Wrong(Vec<Diagnostic>),
}

/// A name or a key that an expression reads.
#[derive(Debug, Clone, PartialEq)]
pub struct NameUse {
    /// Its text: `node.stage`, `lookup('smarthosts')`.
    pub what: String,
    /// Its value; `None` if there is none.
    pub value: Option<Value>,
}

impl Lookup<'_> {
    /// The declaration of a key.
    ///
    /// # Errors
    /// Returns an error if the key is not declared.
    pub fn declaration(&self, key: &str) -> Result<Declaration<'_>, LookupError> {
        self.data.declaration(key)
    }

    /// What each file that could have a key has for it, most specific first.
    ///
    /// # Errors
    /// Returns an error if the key is not declared, or one of the node's files is wrong.
    pub fn steps(&self, key: &str) -> Result<Vec<Step>, LookupError> {
        let class = self.data.declaration(key)?.class;
        let sources = self.sources_of(class).map_err(LookupError::Data)?;
        Ok(sources.into_iter().map(|source| self.step(source, key)).collect())
    }

    fn step(&self, source: DataSource, key: &str) -> Step {
        let says = match &source.state {
            SourceState::Absent => LevelAnswer::NoFile,
            SourceState::Skipped(why) => LevelAnswer::Skipped(why.clone()),
            SourceState::File(_) => match self.evaluate_alone(&source, key) {
                Err(problems) => LevelAnswer::Wrong(problems),
                Ok(None) => LevelAnswer::NoKey,
                Ok(Some(value)) => LevelAnswer::Value(value),
            },
        };
        let reads = if matches!(says, LevelAnswer::Value(_)) { self.reads(&source, key) } else { Vec::new() };
        Step { level: source.name, path: source.path, says, reads }
    }

    /// What the expressions of a file's value read, each once.
    fn reads(&self, source: &DataSource, key: &str) -> Vec<NameUse> {
        let formula = source.file().and_then(|file| file.values.get(key));
        let texts = formula.map(|formula| formula.texts()).unwrap_or_default();
        let scope = DataScope { lookup: self, writer: source.writer };
        let (mut asked, mut reads) = (HashSet::new(), Vec::new());
        for (expression, _) in texts.iter().flat_map(|(text, _)| text.expressions()) {
            let uses = expression.uses();
            for named in &uses.paths {
                if asked.insert(named.path.to_string()) {
                    reads.extend(at_path(&scope, &named.path));
                }
            }
            for call in &uses.functions {
                let Some(key) = &call.text else { continue };
                let what = format!("{}('{key}')", call.name);
                if asked.insert(what.clone()) {
                    reads.extend(self.get_or_null(key).ok().map(|value| NameUse { what, value }));
                }
            }
        }
        reads
    }
}

/// The value at a path into `node` or `facts`.
fn at_path(scope: &DataScope<'_, '_>, path: &str) -> Option<NameUse> {
    let mut names = path.split('.');
    let root = scope.resolve(names.next()?).ok().flatten()?;
    // The whole of a root would not fit on a line.
    let value = root.at_path(Some(names.next()?).into_iter().chain(names)).cloned();
    Some(NameUse { what: path.to_owned(), value })
}
