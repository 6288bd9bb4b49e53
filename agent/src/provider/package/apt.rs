//! apt: one transaction for many packages. If that fails, each is tried alone, so a bad one fails alone.
//!
//! dpkg's status file is judged afterwards, not exit codes: a package that was installed although another one's script
//! failed counts as installed.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use holdfast_catalog::resource::Package;
use holdfast_catalog::resource::package::{PackageEnsure, PackageState};

use super::dpkg_status::DpkgStatus;
use super::holds::Released;
use super::{difference, differences, is_text, provided, version};
use crate::provider::{Applied, Error};
use crate::system::{Invocation, Output, System};

mod holds;
mod lock;
mod simulation;
mod words;

pub use lock::run_unlocked;
use lock::{LOCK_IS_HELD, LOCK_TIMEOUT, unlocked};
use simulation::refuse_contradiction;
use words::{failure, is_locked};

/// How long a transaction may take: a large upgrade on a slow disk takes its time. If the end of the run interrupts it,
/// the next run makes dpkg finish first.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(3600);

/// How long package lists count as fresh after this process fetched them: they are not fetched again for an unknown
/// name.
const LISTS_STAY_FRESH: Duration = Duration::from_secs(600);

/// How much of apt's output is searched for the output of a script that failed, in bytes.
const MAX_OUTPUT: usize = 4 * 1024 * 1024;

static LISTS_FETCHED: Mutex<Option<Instant>> = Mutex::new(None);

/// Brings packages into their wanted state. Returns one result for each, in their order.
pub fn correct(
    machine: &dyn System,
    state_dir: &Path,
    wants: &[&Package],
    catalog: &[&Package],
) -> Vec<Result<Applied, Error>> {
    correct_unless(&LOCK_IS_HELD, machine, state_dir, wants, catalog)
}

fn correct_unless(
    lock_is_held: &AtomicBool,
    machine: &dyn System,
    state_dir: &Path,
    wants: &[&Package],
    catalog: &[&Package],
) -> Vec<Result<Applied, Error>> {
    let mut apt = Apt {
        machine,
        state_dir,
        catalog,
        said: Vec::new(),
        unfinished: None,
        was_repaired: false,
        lock_is_held,
    };
    let tried = apt.try_all(wants);
    match tried.and_then(|errors| Ok((errors, apt.status()?))) {
        Ok((errors, after)) => apt.judge(wants, &after, errors),
        Err(error) => {
            let error = Arc::new(error);
            wants.iter().map(|_| Err(error.clone().into())).collect()
        }
    }
}

/// What to do with a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum AptVerb {
    /// Install, change the version, or remove: apt does all of these in one transaction.
    Install,
    /// Remove with configuration, including that of a package that is already removed.
    Purge,
}

struct Apt<'a> {
    machine: &'a dyn System,
    /// Where released holds are recorded.
    state_dir: &'a Path,
    /// All packages of the catalog.
    catalog: &'a [&'a Package],
    /// Remarks that go with any result.
    said: Vec<String>,
    /// Why dpkg could not finish what it had begun: reported once, since another package is the cause.
    unfinished: Option<String>,
    /// Whether dpkg first had to finish what it had begun.
    was_repaired: bool,
    lock_is_held: &'a AtomicBool,
}

impl Apt<'_> {
    /// The option that makes apt wait for a lock: once in a run, and not longer than the run lasts.
    fn lock_timeout(&self) -> String {
        let is_held = self.lock_is_held.load(Relaxed);
        let wait = if is_held { Duration::ZERO } else { self.machine.patience(LOCK_TIMEOUT) };
        format!("DPkg::Lock::Timeout={}", wait.as_secs())
    }

    fn status(&self) -> Result<DpkgStatus, Error> {
        Ok(DpkgStatus::read(self.machine)?.unwrap_or_default())
    }

    /// Does what it can; returns the errors of packages that were tried alone, by index.
    fn try_all(&mut self, wants: &[&Package]) -> Result<BTreeMap<usize, Error>, Error> {
        let mut status = self.status()?;
        if status.is_interrupted() {
            self.repair()?;
            status = self.status()?;
        }
        self.refresh_lists(wants, &status)?;
        let released = self.release_holds(wants, &status)?;
        let tried = self.try_groups(wants);
        // A hold that was in the way is set again, whatever the result.
        self.hold(wants, &released)?;
        if let Err(error) = Released::default().write(self.state_dir) {
            // The next run reads the note again, and sees that the packages are held.
            tracing::warn!(%error, "cannot remove the note of holds that were set again");
        }
        tried
    }

    fn try_groups(&mut self, wants: &[&Package]) -> Result<BTreeMap<usize, Error>, Error> {
        let mut groups: BTreeMap<(AptVerb, &[String]), Vec<usize>> = BTreeMap::new();
        for (i, want) in wants.iter().enumerate() {
            groups.entry((verb(want), &want.options)).or_default().push(i);
        }
        let mut errors = BTreeMap::new();
        for ((verb, options), members) in groups {
            let members: Vec<_> = members.into_iter().map(|i| (i, wants[i])).collect();
            self.try_group(verb, options, &members, &mut errors)?;
        }
        Ok(errors)
    }

    /// Fetches old package lists if `latest` is asked for: only current lists know the newest version.
    fn refresh_lists(&mut self, wants: &[&Package], status: &DpkgStatus) -> Result<(), Error> {
        let latest = PackageEnsure::State(PackageState::Latest);
        let asks = wants.iter().any(|want| want.ensure == latest && wants_apt(want, status));
        if asks && super::lists::stale(self.machine)?.is_some() {
            self.fetch_lists()?;
        }
        Ok(())
    }

    /// Handles all packages in one transaction, and then each one alone that is not as wanted.
    fn try_group(
        &mut self,
        verb: AptVerb,
        options: &[String],
        members: &[(usize, &Package)],
        errors: &mut BTreeMap<usize, Error>,
    ) -> Result<(), Error> {
        let wants: Vec<&Package> = members.iter().map(|(_, want)| *want).collect();
        let Err(error) = self.transaction(verb, options, &wants) else { return Ok(()) };
        if let [(index, _)] = members {
            errors.insert(*index, error);
            return Ok(());
        }
        if self.lock_is_held.load(Relaxed) {
            // The cause holds up each of them in the same way.
            let error = Arc::new(error);
            errors.extend(members.iter().map(|(index, _)| (*index, Error::from(error.clone()))));
            return Ok(());
        }
        for (index, want) in members {
            if wants_apt(want, &self.status()?)
                && let Err(error) = self.transaction(verb, options, &[want])
            {
                errors.insert(*index, error);
            }
        }
        Ok(())
    }

    /// Runs apt once, and once more with new package lists if these do not know a package or version.
    fn transaction(&mut self, verb: AptVerb, options: &[String], wants: &[&Package]) -> Result<(), Error> {
        let status = self.status()?;
        let wants: Vec<&Package> = wants.iter().copied().filter(|want| wants_apt(want, &status)).collect();
        if wants.is_empty() {
            return Ok(());
        }
        if let Some(why) = self.machine.stopping() {
            return Err(Error::Refused(format!("{why} before this began")));
        }
        let command = command(verb, options, &wants, &status, &self.lock_timeout());
        refuse_contradiction(self.machine, &command, self.catalog)?;
        let mut output = self.unlocked(&command)?;
        if !output.succeeded() && lists_are_old(&output) && self.fetch_lists()? {
            refuse_contradiction(self.machine, &command, self.catalog)?;
            output = self.unlocked(&command)?;
        }
        if output.succeeded() && self.was_repaired && self.is_undone(&wants)? {
            // It finished what dpkg had begun, and nothing else.
            output = self.unlocked(&command)?;
        }
        self.lock_is_held.store(is_locked(&output), Relaxed);
        match provided::refusal(&output) {
            _ if output.succeeded() => Ok(()),
            Some(why) => Err(Error::Refused(why)),
            None => Err(failure(&command, &output).explained(self.machine)),
        }
    }

    /// Whether some of these are still not as wanted, according to dpkg.
    fn is_undone(&self, wants: &[&Package]) -> Result<bool, Error> {
        let status = self.status()?;
        Ok(wants.iter().any(|want| difference(want, &status, &HashMap::new()).is_some()))
    }

    /// Runs apt, and again while another program holds a lock for which apt itself does not wait.
    fn unlocked(&self, command: &Invocation) -> Result<Output, Error> {
        unlocked(self.machine, command, self.lock_is_held)
    }

    /// Notes that a lock was waited for in vain, once for everything that follows.
    fn has_waited(&self, output: &Output) {
        if is_locked(output) {
            self.lock_is_held.store(true, Relaxed);
        }
    }

    fn update(&self) -> Result<(Invocation, Output), Error> {
        let update = quietly(["apt-get", "-q", "-o", &self.lock_timeout(), "update"]);
        let output = self.unlocked(&update)?;
        self.has_waited(&output);
        Ok((update, output))
    }

    /// Fetches the package lists, unless that was done a moment ago; returns whether it did.
    fn fetch_lists(&mut self) -> Result<bool, Error> {
        let mut fetched = LISTS_FETCHED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if fetched.is_some_and(|at| at.elapsed() < LISTS_STAY_FRESH) {
            return Ok(false);
        }
        let (update, output) = self.update()?;
        *fetched = Some(Instant::now());
        self.said.push(if output.succeeded() {
            "the package lists were fetched first".to_owned()
        } else {
            Error::command(&update, &output).explained(self.machine).to_string()
        });
        Ok(true)
    }

    /// Finishes what an interrupted dpkg began.
    fn repair(&mut self) -> Result<(), Error> {
        let configure = quietly(["dpkg", "--force-confold", "--configure", "-a"]);
        let output = self.unlocked(&configure)?;
        self.has_waited(&output);
        self.was_repaired = true;
        if !output.succeeded() {
            self.unfinished = Some(Error::command(&configure, &output).explained(self.machine).to_string());
        } else if !self.status()?.is_interrupted() {
            // What is still half done, such as a package whose script fails, is reported by itself.
            self.said.push(
                "dpkg had been interrupted, or a script had failed: `dpkg --configure -a` finished its work first"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// Reports for each package whether it is as wanted now.
    fn judge(
        &self,
        wants: &[&Package],
        after: &DpkgStatus,
        mut errors: BTreeMap<usize, Error>,
    ) -> Vec<Result<Applied, Error>> {
        let mut unfinished = self.unfinished.clone().filter(|_| errors.is_empty());
        let virtual_by = provided::met(wants, after, self.machine).unwrap_or_default();
        let answer = |(i, want): (usize, &&Package)| {
            let error = errors.remove(&i);
            // dpkg's status file does not say whether a newer version is available.
            let latest = want.ensure == PackageEnsure::State(PackageState::Latest);
            if differences(want, after, &HashMap::new()).is_empty() && !(latest && error.is_some()) {
                let said = self.said.iter().cloned().chain(unfinished.take()).map(|said| (0, said)).collect();
                return Ok(Applied { said, failed: Vec::new() });
            }
            if let (None, Some(packages)) = (&error, virtual_by.get(want.title.as_str())) {
                let said = format!("`{}` provides it", packages.join("`, `"));
                return provided::plan(want, packages)
                    .map(|_| Applied { said: vec![(0, said)], failed: Vec::new() });
            }
            let is = is_text(after.package(want.title.as_str()));
            let silent = || Error::Unexpected(format!("apt reported success, but `{}` is {is}", want.title));
            Err(self.with_what_went_before(error.unwrap_or_else(silent)))
        };
        wants.iter().enumerate().map(answer).collect()
    }

    fn with_what_went_before(&self, error: Error) -> Error {
        let said: Vec<&str> = self.said.iter().chain(&self.unfinished).map(String::as_str).collect();
        if said.is_empty() { error } else { Error::Refused(format!("{error}\n{}", said.join("\n"))) }
    }
}

fn verb(want: &Package) -> AptVerb {
    match want.ensure {
        PackageEnsure::State(PackageState::Purged) => AptVerb::Purge,
        _ => AptVerb::Install,
    }
}

/// Whether apt has something to do for it; a hold alone needs no apt.
fn wants_apt(want: &Package, status: &DpkgStatus) -> bool {
    let installed = status.installed(want.title.as_str()).is_some();
    match want.ensure {
        PackageEnsure::State(PackageState::Latest) => true,
        PackageEnsure::State(PackageState::Held) => !installed,
        _ => difference(want, status, &HashMap::new()).is_some(),
    }
}

/// The transaction for packages that all need apt.
fn command(
    verb: AptVerb,
    options: &[String],
    wants: &[&Package],
    status: &DpkgStatus,
    lock: &str,
) -> Invocation {
    // Without a terminal, the output of dpkg and the scripts is separated from their errors.
    let options_of_ours = ["Dpkg::Options::=--force-confold", lock, "Dpkg::Use-Pty=0"];
    let mut arguments: Vec<String> = ["apt-get", "-y", "-q"].map(str::to_owned).into();
    arguments.extend(options_of_ours.iter().flat_map(|option| ["-o".to_owned(), (*option).to_owned()]));
    if wants.iter().any(|want| is_downgrade(want, status)) {
        arguments.push("--allow-downgrades".to_owned());
    }
    arguments.push(if verb == AptVerb::Purge { "purge" } else { "install" }.to_owned());
    arguments.extend(options.iter().cloned());
    arguments.push("--".to_owned());
    arguments.extend(wants.iter().map(|want| match &want.ensure {
        PackageEnsure::Version(version) => format!("{}={version}", want.title),
        PackageEnsure::State(PackageState::Absent) => format!("{}-", want.title),
        PackageEnsure::State(_) => want.title.to_string(),
    }));
    quietly(arguments).timeout(TRANSACTION_TIMEOUT).limit(MAX_OUTPUT)
}

/// Whether it may become an older version: because the resource says so, or a pin, without which apt chooses none.
fn is_downgrade(want: &Package, status: &DpkgStatus) -> bool {
    let PackageEnsure::Version(wanted) = &want.ensure else {
        return want.ensure == PackageEnsure::State(PackageState::Latest);
    };
    let installed = status.installed(want.title.as_str());
    installed.is_some_and(|package| version::compare(wanted, &package.version) == Ordering::Less)
}

/// A command that asks no questions.
pub fn quietly<S: Into<String>>(arguments: impl IntoIterator<Item = S>) -> Invocation {
    Invocation::new(arguments)
        .detached()
        .variable("DEBIAN_FRONTEND", "noninteractive")
        .variable("APT_LISTCHANGES_FRONTEND", "none")
        .variable("UCF_FORCE_CONFFOLD", "1")
}

/// Whether it failed in a way that new package lists may fix: they do not know a name or version, or the mirror no
/// longer has it.
fn lists_are_old(output: &Output) -> bool {
    let said = String::from_utf8_lossy(&output.stderr);
    let signs =
        ["Unable to locate package", "was not found", "has no installation candidate", "404  Not Found"];
    signs.iter().any(|sign| said.contains(sign))
}

#[cfg(test)]
mod tests;
