//! What apt's own files contain: their names, and the words in their fields.

use std::fmt;
use std::marker::PhantomData;

use super::{Attribute, AttributeKind, Mismatch};
use crate::value::Value;

/// Where apt looks for files of one kind.
pub trait AptFiles {
    /// The directory in which apt looks.
    const DIRECTORY: &'static str;
    /// What follows the name; more than one if the content decides.
    const SUFFIXES: &'static [&'static str];
}

/// A name that apt accepts: it silently ignores files whose names contain other characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AptName<F> {
    name: String,
    paths: Vec<String>,
    files: PhantomData<F>,
}

impl<F> AptName<F> {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The paths of its file, one for each suffix that it may have.
    pub fn paths(&self) -> &[String] {
        &self.paths
    }
}

impl<F> fmt::Display for AptName<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl<F: AptFiles> Attribute for AptName<F> {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let name = value.as_str().ok_or(Mismatch::KIND)?;
        let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        let rest = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
        if !first || name.len() > 200 || !name.bytes().all(rest) {
            let why = format!("is `{}`, and apt would ignore a file of that name", name.escape_debug());
            return Err(Mismatch::because(why).help("use letters, digits, `_`, `-` and `.`"));
        }
        let paths = F::SUFFIXES.iter().map(|suffix| format!("{}/{name}{suffix}", F::DIRECTORY)).collect();
        Ok(Self { name: name.to_owned(), paths, files: PhantomData })
    }
}

/// A word in a field of apt: printable, without spaces, and never the beginning of another field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AptWord(String);

impl AptWord {
    /// The word as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AptWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Attribute for AptWord {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        let plain = |b: u8| b.is_ascii_graphic() && b != b',' && b != b'#';
        if text.is_empty() || text.starts_with('-') || !text.bytes().all(plain) {
            let why = format!("is `{}`, which is not a single word", text.escape_debug());
            let help = "write each word as an item of the list, without spaces and commas";
            return Err(Mismatch::because(why).help(help));
        }
        Ok(Self(text.to_owned()))
    }
}

/// Where a repository is: `https://deb.example.com/debian`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AptUri(String);

impl AptUri {
    /// The URI as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AptUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Attribute for AptUri {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        let scheme = text.split_once(':').filter(|(scheme, rest)| {
            let plain = |b: u8| b.is_ascii_lowercase() || b == b'+';
            !scheme.is_empty() && scheme.bytes().all(plain) && rest.len() > 1
        });
        let Some((_, rest)) = scheme.filter(|_| text.bytes().all(|b| b.is_ascii_graphic())) else {
            let why = format!("is `{}`, which is not a URI", text.escape_debug());
            return Err(Mismatch::because(why).help("write it as https://deb.example.com/debian"));
        };
        let authority = rest.strip_prefix("//").and_then(|rest| rest.split('/').next());
        if authority.is_some_and(|authority| authority.contains('@')) {
            // The value itself is not shown: it contains the password.
            let why = "contains a user or a password, but everyone can read the file that it would be in";
            let help = "put them into a file of /etc/apt/auth.conf.d with mode 0600";
            return Err(Mismatch::because(why).help(help));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    enum Keys {}

    impl AptFiles for Keys {
        const DIRECTORY: &'static str = "/etc/apt/keyrings";
        const SUFFIXES: &'static [&'static str] = &[".asc", ".gpg"];
    }

    #[test]
    fn names_are_those_that_apt_takes_and_know_their_files() {
        let name = AptName::<Keys>::read(&"docker.com".into()).unwrap();
        assert_eq!(name.paths(), ["/etc/apt/keyrings/docker.com.asc", "/etc/apt/keyrings/docker.com.gpg"]);
        for bad in ["", ".hidden", "a b", "a/b", "a\nb", "ä", "-x"] {
            assert!(AptName::<Keys>::read(&bad.into()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn words_and_uris_cannot_begin_another_word_or_line() {
        for good in ["bookworm-updates", "./", "stable/main", "*", "/^linux-.*/", "src:gcc"] {
            assert!(AptWord::read(&good.into()).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a\nTrusted: yes", "a,b", "#a", "a\tb", "-a"] {
            assert!(AptWord::read(&bad.into()).is_err(), "{bad:?}");
        }
        for good in ["https://deb.example.com/debian", "file:///srv/x", "mirror+https://a/b", "cdrom:[x]/"] {
            assert!(AptUri::read(&good.into()).is_ok(), "{good}");
        }
        for bad in ["", "deb.example.com", "https://a b", "https://a\nTrusted:", "://x", "http:"] {
            assert!(AptUri::read(&bad.into()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_password_in_a_uri_is_refused_and_not_shown() {
        let refused = AptUri::read(&"https://user:hunter2@deb.example.com/".into()).unwrap_err();
        assert!(!refused.why.unwrap().contains("hunter2"));
        assert!(refused.help.unwrap().contains("auth.conf.d"));
        assert!(AptUri::read(&"https://deb.example.com/a@b".into()).is_ok());
    }
}
