//! `format`: CEL's `%` clauses.

use std::fmt::Write as _;

use holdfast_catalog::value::{Kind, Value};

use super::CallArguments;
use crate::language::budget::bounded_text;
use crate::language::fault::Fault;

/// The greatest precision.
const MAX_PRECISION: usize = 100;

pub(super) fn format(a: &CallArguments) -> Result<Value, Fault> {
    let (pattern, values) = (a.text(0)?, a.list(1)?);
    let mut values = values.iter();
    let mut text = String::new();
    let mut rest = &**pattern;
    while let Some(at) = rest.find('%') {
        text.push_str(&rest[..at]);
        let (clause, length) = Clause::read(&rest[at + 1..]).ok_or_else(|| unknown(a, &rest[at..]))?;
        rest = &rest[at + 1 + length..];
        if clause.letter == '%' {
            text.push('%');
            continue;
        }
        let value = values.next().ok_or_else(|| a.bad("has fewer values than clauses"))?;
        let written = clause
            .write(value)
            .ok_or_else(|| a.bad(format!("cannot write {} with `%{}`", value.noun(), clause.letter)))?;
        text.push_str(&written);
        bounded_text(text.len())?;
    }
    if values.next().is_some() {
        return Err(a.bad("has more values than clauses"));
    }
    text.push_str(rest);
    Ok(text.into())
}

fn unknown(a: &CallArguments, rest: &str) -> Fault {
    let shown: String = rest.chars().take(3).collect();
    a.bad(format!("does not know `{shown}`")).help("it knows %s, %d, %f, %e, %b, %o, %x, %X, and %% for %")
}

struct Clause {
    letter: char,
    precision: Option<usize>,
}

impl Clause {
    /// Reads the clause after a `%`, and returns it with its length.
    fn read(rest: &str) -> Option<(Self, usize)> {
        let digits = rest.strip_prefix('.').map(|r| r.bytes().take_while(u8::is_ascii_digit).count());
        let (precision, at) = match digits {
            Some(digits) => {
                let precision = rest[1..=digits].parse().ok().filter(|p| *p <= MAX_PRECISION)?;
                (Some(precision), 1 + digits)
            }
            None => (None, 0),
        };
        let letter = rest[at..].chars().next().filter(|c| "sdfebxXo%".contains(*c))?;
        Some((Self { letter, precision }, at + 1))
    }

    /// Formats a value by the clause; `None` if the clause does not apply to such a value.
    fn write(&self, value: &Value) -> Option<String> {
        let precision = self.precision.unwrap_or(6);
        match (self.letter, &value.kind) {
            ('s', _) => Some(plain(value)),
            ('d', Kind::Int(i)) => Some(i.to_string()),
            ('f', Kind::Int(i)) => Some(format!("{:.precision$}", *i as f64)),
            ('f', Kind::Float(x)) => Some(format!("{x:.precision$}")),
            ('e', Kind::Int(i)) => Some(exponent(*i as f64, precision)),
            ('e', Kind::Float(x)) => Some(exponent(*x, precision)),
            ('b', Kind::Bool(b)) => Some(u8::from(*b).to_string()),
            ('b', Kind::Int(i)) => Some(signed(*i, |u| format!("{u:b}"))),
            ('o', Kind::Int(i)) => Some(signed(*i, |u| format!("{u:o}"))),
            ('x', Kind::Int(i)) => Some(signed(*i, |u| format!("{u:x}"))),
            ('X', Kind::Int(i)) => Some(signed(*i, |u| format!("{u:X}"))),
            ('x', Kind::String(s)) => Some(data_encoding::HEXLOWER.encode(s.as_bytes())),
            ('X', Kind::String(s)) => Some(data_encoding::HEXUPPER.encode(s.as_bytes())),
            _ => None,
        }
    }
}

fn signed(int: i64, digits: impl Fn(u64) -> String) -> String {
    let sign = if int < 0 { "-" } else { "" };
    format!("{sign}{}", digits(int.unsigned_abs()))
}

/// Scientific notation, with a sign and at least two digits in the exponent.
fn exponent(x: f64, precision: usize) -> String {
    let text = format!("{x:.precision$e}");
    let Some((mantissa, power)) = text.split_once('e') else { return text };
    let power: i32 = power.parse().unwrap_or_default();
    let mut written = String::from(mantissa);
    let sign = if power < 0 { '-' } else { '+' };
    let _ = write!(written, "e{sign}{:02}", power.abs());
    written
}

/// The form of `%s`: lists and maps in brackets, their texts without quotes.
fn plain(value: &Value) -> String {
    match &value.kind {
        Kind::List(list) => {
            format!("[{}]", list.iter().map(plain).collect::<Vec<_>>().join(", "))
        }
        Kind::Map(map) => {
            let entry = |(key, item): (&std::sync::Arc<str>, &Value)| format!("{key}: {}", plain(item));
            format!("{{{}}}", map.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        _ => value.scalar_text().map_or_else(|| "null".to_owned(), |text| text.to_string()),
    }
}
