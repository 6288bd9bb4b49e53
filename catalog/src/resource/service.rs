//! `service`: a unit of the init system.

use super::attribute::{SystemName, ToToml, keywords, quoted};
use super::claim::{Claim, Hold, PathKind};
use super::define::resource_type;
use super::{Attribute, AttributeError, AttributeKind, Bond, Implied, Mismatch, ResourceRef, Rules};
use crate::value::Value;

keywords! {
    /// Whether a service runs.
    ServiceEnsure {
        /// It runs.
        Running = "running",
        /// It does not run.
        Stopped = "stopped",
    }
}

/// Whether a service is started at boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceEnable {
    Enabled,
    Disabled,
    /// It cannot be started at all.
    Masked,
}

impl std::fmt::Display for ServiceEnable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Enabled => "true",
            Self::Disabled => "false",
            Self::Masked => "mask",
        })
    }
}

impl Attribute for ServiceEnable {
    const KIND: AttributeKind = AttributeKind::BooleanOr(&["mask"]);
    fn read(value: &Value) -> Result<Self, Mismatch> {
        match (value.as_bool(), value.as_str()) {
            (Some(true), _) => Ok(Self::Enabled),
            (Some(false), _) => Ok(Self::Disabled),
            (_, Some("mask")) => Ok(Self::Masked),
            _ => Err(Mismatch::KIND),
        }
    }
}

/// How a service is notified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceRestart {
    Restart,
    /// With a reload, or with a restart if the unit cannot reload.
    Reload,
    /// With a shell command.
    Command(String),
}

impl ToToml for ServiceRestart {
    fn written(&self) -> String {
        quoted(match self {
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::Command(command) => command,
        })
    }
}

impl Attribute for ServiceRestart {
    const KIND: AttributeKind = AttributeKind::EnumOr(&["restart", "reload"], "a command");
    fn read(value: &Value) -> Result<Self, Mismatch> {
        match String::read(value)?.as_str() {
            "restart" => Ok(Self::Restart),
            "reload" => Ok(Self::Reload),
            "" => Err(Mismatch::KIND),
            command => Ok(Self::Command(command.to_owned())),
        }
    }
}

resource_type! {
    /// A service of the init system. The title is its unit; `.service` is added where there is no suffix. A template (`worker@`) can be enabled, and an instance of it (`worker@1`) can run.
    Service("service"), titled SystemName {
        /// Whether it runs now. Where systemd counts a script of /etc/init.d as running and no process is there, the script's own `status`
        /// decides: if that says no (exit code 1 to 3), the unit is restarted, and it has failed if the script says no again.
        property ensure: Option<ServiceEnsure>,
        /// Whether it is started at boot: by the links that the `[Install]` of its file asks for now (`WantedBy=`, `RequiredBy=`, `UpheldBy=`, `Alias=`, and the units of `Also=`), and by no others; a link to it in a `.wants` directory that nothing asks for is removed, unless a `file` makes it. A unit that nothing enables fails with `true`. `"mask"` keeps it from being started at all. Of an alias, it is the unit that the alias stands for; a script of /etc/init.d is enabled as `systemctl` does it.
        property enable: Option<ServiceEnable>,
        /// How a notification reaches it. Where it is not up after that, it has failed. A command of one's own may go on in the background: the unit is waited for until it is up and stays so, and it is said whether it is in a new run.
        parameter restart: ServiceRestart = ServiceRestart::Restart,
    }
}

impl Service {
    /// The complete name of the unit.
    pub fn unit(&self) -> String {
        let suffixes = [
            ".service",
            ".socket",
            ".timer",
            ".target",
            ".path",
            ".mount",
            ".automount",
            ".swap",
            ".slice",
            ".scope",
            ".device",
        ];
        let title = self.title.as_str();
        if suffixes.iter().any(|suffix| title.ends_with(suffix)) {
            title.to_owned()
        } else {
            format!("{title}.service")
        }
    }
}

impl Rules for Service {
    const RELOADS: bool = true;

    fn validate(&self) -> Vec<AttributeError> {
        if self.enable == Some(ServiceEnable::Masked) && self.ensure == Some(ServiceEnsure::Running) {
            let error = AttributeError::new("enable", "a masked service cannot run");
            return vec![error.help("use ensure = \"stopped\", or another `enable`")];
        }
        Vec::new()
    }

    fn implied(&self) -> Vec<Implied> {
        let unit = self.unit();
        let template = unit.split_once('@').map(|(name, rest)| {
            let suffix = rest.rsplit_once('.').map_or("service", |(_, suffix)| suffix);
            format!("{name}@.{suffix}")
        });
        let mut units = vec![unit.clone()];
        units.extend(template.clone());
        // A resource for the unit itself says that this depends on it.
        let on_unit = |unit| Implied::On(vec![unit], Bond::Part);
        let mut implied: Vec<_> =
            template.iter().map(|title| ResourceRef::new("systemd_unit", &**title)).map(on_unit).collect();
        for unit in &units {
            for dir in ["/etc/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system"] {
                implied.push(Implied::on_file(format!("{dir}/{unit}")));
            }
        }
        implied.push(Implied::on("package", unit.split(['.', '@']).next().unwrap_or_default()));
        implied
    }

    fn claims(&self) -> Vec<Claim> {
        self.claims_of(&self.unit())
    }
}

impl Service {
    /// What it claims of a unit: its own, or one that its name is an alias of.
    pub fn claims_of(&self, unit: &str) -> Vec<Claim> {
        let masked = self.enable == Some(ServiceEnable::Masked);
        let side = |is_held: bool, side| is_held.then(|| Claim::object("unit", unit, Hold::Side(side)));
        let mut claims: Vec<_> = side(self.ensure.is_some() || masked, "state").into_iter().collect();
        claims.extend(side(self.enable.is_some(), "start at boot"));
        if masked {
            claims.extend(Claim::standing(&format!("/etc/systemd/system/{unit}"), PathKind::Symlink));
        }
        if self.enable != Some(ServiceEnable::Disabled) {
            claims.push(Claim::object("unit", unit, Hold::Links));
        }
        claims
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Attributes, ResourceType};

    #[test]
    fn a_title_without_suffix_is_a_service() {
        let unit = |title| Service::read(title, &Attributes::new()).unwrap().unit();
        assert_eq!(unit("nginx"), "nginx.service");
        assert_eq!(unit("apt-daily.timer"), "apt-daily.timer");
        assert_eq!(unit("postgresql@15-main"), "postgresql@15-main.service");
    }

    #[test]
    fn an_instance_comes_after_its_template() {
        let implied = Service::read("worker@1", &Attributes::new()).unwrap().implied();
        assert!(
            implied.contains(&Implied::On(
                vec![ResourceRef::new("systemd_unit", "worker@.service")],
                Bond::Part
            )),
            "{implied:?}"
        );
    }
}
