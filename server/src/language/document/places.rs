//! Byte spans of one TOML file as origins, and the parser's errors as diagnostics.

use std::ops::Range;
use std::sync::Arc;

use holdfast_catalog::diagnostic::Diagnostic;
use holdfast_catalog::origin::Origin;

use super::{Form, traps};

/// Finds lines and columns without counting from the start each time.
pub(super) struct Places<'a> {
    file: &'a Arc<str>,
    text: &'a str,
    level: Option<&'a Arc<str>>,
    lines: Vec<usize>,
}

impl<'a> Places<'a> {
    pub(super) fn new(file: &'a Arc<str>, text: &'a str, level: Option<&'a Arc<str>>) -> Self {
        let after_newlines = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1);
        Self { file, text, level, lines: std::iter::once(0).chain(after_newlines).collect() }
    }

    pub(super) fn origin(&self, span: Range<usize>) -> Arc<Origin> {
        let line = self.lines.partition_point(|start| *start <= span.start).max(1);
        let begin = self.lines[line - 1];
        let column = self.text.get(begin..span.start).map_or(1, |before| before.chars().count() + 1);
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

    /// How the table of this span is written. A header's span begins with its bracket, an inline table's with its
    /// brace; a table that dotted keys made has the span of its key.
    pub(super) fn form(&self, span: &Range<usize>, key: &Range<usize>) -> Form {
        match self.text.as_bytes().get(span.start) {
            _ if span == key => Form::Dotted,
            Some(b'[') => Form::Header,
            Some(b'{') => Form::Inline,
            _ => Form::Dotted,
        }
    }

    pub(super) fn syntax_error(&self, error: &toml::de::Error) -> Diagnostic {
        let span = error.span().unwrap_or(0..0);
        let origin = self.origin(span.clone());
        let diagnostic = Diagnostic::error("syntax", error.message(), Origin::clone(&origin));
        match traps::cure(error.message(), self.line_of(&origin), self.text.get(span).unwrap_or_default()) {
            Some(cure) => diagnostic.help(cure),
            None => diagnostic,
        }
    }

    fn line_of(&self, origin: &Origin) -> &str {
        let begin = self.lines.get(origin.line as usize - 1).copied().unwrap_or_default();
        self.text.get(begin..).and_then(|rest| rest.lines().next()).unwrap_or_default()
    }
}
