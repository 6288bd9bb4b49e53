//! Aliases of a unit that is masked: systemd no longer knows what they stand for.

use std::path::Path;

use super::systemd::BusError;
use super::unit::{Definition, Enabling, Unit};
use crate::provider::Error;
use crate::system::{FileKind, Inspect};

const OWN: &str = "/etc/systemd/system";

/// Puts the unit that an alias stands for in its place, where systemd takes the alias for a unit of its own that is broken
/// and masked. `ask` gives a unit by its name.
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
    let target = machine.read_link(&link)?;
    match target.file_name().and_then(|name| name.to_str()) {
        Some(name) if name != unit.name && name != "null" => {
            *unit = ask(name)?;
            Ok(())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::unit::Activity;
    use super::*;
    use crate::system::double::Double;

    fn unit(name: &str, load_state: &str, file_state: &str) -> Unit {
        Unit {
            name: name.into(),
            object: "/".into(),
            definition: Definition::read(load_state),
            activity: Activity::Stopped,
            enabling: Enabling::read(file_state),
            by_script: false,
        }
    }

    /// The name of the unit that is meant by `sshd.service`, which systemd describes so.
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
    fn an_alias_of_a_masked_unit_is_that_unit() {
        assert_eq!(meant("error", "masked"), "ssh.service");
        assert_eq!(meant("error", "bad"), "sshd.service", "a definition that is broken by itself");
        assert_eq!(meant("loaded", "masked"), "sshd.service");
    }
}
