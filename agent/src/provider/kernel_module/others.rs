//! What files other than a module's own say about it: they are also read at boot and by modprobe.

use std::path::Path;

use holdfast_catalog::resource::kernel_module::ModuleName;

use crate::provider::Error;
use crate::provider::text::boot_files::{self, BootFiles};
use crate::system::Inspect;

/// The directories in the order of systemd-modules-load. A link in the first of them makes it read Debian's
/// `/etc/modules`.
const LOAD: [&str; 5] = [
    "/etc/modules-load.d",
    "/run/modules-load.d",
    "/usr/local/lib/modules-load.d",
    "/usr/lib/modules-load.d",
    "/lib/modules-load.d",
];

/// The directories in the order of modprobe.
const PROBE: [&str; 5] = [
    "/etc/modprobe.d",
    "/run/modprobe.d",
    "/usr/local/lib/modprobe.d",
    "/usr/lib/modprobe.d",
    "/lib/modprobe.d",
];

/// The files about all modules.
#[derive(Debug, Default)]
pub(super) struct ModuleFiles {
    load: BootFiles,
    probe: BootFiles,
}

impl ModuleFiles {
    pub(super) fn read(machine: &dyn Inspect) -> Result<Self, Error> {
        Ok(Self { load: boot_files::read(machine, &LOAD)?, probe: boot_files::read(machine, &PROBE)? })
    }

    /// The other file that has a module loaded at boot.
    pub(super) fn loading(&self, module: &ModuleName) -> Option<&Path> {
        let names = |line: &str| is_of(module, line.trim());
        let mut files = self.load.values().filter(|(path, _)| path != Path::new(module.load_file()));
        files.find(|(_, text)| text.lines().any(names)).map(|(path, _)| path.as_path())
    }

    /// What keeps a module from being loaded at boot, and the file that says so.
    pub(super) fn keeping_out(&self, module: &ModuleName) -> Option<(KeptOut, &Path)> {
        let mut files = self.probe.values().filter(|(path, _)| path != Path::new(module.probe_file()));
        files.find_map(|(path, text)| {
            let kept_out = text.lines().find_map(|line| KeptOut::by(module, line))?;
            Some((kept_out, path.as_path()))
        })
    }

    /// An option of a module that another file sets differently, and that file. It is read after the module's own, and
    /// the last value of an option counts.
    pub(super) fn overruling<'a>(
        &'a self,
        module: &ModuleName,
        options: &str,
    ) -> Option<(&'a str, &'a Path)> {
        let own = Path::new(module.probe_file()).file_name()?;
        let after = self.probe.iter().filter(|(name, _)| name.as_os_str() > own);
        let given = after.flat_map(|(_, (path, text))| {
            let lines = text.lines().filter_map(move |line| words_of(module, "options", line));
            lines.flatten().map(move |option| (option, path.as_path()))
        });
        let given: Vec<_> = given.collect();
        options.split_ascii_whitespace().find_map(|wanted| {
            let same = |(option, _): &&(&str, &Path)| parameter(option) == parameter(wanted);
            let differs = |(option, _): &&(&str, &Path)| value(option) != value(wanted);
            given.iter().rev().find(same).filter(differs).copied()
        })
    }
}

/// How a line keeps a module from being loaded at boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeptOut {
    Blacklist,
    /// A command that does nothing runs instead of loading it.
    Install,
}

impl KeptOut {
    fn by(module: &ModuleName, line: &str) -> Option<Self> {
        if words_of(module, "blacklist", line).is_some() {
            return Some(Self::Blacklist);
        }
        let command = words_of(module, "install", line)?.next()?;
        let program = command.rsplit('/').next().unwrap_or(command);
        matches!(program, "false" | "true" | ":").then_some(Self::Install)
    }

    /// A participle with preposition for messages about the module, before the file's path.
    pub(super) fn participle(self) -> &'static str {
        match self {
            Self::Blacklist => "blacklisted by",
            Self::Install => "replaced by a command that does nothing, in",
        }
    }

    /// What a file does to the module, for messages.
    pub(super) fn does(self) -> &'static str {
        match self {
            Self::Blacklist => "blacklists it",
            Self::Install => "has an `install` line that runs a command instead, which does nothing",
        }
    }
}

/// The parameter that an option sets, in which `-` and `_` are the same.
fn parameter(option: &str) -> String {
    option.split('=').next().unwrap_or_default().replace('-', "_")
}

/// The value of an option; `None` for a flag.
fn value(option: &str) -> Option<&str> {
    option.split_once('=').map(|(_, value)| value)
}

fn is_of(module: &ModuleName, name: &str) -> bool {
    name.replace('-', "_") == module.normal()
}

/// The words after the command and the module, if a line gives this command for the module.
fn words_of<'a>(
    module: &ModuleName,
    command: &str,
    line: &'a str,
) -> Option<impl Iterator<Item = &'a str> + use<'a>> {
    let mut words = line.split_ascii_whitespace();
    let is_it = words.next() == Some(command) && words.next().is_some_and(|name| is_of(module, name));
    is_it.then_some(words)
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::resource::KernelModule;

    use super::*;
    use crate::provider::trial;
    use crate::system::double::Double;

    #[test]
    fn an_option_that_is_the_same_in_other_letters_overrules_nothing() {
        let module: KernelModule = trial::want("loop", &[]);
        for (later, wanted, is_other) in [
            ("max-loop=8", "max_loop=8", false),
            ("max_loop=8", "max-loop=8", false),
            ("max-loop=9", "max_loop=8", true),
            ("max_loop=a-b", "max_loop=a_b", true),
            ("max_loop", "max_loop=1", true),
        ] {
            let double = Double::new(|_| None);
            double.put("/etc/modprobe.d/zz.conf", &format!("options loop {later}\n"));
            let others = ModuleFiles::read(&double).unwrap();
            assert_eq!(others.overruling(&module.title, wanted).is_some(), is_other, "{later} {wanted}");
        }
    }
}
