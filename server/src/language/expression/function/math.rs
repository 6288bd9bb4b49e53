//! The `math` functions.

use std::cmp::Ordering;

use holdfast_catalog::value::{Kind, Value};

use super::super::operator;
use super::{Builtin, BuiltinBody, CallArguments};
use crate::language::fault::Fault;

const MANY: usize = 64;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new(
        "math.greatest",
        "math.greatest(x, y, …)",
        1..=MANY,
        BuiltinBody::Open(|a| extreme(a, Ordering::Greater)),
    )
    .doc("The greatest of some numbers, or of a list of them.")
    .example("math.greatest([128, 512])", "512"),
    Builtin::new(
        "math.least",
        "math.least(x, y, …)",
        1..=MANY,
        BuiltinBody::Open(|a| extreme(a, Ordering::Less)),
    )
    .doc("The least of some numbers, or of a list of them.")
    .example("math.least(128, 512)", "128"),
    Builtin::new("math.ceil", "math.ceil(double)", 1..=1, BuiltinBody::Open(|a| Ok(float(a)?.ceil().into())))
        .doc("The number rounded up to a whole number.")
        .example("math.ceil(1.2)", "2.0"),
    Builtin::new(
        "math.floor",
        "math.floor(double)",
        1..=1,
        BuiltinBody::Open(|a| Ok(float(a)?.floor().into())),
    )
    .doc("The number rounded down to a whole number.")
    .example("math.floor(1.8)", "1.0"),
    Builtin::new(
        "math.round",
        "math.round(double)",
        1..=1,
        BuiltinBody::Open(|a| Ok(float(a)?.round().into())),
    )
    .doc("The nearest whole number; halves are rounded away from zero.")
    .example("math.round(1.5)", "2.0"),
    Builtin::new(
        "math.trunc",
        "math.trunc(double)",
        1..=1,
        BuiltinBody::Open(|a| Ok(float(a)?.trunc().into())),
    )
    .doc("A number without its fraction.")
    .example("math.trunc(-1.8)", "-1.0"),
    Builtin::new(
        "math.isNaN",
        "math.isNaN(double)",
        1..=1,
        BuiltinBody::Open(|a| Ok(float(a)?.is_nan().into())),
    )
    .doc("Whether it is not a number, such as `0.0 / 0.0`.")
    .example("math.isNaN(1.0)", "false"),
    Builtin::new(
        "math.isInf",
        "math.isInf(double)",
        1..=1,
        BuiltinBody::Open(|a| Ok(float(a)?.is_infinite().into())),
    )
    .doc("Whether it is infinite.")
    .example("math.isInf(1.0 / 0.0)", "true"),
    Builtin::new(
        "math.isFinite",
        "math.isFinite(double)",
        1..=1,
        BuiltinBody::Open(|a| Ok(float(a)?.is_finite().into())),
    )
    .doc("Whether it is a number and not infinite.")
    .example("math.isFinite(1.0)", "true"),
    Builtin::new("math.sqrt", "math.sqrt(number)", 1..=1, BuiltinBody::Open(sqrt))
        .doc("The square root.")
        .example("math.sqrt(9)", "3.0"),
    Builtin::new("math.abs", "math.abs(number)", 1..=1, BuiltinBody::Open(abs))
        .doc("The absolute value.")
        .example("math.abs(-3)", "3"),
    Builtin::new("math.sign", "math.sign(number)", 1..=1, BuiltinBody::Open(sign))
        .doc("-1, 0 or 1, for numbers below, at or above zero.")
        .example("math.sign(-3)", "-1"),
    Builtin::new(
        "math.bitAnd",
        "math.bitAnd(int, int)",
        2..=2,
        BuiltinBody::Open(|a| Ok((a.int(0)? & a.int(1)?).into())),
    )
    .doc("The bits that are set in both.")
    .example("math.bitAnd(6, 3)", "2"),
    Builtin::new(
        "math.bitOr",
        "math.bitOr(int, int)",
        2..=2,
        BuiltinBody::Open(|a| Ok((a.int(0)? | a.int(1)?).into())),
    )
    .doc("The bits that are set in at least one.")
    .example("math.bitOr(6, 3)", "7"),
    Builtin::new(
        "math.bitXor",
        "math.bitXor(int, int)",
        2..=2,
        BuiltinBody::Open(|a| Ok((a.int(0)? ^ a.int(1)?).into())),
    )
    .doc("The bits that are set in exactly one.")
    .example("math.bitXor(6, 3)", "5"),
    Builtin::new("math.bitNot", "math.bitNot(int)", 1..=1, BuiltinBody::Open(|a| Ok((!a.int(0)?).into())))
        .doc("Every bit inverted.")
        .example("math.bitNot(0)", "-1"),
    Builtin::new(
        "math.bitShiftLeft",
        "math.bitShiftLeft(int, bits)",
        2..=2,
        BuiltinBody::Open(|a| shift(a, i64::wrapping_shl)),
    )
    .doc("The bits shifted left; a shift by 64 or more gives 0.")
    .example("math.bitShiftLeft(1, 10)", "1024"),
    Builtin::new(
        "math.bitShiftRight",
        "math.bitShiftRight(int, bits)",
        2..=2,
        BuiltinBody::Open(|a| shift(a, logical_right)),
    )
    .doc("The bits shifted right, with zeros from the left.")
    .example("math.bitShiftRight(1024, 10)", "1"),
];

fn float(a: &CallArguments) -> Result<f64, Fault> {
    match a.value(0).kind {
        Kind::Float(x) => Ok(x),
        Kind::Int(_) => {
            Err(a.wrong(0, "a double").help("an integer has no fraction; double(x) makes one of it"))
        }
        _ => Err(a.wrong(0, "a double")),
    }
}

/// The extreme of the arguments, or of the elements if there is one list.
fn extreme(a: &CallArguments, wanted: Ordering) -> Result<Value, Fault> {
    let of = match a.values {
        [one] => one.as_list().unwrap_or(a.values),
        _ => a.values,
    };
    let (first, rest) = of.split_first().ok_or_else(|| a.bad("takes at least one number"))?;
    let is_number = |value: &&Value| matches!(value.kind, Kind::Int(_) | Kind::Float(_));
    if let Some(other) = of.iter().find(|value| !is_number(value)) {
        return Err(a.bad(format!("takes numbers, not {}", operator::described(other))));
    }
    let better = |best: Value, value: &Value| {
        if operator::compare(value, &best).flatten() == Some(wanted) { value.clone() } else { best }
    };
    Ok(rest.iter().fold(first.clone(), better))
}

fn sqrt(a: &CallArguments) -> Result<Value, Fault> {
    match a.value(0).kind {
        Kind::Int(i) => Ok((i as f64).sqrt().into()),
        Kind::Float(x) => Ok(x.sqrt().into()),
        _ => Err(a.wrong(0, "a number")),
    }
}

fn abs(a: &CallArguments) -> Result<Value, Fault> {
    match a.value(0).kind {
        Kind::Int(i) => {
            i.checked_abs().map(Value::from).ok_or_else(|| a.bad("does not fit in a signed 64-bit integer"))
        }
        Kind::Float(x) => Ok(x.abs().into()),
        _ => Err(a.wrong(0, "a number")),
    }
}

fn sign(a: &CallArguments) -> Result<Value, Fault> {
    match a.value(0).kind {
        Kind::Int(i) => Ok(i.signum().into()),
        Kind::Float(x) if x == 0.0 || x.is_nan() => Ok(x.into()),
        Kind::Float(x) => Ok(x.signum().into()),
        _ => Err(a.wrong(0, "a number")),
    }
}

/// Shifts an integer; shifting by 64 bits or more gives 0.
fn shift(a: &CallArguments, by: fn(i64, u32) -> i64) -> Result<Value, Fault> {
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
