//! Whether the daemon runs, and whether it will after the next boot.

use std::path::Path;

use crate::state::{Held, StateDir};

/// The unit that `make install` brings.
pub const UNIT: &str = "holdfast-agent.service";

/// Where units stand, and the links that start them at boot.
const UNITS: [&str; 4] =
    ["etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"];

/// How the daemon is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The process that is the daemon, where there is one.
    pub daemon: Option<String>,
    /// Whether this machine starts it at boot; none where no unit is installed.
    pub starts_at_boot: Option<bool>,
}

impl Service {
    /// How the daemon of this state is, on the machine below `root`.
    pub fn look(state: &StateDir, root: &Path) -> Self {
        Self { daemon: state.holder(Held::Daemon), starts_at_boot: starts_at_boot(root) }
    }

    /// What keeps runs from coming by themselves, and what to do about it.
    pub fn trouble(&self) -> Option<String> {
        match (&self.daemon, self.starts_at_boot) {
            (Some(_), Some(true) | None) => None,
            (Some(_), Some(false)) => Some(format!("it does not start at boot: `systemctl enable {UNIT}`")),
            (None, Some(true)) => Some(format!(
                "it does not run, and no run comes by itself: `systemctl start {UNIT}`; `systemctl status` says why it ended"
            )),
            (None, Some(false)) => Some(format!(
                "it does not run and does not start at boot, and no run comes by itself: `systemctl enable --now {UNIT}`"
            )),
            (None, None) => Some(
                "it does not run, and no run comes by itself: start `holdfast-agent run` as a service"
                    .to_owned(),
            ),
        }
    }
}

/// By the links that systemd follows: it need not run here, and is not asked.
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
        assert_eq!(look(), Service { daemon: None, starts_at_boot: None });
        let units = root.path().join("lib/systemd/system");
        let wants = root.path().join("etc/systemd/system/multi-user.target.wants");
        std::fs::create_dir_all(&units).unwrap();
        std::fs::create_dir_all(&wants).unwrap();
        std::fs::write(units.join(UNIT), "").unwrap();
        assert_eq!(look().starts_at_boot, Some(false));
        assert!(look().trouble().unwrap().contains("enable --now"));
        std::os::unix::fs::symlink("/nowhere", wants.join(UNIT)).unwrap();
        assert!(look().trouble().unwrap().contains("systemctl start"));
        let _daemon = state.take(Held::Daemon).unwrap();
        assert_eq!((look().starts_at_boot, look().trouble()), (Some(true), None));
        std::fs::remove_file(wants.join(UNIT)).unwrap();
        assert!(look().trouble().unwrap().contains("does not start at boot"));
    }
}
