//! Classes: which of them a node has, who includes them, and which parameters they are given.
//!
//! A class is declared first, opened later (its inclusions are read) and filled last. So everything that other classes
//! give it is known before anything in it is computed. Classes are taken in the order of their names, so the order in
//! which they are included has no effect.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::resource::ResourceRef;

use crate::diagnostic::{Code, Diagnostic};
use crate::language::manifest::{Binding, Inclusion, Manifest};

use super::declared::{Declarations, DeclaredContainer, Declarer};
use super::pass::Pass;
use super::scope::Frame;
use super::unit::{ManifestInstance, PassedArgument, TracedValue};
use super::whence::{Decides, Whence};

/// Parameters that were given to classes so late that something had been computed without them, by class and parameter.
pub(super) type LateArguments = BTreeMap<Arc<str>, BTreeMap<Arc<str>, PassedArgument>>;

/// A walk through the manifests of one node.
pub(super) struct ManifestWalk<'p, 'a> {
    pub(super) pass: &'p Pass<'a>,
    pub(super) declared: Declarations<'a>,
    classes: BTreeMap<Arc<str>, Rc<ManifestInstance<'a>>>,
    /// Classes whose inclusions have not been read.
    closed: BTreeSet<Arc<str>>,
    /// Classes that are open, but whose blocks have not been declared.
    empty: BTreeSet<Arc<str>>,
    /// Instances of defines, by container.
    pub(super) instances: BTreeMap<u32, Rc<ManifestInstance<'a>>>,
    seeds: &'p LateArguments,
    /// Whether a class was given a parameter too late, so that another walk must know it from the start.
    pub(super) late: bool,
    given: LateArguments,
}

impl<'p, 'a> ManifestWalk<'p, 'a> {
    /// A new walk, which knows what an earlier one found too late.
    pub(super) fn new(pass: &'p Pass<'a>, seeds: &'p LateArguments) -> Self {
        Self {
            pass,
            declared: Declarations::default(),
            classes: BTreeMap::new(),
            closed: BTreeSet::new(),
            empty: BTreeSet::new(),
            instances: BTreeMap::new(),
            seeds,
            late: false,
            given: LateArguments::new(),
        }
    }

    /// Declares the role, and the classes that it includes directly or through others.
    pub(super) fn role(&mut self, name: &Arc<str>, origin: &Arc<Origin>) {
        self.declare_class(name, origin, None, Whence::default());
        self.open_classes();
    }

    /// Fills all classes, including those that are declared by the content of others.
    pub(super) fn fill_classes(&mut self) {
        while let Some(name) = self.empty.pop_first() {
            let Some(class) = self.classes.get(&name).cloned() else { continue };
            self.fill(&class);
            self.open_classes();
        }
    }

    /// The parameters that classes were given, for the next walk if this one found some of them too late.
    pub(super) fn into_seeds(self) -> LateArguments {
        self.given
    }

    /// What was declared, and the parameters that classes were given.
    pub(super) fn into_declared(self) -> (Declarations<'a>, LateArguments) {
        (self.declared, self.given)
    }

    /// What is known before classes are filled: the parameters that they were given so far, and those that an earlier
    /// walk found.
    pub(super) fn into_more_seeds(self) -> LateArguments {
        let mut seeds = self.seeds.clone();
        for (class, given) in self.given {
            seeds.entry(class).or_default().extend(given);
        }
        seeds
    }

    /// Whether this walk started with a parameter that no class gives in the end.
    pub(super) fn seeds_are_stale(&self) -> bool {
        let confirmed = |class: &Arc<str>, parameter: &Arc<str>| {
            self.given.get(class).is_some_and(|given| given.contains_key(parameter))
        };
        self.seeds.iter().any(|(class, given)| given.keys().any(|parameter| !confirmed(class, parameter)))
    }

    /// The class with this name; declares it unless it has been declared before.
    fn declare_class(
        &mut self,
        name: &Arc<str>,
        origin: &Arc<Origin>,
        by: Option<&ManifestInstance<'a>>,
        whence: Whence,
    ) -> Option<Rc<ManifestInstance<'a>>> {
        let by = by.map(|by| Declarer { container: by.container, origin: origin.clone() });
        if let Some(unit) = self.classes.get(name) {
            self.declared.join(unit.container, by);
            return Some(unit.clone());
        }
        let Some(manifest) = self.pass.program.modules.class(name) else {
            self.pass.report(self.pass.program.unknown_class(name, origin));
            self.declared.incomplete = true;
            return None;
        };
        let reference = ResourceRef::new("class", name.clone());
        let container = self.contain(reference, origin, by, &whence)?;
        let unit =
            Rc::new(ManifestInstance::new(manifest, container, None, origin.clone(), 0).decided(whence));
        if let Some(seeds) = self.seeds.get(name) {
            unit.given.borrow_mut().clone_from(seeds);
        }
        self.classes.insert(name.clone(), unit.clone());
        self.closed.insert(name.clone());
        Some(unit)
    }

    /// Adds a container, unless there are too many.
    pub(super) fn contain(
        &mut self,
        reference: ResourceRef,
        origin: &Arc<Origin>,
        by: Option<Declarer>,
        whence: &Whence,
    ) -> Option<u32> {
        if self.declared.is_full(self.pass, origin, whence) {
            return None;
        }
        Some(self.declared.contain(DeclaredContainer::new(reference, origin.clone(), by)))
    }

    fn open_classes(&mut self) {
        while let Some(name) = self.closed.pop_first() {
            let Some(class) = self.classes.get(&name).cloned() else { continue };
            self.open(&class);
            self.empty.insert(name);
        }
    }

    /// Declares the classes that a unit includes, and reports the problems of its manifest.
    pub(super) fn open(&mut self, unit: &Rc<ManifestInstance<'a>>) {
        for problem in self.pass.program.problems_of(unit.manifest) {
            self.pass.report(problem.clone());
        }
        let manifest: &'a Manifest = unit.manifest;
        let mut inclusions: Vec<_> = manifest.inclusions.iter().collect();
        inclusions.sort_by_key(|inclusion| &inclusion.class);
        for inclusion in inclusions {
            self.include(unit, inclusion);
        }
    }

    fn include(&mut self, unit: &Rc<ManifestInstance<'a>>, inclusion: &'a Inclusion) {
        let frame = Frame::new(self.pass, unit, None);
        match inclusion.when.as_ref().map_or(Some((true, Vec::new())), |when| frame.condition(when)) {
            None => self.declared.incomplete = true,
            Some((false, _)) => {
                self.declared.switch_off(ResourceRef::new("class", inclusion.class.clone()));
                if let Some(manifest) = self.pass.program.modules.class(&inclusion.class) {
                    self.declared.switch_off_manifest(manifest);
                }
            }
            Some((true, conditions)) => {
                let mut whence = Whence::default();
                whence.add(&conditions, Decides::Condition);
                whence.within(&unit.whence);
                let class = self.declare_class(&inclusion.class, &inclusion.origin, Some(unit), whence);
                let Some(class) = class else { return };
                for binding in &inclusion.parameters {
                    self.give(&frame, &class, binding);
                }
            }
        }
    }

    fn give(&mut self, frame: &Frame<'_, 'a>, class: &ManifestInstance<'a>, binding: &'a Binding) {
        let Some(parameter) = class.manifest.parameter(&binding.name) else {
            return; // the problems of the program include it
        };
        let traced = frame.evaluate(&binding.value).map(|traced| {
            let value = parameter.of.sealed(&traced.value, &self.pass.program.modules);
            TracedValue { value, ..traced }
        });
        self.declared.incomplete |= traced.is_none();
        let given = PassedArgument { traced, origin: binding.origin.clone() };
        let of_class = self.given.entry(class.manifest.name.shared().clone()).or_default();
        if let Some(first) = of_class.get(&binding.name) {
            if first.value() != given.value() {
                self.pass.report(two_values(class, binding, first, &given));
            }
            return;
        }
        of_class.insert(binding.name.clone(), given.clone());
        let known = class.given.borrow().get(&binding.name).and_then(|known| known.value().cloned());
        if class.is_settled(&binding.name) && known.as_ref() != given.value() {
            self.late = true;
        }
        class.given.borrow_mut().insert(binding.name.clone(), given);
    }

    /// Declares everything in a unit, in the order written.
    pub(super) fn fill(&mut self, unit: &Rc<ManifestInstance<'a>>) {
        self.pass.settle_parameters(unit);
        let manifest: &'a Manifest = unit.manifest;
        self.declared.incomplete |= !manifest.complete;
        for block in &manifest.blocks {
            self.block(unit, block);
        }
    }
}

fn two_values(
    class: &ManifestInstance<'_>,
    binding: &Binding,
    first: &PassedArgument,
    given: &PassedArgument,
) -> Diagnostic {
    let message = format!("parameter `{}` of `{}` has two values", binding.name, class.manifest.name);
    let words = |given: &PassedArgument| match given.value() {
        Some(value) if value.shown().chars().count() <= 60 => format!("{} here", value.shown()),
        _ => "given here".to_owned(),
    };
    Diagnostic::error(Code::Conflict, message, Origin::clone(&given.origin))
        .label(words(given))
        .related(Origin::clone(&first.origin), words(first))
        .help("set it in one place, or in the data")
}
