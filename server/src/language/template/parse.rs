//! Builds the tree from pieces: it matches blocks; the insides of tags are read by [`super::reader`].

use std::ops::Range;
use std::sync::Arc;

use super::reader::{self, Opening};
use super::tag::{self, Piece, Tag, TagSort};
use super::token::{Inside, MAX_DEPTH};
use super::tree::{Argument, Block, BlockSort, Part};
use crate::diagnostic::Code;
use crate::language::fault::Fault;

pub(super) fn parse(source: &str) -> Result<Vec<Part>, Fault> {
    let mut open: Vec<Open> = vec![Open::root()];
    for piece in tag::pieces(source)? {
        match piece {
            Piece::Text(range) if range.is_empty() => {}
            Piece::Text(range) => push(&mut open, Part::Text(source[range].into())),
            Piece::Tag(tag) => {
                read(source, &tag, &mut open)?;
                if open.len() > MAX_DEPTH {
                    let message = format!("blocks are nested deeper than {MAX_DEPTH} levels");
                    return Err(Fault::new(Code::Limit, message, tag.span));
                }
            }
        }
    }
    match (open.pop(), open.is_empty()) {
        (Some(root), true) => Ok(root.body),
        (Some(Open { block: Some(block), .. }), _) => {
            let message = format!("`{{{{#{}}}}}` is not closed", block.sort.name());
            Err(Fault::new(Code::Syntax, message, block.tag)
                .help(format!("it ends with {{{{/{}}}}}", block.sort.name())))
        }
        _ => Ok(Vec::new()),
    }
}

/// Adds a tag to the tree.
fn read(source: &str, tag: &Tag, open: &mut Vec<Open>) -> Result<(), Fault> {
    let inside = || Inside::of(source, tag.inside.clone());
    match tag.sort {
        TagSort::Comment => {}
        TagSort::Output => push(open, Part::Output(reader::output(&inside()?)?)),
        TagSort::Partial => {
            let indent = tag.indent.clone().map_or("", |range| &source[range]);
            push(open, Part::Partial(reader::partial(&inside()?, indent)?));
        }
        TagSort::Open | TagSort::Inverse => open.push(Open::block(tag, &inside()?)?),
        TagSort::Else => otherwise(open, &inside()?, tag)?,
        TagSort::Close => close(open, &inside()?, tag)?,
    }
    Ok(())
}

/// A block that is not closed yet, or the whole template.
struct Open {
    block: Option<Head>,
    body: Vec<Part>,
    /// The body before `{{else}}`, once that has been read.
    before_else: Option<Vec<Part>>,
}

struct Head {
    sort: BlockSort,
    tag: Range<usize>,
    argument: Argument,
    names: Vec<Arc<str>>,
    /// Opened by `{{else if}}`, and closed together with the block that it belongs to.
    chained: bool,
    /// `{{^name}}`: the body and the inverse are swapped.
    inverse: bool,
}

impl Open {
    fn root() -> Self {
        Self { block: None, body: Vec::new(), before_else: None }
    }

    fn block(tag: &Tag, inside: &Inside) -> Result<Self, Fault> {
        let Opening { sort, argument, names } = reader::block(inside)?;
        let (chained, inverse) = (tag.sort == TagSort::Else, tag.sort == TagSort::Inverse);
        let head = Head { sort, tag: tag.span.clone(), argument, names, chained, inverse };
        Ok(Self { block: Some(head), ..Self::root() })
    }
}

fn push(open: &mut [Open], part: Part) {
    if let Some(innermost) = open.last_mut() {
        innermost.body.push(part);
    }
}

fn otherwise(open: &mut Vec<Open>, inside: &Inside, tag: &Tag) -> Result<(), Fault> {
    let fault = |message: &str| Fault::new(Code::Syntax, message, tag.span.clone());
    let innermost = open.last_mut().filter(|open| open.block.is_some());
    let innermost = innermost.ok_or_else(|| fault("`{{else}}` is not in a block"))?;
    if innermost.before_else.is_some() {
        return Err(fault("the block has an `{{else}}` already"));
    }
    innermost.before_else = Some(std::mem::take(&mut innermost.body));
    // `else` itself; `{{^}}` means the same without the word.
    let chained = inside.place(1).start..inside.span.end;
    if !chained.is_empty() {
        let chained = Inside::of(inside.source, chained)?;
        open.push(Open::block(tag, &chained)?);
    }
    Ok(())
}

fn close(open: &mut Vec<Open>, inside: &Inside, tag: &Tag) -> Result<(), Fault> {
    let name = inside.first_word()?;
    if inside.tokens.len() > 1 {
        return Err(inside.unexpected(1));
    }
    loop {
        let Some(Open { block: Some(head), body, before_else }) = open.pop() else {
            let message = format!("`{{{{/{name}}}}}` closes nothing");
            return Err(Fault::new(Code::Syntax, message, tag.span.clone()));
        };
        let (chained, sort, opened) = (head.chained, head.sort, head.tag.clone());
        let (mut first, mut second) = match before_else {
            Some(before) => (before, body),
            None => (body, Vec::new()),
        };
        if head.inverse {
            std::mem::swap(&mut first, &mut second);
        }
        let (argument, names) = (head.argument, head.names);
        push(open, Part::Block(Box::new(Block { sort, argument, names, body: first, otherwise: second })));
        if chained {
            continue;
        }
        if name == sort.name() {
            return Ok(());
        }
        let message = format!("`{{{{/{name}}}}}` closes `{{{{#{}}}}}`", sort.name());
        return Err(
            Fault::new(Code::Syntax, message, opened).help(format!("it ends with {{{{/{}}}}}", sort.name()))
        );
    }
}
