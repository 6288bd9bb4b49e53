//! Splits text into tokens, each with its bytes. It does not know the grammar.

use std::ops::Range;
use std::sync::Arc;

use super::literal::{self, Number};
use crate::diagnostic::Code;
use crate::language::fault::Fault;

/// The longest expression, in bytes.
const MAX_LENGTH: usize = 16 * 1024;

/// A token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ExpressionToken {
    Name(Arc<str>),
    /// A name in backticks, allowed only after a dot.
    Quoted(Arc<str>),
    /// An integer without its sign, so that the smallest one can be written.
    Int(u64),
    /// A number with a fraction or an exponent.
    Float(f64),
    /// A string with its escapes decoded.
    Text(Arc<str>),
    /// An operator or a bracket.
    Sign(&'static str),
    /// The end of the text.
    End,
}

impl ExpressionToken {
    /// Its name in error messages.
    pub(super) fn noun(&self) -> String {
        match self {
            Self::Name(name) | Self::Quoted(name) => format!("`{name}`"),
            Self::Int(_) | Self::Float(_) => "a number".to_owned(),
            Self::Text(_) => "a string".to_owned(),
            Self::Sign(sign) => format!("`{sign}`"),
            Self::End => "the end".to_owned(),
        }
    }
}

/// All operators and brackets, longer ones first.
const SIGNS: &[&str] = &[
    "&&", "||", "==", "!=", "<=", ">=", "?", ":", "!", "<", ">", "+", "-", "*", "/", "%", ".", ",", "(", ")",
    "[", "]", "{", "}",
];

/// The tokens of an expression, with [`ExpressionToken::End`] last.
pub(super) fn tokens(source: &str) -> Result<Vec<(ExpressionToken, Range<usize>)>, Fault> {
    if source.len() > MAX_LENGTH {
        let message = format!("the expression is longer than {MAX_LENGTH} bytes");
        return Err(Fault::new(Code::Limit, message, 0..source.len()));
    }
    let mut tokens = Vec::new();
    let mut at = 0;
    loop {
        at += blank(&source[at..]);
        if at == source.len() {
            tokens.push((ExpressionToken::End, at..at));
            return Ok(tokens);
        }
        if source[at..].starts_with("::") {
            return Err(scoped(source, at));
        }
        let (token, length) = one(&source[at..]).map_err(|fault| fault.shifted(at))?;
        tokens.push((token, at..at + length));
        at += length;
    }
}

/// The number of bytes of white space and comments at the start.
fn blank(rest: &str) -> usize {
    let mut at = rest.len() - rest.trim_start().len();
    while rest[at..].starts_with("//") {
        at += rest[at..].find('\n').unwrap_or(rest.len() - at);
        at += rest[at..].len() - rest[at..].trim_start().len();
    }
    at
}

fn one(rest: &str) -> Result<(ExpressionToken, usize), Fault> {
    if let Some((text, length)) = literal::text(rest)? {
        return Ok((ExpressionToken::Text(text), length));
    }
    let first = rest.as_bytes()[0];
    let second_is_digit = rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    if first.is_ascii_digit() || (first == b'.' && second_is_digit) {
        let (number, length) = literal::number(rest)?;
        let token = match number {
            Number::Int(number) => ExpressionToken::Int(number),
            Number::Float(number) => ExpressionToken::Float(number),
        };
        return Ok((token, length));
    }
    let length = word(rest);
    if length > 0 {
        return Ok((ExpressionToken::Name(rest[..length].into()), length));
    }
    if let Some(inner) = rest.strip_prefix('`') {
        let length = inner
            .find('`')
            .ok_or_else(|| Fault::new(Code::Syntax, "the name in backticks is not closed", 0..rest.len()))?;
        return Ok((ExpressionToken::Quoted(inner[..length].into()), length + 2));
    }
    match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
        Some(sign) => Ok((ExpressionToken::Sign(sign), sign.len())),
        None => Err(stray(rest)),
    }
}

/// Names of facts in other tools, and their names here.
const FACTS: &[(&str, &str)] = &[
    ("fqdn", "facts.networking.fqdn"),
    ("hostname", "facts.networking.hostname"),
    ("domain", "facts.networking.domain"),
    ("ipaddress", "facts.networking.ip"),
    ("osfamily", "facts.os.family"),
    ("operatingsystem", "facts.os.name"),
    ("lsbdistcodename", "facts.os.release.codename"),
];

/// The error for a name with its module, as in Puppet; `at` is its first `::`.
fn scoped(source: &str, at: usize) -> Fault {
    let is_part = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_' || *b == b':';
    let start = at - source[..at].bytes().rev().take_while(|b| is_part(b)).count();
    let end = at + source[at..].bytes().take_while(is_part).count();
    let name = &source[start..end];
    let fault = Fault::new(Code::Syntax, format!("`{name}` is not a name in expressions"), start..end);
    let global = name.strip_prefix("::");
    let fact = FACTS.iter().find(|(other, _)| global == Some(*other));
    match (fact, global) {
        (Some((_, fact)), _) => fault.help(format!("that fact is `{fact}`")),
        (None, Some(global)) => {
            fault.help(format!("a fact is `facts.{global}`, and a parameter is only its name"))
        }
        _ if source[end..].starts_with('(') => {
            fault.help("functions have no module: `::` is not part of their names")
        }
        _ => fault.help(format!("a value of another class is `lookup('{name}')`")),
    }
}

/// Filters of other tools that may be written after a pipe without brackets.
const FILTERS: &[&str] = &[
    "bool", "default", "first", "int", "join", "keys", "last", "length", "list", "lower", "sort", "string",
    "to_json", "trim", "unique", "upper", "values",
];

/// The number of bytes of a name at the start.
fn word(rest: &str) -> usize {
    rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count()
}

/// Whether the text after a bar is a function, as in a Jinja filter.
fn piped(next: &str) -> bool {
    let length = word(next);
    (length > 0 && next[length..].starts_with('(')) || FILTERS.contains(&&next[..length])
}

fn stray(rest: &str) -> Fault {
    let c = rest.chars().next().unwrap_or(' ');
    let fault = Fault::new(Code::Syntax, format!("unexpected `{}`", c.escape_debug()), 0..c.len_utf8());
    let next = rest[c.len_utf8()..].trim_start();
    match c {
        '=' if rest.starts_with("=~") => fault.help("match a pattern with `text.matches('…')`"),
        '=' => fault.help("`==` compares"),
        '&' => fault.help("`&&` is and"),
        '|' if piped(next) => {
            let name = &next[..word(next)];
            fault.help(format!("there are no pipes: pass the value to the function, {name}(VALUE)"))
        }
        '|' => fault.help("`||` is or"),
        '$' => fault.help("inside `${…}`, names have no `$`"),
        '“' | '”' | '‘' | '’' => fault.help("write strings in straight quotes: 'text'"),
        _ => fault,
    }
}
