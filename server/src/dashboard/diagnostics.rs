//! Errors of a control repository as pages show them: with place, line, caret, and what to do.

use holdfast_catalog::commit::CommitId;
use holdfast_catalog::origin::Origin;
use schemars::JsonSchema;
use serde::Serialize;

use super::page_request::PageRequest;
use super::size;
use super::text::Shown;
use crate::diagnostic::{Diagnostic, Severity};
use crate::excerpt::{Excerpt, Excerpts};

/// The most errors to show, and the most room that they take together; the others are only counted.
const MAX_SHOWN: usize = 20;
const MAX_BYTES: usize = 12_000;

/// The most room for a sentence, for a line, and for a few words; `holdfast check` shows the whole text.
const MAX_SENTENCE: usize = 600;
const MAX_LINE: usize = 400;
const MAX_WORDS: usize = 200;

/// The most related places of one error to show.
const MAX_RELATED: usize = 3;

/// The room that the markup of one error takes.
const FAULT: usize = 500;

/// An error or a warning.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Fault")]
pub struct DiagnosticView {
    /// How severe the problem is.
    pub severity: Severity,
    /// The code: a stable word for the kind of problem.
    pub code: &'static str,
    /// What is wrong.
    pub message: Shown,
    /// `file:line:column`; only the file if the caller may not see what operators wrote.
    pub place: Option<Shown>,
    /// The line, if the commit is still available.
    pub line: Option<ExcerptLine>,
    /// A few words under the caret.
    pub label: Shown,
    /// Other places, each with a few words.
    pub related: Vec<(Shown, Shown)>,
    /// The number of related places that are left out.
    pub more_related: usize,
    /// What to do.
    pub help: Option<Shown>,
}

/// A line of a file with the marked part.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Line")]
pub struct ExcerptLine {
    /// The line number, counted from 1.
    pub number: u32,
    /// The text of the line.
    pub text: Shown,
    /// The space below the line up to the caret: blanks, with the tabs of the line.
    pub indent: String,
    /// As many carets as the marked part has characters on this line.
    pub carets: String,
}

impl DiagnosticView {
    /// The diagnostics of a commit, as far as the caller may see what operators wrote for everyone.
    pub fn all(diagnostics: &[Diagnostic], commit: &CommitId, asked: &PageRequest) -> Vec<Self> {
        let shown = diagnostics.iter().take(MAX_SHOWN);
        if asked.sees_everything() {
            let excerpts =
                if diagnostics.is_empty() { None } else { asked.state.server_view.excerpts(commit) };
            let faults = shown.map(|diagnostic| Self::of(diagnostic, excerpts.as_ref()));
            size::fitting(faults, MAX_BYTES, Self::cost)
        } else {
            size::fitting(shown.map(Self::without_source), MAX_BYTES, Self::cost)
        }
    }

    /// The room that it takes on a page.
    fn cost(&self) -> usize {
        let related = self.related.iter().flat_map(|(place, words)| [place, words]);
        let line = self.line.iter().map(|line| &line.text);
        let texts = [&self.message, &self.label].into_iter().chain(&self.place).chain(&self.help);
        let texts = texts.chain(related).chain(line).map(|text| size::cost(text.raw()));
        FAULT + 3 * MAX_LINE + texts.sum::<usize>()
    }

    /// Whether it stops the compile.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Only the message and the file: the line, and anything that refers to it, may be another tenant's.
    fn without_source(diagnostic: &Diagnostic) -> Self {
        Self {
            severity: diagnostic.severity,
            code: diagnostic.code.word(),
            message: shown(&diagnostic.message, MAX_SENTENCE),
            place: diagnostic.origin.as_ref().map(|origin| shown(&origin.file, MAX_WORDS)),
            line: None,
            label: String::new().into(),
            related: Vec::new(),
            more_related: 0,
            help: None,
        }
    }

    fn of(diagnostic: &Diagnostic, excerpts: Option<&Excerpts>) -> Self {
        let excerpt = |origin: &Origin| excerpts?.line(origin);
        let line = diagnostic.origin.as_ref().and_then(excerpt).map(ExcerptLine::of);
        let related = diagnostic.related.iter();
        Self {
            more_related: related.len().saturating_sub(MAX_RELATED),
            severity: diagnostic.severity,
            code: diagnostic.code.word(),
            message: shown(&diagnostic.message, MAX_SENTENCE),
            place: diagnostic.origin.as_ref().map(|origin| shown(&origin.to_string(), MAX_WORDS)),
            line,
            label: shown(&diagnostic.label, MAX_WORDS),
            related: related
                .take(MAX_RELATED)
                .map(|(origin, words)| (shown(&origin.to_string(), MAX_WORDS), shown(words, MAX_WORDS)))
                .collect(),
            help: diagnostic.help.as_deref().map(|help| shown(help, MAX_SENTENCE)),
        }
    }
}

fn shown(text: &str, most: usize) -> Shown {
    Shown::from(size::short(text, most))
}

impl ExcerptLine {
    /// As many spaces as the number has digits.
    pub fn blank_number(&self) -> String {
        " ".repeat(self.number.to_string().len())
    }

    fn of(excerpt: Excerpt) -> Self {
        let Excerpt { number, text, marked } = excerpt;
        let blank = |c| if c == '\t' { '\t' } else { ' ' };
        // Of a long line, only the text from a little before the marked part on.
        let before = text.get(..marked.start).unwrap_or_default();
        let begin = match size::cost(&text) > MAX_LINE {
            true => before.char_indices().rev().nth(MAX_LINE / 10).map_or(0, |(at, _)| at),
            false => 0,
        };
        let (from, _) = size::beginning(text.get(begin..).unwrap_or_default(), MAX_LINE);
        let meant = text.get(marked.start..marked.end.min(begin + from.len()));
        let carets = meant.map_or(1, |meant| meant.chars().count().max(1));
        let indent = text.get(begin..marked.start).unwrap_or_default().chars().map(blank).collect();
        Self { number, text: from.into(), indent, carets: "^".repeat(carets) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::excerpt::MaskedFile;

    fn line(source: &str, span: std::ops::Range<usize>) -> ExcerptLine {
        let origin = Origin::locate(&"a.toml".into(), source, span);
        ExcerptLine::of(MaskedFile::open(source).line(&origin).unwrap())
    }

    #[test]
    fn carets_stand_below_what_is_meant() {
        let source = "a = 1\n\twörkers = 8\nb = 2\n";
        let found = line(source, 7..15);
        assert_eq!((found.number, found.text.raw()), (2, "\twörkers = 8"));
        assert_eq!((found.indent.as_str(), found.carets.as_str()), ("\t", "^^^^^^^"));
    }

    #[test]
    fn a_stretch_over_many_lines_is_marked_on_its_first() {
        assert_eq!(line("a = [\n1,\n]\n", 4..10).carets, "^");
        assert_eq!(line("a", 1..1).carets, "^");
    }

    #[test]
    fn of_a_long_line_the_stretch_is_shown_that_is_meant() {
        let source = format!("a = [{}bad{}]\n", "1, ".repeat(400), ", 1".repeat(400));
        let begin = source.find("bad").unwrap();
        let found = line(&source, begin..begin + 3);
        assert!(
            found.text.raw().len() <= MAX_LINE && found.text.raw()[found.indent.len()..].starts_with("bad")
        );
        assert_eq!(found.carets, "^^^");
        let all = line(&source, 4..source.len() - 1);
        assert!(all.carets.len() > 200 && all.carets.len() + 4 <= all.text.raw().len());
    }

    #[test]
    fn a_place_outside_of_the_file_has_no_line() {
        let origin = Origin::locate(&"a.toml".into(), "ü", 0..1);
        let text = MaskedFile::open("ü");
        assert_eq!(text.line(&Origin { start: 1, ..origin.clone() }), None);
        assert_eq!(text.line(&Origin { start: 99, ..origin }), None);
    }
}
