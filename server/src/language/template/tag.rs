//! Splits a template into text and tags, by Handlebars' rules for white space.

use std::ops::Range;

use crate::diagnostic::Code;
use crate::language::fault::Fault;

/// What a tag does, as its first character shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TagKind {
    Output,
    Open,
    Inverse,
    Close,
    Else,
    Partial,
    Comment,
}

/// A piece of a template.
#[derive(Debug)]
pub(super) enum TemplatePiece {
    Text(Range<usize>),
    Tag(Tag),
}

/// `{{…}}`.
#[derive(Debug)]
pub(super) struct Tag {
    pub(super) sort: TagKind,
    pub(super) span: Range<usize>,
    /// What is inside, without the braces and the character that shows what the tag does.
    pub(super) inside: Range<usize>,
    /// If the tag is alone on its line, the white space before it.
    pub(super) indent: Option<Range<usize>>,
    strip_before: bool,
    strip_after: bool,
}

/// The pieces of a template, with white space removed by the rules.
pub(super) fn pieces(source: &str) -> Result<Vec<TemplatePiece>, Fault> {
    let mut pieces = Vec::new();
    let (mut start, mut at) = (0, 0);
    while let Some(found) = source[at..].find("{{") {
        let open = at + found;
        let slashes = source[start..open].bytes().rev().take_while(|b| *b == b'\\').count();
        if slashes > 0 {
            // One backslash makes the braces text; of two, one is text, and the braces are a tag.
            pieces.push(TemplatePiece::Text(start..open - 1));
            start = open;
        } else {
            pieces.push(TemplatePiece::Text(start..open));
        }
        if slashes == 1 {
            at = open + 2;
            continue;
        }
        let end = if source[open..].starts_with("{{{{") {
            raw_block(source, open, &mut pieces)?
        } else {
            let tag = tag(source, open)?;
            let end = tag.span.end;
            pieces.push(TemplatePiece::Tag(tag));
            end
        };
        (start, at) = (end, end);
    }
    pieces.push(TemplatePiece::Text(start..source.len()));
    settle(source, &mut pieces);
    Ok(pieces)
}

/// Reads `{{{{raw}}}}text{{{{/raw}}}}`, whose text is not interpreted.
fn raw_block(source: &str, open: usize, pieces: &mut Vec<TemplatePiece>) -> Result<usize, Fault> {
    let fault = || Fault::new(Code::Syntax, "the raw block is not closed", open..open + 4);
    let name_end = open + source[open..].find("}}}}").ok_or_else(fault)?;
    let name = source[open + 4..name_end].trim();
    let close = format!("{{{{{{{{/{name}}}}}}}}}");
    let text = name_end + 4;
    let length = source[text..].find(&close).ok_or_else(|| fault().help(format!("it ends with {close}")))?;
    pieces.push(TemplatePiece::Text(text..text + length));
    Ok(text + length + close.len())
}

fn tag(source: &str, open: usize) -> Result<Tag, Fault> {
    let fault =
        |close: &str| Fault::new(Code::Syntax, format!("this is not closed with `{close}`"), open..open + 2);
    let rest = &source[open + 2..];
    let tilde = usize::from(rest.starts_with('~'));
    let inner = &rest[tilde..];
    let (sort, sigil) = match inner.as_bytes().first() {
        Some(b'!') => (TagKind::Comment, 1),
        Some(b'#') => (TagKind::Open, 1),
        Some(b'^') => (TagKind::Inverse, 1),
        Some(b'/') => (TagKind::Close, 1),
        Some(b'>') => (TagKind::Partial, 1),
        Some(b'{' | b'&') => (TagKind::Output, 1),
        _ => (TagKind::Output, 0),
    };
    let close = match inner {
        _ if inner.starts_with("!--") => "--",
        _ if inner.starts_with('{') => "}",
        _ => "",
    };
    let start = open + 2 + tilde + sigil;
    let (length, close_length, strip_after) =
        find_close(&source[start..], close, sort).ok_or_else(|| fault(&format!("{close}}}}}")))?;
    let inside = start..start + length;
    let sort = match source[inside.clone()].split_whitespace().next() {
        Some("else") if sort == TagKind::Output => TagKind::Else,
        None if sort == TagKind::Inverse => TagKind::Else,
        _ => sort,
    };
    let span = open..inside.end + close_length;
    Ok(Tag { sort, span, inside, indent: None, strip_before: tilde == 1, strip_after })
}

/// The position at which a tag closes, the length of the closing braces, and whether they have a `~`. In its strings,
/// braces are text; elsewhere, two opening braces begin the next tag.
fn find_close(body: &str, close: &str, sort: TagKind) -> Option<(usize, usize, bool)> {
    let [plain, stripping] = [format!("{close}}}}}"), format!("{close}~}}}}")];
    let mut quote = None;
    for (at, c) in body.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'') && sort != TagKind::Comment => quote = Some(c),
            None if body[at..].starts_with(&plain) => return Some((at, plain.len(), false)),
            None if body[at..].starts_with(&stripping) => return Some((at, stripping.len(), true)),
            None if body[at..].starts_with("{{") && sort != TagKind::Comment => return None,
            None => {}
        }
    }
    None
}

/// Removes the white space that `~` strips, and lines that contain only a tag without output.
fn settle(source: &str, pieces: &mut [TemplatePiece]) {
    for at in 0..pieces.len() {
        let TemplatePiece::Tag(tag) = &mut pieces[at] else { continue };
        let line = if tag.sort == TagKind::Output { None } else { own_line(source, &tag.span) };
        let (mut before, mut after) = (tag.span.start, tag.span.end);
        if let Some(line) = line {
            tag.indent = Some(line.start..tag.span.start);
            (before, after) = (line.start, line.end);
        }
        if tag.strip_before {
            before = source[..tag.span.start].trim_end().len();
        }
        if tag.strip_after {
            after = source.len() - source[tag.span.end..].trim_start().len();
        }
        if let Some(TemplatePiece::Text(text)) = at.checked_sub(1).and_then(|at| pieces.get_mut(at)) {
            text.end = text.end.min(before.max(text.start));
        }
        if let Some(TemplatePiece::Text(text)) = pieces.get_mut(at + 1) {
            text.start = text.start.max(after.min(text.end));
        }
    }
}

/// The line of a tag with its line end, if nothing else is on it.
fn own_line(source: &str, span: &Range<usize>) -> Option<Range<usize>> {
    let blank = |c: char| c.is_whitespace() && c != '\n';
    let start = source[..span.start].trim_end_matches(blank).len();
    let rest = source[span.end..].trim_start_matches(blank);
    let begins = start == 0 || source[..start].ends_with('\n');
    let end = source.len() - rest.strip_prefix('\n').unwrap_or(rest).len();
    (begins && (rest.is_empty() || rest.starts_with('\n'))).then_some(start..end)
}
