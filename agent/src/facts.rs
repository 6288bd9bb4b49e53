//! What this machine says about itself.
//!
//! Facts are only read from files and the kernel, in milliseconds: no command is run. *Stable* facts change when the
//! machine does and may cause a compile. *Volatile* ones change all the time and only go with the report. The server
//! believes none of them.

use std::collections::BTreeMap;
use std::path::Path;

use holdfast_catalog::facts::Facts;
use holdfast_catalog::value::{Map, Value};

mod custom;
mod hardware;
mod network;
mod os;
mod tree;

use tree::Tree;

/// The directory of an operator's own facts, relative to the root.
pub const CUSTOM_DIR: &str = "/etc/holdfast/facts.d";

/// What was found, and what could not be used.
#[derive(Debug)]
pub struct CollectedFacts {
    pub facts: Facts,
    /// Why an operator's files were left out, one line for each.
    pub warnings: Vec<String>,
}

/// Why there are no facts.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The root cannot be opened.
    #[error("cannot open the root directory {path}: {error}")]
    Root { path: String, error: std::io::Error },
    /// They are too many or too large.
    #[error("facts cannot be used: {0}")]
    Invalid(#[from] holdfast_catalog::facts::InvalidFacts),
}

/// The stable facts of the machine whose root is `root`. What another root does not say is taken from the running
/// system.
///
/// # Errors
/// Fails if the root does not exist. A fact that cannot be read is left out.
pub fn stable(root: &Path) -> Result<CollectedFacts, Error> {
    let tree = Tree::open(root).map_err(|error| Error::Root { path: root.display().to_string(), error })?;
    let mut facts = Map::new();
    os::collect(&tree, &mut facts);
    network::collect(&tree, &mut facts);
    hardware::collect(&mut facts);
    let warnings = custom::collect(&tree, &mut facts);
    Ok(CollectedFacts { facts: Facts::new(facts.into())?, warnings })
}

/// What changes all the time: uptime, load, free memory and free space of the root.
pub fn volatile(root: &Path) -> BTreeMap<String, Value> {
    let mut facts = hardware::volatile();
    if let Ok(space) = rustix::fs::statvfs(root) {
        let megabytes = |blocks: u64| i64::try_from((blocks * space.f_frsize) >> 20).unwrap_or(i64::MAX);
        facts.insert("root_free_mb".into(), megabytes(space.f_bavail).into());
        facts.insert("root_total_mb".into(), megabytes(space.f_blocks).into());
    }
    facts
}

/// A map of the entries whose value is known.
fn known<const N: usize>(entries: [(&str, Option<Value>); N]) -> Value {
    entries.into_iter().filter_map(|(k, v)| Some((k.into(), v?))).collect::<Map>().into()
}

/// A text as a fact, unless it is empty.
fn text(text: impl AsRef<str>) -> Option<Value> {
    let text = text.as_ref().trim();
    (!text.is_empty()).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root_with(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        root
    }

    #[test]
    fn this_machine_has_the_facts_that_data_relies_on() {
        let found = stable(Path::new("/")).unwrap();
        for path in ["os.name", "os.family", "os.release.full", "os.release.major", "kernel.release"] {
            assert!(found.facts.get(path.split('.')).is_some_and(|v| v.as_str().is_some()), "{path}");
        }
        for path in ["memory.total_mb", "processors.count"] {
            assert!(found.facts.get(path.split('.')).is_some_and(|v| v.as_int() > Some(0)), "{path}");
        }
        assert!(found.facts.get(["virtual"]).is_some());
        assert_eq!(found.facts.hash(), stable(Path::new("/")).unwrap().facts.hash(), "facts flap");
    }

    #[test]
    fn another_root_speaks_for_itself() {
        let root = root_with(&[
            ("etc/os-release", "ID=rocky\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\n"),
            ("etc/hostname", "web1\n"),
            ("etc/hosts", "127.0.0.1 localhost\n192.0.2.7 web1.acme.example web1\n"),
        ]);
        let facts = stable(root.path()).unwrap().facts;
        let get = |path: &str| facts.get(path.split('.')).unwrap().as_str().unwrap().to_owned();
        assert_eq!(get("os.name"), "rocky");
        assert_eq!(get("os.family"), "redhat");
        assert_eq!((get("os.release.full"), get("os.release.major")), ("9.4".into(), "9".into()));
        assert_eq!(get("networking.hostname"), "web1");
        assert_eq!(get("networking.fqdn"), "web1.acme.example");
        assert_eq!(get("networking.domain"), "acme.example");
    }

    #[test]
    fn volatile_facts_are_not_among_the_stable_ones() {
        let moving = volatile(Path::new("/"));
        assert!(moving.contains_key("uptime_seconds") && moving.contains_key("memory_available_mb"));
        let facts = stable(Path::new("/")).unwrap().facts;
        assert!(moving.keys().all(|name| facts.get([name.as_str()]).is_none()));
    }

    #[test]
    fn a_root_that_is_not_there_is_named() {
        let error = stable(Path::new("/nonexistent-root")).unwrap_err().to_string();
        assert!(error.contains("/nonexistent-root"), "{error}");
    }
}
