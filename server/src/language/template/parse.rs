//! Pieces to a tree: blocks are matched, the insides of tags are read.

use std::ops::Range;
use std::sync::Arc;

use holdfast_catalog::count::counted;
use holdfast_catalog::spelling::nearest;

use super::function::{self, Helper};
use super::path::value_or_path;
use super::tag::{self, Piece, Tag, TagSort};
use super::tree::{Argument, ArgumentKind, Block, BlockSort, Part, Partial};
use crate::diagnostic::Code;
use crate::language::fault::Fault;

/// How deep blocks and sub-expressions may be in each other.
const MAX_DEPTH: usize = 32;

pub(super) fn parse(source: &str) -> Result<Vec<Part>, Fault> {
    let mut open: Vec<Open> = vec![Open::root()];
    for piece in tag::pieces(source)? {
        match piece {
            Piece::Text(range) if range.is_empty() => {}
            Piece::Text(range) => push(&mut open, Part::Text(source[range].into())),
            Piece::Tag(tag) => {
                let mut inside = Inside::of(source, &tag);
                match tag.sort {
                    TagSort::Comment => {}
                    TagSort::Output => push(&mut open, Part::Output(inside.output()?)),
                    TagSort::Partial => push(&mut open, Part::Partial(inside.partial(&tag)?)),
                    TagSort::Open | TagSort::Inverse => open.push(inside.block(&tag)?),
                    TagSort::Else => otherwise(&mut open, &mut inside, &tag)?,
                    TagSort::Close => close(&mut open, &mut inside, &tag)?,
                }
                inside.end()?;
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

/// A block that is open, or the whole template.
struct Open {
    block: Option<Head>,
    body: Vec<Part>,
    /// What was before `{{else}}`, once that has come.
    before_else: Option<Vec<Part>>,
}

struct Head {
    sort: BlockSort,
    tag: Range<usize>,
    argument: Argument,
    names: Vec<Arc<str>>,
    /// Opened by `{{else if}}`, and closed with the block that it belongs to.
    chained: bool,
    /// `{{^name}}`: body and inverse change places.
    inverse: bool,
}

impl Open {
    fn root() -> Self {
        Self { block: None, body: Vec::new(), before_else: None }
    }
}

fn push(open: &mut [Open], part: Part) {
    if let Some(innermost) = open.last_mut() {
        innermost.body.push(part);
    }
}

fn otherwise(open: &mut Vec<Open>, inside: &mut Inside, tag: &Tag) -> Result<(), Fault> {
    let fault = |message: &str| Fault::new(Code::Syntax, message, tag.span.clone());
    let innermost = open.last_mut().filter(|open| open.block.is_some());
    let innermost = innermost.ok_or_else(|| fault("`{{else}}` is not in a block"))?;
    if innermost.before_else.is_some() {
        return Err(fault("the block has an `{{else}}` already"));
    }
    innermost.before_else = Some(std::mem::take(&mut innermost.body));
    inside.take_word("else");
    if inside.peek().is_some() {
        let mut chained = inside.block(tag)?;
        if let Some(head) = &mut chained.block {
            head.chained = true;
        }
        open.push(chained);
    }
    Ok(())
}

fn close(open: &mut Vec<Open>, inside: &mut Inside, tag: &Tag) -> Result<(), Fault> {
    let name = inside.word()?.0;
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

/// The inside of a tag.
struct Inside<'a> {
    source: &'a str,
    at: usize,
    end: usize,
    depth: usize,
}

impl<'a> Inside<'a> {
    fn of(source: &'a str, tag: &Tag) -> Self {
        let at = if tag.sort == TagSort::Comment { tag.inside.end } else { tag.inside.start };
        Self { source, at, end: tag.inside.end, depth: 0 }
    }

    /// The next character that is not white space.
    fn peek(&mut self) -> Option<char> {
        let rest = &self.source[self.at..self.end];
        self.at = self.end - rest.trim_start().len();
        rest.trim_start().chars().next()
    }

    fn take(&mut self, sign: char) -> bool {
        let found = self.peek() == Some(sign);
        if found {
            self.at += sign.len_utf8();
        }
        found
    }

    fn end(&mut self) -> Result<(), Fault> {
        match self.peek() {
            None => Ok(()),
            Some(_) => {
                Err(Fault::new(Code::Syntax, "unexpected text after the expression", self.at..self.end))
            }
        }
    }

    /// A word up to white space or a sign; names in brackets may hold anything.
    fn word(&mut self) -> Result<(&'a str, Range<usize>), Fault> {
        self.peek();
        let rest = &self.source[self.at..self.end];
        let mut bracket = false;
        let length = rest
            .find(|c: char| {
                bracket = (bracket || c == '[') && c != ']';
                !bracket && (c.is_whitespace() || "()=|\"'{}".contains(c))
            })
            .unwrap_or(rest.len());
        let span = self.at..self.at + length;
        if length == 0 {
            let found = rest
                .chars()
                .next()
                .map_or("the end of the tag".to_owned(), |c| format!("`{}`", c.escape_debug()));
            let end = self.at + rest.chars().next().map_or(0, char::len_utf8);
            return Err(Fault::new(Code::Syntax, format!("expected a name, found {found}"), self.at..end));
        }
        self.at = span.end;
        Ok((&rest[..length], span))
    }

    fn take_word(&mut self, word: &str) -> bool {
        let before = self.at;
        let found = self.word().is_ok_and(|(found, _)| found == word);
        if !found {
            self.at = before;
        }
        found
    }

    /// `path`, or `helper argument …`.
    fn output(&mut self) -> Result<Argument, Fault> {
        match self.peek() {
            Some('(') => self.argument(),
            _ => self.call_or_path(),
        }
    }

    fn call_or_path(&mut self) -> Result<Argument, Fault> {
        if matches!(self.peek(), Some('"' | '\'')) {
            return self.argument();
        }
        let (name, span) = self.word()?;
        if matches!(self.peek(), None | Some(')')) {
            return value_or_path(name, span);
        }
        let rest = self.source[self.at..self.end].trim();
        let helper = Helper::find(name).ok_or_else(|| operated(name, rest, &span))?;
        let mut arguments = Vec::new();
        while !matches!(self.peek(), None | Some(')')) {
            arguments.push(self.argument()?);
        }
        if !helper.takes(arguments.len()) {
            let given = counted(arguments.len(), "argument", "arguments");
            let message = format!("`{name}` does not take {given}");
            return Err(Fault::new(Code::Syntax, message, span));
        }
        Ok(Argument { span: span.start..self.at, kind: ArgumentKind::Call { helper, arguments } })
    }

    fn argument(&mut self) -> Result<Argument, Fault> {
        self.peek();
        let start = self.at;
        if self.take('(') {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                let message = format!("sub-expressions are nested deeper than {MAX_DEPTH} levels");
                return Err(Fault::new(Code::Limit, message, start..self.at));
            }
            let mut inner = self.call_or_path()?;
            self.depth -= 1;
            if !self.take(')') {
                return Err(Fault::new(Code::Syntax, "this is not closed with `)`", start..start + 1));
            }
            inner.span = start..self.at;
            return Ok(inner);
        }
        if let Some(quote @ ('"' | '\'')) = self.peek() {
            let rest = &self.source[start + 1..self.end];
            let length = rest
                .find(quote)
                .ok_or_else(|| Fault::new(Code::Syntax, "the string is not closed", start..self.end))?;
            self.at = start + length + 2;
            return Ok(Argument { span: start..self.at, kind: ArgumentKind::Literal(rest[..length].into()) });
        }
        let (word, span) = self.word()?;
        value_or_path(word, span)
    }

    /// `if argument`, `each argument as |value key|`.
    fn block(&mut self, tag: &Tag) -> Result<Open, Fault> {
        let (name, span) = self.word()?;
        let inverse = tag.sort == TagSort::Inverse;
        let Some((_, sort)) = BlockSort::ALL.iter().find(|(known, _)| *known == name) else {
            return Err(unknown_block(name, span));
        };
        if self.peek().is_none() {
            return Err(Fault::new(Code::Syntax, format!("`{name}` takes a value"), span));
        }
        let argument = self.argument_of_block(name)?;
        let names = if self.take_word("as") { self.block_names()? } else { Vec::new() };
        let tag = tag.span.clone();
        let block = Some(Head { sort: *sort, tag, argument, names, chained: false, inverse });
        Ok(Open { block, body: Vec::new(), before_else: None })
    }

    /// One argument; a helper without its parentheses is the usual slip.
    fn argument_of_block(&mut self, block: &str) -> Result<Argument, Fault> {
        let start = self.at;
        let argument = self.argument()?;
        let rest = self.source[self.at..self.end].trim();
        if rest.is_empty() || rest.starts_with("as ") {
            return Ok(argument);
        }
        let fault = Fault::new(Code::Syntax, format!("`{block}` takes one value"), start..self.end);
        if let Some(help) = infix(block, self.source[start..self.at].trim(), rest) {
            return Err(fault.help(help));
        }
        let written = self.source[start..self.end].trim();
        Err(fault.help(format!("a helper goes in parentheses: {{{{#{block} ({written})}}}}")))
    }

    fn block_names(&mut self) -> Result<Vec<Arc<str>>, Fault> {
        let start = self.at;
        let mut names = Vec::new();
        if self.take('|') {
            while !self.take('|') {
                names.push(self.word()?.0.into());
            }
        }
        if names.is_empty() || names.len() > 2 {
            let fault = Fault::new(Code::Syntax, "expected one or two names between bars", start..self.at);
            return Err(fault.help("such as {{#each map as |value key|}}"));
        }
        Ok(names)
    }

    fn partial(&mut self, tag: &Tag) -> Result<Partial, Fault> {
        let (name, name_span) = match self.peek() {
            Some('"' | '\'') => {
                let argument = self.argument()?;
                match argument.kind {
                    ArgumentKind::Literal(text) => (text.scalar_text().unwrap_or_default(), argument.span),
                    _ => return Err(Fault::new(Code::Syntax, "expected a name", argument.span)),
                }
            }
            _ => {
                let (name, span) = self.word()?;
                (name.into(), span)
            }
        };
        let (mut context, mut given) = (None, Vec::new());
        while self.peek().is_some() {
            let before = self.at;
            let key = self.word().ok().filter(|_| self.take('='));
            match key {
                Some((key, _)) => given.push((key.into(), self.argument()?)),
                None if context.is_none() && given.is_empty() => {
                    self.at = before;
                    context = Some(self.argument()?);
                }
                None => {
                    return Err(Fault::new(Code::Syntax, "expected name=value", before..self.end));
                }
            }
        }
        let indent = tag.indent.clone().map_or("", |range| &self.source[range]).into();
        Ok(Partial { name, name_span, context, given, indent })
    }
}

/// A word that is not a helper, before what may be an operator, a pipe or the bracket of a call.
fn operated(name: &str, rest: &str, span: &Range<usize>) -> Fault {
    let fault = || Fault::new(Code::Syntax, "templates have no operators", span.start..span.end);
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
        None => unknown_helper(name, span),
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

/// Operators of other languages, longest first, and the helpers that do the same.
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

/// What to write for an operator between two values.
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

fn unknown_block(name: &str, span: Range<usize>) -> Fault {
    let fault = Fault::new(Code::UnknownFunction, format!("unknown block `{name}`"), span);
    let known = || BlockSort::ALL.iter().map(|(known, _)| *known);
    match nearest(name, known()) {
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None => fault.help(format!("there are {}", known().collect::<Vec<_>>().join(", "))),
    }
}
