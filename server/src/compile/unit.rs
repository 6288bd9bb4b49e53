//! A class, or an instance of a define, while it is compiled: its parameters and `let`s, each of which is computed when
//! it is first needed and then kept.
//!
//! What names mean is in [`super::scope`]; where a value comes from is in [`super::parameter`].

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::Value;

use crate::diagnostic::Diagnostic;
use crate::language::manifest::{Binding, Manifest, Parameter};

use super::whence::Whence;

/// A class, or an instance of a define.
pub(super) struct ManifestInstance<'a> {
    /// The manifest of its class or define.
    pub(super) manifest: &'a Arc<Manifest>,
    /// Its index among the catalog's containers.
    pub(super) container: u32,
    /// Its title; `None` for a class.
    pub(super) title: Option<Arc<str>>,
    /// Where it is declared.
    pub(super) origin: Arc<Origin>,
    /// The number of instances of defines around it.
    pub(super) depth: usize,
    /// The places in the data that decided that it is declared.
    pub(super) whence: Whence,
    /// The parameters that were given where it was declared.
    pub(super) given: RefCell<BTreeMap<Arc<str>, PassedArgument>>,
    slots: RefCell<Vec<ValueState>>,
}

/// A value, with the places that it came from.
#[derive(Debug, Clone)]
pub(super) struct TracedValue {
    pub(super) value: Value,
    /// The places in the data that it came from.
    pub(super) sources: Vec<Arc<Origin>>,
}

/// A parameter that is given where a class or define is declared.
#[derive(Debug, Clone)]
pub(super) struct PassedArgument {
    /// Its value; `None` if evaluating it failed, which has been reported.
    pub(super) traced: Option<TracedValue>,
    /// Where it is written.
    pub(super) origin: Arc<Origin>,
}

impl PassedArgument {
    pub(super) fn value(&self) -> Option<&Value> {
        self.traced.as_ref().map(|traced| &traced.value)
    }
}

/// The state of a named value of a unit.
#[derive(Debug, Clone)]
pub(super) enum ValueState {
    /// It has not been needed yet.
    Waiting,
    /// It is being computed: if it is needed now, it depends on itself.
    Running,
    Ready(TracedValue),
    /// It has no value, for this reason, which has been reported.
    Failed(Box<Diagnostic>),
}

/// What a name in a manifest refers to.
#[derive(Clone, Copy)]
pub(super) enum UnitName<'a> {
    Parameter(&'a Parameter),
    /// An entry of `[let]`.
    Let(&'a Binding),
}

impl<'a> ManifestInstance<'a> {
    /// A unit in which nothing has been computed yet.
    pub(super) fn new(
        manifest: &'a Arc<Manifest>,
        container: u32,
        title: Option<Arc<str>>,
        origin: Arc<Origin>,
        depth: usize,
    ) -> Self {
        let slots = vec![ValueState::Waiting; manifest.parameters.len() + manifest.lets.len()];
        Self {
            manifest,
            container,
            title,
            origin,
            depth,
            whence: Whence::default(),
            given: RefCell::default(),
            slots: RefCell::new(slots),
        }
    }

    /// Sets the places in the data that decided that it is declared.
    pub(super) fn decided(self, whence: Whence) -> Self {
        Self { whence, ..self }
    }

    /// The parameter or `let` of this name, with the index of its slot.
    pub(super) fn named(&self, name: &str) -> Option<(usize, UnitName<'a>)> {
        let manifest: &'a Manifest = self.manifest;
        let parameter = manifest.parameters.iter().position(|parameter| &*parameter.name == name);
        if let Some(at) = parameter {
            return Some((at, UnitName::Parameter(&manifest.parameters[at])));
        }
        let at = manifest.lets.iter().position(|binding| &*binding.name == name)?;
        Some((manifest.parameters.len() + at, UnitName::Let(&manifest.lets[at])))
    }

    /// The current state of a slot.
    pub(super) fn slot(&self, at: usize) -> ValueState {
        self.slots.borrow()[at].clone()
    }

    /// Whether a parameter's value has been used.
    pub(super) fn is_settled(&self, parameter: &str) -> bool {
        self.named(parameter).is_some_and(|(at, _)| !matches!(self.slots.borrow()[at], ValueState::Waiting))
    }

    /// Sets the state of a slot.
    pub(super) fn settle(&self, at: usize, slot: ValueState) {
        self.slots.borrow_mut()[at] = slot;
    }

    /// Its name in messages: `class[nginx]`, `nginx::vhost[shop]`.
    pub(super) fn name(&self) -> String {
        match &self.title {
            Some(title) => format!("{}[{title}]", self.manifest.name),
            None => format!("class[{}]", self.manifest.name),
        }
    }
}

impl UnitName<'_> {
    pub(super) fn name(&self) -> &Arc<str> {
        match self {
            Self::Parameter(parameter) => &parameter.name,
            Self::Let(binding) => &binding.name,
        }
    }

    /// The place of its definition.
    pub(super) fn origin(&self) -> &Arc<Origin> {
        match self {
            Self::Parameter(parameter) => &parameter.origin,
            Self::Let(binding) => &binding.key_origin,
        }
    }
}
