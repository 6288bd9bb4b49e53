//! What systemd says about a unit, in our words. No I/O.

/// A unit as systemd has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its own name, if it was asked for by an alias.
    pub name: String,
    /// The D-Bus object that represents it.
    pub object: String,
    /// Whether its definition was found.
    pub definition: Definition,
    pub activity: UnitActivity,
    /// Whether it is started at boot.
    pub enabling: Enabling,
    /// Whether it stands for a script in /etc/init.d, whose links say when it is started.
    pub by_script: bool,
    /// Whether systemd counts it as running without a process, although it goes into the background.
    pub hollow: Option<Hollow>,
    /// What happened to it without a request to systemd.
    pub fall: Option<Fall>,
}

impl Unit {
    /// How it fails again and again, if it does.
    pub fn fails_again(&self) -> Option<&str> {
        match &self.fall {
            Some(Fall::Again(how)) => Some(how),
            _ => None,
        }
    }
}

/// What is known of a unit that systemd counts as running without a process, although it goes into the background.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hollow {
    /// The script that it stands for says that it does not run; its words.
    Script(String),
    /// There is no script to ask.
    Native,
}

/// What happened to a unit that nobody stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fall {
    /// It does not run, since it failed by itself; how.
    Down(String),
    /// It does not run, and systemd was not asked to stop it. Whether someone ended it is unknown; what is known.
    Ended(String),
    /// It runs, and these other running units start it.
    Up(String),
    /// It fails again and again, however often systemd starts it; how.
    Again(String),
}

/// Whether a name is that of a template, which is not a unit itself.
pub fn is_template(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(name, _)| name.ends_with('@'))
}

/// The template of an instance, and the instance's name: `w@.service` and `1` for `w@1.service`.
pub fn template(name: &str) -> Option<(String, String)> {
    let (stem, suffix) = name.rsplit_once('.')?;
    let (stem, instance) = stem.split_once('@').filter(|(_, instance)| !instance.is_empty())?;
    Some((format!("{stem}@.{suffix}"), instance.to_owned()))
}

/// The instance of a template with this name.
pub fn instance(template: &str, name: &str) -> String {
    template.replacen("@.", &format!("@{name}."), 1)
}

/// Whether a unit's definition was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Definition {
    /// It was found; a masked one counts.
    Found,
    Missing,
    /// There is one that systemd cannot use.
    Bad,
}

impl Definition {
    /// Parses `LoadState`.
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
    /// It is about to run, and has not reported that it does.
    Starting,
    Stopped,
    /// It is about to end, and is still there.
    Stopping,
    /// It does not run, since it failed.
    Failed,
    /// It fails, and systemd starts it again and again.
    Restarting,
}

impl UnitActivity {
    /// Parses `ActiveState` and `SubState`.
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

    /// The state in the words of the attribute `ensure`.
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
    /// It is started at boot, until the next boot.
    EnabledForNow,
    Disabled,
    /// It cannot be started at all.
    Masked,
    /// It cannot be started at all until the next boot.
    MaskedForNow,
    /// Nothing says when to start it: other units do.
    Static,
    /// It enables other units in its place.
    Indirect,
    /// It is generated at boot from another definition.
    Generated,
    /// It has no unit file, or an invalid one.
    Unknown,
}

impl Enabling {
    /// Parses the state of the unit's file.
    pub fn read(state: &str) -> Self {
        match state {
            "enabled" => Self::Enabled,
            "enabled-runtime" => Self::EnabledForNow,
            // A file outside systemd's directories that is linked there, and nothing more.
            "disabled" | "linked" | "linked-runtime" => Self::Disabled,
            "masked" => Self::Masked,
            "masked-runtime" => Self::MaskedForNow,
            "static" | "alias" => Self::Static,
            "indirect" => Self::Indirect,
            "generated" | "transient" => Self::Generated,
            _ => Self::Unknown,
        }
    }

    /// The state in the words of the attribute `enable`, if these suffice.
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

    /// Why enabling it never starts it at boot, if that is so.
    pub fn never_enabled_because(self) -> Option<&'static str> {
        self.fixed_because().filter(|_| matches!(self, Self::Static | Self::Indirect))
    }

    /// Why it can be neither enabled nor disabled, if that is so.
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
