//! `mount`: file systems in the machine's tree, through /etc/fstab and the kernel's table.
//!
//! /etc/fstab is edited line by line, once for all file systems that change, and systemd is told. Then each is mounted,
//! remounted with other options, or unmounted. A line that could not be mounted does not stay: the next boot would wait
//! for it. Below another root only /etc/fstab is managed.

use std::path::Path;
use std::sync::Arc;

use holdfast_catalog::resource::Mount;
use holdfast_catalog::resource::attribute::Presence;
use holdfast_catalog::resource::claim::Claim;
use holdfast_catalog::resource::mount::{KEPT, MountEnsure};

use super::text::edit::{self, Lines, Texts};
use super::{
    Alias, Applied, ChangeKind, Error, Job, Left, Need, Notice, Provider, Reading, Refreshed, Taken, Writing,
    properties,
};
use crate::system::{FileKind, Inspect, Liveness};

mod command;
mod device;
mod fstab;
mod kernel;
mod mounted;
mod options;
mod rivals;
mod users;
#[cfg(test)]
mod tests;

use fstab::FstabLine;
use kernel::MountTable;
use mounted::Mounted;
use options::Meanings;

const FSTAB: &str = "/etc/fstab";

/// The provider of `mount`.
pub struct Mounts;

/// What /etc/fstab says, and what the kernel has; `None` if this root is not a running system.
pub struct Seen {
    fstab: Texts,
    kernel: Option<MountTable>,
}

properties! {
    Ensure => "ensure",
    Device => "device",
    Fstype => "fstype",
    Options => "options",
    Dump => "dump",
    Pass => "pass",
}

impl Provider for Mounts {
    type Want = Mount;
    type Seen = Seen;
    type Property = Property;

    const TAKEN: Taken = Taken::Together;

    fn observe(&self, _: &[&Mount], reading: Reading<'_>) -> Result<Seen, Error> {
        let is_live = reading.machine.liveness() == Liveness::Live;
        let kernel = is_live.then(|| MountTable::read(reading.machine)).transpose()?;
        Ok(Seen { fstab: Texts::read(reading.machine, [FSTAB]), kernel })
    }

    fn plan(&self, want: &Mount, seen: &Seen, reading: Reading<'_>) -> Result<Plan, Error> {
        let machine = reading.machine;
        edit::refuse_link(machine, FSTAB)?;
        let lines = Lines::of(seen.fstab.get(FSTAB)?.unwrap_or_default());
        if want.ensure != MountEnsure::Absent
            || is_behind_a_link(want, &lines, seen.kernel.as_ref(), machine)?
        {
            refuse_way_of_links(want, machine)?;
        }
        let entries = fstab::find(want, &lines, machine)?;
        if let (true, [_, second, ..]) = (want.ensure != MountEnsure::Absent, &entries[..]) {
            let (title, number) = (&want.title.as_str(), second.at + 1);
            let error =
                format!("{FSTAB} has more than one line for {title}, in line {number} too; leave one");
            return Err(Error::Refused(error));
        }
        let state = State { entry: entries.first(), kernel: seen.kernel.as_ref() };
        if let Some(need) = state.missing(want, reading)? {
            return Ok(Plan::Pending(need));
        }
        state.differences(want, reading).map(Plan::of)
    }

    fn apply(&self, want: &Mount, changes: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        let mut answers = self.apply_together(&[Job { want, changes }], writing);
        answers.pop().unwrap_or_else(|| Ok(Applied::default()))
    }

    fn apply_together(
        &self,
        jobs: &[Job<'_, Mount, Property>],
        writing: Writing<'_>,
    ) -> Vec<Result<Applied, Error>> {
        match command::write(jobs, writing) {
            Ok(before) => jobs.iter().map(|job| command::correct(job, &before, writing)).collect(),
            Err(error) => {
                let error = Arc::new(error);
                jobs.iter().map(|_| Err(error.clone().into())).collect()
            }
        }
    }

    fn refresh(
        &self,
        want: &Mount,
        _: Notice,
        corrected: &[Change],
        writing: Writing<'_>,
    ) -> Result<Refreshed, Error> {
        let live = writing.machine.liveness() == Liveness::Live && want.ensure == MountEnsure::Mounted;
        if !live || want.is_swap() || !corrected.is_empty() {
            return Ok(Refreshed::NotNeeded("it is as it was just made, or not mounted".to_owned()));
        }
        command::remount(want, writing)?;
        Ok(Refreshed::Done("remounted with its options".to_owned()))
    }

    fn aliases(&self, want: &Mount, _: &Seen, reading: Reading<'_>) -> Vec<Alias> {
        let known = want.is_swap().then(|| device::resolved(want.device(), reading.machine).ok()).flatten();
        let Some(device) = known.map(|path| path.display().to_string()) else { return Vec::new() };
        if device == want.device() {
            return Vec::new();
        }
        let why = format!("`{}` is the device `{device}`", want.device());
        let there = if want.ensure == MountEnsure::Absent { Presence::Absent } else { Presence::Present };
        Alias::all([Claim::entry(FSTAB, "swap space", device, there)], why)
    }

    fn left<'a>(&self, want: &'a Mount) -> Left<'a> {
        let mut left: Left<'a> = vec![("ensure".into(), want.ensure.to_string().into())];
        if want.ensure != MountEnsure::Absent {
            left.push(("device".into(), want.device().into()));
            left.push(("fstype".into(), want.fstype.as_deref().unwrap_or_default().into()));
            left.push(("options".into(), want.options.as_str().into()));
            left.push(("dump".into(), want.dump.to_string().into()));
            left.push(("pass".into(), want.pass.to_string().into()));
        }
        left
    }
}

/// What the machine has of one file system.
struct State<'a> {
    entry: Option<&'a FstabLine>,
    kernel: Option<&'a MountTable>,
}

impl State<'_> {
    /// What is not there yet, if the file system should be mounted.
    fn missing(
        &self,
        want: &Mount,
        Reading { machine, named, .. }: Reading<'_>,
    ) -> Result<Option<Need>, Error> {
        let due = self.kernel.is_some() && want.ensure == MountEnsure::Mounted;
        if !due || self.is_mounted(want, machine)? {
            return Ok(None);
        }
        let point = (!want.is_swap()).then(|| want.title.as_str());
        for path in point.into_iter().chain(want.device_path()) {
            if machine.stat(path.as_ref())?.is_none() {
                let cure = named.unless_has_file(path, ": manage it too, or make it");
                return Ok(Some(Need::path(path, format!("there is no {path}{cure}"))));
            }
        }
        Ok(None)
    }

    fn is_mounted(&self, want: &Mount, machine: &dyn Inspect) -> Result<bool, Error> {
        self.kernel.map_or(Ok(false), |kernel| kernel.has(want, machine))
    }

    fn differences(&self, want: &Mount, reading: Reading<'_>) -> Result<Vec<Change>, Error> {
        let machine = reading.machine;
        let mut changes = Vec::new();
        let mounted = self.is_mounted(want, machine)?;
        let listed = self.entry.is_some();
        let (to_be_listed, to_be_mounted) = match want.ensure {
            MountEnsure::Mounted => (true, true),
            MountEnsure::Unmounted => (true, false),
            MountEnsure::Present => (true, mounted),
            MountEnsure::Absent => (false, false),
        };
        if listed != to_be_listed || (self.kernel.is_some() && mounted != to_be_mounted) {
            let also = listed.then_some("present");
            let should = match (self.kernel, to_be_listed) {
                (None, true) => "present".to_owned(),
                _ => want.ensure.to_string(),
            };
            changes.push(Change::new(Property::Ensure, self.shown(mounted), should).also(also));
        }
        if let Some(entry) = self.entry.filter(|_| to_be_listed) {
            changes.extend(entry.differences(want));
        }
        for change in self.live_differences(want, machine)? {
            if changes.iter().all(|other| other.property != change.property) {
                changes.push(change);
            }
        }
        if changes.is_empty() {
            rivals::refuse(want, reading)?;
            changes.extend(self.hidden(want));
        }
        Ok(changes)
    }

    /// Notes that other file systems are hidden below what is mounted there: the name does not tell which of them is
    /// meant.
    fn hidden(&self, want: &Mount) -> Option<Change> {
        let (title, kernel) = (want.title.as_str(), self.kernel?);
        let layers = kernel.layers(title);
        let is_meant = want.ensure != MountEnsure::Mounted || want.is_swap() || title == "/";
        (layers > 1 && !is_meant).then(|| {
            Change::new(Property::Ensure, want.ensure, want.ensure).kind(ChangeKind::Note).note(format!(
                "{layers} file systems are mounted over each other there, and only the top one is seen: `findmnt \
                 {title}` shows them, `umount {title}` unmounts the top one"
            ))
        })
    }

    /// How what the kernel has differs.
    fn live_differences(&self, want: &Mount, machine: &dyn Inspect) -> Result<Vec<Change>, Error> {
        let Some(kernel) = self.kernel.filter(|_| want.ensure == MountEnsure::Mounted) else {
            return Ok(Vec::new());
        };
        if want.is_swap() {
            return Ok(other_priority(want, kernel, machine)?.into_iter().collect());
        }
        let Some(top) = kernel.top(want.title.as_str()) else { return Ok(Vec::new()) };
        let live = live_differences(want, top, machine)?;
        refuse_to_replace(want, &live)?;
        Ok(live)
    }

    /// The machine's state, in the words of `ensure`.
    fn shown(&self, mounted: bool) -> &'static str {
        match (self.entry.is_some(), mounted) {
            (true, true) => "mounted",
            (true, false) if self.kernel.is_none() => "present",
            (true, false) => "unmounted",
            (false, true) => "mounted until the next boot",
            (false, false) => "absent",
        }
    }
}

/// Whether the way to a mount point leads through a link to a place where something is mounted, or that /etc/fstab
/// names. If there is neither, nothing has to be unmounted.
fn is_behind_a_link(
    want: &Mount,
    lines: &Lines<'_>,
    kernel: Option<&MountTable>,
    machine: &dyn Inspect,
) -> Result<bool, Error> {
    if want.is_swap() {
        return Ok(false);
    }
    let Some(real) = machine.real(Path::new(want.title.as_str()))? else { return Ok(false) };
    let Some(point) = real.path.to_str() else { return Ok(true) };
    Ok(kernel.is_some_and(|kernel| kernel.top(point).is_some()) || fstab::names(point, lines))
}

/// Refuses a mount point with a link on the way: the kernel knows it by another name.
fn refuse_way_of_links(want: &Mount, machine: &dyn Inspect) -> Result<(), Error> {
    if want.is_swap() {
        return Ok(());
    }
    let title = want.title.as_str();
    for path in Path::new(title).ancestors() {
        if machine.lstat(path)?.is_some_and(|stat| stat.kind == FileKind::Symlink) {
            let (link, target) = (path.display(), machine.read_link(path)?);
            return Err(Error::Refused(format!(
                "{link} is a symbolic link to {}, and the kernel lists what is mounted at {title} under the path that \
                 it points to: use that path",
                target.display()
            )));
        }
    }
    Ok(())
}

/// Refuses to mount something else in a place that a machine cannot do without.
fn refuse_to_replace(want: &Mount, live: &[Change]) -> Result<(), Error> {
    let title = want.title.as_str();
    match live.iter().find(|change| change.property != Property::Options) {
        Some(change) if KEPT.contains(&title) => Err(Error::Refused(format!(
            "the {} of {title} is {}, and a machine does not run without {title}, so nothing else is mounted there: \
             correct `{}`",
            change.property,
            change.is.text(),
            change.property
        ))),
        _ => Ok(()),
    }
}

/// The change if swap space is used with another priority. The kernel does not show its other options.
fn other_priority(want: &Mount, kernel: &MountTable, machine: &dyn Inspect) -> Result<Option<Change>, Error> {
    let wanted = want.options().filter_map(|option| option.strip_prefix("pri=")).last();
    let (Some(wanted), Some(swap)) = (wanted, kernel.swap(want, machine)?) else { return Ok(None) };
    let is = format!("pri={}", swap.priority);
    Ok((swap.priority != wanted).then(|| Change::new(Property::Options, is, &want.options)))
}

/// How what the kernel has mounted differs from what is wanted.
fn live_differences(want: &Mount, top: &Mounted, machine: &dyn Inspect) -> Result<Vec<Change>, Error> {
    let mut changes = Vec::new();
    // systemd's placeholder, until something accesses the directory.
    if top.fstype == "autofs" {
        return Ok(changes);
    }
    if !device::is_same(want, top, machine)? {
        changes.push(Change::new(Property::Device, top.device(), want.device()));
    }
    if !kernel::is_fstype(want.fstype.as_deref().unwrap_or_default(), &top.fstype) {
        changes.push(Change::new(Property::Fstype, &top.fstype, want.fstype.as_deref().unwrap_or_default()));
    }
    if !options::are_in_force(want, top, &Meanings::read(machine)?) {
        changes.push(Change::new(Property::Options, top.options(want).join(","), &want.options));
    }
    Ok(changes)
}
