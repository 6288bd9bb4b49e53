//! Which elements of a list, or entries of a map, keep an attribute from being read: each is tried alone.

use holdfast_catalog::resource::{AttributeError, AttributeKind, Attributes, TypeDef};
use holdfast_catalog::value::{Kind, Map, Value};

/// In a longer list, the whole is named.
const TRIED: usize = 1_000;
/// So many are told.
const TOLD: usize = 5;

/// The elements that are wrong by themselves, each with what is wrong with it; none where only the whole is.
pub(super) fn wrong<'v>(
    def: &TypeDef,
    title: &str,
    error: &AttributeError,
    value: &'v Value,
) -> Vec<(&'v Value, AttributeError)> {
    let tried = |one: Value| {
        let attributes: Attributes = [(error.attribute.into(), one)].into_iter().collect();
        let errors = (def.check)(title, &attributes).err()?;
        errors.into_iter().find(|other| other.attribute == error.attribute)
    };
    match &value.kind {
        Kind::List(list) if list.len() <= TRIED => {
            let wrong = list.iter().filter_map(|item| Some((item, tried(vec![item.clone()].into())?)));
            wrong.map(|(item, error)| (item, of_element(def, item, error))).take(TOLD).collect()
        }
        Kind::Map(map) if map.len() <= TRIED => {
            let alone = |key: &std::sync::Arc<str>, item: &Value| {
                tried([(key.clone(), item.clone())].into_iter().collect::<Map>().into())
            };
            map.iter().filter_map(|(key, item)| Some((item, alone(key, item)?))).take(TOLD).collect()
        }
        _ => Vec::new(),
    }
}

/// What is wrong with one element, where the words are of the list around it.
fn of_element(def: &TypeDef, item: &Value, error: AttributeError) -> AttributeError {
    let kind = def.attributes.iter().find(|attribute| attribute.name == error.attribute);
    match kind.map(|attribute| attribute.kind) {
        Some(AttributeKind::List(inner))
            if error.message.starts_with(&format!("`{}` is a list", error.attribute)) =>
        {
            let message = format!("`{}` has {}, which is not {inner}", error.attribute, described(item));
            AttributeError { message, ..error }
        }
        _ => error,
    }
}

/// A value in an error text: itself where it is short, else what it is.
pub(super) fn described(value: &Value) -> String {
    let shown = value.shown();
    match &value.kind {
        Kind::List(_) | Kind::Map(_) | Kind::Null => value.noun().to_owned(),
        _ if shown.chars().count() > 60 => value.noun().to_owned(),
        _ => shown,
    }
}
