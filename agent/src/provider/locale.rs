//! `locale`: generated locales, through `/etc/locale.gen` and one run of `locale-gen` for all, and the machine's
//! default.
//!
//! Needs a running system: only the C library knows what is generated.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use holdfast_catalog::resource::Locale;
use holdfast_catalog::resource::attribute::Presence;
use holdfast_catalog::spelling::nearest;

use super::text::edit::{PUBLIC, Texts, rewrite};
use super::{Applied, ChangeKind, Error, Job, Left, Need, Provider, Reading, Taken, Writing, properties};
use crate::system::{Inspect, Invocation, Liveness};

mod entries;

use entries::LocaleLine;

/// The list of locales to generate, also used when the C library is upgraded.
const GENERATED: &str = "/etc/locale.gen";
/// The program that generates them.
const GENERATOR: [&str; 3] = ["/usr/sbin/locale-gen", "/usr/bin/locale-gen", "/sbin/locale-gen"];
/// The list of locales that could be generated.
const SUPPORTED: &str = "/usr/share/i18n/SUPPORTED";

/// The provider of `locale`.
pub struct Locales;

/// What is and could be generated; `None` if this root is not a running system.
pub struct Seen(Option<LocaleState>);

struct LocaleState {
    texts: Texts,
    /// Locales that programs can use, as the C library writes them.
    usable: BTreeSet<String>,
    /// Whether the generator is installed.
    has_generator: bool,
    /// The file that sets the default.
    default_file: &'static str,
}

properties! {
    Ensure => "ensure",
    Default => "default",
}

impl Provider for Locales {
    type Want = Locale;
    type Seen = Seen;
    type Property = Property;

    const TAKEN: Taken = Taken::Together;

    fn observe(&self, _: &[&Locale], reading: Reading<'_>) -> Result<Seen, Error> {
        if reading.machine.liveness() != Liveness::Live {
            return Ok(Seen(None));
        }
        let default_file = entries::default_file(reading.machine)?;
        let texts = Texts::read(reading.machine, [GENERATED, SUPPORTED, default_file]);
        let usable = usable(&reading.probe(&all_usable())?.text());
        let has_generator = has_generator(reading.machine)?;
        Ok(Seen(Some(LocaleState { texts, usable, has_generator, default_file })))
    }

    fn plan(&self, want: &Locale, Seen(found): &Seen, reading: Reading<'_>) -> Result<Plan, Error> {
        let Some(found) = found else {
            return Ok(Plan::NotApplicable("locales are generated on a running system only".to_owned()));
        };
        let is_other = |other: &&Locale| other.default && want.default && other.title != want.title;
        if let Some(other) = reading.named.of_type::<Locale>().find(is_other) {
            return Err(Error::Conflict(format!(
                "locale[{}] is the default too: there can be only one",
                other.title
            )));
        }
        let mut changes = Vec::new();
        if !want.title.is_built_in() && !found.has_generator {
            let is_usable = found.usable.contains(&want.title.normal());
            if is_usable != (want.ensure == Presence::Present) {
                return Ok(Plan::pending(no_generator(want)));
            }
        } else if !want.title.is_built_in() {
            if let Err(plan) = supported(want, found)? {
                return Ok(plan);
            }
            changes.extend(generation(want, found)?);
        }
        if want.default {
            let text = found.texts.get(found.default_file)?.unwrap_or_default();
            changes.extend(default_differs(want, text, found.default_file));
        }
        Ok(Plan::of(changes))
    }

    fn apply(&self, want: &Locale, changes: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        self.apply_together(&[Job { want, changes }], writing).pop().unwrap_or_else(|| Ok(Applied::default()))
    }

    fn apply_together(
        &self,
        jobs: &[Job<'_, Locale, Property>],
        writing: Writing<'_>,
    ) -> Vec<Result<Applied, Error>> {
        let concerned = |job: &&Job<'_, Locale, Property>| {
            job.changes.iter().any(|change| change.property == Property::Ensure)
        };
        let wanted: Vec<&Locale> = jobs.iter().filter(concerned).map(|job| job.want).collect();
        let generated = if wanted.is_empty() { Ok(BTreeSet::new()) } else { generate(&wanted, writing) };
        let usable = generated.map_err(Arc::new);
        jobs.iter().map(|job| Ok(outcome(job, &usable, writing))).collect()
    }

    fn names<'a>(&self, _: &'a Locale) -> Vec<&'a str> {
        vec![GENERATED]
    }

    fn left<'a>(&self, want: &'a Locale) -> Left<'a> {
        let mut left: Left<'a> = vec![("ensure".into(), want.ensure.to_string().into())];
        left.extend(want.default.then(|| ("default".into(), want.title.as_str().into())));
        left
    }
}

fn has_generator(machine: &dyn Inspect) -> Result<bool, Error> {
    for place in GENERATOR {
        if machine.stat(Path::new(place))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The message if a locale should be generated or removed and cannot be.
fn no_generator(want: &Locale) -> String {
    let language = want.title.as_str().split(['_', '.']).next().unwrap_or_default();
    format!(
        "there is no `locale-gen`, which makes locales: on Debian and its relatives, install the package `locales`; \
         elsewhere, `{}` must come from a package, such as `glibc-langpack-{language}`",
        want.title
    )
}

/// Asks the C library for all usable locales.
fn all_usable() -> Invocation {
    Invocation::new(["locale", "-a"])
}

fn usable(said: &str) -> BTreeSet<String> {
    said.lines().map(str::to_owned).collect()
}

/// Whether the locale can be generated here; otherwise the plan, which waits if that may still change.
fn supported(want: &Locale, found: &LocaleState) -> Result<Result<(), Plan>, Error> {
    let Some(supported) = found.texts.get(SUPPORTED)? else {
        let gone = want.ensure == Presence::Absent && !found.usable.contains(&want.title.normal());
        let why = format!("there is no {SUPPORTED}: install the package `locales`");
        return Ok(Err(if gone { Plan::IN_SYNC } else { Plan::pending(Need::path(SUPPORTED, why)) }));
    };
    if want.ensure == Presence::Absent || entries::find(supported, &want.title).is_some() {
        return Ok(Ok(()));
    }
    let names: Vec<_> = supported.lines().filter_map(LocaleLine::parse).map(|entry| entry.name).collect();
    let other_case = names.iter().copied().find(|name| name.eq_ignore_ascii_case(want.title.as_str()));
    let near = other_case
        .or_else(|| nearest(want.title.as_str(), names))
        .map(|near| format!("did you mean `{near}`? "));
    Err(Error::missing(format!(
        "this machine does not know the locale `{}`: {}see {SUPPORTED}",
        want.title,
        near.unwrap_or_default()
    )))
}

/// The change if the locale is not generated as wanted, now and after upgrades.
fn generation(want: &Locale, found: &LocaleState) -> Result<Option<Change>, Error> {
    let listed = entries::find(found.texts.get(GENERATED)?.unwrap_or_default(), &want.title).is_some();
    let is = match (found.usable.contains(&want.title.normal()), listed) {
        (true, true) => "present",
        (false, false) => "absent",
        (true, false) => "present, but not in /etc/locale.gen",
        (false, true) => "in /etc/locale.gen, but not generated",
    };
    let should = want.ensure.to_string();
    Ok((is != should).then(|| Change::new(Property::Ensure, is, should)))
}

/// Lists and generates what is wanted, and removes what is not; returns what is usable afterwards.
fn generate(wanted: &[&Locale], writing: Writing<'_>) -> Result<BTreeSet<String>, Error> {
    let supported = Texts::read(writing.machine, [SUPPORTED]);
    let supported = supported.get(SUPPORTED)?.unwrap_or_default();
    rewrite(writing, GENERATED, PUBLIC, |text| {
        wanted.iter().fold(text.to_owned(), |text, want| match want.ensure {
            Presence::Present => entries::with(&text, &want.title, supported),
            Presence::Absent => entries::without(&text, &want.title),
        })
    })?;
    if wanted.iter().any(|want| want.ensure == Presence::Present) {
        writing.run(&Invocation::new(["locale-gen", "--keep-existing"]))?;
    }
    let before = usable(&writing.run(&all_usable())?.text());
    let leaving = |want: &&&Locale| want.ensure == Presence::Absent && before.contains(&want.title.normal());
    let leaving: Vec<String> = wanted.iter().filter(leaving).map(|want| want.title.normal()).collect();
    if leaving.is_empty() {
        return Ok(before);
    }
    let remove = ["localedef", "--delete-from-archive", "--"].map(str::to_owned);
    writing.run(&Invocation::new(remove.into_iter().chain(leaving)))?;
    Ok(usable(&writing.run(&all_usable())?.text()))
}

/// The change of the default. Another locale for one part of it, such as `LC_TIME`, is a deliberate exception: it is
/// reported, and stays.
fn default_differs(want: &Locale, text: &str, file: &str) -> Option<Change> {
    let is = entries::default(text).unwrap_or("absent");
    let overruling = entries::overruling(text, &want.title);
    if !overruling.is_empty() {
        let is = format!("{is}, overruled by {}", overruling.join(" and "));
        return Some(Change::new(Property::Default, is, &want.title));
    }
    let change = Change::new(Property::Default, is, &want.title);
    if is != want.title.as_str() {
        return Some(change);
    }
    let parts = entries::parts(text, &want.title);
    let words = || format!("{file} has {}, which is another locale for a part", parts.join(" and "));
    (!parts.is_empty()).then(|| change.kind(ChangeKind::Note).note(words()))
}

/// The result for one locale: `locale-gen` does not say what it could not generate.
fn outcome(
    job: &Job<'_, Locale, Property>,
    usable: &Result<BTreeSet<String>, Arc<Error>>,
    writing: Writing<'_>,
) -> Applied {
    let want = job.want;
    let mut applied = Applied::default();
    for (i, change) in job.changes.iter().enumerate() {
        let done = match (change.property, usable) {
            (Property::Ensure, Err(error)) => Err(error.clone().into()),
            (Property::Ensure, Ok(usable)) => {
                let is_usable = usable.contains(&want.title.normal());
                let as_wanted = is_usable == (want.ensure == Presence::Present);
                if as_wanted { Ok(()) } else { Err(Error::Unexpected(not_done(want))) }
            }
            (Property::Default, _) if !applied.failed.is_empty() => {
                Err(Error::missing("a missing locale cannot be the default"))
            }
            (Property::Default, _) => set_default(want, writing),
        };
        applied.failed.extend(done.err().map(|error| (i, error)));
    }
    applied
}

fn not_done(want: &Locale) -> String {
    match want.ensure {
        Presence::Present => format!("`locale-gen` did not generate `{}`; run it to see why", want.title),
        Presence::Absent => {
            format!("`{}` is still there: a package such as `locales-all` may have brought it", want.title)
        }
    }
}

fn set_default(want: &Locale, writing: Writing<'_>) -> Result<(), Error> {
    let file = entries::default_file(writing.machine)?;
    rewrite(writing, file, PUBLIC, |text| entries::with_default(text, &want.title))
}

#[cfg(test)]
mod tests;
