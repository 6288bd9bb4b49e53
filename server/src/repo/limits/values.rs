//! The limit on what data contains. A value takes a hundred times the memory of the two bytes that may make it, so the
//! size of a file does not limit what it costs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Amount, DataPart, Exclusions, INVENTORY, RepoLimits, SnapshotFile, machines, part};
use crate::outline::Outline;

/// A value has at least so many bytes, with the comma after it. Data that is too small for the limits is not counted.
const SHORTEST: u64 = 2;

impl RepoLimits {
    /// Leaves out the data that contains too much, and adds why to what is left out already.
    pub(in crate::repo) fn judge_content(
        &self,
        files: &mut BTreeMap<Arc<str>, SnapshotFile>,
        refused: &mut Exclusions,
    ) {
        let mut sizes: BTreeMap<&str, u64> = BTreeMap::new();
        for (path, file) in files.iter() {
            if let Some(part) = part(path) {
                *sizes.entry(part).or_default() += file.bytes().len() as u64;
            }
        }
        let may_exceed = |bytes: u64, most: Amount| bytes / SHORTEST > most.values;
        let all = may_exceed(sizes.values().sum(), self.parts);
        let is_counted = |part: &str| all || may_exceed(sizes[part], self.part);
        let mut parts: BTreeMap<&str, (DataPart, u64)> = BTreeMap::new();
        for (path, file) in files.iter() {
            let Some(part) = part(path).filter(|part| is_counted(part)) else { continue };
            let values = Outline::of(file.bytes()).values as u64;
            let counted = || (DataPart { first: path.clone(), amount: Amount::default() }, 0);
            let (part, largest) = parts.entry(part).or_insert_with(counted);
            part.amount.add(file.bytes().len() as u64);
            part.amount.values += values;
            if values > *largest {
                (part.first, *largest) = (path.clone(), values);
            }
        }
        let parts = parts.into_iter().map(|(name, (part, _))| (name, part)).collect();
        let inventory: Vec<_> =
            files.keys().map(|path| &**path).filter(|path| path.starts_with(INVENTORY)).collect();
        let read = |path: &str| files.get(path).map(|file| file.bytes().to_vec());
        self.refuse_parts(parts, &|| machines(&inventory, &read), refused);
        files.retain(|path, _| !refused.has(path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: RepoLimits = RepoLimits {
        file: 10_000,
        part: Amount { files: 10, bytes: 10_000, values: 20 },
        parts: Amount { files: 100, bytes: 100_000, values: 50 },
        rest: Amount { files: 100, bytes: 100_000, values: u64::MAX },
    };

    fn judged(files: &[(&str, usize)]) -> (Exclusions, Vec<String>) {
        let file = |(path, values): &(&str, usize)| {
            let text = format!("x = [{}]\n", "1,".repeat(values - 1));
            (Arc::from(*path), SnapshotFile::new(text.into_bytes()))
        };
        let mut files: BTreeMap<_, _> = files.iter().map(file).collect();
        files.insert("inventory/r/acme.toml".into(), SnapshotFile::new(*b"[\"web1.acme.example\"]\n"));
        let mut refused = Exclusions::default();
        SMALL.judge_content(&mut files, &mut refused);
        (refused, files.into_keys().map(|path| path.to_string()).collect())
    }

    #[test]
    fn what_contains_too_much_is_left_out_alone_and_told_at_its_largest_file() {
        let (refused, left) = judged(&[
            ("hieradata/customers/acme.toml", 5),
            ("hieradata/customers/acme/roles/web.toml", 16),
            ("hieradata/customers/birch.toml", 20),
            ("hieradata/common.toml", 1_000),
        ]);
        let (file, reason) = &refused.parts["hieradata/customers/acme"];
        assert_eq!(&**file, "hieradata/customers/acme/roles/web.toml");
        assert!(reason.contains("has 21 values; the limit is 20"), "{reason}");
        assert_eq!(
            left,
            ["hieradata/common.toml", "hieradata/customers/birch.toml", "inventory/r/acme.toml"]
        );
    }

    #[test]
    fn where_all_together_contain_too_much_the_owner_with_the_most_is_left_out() {
        let (refused, _) = judged(&[
            ("hieradata/customers/birch.toml", 18),
            ("hieradata/customers/cedar.toml", 17),
            ("hieradata/customers/acme.toml", 2),
            ("hieradata/nodes/web1.acme.example.toml", 19),
        ]);
        let parts: Vec<_> = refused.parts.keys().map(|part| &**part).collect();
        assert_eq!(parts, ["hieradata/customers/acme", "hieradata/nodes/web1.acme.example"]);
        let (_, reason) = &refused.parts["hieradata/customers/acme"];
        assert!(reason.contains("56 values") && reason.contains("customer `acme`"), "{reason}");
        assert!(reason.contains("have 21 values of it"), "{reason}");
    }
}
