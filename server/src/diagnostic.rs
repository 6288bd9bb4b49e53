//! What is wrong, where, and what to do: the one form of every error in a control repository.

use holdfast_catalog::origin::Origin;
use holdfast_catalog::spelling::did_you_mean;
use serde::{Deserialize, Serialize};

mod code; // the table of codes

pub use code::Code;

/// How severe a problem is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Stops the compile.
    Error,
    /// Stops nothing, but deserves attention.
    Warning,
}

/// An error or a warning with its place.
///
/// Texts are lower case, name the offending value and never hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Diagnostic {
    pub severity: Severity,
    /// The kind of problem: a stable word such as `unknown-attribute`.
    pub code: Code,
    /// What is wrong, in one line.
    pub message: String,
    /// The place of the problem; `None` only if no file is concerned.
    pub origin: Option<Origin>,
    /// A few words to show under the caret.
    pub label: String,
    /// Other places that matter, each with a few words.
    pub related: Vec<(Origin, String)>,
    /// What to do, such as `did you mean \`ensure\`?`.
    pub help: Option<String>,
    /// The number of further problems that this one represents, which are not shown; `None` if it is a problem itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub others: Option<usize>,
    /// Whether the problem involved a secret, so that nothing more is told. Within a compile, an expression that
    /// continues past such a problem is secret too.
    #[serde(skip)]
    pub withheld: bool,
}

impl Diagnostic {
    /// Makes an error at a place.
    pub fn error(code: Code, message: impl Into<String>, origin: impl Into<Option<Origin>>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            origin: origin.into(),
            label: String::new(),
            related: Vec::new(),
            help: None,
            others: None,
            withheld: false,
        }
    }

    /// Makes a warning at a place.
    pub fn warning(code: Code, message: impl Into<String>, origin: impl Into<Option<Origin>>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message, origin) }
    }

    /// Sets the words under the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds another place.
    #[must_use]
    pub fn related(mut self, origin: Origin, words: impl Into<String>) -> Self {
        self.related.push((origin, words.into()));
        self
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
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        f.write_str(&self.message)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, " ({help})"))
    }
}
