//! What is wrong with a text of the language, and where in it.
//!
//! A fault counts bytes inside its own text (an expression, a string, a type). [`Fault::diagnostic`] puts it into
//! the file, so that the caret points at the very sub-expression.

use std::ops::Range;
use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::spelling::nearest;

use crate::diagnostic::Diagnostic;

mod quoted;

/// What sort of thing is wrong; [`Code::as_str`] is the diagnostic's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// It does not parse.
    Syntax,
    /// Nothing in scope has this name.
    UnknownName,
    /// There is no such function.
    UnknownFunction,
    /// A map has no such key, a list no such index.
    MissingKey,
    /// An operation on values that it is not for.
    WrongType,
    /// The right type, but not a usable value: division by zero, a bad pattern, an overflow.
    BadValue,
    /// Too deep, too many steps, too big.
    Limit,
    /// A secret where none may be.
    Secret,
    /// What a name or a function of the scope says about itself.
    Scope,
}

impl Code {
    /// The stable word for searching.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::UnknownName => "unknown-name",
            Self::UnknownFunction => "unknown-function",
            Self::MissingKey => "missing-key",
            Self::WrongType => "wrong-type",
            Self::BadValue => "bad-value",
            Self::Limit => "limit",
            Self::Secret => "secret",
            Self::Scope => "evaluation",
        }
    }
}

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
}

impl Fault {
    /// Something wrong at a span of the text.
    pub fn new(code: Code, message: impl Into<String>, span: Range<usize>) -> Self {
        Self { code, message: message.into(), span, help: None, origin: None, cause: None }
    }

    /// For [`Scope`](super::Scope)s: something wrong with the value of a name or of a call; the evaluator knows where.
    pub fn of_scope(message: impl Into<String>) -> Self {
        Self::new(Code::Scope, message, 0..0)
    }

    /// For [`Scope`](super::Scope)s: a name's own value failed, at its own place; that is what will be shown.
    pub fn caused_by(diagnostic: Diagnostic) -> Self {
        Self { cause: Some(Box::new(diagnostic.clone())), ..Self::of_scope(diagnostic.message) }
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
        let mut diagnostic = Diagnostic::error(self.code.as_str(), &self.message, place);
        diagnostic.help.clone_from(&self.help);
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
