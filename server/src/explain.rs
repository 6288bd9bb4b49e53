//! Why a key has its value: what each level says of it, what became of each part of that in the merge, and what holds
//! where no level has it. Secrets are masked in all of it.

use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::Value;

use crate::diagnostic::Diagnostic;
use crate::excerpt::Excerpts;
use crate::language::merge::Merge;
use crate::lookup::fate::{self, Part};
use crate::lookup::{Lookup, LookupError, Read, Says, Step};

mod json;
mod text;

/// How a key got its value.
#[derive(Debug)]
pub struct Explanation {
    key: Arc<str>,
    /// None where nobody declares the key.
    declared: Option<Declared>,
    /// Each file that could speak of it, most specific first.
    levels: Vec<Level>,
    /// The answer of the data; none where no level has the key.
    answer: Result<Option<Value>, Vec<Diagnostic>>,
    absent: Option<Absent>,
    givers: Vec<Giver>,
    is_included: bool,
}

/// What is declared about the key.
#[derive(Debug)]
struct Declared {
    of: String,
    origin: Arc<Origin>,
    merge: Merge,
    /// How it is merged instead, because somebody asked for that.
    instead: Option<Merge>,
}

/// One file that could speak of the key.
#[derive(Debug)]
struct Level {
    name: Arc<str>,
    path: Arc<str>,
    says: Says,
    reads: Vec<Read>,
    /// What became of each part of its value; none where nothing was merged.
    parts: Option<Vec<Part>>,
}

/// What holds where no level has the key, or the most specific one says null.
#[derive(Debug, Clone)]
pub enum Absent {
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
    /// The declared key may not.
    Nothing,
}

/// A manifest that gives the parameter itself, which goes before the data.
#[derive(Debug)]
pub struct Giver {
    pub manifest: Arc<str>,
    pub origin: Origin,
    /// What it gives the machine; none where that cannot be told.
    pub value: Option<Value>,
}

impl Explanation {
    /// Explains a key, merged as it is declared or in another way.
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
        explanation.declared = Some(Declared {
            of: declaration.of.to_string(),
            origin: declaration.origin.clone(),
            merge: declaration.merge.clone(),
            instead: instead.filter(|instead| *instead != declaration.merge).cloned(),
        });
        explanation
    }

    /// The same with what holds where the data has nothing.
    #[must_use]
    pub fn or(self, absent: Option<Absent>, excerpts: &Excerpts) -> Self {
        let absent = absent.map(|absent| match absent {
            Absent::Wrong(problems) => {
                Absent::Wrong(problems.into_iter().map(|problem| excerpts.redacted(problem)).collect())
            }
            other => other,
        });
        Self { absent, ..self }
    }

    /// The same with the manifests that go before the data, and whether the machine has the key's class at all.
    #[must_use]
    pub fn on(self, givers: Vec<Giver>, is_included: bool) -> Self {
        Self { givers, is_included, ..self }
    }
}

fn levels(
    steps: Vec<Step>,
    merge: Option<&Merge>,
    told: &impl Fn(Vec<Diagnostic>) -> Vec<Diagnostic>,
) -> Vec<Level> {
    let value = |step: &Step| if let Says::Value(value) = &step.says { Some(value.clone()) } else { None };
    let values: Vec<Value> = steps.iter().filter_map(value).collect();
    let mut parts = merge.and_then(|merge| fate::parts(merge, &values)).map(Vec::into_iter);
    let level = |step: Step| Level {
        parts: match &step.says {
            Says::Value(_) => parts.as_mut().and_then(Iterator::next),
            _ => None,
        },
        name: step.level,
        path: step.path,
        says: match step.says {
            Says::Wrong(problems) => Says::Wrong(told(problems)),
            says => says,
        },
        reads: step.reads,
    };
    steps.into_iter().map(level).collect()
}

impl Explanation {
    /// The level of the value with this number, by a name that no other level with a value has.
    fn deciding(&self, number: usize) -> &str {
        let with_value = || self.levels.iter().filter(|level| matches!(level.says, Says::Value(_)));
        let Some(level) = with_value().nth(number) else { return "another level" };
        let is_alone = with_value().filter(|other| other.name == level.name).count() == 1;
        if is_alone { &level.name } else { &level.path }
    }
}

impl Declared {
    /// How the values are merged.
    fn how(&self) -> &Merge {
        self.instead.as_ref().unwrap_or(&self.merge)
    }
}

impl Level {
    /// The line of its value, where it is in the level's own file.
    fn line(&self) -> Option<u32> {
        let Says::Value(value) = &self.says else { return None };
        value.origin.as_ref().filter(|origin| origin.file == self.path).map(|origin| origin.line)
    }
}

/// A leaf of the answer.
struct Leaf<'a> {
    path: String,
    value: &'a Value,
    place: &'a Origin,
}

/// Which place gave each part of a list or map.
fn leaves<'a>(value: &'a Value, path: &str, parent: Option<&'a Origin>, into: &mut Vec<Leaf<'a>>) {
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
        _ => into.extend(place.map(|place| Leaf { path: path.to_owned(), value, place })),
    }
}

#[cfg(test)]
mod tests;
