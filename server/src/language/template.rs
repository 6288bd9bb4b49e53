//! Handlebars templates over [`Value`]: strict, lazy, with secrets by parts and without HTML escaping.
//!
//! The language is the commonly known one: output, `if`, `unless`, `each`, `with`, partials, sub-expressions, `~`,
//! comments and raw blocks; without decorators, and without inline or dynamic partials. The crate `handlebars` reads
//! the tags; matching of blocks, white space and rendering are our own. It does not read files: sources and partials
//! are passed to it.

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
    parts: Vec<tree::TemplatePart>,
}

/// Finds partials: `{{> vhost}}` is `_vhost.hbs` of the same module.
pub trait Partials {
    /// The partial `name`, as used in the template `from` (the path of its file); `None` if there is none.
    ///
    /// # Errors
    /// Returns an error if the partial does not compile.
    fn find(&self, name: &str, from: &str) -> Result<Option<Arc<Template>>, Diagnostic>;

    /// The names of all partials that `from` can use, for `did you mean`.
    fn names(&self, from: &str) -> Vec<String>;
}

/// No partials.
impl Partials for () {
    fn find(&self, _: &str, _: &str) -> Result<Option<Arc<Template>>, Diagnostic> {
        Ok(None)
    }

    fn names(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

/// The file and the text of a template.
type TemplateKey = (Arc<str>, Arc<str>);

/// Compiled templates, each text compiled only once, across commits and nodes. All compiles share one.
#[derive(Debug, Default)]
pub struct Templates {
    compiled: Mutex<HashMap<TemplateKey, Arc<Template>>>,
}

/// The most templates to keep. Beyond that, all are dropped, and with them the texts of old commits.
const MAX_KEPT: usize = 4096;

impl Templates {
    /// The template in `file` with this text, compiled if necessary.
    ///
    /// # Errors
    /// Returns an error if it does not parse; the place is in the file.
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
        if compiled.len() >= MAX_KEPT {
            compiled.clear();
        }
        compiled.insert(key, template.clone());
        Ok(template)
    }
}

impl Template {
    /// Compiles a template; `file` is its path in the repository, for error messages.
    ///
    /// # Errors
    /// Returns an error if it does not parse; the place is in the file.
    pub fn compile(file: &Arc<str>, source: &Arc<str>) -> Result<Self, Diagnostic> {
        let parts = parse::parse(source).map_err(|fault| diagnostic(&fault, file, source))?;
        Ok(Self { file: file.clone(), source: source.clone(), parts })
    }

    /// The path of its file.
    pub fn file(&self) -> &Arc<str> {
        &self.file
    }

    /// Renders the text in a scope: a string, or a sensitive text with its secret parts.
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

/// The documentation of everything that can be in a template. The examples use `site`, which has `name = "shop"`.
pub fn chapters() -> Vec<Chapter> {
    vec![Chapter::new("Blocks", tree::BlockKind::WORDS.iter().copied()), function::chapter()]
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
