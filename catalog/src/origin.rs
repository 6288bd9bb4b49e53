//! Where a value, an attribute or an error is.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A place in a file of the control repository, with the level of the hierarchy if it is data.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Path from the repository's root, such as `hieradata/common.toml`.
    pub file: Arc<str>,
    /// First byte of the span in the file.
    pub start: u32,
    /// The byte after the span.
    pub end: u32,
    /// Line of `start`, counted from 1.
    pub line: u32,
    /// Column of `start` in characters, counted from 1.
    pub column: u32,
    /// The level of the hierarchy, such as `customer`; none in manifests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Arc<str>>,
}

impl Origin {
    /// The place of a byte range of `text`.
    pub fn locate(file: &Arc<str>, text: &str, span: std::ops::Range<usize>) -> Self {
        let start = floor_boundary(text, span.start);
        let before = &text[..start];
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            file: file.clone(),
            start: narrow(span.start),
            end: narrow(span.end.max(span.start)),
            line: narrow(line),
            column: narrow(column),
            level: None,
        }
    }
}

fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_in_characters() {
        let origin = Origin::locate(&"a.toml".into(), "x = 1\nü = 2\n", 9..10);
        assert_eq!((origin.line, origin.column), (2, 3));
        assert_eq!(origin.to_string(), "a.toml:2:3");
    }

    #[test]
    fn a_span_past_the_end_or_inside_a_character_is_bounded() {
        assert_eq!(Origin::locate(&"a".into(), "ü", 1..99).column, 1);
    }
}
