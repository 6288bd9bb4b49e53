//! What a server takes of a repository, and what becomes of the rest.
//!
//! Data is counted by its parts, since tenants write them: what one of them holds too much is left out and told, and is
//! nobody else's affair. What operators write too much of makes the commit broken.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::File;

/// The folder whose parts are tenants'.
const DATA: &str = "hieradata/";

/// How much there may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Bytes of one file.
    pub file: u64,
    /// Of one part of the data.
    pub part: Amount,
    /// Of all parts of the data together.
    pub parts: Amount,
    /// Of all the rest together.
    pub rest: Amount,
}

/// Files and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub files: u64,
    pub bytes: u64,
}

const MIB: u64 = 1024 * 1024;

impl Default for Limits {
    fn default() -> Self {
        Self {
            file: 8 * MIB,
            part: Amount { files: 2_000, bytes: 16 * MIB },
            parts: Amount { files: 200_000, bytes: 256 * MIB },
            rest: Amount { files: 50_000, bytes: 256 * MIB },
        }
    }
}

/// What is left out of a repository, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Refused {
    /// Single files of the data.
    pub files: BTreeMap<Arc<str>, Arc<str>>,
    /// Whole parts of the data, each by the first of its files.
    pub parts: BTreeMap<Arc<str>, (Arc<str>, Arc<str>)>,
    /// The commit: the file that is too large, where it is one, and why.
    pub commit: Option<(Option<Arc<str>>, Arc<str>)>,
}

/// The part of the data that a file belongs to: `hieradata/customers/acme` of all that stands there and of
/// `hieradata/customers/acme.toml`. None of everything else.
pub fn part(path: &str) -> Option<&str> {
    let (folder, rest) = path.strip_prefix(DATA)?.split_once('/')?;
    let name = rest.split('/').next().unwrap_or(rest);
    let name = if name.len() == rest.len() { name.strip_suffix(".toml").unwrap_or(name) } else { name };
    Some(&path[..DATA.len() + folder.len() + 1 + name.len()])
}

impl Refused {
    /// A file for each reason.
    pub(super) fn placeholders(&self) -> BTreeMap<Arc<str>, File> {
        let files = self.files.iter().chain(self.parts.iter().map(|(part, (_, reason))| (part, reason)));
        let commit = self.commit.iter().map(|(_, reason)| (Arc::from(""), reason));
        let all = files.map(|(path, reason)| (path.clone(), reason)).chain(commit);
        all.map(|(path, reason)| (path, File::refused(reason.clone()))).collect()
    }

    /// Whether a file is left out.
    pub(super) fn has(&self, path: &str) -> bool {
        self.commit.is_some()
            || self.files.contains_key(path)
            || part(path).is_some_and(|part| self.parts.contains_key(part))
    }
}

/// Part of the data: its first file, and how much it holds.
struct Part {
    first: Arc<str>,
    amount: Amount,
}

impl Limits {
    /// What is too much among files of these sizes.
    pub(super) fn judge<'a>(&self, files: impl IntoIterator<Item = (&'a str, u64)>) -> Refused {
        let (mut refused, mut parts, mut rest) = (Refused::default(), BTreeMap::new(), Amount::default());
        for (path, bytes) in files {
            match part(path) {
                _ if bytes > self.file => self.refuse_file(path, bytes, &mut refused),
                Some(part) => parts
                    .entry(part)
                    .or_insert_with(|| Part { first: path.into(), amount: Amount::default() })
                    .amount
                    .add(bytes),
                None => rest.add(bytes),
            }
        }
        self.refuse_parts(parts, &mut refused);
        if let Some(what) = rest.beyond(self.rest) {
            let reason = format!("modules, inventory and what else is the operators' {what}; {CURE}");
            refused.commit.get_or_insert((None, reason.into()));
        }
        refused
    }

    fn refuse_file(&self, path: &str, bytes: u64, refused: &mut Refused) {
        let reason = format!("the file has {bytes} bytes, and a file has at most {}; {CURE}", self.file);
        if part(path).is_some() {
            refused.files.insert(path.into(), reason.into());
        } else {
            refused.commit.get_or_insert((Some(path.into()), reason.into()));
        }
    }

    /// First the parts that are too large by themselves; then, where all together are too much, the largest.
    fn refuse_parts(&self, parts: BTreeMap<&str, Part>, refused: &mut Refused) {
        let (mut left, mut total) = (Vec::new(), Amount::default());
        for (name, part) in parts {
            if let Some(what) = part.amount.beyond(self.part) {
                let reason = format!("this part of the data {what}; {CURE}");
                refused.parts.insert(name.into(), (part.first, reason.into()));
            } else {
                total.files += part.amount.files;
                total.bytes += part.amount.bytes;
                left.push((name, part));
            }
        }
        left.sort_by_key(|(_, part)| (part.amount.bytes / MIB, part.amount.files));
        while let Some(what) = total.beyond(self.parts)
            && let Some((name, part)) = left.pop()
        {
            let reason = format!("all data together {what}, and this part is the largest; {CURE}");
            total.files -= part.amount.files;
            total.bytes -= part.amount.bytes;
            refused.parts.insert(name.into(), (part.first, reason.into()));
        }
    }
}

const CURE: &str = "large artefacts belong on a package server";

impl Amount {
    fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }

    /// What is too much, in words.
    fn beyond(self, most: Self) -> Option<String> {
        if self.files > most.files {
            Some(format!("has {} files, and {} are the most", self.files, most.files))
        } else if self.bytes > most.bytes {
            Some(format!("has {} bytes, and {} are the most", self.bytes, most.bytes))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Limits = Limits {
        file: 100,
        part: Amount { files: 3, bytes: 200 },
        parts: Amount { files: 20, bytes: 500 },
        rest: Amount { files: 4, bytes: 1000 },
    };

    fn judged(files: &[(&str, u64)]) -> Refused {
        SMALL.judge(files.iter().copied())
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
        files.extend([("hieradata/nodes/big/a.toml", 99), ("hieradata/nodes/big/b.toml", 99)]);
        let refused = judged(&files);
        let parts: Vec<_> = refused.parts.keys().map(|part| &**part).collect();
        assert_eq!(parts, ["hieradata/nodes/big"]);
        assert!(refused.parts["hieradata/nodes/big"].1.contains("558 bytes"), "{refused:?}");
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
