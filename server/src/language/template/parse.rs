//! Builds the tree from pieces: it matches blocks; the insides of tags are read by [`super::reader`].

use std::ops::Range;
use std::sync::Arc;

use super::reader::{self, BlockOpening};
use super::tag::{self, Tag, TagKind, TemplatePiece};
use super::token::{MAX_DEPTH, TagContent};
use super::tree::{Argument, BlockKind, TemplateBlock, TemplatePart};
use crate::diagnostic::Code;
use crate::language::fault::Fault;

pub(super) fn parse(source: &str) -> Result<Vec<TemplatePart>, Fault> {
    let mut open: Vec<OpenBlock> = vec![OpenBlock::root()];
    for piece in tag::pieces(source)? {
        match piece {
            TemplatePiece::Text(range) if range.is_empty() => {}
            TemplatePiece::Text(range) => push(&mut open, TemplatePart::Text(source[range].into())),
            TemplatePiece::Tag(tag) => {
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
        (Some(OpenBlock { block: Some(block), .. }), _) => {
            let message = format!("`{{{{#{}}}}}` is not closed", block.sort.name());
            Err(Fault::new(Code::Syntax, message, block.tag)
                .help(format!("it ends with {{{{/{}}}}}", block.sort.name())))
        }
        _ => Ok(Vec::new()),
    }
}

/// Adds a tag to the tree.
fn read(source: &str, tag: &Tag, open: &mut Vec<OpenBlock>) -> Result<(), Fault> {
    let inside = || TagContent::of(source, tag.inside.clone());
    match tag.sort {
        TagKind::Comment => {}
        TagKind::Output => push(open, TemplatePart::Output(reader::output(&inside()?)?)),
        TagKind::Partial => {
            let indent = tag.indent.clone().map_or("", |range| &source[range]);
            push(open, TemplatePart::Partial(reader::partial(&inside()?, indent)?));
        }
        TagKind::Open | TagKind::Inverse => open.push(OpenBlock::block(tag, &inside()?)?),
        TagKind::Else => otherwise(open, &inside()?, tag)?,
        TagKind::Close => close(open, &inside()?, tag)?,
    }
    Ok(())
}

/// A block that is not closed yet, or the whole template.
struct OpenBlock {
    block: Option<BlockHead>,
    body: Vec<TemplatePart>,
    /// The body before `{{else}}`, once that has been read.
    before_else: Option<Vec<TemplatePart>>,
}

struct BlockHead {
    sort: BlockKind,
    tag: Range<usize>,
    argument: Argument,
    names: Vec<Arc<str>>,
    /// Opened by `{{else if}}`, and closed together with the block that it belongs to.
    chained: bool,
    /// `{{^name}}`: the body and the inverse are swapped.
    inverse: bool,
}

impl OpenBlock {
    fn root() -> Self {
        Self { block: None, body: Vec::new(), before_else: None }
    }

    fn block(tag: &Tag, inside: &TagContent) -> Result<Self, Fault> {
        let BlockOpening { sort, argument, names } = reader::block(inside)?;
        let (chained, inverse) = (tag.sort == TagKind::Else, tag.sort == TagKind::Inverse);
        let head = BlockHead { sort, tag: tag.span.clone(), argument, names, chained, inverse };
        Ok(Self { block: Some(head), ..Self::root() })
    }
}

fn push(open: &mut [OpenBlock], part: TemplatePart) {
    if let Some(innermost) = open.last_mut() {
        innermost.body.push(part);
    }
}

fn otherwise(open: &mut Vec<OpenBlock>, inside: &TagContent, tag: &Tag) -> Result<(), Fault> {
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
        let chained = TagContent::of(inside.source, chained)?;
        open.push(OpenBlock::block(tag, &chained)?);
    }
    Ok(())
}

fn close(open: &mut Vec<OpenBlock>, inside: &TagContent, tag: &Tag) -> Result<(), Fault> {
    let name = inside.first_word()?;
    if inside.tokens.len() > 1 {
        return Err(inside.unexpected(1));
    }
    loop {
        let Some(OpenBlock { block: Some(head), body, before_else }) = open.pop() else {
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
        push(
            open,
            TemplatePart::Block(Box::new(TemplateBlock {
                sort,
                argument,
                names,
                body: first,
                otherwise: second,
            })),
        );
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
