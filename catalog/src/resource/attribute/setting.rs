//! The value of a setting: it may be any scalar in a manifest, and is text in the file.

use super::{Attribute, AttributeKind, Mismatch, Secret};
use crate::value::{Kind, Value};

/// A scalar that becomes text in a file; may be secret.
#[derive(Debug, Clone, PartialEq)]
pub struct SettingValue(Secret);

impl SettingValue {
    /// The text, which may be secret.
    pub fn secret(&self) -> &Secret {
        &self.0
    }
}

impl Attribute for SettingValue {
    const KIND: AttributeKind = AttributeKind::Setting;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = match &value.kind {
            Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => {
                value.scalar_text().map(|text| Secret::from(&*text)).ok_or(Mismatch::KIND)
            }
            Kind::Sensitive(secret) => match secret.expose().scalar_text() {
                Some(text) if secret.as_pieces().is_none() => Ok(crate::value::Sensitive::text(text).into()),
                _ => Secret::read(value),
            },
            _ => Secret::read(value),
        };
        text.map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Sensitive;

    #[test]
    fn numbers_and_truth_are_text_and_a_secret_stays_one() {
        let text = |value: Value| SettingValue::read(&value).unwrap().secret().expose().to_string();
        assert_eq!(text(3306.into()), "3306");
        assert_eq!(text(true.into()), "true");
        assert_eq!(text("on".into()), "on");
        let secret = SettingValue::read(&Kind::Sensitive(Sensitive::scalar(Kind::Int(4711))).into()).unwrap();
        assert_eq!((&*secret.secret().expose(), secret.secret().is_sensitive()), ("4711", true));
        assert!(!format!("{secret:?}").contains("4711"));
        assert!(SettingValue::read(&vec![Value::from("a")].into()).is_err());
    }
}
