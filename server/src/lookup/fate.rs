//! What became of each part of each level's value in the merge: which parts are in the answer, and which other level
//! decided if they are not.
//!
//! Nothing is guessed: the parts are numbered in place of their origins, the merge itself is run on them, and the
//! numbers that come out are those of the parts that it used.

use std::collections::BTreeSet;
use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::{Kind, Map, Value};

use super::merge::merge;
use crate::language::merge::Merge;
use lists::Lists;

mod lists;

/// What became of a part of a value. Levels are given by their index among the values; the most specific is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is in the answer.
    Used,
    /// The answer has the value of this more specific level in its place.
    Overruled(usize),
    /// The answer has the same value from this level.
    Repeated(usize),
    /// This more specific level removes it with the knock-out prefix.
    KnockedOut(usize),
    /// This more specific level has null there.
    Hidden(usize),
    /// It removes what less specific levels have.
    TakesAway,
    /// It is null, and hides what less specific levels have.
    Null,
    /// It is not in the answer.
    Gone,
}

impl Fate {
    /// The word for programs, with which the sentence for people begins.
    pub fn word(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Overruled(_) => "overruled",
            Self::Repeated(_) => "the-same",
            Self::KnockedOut(_) => "knocked-out",
            Self::Hidden(_) => "hidden",
            Self::TakesAway => "takes-away",
            Self::Null => "hides",
            Self::Gone => "not-in-the-answer",
        }
    }

    /// The other level that decided.
    pub fn by(self) -> Option<usize> {
        match self {
            Self::Overruled(by) | Self::Repeated(by) | Self::KnockedOut(by) | Self::Hidden(by) => Some(by),
            Self::Used | Self::TakesAway | Self::Null | Self::Gone => None,
        }
    }
}

/// A part of a value: the largest one that has a single fate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValuePart {
    /// Its path in the value: `sites."www.example.com".root`; empty for the whole value.
    pub path: String,
    /// What became of it.
    pub fate: Fate,
}

/// The parts of each value, most specific first; `None` if the values cannot be merged.
pub fn parts(how: &Merge, values: &[Value]) -> Option<Vec<Vec<ValuePart>>> {
    let numbered: Vec<Value> = values.iter().enumerate().map(|(level, value)| number(value, level)).collect();
    let answer = merge(how, &numbered).ok()?;
    let mut used = BTreeSet::new();
    answer.iter().for_each(|answer| leaves(answer, &mut |leaf| used.extend(numbers(leaf))));
    let search =
        FateSearch { how, values: &numbered, answer: answer.as_ref(), used, lists: Lists::default() };
    Some(numbered.iter().enumerate().map(|(level, value)| search.parts(level, value)).collect())
}

/// Replaces the origin of each leaf of a value with its level and its number.
fn number(value: &Value, level: usize) -> Value {
    fn walk(value: &Value, level: usize, next: &mut u32) -> Value {
        match &value.kind {
            Kind::List(list) if !list.is_empty() => {
                list.iter().map(|item| walk(item, level, next)).collect::<Vec<_>>().into()
            }
            Kind::Map(map) if !map.is_empty() => {
                let entries = map.iter().map(|(key, item)| (key.clone(), walk(item, level, next)));
                entries.collect::<Map>().into()
            }
            _ => {
                *next += 1;
                let at = u32::try_from(level).unwrap_or(u32::MAX);
                let place =
                    Origin { file: "".into(), start: at, end: *next, line: 0, column: 0, level: None };
                value.clone().at(Arc::new(place))
            }
        }
    }
    walk(value, level, &mut 0)
}

fn numbers(leaf: &Value) -> Option<(usize, u32)> {
    leaf.origin.as_ref().map(|origin| (origin.start as usize, origin.end))
}

fn leaves<'v>(value: &'v Value, see: &mut dyn FnMut(&'v Value)) {
    match &value.kind {
        Kind::List(list) if !list.is_empty() => list.iter().for_each(|item| leaves(item, see)),
        Kind::Map(map) if !map.is_empty() => map.values().for_each(|item| leaves(item, see)),
        _ => see(value),
    }
}

/// The level of the first leaf in a part of the answer.
fn level_of(part: &Value) -> Option<usize> {
    let first = match &part.kind {
        Kind::List(list) => list.first(),
        Kind::Map(map) => map.values().next(),
        _ => None,
    };
    first.map_or_else(|| numbers(part).map(|(level, _)| level), level_of)
}

/// A step into a value.
#[derive(Clone)]
enum ValueStep<'v> {
    Key(&'v Arc<str>),
    Item(usize, &'v Value),
}

/// What the answer has at the place of a part.
#[derive(Clone, Copy)]
enum AnswerPart<'a> {
    Nothing,
    /// A value in which to look for the parts of this part.
    Follow(&'a Value),
    /// A value that counts as a whole, whatever the part consists of.
    Whole(&'a Value),
    /// Nothing similar; the whole part has this fate.
    Settled(Fate),
}

struct FateSearch<'a> {
    how: &'a Merge,
    values: &'a [Value],
    answer: Option<&'a Value>,
    used: BTreeSet<(usize, u32)>,
    lists: Lists<'a>,
}

impl<'a> FateSearch<'a> {
    fn prefix(&self) -> Option<&'a str> {
        match self.how {
            Merge::Deep(options) => options.knockout_prefix.as_deref(),
            _ => None,
        }
    }

    fn knocks(&self, text: &str) -> bool {
        self.prefix().is_some_and(|prefix| text.starts_with(prefix))
    }

    /// The parts of a level's value.
    fn parts(&self, level: usize, value: &'a Value) -> Vec<ValuePart> {
        let there = match (self.answer, self.how) {
            (None, _) => AnswerPart::Nothing,
            (Some(answer), Merge::First) => AnswerPart::Settled(match level_of(answer) {
                Some(other) if other != level && answer == value => Fate::Repeated(other),
                Some(other) if other != level => Fate::Overruled(other),
                _ => Fate::Gone,
            }),
            (Some(answer), _) => AnswerPart::Follow(answer),
        };
        self.told(value, level, &mut Vec::new(), there)
    }

    /// The parts of a value; if they all have the same fate, a single one.
    fn told(
        &self,
        value: &'a Value,
        level: usize,
        path: &mut Vec<ValueStep<'a>>,
        there: AnswerPart<'a>,
    ) -> Vec<ValuePart> {
        let mut parts = Vec::new();
        let mut visit = |at: ValueStep<'a>, item: &'a Value, path: &mut Vec<ValueStep<'a>>| {
            path.push(at);
            let there = self.below(there, level, path);
            parts.extend(self.told(item, level, path, there));
            path.pop();
        };
        match &value.kind {
            Kind::List(list) if !list.is_empty() => {
                list.iter()
                    .enumerate()
                    .for_each(|(index, item)| visit(ValueStep::Item(index, item), item, path));
            }
            Kind::Map(map) if !map.is_empty() => {
                map.iter().for_each(|(key, item)| visit(ValueStep::Key(key), item, path));
            }
            _ => return vec![ValuePart { path: shown(path), fate: self.fate(value, level, path, there) }],
        }
        match parts.iter().all(|part| part.fate == parts[0].fate) {
            true => vec![ValuePart { path: shown(path), fate: parts[0].fate }],
            false => parts,
        }
    }

    fn fate(&self, leaf: &'a Value, level: usize, path: &[ValueStep<'a>], there: AnswerPart<'a>) -> Fate {
        let is_key = |at: &ValueStep<'_>| matches!(at, ValueStep::Key(key) if self.knocks(key));
        if path.iter().any(is_key) {
            // `"--key" = false` cancels a knock-out, but there is none
            return if leaf.as_bool() == Some(false) { Fate::Gone } else { Fate::TakesAway };
        }
        match () {
            () if leaf.as_str().is_some_and(|text| self.knocks(text)) => Fate::TakesAway,
            () if leaf.is_null() && self.null_hides(level, path) => {
                match self.why_not(leaf, level, path, there) {
                    Fate::Overruled(by) if by < level && self.is_decided(path) => Fate::Overruled(by),
                    _ => Fate::Null,
                }
            }
            () if numbers(leaf).is_some_and(|number| self.used.contains(&number)) => Fate::Used,
            // as the whole value of a level, it has no effect if only maps or lists are merged
            () if leaf.is_null() && path.is_empty() && matches!(self.how, Merge::Unique | Merge::Hash) => {
                Fate::Gone
            }
            () => self.why_not(leaf, level, path, there),
        }
    }

    /// Whether the answer's value at a place is not merged with anything, so that null at a less specific level hides
    /// nothing.
    fn is_decided(&self, path: &[ValueStep<'_>]) -> bool {
        let at = |value: &'a Value, at: &ValueStep<'_>| match at {
            ValueStep::Key(key) => value.get(key),
            ValueStep::Item(..) => None,
        };
        let found = self.answer.and_then(|answer| path.iter().try_fold(answer, at));
        let is_merged = |value: &Value| matches!(value.kind, Kind::Map(_) | Kind::List(_));
        matches!(self.how, Merge::Hash) || found.is_some_and(|value| !is_merged(value))
    }

    fn null_hides(&self, level: usize, path: &[ValueStep<'_>]) -> bool {
        match self.how {
            Merge::First => false,
            Merge::Unique => level == 0 && path.is_empty(),
            Merge::Hash => path.len() == 1 || (level == 0 && path.is_empty()),
            Merge::Deep(_) => true,
        }
    }

    /// Which level decided about a leaf that is not in the answer.
    fn why_not(&self, leaf: &'a Value, level: usize, path: &[ValueStep<'a>], there: AnswerPart<'a>) -> Fate {
        let answer = match there {
            AnswerPart::Nothing => return self.taken_by(level, path),
            AnswerPart::Settled(fate) => return fate,
            AnswerPart::Follow(answer) | AnswerPart::Whole(answer) => answer,
        };
        if let (Merge::Unique, Some(list)) = (self.how, answer.as_list()) {
            let same = self.lists.like(list, leaf, None);
            return same.and_then(level_of).map_or(Fate::Gone, Fate::Repeated);
        }
        match level_of(answer).filter(|other| *other != level) {
            Some(other) if answer == leaf => Fate::Repeated(other),
            Some(other) if answer.is_null() => Fate::Hidden(other),
            Some(other) => Fate::Overruled(other),
            None => Fate::Gone,
        }
    }

    /// What the answer has at the end of a path, given what it has before the last step. It is computed once for each
    /// part and not for each leaf, since a part is compared as a whole.
    fn below(&self, there: AnswerPart<'a>, level: usize, path: &[ValueStep<'a>]) -> AnswerPart<'a> {
        let (AnswerPart::Follow(answer), Some(at)) = (there, path.last()) else { return there };
        if matches!(self.how, Merge::Unique) && !answer.is_null() {
            return there;
        }
        let next = match at {
            ValueStep::Key(key) => answer.get(key),
            ValueStep::Item(index, item) => self.same_item(answer, *index, item),
        };
        match (next, at) {
            (Some(next), ValueStep::Item(_, item)) if next == *item => {
                AnswerPart::Settled(level_of(next).map_or(Fate::Gone, Fate::Repeated))
            }
            (Some(next), _) if matches!(self.how, Merge::Hash) => AnswerPart::Whole(next),
            (Some(next), _) => AnswerPart::Follow(next),
            (None, _) if answer.is_null() => AnswerPart::Whole(answer),
            (None, ValueStep::Key(_)) if answer.as_map().is_none() => AnswerPart::Whole(answer),
            (None, _) => AnswerPart::Settled(self.taken_by(level, path)),
        }
    }

    /// The element of a merged list that contains this one.
    fn same_item(&self, answer: &'a Value, index: usize, item: &Value) -> Option<&'a Value> {
        use crate::language::merge::MapsInLists;
        let list = answer.as_list()?;
        let Merge::Deep(options) = self.how else { return None };
        let merged = match &options.maps_in_lists {
            MapsInLists::ByPosition if item.as_map().is_some() => list.get(index),
            MapsInLists::ByKey(key) => item.get(key).and_then(|name| self.lists.like(list, name, Some(key))),
            _ => None,
        };
        merged.or_else(|| self.lists.like(list, item, None))
    }

    /// The more specific level that removes what is at a path.
    fn taken_by(&self, level: usize, path: &[ValueStep<'a>]) -> Fate {
        for (other, value) in self.values.iter().enumerate().take(level) {
            let mut value = value;
            for at in path {
                if value.is_null() {
                    return Fate::Hidden(other);
                }
                let knocks = match at {
                    ValueStep::Key(key) => self.knocked_key(value, key),
                    ValueStep::Item(_, item) => {
                        let lists = (self.prefix(), value.as_list());
                        matches!(lists, (Some(prefix), Some(list)) if self.lists.knocks_out(list, prefix, item))
                    }
                };
                if knocks || value.as_str().is_some_and(|text| self.knocks(text)) {
                    return Fate::KnockedOut(other);
                }
                let next = match at {
                    ValueStep::Key(key) => value.get(key),
                    ValueStep::Item(..) => None,
                };
                let Some(next) = next else { break };
                value = next;
            }
            if value.is_null() {
                return Fate::Hidden(other);
            }
            if value.as_str().is_some_and(|text| self.knocks(text)) {
                return Fate::KnockedOut(other);
            }
        }
        Fate::Gone
    }

    fn knocked_key(&self, value: &Value, key: &str) -> bool {
        let marker = self.prefix().map(|prefix| format!("{prefix}{key}"));
        marker.is_some_and(|marker| value.get(&marker).is_some_and(|on| on.as_bool() != Some(false)))
    }
}

/// A path as it would be written in TOML. Scalars in a list are shown themselves, unless they are secret.
fn shown(path: &[ValueStep<'_>]) -> String {
    let mut out = String::new();
    for at in path {
        match at {
            ValueStep::Key(key) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(&written(key));
            }
            ValueStep::Item(_, item) if item.scalar_text().is_some() => {
                out.push_str(&format!("[{}]", item.shown()));
            }
            ValueStep::Item(index, _) => out.push_str(&format!("[{index}]")),
        }
    }
    out
}

/// A key as in TOML: in quotes unless it is a bare key.
pub fn written(key: &str) -> String {
    let is_bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if is_bare { key.to_owned() } else { format!("{key:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::merge::{DeepOptions, ListOrder, MapsInLists};

    fn value(json: serde_json::Value) -> Value {
        Value::from_json(&json)
    }

    /// `0 used: a.x; 1 overruled by 0: a.y`
    fn told(how: &Merge, values: &[serde_json::Value]) -> Vec<String> {
        let values: Vec<Value> = values.iter().cloned().map(value).collect();
        let parts = parts(how, &values).unwrap();
        let word = |part: &ValuePart| format!("{:?} {}", part.fate, part.path).trim_end().to_owned();
        parts.iter().map(|parts| parts.iter().map(word).collect::<Vec<_>>().join(", ")).collect()
    }

    fn deep(maps_in_lists: MapsInLists) -> Merge {
        let prefix = Some("--".into());
        Merge::Deep(DeepOptions { knockout_prefix: prefix, lists: ListOrder::ByLevel, maps_in_lists })
    }

    macro_rules! fates {
        ($how:expr; $($value:tt)*) => { told(&$how, &[$(serde_json::json!($value)),*]) };
    }

    #[test]
    fn first_takes_one_level_whole() {
        assert_eq!(fates!(Merge::First; "a" "b" "a"), ["Used", "Overruled(0)", "Repeated(0)"]);
        assert_eq!(fates!(Merge::First; {"a": 1} {"b": 2}), ["Used", "Overruled(0)"]);
        assert_eq!(fates!(Merge::First; null "b"), ["Used", "Overruled(0)"]);
    }

    #[test]
    fn unique_and_hash_say_what_each_level_gives() {
        assert_eq!(
            fates!(Merge::Unique; ["a"] ["a", "b"] "b"),
            ["Used", "Repeated(0) [\"a\"], Used [\"b\"]", "Repeated(1)"]
        );
        assert_eq!(
            fates!(Merge::Hash; {"a": {"x": 1}} {"a": {"x": 1, "y": 2}, "b.c": 3}),
            ["Used", "Overruled(0) a, Used \"b.c\""]
        );
        assert_eq!(fates!(Merge::Hash; {"a": null} {"a": 1, "b": 2}), ["Null", "Hidden(0) a, Used b"]);
        assert_eq!(fates!(Merge::Hash; {"a": 1} {"a": null}), ["Used", "Overruled(0)"]);
        assert_eq!(fates!(Merge::Hash; {"a": 1} null {"b": 2}), ["Used", "Gone", "Used"]);
        assert_eq!(fates!(Merge::Unique; null ["a"]), ["Null", "Hidden(0)"]);
    }

    #[test]
    fn deep_names_who_overrules_knocks_out_and_hides() {
        let whole = deep(MapsInLists::Whole);
        assert_eq!(fates!(whole; {"a": 1} {"a": null}), ["Used", "Overruled(0)"]);
        assert_eq!(
            fates!(whole; {"s": {"x": 1}} {"s": {"x": 2, "y": 3}, "t": 4}),
            ["Used", "Overruled(0) s.x, Used s.y, Used t"]
        );
        assert_eq!(
            fates!(whole; {"--a": true, "b": 1} {"a": {"x": 1}, "b": 2, "c": 3}),
            ["TakesAway --a, Used b", "KnockedOut(0) a, Overruled(0) b, Used c"]
        );
        assert_eq!(
            fates!(whole; {"a": {"x": 1}} {"a": null} {"a": {"y": 2}, "b": 1}),
            ["Used", "Null", "Hidden(1) a, Used b"]
        );
        assert_eq!(
            fates!(whole; ["--b", "c"] ["a", "b", "c"]),
            ["TakesAway [\"--b\"], Repeated(1) [\"c\"]", "Used [\"a\"], KnockedOut(0) [\"b\"], Used [\"c\"]"]
        );
        assert_eq!(fates!(whole; null {"a": 1}), ["Null", "Hidden(0)"]);
        assert_eq!(fates!(whole; "--" {"a": 1}), ["TakesAway", "KnockedOut(0)"]);
        assert_eq!(fates!(whole; {"--a": false} {"a": 1}), ["Gone", "Used"]);
    }

    #[test]
    fn maps_in_lists_are_followed_into_those_that_they_became() {
        let by_key = deep(MapsInLists::ByKey("n".into()));
        assert_eq!(
            fates!(by_key; [{"n": "b", "p": 1}] [{"n": "a", "p": 2}, {"n": "b", "p": 3, "q": 4}]),
            ["Used", "Used [0], Repeated(0) [1].n, Overruled(0) [1].p, Used [1].q"]
        );
        let by_position = deep(MapsInLists::ByPosition);
        assert_eq!(
            fates!(by_position; [{"p": 1}] [{"p": 2, "q": 3}]),
            ["Used", "Overruled(0) [0].p, Used [0].q"]
        );
        let whole = deep(MapsInLists::Whole);
        assert_eq!(
            fates!(whole; [{"p": 1}] [{"p": 1}, {"p": 2}]),
            ["Repeated(1)", "Used"],
            "less specific levels come first in a merged list"
        );
    }

    #[test]
    fn what_cannot_be_merged_has_no_parts() {
        let values = [value(serde_json::json!("a")), value(serde_json::json!({"a": 1}))];
        assert_eq!(parts(&deep(MapsInLists::Whole), &values), None);
    }

    #[test]
    fn a_secret_is_in_no_path() {
        let secret: Value = Kind::Sensitive(holdfast_catalog::value::Sensitive::text("hunter2")).into();
        let values: Vec<Value> = vec![vec![secret.clone(), "x".into()].into(), vec![secret].into()];
        let parts = parts(&Merge::Unique, &values).unwrap();
        assert_eq!(parts[1], [ValuePart { path: String::new(), fate: Fate::Repeated(0) }]);
        assert!(!format!("{parts:?}").contains("hunter2"));
    }
}
