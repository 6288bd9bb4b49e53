//! Blocks: turns `[TYPE."NAME"]` into resources or instances of defines, one by one, using only the kinds of attributes.
//!
//! No resource type is named here: the definition of a type says which values an attribute takes.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::resource::{AttributeError, Attributes, ResourceRef, ResourceSummary, TypeDef};
use holdfast_catalog::synonym;
use holdfast_catalog::value::Value;

use crate::diagnostic::{Code, Diagnostic};
use crate::language::manifest::Block;

use super::attribute::{WrittenValue, layered};
use super::attribute_form::{AttributeForm, way};
use super::class::ManifestWalk;
use super::declared::{DeclaredResource, Declarer, ReferenceTarget, RequestedEdge};
use super::element;
use super::metaparameter::Said;
use super::program::BlockType;
use super::reference::read_reference;
use super::scope::{Frame, data_places};
use super::turns::{LoopTurns, Turn, elements};
use super::unit::ManifestInstance;
use super::unknown::unknown_attribute;
use super::whence::{Decides, Whence};

/// What a resource or an instance of a define is called, and why it is there.
pub(super) struct Titled {
    pub(super) title: Arc<str>,
    pub(super) tags: BTreeSet<Arc<str>>,
    pub(super) whence: Whence,
}

impl<'a> ManifestWalk<'_, 'a> {
    /// Declares the content of a block, once or for each entry of its loop.
    pub(super) fn block(&mut self, unit: &Rc<ManifestInstance<'a>>, block: &'a Block) {
        let Some(sort) = self.pass.program.sort(&block.type_name) else {
            self.declared.incomplete = true;
            return; // the problems of the program include it
        };
        let Some(for_each) = &block.for_each else {
            return self.instance(unit, block, sort, None);
        };
        let Some(list) = Frame::new(self.pass, unit, None).list(for_each) else {
            self.declared.incomplete = true;
            return;
        };
        let mut whence = Whence::default();
        whence.add(list.value.origin.iter().chain(&list.sources), Decides::Loop);
        whence.within(&unit.whence);
        if self.declared.overflows(self.pass, block, &list.value, &whence) {
            return;
        }
        let mut turns = LoopTurns::default();
        for each in elements(&list.value) {
            self.instance(
                unit,
                block,
                sort,
                Some(Turn { each: &each, turns: &mut turns, sources: &list.sources }),
            );
        }
    }

    fn instance(
        &mut self,
        unit: &Rc<ManifestInstance<'a>>,
        block: &'a Block,
        sort: BlockType<'a>,
        turn: Option<Turn<'_>>,
    ) {
        let each = turn.as_ref().map(|turn| turn.each);
        let frame = Frame::new(self.pass, unit, each);
        let mut element = Whence::default();
        if let Some(turn) = &turn {
            element.add(turn.place(), Decides::Loop);
        }
        element.within(&unit.whence);
        if self.declared.is_full(self.pass, &block.origin, &element) {
            return;
        }
        match block.when.as_ref().map_or(Some((true, Vec::new())), |when| frame.condition(when)) {
            None => self.declared.incomplete = true,
            Some((false, _)) => {
                if let Some((title, _)) = self.pass.quietly(|| frame.title(block)) {
                    self.declared.switch_off(ResourceRef::new(block.type_name.clone(), title));
                }
                if let BlockType::Define(manifest) = sort {
                    self.declared.switch_off_manifest(manifest);
                }
            }
            Some((true, conditions)) => {
                let Some((title, sources)) = frame.title(block) else {
                    self.declared.incomplete = true;
                    return;
                };
                if let Some(turn) = turn
                    && let Some(places) = turn.turns.again(&title, turn.each)
                {
                    let mut whence = Whence::default();
                    whence.add(&places, Decides::Title);
                    whence.within(&unit.whence);
                    turn.turns.tell(self.pass, block, &title, turn.each, &whence);
                    return;
                }
                let mut whence = Whence::default();
                whence.add(&sources, Decides::Title);
                whence.within(&element);
                whence.add(&conditions, Decides::Condition);
                let tags = block.tag.as_ref().map(|tag| frame.tags(tag)).unwrap_or_default();
                let written = layered(&frame, block, sort);
                let named = Titled { title, tags, whence };
                let target = match sort {
                    BlockType::Type(def) => self.resource(&frame, block, def, named, written),
                    BlockType::Define(manifest) => self.define(&frame, block, manifest, named, written),
                };
                if let Some(target) = target {
                    self.declared.containers[unit.container as usize].members.push(target);
                    self.relate(&frame, block, target);
                }
            }
        }
    }

    fn resource(
        &mut self,
        frame: &Frame<'_, 'a>,
        block: &'a Block,
        def: &'static TypeDef,
        Titled { title, tags, whence }: Titled,
        written: BTreeMap<Arc<str>, WrittenValue>,
    ) -> Option<ReferenceTarget> {
        let meant = block.meant.iter().map(|name| Arc::from(*name)).collect();
        let mut made = EvaluatedAttributes { failed: meant, ..EvaluatedAttributes::default() };
        for (name, written) in written {
            made.add(frame, def, name, written);
        }
        let ResourceSummary { implied, claims } = made.check(frame, block, def, (&title, &whence));
        let container = frame.unit.container;
        let resource = DeclaredResource {
            reference: ResourceRef::new(def.name, title),
            origin: block.origin.clone(),
            declarers: vec![Declarer { container, origin: block.origin.clone() }],
            container,
            attributes: made.attributes,
            sources: made.sources,
            tags,
            implied,
            claims,
            whence,
        };
        Some(self.declared.declare(self.pass, def, resource))
    }

    /// Records the edges that a block's metaparameters ask for.
    fn relate(&mut self, frame: &Frame<'_, 'a>, block: &'a Block, from: ReferenceTarget) {
        for relation in &block.relations {
            for Said { text, origin, whence } in frame.words(&relation.to) {
                match read_reference(&text, &origin, relation.word) {
                    Ok(to) => {
                        let word = relation.word;
                        self.declared.relations.push(RequestedEdge { from, word, to, origin, whence });
                    }
                    Err(problem) => self.pass.report(whence.told(*problem)),
                }
            }
        }
    }
}

/// The attributes of a resource while they are computed.
#[derive(Default)]
struct EvaluatedAttributes {
    attributes: Attributes,
    sources: BTreeMap<Arc<str>, Vec<Origin>>,
    /// Which attribute was given by which word, if the two differ.
    ways: BTreeMap<&'static str, Arc<str>>,
    /// Attributes that have no value because of errors, which have been reported.
    failed: BTreeSet<Arc<str>>,
}

impl EvaluatedAttributes {
    fn add(&mut self, frame: &Frame<'_, '_>, def: &'static TypeDef, name: Arc<str>, written: WrittenValue) {
        let Some((attribute, way)) = way(def, &name) else {
            frame.pass.report(unknown_attribute(def, &name, &written.key_origin));
            self.failed.insert(name);
            return;
        };
        let key: Arc<str> = if *name == *attribute { name.clone() } else { attribute.into() };
        let Some(mut traced) = written.traced else {
            self.failed.insert(key);
            return;
        };
        if traced.value.is_null() {
            return;
        }
        if way != AttributeForm::Plain {
            match frame.content(def, way, &traced.value, &written.origin) {
                Some(made) => {
                    traced.value = made.value;
                    traced.sources.extend(made.sources);
                }
                None => {
                    self.failed.insert(key);
                    return;
                }
            }
        }
        if let Some(other) = self.ways.insert(attribute, name.clone()) {
            frame.pass.report(two_ways(&name, &other, &written.key_origin, self.sources.get(&key)));
            return;
        }
        data_places(&traced.value, &mut traced.sources);
        let mut sources = vec![Origin::clone(&written.origin)];
        sources.extend(traced.sources.iter().filter(|s| **s != written.origin).map(|s| Origin::clone(s)));
        self.sources.insert(key.clone(), sources);
        self.attributes.insert(key, traced.value);
    }

    /// Reads the attributes as the agent will; each error has the place of its attribute.
    fn check(
        &self,
        frame: &Frame<'_, '_>,
        block: &Block,
        def: &TypeDef,
        (title, whence): (&str, &Whence),
    ) -> ResourceSummary {
        let errors = match (def.check)(title, &self.attributes) {
            Ok(known) => return known,
            Err(errors) => synonym::help(def, &self.attributes, errors),
        };
        // A missing title is not reported if the block has the word that another tool uses for it, which has been.
        let follows = |error: &&AttributeError| error.attribute == "title" && !block.meant.is_empty();
        for error in errors.iter().filter(|error| !self.failed.contains(error.attribute) && !follows(error)) {
            let parts =
                self.attributes.get(error.attribute).map(|value| element::wrong(def, title, error, value));
            let parts = parts.unwrap_or_default();
            if !parts.is_empty() {
                for (part, error) in parts {
                    let problem = self.problem(block, title, &error);
                    frame.pass.report(at_part(problem, part));
                }
                continue;
            }
            let mut problem = self.problem(block, title, error);
            if error.attribute == "title" {
                problem = whence.told(problem);
            }
            if !frame.pass.has_problem_at(problem.origin.as_ref()) {
                frame.pass.report(problem);
            }
        }
        ResourceSummary::default()
    }

    fn problem(&self, block: &Block, title: &str, error: &AttributeError) -> Diagnostic {
        let places = self.sources.get(error.attribute).map(Vec::as_slice).unwrap_or_default();
        let title_place = block.title.as_ref().map_or(&block.origin, |binding| &binding.origin);
        let place = match (places.first(), error.attribute) {
            (Some(place), _) => place,
            (None, "title") => title_place,
            (None, _) => &*block.origin,
        };
        let message = format!("{}[{title}]: {}", block.type_name, error.message);
        let mut problem = Diagnostic::error(Code::BadAttribute, message, place.clone());
        problem.help.clone_from(&error.help);
        for source in places.iter().skip(1) {
            problem = problem.related(source.clone(), "the value is from here");
        }
        problem
    }
}

/// Moves the problem to a part of the value. If that part is in the attribute itself, it becomes the place; if it comes
/// from data, it becomes a related place.
fn at_part(problem: Diagnostic, part: &Value) -> Diagnostic {
    let Some(place) = part.origin.as_deref() else { return problem };
    if problem.origin.as_ref().is_some_and(|whole| covers(whole, place)) {
        return Diagnostic { origin: Some(place.clone()), ..problem };
    }
    if place.level.is_none() {
        return problem;
    }
    // the other elements come from there too
    let related = problem.related.into_iter().filter(|(other, _)| other.file != place.file).collect();
    Diagnostic { related, ..problem }.related(place.clone(), "the value is from here")
}

/// Whether a place contains another.
fn covers(place: &Origin, inner: &Origin) -> bool {
    place.file == inner.file && place.start <= inner.start && inner.end <= place.end
}

fn two_ways(name: &str, other: &str, origin: &Arc<Origin>, first: Option<&Vec<Origin>>) -> Diagnostic {
    let message = format!("`{other}` and `{name}` both set the content");
    let problem =
        Diagnostic::error(Code::Conflict, message, Origin::clone(origin)).help("remove one of them");
    match first.and_then(|places| places.first()) {
        Some(first) => problem.related(first.clone(), format!("`{other}` is here")),
        None => problem,
    }
}
