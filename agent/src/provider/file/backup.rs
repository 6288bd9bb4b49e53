//! What is replaced or removed, kept in the agent's state: each content once, and each place with what stood there. It lies there
//! in the clear, so what was secret is not kept.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use holdfast_catalog::hash::ContentHash;
use holdfast_catalog::resource::File;
use holdfast_catalog::resource::attribute::Content;

use super::{content, kind_word};
use crate::provider::{Error, Writing};
use crate::system::{self, Access, FileKind, Inspect as _, Machine, Opened, Stat, System as _, Walk};

const DIRECTORY: &str = "/backups";

const PRIVATE: Access = Access { mode: 0o600, uid: None, gid: None };

/// So much of a place's hash tells it from all others.
const PLACE: usize = 16;

/// Keeps what stands at a path, if the resource wants backups: a file's content as `backups/SHA256`, and of each file, link and
/// directory, with all that is in it, `NAME.PLACE.json` that says where it stood and how.
pub(super) fn keep(want: &File, path: &Path, writing: Writing<'_>) -> Result<(), Error> {
    if !want.backup || is_secret(want) {
        return Ok(());
    }
    let machine = writing.machine;
    let Some(stat) = machine.lstat(path)? else { return Ok(()) };
    let store = Store::open(writing.state_dir)?;
    let target = |path: &Path, stat: &Stat| -> system::Result<Option<PathBuf>> {
        (stat.kind == FileKind::Symlink).then(|| machine.read_link(path)).transpose()
    };
    let opened = if stat.kind == FileKind::File { machine.open(path)? } else { None };
    store.keep(path, &stat, opened, target(path, &stat)?)?;
    if stat.kind == FileKind::Directory {
        machine.walk(path, &mut |met| {
            let member = met?;
            let at = path.join(member.path);
            let opened = (member.stat.kind == FileKind::File).then(|| member.open()).transpose()?;
            store.keep(&at, &member.stat, opened, target(&at, &member.stat)?)?;
            Ok(Walk::Into)
        })?;
    }
    Ok(store.state.settle()?)
}

/// Whether a file holds what a backup would keep in the clear.
pub(super) fn is_secret(want: &File) -> bool {
    want.content.as_ref().is_some_and(Content::is_sensitive)
}

/// Removes what was kept of files that are secret, as agents before this one did, or before they were.
pub(in crate::provider) fn forget_secrets<'a>(
    files: impl Iterator<Item = &'a File>,
    state_dir: &Path,
) -> system::Result<()> {
    let secret: BTreeSet<String> =
        files.filter(|want| is_secret(want)).map(|want| place(Path::new(want.title.as_str()))).collect();
    let state = Machine::open(state_dir)?;
    if secret.is_empty() || state.lstat(Path::new(DIRECTORY))?.is_none() {
        return Ok(());
    }
    let names = state.list(Path::new(DIRECTORY))?;
    let about = |name: &'_ std::ffi::OsString| {
        let (content, place) = name.to_str()?.strip_suffix(".json")?.rsplit_once('.')?;
        Some((content.to_owned(), place.to_owned()))
    };
    let all = names.iter().filter_map(about);
    let (gone, kept): (Vec<_>, Vec<_>) = all.partition(|(_, place)| secret.contains(place));
    for (content, place) in &gone {
        if kept.iter().all(|(other, _)| other != content) {
            state.remove(&Path::new(DIRECTORY).join(content))?;
        }
        state.remove(&Path::new(DIRECTORY).join(format!("{content}.{place}.json")))?;
    }
    if gone.is_empty() { Ok(()) } else { state.settle() }
}

/// What tells a place from all others, as the name of what is known of it has it.
fn place(path: &Path) -> String {
    let mut hash = ContentHash::of(path.as_os_str().as_encoded_bytes()).to_string();
    hash.truncate(PLACE);
    hash
}

/// Where backups lie.
struct Store {
    state: Machine,
}

impl Store {
    fn open(state_dir: &Path) -> system::Result<Self> {
        let state = Machine::open(state_dir)?;
        if state.lstat(Path::new(DIRECTORY))?.is_none() {
            state.make_dir(Path::new(DIRECTORY), Access { mode: 0o700, ..PRIVATE })?;
        }
        Ok(Self { state })
    }

    /// Keeps one path: a file by its content, a link by its target, all else by what it was.
    fn keep(
        &self,
        path: &Path,
        stat: &Stat,
        opened: Option<Opened>,
        target: Option<PathBuf>,
    ) -> system::Result<()> {
        let name = match opened {
            Some(opened) => self.content(path, opened)?,
            None => kind_word(stat.kind).replace(' ', "-"),
        };
        let mut about = serde_json::json!({
            "path": path.display().to_string(),
            "kind": kind_word(stat.kind),
            "mode": format!("{:04o}", stat.mode),
            "uid": stat.uid,
            "gid": stat.gid,
        });
        if let Some(target) = target {
            about["target"] = target.display().to_string().into();
        }
        let at = Path::new(DIRECTORY).join(format!("{name}.{}.json", place(path)));
        let _ = self.state.stage(&at, PRIVATE, &mut about.to_string().as_bytes())?.commit()?;
        Ok(())
    }

    /// Keeps a content under its hash, which it answers with.
    fn content(&self, path: &Path, mut opened: Opened) -> system::Result<String> {
        let failed = |source| system::Error::io("backing up", path, source);
        let hash = content::hash_of(&mut opened.file).map_err(failed)?;
        let kept = Path::new(DIRECTORY).join(hash.as_str());
        std::io::Seek::rewind(&mut opened.file).map_err(failed)?;
        let _ = self.state.stage(&kept, PRIVATE, &mut opened.file)?.commit()?;
        Ok(hash.to_string())
    }
}
