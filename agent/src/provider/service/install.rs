//! What the `[Install]` section of a unit's file asks for, compared with the existing links: systemd calls a unit
//! enabled if it has one link of any kind.

use std::path::{Path, PathBuf};

use holdfast_catalog::resource::{File, Service};

use super::definition::{self, DIRECTORIES, InstallInfo, OWN};
use crate::provider::{CatalogClaims, Error};
use crate::system::{FileKind, Inspect, System};

/// The deepest chain of `Also=` that is followed.
const MAX_DEPTH: usize = 8;

/// How the links of an enabled unit differ from what its file asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct InstallLinks {
    /// Links that are asked for and do not exist.
    missing: Vec<PathBuf>,
    /// Links to nothing in the place of one that is asked for: systemd treats them as a ban.
    banned: Vec<PathBuf>,
    /// Links that start a unit although nothing asks for that.
    stray: Vec<PathBuf>,
    /// Its alias names that another unit has.
    taken: Vec<PathBuf>,
    /// Targets that should start it and do not exist.
    lost: Vec<String>,
    /// Whether its file was written after links were last made or removed.
    is_new: bool,
}

impl InstallLinks {
    /// The differences of a unit; `None` if its file is not available, or asks for nothing.
    pub(super) fn of(
        unit: &str,
        named: &CatalogClaims<'_>,
        machine: &dyn Inspect,
    ) -> Result<Option<Self>, Error> {
        let mut links = Self::default();
        let Some(asked) = definition::read(unit, machine)? else { return Ok(None) };
        if asked.is_empty() {
            return Ok(None);
        }
        links.add(&asked, named, machine)?;
        let mut also = asked.also.clone();
        let mut seen = vec![asked.unit];
        while let Some(next) = also.pop().filter(|_| seen.len() < MAX_DEPTH) {
            let is_managed =
                named.of_type::<Service>().any(|service| service.enable.is_some() && service.unit() == next);
            if is_managed || seen.contains(&next) {
                continue;
            }
            if let Some(asked) = definition::read(&next, machine)? {
                links.add(&asked, named, machine)?;
                also.extend(asked.also.clone());
            }
            seen.push(next);
        }
        Ok(Some(links))
    }

    fn add(
        &mut self,
        asked: &InstallInfo,
        named: &CatalogClaims<'_>,
        machine: &dyn Inspect,
    ) -> Result<(), Error> {
        let mut last_link = (0, 0);
        for link in asked.pulls() {
            last_link = last_link.max(modified(link.parent(), machine)?);
            match target(&link, machine)? {
                None => self.missing.push(link),
                Some(target) if target == Path::new("/dev/null") => self.banned.push(link),
                Some(_) => {}
            }
        }
        for link in asked.names() {
            match target(&link, machine)? {
                None if machine.lstat(&link)?.is_none() => self.missing.push(link),
                Some(target) if target.file_name() != Some(asked.file.as_ref()) => self.taken.push(link),
                _ => {}
            }
        }
        let strays = strays(asked, named, machine)?;
        for stray in &strays {
            last_link = last_link.max(modified(stray.parent(), machine)?);
        }
        self.stray.extend(strays);
        for target in asked.targets() {
            if !is_there(target, machine)? {
                self.lost.push(target.to_owned());
            }
        }
        self.is_new |= asked.changed > last_link;
        Ok(())
    }

    /// Whether systemd has something to do.
    pub(super) fn is_off(&self) -> bool {
        !(self.missing.is_empty() && self.banned.is_empty() && self.stray.is_empty())
    }

    /// Whether the file is newer than the links, so the wish is new, and nobody touched the links.
    pub(super) fn is_outdated(&self) -> bool {
        self.is_new && self.banned.is_empty()
    }

    /// The differences, for people.
    pub(super) fn words(&self) -> Option<String> {
        let named = |what: &str, paths: &[PathBuf]| {
            let below = |path: &PathBuf| path.strip_prefix(OWN).unwrap_or(path).display().to_string();
            (!paths.is_empty())
                .then(|| format!("{} {what}", paths.iter().map(below).collect::<Vec<_>>().join(", ")))
        };
        let lost = (!self.lost.is_empty())
            .then(|| format!("there is no {}, which should start it", self.lost.join(", ")));
        let all = [
            named("is not there", &self.missing),
            named("leads to /dev/null", &self.banned),
            named("is not in an [Install] section", &self.stray),
            named("is another unit's", &self.taken),
            lost,
        ];
        let all: Vec<_> = all.into_iter().flatten().collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// Removes what is in the way of links that are asked for, and links that nothing asks for.
    pub(super) fn clear(&self, machine: &dyn System) -> Result<(), Error> {
        self.banned.iter().chain(&self.stray).try_for_each(|link| Ok(machine.remove(link)?))
    }
}

/// The target of a link; `None` if there is no link.
fn target(link: &Path, machine: &dyn Inspect) -> Result<Option<PathBuf>, Error> {
    let is_link = machine.lstat(link)?.is_some_and(|stat| stat.kind == FileKind::Symlink);
    Ok(if is_link { Some(machine.read_link(link)?) } else { None })
}

/// When a name in a directory was last added or removed.
fn modified(directory: Option<&Path>, machine: &dyn Inspect) -> Result<(i64, u32), Error> {
    let stat = directory.map(|directory| machine.lstat(directory)).transpose()?.flatten();
    Ok(stat.map_or((0, 0), |stat| (stat.times.changed, stat.times.changed_nanos)))
}

/// Links to the unit in directories through which others start it, which neither its file nor a resource asks for.
fn strays(
    asked: &InstallInfo,
    named: &CatalogClaims<'_>,
    machine: &dyn Inspect,
) -> Result<Vec<PathBuf>, Error> {
    let mut strays = Vec::new();
    let is_directory = |path: &Path| {
        Ok::<_, Error>(machine.lstat(path)?.is_some_and(|stat| stat.kind == FileKind::Directory))
    };
    if !asked.is_whole || !is_directory(Path::new(OWN))? {
        return Ok(strays);
    }
    let pulls: Vec<_> = asked.pulls().collect();
    for name in machine.list(Path::new(OWN))? {
        let starts = [".wants", ".requires", ".upholds"];
        let directory = Path::new(OWN).join(&name);
        if !name.to_str().is_some_and(|name| starts.iter().any(|end| name.ends_with(end)))
            || !is_directory(&directory)?
        {
            continue;
        }
        let link = directory.join(&asked.unit);
        let is_managed = named.of_type::<File>().any(|file| Path::new(file.title.as_str()) == link);
        let is_stray = !pulls.contains(&link) && !is_managed;
        if is_stray && target(&link, machine)?.is_some_and(|target| target != Path::new("/dev/null")) {
            strays.push(link);
        }
    }
    Ok(strays)
}

/// Whether such a target exists, as a file or made by a generator.
fn is_there(target: &str, machine: &dyn Inspect) -> Result<bool, Error> {
    for directory in DIRECTORIES {
        if machine.lstat(&Path::new(directory).join(target))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::resource::TypedResource;

    use super::*;
    use crate::provider::trial::want;
    use crate::system::double::Double;

    fn machine(install: &str, links: &[(&str, &str)]) -> Double {
        let double = Double::new(|_| None);
        for target in ["multi-user", "graphical"] {
            double.put(&format!("/usr/lib/systemd/system/{target}.target"), "");
        }
        double
            .put("/etc/systemd/system/st.service", &format!("[Service]\nWantedBy=no\n[Install]\n{install}"));
        for (link, target) in links {
            let place = double.root.path().join("etc/systemd/system").join(link);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(target, place).unwrap();
        }
        double
    }

    fn links(double: &Double, all: &[TypedResource]) -> Option<InstallLinks> {
        InstallLinks::of("st.service", &CatalogClaims::new(all), double).unwrap()
    }

    fn off(install: &str, there: &[(&str, &str)]) -> Option<String> {
        links(&machine(install, there), &[]).and_then(|links| links.words().filter(|_| links.is_off()))
    }

    const UNIT: &str = "/etc/systemd/system/st.service";
    const USUAL: (&str, &str) = ("multi-user.target.wants/st.service", UNIT);

    #[test]
    fn links_are_held_beside_what_the_file_asks_for() {
        let wanted = "WantedBy=multi-user.target\n";
        assert_eq!(off(wanted, &[USUAL]), None);
        for (install, there, words) in [
            (wanted, vec![], "multi-user.target.wants/st.service is not there"),
            (wanted, vec![("multi-user.target.wants/st.service", "/dev/null")], "leads to /dev/null"),
            (
                wanted,
                vec![USUAL, ("mult-user.target.wants/st.service", UNIT)],
                "mult-user.target.wants/st.service is not in an [Install] section",
            ),
            (
                "WantedBy=multi-user.target graphical.target\n",
                vec![USUAL],
                "graphical.target.wants/st.service is",
            ),
            (
                "WantedBy=multi-user.target\nRequiredBy=a.service\n",
                vec![USUAL],
                "a.service.requires/st.service is",
            ),
            (
                "WantedBy=multi-user.target\nUpheldBy=a.service\n",
                vec![USUAL],
                "a.service.upholds/st.service is",
            ),
            ("WantedBy=multi-user.target\nAlias=other.service\n", vec![USUAL], "other.service is not there"),
        ] {
            assert!(off(install, &there).is_some_and(|said| said.contains(words)), "{install:?} {there:?}");
        }
        // For a unit that asks for nothing, what systemd says counts.
        assert_eq!(links(&machine("", &[USUAL]), &[]), None);
    }

    #[test]
    fn what_cannot_be_brought_about_is_said() {
        let lost = links(
            &machine("WantedBy=mult-user.target\n", &[("mult-user.target.wants/st.service", UNIT)]),
            &[],
        );
        let lost = lost.unwrap();
        assert!(!lost.is_off() && lost.words().unwrap().contains("there is no mult-user.target"), "{lost:?}");
        let alias = "WantedBy=multi-user.target\nAlias=dm.service\n";
        let taken =
            links(&machine(alias, &[USUAL, ("dm.service", "/lib/systemd/system/gdm.service")]), &[]).unwrap();
        assert!(
            !taken.is_off() && taken.words().unwrap().contains("dm.service is another unit's"),
            "{taken:?}"
        );
    }

    #[test]
    fn units_of_also_count_unless_they_are_managed_themselves() {
        let double = machine("WantedBy=multi-user.target\nAlso=more.socket\n", &[USUAL]);
        double.put("/etc/systemd/system/more.socket", "[Install]\nWantedBy=sockets.target\n");
        let words = links(&double, &[]).unwrap().words().unwrap();
        assert!(words.contains("sockets.target.wants/more.socket is not there"), "{words}");
        let managed = TypedResource::Service(want("more.socket", &[("enable", false.into())]));
        assert!(!links(&double, &[managed]).unwrap().is_off());
    }

    #[test]
    fn a_link_that_a_resource_makes_is_no_stray() {
        let link = "/etc/systemd/system/graphical.target.wants/st.service";
        let double =
            machine("WantedBy=multi-user.target\n", &[USUAL, ("graphical.target.wants/st.service", UNIT)]);
        assert!(links(&double, &[]).unwrap().is_off());
        let file = TypedResource::File(want(link, &[("ensure", "symlink".into()), ("target", UNIT.into())]));
        assert!(!links(&double, &[file]).unwrap().is_off());
    }

    #[test]
    fn what_is_in_the_way_and_what_is_left_over_goes() {
        let there = [
            ("multi-user.target.wants/st.service", "/dev/null"),
            ("mult-user.target.wants/st.service", UNIT),
        ];
        let double = machine("WantedBy=multi-user.target\n", &there);
        links(&double, &[]).unwrap().clear(&double).unwrap();
        let left = links(&double, &[]).unwrap();
        assert_eq!(left.words().unwrap(), "multi-user.target.wants/st.service is not there");
    }

    #[test]
    fn a_file_that_came_after_the_links_is_told_from_a_hand_on_them() {
        let install = "WantedBy=multi-user.target graphical.target\n";
        let double = machine(install, &[USUAL]);
        assert!(!links(&double, &[]).unwrap().is_outdated());
        // Until the kernel's clock has advanced.
        let is_newer = |_| {
            double.put(UNIT, &format!("[Install]\n{install}"));
            links(&double, &[]).unwrap().is_outdated()
        };
        assert!((0..100_000).any(is_newer));
        let banned =
            machine("WantedBy=multi-user.target\n", &[("multi-user.target.wants/st.service", "/dev/null")]);
        assert!(!links(&banned, &[]).unwrap().is_outdated());
    }
}
