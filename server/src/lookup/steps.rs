//! What each file on a node's path says of a key, before anything is merged: for those who ask why a value is what it is.

use std::collections::HashSet;
use std::sync::Arc;

use holdfast_catalog::value::Value;

use super::scope::DataScope;
use super::source::{Source, State};
use super::{Declaration, Lookup, LookupError};
use crate::diagnostic::Diagnostic;
use crate::language::scope::Scope as _;

/// One file that could speak of a key.
#[derive(Debug, Clone)]
pub struct Step {
    pub level: Arc<str>,
    /// Path from the repository's root; the pattern where there is no file.
    pub path: Arc<str>,
    pub says: Says,
    /// What the expressions of its value refer to.
    pub reads: Vec<Read>,
}

/// What one file says of a key.
#[derive(Debug, Clone)]
pub enum Says {
    /// A value, alone and evaluated.
    Value(Value),
    /// The file does not have the key.
    NoKey,
    /// There is no such file.
    NoFile,
    /// The path has no file for this node.
    Skipped(Arc<str>),
    /// The value could not be had.
    Wrong(Vec<Diagnostic>),
}

/// A name or a key that an expression refers to.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// As it is written: `node.stage`, `lookup('smarthosts')`.
    pub what: String,
    /// What it is; none where it is not there.
    pub value: Option<Value>,
}

impl Lookup<'_> {
    /// What is declared about a key.
    ///
    /// # Errors
    /// Nothing is.
    pub fn declaration(&self, key: &str) -> Result<Declaration<'_>, LookupError> {
        self.data.declaration(key)
    }

    /// What each file that could speak of a key says, most specific first.
    ///
    /// # Errors
    /// Nobody declares the key, or one of the node's files is wrong.
    pub fn steps(&self, key: &str) -> Result<Vec<Step>, LookupError> {
        let class = self.data.declaration(key)?.class;
        let sources = self.sources_of(class).map_err(LookupError::Data)?;
        Ok(sources.into_iter().map(|source| self.step(source, key)).collect())
    }

    fn step(&self, source: Source, key: &str) -> Step {
        let says = match &source.state {
            State::Absent => Says::NoFile,
            State::Skipped(why) => Says::Skipped(why.clone()),
            State::File(_) => match self.evaluate_alone(&source, key) {
                Err(problems) => Says::Wrong(problems),
                Ok(None) => Says::NoKey,
                Ok(Some(value)) => Says::Value(value),
            },
        };
        let reads = if matches!(says, Says::Value(_)) { self.reads(&source, key) } else { Vec::new() };
        Step { level: source.name, path: source.path, says, reads }
    }

    /// What the expressions of a file's value refer to, each once.
    fn reads(&self, source: &Source, key: &str) -> Vec<Read> {
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
                    reads.extend(self.get_or_null(key).ok().map(|value| Read { what, value }));
                }
            }
        }
        reads
    }
}

/// What a path into `node` and `facts` leads to.
fn at_path(scope: &DataScope<'_, '_>, path: &str) -> Option<Read> {
    let mut names = path.split('.');
    let root = scope.resolve(names.next()?).ok().flatten()?;
    // All that is known of the machine would not fit into a line.
    let value = root.at_path(Some(names.next()?).into_iter().chain(names)).cloned();
    Some(Read { what: path.to_owned(), value })
}
