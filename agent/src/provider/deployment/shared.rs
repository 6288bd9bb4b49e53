//! Paths that are kept across releases: links in each release to the same path below `shared/`.

use std::path::{Path, PathBuf};

use holdfast_catalog::resource::attribute::RelativePath;

use super::Place;
use crate::provider::Error;
use crate::provider::archive::owners::Owners;
use crate::system::{FileKind, Inspect, Permissions, System};

/// The state of a release before its paths are linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseState {
    /// As it was packed: what is in the way is discarded.
    Fresh,
    /// It may be live: what is in the way may be someone's data.
    Live,
}

/// The text of a link in a release. It is relative, so the whole deployment can be moved.
fn target(path: &RelativePath) -> String {
    format!("{}shared/{path}", "../".repeat(path.depth() + 2))
}

/// Whether a shared path is a file, which is never created here: its name has a dot.
fn is_file(path: &RelativePath) -> bool {
    path.as_str().rsplit('/').next().is_some_and(|name| name.contains('.'))
}

/// The message for a shared file that does not exist, with what to do.
pub fn missing(place: Place<'_>, machine: &dyn Inspect) -> Result<Option<String>, Error> {
    for path in place.want.shared.iter().filter(|path| is_file(path)) {
        let full = place.layout.shared().join(path.as_str());
        if machine.lstat(&full)?.is_none() {
            let full = full.display();
            return Ok(Some(format!("{full} does not exist: declare a `file` for it, or create it by hand")));
        }
    }
    Ok(None)
}

/// The shared paths that are linked in the release.
pub fn linked(place: Place<'_>, machine: &dyn Inspect) -> Result<Vec<RelativePath>, Error> {
    let mut linked = Vec::new();
    for path in &place.want.shared {
        if is_linked(place, path, machine)? {
            linked.push(path.clone());
        }
    }
    Ok(linked)
}

fn is_linked(place: Place<'_>, path: &RelativePath, machine: &dyn Inspect) -> Result<bool, Error> {
    let link = place.layout.release(place.version()).join(path.as_str());
    let is_link = machine.lstat(&link)?.is_some_and(|stat| stat.kind == FileKind::Symlink);
    Ok(is_link
        && machine.read_link(&link)? == Path::new(&target(path))
        && machine.lstat(&place.layout.shared().join(path.as_str()))?.is_some())
}

/// Shared paths as one text, in which they are shown and remembered.
pub fn joined(paths: &[RelativePath]) -> String {
    let mut names: Vec<_> = paths.iter().map(RelativePath::as_str).collect();
    names.sort_unstable();
    names.join(",")
}

/// Links all shared paths in the release, and creates those that are missing.
pub fn link(place: Place<'_>, found: ReleaseState, machine: &dyn System) -> Result<(), Error> {
    if let Some(why) = missing(place, machine)? {
        return Err(Error::Refused(why));
    }
    for path in &place.want.shared {
        if is_linked(place, path, machine)? {
            continue;
        }
        if !is_file(path) {
            make_dirs(&place.layout.shared(), path.as_str(), place.owners, machine)?;
        }
        let release = place.layout.release(place.version());
        if let Some((parents, _)) = path.as_str().rsplit_once('/') {
            make_dirs(&release, parents, place.owners, machine)?;
        }
        let link = release.join(path.as_str());
        clear(&link, path, found, machine)?;
        machine.make_symlink(&link, Path::new(&target(path)), access(0o777, place.owners))?;
    }
    Ok(machine.settle()?)
}

fn access(mode: u32, owners: Owners) -> Permissions {
    Permissions { mode, uid: owners.uid, gid: owners.gid }
}

/// Makes the directories on the way that are missing; follows no link.
fn make_dirs(base: &Path, below: &str, owners: Owners, machine: &dyn System) -> Result<(), Error> {
    let mut at = PathBuf::from(base);
    for part in below.split('/') {
        at.push(part);
        match machine.lstat(&at)?.map(|stat| stat.kind) {
            Some(FileKind::Directory) => {}
            None => machine.make_dir(&at, access(0o755, owners))?,
            Some(_) => {
                let path = at.display();
                return Err(Error::Conflict(format!(
                    "{path} is not a directory, and is in the way of `shared`"
                )));
            }
        }
    }
    Ok(())
}

/// Makes room for a link. It replaces another link, and anything empty; data of a live release is left alone.
fn clear(link: &Path, path: &RelativePath, found: ReleaseState, machine: &dyn System) -> Result<(), Error> {
    let Some(stat) = machine.lstat(link)? else { return Ok(()) };
    let what = match (found, stat.kind) {
        (ReleaseState::Fresh, FileKind::Directory) => return Ok(machine.remove_tree(link)?),
        (ReleaseState::Live, FileKind::Directory) if machine.list(link)?.is_empty() => {
            return Ok(machine.remove(link)?);
        }
        (ReleaseState::Live, FileKind::Directory) => "directory",
        (ReleaseState::Live, FileKind::File) if stat.size > 0 => "file",
        _ => return Ok(()),
    };
    let (link, path) = (link.display(), path.as_str());
    Err(Error::Conflict(format!(
        "{link} is a {what} that is not empty, and not a link to shared/{path}; move its content there, and remove it"
    )))
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::resource::attribute::Attribute as _;

    use super::*;

    #[test]
    fn a_link_leads_up_out_of_its_release() {
        let path = |text: &str| RelativePath::read(&text.into()).unwrap();
        assert_eq!(target(&path("log")), "../../shared/log");
        assert_eq!(target(&path("a/b/c")), "../../../../shared/a/b/c");
        assert!(is_file(&path("config/app.yml")) && is_file(&path(".env")) && !is_file(&path("conf.d/log")));
        assert_eq!(joined(&[path("log"), path("a")]), "a,log");
    }
}
