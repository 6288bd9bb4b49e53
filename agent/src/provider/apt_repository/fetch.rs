//! Package lists of new sources, which apt fetches while their files are not in its directory yet.
//!
//! The lists of other sources are neither fetched nor removed, so one that does not answer holds up none of the others.
//! If some of the new ones fail together, each is tried alone. Then apt is asked whether it reads them together with
//! all others: if two sources contradict each other, it reads none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::provider::package::{quietly, run_unlocked};
use crate::provider::{Error, Writing, answer};
use crate::system::{FileKind, Inspect, Invocation, Machine, Permissions, System as _};

/// The sources file from the time when there was only one.
const LIST: &str = "/etc/apt/sources.list";

/// The directory in which apt looks for sources.
const PARTS: &str = "/etc/apt/sources.list.d";

/// The largest file of sources that is looked at, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// The most bytes of apt's output that are kept. It lists all that it reads, which is not needed.
const MAX_ANSWER: usize = 64 * 1024;

/// How long fetching may take: a mirror may be slow, and lists are long.
const TIMEOUT: Duration = Duration::from_secs(900);

/// The directory for staged sources, relative to the agent's state.
const DIRECTORY: &str = "/apt-sources";

const PRIVATE: Permissions = Permissions { mode: 0o700, uid: None, gid: None };

/// Names and texts of sources.
type AptSources<'a> = [(&'a str, String)];

/// Fetches the lists of these sources. Returns those that failed, and why.
pub fn lists(sources: &AptSources<'_>, writing: Writing<'_>) -> BTreeMap<String, Error> {
    let mut failed = BTreeMap::new();
    let Err(error) = together(sources, writing) else { return failed };
    if let [(name, _)] = sources {
        failed.insert((*name).to_owned(), error);
        return failed;
    }
    for one in sources {
        if let Err(error) = together(std::slice::from_ref(one), writing) {
            failed.insert(one.0.to_owned(), error);
        }
    }
    failed
}

/// Why apt reads no sources at all, although each of these files was checked with all others when it was written. apt
/// is asked only if others were written since.
pub fn unread(own: Vec<&str>, machine: &dyn Inspect) -> Result<Option<Error>, Error> {
    let changed = |path: &Path| -> Result<Option<(i64, u32)>, Error> {
        let stat = machine.stat(path)?.filter(|stat| stat.kind == FileKind::File);
        Ok(stat.map(|stat| (stat.times.changed, stat.times.changed_nanos)))
    };
    let mut checked = None;
    for path in &own {
        let one = changed(Path::new(path))?;
        checked = if checked.is_none() { one } else { checked.min(one.or(checked)) };
    }
    let Some(checked) = checked else { return Ok(None) };
    let mut others = vec![PathBuf::from(LIST)];
    if machine.stat(Path::new(PARTS))?.is_some() {
        others.extend(machine.list(Path::new(PARTS))?.into_iter().map(|name| Path::new(PARTS).join(name)));
    }
    let mut is_new = false;
    for path in others.iter().filter(|path| !own.iter().any(|own| Path::new(own) == **path)) {
        is_new |= changed(path)?.is_some_and(|changed| changed > checked);
    }
    if !is_new {
        return Ok(None);
    }
    let command = quietly(["apt-get", "-q", "indextargets"]).limit(MAX_ANSWER);
    let output = answer(machine, &command)?;
    let said =
        || format!("apt cannot read any sources, and so cannot read this one: {}", output.last_words());
    Ok((!output.succeeded()).then(|| Error::Refused(said())))
}

/// Those of these sources that would make apt read none, and why; `gone` has the names of files that are going to be
/// removed. If apt reads none even without them, they are not to blame.
pub fn contradictions(
    sources: &AptSources<'_>,
    gone: &[&str],
    writing: Writing<'_>,
) -> BTreeMap<String, Error> {
    let mut refused = BTreeMap::new();
    if sources.is_empty() || beside_others(sources, gone, writing).is_ok() {
        return refused;
    }
    let mut taken: Vec<(&str, String)> = Vec::new();
    for one in sources {
        let with_one: Vec<_> = taken.iter().chain([one]).cloned().collect();
        match beside_others(&with_one, gone, writing) {
            Err(error) if beside_others(&taken, gone, writing).is_ok() => {
                refused.insert(one.0.to_owned(), error);
            }
            _ => taken = with_one,
        }
    }
    refused
}

/// Makes apt read these sources and all others of the machine.
fn beside_others(sources: &AptSources<'_>, gone: &[&str], writing: Writing<'_>) -> Result<(), Error> {
    let machine = writing.machine;
    let is_own = |name: &str| {
        gone.contains(&name) || sources.iter().any(|(own, _)| name.strip_suffix(".sources") == Some(*own))
    };
    let mut files = own_files(sources);
    if machine.stat(Path::new(PARTS))?.is_some() {
        for name in machine.list(Path::new(PARTS))? {
            let Some(name) = name.to_str().filter(|name| !is_own(name)) else { continue };
            let path = Path::new(PARTS).join(name);
            if machine.stat(&path)?.is_some_and(|stat| stat.kind == FileKind::File) {
                let text = machine.read(&path, MAX_BYTES)?.unwrap_or_default();
                files.push((name.to_owned(), text));
            }
        }
    }
    staged(&files, writing, |place| {
        let parts = format!("Dir::Etc::sourceparts={}", place.display());
        let command = quietly(["apt-get", "-q", "-o", &parts, "indextargets"]).limit(MAX_ANSWER);
        let output = answer(machine, &command)?;
        if output.succeeded() {
            return Ok(());
        }
        let said = output.last_words();
        Err(Error::Refused(format!(
            "with the other sources of this machine, apt would reject it, so it is not written: {said}"
        )))
    })
}

/// Names and contents of the files of these sources.
fn own_files(sources: &AptSources<'_>) -> Vec<(String, Vec<u8>)> {
    sources.iter().map(|(name, text)| (format!("{name}.sources"), text.clone().into_bytes())).collect()
}

/// Fetches the lists in one run of apt, which sees these sources and no others.
fn together(sources: &AptSources<'_>, writing: Writing<'_>) -> Result<(), Error> {
    if sources.is_empty() {
        return Ok(());
    }
    staged(&own_files(sources), writing, |place| run_unlocked(writing.machine, &update(place)).map(|_| ()))
}

/// Puts files into a directory of their own while `act` uses them.
fn staged(
    files: &[(String, Vec<u8>)],
    writing: Writing<'_>,
    act: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<(), Error> {
    let state = Machine::open(writing.state_dir)?;
    let place = Path::new(DIRECTORY);
    if state.lstat(place)?.is_some() {
        state.remove_tree(place)?;
    }
    state.make_dir(place, PRIVATE)?;
    for (name, text) in files {
        let access = Permissions { mode: 0o600, ..PRIVATE };
        let _ = state.stage(&place.join(name), access, &mut text.as_slice())?.commit()?;
    }
    let done = act(&writing.state_dir.join(&DIRECTORY[1..]));
    state.remove_tree(place)?;
    done
}

fn update(sources: &Path) -> Invocation {
    let parts = format!("Dir::Etc::sourceparts={}", sources.display());
    let options = [
        "Dir::Etc::sourcelist=/dev/null",
        &parts,
        "APT::Get::List-Cleanup=0",
        // Without this, apt is satisfied if it got some of the lists.
        "APT::Update::Error-Mode=any",
    ];
    let options = options.into_iter().flat_map(|option| ["-o", option]);
    quietly(["apt-get", "-q"].into_iter().chain(options).chain(["update"])).timeout(TIMEOUT)
}
