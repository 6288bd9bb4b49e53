//! Where the parts of a deployment are.

use std::path::{Path, PathBuf};

use holdfast_catalog::resource::Deployment;

use crate::provider::Error;
use crate::system::{FileKind, Inspect, Permissions, System};

/// The name of the directory of all releases.
pub(super) const RELEASES: &str = "releases";

/// Directories that belong to the agent itself, so the owner of a release cannot move what leads to it.
const OWN: Permissions = Permissions { mode: 0o755, uid: None, gid: None };

/// The directory of a deployment.
#[derive(Clone, Copy)]
pub struct Layout<'a> {
    root: &'a Path,
}

/// Where `current` leads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LiveRelease {
    /// The link's text; `None` if there is no link.
    pub target: Option<String>,
    /// The release that it leads to, if that exists.
    pub release: Option<String>,
}

impl LiveRelease {
    /// For people: the release, or the link's text, or `absent`.
    pub fn name(&self) -> &str {
        self.release.as_deref().or(self.target.as_deref()).unwrap_or("absent")
    }

    /// Whether this release is live.
    pub fn is(&self, version: &str) -> bool {
        self.release.as_deref() == Some(version)
    }
}

impl<'a> Layout<'a> {
    /// The layout of a deployment.
    pub fn of(want: &'a Deployment) -> Self {
        Self { root: Path::new(want.title.as_str()) }
    }

    /// The directory of all releases.
    pub fn releases(&self) -> PathBuf {
        self.root.join(RELEASES)
    }

    /// The directory of a release.
    pub fn release(&self, version: &str) -> PathBuf {
        self.releases().join(version)
    }

    /// The directory of what is kept across releases.
    pub fn shared(&self) -> PathBuf {
        self.root.join("shared")
    }

    /// The link to the live release.
    pub fn current(&self) -> PathBuf {
        self.root.join("current")
    }

    /// The text of a link to a release.
    pub fn target(version: &str) -> String {
        format!("{RELEASES}/{version}")
    }

    /// A file that exists while a release is made or removed.
    pub fn building(&self, version: &str) -> PathBuf {
        self.releases().join(format!(".{version}.building"))
    }

    /// A file that exists once a release is complete.
    pub fn finished(&self, version: &str) -> PathBuf {
        self.releases().join(format!(".{version}.finished"))
    }

    /// A file that exists once a release has failed.
    pub fn failed(&self, version: &str) -> PathBuf {
        self.releases().join(format!(".{version}.failed"))
    }

    /// A file that exists while the link is switched and the release is tried.
    pub fn switching(&self) -> PathBuf {
        self.releases().join(".switching")
    }

    /// Where `current` leads.
    pub fn live(&self, machine: &dyn Inspect) -> Result<LiveRelease, Error> {
        let current = self.current();
        match machine.lstat(&current)?.map(|stat| stat.kind) {
            None => return Ok(LiveRelease::default()),
            Some(FileKind::Symlink) => {}
            Some(_) => {
                let path = current.display();
                return Err(Error::Conflict(format!(
                    "{path} is not a link, and is not replaced; move it away"
                )));
            }
        }
        let target = machine.read_link(&current)?.to_string_lossy().into_owned();
        let release = self.release_of(&target).map(str::to_owned);
        let is_there = |name: &String| -> Result<bool, Error> {
            Ok(machine.lstat(&self.release(name))?.is_some_and(|stat| stat.kind == FileKind::Directory))
        };
        let release =
            release.map(|name| Ok::<_, Error>(is_there(&name)?.then_some(name))).transpose()?.flatten();
        Ok(LiveRelease { target: Some(target), release })
    }

    /// The release that a link's text names.
    pub fn release_of<'t>(&self, target: &'t str) -> Option<&'t str> {
        let root = format!("{}/", self.root.display());
        let below = target.strip_prefix(&root).unwrap_or(target);
        let name = below.strip_prefix(RELEASES)?.strip_prefix('/')?;
        (!name.is_empty() && !name.contains('/') && !name.starts_with('.')).then_some(name)
    }

    /// Makes the directories that are missing.
    pub fn make(&self, machine: &dyn System) -> Result<(), Error> {
        for dir in [self.root.to_owned(), self.releases(), self.shared()] {
            if machine.stat(&dir)?.is_none() {
                machine.make_dir(&dir, OWN)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_may_name_a_release_from_the_root_or_beside_it() {
        let layout = Layout { root: Path::new("/srv/shop") };
        for good in ["releases/1.2", "/srv/shop/releases/1.2"] {
            assert_eq!(layout.release_of(good), Some("1.2"), "{good}");
        }
        for bad in ["releases", "releases/", "releases/1.2/x", "/srv/other/releases/1.2", "releases/.1", "x"]
        {
            assert_eq!(layout.release_of(bad), None, "{bad}");
        }
    }
}
