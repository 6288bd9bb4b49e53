//! `apt_repository`: one sources file for each resource, read back field by field. Its package lists are fetched before
//! the file is put in its place.
//!
//! So no debt has to be recorded that could be lost: if the lists cannot be fetched, or the run is killed, the file is
//! as it was, and the next run finds the difference again. Below another root the file is written and nothing is
//! fetched.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use holdfast_catalog::resource::AptRepository;
use holdfast_catalog::resource::apt_repository::SourceType;
use holdfast_catalog::resource::attribute::{AptUri, AptWord, Presence};

use super::apt;
use super::text::deb822::{self, Stanza};
use super::text::whole_file::{self, FileText};
use super::{
    Applied, ChangeKind, Error, Job, Left, Need, Property as _, Provider, Reading, Taken, Writing, properties,
};
use crate::system::{Inspect, Liveness};

mod fetch;

/// The provider of `apt_repository`.
pub struct AptRepositories;

/// Whether there is an apt to fetch with.
#[derive(Debug, Clone)]
pub enum Seen {
    /// This root is not a running system: files only.
    FilesOnly,
    NoApt,
    /// There is one; and why it reads no sources, if it does not.
    Apt(Option<Arc<Error>>),
}

properties! {
    Ensure => "ensure",
    Types => "types",
    Uris => "uris",
    Suites => "suites",
    Components => "components",
    Architectures => "architectures",
    SignedBy => "signed_by",
    Options => "options",
}

impl Provider for AptRepositories {
    type Want = AptRepository;
    type Seen = Seen;
    type Property = Property;

    const TAKEN: Taken = Taken::Together;

    fn observe(&self, all: &[&AptRepository], reading: Reading<'_>) -> Result<Seen, Error> {
        let own = || all.iter().filter(|want| want.ensure == Presence::Present).map(|want| path(want));
        Ok(match reading.machine.liveness() {
            Liveness::Directory => Seen::FilesOnly,
            Liveness::Live if apt::missing(reading.machine)?.is_some() => Seen::NoApt,
            Liveness::Live => Seen::Apt(fetch::unread(own().collect(), reading.machine)?.map(Arc::new)),
        })
    }

    fn plan(&self, want: &AptRepository, seen: &Seen, reading: Reading<'_>) -> Result<Plan, Error> {
        if matches!(seen, Seen::NoApt) && want.ensure == Presence::Present {
            return Ok(Plan::NotApplicable(apt::no_apt()));
        }
        let found = whole_file::look(reading.machine, path(want))?;
        match want.ensure {
            Presence::Absent => Ok(Plan::of(deb822::absence(&found, Property::Ensure).into_iter().collect())),
            Presence::Present => Ok(match missing_key(want, reading.machine)? {
                Some(key) => {
                    let why = format!("there is no file {key} with the keys that sign it");
                    Plan::pending(Need::path(key, why))
                }
                None => {
                    let mut changes = differences(want, &found);
                    let not_own = whole_file::not_own(reading.machine, path(want))?;
                    if changes.iter().all(|change| change.property != Property::Ensure) {
                        let not_own = not_own.map(|is| Change::new(Property::Ensure, is, Presence::Present));
                        changes.extend(not_own);
                    }
                    if let (Seen::Apt(why), true) = (seen, changes.is_empty()) {
                        changes.extend(other_keys(want, reading.machine)?);
                        if let Some(why) = why {
                            return Err(why.clone().into());
                        }
                    }
                    Plan::of(changes)
                }
            }),
        }
    }

    fn apply(
        &self,
        want: &AptRepository,
        changes: &[Change],
        writing: Writing<'_>,
    ) -> Result<Applied, Error> {
        let mut answers = self.apply_together(&[Job { want, changes }], writing);
        answers.pop().unwrap_or_else(|| Ok(Applied::default()))
    }

    fn apply_together(
        &self,
        jobs: &[Job<'_, AptRepository, Property>],
        writing: Writing<'_>,
    ) -> Vec<Result<Applied, Error>> {
        let wanted = jobs.iter().map(|job| job.want).filter(|want| want.ensure == Presence::Present);
        let sources: Vec<_> = wanted.map(|want| (want.title.as_str(), text(want))).collect();
        let mut refused = match writing.machine.liveness() {
            Liveness::Live => fetch::lists(&sources, writing),
            Liveness::Directory => BTreeMap::new(),
        };
        if writing.machine.liveness() == Liveness::Live {
            let fetched: Vec<_> =
                sources.into_iter().filter(|(name, _)| !refused.contains_key(*name)).collect();
            let gone = jobs.iter().map(|job| job.want).filter(|want| want.ensure == Presence::Absent);
            let gone: Vec<_> = gone.filter_map(|want| path(want).rsplit('/').next()).collect();
            refused.append(&mut fetch::contradictions(&fetched, &gone, writing));
        }
        jobs.iter().map(|job| settle(job.want, refused.remove(job.want.title.as_str()), writing)).collect()
    }

    fn names<'a>(&self, want: &'a AptRepository) -> Vec<&'a str> {
        vec![path(want)]
    }

    fn left<'a>(&self, want: &'a AptRepository) -> Left<'a> {
        let mut left: Left<'a> = vec![("ensure".into(), want.ensure.to_string().into())];
        if want.ensure == Presence::Present {
            left.extend(fields(want).map(|(property, _, value)| (property.name().into(), Cow::Owned(value))));
            left.push(("options".into(), Cow::Owned(shown_options(&options(want)))));
        }
        left
    }
}

fn path(want: &AptRepository) -> &str {
    want.title.paths().first().map_or("", String::as_str)
}

/// The file of keys, if one is set and it does not exist.
fn missing_key<'a>(want: &'a AptRepository, machine: &dyn Inspect) -> Result<Option<&'a str>, Error> {
    let Some(key) = &want.signed_by else { return Ok(None) };
    Ok(machine.stat(Path::new(key.as_str()))?.is_none().then(|| key.as_str()))
}

/// A change if the file of keys was touched after the sources file was written, which is when the lists were last
/// checked against the keys. Nobody can set these times back. A touched file may still contain the same keys, but a
/// check is cheap.
fn other_keys(want: &AptRepository, machine: &dyn Inspect) -> Result<Option<Change>, Error> {
    let Some(key) = &want.signed_by else { return Ok(None) };
    let changed = |path: &str| -> Result<Option<(i64, u32)>, Error> {
        let stat = machine.stat(Path::new(path))?;
        Ok(stat.map(|stat| (stat.times.changed, stat.times.changed_nanos)))
    };
    let change = || {
        Change::new(Property::SignedBy, format!("{key}, possibly with other keys"), key)
            .kind(ChangeKind::Moved)
            .note("the file changed since the lists were last verified with its keys: they are fetched and verified again")
    };
    Ok((changed(key.as_str())? > changed(path(want))?).then(change))
}

/// Puts the file in its place, or removes it.
fn settle(want: &AptRepository, refused: Option<Error>, writing: Writing<'_>) -> Result<Applied, Error> {
    match (want.ensure, refused) {
        (_, Some(error)) => Err(error),
        (Presence::Absent, None) => Ok(writing.machine.remove(Path::new(path(want)))?),
        (Presence::Present, None) => whole_file::write(path(want), &text(want), writing),
    }
    .map(|()| Applied::default())
}

/// Each property, with its field and value.
fn fields(want: &AptRepository) -> [(Property, &'static str, String); 6] {
    let words = |words: &[AptWord]| Vec::from_iter(words.iter().map(AptWord::as_str)).join(" ");
    let uris: Vec<&str> = want.uris.iter().map(AptUri::as_str).collect();
    let types: Vec<String> = want.types.iter().map(SourceType::to_string).collect();
    let key = want.signed_by.as_ref().map(ToString::to_string).unwrap_or_default();
    [
        (Property::Types, "Types", types.join(" ")),
        (Property::Uris, "URIs", uris.join(" ")),
        (Property::Suites, "Suites", words(&want.suites)),
        (Property::Components, "Components", words(&want.components)),
        (Property::Architectures, "Architectures", words(&want.architectures)),
        (Property::SignedBy, "Signed-By", key),
    ]
}

/// Fields that have no attribute of their own, by name in lower case.
type Options = BTreeMap<String, String>;

fn options(want: &AptRepository) -> Options {
    let options = want.options.iter();
    options.map(|(name, value)| (name.to_ascii_lowercase(), value.expose().trim().to_owned())).collect()
}

fn options_of(stanza: &Stanza, own: &[(Property, &str, String)]) -> Options {
    let further =
        stanza.fields().filter(|(name, _)| own.iter().all(|(_, own, _)| !own.eq_ignore_ascii_case(name)));
    further.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect()
}

fn shown_options(options: &Options) -> String {
    Vec::from_iter(options.iter().map(|(name, value)| format!("{name}={value}"))).join(", ")
}

/// The content of the whole file.
fn text(want: &AptRepository) -> String {
    let own = fields(want).map(|(_, field, value)| (field, value));
    let further = want.options.iter().map(|(name, value)| (&**name, value.expose().trim().to_owned()));
    deb822::render(own.into_iter().chain(further))
}

fn differences(want: &AptRepository, found: &FileText) -> Vec<Change> {
    let stanza = match deb822::only_stanza(found, Property::Ensure) {
        Ok(stanza) => stanza,
        Err(change) => return vec![change],
    };
    let fields = fields(want);
    let is = fields.iter().map(|(property, field, should)| (*property, stanza.words(field), should.clone()));
    let further = (shown_options(&options_of(&stanza, &fields)), shown_options(&options(want)));
    let all = is.chain([(Property::Options, further.0, further.1)]);
    all.filter(|(_, is, should)| is != should)
        .map(|(property, is, should)| Change::new(property, is, should))
        .collect()
}

#[cfg(test)]
mod tests;
