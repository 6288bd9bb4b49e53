//! Regular expressions: checked where the catalog is compiled, with the same engine with which the agent matches lines.

use std::fmt;

use regex_lite::Regex;

use super::{Attribute, AttributeKind, Mismatch};
use crate::value::Value;

/// A regular expression for one line. The time that it takes grows only with the line, whoever wrote that.
#[derive(Clone)]
pub struct LinePattern(Regex);

impl LinePattern {
    /// Whether it matches in a line, which has no line break at its end.
    pub fn finds(&self, line: &str) -> bool {
        self.0.is_match(line)
    }

    /// The expression as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl PartialEq for LinePattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl fmt::Debug for LinePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Attribute for LinePattern {
    const KIND: AttributeKind = AttributeKind::Pattern;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        if text.is_empty() {
            return Err(Mismatch::because("is empty, and would match every line"));
        }
        Regex::new(text).map(Self).map_err(|error| {
            Mismatch::because(format!(
                "is `{}`, which is not a regular expression: {error}",
                text.escape_debug()
            ))
            .help("escape a special character with a backslash, as in '\\.'")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_expression_is_met_where_it_is_written() {
        assert!(LinePattern::read(&"^#?Port\\s".into()).unwrap().finds("#Port 22"));
        assert!(!LinePattern::read(&"^Port$".into()).unwrap().finds("Port 22"));
        let why = LinePattern::read(&"^(Port".into()).unwrap_err().why.unwrap();
        assert!(why.contains("^(Port") && why.contains("not a regular expression"), "{why}");
        assert!(LinePattern::read(&"".into()).is_err());
        assert_eq!(LinePattern::read(&"a".into()).unwrap(), LinePattern::read(&"a".into()).unwrap());
    }
}
