//! `sysctl`: settings of the kernel, compared with `/proc/sys` and with the file that keeps each across a reboot.
//!
//! The boot reads one file after another, in the order of their names, and does not check the result. If the kernel
//! changes one setting together with another, the file that is read later sets both.
//!
//! A value is written with `tee`, which writes in place: a file of the kernel cannot be replaced.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use holdfast_catalog::resource::Sysctl;
use holdfast_catalog::resource::attribute::{Presence, SysctlKey};
use holdfast_catalog::resource::sysctl::SysctlValue;

use super::text::edit::{PUBLIC, Texts, put};
use super::text::whole_file::{self, make_parents};
use super::{Applied, CatalogClaims, ChangeKind, Error, Left, Provider, Reading, Writing, properties};
use crate::system::{Inspect, Invocation, Liveness};

mod boot;

use boot::{Boot, BootValue};

/// How a setting is shown that no file keeps.
const NOT_KEPT: &str = "false";

/// The provider of `sysctl`.
pub struct KernelSettings;

/// The kernel's settings, the files that keep them, and what else the boot reads.
pub struct Seen {
    texts: Texts,
    boot: Boot,
}

properties! {
    Ensure => "ensure",
    Value => "value",
    Persist => "persist",
}

impl Provider for KernelSettings {
    type Want = Sysctl;
    type Seen = Seen;
    type Property = Property;

    fn observe(&self, all: &[&Sysctl], reading: Reading<'_>) -> Result<Seen, Error> {
        let live = reading.machine.liveness() == Liveness::Live;
        let kernel = all.iter().filter(|_| live).map(|want| want.title.path());
        let texts = Texts::read(reading.machine, all.iter().map(|want| want.title.file()).chain(kernel));
        Ok(Seen { texts, boot: Boot::read(reading.machine)? })
    }

    fn plan(&self, want: &Sysctl, Seen { texts, boot }: &Seen, reading: Reading<'_>) -> Result<Plan, Error> {
        let same =
            |other: &&Sysctl| other.title.setting() == want.title.setting() && other.title != want.title;
        if let Some(other) = reading.named.of_type::<Sysctl>().find(same) {
            return Err(Error::Conflict(format!(
                "sysctl[{}] is the same setting: declare it once",
                other.title
            )));
        }
        let file = texts.get(want.title.file())?;
        let Some(value) = want.value.as_ref().filter(|_| want.ensure == Presence::Present) else {
            let gone = file.map(|_| Change::new(Property::Ensure, Presence::Present, Presence::Absent));
            return Ok(Plan::of(gone.into_iter().collect()));
        };
        let live = reading.machine.liveness() == Liveness::Live;
        if !live && !want.persist {
            return Ok(Plan::NotApplicable("the kernel's settings are those of a running system".to_owned()));
        }
        let mut changes = Vec::new();
        if live {
            let text =
                texts.get(want.title.path()).map_err(|error| unreadable(want, reading.machine, error))?;
            let Some(is) = text.map(SysctlValue::new) else {
                return Ok(Plan::pending(unknown_to_the_kernel(want, reading.machine)));
            };
            changes.extend((!is.is_same(value)).then(|| Change::new(Property::Value, is, value)));
        }
        let followers = followers(want, reading.named);
        let (is, should) = (kept(&want.title, file, &followers), should_be_kept(want));
        let overruled = boot.overruling(&want.title, value, ours(reading.named)).filter(|_| want.persist);
        if is != should {
            let change = Change::new(Property::Persist, is, should);
            let own = file.filter(|file| alone(&want.title, file) == text(&want.title, value, &[]));
            changes.push(match own.filter(|_| want.persist) {
                // The catalog has other settings now, which nobody changed here.
                Some(_) => change
                    .kind(ChangeKind::Moved)
                    .note("the kernel sets this as well, so it is set afterwards"),
                None => change,
            });
        } else if let Some(not_own) = not_own(want, reading.machine)? {
            changes.push(Change::new(Property::Persist, not_own, should));
        } else if let Some(word) = overruled {
            changes.push(Change::new(Property::Persist, word.value, should).note(by_another(&word.path)));
        } else if let Some(word) = boot.overruling_by_hand(&want.title, value).filter(|_| want.persist) {
            let note = format!(
                "`sysctl --system` sets {} from {}, which it reads last",
                word.value,
                word.path.display()
            );
            changes.push(
                Change::new(Property::Persist, should.clone(), should).kind(ChangeKind::Note).note(note),
            );
        }
        Ok(Plan::of(changes))
    }

    fn apply(&self, want: &Sysctl, changes: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        let mut applied = Applied::default();
        for (i, change) in changes.iter().enumerate() {
            let done = match change.property {
                Property::Value => set(want, writing),
                // A value that the kernel refuses now, it would also refuse at the next boot.
                Property::Ensure | Property::Persist if !applied.failed.is_empty() => {
                    Err(Error::Unexpected("not saved, because the kernel does not accept it".to_owned()))
                }
                Property::Ensure | Property::Persist => {
                    keep(want, writing).and_then(|()| lasts(want, writing))
                }
            };
            applied.failed.extend(done.err().map(|error| (i, error)));
        }
        Ok(applied)
    }

    fn names<'a>(&self, want: &'a Sysctl) -> Vec<&'a str> {
        let kept = want.persist && want.ensure == Presence::Present;
        kept.then(|| want.title.file()).into_iter().collect()
    }

    fn left<'a>(&self, want: &'a Sysctl) -> Left<'a> {
        let mut left: Left<'a> = vec![("ensure".into(), want.ensure.to_string().into())];
        if let Some(value) = want.value.as_ref().filter(|_| want.ensure == Presence::Present) {
            left.push(("value".into(), value.as_str().into()));
            left.push(("persist".into(), should_be_kept(want)));
        }
        left
    }
}

/// The key as it must be written if a part of it contains a dot, such as the interface `eth0.1`; `None` if there is no
/// such setting.
fn meant(key: &SysctlKey, machine: &dyn Inspect) -> Option<String> {
    let parts: Vec<&str> = key.name().split('/').collect();
    let place = place_of(&parts, Path::new("/proc/sys"), machine)?;
    place.strip_prefix("/proc/sys").ok()?.to_str().map(str::to_owned)
}

/// The path of a setting some of whose parts may belong together. Each way is tried: beside `eth0.1` there is `eth0`.
fn place_of(parts: &[&str], below: &Path, machine: &dyn Inspect) -> Option<PathBuf> {
    if parts.is_empty() {
        return Some(below.to_owned());
    }
    (1..=parts.len()).find_map(|count| {
        let place = below.join(parts[..count].join("."));
        let is_there = machine.lstat(&place).is_ok_and(|stat| stat.is_some());
        is_there.then(|| place_of(&parts[count..], &place, machine)).flatten()
    })
}

/// Why nothing can be done about a key that the kernel does not have.
fn unknown_to_the_kernel(want: &Sysctl, machine: &dyn Inspect) -> String {
    let path = want.title.path();
    match meant(&want.title, machine) {
        Some(key) => format!("the kernel has no {path}: a part of the key has a dot, so write it as `{key}`"),
        None => format!(
            "the kernel has no {path}: a module brings it, or this kernel or container does not have it"
        ),
    }
}

/// The error if the kernel does not show a value.
fn unreadable(want: &Sysctl, machine: &dyn Inspect, error: Error) -> Error {
    let stat = machine.stat(Path::new(want.title.path()));
    if stat.is_ok_and(|stat| stat.is_some_and(|stat| stat.mode & 0o444 == 0)) {
        let why = "can only be written, so it cannot be checked: write it with an `exec`";
        return Error::Unsupported(format!("{} {why}", want.title.path()));
    }
    error
}

/// Gives the kernel the value, which it may round, limit or ignore.
fn set(want: &Sysctl, writing: Writing<'_>) -> Result<(), Error> {
    let value = want.value.as_ref().map_or("", SysctlValue::as_str);
    let write = Invocation::new(["tee", "--", want.title.path()]).input(format!("{value}\n"));
    writing.run(&write).map_err(|error| refused(want, value, error))?;
    let is = writing.machine.read_text(Path::new(want.title.path()))?.unwrap_or_default();
    let is = SysctlValue::new(&is);
    if is.is_same(&SysctlValue::new(value)) {
        return Ok(());
    }
    Err(Error::Unexpected(format!(
        "the kernel has `{is}` instead of `{value}` after writing; use a value that the kernel keeps unchanged"
    )))
}

/// The error if the kernel did not accept a value, with its reason.
fn refused(want: &Sysctl, value: &str, error: Error) -> Error {
    let Error::Command { said, .. } = &error else { return error };
    let place = format!("{}: ", want.title.path());
    match said.trim().rsplit_once(&place) {
        Some((_, why @ ("Invalid argument" | "Numerical result out of range"))) => {
            Error::Refused(format!("the kernel does not accept `{value}` for {}: {why}", want.title))
        }
        Some((_, why)) => Error::Refused(format!("cannot write {}: {why}", want.title.path())),
        None => error,
    }
}

/// Writes the file, or removes it.
fn keep(want: &Sysctl, writing: Writing<'_>) -> Result<(), Error> {
    match want.value.as_ref().filter(|_| want.persist && want.ensure == Presence::Present) {
        Some(value) => {
            // A directory of the distribution, which an image may lack.
            make_parents(writing.machine, Path::new(want.title.file()))?;
            let text = text(&want.title, value, &followers(want, writing.named));
            put(writing, want.title.file(), PUBLIC, &text)
        }
        None => Ok(writing.machine.remove(Path::new(want.title.file()))?),
    }
}

/// Fails if the boot uses a value other than the one in the file that was written.
fn lasts(want: &Sysctl, writing: Writing<'_>) -> Result<(), Error> {
    let Some(value) = want.value.as_ref().filter(|_| want.persist && want.ensure == Presence::Present) else {
        return Ok(());
    };
    match Boot::read(writing.machine)?.overruling(&want.title, value, ours(writing.named)) {
        None => Ok(()),
        Some(BootValue { value: is, path }) => Err(Error::Conflict(format!(
            "the boot sets {is}, {}: remove {} from that file, set it to this value, or give the file a name that sorts before {}",
            by_another(&path),
            want.title,
            want.title.file()
        ))),
    }
}

/// Whether a file belongs to one of the catalog's settings.
fn ours<'a>(named: &CatalogClaims<'a>) -> impl Fn(&Path) -> bool + use<'a> {
    let files: BTreeSet<&'a Path> =
        named.of_type::<Sysctl>().map(|other| Path::new(other.title.file())).collect();
    move |path| files.contains(path)
}

/// Why the file does not belong to this agent, if one is wanted.
fn not_own(want: &Sysctl, machine: &dyn Inspect) -> Result<Option<String>, Error> {
    if want.persist { whole_file::not_own(machine, want.title.file()) } else { Ok(None) }
}

/// Other settings that the kernel changes together with this one, and whose files the boot reads earlier. They are set
/// again after it, each with its own value.
fn followers<'a>(want: &Sysctl, named: &CatalogClaims<'a>) -> Vec<&'a Sysctl> {
    let is_undone = |other: &&Sysctl| {
        other.persist
            && other.ensure == Presence::Present
            && want.title.spreads_to(&other.title)
            && other.title.file() < want.title.file()
    };
    let mut all: Vec<_> = named.of_type::<Sysctl>().filter(is_undone).collect();
    all.sort_unstable_by_key(|other| other.title.name());
    all
}

/// A file without the settings that the kernel changes together with this one.
fn alone(key: &SysctlKey, file: &str) -> String {
    let is_followers = |line: &str| boot::setting(line).is_some_and(|(other, _)| key.spreads_to(&other));
    file.split_inclusive('\n').filter(|line| !is_followers(line)).collect()
}

fn by_another(path: &Path) -> String {
    format!("by {}, which is read later", path.display())
}

fn text(key: &SysctlKey, value: &SysctlValue, followers: &[&Sysctl]) -> String {
    let line = |key: &SysctlKey, value: &SysctlValue| format!("{} = {value}\n", key.name());
    let head = format!("# Written by holdfast for sysctl[{key}]; what is changed here is undone.\n");
    let more = followers.iter().filter_map(|other| Some(line(&other.title, other.value.as_ref()?)));
    [head, line(key, value)].into_iter().chain(more).collect()
}

/// The value that should be kept, or that none should.
fn should_be_kept(want: &Sysctl) -> Cow<'_, str> {
    want.value.as_ref().filter(|_| want.persist).map_or(NOT_KEPT.into(), |value| value.as_str().into())
}

/// What a file keeps: the value of the key or, if the file has anything else, its lines.
fn kept<'a>(key: &SysctlKey, file: Option<&'a str>, followers: &[&Sysctl]) -> Cow<'a, str> {
    let Some(file) = file else { return NOT_KEPT.into() };
    let own = file.lines().filter_map(boot::setting).find(|(name, _)| name.name() == key.name());
    match own {
        Some((_, value)) if file == text(key, &value, followers) => value.to_string().into(),
        _ => file.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("; ").into(),
    }
}

#[cfg(test)]
mod tests;
