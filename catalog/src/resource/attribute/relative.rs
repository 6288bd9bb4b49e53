//! Paths below a directory that a resource owns.

use std::fmt;

use super::{Attribute, AttributeKind, Mismatch};
use crate::value::Value;

/// A normal path below a directory: it never leads out of it, and never looks like an option.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelativePath(String);

impl RelativePath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number of directories in it.
    pub fn depth(&self) -> usize {
        self.0.matches('/').count()
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Attribute for RelativePath {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        let normal = !text.split('/').any(|part| matches!(part, "" | "." | ".."));
        if normal && text.len() <= 1024 && !text.starts_with('-') && !text.chars().any(char::is_control) {
            return Ok(Self(text.to_owned()));
        }
        let why = format!("is `{}`, which is not a path below the directory", text.escape_debug());
        Err(Mismatch::because(why)
            .help("write it without a slash at its ends, `.` and `..`, such as `config/app.yml`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_leads_out() {
        for good in ["log", "config/secrets.yml", ".env"] {
            assert!(RelativePath::read(&good.into()).is_ok(), "{good}");
        }
        for bad in ["", "/etc", "a/", "../a", "a/../b", "./a", "a//b", "-rf", "a\nb"] {
            assert!(RelativePath::read(&bad.into()).is_err(), "{bad:?}");
        }
        assert_eq!(RelativePath::read(&"a/b/c".into()).unwrap().depth(), 2);
    }
}
