//! `hostname`: the machine's own name, in `/etc/hostname` and in the kernel.

use std::path::Path;

use holdfast_catalog::resource::Hostname;

use super::text::edit::{PUBLIC, put};
use super::{Applied, Error, Left, Provider, Reading, Writing, properties};
use crate::system::{Inspect, Invocation, Liveness};

const STATIC: &str = "/etc/hostname";
const RUNNING: &str = "/proc/sys/kernel/hostname";

/// The provider of `hostname`.
pub struct Hostnames;

properties! {
    Static => "static",
    Running => "running",
}

impl Provider for Hostnames {
    type Want = Hostname;
    type Seen = ();
    type Property = Property;

    fn observe(&self, _: &[&Hostname], _: Reading<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn plan(&self, want: &Hostname, (): &(), reading: Reading<'_>) -> Result<Plan, Error> {
        if let Some(other) = reading.named.of_type::<Hostname>().find(|other| other.title != want.title) {
            return Err(Error::Conflict(format!(
                "hostname[{}] sets another name: a machine has only one",
                other.title
            )));
        }
        let live = reading.machine.liveness() == Liveness::Live;
        if !live && !want.r#static {
            return Ok(Plan::NotApplicable("the kernel's name is that of a running system".to_owned()));
        }
        let mut changes = Vec::new();
        let mut compare = |property: Property, path: &str| -> Result<(), Error> {
            let is = name(reading.machine, path)?;
            changes.extend((is != want.title.as_str()).then(|| Change::new(property, is, &want.title)));
            Ok(())
        };
        if want.r#static {
            compare(Property::Static, STATIC)?;
        }
        if want.running && live {
            compare(Property::Running, RUNNING)?;
        }
        Ok(Plan::of(changes))
    }

    fn apply(&self, want: &Hostname, changes: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        let mut applied = Applied::default();
        for (i, change) in changes.iter().enumerate() {
            let done = match change.property {
                Property::Static => put(writing, STATIC, PUBLIC, &format!("{}\n", want.title)),
                Property::Running => {
                    writing.run(&Invocation::new(["hostname", "--", want.title.as_str()])).map(drop)
                }
            };
            applied.failed.extend(done.err().map(|error| (i, error)));
        }
        Ok(applied)
    }

    fn names<'a>(&self, want: &'a Hostname) -> Vec<&'a str> {
        want.r#static.then_some(STATIC).into_iter().collect()
    }

    fn left<'a>(&self, want: &'a Hostname) -> Left<'a> {
        let properties = [("static", want.r#static), ("running", want.running)];
        let managed = properties.into_iter().filter(|(_, managed)| *managed);
        managed.map(|(property, _)| (property.into(), want.title.as_str().into())).collect()
    }
}

/// The name in a file: its first line that is not a comment, or `absent` if there is none.
fn name(machine: &dyn Inspect, path: &str) -> Result<String, Error> {
    let text = machine.read_text(Path::new(path))?.unwrap_or_default();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.next().unwrap_or("absent").to_owned())
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::resource::TypedResource;
    use holdfast_catalog::value::Value;

    use super::*;
    use crate::content;
    use crate::provider::CatalogClaims;
    use crate::provider::trial::{self, want};
    use crate::system::double::{Double, failed, said};

    fn machine(kept: &str, running: &str) -> Double {
        let double = Double::new(|_| Some(said("")));
        double.put(STATIC, kept);
        double.put(RUNNING, running);
        double
    }

    fn changes(machine: &Double, attributes: &[(&str, Value)]) -> Vec<String> {
        trial::said(&trial::changes(&Hostnames, machine, &want("web1", attributes)))
    }

    #[test]
    fn the_file_and_the_kernel_are_seen_by_themselves() {
        assert_eq!(changes(&machine("# a note\n\nweb1\n", "web1\n"), &[]), [""; 0]);
        assert_eq!(changes(&machine("web2\n", "web1\n"), &[]), ["static: web2 -> web1"]);
        assert_eq!(changes(&machine("", "web1\n"), &[]), ["static: absent -> web1"]);
        assert_eq!(changes(&machine("web1\n", "web2\n"), &[]), ["running: web2 -> web1"]);
        assert_eq!(changes(&machine("web2\n", "web1\n"), &[("static", false.into())]), [""; 0]);
        assert_eq!(changes(&machine("web1\n", "web2\n"), &[("running", false.into())]), [""; 0]);
    }

    #[test]
    fn both_are_corrected_and_one_that_fails_fails_alone() {
        let machine = machine("old\n", "old\n");
        trial::correct(&Hostnames, &machine, &want("web1", &[])).unwrap();
        assert_eq!(machine.ran(), ["hostname -- web1"]);
        assert_eq!(std::fs::read_to_string(machine.root.path().join("etc/hostname")).unwrap(), "web1\n");
        let refusing = Double::new(|_| Some(failed(1, "hostname: you must be root")));
        refusing.put(RUNNING, "old\n");
        refusing.put(STATIC, "old\n");
        let applied = trial::correct(&Hostnames, &refusing, &want("web1", &[])).unwrap();
        assert_eq!(applied.failed.iter().map(|(i, _)| *i).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn a_machine_has_one_name() {
        let all = [TypedResource::Hostname(want("web1", &[])), TypedResource::Hostname(want("web2", &[]))];
        let machine = machine("", "");
        let reading = Reading {
            machine: &machine,
            content: &content::Nowhere,
            named: &CatalogClaims::new(&all),
            state_dir: Path::new("/none"),
        };
        let refused = Hostnames.plan(&want("web1", &[]), &(), reading).unwrap_err().to_string();
        assert!(refused.contains("hostname[web2]"), "{refused}");
    }
}
