//! How a key got its value: each level, its file and line, found or not, and how the answer was merged.

use std::cell::OnceCell;
use std::fmt::Write as _;
use std::sync::Arc;

use holdfast_catalog::diagnostic::Diagnostic;
use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::Value;

mod hidden;

use super::source::State;
use super::{Found, Lookup, LookupError};
use crate::excerpt::Excerpts;
use crate::language::merge::Merge;

/// How a key got its value.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The key.
    pub key: Arc<str>,
    /// How its values are merged; none where nobody declares the key.
    pub merge: Option<Merge>,
    /// Each file that could speak of it, most specific first.
    pub steps: Vec<Step>,
    /// The answer; none where no level has it.
    pub answer: Result<Option<Found>, Vec<Diagnostic>>,
}

/// One file that could speak of the key.
#[derive(Debug, Clone)]
pub struct Step {
    /// The level's name.
    pub level: Arc<str>,
    /// Path from the repository's root; the pattern where it leads nowhere.
    pub path: Arc<str>,
    /// What it says.
    pub outcome: Outcome,
}

/// What one file says of a key.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// A value that is a part of the answer.
    Used(Value),
    /// A value that is not, because a more specific level decided.
    Overruled(Value),
    /// The file does not have the key.
    NoKey,
    /// There is no such file.
    NoFile,
    /// The path leads nowhere for this node.
    Skipped(Arc<str>),
    /// The value could not be had.
    Failed(Vec<Diagnostic>),
}

pub(super) fn explain(lookup: &Lookup<'_>, key: &str, merge: Option<&Merge>) -> Explanation {
    let excerpts = OnceCell::new();
    let told = |problems: Vec<Diagnostic>| {
        let excerpts =
            excerpts.get_or_init(|| Excerpts::new(lookup.reader.snapshot(), Some(lookup.data.modules())));
        problems.into_iter().map(|problem| excerpts.redacted(problem)).collect::<Vec<_>>()
    };
    let failed = |error: LookupError| Explanation {
        key: key.into(),
        merge: None,
        steps: Vec::new(),
        answer: Err(told(error.diagnostics(None))),
    };
    let declaration = match lookup.data.declaration(key) {
        Ok(declaration) => declaration,
        Err(error) => return failed(error),
    };
    let answer = lookup.get_merged(key, merge).map_err(|error| told(error.diagnostics(None)));
    let merge = merge.unwrap_or(declaration.merge);
    let sources = match lookup.sources_of(declaration.class) {
        Ok(sources) => sources,
        Err(problems) => return failed(LookupError::Data(problems)),
    };
    // also where the answer is not of its type: which level decided is what is asked
    let mut used = match &answer {
        Ok(found) => found.as_ref().map(|found| found.trail.clone()).unwrap_or_default(),
        Err(_) => lookup.places(key, declaration.class, merge),
    };
    let step = |source: super::Source| {
        let outcome = match &source.state {
            State::Absent => Outcome::NoFile,
            State::Skipped(why) => Outcome::Skipped(why.clone()),
            State::File(_) => match lookup.evaluate_alone(&source, key) {
                Err(problems) => Outcome::Failed(told(problems)),
                Ok(None) => Outcome::NoKey,
                Ok(Some(value)) => {
                    let place = used.iter().position(|origin| Some(origin) == value.origin.as_ref());
                    match place.map(|at| used.remove(at)) {
                        Some(_) => Outcome::Used(value),
                        None => Outcome::Overruled(value),
                    }
                }
            },
        };
        Step { level: source.name, path: source.path, outcome }
    };
    let steps = sources.into_iter().map(step).collect();
    Explanation { key: key.into(), merge: Some(merge.clone()), steps, answer }
}

impl Explanation {
    fn knockout_prefix(&self) -> Option<&str> {
        match &self.merge {
            Some(Merge::Deep(options)) => options.knockout_prefix.as_deref(),
            _ => None,
        }
    }

    /// As plain text, secrets masked.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let merge =
            self.merge.as_ref().map_or_else(String::new, |merge| format!(" (merge: {})", merge.name()));
        // writing to a string cannot fail
        let _ = writeln!(out, "{}{merge}", self.key);
        let width = self.steps.iter().map(|step| step.level.chars().count()).max().unwrap_or_default();
        let answer = self.answer.as_ref().ok().and_then(Option::as_ref).map(|found| &found.value);
        for step in &self.steps {
            let (path, what) = step.words();
            let _ = writeln!(out, "  {:width$}  {path}: {what}", step.level);
            if let (Outcome::Used(value), Some(answer)) = (&step.outcome, answer) {
                let gone = hidden::parts(value, answer, self.knockout_prefix());
                if !gone.is_empty() {
                    let _ =
                        writeln!(out, "  {:width$}  knocked out or hidden by null: {}", "", gone.join(", "));
                }
            }
        }
        match &self.answer {
            Ok(Some(found)) => {
                let _ = writeln!(out, "= {}", found.value.shown());
                leaves(&found.value, "", found.value.origin.as_deref(), &mut out);
            }
            Ok(None) => out.push_str("= not found: no level has the key\n"),
            Err(problems) => {
                let _ =
                    writeln!(out, "= no answer: {}", crate::diagnose::summary(problems).unwrap_or_default());
            }
        }
        out
    }
}

impl Explanation {
    /// As JSON, secrets masked.
    pub fn json(&self) -> serde_json::Value {
        let answer = match &self.answer {
            Ok(found) => serde_json::json!({
                "found": found.is_some(),
                "value": found.as_ref().map(|found| found.value.to_json_masked()),
            }),
            Err(problems) => serde_json::json!({ "errors": problems }),
        };
        serde_json::json!({
            "key": &*self.key,
            "merge": self.merge.as_ref().map(Merge::name),
            "levels": self.steps.iter().map(Step::json).collect::<Vec<_>>(),
            "answer": answer,
        })
    }
}

impl Step {
    fn json(&self) -> serde_json::Value {
        let (outcome, value) = match &self.outcome {
            Outcome::Used(value) => ("used", Some(value)),
            Outcome::Overruled(value) => ("overruled", Some(value)),
            Outcome::NoKey => ("no_key", None),
            Outcome::NoFile => ("no_file", None),
            Outcome::Skipped(_) => ("skipped", None),
            Outcome::Failed(_) => ("failed", None),
        };
        serde_json::json!({
            "level": &*self.level,
            "path": &*self.path,
            "outcome": outcome,
            "line": value.and_then(|value| value.origin.as_ref()).map(|origin| origin.line),
            "value": value.map(Value::to_json_masked),
        })
    }

    fn words(&self) -> (String, String) {
        let at = |value: &Value| match &value.origin {
            Some(origin) if origin.file == self.path => format!("{}:{}", self.path, origin.line),
            _ => self.path.to_string(),
        };
        match &self.outcome {
            Outcome::Used(value) => (at(value), value.shown()),
            Outcome::Overruled(value) => {
                (at(value), format!("{}, overruled by a more specific level", value.shown()))
            }
            Outcome::NoKey => (self.path.to_string(), "does not have it".to_owned()),
            Outcome::NoFile => (self.path.to_string(), "no such file".to_owned()),
            Outcome::Skipped(why) => (self.path.to_string(), format!("skipped: {why}")),
            Outcome::Failed(problems) => {
                let texts: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
                (self.path.to_string(), format!("error: {}", texts.join("; ")))
            }
        }
    }
}

/// Which place gave each part of a list or map.
fn leaves(value: &Value, path: &str, parent: Option<&Origin>, out: &mut String) {
    let place = value.origin.as_deref().or(parent);
    if let Some(map) = value.as_map() {
        for (key, value) in map {
            let path = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
            leaves(value, &path, place, out);
        }
    } else if let Some(list) = value.as_list() {
        for (index, value) in list.iter().enumerate() {
            leaves(value, &format!("{path}[{index}]"), place, out);
        }
    } else if let Some(place) = place.filter(|_| !path.is_empty()) {
        let level = place.level.as_deref().map_or_else(String::new, |level| format!(" ({level})"));
        let _ = writeln!(out, "  {path} = {}  from {}:{}{level}", value.shown(), place.file, place.line);
    }
}
