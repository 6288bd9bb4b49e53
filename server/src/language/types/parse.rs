//! Puppet's notation to a type.

use std::ops::Range;
use std::sync::Arc;

use super::{Bounds, Field, Format, Need, Pattern, Size, Type};
use crate::language::expression::function;
use crate::language::fault::{Code, Fault};

/// How deep types may stand in each other.
const MAX_DEPTH: usize = 16;

/// The names that are no [`Format`].
const NAMES: &[&str] = &[
    "Any",
    "Undef",
    "NotUndef",
    "Scalar",
    "Boolean",
    "String",
    "Integer",
    "Float",
    "Number",
    "Numeric",
    "Array",
    "Tuple",
    "Hash",
    "Struct",
    "Optional",
    "Variant",
    "Enum",
    "Pattern",
    "Sensitive",
    "Secret",
];

/// What others call these types.
const ELSEWHERE: &[(&str, &str)] = &[
    ("str", "String"),
    ("text", "String"),
    ("int", "Integer"),
    ("bool", "Boolean"),
    ("double", "Float"),
    ("list", "Array"),
    ("map", "Hash"),
    ("dict", "Hash"),
    ("object", "Struct"),
    ("null", "Undef"),
    ("path", "AbsolutePath"),
    ("hostname", "Host"),
    ("ipaddress", "Ip"),
    ("password", "Secret"),
];

pub(super) fn parse(text: &str) -> Result<Type, Fault> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    let parsed = reader.one_type()?;
    match reader.peek()? {
        (Token::End, _) => Ok(parsed),
        (token, span) => {
            Err(Fault::new(Code::Syntax, format!("unexpected {} after the type", token.noun()), span))
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token<'a> {
    /// A name, a word or a number.
    Word(&'a str),
    Text(&'a str),
    Regex(&'a str),
    Sign(&'static str),
    End,
}

impl Token<'_> {
    fn noun(&self) -> String {
        match self {
            Self::Word(word) => format!("`{word}`"),
            Self::Text(text) => format!("'{text}'"),
            Self::Regex(regex) => format!("/{regex}/"),
            Self::Sign(sign) => format!("`{sign}`"),
            Self::End => "the end".to_owned(),
        }
    }
}

/// What stands in the brackets of a type.
enum Argument {
    Type(Type),
    Word(Arc<str>),
    Text(Arc<str>),
    Fields(Vec<Field>),
}

type Arguments = Vec<(Argument, Range<usize>)>;

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Result<(Token<'a>, Range<usize>), Fault> {
        let rest = &self.text[self.at..];
        let start = self.at + rest.len() - rest.trim_start().len();
        let rest = rest.trim_start();
        let Some(first) = rest.chars().next() else { return Ok((Token::End, start..start)) };
        if let Some(sign) = ["=>", "[", "]", "{", "}", ","].into_iter().find(|sign| rest.starts_with(sign)) {
            return Ok((Token::Sign(sign), start..start + sign.len()));
        }
        if matches!(first, '\'' | '"' | '/') {
            let length = rest[1..].find(first).ok_or_else(|| {
                let message = format!("{first} is not closed");
                Fault::new(Code::Syntax, message, start..self.text.len())
            })?;
            let inner = &rest[1..=length];
            let token = if first == '/' { Token::Regex(inner) } else { Token::Text(inner) };
            return Ok((token, start..start + length + 2));
        }
        let is_word = |c: char| c.is_ascii_alphanumeric() || "_:.+-".contains(c);
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        if length == 0 {
            let message = format!("unexpected `{}`", first.escape_debug());
            return Err(Fault::new(Code::Syntax, message, start..start + first.len_utf8()));
        }
        Ok((Token::Word(&rest[..length]), start..start + length))
    }

    fn next(&mut self) -> Result<(Token<'a>, Range<usize>), Fault> {
        let (token, span) = self.peek()?;
        self.at = span.end;
        Ok((token, span))
    }

    fn take(&mut self, sign: &str) -> Result<bool, Fault> {
        let (token, span) = self.peek()?;
        let found = matches!(token, Token::Sign(s) if s == sign);
        if found {
            self.at = span.end;
        }
        Ok(found)
    }

    fn expect(&mut self, sign: &str) -> Result<(), Fault> {
        if self.take(sign)? {
            return Ok(());
        }
        let (token, span) = self.peek()?;
        Err(Fault::new(Code::Syntax, format!("expected `{sign}`, found {}", token.noun()), span))
    }

    fn one_type(&mut self) -> Result<Type, Fault> {
        let (token, span) = self.next()?;
        let Token::Word(name) = token else {
            let message = format!("expected a type, found {}", token.noun());
            return Err(Fault::new(Code::Syntax, message, span).help("such as String or Optional[Integer]"));
        };
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let message = format!("the type is nested deeper than {MAX_DEPTH} levels");
            return Err(Fault::new(Code::Limit, message, span));
        }
        let arguments = if self.take("[")? { Some(self.arguments()?) } else { None };
        self.depth -= 1;
        build(name, &span, arguments)
    }

    fn arguments(&mut self) -> Result<Arguments, Fault> {
        let mut arguments = Vec::new();
        while !self.take("]")? {
            arguments.push(self.argument()?);
            if !self.take(",")? {
                self.expect("]")?;
                break;
            }
        }
        Ok(arguments)
    }

    fn argument(&mut self) -> Result<(Argument, Range<usize>), Fault> {
        let (token, span) = self.peek()?;
        let argument = match token {
            Token::Text(text) | Token::Regex(text) => {
                self.next()?;
                Argument::Text(text.into())
            }
            Token::Sign("{") => {
                self.next()?;
                Argument::Fields(self.fields()?)
            }
            Token::Word(word) if !is_type_name(word) => {
                self.next()?;
                Argument::Word(word.into())
            }
            _ => Argument::Type(self.one_type()?),
        };
        Ok((argument, span.start..self.at))
    }

    /// `'key' => Type, Optional['other'] => Type }`.
    fn fields(&mut self) -> Result<Vec<Field>, Fault> {
        let mut fields: Vec<Field> = Vec::new();
        while !self.take("}")? {
            let start = self.peek()?.1.start;
            let (name, need) = self.field_name()?;
            if fields.iter().any(|field| field.name == name) {
                let message = format!("the key `{name}` stands twice");
                return Err(Fault::new(Code::Syntax, message, start..self.at));
            }
            self.expect("=>")?;
            let of = self.one_type()?;
            let need = if of.takes_null() { Need::Optional } else { need };
            fields.push(Field { name, of, need });
            if !self.take(",")? {
                self.expect("}")?;
                break;
            }
        }
        Ok(fields)
    }

    fn field_name(&mut self) -> Result<(Arc<str>, Need), Fault> {
        match self.next()? {
            (Token::Word("Optional"), _) => {
                self.expect("[")?;
                let (name, _) = self.field_name()?;
                self.expect("]")?;
                Ok((name, Need::Optional))
            }
            (Token::Word(name) | Token::Text(name), _) => Ok((name.into(), Need::Required)),
            (token, span) => {
                Err(Fault::new(Code::Syntax, format!("expected a key, found {}", token.noun()), span))
            }
        }
    }
}

/// Types begin with a capital letter, or are the name of a define.
fn is_type_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase()) || word.contains("::")
}

fn build(name: &str, span: &Range<usize>, arguments: Option<Arguments>) -> Result<Type, Fault> {
    if name.contains("::") {
        return without(Type::Define(name.into()), name, span, arguments);
    }
    if let Some(format) = Format::find(name) {
        return without(Type::Format(format), name, span, arguments);
    }
    let mut taken = Taken { name, span: span.clone(), given: arguments.unwrap_or_default().into() };
    let built = match name {
        "Any" => Type::Any,
        "Undef" => Type::Undef,
        "Scalar" => Type::Scalar,
        "Boolean" => Type::Boolean,
        "Secret" => Type::Sensitive(Arc::new(Type::String(Size::default()))),
        "String" => Type::String(taken.bounds()?),
        "Integer" => Type::Integer(taken.bounds()?),
        "Float" => Type::Float(taken.bounds()?),
        "Number" | "Numeric" => Type::Number(taken.bounds()?),
        "NotUndef" => Type::NotUndef(taken.type_or(Type::Any)?.into()),
        "Optional" => Type::Optional(taken.type_or(Type::Any)?.into()),
        "Sensitive" => Type::Sensitive(taken.type_or(Type::Any)?.into()),
        "Array" => Type::Array(taken.type_or(Type::Any)?.into(), taken.bounds()?),
        "Hash" => {
            let key = taken.type_or(Type::String(Size::default()))?;
            Type::Hash(Arc::new([key, taken.type_or(Type::Any)?]), taken.bounds()?)
        }
        "Tuple" => Type::Tuple(taken.types()?.into()),
        "Variant" => Type::Variant(taken.types()?.into()),
        "Struct" => Type::Struct(taken.fields()?.into()),
        "Enum" => Type::Enum(taken.words()?.into()),
        "Pattern" => Type::Pattern(taken.patterns()?.into()),
        _ => return Err(unknown(name, span)),
    };
    taken.end()?;
    Ok(built)
}

fn without(
    built: Type,
    name: &str,
    span: &Range<usize>,
    arguments: Option<Arguments>,
) -> Result<Type, Fault> {
    match arguments {
        None => Ok(built),
        Some(_) => Err(Fault::new(Code::Syntax, format!("`{name}` takes nothing in brackets"), span.clone())),
    }
}

fn unknown(name: &str, span: &Range<usize>) -> Fault {
    let fault = Fault::new(Code::UnknownName, format!("unknown type `{name}`"), span.clone());
    let lower = name.to_ascii_lowercase();
    let same = names().find(|known| known.eq_ignore_ascii_case(name));
    let elsewhere = ELSEWHERE.iter().find(|(word, _)| *word == lower).map(|(_, known)| *known);
    match same.or(elsewhere) {
        Some(known) => fault.help(format!("did you mean `{known}`?")),
        None if function::find(name).is_some() => fault.help("this is a function, not a type"),
        None => fault.did_you_mean(name, names()),
    }
}

fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().copied().chain(Format::ALL.iter().map(|format| format.name()))
}

/// The arguments of one type, taken from the front.
struct Taken<'a> {
    name: &'a str,
    span: Range<usize>,
    given: std::collections::VecDeque<(Argument, Range<usize>)>,
}

impl Taken<'_> {
    fn wrong(&self, span: Range<usize>, wanted: &str) -> Fault {
        Fault::new(Code::Syntax, format!("`{}` wants {wanted} here", self.name), span)
    }

    fn end(&self) -> Result<(), Fault> {
        match self.given.front() {
            None => Ok(()),
            Some((_, span)) => {
                let message = format!("this is too much for `{}`", self.name);
                Err(Fault::new(Code::Syntax, message, span.clone()))
            }
        }
    }

    fn type_or(&mut self, default: Type) -> Result<Type, Fault> {
        match self.given.pop_front() {
            None => Ok(default),
            Some((Argument::Type(given), _)) => Ok(given),
            // As in Puppet, a text stands for the type of just that text.
            Some((Argument::Text(word), _)) => Ok(Type::Enum(Arc::new([word]))),
            Some((_, span)) => Err(self.wrong(span, "a type")),
        }
    }

    fn all<T>(&mut self, wanted: &str, read: impl Fn(Argument) -> Option<T>) -> Result<Vec<T>, Fault> {
        if self.given.is_empty() {
            return Err(Fault::new(
                Code::Syntax,
                format!("`{}` wants {wanted} in brackets", self.name),
                self.span.clone(),
            ));
        }
        let given = std::mem::take(&mut self.given);
        given
            .into_iter()
            .map(|(argument, span)| read(argument).ok_or_else(|| self.wrong(span, wanted)))
            .collect()
    }

    fn types(&mut self) -> Result<Vec<Type>, Fault> {
        self.all("types", |argument| if let Argument::Type(given) = argument { Some(given) } else { None })
    }

    fn words(&mut self) -> Result<Vec<Arc<str>>, Fault> {
        self.all("words", |argument| match argument {
            Argument::Word(word) | Argument::Text(word) => Some(word),
            Argument::Type(given) => Some(given.to_string().into()),
            Argument::Fields(_) => None,
        })
    }

    fn patterns(&mut self) -> Result<Vec<Pattern>, Fault> {
        let spans: Vec<Range<usize>> = self.given.iter().map(|(_, span)| span.clone()).collect();
        let texts = self.all("regular expressions in quotes", |argument| match argument {
            Argument::Text(text) => Some(text),
            _ => None,
        })?;
        let compile = |(text, span): (Arc<str>, Range<usize>)| {
            let compiled = function::pattern(&text);
            compiled.map(Pattern).map_err(|why| Fault::new(Code::BadValue, why, span))
        };
        texts.into_iter().zip(spans).map(compile).collect()
    }

    fn fields(&mut self) -> Result<Vec<Field>, Fault> {
        match self.given.pop_front() {
            Some((Argument::Fields(fields), _)) => Ok(fields),
            other => {
                let span = other.map_or(self.span.clone(), |(_, span)| span);
                Err(self.wrong(span, "its entries").help("such as Struct[{ name => String }]"))
            }
        }
    }

    fn bounds<T: std::str::FromStr + PartialOrd>(&mut self) -> Result<Bounds<T>, Fault> {
        let start = self.given.front().map_or(self.span.clone(), |(_, span)| span.clone());
        let (min, max) = (self.bound()?, self.bound()?);
        if let (Some(least), Some(most)) = (&min, &max)
            && least > most
        {
            let message = format!("the least of `{}` is above its greatest", self.name);
            return Err(Fault::new(Code::BadValue, message, start));
        }
        Ok(Bounds { min, max })
    }

    fn bound<T: std::str::FromStr>(&mut self) -> Result<Option<T>, Fault> {
        match self.given.pop_front() {
            None => Ok(None),
            Some((Argument::Word(word), _)) if &*word == "default" => Ok(None),
            Some((Argument::Word(word), span)) => {
                word.parse().map(Some).map_err(|_| self.wrong(span, "a number or `default`"))
            }
            Some((_, span)) => Err(self.wrong(span, "a number or `default`")),
        }
    }
}
