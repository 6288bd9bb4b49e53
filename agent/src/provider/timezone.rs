//! `timezone`: `/etc/localtime`, a link to the zone, and on Debian `/etc/timezone`, which has its name.

use std::path::{Component, Path, PathBuf};

use holdfast_catalog::resource::Timezone;

use super::text::edit::{PUBLIC, put};
use super::{Applied, Error, Left, Need, Provider, Reading, Writing, properties};
use crate::system::{FileKind, Inspect, Permissions};

const LINK: &str = "/etc/localtime";
const NAME: &str = "/etc/timezone";
const ZONES: &str = "/usr/share/zoneinfo";

/// The provider of `timezone`.
pub struct Zones;

properties! {
    Ensure => "ensure",
}

impl Provider for Zones {
    type Want = Timezone;
    type Seen = ();
    type Property = Property;

    fn observe(&self, _: &[&Timezone], _: Reading<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn plan(&self, want: &Timezone, (): &(), reading: Reading<'_>) -> Result<Plan, Error> {
        if let Some(other) = reading.named.of_type::<Timezone>().find(|other| other.title != want.title) {
            return Err(Error::Conflict(format!(
                "timezone[{}] sets another one: a machine has only one",
                other.title
            )));
        }
        let machine = reading.machine;
        let zone = format!("{ZONES}/{}", want.title);
        if machine.stat(Path::new(&zone))?.is_none_or(|stat| stat.kind != FileKind::File) {
            return match machine.stat(Path::new(ZONES))? {
                None => {
                    let why = format!("there is no {ZONES}: install the package `tzdata`");
                    Ok(Plan::pending(Need::path(ZONES, why)))
                }
                Some(_) => Err(Error::missing(format!(
                    "there is no time zone `{}` in {ZONES}: see `timedatectl list-timezones`; old names may be in \
                     a package of their own, such as `tzdata-legacy`",
                    want.title
                ))),
            };
        }
        let should = want.title.as_str();
        let is = match (linked(machine)?, named(machine)?) {
            (is, _) if is != should => is,
            (_, Some(name)) if name != should => format!("{name} in {NAME}"),
            _ => return Ok(Plan::IN_SYNC),
        };
        Ok(Plan::of(vec![Change::new(Property::Ensure, is, should)]))
    }

    fn apply(&self, want: &Timezone, _: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        let machine = writing.machine;
        let should = want.title.as_str();
        if linked(machine)? != should {
            // Relative, so it leads to the right file below another root too.
            let target = format!("..{ZONES}/{should}");
            let access = Permissions { mode: 0o777, uid: None, gid: None };
            machine.make_symlink(Path::new(LINK), Path::new(&target), access)?;
        }
        if named(machine)?.is_some_and(|name| name != should) {
            put(writing, NAME, PUBLIC, &format!("{should}\n"))?;
        }
        Ok(Applied::default())
    }

    fn names<'a>(&self, _: &'a Timezone) -> Vec<&'a str> {
        vec![LINK, NAME]
    }

    fn left<'a>(&self, want: &'a Timezone) -> Left<'a> {
        vec![("ensure".into(), want.title.as_str().into())]
    }
}

/// The zone that the link leads to, or what else is there, in words.
fn linked(machine: &dyn Inspect) -> Result<String, Error> {
    let link = Path::new(LINK);
    match machine.lstat(link)?.map(|stat| stat.kind) {
        None => Ok("absent".to_owned()),
        Some(FileKind::Symlink) => {
            let target = normal(&Path::new("/etc").join(machine.read_link(link)?));
            let zone = target.strip_prefix(ZONES).unwrap_or(&target);
            Ok(zone.to_string_lossy().into_owned())
        }
        Some(_) => Ok("not a link".to_owned()),
    }
}

/// A path without `.` and `..`, computed from the text alone.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(part) => normal.push(part),
            Component::ParentDir => {
                normal.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    normal
}

/// The content of `/etc/timezone`; `None` on systems without it.
fn named(machine: &dyn Inspect) -> Result<Option<String>, Error> {
    let text = machine.read_text(Path::new(NAME))?;
    let is_debian = || machine.lstat(Path::new("/etc/debian_version")).map(|stat| stat.is_some());
    match text {
        Some(text) => Ok(Some(text.trim().to_owned())),
        None => Ok(is_debian()?.then(|| "nothing".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::provider::trial::{self, want};
    use crate::system::double::Double;

    fn machine() -> Double {
        let double = Double::new(|_| None);
        double.put("/etc/debian_version", "12\n");
        double.put("/etc/timezone", "Europe/Zurich\n");
        double.put("/usr/share/zoneinfo/Europe/Zurich", "TZif");
        double.put("/usr/share/zoneinfo/Etc/UTC", "TZif");
        link(&double, "/usr/share/zoneinfo/Europe/Zurich");
        double
    }

    fn link(machine: &Double, target: &str) {
        let place = machine.root.path().join("etc/localtime");
        let _ = std::fs::remove_file(&place);
        symlink(target, place).unwrap();
    }

    fn changes(machine: &Double) -> Vec<String> {
        trial::said(&trial::changes(&Zones, machine, &want("Europe/Zurich", &[])))
    }

    #[test]
    fn links_of_both_kinds_are_understood() {
        let machine = machine();
        assert_eq!(changes(&machine), [""; 0]);
        for (target, is) in [
            ("../usr/share/zoneinfo/Europe/Zurich", None),
            ("/usr/share/zoneinfo/Etc/UTC", Some("Etc/UTC")),
            ("../usr/share/zoneinfo/Etc/UTC", Some("Etc/UTC")),
            ("/srv/zone", Some("/srv/zone")),
        ] {
            link(&machine, target);
            let change = is.map(|is| format!("ensure: {is} -> Europe/Zurich"));
            assert_eq!(changes(&machine), Vec::from_iter(change), "{target}");
        }
    }

    #[test]
    fn the_link_and_the_name_are_brought_about() {
        let machine = machine();
        let etc = machine.root.path().join("etc");
        for (spoil, is) in [
            ("rm localtime", "absent"),
            ("rm localtime; echo TZif > localtime", "not a link"),
            ("echo Europe/Rome > timezone", "Europe/Rome in /etc/timezone"),
            ("rm timezone", "nothing in /etc/timezone"),
        ] {
            std::process::Command::new("sh").args(["-ec", spoil]).current_dir(&etc).status().unwrap();
            assert_eq!(changes(&machine), [format!("ensure: {is} -> Europe/Zurich")]);
            trial::correct(&Zones, &machine, &want("Europe/Zurich", &[])).unwrap();
            assert_eq!(changes(&machine), [""; 0]);
        }
        let target = std::fs::read_link(etc.join("localtime")).unwrap();
        assert_eq!(target, Path::new("../usr/share/zoneinfo/Europe/Zurich"));
    }

    #[test]
    fn the_name_is_debians_alone() {
        let machine = machine();
        for file in ["etc/timezone", "etc/debian_version"] {
            std::fs::remove_file(machine.root.path().join(file)).unwrap();
        }
        assert_eq!(changes(&machine), [""; 0]);
    }

    #[test]
    fn a_zone_that_is_not_there_is_refused_and_waited_for_without_any() {
        for unknown in ["Europe/Zuerich", "Europe"] {
            let refused = trial::plan(&Zones, &machine(), &want(unknown, &[])).unwrap_err().to_string();
            assert!(refused.contains(unknown) && refused.contains("list-timezones"), "{refused}");
        }
        let plan = trial::plan(&Zones, &Double::new(|_| None), &want("Europe/Zurich", &[])).unwrap();
        assert!(matches!(&plan, Plan::Pending(need) if need.why.contains("tzdata")), "{plan:?}");
    }
}
