//! How long backups and records of unpacked archives are kept after their resource has left the catalog.
//!
//! The days on which the agent ran are counted, not the clock: a clock that jumps ahead removes nothing, nor does a
//! machine that was switched off.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use holdfast_catalog::resource::{Archive, File, TypedResource};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Want, archive, file};
use crate::system::{self, Inspect as _, Machine, Permissions};

/// The number of days that they are kept after the last one on which the catalog had the resource.
const DAYS: u32 = 90;

const NAME: &str = "/gone.json";

/// The most bytes of the file, more than it ever has.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// What is kept for resources that the catalog no longer has, and for how many days it has not had them.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Gone {
    /// The last day that was counted.
    counted: Option<Date>,
    /// Days by the places of backups.
    backups: BTreeMap<String, u32>,
    /// Days by the names of records.
    archives: BTreeMap<String, u32>,
}

/// Counts the day, once, and removes what was kept long enough. What the catalog of any run in a day has is not
/// counted: different catalogs may be applied in turn.
pub(crate) fn let_go(all: &[TypedResource], state_dir: &Path, today: Date) -> system::Result<()> {
    let state = Machine::open(state_dir)?;
    let bytes = state.read(Path::new(NAME), MAX_BYTES)?.unwrap_or_default();
    // If the file cannot be read, counting starts again.
    let before: Gone = serde_json::from_slice(&bytes).unwrap_or_default();
    if before.counted == Some(today) && before.backups.is_empty() && before.archives.is_empty() {
        return Ok(());
    }
    // A clock that was set back adds no day.
    let day = u32::from(before.counted.is_none_or(|counted| counted < today));
    let mut gone = Gone { counted: Some(today), ..before.clone() };
    let over = count(&mut gone.backups, backups_without(all, &state)?, day);
    file::forget_backups(&over, &state)?;
    let over_archives = count(&mut gone.archives, records_without(all, &state)?, day);
    over_archives.iter().try_for_each(|name| archive::record::forget(name, &state))?;
    if !over.is_empty() || !over_archives.is_empty() {
        tracing::info!(
            backups = over.len(),
            archives = over_archives.len(),
            "removed the state of resources that have not been in the catalog for {DAYS} days"
        );
    }
    if gone == before {
        return Ok(());
    }
    let bytes = serde_json::to_vec(&gone).unwrap_or_default();
    let access = Permissions { mode: 0o600, uid: None, gid: None };
    system::write_durably(&state, Path::new(NAME), access, &bytes)
}

/// Adds a day to those in `without`, which have no resource, and forgets all others; returns those whose time is over.
fn count(days: &mut BTreeMap<String, u32>, without: BTreeSet<String>, day: u32) -> BTreeSet<String> {
    let counted = without.into_iter().map(|name| {
        let so_far = days.get(&name).copied().unwrap_or_default();
        (name, so_far.saturating_add(day))
    });
    let (over, still): (BTreeMap<_, _>, _) = counted.partition(|(_, days)| *days > DAYS);
    *days = still;
    over.into_keys().collect()
}

/// Places of backups for which the catalog has no `file` at the path or above it.
fn backups_without(all: &[TypedResource], state: &Machine) -> system::Result<BTreeSet<String>> {
    let files = all.iter().filter_map(|typed| File::of(typed));
    let titles: BTreeSet<&str> = files.map(|want| want.title.as_str()).collect();
    let has = |path: &str| Path::new(path).ancestors().filter_map(Path::to_str).any(|at| titles.contains(at));
    let places = file::backed_up(state)?.into_iter();
    Ok(places.filter(|(_, path)| !path.as_deref().is_some_and(has)).map(|(place, _)| place).collect())
}

/// Records of archives that the catalog does not have.
fn records_without(all: &[TypedResource], state: &Machine) -> system::Result<BTreeSet<String>> {
    let archives = all.iter().filter_map(|typed| Archive::of(typed));
    let named: BTreeSet<String> = archives.map(archive::record::name).collect();
    Ok(archive::record::names(state)?.into_iter().filter(|name| !named.contains(name)).collect())
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::report::Mode;
    use jiff::ToSpan as _;

    use super::*;
    use crate::enforce::bench::Bench;

    /// After any day that the bench's own runs have counted.
    const FIRST: Date = jiff::civil::date(2126, 11, 30);

    fn kept(bench: &Bench) -> usize {
        let ours = |name: &str| std::fs::read_dir(bench.state().join(name)).into_iter().flatten().count();
        ours("backups") + ours("archives")
    }

    /// A bench with backups of two files, one of them below the other's directory, and a record of an archive.
    fn bench() -> Bench {
        let mut bench = Bench::directory();
        for (path, text) in [("a", "old"), ("d", "same"), ("b", "same")] {
            std::fs::write(bench.dir().join(path), text).unwrap();
            bench.add(
                "file",
                &format!("/{path}"),
                &[("content", "new".into()), ("backup", true.into())].into(),
            );
        }
        assert_eq!(bench.run(Mode::Enforce).counts.failed, 0);
        std::fs::create_dir(bench.state().join("archives")).unwrap();
        std::fs::write(bench.state().join("archives/0123.json"), "{}").unwrap();
        assert_eq!(kept(&bench), 5 + 1);
        bench
    }

    fn day(bench: &Bench, which: &[usize], today: Date) {
        let all = bench.catalog.validate().unwrap();
        let all: Vec<TypedResource> = which.iter().map(|index| all[*index].clone()).collect();
        let_go(&all, bench.state(), today).unwrap();
    }

    #[test]
    fn what_is_kept_of_resources_that_are_gone_goes_after_so_many_days_of_runs() {
        let bench = bench();
        let mut today = FIRST;
        for _ in 0..DAYS {
            // However many runs a day has, it counts once.
            (0..3).for_each(|_| day(&bench, &[1], today));
            today = today.saturating_add(1.day());
        }
        assert_eq!(kept(&bench), 6, "all of it is there for as long as is promised");
        day(&bench, &[1], today);
        assert_eq!(kept(&bench), 2, "what the catalog has stays, and what others shared with it");
        let texts = std::fs::read_dir(bench.state().join("backups")).unwrap();
        assert!(
            texts
                .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
                .any(|text| text == "same")
        );
    }

    #[test]
    fn what_another_catalog_lacks_that_is_applied_in_between_stays() {
        let bench = bench();
        let mut today = FIRST;
        for _ in 0..2 * DAYS {
            day(&bench, &[], today);
            day(&bench, &[0, 1, 2], today);
            today = today.saturating_add(1.day());
        }
        assert_eq!(kept(&bench), 5, "all but the record, which neither has");
    }

    #[test]
    fn a_resource_that_comes_back_and_a_clock_that_is_wrong_keep_it() {
        let bench = bench();
        let ahead = FIRST.saturating_add(3.years());
        for today in [FIRST, ahead, FIRST, ahead, FIRST] {
            day(&bench, &[], today);
        }
        assert_eq!(kept(&bench), 6);
        let mut today = FIRST;
        for which in [&[][..], &[0, 1, 2]] {
            for _ in 0..DAYS - 5 {
                today = today.saturating_add(1.day());
                day(&bench, which, today);
            }
        }
        (0..DAYS).for_each(|_| {
            today = today.saturating_add(1.day());
            day(&bench, &[], today);
        });
        assert_eq!(kept(&bench), 5, "the archive never came back, and the files did");
    }
}
