//! The three ways to give an attribute of kind content, whatever its type and name: inline, by `template`, and by `source`.
//!
//! Templates and files belong to the declaring module: a path cannot leave its folder.

use std::collections::BTreeMap;
use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::resource::attribute::FileContent;
use holdfast_catalog::resource::{AttributeKind, TypeDef};
use holdfast_catalog::value::Value;

use crate::diagnostic::{Code, Diagnostic};
use crate::language::problems::placed;
use crate::language::{Fault, Partials, Template};
use crate::repo::ModulePath;

use super::attribute_form::AttributeForm;
use super::pass::Pass;
use super::program::Program;
use super::scope::Frame;
use super::unit::TracedValue;

/// Whether a path cannot leave the folder that it is relative to.
fn is_relative_and_normal(path: &str) -> bool {
    path.split('/').all(|part| !matches!(part, "" | "." | "..")) && !path.contains(['\0', '\\'])
}

impl Frame<'_, '_> {
    /// The content from a template or a source.
    pub(super) fn content(
        &self,
        def: &TypeDef,
        way: AttributeForm,
        value: &Value,
        origin: &Arc<Origin>,
    ) -> Option<TracedValue> {
        let word = if way == AttributeForm::Template { "template" } else { "source" };
        let Some(name) = value.as_str() else {
            let message = format!("`{word}` is {}, not a name", value.noun());
            self.pass.report(Diagnostic::error(Code::WrongType, message, Origin::clone(origin)));
            return None;
        };
        if way == AttributeForm::Template {
            let inner = Frame::new(self.pass, self.unit, self.each);
            return match self.pass.render_all(&inner, name) {
                Ok(value) => Some(TracedValue { value, sources: inner.into_sources() }),
                Err(problems) => {
                    for problem in problems {
                        self.pass.report(placed(problem, origin));
                    }
                    None
                }
            };
        }
        let module = self.unit.manifest.name.module();
        let inline = def.content_attribute().is_some_and(|a| a.kind == AttributeKind::InlineContent);
        match if inline { self.pass.text(module, name) } else { self.pass.source(module, name) } {
            Ok(value) => Some(TracedValue { value, sources: Vec::new() }),
            Err(problem) => {
                self.pass.report(placed(*problem, origin));
                None
            }
        }
    }
}

impl Pass<'_> {
    /// For expressions: the text of a template.
    ///
    /// # Errors
    /// The first problem with the template.
    pub(super) fn render(&self, frame: &Frame<'_, '_>, name: &str) -> Result<Value, Fault> {
        self.render_all(frame, name).map_err(|problems| match problems.into_iter().next() {
            Some(problem) if problem.origin.is_some() => Fault::caused_by(problem),
            Some(problem) => {
                let Diagnostic { code, message, help, withheld, .. } = problem;
                Fault { help, withheld, ..Fault::of_scope(code, message) }
            }
            None => Fault::of_scope(Code::BadValue, format!("template `{name}` cannot be rendered")),
        })
    }

    fn render_all(&self, frame: &Frame<'_, '_>, name: &str) -> Result<Value, Vec<Diagnostic>> {
        const MAX_DEPTH: usize = 16;
        let template =
            self.program.template(frame.unit.manifest.name.module(), name).map_err(|p| vec![*p])?;
        self.reader.open(template.file());
        if self.rendering.get() >= MAX_DEPTH {
            let message = format!("template `{name}`: more than {MAX_DEPTH} templates use each other");
            return Err(vec![Diagnostic::error(Code::Limit, message, None)]);
        }
        self.rendering.set(self.rendering.get() + 1);
        let text = template.render(frame, &RecordedPartials(self));
        self.rendering.set(self.rendering.get() - 1);
        text
    }

    /// The value for a file or a folder in a module's `files/`.
    fn source(&self, module: &str, name: &str) -> Result<Value, Box<Diagnostic>> {
        let problem = |message: String| Box::new(Diagnostic::error(Code::BadSource, message, None));
        if !is_relative_and_normal(name) {
            let message = format!("`{}` is outside the module's files", name.escape_debug());
            let help = format!("name a file or folder below modules/{module}/files");
            return Err(Box::new(problem(message).help(help)));
        }
        let path = format!("modules/{module}/files/{name}");
        if let Some(file) = self.reader.open(&path) {
            return Ok(self.named(&path, file));
        }
        let entries = self.tree(&path);
        if entries.is_empty() {
            let folder = format!("modules/{module}/files");
            let files = self.program.snapshot.under(&folder);
            let names: Vec<&str> =
                files.filter_map(|(path, _)| path.strip_prefix(&*folder)?.strip_prefix('/')).collect();
            let missing = self.program.missing(Code::BadSource, &path);
            return Err(Box::new(match missing.help {
                Some(_) => missing,
                None => missing.did_you_mean(name, names),
            }));
        }
        Ok(FileContent::tree_value(entries))
    }

    /// Everything in a folder of a module's files, by relative path. Links that lead out of the folder are left out,
    /// with a warning.
    fn tree(&self, folder: &str) -> BTreeMap<Arc<str>, Value> {
        let snapshot = &self.program.snapshot;
        let relative = |path: &str| Arc::from(path.get(folder.len() + 1..).unwrap_or_default());
        let mut entries = BTreeMap::new();
        for (path, file) in snapshot.under(folder) {
            self.reader.open(path);
            let value = self.named(path, file);
            let value = if snapshot.is_program(path) { FileContent::program_value(value) } else { value };
            entries.insert(relative(path), value);
        }
        entries
            .extend(snapshot.empty_under(folder).map(|path| (relative(path), FileContent::folder_value())));
        for (path, target) in snapshot.links_under(folder) {
            let inner: Arc<str> = relative(path);
            if FileContent::stays_inside(&inner, target) {
                entries.insert(inner, FileContent::link_value(target));
            } else {
                let message = format!(
                    "{path} is a link to `{}`, which is outside {folder}, and is left out",
                    target.escape_debug()
                );
                let problem = Diagnostic::warning(Code::UnreadFile, message, None);
                self.warnings
                    .borrow_mut()
                    .push(problem.help("link within the folder, by a relative path, or copy the file"));
            }
        }
        entries
    }

    /// The text of a file in a module's `files/`, for content that is in the catalog itself.
    fn text(&self, module: &str, name: &str) -> Result<Value, Box<Diagnostic>> {
        let path = format!("modules/{module}/files/{name}");
        let file = is_relative_and_normal(name).then(|| self.reader.open(&path)).flatten();
        let (why, help) = match file.map(|file| std::str::from_utf8(file.bytes())) {
            Some(Ok(text)) => return Ok(text.into()),
            Some(Err(_)) => ("is not UTF-8 text", "what is joined with other text must be text"),
            None => {
                self.source(module, name)?;
                ("is a folder", "name one file of it")
            }
        };
        Err(Box::new(Diagnostic::error(Code::BadSource, format!("{path} {why}"), None).help(help)))
    }

    fn named(&self, path: &str, file: &crate::repo::SnapshotFile) -> Value {
        self.contents.borrow_mut().entry(file.hash().clone()).or_insert_with(|| (path.into(), file.clone()));
        FileContent::hash_value(file.hash(), file.bytes().len() as u64)
    }
}

impl Program {
    /// A module's template by its name.
    ///
    /// # Errors
    /// Returns an error if it does not exist, or does not parse.
    pub(super) fn template(&self, module: &str, name: &str) -> Result<&Arc<Template>, Box<Diagnostic>> {
        let folder = format!("modules/{module}/templates");
        let path = format!("{folder}/{name}");
        match self.templates.get(&*path) {
            Some(Ok(template)) => Ok(template),
            Some(Err(problem)) => Err(Box::new(problem.clone())),
            None => {
                let missing = self.missing(Code::UnknownTemplate, &path);
                Err(Box::new(match missing.help {
                    Some(_) => missing,
                    None => self.template_meant(module, name, missing),
                }))
            }
        }
    }

    /// Why there is nothing to read at a path of a module.
    fn missing(&self, code: Code, path: &str) -> Diagnostic {
        match self.snapshot.link_at(path) {
            Some(link) => {
                Diagnostic::error(code, format!("{link} is a symbolic link, and is not followed"), None)
                    .help("name the file that it leads to, or commit a copy of that file in its place")
            }
            None => Diagnostic::error(code, format!("there is no {path}"), None),
        }
    }
}

/// File name extensions of templates, here and in other tools.
const OTHER_TEMPLATES: [&str; 4] = [".erb", ".epp", ".j2", ".hbs"];

impl Program {
    /// Adds to a problem which template may have been meant by an unknown name.
    fn template_meant(&self, module: &str, name: &str, problem: Diagnostic) -> Diagnostic {
        let folder = format!("modules/{module}/templates/");
        let has = |name: &str| self.templates.contains_key(&*format!("{folder}{name}"));
        let stem = OTHER_TEMPLATES.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        let whole = format!("{stem}.hbs");
        if whole != name && has(&whole) {
            return problem.help(format!("did you mean `{whole}`?"));
        }
        if let Some((first, _)) = name.split_once('/')
            && self.modules.is_namespace(first)
        {
            let own = whole.trim_start_matches(&*format!("{first}/")).to_owned();
            return problem.help(match first == module {
                true => format!("a template of the module itself is named without the module: `{own}`"),
                false => format!(
                    "a manifest can use only the templates of its own module: copy it to {folder}{own}, or let a class \
                     of `{first}` manage the file"
                ),
            });
        }
        let names = self.templates.keys().filter_map(|path| path.strip_prefix(&*folder));
        problem.did_you_mean(name, names)
    }
}

/// The partials of a program; each one that is used is recorded as opened.
struct RecordedPartials<'p, 'a>(&'p Pass<'a>);

impl Partials for RecordedPartials<'_, '_> {
    fn find(&self, name: &str, from: &str) -> Result<Option<Arc<Template>>, Diagnostic> {
        let Some(ModulePath { module, .. }) = ModulePath::of(from) else { return Ok(None) };
        let path = match name.rsplit_once('/') {
            Some((inner, name)) => format!("modules/{module}/templates/{inner}/_{name}.hbs"),
            None => format!("modules/{module}/templates/_{name}.hbs"),
        };
        match self.0.program.templates.get(&*path) {
            None => Ok(None),
            Some(Err(problem)) => Err(problem.clone()),
            Some(Ok(template)) => {
                self.0.reader.open(&path);
                Ok(Some(template.clone()))
            }
        }
    }

    fn names(&self, from: &str) -> Vec<String> {
        let Some(ModulePath { module, .. }) = ModulePath::of(from) else { return Vec::new() };
        let prefix = format!("modules/{module}/templates/_");
        let templates = self.0.program.templates.keys();
        templates
            .filter_map(|path| Some(path.strip_prefix(&*prefix)?.strip_suffix(".hbs")?.to_owned()))
            .collect()
    }
}
