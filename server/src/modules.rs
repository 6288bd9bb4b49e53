//! All manifests of a snapshot, by name. A manifest is parsed once for each content: a commit parses only what it changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use holdfast_catalog::hash::ContentHash;
use holdfast_catalog::origin::Origin;
use holdfast_catalog::resource::definitions;

use crate::diagnostic::{Code, Diagnostic};
use crate::language::manifest::{Manifest, ManifestKind};
use crate::language::name::ManifestName;
use crate::language::types::{Defines, Need, StructField, Type};
use crate::repo::Snapshot;

/// The folder of modules.
pub use crate::repo::MODULES as FOLDER;

/// The manifests of one snapshot. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Modules(Arc<ModulesInner>);

#[derive(Debug, Default)]
struct ModulesInner {
    manifests: BTreeMap<ManifestName, Arc<ParsedManifest>>,
    /// Names and their prefixes: `profile` and `profile::web` if there is a `profile::web::tls`.
    namespaces: BTreeSet<Arc<str>>,
    defines: BTreeMap<Arc<str>, Arc<[StructField]>>,
    problems: Vec<Diagnostic>,
}

#[derive(Debug)]
struct ParsedManifest {
    hash: ContentHash,
    manifest: Arc<Manifest>,
    problems: Vec<Diagnostic>,
}

impl Modules {
    /// Parses a snapshot's manifests. Those with the same content in `previous` are taken from there.
    pub fn read(snapshot: &Snapshot, previous: Option<&Self>) -> Self {
        let mut inner = ModulesInner::default();
        for (path, file) in snapshot.under(FOLDER) {
            let name = match ManifestName::of_path(path) {
                None => continue,
                Some(Ok(name)) => name,
                Some(Err(problem)) => {
                    let origin = Origin::locate(path, "", 0..0);
                    inner.problems.push(Diagnostic::error(Code::BadPath, problem, origin));
                    continue;
                }
            };
            let kept = previous.and_then(|p| p.0.manifests.get(&name)).filter(|p| p.hash == *file.hash());
            let parsed = kept.cloned().unwrap_or_else(|| {
                let (manifest, problems) = Manifest::parse(name.clone(), path, file.bytes());
                Arc::new(ParsedManifest { hash: file.hash().clone(), manifest: Arc::new(manifest), problems })
            });
            inner.manifests.insert(name, parsed);
        }
        inner.index();
        Self(Arc::new(inner))
    }

    /// A manifest by its full name.
    pub fn get(&self, name: &str) -> Option<&Arc<Manifest>> {
        self.0.manifests.get(name).map(|parsed| &parsed.manifest)
    }

    /// A class by its full name.
    pub fn class(&self, name: &str) -> Option<&Arc<Manifest>> {
        self.get(name).filter(|manifest| manifest.kind == ManifestKind::Class)
    }

    /// A define by its full name.
    pub fn define(&self, name: &str) -> Option<&Arc<Manifest>> {
        self.get(name).filter(|manifest| manifest.kind == ManifestKind::Define)
    }

    /// The names that may begin the header of a block: all resource types and all defines.
    pub fn type_names(&self) -> impl Iterator<Item = &str> {
        let defines = self.0.defines.keys().map(|name| &**name);
        definitions().iter().map(|def| def.name).chain(defines)
    }

    /// All manifests, in the order of their names.
    pub fn manifests(&self) -> impl Iterator<Item = &Arc<Manifest>> {
        self.0.manifests.values().map(|parsed| &parsed.manifest)
    }

    /// The manifests that give a class this parameter where they include it, each with the place. Such a value takes
    /// precedence over the data.
    pub fn givers(&self, class: &str, parameter: &str) -> impl Iterator<Item = (&Manifest, &Origin)> {
        self.manifests().flat_map(move |manifest| {
            let inclusions = manifest.inclusions.iter().filter(move |inclusion| &*inclusion.class == class);
            let bindings = inclusions.flat_map(|inclusion| &inclusion.parameters);
            bindings
                .filter(move |binding| &*binding.name == parameter)
                .map(move |binding| (&**manifest, &*binding.key_origin))
        })
    }

    /// Whether a name is that of a manifest, or a prefix of one.
    pub fn is_namespace(&self, name: &str) -> bool {
        self.0.namespaces.contains(name)
    }

    /// The problems of each manifest on its own.
    pub fn problems(&self) -> Vec<Diagnostic> {
        let own = self.0.manifests.values().flat_map(|parsed| parsed.problems.iter());
        self.0.problems.iter().chain(own).cloned().collect()
    }
}

impl ModulesInner {
    fn index(&mut self) {
        for (name, parsed) in &self.manifests {
            let ends = name.as_str().match_indices("::").map(|(at, _)| at).chain([name.as_str().len()]);
            self.namespaces.extend(ends.map(|end| Arc::from(&name.as_str()[..end])));
            if parsed.manifest.kind == ManifestKind::Define {
                let field = |p: &crate::language::manifest::Parameter| StructField {
                    name: p.name.clone(),
                    of: p.of.clone(),
                    need: if p.is_required() { Need::Required } else { Need::Optional },
                };
                let fields = parsed.manifest.parameters.iter().map(field).collect();
                self.defines.insert(name.shared().clone(), fields);
            }
        }
        self.find_ambiguous_parameters();
        self.find_unknown_types();
        self.check_roles();
    }

    fn find_unknown_types(&mut self) {
        let mut problems = Vec::new();
        for parsed in self.manifests.values() {
            for parameter in &parsed.manifest.parameters {
                let known = |name: &str| self.defines.contains_key(name);
                problems.extend(unknown_defines(
                    &parameter.of,
                    known,
                    self.defines.keys(),
                    &parameter.origin,
                ));
            }
        }
        self.problems.extend(problems);
    }

    /// Checks that roles contain nothing but profiles.
    fn check_roles(&mut self) {
        let roles = self.manifests.values().map(|parsed| &parsed.manifest);
        for role in roles.filter(|manifest| manifest.name.as_str().starts_with("role::")) {
            let others = role.inclusions.iter().filter(|inclusion| !inclusion.class.starts_with("profile::"));
            let places = others
                .map(|inclusion| &inclusion.origin)
                .chain(role.blocks.iter().map(|block| &block.origin))
                .chain(role.parameters.iter().map(|parameter| &parameter.origin))
                .chain(role.lets.iter().map(|binding| &binding.key_origin));
            self.problems.extend(places.map(|origin| {
                let message = format!("`{}` contains more than profiles", role.name);
                Diagnostic::error(Code::RoleContent, message, Origin::clone(origin))
                    .help("a role only lists profiles: move this to a profile")
            }));
        }
    }

    /// Finds parameters whose name is also that of a class below: in data, the segment after a class is either, and
    /// cannot be both.
    fn find_ambiguous_parameters(&mut self) {
        for parsed in self.manifests.values().filter(|p| p.manifest.kind == ManifestKind::Class) {
            for parameter in &parsed.manifest.parameters {
                let below = format!("{}::{}", parsed.manifest.name, parameter.name);
                if !self.namespaces.contains(&*below) {
                    continue;
                }
                let message = format!("parameter `{}` has the same name as `{below}`", parameter.name);
                self.problems.push(
                    Diagnostic::error(Code::AmbiguousParameter, message, Origin::clone(&parameter.origin))
                        .help("a key in the data could mean either: rename one of the two"),
                );
            }
        }
    }
}

/// The defines that a type refers to but that do not exist, each as an error at `origin`.
fn unknown_defines<'a>(
    of: &Type,
    known: impl Fn(&str) -> bool,
    names: impl Iterator<Item = &'a Arc<str>> + Clone,
    origin: &Origin,
) -> Vec<Diagnostic> {
    let unknown = of.defines().into_iter().filter(|name| !known(name));
    let problem = |name: Arc<str>| {
        let message = format!("`{name}` is neither a type nor a define");
        Diagnostic::error(Code::UnknownType, message, origin.clone())
            .did_you_mean(&name, names.clone().map(|name| &**name))
    };
    unknown.map(problem).collect()
}

impl Modules {
    /// The defines that a type refers to but that do not exist, each as an error at `origin`.
    pub fn unknown_defines(&self, of: &Type, origin: &Origin) -> Vec<Diagnostic> {
        let defines = &self.0.defines;
        unknown_defines(of, |name| defines.contains_key(name), defines.keys(), origin)
    }
}

impl Defines for Modules {
    fn parameters(&self, define: &str) -> Option<Arc<[StructField]>> {
        self.0.defines.get(define).cloned()
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.0.defines.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gives_a_class_a_parameter_is_known() {
        let files = [
            (
                "modules/ssh/manifests/init.toml",
                "doc = \"SSH.\"\n[parameters]\nports = { type = \"Array[Port]\", doc = \"Ports.\" }\n",
            ),
            (
                "modules/profile/manifests/ssh.toml",
                "doc = \"SSH.\"\n[parameters]\nports = { type = \"Array[Port]\", doc = \"Ports.\" }\n[class.ssh]\nports = \"${ports}\"\n",
            ),
        ];
        let snapshot = Snapshot::of_files(files.map(|(path, text)| (path, text.as_bytes().to_vec())));
        let modules = Modules::read(&snapshot, None);
        let givers = |class, parameter| -> Vec<String> {
            let givers = modules.givers(class, parameter);
            givers.map(|(by, at)| format!("{} {}:{}", by.name, at.file, at.line)).collect()
        };
        assert_eq!(givers("ssh", "ports"), ["profile::ssh modules/profile/manifests/ssh.toml:5"]);
        assert_eq!(givers("ssh", "other"), [""; 0]);
        assert_eq!(givers("profile::ssh", "ports"), [""; 0]);
    }
}
