//! Checks one level's part of a value against its type before any node reads it: for what cannot be right whatever the
//! other levels have. What only the whole value shows (missing entries, the number of elements) is not checked.

use holdfast_catalog::value::{Kind, Value};

use crate::language::formula::Formula;
use crate::language::merge::Merge;
use crate::language::types::{Defines, Misfit, Type};

/// The parts of a level's value that cannot be of the type. Results of expressions are known only for a node.
pub(super) fn misfits(merge: &Merge, of: &Type, formula: &Formula, defines: &dyn Defines) -> Vec<Misfit> {
    let inner = if matches!(merge, Merge::Deep(_)) { merge } else { &Merge::First };
    match (formula, bare(of)) {
        (Formula::Constant(value), _) => constant(merge, of, value, defines),
        (Formula::List(list, _), Type::Array(of, _)) => {
            list.iter().flat_map(|item| misfits(inner, of, item, defines)).collect()
        }
        (Formula::Map(map, _), Type::Hash(types, _)) => {
            map.values().flat_map(|item| misfits(inner, &types[1], item, defines)).collect()
        }
        _ => Vec::new(),
    }
}

/// What of a level's value, which is known, cannot be of the type.
pub(super) fn constant(merge: &Merge, of: &Type, value: &Value, defines: &dyn Defines) -> Vec<Misfit> {
    if value.is_null() {
        return Vec::new();
    }
    let value = of.sealed(value, defines);
    match merge {
        Merge::First => of.check(&value, defines),
        Merge::Unique => match bare(of) {
            Type::Array(inner, _) => {
                flat(&value).into_iter().flat_map(|item| inner.check(item, defines)).collect()
            }
            _ => Vec::new(),
        },
        Merge::Hash => match (bare(of), value.as_map()) {
            (Type::Hash(types, _), Some(map)) => {
                map.values().flat_map(|item| types[1].check(item, defines)).collect()
            }
            (Type::Hash(..), None) => of.check(&value, defines),
            _ => Vec::new(),
        },
        Merge::Deep(options) => deep(of, &value, options.knockout_prefix.as_deref(), defines),
    }
}

fn flat(value: &Value) -> Vec<&Value> {
    match value.as_list() {
        Some(list) => list.iter().flat_map(flat).collect(),
        None if value.is_null() => Vec::new(),
        None => vec![value],
    }
}

fn deep(of: &Type, value: &Value, prefix: Option<&str>, defines: &dyn Defines) -> Vec<Misfit> {
    let is_marker = |text: &str| prefix.is_some_and(|prefix| text.starts_with(prefix));
    if value.is_null() || value.as_str().is_some_and(is_marker) {
        return Vec::new();
    }
    let inside = |of: &Type, value: &Value| deep(of, value, prefix, defines);
    match (bare(of), &value.kind) {
        (Type::Any | Type::Tuple(_), _) => Vec::new(),
        (Type::Array(inner, _), Kind::List(list)) => {
            list.iter().flat_map(|item| inside(inner, item)).collect()
        }
        (Type::Hash(types, _), Kind::Map(map)) => {
            let entries = map.iter().filter(|(key, _)| !is_marker(key));
            entries.flat_map(|(_, item)| inside(&types[1], item)).collect()
        }
        (Type::Struct(fields), Kind::Map(map)) => {
            let field =
                |field: &crate::language::types::StructField| Some(inside(&field.of, map.get(&field.name)?));
            fields.iter().filter_map(field).flatten().collect()
        }
        (Type::Define(name), Kind::Map(map)) => {
            let fields = defines.parameters(name).unwrap_or_default();
            let field =
                |field: &crate::language::types::StructField| Some(inside(&field.of, map.get(&field.name)?));
            fields.iter().filter_map(field).flatten().collect()
        }
        (Type::Variant(types), _) => {
            let fits = types.iter().any(|of| inside(of, value).is_empty());
            if fits { Vec::new() } else { of.check(value, defines) }
        }
        _ => of.check(value, defines),
    }
}

/// The type inside `Optional`, `NotUndef` and `Sensitive`.
fn bare(of: &Type) -> &Type {
    match of {
        Type::Optional(inner) | Type::NotUndef(inner) | Type::Sensitive(inner) => bare(inner),
        _ => of,
    }
}
