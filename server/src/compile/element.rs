//! Finds the elements of a list, or the entries of a map, that make an attribute invalid: each is checked alone.

use std::sync::Arc;

use holdfast_catalog::resource::{AttributeError, AttributeKind, Attributes, TypeDef};
use holdfast_catalog::value::{Kind, Map, Value};

/// The most elements to check alone; in a longer list, only the whole is reported.
const MAX_TRIED: usize = 1_000;
/// The most elements to report.
const MAX_TOLD: usize = 5;

/// The elements that alone are wrong in the same way as the whole, each with its error; empty if only the whole is wrong.
pub(super) fn wrong<'v>(
    def: &TypeDef,
    title: &str,
    error: &AttributeError,
    value: &'v Value,
) -> Vec<(&'v Value, AttributeError)> {
    // Checked alone, an element lacks the rest of the resource: what follows from that is reported for the whole, or
    // not at all.
    let is_of_kind = error.is_of_kind && matches!(value.kind, Kind::List(_));
    let is_same = |other: &AttributeError| match is_of_kind {
        true => other.is_of_kind,
        false => other.message == error.message,
    };
    let tried = |one: Value| {
        let attributes: Attributes = [(error.attribute.into(), one)].into_iter().collect();
        let errors = (def.check)(title, &attributes).err()?;
        errors.into_iter().find(|other| other.attribute == error.attribute && is_same(other))
    };
    match &value.kind {
        Kind::List(list) if list.len() <= MAX_TRIED => {
            let wrong = list.iter().filter_map(|item| Some((item, tried(vec![item.clone()].into())?)));
            wrong.map(|(item, error)| (item, of_element(def, item, error))).take(MAX_TOLD).collect()
        }
        Kind::Map(map) if map.len() <= MAX_TRIED => {
            let alone = |key: &Arc<str>, item: &Value| {
                tried([(key.clone(), item.clone())].into_iter().collect::<Map>().into())
            };
            map.iter().filter_map(|(key, item)| Some((item, alone(key, item)?))).take(MAX_TOLD).collect()
        }
        _ => Vec::new(),
    }
}

/// Rewrites the error of one element, whose words are about the list around it.
fn of_element(def: &TypeDef, item: &Value, error: AttributeError) -> AttributeError {
    let kind = def.attributes.iter().find(|attribute| attribute.name == error.attribute);
    let Some(kind) = kind.map(|attribute| attribute.kind).filter(|_| error.is_of_kind) else {
        return error;
    };
    let item = item.described();
    let message = match kind {
        AttributeKind::List(inner) => format!("`{}` has {item}, which is not {inner}", error.attribute),
        _ => format!("`{}` has {item}, but takes {kind}", error.attribute),
    };
    AttributeError { message, ..error }
}
