//! The built-in functions: one table, for expressions and for the helpers of templates.
//!
//! A function may be written before or after its first argument: `size(x)` is the same as `x.size()`. Only pure
//! functions are here; `lookup`, `template` and the like belong to scopes.

use std::ops::RangeInclusive;
use std::sync::Arc;

use holdfast_catalog::value::{Kind, Map, Value};

use super::operator::described;
use super::outcome::Evaluation;
use crate::diagnostic::Code;
use crate::language::budget::Budget;
use crate::language::fault::Fault;
use crate::language::secrecy::{WITHHELD, exposed, sealed, sealed_if};
use crate::language::word::{Chapter, Word};

mod convert;
mod format;
mod list;
mod math;
mod text;

pub(in crate::language) use text::compile as pattern;

/// A built-in function.
#[derive(Debug)]
pub(in crate::language) struct Builtin {
    pub(in crate::language) name: &'static str,
    /// How it is written, for error messages and the reference.
    pub(in crate::language) usage: &'static str,
    pub(in crate::language) takes: RangeInclusive<usize>,
    run: BuiltinBody,
    doc: &'static str,
    /// An example, and its result as JSON.
    example: [&'static str; 2],
}

/// How a function treats its arguments.
#[derive(Debug)]
enum BuiltinBody {
    /// It gets plain values; if one of them was secret, the whole result is.
    Open(fn(&CallArguments) -> Result<Value, Fault>),
    /// Like [`BuiltinBody::Open`]; the second argument is a pattern.
    Pattern(fn(&CallArguments) -> Result<Value, Fault>),
    /// Like [`BuiltinBody::Open`]; each element is compared with each other.
    Pairs(fn(&CallArguments) -> Result<Value, Fault>),
    /// It gets values as they are, secrets included: it looks only at their structure, or keeps secret parts of texts
    /// itself.
    AsTheyAre(fn(&CallArguments) -> Result<Value, Fault>),
    /// Like [`BuiltinBody::AsTheyAre`], through all levels of the value.
    Throughout(fn(&CallArguments) -> Result<Value, Fault>),
    /// Like [`BuiltinBody::AsTheyAre`]; the result may have no value.
    Optional(fn(&CallArguments) -> Result<Option<Value>, Fault>),
    /// It takes an optional, and is handled by the evaluator.
    OfOptional,
}

impl Builtin {
    const fn new(
        name: &'static str,
        usage: &'static str,
        takes: RangeInclusive<usize>,
        run: BuiltinBody,
    ) -> Self {
        Self { name, usage, takes, run, doc: "", example: [""; 2] }
    }

    const fn doc(self, doc: &'static str) -> Self {
        Self { doc, ..self }
    }

    const fn example(self, expression: &'static str, gives: &'static str) -> Self {
        Self { example: [expression, gives], ..self }
    }

    /// Whether its first argument is an optional.
    pub(super) fn is_optional(&self) -> bool {
        matches!(self.run, BuiltinBody::OfOptional)
    }

    fn word(&self) -> Word {
        let Self { name, usage, doc, example: [example, gives], .. } = *self;
        Word { name, usage, doc, example, gives }
    }
}

/// The functions that make optionals or take them.
const OPTIONALS: &[Builtin] = &[
    Builtin::new(
        "optional.of",
        "optional.of(x)",
        1..=1,
        BuiltinBody::Optional(|a| Ok(Some(a.value(0).clone()))),
    )
    .doc("An optional with a value.")
    .example("optional.of(1).orValue(2)", "1"),
    Builtin::new("optional.none", "optional.none()", 0..=0, BuiltinBody::Optional(|_| Ok(None)))
        .doc("An optional without a value.")
        .example("optional.none().orValue(2)", "2"),
    Builtin::new(
        "optional.ofNonZeroValue",
        "optional.ofNonZeroValue(x)",
        1..=1,
        BuiltinBody::Optional(|a| of_non_zero(a.value(0))),
    )
    .doc("An optional with a value, unless that is empty, zero, false or null.")
    .example("optional.ofNonZeroValue('').orValue('none')", "\"none\""),
    Builtin::new("hasValue", "a.?b.hasValue()", 1..=1, BuiltinBody::OfOptional)
        .doc("Whether there is a value.")
        .example("{'a': 1}.?b.hasValue()", "false"),
    Builtin::new("value", "a.?b.value()", 1..=1, BuiltinBody::OfOptional)
        .doc("The value; an error if there is none.")
        .example("{'a': 1}.?a.value()", "1"),
    Builtin::new("orValue", "a.?b.orValue(x)", 2..=2, BuiltinBody::OfOptional)
        .doc("The value, or another if there is none.")
        .example("{'a': 1}.?b.orValue(0)", "0"),
    Builtin::new("or", "a.?b.or(a.?c)", 2..=2, BuiltinBody::OfOptional)
        .doc("An optional, or another if it has no value.")
        .example("{'a': 1}.?b.or({'c': 3}.?c).orValue(0)", "3"),
];

/// `optional.ofNonZeroValue`. Refuses secrets: whether there is a value would reveal something, and an optional cannot
/// be secret.
fn of_non_zero(value: &Value) -> Result<Option<Value>, Fault> {
    if matches!(value.kind, Kind::Sensitive(_)) {
        let message = "`optional.ofNonZeroValue` of a sensitive value would show whether it is empty";
        return Err(Fault::new(Code::Secret, message, 0..0).help("compare it: x == '' ? … : …"));
    }
    Ok((!is_zero(value)).then(|| value.clone()))
}

fn is_zero(value: &Value) -> bool {
    match &value.kind {
        Kind::Null => true,
        Kind::Bool(b) => !b,
        Kind::Int(i) => *i == 0,
        Kind::Float(x) => *x == 0.0,
        Kind::String(s) => s.is_empty(),
        Kind::List(l) => l.is_empty(),
        Kind::Map(m) => m.is_empty(),
        Kind::Sensitive(_) => false,
    }
}

/// All functions, by topic.
const TABLES: &[(&str, &[Builtin])] = &[
    ("Strings", text::TABLE),
    ("Lists and maps", list::TABLE),
    ("Conversions, encodings and digests", convert::TABLE),
    ("Optionals", OPTIONALS),
    ("Numbers", math::TABLE),
];

fn table() -> impl Iterator<Item = &'static Builtin> {
    TABLES.iter().flat_map(|(_, table)| *table)
}

/// The documentation of the functions, by topic.
pub(super) fn chapters() -> impl Iterator<Item = Chapter> {
    TABLES.iter().map(|(title, table)| Chapter::new(title, table.iter().map(Builtin::word)))
}

/// Finds a function by its name.
pub(in crate::language) fn find(name: &str) -> Option<&'static Builtin> {
    table().find(|builtin| builtin.name == name)
}

/// The names of all functions.
pub(in crate::language) fn names() -> impl Iterator<Item = &'static str> {
    table().map(|builtin| builtin.name)
}

/// Calls a function with as many arguments as it takes. Faults have no span.
pub(in crate::language) fn call(
    builtin: &Builtin,
    arguments: &[Value],
    budget: &mut Budget,
) -> Result<Evaluation, Fault> {
    called(builtin, arguments, budget, sealed_result)
}

/// Like [`call`], for a loop whose whole output is secret: there, the number of parts that a secret is split into does
/// not show.
pub(in crate::language) fn call_hidden(
    builtin: &Builtin,
    arguments: &[Value],
    budget: &mut Budget,
) -> Result<Evaluation, Fault> {
    called(builtin, arguments, budget, |builtin, arguments, value| match builtin.name {
        "split" => Ok(sealed(value)),
        _ => sealed_result(builtin, arguments, value),
    })
}

fn called(
    builtin: &Builtin,
    arguments: &[Value],
    budget: &mut Budget,
    seal: fn(&Builtin, &[Value], Value) -> Result<Value, Fault>,
) -> Result<Evaluation, Fault> {
    let run = |values: &[Value], run: fn(&CallArguments) -> Result<Value, Fault>| {
        run(&CallArguments { name: builtin.name, values })
    };
    let value = match builtin.run {
        BuiltinBody::Open(function) | BuiltinBody::Pattern(function) | BuiltinBody::Pairs(function) => {
            match builtin.run {
                BuiltinBody::Pairs(_) => arguments.iter().try_for_each(|argument| budget.pairs(argument))?,
                _ => arguments.iter().try_for_each(|argument| budget.weigh(argument))?,
            }
            if let (BuiltinBody::Pattern(_), [text, pattern]) = (&builtin.run, arguments)
                && let (Kind::String(text), Kind::String(written)) =
                    (&exposed(text).kind, &exposed(pattern).kind)
            {
                budget.pattern(written, text.len())?;
            }
            if arguments.iter().any(Value::is_sensitive) {
                let open: Vec<Value> = arguments.iter().map(exposed).collect();
                let value = run(&open, function).map_err(|fault| withheld(builtin, fault))?;
                seal(builtin, arguments, value)?
            } else {
                run(arguments, function)?
            }
        }
        BuiltinBody::AsTheyAre(function) => {
            arguments.iter().try_for_each(|argument| budget.glance(argument))?;
            run(arguments, function)?
        }
        BuiltinBody::Throughout(function) => {
            arguments.iter().try_for_each(|argument| budget.weigh(argument))?;
            run(arguments, function)?
        }
        BuiltinBody::Optional(function) => {
            return function(&CallArguments { name: builtin.name, values: arguments })
                .map(Evaluation::Optional);
        }
        BuiltinBody::OfOptional => {
            return Err(Fault::new(Code::WrongType, format!("it is {}", builtin.usage), 0..0));
        }
    };
    if let Kind::String(text) = &value.kind {
        budget.text(text.len())?;
    }
    Ok(value.into())
}

/// Seals the result of a function of secrets. A list shows its length. That of `sort` is the length of its argument,
/// which is visible anyway; any other would reveal something about the secret that was split, compared or counted.
fn sealed_result(builtin: &Builtin, arguments: &[Value], value: Value) -> Result<Value, Fault> {
    let is_as_long = |list: &[Value]| match builtin.run {
        BuiltinBody::Pairs(_) => false,
        _ => arguments.first().and_then(Value::as_list).is_some_and(|given| given.len() == list.len()),
    };
    match &value.kind {
        Kind::List(list) if is_as_long(list) => list
            .iter()
            .cloned()
            .map(|item| sealed_if(true, item))
            .collect::<Result<Vec<_>, _>>()
            .map(Value::from),
        _ => sealed_if(true, value).map_err(|_| {
            let message =
                format!("the result of `{}` on a sensitive value would show its length", builtin.name);
            Fault::new(Code::Secret, message, 0..0).help("a type can mark parts as secret: Array[Secret]")
        }),
    }
}

fn withheld(builtin: &Builtin, fault: Fault) -> Fault {
    if fault.code == Code::Limit {
        return fault;
    }
    let said = Fault::new(fault.code, format!("`{}` failed on {WITHHELD}", builtin.name), 0..0);
    Fault { withheld: true, ..said }
}

/// The arguments of a call, with access by type.
struct CallArguments<'a> {
    name: &'static str,
    values: &'a [Value],
}

impl CallArguments<'_> {
    /// An argument that exists according to the table.
    fn value(&self, at: usize) -> &Value {
        self.values.get(at).unwrap_or(&Value::NULL)
    }

    fn text(&self, at: usize) -> Result<&Arc<str>, Fault> {
        match &self.value(at).kind {
            Kind::String(text) => Ok(text),
            _ => Err(self.wrong(at, "a string")),
        }
    }

    fn int(&self, at: usize) -> Result<i64, Fault> {
        self.value(at).as_int().ok_or_else(|| self.wrong(at, "an integer"))
    }

    fn int_or(&self, at: usize, default: i64) -> Result<i64, Fault> {
        if at < self.values.len() { self.int(at) } else { Ok(default) }
    }

    fn list(&self, at: usize) -> Result<&[Value], Fault> {
        self.value(at).as_list().ok_or_else(|| self.wrong(at, "a list"))
    }

    fn map(&self, at: usize) -> Result<&Map, Fault> {
        self.value(at).as_map().ok_or_else(|| self.wrong(at, "a map"))
    }

    fn wrong(&self, at: usize, wanted: &str) -> Fault {
        let message = format!("`{}` takes {wanted}, not {}", self.name, described(self.value(at)));
        let fault = Fault::new(Code::WrongType, message, 0..0);
        if self.value(at).is_null() { fault.help("use default(x, other) for null") } else { fault }
    }

    fn bad(&self, message: impl std::fmt::Display) -> Fault {
        Fault::new(Code::BadValue, format!("`{}` {message}", self.name), 0..0)
    }
}
