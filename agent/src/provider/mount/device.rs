//! Devices and their many names: whether what is mounted is what is wanted.

use std::path::{Component, Path, PathBuf};

use holdfast_catalog::resource::Mount;
use holdfast_catalog::resource::mount::KEPT;

use super::mounted::Mounted;
use crate::provider::{Error, answer};
use crate::system::{self, FileKind, Inspect, Invocation};

/// The most links that are followed, more than any device name has.
const MAX_LINKS: usize = 8;

/// The tags that name devices, and the directories in which udev keeps them.
const TAGS: [(&str, &str); 4] = [
    ("UUID=", "/dev/disk/by-uuid/"),
    ("LABEL=", "/dev/disk/by-label/"),
    ("PARTUUID=", "/dev/disk/by-partuuid/"),
    ("PARTLABEL=", "/dev/disk/by-partlabel/"),
];

/// File systems of the kernel itself, which are not on a device.
const WITHOUT_DEVICE: &[&str] =
    &["tmpfs", "ramfs", "overlay", "proc", "sysfs", "devpts", "hugetlbfs", "mqueue", "debugfs", "tracefs"];

/// Whether the wanted device is the one that is mounted.
pub(super) fn is_same(want: &Mount, top: &Mounted, machine: &dyn Inspect) -> Result<bool, Error> {
    let device = want.device();
    if want.is_bind() {
        // A directory and the place where it is bound are one and the same.
        return is_same_file(device, want.title.as_str(), machine);
    }
    // A directory of a device is mounted there, although all of it is wanted; for `/usr` that may be intended.
    if !top.shows_all() && !KEPT.contains(&want.title.as_str()) {
        return Ok(false);
    }
    // A program names its source as it likes, and what has no source gets any word; a wanted device is neither.
    let wants_device =
        want.fstype.as_deref() == Some("auto") && (device.starts_with("/dev/") || is_tag(device));
    let has_no_name =
        !wants_device && (top.fstype.starts_with("fuse") || WITHOUT_DEVICE.contains(&top.fstype.as_str()));
    // Ceph's monitors are named by their addresses, which may change at any time.
    let path_alone = |source: &str| source.rsplit_once(':').map(|(_, path)| path.to_owned());
    let same_path = top.fstype == "ceph" && path_alone(device) == path_alone(&top.source);
    if has_no_name || same_path || plain(device) == plain(&top.source) {
        return Ok(true);
    }
    if let Some(number) = top.source.strip_prefix("/dev/loop").filter(|_| !device.starts_with("/dev/")) {
        let backing = format!("/sys/block/loop{number}/loop/backing_file");
        let backing = machine.read_text(Path::new(&backing))?.unwrap_or_default();
        let backing = backing.trim_end_matches('\n');
        return Ok(backing == device || is_same_file(device, backing, machine)?);
    }
    let is = resolved(&top.source, machine)?;
    // A name from early boot, such as /dev/root, which says nothing.
    let unknown = is.starts_with("/dev") && machine.lstat(Path::new(&is))?.is_none();
    Ok(unknown || is == resolved(device, machine)?)
}

/// A source in its canonical form: without trailing slashes or quotes.
pub(super) fn plain(source: &str) -> String {
    let trimmed = source.trim_end_matches('/');
    if trimmed.is_empty() { source.to_owned() } else { trimmed.replace('"', "") }
}

/// Whether two paths lead to one file or directory.
fn is_same_file(one: &str, other: &str, machine: &dyn Inspect) -> Result<bool, Error> {
    let id = |path: &str| machine.stat(Path::new(path)).map(|stat| stat.map(|stat| stat.id));
    let (one, other) = (id(one)?, id(other)?);
    Ok(one.is_some() && one == other)
}

/// What is to be mounted and does not exist. Of something that is neither a path nor a device name, that is unknown.
pub(super) fn missing<'w>(want: &'w Mount, machine: &dyn Inspect) -> Result<Option<&'w str>, Error> {
    let path: PathBuf = match want.device_path() {
        Some(path) => path.into(),
        None if is_tag(want.device()) => resolved(want.device(), machine)?,
        None => return Ok(None),
    };
    Ok(machine.stat(&path)?.is_none().then(|| want.device()))
}

fn is_tag(device: &str) -> bool {
    TAGS.iter().any(|(tag, _)| device.starts_with(tag))
}

/// The canonical name of a device; a broken link, or a name that is not a device's, is returned as it is.
pub(super) fn resolved(name: &str, machine: &dyn Inspect) -> Result<PathBuf, Error> {
    let tagged = TAGS.iter().find_map(|(tag, dir)| Some((dir, name.strip_prefix(tag)?)));
    let mut path = match tagged {
        Some((dir, value)) => {
            let link = PathBuf::from(format!("{dir}{}", encoded(value.trim_matches('"'))));
            if machine.lstat(&link)?.is_none() { found(name, machine)?.unwrap_or(link) } else { link }
        }
        None => PathBuf::from(name),
    };
    if !path.is_absolute() {
        return Ok(path);
    }
    for _ in 0..MAX_LINKS {
        let stat = machine.lstat(&path)?;
        if stat.is_none_or(|stat| stat.kind != FileKind::Symlink) {
            break;
        }
        let target = machine.read_link(&path)?;
        path = normal(&path.parent().unwrap_or(Path::new("/")).join(target));
    }
    Ok(path)
}

/// Finds a device by one of its names with mount(8)'s own means: not every machine has udev, and not every name has a
/// link.
fn found(name: &str, machine: &dyn Inspect) -> Result<Option<PathBuf>, Error> {
    let output = match answer(machine, &Invocation::new(["findfs", &name.replace('"', "")])) {
        // There is no such tool, or this root does not run.
        Err(Error::System(system::Error::Spawn { .. } | system::Error::NotLive(_))) => return Ok(None),
        output => output?,
    };
    let path = output.text().trim().to_owned();
    Ok((output.succeeded() && path.starts_with('/')).then(|| path.into()))
}

/// A path without `.` and `..`, computed from the text alone: links in /dev lead to devices and not to directories.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            part => normal.push(part),
        }
    }
    normal
}

/// A value as udev encodes it in a file name.
fn encoded(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "#+-.:=@_".contains(c) || !c.is_ascii();
    let code = |c: char| if plain(c) { c.to_string() } else { format!("\\x{:02x}", c as u32) };
    value.chars().map(code).collect()
}
