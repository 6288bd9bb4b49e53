//! Checks a value against a type: finds everything that does not fit, each part with its own place.

use holdfast_catalog::count::counted;
use holdfast_catalog::spelling::{did_you_mean, nearest};
use holdfast_catalog::value::{Kind, Map, Value};

use super::{Defines, LengthBounds, Misfit, Need, StringFormat, StructField, Type};
use crate::language::expression::operator::{compare, described};
use crate::language::problems::MAX_PROBLEMS;
use crate::language::secrecy::exposed;

pub(super) fn check(of: &Type, value: &Value, defines: &dyn Defines) -> Vec<Misfit> {
    let mut walk = TypeCheck { defines, path: Vec::new(), misfits: Vec::new(), more: 0 };
    walk.value(of, value);
    let last = walk.misfits.last().filter(|_| walk.more > 0).cloned();
    let rest = last.map(|last| Misfit { message: format!("and {} more", walk.more), help: None, ..last });
    walk.misfits.extend(rest);
    walk.misfits
}

enum PathStep<'a> {
    Key(&'a str),
    Index(usize),
}

struct TypeCheck<'a> {
    defines: &'a dyn Defines,
    path: Vec<PathStep<'a>>,
    misfits: Vec<Misfit>,
    /// The number of misfits beyond the limit, since every element of a long list may be wrong.
    more: usize,
}

impl<'a> TypeCheck<'a> {
    fn value(&mut self, of: &Type, value: &'a Value) {
        match (of, &value.kind) {
            (Type::Any, _) | (Type::Undef | Type::Optional(_), Kind::Null) => {}
            (Type::Optional(inner), _) | (Type::Sensitive(inner), _) => self.value(inner, value),
            (Type::NotUndef(inner), kind) if *kind != Kind::Null => self.value(inner, value),
            (Type::Array(inner, size), Kind::List(list)) => {
                self.size(of, value, list.len(), *size);
                self.items(value, |_| Some(inner));
            }
            (Type::Tuple(types), Kind::List(list)) => {
                let count = Some(types.len());
                self.size(of, value, list.len(), LengthBounds { min: count, max: count });
                self.items(value, |at| types.get(at));
            }
            (Type::Hash(types, size), Kind::Map(map)) => {
                self.size(of, value, map.len(), *size);
                self.entries(types, map);
            }
            (Type::Struct(fields), Kind::Map(map)) => self.fields(fields, map, value, "key"),
            (Type::Define(name), kind) => match (self.defines.parameters(name), kind) {
                (Some(fields), Kind::Map(map)) => self.fields(&fields, map, value, "parameter"),
                (Some(_), _) => {
                    self.misfit(
                        value,
                        format!("expected the parameters of `{name}`, not {}", found(value)),
                        None,
                    );
                }
                (None, _) => {
                    let names = self.defines.names();
                    let help = did_you_mean(name, names.iter().map(|n| &**n));
                    self.misfit(value, format!("there is no define `{name}`"), help);
                }
            },
            (Type::Variant(types), _) => self.variant(of, types, value),
            _ => self.scalar(of, value),
        }
    }

    fn items<'t>(&mut self, value: &'a Value, of: impl Fn(usize) -> Option<&'t Type>) {
        for (at, item) in value.as_list().unwrap_or_default().iter().enumerate() {
            let Some(of) = of(at) else { continue };
            self.path.push(PathStep::Index(at));
            self.value(of, item);
            self.path.pop();
        }
    }

    fn entries(&mut self, types: &[Type; 2], map: &'a Map) {
        for (key, item) in map {
            self.path.push(PathStep::Key(key));
            let wrong = check(&types[0], &Value::from(key.clone()), self.defines);
            for misfit in wrong {
                self.misfit(item, format!("the key: {}", misfit.message), misfit.help);
            }
            self.value(&types[1], item);
            self.path.pop();
        }
    }

    /// Checks the entries of a `Struct`, or the parameters of a define.
    fn fields(&mut self, fields: &[StructField], map: &'a Map, whole: &'a Value, noun: &str) {
        let unknown: Vec<&str> = map.keys().map(|key| &**key).filter(|key| !knows(fields, key)).collect();
        for field in fields {
            match map.get_key_value(&field.name) {
                Some((key, item)) => {
                    self.path.push(PathStep::Key(key));
                    if !(item.is_null() && field.need == Need::Optional) {
                        self.value(&field.of, item);
                    }
                    self.path.pop();
                }
                // A misspelled key is reported once, at its place.
                None if nearest(&field.name, unknown.iter().copied()).is_some() => {}
                None if field.need == Need::Required => {
                    let message = format!("the {noun} `{}` is missing; it is {}", field.name, field.of);
                    self.misfit(whole, message, None);
                }
                None => {}
            }
        }
        for (key, item) in map {
            if !knows(fields, key) {
                let names: Vec<&str> = fields.iter().map(|field| &*field.name).collect();
                let help = did_you_mean(key, names.iter().copied())
                    .or_else(|| (names.len() <= 12).then(|| format!("there are {}", names.join(", "))));
                self.path.push(PathStep::Key(key));
                self.misfit(item, format!("unknown {noun} `{key}`"), help);
                if let Some(misfit) = self.misfits.last_mut() {
                    misfit.key = Some(key.clone());
                }
                self.path.pop();
            }
        }
    }

    /// Checks a `Variant`. If exactly one alternative has the value's shape, reports what is wrong inside.
    fn variant(&mut self, of: &Type, types: &[Type], value: &'a Value) {
        let mut inside = Vec::new();
        for alternative in types {
            let misfits = check(alternative, value, self.defines);
            if misfits.is_empty() {
                return;
            }
            if misfits.iter().all(|misfit| !misfit.path.is_empty()) {
                inside.push(alternative);
            }
        }
        match inside[..] {
            [only] => self.value(only, value),
            _ => self.misfit(value, format!("expected {of}, not {}", found(value)), None),
        }
    }

    fn size(&mut self, of: &Type, value: &Value, count: usize, size: LengthBounds) {
        if !size.holds(&count) {
            let count = match value.as_map() {
                Some(_) => counted(count, "entry", "entries"),
                None => counted(count, "element", "elements"),
            };
            self.misfit(value, format!("expected {of}, not {count}"), None);
        }
    }

    fn scalar(&mut self, of: &Type, value: &Value) {
        let open = exposed(value);
        if fits(of, &open) {
            return;
        }
        let wanted = match of {
            Type::Format(format) => format!("{of} ({})", format.meaning()),
            _ => of.to_string(),
        };
        let message = format!("expected {wanted}, not {}", found(value));
        let help = if value.is_sensitive() { None } else { help(of, value) };
        self.misfit(value, message, help);
    }

    fn misfit(&mut self, value: &Value, message: String, help: Option<String>) {
        if self.misfits.len() >= MAX_PROBLEMS {
            self.more += 1;
            return;
        }
        let origin = value.origin.clone();
        self.misfits.push(Misfit { path: self.shown_path(), message, help, origin, key: None });
    }

    fn shown_path(&self) -> String {
        let mut path = String::new();
        for step in &self.path {
            match step {
                PathStep::Index(at) => path.push_str(&format!("[{at}]")),
                PathStep::Key(key) => {
                    let is_bare = !key.is_empty()
                        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
                    let dot = if path.is_empty() { "" } else { "." };
                    path.push_str(&if is_bare { format!("{dot}{key}") } else { format!("{dot}{key:?}") });
                }
            }
        }
        path
    }
}

/// Describes the value found. Of a secret, only its kind: being secret is not what is wrong with it. A value with
/// another shape than its type may have the secret in its keys.
fn found(value: &Value) -> String {
    match &value.kind {
        Kind::Sensitive(_) => format!("{}, which is secret and not shown", exposed(value).noun()),
        _ if value.is_sensitive() => value.noun().to_owned(),
        _ => described(value),
    }
}

fn knows(fields: &[StructField], key: &str) -> bool {
    fields.iter().any(|field| &*field.name == key)
}

/// Whether a plain value is of a type without parts.
fn fits(of: &Type, value: &Value) -> bool {
    match (of, &value.kind) {
        (Type::Scalar, Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::String(_)) => true,
        (Type::Boolean, Kind::Bool(_)) => true,
        (Type::String(size), Kind::String(text)) => size.holds(&text.chars().count()),
        (Type::Integer(bounds), Kind::Int(int)) => bounds.holds(int),
        (Type::Float(bounds), Kind::Float(float)) => bounds.holds(float),
        (Type::Number(bounds), Kind::Float(float)) => bounds.holds(float),
        (Type::Number(bounds), Kind::Int(_)) => {
            let ordered = |bound: Option<f64>, wanted: fn(std::cmp::Ordering) -> bool| {
                bound.is_none_or(|b| compare(value, &b.into()).flatten().is_some_and(wanted))
            };
            ordered(bounds.min, std::cmp::Ordering::is_ge) && ordered(bounds.max, std::cmp::Ordering::is_le)
        }
        (Type::Enum(words), Kind::String(text)) => words.contains(text),
        (Type::Pattern(patterns), Kind::String(text)) => patterns.iter().any(|p| p.0.is_match(text)),
        (Type::Format(format), _) => format.holds(value),
        _ => false,
    }
}

/// The help for a value that does not fit. The value is still sealed, so what it shows of secrets is masked.
fn help(of: &Type, value: &Value) -> Option<String> {
    match (of, &value.kind) {
        (Type::Enum(words), Kind::String(text)) => did_you_mean(text, words.iter().map(|w| &**w)),
        (Type::Integer(_) | Type::Format(StringFormat::Port), Kind::String(text))
            if text.parse::<i64>().is_ok() =>
        {
            Some(format!("write it without quotes: {text}"))
        }
        (Type::Boolean, Kind::String(text)) if matches!(&**text, "true" | "false") => {
            Some(format!("write it without quotes: {text}"))
        }
        (Type::String(_), Kind::Int(_) | Kind::Float(_) | Kind::Bool(_)) => {
            Some(format!("write it in quotes: \"{}\"", value.scalar_text().unwrap_or_default()))
        }
        (Type::Float(_), Kind::Int(int)) => Some(format!("write it with a fraction: {int}.0")),
        (Type::Array(inner, _), _) if check(inner, value, &()).is_empty() => {
            Some(format!("write a list with one element as [{}]", value.shown()))
        }
        (_, Kind::Null) => Some(format!("only Optional[{of}] may be null")),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
