//! What the manifests of one node have declared so far: containers, resources, and what is switched off.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use holdfast_catalog::catalog::MAX_RESOURCES;
use holdfast_catalog::origin::Origin;
use holdfast_catalog::resource::claim::Claim;
use holdfast_catalog::resource::{Attributes, Implied, ResourceRef, TypeDef};
use holdfast_catalog::value::{Kind, Value};

use crate::diagnostic::{Code, Diagnostic};
use crate::language::manifest::{Block, Manifest, RelationWord};

use super::pass::Pass;
use super::reference::Reference;
use super::whence::Whence;

/// The most bytes of text in the attributes of a catalog; the wire format allows a little more.
const MAX_BYTES: usize = 48 * 1024 * 1024;

/// What a reference refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReferenceTarget {
    /// A resource, by its index.
    Resource(u32),
    /// A class or an instance of a define, by its index.
    Container(u32),
}

/// A place at which something is declared.
#[derive(Debug, Clone)]
pub(super) struct Declarer {
    /// The class or the instance of a define that declares it.
    pub(super) container: u32,
    pub(super) origin: Arc<Origin>,
}

/// A class or an instance of a define.
pub(super) struct DeclaredContainer {
    pub(super) reference: ResourceRef,
    /// The places that declare it; none for the role.
    pub(super) declarers: Vec<Declarer>,
    /// The container that contains everything that declares it; set once everything is declared ([`super::containment`]).
    pub(super) parent: Option<u32>,
    /// The place that declares it first.
    pub(super) origin: Arc<Origin>,
    /// Its own tags; once everything is declared, also those of all containers that declare it.
    pub(super) tags: BTreeSet<Arc<str>>,
    /// What its blocks declare, in the order written; used until everything has its container.
    pub(super) members: Vec<ReferenceTarget>,
}

impl DeclaredContainer {
    /// A container that is empty so far.
    pub(super) fn new(reference: ResourceRef, origin: Arc<Origin>, by: Option<Declarer>) -> Self {
        Self {
            reference,
            declarers: by.into_iter().collect(),
            parent: None,
            origin,
            tags: BTreeSet::new(),
            members: Vec::new(),
        }
    }

    /// Whether it is a class, and not an instance of a define.
    pub(super) fn is_class(&self) -> bool {
        &*self.reference.type_name == "class"
    }
}

/// A resource.
pub(super) struct DeclaredResource {
    pub(super) reference: ResourceRef,
    pub(super) origin: Arc<Origin>,
    /// The places that declare it, the first one first.
    pub(super) declarers: Vec<Declarer>,
    /// The container that contains everything that declares it; set once everything is declared.
    pub(super) container: u32,
    pub(super) attributes: Attributes,
    /// For each attribute, the place where it is written, then the places in the data that its value came from.
    pub(super) sources: BTreeMap<Arc<str>, Vec<Origin>>,
    pub(super) tags: BTreeSet<Arc<str>>,
    pub(super) implied: Vec<Implied>,
    pub(super) claims: Vec<Claim>,
    /// The places in the data that decided that it is declared.
    pub(super) whence: Whence,
}

/// An edge that is requested by a metaparameter.
pub(super) struct RequestedEdge {
    pub(super) from: ReferenceTarget,
    pub(super) word: RelationWord,
    pub(super) to: Reference,
    pub(super) origin: Arc<Origin>,
    /// The places in the data that the reference comes from.
    pub(super) whence: Whence,
}

/// Everything declared so far.
#[derive(Default)]
pub(super) struct Declarations<'a> {
    pub(super) containers: Vec<DeclaredContainer>,
    pub(super) resources: Vec<DeclaredResource>,
    pub(super) relations: Vec<RequestedEdge>,
    /// All containers, each after those that declare it; set once everything is declared.
    pub(super) outer_first: Vec<u32>,
    pub(super) index: HashMap<ResourceRef, ReferenceTarget>,
    off: HashSet<ResourceRef>,
    /// Manifests of classes and defines that are switched off, and with them everything that they would have declared.
    off_manifests: Vec<&'a Manifest>,
    bytes: usize,
    /// Whether some block could not be read, so that it is unknown what it would have declared.
    pub(super) incomplete: bool,
    full: bool,
}

impl<'a> Declarations<'a> {
    /// Finds what a reference refers to; `None` if nothing of that name is declared.
    pub(super) fn find(&self, reference: &ResourceRef) -> Option<ReferenceTarget> {
        self.index.get(reference).copied()
    }

    /// The references of everything that is declared.
    pub(super) fn references(&self) -> impl Iterator<Item = &ResourceRef> {
        self.index.keys()
    }

    /// Whether the class of a manifest, or an instance of its define, is declared.
    pub(super) fn has(&self, manifest: &Manifest) -> bool {
        let name = manifest.name.as_str();
        self.containers.iter().any(|container| match container.is_class() {
            true => *container.reference.title == *name,
            false => *container.reference.type_name == *name,
        })
    }

    /// Adds a container, and returns its index.
    pub(super) fn contain(&mut self, container: DeclaredContainer) -> u32 {
        let index = u32::try_from(self.containers.len()).unwrap_or(u32::MAX);
        self.index.insert(container.reference.clone(), ReferenceTarget::Container(index));
        self.containers.push(container);
        index
    }

    /// Records that a container is declared once more.
    pub(super) fn join(&mut self, container: u32, by: Option<Declarer>) {
        self.containers[container as usize].declarers.extend(by);
    }

    /// The instance with this index and the instances around it, from the inside out, up to the class that contains them.
    pub(super) fn instances_around(&self, container: u32) -> impl Iterator<Item = &DeclaredContainer> {
        let instance =
            |index: u32| self.containers.get(index as usize).filter(|container| !container.is_class());
        std::iter::successors(instance(container), move |inner| {
            inner.declarers.first().and_then(|by| instance(by.container))
        })
    }

    /// Adds a resource, or joins it with an equal one.
    pub(super) fn declare(
        &mut self,
        pass: &Pass<'_>,
        def: &TypeDef,
        resource: DeclaredResource,
    ) -> ReferenceTarget {
        if let Some(ReferenceTarget::Resource(index)) = self.find(&resource.reference) {
            let first = &mut self.resources[index as usize];
            first.declarers.extend_from_slice(&resource.declarers);
            let different = differences(def, first, &resource);
            if different.is_empty() {
                first.join(resource);
            } else {
                different.into_iter().for_each(|problem| pass.report(problem));
                first.tags.extend(resource.tags);
            }
            return ReferenceTarget::Resource(index);
        }
        self.bytes += resource.attributes.values().map(text_bytes).sum::<usize>();
        let target = ReferenceTarget::Resource(u32::try_from(self.resources.len()).unwrap_or(u32::MAX));
        self.index.insert(resource.reference.clone(), target);
        self.resources.push(resource);
        target
    }

    /// Records that a resource is switched off here.
    pub(super) fn switch_off(&mut self, reference: ResourceRef) {
        self.off.insert(reference);
    }

    /// Records that everything that a manifest would have declared is switched off here.
    pub(super) fn switch_off_manifest(&mut self, manifest: &'a Manifest) {
        if !self.off_manifests.iter().any(|other| other.name == manifest.name) {
            self.off_manifests.push(manifest);
        }
    }

    /// Whether a reference is to something that is declared in the manifests but switched off here.
    pub(super) fn is_off(&self, pass: &Pass<'a>, reference: &ResourceRef) -> bool {
        self.off.contains(reference) || {
            let mut seen: HashSet<&str> = HashSet::new();
            self.off_manifests.iter().any(|manifest| would_declare(pass, manifest, reference, &mut seen))
        }
    }

    /// Whether the limits of a catalog are reached; reports that once.
    pub(super) fn is_full(&mut self, pass: &Pass<'_>, origin: &Arc<Origin>, whence: &Whence) -> bool {
        if self.resources.len() >= MAX_RESOURCES || self.containers.len() >= MAX_RESOURCES {
            let message = format!("the catalog has more than {MAX_RESOURCES} resources");
            self.fill(pass, message, origin, whence);
        } else if self.bytes >= MAX_BYTES {
            let message = format!("the catalog's texts are more than {} MiB", MAX_BYTES >> 20);
            self.fill(pass, message, origin, whence);
        }
        self.full
    }

    /// Whether a loop would exceed the limits, which is then reported. No element is expanded first: each may be an
    /// instance of a define with much in it.
    pub(super) fn overflows(
        &mut self,
        pass: &Pass<'_>,
        block: &Block,
        list: &Value,
        whence: &Whence,
    ) -> bool {
        let length = list.as_list().map(<[Value]>::len).or(list.as_map().map(|map| map.len())).unwrap_or(0);
        // the entries of a map have different titles, or the loop is an error anyway
        let is_certain = block.when.is_none() && list.as_map().is_some();
        let declared = match TypeDef::find(&block.type_name) {
            Some(_) => self.resources.len(),
            None => self.containers.len(),
        };
        let room = if is_certain { MAX_RESOURCES.saturating_sub(declared) } else { MAX_RESOURCES };
        if length > room {
            let message = format!(
                "with this loop of {length} elements, the catalog has more than {MAX_RESOURCES} resources"
            );
            self.fill(pass, message, &block.origin, whence);
        }
        self.full
    }

    fn fill(&mut self, pass: &Pass<'_>, message: String, origin: &Arc<Origin>, whence: &Whence) {
        if !std::mem::replace(&mut self.full, true) {
            self.incomplete = true;
            let problem = Diagnostic::error(Code::Limit, message, Origin::clone(origin))
                .help("is the list of a loop too long?");
            pass.report(whence.told(problem));
        }
    }
}

impl DeclaredResource {
    /// Joins another declaration with equal values. What either writes out is written out. If one value is written in
    /// two ways, the one whose text sorts first is kept, so the order of the declarations has no effect.
    fn join(&mut self, other: Self) {
        let text = |value: &Value| value.to_json_masked().to_string();
        for (name, value) in other.attributes {
            let stays = self.attributes.get(&name).is_some_and(|own| text(own) <= text(&value));
            if stays {
                continue;
            }
            if let Some(places) = other.sources.get(&name) {
                self.sources.insert(name.clone(), places.clone());
            }
            self.attributes.insert(name, value);
        }
        self.tags.extend(other.tags);
    }
}

/// The differences between two declarations of one resource. They may be joined only if there are none.
fn differences(def: &TypeDef, first: &DeclaredResource, second: &DeclaredResource) -> Vec<Diagnostic> {
    let names: BTreeSet<_> = first.attributes.keys().chain(second.attributes.keys()).collect();
    let (here, there) = (&first.attributes, &second.attributes);
    let differs = |name: &&&Arc<str>| {
        here.get(**name) != there.get(**name) && !def.says_the_same(&first.reference.title, name, here, there)
    };
    let place = |of: &DeclaredResource, name: &Arc<str>| {
        of.sources
            .get(name)
            .and_then(|places| places.first())
            .cloned()
            .unwrap_or_else(|| Origin::clone(&of.origin))
    };
    let words = |of: &DeclaredResource, name: &Arc<str>| match of.attributes.get(name) {
        Some(value) if value.shown().chars().count() <= 60 => format!("`{name}` is {} here", value.shown()),
        Some(_) => format!("another `{name}` here"),
        None => format!("no `{name}` here"),
    };
    let problem = |name: &Arc<str>| {
        let message = format!("`{}` is declared twice, with different values of `{name}`", second.reference);
        let problem = Diagnostic::error(Code::Duplicate, message, place(second, name))
            .label(words(second, name))
            .related(place(first, name), words(first, name))
            .help("declare it once, or give it another title");
        first.whence.told(second.whence.told(problem))
    };
    names.iter().filter(differs).map(|name| problem(name)).collect()
}

/// Whether a manifest declares a resource of this title, as far as that can be read from its text.
fn would_declare<'a>(
    pass: &Pass<'a>,
    manifest: &'a Manifest,
    reference: &ResourceRef,
    seen: &mut HashSet<&'a str>,
) -> bool {
    if !seen.insert(manifest.name.as_str()) {
        return false;
    }
    let modules = &pass.program.modules;
    let class = |name: &str| &*reference.type_name == "class" && *reference.title == *name;
    manifest.blocks.iter().any(|block| {
        let title = block.title.as_ref().map_or(&block.name_formula, |title| &title.value);
        let same = block.type_name == reference.type_name && title.could_be(&reference.title);
        same || modules.get(&block.type_name).is_some_and(|inner| would_declare(pass, inner, reference, seen))
    }) || manifest.inclusions.iter().any(|inclusion| {
        class(&inclusion.class)
            || modules.get(&inclusion.class).is_some_and(|inner| would_declare(pass, inner, reference, seen))
    })
}

/// The number of bytes of text in a value.
fn text_bytes(value: &Value) -> usize {
    match &value.kind {
        Kind::String(text) => text.len(),
        Kind::List(list) => list.iter().map(text_bytes).sum(),
        Kind::Map(map) => map.iter().map(|(key, value)| key.len() + text_bytes(value)).sum(),
        Kind::Sensitive(secret) => {
            secret.as_pieces().map_or(8, |pieces| pieces.iter().map(|p| p.text.len()).sum())
        }
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => 8,
    }
}
