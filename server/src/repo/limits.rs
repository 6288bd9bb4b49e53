//! Limits on what a server reads of a repository, and what happens to the rest.
//!
//! Data is counted by its parts, since tenants write them: what exceeds a limit in one part is left out and reported,
//! and affects no one else. If what operators write exceeds a limit, the commit is broken.
//!
//! If all parts together exceed the limit, they are summed by owner, so that a thousand small files of one tenant count
//! as that tenant's. Parts of unknown machines are left out first, then those of the largest tenant, and those that
//! operators write last.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use holdfast_catalog::count::counted;

use super::SnapshotFile;

mod amount; // how much there is of something
mod values; // what files contain

use amount::{Amount, CURE, MAX_PATH};

/// The folder whose parts belong to tenants.
const DATA: &str = "hieradata/";

/// The folder that determines which machines belong to whom.
const INVENTORY: &str = "inventory/";

/// The limits of a repository.
#[derive(Debug, Clone, Copy)]
pub(super) struct RepoLimits {
    /// Bytes of one file.
    pub file: u64,
    /// For one part of the data.
    pub part: Amount,
    /// For all parts of the data together.
    pub parts: Amount,
    /// For everything else together.
    pub rest: Amount,
}

const MIB: u64 = 1024 * 1024;

impl Default for RepoLimits {
    fn default() -> Self {
        Self {
            file: 8 * MIB,
            part: Amount { files: 2_000, bytes: 16 * MIB, values: 100_000 },
            parts: Amount { files: 200_000, bytes: 256 * MIB, values: 4_000_000 },
            rest: Amount { files: 50_000, bytes: 256 * MIB, values: u64::MAX },
        }
    }
}

/// How much of a commit's tree was walked. A folder counts like a file, and there may be twice as many of both as of
/// files, so that the limit on files is reached first.
pub(super) struct WalkBudget {
    limits: RepoLimits,
    /// The number of entries in each part.
    parts: HashMap<String, u64>,
    /// The number of entries in everything else together.
    rest: u64,
    /// The number of all entries: one tree may be in a thousand parts.
    all: u64,
}

impl WalkBudget {
    pub(super) fn new(limits: RepoLimits) -> Self {
        Self { limits, parts: HashMap::new(), rest: 0, all: 0 }
    }

    /// Whether the part that a path belongs to has too many entries already.
    pub(super) fn is_full(&self, path: &str) -> bool {
        self.is_over()
            || match part(path) {
                Some(part) => {
                    self.parts.get(part).is_some_and(|entries| *entries > 2 * self.limits.part.files)
                }
                None => self.rest > 2 * self.limits.rest.files,
            }
    }

    /// Whether there are too many entries in total.
    fn is_over(&self) -> bool {
        self.all > 2 * (self.limits.parts.files + self.limits.rest.files)
    }

    /// Counts an entry; returns false if it exceeds the limit.
    pub(super) fn note(&mut self, path: &str) -> bool {
        self.all += 1;
        let (entries, most) = match part(path) {
            Some(part) => (self.parts.entry(part.to_owned()).or_default(), self.limits.part.files),
            None => (&mut self.rest, self.limits.rest.files),
        };
        *entries = if path.len() > MAX_PATH { u64::MAX } else { entries.saturating_add(1) };
        *entries <= 2 * most && !self.is_over()
    }

    /// The parts that were not walked to their end.
    fn left(&self) -> impl Iterator<Item = &str> {
        self.parts
            .iter()
            .filter(|(_, entries)| **entries > 2 * self.limits.part.files)
            .map(|(part, _)| &**part)
    }
}

/// What is left out of a repository, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Exclusions {
    /// Single data files, each with the reason.
    pub files: BTreeMap<Arc<str>, Arc<str>>,
    /// Whole parts of the data, each with the file to name and the reason.
    pub parts: BTreeMap<Arc<str>, (Arc<str>, Arc<str>)>,
    /// The whole commit: the file that is too large, if it is about one, and the reason.
    pub commit: Option<(Option<Arc<str>>, Arc<str>)>,
}

/// The part of the data that a file belongs to: `hieradata/customers/acme` for `hieradata/customers/acme.toml` and
/// everything below `hieradata/customers/acme/`. `None` for all other files.
pub fn part(path: &str) -> Option<&str> {
    let (folder, rest) = path.strip_prefix(DATA)?.split_once('/')?;
    let name = rest.split('/').next().unwrap_or(rest);
    let name = if name.len() == rest.len() { name.strip_suffix(".toml").unwrap_or(name) } else { name };
    Some(&path[..DATA.len() + folder.len() + 1 + name.len()])
}

impl Exclusions {
    /// A file for each reason, so that reasons contribute to the id of a snapshot.
    pub(super) fn placeholders(&self) -> BTreeMap<Arc<str>, SnapshotFile> {
        let files = self.files.iter().chain(self.parts.iter().map(|(part, (_, reason))| (part, reason)));
        let commit = self.commit.iter().map(|(_, reason)| (Arc::from(""), reason));
        let all = files.map(|(path, reason)| (path.clone(), reason)).chain(commit);
        all.map(|(path, reason)| (path, SnapshotFile::refused(reason.clone()))).collect()
    }

    /// Whether a file is left out.
    pub(super) fn has(&self, path: &str) -> bool {
        self.commit.is_some()
            || self.files.contains_key(path)
            || part(path).is_some_and(|part| self.parts.contains_key(part))
    }
}

/// The owner of parts, in the order in which parts are left out if all together exceed the limit; of one kind, the
/// largest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum PartOwner {
    /// Machines that are not in the inventory.
    Nobody,
    /// A customer, by name: its own data, and that of its machines.
    Customer(String),
    /// Every other part, each on its own.
    Operators(String),
}

impl PartOwner {
    fn turn(&self) -> usize {
        match self {
            Self::Nobody => 0,
            Self::Customer(_) => 1,
            Self::Operators(_) => 2,
        }
    }

    /// The reason that is given for leaving out this owner's parts.
    fn reason(&self, amount: Amount) -> String {
        let Amount { files, bytes, .. } = amount;
        match self {
            Self::Nobody => {
                let bytes = counted(bytes, "byte", "bytes");
                format!("the data of machines that are not in the inventory ({bytes}) is left out first")
            }
            Self::Customer(name) if amount.values > 0 => {
                let values = counted(amount.values, "value", "values");
                format!("customer `{name}` and its machines have {values} of it, the most")
            }
            Self::Customer(name) => {
                format!(
                    "customer `{name}` and its machines have the most of it: {} and {}",
                    counted(files, "file", "files"),
                    counted(bytes, "byte", "bytes")
                )
            }
            Self::Operators(_) => {
                format!("this part, of {bytes} bytes, is the largest that no customer writes")
            }
        }
    }
}

/// Reads the content of a file, to find out which machines belong to whom.
pub(super) type TextReader<'a> = &'a dyn Fn(&str) -> Option<Vec<u8>>;

/// The names in files of the inventory, each with the customer of the first file that contains it. The name may also be
/// a word in a comment: then a data file of that name counts as the customer's.
fn machines(inventory: &[&str], read: TextReader<'_>) -> BTreeMap<String, String> {
    let mut owners = BTreeMap::new();
    for path in inventory {
        let stem = path.rsplit('/').next().and_then(|name| name.strip_suffix(".toml"));
        let (Some(customer), Some(bytes)) = (stem, read(path)) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        for word in text.split(|c| !is_of_name(c)).filter(|word| word.contains('.')) {
            owners.entry(word.to_owned()).or_insert_with(|| customer.to_owned());
        }
    }
    owners
}

/// The owner of a part.
fn owner(part: &str, machines: &BTreeMap<String, String>) -> PartOwner {
    match part.strip_prefix(DATA).and_then(|rest| rest.split_once('/')) {
        Some(("customers", name)) => PartOwner::Customer(name.to_owned()),
        Some(("nodes", name)) => machines.get(name).cloned().map_or(PartOwner::Nobody, PartOwner::Customer),
        _ => PartOwner::Operators(part.to_owned()),
    }
}

/// A part of the data: the file to name, and its size.
struct DataPart {
    first: Arc<str>,
    amount: Amount,
}

impl RepoLimits {
    /// What exceeds the limits among files of these sizes. The inventory is read only if it matters which machines
    /// belong to whom.
    pub(super) fn judge<'a>(
        &self,
        files: impl IntoIterator<Item = (&'a str, u64)>,
        walked: &'a WalkBudget,
        read: TextReader<'_>,
    ) -> Exclusions {
        let (mut refused, mut parts, mut rest) = (Exclusions::default(), BTreeMap::new(), Amount::default());
        let mut inventory = Vec::new();
        for (path, bytes) in files {
            if path.starts_with(INVENTORY) && bytes <= self.file {
                inventory.push(path);
            }
            match part(path) {
                _ if bytes > self.file => self.refuse_file(path, bytes, &mut refused),
                Some(part) => parts
                    .entry(part)
                    .or_insert_with(|| DataPart { first: path.into(), amount: Amount::default() })
                    .amount
                    .add(bytes),
                None => rest.add(bytes),
            }
        }
        for part in walked.left() {
            let unread = || DataPart { first: part.into(), amount: Amount::default() };
            parts.entry(part).or_insert_with(unread).amount.leave();
        }
        if walked.is_over() {
            let reason = format!("the repository has more files and folders than the limit; {CURE}");
            refused.commit.get_or_insert((None, reason.into()));
        }
        if walked.rest > 2 * self.rest.files {
            rest.leave();
        }
        self.refuse_parts(parts, &|| machines(&inventory, read), &mut refused);
        if let Some(what) = rest.beyond(self.rest) {
            let reason = format!("modules, inventory and the other files of operators: {what}; {CURE}");
            refused.commit.get_or_insert((None, reason.into()));
        }
        refused
    }

    fn refuse_file(&self, path: &str, bytes: u64, refused: &mut Exclusions) {
        let reason = format!("the file has {bytes} bytes; the limit is {}; {CURE}", self.file);
        if part(path).is_some() {
            refused.files.insert(path.into(), reason.into());
        } else {
            refused.commit.get_or_insert((Some(path.into()), reason.into()));
        }
    }

    /// Leaves out the parts that are too large on their own; then, if all together exceed the limit, all parts of one
    /// owner after another until the rest fits.
    fn refuse_parts(
        &self,
        parts: BTreeMap<&str, DataPart>,
        machines: &dyn Fn() -> BTreeMap<String, String>,
        refused: &mut Exclusions,
    ) {
        let (mut left, mut total) = (Vec::new(), Amount::default());
        for (name, part) in parts {
            if let Some(what) = part.amount.beyond(self.part) {
                let reason = format!("this part of the data {what}; {}", part.amount.cure());
                refused.parts.insert(name.into(), (part.first, reason.into()));
            } else {
                total.plus(part.amount);
                left.push((name, part));
            }
        }
        let Some(what) = total.beyond(self.parts) else { return };
        for (owner, amount, parts) in in_turn(left, &machines(), |amount| total.size(amount, self.parts)) {
            if total.beyond(self.parts).is_none() {
                break;
            }
            let reason: Arc<str> =
                format!("all data together {what}, and {}; {}", owner.reason(amount), amount.cure()).into();
            total.minus(amount);
            let parts = parts.into_iter().map(|(name, part)| (name.into(), (part.first, reason.clone())));
            refused.parts.extend(parts);
        }
    }
}

/// Parts, by name.
type DataParts<'a> = Vec<(&'a str, DataPart)>;

/// An owner with all of its parts.
type Turn<'a> = (PartOwner, Amount, DataParts<'a>);

/// The parts by owner, in the order in which they are left out: of a kind, those of the largest `size` first.
fn in_turn<'a>(
    parts: DataParts<'a>,
    machines: &BTreeMap<String, String>,
    size: impl Fn(&Amount) -> u64,
) -> Vec<Turn<'a>> {
    let mut owners: BTreeMap<PartOwner, (Amount, DataParts<'_>)> = BTreeMap::new();
    for (name, part) in parts {
        let (amount, parts) = owners.entry(owner(name, machines)).or_default();
        amount.plus(part.amount);
        parts.push((name, part));
    }
    let mut owners: Vec<_> =
        owners.into_iter().map(|(owner, (amount, parts))| (owner, amount, parts)).collect();
    owners.sort_by_key(|(owner, amount, _)| (owner.turn(), std::cmp::Reverse(size(amount))));
    owners
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: RepoLimits = RepoLimits {
        file: 100,
        part: Amount { files: 3, bytes: 200, values: u64::MAX },
        parts: Amount { files: 20, bytes: 500, values: u64::MAX },
        rest: Amount { files: 4, bytes: 1000, values: u64::MAX },
    };

    fn judged(files: &[(&str, u64)]) -> Exclusions {
        let acme = "[\"web1.acme.example\"]\nrole = \"web\"\n";
        let read = |path: &str| (path == "inventory/r/acme.toml").then(|| acme.as_bytes().to_vec());
        SMALL.judge(files.iter().copied(), &WalkBudget::new(SMALL), &read)
    }

    fn parts(refused: &Exclusions) -> Vec<&str> {
        refused.parts.keys().map(|part| &**part).collect()
    }

    #[test]
    fn a_part_is_a_file_and_the_folder_of_its_name() {
        for (path, expected) in [
            ("hieradata/customers/acme.toml", Some("hieradata/customers/acme")),
            ("hieradata/customers/acme/roles/web.toml", Some("hieradata/customers/acme")),
            ("hieradata/customers/acme/big.bin", Some("hieradata/customers/acme")),
            ("hieradata/nodes/web1.acme.example.toml", Some("hieradata/nodes/web1.acme.example")),
            ("hieradata/common.toml", None),
            ("hieradata/keys.toml", None),
            ("modules/profile/files/x/y", None),
            ("hieradata-old/customers/acme.toml", None),
        ] {
            assert_eq!(part(path), expected, "{path}");
        }
    }

    #[test]
    fn what_one_tenant_has_too_much_of_is_left_out_alone() {
        let mut files = vec![("hieradata/customers/acme/big.bin", 101), ("hieradata/customers/acme.toml", 9)];
        files.extend([("hieradata/customers/birch.toml", 99), ("inventory/r/acme.toml", 9)]);
        let many: Vec<_> = (0..4).map(|n| format!("hieradata/customers/crowd/{n}.toml")).collect();
        files.extend(many.iter().map(|path| (&**path, 1)));
        let heavy: Vec<_> = (0..3).map(|n| format!("hieradata/customers/heavy/{n}.toml")).collect();
        files.extend(heavy.iter().map(|path| (&**path, 90)));
        let refused = judged(&files);
        assert_eq!(refused.commit, None);
        assert!(refused.files["hieradata/customers/acme/big.bin"].contains("101 bytes"));
        let parts: Vec<_> = refused.parts.keys().map(|part| &**part).collect();
        assert_eq!(parts, ["hieradata/customers/crowd", "hieradata/customers/heavy"]);
        assert!(
            !refused.has("hieradata/customers/birch.toml") && !refused.has("hieradata/customers/acme.toml")
        );
        assert!(refused.has("hieradata/customers/crowd.toml"), "whatever the part would hold");
    }

    #[test]
    fn where_all_tenants_together_have_too_much_the_largest_pay() {
        let paths: Vec<_> = (0..9).map(|n| format!("hieradata/customers/c{n}.toml")).collect();
        let mut files: Vec<_> = paths.iter().map(|path| (&**path, 40)).collect();
        // Its own file is small, but that of its machine counts too.
        files.extend([("inventory/r/acme.toml", 9), ("hieradata/customers/acme.toml", 1)]);
        files.extend([("hieradata/nodes/web1.acme.example/a.toml", 99)]);
        files.extend([("hieradata/nodes/web1.acme.example/b.toml", 99)]);
        let refused = judged(&files);
        assert_eq!(parts(&refused), ["hieradata/customers/acme", "hieradata/nodes/web1.acme.example"]);
        let reason = &refused.parts["hieradata/customers/acme"].1;
        assert!(reason.contains("559 bytes") && reason.contains("customer `acme`"), "{reason}");
        assert!(reason.contains("3 files and 199 bytes"), "{reason}");
    }

    #[test]
    fn a45_files_of_machines_that_nobody_has_go_first_and_together() {
        let strange: Vec<_> = (0..6).map(|n| format!("hieradata/nodes/x{n}.acme.example.toml")).collect();
        let mut files: Vec<_> = strange.iter().map(|path| (&**path, 60)).collect();
        // Each of these is larger than one of the strange ones, and what operators write is left out only after a tenant's.
        files.extend([("hieradata/customers/birch.toml", 90), ("hieradata/profiles/nginx.toml", 80)]);
        files.extend([("hieradata/os/debian-12.toml", 10), ("inventory/r/acme.toml", 9)]);
        let refused = judged(&files);
        let expected: Vec<_> = strange.iter().map(|path| path.trim_end_matches(".toml")).collect();
        assert_eq!(parts(&refused), expected);
        assert_eq!(refused.commit, None);
        let (_, reason) = &refused.parts["hieradata/nodes/x0.acme.example"];
        assert!(reason.contains("540 bytes") && reason.contains("(360 bytes) is left out first"), "{reason}");
    }

    #[test]
    fn a45_who_has_most_of_what_is_over_goes_whatever_the_other_is() {
        // There are 24 files with a limit of 20, so leaving out one large file would not help.
        let many: Vec<_> = (0..12).flat_map(|n| [format!("a{n}"), format!("b{n}")]).collect();
        let many: Vec<_> = many.iter().map(|n| format!("hieradata/customers/{n}/x.toml")).collect();
        let mut files: Vec<_> = many.iter().take(18).map(|path| (&**path, 1)).collect();
        files.push(("hieradata/customers/birch.toml", 99));
        let crowd: Vec<_> = (0..3).map(|n| format!("hieradata/customers/crowd/{n}.toml")).collect();
        files.extend(crowd.iter().map(|path| (&**path, 1)));
        let refused = judged(&files);
        assert_eq!(parts(&refused), ["hieradata/customers/crowd"]);
    }

    #[test]
    fn what_operators_have_too_much_of_breaks_the_commit() {
        let refused = judged(&[("modules/a/files/image.iso", 101), ("modules/a/files/b", 1)]);
        let (path, reason) = refused.commit.unwrap();
        assert_eq!(path.as_deref(), Some("modules/a/files/image.iso"));
        assert!(reason.contains("101 bytes"), "{reason}");
        let refused = judged(&[("a", 1), ("b", 1), ("c", 1), ("d", 1), ("e", 1)]);
        assert!(matches!(refused.commit, Some((None, reason)) if reason.contains("5 files")));
    }
}
