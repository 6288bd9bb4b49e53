//! Handlebars templates over [`Value`]: strict, lazy, with secrets by stretch and without HTML escaping.
//!
//! The language that the tools know: output, `if`, `unless`, `each`, `with`, partials, sub-expressions, `~`, comments,
//! raw blocks. No decorators, no inline or dynamic partials. The crate `handlebars` reads the tags; matching blocks, white
//! space and rendering are ours. Knows no files: sources and partials are given to it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::Value;

use crate::diagnostic::Diagnostic;

use super::fault::Fault;
use super::scope::Scope;
use super::word::Chapter;

mod function;
mod parse;
mod path;
mod reader;
mod refusal;
mod render;
mod tag;
mod token;
mod tree;

/// A compiled template.
#[derive(Debug)]
pub struct Template {
    file: Arc<str>,
    source: Arc<str>,
    parts: Vec<tree::Part>,
}

/// Where partials come from: `{{> vhost}}` is `_vhost.hbs` of the same module.
pub trait Partials {
    /// The partial `name` as the template `from` (its file) says it; `None` where there is none.
    ///
    /// # Errors
    /// It does not compile.
    fn find(&self, name: &str, from: &str) -> Result<Option<Arc<Template>>, Diagnostic>;

    /// The names of all partials that `from` can use, for `did you mean`.
    fn names(&self, from: &str) -> Vec<String>;
}

/// Where there are no partials.
impl Partials for () {
    fn find(&self, _: &str, _: &str) -> Result<Option<Arc<Template>>, Diagnostic> {
        Ok(None)
    }

    fn names(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

/// File and text of a template.
type Key = (Arc<str>, Arc<str>);

/// Compiled templates, each text compiled once, across commits and nodes. Share one among all compiles.
#[derive(Debug, Default)]
pub struct Templates {
    compiled: Mutex<HashMap<Key, Arc<Template>>>,
}

/// How many are kept; beyond that, old commits' texts are let go with the rest.
const KEPT: usize = 4096;

impl Templates {
    /// The template in `file` with this text.
    ///
    /// # Errors
    /// It does not parse; the place is in the file.
    pub fn compile(&self, file: &Arc<str>, source: &Arc<str>) -> Result<Arc<Template>, Diagnostic> {
        let key = (file.clone(), source.clone());
        let known = |templates: &Self| {
            templates.compiled.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
        };
        if let Some(template) = known(self) {
            return Ok(template);
        }
        let template = Arc::new(Template::compile(file, source)?);
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if compiled.len() >= KEPT {
            compiled.clear();
        }
        compiled.insert(key, template.clone());
        Ok(template)
    }
}

impl Template {
    /// Compiles a template; `file` is its path in the repository, for errors.
    ///
    /// # Errors
    /// It does not parse; the place is in the file.
    pub fn compile(file: &Arc<str>, source: &Arc<str>) -> Result<Self, Diagnostic> {
        let parts = parse::parse(source).map_err(|fault| diagnostic(&fault, file, source))?;
        Ok(Self { file: file.clone(), source: source.clone(), parts })
    }

    /// Its file.
    pub fn file(&self) -> &Arc<str> {
        &self.file
    }

    /// The text in a scope: a string, or a sensitive text whose secret stretches are known.
    ///
    /// # Errors
    /// Everything that is wrong, each with its place in the template.
    pub fn render(&self, scope: &dyn Scope, partials: &dyn Partials) -> Result<Value, Vec<Diagnostic>> {
        render::render(self, scope, partials)
    }

    fn diagnostic(&self, fault: &Fault) -> Diagnostic {
        diagnostic(fault, &self.file, &self.source)
    }
}

/// What a template can hold, as the definitions say it. Examples know `site`, which has `name = "shop"`.
pub fn chapters() -> Vec<Chapter> {
    vec![Chapter::new("Blocks", tree::BlockSort::WORDS.iter().copied()), function::chapter()]
}

fn diagnostic(fault: &Fault, file: &Arc<str>, source: &str) -> Diagnostic {
    if fault.origin.is_some() {
        return fault.diagnostic(None);
    }
    fault.diagnostic_at(Some(Origin::locate(file, source, fault.span.clone())))
}

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
