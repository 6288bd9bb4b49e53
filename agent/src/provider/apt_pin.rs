//! `apt_pin`: one preferences file for each resource, read back field by field. Works below any root.

use std::borrow::Cow;

use holdfast_catalog::resource::AptPin;
use holdfast_catalog::resource::attribute::{AptWord, Presence};

use super::apt;
use super::text::deb822;
use super::text::whole_file::{self, FileText};
use super::{Applied, Error, Left, Property as _, Provider, Reading, Writing, properties};

/// The provider of `apt_pin`.
pub struct AptPins;

properties! {
    Ensure => "ensure",
    Packages => "packages",
    Pin => "pin",
    Priority => "priority",
}

impl Provider for AptPins {
    type Want = AptPin;
    /// Why the type does not apply here.
    type Seen = Option<String>;
    type Property = Property;

    fn observe(&self, _: &[&AptPin], reading: Reading<'_>) -> Result<Option<String>, Error> {
        apt::missing(reading.machine)
    }

    fn plan(&self, want: &AptPin, no_apt: &Option<String>, reading: Reading<'_>) -> Result<Plan, Error> {
        if let (Presence::Present, Some(why)) = (want.ensure, no_apt) {
            return Ok(Plan::NotApplicable(why.clone()));
        }
        let found = whole_file::look(reading.machine, path(want))?;
        Ok(Plan::of(match want.ensure {
            Presence::Absent => deb822::absence(&found, Property::Ensure).into_iter().collect(),
            Presence::Present => {
                let not_own = whole_file::not_own(reading.machine, path(want))?;
                let not_own = not_own.map(|is| Change::new(Property::Ensure, is, Presence::Present));
                let differences = differences(want, &found);
                // A file that apt does not read is replaced as a whole.
                let is_told = differences.iter().any(|change| change.property == Property::Ensure);
                not_own.into_iter().filter(|_| !is_told).chain(differences).collect()
            }
        }))
    }

    fn apply(&self, want: &AptPin, _: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        match want.ensure {
            Presence::Absent => writing.machine.remove(path(want).as_ref())?,
            Presence::Present => whole_file::write(path(want), &text(want), writing)?,
        }
        Ok(Applied::default())
    }

    fn names<'a>(&self, want: &'a AptPin) -> Vec<&'a str> {
        vec![path(want)]
    }

    fn left<'a>(&self, want: &'a AptPin) -> Left<'a> {
        let mut left: Left<'a> = vec![("ensure".into(), want.ensure.to_string().into())];
        if want.ensure == Presence::Present {
            left.extend(fields(want).map(|(property, _, value)| (property.name().into(), Cow::Owned(value))));
        }
        left
    }
}

fn path(want: &AptPin) -> &str {
    want.title.paths().first().map_or("", String::as_str)
}

/// Each property, with its field and value.
fn fields(want: &AptPin) -> [(Property, &'static str, String); 3] {
    let packages: Vec<&str> = want.packages.iter().map(AptWord::as_str).collect();
    let pin = want.pin.as_ref().map(ToString::to_string).unwrap_or_default();
    let priority = want.priority.map(|priority| priority.to_string()).unwrap_or_default();
    [
        (Property::Packages, "Package", packages.join(" ")),
        (Property::Pin, "Pin", pin),
        (Property::Priority, "Pin-Priority", priority),
    ]
}

fn text(want: &AptPin) -> String {
    deb822::render(fields(want).map(|(_, field, value)| (field, value)))
}

fn differences(want: &AptPin, found: &FileText) -> Vec<Change> {
    let stanza = match deb822::only_stanza(found, Property::Ensure) {
        Ok(stanza) => stanza,
        Err(change) => return vec![change],
    };
    let differs = |(property, field, should): (Property, _, String)| {
        let is = stanza.words(field);
        (is != should).then(|| Change::new(property, is, should))
    };
    fields(want).into_iter().filter_map(differs).collect()
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::value::Value;

    use super::*;
    use crate::provider::trial::{self, want};
    use crate::system::double::Double;

    const PATH: &str = "/etc/apt/preferences.d/nginx.pref";

    fn pin() -> AptPin {
        let packages: Value = vec![Value::from("nginx*"), "libnginx*".into()].into();
        want("nginx", &[("packages", packages), ("pin", "version 1.2*".into()), ("priority", 1001.into())])
    }

    fn machine() -> Double {
        let double = Double::new(|_| None);
        double.put("/etc/x", "");
        double.put(apt::APT, "");
        double
    }

    #[test]
    fn without_apt_nobody_reads_a_pin() {
        let double = Double::new(|_| None);
        let plan = trial::plan(&AptPins, &double, &pin()).unwrap();
        assert!(matches!(&plan, Plan::NotApplicable(why) if why.contains("no /usr/bin/apt-get")), "{plan:?}");
    }

    fn said(double: &Double) -> Vec<String> {
        trial::said(&trial::changes(&AptPins, double, &pin()))
    }

    #[test]
    fn a_file_is_written_whole_and_read_back_field_by_field() {
        let double = machine();
        assert_eq!(said(&double), ["ensure: absent -> present"]);
        trial::correct(&AptPins, &double, &pin()).unwrap();
        let place = double.root.path().join(&PATH[1..]);
        let text = std::fs::read_to_string(&place).unwrap();
        assert!(
            text.ends_with("\nPackage: nginx* libnginx*\nPin: version 1.2*\nPin-Priority: 1001\n"),
            "{text}"
        );
        assert_eq!(said(&double), [""; 0]);
        for (from, to, change) in [
            ("nginx* lib", "nginx lib", "packages: nginx libnginx* -> nginx* libnginx*"),
            ("1.2*", "1.3*", "pin: version 1.3* -> version 1.2*"),
            ("1001", "-1", "priority: -1 -> 1001"),
            ("Pin-Priority: 1001\n", "", "priority:  -> 1001"),
            ("Pin:", "\nPin:", "ensure: a file with 2 stanzas -> present"),
            ("Pin:", "Pin", "ensure: a file that apt does not read -> present"),
        ] {
            double.put(PATH, &text.replace(from, to));
            assert_eq!(said(&double), [change]);
        }
        double.put(PATH, &format!("Explanation: by hand\n{text}"));
        assert_eq!(said(&double), [""; 0], "what says nothing to apt is not drift");
    }

    #[test]
    fn what_is_not_to_be_there_is_removed() {
        let double = Double::new(|_| None);
        double.put(PATH, "Package: x\n");
        let gone: AptPin = want("nginx", &[("ensure", "absent".into())]);
        assert_eq!(trial::said(&trial::changes(&AptPins, &double, &gone)), ["ensure: present -> absent"]);
        trial::correct(&AptPins, &double, &gone).unwrap();
        assert!(trial::changes(&AptPins, &double, &gone).is_empty());
    }
    #[test]
    fn a_file_that_others_may_write_is_made_this_agents_own() {
        use std::os::unix::fs::PermissionsExt as _;
        let double = machine();
        trial::correct(&AptPins, &double, &pin()).unwrap();
        let place = double.root.path().join(&PATH[1..]);
        std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o664)).unwrap();
        assert!(said(&double)[0].contains("0664 -> present"), "{:?}", said(&double));
        trial::correct(&AptPins, &double, &pin()).unwrap();
        assert_eq!(said(&double), [""; 0]);
    }
}
