//! Defaults as a manifest would write them.

use std::fmt::Display;

use super::database::{ConnectionLimit, Port, SqlName};
use super::{Bounded, OrderNumber, Seconds};

/// Turns a typed value back into TOML.
pub trait ToToml {
    /// The value as TOML.
    fn written(&self) -> String;
}

macro_rules! as_displayed {
    ($($name:ty),+ $(,)?) => { $(
        impl ToToml for $name {
            fn written(&self) -> String {
                self.to_string()
            }
        }
    )+ };
}

as_displayed!(bool, u32, Port, ConnectionLimit);

impl<const MIN: i64, const MAX: i64> ToToml for Bounded<MIN, MAX> {
    fn written(&self) -> String {
        self.to_string()
    }
}

impl ToToml for OrderNumber {
    fn written(&self) -> String {
        self.0.to_string()
    }
}

impl ToToml for Seconds {
    /// In the largest unit in which it is a whole number.
    fn written(&self) -> String {
        let units = [(3600, "h"), (60, "m"), (1, "s")];
        let unit = units.into_iter().find(|(length, _)| self.0 >= *length && self.0.is_multiple_of(*length));
        unit.map_or_else(|| self.0.to_string(), |(length, name)| quoted(format!("{}{name}", self.0 / length)))
    }
}

impl ToToml for SqlName {
    fn written(&self) -> String {
        quoted(self)
    }
}

impl ToToml for String {
    fn written(&self) -> String {
        quoted(self)
    }
}

impl<T: ToToml> ToToml for Vec<T> {
    fn written(&self) -> String {
        let items: Vec<_> = self.iter().map(ToToml::written).collect();
        format!("[{}]", items.join(", "))
    }
}

/// A quoted text.
pub(crate) fn quoted(text: impl Display) -> String {
    format!("{:?}", text.to_string())
}

#[cfg(test)]
mod tests {
    use crate::resource::{Attributes, LeftOut, definitions};
    use crate::value::Value;

    #[test]
    fn a_default_that_is_written_out_says_nothing_else() {
        let mut defaults = 0;
        for def in definitions() {
            let said = |attributes: &Attributes| format!("{:?}", (def.check)("/x", attributes));
            for attribute in def.attributes {
                let LeftOut::Value(written) = attribute.left_out else { continue };
                let value = serde_json::from_str(&written()).map(|json| Value::from_json(&json)).unwrap();
                let written_out = Attributes::from([(attribute.name.into(), value)]);
                assert_eq!(said(&written_out), said(&Attributes::new()), "{}.{}", def.name, attribute.name);
                defaults += 1;
            }
        }
        assert!(defaults > 80, "{defaults}");
    }
}
