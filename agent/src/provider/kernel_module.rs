//! `kernel_module`: what the kernel has loaded, and the files that say what is loaded at boot, and with which options.

use std::path::Path;

use holdfast_catalog::resource::KernelModule;
use holdfast_catalog::resource::attribute::Presence;

use super::text::edit::{PUBLIC, Texts, put};
use super::text::whole_file;
use super::{Applied, Error, Left, Provider, Reading, Writing, properties};
use crate::system::{Inspect, Invocation};

mod kernel;
mod others;
mod probe_file;

use kernel::{Kernel, ModuleState};
use others::{KeptOut, ModuleFiles};
use probe_file::ProbeFile;

/// The provider of `kernel_module`.
pub struct KernelModules;

/// The files about the modules, and what the kernel has; `None` if the root is not a running system.
pub struct Seen {
    texts: Texts,
    kernel: Option<Kernel>,
    others: ModuleFiles,
}

properties! {
    Ensure => "ensure",
    Persist => "persist",
    Options => "options",
    Blacklist => "blacklist",
}

impl Provider for KernelModules {
    type Want = KernelModule;
    type Seen = Seen;
    type Property = Property;

    fn observe(&self, all: &[&KernelModule], reading: Reading<'_>) -> Result<Seen, Error> {
        let files = all.iter().flat_map(|want| [want.title.load_file(), want.title.probe_file()]);
        let others = ModuleFiles::read(reading.machine)?;
        Ok(Seen {
            texts: Texts::read(reading.machine, files),
            kernel: Kernel::read(reading.machine)?,
            others,
        })
    }

    fn plan(&self, want: &KernelModule, seen: &Seen, reading: Reading<'_>) -> Result<Plan, Error> {
        let mut changes = Vec::new();
        if let Some(kernel) = &seen.kernel {
            changes.extend(loading(want, kernel.state(&want.title.normal(), reading.machine)?)?);
        }
        if let Some(should) = should_persist(want) {
            let is = persists(want, seen.texts.get(want.title.load_file())?);
            let is = if is == should {
                not_as_said(want, &seen.others, reading.machine)?
            } else {
                Some(is.to_owned())
            };
            changes.extend(is.map(|is| Change::new(Property::Persist, is, should)));
        }
        let text = seen.texts.get(want.title.probe_file())?.unwrap_or_default();
        let differences = ProbeFile::parse(want, text).differences(want, text);
        if differences.is_empty() {
            changes.extend(not_in_force(want, &seen.others, reading.machine)?);
        }
        changes.extend(differences);
        let is_there = |path: &str| -> Result<bool, Error> {
            let folder = Path::new(path).parent().unwrap_or(Path::new("/"));
            Ok(reading.machine.stat(folder)?.is_some())
        };
        let writes = changes.iter().any(|change| change.property != Property::Ensure);
        let has_folders = is_there(want.title.load_file())? && is_there(want.title.probe_file())?;
        if writes && !has_folders {
            return Ok(Plan::pending(
                "/etc/modules-load.d or /etc/modprobe.d is missing: install the package `kmod`".to_owned(),
            ));
        }
        Ok(Plan::of(changes))
    }

    fn apply(&self, want: &KernelModule, changes: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        let mut applied = Applied::default();
        // Options first: they take effect when the module is loaded.
        for (i, change) in changes.iter().enumerate().rev() {
            let done = match change.property {
                Property::Ensure => load(want, writing),
                Property::Persist => write(writing, want.title.load_file(), &load_text(want))
                    .and_then(|()| lasts(want, writing)),
                Property::Options => configure(want, writing).and_then(|()| counts(want, writing)),
                Property::Blacklist => configure(want, writing),
            };
            applied.failed.extend(done.err().map(|error| (i, error)));
        }
        Ok(applied)
    }

    fn names<'a>(&self, want: &'a KernelModule) -> Vec<&'a str> {
        let load = (should_persist(want) == Some("true")).then(|| want.title.load_file());
        let has_options = want.options.as_deref().is_none_or(|options| !options.is_empty());
        let probe = (has_options || want.blacklist).then(|| want.title.probe_file());
        load.into_iter().chain(probe).collect()
    }

    fn left<'a>(&self, want: &'a KernelModule) -> Left<'a> {
        let mut left: Left<'a> = vec![("ensure".into(), want.ensure.to_string().into())];
        left.extend(should_persist(want).map(|persist| ("persist".into(), persist.into())));
        left.extend(want.options.as_deref().map(|options| ("options".into(), options.trim().into())));
        left.push(("blacklist".into(), want.blacklist.to_string().into()));
        left
    }
}

/// The change to what the kernel has loaded, if one is needed.
fn loading(want: &KernelModule, is: ModuleState) -> Result<Option<Change>, Error> {
    match (want.ensure, is) {
        (Presence::Present, ModuleState::Absent) => {
            Ok(Some(Change::new(Property::Ensure, Presence::Absent, Presence::Present)))
        }
        (Presence::Absent, ModuleState::Loaded) => {
            Ok(Some(Change::new(Property::Ensure, Presence::Present, Presence::Absent)))
        }
        (Presence::Absent, ModuleState::BuiltIn) => Err(Error::Unsupported(format!(
            "`{}` is built into the kernel and cannot be removed: leave it out, or use another kernel",
            want.title
        ))),
        _ => Ok(None),
    }
}

/// Whether the module should be loaded at boot by a file, as text; `None` if that is not managed.
fn should_persist(want: &KernelModule) -> Option<&'static str> {
    match (want.ensure, want.persist) {
        (Presence::Present, true) => Some("true"),
        (Presence::Present, false) | (Presence::Absent, true) => Some("false"),
        (Presence::Absent, false) => None,
    }
}

/// What another file does with a module at boot that contradicts the resource.
fn at_boot<'a>(want: &KernelModule, others: &'a ModuleFiles) -> Option<(Option<KeptOut>, &'a Path)> {
    let kept_out = others.keeping_out(&want.title);
    match want.ensure {
        // A module that is kept out is not loaded at boot.
        Presence::Absent if want.blacklist || kept_out.is_some() => None,
        Presence::Absent => others.loading(&want.title).map(|path| (None, path)),
        Presence::Present => kept_out.filter(|_| want.persist).map(|(kept_out, path)| (Some(kept_out), path)),
    }
}

/// What happens at boot despite the module's own file, which is as wanted.
fn not_as_said(
    want: &KernelModule,
    others: &ModuleFiles,
    machine: &dyn Inspect,
) -> Result<Option<String>, Error> {
    let other = at_boot(want, others).map(|(kept_out, path)| {
        format!("{} {}", kept_out.map_or("named in", KeptOut::participle), path.display())
    });
    Ok(match other {
        None if want.ensure == Presence::Present && want.persist => {
            whole_file::not_own(machine, want.title.load_file())?
        }
        other => other,
    })
}

/// Why the options are not in force, or come from another file, although the module's own file is as wanted.
fn not_in_force(
    want: &KernelModule,
    others: &ModuleFiles,
    machine: &dyn Inspect,
) -> Result<Option<Change>, Error> {
    let options = want.options.as_deref().filter(|options| !options.trim().is_empty());
    let other = options.and_then(|options| others.overruling(&want.title, options));
    if let Some((option, path)) = other {
        let is = format!("{option} by {}, which is read later", path.display());
        return Ok(Some(Change::new(Property::Options, is, options.unwrap_or_default().trim())));
    }
    let not_own = whole_file::not_own(machine, want.title.probe_file())?;
    Ok(not_own.and_then(|is| match options {
        Some(options) => Some(Change::new(Property::Options, is, options.trim())),
        None => want.blacklist.then(|| Change::new(Property::Blacklist, is, true)),
    }))
}

/// Fails if another file makes the boot do something else.
fn lasts(want: &KernelModule, writing: Writing<'_>) -> Result<(), Error> {
    let others = ModuleFiles::read(writing.machine)?;
    let Some((kept_out, path)) = at_boot(want, &others) else { return Ok(()) };
    let (title, path) = (&want.title, path.display());
    Err(Error::Conflict(match kept_out {
        None => format!(
            "`{title}` is loaded at each boot, because {path} names it: remove it from that file, or set blacklist = true"
        ),
        Some(kept_out) => {
            format!("`{title}` is not loaded at boot, because {path} {}: remove that line", kept_out.does())
        }
    }))
}

/// Fails if another file gives an option another value.
fn counts(want: &KernelModule, writing: Writing<'_>) -> Result<(), Error> {
    let others = ModuleFiles::read(writing.machine)?;
    match others.overruling(&want.title, want.options.as_deref().unwrap_or_default()) {
        None => Ok(()),
        Some((option, path)) => Err(Error::Conflict(format!(
            "`{}` is loaded with {option}, by {}, which is read after {}: remove it from that file, or set it to this value",
            want.title,
            path.display(),
            want.title.probe_file()
        ))),
    }
}

fn persists<'a>(want: &KernelModule, file: Option<&'a str>) -> &'a str {
    match file {
        None => "false",
        Some(text) if text == wanted_load_text(want) => "true",
        Some(text) => text.trim(),
    }
}

fn wanted_load_text(want: &KernelModule) -> String {
    format!("{}{}\n", header(want), want.title)
}

fn load_text(want: &KernelModule) -> String {
    if should_persist(want) == Some("true") { wanted_load_text(want) } else { String::new() }
}

fn header(want: &KernelModule) -> String {
    format!("# Written by holdfast for kernel_module[{}]; what is changed here is undone.\n", want.title)
}

fn load(want: &KernelModule, writing: Writing<'_>) -> Result<(), Error> {
    let name = want.title.to_string();
    let command = match want.ensure {
        Presence::Present => vec!["modprobe", "--", &name],
        Presence::Absent => vec!["modprobe", "--remove", "--", &name],
    };
    writing.run(&Invocation::new(command))?;
    match Kernel::read(writing.machine)? {
        Some(kernel) => came_about(want, kernel.state(&want.title.normal(), writing.machine)?),
        None => Ok(()),
    }
}

/// Checks that the kernel has what modprobe reported: a line in its files may make it do something else.
fn came_about(want: &KernelModule, is: ModuleState) -> Result<(), Error> {
    let Some(change) = loading(want, is)? else { return Ok(()) };
    Err(Error::Unexpected(format!(
        "modprobe succeeded, but `{}` is {} in the kernel; look for `install`, `remove` and `alias` in \
         `modprobe --showconfig`, and name a module by its own name",
        want.title,
        change.is.text()
    )))
}

/// Writes options and blacklist, which share a file.
fn configure(want: &KernelModule, writing: Writing<'_>) -> Result<(), Error> {
    let path = want.title.probe_file();
    let texts = Texts::read(writing.machine as &dyn Inspect, [path]);
    let text = ProbeFile::parse(want, texts.get(path)?.unwrap_or_default()).wanted(want).text(want);
    write(writing, path, &text)
}

/// Writes a file with this text, or removes it if the text is empty.
fn write(writing: Writing<'_>, path: &str, text: &str) -> Result<(), Error> {
    if text.is_empty() {
        Ok(writing.machine.remove(Path::new(path))?)
    } else {
        put(writing, path, PUBLIC, text)
    }
}

#[cfg(test)]
mod tests;
