//! `locale`: a language for programs.

use std::fmt;

use super::attribute::{Presence, Secret};
use super::claim::{Claim, FilePiece, Hold};
use super::define::resource_type;
use super::{Attribute, AttributeError, AttributeKind, Implied, Mismatch, Rules};
use crate::value::Value;

/// A locale's name, such as `de_CH.UTF-8`, with whatever parts it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocaleName(String);

impl LocaleName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the C library has it without generating it.
    pub fn is_built_in(&self) -> bool {
        matches!(self.normal().as_str(), "C" | "POSIX" | "C.utf8")
    }

    /// The name as in `locale -a`: `de_CH.utf8`.
    pub fn normal(&self) -> String {
        let (name, modifier) = self.0.split_once('@').map_or((&*self.0, None), |(name, m)| (name, Some(m)));
        let mut normal = match name.split_once('.') {
            Some((language, charset)) => format!("{language}.{}", plain(charset)),
            None => name.to_owned(),
        };
        if let Some(modifier) = modifier {
            normal.extend(["@", modifier]);
        }
        normal
    }
}

/// A charset's name as the C library compares it: letters and digits in lower case, and `iso` before bare digits.
fn plain(charset: &str) -> String {
    let plain: String =
        charset.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    if plain.bytes().all(|b| b.is_ascii_digit()) { format!("iso{plain}") } else { plain }
}

impl fmt::Display for LocaleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Attribute for LocaleName {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        let (name, modifier) = text.split_once('@').map_or((text, None), |(name, m)| (name, Some(m)));
        let (language, charset) = name.split_once('.').map_or((name, None), |(name, c)| (name, Some(c)));
        let letters = |part: &str, also: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c))
        };
        let is_language = letters(language, "_") && language.starts_with(|c: char| c.is_ascii_alphabetic());
        let is_right = is_language
            && charset.is_none_or(|charset| letters(charset, "-_"))
            && modifier.is_none_or(|modifier| letters(modifier, ""));
        if is_right && text.len() <= 100 {
            return Ok(Self(text.to_owned()));
        }
        let why = format!("is `{}`, which is not a valid locale name", text.escape_debug());
        Err(Mismatch::because(why).help("write language, country and charset: de_CH.UTF-8"))
    }
}

resource_type! {
    /// A language that programs can speak. The title is the locale, such as `de_CH.UTF-8`.
    Locale("locale"), titled LocaleName {
        /// Whether it is generated, now and whenever the C library is upgraded (`/etc/locale.gen`).
        property ensure: Presence = Presence::Present,
        /// Whether it is the language of the machine (`LANG`); `false` leaves that alone. One locale can be it. `LC_ALL` of another
        /// locale and `LANGUAGE` of another language are removed from the same file, since programs prefer them. Another locale for a
        /// part, such as `LC_TIME`, stays and is reported.
        property default: bool = false,
    }
}

impl Rules for Locale {
    fn validate(&self) -> Vec<AttributeError> {
        let mut errors = Vec::new();
        if self.ensure == Presence::Absent && self.default {
            let error = AttributeError::new("default", "a locale that is absent cannot be the default");
            errors.push(error.help("leave `default` out"));
        }
        if self.ensure == Presence::Absent && self.title.is_built_in() {
            let error = AttributeError::new("ensure", format!("`{}` is a part of the C library", self.title));
            errors.push(error.help("leave it out: it cannot be removed"));
        }
        errors
    }

    fn implied(&self) -> Vec<Implied> {
        vec![Implied::on("package", "locales"), Implied::on_path("/etc/locale.gen")]
    }

    fn claims(&self) -> Vec<Claim> {
        let mut claims = vec![Claim::entry("/etc/locale.gen", "locale", self.title.normal(), self.ensure)];
        if self.default {
            claims.push(Claim::whole("language of the machine", ""));
            let line = || Secret::from(&*format!("LANG={}", self.title));
            // Debian's file, and systemd's.
            for path in ["/etc/default/locale", "/etc/locale.conf"] {
                let (section, key) = (String::new(), "LANG".to_owned());
                let piece = FilePiece::Setting { section, key, line: Some(line()) };
                claims.push(Claim::path(path, Hold::Piece(piece, Presence::Present)));
            }
        }
        claims
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Attributes, ResourceType as _};

    fn name(text: &str) -> Result<LocaleName, Mismatch> {
        LocaleName::read(&text.into())
    }

    #[test]
    fn names_are_compared_as_the_c_library_has_them() {
        for (written, normal) in [
            ("de_CH.UTF-8", "de_CH.utf8"),
            ("de_DE@euro", "de_DE@euro"),
            ("de_DE.ISO-8859-15@euro", "de_DE.iso885915@euro"),
            ("C.UTF-8", "C.utf8"),
            ("POSIX", "POSIX"),
        ] {
            assert_eq!(name(written).unwrap().normal(), normal);
        }
        assert!(name("C.utf8").unwrap().is_built_in() && !name("de_CH.UTF-8").unwrap().is_built_in());
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for bad in ["", "de CH", "de_CH.UTF-8 UTF-8", "de_CH.", "de@", "a\nb", "-a", "de_CH.UTF/8", "../x"] {
            assert!(name(bad).unwrap_err().help.is_some(), "{bad}");
        }
    }

    #[test]
    fn what_cannot_be_removed_or_be_the_default_is_refused() {
        let wrong = |title: &str, default: bool| {
            let attributes: Attributes =
                [("ensure".into(), "absent".into()), ("default".into(), default.into())].into();
            Locale::read(title, &attributes)
                .err()
                .into_iter()
                .flatten()
                .map(|e| e.attribute)
                .collect::<Vec<_>>()
        };
        assert_eq!(wrong("de_CH.UTF-8", true), ["default"]);
        assert_eq!(wrong("C.UTF-8", false), ["ensure"]);
        assert_eq!(wrong("de_CH.UTF-8", false), [""; 0]);
    }
}
