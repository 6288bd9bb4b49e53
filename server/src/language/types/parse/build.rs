//! Builds a type from its name and arguments.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::{TypeArg, TypeArgs};
use crate::diagnostic::Code;
use crate::language::expression::function;
use crate::language::fault::Fault;
use crate::language::types::{Bounds, ComparableRegex, LengthBounds, StringFormat, StructField, Type};
use crate::language::word::{Chapter, Word};

/// The types other than [`StringFormat`]s. An example is a type, with a value of it as an expression.
const WORDS: &[Word] = &[
    Word { name: "Any", usage: "Any", doc: "Any value, including null.", example: "Any", gives: "null" },
    Word { name: "Undef", usage: "Undef", doc: "Only null.", example: "Undef", gives: "null" },
    Word {
        name: "NotUndef",
        usage: "NotUndef[T]",
        doc: "Anything except null; a value of the type, if one is given.",
        example: "NotUndef[Scalar]",
        gives: "1",
    },
    Word {
        name: "Scalar",
        usage: "Scalar",
        doc: "A string, a number or a boolean.",
        example: "Scalar",
        gives: "true",
    },
    Word { name: "Boolean", usage: "Boolean", doc: "True or false.", example: "Boolean", gives: "true" },
    Word {
        name: "String",
        usage: "String[min, max]",
        doc: "A string, with a minimum and a maximum length in characters.",
        example: "String[1]",
        gives: "'web1'",
    },
    Word {
        name: "Integer",
        usage: "Integer[min, max]",
        doc: "A whole number, both bounds included.",
        example: "Integer[1, 10]",
        gives: "5",
    },
    Word {
        name: "Float",
        usage: "Float[min, max]",
        doc: "A number with a fraction.",
        example: "Float[0, 1]",
        gives: "0.5",
    },
    Word {
        name: "Number",
        usage: "Number[min, max]",
        doc: "A whole number, or a number with a fraction.",
        example: "Number[0]",
        gives: "2",
    },
    Word {
        name: "Numeric",
        usage: "Numeric[min, max]",
        doc: "The same as `Number`, under its name in Puppet.",
        example: "Numeric",
        gives: "2.5",
    },
    Word {
        name: "Array",
        usage: "Array[T, min, max]",
        doc: "A list of values of a type, with a minimum and a maximum length.",
        example: "Array[Host, 1]",
        gives: "['db.example']",
    },
    Word {
        name: "Tuple",
        usage: "Tuple[T, U, …]",
        doc: "A list with a type for each position.",
        example: "Tuple[Host, Port]",
        gives: "['db.example', 5432]",
    },
    Word {
        name: "Hash",
        usage: "Hash[K, V, min, max]",
        doc: "A map, with a type for its keys and one for its values.",
        example: "Hash[String[1], Boolean]",
        gives: "{'search': true}",
    },
    Word {
        name: "Struct",
        usage: "Struct[{ name => T, … }]",
        doc: "A map with these entries and no others; `Optional[name] => T` may be missing.",
        example: "Struct[{ host => Host, Optional[port] => Port }]",
        gives: "{'host': 'db.example'}",
    },
    Word {
        name: "Optional",
        usage: "Optional[T]",
        doc: "Null, or a value of a type. A parameter of this type does not need a default.",
        example: "Optional[Port]",
        gives: "null",
    },
    Word {
        name: "Variant",
        usage: "Variant[T, U, …]",
        doc: "A value of one of these types.",
        example: "Variant[Port, Enum[auto]]",
        gives: "'auto'",
    },
    Word {
        name: "Enum",
        usage: "Enum[word, …]",
        doc: "One of these strings.",
        example: "Enum[running, stopped]",
        gives: "'running'",
    },
    Word {
        name: "Pattern",
        usage: "Pattern['…', …]",
        doc: "A string that one of these regular expressions matches; use `^` and `$` to match the whole string.",
        example: "Pattern['^[a-z]+$']",
        gives: "'shop'",
    },
    Word {
        name: "Sensitive",
        usage: "Sensitive[T]",
        doc: "A value of the type that is never shown.",
        example: "Sensitive[String[8]]",
        gives: "'correct horse'",
    },
    Word {
        name: "Secret",
        usage: "Secret",
        doc: "The same as `Sensitive[String]`.",
        example: "Secret",
        gives: "'correct horse'",
    },
];

/// The documentation of all types.
pub(in crate::language::types) fn chapters() -> Vec<Chapter> {
    let of_format = |&format: &StringFormat| Word {
        name: format.name(),
        usage: format.name(),
        doc: format.meaning(),
        example: format.name(),
        gives: format.sample(),
    };
    vec![
        Chapter::new("Types", WORDS.iter().copied()),
        Chapter::new("Strings and numbers with a meaning", StringFormat::ALL.iter().map(of_format)),
    ]
}

/// Names of types in other tools and languages.
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

/// The type with this name and the arguments in its brackets.
pub(super) fn build(name: &str, span: &Range<usize>, arguments: Option<TypeArgs>) -> Result<Type, Fault> {
    if name.contains("::") && name.starts_with(|c: char| c.is_ascii_uppercase()) {
        return Err(of_a_library(name, span));
    }
    if name.contains("::") {
        return without(Type::Define(name.into()), name, span, arguments);
    }
    if let Some(format) = StringFormat::find(name) {
        return without(Type::Format(format), name, span, arguments);
    }
    let mut taken = ArgumentQueue { name, span: span.clone(), given: arguments.unwrap_or_default().into() };
    let built = match name {
        "Any" => Type::Any,
        "Undef" => Type::Undef,
        "Scalar" => Type::Scalar,
        "Boolean" => Type::Boolean,
        "Secret" => Type::Sensitive(Arc::new(Type::String(LengthBounds::default()))),
        "String" => Type::String(taken.bounds()?),
        "Integer" => Type::Integer(taken.bounds()?),
        "Float" => Type::Float(taken.bounds()?),
        "Number" | "Numeric" => Type::Number(taken.bounds()?),
        "NotUndef" => Type::NotUndef(taken.type_or(Type::Any)?.into()),
        "Optional" => Type::Optional(taken.type_or(Type::Any)?.into()),
        "Sensitive" => {
            let inner = taken.type_or(Type::Scalar)?;
            if inner.has_open_keys() {
                let message = "keys of a map are shown: they cannot be sensitive";
                let fault = Fault::new(Code::Secret, message, span.clone());
                return Err(fault.help("hide its values: Hash[String, Secret]"));
            }
            Type::Sensitive(inner.into())
        }
        "Array" => Type::Array(taken.type_or(Type::Any)?.into(), taken.bounds()?),
        "Hash" => {
            let key = taken.type_or(Type::String(LengthBounds::default()))?;
            if key.names_secrets() {
                let message = "keys of a map are shown: they cannot be sensitive";
                let fault = Fault::new(Code::Secret, message, span.clone());
                return Err(fault.help("make a list of what is secret: Array[Struct[{ key => Secret, … }]]"));
            }
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

fn without(built: Type, name: &str, span: &Range<usize>, arguments: Option<TypeArgs>) -> Result<Type, Fault> {
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

/// Types of Puppet's standard library, without its prefix and in lower case, by how they begin.
const OF_PUPPET: &[(&str, &str)] = &[
    ("port", "Port"),
    ("absolutepath", "AbsolutePath"),
    ("unixpath", "AbsolutePath"),
    ("fqdn", "Host"),
    ("dns", "Host"),
    ("host", "Host"),
    ("ip::address::v4::cidr", "Cidr"),
    ("ip::address::v6::cidr", "Cidr"),
    ("ip::address::v4", "Ipv4"),
    ("ip::address::v6", "Ipv6"),
    ("ip::", "Ip"),
    ("ensure::service", "Enum[running, stopped]"),
    ("ensure::", "Enum[present, absent]"),
    ("filemode", "Pattern['^[0-7]{4}$']"),
    ("filesource", "String[1]"),
    ("http", "Url"),
    ("email", "Email"),
    ("datasize", "Size"),
    ("yes_no", "Enum[yes, no]"),
    ("base64", "String[1]"),
];

/// The error for a type from another tool's library. A define has `::` too, but begins with a lower-case letter.
fn of_a_library(name: &str, span: &Range<usize>) -> Fault {
    let fault = Fault::new(Code::UnknownName, format!("unknown type `{name}`"), span.clone());
    let own = name.split_once("::").map(|(_, own)| own.to_ascii_lowercase()).unwrap_or_default();
    match OF_PUPPET.iter().find(|(begin, _)| own.starts_with(begin)) {
        Some((_, known)) => fault.help(format!("here that is `{known}`")),
        None => fault.help(
            "there are no types from libraries: a type is part of the language, or the name of a define",
        ),
    }
}

fn names() -> impl Iterator<Item = &'static str> {
    WORDS.iter().map(|word| word.name).chain(StringFormat::ALL.iter().map(|format| format.name()))
}

/// The arguments of one type, taken from the front.
struct ArgumentQueue<'a> {
    name: &'a str,
    span: Range<usize>,
    given: VecDeque<(TypeArg, Range<usize>)>,
}

impl ArgumentQueue<'_> {
    fn wrong(&self, span: Range<usize>, wanted: &str) -> Fault {
        Fault::new(Code::Syntax, format!("`{}` takes {wanted} here", self.name), span)
    }

    fn end(&self) -> Result<(), Fault> {
        match self.given.front() {
            None => Ok(()),
            Some((_, span)) => {
                let message = format!("too many arguments for `{}`", self.name);
                Err(Fault::new(Code::Syntax, message, span.clone()))
            }
        }
    }

    fn type_or(&mut self, default: Type) -> Result<Type, Fault> {
        match self.given.pop_front() {
            None => Ok(default),
            Some((TypeArg::Type(given), _)) => Ok(given),
            // As in Puppet, a text is the type of just that text.
            Some((TypeArg::Text(word), _)) => Ok(Type::Enum(Arc::new([word]))),
            Some((_, span)) => Err(self.wrong(span, "a type")),
        }
    }

    fn all<T>(&mut self, wanted: &str, read: impl Fn(TypeArg) -> Option<T>) -> Result<Vec<T>, Fault> {
        if self.given.is_empty() {
            return Err(Fault::new(
                Code::Syntax,
                format!("`{}` takes {wanted} in brackets", self.name),
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
        self.all("types", |argument| if let TypeArg::Type(given) = argument { Some(given) } else { None })
    }

    fn words(&mut self) -> Result<Vec<Arc<str>>, Fault> {
        self.all("words", |argument| match argument {
            TypeArg::Word(word) | TypeArg::Text(word) => Some(word),
            TypeArg::Type(given) => Some(given.to_string().into()),
            TypeArg::Fields(_) => None,
        })
    }

    fn patterns(&mut self) -> Result<Vec<ComparableRegex>, Fault> {
        let spans: Vec<Range<usize>> = self.given.iter().map(|(_, span)| span.clone()).collect();
        let texts = self.all("regular expressions in quotes", |argument| match argument {
            TypeArg::Text(text) => Some(text),
            _ => None,
        })?;
        let compile = |(text, span): (Arc<str>, Range<usize>)| {
            let compiled = function::pattern(&text);
            compiled.map(ComparableRegex).map_err(|why| Fault::new(Code::BadValue, why, span))
        };
        texts.into_iter().zip(spans).map(compile).collect()
    }

    fn fields(&mut self) -> Result<Vec<StructField>, Fault> {
        match self.given.pop_front() {
            Some((TypeArg::Fields(fields), _)) => Ok(fields),
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
            Some((TypeArg::Word(word), _)) if &*word == "default" => Ok(None),
            Some((TypeArg::Word(word), span)) => {
                word.parse().map(Some).map_err(|_| self.wrong(span, "a number or `default`"))
            }
            Some((_, span)) => Err(self.wrong(span, "a number or `default`")),
        }
    }
}
