//! What is wrong with a text of the language, and where in it.
//!
//! A fault counts bytes inside its own text (an expression, a string, a type). [`Fault::diagnostic`] puts it into
//! the file, so that the caret points at the very sub-expression.

use std::ops::Range;
use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::spelling::nearest;

use crate::diagnostic::{Code, Diagnostic};

mod quoted;

/// What is wrong and where. Texts are lower case, name the offending value and never hold a secret.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// What sort of thing is wrong.
    pub code: Code,
    /// What is wrong, in one line.
    pub message: String,
    /// Bytes of the text in which it was found.
    pub span: Range<usize>,
    pub help: Option<String>,
    /// Where that text stands: the span of the whole string in its file, quotes included.
    pub origin: Option<Arc<Origin>>,
    /// What was wrong elsewhere, where this text merely used a name whose own value failed.
    pub cause: Option<Box<Diagnostic>>,
    /// The name that is unknown, where that is what is wrong.
    pub unknown: Option<Arc<str>>,
    /// Whether a secret took part, of which it says no more.
    pub withheld: bool,
}

impl Fault {
    /// Something wrong at a span of the text.
    pub fn new(code: Code, message: impl Into<String>, span: Range<usize>) -> Self {
        let (help, origin, cause, unknown) = Default::default();
        Self { code, message: message.into(), span, help, origin, cause, unknown, withheld: false }
    }

    /// For [`Scope`](super::Scope)s: something wrong with the value of a name or of a call; the evaluator knows where.
    pub fn of_scope(code: Code, message: impl Into<String>) -> Self {
        Self::new(code, message, 0..0)
    }

    /// For [`Scope`](super::Scope)s: a name's own value failed, at its own place; that is what will be shown.
    pub fn caused_by(diagnostic: Diagnostic) -> Self {
        let (message, withheld) = (diagnostic.message.clone(), diagnostic.withheld);
        Self { cause: Some(Box::new(diagnostic)), withheld, ..Self::of_scope(Code::NoData, message) }
    }

    /// With what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With `did you mean …?` where a candidate is near.
    #[must_use]
    pub fn did_you_mean<'a>(self, word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        match nearest(word, candidates) {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None => self,
        }
    }

    /// The same fault in a text that holds this one from byte `offset` on.
    #[must_use]
    pub fn shifted(mut self, offset: usize) -> Self {
        self.span = self.span.start + offset..self.span.end + offset;
        self
    }

    /// With the place of its text, unless it has one.
    #[must_use]
    pub fn within(mut self, origin: Option<&Arc<Origin>>) -> Self {
        self.origin = self.origin.or_else(|| origin.cloned());
        self
    }

    /// As a diagnostic. `source` is the text of the file that [`Fault::origin`] names: with it, the caret stands
    /// under the span; without it, under the whole string.
    pub fn diagnostic(&self, source: Option<&str>) -> Diagnostic {
        let place = self.origin.as_deref().map(|origin| match source {
            Some(source) => quoted::place(origin, source, self.span.clone()),
            None => origin.clone(),
        });
        self.diagnostic_at(place)
    }

    /// As a diagnostic, where the place is known already.
    pub(super) fn diagnostic_at(&self, place: Option<Origin>) -> Diagnostic {
        if let Some(cause) = &self.cause {
            let cause = Diagnostic::clone(cause);
            return match place {
                Some(place) if cause.origin.as_ref() != Some(&place) => cause.related(place, "used here"),
                _ => cause,
            };
        }
        let mut diagnostic = Diagnostic::error(self.code, &self.message, place);
        diagnostic.help.clone_from(&self.help);
        diagnostic.withheld = self.withheld;
        diagnostic
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, " ({help})"))
    }
}

impl std::error::Error for Fault {}
