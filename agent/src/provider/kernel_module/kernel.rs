//! What the kernel has loaded, and what is built into it.

use std::collections::HashSet;
use std::path::Path;

use crate::provider::Error;
use crate::system::{Inspect, Liveness};

/// The state of a module in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ModuleState {
    /// It is not there.
    Absent,
    /// It was loaded, and can be removed.
    Loaded,
    /// It is part of the kernel.
    BuiltIn,
}

/// Names of modules, with `_` in place of `-`.
pub(super) struct Kernel {
    loaded: HashSet<String>,
    built_in: HashSet<String>,
}

impl Kernel {
    /// Reads what the running kernel has; `None` if the root is not a running system.
    pub(super) fn read(machine: &dyn Inspect) -> Result<Option<Self>, Error> {
        if machine.liveness() != Liveness::Live {
            return Ok(None);
        }
        let text = |path: &str| machine.read_text(Path::new(path)).map(Option::unwrap_or_default);
        let release = text("/proc/sys/kernel/osrelease")?;
        let built_in = text(&format!("/lib/modules/{}/modules.builtin", release.trim()))?;
        let name = |path: &str| path.rsplit('/').next()?.split('.').next().map(|name| name.replace('-', "_"));
        let first_word = |line: &str| line.split(' ').next().map(str::to_owned);
        Ok(Some(Self {
            loaded: text("/proc/modules")?.lines().filter_map(first_word).collect(),
            built_in: built_in.lines().filter_map(name).collect(),
        }))
    }

    /// The state of a module. One that the kernel shows without having loaded it is built in, listed or not.
    pub(super) fn state(&self, name: &str, machine: &dyn Inspect) -> Result<ModuleState, Error> {
        let shown = || machine.lstat(Path::new(&format!("/sys/module/{name}"))).map(|stat| stat.is_some());
        Ok(if self.loaded.contains(name) {
            ModuleState::Loaded
        } else if self.built_in.contains(name) || shown()? {
            ModuleState::BuiltIn
        } else {
            ModuleState::Absent
        })
    }
}
