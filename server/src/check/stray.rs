//! Finds data files that lead nowhere: the pattern of a level matches the path, but there is no machine, customer, role
//! or profile with the name in it. Otherwise, a misspelled file name would go unnoticed.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_catalog::origin::Origin;
use holdfast_catalog::spelling::nearest;
use holdfast_catalog::value::Value;

use super::facts;
use crate::compile::Program;
use crate::diagnostic::{Code, Diagnostic};
use crate::inventory::{self, Stage};
use crate::lookup::KEYS_FILE;
use crate::lookup::hierarchy::{self, Level, PathReading};

/// The warnings about data files that lead nowhere.
pub(super) fn find(program: &Program, known: &KnownNames) -> Vec<Diagnostic> {
    let files = program.snapshot().under(hierarchy::FOLDER).filter(|(path, _)| &***path != KEYS_FILE);
    let (mut found, mut looked) = (Vec::new(), 0);
    for (path, _) in files {
        let problem = known.stray(program, path, looked < MAX_COMPARED);
        looked += usize::from(problem.is_some());
        found.extend(problem);
    }
    found
}

/// The most files for which a similar name is searched. The search goes through all names, and if there are more files,
/// they are hardly a mistake.
const MAX_COMPARED: usize = 100;

/// The values that each name in a path can have, as far as the repository shows.
pub(super) struct KnownNames(BTreeMap<String, BTreeSet<String>>);

impl KnownNames {
    pub(super) fn of(program: &Program) -> Self {
        let mut known = BTreeMap::<String, BTreeSet<String>>::new();
        let mut add = |name: &str, value: &str| {
            known.entry(name.to_owned()).or_default().insert(value.to_owned());
        };
        for name in ["node.certname", "node.reseller", "node.customer", "node.role", "profile"] {
            add(name, "");
        }
        for (path, _) in program.snapshot().under(inventory::FOLDER) {
            if let [_, reseller, customer] = path.trim_end_matches(".toml").split('/').collect::<Vec<_>>()[..]
            {
                add("node.reseller", reseller);
                add("node.customer", customer);
            }
        }
        for label in &program.data().settings().labels {
            add(&format!("node.labels.{label}"), "");
        }
        for node in program.inventory().nodes() {
            add("node.certname", node.certname.as_str());
            // an unknown role is reported at its own place
            add("node.role", &node.role);
            for (label, value) in &node.labels {
                add(&format!("node.labels.{label}"), value);
            }
        }
        Stage::NAMES.iter().for_each(|stage| add("node.stage", stage));
        for manifest in program.modules().manifests() {
            match manifest.name.as_str().split_once("::") {
                Some(("role", role)) => add("node.role", role),
                Some(("profile", profile)) => add("profile", &profile.replace("::", "/")),
                _ => {}
            }
        }
        for (path, file) in program.snapshot().under(facts::FOLDER) {
            // a file that cannot be read is reported elsewhere
            if let Ok(facts) = facts::read_facts(path, file.bytes()) {
                leaves("facts", facts.value(), &mut add);
            }
        }
        mentioned(program, &mut known);
        Self(known)
    }

    /// The ways of reading a path in which some machine reads it.
    pub(super) fn readings(&self, program: &Program, path: &str) -> Vec<PathReading> {
        let patterns = program.data().settings().levels.iter().flat_map(|level| &level.paths);
        let readings = patterns.flat_map(|pattern| pattern.readings(path));
        readings.filter(|reading| reading.iter().all(|(name, value)| self.has(name, value))).collect()
    }

    fn stray(&self, program: &Program, path: &str, compares: bool) -> Option<Diagnostic> {
        let near = |name: &str, value: &str| if compares { self.near(name, value) } else { None };
        let levels = &program.data().settings().levels;
        let readings = levels.iter().flat_map(|level| {
            level
                .paths
                .iter()
                .flat_map(move |pattern| pattern.readings(path).into_iter().map(move |r| (level, r)))
        });
        let readings: Vec<_> = readings.collect();
        if readings.iter().any(|(_, reading)| reading.iter().all(|(name, value)| self.has(name, value))) {
            return None;
        }
        let right = |(name, value): &(String, String)| self.has(name, value) || near(name, value).is_some();
        if let Some((level, reading)) = readings.iter().find(|(_, reading)| reading.iter().all(right)) {
            return Some(self.problem(level, path, reading, &near));
        }
        // machines may report other facts than those in the repository
        let may_be = |(name, value): &(String, String)| name.starts_with("facts.") || self.has(name, value);
        if readings.iter().any(|(_, reading)| reading.iter().all(may_be)) {
            return None;
        }
        let (level, reading) = readings.first()?;
        Some(self.problem(level, path, reading, &near))
    }

    fn has(&self, name: &str, value: &str) -> bool {
        self.0.get(name).is_none_or(|values| values.contains(value))
    }

    fn near(&self, name: &str, value: &str) -> Option<&str> {
        let values = self.0.get(name)?.iter().map(String::as_str).filter(|known| !known.is_empty());
        let same = values.clone().find(|known| known.eq_ignore_ascii_case(value));
        same.or_else(|| nearest(value, values))
    }

    fn problem<'a>(
        &'a self,
        level: &Level,
        path: &str,
        reading: &'a PathReading,
        near: &dyn Fn(&str, &str) -> Option<&'a str>,
    ) -> Diagnostic {
        let wrong: Vec<_> = reading.iter().filter(|(name, value)| !self.has(name, value)).collect();
        let what: Vec<_> = wrong.iter().map(|(name, value)| format!("no `{name}` is `{value}`")).collect();
        let message = format!("no machine reads `{path}`: {}", what.join(", and "));
        let origin = Origin { level: Some(level.name.clone()), ..Origin::locate(&path.into(), "", 0..0) };
        let problem = Diagnostic::warning(Code::LeadsNowhere, message, origin);
        let right = reading.iter().map(|(name, value)| match self.has(name, value) {
            true => Some(value.as_str()),
            false => near(name, value),
        });
        if let Some(right) = right.collect::<Option<String>>() {
            return problem.help(format!("did you mean `{}/{right}`?", hierarchy::FOLDER));
        }
        let known = wrong.first().and_then(|(name, _)| self.0.get(name));
        let known: Vec<&str> =
            known.into_iter().flatten().map(String::as_str).filter(|k| !k.is_empty()).collect();
        match known.len() {
            1..=12 => problem.help(format!("there are {}", known.join(", "))),
            _ => problem,
        }
    }
}

/// Adds the names in inventory entries with errors: these are reported, but not what follows from them.
fn mentioned(program: &Program, known: &mut BTreeMap<String, BTreeSet<String>>) {
    let mentions = program.inventory().mentions();
    let mut add = |name: &str, values: &BTreeSet<String>| {
        known.entry(name.to_owned()).or_default().extend(values.iter().cloned());
    };
    add("node.certname", &mentions.nodes);
    add("node.role", &mentions.roles);
    add("node.reseller", &mentions.owners);
    add("node.customer", &mentions.owners);
    for label in &program.data().settings().labels {
        let name = format!("node.labels.{label}");
        add(&name, &mentions.any_label);
        mentions.labels.get(&**label).iter().for_each(|values| add(&name, values));
    }
    if mentions.is_open {
        // if something cannot be read, it is unknown which names it contains
        known.retain(|name, _| !(name == "node.certname" || name.starts_with("node.labels.")));
    }
}

fn leaves(name: &str, value: &Value, add: &mut impl FnMut(&str, &str)) {
    match value.as_map() {
        Some(map) => map.iter().for_each(|(key, value)| leaves(&format!("{name}.{key}"), value, add)),
        None => value.scalar_text().iter().for_each(|text| add(name, text)),
    }
}
