//! Whether a directory is a git repository, and if it is, why it cannot be read. Anything that git itself would take
//! for a repository counts as one, however broken: read as a plain directory, it would bring into force what was never
//! committed.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::super::RepoError;
use super::{broken, options};

/// The extensions of git's format with which commits and branches are still in their usual places.
const EXTENSIONS: [&str; 8] = [
    "noop",
    "noop-v1",
    "preciousobjects",
    "partialclone",
    "worktreeconfig",
    "objectformat",
    "compatobjectformat",
    "relativeworktrees",
];

/// Whether there is a git repository at `path` itself, not above it: with a work tree, or bare. Whether it can be read
/// shows only when it is opened.
pub(super) fn is_at(path: &Path) -> bool {
    is_there(&path.join(".git")) || is_bare(path)
}

fn is_bare(path: &Path) -> bool {
    is_there(&path.join("HEAD")) && ["objects", "refs"].iter().any(|part| is_there(&path.join(part)))
}

/// Whether something exists at a path, even if it cannot be accessed.
fn is_there(path: &Path) -> bool {
    let is_missing = |kind| matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory);
    !path.symlink_metadata().is_err_and(|error| is_missing(error.kind()))
}

/// Why the repository at `path`, which was opened before, cannot be read now; `None` if nothing is in the way. `git` is
/// where its branches and objects are.
pub(super) fn hindrance(path: &Path, git: &Path) -> Option<RepoError> {
    if let Err(error) = File::open(path) {
        return Some(RepoError::unread(path, error));
    }
    if !is_at(path) {
        return Some(broken(path, "there is no git repository in this directory any more"));
    }
    ["HEAD", "objects", "refs", "refs/heads"].iter().find_map(|part| {
        let part = git.join(part);
        let error = File::open(&part).err()?;
        let is_denied = error.kind() == ErrorKind::PermissionDenied;
        Some(match is_denied {
            true => RepoError::unread(&part, error),
            false => broken(path, &format!("{}: {error}", part.display())),
        })
    })
}

/// Opens the repository at `path`.
///
/// # Errors
/// Returns an error if there is none, or if it cannot be read; the reason includes what to do.
pub(super) fn open(path: &Path) -> Result<gix::ThreadSafeRepository, RepoError> {
    let opened = options().open(path).map_err(|error| {
        let git = Some(path.join(".git")).filter(|git| is_there(git)).unwrap_or_else(|| path.to_owned());
        match hindrance(path, &git) {
            Some(denied @ RepoError::Denied { .. }) => denied,
            _ => broken(path, &reason(path, &error)),
        }
    })?;
    match unknown_format(path, &opened.to_thread_local()) {
        Some(reason) => Err(broken(path, &reason)),
        None => Ok(opened),
    }
}

/// A part of the repository's format that is not supported; `None` if all of it is.
fn unknown_format(path: &Path, repository: &gix::Repository) -> Option<String> {
    let config = repository.config_snapshot();
    let refs = config.string("extensions.refStorage");
    if let Some(format) = refs.filter(|format| !format.eq_ignore_ascii_case(b"files")) {
        return Some(format!(
            "its branches are in the format `{format}`, which cannot be read; name it by its URL: file://{}",
            std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display()
        ));
    }
    // The first version of the format had no extensions, and git ignores any that are set.
    let has_extensions = config.integer("core.repositoryFormatVersion").is_some_and(|version| version > 0);
    let sections = config.sections_by_name("extensions").into_iter().flatten().filter(|_| has_extensions);
    let mut names = sections.flat_map(|section| section.value_names().collect::<Vec<_>>());
    let name = names.find(|name| !is_known(name))?;
    Some(format!(
        "it uses the extension `{name}`, which is not known here; a newer version of Holdfast may know it; if nothing \
         needs it, remove `extensions.{name}` from its configuration"
    ))
}

fn is_known(extension: &str) -> bool {
    extension.eq_ignore_ascii_case("refstorage")
        || EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension))
}

/// Why the repository at `path` cannot be opened, and what to do.
fn reason(path: &Path, error: &gix::Error) -> String {
    let words = causes(error);
    let shown = path.display();
    // An error of gix that has no type to be told by.
    if words.contains("Object format is not enabled") {
        return format!(
            "its objects are named by SHA-256, and only SHA-1 can be read; convert it: `git init --bare NEW.git && \
             git -C {shown} fast-export --all | git -C NEW.git fast-import`"
        );
    }
    let git = path.join(".git");
    if !is_there(&git) || File::open(path).is_err() {
        return format!("{}; `git -C {shown} log` may say more", obstacle(path).unwrap_or(words));
    }
    format!(
        "{}; `git -C {shown} log` must work for the user that reads it; if this is not meant to be a git repository, \
         remove {}",
        obstacle(&git).unwrap_or(words),
        git.display()
    )
}

/// What keeps the repository's directory, or the file that names it, from being read.
fn obstacle(git: &Path) -> Option<String> {
    let unread = |path: &Path| {
        let error = File::open(path).err()?;
        Some(format!("{}: {error}", path.display()))
    };
    if let Some(unread) = unread(git) {
        return Some(unread);
    }
    if git.is_file() {
        let text = std::fs::read_to_string(git).unwrap_or_default();
        let Some(named) = text.strip_prefix("gitdir:") else {
            return Some(format!("{} is a file that does not name a repository", git.display()));
        };
        let named: PathBuf = git.parent()?.join(named.trim());
        return unread(&named).map(|unread| format!("{} names {unread}", git.display()));
    }
    ["HEAD", "objects", "refs"].iter().find_map(|part| unread(&git.join(part)))
}

/// The whole text of an error with its causes, without words that only classify it.
fn causes(error: &gix::Error) -> String {
    let mut words = vec![error.to_string()];
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        words.push(next.to_string());
        cause = next.source();
    }
    words.retain(|words| words != "Validation");
    words.join(": ")
}
