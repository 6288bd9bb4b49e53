//! Conversions between types, encodings and digests.

use holdfast_catalog::hash;
use holdfast_catalog::value::{Kind, Value};

use super::super::operator::described;
use super::{Builtin, BuiltinBody, CallArguments};
use crate::language::fault::Fault;
use crate::language::secrecy::Stretches;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("int", "int(x)", 1..=1, BuiltinBody::Open(int))
        .doc("An integer from a number, without its fraction, or from a string.")
        .example("int('8080')", "8080"),
    Builtin::new("uint", "uint(x)", 1..=1, BuiltinBody::Open(uint))
        .doc("Like `int`, but not negative.")
        .example("uint('8080')", "8080"),
    Builtin::new("double", "double(x)", 1..=1, BuiltinBody::Open(double))
        .doc("A number with a fraction, from an integer or from a string.")
        .example("double('1.5')", "1.5"),
    Builtin::new("string", "string(x)", 1..=1, BuiltinBody::AsTheyAre(string))
        .doc("A number or a boolean as a string.")
        .example("string(8080)", "\"8080\""),
    Builtin::new("bool", "bool(x)", 1..=1, BuiltinBody::Open(bool))
        .doc("A boolean from a string: `true`, `t` and `1`, or `false`, `f` and `0`.")
        .example("bool('true')", "true"),
    Builtin::new("type", "type(x)", 1..=1, BuiltinBody::Open(type_of))
        .doc("The name of a value's type: `string`, `int`, `double`, `bool`, `list`, `map`, `null_type`.")
        .example("type([1])", "\"list\""),
    Builtin::new("dyn", "dyn(x)", 1..=1, BuiltinBody::AsTheyAre(|a| Ok(a.value(0).clone())))
        .doc("The value itself; CEL has this function for its type checker.")
        .example("dyn(1)", "1"),
    Builtin::new("json", "json(x)", 1..=1, BuiltinBody::Open(json))
        .doc("A value as compact JSON.")
        .example("json({'a': [1, true]})", "\"{\\\"a\\\":[1,true]}\""),
    Builtin::new(
        "sha256",
        "sha256(text)",
        1..=1,
        BuiltinBody::Open(|a| Ok(hash::sha256(a.text(0)?.as_bytes()).into())),
    )
    .doc("The SHA-256 of a string, as hexadecimal digits.")
    .example("sha256('abc').substring(0, 8)", "\"ba7816bf\""),
    Builtin::new("base64.encode", "base64.encode(text)", 1..=1, BuiltinBody::Open(encode))
        .doc("The bytes of a string in base64.")
        .example("base64.encode('user:pass')", "\"dXNlcjpwYXNz\""),
    Builtin::new("base64.decode", "base64.decode(text)", 1..=1, BuiltinBody::Open(decode))
        .doc("The string that base64 encodes.")
        .example("base64.decode('dXNlcjpwYXNz')", "\"user:pass\""),
];

fn int(a: &CallArguments) -> Result<Value, Fault> {
    let value = a.value(0);
    let int = match &value.kind {
        Kind::Int(i) => Some(*i),
        // Strictly within the range, so that the cast removes only the fraction.
        Kind::Float(x) if x.abs() < 9_223_372_036_854_775_808.0 => Some(*x as i64),
        Kind::String(text) => text.parse().ok(),
        _ => None,
    };
    int.map(Value::from).ok_or_else(|| a.bad(format!("cannot make an integer from {}", described(value))))
}

fn uint(a: &CallArguments) -> Result<Value, Fault> {
    let value = int(a)?;
    match value.as_int() {
        Some(0..) => Ok(value),
        _ => Err(a.bad(format!("cannot make an unsigned integer from {}", described(a.value(0))))),
    }
}

fn double(a: &CallArguments) -> Result<Value, Fault> {
    let value = a.value(0);
    let float = match &value.kind {
        Kind::Int(i) => Some(*i as f64),
        Kind::Float(x) => Some(*x),
        Kind::String(text) => text.parse().ok(),
        _ => None,
    };
    float.map(Value::from).ok_or_else(|| a.bad(format!("cannot make a double from {}", described(value))))
}

fn string(a: &CallArguments) -> Result<Value, Fault> {
    let mut text = Stretches::default();
    if text.push(a.value(0)) {
        return Ok(text.finish());
    }
    Err(a
        .bad(format!("cannot make a string from {}", a.value(0).noun()))
        .help("json(x) writes lists and maps"))
}

fn bool(a: &CallArguments) -> Result<Value, Fault> {
    let value = a.value(0);
    let bool = match &value.kind {
        Kind::Bool(b) => Some(*b),
        Kind::String(text) => match &**text {
            "true" | "True" | "TRUE" | "t" | "1" => Some(true),
            "false" | "False" | "FALSE" | "f" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    };
    bool.map(Value::from).ok_or_else(|| a.bad(format!("cannot make a boolean from {}", described(value))))
}

/// The name of the type in CEL, as a string.
fn type_of(a: &CallArguments) -> Result<Value, Fault> {
    Ok(match a.value(0).kind {
        Kind::Null => "null_type",
        Kind::Bool(_) => "bool",
        Kind::Int(_) => "int",
        Kind::Float(_) => "double",
        Kind::String(_) | Kind::Sensitive(_) => "string",
        Kind::List(_) => "list",
        Kind::Map(_) => "map",
    }
    .into())
}

/// Compact JSON. The arguments of an open function contain no secrets, so nothing is masked.
fn json(a: &CallArguments) -> Result<Value, Fault> {
    Ok(a.value(0).to_json_masked().to_string().into())
}

fn encode(a: &CallArguments) -> Result<Value, Fault> {
    Ok(data_encoding::BASE64.encode(a.text(0)?.as_bytes()).into())
}

fn decode(a: &CallArguments) -> Result<Value, Fault> {
    let text = a.text(0)?;
    let padded = data_encoding::BASE64.decode(text.as_bytes());
    let bytes = padded.or_else(|_| data_encoding::BASE64_NOPAD.decode(text.as_bytes()));
    let bytes =
        bytes.map_err(|_| a.bad(format!("cannot decode {}: it is not base64", described(a.value(0)))))?;
    String::from_utf8(bytes).map(Value::from).map_err(|_| a.bad("gives bytes that are not text"))
}
