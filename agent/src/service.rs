//! Whether the daemon runs, and whether it will after the next boot.

use std::path::Path;

use crate::state::{LockKind, StateDir};

/// The unit that `make install` installs.
pub const UNIT: &str = "holdfast-agent.service";

/// The directories with units, and with the links that start them at boot.
const UNITS: [&str; 4] =
    ["etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"];

/// The state of the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The process of the daemon, if it runs.
    pub daemon: Option<String>,
    /// Whether this machine starts it at boot; `None` if no unit is installed.
    pub starts_at_boot: Option<bool>,
    /// Whether it cannot be started at all.
    pub is_masked: bool,
}

impl Service {
    /// The state of this state directory's daemon, on the machine below `root`.
    pub fn look(state: &StateDir, root: &Path) -> Self {
        let is_masked = is_masked(root);
        let starts_at_boot = starts_at_boot(root).map(|starts| starts && !is_masked);
        Self { daemon: state.holder(LockKind::Daemon), starts_at_boot, is_masked }
    }

    /// What keeps runs from starting by themselves, and what to do about it.
    pub fn trouble(&self) -> Option<String> {
        if self.is_masked {
            const CURE: &str = "`systemctl unmask";
            return Some(match &self.daemon {
                Some(_) => format!("it is masked, and does not start at boot: {CURE} {UNIT}`"),
                None => format!(
                    "it is masked and does not run, so no run starts by itself: {CURE} {UNIT}`, then `systemctl enable --now {UNIT}`"
                ),
            });
        }
        match (&self.daemon, self.starts_at_boot) {
            (Some(_), Some(true) | None) => None,
            (Some(_), Some(false)) => Some(format!("it does not start at boot: `systemctl enable {UNIT}`")),
            (None, Some(true)) => Some(format!(
                "it does not run, so no run starts by itself: `systemctl start {UNIT}`; `systemctl status` says why it ended"
            )),
            (None, Some(false)) => Some(format!(
                "it does not run and does not start at boot, so no run starts by itself: `systemctl enable --now {UNIT}`"
            )),
            (None, None) => Some(
                "it does not run, so no run starts by itself: start `holdfast-agent run` as a service"
                    .to_owned(),
            ),
        }
    }
}

/// Whether the unit that takes precedence is a link to `/dev/null`, permanently or until the next boot.
fn is_masked(root: &Path) -> bool {
    let units = UNITS.iter().map(|folder| root.join(folder).join(UNIT));
    let first = units.into_iter().find(|unit| unit.symlink_metadata().is_ok());
    first.is_some_and(|unit| std::fs::read_link(unit).is_ok_and(|to| to == Path::new("/dev/null")))
}

/// Whether it starts at boot, judged by the links that systemd follows. systemd need not run here, and is not asked.
fn starts_at_boot(root: &Path) -> Option<bool> {
    let folders = || UNITS.iter().map(|folder| root.join(folder));
    folders().find(|folder| folder.join(UNIT).symlink_metadata().is_ok())?;
    let is_wanted = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).any(|path| {
            let starts = path.extension().is_some_and(|end| end == "wants" || end == "requires");
            starts && path.join(UNIT).symlink_metadata().is_ok()
        })
    };
    Some(folders().any(|folder| is_wanted(&folder)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_and_a_disabled_daemon_are_told_apart() {
        let root = tempfile::tempdir().unwrap();
        let state = StateDir::open(&root.path().join("state")).unwrap();
        let look = || Service::look(&state, root.path());
        assert_eq!(look(), Service { daemon: None, starts_at_boot: None, is_masked: false });
        let units = root.path().join("lib/systemd/system");
        let wants = root.path().join("etc/systemd/system/multi-user.target.wants");
        std::fs::create_dir_all(&units).unwrap();
        std::fs::create_dir_all(&wants).unwrap();
        std::fs::write(units.join(UNIT), "").unwrap();
        assert_eq!(look().starts_at_boot, Some(false));
        assert!(look().trouble().unwrap().contains("enable --now"));
        std::os::unix::fs::symlink("/nowhere", wants.join(UNIT)).unwrap();
        assert!(look().trouble().unwrap().contains("systemctl start"));
        for folder in ["etc/systemd/system", "run/systemd/system"] {
            let mask = root.path().join(folder).join(UNIT);
            std::fs::create_dir_all(mask.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink("/dev/null", &mask).unwrap();
            assert_eq!(look().starts_at_boot, Some(false), "{folder}");
            assert!(look().trouble().unwrap().contains("systemctl unmask"), "{folder}");
            std::fs::remove_file(mask).unwrap();
        }
        let _daemon = state.take(LockKind::Daemon).unwrap();
        assert_eq!((look().starts_at_boot, look().trouble()), (Some(true), None));
        std::fs::remove_file(wants.join(UNIT)).unwrap();
        assert!(look().trouble().unwrap().contains("does not start at boot"));
    }
}
