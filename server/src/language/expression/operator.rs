//! Operators on plain values. Faults have no span, since only the evaluator knows it.

use std::cmp::Ordering;
use std::sync::Arc;

use holdfast_catalog::value::{Kind, Map, Value};

use crate::diagnostic::Code;
use crate::language::fault::Fault;

/// An operator between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::language) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
}

impl Binary {
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Equal => "==",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "in",
        }
    }
}

/// Applies an operator to two values without secrets.
pub(super) fn apply(operator: Binary, left: &Value, right: &Value) -> Result<Value, Fault> {
    match operator {
        Binary::Equal => Ok(equal(left, right).into()),
        Binary::Unequal => Ok((!equal(left, right)).into()),
        Binary::In => contains(left, right).map(Value::from),
        Binary::Less | Binary::LessOrEqual | Binary::Greater | Binary::GreaterOrEqual => {
            let order = compare(left, right).ok_or_else(|| mismatch(operator, left, right))?;
            Ok(holds(operator, order).into())
        }
        _ => arithmetic(operator, left, right),
    }
}

fn holds(operator: Binary, order: Option<Ordering>) -> bool {
    match operator {
        Binary::Less => order == Some(Ordering::Less),
        Binary::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Binary::Greater => order == Some(Ordering::Greater),
        _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}

fn arithmetic(operator: Binary, left: &Value, right: &Value) -> Result<Value, Fault> {
    match (&left.kind, &right.kind) {
        (Kind::Int(a), Kind::Int(b)) => integers(operator, *a, *b),
        (Kind::Float(a), Kind::Float(b)) => match operator {
            Binary::Add => Ok((a + b).into()),
            Binary::Subtract => Ok((a - b).into()),
            Binary::Multiply => Ok((a * b).into()),
            Binary::Divide => Ok((a / b).into()),
            _ => Err(mismatch(operator, left, right)),
        },
        (Kind::String(a), Kind::String(b)) if operator == Binary::Add => Ok(Value::from(format!("{a}{b}"))),
        (Kind::List(a), Kind::List(b)) if operator == Binary::Add => {
            Ok(a.iter().chain(b.iter()).cloned().collect::<Vec<_>>().into())
        }
        _ => Err(mismatch(operator, left, right)),
    }
}

fn integers(operator: Binary, a: i64, b: i64) -> Result<Value, Fault> {
    let result = match operator {
        Binary::Add => a.checked_add(b),
        Binary::Subtract => a.checked_sub(b),
        Binary::Multiply => a.checked_mul(b),
        Binary::Divide | Binary::Remainder if b == 0 => {
            let message = format!("{a} {} 0: division by zero", operator.sign());
            return Err(Fault::new(Code::BadValue, message, 0..0));
        }
        Binary::Divide => a.checked_div(b),
        _ => a.checked_rem(b),
    };
    result.map(Value::from).ok_or_else(|| {
        Fault::new(
            Code::BadValue,
            format!("{a} {} {b} does not fit in a signed 64-bit integer", operator.sign()),
            0..0,
        )
    })
}

fn mismatch(operator: Binary, left: &Value, right: &Value) -> Fault {
    let message =
        format!("`{}` does not apply to {} and {}", operator.sign(), described(left), described(right));
    let fault = Fault::new(Code::WrongType, message, 0..0);
    match (&left.kind, &right.kind) {
        (Kind::Int(_), Kind::Float(_)) | (Kind::Float(_), Kind::Int(_)) => {
            fault.help("convert one of them with int(…) or double(…)")
        }
        (Kind::String(_), Kind::Int(_) | Kind::Float(_) | Kind::Bool(_))
        | (Kind::Int(_) | Kind::Float(_) | Kind::Bool(_), Kind::String(_)) => match operator {
            Binary::Add => fault.help("convert the other with string(…)"),
            _ => fault.help("convert the string with int(…) or double(…)"),
        },
        (Kind::Null, _) | (_, Kind::Null) => fault.help("use default(x, other) for null"),
        _ => fault,
    }
}

/// A value with its noun, for error messages: `the string "x"`, `null`. A long value is shortened.
pub(in crate::language) fn described(value: &Value) -> String {
    let shown = || value.beginning(60);
    match &value.kind {
        Kind::Null | Kind::Sensitive(_) => value.noun().to_owned(),
        Kind::List(_) | Kind::Map(_) => format!("{} {}", value.noun(), shown()),
        // JSON has only null for it
        Kind::Float(float) if float.is_nan() => "NaN, which is not a number".to_owned(),
        Kind::Float(float) if float.is_infinite() => "an infinite number".to_owned(),
        _ => format!("the {} {}", value.noun().split(' ').next_back().unwrap_or_default(), shown()),
    }
}

/// Whether two values are equal. Numbers are compared by value, whatever their types; values of different types are
/// never equal.
pub(in crate::language) fn equal(left: &Value, right: &Value) -> bool {
    match (&left.kind, &right.kind) {
        (Kind::Int(_) | Kind::Float(_), Kind::Int(_) | Kind::Float(_)) => {
            compare(left, right) == Some(Some(Ordering::Equal))
        }
        (Kind::List(a), Kind::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| equal(a, b))
        }
        (Kind::Map(a), Kind::Map(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|((j, a), (k, b))| j == k && equal(a, b))
        }
        (a, b) => a == b,
    }
}

/// The order of two values. The outer `Option` is `None` if such values have no order, the inner one if one of them is NaN.
pub(crate) fn compare(left: &Value, right: &Value) -> Option<Option<Ordering>> {
    match (&left.kind, &right.kind) {
        (Kind::Int(a), Kind::Int(b)) => Some(Some(a.cmp(b))),
        (Kind::Float(a), Kind::Float(b)) => Some(a.partial_cmp(b)),
        (Kind::Int(a), Kind::Float(b)) => Some(mixed(*a, *b)),
        (Kind::Float(a), Kind::Int(b)) => Some(mixed(*b, *a).map(Ordering::reverse)),
        (Kind::String(a), Kind::String(b)) => Some(Some(a.cmp(b))),
        (Kind::Bool(a), Kind::Bool(b)) => Some(Some(a.cmp(b))),
        _ => None,
    }
}

/// Compares an integer with a float, without rounding either.
fn mixed(int: i64, float: f64) -> Option<Ordering> {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    if float.is_nan() {
        return None;
    }
    if float >= BEYOND {
        return Some(Ordering::Less);
    }
    if float < -BEYOND {
        return Some(Ordering::Greater);
    }
    // Within the range, so that the cast removes only the fraction.
    let whole = float.trunc() as i64;
    let rest = 0.0_f64.partial_cmp(&float.fract())?;
    Some(int.cmp(&whole).then(rest))
}

/// Sorts by the first of each pair; the sort is stable. Returns `false` if some keys have no order among each other.
pub(super) fn sort<T>(keyed: &mut [(Value, T)]) -> bool {
    let total = |a: &Value, b: &Value| compare(a, b).flatten();
    let Some((first, _)) = keyed.first() else { return true };
    if !keyed.iter().all(|(key, _)| total(first, key).is_some()) {
        return false;
    }
    keyed.sort_by(|(a, _), (b, _)| total(a, b).unwrap_or(Ordering::Equal));
    true
}

/// `item in container`.
fn contains(item: &Value, container: &Value) -> Result<bool, Fault> {
    match &container.kind {
        Kind::List(list) => Ok(list.iter().any(|other| equal(item, other))),
        Kind::Map(map) => Ok(item.as_str().is_some_and(|key| map.contains_key(key))),
        _ => {
            let message = format!("`in` looks into a list or a map, not into {}", described(container));
            let fault = Fault::new(Code::WrongType, message, 0..0);
            Err(match container.kind {
                Kind::String(_) => fault.help("text.contains(part) searches a string"),
                _ => fault,
            })
        }
    }
}

/// The element of a list or the entry of a map; `None` if it is missing.
pub(in crate::language) fn index<'a>(operand: &'a Value, index: &Value) -> Result<Option<&'a Value>, Fault> {
    match (&operand.kind, &index.kind) {
        (Kind::Map(map), Kind::String(key)) => Ok(map.get(key)),
        (Kind::List(list), Kind::Int(at)) => Ok(usize::try_from(*at).ok().and_then(|at| list.get(at))),
        // As in CEL, any number without a fraction is an index, whatever its type.
        (Kind::List(list), Kind::Float(at)) if at.fract() == 0.0 && *at >= 0.0 => Ok(list.get(*at as usize)),
        (Kind::Map(_), _) => Err(wrong_index("a key of a map is a string", index)),
        (Kind::List(_), _) => Err(wrong_index("an index of a list is an integer", index)),
        _ => Err(Fault::new(Code::WrongType, format!("{} cannot be indexed", described(operand)), 0..0)),
    }
}

fn wrong_index(rule: &str, index: &Value) -> Fault {
    Fault::new(Code::WrongType, format!("{rule}, not {}", described(index)), 0..0)
}

/// The error for a missing element or key, with the most similar key suggested.
pub(in crate::language) fn missing(operand: &Value, index: &Value) -> Fault {
    let fault = |message: String| Fault::new(Code::MissingKey, message, 0..0);
    match (&operand.kind, &index.kind) {
        (Kind::Map(map), Kind::String(key)) => missing_key(map, key),
        (Kind::List(list), _) => {
            fault(format!("there is no index {} in a list of {}", index.shown(), list.len()))
        }
        _ => fault(format!("there is no {}", index.shown())),
    }
}

fn missing_key(map: &Map, key: &Arc<str>) -> Fault {
    let fault = Fault::new(Code::MissingKey, format!("there is no key `{}`", key.escape_debug()), 0..0)
        .did_you_mean(key, map.keys().map(|k| &**k));
    if fault.help.is_some() || map.len() > 12 {
        return fault;
    }
    let keys: Vec<&str> = map.keys().map(|k| &**k).collect();
    fault.help(if keys.is_empty() {
        "the map is empty".to_owned()
    } else {
        format!("there are {}", keys.join(", "))
    })
}
