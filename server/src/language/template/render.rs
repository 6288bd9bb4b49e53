//! Walks the tree of a template: one text in one scope.

use std::ops::Range;
use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::{Kind, Value};

use super::tree::{Argument, BlockKind, Partial, TemplateBlock, TemplatePart};
use super::{Partials, Template};
use crate::diagnostic::{Code, Diagnostic};
use crate::language::budget::Budget;
use crate::language::fault::Fault;
use crate::language::scope::Scope;
use crate::language::secrecy::{Stretches, is_all_secret};

mod compute;

/// How deeply partials may be nested.
const MAX_PARTIALS: usize = 16;
/// The most errors to report.
const MAX_ERRORS: usize = 20;

pub(super) fn render(
    template: &Template,
    scope: &dyn Scope,
    partials: &dyn Partials,
) -> Result<Value, Vec<Diagnostic>> {
    let mut render = Renderer {
        scope,
        partials,
        template,
        contexts: Vec::new(),
        text: Stretches::default(),
        indent: String::new(),
        line_begins: true,
        partial_depth: 0,
        budget: Budget::new(scope.allowance()),
        errors: Vec::new(),
        exhausted: None,
    };
    render.parts(&template.parts);
    if let Some(BudgetExhaustion { told, fault, .. }) = render.exhausted.take() {
        render.errors.push(told.unwrap_or_else(|| template.diagnostic(&fault)));
    }
    if render.errors.is_empty() { Ok(render.text.finish()) } else { Err(render.errors) }
}

/// The state of rendering one text.
struct Renderer<'a> {
    scope: &'a dyn Scope,
    partials: &'a dyn Partials,
    /// The template or partial that is being walked.
    template: &'a Template,
    contexts: Vec<BlockContext>,
    text: Stretches,
    indent: String,
    line_begins: bool,
    partial_depth: usize,
    budget: Budget,
    errors: Vec<Diagnostic>,
    /// Set once nothing more may be done, wherever that was noticed.
    exhausted: Option<BudgetExhaustion>,
}

/// The steps or the text of a template reached the limit. The longest loop is to blame, not the place at which the last
/// step was taken.
struct BudgetExhaustion {
    fault: Fault,
    /// The problem for the longest loop around that place, and the number of its elements.
    told: Option<Diagnostic>,
    elements: usize,
}

/// The names that a block or a partial adds.
#[derive(Default)]
struct BlockContext {
    /// `this`; `None` if it is that of the block around.
    this: Option<Value>,
    names: Vec<(Arc<str>, Value)>,
    /// The key, the index and the number of elements in `each`.
    position: Option<(Value, usize, usize)>,
}

impl Renderer<'_> {
    fn parts(&mut self, parts: &[TemplatePart]) {
        for part in parts {
            let result = self.budget.spend(1).and_then(|()| self.part(part));
            match result {
                Err(fault) if fault.code == Code::Limit && fault.span.is_empty() => {
                    self.exhausted.get_or_insert(BudgetExhaustion { fault, told: None, elements: 0 });
                }
                Err(fault) => {
                    let ends = fault.code == Code::Limit;
                    self.error(&fault);
                    if ends || self.errors.len() >= MAX_ERRORS {
                        return;
                    }
                }
                Ok(()) => {}
            }
            if self.exhausted.is_some() {
                return;
            }
        }
    }

    /// Records an error, each once, however often its place is reached.
    fn error(&mut self, fault: &Fault) {
        let diagnostic = self.template.diagnostic(fault);
        if !self.errors.contains(&diagnostic) {
            self.errors.push(diagnostic);
        }
    }

    fn part(&mut self, part: &TemplatePart) -> Result<(), Fault> {
        match part {
            TemplatePart::Text(text) => {
                self.write(text);
                self.budget.text(text.len())
            }
            TemplatePart::Output(argument) => {
                let value = self.value(argument)?;
                self.output(&value, &argument.span)
            }
            TemplatePart::Block(block) => match block.sort {
                BlockKind::If => self.branch(block, true),
                BlockKind::Unless => self.branch(block, false),
                BlockKind::Each => self.each(block),
                BlockKind::With => self.with(block),
            },
            TemplatePart::Partial(partial) => self.partial(partial),
        }
    }

    /// Writes text of the template itself. Lines of a partial whose tag is alone on its line get the same indentation.
    fn write(&mut self, text: &str) {
        if self.indent.is_empty() {
            self.text.push_str(text);
            return;
        }
        for line in text.split_inclusive('\n') {
            self.begin_line(line);
            self.text.push_str(line);
            self.line_begins = line.ends_with('\n');
        }
    }

    fn begin_line(&mut self, text: &str) {
        if self.line_begins && !text.trim_end().is_empty() {
            self.text.push_str(&self.indent);
        }
    }

    fn output(&mut self, value: &Value, span: &Range<usize>) -> Result<(), Fault> {
        if !self.indent.is_empty() {
            self.begin_line("x");
            self.line_begins = false;
        }
        let start = self.text.len();
        if !self.text.push(value) {
            return Err(no_text(value, self.template.source.get(span.clone()).unwrap_or_default(), span));
        }
        self.budget.text(self.text.len() - start)
    }

    fn branch(&mut self, block: &TemplateBlock, wanted: bool) -> Result<(), Fault> {
        let truth = self.truth(&block.argument, block.sort.name())?;
        let start = self.text.len();
        self.parts(if truth.holds == wanted { &block.body } else { &block.otherwise });
        if truth.secret {
            self.text.seal_from(start);
        }
        Ok(())
    }

    fn each(&mut self, block: &TemplateBlock) -> Result<(), Fault> {
        let value = self.looped(&block.argument)?;
        let items: Vec<(Value, Value)> = match &value.kind {
            Kind::Null => Vec::new(),
            Kind::List(list) => {
                let index = |at: usize| Value::from(i64::try_from(at).unwrap_or(i64::MAX));
                list.iter().enumerate().map(|(at, item)| (index(at), item.clone())).collect()
            }
            Kind::Map(map) => map.iter().map(|(key, item)| (key.clone().into(), item.clone())).collect(),
            _ => {
                let message = format!("`each` takes a list or a map, not {}", value.noun());
                return Err(Fault::new(Code::WrongType, message, block.argument.span.clone()));
            }
        };
        if items.is_empty() {
            self.parts(&block.otherwise);
            return Ok(());
        }
        let (count, start) = (items.len(), self.text.len());
        // The number of parts that a secret was split into would reveal something about it.
        let is_secret = matches!(&value.kind, Kind::List(list) if list.iter().all(is_all_secret));
        for (at, (key, item)) in items.into_iter().enumerate() {
            if let Err(fault) = self.budget.spend(1) {
                self.exhausted.get_or_insert(BudgetExhaustion { fault, told: None, elements: 0 });
                break;
            }
            let named = block.names.iter().cloned().zip([item.clone(), key.clone()]).collect();
            // A block that names its elements leaves the names of the outer `this` visible, but `this` is still the
            // element.
            let context = BlockContext { this: Some(item), names: named, position: Some((key, at, count)) };
            self.inside(context, &block.body);
            if self.errors.len() >= MAX_ERRORS || self.exhausted.is_some() {
                break;
            }
        }
        self.blame(block, &value, count);
        if is_secret {
            self.text.seal_from(start);
        }
        Ok(())
    }

    /// If a loop reached the limit, blames it, unless a loop inside it is longer.
    fn blame(&mut self, block: &TemplateBlock, value: &Value, count: usize) {
        let written = written(self.template, &block.argument);
        let template = self.template;
        let Some(exhausted) = self.exhausted.as_mut().filter(|exhausted| count > exhausted.elements) else {
            return;
        };
        let message = format!("`{{{{#each {written}}}}}` over {count} elements: {}", exhausted.fault.message);
        let fault = Fault { message, span: block.argument.span.clone(), ..exhausted.fault.clone() };
        let told = template.diagnostic(&fault);
        exhausted.told = Some(match &value.origin {
            Some(origin) => told.related(Origin::clone(origin), "the elements are here"),
            None => told,
        });
        exhausted.elements = count;
    }

    fn with(&mut self, block: &TemplateBlock) -> Result<(), Fault> {
        let value = self.value(&block.argument)?;
        if value.is_null() {
            self.parts(&block.otherwise);
            return Ok(());
        }
        let names = block.names.iter().cloned().zip([value.clone()]).collect();
        self.inside(BlockContext { this: Some(value), names, position: None }, &block.body);
        Ok(())
    }

    fn inside(&mut self, context: BlockContext, parts: &[TemplatePart]) {
        self.contexts.push(context);
        self.parts(parts);
        self.contexts.pop();
    }

    fn partial(&mut self, call: &Partial) -> Result<(), Fault> {
        let fault = |code, message: String| Fault::new(code, message, call.name_span.clone());
        let file = self.template.file.clone();
        let found = self
            .partials
            .find(&call.name, &file)
            .map_err(|diagnostic| Fault { span: call.name_span.clone(), ..Fault::caused_by(diagnostic) })?;
        let Some(template) = found else {
            let names = self.partials.names(&file);
            let unknown = fault(Code::UnknownName, format!("unknown partial `{}`", call.name));
            return Err(unknown.did_you_mean(&call.name, names.iter().map(String::as_str)));
        };
        if self.partial_depth >= MAX_PARTIALS {
            let message = format!("partials use each other more than {MAX_PARTIALS} levels deep");
            return Err(fault(Code::Limit, message));
        }
        let this = call.context.as_ref().map(|argument| self.value(argument)).transpose()?;
        let given = call.given.iter().map(|(name, argument)| Ok((name.clone(), self.value(argument)?)));
        let names = given.collect::<Result<_, Fault>>()?;
        self.run_partial(&template, BlockContext { this, names, position: None }, &call.indent);
        Ok(())
    }

    fn run_partial(&mut self, template: &Template, context: BlockContext, indent: &str) {
        let mut inner = Renderer {
            scope: self.scope,
            partials: self.partials,
            template,
            contexts: std::mem::take(&mut self.contexts),
            text: std::mem::take(&mut self.text),
            indent: format!("{}{indent}", self.indent),
            line_begins: true,
            partial_depth: self.partial_depth + 1,
            budget: std::mem::replace(&mut self.budget, Budget::new(self.scope.allowance())),
            errors: std::mem::take(&mut self.errors),
            exhausted: self.exhausted.take(),
        };
        inner.inside(context, &template.parts);
        self.contexts = inner.contexts;
        self.text = inner.text;
        self.budget = inner.budget;
        self.errors = inner.errors;
        self.exhausted = inner.exhausted;
        self.line_begins = true;
    }
}

fn no_text(value: &Value, written: &str, span: &Range<usize>) -> Fault {
    let open = match &value.kind {
        Kind::Sensitive(secret) => secret.expose().noun(),
        _ => value.noun(),
    };
    let message = format!("`{written}` is {open}, which is not text");
    let fault = Fault::new(Code::WrongType, message, span.clone());
    match open {
        "null" => fault.help(format!(
            "{{{{default {written} \"…\"}}}} replaces null, and {{{{#if (has {written})}}}} checks for it"
        )),
        "a list" => fault.help(format!("write {{{{join {written} \", \"}}}} or {{{{#each {written}}}}}")),
        _ => fault.help(format!("write {{{{#each {written}}}}} or {{{{json {written}}}}}")),
    }
}

/// The argument of a tag, as written, for error messages.
fn written<'a>(template: &'a Template, argument: &Argument) -> &'a str {
    template.source.get(argument.span.clone()).unwrap_or_default()
}
