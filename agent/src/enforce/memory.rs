//! What one run leaves for the next: what each property was left as, and refreshes that are still owed.
//!
//! Values are kept as keyed fingerprints, never in the clear. A file that cannot be read is set aside and said to be; a run
//! never stops for it.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use hmac::{Hmac, Mac as _};
use holdfast_catalog::catalog::CatalogId;
use holdfast_catalog::resource::ResourceRef;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::record::{Outcome, Record};
use super::{Error, Subject};
use crate::provider::{Change, Notice, Shown};
use crate::system::{Access, Inspect as _, Machine, write_durably};

const LEFT: &str = "/left.json";
const KEY: &str = "/left.key";
const OWED: &str = "/owed.json";
const VERSION: u32 = 1;
const LIMIT: u64 = 256 * 1024 * 1024;
const PRIVATE: Access = Access { mode: 0o600, uid: None, gid: None };

/// Fingerprints by property, or by `path:property` for members of a directory.
type Properties = BTreeMap<String, String>;
type Left = BTreeMap<String, Properties>;

/// A refresh that is owed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Debt {
    pub(super) reload: bool,
    pub(super) by: String,
}

impl Debt {
    pub(super) fn new(notice: Notice, by: &str) -> Self {
        Self { reload: notice == Notice::Reload, by: by.to_owned() }
    }

    pub(super) fn notice(&self) -> Notice {
        if self.reload { Notice::Reload } else { Notice::Refresh }
    }
}

/// Refreshes that are owed, by who is to get them.
pub(super) type Owed = BTreeMap<ResourceRef, Debt>;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwedFile {
    version: u32,
    owed: Owed,
}

/// The first line of the file of what was left; the second is the rest. A run with nothing to do reads no further.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    catalog: CatalogId,
    /// The fingerprint of nothing: tells that the key is still the same.
    check: String,
}

/// The state directory.
pub(super) struct Memory {
    dir: Machine,
    key: Zeroizing<Vec<u8>>,
    catalog: CatalogId,
    left: OnceCell<Left>,
}

impl Memory {
    /// Opens the state directory, which must be the agent's alone.
    pub(super) fn open(path: &Path, catalog: &CatalogId) -> Result<Self, Error> {
        let dir = Machine::open(path)?;
        let own = rustix::process::geteuid().as_raw();
        if let Some(stat) = dir.lstat(Path::new("/"))?
            && (stat.mode & 0o077 != 0 || stat.uid != own)
        {
            return Err(Error::OpenState { path: path.to_owned(), mode: stat.mode, uid: stat.uid });
        }
        let key = key(&dir)?;
        Ok(Self { dir, key, catalog: catalog.clone(), left: OnceCell::new() })
    }

    /// Refreshes that earlier runs owe.
    pub(super) fn owed(&self) -> Owed {
        let read = || -> Option<Result<Owed, String>> {
            match self.dir.read(Path::new(OWED), LIMIT) {
                Ok(None) => None,
                Ok(Some(bytes)) => Some(
                    serde_json::from_slice(&bytes)
                        .map(|file: OwedFile| file.owed)
                        .map_err(|error| error.to_string()),
                ),
                Err(error) => Some(Err(error.to_string())),
            }
        };
        match read() {
            None => Owed::new(),
            Some(Ok(owed)) => owed,
            Some(Err(error)) => {
                self.set_aside(OWED, &error);
                Owed::new()
            }
        }
    }

    /// Writes down what is owed, before anything is changed. A full disk must not keep the machine from being mended.
    pub(super) fn write_owed(&self, owed: &Owed) {
        let done = if owed.is_empty() {
            let path = Path::new(OWED);
            crate::system::System::remove(&self.dir, path)
                .and_then(|()| crate::system::System::settle(&self.dir))
        } else {
            let file = OwedFile { version: VERSION, owed: owed.clone() };
            let bytes = serde_json::to_vec(&file).unwrap_or_default();
            write_durably(&self.dir, Path::new(OWED), PRIVATE, &bytes)
        };
        if let Err(error) = done {
            tracing::warn!(%error, "refreshes that are owed could not be written down: a kill now would lose them");
        }
    }

    /// Whether a change mends what somebody did, or makes a new wish true; `desired` gives what is wanted now.
    pub(super) fn is_corrective(&self, subject: &Subject<'_>, change: &Change) -> bool {
        let Some(stored) = self.left().get(&subject.resource.reference.to_string()) else { return false };
        let stored = match &change.path {
            None => stored.get(&*change.property),
            Some(path) => of_member(stored, path, &change.property),
        };
        match (stored, &change.is) {
            (None, _) => false,
            (Some(stored), Shown::Plain(is)) => {
                let was_left = change.also.iter().chain([is]).any(|is| *stored == self.fingerprint(is));
                !was_left && (!is.is_empty() || self.is_old_wish(subject, change, stored))
            }
            (Some(stored), Shown::Masked) => self.is_old_wish(subject, change, stored),
        }
    }

    /// Whether what is wanted is what was left. Where the machine's own value is a secret, or nothing, that tells whether
    /// someone changed the machine.
    fn is_old_wish(&self, subject: &Subject<'_>, change: &Change, stored: &str) -> bool {
        let desired = subject.provider.left_of(subject.typed);
        desired.iter().any(|(name, value)| *name == change.property && *stored == self.fingerprint(value))
    }

    /// Keeps what this run left, unless it is what the last one left.
    pub(super) fn remember_left(&self, subjects: &[Subject<'_>], record: &Record<'_>) {
        if record.nothing_happened() && self.header().is_some_and(|header| header.catalog == self.catalog) {
            return;
        }
        let left: Left = subjects
            .iter()
            .enumerate()
            .filter_map(|(index, subject)| {
                let reference = subject.resource.reference.to_string();
                let properties = self.properties_left(subject, record, index, self.left().get(&reference))?;
                Some((reference, properties))
            })
            .collect();
        let header = Header { version: VERSION, catalog: self.catalog.clone(), check: self.fingerprint("") };
        let mut bytes = serde_json::to_vec(&header).unwrap_or_default();
        bytes.push(b'\n');
        bytes.extend(serde_json::to_vec(&left).unwrap_or_default());
        if let Err(error) = write_durably(&self.dir, Path::new(LEFT), PRIVATE, &bytes) {
            tracing::warn!(%error, "what this run left could not be kept: the next run cannot tell drift from new wishes");
        }
    }

    fn properties_left(
        &self,
        subject: &Subject<'_>,
        record: &Record<'_>,
        index: usize,
        old: Option<&Properties>,
    ) -> Option<Properties> {
        let desired = || -> Properties {
            let left = subject.provider.left_of(subject.typed);
            left.iter().map(|(name, value)| (name.to_string(), self.fingerprint(value))).collect()
        };
        match record.outcome(index) {
            Outcome::Unchanged | Outcome::Changed => Some(desired()).filter(|all| !all.is_empty()),
            Outcome::Off | Outcome::Skipped | Outcome::NotApplicable => old.cloned(),
            Outcome::WouldChange | Outcome::Failed => {
                let mut kept = old.cloned().unwrap_or_else(desired);
                if old.is_none() {
                    for (key, is) in record.unmended(index) {
                        match is {
                            Shown::Plain(is) => kept.insert(key.clone(), self.fingerprint(is)),
                            Shown::Masked => kept.remove(key),
                        };
                    }
                }
                Some(kept)
            }
        }
    }

    fn left(&self) -> &Left {
        self.left.get_or_init(|| match self.read_left() {
            Ok(left) => left,
            Err(error) => {
                self.set_aside(LEFT, &error);
                Left::new()
            }
        })
    }

    fn read_left(&self) -> Result<Left, String> {
        let Some(header) = self.header() else { return Ok(Left::new()) };
        if header.check != self.fingerprint("") {
            return Err("its key is another one".to_owned());
        }
        let opened = self.dir.open(Path::new(LEFT)).map_err(|e| e.to_string())?;
        let Some(opened) = opened else { return Ok(Left::new()) };
        let mut file = BufReader::new(opened.file.take(LIMIT));
        file.skip_until(b'\n').map_err(|e| e.to_string())?;
        serde_json::from_reader(file).map_err(|e| e.to_string())
    }

    fn header(&self) -> Option<Header> {
        let opened = self.dir.open(Path::new(LEFT)).ok()??;
        let mut line = String::new();
        BufReader::new(opened.file.take(4096)).read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok().filter(|header: &Header| header.version == VERSION)
    }

    fn set_aside(&self, name: &str, why: &str) {
        let bad = Path::new(name).with_extension("unreadable");
        tracing::warn!(file = name, why, "unreadable state is set aside; the run goes on without it");
        let old = self.dir.read(Path::new(name), LIMIT).ok().flatten().unwrap_or_default();
        let moved = write_durably(&self.dir, &bad, PRIVATE, &old)
            .and_then(|()| crate::system::System::remove(&self.dir, Path::new(name)));
        if let Err(error) = moved {
            tracing::warn!(%error, "it could not be set aside either");
        }
    }

    fn fingerprint(&self, value: &str) -> String {
        let mut mac =
            <Hmac<Sha256> as hmac::Mac>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(value.as_bytes());
        data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes()[..8])
    }
}

/// What was left of a directory's member: its own value, or the directory's where that has no values of members.
fn of_member<'a>(stored: &'a Properties, path: &str, property: &str) -> Option<&'a String> {
    let own = stored.get(&format!("{path}:{property}"));
    let suffix = format!(":{property}");
    own.or_else(|| stored.get(property).filter(|_| !stored.keys().any(|key| key.ends_with(&suffix))))
}

/// The key of the fingerprints, made at the first run.
fn key(dir: &Machine) -> Result<Zeroizing<Vec<u8>>, Error> {
    if let Some(key) = dir.read(Path::new(KEY), 64)?.filter(|key| key.len() == 32) {
        return Ok(Zeroizing::new(key));
    }
    let mut key = Zeroizing::new(vec![0; 32]);
    getrandom::fill(&mut key).map_err(|_| Error::NoRandomness)?;
    if let Err(error) = write_durably(dir, Path::new(KEY), PRIVATE, &key) {
        tracing::warn!(%error, "the state directory cannot be written: the next run cannot tell drift from new wishes");
    }
    Ok(key)
}
