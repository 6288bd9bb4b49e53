//! What systemd says of a unit, in our words. No I/O.

/// A unit as systemd has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its own name, where the one that was asked for is an alias.
    pub name: String,
    /// The D-Bus object that stands for it.
    pub object: String,
    /// Whether its definition was found.
    pub definition: Definition,
    pub activity: UnitActivity,
    /// Whether it is started at boot.
    pub enabling: Enabling,
    /// Whether it stands for a script of /etc/init.d, whose links say when it is started.
    pub by_script: bool,
    /// What it came to that nobody asked systemd for.
    pub fall: Option<Fall>,
}

impl Unit {
    /// How it fails again and again, where it does.
    pub fn fails_again(&self) -> Option<&str> {
        match &self.fall {
            Some(Fall::Again(how)) => Some(how),
            _ => None,
        }
    }
}

/// What a unit came to that nobody stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fall {
    /// It does not run, since it failed by itself: how.
    Down(String),
    /// It does not run, and systemd was not asked to stop it. Whether somebody ended it, nobody can tell: what is known.
    Ended(String),
    /// It runs, and others that are up start it: which.
    Up(String),
    /// It fails again and again, however often systemd starts it: how.
    Again(String),
}

/// Whether a name is that of a template, which stands for units and is not one.
pub fn is_template(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(name, _)| name.ends_with('@'))
}

/// The template of an instance, and what it is called there: `w@.service` and `1` of `w@1.service`.
pub fn template(name: &str) -> Option<(String, String)> {
    let (stem, suffix) = name.rsplit_once('.')?;
    let (stem, instance) = stem.split_once('@').filter(|(_, instance)| !instance.is_empty())?;
    Some((format!("{stem}@.{suffix}"), instance.to_owned()))
}

/// The instance of a template that is called so.
pub fn instance(template: &str, name: &str) -> String {
    template.replacen("@.", &format!("@{name}."), 1)
}

/// Whether a unit's definition was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Definition {
    /// It was; a masked one counts.
    Found,
    Missing,
    /// There is one that systemd cannot use.
    Bad,
}

impl Definition {
    /// From `LoadState`.
    pub fn read(load_state: &str) -> Self {
        match load_state {
            "not-found" => Self::Missing,
            "error" | "bad-setting" => Self::Bad,
            _ => Self::Found,
        }
    }
}

/// Whether a unit runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitActivity {
    Running,
    /// It is about to, and has not said that it does.
    Starting,
    Stopped,
    /// It is about to end, and is there still.
    Stopping,
    /// It does not, since it failed.
    Failed,
    /// It fails, and systemd starts it again and again.
    Restarting,
}

impl UnitActivity {
    /// From `ActiveState` and `SubState`.
    pub fn read(active: &str, sub: &str) -> Self {
        match (active, sub) {
            ("activating", "auto-restart" | "auto-restart-queued") => Self::Restarting,
            ("active" | "reloading" | "refreshing", _) => Self::Running,
            ("activating", _) => Self::Starting,
            ("deactivating", _) => Self::Stopping,
            ("failed", _) => Self::Failed,
            _ => Self::Stopped,
        }
    }

    /// Whether it runs, or is about to.
    pub fn is_up(self) -> bool {
        matches!(self, Self::Running | Self::Starting | Self::Restarting)
    }

    /// In the words of the attribute `ensure`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Starting => "starting",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Restarting => "failing again and again",
        }
    }
}

/// Whether a unit is started at boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enabling {
    Enabled,
    /// It is, until the next boot.
    EnabledForNow,
    Disabled,
    /// It cannot be started at all.
    Masked,
    /// It cannot be started at all until the next boot.
    MaskedForNow,
    /// It has nothing that says when it is to be started: others start it.
    Static,
    /// It enables others in its place.
    Indirect,
    /// It is made at boot from another definition.
    Generated,
    /// It has no unit file, or one that makes no sense.
    Unknown,
}

impl Enabling {
    /// From the state of the unit's file.
    pub fn read(state: &str) -> Self {
        match state {
            "enabled" => Self::Enabled,
            "enabled-runtime" => Self::EnabledForNow,
            // A file outside of systemd's folders that is linked there, and no more.
            "disabled" | "linked" | "linked-runtime" => Self::Disabled,
            "masked" => Self::Masked,
            "masked-runtime" => Self::MaskedForNow,
            "static" | "alias" => Self::Static,
            "indirect" => Self::Indirect,
            "generated" | "transient" => Self::Generated,
            _ => Self::Unknown,
        }
    }

    /// In the words of the attribute `enable`, where these suffice.
    pub fn words(self) -> &'static str {
        match self {
            Self::Enabled => "true",
            Self::EnabledForNow => "true, until the next boot",
            Self::Disabled => "false",
            Self::Masked => "mask",
            Self::MaskedForNow => "mask, until the next boot",
            Self::Static => "static",
            Self::Indirect => "indirect",
            Self::Generated => "generated",
            Self::Unknown => "unknown",
        }
    }

    /// Why it is never started at boot by being enabled, where that is so.
    pub fn never_enabled_because(self) -> Option<&'static str> {
        self.fixed_because().filter(|_| matches!(self, Self::Static | Self::Indirect))
    }

    /// Why it can be neither enabled nor disabled, where that is so.
    pub fn fixed_because(self) -> Option<&'static str> {
        match self {
            Self::Static => {
                Some("its unit file has no [Install] section, so other units start it; leave `enable` out")
            }
            Self::Indirect => Some("it enables other units instead; manage the units of its `Also=`"),
            Self::Generated => {
                Some("it is generated at boot, from /etc/fstab or by a program; leave `enable` out")
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_of_its_template() {
        let of = template("w@a.b.service").unwrap();
        assert_eq!(of, ("w@.service".to_owned(), "a.b".to_owned()));
        assert_eq!(instance(&of.0, &of.1), "w@a.b.service");
        assert_eq!((template("w@.service"), template("w.service")), (None, None));
    }

    #[test]
    fn a_template_has_no_instance() {
        for template in ["w@.service", "apt-daily@.timer", "a@b@.socket"] {
            assert!(is_template(template), "{template}");
        }
        for unit in ["w@1.service", "w.service", "w@a.b.service", "w@"] {
            assert!(!is_template(unit), "{unit}");
        }
    }
}
