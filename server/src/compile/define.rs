//! Instances of defines: blocks whose first word is the name of a define.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::resource::ResourceRef;

use crate::diagnostic::{Code, Diagnostic};
use crate::language::Formula;
use crate::language::manifest::{Block, Manifest};

use super::attribute::WrittenValue;
use super::class::ManifestWalk;
use super::declared::{Declarer, ReferenceTarget};
use super::resource::Titled;
use super::scope::Frame;
use super::unit::{ManifestInstance, PassedArgument};
use super::unknown::unknown_parameter;
use super::whence::Whence;

/// How deeply instances of defines may be nested.
const MAX_DEPTH: usize = 64;

impl<'a> ManifestWalk<'_, 'a> {
    /// Declares an instance of a define, and everything in it.
    pub(super) fn define(
        &mut self,
        frame: &Frame<'_, 'a>,
        block: &'a Block,
        manifest: &'a Arc<Manifest>,
        Titled { title, tags, whence }: Titled,
        written: BTreeMap<Arc<str>, WrittenValue>,
    ) -> Option<ReferenceTarget> {
        let given = self.arguments(manifest, written);
        let reference = ResourceRef::new(block.type_name.clone(), title.clone());
        let by = Declarer { container: frame.unit.container, origin: block.origin.clone() };
        if let Some(target) = self.declared.find(&reference) {
            self.again(block, manifest, target, &reference, (&given, &whence));
            if let ReferenceTarget::Container(index) = target {
                self.declared.join(index, Some(by));
                self.declared.containers[index as usize].tags.extend(tags);
            }
            return Some(target);
        }
        if let Some(problem) = self.runs_away(frame.unit, block, manifest, &reference) {
            self.pass.report(whence.told(problem));
            self.declared.incomplete = true;
            return None;
        }
        let container = self.contain(reference, &block.origin, Some(by), &whence)?;
        self.declared.containers[container as usize].tags = tags;
        let depth = frame.unit.depth + 1;
        let unit = Rc::new(
            ManifestInstance::new(manifest, container, Some(title), block.origin.clone(), depth)
                .decided(whence),
        );
        *unit.given.borrow_mut() = given;
        self.instances.insert(container, unit.clone());
        self.open(&unit);
        self.fill(&unit);
        Some(ReferenceTarget::Container(container))
    }

    fn arguments(
        &mut self,
        manifest: &'a Manifest,
        written: BTreeMap<Arc<str>, WrittenValue>,
    ) -> BTreeMap<Arc<str>, PassedArgument> {
        let mut given = BTreeMap::new();
        for (name, written) in written {
            if manifest.parameter(&name).is_none() {
                self.pass.report(unknown_parameter(manifest, &name, &written.key_origin));
                continue;
            }
            self.declared.incomplete |= written.traced.is_none();
            given.insert(name, PassedArgument { traced: written.traced, origin: written.origin });
        }
        given
    }

    /// Whether defines lead back to themselves, or are nested too deeply; reports it.
    fn runs_away(
        &self,
        unit: &ManifestInstance<'a>,
        block: &Block,
        manifest: &Manifest,
        reference: &ResourceRef,
    ) -> Option<Diagnostic> {
        let mut around = self.declared.instances_around(unit.container);
        if around.any(|container| *container.reference.type_name == *manifest.name.as_str()) {
            let message = format!("`{}` declares itself", manifest.name);
            let problem = Diagnostic::error(Code::Cycle, message, Origin::clone(&block.origin));
            return Some(problem.help("a define may declare other defines, but none that leads back to it"));
        }
        let message = format!("`{reference}` is nested in more than {MAX_DEPTH} defines");
        (unit.depth >= MAX_DEPTH)
            .then(|| Diagnostic::error(Code::Limit, message, Origin::clone(&block.origin)))
    }

    /// Checks that a second declaration of an instance is equal to the first; a parameter that is left out has its default.
    fn again(
        &self,
        block: &Block,
        manifest: &Manifest,
        target: ReferenceTarget,
        reference: &ResourceRef,
        (given, whence): (&BTreeMap<Arc<str>, PassedArgument>, &Whence),
    ) {
        let ReferenceTarget::Container(index) = target else { return };
        let Some(first) = self.instances.get(&index) else { return };
        let decided = first.whence.clone();
        let first = first.given.borrow();
        let names: BTreeSet<_> = first.keys().chain(given.keys()).collect();
        let by_default = |name: &str| match &manifest.parameter(name)?.default {
            Some(Formula::Constant(value)) => Some(value),
            _ => None,
        };
        let value = |given: &BTreeMap<Arc<str>, PassedArgument>, name: &str| match given.get(name) {
            Some(given) => given.value().cloned(),
            None => by_default(name).cloned(),
        };
        let differs = |name: &&Arc<str>| value(&first, name) != value(given, name);
        for name in names.into_iter().filter(differs) {
            let message = format!("`{reference}` is declared twice, with different values of `{name}`");
            let place = |given: Option<&PassedArgument>, or: &Arc<Origin>| {
                Origin::clone(given.map_or(or, |given| &given.origin))
            };
            let first_block = &self.declared.containers[index as usize].origin;
            let problem = Diagnostic::error(Code::Duplicate, message, place(given.get(name), &block.origin))
                .related(place(first.get(name), first_block), "declared here before")
                .help("declare it once, or give it another title");
            self.pass.report(decided.told(whence.told(problem)));
        }
    }
}
