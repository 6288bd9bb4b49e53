//! The contract that every provider passes, with the cases under `agent/contract/`.
//!
//! An audit writes nothing, a run corrects, and the next one finds nothing to do. Whatever property is altered from
//! outside is reported as drift, and nothing else is, and it is corrected. Cases are data, so the same ones run here on
//! a temporary root and on the lab's hosts with the real program. A property without a case fails here.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use holdfast_catalog::report::{Cause, Mode, Status};
use holdfast_catalog::resource::{AttributeRole, definitions};
use holdfast_catalog::value::{Kind, Sensitive, Value};
use serde::Deserialize;

use crate::enforce::bench::Bench;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    #[serde(default)]
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    needs: Needs,
    title: String,
    #[serde(default)]
    before: String,
    attributes: serde_json::Value,
    /// Resources that come before it in the catalog.
    #[serde(default)]
    also: Vec<Companion>,
    /// Why a host of the lab cannot prove this case: the reason is printed, and the case does not run there.
    unproven: Option<String>,
    /// Attributes whose value is secret.
    #[serde(default)]
    secrets: Vec<String>,
    alter: Vec<Alteration>,
}

/// A resource beside the one that the case is about.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Companion {
    r#type: String,
    title: String,
    attributes: serde_json::Value,
}

/// One property, altered from outside.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Alteration {
    property: String,
    by: String,
    /// A command that succeeds only if the property is as wanted.
    corrected: String,
    /// The value that the report must give for the machine.
    is: Option<String>,
}

/// What a case requires of the machine.
#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Needs {
    Files,
    /// Commands that can run, beside a directory.
    Commands,
    /// A host of its own, in the lab.
    Booted,
}

fn cases(type_name: &str) -> Vec<Case> {
    let path = format!("{}/contract/{type_name}.toml", env!("CARGO_MANIFEST_DIR"));
    let text =
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}: every type has its cases"));
    toml::from_str::<Cases>(&text).unwrap_or_else(|e| panic!("{path}: {e}")).case
}

#[test]
fn every_property_of_every_type_has_a_case() {
    for def in definitions() {
        let altered: Vec<String> = cases(def.name)
            .into_iter()
            .flat_map(|case| case.alter)
            .map(|alteration| alteration.property)
            .collect();
        for attribute in def.attributes.iter().filter(|attribute| attribute.role == AttributeRole::Property) {
            assert!(
                altered.iter().any(|name| name == attribute.name),
                "no case of contract/{}.toml alters `{}`",
                def.name,
                attribute.name
            );
        }
    }
}

#[test]
fn every_provider_that_needs_no_host_passes() {
    if !crate::skip::is_root() {
        return;
    }
    for def in definitions() {
        let here = |case: &&Case| case.needs != Needs::Booted && case.unproven.is_none();
        for case in cases(def.name).iter().filter(here) {
            pass(def.name, case);
        }
    }
}

fn pass(type_name: &str, case: &Case) {
    let mut bench = if case.needs == Needs::Files { Bench::directory() } else { Bench::live() };
    let dir = bench.dir().to_owned();
    let inner = if case.needs == Needs::Files { String::new() } else { dir.display().to_string() };
    let holds = |script: &str| {
        let script = script.replace("${ROOT}", dir.to_str().unwrap());
        std::process::Command::new("sh").args(["-ec", &script]).status().unwrap().success()
    };
    let what = format!("{type_name}: {}", case.title);
    assert!(holds(&case.before), "{what}: {}", case.before);
    for Companion { r#type, title, attributes } in &case.also {
        bench.add(r#type, &title.replace("${ROOT}", &inner), &value_of(attributes, &inner));
    }
    bench.add(type_name, &case.title.replace("${ROOT}", &inner), &attributes(case, &inner));
    let total = 1 + u32::try_from(case.also.len()).unwrap();

    let before = snapshot(&dir);
    let off = bench.run(Mode::Audit).counts.would_change;
    assert!((1..=total).contains(&off), "{what}: an audit says what is off");
    assert_eq!(snapshot(&dir), before, "{what}: an audit writes nothing");
    assert_eq!(bench.run(Mode::Enforce).counts.changed, off, "{what}: a run corrects");
    let converged = snapshot(&dir);
    let again = bench.run(Mode::Enforce);
    assert_eq!(
        (again.counts.unchanged, again.events.len()),
        (total, 0),
        "{what}: the next run finds nothing to do"
    );
    assert_eq!(snapshot(&dir), converged, "{what}: and writes nothing");
    for Alteration { property, by, corrected, is } in &case.alter {
        assert!(holds(by) && !holds(corrected), "{what}: `{by}` alters nothing");
        for (mode, status) in [(Mode::Audit, Status::WouldChange), (Mode::Enforce, Status::Changed)] {
            let events = bench.run(mode).events;
            let [event] = &events[..] else {
                panic!("{what}: `{property}` altered, but reported: {events:?}")
            };
            assert_eq!(event.property.as_deref(), Some(property.as_str()), "{what}: {event:?}");
            assert_eq!((event.status, event.cause), (status, Some(Cause::Corrective)), "{what}: {event:?}");
            assert!(is.is_none() || event.is == *is, "{what}: {event:?}");
        }
        assert!(holds(corrected), "{what}: `{property}` is corrected");
        assert!(bench.run(Mode::Enforce).events.is_empty(), "{what}: `{property}` is in sync again");
    }
}

fn attributes(case: &Case, root: &str) -> Value {
    let attributes = value_of(&case.attributes, root);
    let mut map = attributes.as_map().cloned().unwrap_or_default();
    for name in &case.secrets {
        let text = map[name.as_str()].scalar_text().unwrap();
        map.insert(name.as_str().into(), Kind::Sensitive(Sensitive::text(text)).into());
    }
    map.into()
}

fn value_of(attributes: &serde_json::Value, root: &str) -> Value {
    Value::from_json(&serde_json::from_str(&attributes.to_string().replace("${ROOT}", root)).unwrap())
}

/// Everything below a directory that a write would change.
fn snapshot(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(path) = todo.pop() {
        let meta = std::fs::symlink_metadata(&path).unwrap();
        if meta.is_dir() {
            todo.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        let text = std::fs::read(&path).unwrap_or_default();
        let shown =
            format!("{} {:o} {} {} {:?}", meta.ino(), meta.mode(), meta.uid(), meta.ctime_nsec(), text);
        all.insert(path, shown);
    }
    all
}
