//! Unpacks an archive into a new directory beside the one that it replaces.
//!
//! `tar` and `unzip` work in a directory that only root can enter, with paths relative to it. A member that would lead
//! out of it fails the whole archive. Permission bits come from the archive, without set-id bits and write access for
//! others.

use std::path::{Path, PathBuf};

use holdfast_catalog::count::counted;
use holdfast_catalog::resource::attribute::{ArchiveFormat, FileSource};

use super::fetch::Parcel;
use super::owners::Owners;
use crate::provider::{Error, Writing};
use crate::system::{
    self, Exit, FileKind, Inspect as _, Invocation, Machine, Output, Permissions, StagedTree, System,
    WalkStep,
};

const DOWNLOADS: &str = "/downloads";

/// The exit code of `unzip` after it has unpacked everything with warnings, but also for a method that it does not
/// support.
const UNZIP_WARNED: Exit = Exit::Code(1);
const UNZIP_UNABLE: Exit = Exit::Code(81);

/// Warnings of `unzip` about something unusual by which nothing was lost. All others, such as about absolute names, are
/// failures.
const HARMLESS: [&str; 3] = [
    "appears to use backslashes as path separators",
    "extra bytes at beginning",
    "(attempting to process anyway)",
];

const PRIVATE: Permissions = Permissions { mode: 0o600, uid: None, gid: None };

/// A directory with the content of an archive that is not in its place yet.
pub struct Unpacked<'m> {
    tree: Box<dyn StagedTree + 'm>,
    inner: PathBuf,
}

/// Fetches an archive and unpacks it beside `target`, without its `strip` leading directories. It belongs to root until
/// [`Unpacked::give`] gives it to `owner`.
pub fn unpack<'m>(
    parcel: Parcel<'_>,
    (format, strip): (ArchiveFormat, u32),
    target: &Path,
    owner: Option<u32>,
    writing: Writing<'m>,
) -> Result<Unpacked<'m>, Error> {
    let state = Machine::open(writing.state_dir)?;
    if state.lstat(Path::new(DOWNLOADS))?.is_none() {
        state.make_dir(Path::new(DOWNLOADS), Permissions { mode: 0o700, ..PRIVATE })?;
    }
    let archive = Path::new(DOWNLOADS).join("archive");
    let archive = parcel.stage(writing.machine, &state, &archive, PRIVATE)?;
    let tree = writing.machine.stage_tree(target, Permissions { mode: 0o700, ..PRIVATE }, owner)?;
    let file = archive.path().to_string_lossy().into_owned();
    let mut command = unpacking(format, &file).timeout(parcel.timeout);
    command.cwd = Some(tree.path().to_owned());
    let output = run(&command, format, writing)?;
    // GNU tar drops the slash and continues. Whoever packed that meant a place other than this one.
    if String::from_utf8_lossy(&output.stderr).contains("Removing leading") {
        return Err(Error::Refused(format!(
            "{} contains members with absolute names, and is not unpacked; pack it with relative names",
            parcel.source
        )));
    }
    if format == ArchiveFormat::Zip {
        refuse_upward_names(&file, parcel.source, writing)?;
    }
    let inner = below(tree.inside(), strip)?;
    refuse_special(tree.inside(), &inner)?;
    let unpacked = Unpacked { tree, inner };
    unpacked.command(["chmod", "--recursive", "--", "u-s,g-s,o-t,go-w", "."], writing)?;
    Ok(unpacked)
}

impl Unpacked<'_> {
    /// The directory as the root of a machine of its own.
    pub fn inside(&self) -> &dyn System {
        self.tree.inside()
    }

    /// The path in it of the directory that is put in place.
    pub fn inner(&self) -> &Path {
        &self.inner
    }

    /// Gives everything in it to its owners.
    pub fn give(&self, owners: &Owners, writing: Writing<'_>) -> Result<(), Error> {
        let whose = match (owners.uid, owners.gid) {
            (None, None) => return Ok(()),
            (Some(uid), None) => uid.to_string(),
            (None, Some(gid)) => format!(":{gid}"),
            (Some(uid), Some(gid)) => format!("{uid}:{gid}"),
        };
        self.command(["chown", "--recursive", "--no-dereference", "--", &whose, "."], writing)
    }

    /// Replaces what is at the target.
    pub fn commit(self) -> Result<(), Error> {
        Ok(self.tree.commit(&self.inner)?)
    }

    fn command<const N: usize>(&self, arguments: [&str; N], writing: Writing<'_>) -> Result<(), Error> {
        let mut command = Invocation::new(arguments);
        command.cwd = Some(self.tree.path().to_owned());
        writing.run(&command).map(drop)
    }
}

/// Fails if a member of a zip has `..` in its name: `unzip` leaves that out without a word, and unpacks it elsewhere than
/// its packer meant. `tar` fails by itself.
fn refuse_upward_names(file: &str, source: &FileSource, writing: Writing<'_>) -> Result<(), Error> {
    let listed = writing.machine.run(&Invocation::new(["unzip", "-Z1", file, "*..*"]))?;
    let names = String::from_utf8_lossy(&listed.stdout);
    match names.lines().find(|name| name.split(['/', '\\']).any(|part| part == "..")) {
        Some(name) => {
            let name = name.escape_debug();
            Err(Error::Refused(format!(
                "{source} holds `{name}`, which leads out of it, and is not unpacked"
            )))
        }
        None => Ok(()),
    }
}

/// Runs what unpacks, which must succeed.
fn run(command: &Invocation, format: ArchiveFormat, writing: Writing<'_>) -> Result<Output, Error> {
    let output = match writing.machine.run(command) {
        Err(error @ system::Error::Spawn { .. }) => {
            let package = if format == ArchiveFormat::Zip { "unzip" } else { "tar" };
            return Err(Error::missing(format!("{error}: install the package `{package}`")));
        }
        output => output?,
    };
    let is_zip = |exit| format == ArchiveFormat::Zip && output.exit == exit;
    let warned = String::from_utf8_lossy(&output.stderr);
    let is_harmless = |line: &str| HARMLESS.iter().any(|words| line.contains(words));
    if output.succeeded() || is_zip(UNZIP_WARNED) && warned.lines().all(is_harmless) {
        return Ok(output);
    }
    if is_zip(UNZIP_UNABLE) {
        return Err(Error::Refused(
            "`unzip` cannot unpack a member, which is encrypted or compressed with an unusual method (such as LZMA): \
             pack it with Deflate"
                .to_owned(),
        ));
    }
    Err(Error::command(command, &output).explained(writing.machine))
}

/// The command that unpacks a file into its working directory.
fn unpacking(format: ArchiveFormat, file: &str) -> Invocation {
    let packed = match format {
        ArchiveFormat::Zip => return Invocation::new(["unzip", "-q", "-o", file]),
        ArchiveFormat::Tar => None,
        ArchiveFormat::TarGzip => Some("--gzip"),
        ArchiveFormat::TarXz => Some("--xz"),
        ArchiveFormat::TarZstd => Some("--zstd"),
        ArchiveFormat::TarBzip2 => Some("--bzip2"),
    };
    let safe = ["--no-same-owner", "--no-same-permissions", "--delay-directory-restore", "--force-local"];
    let tar = ["tar", "--extract"].into_iter().chain(safe).chain(packed);
    Invocation::new(tar.map(str::to_owned).chain([format!("--file={file}")]))
}

/// The directory `strip` levels below, if each level has exactly one.
fn below(inside: &dyn System, strip: u32) -> Result<PathBuf, Error> {
    let mut at = PathBuf::from("/");
    for _ in 0..strip {
        let mut dirs = Vec::new();
        for name in inside.list(&at)? {
            if inside.lstat(&at.join(&name))?.is_some_and(|stat| stat.kind == FileKind::Directory) {
                dirs.push(name);
            }
        }
        let [dir] = dirs.as_slice() else {
            return Err(Error::Refused(format!(
                "strip = {strip} does not leave a single directory: {} of the archive contains {}",
                if at == Path::new("/") { "the top".to_owned() } else { at.display().to_string() },
                counted(dirs.len(), "directory", "directories")
            )));
        };
        at.push(dir);
    }
    Ok(at)
}

/// Refuses devices, FIFOs and sockets, which have no place in an archive.
fn refuse_special(inside: &dyn System, inner: &Path) -> Result<(), Error> {
    let mut special = None;
    inside.walk(inner, &mut |met| {
        let member = met?;
        if member.stat.kind == FileKind::Other {
            special.get_or_insert_with(|| member.path.to_owned());
        }
        Ok(WalkStep::Into)
    })?;
    match special {
        None => Ok(()),
        Some(path) => Err(Error::Refused(format!(
            "the archive contains the special file {}, and is not unpacked",
            path.display()
        ))),
    }
}
