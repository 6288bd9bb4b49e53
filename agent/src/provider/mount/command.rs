//! What is done: /etc/fstab written once for all, then each mounted, mounted anew or unmounted by the system's own commands.

use std::path::Path;

use holdfast_catalog::resource::Mount;
use holdfast_catalog::resource::mount::MountEnsure;

use super::kernel::Table;
use super::{FSTAB, live_differences};
use crate::provider::edit::{self, Lines};
use crate::provider::{Applied, Change, Error, Job, Writing};
use crate::system::{Invocation, Liveness};

/// More layers over one mount point are not taken off in one run.
const MAX_LAYERS: usize = 8;

/// Writes all lines, and has systemd read them: it would go on with the old ones, and unmount by them.
pub(super) fn write(jobs: &[Job<'_, Mount>], writing: Writing<'_>) -> Result<(), Error> {
    let (mut changed, mut refused) = (false, None);
    edit::rewrite(writing, FSTAB, edit::PUBLIC, |text| {
        let mut lines = Lines::of(text);
        for job in jobs {
            if let Err(error) = super::fstab::put(job.want, &mut lines, writing.machine) {
                refused = Some(error);
                return text.to_owned();
            }
        }
        let edited = lines.to_string();
        changed = edited != text;
        edited
    })?;
    if let Some(error) = refused {
        return Err(error);
    }
    let machine = writing.machine;
    let by_systemd =
        machine.liveness() == Liveness::Live && machine.lstat(Path::new("/run/systemd/system"))?.is_some();
    if changed && by_systemd {
        writing.run(&Invocation::new(["systemctl", "daemon-reload"]))?;
    }
    Ok(())
}

/// Brings one into the state that is wanted; its line is written already.
pub(super) fn mend(job: &Job<'_, Mount>, writing: Writing<'_>) -> Result<Applied, Error> {
    let want = job.want;
    if writing.machine.liveness() != Liveness::Live {
        return Ok(Applied::default());
    }
    let is_mounted = || Table::read(writing.machine)?.has(want, writing.machine);
    match want.ensure {
        MountEnsure::Present => {}
        MountEnsure::Unmounted | MountEnsure::Absent => unmount(want, writing)?,
        MountEnsure::Mounted if !is_mounted()? => {
            writing.run(&mounting(want))?;
        }
        MountEnsure::Mounted if !want.is_swap() => return change(want, job.changes, writing),
        MountEnsure::Mounted => {}
    }
    Ok(Applied::default())
}

/// What is mounted becomes what is wanted: by other options where that is enough.
fn change(want: &Mount, changes: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
    let live = differing(want, writing)?;
    if live.iter().any(|property| *property != "options") {
        unmount(want, writing)?;
        writing.run(&mounting(want))?;
        return Ok(Applied::default());
    }
    let Some(position) = changes.iter().position(|change| change.property == "options") else {
        return Ok(Applied::default());
    };
    writing.run(&remount(want))?;
    let mut applied = Applied::default();
    if !differing(want, writing)?.is_empty() {
        let why = format!(
            "{FSTAB} says so now, but the kernel keeps an option of {} as it was when it was mounted: unmount it, and the next \
             run mounts it",
            want.title.as_str()
        );
        applied.failed.push((position, Error::Refused(why)));
    }
    Ok(applied)
}

/// The properties in which what is mounted differs.
fn differing(want: &Mount, writing: Writing<'_>) -> Result<Vec<String>, Error> {
    let table = Table::read(writing.machine)?;
    let Some(top) = table.top(want.title.as_str()) else { return Ok(Vec::new()) };
    let changes = live_differences(want, top, writing.machine)?;
    Ok(changes.into_iter().map(|change| change.property.into_owned()).collect())
}

/// Unmounts it, layer by layer.
fn unmount(want: &Mount, writing: Writing<'_>) -> Result<(), Error> {
    for _ in 0..MAX_LAYERS {
        if !Table::read(writing.machine)?.has(want, writing.machine)? {
            return Ok(());
        }
        let command = if want.is_swap() {
            ["swapoff", "--", want.device()]
        } else {
            ["umount", "--", want.title.as_str()]
        };
        writing.run(&Invocation::new(command))?;
    }
    Err(Error::Refused(format!("{} has more than {MAX_LAYERS} mounts over each other", want.title.as_str())))
}

/// By /etc/fstab, which says all the rest.
fn mounting(want: &Mount) -> Invocation {
    if want.is_swap() {
        return Invocation::new(["swapon", "--options", &want.options, "--", want.device()]);
    }
    Invocation::new(["mount", "--", want.title.as_str()])
}

/// With the options of /etc/fstab. Those of a bind mount are named, or the whole file system would get them.
pub(super) fn remount(want: &Mount) -> Invocation {
    let own = want.options().filter(|option| !matches!(*option, "bind" | "rbind"));
    let options: Vec<&str> = match want.is_bind() {
        true => ["remount", "bind"].into_iter().chain(own).collect(),
        false => vec!["remount"],
    };
    Invocation::new(["mount", "-o", &options.join(","), "--", want.title.as_str()])
}
