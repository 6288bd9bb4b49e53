//! Functions on texts. Positions count characters, as in CEL.

use std::cell::RefCell;
use std::collections::HashMap;

use holdfast_catalog::count::counted;
use holdfast_catalog::value::Value;
use regex::{Regex, RegexBuilder};

use super::{Builtin, BuiltinBody, CallArguments, format};
use crate::language::budget::bounded_text;
use crate::language::fault::Fault;
use crate::language::secrecy::{Stretches, is_all_secret};

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("startsWith", "text.startsWith(part)", 2..=2, BuiltinBody::Open(starts_with))
        .doc("Whether a string begins with another.")
        .example("'web1.acme.example'.startsWith('web')", "true"),
    Builtin::new("endsWith", "text.endsWith(part)", 2..=2, BuiltinBody::Open(ends_with))
        .doc("Whether a string ends with another.")
        .example("'web1.acme.example'.endsWith('.example')", "true"),
    Builtin::new("contains", "text.contains(part)", 2..=2, BuiltinBody::Open(contains))
        .doc("Whether a string contains another.")
        .example("'web1.acme.example'.contains('acme')", "true"),
    Builtin::new("matches", "text.matches(pattern)", 2..=2, BuiltinBody::Pattern(matches))
        .doc("Whether a regular expression matches a part of a string; use `^` and `$` to match the whole.")
        .example("'web1.acme.example'.matches('^web[0-9]+')", "true"),
    Builtin::new("charAt", "text.charAt(index)", 2..=2, BuiltinBody::Open(char_at))
        .doc("The character at an index, counted from 0.")
        .example("'web1'.charAt(3)", "\"1\""),
    Builtin::new("indexOf", "text.indexOf(part, from)", 2..=3, BuiltinBody::Open(index_of))
        .doc("The index where a string first contains another, from an index on if one is given; or -1.")
        .example("'a.b.c'.indexOf('.')", "1"),
    Builtin::new("lastIndexOf", "text.lastIndexOf(part, from)", 2..=3, BuiltinBody::Open(last_index_of))
        .doc("The index where a string last contains another, up to an index if one is given; or -1.")
        .example("'a.b.c'.lastIndexOf('.')", "3"),
    Builtin::new(
        "lowerAscii",
        "text.lowerAscii()",
        1..=1,
        BuiltinBody::Open(|a| Ok(a.text(0)?.to_ascii_lowercase().into())),
    )
        .doc("A string with the letters A to Z in lower case; others stay as they are.")
        .example("'Zürich'.lowerAscii()", "\"zürich\""),
    Builtin::new(
        "upperAscii",
        "text.upperAscii()",
        1..=1,
        BuiltinBody::Open(|a| Ok(a.text(0)?.to_ascii_uppercase().into())),
    )
        .doc("A string with the letters a to z in upper case; others stay as they are.")
        .example("'Zürich'.upperAscii()", "\"ZüRICH\""),
    Builtin::new("lower", "lower(text)", 1..=1, BuiltinBody::Open(|a| Ok(a.text(0)?.to_lowercase().into())))
        .doc("A string in lower case, in every alphabet.")
        .example("lower('ZÜRICH')", "\"zürich\""),
    Builtin::new("upper", "upper(text)", 1..=1, BuiltinBody::Open(|a| Ok(a.text(0)?.to_uppercase().into())))
        .doc("A string in upper case, in every alphabet.")
        .example("upper('zürich')", "\"ZÜRICH\""),
    Builtin::new("trim", "text.trim()", 1..=1, BuiltinBody::Open(|a| Ok(a.text(0)?.trim().into())))
        .doc("A string without white space at both ends.")
        .example("'  web1 '.trim()", "\"web1\""),
    Builtin::new("replace", "text.replace(old, new, limit)", 3..=4, BuiltinBody::Open(replace))
        .doc("A string in which a part is replaced by another: everywhere, or at most `limit` times.")
        .example("'a.b.c'.replace('.', '-')", "\"a-b-c\""),
    Builtin::new("split", "text.split(separator, limit)", 2..=3, BuiltinBody::Open(split))
        .doc("The parts between separators; at most `limit` of them, the last with the rest.")
        .example("'web1.acme.example'.split('.')", "[\"web1\",\"acme\",\"example\"]"),
    Builtin::new("join", "list.join(separator)", 1..=2, BuiltinBody::AsTheyAre(join))
        .doc("The elements as one string, with a separator between them if one is given.")
        .example("['a', 'b'].join(', ')", "\"a, b\""),
    Builtin::new("substring", "text.substring(from, to)", 2..=3, BuiltinBody::Open(substring))
        .doc("The characters from one index up to, but not including, another if one is given.")
        .example("'web1.acme'.substring(0, 4)", "\"web1\""),
    Builtin::new("format", "'%s is %d'.format([x, y])", 2..=2, BuiltinBody::Open(format::format))
        .doc("A string in which clauses are replaced by values: `%s` any, `%d` an integer, `%f` and `%e` a number with `%.2f` digits, `%b` binary, `%o` octal, `%x` and `%X` hexadecimal; `%%` is a `%`.")
        .example("'%s:%d'.format(['db', 5432])", "\"db:5432\""),
    Builtin::new("quote", "text.quote()", 1..=1, BuiltinBody::Open(quote))
        .doc("A string in double quotes, with escapes for quotes, backslashes and control characters.")
        .example("'say \"hi\"'.quote()", "\"\\\"say \\\\\\\"hi\\\\\\\"\\\"\""),
    Builtin::new("strings.quote", "strings.quote(text)", 1..=1, BuiltinBody::Open(quote))
        .doc("The same as `quote`.")
        .example("strings.quote('a')", "\"\\\"a\\\"\""),
];

fn starts_with(a: &CallArguments) -> Result<Value, Fault> {
    Ok(a.text(0)?.starts_with(&**a.text(1)?).into())
}

fn ends_with(a: &CallArguments) -> Result<Value, Fault> {
    Ok(a.text(0)?.ends_with(&**a.text(1)?).into())
}

fn contains(a: &CallArguments) -> Result<Value, Fault> {
    Ok(a.text(0)?.contains(&**a.text(1)?).into())
}

fn matches(a: &CallArguments) -> Result<Value, Fault> {
    let (text, written) = (a.text(0)?, a.text(1)?);
    match pattern(written) {
        Ok(pattern) => Ok(pattern.is_match(text).into()),
        Err(why) => Err(a.bad(why)),
    }
}

/// A pattern of bounded size. Recent ones are cached, since one expression is evaluated for many nodes.
fn pattern(written: &str) -> Result<Regex, String> {
    const MAX_KEPT: usize = 64;
    thread_local! {
        static PATTERNS: RefCell<HashMap<String, Regex>> = RefCell::default();
    }
    if let Some(pattern) = PATTERNS.with_borrow(|kept| kept.get(written).cloned()) {
        return Ok(pattern);
    }
    let pattern = compile(written)?;
    PATTERNS.with_borrow_mut(|kept| {
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(written.to_owned(), pattern.clone());
    });
    Ok(pattern)
}

/// Compiles a pattern; the error is one line.
pub(in crate::language) fn compile(written: &str) -> Result<Regex, String> {
    const MAX_SIZE: usize = 512 * 1024;
    RegexBuilder::new(written).size_limit(MAX_SIZE).build().map_err(|why| {
        let why = why.to_string();
        let last = why.lines().next_back().unwrap_or_default();
        format!("cannot use the pattern `{written}`: {}", last.trim_start_matches("error: "))
    })
}

/// The byte at which a character begins, or the end of the text; `None` beyond that.
fn byte_of(text: &str, index: i64) -> Option<usize> {
    let index = usize::try_from(index).ok()?;
    let ends = std::iter::once(text.len());
    text.char_indices().map(|(byte, _)| byte).chain(ends).nth(index)
}

fn position(a: &CallArguments, at: usize, default: i64) -> Result<usize, Fault> {
    let (text, index) = (a.text(0)?, a.int_or(at, default)?);
    byte_of(text, index).ok_or_else(|| {
        let length = counted(text.chars().count(), "character", "characters");
        a.bad(format!("cannot go to index {index} of a string of {length}"))
    })
}

fn characters(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or(i64::MAX)
}

fn char_at(a: &CallArguments) -> Result<Value, Fault> {
    let at = position(a, 1, 0)?;
    Ok(a.text(0)?[at..].chars().next().map(String::from).unwrap_or_default().into())
}

fn index_of(a: &CallArguments) -> Result<Value, Fault> {
    let from = position(a, 2, 0)?;
    let text = a.text(0)?;
    let found = text[from..].find(&**a.text(1)?);
    Ok(found.map_or(-1, |byte| characters(&text[..from + byte])).into())
}

fn last_index_of(a: &CallArguments) -> Result<Value, Fault> {
    let (text, part) = (a.text(0)?, a.text(1)?);
    let last = position(a, 2, characters(text))?;
    // A match that begins at `last` or earlier ends at this byte or earlier; rounded down to a whole character.
    let end = text.floor_char_boundary(last.saturating_add(part.len()));
    let found = text[..end].rfind(&**part);
    Ok(found.map_or(-1, |byte| characters(&text[..byte])).into())
}

fn replace(a: &CallArguments) -> Result<Value, Fault> {
    let (text, old, new) = (a.text(0)?, a.text(1)?, a.text(2)?);
    let limit = usize::try_from(a.int_or(3, -1)?).unwrap_or(usize::MAX);
    let count = text.matches(&**old).count().min(limit);
    bounded_text(text.len().saturating_add(count.saturating_mul(new.len())))?;
    Ok(text.replacen(&**old, new, count).into())
}

fn split(a: &CallArguments) -> Result<Value, Fault> {
    let (text, separator) = (a.text(0)?, a.text(1)?);
    let limit = a.int_or(2, -1)?;
    let parts: Vec<Value> = match usize::try_from(limit) {
        Ok(0) => Vec::new(),
        Ok(limit) if separator.is_empty() => {
            let cut = byte_of(text, i64::try_from(limit - 1).unwrap_or(i64::MAX)).unwrap_or(text.len());
            let single = text[..cut].chars().map(|c| Value::from(c.to_string()));
            let rest = (cut < text.len()).then(|| Value::from(&text[cut..]));
            single.chain(rest).collect()
        }
        Ok(limit) => text.splitn(limit, &**separator).map(Value::from).collect(),
        Err(_) if separator.is_empty() => text.chars().map(|c| Value::from(c.to_string())).collect(),
        Err(_) => text.split(&**separator).map(Value::from).collect(),
    };
    Ok(parts.into())
}

/// Joins scalars. Secrets that follow each other become one secret part, since their number would reveal something
/// about the text that was split into them.
fn join(a: &CallArguments) -> Result<Value, Fault> {
    let empty = Value::from("");
    let separator = a.values.get(1).unwrap_or(&empty);
    let mut text = Stretches::default();
    let items = a.list(0)?;
    for (at, item) in items.iter().enumerate() {
        let start = text.len();
        if at > 0 && !text.push(separator) {
            return Err(a.wrong(1, "a string"));
        }
        if at > 0 && is_all_secret(&items[at - 1]) && is_all_secret(item) {
            text.seal_from(start);
        }
        if !text.push(item) {
            let message = format!("cannot join {} at index {at}; it joins scalars", item.noun());
            return Err(a.bad(message));
        }
        bounded_text(text.len())?;
    }
    Ok(text.finish())
}

fn substring(a: &CallArguments) -> Result<Value, Fault> {
    let text = a.text(0)?;
    let from = position(a, 1, 0)?;
    let to = if a.values.len() > 2 { position(a, 2, 0)? } else { text.len() };
    text.get(from..to).map(Value::from).ok_or_else(|| a.bad("cannot end before it begins"))
}

fn quote(a: &CallArguments) -> Result<Value, Fault> {
    let mut quoted = String::from("\"");
    for c in a.text(0)?.chars() {
        match c {
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\u{b}' => quoted.push_str("\\v"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    Ok(quoted.into())
}
