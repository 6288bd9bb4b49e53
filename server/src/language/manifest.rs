//! Manifests: the text of a class or a define as a tree of parsed formulas and types.
//!
//! Only one manifest at a time: whether the classes, defines and templates that it uses exist is checked by the
//! compile, which has them all. All problems of a manifest are found, not only the first one.

use std::sync::Arc;

use holdfast_catalog::origin::Origin;

use crate::diagnostic::Diagnostic;

use super::document::Document;
use super::formula::Formula;
use super::merge::Merge;
use super::name::ManifestName;
use super::types::Type;

mod parameters;
mod reader;
mod reading;
mod resources;
mod unknown;
#[cfg(test)]
mod tests;

pub(crate) use reading::read_type;
pub(crate) use unknown::cure;

/// A class or a define, parsed.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// Its full name, which follows from its path: `nginx::vhost`.
    pub name: ManifestName,
    /// Path from the repository's root.
    pub file: Arc<str>,
    /// The text of the file, needed to place carets under parts of a string.
    pub text: Arc<str>,
    /// Whether all of it could be read. If not, something that seems to be missing may be there.
    pub complete: bool,
    pub kind: ManifestKind,
    /// What the class or define is for.
    pub doc: Option<Arc<str>>,
    /// Its parameters, in the order written.
    pub parameters: Vec<Parameter>,
    /// The classes that it includes, by `include` or `[class.NAME]`, in the order written.
    pub inclusions: Vec<Inclusion>,
    /// The names that `[let]` defines, in the order written.
    pub lets: Vec<Binding>,
    /// `[defaults.TYPE]`, in the order written.
    pub defaults: Vec<Defaults>,
    /// Its resource blocks, in the order written, even where TOML groups them.
    pub blocks: Vec<Block>,
}

/// The kind of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManifestKind {
    /// Declared once, with parameters from data.
    Class,
    /// Declared any number of times, as a resource.
    Define,
}

/// A parameter of a class or a define.
#[derive(Debug, Clone)]
pub struct Parameter {
    pub name: Arc<str>,
    /// The place of its name.
    pub origin: Arc<Origin>,
    /// The type of its values.
    pub of: Type,
    /// The type, as written.
    pub type_text: Arc<str>,
    /// Its value if neither the data nor a declaration gives it one. It is never merged with data.
    pub default: Option<Formula>,
    /// How values of several levels become one; always `first` for defines, which have no data.
    pub merge: Merge,
    /// What the parameter is for.
    pub doc: Option<Arc<str>>,
}

impl Parameter {
    /// Whether it must be given: it has no default, and null is not one of its values.
    pub fn is_required(&self) -> bool {
        self.default.is_none() && !self.of.takes_null()
    }
}

/// A name and its value: an attribute, a `let`, or a given parameter.
#[derive(Debug, Clone)]
pub struct Binding {
    pub name: Arc<str>,
    /// The place of the name.
    pub key_origin: Arc<Origin>,
    /// The place of the value.
    pub origin: Arc<Origin>,
    pub value: Formula,
}

/// A class that is included.
#[derive(Debug, Clone)]
pub struct Inclusion {
    pub class: Arc<str>,
    /// The place of the name.
    pub origin: Arc<Origin>,
    /// The condition for including it; without one, it is always included.
    pub when: Option<Binding>,
    /// The parameters given here. They take precedence over the data, and the data over the defaults.
    pub parameters: Vec<Binding>,
}

/// `[defaults.TYPE]`: attributes of this manifest's resources of one type, unless a resource has its own.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// The name of the type or define.
    pub type_name: Arc<str>,
    /// The place of that name.
    pub origin: Arc<Origin>,
    pub attributes: Vec<Binding>,
}

/// A table `[TYPE."NAME"]`: one resource, or one for each entry of `for_each`.
#[derive(Debug, Clone)]
pub struct Block {
    /// A resource type, or a define's full name.
    pub type_name: Arc<str>,
    /// The place of that name.
    pub type_origin: Arc<Origin>,
    /// The block's name, which is the resource's title unless `title` is set. It may contain expressions.
    pub name: Arc<str>,
    /// The block's name as a formula, with its place.
    pub name_formula: Formula,
    /// The place of its header.
    pub origin: Arc<Origin>,
    pub title: Option<Binding>,
    pub when: Option<Binding>,
    pub for_each: Option<Binding>,
    /// `"*"`: attributes from a map. Written attributes override them, and they override the defaults.
    pub splat: Option<Binding>,
    /// `require`, `before`, `notify`, `subscribe`.
    pub relations: Vec<Relation>,
    /// `tag`: a string or a list of strings.
    pub tag: Option<Binding>,
    /// The remaining keys: attributes of the type, or parameters of the define, as well as `template` and `source`.
    pub attributes: Vec<Binding>,
    /// Attributes that were meant by words that the type does not have.
    pub meant: Vec<&'static str>,
}

/// A metaparameter that makes edges.
#[derive(Debug, Clone)]
pub struct Relation {
    pub word: RelationWord,
    /// A reference or a list of them: `service[nginx]`, `service[nginx]:reload`, `package[x]?`.
    pub to: Binding,
}

/// The metaparameters that make edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelationWord {
    /// The other one comes first.
    Require,
    /// This one comes first.
    Before,
    /// This one comes first, and the other one is refreshed when this one changes.
    Notify,
    /// The other one comes first, and this one is refreshed when the other one changes.
    Subscribe,
}

impl Manifest {
    /// Reads a manifest from its file. If there are errors, the manifest contains what could be read.
    pub fn parse(name: ManifestName, file: &Arc<str>, bytes: &[u8]) -> (Self, Vec<Diagnostic>) {
        let (document, problems) = Document::parse(file, bytes, None);
        reader::read(name, &document, problems)
    }

    /// The parameter with this name.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| &*parameter.name == name)
    }

    /// All formulas in the manifest.
    pub fn formulas(&self) -> Vec<&Formula> {
        let mut all: Vec<&Formula> =
            self.parameters.iter().filter_map(|parameter| parameter.default.as_ref()).collect();
        let mut bindings: Vec<&Binding> = self.lets.iter().collect();
        for inclusion in &self.inclusions {
            bindings.extend(inclusion.when.iter().chain(&inclusion.parameters));
        }
        bindings.extend(self.defaults.iter().flat_map(|defaults| &defaults.attributes));
        for block in &self.blocks {
            let own = [&block.title, &block.when, &block.for_each, &block.splat, &block.tag];
            bindings.extend(own.into_iter().flatten().chain(&block.attributes));
            bindings.extend(block.relations.iter().map(|relation| &relation.to));
            all.push(&block.name_formula);
        }
        all.extend(bindings.into_iter().map(|binding| &binding.value));
        all
    }

    /// Whether it may use the template of its module with this name, as far as its text shows.
    pub fn may_read_template(&self, name: &str) -> bool {
        let of_defaults = self.defaults.iter().flat_map(|defaults| &defaults.attributes);
        let of_blocks = self.blocks.iter().flat_map(|block| &block.attributes);
        let mut templates = of_defaults.chain(of_blocks).filter(|binding| &*binding.name == "template");
        let spreads = self.blocks.iter().any(|block| block.splat.is_some());
        let mut calls = self.formulas().into_iter().flat_map(|formula| formula.calls("template"));
        !self.complete
            || spreads
            || templates.any(|binding| binding.value.could_be(name))
            || calls.any(|call| call.text.as_deref().is_none_or(|text| text == name))
    }
}

impl RelationWord {
    /// The metaparameter with this name in manifests.
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "require" => Some(Self::Require),
            "before" => Some(Self::Before),
            "notify" => Some(Self::Notify),
            "subscribe" => Some(Self::Subscribe),
            _ => None,
        }
    }
}
