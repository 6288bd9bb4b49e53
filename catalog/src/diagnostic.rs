//! What is wrong, where, and what to do: the one shape of every error in a control repository.

use serde::{Deserialize, Serialize};

use crate::origin::Origin;

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable word for searching, such as `unknown-attribute`.
    pub code: String,
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
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: &str, message: impl Into<String>, origin: impl Into<Option<Origin>>) -> Self {
        Self {
            severity: Severity::Error,
            code: code.to_owned(),
            message: message.into(),
            origin: origin.into(),
            label: String::new(),
            related: Vec::new(),
            help: None,
        }
    }

    /// A warning at a place.
    pub fn warning(code: &str, message: impl Into<String>, origin: impl Into<Option<Origin>>) -> Self {
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

/// Longer words are nobody's slip of the finger, and comparing them costs by the square of their length.
const LONGEST: usize = 200;

/// The same word in another case, else the candidate with the fewest edits, where they are at most a third of the word; the
/// first of equals by name. Never the word itself: anyone who typed it needs another.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    if length > LONGEST {
        return None;
    }
    let limit = (length / 3).max(1);
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let in_another_case = |candidate: &&&str| **candidate != word && candidate.eq_ignore_ascii_case(word);
    if let Some(same) = candidates.iter().filter(in_another_case).min() {
        return Some(same);
    }
    if length < 2 {
        return None; // any other letter is one edit away
    }
    candidates
        .into_iter()
        .filter(|candidate| {
            candidate.len() <= 4 * LONGEST && candidate.chars().count().abs_diff(length) <= limit
        })
        .map(|candidate| (strsim::osa_distance(word, candidate), candidate))
        .filter(|(distance, _)| (1..=limit).contains(distance))
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_within_a_third() {
        let names = ["ensure", "enable", "owner"];
        assert_eq!(nearest("ensrue", names), Some("ensure"));
        assert_eq!(nearest("enabel", names), Some("enable"));
        assert_eq!(nearest("zzz", names), None);
        assert_eq!(nearest("P", ["b", "p", "s"]), Some("p"), "the same letter comes first");
        assert_eq!(nearest("\u{440}", ["b", "p"]), None, "any letter is as near to another");
        assert_eq!(nearest("OWNER", names), Some("owner"));
        let long = "a".repeat(10_000_000);
        assert_eq!(nearest(&long, [&*long]), None, "what costs too much to compare is not compared");
        assert_eq!(nearest("owner", names), None, "what was typed is not advice");
    }
}
