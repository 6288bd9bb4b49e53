//! Parses Puppet's notation of types.

use std::ops::Range;
use std::sync::Arc;

use super::{Need, StructField, Type};
use crate::diagnostic::Code;
use crate::language::fault::Fault;

/// How deeply types may be nested.
const MAX_DEPTH: usize = 16;

mod build;

pub(super) use build::chapters;

pub(super) fn parse(text: &str) -> Result<Type, Fault> {
    let mut reader = TypeParser { text, at: 0, depth: 0 };
    let parsed = reader.one_type()?;
    match reader.peek()? {
        (TypeToken::End, _) => Ok(parsed),
        (token, span) => {
            Err(Fault::new(Code::Syntax, format!("unexpected {} after the type", token.noun()), span))
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum TypeToken<'a> {
    /// A name, a word or a number.
    Word(&'a str),
    Text(&'a str),
    Regex(&'a str),
    Sign(&'static str),
    End,
}

impl TypeToken<'_> {
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

/// An argument in the brackets of a type.
enum TypeArg {
    Type(Type),
    Word(Arc<str>),
    Text(Arc<str>),
    Fields(Vec<StructField>),
}

type TypeArgs = Vec<(TypeArg, Range<usize>)>;

struct TypeParser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> TypeParser<'a> {
    fn peek(&self) -> Result<(TypeToken<'a>, Range<usize>), Fault> {
        let rest = &self.text[self.at..];
        let start = self.at + rest.len() - rest.trim_start().len();
        let rest = rest.trim_start();
        let Some(first) = rest.chars().next() else { return Ok((TypeToken::End, start..start)) };
        if let Some(sign) = ["=>", "[", "]", "{", "}", ","].into_iter().find(|sign| rest.starts_with(sign)) {
            return Ok((TypeToken::Sign(sign), start..start + sign.len()));
        }
        if matches!(first, '\'' | '"' | '/') {
            let length = rest[1..].find(first).ok_or_else(|| {
                let message = format!("{first} is not closed");
                Fault::new(Code::Syntax, message, start..self.text.len())
            })?;
            let inner = &rest[1..=length];
            let token = if first == '/' { TypeToken::Regex(inner) } else { TypeToken::Text(inner) };
            return Ok((token, start..start + length + 2));
        }
        let is_word = |c: char| c.is_ascii_alphanumeric() || "_:.+-".contains(c);
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        if length == 0 {
            let message = format!("unexpected `{}`", first.escape_debug());
            return Err(Fault::new(Code::Syntax, message, start..start + first.len_utf8()));
        }
        Ok((TypeToken::Word(&rest[..length]), start..start + length))
    }

    fn next(&mut self) -> Result<(TypeToken<'a>, Range<usize>), Fault> {
        let (token, span) = self.peek()?;
        self.at = span.end;
        Ok((token, span))
    }

    fn take(&mut self, sign: &str) -> Result<bool, Fault> {
        let (token, span) = self.peek()?;
        let found = matches!(token, TypeToken::Sign(s) if s == sign);
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
        let TypeToken::Word(name) = token else {
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
        build::build(name, &span, arguments)
    }

    fn arguments(&mut self) -> Result<TypeArgs, Fault> {
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

    fn argument(&mut self) -> Result<(TypeArg, Range<usize>), Fault> {
        let (token, span) = self.peek()?;
        let argument = match token {
            TypeToken::Text(text) | TypeToken::Regex(text) => {
                self.next()?;
                TypeArg::Text(text.into())
            }
            TypeToken::Sign("{") => {
                self.next()?;
                TypeArg::Fields(self.fields()?)
            }
            TypeToken::Word(word) if !is_type_name(word) => {
                self.next()?;
                TypeArg::Word(word.into())
            }
            _ => TypeArg::Type(self.one_type()?),
        };
        Ok((argument, span.start..self.at))
    }

    /// Parses `'key' => Type, Optional['other'] => Type }`.
    fn fields(&mut self) -> Result<Vec<StructField>, Fault> {
        let mut fields: Vec<StructField> = Vec::new();
        while !self.take("}")? {
            let start = self.peek()?.1.start;
            let (name, need) = self.field_name()?;
            if fields.iter().any(|field| field.name == name) {
                let message = format!("the key `{name}` is listed twice");
                return Err(Fault::new(Code::Syntax, message, start..self.at));
            }
            self.expect("=>")?;
            let of = self.one_type()?;
            let need = if of.takes_null() { Need::Optional } else { need };
            fields.push(StructField { name, of, need });
            if !self.take(",")? {
                self.expect("}")?;
                break;
            }
        }
        Ok(fields)
    }

    fn field_name(&mut self) -> Result<(Arc<str>, Need), Fault> {
        match self.next()? {
            (TypeToken::Word("Optional"), _) => {
                self.expect("[")?;
                let (name, _) = self.field_name()?;
                self.expect("]")?;
                Ok((name, Need::Optional))
            }
            (TypeToken::Word(name) | TypeToken::Text(name), _) => Ok((name.into(), Need::Required)),
            (token, span) => {
                Err(Fault::new(Code::Syntax, format!("expected a key, found {}", token.noun()), span))
            }
        }
    }
}

/// Whether a word is the name of a type: types begin with a capital letter, or are the name of a define.
fn is_type_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase()) || word.contains("::")
}
