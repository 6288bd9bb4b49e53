//! Which lines belong to a value.
//!
//! Programs differ: for some, a backslash at the end of a line joins the next one; for some, a line that is indented
//! further than the key continues its value, over comments and empty lines in between. Whatever may be one value counts
//! as one.

use std::ops::Range;

use super::line::{header, indent, is_comment};
use crate::provider::text::edit::Lines;

/// A key's line and everything that may belong to its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Extent<'a> {
    /// The key's line.
    pub(super) start: usize,
    /// The number of the line after the value.
    end: usize,
    /// The white space before the key.
    indent: &'a str,
    /// Whether some of its lines belong to it because of their indent.
    pub(super) is_indented: bool,
    /// Lines that a backslash joins to the one before.
    joined: Vec<usize>,
    /// Whether the last line ends with a backslash.
    is_open: bool,
}

impl Extent<'_> {
    /// Whether a line belongs to it.
    pub(super) fn holds(&self, at: usize) -> bool {
        (self.start..self.end).contains(&at)
    }

    /// Whether only a backslash makes a line belong to it.
    pub(super) fn is_joined(&self, at: usize) -> bool {
        self.joined.contains(&at)
    }
}

/// The extents of a section, in order.
pub(super) fn of<'a>(lines: &'a Lines<'_>, section: Range<usize>) -> Vec<Extent<'a>> {
    let mut all: Vec<Extent<'a>> = Vec::new();
    for at in section {
        let Some(text) = lines.get(at) else { break };
        if is_comment(text) {
            continue;
        }
        let goes_on = text.trim_end().ends_with('\\');
        let is_empty = text.trim().is_empty();
        match all.last_mut() {
            Some(last) if last.is_open => {
                if !is_empty && indent(text).len() > last.indent.len() {
                    last.is_indented = true;
                } else {
                    last.joined.push(at);
                }
                (last.end, last.is_open) = (at + 1, goes_on);
            }
            _ if is_empty => {}
            Some(last) if indent(text).len() > last.indent.len() && header(text).is_none() => {
                (last.end, last.is_indented, last.is_open) = (at + 1, true, goes_on);
            }
            _ => all.push(Extent {
                start: at,
                end: at + 1,
                indent: indent(text),
                is_indented: false,
                joined: Vec::new(),
                is_open: goes_on,
            }),
        }
    }
    all
}

/// Where a new line is a setting of its own: at `wanted`, or after the value that includes that line, or after the last
/// one. If the last value ends with a backslash, it would include the new line, which then goes before it.
pub(super) fn free(extents: &[Extent<'_>], wanted: Option<usize>) -> Option<usize> {
    let around = match wanted {
        Some(at) => {
            match extents.iter().find(|extent| extent.start < at && (at < extent.end || extent.is_open)) {
                Some(around) => around,
                None => return Some(at),
            }
        }
        None => extents.last()?,
    };
    Some(if around.is_open { around.start } else { around.end })
}

/// The indent of a new line: that of the key before it. So the line is not part of that value, and does not take over
/// the next.
pub(super) fn indent_at<'a>(extents: &[Extent<'a>], at: usize) -> &'a str {
    let before = extents.iter().rev().find(|extent| extent.start < at);
    before.or_else(|| extents.first()).map(|extent| extent.indent).unwrap_or_default()
}
