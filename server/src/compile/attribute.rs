//! The attributes of a block, layer by layer: `[defaults.TYPE]`, then `"*"`, then those written in the block.

use std::collections::BTreeMap;
use std::sync::Arc;

use holdfast_catalog::manifest_words::METAPARAMETERS;
use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::Kind;

use crate::diagnostic::{Code, Diagnostic};
use crate::language::manifest::{Binding, Block};

use super::attribute_form::{AttributeForm, way};
use super::program::BlockType;
use super::scope::{Frame, data_places};
use super::unit::TracedValue;

/// An attribute, written out or given by a map.
pub(super) struct WrittenValue {
    /// Its value; `None` if evaluating it failed, which has been reported.
    pub(super) traced: Option<TracedValue>,
    /// Where its name is.
    pub(super) key_origin: Arc<Origin>,
    /// Where its value is in the manifest.
    pub(super) origin: Arc<Origin>,
}

type WrittenValues = BTreeMap<Arc<str>, WrittenValue>;

/// All attributes of a block, by name.
pub(super) fn layered(frame: &Frame<'_, '_>, block: &Block, sort: BlockType<'_>) -> WrittenValues {
    let defaults =
        frame.unit.manifest.defaults.iter().filter(|defaults| defaults.type_name == block.type_name);
    let defaults = defaults.flat_map(|defaults| &defaults.attributes).map(|binding| written(frame, binding));
    let mut all: WrittenValues = defaults.collect();
    if let Some(splat) = &block.splat {
        cover(&mut all, spread(frame, splat), sort);
    }
    cover(&mut all, block.attributes.iter().map(|binding| written(frame, binding)).collect(), sort);
    all
}

fn written(frame: &Frame<'_, '_>, binding: &Binding) -> (Arc<str>, WrittenValue) {
    let written = WrittenValue {
        traced: frame.evaluate(&binding.value),
        key_origin: binding.key_origin.clone(),
        origin: binding.origin.clone(),
    };
    (binding.name.clone(), written)
}

/// Puts a layer over another. Content counts as one attribute, however it is given: if a layer gives it in one way, it
/// replaces all ways in which the layers below give it.
fn cover(below: &mut WrittenValues, above: WrittenValues, sort: BlockType<'_>) {
    if let BlockType::Type(def) = sort {
        let gives_content = |name: &str| {
            way(def, name).is_some_and(|(attribute, given)| {
                given != AttributeForm::Plain
                    || def.content_attribute().is_some_and(|content| content.name == attribute)
            })
        };
        if above.keys().any(|name| gives_content(name)) {
            below.retain(|name, _| !gives_content(name));
        }
    }
    below.extend(above);
}

/// The attributes from `"*"`.
fn spread(frame: &Frame<'_, '_>, splat: &Binding) -> WrittenValues {
    let Some(traced) = frame.evaluate(&splat.value) else { return WrittenValues::new() };
    let map = match &traced.value.kind {
        Kind::Null => return WrittenValues::new(),
        Kind::Map(map) => map,
        _ => {
            let message = format!("`\"*\"` is {}, not a map of attributes", traced.value.noun());
            frame.pass.report(Diagnostic::error(Code::WrongType, message, Origin::clone(&splat.origin)));
            return WrittenValues::new();
        }
    };
    let mut layer = WrittenValues::new();
    for (name, value) in map.iter() {
        let place = value.origin.as_ref().unwrap_or(&splat.origin);
        if METAPARAMETERS.contains(&&**name) {
            let message = format!("`\"*\"` contains the metaparameter `{name}`");
            let problem = Diagnostic::error(Code::Metaparameter, message, Origin::clone(place));
            let problem = problem.help(format!("write `{name} = …` in the block itself"));
            frame.pass.report(problem.related(Origin::clone(&splat.origin), "spread here"));
            continue;
        }
        let mut sources = Vec::new();
        data_places(value, &mut sources);
        if sources.is_empty() {
            sources.clone_from(&traced.sources);
        }
        let traced = TracedValue { value: value.clone(), sources };
        let written =
            WrittenValue { traced: Some(traced), key_origin: place.clone(), origin: splat.origin.clone() };
        layer.insert(name.clone(), written);
    }
    layer
}
