//! What `purge`, `tidy` and `recurse` leave alone: everything that another resource of the catalog claims at or below a
//! path.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, OnceLock};

use holdfast_catalog::resource::File;
use holdfast_catalog::resource::attribute::Presence;
use holdfast_catalog::resource::claim::{Claim, ClaimTarget, Hold, PathKind};

use super::ways::{PathAliases, inside, split};
use crate::provider::service::stands_for;
use crate::system::{Accounts, Inspect, Symlink, path_text, text_path};

/// Where the links are that enable and mask units.
const UNITS: [&str; 2] = ["/etc/systemd/system/", "/etc/systemd/user/"];

/// Paths and units that resources claim.
#[derive(Debug, Default)]
pub struct Claimed {
    paths: Paths,
    /// Paths below users' homes, by user.
    in_homes: Vec<(String, String)>,
    homes: BTreeSet<String>,
    units: BTreeSet<String>,
}

/// Paths, and how much of each is claimed.
#[derive(Debug, Default)]
struct Paths {
    /// Paths that are claimed themselves.
    exact: BTreeSet<Box<str>>,
    /// Of these, the ones that should exist.
    there: BTreeSet<Box<str>>,
    /// Directories that are claimed with everything in them.
    trees: BTreeSet<Box<str>>,
    /// Of these, the ones that one resource makes with all their content: no other resource touches that, not even at
    /// the path itself.
    whole: BTreeSet<Box<str>>,
    /// What is managed of each path.
    shares: BTreeMap<Box<str>, Share>,
    /// What is managed of everything below a path.
    shares_below: BTreeMap<Box<str>, Share>,
    /// The directories that contain what is claimed.
    directories: BTreeSet<Box<str>>,
}

/// What is managed of a path. Other resources may manage the rest.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Its content or a part of that, or whether it exists at all.
    pub content: bool,
    pub mode: bool,
    pub owner: bool,
    pub group: bool,
}

impl Share {
    const ALL: Self = Self { content: true, mode: true, owner: true, group: true };
    const NONE: Self = Self { content: false, mode: false, owner: false, group: false };

    fn of(hold: &Hold) -> Self {
        match hold {
            Hold::Side("mode") => Self { mode: true, ..Self::NONE },
            Hold::Side("owner") => Self { owner: true, ..Self::NONE },
            Hold::Side("group") => Self { group: true, ..Self::NONE },
            Hold::Standing(PathKind::Nothing | PathKind::Symlink) => Self::ALL,
            Hold::Content | Hold::Seed | Hold::Piece(..) => Self { content: true, ..Self::NONE },
            Hold::Rest(kind) if *kind != File::MEMBER => Self { content: true, ..Self::NONE },
            _ => Self::NONE,
        }
    }

    /// The share of everything below the path.
    fn below(hold: &Hold) -> Self {
        match hold {
            Hold::SideBelow(side) => Self::of(&Hold::Side(side)),
            _ => Self::NONE,
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            content: self.content || other.content,
            mode: self.mode || other.mode,
            owner: self.owner || other.owner,
            group: self.group || other.group,
        }
    }
}

impl Claimed {
    /// Collects the claims of each resource.
    pub fn new(resources: impl IntoIterator<Item = Vec<Claim>>) -> Self {
        let mut claimed = Self::default();
        for claims in resources {
            claimed.paths.whole.extend(whole(&claims).map(Into::into));
            claims.into_iter().for_each(|claim| claimed.add(claim));
        }
        claimed
    }

    fn add(&mut self, Claim { thing, hold }: Claim) {
        if let ClaimTarget::Path(path) = &thing {
            self.paths.share(path, Share::of(&hold));
            self.paths.share_below(path, Share::below(&hold));
        }
        match (thing, hold) {
            (_, Hold::Piece(_, Presence::Absent)) => {}
            (ClaimTarget::Path(path), hold) => self.path(&path, &hold),
            (ClaimTarget::InHome { user, below }, hold) => {
                if let Hold::Home(user) = hold {
                    self.homes.insert(user);
                } else if hold != Hold::Standing(PathKind::Nothing) {
                    self.in_homes.push((user, below));
                }
            }
            (ClaimTarget::Object { name, .. }, Hold::Links) => {
                self.units.insert(name);
            }
            (ClaimTarget::Object { .. }, _) => {}
        }
    }

    fn path(&mut self, path: &str, hold: &Hold) {
        let paths = &mut self.paths;
        match hold {
            Hold::Standing(PathKind::Nothing) => return paths.add_exact(path.into()),
            Hold::Home(user) => {
                self.homes.insert(user.clone());
                paths.trees.insert(path.into());
            }
            Hold::Tree => {
                paths.trees.insert(path.into());
            }
            _ => {}
        }
        paths.add(path.into());
    }
}

/// The directories that one resource makes with everything in them. A mount point or a home directory is not one of
/// these: another resource may manage its content.
fn whole(claims: &[Claim]) -> impl Iterator<Item = &str> {
    let of = |claim: &'_ Claim, hold: &Hold| claim.hold == *hold;
    let trees = claims.iter().filter(move |claim| of(claim, &Hold::Tree));
    trees.filter_map(move |tree| match &tree.thing {
        ClaimTarget::Path(path) => claims
            .iter()
            .any(|claim| claim.thing == tree.thing && of(claim, &Hold::Content))
            .then_some(&**path),
        ClaimTarget::InHome { .. } | ClaimTarget::Object { .. } => None,
    })
}

impl Paths {
    /// Adds to what is managed of a path.
    fn share(&mut self, path: &str, share: Share) {
        if share != Share::NONE {
            let known = self.shares.entry(path.into()).or_default();
            *known = known.and(share);
        }
    }

    /// Adds to what is managed of everything below a path.
    fn share_below(&mut self, path: &str, share: Share) {
        if share != Share::NONE {
            let known = self.shares_below.entry(path.into()).or_default();
            *known = known.and(share);
        }
    }

    fn add(&mut self, path: Box<str>) {
        self.there.insert(path.clone());
        self.add_exact(path);
    }

    fn add_exact(&mut self, path: Box<str>) {
        let directory = split(&path).map_or("/", |(directory, _)| directory);
        if !self.directories.contains(directory) {
            self.directories.insert(directory.into());
        }
        self.exact.insert(path);
    }

    /// Adds the real paths of what `others` has under other names, and the links that lead there.
    fn add_real(&mut self, others: &Self, ways: &mut PathAliases<'_>) {
        for directory in &others.directories {
            let Some(way) = ways.of(directory) else { continue };
            self.add_links(&way.links);
            let from = inside(directory, "");
            let below = others.exact.range::<str, _>((Bound::Included(from.as_str()), Bound::Unbounded));
            for path in below.take_while(|path| path.starts_with(&from)) {
                match split(path) {
                    Some((parent, name)) if parent == &**directory => {
                        self.add_as(&inside(&way.path, name), others, path);
                    }
                    _ => {}
                }
            }
        }
        for tree in &others.trees {
            if let Some(way) = ways.of(tree) {
                self.add_links(&way.links);
                self.add_as(&way.path, others, tree);
            }
        }
    }

    fn add_links(&mut self, links: &[Symlink]) {
        links.iter().filter_map(|link| link.at.to_str()).for_each(|at| self.add(at.into()));
    }

    /// Adds a path that `others` has under another name.
    fn add_as(&mut self, path: &str, others: &Self, called: &str) {
        self.add_exact(path.into());
        if let Some(share) = others.shares.get(called) {
            self.share(path, *share);
        }
        if let Some(share) = others.shares_below.get(called) {
            self.share_below(path, *share);
        }
        let pairs = [
            (&mut self.there, &others.there),
            (&mut self.trees, &others.trees),
            (&mut self.whole, &others.whole),
        ];
        for (own, theirs) in pairs {
            if theirs.contains(called) {
                own.insert(path.into());
            }
        }
    }
}

/// What is spared on a machine, where home directories and real paths are known.
#[derive(Debug, Default)]
pub struct Spared {
    claimed: Arc<Claimed>,
    /// Paths in the home directories of this machine.
    homes: Paths,
    /// Real paths of what the catalog calls otherwise.
    real: Paths,
    /// The units by their own names, collected on first use.
    units: OnceLock<BTreeSet<String>>,
}

impl Spared {
    /// What is spared on the machine as it is now.
    pub(super) fn new(claimed: Arc<Claimed>, accounts: &Accounts, machine: &dyn Inspect) -> Self {
        let homes = homes(&claimed, accounts);
        let (mut ways, mut real) = (PathAliases::new(machine), Paths::default());
        real.add_real(&claimed.paths, &mut ways);
        real.add_real(&homes, &mut ways);
        Self { claimed, homes, real, units: OnceLock::new() }
    }

    fn paths(&self) -> [&Paths; 3] {
        [&self.claimed.paths, &self.homes, &self.real]
    }

    /// Whether a resource claims this path, which has no links on the way.
    pub fn contains(&self, path: &str) -> bool {
        self.paths().iter().any(|paths| paths.exact.contains(path))
    }

    /// Whether a resource claims a path with everything in it.
    pub fn is_tree(&self, path: &str) -> bool {
        self.paths().iter().any(|paths| paths.trees.contains(path))
    }

    /// Whether another resource makes everything in a directory.
    pub fn is_whole(&self, path: &str) -> bool {
        self.paths().iter().any(|paths| paths.whole.contains(path))
    }

    /// The directory around a path whose whole content another resource makes.
    pub fn whole_around<'p>(&self, path: &'p str) -> Option<&'p str> {
        let mut around = path.match_indices('/').filter_map(|(end, _)| path.get(..end));
        around.find(|around| self.is_whole(around))
    }

    /// Whether a resource claims something that should exist below this path.
    pub fn any_below(&self, path: &str) -> bool {
        let inside = format!("{}/", path.trim_end_matches('/'));
        let from = (Bound::Included(inside.as_str()), Bound::Unbounded);
        let next = |paths: &&Paths| paths.there.range::<str, _>(from).next().cloned();
        self.paths().iter().filter_map(next).any(|next| next.starts_with(&inside))
    }

    /// Whether a resource claims anything below this path, even that nothing is there.
    pub fn names_below(&self, path: &str) -> bool {
        let inside = inside(path, "");
        let from = (Bound::Included(inside.as_str()), Bound::Unbounded);
        let next = |paths: &&Paths| paths.exact.range::<str, _>(from).next().cloned();
        self.paths().iter().filter_map(next).any(|next| next.starts_with(&inside))
    }

    /// What other resources manage of a path below `top`, which one of them makes.
    pub fn share(&self, top: &str, below: &str) -> Share {
        let mut ends = below.match_indices('/').map(|(at, _)| at).chain([below.len()]);
        if ends.any(|end| self.is_tree(&inside(top, &below[..end]))) {
            return Share::ALL;
        }
        let whole = inside(top, below);
        let by_others = self.share_by_recursion(top, below);
        let found = self.paths().into_iter().filter_map(|paths| paths.shares.get(whole.as_str()));
        found.fold(by_others, |all, share| all.and(*share))
    }

    /// What others manage of a path because they manage everything below one of the directories in between.
    pub fn share_by_recursion(&self, top: &str, below: &str) -> Share {
        let ends = below.match_indices('/').map(|(end, _)| end);
        let between: Vec<String> = ends.map(|end| inside(top, &below[..end])).collect();
        let found = self.paths().into_iter().filter(|paths| !paths.shares_below.is_empty());
        let found =
            found.flat_map(|paths| between.iter().filter_map(|path| paths.shares_below.get(path.as_str())));
        found.fold(Share::NONE, |all, share| all.and(*share))
    }

    /// Whether a link enables or masks a unit that a resource manages, or is an alias of it.
    pub fn is_link_of_unit(&self, path: &str, machine: &dyn Inspect) -> bool {
        if self.claimed.units.is_empty() || !is_among_units(path) {
            return false;
        }
        let units = self.units(machine);
        let is_managed = |name: Option<&str>| name.is_some_and(|name| units.contains(name));
        let name = path.rsplit_once('/').map(|(_, name)| name);
        let target = || machine.read_link(&text_path(path)).ok();
        is_managed(name)
            || target().is_some_and(|target| is_managed(target.file_name().and_then(|name| name.to_str())))
    }

    /// Whether a directory contains such a link.
    pub fn holds_link_of_unit(&self, path: &str, machine: &dyn Inspect) -> bool {
        if self.claimed.units.is_empty() || !is_among_units(path) {
            return false;
        }
        let names = machine.list(&text_path(path)).unwrap_or_default();
        let names = names.iter().map(|name| path_text(name.as_ref()));
        names.map(|name| format!("{path}/{name}")).any(|link| self.is_link_of_unit(&link, machine))
    }

    /// The managed units, and those that their names stand for.
    fn units(&self, machine: &dyn Inspect) -> &BTreeSet<String> {
        self.units.get_or_init(|| {
            let claimed = self.claimed.units.iter();
            let stood_for = claimed.clone().filter_map(|name| stands_for(name, machine));
            stood_for.chain(claimed.cloned()).collect()
        })
    }
}

/// Where the home directories are, and what is claimed in them.
fn homes(claimed: &Claimed, accounts: &Accounts) -> Paths {
    let mut homes = Paths::default();
    let home = |user: &str| match accounts.find_user(user) {
        Some(account) => account.home.trim_end_matches('/').to_owned(),
        None if user == "root" => "/root".to_owned(),
        None => format!("/home/{user}"),
    };
    for user in &claimed.homes {
        let home: Box<str> = home(user).into();
        homes.trees.insert(home.clone());
        homes.add(home);
    }
    for (user, below) in &claimed.in_homes {
        let path = format!("{}/{below}", home(user));
        let path = path.trim_end_matches('/');
        homes.share(path, Share { content: true, ..Share::NONE });
        homes.add(path.into());
    }
    homes
}

fn is_among_units(path: &str) -> bool {
    UNITS.iter().any(|directory| path.starts_with(directory))
}

#[cfg(test)]
mod tests;
