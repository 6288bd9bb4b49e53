//! What is wrong, where, and what to do: the one shape of every error in a control repository.

use holdfast_catalog::origin::Origin;
use holdfast_catalog::spelling::nearest;
use serde::{Deserialize, Serialize};

mod code; // the table of codes

pub use code::Code;

/// How bad it is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Stops the compile.
    Error,
    /// Is worth a look.
    Warning,
}

/// An error or a warning with its place.
///
/// Texts are lower case, name the offending value and never hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What sort of thing is wrong: a stable word such as `unknown-attribute`.
    pub code: Code,
    /// What is wrong, in one line.
    pub message: String,
    /// Where; none only where no file is concerned.
    pub origin: Option<Origin>,
    /// A few words under the caret.
    pub label: String,
    /// Other places that matter, each with a few words.
    pub related: Vec<(Origin, String)>,
    /// What to do, such as `did you mean \`ensure\`?`.
    pub help: Option<String>,
    /// For how many others it stands, which are not shown; none where it is one itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub others: Option<usize>,
    /// Whether a secret took part, of which it says no more. Within a compile, an expression that goes past it is secret too.
    #[serde(skip)]
    pub withheld: bool,
}

impl Diagnostic {
    /// An error at a place.
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

    /// A warning at a place.
    pub fn warning(code: Code, message: impl Into<String>, origin: impl Into<Option<Origin>>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message, origin) }
    }

    /// With words under the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// With another place.
    #[must_use]
    pub fn related(mut self, origin: Origin, words: impl Into<String>) -> Self {
        self.related.push((origin, words.into()));
        self
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
