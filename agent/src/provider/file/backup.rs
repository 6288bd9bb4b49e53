//! Backups: what is replaced or removed is kept in the agent's state, each content once, and each place with what was
//! there. They are not encrypted, so nothing is kept that is secret, or was so in an earlier catalog.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use holdfast_catalog::hash::ContentHash;
use holdfast_catalog::resource::File;
use holdfast_catalog::resource::attribute::FileContent;

use super::{content, kind_word};
use crate::provider::{Error, Writing};
use crate::system::{
    self, FileKind, Inspect as _, Machine, OpenFile, Permissions, Stat, System as _, WalkStep, path_text,
    shown_text,
};

const DIRECTORY: &str = "/backups";

const PRIVATE: Permissions = Permissions { mode: 0o600, uid: None, gid: None };

/// The most bytes of a backup's description.
const MAX_ABOUT: u64 = 64 * 1024;

/// The length of the part of a place's hash that identifies it, in characters.
const PLACE: usize = 16;

/// The remark if a backup is wanted of something secret.
const NOT_KEPT: &str =
    "no backup is kept, despite backup = true: the content is or was secret, and a backup is not encrypted";

/// Keeps what is at a path, if the resource wants backups: the content of a file as `backups/SHA256`, and for each
/// file, link and directory, including everything in it, a `NAME.PLACE.json` that says where it was and its metadata.
/// Returns what of it is not kept.
pub(super) fn keep(want: &File, path: &Path, writing: Writing<'_>) -> Result<Option<String>, Error> {
    let machine = writing.machine;
    let Some(stat) = machine.lstat(path)?.filter(|_| want.backup) else { return Ok(None) };
    let holds_secrets = |path: &Path| is_secret(want) || was_secret(path, writing);
    if holds_secrets(path) {
        return Ok(Some(NOT_KEPT.to_owned()));
    }
    let store = BackupStore::open(writing.state_dir)?;
    let target = |path: &Path, stat: &Stat| -> system::Result<Option<PathBuf>> {
        (stat.kind == FileKind::Symlink).then(|| machine.read_link(path)).transpose()
    };
    let opened = if stat.kind == FileKind::File { machine.open(path)? } else { None };
    store.keep(path, &stat, opened, target(path, &stat)?)?;
    let mut left_out = Vec::new();
    if stat.kind == FileKind::Directory {
        machine.walk(path, &mut |met| {
            let member = met?;
            let at = path.join(member.path);
            if holds_secrets(&at) {
                left_out.push(shown_text(&path_text(&at)).into_owned());
                return Ok(WalkStep::Past);
            }
            let opened = (member.stat.kind == FileKind::File).then(|| member.open()).transpose()?;
            store.keep(&at, &member.stat, opened, target(&at, &member.stat)?)?;
            Ok(WalkStep::Into)
        })?;
    }
    store.state.settle()?;
    let words = |left_out: Vec<String>| {
        let all = left_out.join(", ");
        format!(
            "of what was there, {all} is not kept, despite backup = true: it was secret, and a backup is not encrypted"
        )
    };
    Ok(Some(left_out).filter(|left_out| !left_out.is_empty()).map(words))
}

/// Whether an earlier catalog put a secret at a path, or at a directory above it.
fn was_secret(path: &Path, writing: Writing<'_>) -> bool {
    path.ancestors().filter_map(Path::to_str).any(|at| writing.once_secret.contains(at))
}

/// Whether a file has content that a backup must not keep unencrypted.
pub(super) fn is_secret(want: &File) -> bool {
    want.content.as_ref().is_some_and(FileContent::is_sensitive)
}

/// Removes backups of files that are secret now: older agents made such backups, and so did runs before the files
/// became secret.
pub(in crate::provider) fn forget_secrets<'a>(
    files: impl Iterator<Item = &'a File>,
    state_dir: &Path,
) -> system::Result<()> {
    let secret: BTreeSet<String> =
        files.filter(|want| is_secret(want)).map(|want| place(Path::new(want.title.as_str()))).collect();
    forget(&secret, &Machine::open(state_dir)?)
}

/// Removes the backups of these places; content that they share with others is kept.
pub(in crate::provider) fn forget(places: &BTreeSet<String>, state: &Machine) -> system::Result<()> {
    if places.is_empty() {
        return Ok(());
    }
    let (gone, kept): (Vec<_>, Vec<_>) =
        all(state)?.into_iter().partition(|kept| places.contains(&kept.place));
    let still: HashSet<&str> = kept.iter().map(|kept| kept.content.as_str()).collect();
    for gone in &gone {
        if !still.contains(gone.content.as_str()) {
            state.remove(&Path::new(DIRECTORY).join(&gone.content))?;
        }
        state.remove(&gone.about())?;
    }
    if gone.is_empty() { Ok(()) } else { state.settle() }
}

/// The places that have backups, each with its path if that can be read.
pub(in crate::provider) fn places(state: &Machine) -> system::Result<BTreeMap<String, Option<String>>> {
    let mut places = BTreeMap::new();
    for kept in all(state)? {
        let about = kept.about();
        if let Entry::Vacant(place) = places.entry(kept.place) {
            let about = state.read(&about, MAX_ABOUT)?.unwrap_or_default();
            let about: Option<serde_json::Value> = serde_json::from_slice(&about).ok();
            place.insert(about.and_then(|about| about["path"].as_str().map(str::to_owned)));
        }
    }
    Ok(places)
}

/// What the name of a backup says.
struct BackupName {
    content: String,
    place: String,
}

impl BackupName {
    /// The file that says where it was.
    fn about(&self) -> PathBuf {
        Path::new(DIRECTORY).join(format!("{}.{}.json", self.content, self.place))
    }
}

/// All backups.
fn all(state: &Machine) -> system::Result<Vec<BackupName>> {
    if state.lstat(Path::new(DIRECTORY))?.is_none() {
        return Ok(Vec::new());
    }
    let about = |name: &OsString| {
        let (content, place) = name.to_str()?.strip_suffix(".json")?.rsplit_once('.')?;
        Some(BackupName { content: content.to_owned(), place: place.to_owned() })
    };
    Ok(state.list(Path::new(DIRECTORY))?.iter().filter_map(about).collect())
}

/// The identifier of a place, as it is in the names of backups.
fn place(path: &Path) -> String {
    let mut hash = ContentHash::of(path.as_os_str().as_encoded_bytes()).to_string();
    hash.truncate(PLACE);
    hash
}

/// Where backups are stored.
struct BackupStore {
    state: Machine,
}

impl BackupStore {
    fn open(state_dir: &Path) -> system::Result<Self> {
        let state = Machine::open(state_dir)?;
        if state.lstat(Path::new(DIRECTORY))?.is_none() {
            state.make_dir(Path::new(DIRECTORY), Permissions { mode: 0o700, ..PRIVATE })?;
        }
        Ok(Self { state })
    }

    /// Keeps one path: a file by its content, a link by its target, anything else by its metadata.
    fn keep(
        &self,
        path: &Path,
        stat: &Stat,
        opened: Option<OpenFile>,
        target: Option<PathBuf>,
    ) -> system::Result<()> {
        let name = match opened {
            Some(opened) => self.content(path, opened)?,
            None => kind_word(stat.kind).replace(' ', "-"),
        };
        let mut about = serde_json::json!({
            "path": shown_text(&path_text(path)),
            "kind": kind_word(stat.kind),
            "mode": format!("{:04o}", stat.mode),
            "uid": stat.uid,
            "gid": stat.gid,
        });
        if let Some(target) = target {
            about["target"] = shown_text(&path_text(&target)).into();
        }
        let at = Path::new(DIRECTORY).join(format!("{name}.{}.json", place(path)));
        let _ = self.state.stage(&at, PRIVATE, &mut about.to_string().as_bytes())?.commit()?;
        Ok(())
    }

    /// Keeps a content under its hash; returns the hash.
    fn content(&self, path: &Path, mut opened: OpenFile) -> system::Result<String> {
        let failed = |source| system::Error::io("backing up", path, source);
        let hash = content::hash_of(&mut opened.file).map_err(failed)?;
        let kept = Path::new(DIRECTORY).join(hash.as_str());
        std::io::Seek::rewind(&mut opened.file).map_err(failed)?;
        let _ = self.state.stage(&kept, PRIVATE, &mut opened.file)?.commit()?;
        Ok(hash.to_string())
    }
}
