//! Scalars with a grammar: paths, permission bits, durations, names.

use std::fmt;
use std::sync::Arc;

use super::{Attribute, AttributeKind, Mismatch};
use crate::value::Value;

/// An absolute, normal path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AbsolutePath(Arc<str>);

impl AbsolutePath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AbsolutePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AbsolutePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Attribute for AbsolutePath {
    const KIND: AttributeKind = AttributeKind::Path;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        let Some(rest) = text.strip_prefix('/') else { return Err(Mismatch::KIND) };
        if text.contains('\0') || text.len() > 4095 {
            return Err(Mismatch::because("contains a NUL byte or is longer than 4095 bytes"));
        }
        if !rest.is_empty() && rest.split('/').any(|part| matches!(part, "" | "." | "..")) {
            let why = format!("is `{}`, which is not normal", text.escape_debug());
            return Err(
                Mismatch::because(why).help("write it without `.`, `..`, `//` and a slash at its end")
            );
        }
        Ok(Self(text.into()))
    }
}

/// Permission bits, at most `07777`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMode(pub u32);

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

impl Attribute for FileMode {
    const KIND: AttributeKind = AttributeKind::Mode;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        if value.as_int().is_some() {
            // A number does not show which digits were typed: 420 may be 0o644 or itself, and both are modes.
            let help = "put quotes around its digits where they are written, such as \"0644\"";
            return Err(Mismatch::because("is a number, and permission bits are a string").help(help));
        }
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        let octal = (3..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
        if !octal {
            return Err(Mismatch::KIND);
        }
        u32::from_str_radix(text, 8).map(Self).map_err(|_| Mismatch::KIND)
    }
}

/// A number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds(pub u32);

impl Attribute for Seconds {
    const KIND: AttributeKind = AttributeKind::Duration;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        if value.as_int().is_some() {
            return u32::read(value).map(Self).map_err(|_| Mismatch::KIND);
        }
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let factor = match &text[digits.len()..] {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86400,
            "w" => 7 * 86400,
            _ => return Err(Mismatch::KIND),
        };
        let number: u32 = digits.parse().map_err(|_| Mismatch::KIND)?;
        number.checked_mul(factor).map(Self).ok_or(Mismatch::KIND)
    }
}

/// A name of the machine's packages, services or accounts: no slash, no space, never like an option. A colon is for a
/// package's architecture (`git:amd64`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SystemName(String);

impl SystemName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SystemName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Attribute for SystemName {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        let first = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
        let rest = |b: u8| b.is_ascii_alphanumeric() || b"_-.+:@\\$".contains(&b);
        if first && text.len() <= 255 && text.bytes().all(rest) {
            Ok(Self(text.to_owned()))
        } else {
            let why = format!("is `{}`, which is not a name", text.escape_debug());
            Err(Mismatch::because(why).help("begin with a letter or digit; no spaces and no slashes"))
        }
    }
}

/// The name or the number of a user or a group: as a [`SystemName`], but without a colon, which ends a name in
/// passwd(5) and group(5).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName(SystemName);

impl AccountName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Attribute for AccountName {
    const KIND: AttributeKind = SystemName::KIND;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let name = SystemName::read(value)?;
        if name.as_str().contains(':') {
            let why = format!("is `{name}`, which is not the name of one account");
            return Err(Mismatch::because(why).help("name the user and the group in attributes of their own"));
        }
        Ok(Self(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_and_normal() {
        for good in ["/", "/etc", "/etc/a b"] {
            assert!(AbsolutePath::read(&good.into()).is_ok(), "{good}");
        }
        for bad in ["etc", "", "/etc/", "/a//b", "/a/../b", "/a/.", "/a\0b"] {
            assert!(AbsolutePath::read(&bad.into()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_mode_that_is_a_number_is_met_with_the_cure() {
        for number in [0o644, 644, 755, 0, 1] {
            let error = FileMode::read(&number.into()).unwrap_err();
            let help = error.help.unwrap();
            assert!(help.contains("quotes around its digits where they are written"), "{help}");
            assert!(!help.replace("such as \"0644\"", "").contains('"'), "no mode that nobody meant: {help}");
        }
        assert_eq!(FileMode::read(&"0755".into()).unwrap(), FileMode(0o755));
        assert!(FileMode::read(&"0999".into()).is_err());
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(Seconds::read(&"5m".into()).unwrap(), Seconds(300));
        assert_eq!(Seconds::read(&"2w".into()).unwrap(), Seconds(1_209_600));
        assert_eq!(Seconds::read(&7.into()).unwrap(), Seconds(7));
        assert!(Seconds::read(&"5".into()).is_err());
    }

    #[test]
    fn an_account_is_one_account() {
        assert!(AccountName::read(&"www-data".into()).is_ok());
        for bad in ["nobody:nogroup", "app:", "0:0"] {
            let refused = AccountName::read(&bad.into()).unwrap_err();
            assert!(format!("{refused:?}").contains("user and the group"), "{bad:?}: {refused:?}");
        }
    }

    #[test]
    fn names_are_never_options_or_paths() {
        assert!(SystemName::read(&"python3.11".into()).is_ok());
        for bad in ["-rf", "a/b", "a b", "", "a\nb"] {
            assert!(SystemName::read(&bad.into()).is_err(), "{bad:?}");
        }
    }
}
