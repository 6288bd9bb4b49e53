//! Explains why a key has its value: what each level has for it, what became of each part of that in the merge, and
//! what applies if no level has the key. Secrets are masked everywhere.

use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::Value;

use crate::diagnostic::Diagnostic;
use crate::excerpt::Excerpts;
use crate::language::merge::Merge;
use crate::lookup::fate::{self, ValuePart};
use crate::lookup::{LevelAnswer, Lookup, LookupError, NameUse, Step};

mod json;
mod text;

/// How a key got its value.
#[derive(Debug)]
pub struct Explanation {
    key: Arc<str>,
    /// `None` if the key is not declared.
    declared: Option<KeyDeclaration>,
    /// Each file that could have the key, most specific first.
    levels: Vec<LevelTrace>,
    /// The result of the lookup; `None` if no level has the key.
    answer: Result<Option<Value>, Vec<Diagnostic>>,
    absent: Option<FallbackValue>,
    givers: Vec<ManifestSource>,
    is_included: bool,
}

/// The declaration of the key.
#[derive(Debug)]
struct KeyDeclaration {
    of: String,
    origin: Arc<Origin>,
    merge: Merge,
    /// A merge strategy that was asked for instead of the declared one.
    instead: Option<Merge>,
}

/// One file that could have the key.
#[derive(Debug)]
struct LevelTrace {
    name: Arc<str>,
    path: Arc<str>,
    says: LevelAnswer,
    reads: Vec<NameUse>,
    /// What became of each part of its value; `None` if nothing was merged.
    parts: Option<Vec<ValuePart>>,
}

/// What applies if no level has the key, or the most specific one has null.
#[derive(Debug, Clone)]
pub enum FallbackValue {
    Default {
        value: Value,
        origin: Arc<Origin>,
    },
    /// The parameter's default has errors.
    Wrong(Vec<Diagnostic>),
    /// The parameter has no default.
    Required,
    /// The declared key may be null.
    Null,
    /// The declared key may not be null.
    Nothing,
}

/// A manifest that gives the parameter itself, which takes precedence over the data.
#[derive(Debug)]
pub struct ManifestSource {
    pub manifest: Arc<str>,
    pub origin: Origin,
    /// The value that it gives on this machine; `None` if that cannot be determined.
    pub value: Option<Value>,
}

impl Explanation {
    /// Explains a key, merged as declared or as `instead` says.
    pub fn of(lookup: &Lookup<'_>, key: &str, instead: Option<&Merge>, excerpts: &Excerpts) -> Self {
        let told = |problems: Vec<Diagnostic>| {
            problems.into_iter().map(|problem| excerpts.redacted(problem)).collect::<Vec<_>>()
        };
        let failed = |error: LookupError| told(error.diagnostics(None));
        let mut explanation = Self {
            key: key.into(),
            declared: None,
            levels: Vec::new(),
            answer: lookup.get_merged(key, instead).map_err(failed),
            absent: None,
            givers: Vec::new(),
            is_included: true,
        };
        let (Ok(declaration), Ok(steps)) = (lookup.declaration(key), lookup.steps(key)) else {
            return explanation;
        };
        let merge = instead.unwrap_or(declaration.merge);
        explanation.levels = levels(steps, lookup.is_decided(key, merge).then_some(merge), &told);
        explanation.declared = Some(KeyDeclaration {
            of: declaration.of.to_string(),
            origin: declaration.origin.clone(),
            merge: declaration.merge.clone(),
            instead: instead.filter(|instead| *instead != declaration.merge).cloned(),
        });
        explanation
    }

    /// Adds what applies if the data has no value.
    #[must_use]
    pub fn or(self, absent: Option<FallbackValue>, excerpts: &Excerpts) -> Self {
        let absent = absent.map(|absent| match absent {
            FallbackValue::Wrong(problems) => {
                FallbackValue::Wrong(problems.into_iter().map(|problem| excerpts.redacted(problem)).collect())
            }
            other => other,
        });
        Self { absent, ..self }
    }

    /// Adds the manifests that take precedence over the data, and whether the machine has the key's class at all.
    #[must_use]
    pub fn on(self, givers: Vec<ManifestSource>, is_included: bool) -> Self {
        Self { givers, is_included, ..self }
    }
}

fn levels(
    steps: Vec<Step>,
    merge: Option<&Merge>,
    told: &impl Fn(Vec<Diagnostic>) -> Vec<Diagnostic>,
) -> Vec<LevelTrace> {
    let value =
        |step: &Step| if let LevelAnswer::Value(value) = &step.says { Some(value.clone()) } else { None };
    let values: Vec<Value> = steps.iter().filter_map(value).collect();
    let mut parts = merge.and_then(|merge| fate::parts(merge, &values)).map(Vec::into_iter);
    let level = |step: Step| LevelTrace {
        parts: match &step.says {
            LevelAnswer::Value(_) => parts.as_mut().and_then(Iterator::next),
            _ => None,
        },
        name: step.level,
        path: step.path,
        says: match step.says {
            LevelAnswer::Wrong(problems) => LevelAnswer::Wrong(told(problems)),
            says => says,
        },
        reads: step.reads,
    };
    steps.into_iter().map(level).collect()
}

impl Explanation {
    /// A name for the level of the value with this number, which no other level with a value has.
    fn deciding(&self, number: usize) -> &str {
        let with_value = || self.levels.iter().filter(|level| matches!(level.says, LevelAnswer::Value(_)));
        let Some(level) = with_value().nth(number) else { return "another level" };
        let is_alone = with_value().filter(|other| other.name == level.name).count() == 1;
        if is_alone { &level.name } else { &level.path }
    }
}

impl KeyDeclaration {
    /// The merge strategy in use.
    fn how(&self) -> &Merge {
        self.instead.as_ref().unwrap_or(&self.merge)
    }
}

impl LevelTrace {
    /// The line of its value, if that is in the level's own file.
    fn line(&self) -> Option<u32> {
        let LevelAnswer::Value(value) = &self.says else { return None };
        value.origin.as_ref().filter(|origin| origin.file == self.path).map(|origin| origin.line)
    }
}

/// A leaf of the resulting value.
struct AnswerLeaf<'a> {
    path: String,
    value: &'a Value,
    place: &'a Origin,
}

/// Collects the leaves of a list or map, each with the place that it came from.
fn leaves<'a>(value: &'a Value, path: &str, parent: Option<&'a Origin>, into: &mut Vec<AnswerLeaf<'a>>) {
    let place = value.origin.as_deref().or(parent);
    match (value.as_map(), value.as_list()) {
        (Some(map), _) if !map.is_empty() => {
            for (key, value) in map {
                let key = fate::written(key);
                let path = if path.is_empty() { key } else { format!("{path}.{key}") };
                leaves(value, &path, place, into);
            }
        }
        (_, Some(list)) if !list.is_empty() => {
            for (index, value) in list.iter().enumerate() {
                leaves(value, &format!("{path}[{index}]"), place, into);
            }
        }
        _ => into.extend(place.map(|place| AnswerLeaf { path: path.to_owned(), value, place })),
    }
}

#[cfg(test)]
mod tests;
