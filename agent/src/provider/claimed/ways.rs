//! Where paths really are: links on the way to them, with each directory looked up once.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use holdfast_catalog::resource::file::FileEnsure;
use holdfast_catalog::resource::{File, TypedResource};

use crate::system::{Inspect, Symlink};

mod mounts;

use mounts::Mounts;

/// The most links on a way, as in the kernel.
const MAX_LINKS: usize = 40;

/// The way to a directory that has another real path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathAlias {
    pub path: String,
    /// The links on the way, each by its real path.
    pub links: Vec<Symlink>,
    /// Where it is mounted a second time, if it is named by that.
    mounted: Option<String>,
}

impl PathAlias {
    /// Why the directory has another name, for people.
    pub fn why(&self) -> String {
        let leads = |link: &Symlink| format!("`{}` leads to `{}`", link.at.display(), link.target.display());
        match (self.links.first(), &self.mounted) {
            (Some(link), _) => leads(link),
            (None, Some(point)) => format!("what is mounted at `{point}` is in `{}` too", self.path),
            (None, None) => String::new(),
        }
    }
}

/// What a catalog makes of the way, whatever the machine has now: links, and directories in place of links.
#[derive(Debug, Default)]
pub struct DeclaredLinks(HashMap<String, Option<String>>);

impl DeclaredLinks {
    /// The links of these resources.
    pub fn new<'a>(all: impl IntoIterator<Item = &'a TypedResource>) -> Self {
        let declared = |typed: &TypedResource| match typed {
            TypedResource::File(file) => Self::of(file).map(|target| (file.title.to_string(), target)),
            _ => None,
        };
        Self(all.into_iter().filter_map(declared).collect())
    }

    fn of(file: &File) -> Option<Option<String>> {
        match file.ensured() {
            FileEnsure::Symlink => file.target.clone().map(Some),
            FileEnsure::Directory if file.force => Some(None),
            _ => None,
        }
    }

    fn is_directory(&self, path: &Path) -> bool {
        path.to_str().is_some_and(|path| self.0.get(path) == Some(&None))
    }

    /// The first link of the catalog on the way to a directory, and where that leads.
    fn step(&self, directory: &str) -> Option<(Symlink, String)> {
        if self.0.is_empty() {
            return None;
        }
        let ends = directory.match_indices('/').map(|(at, _)| at).skip(1).chain([directory.len()]);
        let (at, target) = ends.map(|end| &directory[..end]).find_map(|at| {
            let target = self.0.get(at)?.as_deref()?;
            Some((at, target))
        })?;
        let parent = Path::new(at).parent().unwrap_or(Path::new("/"));
        let led = lexical(&parent.join(target)).join(directory[at.len()..].trim_start_matches('/'));
        let link = Symlink { at: at.into(), target: target.into() };
        Some((link, led.to_str()?.trim_end_matches('/').to_owned()))
    }
}

/// A path without `.` and `..`.
fn lexical(path: &Path) -> PathBuf {
    let mut plain = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => plain.push(name),
            Component::ParentDir => {
                plain.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    plain
}

/// Ways on the machine as it is now.
pub struct PathAliases<'a> {
    machine: &'a dyn Inspect,
    declared: Option<&'a DeclaredLinks>,
    known: HashMap<Box<str>, Option<Arc<PathAlias>>>,
    mounts: OnceCell<Mounts>,
}

impl<'a> PathAliases<'a> {
    /// Ways according to what exists.
    pub fn new(machine: &'a dyn Inspect) -> Self {
        Self { machine, declared: None, known: HashMap::new(), mounts: OnceCell::new() }
    }

    /// Also considers what the catalog will create.
    #[must_use]
    pub fn with(mut self, declared: &'a DeclaredLinks) -> Self {
        self.declared = Some(declared);
        self
    }

    /// The way to a directory; `None` if the path is the real one.
    pub fn of(&mut self, directory: &str) -> Option<Arc<PathAlias>> {
        if let Some(known) = self.known.get(directory) {
            return known.clone();
        }
        let way = self.find(directory).map(Arc::new);
        self.known.insert(directory.into(), way.clone());
        way
    }

    /// The real path of a directory.
    pub fn place(&mut self, directory: &str) -> String {
        self.of(directory).map_or_else(|| directory.to_owned(), |way| way.path.clone())
    }

    fn find(&self, directory: &str) -> Option<PathAlias> {
        let mut way = PathAlias { path: directory.to_owned(), links: Vec::new(), mounted: None };
        while way.links.len() < MAX_LINKS {
            if let Some((link, path)) = self.declared.and_then(|declared| declared.step(&way.path)) {
                way.links.push(link);
                way.path = path;
                continue;
            }
            // A link that is not followed has no target: whatever is below it fails by itself.
            let Ok(Some(real)) = self.machine.real(Path::new(&way.path)) else { break };
            let goes = |link: &Symlink| self.declared.is_some_and(|declared| declared.is_directory(&link.at));
            let Some(path) = real.path.to_str().filter(|_| !real.links.iter().any(goes)) else { break };
            way.path = path.to_owned();
            way.links.extend(real.links);
        }
        let mounts = self.mounts.get_or_init(|| Mounts::read(self.machine));
        if let Some((path, point)) = mounts.own_name(&way.path, |one, other| self.is_same(one, other)) {
            way.mounted = Some(point.to_owned());
            way.path = path;
        }
        (!way.links.is_empty() || way.mounted.is_some()).then_some(way)
    }

    /// Whether two names lead to one directory; if it does not exist yet, whether the nearest directories above do.
    fn is_same(&self, one: &str, other: &str) -> bool {
        let id = |path: &Path| self.machine.lstat(path).ok().flatten().map(|stat| stat.id);
        let mut both = Path::new(one).ancestors().zip(Path::new(other).ancestors());
        both.find_map(|(one, other)| match (id(one), id(other)) {
            (None, None) => None,
            (one, other) => Some(one == other),
        })
        .unwrap_or(false)
    }
}

/// The path of a name in a directory.
pub fn inside(directory: &str, name: &str) -> String {
    format!("{}/{name}", directory.trim_end_matches('/'))
}

/// The directory and the name of a path; `None` for `/`.
pub fn split(path: &str) -> Option<(&str, &str)> {
    match path.trim_end_matches('/').rsplit_once('/')? {
        ("", name) => Some(("/", name)),
        both => Some(both),
    }
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::resource::Attributes;
    use holdfast_catalog::value::Value;

    use super::*;
    use crate::system::double::Double;

    fn machine(links: &[(&str, &str)]) -> Double {
        let double = Double::new(|_| None);
        for (at, target) in links {
            let at = double.root.path().join(at.trim_start_matches('/'));
            std::fs::create_dir_all(at.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(target, at).unwrap();
        }
        double
    }

    fn file(title: &str, attributes: &[(&str, Value)]) -> TypedResource {
        let attributes: Attributes =
            attributes.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
        TypedResource::read("file", title, &attributes).unwrap().unwrap()
    }

    fn led(machine: &Double, declared: &DeclaredLinks, directory: &str) -> Option<String> {
        let mut ways = PathAliases::new(machine).with(declared);
        ways.of(directory).map(|way| way.path.clone())
    }

    #[test]
    fn links_on_the_way_are_followed_as_far_as_there_is_one() {
        let double = machine(&[("/var/run", "/run"), ("/lib", "usr/lib"), ("/usr/up", "../srv/./a/../b")]);
        std::fs::create_dir(double.root.path().join("srv")).unwrap();
        let none = DeclaredLinks::default();
        for (directory, is) in [
            ("/var/run", Some("/run")),
            ("/var/run/foo/deep", Some("/run/foo/deep")),
            ("/lib/systemd", Some("/usr/lib/systemd")),
            ("/usr/up/x", Some("/srv/b/x")),
            ("/var/lib", None),
            ("/", None),
            ("/not/there", None),
        ] {
            assert_eq!(led(&double, &none, directory).as_deref(), is, "{directory}");
        }
        let why = PathAliases::new(&double).of("/var/run/foo").unwrap().why();
        assert_eq!(why, "`/var/run` leads to `/run`");
    }

    #[test]
    fn a_link_that_somebody_else_planted_leads_nowhere() {
        if !crate::skip::is_root() {
            return;
        }
        let double = machine(&[("/home/dave/.ssh", "/root/.ssh")]);
        std::fs::create_dir_all(double.root.path().join("root/.ssh")).unwrap();
        let dave = |path: &str| {
            std::os::unix::fs::lchown(double.root.path().join(path), Some(1001), Some(1001)).unwrap();
        };
        dave("home/dave/.ssh");
        dave("home/dave");
        assert_eq!(led(&double, &DeclaredLinks::default(), "/home/dave/.ssh"), None);
        dave("root/.ssh");
        assert_eq!(
            led(&double, &DeclaredLinks::default(), "/home/dave/.ssh").as_deref(),
            Some("/root/.ssh"),
            "one that leads to what is the user's own does"
        );
    }

    #[test]
    fn a_link_that_the_catalog_makes_counts_before_it_is_there() {
        let double = machine(&[("/var/run", "/run"), ("/old", "/gone"), ("/was", "/srv")]);
        let all = [
            file("/data", &[("target", "srv/../mnt/data".into())]),
            file("/run/app", &[("target", "/data/app".into())]),
            file("/old", &[("target", "/new".into())]),
            file("/was", &[("ensure", "directory".into()), ("force", true.into())]),
            file("/round", &[("target", "/round".into())]),
        ];
        let declared = DeclaredLinks::new(&all);
        for (directory, is) in [
            ("/data/x", Some("/mnt/data/x")),
            ("/var/run/app/x", Some("/mnt/data/app/x")),
            ("/old/x", Some("/new/x")),
            ("/was/x", None),
        ] {
            assert_eq!(led(&double, &declared, directory).as_deref(), is, "{directory}");
        }
        assert!(led(&double, &declared, "/round/x").is_some(), "it ends");
    }
}
