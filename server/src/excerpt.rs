//! Lines of a repository's files, as people and programs may see them beside a problem.
//!
//! Every such line comes from here, and no other code shows the text of a file. Each value that is secret by its
//! declared type, or that may belong in such a place, is masked. [`typed`] finds what to mask if a file can be parsed,
//! and [`broken`] if it cannot. Both follow the same rule: in data, a value is shown only if its key is known to hold
//! no secret; in manifests, only what is given to a secret is masked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use holdfast_catalog::origin::Origin;

use crate::diagnostic::Diagnostic;
use crate::language::document::Document;
use crate::lookup::hierarchy::FOLDER as DATA;
use crate::lookup::{DataTree, KEYS_FILE};
use crate::modules::Modules;
use crate::repo::{ModuleFolder, ModulePath, Snapshot};

mod broken;
mod masked;
mod redact;
mod token;
#[cfg(test)]
mod tests;
mod typed;

pub use masked::{Excerpt, MaskedFile};

/// The files of a snapshot, masked; each file is read once.
#[derive(Debug)]
pub struct Excerpts {
    snapshot: Snapshot,
    data: DataTree,
    files: Mutex<HashMap<Arc<str>, Option<Arc<MaskedFile>>>>,
}

/// The kind of values that a file contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ExcerptKind {
    Data,
    Manifest,
    /// Declared keys: next to the words of a declaration there may be a value in the wrong place.
    Keys,
    /// The inventory, settings and templates, which contain no values with a secret type.
    Open,
}

impl ExcerptKind {
    fn of(file: &str) -> Self {
        let below = |folder: &str| file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        match () {
            () if file == KEYS_FILE => Self::Keys,
            () if below(DATA) => Self::Data,
            () if ModulePath::is_in(ModuleFolder::Manifests, file) => Self::Manifest,
            () => Self::Open,
        }
    }
}

impl Excerpts {
    /// The files of a snapshot. Manifests with the same content in `known` are not parsed again.
    pub fn new(snapshot: &Snapshot, known: Option<&Modules>) -> Self {
        let data = DataTree::of(snapshot, known);
        Self { snapshot: snapshot.clone(), data, files: Mutex::default() }
    }

    /// A file by its path; `None` if there is no such file, or it is not text.
    pub fn file(&self, path: &str) -> Option<Arc<MaskedFile>> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = files.get(path) {
            return known.clone();
        }
        let text = self.snapshot.get(path).and_then(|file| std::str::from_utf8(file.bytes()).ok());
        let masked = text.map(|text| Arc::new(self.masked(path, text)));
        files.insert(path.into(), masked.clone());
        masked
    }

    /// The line at a place; `None` if its file is not available.
    pub fn line(&self, origin: &Origin) -> Option<Excerpt> {
        self.file(&origin.file)?.line(origin)
    }

    /// The diagnostic with its texts redacted: they quote nothing that is masked at its places.
    #[must_use]
    pub fn redacted(&self, problem: Diagnostic) -> Diagnostic {
        redact::redacted(problem, &|file| self.file(file))
    }

    fn masked(&self, path: &str, text: &str) -> MaskedFile {
        let sort = ExcerptKind::of(path);
        if sort == ExcerptKind::Open {
            return MaskedFile::new(text.into(), Vec::new());
        }
        let (document, _) = Document::parse(&path.into(), text.as_bytes(), None);
        let hidden = if !document.is_whole {
            broken::hidden(text, sort, &self.data)
        } else {
            match sort {
                ExcerptKind::Data => typed::in_data(&document, &self.data),
                ExcerptKind::Keys => typed::in_keys(&document, self.data.modules()),
                ExcerptKind::Manifest | ExcerptKind::Open => {
                    typed::in_manifest(&document, self.data.modules())
                }
            }
        };
        match sort {
            ExcerptKind::Data => MaskedFile::without_remarks(text.into(), hidden),
            _ => MaskedFile::new(text.into(), hidden),
        }
    }
}
