//! Classes: which of them a node has, who contains them, and what they are given.
//!
//! A class is declared first and filled later. So all that the classes above it give it is known before anything in it
//! is computed, whatever the order in which they are written.

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use holdfast_catalog::diagnostic::Diagnostic;
use holdfast_catalog::origin::Origin;
use holdfast_catalog::resource::ResourceRef;

use crate::language::manifest::{Binding, Block, Inclusion, Manifest};

use super::declared::{Container, Declared};
use super::pass::Pass;
use super::scope::Frame;
use super::unit::{Given, Traced, Unit};

/// How many classes and defines may stand in each other.
const MAX_DEPTH: usize = 64;

/// What was given to classes so late that something was already computed without it, by class and parameter.
pub(super) type Seeds = BTreeMap<Arc<str>, BTreeMap<Arc<str>, Given>>;

/// Goes through the manifests of one node.
pub(super) struct Walk<'p, 'a> {
    pub(super) pass: &'p Pass<'a>,
    pub(super) declared: Declared<'a>,
    classes: BTreeMap<Arc<str>, Rc<Unit<'a>>>,
    filled: HashSet<Arc<str>>,
    /// Instances of defines, by container.
    pub(super) instances: BTreeMap<u32, Rc<Unit<'a>>>,
    seeds: &'p Seeds,
    /// What the next walk must know from the start.
    pub(super) late: bool,
    given: Seeds,
}

/// A thing in a manifest that declares something.
enum Item<'a> {
    Inclusion(&'a Inclusion),
    Block(&'a Block),
}

impl<'p, 'a> Walk<'p, 'a> {
    /// A walk that has seen nothing, but knows what an earlier one found too late.
    pub(super) fn new(pass: &'p Pass<'a>, seeds: &'p Seeds) -> Self {
        Self {
            pass,
            declared: Declared::default(),
            classes: BTreeMap::new(),
            filled: HashSet::new(),
            instances: BTreeMap::new(),
            seeds,
            late: false,
            given: Seeds::new(),
        }
    }

    /// Declares the role and fills everything in it.
    pub(super) fn role(&mut self, name: &Arc<str>, origin: &Arc<Origin>) {
        if let Some(unit) = self.declare_class(name, origin, None) {
            self.fill(&unit);
        }
    }

    /// What classes were given, for the next walk where this one found it too late.
    pub(super) fn into_seeds(self) -> Seeds {
        self.given
    }

    /// Whether a class was known to be given something that nobody gives it in the end.
    pub(super) fn seeds_are_stale(&self) -> bool {
        let confirmed = |class: &Arc<str>, parameter: &Arc<str>| {
            self.given.get(class).is_some_and(|given| given.contains_key(parameter))
        };
        self.seeds.iter().any(|(class, given)| given.keys().any(|parameter| !confirmed(class, parameter)))
    }

    /// The class of a name: declared here, if nobody declared it before.
    fn declare_class(
        &mut self,
        name: &Arc<str>,
        origin: &Arc<Origin>,
        by: Option<&Unit<'a>>,
    ) -> Option<Rc<Unit<'a>>> {
        if let Some(unit) = self.classes.get(name) {
            return Some(unit.clone());
        }
        let Some(manifest) = self.pass.program.modules.class(name) else {
            self.pass.report(self.pass.program.unknown_class(name, origin));
            self.declared.incomplete = true;
            return None;
        };
        let depth = by.map_or(0, |by| by.depth + 1);
        let reference = ResourceRef::new("class", name.clone());
        let container = self.contain(reference, origin, by, depth)?;
        let unit = Rc::new(Unit::new(manifest, container, None, origin.clone(), depth));
        if let Some(seeds) = self.seeds.get(name) {
            unit.given.borrow_mut().clone_from(seeds);
        }
        self.classes.insert(name.clone(), unit.clone());
        self.open(&unit);
        Some(unit)
    }

    /// Adds a container, unless there are too many or they are too deep.
    pub(super) fn contain(
        &mut self,
        reference: ResourceRef,
        origin: &Arc<Origin>,
        by: Option<&Unit<'a>>,
        depth: usize,
    ) -> Option<u32> {
        if self.declared.is_full(self.pass, origin) {
            return None;
        }
        if depth > MAX_DEPTH {
            let message = format!("`{reference}` stands in more than {MAX_DEPTH} classes and defines");
            self.pass.report(Diagnostic::error("limit", message, Origin::clone(origin)));
            self.declared.incomplete = true;
            return None;
        }
        let parent = by.map(|by| by.container);
        let tags =
            by.map(|by| self.declared.containers[by.container as usize].tags.clone()).unwrap_or_default();
        Some(self.declared.contain(Container { reference, parent, origin: origin.clone(), tags }))
    }

    /// Declares what a unit includes, and says what is wrong with its manifest.
    pub(super) fn open(&mut self, unit: &Rc<Unit<'a>>) {
        for problem in self.pass.program.problems_of(unit.manifest) {
            self.pass.report(problem.clone());
        }
        let manifest: &'a Manifest = unit.manifest;
        for inclusion in &manifest.inclusions {
            self.include(unit, inclusion);
        }
    }

    fn include(&mut self, unit: &Rc<Unit<'a>>, inclusion: &'a Inclusion) {
        let frame = Frame::new(self.pass, unit, None);
        match inclusion.when.as_ref().map_or(Some(true), |when| frame.condition(when)) {
            None => self.declared.incomplete = true,
            Some(false) => {
                self.declared.switch_off(ResourceRef::new("class", inclusion.class.clone()));
                if let Some(manifest) = self.pass.program.modules.class(&inclusion.class) {
                    self.declared.switch_off_manifest(manifest);
                }
            }
            Some(true) => {
                let Some(class) = self.declare_class(&inclusion.class, &inclusion.origin, Some(unit)) else {
                    return;
                };
                for binding in &inclusion.parameters {
                    self.give(&frame, &class, binding);
                }
            }
        }
    }

    fn give(&mut self, frame: &Frame<'_, 'a>, class: &Unit<'a>, binding: &'a Binding) {
        let Some(parameter) = class.manifest.parameter(&binding.name) else {
            return; // the program's own problems name it
        };
        let traced = frame.evaluate(&binding.value).map(|traced| {
            let value = parameter.of.sealed(&traced.value, &self.pass.program.modules);
            Traced { value, ..traced }
        });
        self.declared.incomplete |= traced.is_none();
        let given = Given { traced, origin: binding.origin.clone() };
        let name = class.manifest.name.shared().clone();
        let before = self.given.entry(name).or_default().insert(binding.name.clone(), given.clone());
        if let Some(before) = before.filter(|before| before.value() != given.value()) {
            self.pass.report(two_values(class, binding, &before, &given));
            return;
        }
        let known = class.given.borrow().get(&binding.name).and_then(|known| known.value().cloned());
        if class.is_settled(&binding.name) && known.as_ref() != given.value() {
            self.late = true;
        }
        class.given.borrow_mut().insert(binding.name.clone(), given);
    }

    /// Declares everything in a unit, in the order written.
    pub(super) fn fill(&mut self, unit: &Rc<Unit<'a>>) {
        self.pass.settle_parameters(unit);
        let manifest: &'a Manifest = unit.manifest;
        let inclusions = manifest.inclusions.iter().map(|it| (it.origin.start, Item::Inclusion(it)));
        let blocks = manifest.blocks.iter().map(|it| (it.origin.start, Item::Block(it)));
        let mut items: Vec<_> = inclusions.chain(blocks).collect();
        items.sort_by_key(|(start, _)| *start);
        for (_, item) in items {
            match item {
                Item::Block(block) => self.block(unit, block),
                Item::Inclusion(inclusion) => self.fill_class(unit, &inclusion.class),
            }
        }
    }

    /// A class is filled where it is contained.
    fn fill_class(&mut self, unit: &Rc<Unit<'a>>, name: &Arc<str>) {
        let Some(class) = self.classes.get(name).cloned() else { return };
        let contained = self.declared.containers[class.container as usize].parent == Some(unit.container);
        if contained && self.filled.insert(name.clone()) {
            self.fill(&class);
        }
    }
}

fn two_values(class: &Unit<'_>, binding: &Binding, before: &Given, given: &Given) -> Diagnostic {
    let message = format!("parameter `{}` of `{}` is given two values", binding.name, class.manifest.name);
    let words = |given: &Given| match given.value() {
        Some(value) if value.shown().chars().count() <= 60 => format!("{} here", value.shown()),
        _ => "given here".to_owned(),
    };
    Diagnostic::error("conflict", message, Origin::clone(&given.origin))
        .label(words(given))
        .related(Origin::clone(&before.origin), words(before))
        .help("give it in one place, or in the data")
}
