//! The words of a tag: numbers, `true`, `false`, `null`, and paths such as `../a.[b c].0`.

use std::ops::Range;

use holdfast_catalog::value::Value;

use super::tree::{Argument, ArgumentKind, Path, Position, Root, Segment};
use crate::diagnostic::Code;
use crate::language::fault::Fault;

/// Parses a word of a tag.
pub(super) fn value_or_path(word: &str, span: Range<usize>) -> Result<Argument, Fault> {
    let literal = match word {
        "true" => Some(Value::from(true)),
        "false" => Some(false.into()),
        "null" => Some(Value::NULL),
        _ if word.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
            word.parse::<i64>().map(Value::from).or_else(|_| word.parse::<f64>().map(Value::from)).ok()
        }
        _ => None,
    };
    let kind = match literal {
        Some(value) => ArgumentKind::Literal(value),
        None => ArgumentKind::Path(path(word, span.start)?),
    };
    Ok(Argument { span, kind })
}

/// Parses a path: `../a.[b c].0`, `@index`, `this.x`.
fn path(word: &str, start: usize) -> Result<Path, Fault> {
    let span = start..start + word.len();
    let is_data = word.starts_with('@');
    let mut rest = word.strip_prefix('@').unwrap_or(word);
    let mut up = 0;
    while let Some(outer) = rest.strip_prefix("../") {
        rest = outer;
        up += 1;
    }
    if rest == ".." {
        rest = "this";
        up += 1;
    }
    let rest = rest.strip_prefix("./").unwrap_or(rest);
    let mut segments = segments(rest, start + word.len() - rest.len())?;
    let first = segments.remove(0);
    let position = |position| Root::Position(position, up);
    let root = match (&*first.name, is_data) {
        ("root", true) if !segments.is_empty() => Root::Scope(segments.remove(0).name),
        ("index", true) => position(Position::Index),
        ("key", true) => position(Position::Key),
        ("first", true) => position(Position::First),
        ("last", true) => position(Position::Last),
        (name, true) => {
            let fault = Fault::new(Code::UnknownName, format!("unknown name `@{name}`"), span);
            return Err(fault.help("there are @index, @key, @first, @last and @root.name"));
        }
        ("this" | ".", false) => Root::Context(up),
        (name, false) if up == 0 => Root::Name(name.into()),
        (_, false) => {
            segments.insert(0, first);
            Root::Context(up)
        }
    };
    let dotted = match &root {
        Root::Name(name) | Root::Scope(name) => std::iter::once(&**name)
            .chain(segments.iter().map(|s| &*s.name))
            .collect::<Vec<_>>()
            .join(".")
            .into(),
        _ => word.into(),
    };
    Ok(Path { root, segments, dotted })
}

fn segments(rest: &str, start: usize) -> Result<Vec<Segment>, Fault> {
    let fault = || Fault::new(Code::Syntax, format!("`{rest}` is not a name"), start..start + rest.len());
    if rest == "." {
        return Ok(vec![Segment { name: ".".into(), span: start..start + 1 }]);
    }
    let mut segments = Vec::new();
    let mut at = 0;
    loop {
        let tail = &rest[at..];
        let (name, length) = match tail.strip_prefix('[') {
            Some(inner) => {
                let length = inner.find(']').ok_or_else(fault)?;
                (&inner[..length], length + 2)
            }
            None => {
                let length = tail.find('.').unwrap_or(tail.len());
                let is_name = |c: char| c.is_alphanumeric() || "_-:".contains(c);
                if length == 0 || !tail[..length].chars().all(is_name) {
                    return Err(fault());
                }
                (&tail[..length], length)
            }
        };
        segments.push(Segment { name: name.into(), span: start + at..start + at + length });
        at += length;
        match rest[at..].chars().next() {
            None => return Ok(segments),
            Some('.') => at += 1,
            Some(_) => return Err(fault()),
        }
    }
}
