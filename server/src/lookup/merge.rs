//! Merges the values of several levels.
//!
//! The results are those of Hiera 5, without its defects: one value is treated like several, a knock-out affects every
//! lower level and never shows in the result, keys of maps can be knocked out, values of different shapes are an error,
//! and null wins if it is the most specific value.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::{Kind, Map, Value};

use super::source::DataSource;
use crate::diagnostic::{Code, Diagnostic};
use crate::language::expression::compare;
use crate::language::merge::{DeepOptions, ListOrder, MapsInLists, Merge};

/// Merges several values, the most specific first; `None` if there are none, or all were knocked out.
pub(super) fn merge(merge: &Merge, values: &[Value]) -> Result<Option<Value>, Diagnostic> {
    let Some(first) = values.first() else { return Ok(None) };
    if first.is_null() {
        return Ok(Some(first.clone()));
    }
    match merge {
        Merge::First => Ok(Some(first.clone())),
        Merge::Unique => unique(values).map(Some),
        Merge::Hash => hash(values).map(Some),
        Merge::Deep(options) => {
            Deep { options, several: values.len() > 1 }.merge(&values.iter().collect::<Vec<_>>())
        }
    }
}

fn unique(values: &[Value]) -> Result<Value, Diagnostic> {
    fn flatten(value: &Value, list: &mut Distinct) -> Result<(), Diagnostic> {
        match &value.kind {
            Kind::Null => Ok(()),
            Kind::Map(_) => Err(wrong_shape(value, "unique", "scalars and lists")),
            Kind::List(items) => items.iter().try_for_each(|item| flatten(item, list)),
            _ => {
                list.add(value.clone());
                Ok(())
            }
        }
    }
    let mut list = Distinct::default();
    values.iter().try_for_each(|value| flatten(value, &mut list))?;
    Ok(placed(list.values.into(), &values[0]))
}

/// Values without duplicates, in the order of their first occurrence. Tenants write these lists, so the time must grow
/// with their length and not with its square.
#[derive(Default)]
struct Distinct {
    values: Vec<Value>,
    by_hash: HashMap<u64, Vec<usize>>,
    hasher: RandomState,
}

impl Distinct {
    /// Adds a value unless it is there already, and returns its index.
    fn add(&mut self, value: Value) -> usize {
        let like = self.by_hash.entry(self.hasher.hash_one(&value)).or_default();
        if let Some(at) = like.iter().find(|at| self.values[**at] == value) {
            return *at;
        }
        like.push(self.values.len());
        self.values.push(value);
        self.values.len() - 1
    }
}

fn hash(values: &[Value]) -> Result<Value, Diagnostic> {
    let mut merged = Map::new();
    for value in values.iter().filter(|value| !value.is_null()) {
        let map = value.as_map().ok_or_else(|| wrong_shape(value, "hash", "maps"))?;
        for (key, value) in map {
            merged.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    Ok(placed(merged.into(), &values[0]))
}

fn wrong_shape(value: &Value, merge: &str, wanted: &str) -> Diagnostic {
    let message = format!("merge `{merge}` takes {wanted}, but this is {}", value.noun());
    Diagnostic::error(Code::WrongType, message, value.origin.as_deref().cloned()).label(value.noun())
}

fn placed(value: Value, like: &Value) -> Value {
    Value { origin: like.origin.clone(), ..value }
}

struct Deep<'a> {
    options: &'a DeepOptions,
    /// Whether several levels have the key; a single value is taken as written.
    several: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum ValueShape {
    Scalar,
    List,
    Map,
}

fn shape(value: &Value) -> ValueShape {
    match value.kind {
        Kind::List(_) => ValueShape::List,
        Kind::Map(_) => ValueShape::Map,
        _ => ValueShape::Scalar,
    }
}

impl Deep<'_> {
    /// Merges values, most specific first. Null and a knock-out hide everything below them.
    fn merge(&self, values: &[&Value]) -> Result<Option<Value>, Diagnostic> {
        let hides = |value: &&&Value| value.is_null() || self.is_marker(value);
        let visible: Vec<&Value> = values.iter().take_while(|value| !hides(value)).copied().collect();
        let Some(first) = visible.first() else {
            return Ok(values.first().filter(|value| value.is_null()).map(|value| Value::clone(value)));
        };
        if let Some(other) = visible.iter().find(|value| shape(value) != shape(first)) {
            return Err(shapes_differ(first, other));
        }
        if visible.len() == 1 && self.is_kept(first) {
            return Ok(Some(Value::clone(first)));
        }
        let merged = match shape(first) {
            ValueShape::Scalar => return Ok(Some(Value::clone(first))),
            ValueShape::List => self.lists(&visible)?,
            ValueShape::Map => self.maps(&visible)?,
        };
        Ok(Some(placed(merged, first)))
    }

    /// Whether a value that only one level has stays as written, so that it is shared and not copied.
    fn is_kept(&self, value: &Value) -> bool {
        fn holds_list(value: &Value) -> bool {
            match &value.kind {
                Kind::List(_) => true,
                Kind::Map(map) => map.values().any(holds_list),
                _ => false,
            }
        }
        self.options.knockout_prefix.is_none() && !holds_list(value)
    }

    fn maps(&self, maps: &[&Value]) -> Result<Value, Diagnostic> {
        let maps: Vec<&Map> = maps.iter().filter_map(|value| value.as_map()).collect();
        let keys: BTreeSet<&Arc<str>> =
            maps.iter().flat_map(|map| map.keys()).filter(|key| self.knocked(key).is_none()).collect();
        let mut merged = Map::new();
        for key in keys {
            let mut values = Vec::new();
            for map in &maps {
                values.extend(map.get(key));
                if self.marker(key).is_some_and(|marker| map.get(&*marker).is_some_and(switched_on)) {
                    break;
                }
            }
            if let Some(value) = self.merge(&values)? {
                merged.insert(key.clone(), value);
            }
        }
        Ok(merged.into())
    }

    fn lists(&self, lists: &[&Value]) -> Result<Value, Diagnostic> {
        let lists: Vec<&[Value]> = lists.iter().filter_map(|value| value.as_list()).collect();
        let mut kept = Vec::new();
        let mut gone: HashSet<Arc<str>> = HashSet::new();
        for list in &lists {
            let stays = |item: &&Value| {
                !self.is_marker(item) && item.scalar_text().is_none_or(|text| !gone.contains(&text))
            };
            kept.push(list.iter().filter(stays).collect::<Vec<_>>());
            let markers = list.iter().filter_map(|item| self.knocked(item.as_str()?));
            gone.extend(markers.map(Arc::from));
            if gone.contains("") {
                break;
            }
        }
        let merged = match &self.options.maps_in_lists {
            MapsInLists::ByPosition if all_maps(&kept) => self.by_position(&kept)?,
            MapsInLists::ByKey(key) if all_maps(&kept) => self.by_key(&kept, key)?,
            _ => self.union(&kept)?,
        };
        self.ordered(merged, lists.len()).map(Value::from)
    }

    /// Joins lists, the least specific first, without duplicates, even if only one of several levels has the list.
    fn union(&self, lists: &[Vec<&Value>]) -> Result<Vec<Value>, Diagnostic> {
        let merged = lists.iter().rev().flatten().filter_map(|item| self.merge(&[item]).transpose());
        if !self.several {
            return merged.collect();
        }
        let mut distinct = Distinct::default();
        for item in merged {
            distinct.add(item?);
        }
        Ok(distinct.values)
    }

    fn by_position(&self, lists: &[Vec<&Value>]) -> Result<Vec<Value>, Diagnostic> {
        let longest = lists.iter().map(Vec::len).max().unwrap_or_default();
        let at = |index| lists.iter().filter_map(|list| list.get(index).copied()).collect::<Vec<_>>();
        (0..longest).filter_map(|index| self.merge(&at(index)).transpose()).collect()
    }

    fn by_key(&self, lists: &[Vec<&Value>], key: &str) -> Result<Vec<Value>, Diagnostic> {
        let (mut groups, mut names): (Vec<Vec<&Value>>, _) = (Vec::new(), Distinct::default());
        let mut group_of_name: Vec<usize> = Vec::new();
        for item in lists.iter().rev().flatten() {
            let Some(name) = item.get(key) else {
                groups.push(vec![item]);
                continue;
            };
            match group_of_name.get(names.add(name.clone())) {
                Some(group) => groups[*group].push(item),
                None => {
                    group_of_name.push(groups.len());
                    groups.push(vec![item]);
                }
            }
        }
        let most_specific_first = |group: &mut Vec<&Value>| group.reverse();
        groups.iter_mut().for_each(most_specific_first);
        groups.iter().filter_map(|group| self.merge(group).transpose()).collect()
    }

    fn ordered(&self, mut list: Vec<Value>, merged: usize) -> Result<Vec<Value>, Diagnostic> {
        if self.options.lists == ListOrder::ByLevel || merged < 2 {
            return Ok(list);
        }
        let order = |a: &Value, b: &Value| compare(a, b).flatten();
        if let Some(pair) = list.windows(2).find(|pair| order(&pair[0], &pair[1]).is_none()) {
            let message = format!("cannot sort {} and {}", pair[0].noun(), pair[1].noun());
            return Err(Diagnostic::error(Code::WrongType, message, pair[1].origin.as_deref().cloned()));
        }
        list.sort_by(|a, b| order(a, b).unwrap_or(Ordering::Equal));
        Ok(list)
    }

    /// The text that a marker knocks out; empty if it knocks out everything below.
    fn knocked<'t>(&self, text: &'t str) -> Option<&'t str> {
        text.strip_prefix(&**self.options.knockout_prefix.as_ref()?)
    }

    fn is_marker(&self, value: &Value) -> bool {
        value.as_str().is_some_and(|text| self.knocked(text).is_some())
    }

    fn marker(&self, key: &str) -> Option<String> {
        Some(format!("{}{key}", self.options.knockout_prefix.as_ref()?))
    }
}

/// Whether the value of a knock-out key switches it on: `true` and null do, `false` cancels the knock-out.
fn switched_on(value: &Value) -> bool {
    value.as_bool() != Some(false)
}

fn all_maps(lists: &[Vec<&Value>]) -> bool {
    lists.iter().flatten().all(|item| item.as_map().is_some())
}

fn shapes_differ(higher: &Value, lower: &Value) -> Diagnostic {
    let message = format!("{} cannot be merged with {}", higher.noun(), lower.noun());
    let problem =
        Diagnostic::error(Code::WrongType, message, higher.origin.as_deref().cloned()).label(higher.noun());
    match &lower.origin {
        Some(origin) => problem.related(Origin::clone(origin), lower.noun()),
        None => problem,
    }
}

/// Checks files of several profiles, which have the same rank: if they contradict each other, no order may decide.
pub(super) fn check_peers(
    merge: &Merge,
    key: &str,
    found: &[(DataSource, Value)],
) -> Result<(), Vec<Diagnostic>> {
    let mut problems = Vec::new();
    for (index, (source, value)) in found.iter().enumerate() {
        let peers = found[index + 1..].iter().filter(|(other, _)| other.is_peer_of(source));
        problems.extend(peers.filter_map(|(_, other)| {
            let (here, there) = contradiction(merge, value, other)?;
            let message = format!("two profiles of this node give `{key}` different values");
            let problem = Diagnostic::error(Code::Conflict, message, there.origin.as_deref().cloned())
                .label(there.shown())
                .help("set it at a more specific level, or in only one profile");
            Some(match &here.origin {
                Some(origin) => problem.related(Origin::clone(origin), here.shown()),
                None => problem,
            })
        }));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Two parts that cannot both be in the result.
fn contradiction<'v>(merge: &Merge, a: &'v Value, b: &'v Value) -> Option<(&'v Value, &'v Value)> {
    match (merge, &a.kind, &b.kind) {
        (Merge::Unique, ..) | (Merge::Deep(_), Kind::List(_), Kind::List(_)) => None,
        (Merge::Hash | Merge::Deep(_), Kind::Map(first), Kind::Map(second)) => {
            let inner = if matches!(merge, Merge::Hash) { &Merge::First } else { merge };
            first.iter().find_map(|(key, value)| contradiction(inner, value, second.get(key)?))
        }
        _ => (a != b).then_some((a, b)),
    }
}

#[cfg(test)]
mod tests;
