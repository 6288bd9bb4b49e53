//! `holdfast docs`: writes the README of each module, from its manifests.

use std::io;
use std::path::{Path, PathBuf};

use crate::docs::module::{FILE, readmes};
use crate::modules::{self, Modules};

use super::{CommandOutcome, print, repository};

/// Write the README.md of each module from its manifests
#[derive(Debug, clap::Args)]
pub(super) struct DocsArguments {
    /// The control repository
    #[arg(value_name = "DIR", default_value = ".")]
    directory: PathBuf,
    /// Write nothing; name each README that differs from its manifests, and fail if there is one
    #[arg(long)]
    check: bool,
}

/// Runs the command.
pub(super) fn run(args: &DocsArguments) -> CommandOutcome {
    let snapshot = match repository::open(&args.directory, None) {
        Ok(snapshot) => snapshot,
        Err(why) => {
            say!("error: {why}");
            return CommandOutcome::Badly;
        }
    };
    let modules = Modules::read(&snapshot, None);
    let problems = modules.problems();
    if !problems.is_empty() {
        repository::show_on_stderr(&snapshot, &problems);
        say!("error: nothing is written until all manifests can be read");
        return CommandOutcome::Badly;
    }
    let mut differing = Vec::new();
    for (module, text) in readmes(&modules) {
        let path = format!("{}/{module}/{FILE}", modules::FOLDER);
        let is_current = snapshot.get(&path).is_some_and(|file| **file.bytes() == *text.as_bytes());
        if !is_current {
            let what =
                if snapshot.get(&path).is_some() { "differs from its manifests" } else { "is missing" };
            differing.push(StaleReadme { path, text, what });
        }
    }
    let whole = std::path::absolute(&args.directory).unwrap_or_else(|_| args.directory.clone());
    let root = repository::root(&whole).unwrap_or(&args.directory);
    if args.check { tell(&differing) } else { write(root, &differing) }
}

/// A README that differs from what the manifests yield.
struct StaleReadme {
    path: String,
    text: String,
    what: &'static str,
}

fn tell(differing: &[StaleReadme]) -> CommandOutcome {
    for StaleReadme { path, what, .. } in differing {
        print(format!("{path} {what}; `holdfast docs` writes it"));
    }
    if !differing.is_empty() {
        return CommandOutcome::Badly;
    }
    say!("every README matches its manifests");
    CommandOutcome::Well
}

fn write(directory: &Path, differing: &[StaleReadme]) -> CommandOutcome {
    for StaleReadme { path, text, .. } in differing {
        if let Err(error) = replace(&directory.join(path), text) {
            say!("error: cannot write {path}: {error}");
            return CommandOutcome::Badly;
        }
        print(path);
    }
    if differing.is_empty() {
        say!("every README matches its manifests");
    }
    CommandOutcome::Well
}

/// Replaces a file as a whole, or not at all.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let fresh = path.with_extension("md.new");
    std::fs::write(&fresh, text)?;
    std::fs::rename(&fresh, path).inspect_err(|_| {
        let _ = std::fs::remove_file(&fresh);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_current_until_a_manifest_changes() {
        let directory = tempfile::tempdir().unwrap();
        let manifests = directory.path().join("modules/motd/manifests");
        std::fs::create_dir_all(&manifests).unwrap();
        let manifest = manifests.join("init.toml");
        std::fs::write(&manifest, "doc = \"A greeting.\"\n").unwrap();
        let docs = |check| run(&DocsArguments { directory: manifests.clone(), check });
        assert_eq!(docs(true), CommandOutcome::Badly);
        assert_eq!(docs(false), CommandOutcome::Well);
        assert_eq!(docs(true), CommandOutcome::Well);
        let readme = std::fs::read_to_string(directory.path().join("modules/motd/README.md")).unwrap();
        assert!(readme.contains("A greeting."), "{readme}");
        std::fs::write(&manifest, "doc = \"Another.\"\n").unwrap();
        assert_eq!(docs(true), CommandOutcome::Badly);
        std::fs::write(&manifest, "dco = \"Another.\"\n").unwrap();
        assert_eq!(docs(false), CommandOutcome::Badly);
        assert!(readme == std::fs::read_to_string(directory.path().join("modules/motd/README.md")).unwrap());
    }
}
