//! Names that stand for another unit, through links in systemd's directories. systemd itself no longer knows this of a
//! masked unit, and never reports it for a template.

use std::path::{Path, PathBuf};

use holdfast_catalog::resource::Service;
use holdfast_catalog::resource::service::{ServiceEnable, ServiceEnsure};

use super::systemd::BusError;
use super::unit::{Definition, Enabling, Unit, instance, template};
use crate::provider::Error;
use crate::system::{FileKind, Inspect};

const OWN: &str = "/etc/systemd/system";

/// Where systemd looks for definitions, in order of precedence.
pub(super) const DIRECTORIES: [&str; 5] = [
    OWN,
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// The most links that are followed. An alias of an alias is rare; more than this is a loop.
const MAX_LINKS: usize = 8;

/// The unit that a name stands for through links; `None` if it stands for itself.
pub(in crate::provider) fn stands_for(name: &str, machine: &dyn Inspect) -> Option<String> {
    let mut is = name.to_owned();
    for _ in 0..MAX_LINKS {
        let by_template = |name: &str| {
            let (template, instance_of) = template(name)?;
            Some(instance(&led(&template, machine)?, &instance_of))
        };
        let Some(next) = led(&is, machine).or_else(|| by_template(&is)) else { break };
        is = next;
    }
    (is != name).then_some(is)
}

/// The link that makes a unit an alias of another, if systemd has it as a unit of its own: it has not read the link.
pub(super) fn unread_link(unit: &Unit, machine: &dyn Inspect) -> Result<Option<PathBuf>, Error> {
    if unit.definition == Definition::Bad {
        return Ok(None);
    }
    alias_link(unit, machine)
}

/// The link that makes a unit an alias of another, and the other's name, if systemd considers it a broken unit of its
/// own: it has already loaded the other one, and the name cannot be both.
pub(super) fn clashing_link(unit: &Unit, machine: &dyn Inspect) -> Result<Option<(PathBuf, String)>, Error> {
    if unit.definition != Definition::Bad {
        return Ok(None);
    }
    let link = alias_link(unit, machine)?;
    Ok(link.and_then(|link| Some((link, led(&unit.name, machine)?))))
}

/// The message if the definition of a unit that should run, or be enabled, is a broken link: systemd may continue with
/// what it read while the target existed.
pub(super) fn dangling(want: &Service, unit: &Unit, machine: &dyn Inspect) -> Result<Option<String>, Error> {
    let is_needed =
        want.ensure == Some(ServiceEnsure::Running) || want.enable == Some(ServiceEnable::Enabled);
    if !is_needed || (unit.definition == Definition::Found && unit.enabling != Enabling::Unknown) {
        return Ok(None);
    }
    for name in [Some(unit.name.clone()), template(&unit.name).map(|(name, _)| name)].into_iter().flatten() {
        let link = Path::new(OWN).join(&name);
        let is_link = machine.lstat(&link)?.is_some_and(|stat| stat.kind == FileKind::Symlink);
        if !is_link || machine.stat(&link)?.is_some() {
            continue;
        }
        let (at, target) = (link.display(), machine.read_link(&link)?);
        // A mask, even where there is no such device.
        if target == Path::new("/dev/null") {
            continue;
        }
        return Ok(Some(format!(
            "its definition {at} is a symbolic link to {}, which does not exist; restore that, or remove the link",
            target.display()
        )));
    }
    Ok(None)
}

/// The link in systemd's own directory that makes a unit an alias of another.
fn alias_link(unit: &Unit, machine: &dyn Inspect) -> Result<Option<PathBuf>, Error> {
    let link = Path::new(OWN).join(&unit.name);
    // systemd never reports a masked unit as an alias.
    if matches!(unit.enabling, Enabling::Masked | Enabling::MaskedForNow) {
        return Ok(None);
    }
    if machine.lstat(&link)?.is_none_or(|stat| stat.kind != FileKind::Symlink)
        || machine.stat(&link)?.is_none()
    {
        return Ok(None);
    }
    // A link to a file elsewhere is a definition of this very unit.
    let target = machine.read_link(&link)?;
    let directory = target.parent().unwrap_or(Path::new(""));
    let is_alias =
        directory.as_os_str().is_empty() || DIRECTORIES.iter().any(|known| directory == Path::new(known));
    Ok((is_alias && led(&unit.name, machine).is_some()).then_some(link))
}

/// Where the link of this name leads.
fn led(name: &str, machine: &dyn Inspect) -> Option<String> {
    for directory in DIRECTORIES {
        let link = Path::new(directory).join(name);
        match machine.lstat(&link).ok()?.map(|stat| stat.kind) {
            None => {}
            Some(FileKind::Symlink) => {
                let target = machine.read_link(&link).ok()?;
                let target = target.file_name().and_then(|target| target.to_str())?;
                return (target != name && target != "null").then(|| target.to_owned());
            }
            Some(_) => return None,
        }
    }
    None
}

/// The instance that enabling a template starts at boot.
pub(super) fn default_instance(template: &str, machine: &dyn Inspect) -> Option<String> {
    let text = DIRECTORIES
        .iter()
        .find_map(|directory| machine.read_text(&Path::new(directory).join(template)).ok().flatten())?;
    let mut section = "";
    let mut value = None;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        } else if let Some(("DefaultInstance", is)) =
            line.split_once('=').map(|(key, is)| (key.trim(), is.trim())).filter(|_| section == "[Install]")
        {
            value = Some(is);
        }
    }
    value.filter(|value| !value.is_empty()).map(|value| instance(template, value))
}

/// Replaces an alias with the unit that it stands for, if systemd considers the alias a broken and masked unit of its
/// own. `ask` returns a unit by its name.
pub(super) fn look(
    unit: &mut Unit,
    machine: &dyn Inspect,
    ask: impl FnOnce(&str) -> Result<Unit, BusError>,
) -> Result<(), Error> {
    let is_lost = unit.definition == Definition::Bad
        && matches!(unit.enabling, Enabling::Masked | Enabling::MaskedForNow);
    let link = Path::new(OWN).join(&unit.name);
    let is_link = |machine: &dyn Inspect| -> Result<bool, Error> {
        Ok(machine.lstat(&link)?.is_some_and(|stat| stat.kind == FileKind::Symlink))
    };
    if !is_lost || !is_link(machine)? {
        return Ok(());
    }
    if let Some(name) = led(&unit.name, machine) {
        *unit = ask(&name)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::unit::UnitActivity;
    use super::*;
    use crate::system::double::Double;

    fn unit(name: &str, load_state: &str, file_state: &str) -> Unit {
        Unit {
            name: name.into(),
            object: "/".into(),
            definition: Definition::read(load_state),
            activity: UnitActivity::Stopped,
            enabling: Enabling::read(file_state),
            by_script: false,
            hollow: None,
            fall: None,
        }
    }

    #[test]
    fn a_definition_that_leads_nowhere_is_named() {
        let double = Double::new(|_| None);
        double.put("/etc/systemd/system/x", "");
        let link = double.root.path().join("etc/systemd/system/sshd.service");
        std::os::unix::fs::symlink("/opt/app/sshd.service", &link).unwrap();
        let wanted = |name: &str, value: holdfast_catalog::value::Value| {
            use holdfast_catalog::resource::ResourceType as _;
            Service::read("sshd", &[(name.into(), value)].into()).unwrap()
        };
        let said = |want: &Service, load_state: &str, file_state: &str| {
            dangling(want, &unit("sshd.service", load_state, file_state), &double).unwrap()
        };
        let on = wanted("enable", true.into());
        let why = said(&on, "loaded", "").unwrap();
        assert!(why.contains("/etc/systemd/system/sshd.service is a symbolic link to /opt/app"), "{why}");
        assert_eq!(said(&wanted("ensure", "running".into()), "not-found", ""), Some(why));
        assert_eq!(said(&on, "loaded", "enabled"), None);
        assert_eq!(said(&wanted("ensure", "stopped".into()), "not-found", ""), None);
        double.put("/opt/app/sshd.service", "");
        assert_eq!(said(&on, "not-found", ""), None, "there is something");
        std::fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        assert_eq!(said(&on, "masked", ""), None);
    }

    /// The name of the unit that `sshd.service` means, given what systemd says about it.
    fn meant(load_state: &str, file_state: &str) -> String {
        let double = Double::new(|_| None);
        double.put("/etc/systemd/system/x", "");
        let link = double.root.path().join("etc/systemd/system/sshd.service");
        std::os::unix::fs::symlink("/lib/systemd/system/ssh.service", link).unwrap();
        let mut alias = unit("sshd.service", load_state, file_state);
        look(&mut alias, &double, |name| Ok(unit(name, "masked", "masked"))).unwrap();
        alias.name
    }

    #[test]
    fn a_link_that_makes_an_alias_is_not_read_where_systemd_has_a_unit_of_its_own() {
        let double = Double::new(|_| None);
        double.put("/etc/systemd/system/real.service", "");
        double.put("/opt/app/own.service", "");
        for (name, target) in [
            ("alias", "real.service"),
            ("own", "../../../opt/app/own.service"),
            ("other", "../../../opt/app/own.service"),
            ("lost", "none.service"),
        ] {
            let link = double.root.path().join(format!("etc/systemd/system/{name}.service"));
            std::os::unix::fs::symlink(target, link).unwrap();
        }
        let unread = |name: &str| {
            unread_link(&unit(&format!("{name}.service"), "not-found", "alias"), &double).unwrap()
        };
        let clashing = |state: &str| clashing_link(&unit("alias.service", state, "alias"), &double).unwrap();
        assert_eq!(clashing("error").unwrap().1, "real.service");
        assert_eq!((clashing("loaded"), clashing("not-found")), (None, None));
        assert_eq!(unread("alias").as_deref(), Some(Path::new("/etc/systemd/system/alias.service")));
        assert_eq!(["own", "other", "lost", "real"].map(unread), [None, None, None, None]);
    }

    #[test]
    fn names_stand_for_what_links_lead_to_and_instances_for_those_of_another_template() {
        let double = Double::new(|_| None);
        double.put("/usr/lib/systemd/system/getty@.service", "[Install]\nDefaultInstance=tty1\n");
        double.put("/etc/systemd/system/own.service", "");
        let link = |at: &str, target: &str| {
            std::os::unix::fs::symlink(target, double.root.path().join(at)).unwrap();
        };
        link("usr/lib/systemd/system/autovt@.service", "getty@.service");
        link("usr/lib/systemd/system/own.service", "other.service");
        link("etc/systemd/system/sshd.service", "/lib/systemd/system/ssh.service");
        link("etc/systemd/system/gone.service", "/dev/null");
        link("etc/systemd/system/app.service", "/opt/app/app.service");
        link("etc/systemd/system/a.service", "b.service");
        link("etc/systemd/system/b.service", "a.service");
        for (name, is) in [
            ("sshd.service", Some("ssh.service")),
            ("autovt@tty3.service", Some("getty@tty3.service")),
            ("autovt@.service", Some("getty@.service")),
            ("getty@tty3.service", None),
            ("own.service", None),
            ("gone.service", None),
            ("app.service", None),
            ("ssh.service", None),
        ] {
            assert_eq!(stands_for(name, &double).as_deref(), is, "{name}");
        }
        assert_eq!(stands_for("a.service", &double), None, "a loop ends");
        let first = default_instance("getty@.service", &double);
        assert_eq!(first.as_deref(), Some("getty@tty1.service"));
        assert_eq!(default_instance("own.service", &double), None);
    }

    #[test]
    fn an_alias_of_a_masked_unit_is_that_unit() {
        assert_eq!(meant("error", "masked"), "ssh.service");
        assert_eq!(meant("error", "bad"), "sshd.service", "a definition that is broken by itself");
        assert_eq!(meant("loaded", "masked"), "sshd.service");
    }
}
