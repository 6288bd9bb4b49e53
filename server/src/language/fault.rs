//! What is wrong with a text of the language, and where in it.
//!
//! A fault counts bytes inside its own text (an expression, a string, a type). [`Fault::diagnostic`] converts that to a
//! place in the file, so that the caret points at the exact sub-expression.

use std::ops::Range;
use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::spelling::did_you_mean;

use crate::diagnostic::{Code, Diagnostic};

mod quoted;

/// What is wrong, and where. Texts are in lower case, name the offending value and never contain a secret.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// The kind of problem.
    pub code: Code,
    /// What is wrong, in one line.
    pub message: String,
    /// The bytes of the text in which it was found.
    pub span: Range<usize>,
    pub help: Option<String>,
    /// The place of that text: the span of the whole string in its file, quotes included.
    pub origin: Option<Arc<Origin>>,
    /// The actual problem, if this text only used a name whose own value failed elsewhere.
    pub cause: Option<Box<Diagnostic>>,
    /// The unknown name, if that is the problem.
    pub unknown: Option<Arc<str>>,
    /// Whether the problem involved a secret, so that nothing more is told.
    pub withheld: bool,
}

impl Fault {
    /// Makes a fault at a span of the text.
    pub fn new(code: Code, message: impl Into<String>, span: Range<usize>) -> Self {
        let (help, origin, cause, unknown) = Default::default();
        Self { code, message: message.into(), span, help, origin, cause, unknown, withheld: false }
    }

    /// For [`Scope`](super::Scope)s: makes a fault about the value of a name or of a call; the evaluator sets the place.
    pub fn of_scope(code: Code, message: impl Into<String>) -> Self {
        Self::new(code, message, 0..0)
    }

    /// For [`Scope`](super::Scope)s: makes a fault for a name whose own value failed, at its own place, which is then
    /// shown.
    pub fn caused_by(diagnostic: Diagnostic) -> Self {
        let (message, withheld) = (diagnostic.message.clone(), diagnostic.withheld);
        Self { cause: Some(Box::new(diagnostic)), withheld, ..Self::of_scope(Code::NoData, message) }
    }

    /// Sets what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Sets the help to `did you mean …?` if one of the candidates is similar to `word`.
    #[must_use]
    pub fn did_you_mean<'a>(self, word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        Self { help: did_you_mean(word, candidates).or(self.help), ..self }
    }

    /// Moves the fault to a text that contains this one from byte `offset` on.
    #[must_use]
    pub fn shifted(mut self, offset: usize) -> Self {
        self.span = self.span.start + offset..self.span.end + offset;
        self
    }

    /// Sets the place of its text, unless that is set already.
    #[must_use]
    pub fn within(mut self, origin: Option<&Arc<Origin>>) -> Self {
        self.origin = self.origin.or_else(|| origin.cloned());
        self
    }

    /// Converts the fault to a diagnostic. `source` is the text of the file in [`Fault::origin`]: with it, the caret is
    /// under the span; without it, under the whole string.
    pub fn diagnostic(&self, source: Option<&str>) -> Diagnostic {
        let place = self.origin.as_deref().map(|origin| match source {
            Some(source) => quoted::place(origin, source, self.span.clone()),
            None => origin.clone(),
        });
        self.diagnostic_at(place)
    }

    /// Converts the fault to a diagnostic at a place that is known already.
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
