//! An explanation for programs, with everything that the text contains.

use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::Value;
use serde_json::{Value as Json, json};

use super::{Explanation, FallbackValue, KeyDeclaration, LevelTrace, leaves};
use crate::language::merge::{DeepOptions, ListOrder, MapsInLists, Merge};
use crate::lookup::fate::{Fate, ValuePart};
use crate::lookup::{LevelAnswer, NameUse};

impl Explanation {
    /// The explanation as JSON.
    pub fn json(&self) -> Json {
        let value = self.answer.as_ref().ok().and_then(Option::as_ref);
        let mut parts = Vec::new();
        value.iter().for_each(|value| leaves(value, "", None, &mut parts));
        json!({
            "key": &*self.key,
            "declared": self.declared.as_ref().map(KeyDeclaration::json),
            "merge": self.declared.as_ref().map(|declared| declared.how().name()),
            "steps": self.levels.iter().map(|level| self.step(level)).collect::<Vec<_>>(),
            "found": value.is_some(),
            "value": value.map(Value::to_json_masked),
            "parts": parts.iter().map(|part| json!({
                "path": part.path,
                "value": part.value.to_json_masked(),
                "file": &*part.place.file,
                "line": part.place.line,
                "level": part.place.level,
            })).collect::<Vec<_>>(),
            "errors": self.answer.as_ref().err(),
            "default": self.absent.as_ref().and_then(FallbackValue::json),
            "is_required": matches!(self.absent, Some(FallbackValue::Required)),
            "is_included": self.is_included,
            "given_by": self.givers.iter().map(|giver| json!({
                "manifest": &*giver.manifest,
                "path": &*giver.origin.file,
                "line": giver.origin.line,
                "value": giver.value.as_ref().map(Value::to_json_masked),
            })).collect::<Vec<_>>(),
        })
    }

    fn step(&self, level: &LevelTrace) -> Json {
        let (value, why) = match &level.says {
            LevelAnswer::Value(value) => (Some(value), None),
            LevelAnswer::Skipped(why) => (None, Some(json!(&**why))),
            LevelAnswer::Wrong(problems) => (None, Some(json!(problems))),
            LevelAnswer::NoKey | LevelAnswer::NoFile => (None, None),
        };
        json!({
            "level": &*level.name,
            "path": &*level.path,
            "outcome": level.outcome(),
            "by": level.fate().and_then(|fate| self.by(fate)),
            "why": why,
            "line": level.line(),
            "value": value.map(Value::to_json_masked),
            "parts": level.parts.as_ref().map(|parts| {
                parts.iter().map(|part| self.part(part)).collect::<Vec<_>>()
            }),
            "reads": level.reads.iter().map(NameUse::json).collect::<Vec<_>>(),
        })
    }

    fn part(&self, part: &ValuePart) -> Json {
        json!({ "path": part.path, "fate": part.fate.word(), "by": self.by(part.fate) })
    }

    /// The name of the other level that decided.
    fn by(&self, fate: Fate) -> Option<&str> {
        fate.by().map(|by| self.deciding(by))
    }
}

impl LevelTrace {
    /// The fate of its value, if the whole value has one fate.
    fn fate(&self) -> Option<Fate> {
        if let Some([whole]) = self.parts.as_deref() { Some(whole.fate) } else { None }
    }

    /// The outcome in one word: the fate of the value, or `mixed` if its parts have several.
    fn outcome(&self) -> &'static str {
        match (&self.says, &self.parts) {
            (LevelAnswer::NoKey, _) => "no-key",
            (LevelAnswer::NoFile, _) => "no-file",
            (LevelAnswer::Skipped(_), _) => "skipped",
            (LevelAnswer::Wrong(_), _) => "failed",
            (LevelAnswer::Value(_), None) => "undecided",
            (LevelAnswer::Value(_), Some(_)) => self.fate().map_or("mixed", Fate::word),
        }
    }
}

impl NameUse {
    fn json(&self) -> Json {
        json!({
            "what": self.what,
            "is_there": self.value.is_some(),
            "value": self.value.as_ref().map(Value::to_json_masked),
        })
    }
}

impl FallbackValue {
    fn json(&self) -> Option<Json> {
        match self {
            Self::Default { value, origin } => {
                let Origin { file, line, .. } = &**origin;
                Some(json!({ "value": value.to_json_masked(), "path": &**file, "line": line }))
            }
            Self::Null => Some(json!({ "value": null, "path": null, "line": null })),
            Self::Wrong(problems) => Some(json!({ "errors": problems })),
            Self::Required | Self::Nothing => None,
        }
    }
}

impl KeyDeclaration {
    fn json(&self) -> Json {
        json!({
            "type": self.of,
            "path": &*self.origin.file,
            "line": self.origin.line,
            "merge": options(&self.merge),
        })
    }
}

fn options(merge: &Merge) -> Json {
    let Merge::Deep(DeepOptions { knockout_prefix, lists, maps_in_lists }) = merge else {
        return json!({ "strategy": merge.name() });
    };
    json!({
        "strategy": merge.name(),
        "knockout_prefix": knockout_prefix,
        "sort_merged_arrays": *lists == ListOrder::Sorted,
        "merge_hash_arrays": match maps_in_lists {
            MapsInLists::Whole => json!(false),
            MapsInLists::ByPosition => json!(true),
            MapsInLists::ByKey(key) => json!(&**key),
        },
    })
}
