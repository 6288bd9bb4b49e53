//! The `[Install]` section of a unit, from its file and drop-ins on disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::unit::template;
use crate::provider::Error;
use crate::system::{FileKind, Inspect, Stat};

/// The directory in which links are made.
pub(super) const OWN: &str = "/etc/systemd/system";

/// The directories with definitions, in order of precedence; those of generators, which make units at boot, come last.
pub(super) const DIRECTORIES: [&str; 8] = [
    OWN,
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator",
    "/run/systemd/generator.early",
    "/run/systemd/generator.late",
];

/// The number of these directories that contain what people and packages write.
const WRITTEN: usize = 5;

/// The suffix of the directory of links, for each key that asks for them.
const PULLS: [(&str, &str); 3] = [("WantedBy", "wants"), ("RequiredBy", "requires"), ("UpheldBy", "upholds")];

/// What a unit asks for when it is enabled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct InstallInfo {
    /// The unit that is linked: for a template, its default instance.
    pub(super) unit: String,
    /// The name of its file.
    pub(super) file: String,
    /// When one of its files last changed, in seconds since 1970 and nanoseconds.
    pub(super) changed: (i64, u32),
    /// Whether everything that it asks for is known: a word may contain a specifier that only systemd can expand.
    pub(super) is_whole: bool,
    /// Units that are enabled with it.
    pub(super) also: Vec<String>,
    values: BTreeMap<String, Vec<String>>,
}

impl InstallInfo {
    /// Whether it asks for no links and no other units.
    pub(super) fn is_empty(&self) -> bool {
        self.values.values().all(Vec::is_empty) && self.also.is_empty()
    }

    /// The links through which other units start it.
    pub(super) fn pulls(&self) -> impl Iterator<Item = PathBuf> {
        PULLS.iter().flat_map(move |(key, kind)| {
            let link = move |by: &String| Path::new(OWN).join(format!("{by}.{kind}")).join(&self.unit);
            self.values(key).iter().map(link)
        })
    }

    /// The links that give it other names.
    pub(super) fn names(&self) -> impl Iterator<Item = PathBuf> {
        let others =
            self.values("Alias").iter().filter(move |name| **name != self.unit && **name != self.file);
        others.map(|name| Path::new(OWN).join(name))
    }

    /// The targets that start it.
    pub(super) fn targets(&self) -> impl Iterator<Item = &str> {
        let all = PULLS.iter().flat_map(move |(key, _)| self.values(key));
        all.map(String::as_str).filter(|by| by.ends_with(".target"))
    }

    fn values(&self, key: &str) -> &[String] {
        self.values.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    /// Adds the `[Install]` section of one more file.
    fn add(&mut self, text: &str) {
        let mut in_install = false;
        for line in joined(text) {
            let line = line.trim();
            if let Some(section) = line.strip_prefix('[') {
                in_install = section.trim_end() == "Install]";
                continue;
            }
            let Some((key, value)) = line.split_once('=').filter(|_| in_install) else { continue };
            let values = self.values.entry(key.trim().to_owned()).or_default();
            let value = value.trim();
            if value.is_empty() {
                values.clear();
            }
            values
                .extend(value.split_ascii_whitespace().map(|word| word.trim_matches(['"', '\'']).to_owned()));
        }
    }

    /// Fills in the names of a unit.
    fn complete(mut self, unit: &str) -> Self {
        let default = self.values.remove("DefaultInstance").unwrap_or_default().pop();
        self.unit = match (unit.split_once("@."), default) {
            (Some((name, suffix)), Some(instance)) => format!("{name}@{instance}.{suffix}"),
            _ => unit.to_owned(),
        };
        let also = self.values.remove("Also").unwrap_or_default();
        self.values.retain(|key, _| key == "Alias" || PULLS.iter().any(|(pull, _)| pull == key));
        let unit = self.unit.clone();
        let filled =
            |words: Vec<String>| words.iter().filter_map(|word| filled(word, &unit)).collect::<Vec<_>>();
        self.also = filled(also);
        self.is_whole = true;
        for words in self.values.values_mut() {
            let known = filled(words.clone());
            self.is_whole &= known.len() == words.len();
            *words = known;
        }
        self
    }
}

/// What the files of a unit on disk ask for; `None` if there is no file that can be read.
pub(super) fn read(unit: &str, machine: &dyn Inspect) -> Result<Option<InstallInfo>, Error> {
    let template = unit.split_once('@').and_then(|(name, rest)| Some((name, rest.rsplit_once('.')?)));
    let template = template.map(|(name, (_, suffix))| format!("{name}@.{suffix}"));
    let names: Vec<&str> = std::iter::once(unit).chain(template.as_deref()).collect();
    let Some((file, path)) = first(&names, machine)? else { return Ok(None) };
    let mut asked = InstallInfo { file: file.to_owned(), ..InstallInfo::default() };
    let mut files = vec![path];
    files.extend(drop_ins(&names, machine)?);
    for path in files {
        // What cannot be read safely is ignored.
        let (Ok(Some(text)), Some(stat)) = (machine.read_text(&path), machine.lstat(&path)?) else {
            return Ok(None);
        };
        asked.changed = asked.changed.max((stat.times.changed, stat.times.changed_nanos));
        asked.add(&text);
    }
    Ok(Some(asked.complete(unit)))
}

/// The file of a unit, under the first of its names that exists.
fn first<'a>(names: &[&'a str], machine: &dyn Inspect) -> Result<Option<(&'a str, PathBuf)>, Error> {
    for name in names {
        for directory in DIRECTORIES {
            let path = Path::new(directory).join(name);
            if machine.lstat(&path)?.is_some() {
                return Ok(Some((*name, path)));
            }
        }
    }
    Ok(None)
}

/// The file or link that defines a unit on disk, if systemd has read another one, or has read the link while it led
/// elsewhere. systemd itself only looks at the file that it has read, and for a link only at the times of the target,
/// which may be older.
pub(super) fn replaced(
    unit: &str,
    fragment: &Path,
    read_at: i64,
    machine: &dyn Inspect,
) -> Result<Option<PathBuf>, Error> {
    // What generators make at boot is in other directories, before or after all of these.
    let rank =
        |path: &Path| DIRECTORIES.iter().take(WRITTEN).position(|at| path.parent() == Some(Path::new(at)));
    let of_template = template(unit).map(|(template, _)| template);
    let names: Vec<&str> = std::iter::once(unit).chain(of_template.as_deref()).collect();
    let Some((_, path)) = first(&names, machine)? else { return Ok(None) };
    let (Some(is), Some(was)) = (rank(&path), rank(fragment)) else { return Ok(None) };
    let is_link = machine.lstat(&path)?.is_some_and(|stat| stat.kind == FileKind::Symlink);
    let is_off = match is_same(&path, fragment) {
        true => is_link && is_newer(&path, read_at, machine)?,
        false => is <= was,
    };
    // A broken link defines nothing.
    Ok(if is_off && machine.stat(&path)?.is_some() { Some(path) } else { None })
}

/// Whether a link or file was created or changed after this time; one that is gone counts as changed.
pub(super) fn is_newer(path: &Path, read_at: i64, machine: &dyn Inspect) -> Result<bool, Error> {
    let stat = machine.lstat(path)?;
    let changed = |stat: &Stat| stat.times.changed * 1_000_000 + i64::from(stat.times.changed_nanos) / 1_000;
    Ok(stat.is_none_or(|stat| changed(&stat) > read_at))
}

/// Whether two paths are the same, where `/lib` is `/usr/lib`.
pub(in crate::provider) fn is_same(one: &Path, other: &Path) -> bool {
    let plain = |path: &Path| {
        path.strip_prefix("/usr").map_or_else(|_| path.to_owned(), |rest| Path::new("/").join(rest))
    };
    plain(one) == plain(other)
}

/// The real path of a file.
pub(super) fn real(path: &Path, machine: &dyn Inspect) -> Result<PathBuf, Error> {
    Ok(machine.real(path)?.map_or_else(|| path.to_owned(), |real| real.path))
}

/// The drop-ins of a unit, sorted by name; of two with the same name, the one in the first directory.
pub(super) fn drop_ins(names: &[&str], machine: &dyn Inspect) -> Result<Vec<PathBuf>, Error> {
    let mut found = BTreeMap::new();
    for directory in DIRECTORIES {
        for name in names {
            let directory = Path::new(directory).join(format!("{name}.d"));
            if !machine.stat(&directory)?.is_some_and(|stat| stat.kind == FileKind::Directory) {
                continue;
            }
            for name in machine.list(&directory)? {
                if name.to_str().is_some_and(|name| name.ends_with(".conf") && !name.starts_with('.')) {
                    found.entry(name.clone()).or_insert_with(|| directory.join(&name));
                }
            }
        }
    }
    Ok(found.into_values().collect())
}

/// The settings of a unit's text, in their order: section, key and value.
pub(in crate::provider) fn settings(text: &str) -> Vec<(String, String, String)> {
    let mut section = String::new();
    let mut all = Vec::new();
    for line in joined(text) {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            name.clone_into(&mut section);
        } else if let Some((key, value)) = line.split_once('=') {
            all.push((section.clone(), key.trim().to_owned(), value.trim().to_owned()));
        }
    }
    all
}

/// The lines of a file without comments, with those joined that end in a backslash.
fn joined(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines().filter(|line| !line.trim_start().starts_with(['#', ';'])) {
        let line = open.take().map_or_else(|| line.to_owned(), |before| format!("{before} {line}"));
        match line.strip_suffix('\\') {
            Some(before) => open = Some(before.to_owned()),
            None => all.push(line),
        }
    }
    all.extend(open);
    all
}

/// A word in which the specifiers of the unit's names are expanded; `None` if it contains one that only systemd can
/// expand.
fn filled(word: &str, unit: &str) -> Option<String> {
    let (stem, _) = unit.rsplit_once('.')?;
    let (prefix, instance) = stem.split_once('@').unwrap_or((stem, ""));
    let mut text = String::new();
    let mut rest = word.chars();
    while let Some(c) = rest.next() {
        match (c, if c == '%' { rest.next()? } else { c }) {
            ('%', '%') => text.push('%'),
            ('%', 'n') => text.push_str(unit),
            ('%', 'N') => text.push_str(stem),
            ('%', 'p') => text.push_str(prefix),
            ('%', 'i') => text.push_str(instance),
            ('%', _) => return None,
            (c, _) => text.push(c),
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::double::Double;

    fn pulls(double: &Double, unit: &str) -> Vec<String> {
        let asked = read(unit, double).unwrap().unwrap();
        asked.pulls().map(|link| link.strip_prefix(OWN).unwrap().display().to_string()).collect()
    }

    #[test]
    fn the_file_and_its_drop_ins_are_read_as_systemd_reads_them() {
        let double = Double::new(|_| None);
        double.put("/usr/lib/systemd/system/x.service", "[Install]\nWantedBy=old.target\n");
        double.put(
            "/etc/systemd/system/x.service",
            "[Unit]\nWantedBy=no.target\n[Install]\n# WantedBy=no.target\nWantedBy=a.target \\\n  b.target\nAlias=y-%p.service\n",
        );
        assert_eq!(pulls(&double, "x.service"), ["a.target.wants/x.service", "b.target.wants/x.service"]);
        let names: Vec<_> = read("x.service", &double).unwrap().unwrap().names().collect();
        assert_eq!(names, [Path::new("/etc/systemd/system/y-x.service")]);
        double.put("/etc/systemd/system/x.service.d/1.conf", "[Install]\nWantedBy=\nRequiredBy=c.target\n");
        assert_eq!(pulls(&double, "x.service"), ["c.target.requires/x.service"]);
        assert_eq!(read("none.service", &double).unwrap(), None);
    }

    #[test]
    fn a_link_that_leads_elsewhere_and_a_file_that_counts_more_are_another_definition() {
        let double = Double::new(|_| None);
        double.put("/opt/v/a.service", "");
        double.put("/lib/systemd/system/p.service", "");
        double.put("/etc/systemd/system/f.service", "");
        let link = |name: &str, target: &str| {
            let at = double.root.path().join("etc/systemd/system").join(name);
            std::os::unix::fs::symlink(target, at).unwrap();
        };
        link("v.service", "/opt/v/a.service");
        link("lost.service", "/opt/v/none.service");
        let replaced = |unit: &str, fragment: &str, read_at: i64| {
            let found = replaced(unit, Path::new(fragment), read_at, &double).unwrap();
            found.map(|path| path.display().to_string())
        };
        let own = |unit: &str, read_at| replaced(unit, &format!("{OWN}/{unit}"), read_at);
        assert_eq!(own("v.service", 0).as_deref(), Some("/etc/systemd/system/v.service"));
        assert_eq!(own("v.service", i64::MAX), None, "the link was read as it is");
        assert_eq!(own("f.service", 0), None, "of a file, systemd sees that by itself");
        assert_eq!(own("lost.service", 0), None);
        assert_eq!(replaced("p.service", "/usr/lib/systemd/system/p.service", 0), None, "they are one");
        assert_eq!(replaced("p.service", "/etc/systemd/system/p.service", 0), None, "that is gone, and seen");
        assert_eq!(replaced("v.service", "/run/systemd/generator/v.service", 0), None);
        link("p.service", "/opt/v/a.service");
        let over = replaced("p.service", "/lib/systemd/system/p.service", i64::MAX);
        assert_eq!(over.as_deref(), Some("/etc/systemd/system/p.service"));
    }

    #[test]
    fn an_instance_is_linked_by_its_own_name_and_a_template_by_its_default() {
        let double = Double::new(|_| None);
        double.put(
            "/lib/systemd/system/w@.service",
            "[Install]\nWantedBy=g-%i.target %H.target\nDefaultInstance=tty1\n",
        );
        assert_eq!(pulls(&double, "w@2.service"), ["g-2.target.wants/w@2.service"]);
        assert!(!read("w@2.service", &double).unwrap().unwrap().is_whole, "%H is known to systemd alone");
        assert_eq!(pulls(&double, "w@.service"), ["g-tty1.target.wants/w@tty1.service"]);
    }
}
