//! A class, or an instance of a define, while it is compiled: its parameters and `let`s, each computed when it is
//! first asked for and then kept.
//!
//! What values mean is [`super::scope`]'s; where a value comes from is [`super::parameter`]'s.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::Value;

use crate::diagnostic::Diagnostic;
use crate::language::manifest::{Binding, Manifest, Parameter};

/// A class, or an instance of a define.
pub(super) struct Unit<'a> {
    /// What it is an instance of.
    pub(super) manifest: &'a Arc<Manifest>,
    /// Its index among the catalog's containers.
    pub(super) container: u32,
    /// Its title; none for a class.
    pub(super) title: Option<Arc<str>>,
    /// Where it is declared.
    pub(super) origin: Arc<Origin>,
    /// How many defines it is in.
    pub(super) depth: usize,
    /// Parameters that were given where it was declared.
    pub(super) given: RefCell<BTreeMap<Arc<str>, Given>>,
    slots: RefCell<Vec<Slot>>,
}

/// A value and the data that it was made from.
#[derive(Debug, Clone)]
pub(super) struct Traced {
    pub(super) value: Value,
    /// Places in the data that went into it.
    pub(super) sources: Vec<Arc<Origin>>,
}

/// A parameter that is given where a class or define is declared.
#[derive(Debug, Clone)]
pub(super) struct Given {
    /// Its value; none where it could not be had, which has been reported.
    pub(super) traced: Option<Traced>,
    /// Where it is written.
    pub(super) origin: Arc<Origin>,
}

impl Given {
    /// The value.
    pub(super) fn value(&self) -> Option<&Value> {
        self.traced.as_ref().map(|traced| &traced.value)
    }
}

/// A named value of a unit, and how far it is.
#[derive(Debug, Clone)]
pub(super) enum Slot {
    /// Nobody has asked for it.
    Waiting,
    /// It is being computed: who asks now asks in a circle.
    Running,
    Ready(Traced),
    /// It cannot be had, for this reason, which has been reported.
    Failed(Box<Diagnostic>),
}

/// What a name of a manifest stands for.
#[derive(Clone, Copy)]
pub(super) enum Named<'a> {
    Parameter(&'a Parameter),
    /// An entry of `[let]`.
    Let(&'a Binding),
}

impl<'a> Unit<'a> {
    /// A unit of which nothing is computed yet.
    pub(super) fn new(
        manifest: &'a Arc<Manifest>,
        container: u32,
        title: Option<Arc<str>>,
        origin: Arc<Origin>,
        depth: usize,
    ) -> Self {
        let slots = vec![Slot::Waiting; manifest.parameters.len() + manifest.lets.len()];
        Self {
            manifest,
            container,
            title,
            origin,
            depth,
            given: RefCell::default(),
            slots: RefCell::new(slots),
        }
    }

    /// The parameter or `let` of a name, with the number of its slot.
    pub(super) fn named(&self, name: &str) -> Option<(usize, Named<'a>)> {
        let manifest: &'a Manifest = self.manifest;
        let parameter = manifest.parameters.iter().position(|parameter| &*parameter.name == name);
        if let Some(at) = parameter {
            return Some((at, Named::Parameter(&manifest.parameters[at])));
        }
        let at = manifest.lets.iter().position(|binding| &*binding.name == name)?;
        Some((manifest.parameters.len() + at, Named::Let(&manifest.lets[at])))
    }

    /// A slot as it is now.
    pub(super) fn slot(&self, at: usize) -> Slot {
        self.slots.borrow()[at].clone()
    }

    /// Whether a parameter's value has been used.
    pub(super) fn is_settled(&self, parameter: &str) -> bool {
        self.named(parameter).is_some_and(|(at, _)| !matches!(self.slots.borrow()[at], Slot::Waiting))
    }

    /// Moves a slot on.
    pub(super) fn settle(&self, at: usize, slot: Slot) {
        self.slots.borrow_mut()[at] = slot;
    }

    /// What it is called in messages: `class[nginx]`, `nginx::vhost[shop]`.
    pub(super) fn name(&self) -> String {
        match &self.title {
            Some(title) => format!("{}[{title}]", self.manifest.name),
            None => format!("class[{}]", self.manifest.name),
        }
    }
}

impl Named<'_> {
    /// The name.
    pub(super) fn name(&self) -> &Arc<str> {
        match self {
            Self::Parameter(parameter) => &parameter.name,
            Self::Let(binding) => &binding.name,
        }
    }

    /// Where it is defined.
    pub(super) fn origin(&self) -> &Arc<Origin> {
        match self {
            Self::Parameter(parameter) => &parameter.origin,
            Self::Let(binding) => &binding.key_origin,
        }
    }
}
