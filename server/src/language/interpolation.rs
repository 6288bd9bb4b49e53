//! Strings that contain `${…}`: split into text and expressions once, and put together for each scope.

use std::sync::Arc;

use holdfast_catalog::value::{Kind, Value};

use crate::diagnostic::Code;

use super::expression::{Expression, literal};
use super::fault::Fault;
use super::problems::MAX_PROBLEMS;
use super::scope::Scope;
use super::secrecy::Stretches;

pub(super) const OPEN: &str = "${";
pub(super) const ESCAPED: &str = "$${";

/// The longest string that may contain expressions, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// A string that contains `${…}` or `$${`. The spans of its faults are in the string.
#[derive(Debug, Clone)]
pub struct Interpolation {
    parts: Vec<TextPart>,
}

#[derive(Debug, Clone)]
enum TextPart {
    Text(Arc<str>),
    Expression { expression: Expression, offset: usize },
}

impl Interpolation {
    /// Parses a string; `None` if it contains neither.
    ///
    /// # Errors
    /// Returns an error if an expression is not closed or does not parse.
    pub fn parse(text: &str) -> Result<Option<Self>, Fault> {
        if !text.contains(OPEN) {
            return Ok(None);
        }
        if text.len() > MAX_BYTES {
            let message = format!("a string with expressions has at most {MAX_BYTES} bytes");
            return Err(Fault::new(Code::Limit, message, 0..0).help("use a template for longer text"));
        }
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut at = 0;
        while let Some(found) = text[at..].find(OPEN) {
            let opened = at + found;
            if text[at..opened].ends_with('$') {
                plain.push_str(&text[at..opened - 1]);
                plain.push_str(OPEN);
                at = opened + OPEN.len();
                continue;
            }
            plain.push_str(&text[at..opened]);
            if !plain.is_empty() {
                parts.push(TextPart::Text(std::mem::take(&mut plain).into()));
            }
            let offset = opened + OPEN.len();
            let length = length(&text[offset..], opened)?;
            let expression =
                Expression::parse(&text[offset..offset + length]).map_err(|fault| fault.shifted(offset))?;
            parts.push(TextPart::Expression { expression, offset });
            at = offset + length + 1;
        }
        plain.push_str(&text[at..]);
        if !plain.is_empty() {
            parts.push(TextPart::Text(plain.into()));
        }
        Ok(Some(Self { parts }))
    }

    /// Its expressions, each with the byte of the string at which it begins.
    pub fn expressions(&self) -> impl Iterator<Item = (&Expression, usize)> {
        self.parts.iter().filter_map(|part| match part {
            TextPart::Text(_) => None,
            TextPart::Expression { expression, offset } => Some((expression, *offset)),
        })
    }

    /// Whether its value could be this text: its literal parts occur there, in this order.
    pub fn could_be(&self, text: &str) -> bool {
        let mut rest = text;
        let last = self.parts.len() - 1;
        for (at, part) in self.parts.iter().enumerate() {
            let TextPart::Text(plain) = part else { continue };
            let found = match at {
                0 => rest.starts_with(&**plain).then_some(0),
                _ if at == last => rest.ends_with(&**plain).then(|| rest.len() - plain.len()),
                _ => rest.find(&**plain),
            };
            let Some(found) = found else { return false };
            rest = &rest[found + plain.len()..];
        }
        rest.is_empty() || matches!(self.parts[last], TextPart::Expression { .. })
    }

    /// Names and functions that `scope` does not have, found without evaluating; only the first ones if there are very
    /// many.
    pub fn unknown(&self, scope: &dyn Scope) -> Vec<Fault> {
        let faults = |(expression, offset): (&Expression, usize)| {
            expression.unknown(scope).into_iter().map(move |fault| fault.shifted(offset))
        };
        self.expressions().flat_map(faults).take(MAX_PROBLEMS + 1).collect()
    }

    /// Its value in a scope: of any type if one `${…}` is the whole string, otherwise a text that is sensitive by parts.
    ///
    /// # Errors
    /// The first thing that is wrong, such as null, a list or a map inside text.
    pub fn evaluate(&self, scope: &dyn Scope) -> Result<Value, Fault> {
        if let [TextPart::Expression { expression, offset }] = &self.parts[..] {
            let value = expression.evaluate(scope).map_err(|fault| within(fault, *offset))?;
            return if is_finite(&value) { Ok(value) } else { Err(no_number(expression).shifted(*offset)) };
        }
        let mut text = Stretches::default();
        for part in &self.parts {
            match part {
                TextPart::Text(plain) => text.push_str(plain),
                TextPart::Expression { expression, offset } => {
                    let value = expression.evaluate(scope).map_err(|fault| within(fault, *offset))?;
                    if !is_finite(&value) {
                        return Err(no_number(expression).shifted(*offset));
                    }
                    if !text.push(&value) {
                        return Err(no_text(&value, expression).shifted(*offset));
                    }
                }
            }
        }
        Ok(text.finish())
    }
}

/// Moves a fault of the expression into this string; a fault in another text keeps its own bytes.
fn within(fault: Fault, offset: usize) -> Fault {
    if fault.origin.is_some() { fault } else { fault.shifted(offset) }
}

/// The length of the expression whose `${` is at `opened`, up to its own `}`.
fn length(rest: &str, opened: usize) -> Result<usize, Fault> {
    let offset = opened + OPEN.len();
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(c) = rest[at..].chars().next() {
        if let Some(length) = literal::length(&rest[at..]).map_err(|fault| fault.shifted(offset + at))? {
            at += length;
            continue;
        }
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Ok(at),
            '}' => depth -= 1,
            _ => {}
        }
        at += c.len_utf8();
    }
    let fault = Fault::new(Code::Syntax, "`${` is not closed with `}`", opened..offset);
    Err(fault.help(format!("a literal `{OPEN}` is written `{ESCAPED}`")))
}

/// Whether every number in a value can be in data: JSON and machines have no infinity.
fn is_finite(value: &Value) -> bool {
    match &value.kind {
        Kind::Float(float) => float.is_finite(),
        Kind::List(list) => list.iter().all(is_finite),
        Kind::Map(map) => map.values().all(is_finite),
        Kind::Sensitive(secret) => secret.as_pieces().is_some() || is_finite(&secret.expose()),
        _ => true,
    }
}

fn no_number(expression: &Expression) -> Fault {
    let source = expression.source();
    let message = format!("`{}` is infinite or not a number, and a value must be neither", source.trim());
    Fault::new(Code::BadValue, message, 0..source.len()).help("ask math.isFinite(x) first")
}

fn no_text(value: &Value, expression: &Expression) -> Fault {
    let source = expression.source().trim();
    let noun = match &value.kind {
        Kind::Sensitive(secret) => secret.expose().noun(),
        _ => value.noun(),
    };
    let message = format!("`{source}` is {noun}, which cannot be inside text");
    let start = expression.source().len() - expression.source().trim_start().len();
    let fault = Fault::new(Code::WrongType, message, start..start + source.len());
    match noun {
        "null" => fault.help(format!("use default({source}, '') for null")),
        "a list" => fault.help(format!("join its elements: {source}.join(', ')")),
        _ => fault.help(format!("select one of its entries, or write json({source})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_catalog::value::{Map, Sensitive};

    #[test]
    fn what_is_written_out_of_a_text_says_what_it_can_be() {
        for (text, yes, no) in [
            ("/srv/${x}", &["/srv/", "/srv/a"][..], &["/etc/a", "/srv", ""][..]),
            ("${x}.crt", &[".crt", "a.crt"], &["a.key", "crt"]),
            ("/a/${x}/b/${y}.c", &["/a//b/.c", "/a/1/b/2.c"], &["/a/b/2.c", "/a/1/b/2.d", "/a/1/c/2.c"]),
            ("a${x}a", &["aa", "aba"], &["a", "ab"]),
            ("${x}", &["", "anything"], &[]),
            ("$${x}", &["${x}"], &["x", "${x}y"]),
        ] {
            let text = Interpolation::parse(text).unwrap().unwrap();
            assert!(yes.iter().all(|other| text.could_be(other)), "{text:?}");
            assert!(!no.iter().any(|other| text.could_be(other)), "{text:?}");
        }
    }

    fn scope() -> Map {
        let secret = Kind::Sensitive(Sensitive::text("hunter2")).into();
        let entries: [(&str, Value); 5] = [
            ("port", 80.into()),
            ("name", "web".into()),
            ("list", vec![1.into(), 2.into()].into()),
            ("none", Value::NULL),
            ("secret", secret),
        ];
        entries.into_iter().map(|(k, v)| (k.into(), v)).collect()
    }

    fn evaluate(text: &str) -> Result<Value, Fault> {
        Interpolation::parse(text)?.map_or_else(|| Ok(text.into()), |i| i.evaluate(&scope()))
    }

    fn fault(text: &str) -> (String, &str) {
        let fault = evaluate(text).unwrap_err();
        (fault.message, &text[fault.span])
    }

    #[test]
    fn one_expression_alone_keeps_its_type() {
        assert_eq!(evaluate("${port}").unwrap(), 80.into());
        assert_eq!(evaluate("${list}").unwrap(), vec![1.into(), 2.into()].into());
        assert_eq!(evaluate("${none}").unwrap(), Value::NULL);
    }

    #[test]
    fn inside_text_it_is_written_out() {
        assert_eq!(evaluate("${name}:${port + 1}/").unwrap(), "web:81/".into());
        assert_eq!(evaluate(" ${port}").unwrap(), " 80".into());
    }

    #[test]
    fn what_is_no_finite_number_is_an_error_and_not_null() {
        for text in ["${1.0 / 0.0}", "${[0.0 / 0.0]}", "${{'a': -1.0 / 0.0}}", "x${1.0 / 0.0}"] {
            assert!(fault(text).0.contains("infinite or not a number"), "{text}");
        }
        assert_eq!(evaluate("${math.isInf(1.0 / 0.0)}").unwrap(), true.into());
    }

    #[test]
    fn a_doubled_dollar_is_literal() {
        assert_eq!(evaluate("$${port} ${port} $$").unwrap(), "${port} 80 $$".into());
        assert_eq!(evaluate("$$${port}").unwrap(), "$${port}".into());
        assert!(Interpolation::parse("$5 {x} $").unwrap().is_none());
    }

    #[test]
    fn braces_and_quotes_balance() {
        assert_eq!(evaluate("${{'a}': {'b': port}}['a}'].b}").unwrap(), 80.into());
        assert_eq!(evaluate(r#"x${"}" + '${'}"#).unwrap(), "x}${".into());
        assert_eq!(evaluate(r"${r'\' + '}'}").unwrap(), r"\}".into());
    }

    #[test]
    fn faults_point_into_the_string() {
        assert_eq!(fault("a ${port"), ("`${` is not closed with `}`".into(), "${"));
        assert_eq!(fault("a ${'port}").1, "'port}");
        assert_eq!(fault("ü ${port} ${prot}"), ("unknown name `prot`".into(), "prot"));
        assert_eq!(fault("a ${ list }"), ("`list` is a list, which cannot be inside text".into(), "list"));
        assert_eq!(fault("a ${none}").0, "`none` is null, which cannot be inside text");
        assert_eq!(fault("${}").0, "the expression is empty");
    }

    #[test]
    fn secrets_stay_stretches() {
        let value = evaluate("postgres://app:${secret}@db:${port}").unwrap();
        assert_eq!(value.shown(), "postgres://app:[sensitive]@db:80");
        let Kind::Sensitive(secret) = value.kind else { panic!("{value:?}") };
        assert_eq!(secret.expose(), "postgres://app:hunter2@db:80".into());
    }
}
