//! Why a tag is invalid, and what to write instead.

use std::ops::Range;

use super::function::{self, Helper};
use super::path::value_or_path;
use super::token::{TagContent, TagTokenKind};
use super::tree::BlockKind;
use crate::diagnostic::Code;
use crate::language::fault::Fault;

/// Why the crate could not read an output.
pub(super) fn of_output(inside: &TagContent) -> Fault {
    let found = match inside.kind(0) {
        Some(TagTokenKind::Open) => argument(inside, 0),
        _ => call(inside, 0),
    };
    match found {
        Err(fault) => fault,
        Ok(end) if end < inside.tokens.len() => inside.unexpected(end),
        Ok(_) => unreadable(inside),
    }
}

/// Why the crate could not read a block with a known name.
pub(super) fn of_block(inside: &TagContent) -> Fault {
    if inside.tokens.len() == 1 {
        return without_value(inside);
    }
    let end = match argument(inside, 1) {
        Err(fault) => return fault,
        Ok(end) => end,
    };
    match inside.text(end) {
        "" => unreadable(inside),
        "as" => {
            let span = inside.place(end + 1).start..inside.span.end;
            Fault::new(Code::Syntax, "expected one or two names between bars", span)
                .help("such as {{#each map as |value key|}}")
        }
        _ => several_values(inside),
    }
}

/// Why a partial could not be read, or has more than a context and named values.
pub(super) fn of_partial(inside: &TagContent) -> Fault {
    let mut at = 1;
    while at < inside.tokens.len() {
        let is_named = inside.kind(at + 1) == Some(TagTokenKind::Equals);
        if !is_named && at > 1 {
            let span = inside.place(at).start..inside.span.end;
            return Fault::new(Code::Syntax, "expected name=value", span);
        }
        match argument(inside, if is_named { at + 2 } else { at }) {
            Err(fault) => return fault,
            Ok(end) => at = end,
        }
    }
    unreadable(inside)
}

/// The fault for a tag that has no meaning in Handlebars.
pub(super) fn unreadable(inside: &TagContent) -> Fault {
    Fault::new(Code::Syntax, "this is not a Handlebars tag", inside.place(0).start..inside.span.end)
}

/// The fault for a block without a value, such as `{{#if}}`.
pub(super) fn without_value(inside: &TagContent) -> Fault {
    Fault::new(Code::Syntax, format!("`{}` takes a value", inside.text(0)), inside.place(0))
}

/// The fault for a block with more than one value; usually a helper is missing its parentheses.
pub(super) fn several_values(inside: &TagContent) -> Fault {
    let (block, end) = (inside.text(0), argument(inside, 1).unwrap_or(2));
    let span = inside.place(1).start..inside.span.end;
    let written = inside.from(1);
    let (left, rest) = written.split_at(inside.place(end).start.min(span.start + written.len()) - span.start);
    let fault = Fault::new(Code::Syntax, format!("`{block}` takes one value"), span);
    match infix(block, left.trim_end(), rest) {
        Some(help) => fault.help(help),
        None => fault.help(format!("a helper goes in parentheses: {{{{#{block} ({written})}}}}")),
    }
}

/// The index after a helper with its arguments, or after a path.
fn call(inside: &TagContent, at: usize) -> Result<usize, Fault> {
    match inside.kind(at) {
        Some(TagTokenKind::Word) => {}
        Some(TagTokenKind::Text) => return Ok(at + 1),
        _ => return Err(inside.no_name(at)),
    }
    let is_end = |at: usize| matches!(inside.kind(at), None | Some(TagTokenKind::Close));
    if is_end(at + 1) {
        return value_or_path(inside.text(at), inside.place(at)).map(|_| at + 1);
    }
    if Helper::find(inside.text(at)).is_none() {
        return Err(of_helper(inside, at));
    }
    let mut end = at + 1;
    while !is_end(end) {
        end = argument(inside, end)?;
    }
    Ok(end)
}

/// The index after an argument.
fn argument(inside: &TagContent, at: usize) -> Result<usize, Fault> {
    match inside.kind(at) {
        Some(TagTokenKind::Word) => value_or_path(inside.text(at), inside.place(at)).map(|_| at + 1),
        Some(TagTokenKind::Text) => Ok(at + 1),
        Some(TagTokenKind::Open) => {
            let end = call(inside, at + 1)?;
            match inside.kind(end) {
                Some(TagTokenKind::Close) => Ok(end + 1),
                _ => Err(Fault::new(Code::Syntax, "this is not closed with `)`", inside.place(at))),
            }
        }
        _ => Err(inside.no_name(at)),
    }
}

/// The fault for a word that is not a helper, followed by what may be an operator, a pipe or the bracket of a call.
pub(super) fn of_helper(inside: &TagContent, at: usize) -> Fault {
    let (name, span, rest) = (inside.text(at), inside.place(at), inside.from(at + 1));
    let fault = || Fault::new(Code::Syntax, "templates have no operators", span.clone());
    let word =
        |text: &str| text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    if let Some(piped) = rest.strip_prefix('|').filter(|rest| !rest.starts_with('|')) {
        let helper = word(piped.trim_start());
        return fault()
            .help(format!("the helper comes first, then its arguments: {{{{{helper} {name} …}}}}"));
    }
    if rest.starts_with('(')
        && let Some((value, helper)) = name.rsplit_once('.').filter(|(_, last)| Helper::find(last).is_some())
    {
        return fault()
            .help(format!("the helper comes first, then its arguments: {{{{{helper} {value} …}}}}"));
    }
    let arithmetic = [("+", "add"), ("- ", "sub"), ("*", "mul"), ("/", "div"), ("%", "mod")];
    let signs = INFIX.iter().chain(&arithmetic).find(|(sign, _)| rest.starts_with(sign));
    match signs {
        Some((_, helper)) if Helper::find(helper).is_some() => {
            fault().help(format!("use a helper: {{{{{helper} {name} …}}}}"))
        }
        Some(_) => fault().help("compute it in the manifest, as a name under `[let]`"),
        None => unknown_helper(name, &span),
    }
}

fn unknown_helper(name: &str, span: &Range<usize>) -> Fault {
    let fault = Fault::new(Code::UnknownFunction, format!("unknown helper `{name}`"), span.clone());
    match name {
        "lookup" | "nodes" | "param" | "template" => {
            fault.help(format!("`{name}` is for `[let]` in the manifest"))
        }
        "if" | "unless" | "each" | "with" => fault.help(format!("it opens a block: {{{{#{name} …}}}}")),
        _ => fault.did_you_mean(name, function::names()),
    }
}

/// Operators of other languages, longest first, with the helpers that do the same.
const INFIX: [(&str, &str); 8] = [
    ("==", "eq"),
    ("!=", "ne"),
    ("<=", "le"),
    (">=", "ge"),
    ("&&", "and"),
    ("||", "or"),
    ("<", "lt"),
    (">", "gt"),
];

/// What to write instead of an operator between two values.
fn infix(block: &str, left: &str, rest: &str) -> Option<String> {
    let (sign, helper) = INFIX.iter().find(|(sign, _)| rest.starts_with(sign))?;
    let right = rest[sign.len()..].trim();
    if right.is_empty() || INFIX.iter().any(|(sign, _)| right.contains(sign)) {
        return Some(format!("templates have no operators: use a helper, such as ({helper} {left} …)"));
    }
    let written = match (*helper, right) {
        ("ne", "null") => format!("(has {left})"),
        ("eq", "null") => format!("(not (has {left}))"),
        _ => format!("({helper} {left} {right})"),
    };
    Some(format!("templates have no operators: {{{{#{block} {written}}}}}"))
}

/// The fault for an unknown block.
pub(super) fn unknown_block(name: &str, span: Range<usize>) -> Fault {
    let fault = Fault::new(Code::UnknownFunction, format!("unknown block `{name}`"), span);
    let known = || BlockKind::ALL.iter().map(|(known, _)| *known);
    fault.help(format!("there are {}", known().collect::<Vec<_>>().join(", "))).did_you_mean(name, known())
}
