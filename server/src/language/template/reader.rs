//! Reads the insides of tags with the crate `handlebars`, and converts the crate's tree of a tag to ours, with the
//! place of each argument.
//!
//! The crate gets one tag at a time: for a whole template its time grows with the square of the length, and its
//! handling of white space differs from Handlebars (decision 0005).

use std::collections::HashMap;
use std::sync::Arc;

use handlebars::template::{HelperTemplate, Parameter, Subexpression, Template, TemplateElement};
use holdfast_catalog::count::counted;

use super::function::Helper;
use super::path::value_or_path;
use super::refusal;
use super::token::{TagContent, TagTokenKind};
use super::tree::{Argument, ArgumentKind, BlockKind, Partial};
use crate::diagnostic::Code;
use crate::language::fault::Fault;

mod masked;

/// The head of a block: `{{#each map as |value key|}}`.
pub(super) struct BlockOpening {
    pub(super) sort: BlockKind,
    pub(super) argument: Argument,
    pub(super) names: Vec<Arc<str>>,
}

/// Reads an output: `{{path}}`, `{{helper argument …}}`.
pub(super) fn output(inside: &TagContent) -> Result<Argument, Fault> {
    let Some(TemplateElement::Expression(read)) = element("{{", &masked::call(inside), "}}") else {
        return Err(refusal::of_output(inside));
    };
    let mut places = TagCursor { inside, at: 0 };
    let argument = places.call(&read)?;
    places.end(argument)
}

/// Reads the head of a block: `{{#if argument}}`, `{{#each argument as |value key|}}`.
pub(super) fn block(inside: &TagContent) -> Result<BlockOpening, Fault> {
    let name = inside.first_word()?;
    let Some((_, sort)) = BlockKind::ALL.iter().find(|(known, _)| *known == name) else {
        return Err(refusal::unknown_block(name, inside.place(0)));
    };
    let close = format!("}}}}{{{{/{name}}}}}");
    let Some(TemplateElement::HelperBlock(read)) = element("{{#", &masked::call(inside), &close) else {
        return Err(refusal::of_block(inside));
    };
    let mut places = TagCursor { inside, at: 1 };
    let argument = match &read.params[..] {
        [argument] if read.hash.is_empty() => places.argument(argument)?,
        [] if read.hash.is_empty() => return Err(refusal::without_value(inside)),
        _ => return Err(refusal::several_values(inside)),
    };
    let names = if read.block_param.is_some() { places.names()? } else { Vec::new() };
    places.end(BlockOpening { sort: *sort, argument, names })
}

/// Reads a partial: `{{> name context key=value}}`.
pub(super) fn partial(inside: &TagContent, indent: &str) -> Result<Partial, Fault> {
    let name = match inside.kind(0) {
        Some(TagTokenKind::Word) => inside.text(0),
        Some(TagTokenKind::Text) => unquoted(inside.text(0)),
        _ => return Err(inside.no_name(0)),
    };
    let Some(TemplateElement::PartialExpression(read)) = element("{{>", &masked::partial(inside), "}}")
    else {
        return Err(refusal::of_partial(inside));
    };
    let mut places = TagCursor { inside, at: 1 };
    let context = match &read.params[..] {
        [] => None,
        [context] if !places.is_named() => Some(places.argument(context)?),
        _ => return Err(refusal::of_partial(inside)),
    };
    let given = places.named(&read.hash)?;
    let (name, name_span, indent) = (name.into(), inside.place(0), indent.into());
    places.end(Partial { name, name_span, context, given, indent })
}

/// The element that the crate reads; `None` if it does not read exactly one.
fn element(open: &str, inside: &str, close: &str) -> Option<TemplateElement> {
    let mut elements = Template::compile(&format!("{open}{inside}{close}")).ok()?.elements;
    elements.pop().filter(|_| elements.is_empty())
}

/// A walk over the crate's tree of a tag, in parallel with the tag's tokens.
struct TagCursor<'a> {
    inside: &'a TagContent<'a>,
    at: usize,
}

impl TagCursor<'_> {
    /// Reads a path, a helper with its arguments, or either in parentheses.
    fn call(&mut self, read: &HelperTemplate) -> Result<Argument, Fault> {
        if let Parameter::Subexpression(inner) = &read.name {
            return self.subexpression(inner);
        }
        if read.params.is_empty() && read.hash.is_empty() {
            return self.value();
        }
        let head = self.at;
        let (name, span) = (self.inside.text(head), self.inside.place(head));
        let helper = Helper::find(name).ok_or_else(|| refusal::of_helper(self.inside, head))?;
        if !read.hash.is_empty() {
            let message = format!("`{name}` takes no named arguments");
            return Err(Fault::new(Code::Syntax, message, span));
        }
        self.take(TagTokenKind::Word)?;
        let arguments = read.params.iter().map(|read| self.argument(read)).collect::<Result<Vec<_>, _>>()?;
        if !helper.takes(arguments.len()) {
            let given = counted(arguments.len(), "argument", "arguments");
            return Err(Fault::new(Code::Syntax, format!("`{name}` does not take {given}"), span));
        }
        let end = arguments.last().map_or(span.end, |last| last.span.end);
        Ok(Argument { span: span.start..end, kind: ArgumentKind::Call { helper, arguments } })
    }

    fn argument(&mut self, read: &Parameter) -> Result<Argument, Fault> {
        match read {
            Parameter::Subexpression(inner) => self.subexpression(inner),
            _ => self.value(),
        }
    }

    fn subexpression(&mut self, read: &Subexpression) -> Result<Argument, Fault> {
        let TemplateElement::Expression(inner) = &*read.element else { return Err(self.out_of_step()) };
        let start = self.inside.place(self.take(TagTokenKind::Open)?).start;
        let argument = self.call(inner)?;
        let end = self.inside.place(self.take(TagTokenKind::Close)?).end;
        Ok(Argument { span: start..end, ..argument })
    }

    /// Reads a string, a number or a path.
    fn value(&mut self) -> Result<Argument, Fault> {
        let (text, span) = (self.inside.text(self.at), self.inside.place(self.at));
        if self.inside.kind(self.at) == Some(TagTokenKind::Text) {
            self.at += 1;
            return Ok(Argument { span, kind: ArgumentKind::Literal(unquoted(text).into()) });
        }
        self.take(TagTokenKind::Word)?;
        value_or_path(text, span)
    }

    /// Reads `as |value key|`.
    fn names(&mut self) -> Result<Vec<Arc<str>>, Fault> {
        self.take(TagTokenKind::Word)?;
        self.take(TagTokenKind::Bar)?;
        let mut names = Vec::new();
        while self.inside.kind(self.at) == Some(TagTokenKind::Word) {
            names.push(self.inside.text(self.take(TagTokenKind::Word)?).into());
        }
        self.take(TagTokenKind::Bar)?;
        Ok(names)
    }

    fn is_named(&self) -> bool {
        self.inside.kind(self.at + 1) == Some(TagTokenKind::Equals)
    }

    /// Reads `key=value …`, in the order written.
    fn named(&mut self, read: &HashMap<String, Parameter>) -> Result<Vec<(Arc<str>, Argument)>, Fault> {
        let mut given: Vec<(Arc<str>, Argument)> = Vec::new();
        while self.is_named() {
            let (name, span) = (self.inside.text(self.at), self.inside.place(self.at));
            if given.iter().any(|(known, _)| **known == *name) {
                return Err(Fault::new(Code::Syntax, format!("`{name}` is given twice"), span));
            }
            let value = read.get(name).ok_or_else(|| self.out_of_step())?;
            self.take(TagTokenKind::Word)?;
            self.take(TagTokenKind::Equals)?;
            given.push((name.into(), self.argument(value)?));
        }
        Ok(given)
    }

    fn take(&mut self, kind: TagTokenKind) -> Result<usize, Fault> {
        if self.inside.kind(self.at) != Some(kind) {
            return Err(self.out_of_step());
        }
        self.at += 1;
        Ok(self.at - 1)
    }

    /// Returns what was read, if nothing is left in the tag.
    fn end<T>(&self, read: T) -> Result<T, Fault> {
        if self.at == self.inside.tokens.len() { Ok(read) } else { Err(self.out_of_step()) }
    }

    /// The fault for when the crate reads as one word what we read as two, or the other way round.
    fn out_of_step(&self) -> Fault {
        refusal::unreadable(self.inside)
    }
}

fn unquoted(text: &str) -> &str {
    &text[1..text.len() - 1]
}
