//! Secrets that the machine may still have from an earlier run. Reports show what replaces them, not the secrets.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use holdfast_catalog::report::Event;
use holdfast_catalog::value::MASK;

use super::super::Subject;
use super::{Left, Properties, RunMemory};

/// Properties that reveal nothing about the content of a file.
const PLAIN: [&str; 4] = ["ensure", "mode", "owner", "group"];

/// What must not be shown of the machine.
#[derive(Default)]
pub(super) struct KnownSecrets {
    /// Paths with a secret that is no longer known, so it cannot be distinguished from other text.
    pub(super) paths: BTreeSet<String>,
    /// Fingerprints of values that were secret.
    values: BTreeSet<String>,
}

impl KnownSecrets {
    /// Masks these secrets in an event of a resource whose attributes in `flags` were secret.
    pub(super) fn mask(
        &self,
        memory: &RunMemory,
        subject: &Subject<'_>,
        flags: Option<&BTreeSet<String>>,
        event: &mut Event,
    ) {
        let was_secret = |name: &str| flags.is_some_and(|flags| flags.contains(name));
        let in_paths = shown_paths(subject, event).iter().any(|path| self.paths.contains(path));
        if in_paths || flags.is_some_and(|flags| !flags.is_empty()) {
            event.diff = None;
        }
        let property = event.property.as_deref().unwrap_or_default();
        if let Some(is) = &mut event.is
            && (was_secret(property)
                || (in_paths && !PLAIN.contains(&property))
                || self.values.contains(&memory.fingerprint(is)))
        {
            let secret = std::mem::replace(is, MASK.to_owned());
            if !secret.is_empty() {
                event.reason = event.reason.take().map(|reason| reason.replace(&secret, MASK));
            }
        }
    }
}

/// The paths whose content an event may show.
fn shown_paths(subject: &Subject<'_>, event: &Event) -> Vec<String> {
    let mut paths: Vec<String> = subject.paths().into_iter().map(str::to_owned).collect();
    if let Some(below) = &event.path {
        let whole = Path::new(&*subject.resource.reference.title).join(below);
        paths.push(whole.to_string_lossy().into_owned());
    }
    paths
}

/// The attributes of a resource that are secret.
pub(super) fn attributes(subject: &Subject<'_>) -> BTreeSet<String> {
    let all = subject.resource.attributes.iter();
    all.filter(|(_, value)| value.is_sensitive()).map(|(name, _)| name.to_string()).collect()
}

impl RunMemory {
    /// What must not be shown, with this catalog.
    pub(super) fn secrets(&self, subjects: &[Subject<'_>]) -> KnownSecrets {
        let left = self.left();
        let mut secrets = KnownSecrets { paths: left.secret.clone(), values: BTreeSet::new() };
        let now: HashMap<String, &Subject<'_>> =
            subjects.iter().map(|subject| (subject.resource.reference.to_string(), subject)).collect();
        for (reference, entry) in left.resources.iter().filter(|(_, entry)| !entry.secret.is_empty()) {
            let all = entry.wanted.iter().chain(&entry.doubtful);
            let values = all.filter(|(name, _)| entry.secret.contains(*name));
            secrets.values.extend(values.map(|(_, value)| value.clone()));
            let is_known = now.get(reference).is_some_and(|subject| {
                let wanted = self.wanted(subject);
                let secret = attributes(subject);
                entry.secret.iter().all(|name| secret.contains(name) && is_same(&entry.wanted, &wanted, name))
            });
            if !is_known {
                secrets.paths.extend(entry.paths(reference));
            }
        }
        secrets
    }

    /// All paths where an earlier run put a secret, whether this catalog knows it or not.
    pub(in crate::enforce) fn once_secret(&self) -> &BTreeSet<String> {
        self.once_secret.get_or_init(|| {
            let left = self.left();
            let with_secrets = left.resources.iter().filter(|(_, entry)| !entry.secret.is_empty());
            let named = with_secrets.flat_map(|(reference, entry)| entry.paths(reference));
            named.chain(left.secret.iter().cloned()).collect()
        })
    }

    /// Paths whose secret is still there when the run ends: those where the catalog no longer has it, unless other
    /// content has replaced it.
    pub(super) fn secret_paths(
        &self,
        old: &Left,
        subjects: &[Subject<'_>],
        is_as_wanted: impl Fn(usize) -> bool,
        still_there: impl Fn(&str) -> bool,
    ) -> BTreeSet<String> {
        let mut paths = old.secret.clone();
        let now: HashMap<String, Vec<&str>> = subjects
            .iter()
            .map(|subject| (subject.resource.reference.to_string(), subject.paths()))
            .collect();
        for (name, entry) in old.resources.iter().filter(|(_, entry)| !entry.secret.is_empty()) {
            let still = now.get(name).map_or(&[][..], Vec::as_slice);
            paths.extend(entry.paths(name).filter(|path| !still.contains(&path.as_str())));
        }
        if paths.is_empty() {
            return paths;
        }
        for (_, subject) in subjects.iter().enumerate().filter(|(index, _)| is_as_wanted(*index)) {
            let left = subject.provider.left_of(subject.typed);
            let is_whole =
                |(name, value): &(_, _)| *name == "content" || (*name == "ensure" && *value == "absent");
            if left.iter().any(is_whole) {
                subject.paths().into_iter().for_each(|path| {
                    paths.remove(path);
                });
            }
        }
        paths.retain(|path| still_there(path));
        paths
    }
}

fn is_same(old: &Properties, new: &Properties, name: &str) -> bool {
    old.contains_key(name) && old.get(name) == new.get(name)
}
