//! Drop-ins that overrule a definition and that the catalog does not manage. systemd applies all of them in one order:
//! the last value of a key counts, and a list grows unless a drop-in empties it.

use std::collections::BTreeSet;
use std::path::Path;

use holdfast_catalog::resource::SystemdUnit;

use super::is_managed;
use crate::provider::service::{is_same_file, settings_of};
use crate::provider::{Error, Reading};
use crate::system::Inspect;

/// A section that does not determine how a unit runs, like those that begin with `X-`.
const INSTALL: &str = "Install";

/// Relations to other units, which no later file can remove.
const RELATIONS: [&str; 20] = [
    "After",
    "Before",
    "BindsTo",
    "Conflicts",
    "JoinsNamespaceOf",
    "OnFailure",
    "OnSuccess",
    "PartOf",
    "PropagatesReloadTo",
    "PropagatesStopTo",
    "ReloadPropagatedFrom",
    "RequiredBy",
    "Requires",
    "RequiresMountsFor",
    "Requisite",
    "Sockets",
    "StopPropagatedFrom",
    "Upholds",
    "Wants",
    "WantsMountsFor",
];

/// Lists: the values of a file are added to those of others.
const LISTS: [&str; 47] = [
    "AllowedCPUs",
    "AllowedMemoryNodes",
    "AmbientCapabilities",
    "BPFProgram",
    "CPUAffinity",
    "CacheDirectory",
    "CapabilityBoundingSet",
    "ConfigurationDirectory",
    "Delegate",
    "DeviceAllow",
    "DirectoryNotEmpty",
    "DisableControllers",
    "Documentation",
    "Environment",
    "EnvironmentFile",
    "ExtensionDirectories",
    "ExtensionImages",
    "InaccessibleDirectories",
    "LogExtraFields",
    "LogFilterPatterns",
    "LogsDirectory",
    "MountImages",
    "NFTSet",
    "NUMAMask",
    "OpenFile",
    "PassEnvironment",
    "ReadOnlyDirectories",
    "ReadWriteDirectories",
    "RestartForceExitStatus",
    "RestartPreventExitStatus",
    "RestrictAddressFamilies",
    "RestrictFileSystems",
    "RestrictNamespaces",
    "RestrictNetworkInterfaces",
    "RootImageOptions",
    "RuntimeDirectory",
    "SecureBits",
    "StartupAllowedCPUs",
    "StartupAllowedMemoryNodes",
    "StateDirectory",
    "SuccessExitStatus",
    "SupplementaryGroups",
    "Symlinks",
    "SystemCallFilter",
    "SystemCallLog",
    "TemporaryFileSystem",
    "UnsetEnvironment",
];

/// How the names of further lists begin and end.
const LISTS_BEGIN: [&str; 16] = [
    "Assert",
    "BlockIODevice",
    "BlockIORead",
    "BlockIOWrite",
    "Condition",
    "Exec",
    "IODevice",
    "IORead",
    "IOWrite",
    "IPAddress",
    "Listen",
    "LoadCredential",
    "OnActive",
    "SetCredential",
    "SocketBind",
    "SystemCallArchitectures",
];
const LISTS_END: [&str; 3] = ["Paths", "Credential", "FilterPath"];

/// Lists of one kind of unit: when a timer elapses, and what a path unit watches.
const LISTS_OF: [(&str, &str); 5] = [
    ("Timer", "OnBoot"),
    ("Timer", "OnCalendar"),
    ("Timer", "OnStartup"),
    ("Timer", "OnUnit"),
    ("Path", "Path"),
];

/// A drop-in that gives a key of a definition another value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overruled {
    /// Whether it is only for this unit, and not of a package.
    pub(super) is_of_unit: bool,
    pub(super) words: String,
}

/// The drop-in that overrules a definition; of several, one that is only for its unit.
pub(super) fn by(
    want: &SystemdUnit,
    drop_ins: &[String],
    reading: Reading<'_>,
) -> Result<Option<Overruled>, Error> {
    let own = Path::new(want.title.path());
    let Some(after) = after(want, drop_ins, reading.machine)? else { return Ok(None) };
    let text = reading.machine.read_text(own)?.unwrap_or_default();
    let ours = settings_of(&text);
    let keys: BTreeSet<(&str, &str)> = ours.iter().map(|(section, key, _)| (&**section, &**key)).collect();
    let mut words: Vec<LastWord<'_>> = keys.into_iter().filter_map(|key| LastWord::of(key, &ours)).collect();
    for path in after.iter().map(Path::new) {
        let said = settings_of(&reading.machine.read_text(path)?.unwrap_or_default());
        // What a resource sets is what the catalog wants.
        let is_ours = is_managed(path, reading.named);
        for word in &mut words {
            word.hear(path, &said, is_ours);
        }
    }
    let overruled = words.into_iter().filter_map(|word| {
        let ((path, is), (_, key)) = (word.overruled?, word.key);
        let words = format!(
            "systemd goes by `{key}={is}` of {}, which it reads after {}",
            path.display(),
            own.display()
        );
        Some(Overruled { is_of_unit: is_of_unit(path, want.title.unit()), words })
    });
    Ok(overruled.max_by_key(|overruled| overruled.is_of_unit))
}

/// Whether a drop-in is only for this unit, and not of a package.
fn is_of_unit(path: &Path, unit: &str) -> bool {
    let directory = path.parent().and_then(Path::file_name).and_then(std::ffi::OsStr::to_str);
    directory.and_then(|name| name.strip_suffix(".d")) == Some(unit)
        && !["/usr/lib", "/lib"].iter().any(|packages| path.starts_with(packages))
}

/// The drop-ins that systemd applies after this file; `None` if it does not apply this file.
fn after<'a>(
    want: &SystemdUnit,
    drop_ins: &'a [String],
    machine: &dyn Inspect,
) -> Result<Option<&'a [String]>, Error> {
    if !want.title.is_drop_in() {
        return Ok(Some(drop_ins));
    }
    let own = Path::new(want.title.path());
    let real = machine.real(own)?.map(|real| real.path);
    let is_own = |path: &String| {
        is_same_file(Path::new(path), own)
            || real.as_deref().is_some_and(|real| is_same_file(Path::new(path), real))
    };
    Ok(drop_ins.iter().position(is_own).map(|at| &drop_ins[at + 1..]))
}

/// The file that decides the value of a key.
struct LastWord<'a> {
    key: (&'a str, &'a str),
    /// The values in this file; of a key that is not a list, the last one counts.
    ours: Vec<&'a str>,
    is_list: bool,
    /// The file that gives it another value, and that value.
    overruled: Option<(&'a Path, String)>,
}

impl<'a> LastWord<'a> {
    /// `None` for a key that nothing can overrule.
    fn of((section, key): (&'a str, &'a str), ours: &'a [(String, String, String)]) -> Option<Self> {
        if section == INSTALL
            || section.starts_with("X-")
            || key.starts_with("X-")
            || RELATIONS.contains(&key)
        {
            return None;
        }
        let ours = values((section, key), ours).1;
        Some(Self { key: (section, key), ours, is_list: is_list(section, key), overruled: None })
    }

    /// Adds one more file.
    fn hear(&mut self, path: &'a Path, said: &[(String, String, String)], is_ours: bool) {
        let (is_emptied, theirs) = values(self.key, said);
        let is_set = is_emptied || !theirs.is_empty() && !self.is_list;
        if !is_set {
            return;
        }
        let is_same = match self.is_list {
            true => theirs == self.ours,
            false => theirs.last().map(|value| plain(value)) == self.ours.last().map(|value| plain(value)),
        };
        let other = || (path, theirs.last().map(ToString::to_string).unwrap_or_default());
        self.overruled = (!is_ours && !is_same).then(other);
    }
}

/// Whether a key is set to nothing, and its values after that.
fn values<'a>((section, key): (&str, &str), all: &'a [(String, String, String)]) -> (bool, Vec<&'a str>) {
    let (mut is_emptied, mut values) = (false, Vec::new());
    for (_, _, value) in all.iter().filter(|(of, name, _)| of == section && name == key) {
        if value.is_empty() {
            is_emptied = true;
            values.clear();
        } else {
            values.push(value.as_str());
        }
    }
    (is_emptied, values)
}

fn is_list(section: &str, key: &str) -> bool {
    let is_of = |(of, begin): &(&str, &str)| *of == section && key.starts_with(begin);
    LISTS.contains(&key)
        || LISTS_BEGIN.iter().any(|begin| key.starts_with(begin))
        || LISTS_END.iter().any(|end| key.ends_with(end))
        || LISTS_OF.iter().any(is_of)
}

/// A value in the form that is compared: `yes` or `no`, and sizes in bytes, as `systemctl set-property` writes them.
fn plain(value: &str) -> String {
    const UNITS: &str = "KMGTPE";
    let bytes = || {
        let unit = UNITS.find(value.chars().next_back()?)?;
        let number: u64 = value[..value.len() - 1].parse().ok()?;
        number.checked_mul(1024_u64.checked_pow(u32::try_from(unit).ok()? + 1)?)
    };
    match value.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "y" | "t" => "yes".to_owned(),
        "no" | "false" | "off" | "n" | "f" => "no".to_owned(),
        _ => bytes().map_or_else(|| value.to_owned(), |bytes| bytes.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::resource::TypedResource;

    use super::*;
    use crate::provider::CatalogClaims;
    use crate::provider::trial::want;
    use crate::system::double::Double;

    const UNIT: &str =
        "[Unit]\nAfter=a.target\n[Service]\nExecStart=/bin/a\nCPUWeight=100\nMemoryMax=1G\nEnvironment=A=1\n";

    /// What overrules a unit beside drop-ins of others, in this order.
    fn overruled(title: &str, text: &str, others: &[(&str, &str)], managed: &[&str]) -> Option<Overruled> {
        let double = Double::new(|_| None);
        let unit: SystemdUnit = want(title, &[("content", text.into())]);
        double.put(unit.title.path(), text);
        for (path, text) in others {
            double.put(path, text);
        }
        let all = managed
            .iter()
            .map(|title| TypedResource::SystemdUnit(want(title, &[("content", "[Service]\n".into())])));
        let all: Vec<TypedResource> = all.collect();
        let named = CatalogClaims::new(&all);
        let content = &crate::content::Nowhere;
        let reading = Reading { machine: &double, content, named: &named, state_dir: Path::new("/none") };
        let paths: Vec<String> = others.iter().map(|(path, _)| (*path).to_owned()).collect();
        by(&unit, &paths, reading).unwrap()
    }

    #[test]
    fn a_drop_in_that_sets_what_the_unit_sets_is_named() {
        for (path, is_of_unit) in [
            ("/etc/systemd/system.control/lim.service.d/50-CPUWeight.conf", true),
            ("/run/systemd/system/lim.service.d/zz.conf", true),
            ("/etc/systemd/system/service.d/zz.conf", false),
            ("/usr/lib/systemd/system/lim.service.d/zz.conf", false),
        ] {
            let found = overruled("lim.service", UNIT, &[(path, "[Service]\nCPUWeight=7\n")], &[]).unwrap();
            let words = format!(
                "systemd goes by `CPUWeight=7` of {path}, which it reads after /etc/systemd/system/lim.service"
            );
            assert_eq!(found, Overruled { is_of_unit, words });
        }
        let (of_all, own) =
            ("/run/systemd/system/service.d/a.conf", "/run/systemd/system/lim.service.d/b.conf");
        let both = [(of_all, "[Service]\nMemoryMax=1\n"), (own, "[Service]\nCPUWeight=7\n")];
        assert!(overruled("lim.service", UNIT, &both, &[]).unwrap().is_of_unit, "the worse one comes first");
        let other = "/etc/systemd/system/lim.service.d/zz.conf";
        for (text, overrules) in [
            ("[Service]\nCPUWeight=100\n", false),
            ("[Service]\nCPUWeight=\n", true),
            ("[Service]\nMemoryMax=1073741824\n", false),
            ("[Service]\nMemoryMax=2147483648\n", true),
            ("[Service]\nTasksMax=5\n", false),
            ("[Slice]\nCPUWeight=7\n", false),
            ("[Service]\n#CPUWeight=7\n", false),
            ("[Service]\nEnvironment=B=2\nExecStartPre=/bin/b\n", false),
            ("[Service]\nEnvironment=\nEnvironment=B=2\n", true),
            ("[Service]\nExecStart=\nExecStart=/bin/b\n", true),
            ("[Unit]\nAfter=\nAfter=b.target\n", false),
        ] {
            let found = overruled("lim.service", UNIT, &[(other, text)], &[]);
            assert_eq!(found.is_some(), overrules, "{text}: {found:?}");
        }
    }

    #[test]
    fn the_last_word_counts_and_what_the_catalog_says_is_meant() {
        let drop_in = |name: &str| format!("/etc/systemd/system/lim.service.d/{name}.conf");
        let (seven, hundred) = ("[Service]\nCPUWeight=7\n", "[Service]\nCPUWeight=100\n");
        let (first, last) = (drop_in("a"), drop_in("b"));
        assert_eq!(overruled("lim.service", UNIT, &[(&first, seven), (&last, hundred)], &[]), None);
        assert_eq!(overruled("lim.service", UNIT, &[(&first, seven)], &["lim.service.d/a.conf"]), None);
        let own = drop_in("m");
        let among = |others: &[(&str, &str)]| {
            overruled("lim.service.d/m.conf", hundred, others, &["lim.service.d/m.conf"])
        };
        assert_eq!(among(&[(&first, seven), (&own, hundred)]), None, "it is read before");
        let words = among(&[(&own, hundred), (&drop_in("z"), seven)]).unwrap().words;
        assert!(words.contains(&drop_in("z")) && words.ends_with(&format!("after {own}")), "{words}");
        assert_eq!(among(&[(&drop_in("z"), seven)]), None, "systemd does not go by it");
    }
}
