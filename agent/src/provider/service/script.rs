//! Scripts in /etc/init.d: systemd generates units for them, and leaves enabling them to the distribution's own tool,
//! as `systemctl` does.

use std::path::Path;

use holdfast_catalog::resource::service::ServiceEnable;

use super::unit::{Enabling, Unit};
use crate::provider::{Error, Writing, answer};
use crate::system::{Inspect, Invocation};

/// Finds out whether a generated unit stands for a script, and whether that is started at boot.
pub(super) fn look(unit: &mut Unit, machine: &dyn Inspect) -> Result<(), Error> {
    let Some(name) = unit.name.strip_suffix(".service").filter(|_| unit.enabling == Enabling::Generated)
    else {
        return Ok(());
    };
    if machine.stat(&Path::new("/etc/init.d").join(name))?.is_none() {
        return Ok(());
    }
    let output = answer(machine, &Invocation::new(["systemctl", "is-enabled", "--", &unit.name]))?;
    let enabling = match output.text().lines().last() {
        Some("enabled") => Enabling::Enabled,
        Some("disabled") => Enabling::Disabled,
        _ => return Ok(()),
    };
    *unit = Unit { enabling, by_script: true, ..unit.clone() };
    Ok(())
}

/// Enables or disables a script at boot.
pub(super) fn set_enabling(unit: &Unit, enable: ServiceEnable, writing: Writing<'_>) -> Result<(), Error> {
    let verb = match (enable, unit.enabling) {
        (ServiceEnable::Enabled, Enabling::Disabled) => "enable",
        (ServiceEnable::Disabled, Enabling::Enabled) => "disable",
        _ => return Ok(()),
    };
    writing.run(&Invocation::new(["systemctl", verb, "--", &unit.name])).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::super::unit::{Definition, UnitActivity};
    use super::*;
    use crate::provider::trial;
    use crate::system::double::{Double, failed, said};

    fn unit(file_state: &str) -> Unit {
        Unit {
            name: "old.service".into(),
            object: "/".into(),
            definition: Definition::Found,
            activity: UnitActivity::Running,
            enabling: Enabling::read(file_state),
            by_script: false,
            hollow: None,
            fall: None,
        }
    }

    fn machine(is_enabled: &'static str) -> Double {
        Double::new(move |invocation| match invocation.command.to_string().as_str() {
            "systemctl is-enabled -- old.service" => Some(said(is_enabled)),
            other if other.contains("is-enabled") => Some(failed(1, "asked of another")),
            _ => Some(said("")),
        })
    }

    #[test]
    fn a_script_is_enabled_by_the_tool_of_the_distribution() {
        for (is, enable, ran) in [
            ("disabled\n", ServiceEnable::Enabled, &["systemctl enable -- old.service"][..]),
            ("enabled\n", ServiceEnable::Disabled, &["systemctl disable -- old.service"]),
            ("enabled\n", ServiceEnable::Enabled, &[]),
            ("disabled\n", ServiceEnable::Disabled, &[]),
        ] {
            let double = machine(is);
            double.put("/etc/init.d/old", "#!/bin/sh\n");
            let mut unit = unit("generated");
            look(&mut unit, &double).unwrap();
            assert!(unit.by_script, "{is}");
            trial::writing(&double, |writing| set_enabling(&unit, enable, writing)).unwrap();
            assert_eq!(double.ran(), ran, "{is} {enable}");
        }
    }

    #[test]
    fn what_is_generated_from_something_else_stays_as_it_is() {
        let double = machine("generated\n");
        let mut mount = unit("generated");
        look(&mut mount, &double).unwrap();
        assert!(!mount.by_script && mount.enabling == Enabling::Generated);
        double.put("/etc/init.d/old", "");
        look(&mut mount, &double).unwrap();
        assert!(!mount.by_script, "systemctl does not know either");
        let mut native = unit("enabled");
        look(&mut native, &double).unwrap();
        assert!(!native.by_script);
    }
}
