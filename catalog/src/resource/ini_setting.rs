//! `ini_setting`: one setting in a file of sections, keys and values.

use super::attribute::{AbsolutePath, Presence, Secret, SettingValue};
use super::claim::{Claim, FilePiece, Hold};
use super::define::resource_type;
use super::unit_text;
use super::{AttributeError, Implied, Rules};
use crate::value::Sensitive;

resource_type! {
    /// One setting of an INI file whose other settings are somebody else's: `key = value` in a section. The title is any name. A file that is not there is made; a key that is there as a comment is followed by the setting. It goes after the whole of the value above it, with the indent of that key. What else the file holds stays as it is; a value that goes on over several lines is refused: by a backslash at the end of a line, by lines that are indented further than the key, or by a quote that a later line closes.
    IniSetting("ini_setting"), titled String {
        /// The file.
        parameter path: AbsolutePath,
        /// The section, without brackets; without it, the settings before the first section.
        parameter section: String = String::new(),
        /// The name of the setting.
        parameter key: String,
        /// Whether the setting is there.
        property ensure: Presence = Presence::Present,
        /// Its value: a string, a number or a boolean. Where it is secret it is shown nowhere, and a file that is made is for its owner alone; a file that is there keeps its mode, and where every user can read it the report says so: give it a mode by a `file`.
        property value: Option<SettingValue> => "required, unless absent",
        /// Whether the key may be set several times, all of which get the value. Without it, a key that is set more than once is refused with the lines: it may be a list, such as `Environment=` of a unit, of which each line counts.
        parameter multiple: bool = false,
        /// What is between key and value of a new setting. A setting that is there keeps its spaces.
        parameter separator: String = " = ".to_owned(),
    }
}

impl IniSetting {
    /// The text of the value; empty if there is none.
    pub fn text(&self) -> std::sync::Arc<str> {
        self.value.as_ref().map(|value| value.secret().expose()).unwrap_or_default()
    }
}

impl Rules for IniSetting {
    fn validate(&self) -> Vec<AttributeError> {
        let mut errors = Vec::new();
        let mut refuse = |attribute, message: String, help: &str| {
            errors.push(AttributeError::new(attribute, message).help(help));
        };
        if !is_plain(&self.section) || self.section.contains(']') {
            let message =
                format!("`section` is `{}`, which is not a valid section name", self.section.escape_debug());
            refuse("section", message, "write it without brackets, and without space around it");
        }
        let sign = self.separator.trim();
        let holds_sign =
            if sign.is_empty() { self.key.contains([' ', '\t']) } else { self.key.contains(sign) };
        if self.key.is_empty() || !is_plain(&self.key) || self.key.starts_with(['[', '#', ';']) || holds_sign
        {
            let message =
                format!("`key` is `{}`, which is not a valid setting name", self.key.escape_debug());
            refuse("key", message, "one word or more, without the separator and without space around it");
        }
        if self.separator.is_empty() || self.separator.contains(['\n', '\r', '#', ';', '[', ']']) {
            let message = format!("`separator` is `{}`", self.separator.escape_debug());
            refuse("separator", message, "use \" = \", \"=\", \": \" or a space");
        }
        match &self.value {
            None if self.ensure == Presence::Present => {
                refuse("value", "attribute `value` is missing".to_owned(), "an empty one is value = \"\"");
            }
            Some(_) if !is_plain(&self.text()) => refuse(
                "value",
                "`value` contains a line break, or space at its beginning or end".to_owned(),
                "a value is one line; quote it as the program that reads it wants",
            ),
            Some(_) if self.text().ends_with('\\') => refuse(
                "value",
                "`value` ends in a backslash, by which many programs join the next line to it".to_owned(),
                "leave it out, or quote the value as the program that reads it wants",
            ),
            _ => {}
        }
        let is_secret = self.value.as_ref().is_some_and(|value| value.secret().is_sensitive());
        if is_secret && unit_text::is_unit(self.path.as_str()) {
            errors.push(unit_text::error("value", Some(&self.key)));
        }
        errors
    }

    fn implied(&self) -> Vec<Implied> {
        vec![Implied::on_path(self.path.as_str())]
    }

    fn claims(&self) -> Vec<Claim> {
        let line = |value: &SettingValue| {
            let line = format!("{}{}{}", self.key, self.separator, value.secret().expose());
            let is_secret = value.secret().is_sensitive();
            if is_secret { Sensitive::text(line).into() } else { Secret::from(&*line) }
        };
        let piece = FilePiece::Setting {
            section: self.section.clone(),
            key: self.key.clone(),
            line: self.value.as_ref().map(line),
        };
        vec![Claim::path(self.path.as_str(), Hold::Piece(piece, self.ensure))]
    }
}

/// Whether a text is one line without white space around it, so it is read back as it was written.
fn is_plain(text: &str) -> bool {
    !text.contains(['\n', '\r']) && text.trim() == text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Attributes, ResourceType};
    use crate::value::{Kind, Sensitive, Value};

    fn read(attributes: &[(&str, Value)]) -> Result<IniSetting, Vec<AttributeError>> {
        let mut all: Attributes = [("path".into(), Value::from("/etc/x.ini"))].into();
        all.extend(attributes.iter().map(|(name, value)| ((*name).into(), value.clone())));
        IniSetting::read("x", &all)
    }

    #[test]
    fn what_would_not_be_read_again_as_it_was_written_is_refused() {
        assert!(read(&[("section", "php".into()), ("key", "a.b c".into()), ("value", 3.into())]).is_ok());
        for (name, bad) in [
            ("section", "a]"),
            ("section", "a\nb"),
            ("key", "a=b"),
            ("key", "#a"),
            ("key", "[a"),
            ("key", ""),
            ("value", "1\n[other]"),
            ("value", " 1"),
            ("value", "C:\\temp\\"),
            ("separator", ""),
            ("separator", "=\n"),
        ] {
            let mut attributes = vec![("key", Value::from("k")), ("value", "v".into())];
            attributes.push((name, bad.into()));
            assert_eq!(read(&attributes).unwrap_err()[0].attribute, name, "{bad:?}");
        }
        assert!(read(&[("key", "a b".into()), ("value", "v".into()), ("separator", " ".into())]).is_err());
        assert_eq!(read(&[("key", "a".into())]).unwrap_err()[0].attribute, "value");
        assert!(read(&[("key", "a".into()), ("ensure", "absent".into())]).is_ok());
    }

    #[test]
    fn an_error_about_a_secret_does_not_hold_it() {
        let secret = Value::from(Kind::Sensitive(Sensitive::text("hunter2\nx")));
        let errors = read(&[("key", "k".into()), ("value", secret)]).unwrap_err();
        assert!(!format!("{errors:?}").contains("hunter2"));
    }
}
