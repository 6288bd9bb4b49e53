//! Finds values for a class in a file that no machine with this class reads: in the file of a role, a profile or a
//! machine that does not lead to that class. Their names and types are right, so it would otherwise go unnoticed that
//! they have no effect.
//!
//! Only the text of the manifests counts: a class that is switched off by a `when` still counts as included.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use holdfast_catalog::certname::Certname;
use holdfast_catalog::origin::Origin;

use super::keys::LookupKeys;
use super::stray::KnownNames;
use crate::compile::Program;
use crate::diagnostic::{Code, Diagnostic};
use crate::lookup::hierarchy::{self, PathReading};

/// The most profiles that lead to a class to name.
const MAX_NAMED: usize = 3;

/// The warnings about such values. Problems of manifests come first, since with them it is unknown what they lead to.
pub(super) fn find(program: &Program, known: &KnownNames, lookups: &LookupKeys) -> Vec<Diagnostic> {
    let mut search = UnreachedSearch { program, lookups, led_to: BTreeMap::new() };
    let files = program.snapshot().under(hierarchy::FOLDER);
    let found = files.flat_map(|(path, content)| {
        let readings = known.readings(program, path);
        let classes = if readings.is_empty() { Vec::new() } else { program.data().classes_in(path, content) };
        let told: Vec<_> =
            classes.iter().filter_map(|(class, origin)| search.problem(&readings, class, origin)).collect();
        told
    });
    found.collect()
}

struct UnreachedSearch<'a> {
    program: &'a Program,
    lookups: &'a LookupKeys,
    /// The classes that a manifest leads to, by the manifest's name.
    led_to: BTreeMap<String, BTreeSet<&'a str>>,
}

impl UnreachedSearch<'_> {
    /// The warning if no reading of a file's path leads to a class.
    fn problem(&mut self, readings: &[PathReading], class: &str, origin: &Arc<Origin>) -> Option<Diagnostic> {
        let why: Option<Vec<String>> = readings.iter().map(|reading| self.why_not(reading, class)).collect();
        let message = format!("no machine reads `{class}` here: {}", why?.into_iter().next()?);
        let problem = Diagnostic::warning(Code::LeadsNowhere, message, Origin::clone(origin));
        Some(problem.help(self.cure(class)))
    }

    /// Why the machines that read a file by this reading never use this class in it; `None` if one may.
    fn why_not(&mut self, reading: &PathReading, class: &str) -> Option<String> {
        let value = |wanted: &str| reading.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
        if let Some(profile) = value("profile") {
            let profile = format!("profile::{}", profile.replace('/', "::"));
            if !self.leads(&profile, class) {
                return Some(format!("`{profile}` does not include the class, nor does what it includes"));
            }
        }
        if self.lookups.names_class(class) {
            return None; // a value may be looked up without having its class
        }
        if let Some(role) = value("node.role")
            && !self.leads(&format!("role::{role}"), class)
        {
            return Some(format!("no machine with the role `{role}` has the class"));
        }
        let certname = value("node.certname").and_then(|name| Certname::parse(name).ok())?;
        let role = self.program.inventory().get(&certname)?.role.clone();
        let is_lacking = !self.leads(&format!("role::{role}"), class);
        is_lacking.then(|| format!("`{certname}` has the role `{role}`, which does not include the class"))
    }

    fn leads(&mut self, manifest: &str, class: &str) -> bool {
        if !self.led_to.contains_key(manifest) {
            self.led_to.insert(manifest.to_owned(), self.program.led_to(manifest));
        }
        // an unknown class is reported elsewhere
        self.led_to[manifest].is_empty() || self.led_to[manifest].contains(class)
    }

    fn cure(&mut self, class: &str) -> String {
        let profiles: Vec<String> = self.program.modules().manifests().map(|m| m.name.to_string()).collect();
        let profiles = profiles.into_iter().filter(|name| name.starts_with("profile::"));
        let by: Vec<_> = profiles
            .filter(|name| self.leads(name, class))
            .map(|name| format!("`{name}`"))
            .take(MAX_NAMED)
            .collect();
        match by[..] {
            [] => format!("no profile includes `{class}`: include it, or remove these values"),
            _ => format!(
                "move these values to a file that machines with `{class}` read, or include it here; {} leads to it",
                by.join(" or ")
            ),
        }
    }
}
