//! `alternatives`: which program a common name stands for, through Debian's update-alternatives.
//!
//! Needs a running system. The choices come from packages, so an alternative that does not exist may still appear.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use holdfast_catalog::resource::Alternatives;
use holdfast_catalog::resource::alternatives::AlternativePath;
use holdfast_catalog::resource::claim::{Claim, PathKind};

use super::{Alias, Applied, Error, Left, Provider, Reading, Writing, answer, properties};
use crate::system::{self, FileKind, Inspect, Invocation, Liveness, Output};

mod query;
#[cfg(test)]
mod tests;

use query::{AlternativesGroup, Chosen};

/// The provider of `alternatives`.
pub struct Choices;

/// The directory in which `update-alternatives` records what can be chosen, by name.
const RECORDS: &str = "/var/lib/dpkg/alternatives";

/// What can be chosen and what is chosen, by name; or why nothing can be known.
pub enum Seen {
    Groups(HashMap<String, Result<AlternativesGroup, Arc<Error>>>),
    /// Why this machine has no alternatives.
    NotHere(&'static str),
}

properties! {
    Path => "path",
}

impl Provider for Choices {
    type Want = Alternatives;
    type Seen = Seen;
    type Property = Property;

    fn observe(&self, all: &[&Alternatives], reading: Reading<'_>) -> Result<Seen, Error> {
        if reading.machine.liveness() != Liveness::Live {
            return Ok(Seen::NotHere("alternatives are chosen on a running system only"));
        }
        let mut groups = HashMap::new();
        for want in all {
            let name = want.title.as_str();
            let query = Invocation::new(["update-alternatives", "--query", name]).limit(query::MAX_OUTPUT);
            let output = match answer(reading.machine, &query) {
                Err(Error::System(system::Error::Spawn { .. })) => {
                    return Ok(Seen::NotHere(
                        "this machine has no update-alternatives, which comes with dpkg on Debian and its relatives",
                    ));
                }
                output => output?,
            };
            if !output.succeeded() && is_usage(&output) {
                return Ok(Seen::NotHere(
                    "this machine's update-alternatives has no `--query`: it is Red Hat's, and only the alternatives \
                     of dpkg are managed, on Debian and its relatives",
                ));
            }
            // The query fails if there is no such name, and for other reasons.
            if output.succeeded() {
                groups.insert(name.to_owned(), Ok(AlternativesGroup::parse(&output.text())));
            } else if reading.machine.lstat(&Path::new(RECORDS).join(name))?.is_some() {
                groups.insert(name.to_owned(), Err(Arc::new(Error::command(&query, &output))));
            }
        }
        Ok(Seen::Groups(groups))
    }

    fn plan(&self, want: &Alternatives, seen: &Seen, reading: Reading<'_>) -> Result<Plan, Error> {
        let groups = match seen {
            Seen::Groups(groups) => groups,
            Seen::NotHere(why) => return Ok(Plan::NotApplicable((*why).to_owned())),
        };
        let name = want.title.as_str();
        let Some(group) = groups.get(name) else {
            let why = format!("there are no alternatives `{name}`: a package that brings one is missing");
            return Ok(Plan::pending(why));
        };
        let group = group.as_ref().map_err(|error| Error::from(error.clone()))?;
        if let AlternativePath::Path(path) = &want.path
            && !group.has(path.as_str())
        {
            let known = group.paths.join(", ");
            return Ok(Plan::pending(format!(
                "{path} is not an alternative of `{name}`, which are: {known}"
            )));
        }
        let chosen = group.chosen();
        let link = match link(group, name, reading.machine)? {
            None => astray(group, reading.machine)?,
            link => link,
        };
        let is_wanted = match (&want.path, &chosen) {
            (AlternativePath::Auto, Chosen::Best) => true,
            (AlternativePath::Path(path), Chosen::ByHand(is)) => path.as_str() == *is,
            _ => false,
        };
        if is_wanted && link.is_none() {
            return Ok(Plan::IN_SYNC);
        }
        let is = link.filter(|_| is_wanted).unwrap_or_else(|| chosen.to_string());
        let change = Change::new(Property::Path, is, &want.path);
        Ok(Plan::of(vec![change.note(format!("`{name}` led to {}", group.value))]))
    }

    fn apply(&self, want: &Alternatives, _: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        let name = want.title.as_str();
        writing.run(&match &want.path {
            AlternativePath::Auto => Invocation::new(["update-alternatives", "--auto", name]),
            AlternativePath::Path(path) => {
                Invocation::new(["update-alternatives", "--set", name, path.as_str()])
            }
        })?;
        Ok(Applied::default())
    }

    fn aliases(&self, want: &Alternatives, seen: &Seen, _: Reading<'_>) -> Vec<Alias> {
        let name = want.title.as_str();
        let Seen::Groups(groups) = seen else { return Vec::new() };
        let Some(Ok(group)) = groups.get(name) else { return Vec::new() };
        let followers = group.followers.iter().flat_map(|(name, path)| {
            [Path::new("/etc/alternatives").join(name).display().to_string(), path.clone()]
        });
        let links = [group.link.clone()].into_iter().chain(followers).filter(|link| !link.is_empty());
        let of = |link: String| {
            let why = format!("update-alternatives changes `{link}` together with `{name}`");
            Alias::all(Claim::standing(&link, PathKind::Symlink), why)
        };
        links.flat_map(of).collect()
    }

    fn left<'a>(&self, want: &'a Alternatives) -> Left<'a> {
        vec![("path".into(), want.path.to_string().into())]
    }
}

/// Whether a command printed its usage instead of an answer.
fn is_usage(output: &Output) -> bool {
    let says = |text: &[u8]| String::from_utf8_lossy(text).to_lowercase().contains("usage:");
    says(&output.stdout) || says(&output.stderr)
}

/// What is wrong with a name that follows the choice. One whose file does not exist, such as a manual page on a machine
/// without manual pages, leads nowhere.
///
/// # Errors
/// Fails if something else is in the place of such a name: update-alternatives would leave it there.
fn astray(group: &AlternativesGroup, machine: &dyn Inspect) -> Result<Option<String>, Error> {
    for (link, name, target) in group.following() {
        if machine.stat(Path::new(target))?.is_none() {
            continue;
        }
        let own = Path::new("/etc/alternatives").join(name);
        for (at, to) in [(Path::new(link), own.as_path()), (own.as_path(), Path::new(target))] {
            match machine.lstat(at)?.map(|stat| stat.kind) {
                None => return Ok(Some(format!("{} is not there", at.display()))),
                Some(FileKind::Symlink) => {
                    let is = machine.read_link(at)?;
                    if is != to {
                        return Ok(Some(format!("{} leads to {}", at.display(), is.display())));
                    }
                }
                // update-alternatives replaces a file in its own directory, but not one at a public name.
                Some(FileKind::File) if at == own => {
                    return Ok(Some(format!("{} is a file and not a link", at.display())));
                }
                Some(_) => return Err(not_replaced(at)),
            }
        }
    }
    Ok(None)
}

/// The error if something other than a link has a name that update-alternatives should manage.
fn not_replaced(at: &Path) -> Error {
    Error::Conflict(format!(
        "{} is not a link, and update-alternatives does not replace it; check what it is, and move it away",
        at.display()
    ))
}

/// What is wrong with the common name itself, which should lead to the choice.
///
/// # Errors
/// Fails if something else is in its place: update-alternatives would leave it there.
fn link(group: &AlternativesGroup, name: &str, machine: &dyn Inspect) -> Result<Option<String>, Error> {
    let path = Path::new(&group.link);
    match machine.lstat(path)?.map(|stat| stat.kind) {
        None => Ok(Some(format!("{} is not there", group.link))),
        Some(FileKind::Symlink) => {
            let target = machine.read_link(path)?;
            let is_ours = target == Path::new("/etc/alternatives").join(name);
            Ok((!is_ours).then(|| format!("{} leads to {}", group.link, target.display())))
        }
        Some(_) => Err(not_replaced(path)),
    }
}
