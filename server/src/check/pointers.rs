//! Finds files whose content is not in the repository: git LFS stores it elsewhere, and the commit contains only a
//! pointer to it.

use std::sync::Arc;

use holdfast_catalog::origin::Origin;

use crate::compile::Program;
use crate::diagnostic::{Code, Diagnostic};
use crate::lookup::hierarchy;
use crate::repo::SnapshotFile;
use crate::{inventory, modules};

/// The first line of every pointer.
const FIRST_LINE: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";

/// Every pointer is shorter than this, in bytes.
const MAX_BYTES: usize = 1024;

/// An error for each pointer that would be read or sent to machines in place of the file.
pub(super) fn find(program: &Program) -> Vec<Diagnostic> {
    let folders = [modules::FOLDER, hierarchy::FOLDER, inventory::FOLDER];
    let files = folders.into_iter().flat_map(|folder| program.snapshot().under(folder));
    let problem = |(path, _): (&Arc<str>, &SnapshotFile)| {
        let level = program.data().level_of(path).map(|level| level.name.clone());
        let origin = Origin { level, ..Origin::locate(path, "", 0..0) };
        let message = format!("{path} is a pointer of git LFS: its content is not in the repository");
        Diagnostic::error(Code::LfsPointer, message, origin).help(
            "commit the file itself: remove its `filter=lfs` from .gitattributes and run `git add --renormalize .`; \
             or have machines download what is large, with `archive`",
        )
    };
    files.filter(|(path, file)| is_used(path) && is_pointer(file)).map(problem).collect()
}

fn is_pointer(file: &SnapshotFile) -> bool {
    let bytes = file.bytes();
    bytes.len() < MAX_BYTES && bytes.starts_with(FIRST_LINE)
}

/// Whether a file is read or sent: a picture beside a module's README is neither.
fn is_used(path: &str) -> bool {
    let mut parts = path.split('/');
    parts.next() != Some(modules::FOLDER)
        || parts.nth(1).is_some_and(|folder| ["manifests", "templates", "files"].contains(&folder))
}
