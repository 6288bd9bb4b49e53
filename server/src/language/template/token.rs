//! The words and signs of a tag with their places, which errors point at. Also limits the size of a tag.

use std::ops::Range;

use crate::diagnostic::Code;
use crate::language::fault::Fault;

/// How deeply blocks and sub-expressions may be nested.
pub(super) const MAX_DEPTH: usize = 32;
/// The most words and signs in a tag.
const MAX_TOKENS: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TagTokenKind {
    Word,
    /// A string, quotes included.
    Text,
    Open,
    Close,
    Equals,
    Bar,
}

/// A word or sign of a tag.
#[derive(Debug, Clone)]
pub(super) struct TagToken {
    pub(super) kind: TagTokenKind,
    /// The bytes of the template.
    pub(super) span: Range<usize>,
}

/// The inside of a tag, without its braces and sign.
#[derive(Debug)]
pub(super) struct TagContent<'a> {
    pub(super) source: &'a str,
    pub(super) tokens: Vec<TagToken>,
    /// The bytes of the template.
    pub(super) span: Range<usize>,
}

impl<'a> TagContent<'a> {
    pub(super) fn of(source: &'a str, span: Range<usize>) -> Result<Self, Fault> {
        Ok(Self { source, tokens: tokens(source, span.clone())?, span })
    }

    pub(super) fn kind(&self, at: usize) -> Option<TagTokenKind> {
        self.tokens.get(at).map(|token| token.kind)
    }

    /// The place of a token; after the last one, the empty span at the end of the tag.
    pub(super) fn place(&self, at: usize) -> Range<usize> {
        self.tokens.get(at).map_or(self.span.end..self.span.end, |token| token.span.clone())
    }

    pub(super) fn text(&self, at: usize) -> &'a str {
        &self.source[self.place(at)]
    }

    /// The text from a token on.
    pub(super) fn from(&self, at: usize) -> &'a str {
        self.source[self.place(at).start..self.span.end].trim_end()
    }

    /// The first word.
    pub(super) fn first_word(&self) -> Result<&'a str, Fault> {
        match self.kind(0) {
            Some(TagTokenKind::Word) => Ok(self.text(0)),
            _ => Err(self.no_name(0)),
        }
    }

    /// The fault for a token where a name was expected.
    pub(super) fn no_name(&self, at: usize) -> Fault {
        no_name(self.source, self.place(at))
    }

    /// The fault for unexpected text from a token on.
    pub(super) fn unexpected(&self, at: usize) -> Fault {
        let span = self.place(at).start..self.span.end;
        Fault::new(Code::Syntax, "unexpected text after the expression", span)
    }
}

fn tokens(source: &str, inside: Range<usize>) -> Result<Vec<TagToken>, Fault> {
    let mut tokens = Vec::new();
    let (mut at, mut depth) = (inside.start, 0_usize);
    loop {
        let rest = source[at..inside.end].trim_start();
        at = inside.end - rest.len();
        let Some(first) = rest.chars().next() else { return Ok(tokens) };
        let (kind, length) = match first {
            '(' => (TagTokenKind::Open, 1),
            ')' => (TagTokenKind::Close, 1),
            '=' => (TagTokenKind::Equals, 1),
            '|' => (TagTokenKind::Bar, 1),
            '{' | '}' => return Err(no_name(source, at..at + 1)),
            '"' | '\'' => (TagTokenKind::Text, string(rest, first).ok_or_else(|| unclosed(at..inside.end))?),
            _ => (TagTokenKind::Word, word(rest)),
        };
        match kind {
            TagTokenKind::Open => depth += 1,
            TagTokenKind::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        let span = at..at + length;
        if depth > MAX_DEPTH {
            let message = format!("sub-expressions are nested deeper than {MAX_DEPTH} levels");
            return Err(Fault::new(Code::Limit, message, span));
        }
        if tokens.len() == MAX_TOKENS {
            let message = format!("a tag has more than {MAX_TOKENS} words and signs");
            return Err(Fault::new(Code::Limit, message, span));
        }
        at = span.end;
        tokens.push(TagToken { kind, span });
    }
}

/// The length of a string with its quotes.
fn string(rest: &str, quote: char) -> Option<usize> {
    rest[1..].find(quote).map(|length| length + 2)
}

fn unclosed(span: Range<usize>) -> Fault {
    Fault::new(Code::Syntax, "the string is not closed", span)
}

/// The length of a word: up to white space or a sign; names in brackets may contain anything.
fn word(rest: &str) -> usize {
    let mut bracket = false;
    rest.find(|c: char| {
        bracket = (bracket || c == '[') && c != ']';
        !bracket && (c.is_whitespace() || "()=|\"'{}".contains(c))
    })
    .unwrap_or(rest.len())
}

/// The fault for a place where a name was expected; an empty span means the end of the tag.
fn no_name(source: &str, span: Range<usize>) -> Fault {
    let found = match source[span.clone()].chars().next() {
        Some(sign) => format!("`{}`", sign.escape_debug()),
        None => "the end of the tag".to_owned(),
    };
    Fault::new(Code::Syntax, format!("expected a name, found {found}"), span)
}
