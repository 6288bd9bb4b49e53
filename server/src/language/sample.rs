//! Sample values of types: for examples before there is any data, and to try a compile in which a value is missing.

use holdfast_catalog::value::{Map, Value};

use super::types::{Bounds, Need, StructField};
use super::{Defines, Expression, Type};

/// A value of a parameter's type; `None` if only a person can choose one.
pub fn sample(of: &Type, name: &str, defines: &dyn Defines) -> Option<Value> {
    let value = guess(of, name, defines)?;
    of.check(&value, defines).is_empty().then_some(value)
}

fn guess(of: &Type, name: &str, defines: &dyn Defines) -> Option<Value> {
    Some(match of {
        Type::Any | Type::Scalar | Type::String(_) => text(of, name, defines)?,
        Type::Pattern(_) => text(of, name, defines)?,
        Type::Boolean => true.into(),
        Type::Integer(Bounds { min, max }) => min.or(*max).unwrap_or(1).into(),
        Type::Float(Bounds { min, max }) | Type::Number(Bounds { min, max }) => {
            min.or(*max).unwrap_or(1.0).into()
        }
        Type::NotUndef(inner) | Type::Optional(inner) | Type::Sensitive(inner) => {
            guess(inner, name, defines)?
        }
        Type::Array(inner, size) => list(inner, name, size.min.unwrap_or(1).max(1), defines)?,
        Type::Tuple(types) => {
            let items = types.iter().map(|inner| guess(inner, name, defines));
            items.collect::<Option<Vec<_>>>()?.into()
        }
        Type::Hash(types, _) => {
            let key = guess(&types[0], "example", defines)?.as_str()?.into();
            Map::from([(key, guess(&types[1], name, defines)?)]).into()
        }
        Type::Struct(fields) => entries(fields, defines)?,
        Type::Define(define) => entries(&defines.parameters(define)?, defines)?,
        Type::Variant(types) => types.iter().find_map(|inner| guess(inner, name, defines))?,
        Type::Enum(words) => words.first()?.clone().into(),
        Type::Format(format) => Expression::parse(format.sample()).ok()?.evaluate(&Map::new()).ok()?,
        Type::Undef => return None,
    })
}

/// The first of some texts that fits the type.
fn text(of: &Type, name: &str, defines: &dyn Defines) -> Option<Value> {
    let hash = "a".repeat(64);
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBmriSfW+V1MmzrTx36EjqnRUGNJq7ApIxdD9EkO8gmt";
    let texts = [name, "example", "1", "a", "/srv/example", "example.org", "1.0", "A", &hash, key];
    texts.into_iter().map(Value::from).find(|text| of.check(text, defines).is_empty())
}

fn list(inner: &Type, name: &str, count: usize, defines: &dyn Defines) -> Option<Value> {
    let one = guess(inner, name, defines)?;
    Some(vec![one; count.min(8)].into())
}

/// Values for the required entries.
fn entries(fields: &[StructField], defines: &dyn Defines) -> Option<Value> {
    let required = fields.iter().filter(|field| field.need == Need::Required);
    let entry = |field: &StructField| Some((field.name.clone(), guess(&field.of, &field.name, defines)?));
    Some(required.map(entry).collect::<Option<Map>>()?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_fits_or_there_is_none() {
        for text in [
            "Port",
            "Array[Host, 2]",
            "Optional[Cidr]",
            "Hash[String[1], Struct[{ root => AbsolutePath, Optional[port] => Port }]]",
            "Variant[Pattern['^[0-9]+$'], Boolean]",
            "Secret",
            "Integer[64, 65535]",
        ] {
            let of = Type::parse(text).unwrap();
            let value = sample(&of, "thing", &()).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(of.check(&value, &()), [], "{text}");
        }
        assert_eq!(sample(&Type::parse("Pattern['^[0-9]{3}-[xyz]+$']").unwrap(), "thing", &()), None);
    }
}
