//! The text of a file with parts of it hidden.

use std::ops::Range;
use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::MASK;

use super::token::comments;

/// Replaces a value that may be a secret.
const WITHHELD: &str = "…";
/// How many bytes of a line are shown before and after the marked part.
const AROUND: usize = 300;

/// A part of a file that is not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HiddenSpan {
    pub(super) span: Range<usize>,
    pub(super) why: HiddenReason,
}

/// Why a part is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HiddenReason {
    /// Its declared type is secret.
    Secret,
    /// It may have been meant for a secret.
    Unknown,
    /// It is a comment beside something that is hidden.
    Comment,
}

impl HiddenReason {
    fn shown(self) -> &'static str {
        match self {
            Self::Secret => MASK,
            Self::Unknown => WITHHELD,
            Self::Comment => "",
        }
    }
}

/// The text of a file, without its secrets.
#[derive(Debug)]
pub struct MaskedFile {
    text: Arc<str>,
    /// The hidden parts, in order and without overlaps.
    hidden: Vec<HiddenSpan>,
    comments: Vec<Range<usize>>,
    /// Whether comments are shown on lines without hidden parts.
    remarks: bool,
}

/// A line with its marked part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    pub number: u32,
    pub text: String,
    /// The marked bytes of the text; may be empty.
    pub marked: Range<usize>,
}

impl MaskedFile {
    pub(super) fn new(text: Arc<str>, mut hidden: Vec<HiddenSpan>) -> Self {
        hidden.sort_by_key(|hidden| (hidden.span.start, std::cmp::Reverse(hidden.span.end)));
        let mut end = 0;
        hidden.retain(|hidden| {
            let outside = hidden.span.end > end;
            end = end.max(hidden.span.end);
            outside
        });
        let comments = if hidden.is_empty() { Vec::new() } else { comments(&text) };
        Self { text, hidden, comments, remarks: true }
    }

    /// A text whose comments are all hidden: beside values, they may contain old values.
    pub(super) fn without_remarks(text: Arc<str>, hidden: Vec<HiddenSpan>) -> Self {
        let comments = comments(&text);
        Self { comments, remarks: false, ..Self::new(text, hidden) }
    }

    /// A text in which nothing is hidden.
    #[cfg(test)]
    pub fn open(text: &str) -> Arc<Self> {
        Arc::new(Self::new(text.into(), Vec::new()))
    }

    /// The line where a place begins; `None` if the place is not in this text.
    pub fn line(&self, origin: &Origin) -> Option<Excerpt> {
        let start = origin.start as usize;
        let begin = self.text.get(..start)?.rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.text[begin..].split('\n').next().unwrap_or_default();
        let line = line.strip_suffix('\r').unwrap_or(line);
        let end = (origin.end as usize).clamp(start, (begin + line.len()).max(start));
        let end = if self.text.is_char_boundary(end) { end } else { start };
        let shown = self.shown(begin..begin + line.len(), start..end);
        Some(Excerpt { number: origin.line, ..windowed(shown) })
    }

    /// The hidden texts in a part of the file.
    pub(super) fn hidden_in(&self, span: Range<usize>) -> impl Iterator<Item = &str> {
        let touched = self.hidden_within(span);
        touched.filter_map(|hidden| self.text.get(hidden.span.clone()))
    }

    fn hidden_within(&self, span: Range<usize>) -> impl Iterator<Item = &HiddenSpan> {
        let first = self.hidden.partition_point(|hidden| hidden.span.end < span.start);
        self.hidden[first..].iter().take_while(move |hidden| hidden.span.start <= span.end)
    }

    /// A line with its hidden parts replaced, and the marked part moved accordingly.
    fn shown(&self, line: Range<usize>, meant: Range<usize>) -> Excerpt {
        let parts = self.parts(line.clone());
        let text: String = parts.iter().map(|part| part.shown).collect();
        if text.trim().is_empty() && !self.text[line].trim().is_empty() {
            return Excerpt { number: 0, text: format!("# {WITHHELD}"), marked: 0..0 };
        }
        let start = moved(&parts, meant.start, SpanEnd::Start);
        let end = moved(&parts, meant.end, SpanEnd::End).max(start);
        Excerpt { number: 0, text, marked: start..end }
    }

    /// Splits a line into the parts that are shown and those that are replaced.
    fn parts(&self, line: Range<usize>) -> Vec<LinePart<'_>> {
        let inside = |hidden: &&HiddenSpan| hidden.span.start < line.end && hidden.span.end > line.start;
        let mut hidden: Vec<HiddenSpan> = self.hidden_within(line.clone()).filter(inside).cloned().collect();
        if !hidden.is_empty() || !self.remarks {
            let first = self.comments.partition_point(|comment| comment.end <= line.start);
            let beside = self.comments[first..].iter().take_while(|comment| comment.start < line.end);
            hidden.extend(beside.map(|span| HiddenSpan { span: span.clone(), why: HiddenReason::Comment }));
            hidden.sort_by_key(|hidden| hidden.span.start);
        }
        let mut parts = Vec::new();
        let mut at = line.start;
        for hidden in hidden {
            let (from, to) = (hidden.span.start.max(at), hidden.span.end.min(line.end).max(at));
            parts.push(LinePart { source: at..from, shown: &self.text[at..from], open: true });
            let shown = if from < to { hidden.why.shown() } else { "" };
            parts.push(LinePart { source: from..to, shown, open: false });
            at = to;
        }
        parts.push(LinePart { source: at..line.end, shown: &self.text[at..line.end], open: true });
        parts
    }
}

/// A part of a line.
struct LinePart<'a> {
    source: Range<usize>,
    shown: &'a str,
    open: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum SpanEnd {
    Start,
    End,
}

/// Where a position in the file is in the line as shown. A position inside a hidden part means the whole part.
fn moved(parts: &[LinePart<'_>], place: usize, edge: SpanEnd) -> usize {
    let mut shown = 0;
    for part in parts {
        let reached = match edge {
            SpanEnd::Start => place < part.source.end,
            SpanEnd::End => place <= part.source.end,
        };
        if reached {
            return match (part.open, edge) {
                (true, _) => shown + place.saturating_sub(part.source.start),
                (false, SpanEnd::Start) => shown,
                (false, SpanEnd::End) if place <= part.source.start => shown,
                (false, SpanEnd::End) => shown + part.shown.len(),
            };
        }
        shown += part.shown.len();
    }
    shown
}

/// Shortens a long line to the surroundings of the marked part.
fn windowed(line: Excerpt) -> Excerpt {
    if line.text.len() <= 3 * AROUND {
        return line;
    }
    let floor = |at: usize| (0..=at.min(line.text.len())).rev().find(|at| line.text.is_char_boundary(*at));
    let from = floor(line.marked.start.saturating_sub(AROUND)).unwrap_or_default();
    let to = floor(line.marked.start + AROUND).unwrap_or_default();
    let before = if from > 0 { WITHHELD } else { "" };
    let after = if to < line.text.len() { WITHHELD } else { "" };
    let start = line.marked.start - from + before.len();
    let end = (line.marked.end.min(to)).saturating_sub(from) + before.len();
    let text = format!("{before}{}{after}", &line.text[from..to]);
    Excerpt { text, marked: start..end.max(start), ..line }
}
