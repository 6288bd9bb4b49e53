//! The tree of a template, which the parser makes and the renderer walks.

use std::ops::Range;
use std::sync::Arc;

use holdfast_catalog::value::Value;

use super::function::Helper;
use crate::language::word::Word;

/// A part of a template.
#[derive(Debug)]
pub(super) enum TemplatePart {
    Text(Arc<str>),
    Output(Argument),
    Block(Box<TemplateBlock>),
    Partial(Partial),
}

/// `{{#each argument as |names|}}body{{else}}otherwise{{/each}}`.
#[derive(Debug)]
pub(super) struct TemplateBlock {
    pub(super) sort: BlockKind,
    pub(super) argument: Argument,
    pub(super) names: Vec<Arc<str>>,
    pub(super) body: Vec<TemplatePart>,
    pub(super) otherwise: Vec<TemplatePart>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlockKind {
    If,
    Unless,
    Each,
    With,
}

impl BlockKind {
    pub(super) const ALL: &[(&str, Self)] =
        &[("if", Self::If), ("unless", Self::Unless), ("each", Self::Each), ("with", Self::With)];

    /// The documentation of the blocks.
    pub(super) const WORDS: &[Word] = &[
        Word {
            name: "if",
            usage: "{{#if a}}…{{else if b}}…{{else}}…{{/if}}",
            doc: "One part or another, depending on a boolean; null counts as false, and other values are errors.",
            example: "{{#if (has site.port)}}a port{{else}}none{{/if}}",
            gives: "none",
        },
        Word {
            name: "unless",
            usage: "{{#unless a}}…{{/unless}}",
            doc: "A part that is rendered if a boolean is false or null.",
            example: "{{#unless (has site.port)}}none{{/unless}}",
            gives: "none",
        },
        Word {
            name: "each",
            usage: "{{#each list as |x i|}}…{{else}}…{{/each}}",
            doc: "A part for each element, or for each entry of a map; `{{else}}` if there are none. Without \
                  names, `this` is the element; `@index`, `@key`, `@first` and `@last` are its place.",
            example: "{{#each (split 'a b' ' ') as |x i|}}{{i}}={{x}} {{/each}}",
            gives: "0=a 1=b ",
        },
        Word {
            name: "with",
            usage: "{{#with a as |x|}}…{{/with}}",
            doc: "A part in which `this`, or a name, is a value.",
            example: "{{#with site.name as |x|}}{{x}}{{/with}}",
            gives: "shop",
        },
    ];

    pub(super) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, sort)| *sort == self).map_or("", |(name, _)| name)
    }
}

/// `{{> name context key=value}}`.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) name: Arc<str>,
    pub(super) name_span: Range<usize>,
    pub(super) context: Option<Argument>,
    pub(super) given: Vec<(Arc<str>, Argument)>,
    /// The white space before it, if it is alone on its line.
    pub(super) indent: Arc<str>,
}

/// An argument of a tag or a helper.
#[derive(Debug)]
pub(super) struct Argument {
    pub(super) span: Range<usize>,
    pub(super) kind: ArgumentKind,
}

#[derive(Debug)]
pub(super) enum ArgumentKind {
    Literal(Value),
    Path(Path),
    Call { helper: Helper, arguments: Vec<Argument> },
}

/// `name.field`, `this.field`, `../field`, `@index`.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) root: Root,
    pub(super) segments: Vec<Segment>,
    /// The path for the scope's record of reads.
    pub(super) dotted: Arc<str>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// A name: in a block, in the context, or in the scope.
    Name(Arc<str>),
    /// A name in the scope: `@root.name`.
    Scope(Arc<str>),
    /// A context, this many levels further out.
    Context(usize),
    /// `@index` and so on, this many levels further out.
    Position(Position, usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    Index,
    Key,
    First,
    Last,
}

#[derive(Debug)]
pub(super) struct Segment {
    pub(super) name: Arc<str>,
    pub(super) span: Range<usize>,
}
