//! Finds names in a manifest that do not exist, by the other manifests and without a node.

use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::{Kind, Value};

use crate::diagnostic::Diagnostic;
use crate::language::manifest::{Binding, Block, Manifest, ManifestKind};
use crate::language::problems::placed;
use crate::language::{Fault, Formula, Scope};

use super::super::attribute_form::{AttributeForm, way};
use super::super::reference::read_reference;
use super::super::unknown::{unknown_attribute, unknown_parameter};
use super::super::words::FUNCTIONS;
use super::{BlockType, Program};

/// All problems with the names in a manifest.
pub(super) fn check(program: &Program, manifest: &Manifest) -> Vec<Diagnostic> {
    let mut checker = Checker { program, manifest, problems: Vec::new() };
    checker.inclusions();
    let names = ManifestNames::of(manifest);
    for parameter in &manifest.parameters {
        parameter.default.iter().for_each(|default| checker.formula(default, &names));
    }
    manifest.lets.iter().for_each(|binding| checker.formula(&binding.value, &names));
    for defaults in &manifest.defaults {
        match program.sort(&defaults.type_name) {
            None => checker.problems.push(program.unknown_type(&defaults.type_name, &defaults.origin)),
            Some(sort) => checker.attributes(sort, &defaults.attributes, &names.with_each()),
        }
    }
    manifest.blocks.iter().for_each(|block| checker.block(block, &names));
    checker.problems
}

struct Checker<'a> {
    program: &'a Program,
    manifest: &'a Manifest,
    problems: Vec<Diagnostic>,
}

impl Checker<'_> {
    fn inclusions(&mut self) {
        let names = ManifestNames::of(self.manifest);
        for inclusion in &self.manifest.inclusions {
            inclusion.when.iter().for_each(|when| self.formula(&when.value, &names));
            let Some(class) = self.program.modules.class(&inclusion.class) else {
                self.problems.push(self.program.unknown_class(&inclusion.class, &inclusion.origin));
                continue;
            };
            for binding in &inclusion.parameters {
                self.formula(&binding.value, &names);
                if class.complete && class.parameter(&binding.name).is_none() {
                    self.problems.push(unknown_parameter(class, &binding.name, &binding.key_origin));
                }
            }
        }
    }

    fn block(&mut self, block: &Block, names: &ManifestNames) {
        let inner = if block.for_each.is_some() { names.with_each() } else { names.clone() };
        block.for_each.iter().for_each(|for_each| self.formula(&for_each.value, names));
        let title = block.title.as_ref().map_or(&block.name_formula, |title| &title.value);
        self.formula(title, &inner);
        for binding in block.when.iter().chain(&block.splat).chain(&block.tag) {
            self.formula(&binding.value, &inner);
        }
        for relation in &block.relations {
            self.formula(&relation.to.value, &inner);
            for (text, origin) in constant_words(&relation.to) {
                self.problems
                    .extend(read_reference(&text, &origin, relation.word).err().map(|problem| *problem));
            }
        }
        match self.program.sort(&block.type_name) {
            None => self.problems.push(self.program.unknown_type(&block.type_name, &block.type_origin)),
            Some(sort) => self.attributes(sort, &block.attributes, &inner),
        }
    }

    fn attributes(&mut self, sort: BlockType<'_>, attributes: &[Binding], names: &ManifestNames) {
        for binding in attributes {
            match sort {
                BlockType::Define(define) if define.complete && define.parameter(&binding.name).is_none() => {
                    self.problems.push(unknown_parameter(define, &binding.name, &binding.key_origin));
                }
                BlockType::Type(def) => match way(def, &binding.name) {
                    None => {
                        self.problems.push(unknown_attribute(def, &binding.name, &binding.key_origin));
                        continue;
                    }
                    Some((_, AttributeForm::Template)) => self.template(binding),
                    Some(_) => {}
                },
                BlockType::Define(_) => {}
            }
            self.formula(&binding.value, names);
        }
    }

    fn template(&mut self, binding: &Binding) {
        let Formula::Constant(Value { kind: Kind::String(name), .. }) = &binding.value else { return };
        if let Err(problem) = self.program.template(self.manifest.name.module(), name) {
            self.problems.push(placed(*problem, &binding.origin));
        }
    }

    fn formula(&mut self, formula: &Formula, names: &ManifestNames) {
        for fault in formula.unknown(names) {
            let problem = fault.diagnostic(Some(&self.manifest.text));
            self.problems.push(match fault.unknown.as_deref() {
                Some("each") => problem.help("`each` exists only in a block with `for_each`"),
                _ => problem,
            });
        }
    }
}

/// The strings of a binding without expressions.
fn constant_words(binding: &Binding) -> Vec<(Arc<str>, Arc<Origin>)> {
    let Formula::Constant(value) = &binding.value else { return Vec::new() };
    let place = |value: &Value| value.origin.clone().unwrap_or_else(|| binding.origin.clone());
    match &value.kind {
        Kind::String(text) => vec![(text.clone(), place(value))],
        Kind::List(list) => {
            let text = |item: &Value| Some((Arc::from(item.as_str()?), place(item)));
            list.iter().filter_map(text).collect()
        }
        _ => Vec::new(),
    }
}

/// The names that the expressions of a manifest can use, without values.
#[derive(Clone)]
struct ManifestNames(Vec<Arc<str>>);

impl ManifestNames {
    fn of(manifest: &Manifest) -> Self {
        let mut names: Vec<Arc<str>> = vec!["facts".into(), "node".into()];
        if manifest.kind == ManifestKind::Define {
            names.push("title".into());
        }
        names.extend(manifest.parameters.iter().map(|parameter| parameter.name.clone()));
        names.extend(manifest.lets.iter().map(|binding| binding.name.clone()));
        Self(names)
    }

    fn with_each(&self) -> Self {
        Self(self.0.iter().cloned().chain(["each".into()]).collect())
    }
}

impl Scope for ManifestNames {
    fn resolve(&self, _: &str) -> Result<Option<Value>, Fault> {
        Ok(None)
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.0.clone()
    }

    fn functions(&self) -> &[&str] {
        FUNCTIONS
    }
}
