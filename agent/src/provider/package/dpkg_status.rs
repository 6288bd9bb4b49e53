//! dpkg's own record of what is installed, parsed once for all packages. Read only: apt makes the changes.
//!
//! It is in `/var/lib/dpkg/status`, in the files that an interrupted dpkg left in `updates/`, and in `status.d/` of
//! images that were made without dpkg.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::system::{self, FileKind, Inspect};

const STATUS: &str = "/var/lib/dpkg/status";
const UPDATES: &str = "/var/lib/dpkg/updates";
const IMAGE_STATUS: &str = "/var/lib/dpkg/status.d";

/// The state of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DpkgState {
    NotInstalled,
    /// Removed; its configuration is still there.
    ConfigFiles,
    /// Unpacked or removed only in part, or unpacked and not configured: dpkg was interrupted, or a script failed.
    Broken,
    /// Installed; another package's trigger may still have to run.
    Installed,
}

/// One package of one architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its state.
    pub state: DpkgState,
    /// Whether it is on hold, so an upgrade does not change it.
    pub held: bool,
    /// The version that is installed, or was.
    pub version: String,
    architecture: String,
}

/// What dpkg has recorded.
#[derive(Debug, Default)]
pub struct DpkgStatus {
    packages: HashMap<String, Vec<Package>>,
    interrupted: bool,
}

impl DpkgStatus {
    /// Reads the record of this machine; `None` if there is no dpkg.
    pub fn read(machine: &dyn Inspect) -> system::Result<Option<Self>> {
        let mut status = Self::default();
        let main = machine.read_text(Path::new(STATUS))?;
        let mut found = main.is_some();
        status.merge(&main.unwrap_or_default());
        for path in files_in(machine, IMAGE_STATUS, |name| !name.ends_with(".md5sums"))? {
            found = true;
            status.merge(&machine.read_text(&path)?.unwrap_or_default());
        }
        for path in files_in(machine, UPDATES, |name| name.bytes().all(|b| b.is_ascii_digit()))? {
            status.interrupted = true;
            status.merge(&machine.read_text(&path)?.unwrap_or_default());
        }
        Ok(found.then_some(status))
    }

    /// The text of dpkg's status file, for what is rarely needed.
    pub fn record(machine: &dyn Inspect) -> system::Result<String> {
        Ok(machine.read_text(Path::new(STATUS))?.unwrap_or_default())
    }

    /// Parses a record.
    #[cfg(test)]
    pub fn parse(text: &str) -> Self {
        let mut status = Self::default();
        status.merge(text);
        status
    }

    /// Adds stanzas; a later one of the same package and architecture replaces an earlier one.
    fn merge(&mut self, text: &str) {
        for (name, package) in text.split("\n\n").filter_map(read_stanza) {
            let of_name = self.packages.entry(name).or_default();
            of_name.retain(|other| other.architecture != package.architecture);
            of_name.push(package);
        }
    }

    /// A package, by `name` or `name:architecture`. A name alone prefers this machine's architecture.
    pub fn package(&self, title: &str) -> Option<&Package> {
        let (name, architecture) = match title.split_once(':') {
            Some((name, architecture)) => (name, Some(architecture)),
            None => (title, None),
        };
        let of_name = self.packages.get(name)?;
        match architecture {
            Some(wanted) => of_name.iter().find(|package| package.architecture == wanted),
            None => {
                let own = self.architecture();
                let native = |p: &&Package| Some(&*p.architecture) == own || p.architecture == "all";
                of_name.iter().find(native).or(of_name.first())
            }
        }
    }

    /// A package that is installed.
    pub fn installed(&self, title: &str) -> Option<&Package> {
        self.package(title).filter(|package| package.state == DpkgState::Installed)
    }

    /// Whether dpkg must first repair itself, because of its journal or of a package that is half done.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted || self.packages.values().flatten().any(|package| package.state == DpkgState::Broken)
    }

    /// This machine's architecture, which is that of dpkg itself.
    pub fn architecture(&self) -> Option<&str> {
        self.packages.get("dpkg")?.first().map(|dpkg| &*dpkg.architecture)
    }
}

/// The matching files in a directory, sorted; empty if it does not exist.
fn files_in(machine: &dyn Inspect, dir: &str, wanted: fn(&str) -> bool) -> system::Result<Vec<PathBuf>> {
    let dir = Path::new(dir);
    if machine.stat(dir)?.is_none_or(|stat| stat.kind != FileKind::Directory) {
        return Ok(Vec::new());
    }
    let names = machine.list(dir)?;
    let names = names.iter().filter_map(|name| name.to_str()).filter(|name| wanted(name));
    Ok(names.map(|name| dir.join(name)).collect())
}

fn read_stanza(stanza: &str) -> Option<(String, Package)> {
    // Lines that begin with a space continue a field that is not read here.
    let field = |name: &str| {
        stanza.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    };
    let name = field("Package").filter(|name| !name.is_empty())?;
    let mut words = field("Status").unwrap_or("install ok installed").split_ascii_whitespace();
    let (selection, error, state) = (words.next()?, words.next()?, words.next()?);
    let state = match state {
        _ if error != "ok" => DpkgState::Broken,
        "installed" | "triggers-awaited" | "triggers-pending" => DpkgState::Installed,
        "config-files" => DpkgState::ConfigFiles,
        "not-installed" => DpkgState::NotInstalled,
        _ => DpkgState::Broken,
    };
    let text = |name| field(name).unwrap_or_default().to_owned();
    let package = Package {
        state,
        held: selection == "hold",
        version: text("Version"),
        architecture: text("Architecture"),
    };
    Some((name.to_owned(), package))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS_TEXT: &str = "\
Package: dpkg
Status: install ok installed
Architecture: amd64
Version: 1.21.22

Package: nginx
Status: hold ok installed
Architecture: amd64
Version: 1.22.1-9+deb12u3
Description: small, powerful, scalable web/proxy server
 Package: not-a-field
 Version: 9

Package: libc6
Status: install ok installed
Architecture: i386
Multi-Arch: same
Version: 2.36-9

Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Version: 2.36-10

Package: apache2
Status: deinstall ok config-files
Architecture: amd64
Version: 2.4.62-1

Package: gone
Status: purge ok not-installed
Architecture: amd64

Package: wine
Status: install ok installed
Architecture: i386
Version: 8.0
";

    #[test]
    fn states_holds_and_versions_are_read() {
        let status = DpkgStatus::parse(STATUS_TEXT);
        let nginx = status.package("nginx").unwrap();
        assert_eq!(
            (nginx.state, nginx.held, &*nginx.version),
            (DpkgState::Installed, true, "1.22.1-9+deb12u3")
        );
        assert_eq!(status.package("apache2").unwrap().state, DpkgState::ConfigFiles);
        assert_eq!(status.package("gone").unwrap().state, DpkgState::NotInstalled);
        assert!(status.package("not-a-field").is_none());
        assert!(!status.is_interrupted());
    }

    #[test]
    fn a_name_alone_is_this_machines_architecture_before_a_foreign_one() {
        let status = DpkgStatus::parse(STATUS_TEXT);
        assert_eq!(status.package("libc6").unwrap().version, "2.36-10");
        assert_eq!(status.package("libc6:i386").unwrap().version, "2.36-9");
        assert_eq!(status.package("wine").unwrap().version, "8.0");
        assert!(status.package("wine:amd64").is_none());
    }

    #[test]
    fn what_is_half_done_means_interrupted() {
        for half in ["install ok half-configured", "install ok unpacked", "install reinstreq half-installed"]
        {
            let status =
                DpkgStatus::parse(&format!("Package: a\nStatus: {half}\nArchitecture: all\nVersion: 1\n"));
            assert_eq!(status.package("a").unwrap().state, DpkgState::Broken);
            assert!(status.is_interrupted(), "{half}");
        }
        let status = DpkgStatus::parse(
            "Package: a\nStatus: install ok triggers-pending\nArchitecture: all\nVersion: 1\n",
        );
        assert!(!status.is_interrupted());
    }

    #[test]
    fn an_update_that_was_not_merged_yet_counts() {
        let mut status = DpkgStatus::parse(STATUS_TEXT);
        status.merge("Package: nginx\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.24\n");
        let nginx = status.package("nginx").unwrap();
        assert_eq!((nginx.held, &*nginx.version), (false, "1.24"));
    }

    #[test]
    fn a_stanza_of_an_image_without_a_status_is_installed() {
        let status = DpkgStatus::parse("Package: base-files\nVersion: 12.4\nArchitecture: amd64\n");
        assert_eq!(status.package("base-files").unwrap().state, DpkgState::Installed);
    }
}
