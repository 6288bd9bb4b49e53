//! The `math` functions.

use std::cmp::Ordering;

use holdfast_catalog::value::{Kind, Value};

use super::super::operator;
use super::{Arguments, Builtin, Run};
use crate::language::fault::Fault;

const MANY: usize = 64;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new(
        "math.greatest",
        "math.greatest(x, y, …)",
        1..=MANY,
        Run::Open(|a| extreme(a, Ordering::Greater)),
    ),
    Builtin::new("math.least", "math.least(x, y, …)", 1..=MANY, Run::Open(|a| extreme(a, Ordering::Less))),
    Builtin::new("math.ceil", "math.ceil(double)", 1..=1, Run::Open(|a| Ok(float(a)?.ceil().into()))),
    Builtin::new("math.floor", "math.floor(double)", 1..=1, Run::Open(|a| Ok(float(a)?.floor().into()))),
    Builtin::new("math.round", "math.round(double)", 1..=1, Run::Open(|a| Ok(float(a)?.round().into()))),
    Builtin::new("math.trunc", "math.trunc(double)", 1..=1, Run::Open(|a| Ok(float(a)?.trunc().into()))),
    Builtin::new("math.isNaN", "math.isNaN(double)", 1..=1, Run::Open(|a| Ok(float(a)?.is_nan().into()))),
    Builtin::new(
        "math.isInf",
        "math.isInf(double)",
        1..=1,
        Run::Open(|a| Ok(float(a)?.is_infinite().into())),
    ),
    Builtin::new(
        "math.isFinite",
        "math.isFinite(double)",
        1..=1,
        Run::Open(|a| Ok(float(a)?.is_finite().into())),
    ),
    Builtin::new("math.sqrt", "math.sqrt(number)", 1..=1, Run::Open(sqrt)),
    Builtin::new("math.abs", "math.abs(number)", 1..=1, Run::Open(abs)),
    Builtin::new("math.sign", "math.sign(number)", 1..=1, Run::Open(sign)),
    Builtin::new(
        "math.bitAnd",
        "math.bitAnd(int, int)",
        2..=2,
        Run::Open(|a| Ok((a.int(0)? & a.int(1)?).into())),
    ),
    Builtin::new(
        "math.bitOr",
        "math.bitOr(int, int)",
        2..=2,
        Run::Open(|a| Ok((a.int(0)? | a.int(1)?).into())),
    ),
    Builtin::new(
        "math.bitXor",
        "math.bitXor(int, int)",
        2..=2,
        Run::Open(|a| Ok((a.int(0)? ^ a.int(1)?).into())),
    ),
    Builtin::new("math.bitNot", "math.bitNot(int)", 1..=1, Run::Open(|a| Ok((!a.int(0)?).into()))),
    Builtin::new(
        "math.bitShiftLeft",
        "math.bitShiftLeft(int, bits)",
        2..=2,
        Run::Open(|a| shift(a, i64::wrapping_shl)),
    ),
    Builtin::new(
        "math.bitShiftRight",
        "math.bitShiftRight(int, bits)",
        2..=2,
        Run::Open(|a| shift(a, logical_right)),
    ),
];

fn float(a: &Arguments) -> Result<f64, Fault> {
    match a.value(0).kind {
        Kind::Float(x) => Ok(x),
        Kind::Int(_) => {
            Err(a.wrong(0, "a double").help("an integer has no fraction; double(x) makes one of it"))
        }
        _ => Err(a.wrong(0, "a double")),
    }
}

/// Of the arguments, or of the elements of one list.
fn extreme(a: &Arguments, wanted: Ordering) -> Result<Value, Fault> {
    let of = match a.values {
        [one] => one.as_list().unwrap_or(a.values),
        _ => a.values,
    };
    let (first, rest) = of.split_first().ok_or_else(|| a.bad("wants at least one number"))?;
    let is_number = |value: &&Value| matches!(value.kind, Kind::Int(_) | Kind::Float(_));
    if let Some(other) = of.iter().find(|value| !is_number(value)) {
        return Err(a.bad(format!("wants numbers, not {}", operator::described(other))));
    }
    let better = |best: Value, value: &Value| {
        if operator::compare(value, &best).flatten() == Some(wanted) { value.clone() } else { best }
    };
    Ok(rest.iter().fold(first.clone(), better))
}

fn sqrt(a: &Arguments) -> Result<Value, Fault> {
    match a.value(0).kind {
        Kind::Int(i) => Ok((i as f64).sqrt().into()),
        Kind::Float(x) => Ok(x.sqrt().into()),
        _ => Err(a.wrong(0, "a number")),
    }
}

fn abs(a: &Arguments) -> Result<Value, Fault> {
    match a.value(0).kind {
        Kind::Int(i) => i.checked_abs().map(Value::from).ok_or_else(|| a.bad("is beyond 64 bits signed")),
        Kind::Float(x) => Ok(x.abs().into()),
        _ => Err(a.wrong(0, "a number")),
    }
}

fn sign(a: &Arguments) -> Result<Value, Fault> {
    match a.value(0).kind {
        Kind::Int(i) => Ok(i.signum().into()),
        Kind::Float(x) if x == 0.0 || x.is_nan() => Ok(x.into()),
        Kind::Float(x) => Ok(x.signum().into()),
        _ => Err(a.wrong(0, "a number")),
    }
}

/// Shifts; 64 bits and more leave nothing.
fn shift(a: &Arguments, by: fn(i64, u32) -> i64) -> Result<Value, Fault> {
    let (int, bits) = (a.int(0)?, a.int(1)?);
    match u32::try_from(bits) {
        Ok(bits @ 0..=63) => Ok(by(int, bits).into()),
        _ if bits < 0 => Err(a.bad(format!("cannot shift by {bits} bits"))),
        _ => Ok(0.into()),
    }
}

fn logical_right(int: i64, bits: u32) -> i64 {
    (int.cast_unsigned() >> bits).cast_signed()
}
