//! The work itself: /etc/fstab is written once for all, then each file system is mounted, remounted or unmounted with
//! the system's own commands.

use std::path::Path;
use std::time::Duration;

use holdfast_catalog::resource::Mount;
use holdfast_catalog::resource::mount::MountEnsure;

use super::kernel::MountTable;
use super::options::Meanings;
use super::{Change, FSTAB, Property, device, live_differences, options, other_priority, users};
use crate::provider::text::edit::{self, Lines};
use crate::provider::{Applied, Error, Job, Need, Writing};
use crate::system::{HeldPath, Invocation, Liveness};

/// How long mounting and unmounting may take, as at boot: systemd gives the unit of a line in /etc/fstab as long. What
/// waits longer, such as for a server that is away, would keep the rest of the run waiting.
const PATIENCE: Duration = Duration::from_secs(90);

/// The most layers on one mount point that are unmounted in a run.
const MAX_LAYERS: usize = 8;

/// Writes all lines. Returns the previous text of the file.
pub(super) fn write(jobs: &[Job<'_, Mount, Property>], writing: Writing<'_>) -> Result<String, Error> {
    rewrite(writing, |lines| {
        jobs.iter().try_for_each(|job| super::fstab::put(job.want, lines, writing.machine))
    })
}

/// Edits /etc/fstab and makes systemd read it, which would otherwise use the old lines, and unmount because of them.
/// Returns the previous text of the file.
fn rewrite(
    writing: Writing<'_>,
    edit: impl FnOnce(&mut Lines<'_>) -> Result<(), Error>,
) -> Result<String, Error> {
    let (mut before, mut edited) = (String::new(), Ok(String::new()));
    edit::rewrite(writing, FSTAB, edit::PUBLIC, |text| {
        text.clone_into(&mut before);
        let mut lines = Lines::of(text);
        edited = edit(&mut lines).map(|()| lines.to_string());
        edited.as_deref().unwrap_or(text).to_owned()
    })?;
    let is_changed = edited? != before;
    let machine = writing.machine;
    let by_systemd =
        machine.liveness() == Liveness::Live && machine.lstat(Path::new("/run/systemd/system"))?.is_some();
    if is_changed && by_systemd {
        writing.run(&Invocation::new(["systemctl", "daemon-reload"]))?;
    }
    Ok(before)
}

/// Brings one file system into the wanted state. Its line is already written, and is restored from `before` if it
/// cannot be mounted.
pub(super) fn correct(
    job: &Job<'_, Mount, Property>,
    before: &str,
    writing: Writing<'_>,
) -> Result<Applied, Error> {
    if writing.machine.liveness() != Liveness::Live {
        return Ok(Applied::default());
    }
    let corrected = put_in_force(job, writing);
    let failed = matches!(corrected, Err(Error::Command { .. } | Error::Missing(_) | Error::Conflict(_)));
    if failed && job.want.ensure == MountEnsure::Mounted {
        rewrite(writing, |lines| super::fstab::put_back(job.want, before, lines, writing.machine))?;
    }
    corrected
}

fn put_in_force(job: &Job<'_, Mount, Property>, writing: Writing<'_>) -> Result<Applied, Error> {
    let want = job.want;
    let is_mounted = || MountTable::read(writing.machine)?.has(want, writing.machine);
    match want.ensure {
        MountEnsure::Present => {}
        MountEnsure::Unmounted | MountEnsure::Absent => unmount(want, writing)?,
        MountEnsure::Mounted if !is_mounted()? => mount(want, writing)?,
        MountEnsure::Mounted if !want.is_swap() => return change(want, job.changes, writing),
        MountEnsure::Mounted => return change_swap(want, job.changes, writing),
    }
    Ok(Applied::default())
}

/// Changes what is mounted to what is wanted: with other options, if that is enough.
fn change(want: &Mount, changes: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
    let live = differing(want, writing)?;
    if live.iter().any(|property| *property != Property::Options) {
        if let Some(device) = device::missing(want, writing.machine)? {
            let point = want.title.as_str();
            let why = format!("there is no {device}: what is mounted on {point} stays");
            return Err(Error::missing(Need::path(device, why)));
        }
        unmount(want, writing)?;
        mount(want, writing)?;
        return Ok(Applied::default());
    }
    let mut applied = Applied::default();
    let Some(position) = changes.iter().position(|change| change.property == Property::Options) else {
        // It was mounted from another line, or by hand: what the kernel does not show may or may not be in force.
        let new = changes.iter().position(|change| change.property == Property::Ensure);
        let open = new.map(|at| Ok::<_, Error>((at, still_open(want, "", writing)?))).transpose()?;
        applied.said.extend(open.and_then(|(at, words)| Some((at, words?))));
        return Ok(applied);
    };
    remount(want, writing)?;
    if !differing(want, writing)?.is_empty() {
        let why = format!(
            "{FSTAB} has it now, but the kernel keeps an option of {} as it was when it was mounted: unmount it, and \
             the next run mounts it",
            want.title.as_str()
        );
        applied.failed.push((position, Error::Refused(why)));
    } else {
        let open = still_open(want, changes[position].is.text(), writing)?;
        applied.said.extend(open.map(|words| (position, words)));
    }
    Ok(applied)
}

/// Options of what is mounted that may not be in force, in words; `old` is the previous text of /etc/fstab.
fn still_open(want: &Mount, old: &str, writing: Writing<'_>) -> Result<Option<String>, Error> {
    let meanings = Meanings::read(writing.machine)?;
    let table = MountTable::read(writing.machine)?;
    Ok(table.top(want.title.as_str()).and_then(|top| options::left_open(want, old, top, &meanings)))
}

/// Turns swap space off and on again for another priority, and for nothing else: its content must fit elsewhere.
fn change_swap(want: &Mount, changes: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
    let priority = || other_priority(want, &MountTable::read(writing.machine)?, writing.machine);
    let Some(position) = changes.iter().position(|change| change.property == Property::Options) else {
        return Ok(Applied::default());
    };
    if priority()?.is_none() {
        let said = "takes effect when it is next turned on, at the next boot or with `swapoff` and `swapon`";
        return Ok(Applied { said: vec![(position, said.to_owned())], ..Applied::default() });
    }
    unmount(want, writing)?;
    mount(want, writing)?;
    match priority()? {
        Some(change) => Err(Error::Unexpected(format!(
            "{} is used with {}, although `swapon` reported success",
            want.device(),
            change.is.text()
        ))),
        None => Ok(Applied::default()),
    }
}

/// The properties in which what is mounted differs.
fn differing(want: &Mount, writing: Writing<'_>) -> Result<Vec<Property>, Error> {
    Ok(live(want, writing)?.into_iter().map(|change| change.property).collect())
}

/// The differences of what is mounted.
fn live(want: &Mount, writing: Writing<'_>) -> Result<Vec<Change>, Error> {
    match MountTable::read(writing.machine)?.top(want.title.as_str()) {
        Some(top) => live_differences(want, top, writing.machine),
        None => Ok(Vec::new()),
    }
}

/// Mounts it, and checks that the kernel has it afterwards. If the kernel had it under another name, each run would
/// mount it again.
fn mount(want: &Mount, writing: Writing<'_>) -> Result<(), Error> {
    let title = want.title.as_str();
    let way = if want.is_swap() { None } else { writing.machine.way_into(Path::new(title))? };
    let before = MountTable::read(writing.machine)?;
    writing.run(&mounting(want, way.as_ref()))?;
    let table = MountTable::read(writing.machine)?;
    if !table.has(want, writing.machine)? {
        if let Some(point) = table.since(&before, want).filter(|_| way.is_some()) {
            return Err(misled(title, point, writing));
        }
        return Err(Error::Unexpected(format!("{title} is not mounted, although `mount` reported success")));
    }
    match live(want, writing)?.first() {
        Some(Change { property, is, should, .. }) if !want.is_swap() => Err(Error::Unexpected(format!(
            "{title} is mounted, but with the {property} `{}` and not `{}`: see `findmnt {title}`",
            is.text(),
            should.text()
        ))),
        _ => Ok(()),
    }
}

/// The error if the directory was moved while it was being mounted on. What was mounted does not stay there.
fn misled(title: &str, point: &str, writing: Writing<'_>) -> Error {
    let now = match take_off(point, writing) {
        Ok(()) => "it was unmounted there again".to_owned(),
        Err(error) => format!("it is still mounted there, since unmounting it failed: {error}"),
    };
    Error::Conflict(format!(
        "someone moved the directory {title} to {point} while it was being mounted on, which anyone who can write to a \
         directory above it can do; {now}"
    ))
}

/// Unmounts it, layer by layer.
fn unmount(want: &Mount, writing: Writing<'_>) -> Result<(), Error> {
    for _ in 0..MAX_LAYERS {
        if !MountTable::read(writing.machine)?.has(want, writing.machine)? {
            return Ok(());
        }
        match want.is_swap() {
            true => writing.run(&Invocation::new(["swapoff", "--", want.device()])).map(drop)?,
            false => take_off(want.title.as_str(), writing)?,
        }
    }
    Err(Error::Refused(format!("{} has more than {MAX_LAYERS} stacked mounts", want.title.as_str())))
}

/// Unmounts what is mounted at a point, and nothing else that its path may be redirected to.
fn take_off(point: &str, writing: Writing<'_>) -> Result<(), Error> {
    let way = writing.machine.way_to_mounted(Path::new(point))?;
    let command = match &way {
        Some(way) => Invocation::new(["umount", "--no-canonicalize", "--", &text(way)]),
        None => Invocation::new(["umount", "--", point]),
    };
    let done = writing.run(&command.timeout(PATIENCE)).map(drop);
    done.map_err(|error| users::named(error, point, writing.machine))
}

/// The command that mounts. It goes by /etc/fstab, which has all the rest; or, if others could redirect the path, by a
/// handle of the directory, for which nothing can be found there.
fn mounting(want: &Mount, way: Option<&HeldPath>) -> Invocation {
    if want.is_swap() {
        // The value is joined to the option: swapon(8) would take a separate word for a device.
        return Invocation::new(["swapon", &format!("--options={}", want.options), "--", want.device()]);
    }
    match way {
        Some(way) => by_handle(want, &text(way), &want.options),
        None => Invocation::new(["mount", "--", want.title.as_str()]).timeout(PATIENCE),
    }
}

/// The command with everything that /etc/fstab says, which records nothing about a temporary path.
fn by_handle(want: &Mount, way: &str, options: &str) -> Invocation {
    let fstype = want.fstype.as_deref().unwrap_or("auto");
    let named = ["--types", fstype, "--options", options, "--source", want.device(), "--target", way];
    Invocation::new(["mount", "--no-canonicalize", "--no-mtab"].into_iter().chain(named)).timeout(PATIENCE)
}

fn text(way: &HeldPath) -> String {
    way.path().display().to_string()
}

/// Remounts with the options in /etc/fstab. Those of a bind mount are named, or the whole file system would get them.
pub(super) fn remount(want: &Mount, writing: Writing<'_>) -> Result<(), Error> {
    let title = want.title.as_str();
    let way = writing.machine.way_to_mounted(Path::new(title))?;
    let own = want.options().filter(|option| !matches!(*option, "bind" | "rbind"));
    let options = match want.is_bind() {
        true => ["remount", "bind"].into_iter().chain(own).collect::<Vec<_>>().join(","),
        // With a handle, nothing can be found in /etc/fstab.
        false if way.is_some() => ["remount"].into_iter().chain(own).collect::<Vec<_>>().join(","),
        false => "remount".to_owned(),
    };
    let command = match &way {
        Some(way) => by_handle(want, &text(way), &options),
        None => Invocation::new(["mount", "-o", &options, "--", title]).timeout(PATIENCE),
    };
    writing.run(&command).map(drop)
}
