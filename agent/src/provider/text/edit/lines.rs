//! The lines of a text, each with its own line end, so untouched lines are kept unchanged.

use std::borrow::Cow;
use std::fmt;

/// Lines, and the line end for new ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines<'a> {
    all: Vec<Line<'a>>,
    end: &'a str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line<'a> {
    text: Cow<'a, str>,
    /// `\n`, `\r\n`, or empty if the text ends without one.
    end: &'a str,
}

impl<'a> Lines<'a> {
    /// The lines of a text. New ones get the line end of the first.
    pub fn of(text: &'a str) -> Self {
        let all: Vec<_> = text.split_inclusive('\n').map(line).collect();
        let end = all.first().map(|line| line.end).filter(|end| !end.is_empty()).unwrap_or("\n");
        Self { all, end }
    }

    /// The lines without their ends.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &str> + ExactSizeIterator {
        self.all.iter().map(|line| &*line.text)
    }

    /// The line at an index, without its end.
    pub fn get(&self, at: usize) -> Option<&str> {
        self.all.get(at).map(|line| &*line.text)
    }

    /// Replaces the text of a line.
    pub fn set(&mut self, at: usize, text: impl Into<Cow<'a, str>>) {
        if let Some(line) = self.all.get_mut(at) {
            line.text = text.into();
        }
    }

    /// Inserts a new line before the one at `at`, or at the end.
    pub fn insert(&mut self, at: usize, text: impl Into<Cow<'a, str>>) {
        let at = at.min(self.all.len());
        if let Some(before) = at.checked_sub(1).and_then(|at| self.all.get_mut(at))
            && before.end.is_empty()
        {
            before.end = self.end;
        }
        self.all.insert(at, Line { text: text.into(), end: self.end });
    }

    /// Adds a new line at the end.
    pub fn push(&mut self, text: impl Into<Cow<'a, str>>) {
        self.insert(self.all.len(), text);
    }

    /// Removes the line at an index.
    pub fn remove(&mut self, at: usize) {
        if at < self.all.len() {
            self.all.remove(at);
        }
    }
}

fn line(text: &str) -> Line<'_> {
    let body = text.strip_suffix('\n').map_or(text, |body| body.strip_suffix('\r').unwrap_or(body));
    Line { text: body.into(), end: &text[body.len()..] }
}

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.all.iter().try_for_each(|line| write!(f, "{}{}", line.text, line.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_touched_comes_out_as_it_went_in() {
        for text in ["", "\n", "a", "a\nb", "a\r\nb\n\r\n", "a\rb\n\n"] {
            assert_eq!(Lines::of(text).to_string(), text, "{text:?}");
        }
        assert_eq!(Lines::of("a\r\nb").iter().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn new_lines_end_as_the_others_do() {
        let inserted = |text: &str, at| {
            let mut lines = Lines::of(text);
            lines.insert(at, "x");
            lines.to_string()
        };
        assert_eq!(inserted("a\r\nb", 1), "a\r\nx\r\nb");
        assert_eq!(inserted("a\r\nb", 9), "a\r\nb\r\nx\r\n");
        assert_eq!(inserted("a", 1), "a\nx\n");
        assert_eq!(inserted("", 0), "x\n");
    }

    #[test]
    fn a_line_is_replaced_or_removed_alone() {
        let mut lines = Lines::of("a\nb\nc");
        lines.set(2, "z");
        assert_eq!(lines.to_string(), "a\nb\nz");
        lines.remove(2);
        assert_eq!(lines.to_string(), "a\nb\n");
        lines.remove(7);
        assert_eq!(lines.iter().len(), 2);
    }
}
