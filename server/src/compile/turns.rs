//! The iterations of a loop: the value of `each` for each of them, and which element made which resource.

use std::collections::BTreeMap;
use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::{Kind, Map, Value};

use crate::diagnostic::{Code, Diagnostic};
use crate::language::formula::Formula;
use crate::language::manifest::Block;

use super::pass::Pass;
use super::whence::Whence;

/// The iterations of a loop, to tell which element made which resource.
#[derive(Default)]
pub(super) struct LoopTurns {
    made: BTreeMap<Arc<str>, [Option<Value>; 2]>,
    told: bool,
}

impl LoopTurns {
    /// Whether another element made a resource of this title; then the places of both elements in the data.
    pub(super) fn again(&mut self, title: &Arc<str>, each: &Value) -> Option<Vec<Arc<Origin>>> {
        let parts = ["key", "value"].map(|part| each.get(part).cloned());
        match self.made.get(title) {
            Some(other) if *other == parts => None,
            Some([_, other]) => {
                let values = [other, &parts[1]].into_iter().flatten();
                Some(values.filter_map(place_of).cloned().collect())
            }
            None => {
                self.made.insert(title.clone(), parts);
                None
            }
        }
    }

    /// Reports that, once for each loop.
    pub(super) fn tell(
        &mut self,
        pass: &Pass<'_>,
        block: &Block,
        title: &str,
        each: &Value,
        whence: &Whence,
    ) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        let element = match (each.get("key"), each.get("value").map(|value| &value.kind)) {
            (Some(_), _) => "each.key",
            (None, Some(Kind::Map(_))) => "each.value.NAME",
            (None, _) => "each.value",
        };
        let message = format!("`{}[{title}]` comes from several elements of `for_each`", block.type_name);
        let place = block.title.as_ref().map_or(&block.origin, |title| &title.origin);
        let title = block.title.as_ref().map_or(&block.name_formula, |title| &title.value);
        let (label, help) = match names_each(title) {
            true => (
                "two elements give the same title",
                "put what differs between the elements into the title, or remove one of them".to_owned(),
            ),
            false => (
                "the same title for each of them",
                format!("give each a title of its own: title = \"${{{element}}}\""),
            ),
        };
        let problem =
            Diagnostic::error(Code::Duplicate, message, Origin::clone(place)).label(label).help(help);
        pass.report(whence.told(problem));
    }
}

/// Whether the title contains the element already.
fn names_each(title: &Formula) -> bool {
    title.unknown(&Map::new()).iter().any(|fault| fault.unknown.as_deref() == Some("each"))
}

/// One iteration of a loop.
pub(super) struct Turn<'t> {
    /// The value of `each`.
    pub(super) each: &'t Value,
    pub(super) turns: &'t mut LoopTurns,
    /// Where the list comes from.
    pub(super) sources: &'t [Arc<Origin>],
}

impl Turn<'_> {
    /// The place of the element in the data, or else those of the list.
    pub(super) fn place(&self) -> Vec<&Arc<Origin>> {
        match self.each.get("value").and_then(place_of) {
            Some(place) => vec![place],
            None => self.sources.iter().collect(),
        }
    }
}

/// The place of a value in the data.
pub(super) fn place_of(value: &Value) -> Option<&Arc<Origin>> {
    value.origin.as_ref().filter(|origin| origin.level.is_some())
}

/// The elements of a list or the entries of a map, each as the value of `each`. They are made one at a time.
pub(super) fn elements(list: &Value) -> impl Iterator<Item = Value> {
    let items = (0..).zip(list.as_list().unwrap_or_default());
    let item = |(index, item): (i64, &Value)| [("index", index.into()), ("value", item.clone())].into();
    let entry = |(key, item): (&Arc<str>, &Value)| {
        // an entry is where its value is
        let key = Value { origin: item.origin.clone(), ..key.clone().into() };
        [("key", key), ("value", item.clone())].into()
    };
    items.map(item).chain(list.as_map().into_iter().flatten().map(entry))
}
