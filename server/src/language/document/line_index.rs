//! Converts byte spans of one TOML file to origins, and the parser's errors to diagnostics.

use std::ops::Range;
use std::sync::Arc;

use holdfast_catalog::origin::Origin;

use crate::diagnostic::{Code, Diagnostic};

use super::TableForm;
use super::traps::{self, Quoting, Trap};

/// Finds lines and columns without counting from the start each time.
pub(super) struct LineIndex<'a> {
    file: &'a Arc<str>,
    text: &'a str,
    level: Option<&'a Arc<str>>,
    lines: Vec<usize>,
    /// The number of characters that begin before each block of the text.
    characters: Vec<usize>,
    /// The number of bytes that were examined to find columns.
    #[cfg(test)]
    looked_at: std::cell::Cell<usize>,
}

/// The size of a block in bytes. To find a place, only one block is counted, however long its line is.
const BLOCK: usize = 256;

/// How much of a line is examined to suggest a fix, in bytes.
const MAX_LOOKED_AT: usize = 1000;

impl<'a> LineIndex<'a> {
    pub(super) fn new(file: &'a Arc<str>, text: &'a str, level: Option<&'a Arc<str>>) -> Self {
        let after_newlines = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(after_newlines).collect();
        let before = |so_far: &mut usize, block: &[u8]| {
            let before = *so_far;
            *so_far += beginning_in(block);
            Some(before)
        };
        let characters = text.as_bytes().chunks(BLOCK).scan(0, before).collect();
        Self {
            file,
            text,
            level,
            lines,
            characters,
            #[cfg(test)]
            looked_at: std::cell::Cell::default(),
        }
    }

    pub(super) fn origin(&self, span: Range<usize>) -> Arc<Origin> {
        let line = self.lines.partition_point(|start| *start <= span.start).max(1);
        let begin = self.lines[line - 1];
        let column = self.characters_before(span.start) - self.characters_before(begin) + 1;
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Arc::new(Origin {
            file: self.file.clone(),
            start: narrow(span.start),
            end: narrow(span.end.max(span.start)),
            line: narrow(line),
            column: narrow(column),
            level: self.level.cloned(),
        })
    }

    fn characters_before(&self, at: usize) -> usize {
        let at = at.min(self.text.len());
        let block = (at / BLOCK).min(self.characters.len().saturating_sub(1));
        let counted = self.characters.get(block).copied().unwrap_or_default();
        let rest = &self.text.as_bytes()[block * BLOCK..at];
        #[cfg(test)]
        self.looked_at.set(self.looked_at.get() + rest.len());
        counted + beginning_in(rest)
    }

    /// How the table with this span is written. The span of a header begins with its bracket, that of an inline table
    /// with its brace; a table that exists through dotted keys has the span of its key.
    pub(super) fn form(&self, span: &Range<usize>, key: &Range<usize>) -> TableForm {
        match self.text.as_bytes().get(span.start) {
            _ if span == key => TableForm::Dotted,
            Some(b'[') => TableForm::Header,
            Some(b'{') => TableForm::Inline,
            _ => TableForm::Dotted,
        }
    }

    /// The line of an error, counted from 1.
    pub(super) fn line(&self, error: &toml::de::Error) -> usize {
        self.lines.partition_point(|start| *start <= error.span().unwrap_or(0..0).start)
    }

    pub(super) fn syntax_error(&self, error: &toml::de::Error) -> Diagnostic {
        let span = error.span().unwrap_or(0..0);
        let origin = self.origin(span.clone());
        let trap = Trap::of(error.message());
        let message = if trap == Some(Trap::Escape) { traps::NO_ESCAPE } else { error.message() };
        let diagnostic = Diagnostic::error(Code::Syntax, message, Origin::clone(&origin));
        let first = trap.filter(|trap| *trap == Trap::Twice).and_then(|_| self.first_of(&origin));
        let diagnostic = match first {
            Some(first) => diagnostic.related(Origin::clone(&first), "first here"),
            None => diagnostic,
        };
        let line = self.line_of(&origin);
        let quoting = Quoting::of(self.file, self.level, line);
        match traps::cure(trap, line, self.text.get(span).unwrap_or_default(), quoting) {
            Some(cure) => diagnostic.help(cure),
            None => diagnostic,
        }
    }

    /// Removes duplicate keys that are only duplicates because their whole table is written twice.
    pub(super) fn without_repetitions<'e>(
        &self,
        mut errors: Vec<&'e toml::de::Error>,
    ) -> Vec<&'e toml::de::Error> {
        let is_header =
            |line: usize| self.text[self.lines[line - 1]..].trim_start_matches([' ', '\t']).starts_with('[');
        let twice = |error: &toml::de::Error| {
            (Trap::of(error.message()) == Some(Trap::Twice)).then(|| self.line(error))
        };
        let repeated = errors.iter().filter_map(|error| twice(error));
        let headers: Vec<usize> = repeated.filter(|line| is_header(*line)).collect();
        let own_header = |line: usize| (1..=line).rev().find(|line| is_header(*line));
        errors.retain(|error| match twice(error) {
            Some(line) => is_header(line) || own_header(line).is_none_or(|header| !headers.contains(&header)),
            None => true,
        });
        errors
    }

    /// The place where a duplicate key or header was written first: the same line above, within its table for a key.
    fn first_of(&self, second: &Origin) -> Option<Arc<Origin>> {
        let plain =
            |line: &str| line.split('#').next().unwrap_or_default().replace([' ', '\t', '"', '\''], "");
        let key = |line: &str| plain(line.split('=').next().unwrap_or_default());
        let line = self.line_of(second);
        let is_header = |line: &str| line.trim_start().starts_with('[');
        let line_at = |begin: usize| self.text[begin..].lines().next().unwrap_or_default();
        let mut above =
            self.lines[..second.line as usize - 1].iter().rev().map(|begin| (*begin, line_at(*begin)));
        let (begin, found) = if is_header(line) {
            above.find(|(_, other)| is_header(other) && plain(other) == plain(line))?
        } else {
            above
                .take_while(|(_, other)| !is_header(other))
                .find(|(_, other)| other.contains('=') && key(other) == key(line))?
        };
        let start = begin + found.len() - found.trim_start().len();
        let shown =
            if is_header(found) { found.trim() } else { found.split('=').next().unwrap_or_default().trim() };
        Some(self.origin(start..start + shown.len()))
    }

    fn line_of(&self, origin: &Origin) -> &str {
        let begin = self.lines.get(origin.line as usize - 1).copied().unwrap_or_default();
        let line = self.text.get(begin..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        line.get(..line.floor_char_boundary(MAX_LOOKED_AT)).unwrap_or_default()
    }
}

/// The number of characters that begin in a part of the text.
fn beginning_in(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xC0 != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_times_the_text_on_one_line_takes_four_times_the_work() {
        let work = |count: usize| {
            let text = format!("x = [{}]", "[],".repeat(count));
            let file = "a.toml".into();
            let places = LineIndex::new(&file, &text, None);
            (5..text.len() - 1).step_by(3).for_each(|at| drop(places.origin(at..at + 2)));
            places.looked_at.get()
        };
        let (once, four_times) = (work(10_000), work(40_000));
        assert!(four_times < 6 * once, "{once} {four_times}");
    }

    #[test]
    fn places_in_a_long_line_are_those_that_counting_from_its_start_finds() {
        let text = format!("x = 1\n{}\n{}", "aü€😀".repeat(300), "b".repeat(700));
        let file: Arc<str> = "a.toml".into();
        let places = LineIndex::new(&file, &text, None);
        for (at, _) in text.char_indices().chain([(text.len(), ' ')]) {
            assert_eq!(*places.origin(at..at), Origin::locate(&file, &text, at..at), "{at}");
        }
    }
}
