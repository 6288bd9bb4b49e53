//! Functions over lists and maps. Those that only move elements keep their secrets and origins.

use holdfast_catalog::value::{Kind, Value};

use super::super::operator;
use super::{Builtin, BuiltinBody, CallArguments};
use crate::diagnostic::Code;
use crate::language::fault::Fault;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("size", "size(x)", 1..=1, BuiltinBody::AsTheyAre(size))
        .doc("The number of characters in a string, elements in a list, or entries in a map.")
        .example("size(['a', 'b'])", "2"),
    Builtin::new("slice", "list.slice(from, to)", 3..=3, BuiltinBody::AsTheyAre(slice))
        .doc("The elements from one index up to, but not including, another.")
        .example("[1, 2, 3, 4].slice(1, 3)", "[2,3]"),
    Builtin::new("flatten", "list.flatten(depth)", 1..=2, BuiltinBody::Throughout(flatten))
        .doc(
            "A list in which inner lists are replaced by their elements, one level deep or to a given depth.",
        )
        .example("[1, [2, [3]]].flatten()", "[1,2,[3]]"),
    Builtin::new("distinct", "list.distinct()", 1..=1, BuiltinBody::Pairs(distinct))
        .doc("A list without duplicates; the first of equal elements stays.")
        .example("['a', 'b', 'a'].distinct()", "[\"a\",\"b\"]"),
    Builtin::new("sort", "list.sort()", 1..=1, BuiltinBody::Open(sort))
        .doc("A sorted list of numbers or of strings.")
        .example("[3, 1, 2].sort()", "[1,2,3]"),
    Builtin::new("reverse", "list.reverse()", 1..=1, BuiltinBody::AsTheyAre(reverse))
        .doc("A list or a string in reverse order.")
        .example("[1, 2, 3].reverse()", "[3,2,1]"),
    Builtin::new("lists.range", "lists.range(count)", 1..=1, BuiltinBody::Open(range))
        .doc("The integers from 0 up to, but not including, a count.")
        .example("lists.range(3)", "[0,1,2]"),
    Builtin::new("first", "list.first()", 1..=1, BuiltinBody::Optional(|a| Ok(a.list(0)?.first().cloned())))
        .doc("The first element, as an optional: it has no value if the list is empty.")
        .example("['a', 'b'].first().orValue('none')", "\"a\""),
    Builtin::new("last", "list.last()", 1..=1, BuiltinBody::Optional(|a| Ok(a.list(0)?.last().cloned())))
        .doc("The last element, as an optional: it has no value if the list is empty.")
        .example("[].last().orValue('none')", "\"none\""),
    Builtin::new("keys", "keys(map)", 1..=1, BuiltinBody::AsTheyAre(keys))
        .doc("The keys of a map, sorted.")
        .example("keys({'b': 1, 'a': 2})", "[\"a\",\"b\"]"),
    Builtin::new("values", "values(map)", 1..=1, BuiltinBody::AsTheyAre(values))
        .doc("The values of a map, in the order of their keys.")
        .example("values({'b': 1, 'a': 2})", "[2,1]"),
    Builtin::new("default", "default(x, other)", 2..=2, BuiltinBody::AsTheyAre(default))
        .doc("A value, or another if it is null.")
        .example("default(null, 80)", "80"),
];

fn size(a: &CallArguments) -> Result<Value, Fault> {
    let count = match &a.value(0).kind {
        Kind::String(text) => text.chars().count(),
        Kind::List(list) => list.len(),
        Kind::Map(map) => map.len(),
        Kind::Sensitive(secret) => {
            let open = secret.expose();
            let count = open.as_str().ok_or_else(|| a.wrong(0, "a string, a list or a map"))?.chars().count();
            let count = Value::from(i64::try_from(count).unwrap_or(i64::MAX));
            return Ok(super::sealed(count));
        }
        _ => return Err(a.wrong(0, "a string, a list or a map")),
    };
    Ok(i64::try_from(count).unwrap_or(i64::MAX).into())
}

fn slice(a: &CallArguments) -> Result<Value, Fault> {
    let (list, from, to) = (a.list(0)?, a.int(1)?, a.int(2)?);
    let range = usize::try_from(from).ok().zip(usize::try_from(to).ok());
    match range.and_then(|(from, to)| list.get(from..to)) {
        Some(part) => Ok(part.to_vec().into()),
        None => Err(a.bad(format!("cannot cut {from} to {to} out of a list of {}", list.len()))),
    }
}

fn flatten(a: &CallArguments) -> Result<Value, Fault> {
    fn into(list: &[Value], depth: i64, flat: &mut Vec<Value>) {
        for item in list {
            match item.as_list() {
                Some(inner) if depth > 0 => into(inner, depth - 1, flat),
                _ => flat.push(item.clone()),
            }
        }
    }
    let depth = a.int_or(1, 1)?;
    if !(0..=16).contains(&depth) {
        return Err(a.bad(format!("goes 0 to 16 levels deep, not {depth}")));
    }
    let mut flat = Vec::new();
    into(a.list(0)?, depth, &mut flat);
    Ok(flat.into())
}

/// The most elements of which each is compared with each other.
const MAX_DISTINCT: usize = 5_000;

fn distinct(a: &CallArguments) -> Result<Value, Fault> {
    let list = a.list(0)?;
    if list.len() > MAX_DISTINCT {
        let message = format!("`distinct` takes at most {MAX_DISTINCT} elements, not {}", list.len());
        return Err(Fault::new(Code::Limit, message, 0..0));
    }
    let mut kept: Vec<Value> = Vec::new();
    for item in list {
        if !kept.iter().any(|other| operator::equal(other, item)) {
            kept.push(item.clone());
        }
    }
    Ok(kept.into())
}

fn sort(a: &CallArguments) -> Result<Value, Fault> {
    let mut keyed: Vec<(Value, ())> = a.list(0)?.iter().map(|item| (item.clone(), ())).collect();
    if !operator::sort(&mut keyed) {
        let fault = Fault::new(Code::WrongType, "these elements cannot be compared with each other", 0..0);
        return Err(fault.help("`sort` takes only numbers or only strings; sortBy(x, key) takes maps"));
    }
    Ok(keyed.into_iter().map(|(item, ())| item).collect::<Vec<_>>().into())
}

/// Reverses a list, or the characters of a text.
fn reverse(a: &CallArguments) -> Result<Value, Fault> {
    let reversed = |text: &str| Value::from(text.chars().rev().collect::<String>());
    match &a.value(0).kind {
        Kind::List(list) => Ok(list.iter().rev().cloned().collect::<Vec<_>>().into()),
        Kind::String(text) => Ok(reversed(text)),
        Kind::Sensitive(secret) => match secret.expose().as_str() {
            Some(text) => Ok(super::sealed(reversed(text))),
            None => Err(a.wrong(0, "a list or a string")),
        },
        _ => Err(a.wrong(0, "a list or a string")),
    }
}

fn range(a: &CallArguments) -> Result<Value, Fault> {
    const MAX_ELEMENTS: i64 = 100_000;
    let count = a.int(0)?;
    if !(0..=MAX_ELEMENTS).contains(&count) {
        let message = format!("`lists.range` makes 0 to {MAX_ELEMENTS} elements, not {count}");
        return Err(Fault::new(Code::Limit, message, 0..0));
    }
    Ok((0..count).map(Value::from).collect::<Vec<_>>().into())
}

fn keys(a: &CallArguments) -> Result<Value, Fault> {
    Ok(a.map(0)?.keys().map(|key| Value::from(key.clone())).collect::<Vec<_>>().into())
}

fn values(a: &CallArguments) -> Result<Value, Fault> {
    Ok(a.map(0)?.values().cloned().collect::<Vec<_>>().into())
}

/// The first argument, or the second if the first is null.
fn default(a: &CallArguments) -> Result<Value, Fault> {
    Ok(a.value(usize::from(a.value(0).is_null())).clone())
}
