//! Which parts of a type are secret, and which parts of a value become secret by its type.
//!
//! If a value does not have the shape of a type that contains secrets, it is unknown which part was meant to be the
//! secret, so all of it is.

use std::sync::Arc;

use holdfast_catalog::value::{Kind, Map, Value};

use super::{Defines, StructField, Type};
use crate::language::secrecy;

/// The shape of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeShape {
    /// A string, a number, a boolean or a secret.
    Scalar,
    List,
    Map,
}

impl TypeShape {
    /// The shape of a value; `None` for null.
    pub fn of(value: &Value) -> Option<Self> {
        match &value.kind {
            Kind::Null => None,
            Kind::List(_) => Some(Self::List),
            Kind::Map(_) => Some(Self::Map),
            _ => Some(Self::Scalar),
        }
    }
}

impl Type {
    /// Whether a part of its values is secret.
    pub fn holds_secrets(&self, defines: &dyn Defines) -> bool {
        self.holds(defines, &mut Vec::new())
    }

    /// Whether the type itself contains `Sensitive`, without looking into defines.
    pub fn names_secrets(&self) -> bool {
        matches!(self, Self::Sensitive(_)) || self.inner().any(Self::names_secrets)
    }

    /// Whether its values can be maps with arbitrary keys, or contain such maps.
    pub fn has_open_keys(&self) -> bool {
        matches!(self, Self::Any | Self::Hash(..)) || self.inner().any(Self::has_open_keys)
    }

    fn holds(&self, defines: &dyn Defines, seen: &mut Vec<Arc<str>>) -> bool {
        match self {
            Self::Sensitive(_) => true,
            Self::Define(name) if seen.contains(name) => false,
            Self::Define(name) => {
                seen.push(name.clone());
                let fields = defines.parameters(name);
                fields.is_none_or(|fields| fields.iter().any(|field| field.of.holds(defines, seen)))
            }
            _ => self.inner().any(|inner| inner.holds(defines, seen)),
        }
    }

    /// Whether values of it may have this shape.
    pub fn has_shape(&self, shape: TypeShape) -> bool {
        match self {
            Self::Any => true,
            Self::Undef => false,
            Self::Optional(inner) | Self::NotUndef(inner) | Self::Sensitive(inner) => inner.has_shape(shape),
            Self::Variant(types) => types.iter().any(|inner| inner.has_shape(shape)),
            Self::Array(..) | Self::Tuple(_) => shape == TypeShape::List,
            Self::Hash(..) | Self::Struct(_) | Self::Define(_) => shape == TypeShape::Map,
            _ => shape == TypeShape::Scalar,
        }
    }

    /// The alternatives of a `Variant` that determine what is secret in a value; empty if nothing is.
    ///
    /// # Errors
    /// Returns an error if no alternative fits such a value, so that all of it may be secret.
    pub fn secret_alternatives<'t>(
        types: &'t [Self],
        value: &Value,
        defines: &dyn Defines,
    ) -> Result<Vec<&'t Self>, NoAlternative> {
        let Some(shape) = TypeShape::of(value) else { return Ok(Vec::new()) };
        let shaped: Vec<&Self> = types.iter().filter(|inner| inner.has_shape(shape)).collect();
        // A part of a map may become complete when levels are merged; a scalar stays what it is.
        let taken: Vec<&Self> = match shape {
            TypeShape::Scalar => {
                shaped.into_iter().filter(|of| of.check(value, defines).is_empty()).collect()
            }
            // With another number of elements, it is unknown which of them is which.
            TypeShape::List => {
                let count = value.as_list().map_or(0, <[Value]>::len);
                let fits = |of: &&&Self| of.takes_count(count) && of.check(value, defines).is_empty();
                let fitting: Vec<&Self> = shaped.iter().filter(fits).copied().collect();
                if fitting.is_empty() { shaped } else { fitting }
            }
            TypeShape::Map => shaped,
        };
        if taken.is_empty() {
            return Err(NoAlternative);
        }
        Ok(taken.into_iter().filter(|inner| inner.holds_secrets(defines)).collect())
    }

    /// The value with every part sealed that the type declares as `Sensitive`, and every part that does not have the
    /// type's shape.
    pub fn sealed(&self, value: &Value, defines: &dyn Defines) -> Value {
        self.part(value, defines).unwrap_or_else(|| value.clone())
    }

    /// The sealed value; `None` if it stays as it is, so that long lists are shared and not copied.
    fn part(&self, value: &Value, defines: &dyn Defines) -> Option<Value> {
        if value.is_null() || !self.holds_secrets(defines) {
            return None;
        }
        let sealed: Value = match (self, &value.kind) {
            (Self::Optional(inner) | Self::NotUndef(inner), _) => return inner.part(value, defines),
            (Self::Variant(types), _) => match Self::secret_alternatives(types, value, defines) {
                Ok(secret) => {
                    return secret.into_iter().fold(None, |sealed, inner| {
                        inner.part(sealed.as_ref().unwrap_or(value), defines).or(sealed)
                    });
                }
                Err(NoAlternative) => whole(value)?,
            },
            (Self::Array(inner, _), Kind::List(list)) => items(list, |_, item| inner.part(item, defines))?,
            (Self::Tuple(types), Kind::List(list)) if Self::are_in_order(types, list, defines) => {
                items(list, |at, item| types[at].part(item, defines))?
            }
            (Self::Tuple(_), Kind::List(list)) => items(list, |_, item| whole(item))?,
            (Self::Hash(types, _), Kind::Map(map)) => entries(map, |_, item| types[1].part(item, defines))?,
            (Self::Struct(fields), Kind::Map(map)) => sealed_fields(fields, map, defines)?,
            (Self::Define(name), Kind::Map(map)) => match defines.parameters(name) {
                Some(fields) => sealed_fields(&fields, map, defines)?,
                None => whole(value)?,
            },
            (Self::Sensitive(_), _) if secrecy::is_all_secret(value) => return None,
            (Self::Sensitive(inner), _) => {
                secrecy::sealed_whole(value.clone(), &|key| inner.names(key, defines, &mut Vec::new()))
            }
            _ => whole(value)?,
        };
        Some(Value { origin: value.origin.clone(), ..sealed })
    }

    /// Whether the elements of a list are where a `Tuple` of these types has them. If one is missing or they are
    /// swapped, it is unknown which of them is the secret.
    pub fn are_in_order(types: &[Self], list: &[Value], defines: &dyn Defines) -> bool {
        let is_in_place =
            |(of, item): (&Self, &Value)| of.holds_secrets(defines) || of.check(item, defines).is_empty();
        types.len() == list.len() && types.iter().zip(list).all(is_in_place)
    }

    /// Whether lists of it may have this many elements.
    fn takes_count(&self, count: usize) -> bool {
        match self {
            Self::Optional(inner) | Self::NotUndef(inner) | Self::Sensitive(inner) => {
                inner.takes_count(count)
            }
            Self::Variant(types) => types.iter().any(|inner| inner.takes_count(count)),
            Self::Array(_, size) => size.holds(&count),
            Self::Tuple(types) => types.len() == count,
            Self::Any => true,
            _ => false,
        }
    }

    /// Whether it names a key of the maps that its values are or contain.
    fn names(&self, key: &str, defines: &dyn Defines, seen: &mut Vec<Arc<str>>) -> bool {
        let is_named = |fields: &[StructField]| fields.iter().any(|field| &*field.name == key);
        match self {
            Self::Struct(fields) if is_named(fields) => true,
            Self::Define(name) if !seen.contains(name) => {
                seen.push(name.clone());
                let fields = defines.parameters(name);
                fields.is_some_and(|fields| {
                    is_named(&fields) || fields.iter().any(|field| field.of.names(key, defines, seen))
                })
            }
            _ => self.inner().any(|inner| inner.names(key, defines, seen)),
        }
    }
}

/// Seals a value that does not have the shape of its type, with all of its keys; `None` if it is secret already.
fn whole(value: &Value) -> Option<Value> {
    (!secrecy::is_all_secret(value)).then(|| secrecy::sealed_whole(value.clone(), &|_| false))
}

/// The list with the elements that `seal` changes; `None` if there are none.
fn items(list: &[Value], seal: impl Fn(usize, &Value) -> Option<Value>) -> Option<Value> {
    let mut changed: Option<Vec<Value>> = None;
    for (at, item) in list.iter().enumerate() {
        if let Some(sealed) = seal(at, item) {
            changed.get_or_insert_with(|| list.to_vec())[at] = sealed;
        }
    }
    changed.map(Value::from)
}

/// The map with the entries that `seal` changes; `None` if there are none.
fn entries(map: &Map, seal: impl Fn(&Arc<str>, &Value) -> Option<Value>) -> Option<Value> {
    let mut changed: Option<Map> = None;
    for (key, item) in map {
        if let Some(sealed) = seal(key, item) {
            changed.get_or_insert_with(|| map.clone()).insert(key.clone(), sealed);
        }
    }
    changed.map(Value::from)
}

/// No alternative of a `Variant` fits a value of this shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoAlternative;

/// Seals the entries of a map. An unknown entry may be a secret with a misspelled name.
fn sealed_fields(fields: &[StructField], map: &Map, defines: &dyn Defines) -> Option<Value> {
    entries(map, |key, item| match fields.iter().find(|field| field.name == *key) {
        Some(field) => field.of.part(item, defines),
        None => whole(item),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(of: &str, value: impl Into<Value>) -> String {
        Type::parse(of).unwrap().sealed(&value.into(), &()).shown()
    }

    fn pair(pw: &str, port: i64) -> Value {
        [("pw", pw.into()), ("port", port.into())].into()
    }

    #[test]
    fn a_value_without_the_shape_of_its_type_is_secret_as_a_whole() {
        for of in [
            "Hash[String, Secret]",
            "Struct[{pw => Secret}]",
            "Array[Secret]",
            "Variant[Sensitive[String[50]], Integer]",
            "Variant[Struct[{pw => Secret}], Boolean]",
            "Hash[String, Array[Secret]]",
            "Tuple[Secret, Secret]",
        ] {
            assert_eq!(shown(of, "hunter2"), "[sensitive]", "{of}");
            let inside = shown(of, [("other", Value::from(vec!["hunter2".into()]))]);
            assert!(!inside.contains("hunter2"), "{of}: {inside}");
            let list =
                shown(of, vec![Value::from("hunter2"), "hunter2".into(), vec!["hunter2".into()].into()]);
            assert!(!list.contains("hunter2"), "{of}: {list}");
        }
    }

    #[test]
    fn of_alternatives_the_secret_one_wins_in_any_order() {
        for of in ["Variant[String, Sensitive[String]]", "Variant[Sensitive[String], String]"] {
            assert_eq!(shown(of, "hunter2"), "[sensitive]", "{of}");
            let map = shown(&format!("Hash[String, {of}]"), [("a", "hunter2".into())]);
            assert_eq!(map, r#"{"a":"[sensitive]"}"#);
        }
        assert_eq!(shown("Variant[Boolean, Hash[String, Secret]]", true), "true");
    }

    #[test]
    fn a_part_of_an_alternative_is_sealed_before_it_is_whole_and_the_rest_stays_open() {
        let of = "Variant[Undef, Struct[{pw => Secret, port => Port}]]";
        assert_eq!(shown(of, [("pw", "hunter2".into())]), r#"{"pw":"[sensitive]"}"#);
        assert_eq!(shown(of, [("port", 80.into())]), r#"{"port":80}"#);
        assert_eq!(shown(of, pair("hunter2", 80)), r#"{"port":80,"pw":"[sensitive]"}"#);
        assert_eq!(shown(of, [("pww", "hunter2".into())]), r#"{"pww":"[sensitive]"}"#);
    }

    #[test]
    fn a_tuple_with_another_number_of_elements_is_secret_as_a_whole() {
        let list = |count: usize| -> Vec<Value> { (0..count).map(|n| format!("word{n}").into()).collect() };
        for of in [
            "Tuple[String, Secret]",
            "Optional[Tuple[String, Secret]]",
            "Variant[Tuple[String, Secret], Integer]",
            "Variant[Tuple[String, Secret], Tuple[Secret, String, String, String]]",
            "Variant[Array[String, 4], Tuple[String, Secret]]",
        ] {
            for count in [1, 3] {
                let shown = shown(of, list(count));
                assert!(!shown.contains("word"), "{of}: {shown}");
            }
            assert_eq!(shown(of, list(2)), r#"["word0","[sensitive]"]"#, "{of}");
            let inside = format!("Hash[String, Array[{of}]]");
            let shown = shown(&inside, [("a", Value::from(vec![list(1).into(), list(2).into()]))]);
            assert_eq!(shown, r#"{"a":[["[sensitive]"],["word0","[sensitive]"]]}"#, "{of}");
        }
    }

    #[test]
    fn a_tuple_whose_elements_are_swapped_is_secret_as_a_whole() {
        let pair = |one: &str, port: i64| -> Value { vec![one.into(), port.into()].into() };
        assert_eq!(shown("Tuple[Port, Secret]", pair("hunter2", 80)), r#"["[sensitive]","[sensitive]"]"#);
        assert_eq!(shown("Tuple[Secret, Port]", pair("hunter2", 80)), r#"["[sensitive]",80]"#);
        let of = "Variant[Tuple[Port, Secret], Tuple[String, Port]]";
        assert_eq!(shown(of, pair("open", 80)), r#"["open",80]"#);
    }

    #[test]
    fn what_sealing_does_not_change_is_shared() {
        let shared = |of: &str, value: &Value| {
            let sealed = Type::parse(of).unwrap().sealed(value, &());
            match (&value.kind, &sealed.kind) {
                (Kind::List(one), Kind::List(other)) => Arc::ptr_eq(one, other),
                (Kind::Map(one), Kind::Map(other)) => Arc::ptr_eq(one, other),
                _ => false,
            }
        };
        let of = "Hash[String, Struct[{Optional[pw] => Secret, port => Port}]]";
        let open: Value = [("a", Value::from([("port", 80.into())]))].into();
        assert!(shared(of, &open));
        let secret = Type::parse(of).unwrap().sealed(&[("a", pair("hunter2", 80))].into(), &());
        assert!(shared(of, &secret));
        assert!(!shared(of, &[("a", pair("hunter2", 80))].into()));
        assert!(shared("Array[Variant[Integer, Secret]]", &vec![1.into(), 2.into()].into()));
    }

    #[test]
    fn b2_keys_are_shown_and_no_type_calls_them_secret() {
        for of in [
            "Hash[Secret, String]",
            "Hash[Optional[Secret], String]",
            "Hash[Variant[String[9], Sensitive[String]], Integer]",
            "Sensitive[Hash[String, String]]",
            "Sensitive[Hash[Enum[a], String]]",
            "Sensitive[Array[Hash]]",
            "Sensitive[Any]",
            "Sensitive[Array]",
            "Optional[Sensitive[Variant[String, Hash]]]",
        ] {
            assert_eq!(Type::parse(of).unwrap_err().code, crate::diagnostic::Code::Secret, "{of}");
        }
        for of in [
            "Sensitive",
            "Hash[String, Secret]",
            "Sensitive[Struct[{a => String}]]",
            "Sensitive[Array[Integer]]",
        ] {
            assert!(Type::parse(of).is_ok(), "{of}");
        }
    }

    #[test]
    fn a_type_without_secrets_hides_nothing() {
        assert_eq!(shown("Hash[String, String]", "plain"), "\"plain\"");
        assert_eq!(shown("Variant[String, Integer]", "plain"), "\"plain\"");
    }
}
