//! `package`: what is installed, according to dpkg's status file. apt makes the changes, for all packages that are
//! ready in one transaction.
//!
//! Needs a running system: under another root nothing is known or changed. Other package managers are not supported; a
//! machine without dpkg gets a message that says so.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;

use holdfast_catalog::resource::Package;
use holdfast_catalog::resource::claim::Claim;
use holdfast_catalog::resource::package::{PackageEnsure, PackageState};

use super::{Alias, Applied, ChangeKind, Error, Job, Left, Provider, Reading, Taken, Writing, properties};
use crate::system::Liveness;

mod apt;
mod candidates;
mod dpkg_status;
mod holds;
mod lists;
mod provided;
mod version;

use dpkg_status::{DpkgState, DpkgStatus};
use holds::Released;

pub(super) use apt::{quietly, run_unlocked};

/// The provider of `package`.
pub struct Packages;

/// What dpkg has, and the newest versions that apt offers if they are needed.
pub enum Seen {
    /// This root is not a running system.
    NotLive,
    /// There is no dpkg.
    NoDpkg,
    Dpkg {
        status: DpkgStatus,
        /// The newest available version, by title, of packages with `latest`.
        candidates: HashMap<String, String>,
        /// The installed packages that provide a title which is not the name of any package.
        virtual_by: provided::Providers,
        /// The age of the package lists in seconds, if it should be reported.
        lists_age: Option<i64>,
        /// Packages whose hold a run released and did not set again.
        released: Released,
    },
}

properties! {
    Ensure => "ensure",
    Hold => "hold",
}

impl Provider for Packages {
    type Want = Package;
    type Seen = Seen;
    type Property = Property;
    const ACTS_ANYWHERE: bool = true;

    const TAKEN: Taken = Taken::Together;

    fn observe(&self, all: &[&Package], reading: Reading<'_>) -> Result<Seen, Error> {
        if reading.machine.liveness() != Liveness::Live {
            return Ok(Seen::NotLive);
        }
        let Some(status) = DpkgStatus::read(reading.machine)? else { return Ok(Seen::NoDpkg) };
        let latest = all.iter().filter(|want| want.ensure == PackageEnsure::State(PackageState::Latest));
        let names: Vec<&str> =
            latest.filter(|want| refusal(want).is_none()).map(|want| want.title.as_str()).collect();
        let candidates = candidates::read(reading.machine, &names)?;
        let lists_age = if names.is_empty() { None } else { lists::stale(reading.machine)? };
        let virtual_by = provided::met(all, &status, reading.machine)?;
        let released = Released::read(reading.state_dir);
        Ok(Seen::Dpkg { status, candidates, virtual_by, lists_age, released })
    }

    fn plan(&self, want: &Package, seen: &Seen, reading: Reading<'_>) -> Result<Plan, Error> {
        let not_applicable = |why: &str| Ok(Plan::NotApplicable(why.to_owned()));
        match seen {
            Seen::NotLive => not_applicable("packages are managed on a running system only"),
            Seen::NoDpkg => match super::apt::missing(reading.machine)? {
                Some(no_apt) => {
                    not_applicable(&format!("{no_apt}, and packages are managed only with apt and dpkg"))
                }
                None => not_applicable(
                    "this machine has no /var/lib/dpkg/status, the record of its packages: the file was lost, and \
                     /var/backups has older ones",
                ),
            },
            Seen::Dpkg { status, candidates, virtual_by, lists_age, released } => {
                if let Some(why) = refusal(want) {
                    return Err(Error::Refused(why));
                }
                let by = virtual_by.get(want.title.as_str());
                if let Some(packages) = by.filter(|packages| !provided::stay(want, packages, reading)) {
                    return provided::plan(want, packages);
                }
                if let Some(why) = epoch(want, status) {
                    return Err(Error::Refused(why));
                }
                let mut changes = differences(want, status, candidates);
                let title = want.title.as_str();
                let is_free = status.installed(title).is_some_and(|package| !package.held);
                let lost = changes.is_empty() && is_free && released.titles(&[want], status).contains(&title);
                changes.extend(lost.then(|| Change::new(Property::Hold, false, true).note(holds::NOTE)));
                let is_latest = changes.is_empty() && candidates.contains_key(want.title.as_str());
                let note = lists_age.filter(|_| is_latest).map(lists::note);
                changes.extend(note.map(|note| {
                    let is = is_text(status.package(want.title.as_str()));
                    Change::new(Property::Ensure, is, &want.ensure).kind(ChangeKind::Note).note(note)
                }));
                Ok(Plan::of(changes))
            }
        }
    }

    fn apply(&self, want: &Package, changes: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        let mut answers = self.apply_together(&[Job { want, changes }], writing);
        answers.pop().unwrap_or_else(|| Ok(Applied::default()))
    }

    fn apply_together(
        &self,
        jobs: &[Job<'_, Package, Property>],
        writing: Writing<'_>,
    ) -> Vec<Result<Applied, Error>> {
        let wants: Vec<&Package> = jobs.iter().map(|job| job.want).collect();
        let catalog: Vec<&Package> = writing.named.of_type::<Package>().collect();
        apt::correct(writing.machine, writing.state_dir, &wants, &catalog)
    }

    fn aliases(&self, want: &Package, seen: &Seen, reading: Reading<'_>) -> Vec<Alias> {
        let Seen::Dpkg { status, virtual_by, .. } = seen else { return Vec::new() };
        let title = want.title.as_str();
        let own = status.architecture();
        if let Some((name, architecture)) = title.split_once(':').filter(|(_, word)| Some(*word) == own) {
            let why = format!("`{architecture}` is this machine's own architecture");
            return Alias::all([Claim::whole("package", name)], why);
        }
        // An error here does not mean a conflict; if apt would then replace one package with the other, it refuses that
        // itself.
        let unwanted = provided::unwanted(want, virtual_by, reading).unwrap_or_default();
        let of = |name: &String| {
            let why = format!("`{title}` is a virtual package, which `{name}` provides");
            Alias::all([Claim::whole("package", name)], why)
        };
        unwanted.iter().flat_map(of).collect()
    }

    fn stands_at(&self, want: &Package, seen: &Seen) -> Option<(Property, String)> {
        let Seen::Dpkg { status, .. } = seen else { return None };
        let installed = status.installed(want.title.as_str());
        let installed = installed.filter(|_| want.ensure == PackageEnsure::State(PackageState::Latest));
        installed.map(|package| (Property::Ensure, package.version.clone()))
    }

    fn left<'a>(&self, want: &'a Package) -> Left<'a> {
        let hold = want.hold.map(|hold| ("hold".into(), hold.to_string().into()));
        [(Cow::Borrowed("ensure"), Cow::Owned(want.ensure.to_string()))].into_iter().chain(hold).collect()
    }
}

/// Why apt must not be given a package as it is written: it would read another meaning into it.
fn refusal(want: &Package) -> Option<String> {
    let title = want.title.as_str();
    let (name, architecture) = title.split_once(':').unwrap_or((title, "all"));
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    // A hyphen at the end asks apt to remove the package, a dollar sign matches several names.
    let is_name = name.len() > 1
        && name.bytes().next().is_some_and(plain)
        && name.bytes().all(|b| plain(b) || b"+-.".contains(&b))
        && !name.ends_with('-');
    if !is_name || architecture.is_empty() || !architecture.bytes().all(|b| plain(b) || b == b'-') {
        return Some(format!(
            "`{title}` is not a valid package name; write `name` or `name:architecture`, in lower case"
        ));
    }
    let word = want.options.iter().find(|option| !option.starts_with('-'))?;
    Some(format!(
        "option `{word}` would be read as a package; write an option with a value as `--option=value`"
    ))
}

/// The message if the installed version is the wanted one, but with an epoch: apt would not find the wanted one.
fn epoch(want: &Package, status: &DpkgStatus) -> Option<String> {
    let PackageEnsure::Version(wanted) = &want.ensure else { return None };
    let is = &status.installed(want.title.as_str())?.version;
    let (_, rest) = is.split_once(':')?;
    (rest == wanted)
        .then(|| format!("`{wanted}` is the version that is installed, but without its epoch: write `{is}`"))
}

/// The changes that are needed.
fn differences(want: &Package, status: &DpkgStatus, candidates: &HashMap<String, String>) -> Vec<Change> {
    let installed = status.installed(want.title.as_str());
    let hold = installed.zip(asked_hold(want)).filter(|(package, hold)| package.held != *hold);
    let hold = hold.map(|(package, hold)| Change::new(Property::Hold, package.held, hold));
    difference(want, status, candidates).into_iter().chain(hold).collect()
}

/// The hold that the attribute of its own asks for: `held` is compared as a state.
fn asked_hold(want: &Package) -> Option<bool> {
    want.hold.filter(|_| want.ensure != PackageEnsure::State(PackageState::Held))
}

/// The change of state or version, if one is needed.
fn difference(want: &Package, status: &DpkgStatus, candidates: &HashMap<String, String>) -> Option<Change> {
    let package = status.package(want.title.as_str());
    let state = package.map_or(DpkgState::NotInstalled, |package| package.state);
    let installed = status.installed(want.title.as_str());
    let is = match installed {
        Some(installed) if asked_hold(want).is_some() => installed.version.clone(),
        _ => is_text(package),
    };
    let differs =
        |should: String| Some(Change::new(Property::Ensure, is.clone(), should).also(is_also(package)));
    let asked = want.ensure.to_string();
    match (&want.ensure, installed) {
        (PackageEnsure::State(PackageState::Absent), _) => match state {
            DpkgState::NotInstalled | DpkgState::ConfigFiles => None,
            DpkgState::Broken | DpkgState::Installed => differs(asked),
        },
        (PackageEnsure::State(PackageState::Purged), _) => {
            if state == DpkgState::NotInstalled {
                None
            } else {
                differs(asked)
            }
        }
        (_, None) => differs(asked),
        (PackageEnsure::State(PackageState::Present), Some(_)) => None,
        (PackageEnsure::State(PackageState::Held), Some(installed)) => {
            if installed.held {
                None
            } else {
                differs(asked)
            }
        }
        (PackageEnsure::State(PackageState::Latest), Some(installed)) => {
            // An older version is apt's candidate only if a pin of 1000 or more asks for it.
            let candidate = candidates.get(want.title.as_str())?;
            let is_other = version::compare(candidate, &installed.version) != Ordering::Equal;
            is_other.then(|| Change::new(Property::Ensure, is, candidate).kind(ChangeKind::Moved))
        }
        (PackageEnsure::Version(wanted), Some(installed)) => {
            if version::compare(wanted, &installed.version) == Ordering::Equal {
                None
            } else {
                differs(asked)
            }
        }
    }
}

/// The state of a package for people, in the words of the attribute.
fn is_text(package: Option<&dpkg_status::Package>) -> String {
    let Some(package) = package else { return "absent".to_owned() };
    match package.state {
        DpkgState::NotInstalled => "absent".to_owned(),
        DpkgState::ConfigFiles => "absent, with its configuration left".to_owned(),
        DpkgState::Broken => format!("{}, half installed", package.version),
        DpkgState::Installed if package.held => format!("{}, held", package.version),
        DpkgState::Installed => package.version.clone(),
    }
}

/// The values of the attribute that it satisfies as it is.
fn is_also(package: Option<&dpkg_status::Package>) -> Vec<String> {
    let Some(package) = package else { return vec!["purged".to_owned()] };
    let words: &[&str] = match package.state {
        DpkgState::NotInstalled => &["purged"],
        DpkgState::ConfigFiles => &["absent"],
        DpkgState::Broken => &[],
        DpkgState::Installed if package.held => &["present", "latest", "held", &package.version],
        DpkgState::Installed => &["present", "latest"],
    };
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests;
