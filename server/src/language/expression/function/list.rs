//! Functions over lists and maps. Those that only move elements keep their secrets and origins.

use holdfast_catalog::value::{Kind, Value};

use super::super::operator;
use super::{Arguments, Builtin, Run};
use crate::language::fault::{Code, Fault};

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("size", "size(x)", 1..=1, Run::AsTheyAre(size)),
    Builtin::new("slice", "list.slice(from, to)", 3..=3, Run::AsTheyAre(slice)),
    Builtin::new("flatten", "list.flatten(depth)", 1..=2, Run::AsTheyAre(flatten)),
    Builtin::new("distinct", "list.distinct()", 1..=1, Run::Open(distinct)),
    Builtin::new("sort", "list.sort()", 1..=1, Run::Open(sort)),
    Builtin::new("reverse", "list.reverse()", 1..=1, Run::AsTheyAre(reverse)),
    Builtin::new("lists.range", "lists.range(count)", 1..=1, Run::Open(range)),
    Builtin::new("first", "list.first()", 1..=1, Run::Optional(|a| Ok(a.list(0)?.first().cloned()))),
    Builtin::new("last", "list.last()", 1..=1, Run::Optional(|a| Ok(a.list(0)?.last().cloned()))),
    Builtin::new("keys", "keys(map)", 1..=1, Run::AsTheyAre(keys)),
    Builtin::new("values", "values(map)", 1..=1, Run::AsTheyAre(values)),
    Builtin::new("default", "default(x, other)", 2..=2, Run::AsTheyAre(default)),
];

fn size(a: &Arguments) -> Result<Value, Fault> {
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

fn slice(a: &Arguments) -> Result<Value, Fault> {
    let (list, from, to) = (a.list(0)?, a.int(1)?, a.int(2)?);
    let range = usize::try_from(from).ok().zip(usize::try_from(to).ok());
    match range.and_then(|(from, to)| list.get(from..to)) {
        Some(part) => Ok(part.to_vec().into()),
        None => Err(a.bad(format!("cannot cut {from} to {to} out of a list of {}", list.len()))),
    }
}

fn flatten(a: &Arguments) -> Result<Value, Fault> {
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

/// The most elements that are compared each with each.
const MAX_DISTINCT: usize = 5_000;

fn distinct(a: &Arguments) -> Result<Value, Fault> {
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

fn sort(a: &Arguments) -> Result<Value, Fault> {
    let mut keyed: Vec<(Value, ())> = a.list(0)?.iter().map(|item| (item.clone(), ())).collect();
    if !operator::sort(&mut keyed) {
        let fault = Fault::new(Code::WrongType, "these elements have no order among each other", 0..0);
        return Err(fault.help("`sort` takes numbers alone or strings alone; sortBy(x, key) takes maps"));
    }
    Ok(keyed.into_iter().map(|(item, ())| item).collect::<Vec<_>>().into())
}

/// Reverses a list, or the characters of a text.
fn reverse(a: &Arguments) -> Result<Value, Fault> {
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

fn range(a: &Arguments) -> Result<Value, Fault> {
    const MOST: i64 = 100_000;
    let count = a.int(0)?;
    if !(0..=MOST).contains(&count) {
        let message = format!("`lists.range` makes 0 to {MOST} elements, not {count}");
        return Err(Fault::new(Code::Limit, message, 0..0));
    }
    Ok((0..count).map(Value::from).collect::<Vec<_>>().into())
}

fn keys(a: &Arguments) -> Result<Value, Fault> {
    Ok(a.map(0)?.keys().map(|key| Value::from(key.clone())).collect::<Vec<_>>().into())
}

fn values(a: &Arguments) -> Result<Value, Fault> {
    Ok(a.map(0)?.values().cloned().collect::<Vec<_>>().into())
}

/// The first, or the second where the first is null.
fn default(a: &Arguments) -> Result<Value, Fault> {
    Ok(a.value(usize::from(a.value(0).is_null())).clone())
}
