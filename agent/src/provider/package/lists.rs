//! The age of the lists from which apt knows what is available.

use std::path::Path;

use crate::system::{self, Inspect};

/// Files and directories that change when the lists do, but neither when a fetch fails nor when a package is installed.
/// The lists themselves have the server's times.
const PLACES: [&str; 2] = ["/var/lib/apt/periodic/update-success-stamp", "/var/lib/apt/lists"];

/// The age in seconds from which lists are stale: they may not know what has been available for a day.
const FRESH: i64 = 24 * 3600;

/// How far in the future a time may be and still count as now, in seconds.
const AHEAD: i64 = 3600;

/// The age of the lists in seconds, if they are stale. Lists from the future, made while the clock was ahead, have an
/// unknown age, and are stale, too.
pub fn stale(machine: &dyn Inspect) -> system::Result<Option<i64>> {
    let mut ages = Vec::new();
    for place in PLACES {
        ages.extend(machine.stat(Path::new(place))?.map(|stat| machine.now() - stat.times.modified));
    }
    let known = ages.iter().copied().filter(|age| *age >= -AHEAD).min();
    Ok(known.or(ages.into_iter().max()).filter(|age| *age > FRESH || *age < -AHEAD))
}

/// The note about a package that is the newest according to such lists.
pub fn note(age: i64) -> String {
    if age < 0 {
        return "according to package lists whose time is in the future, so their age is unknown; `apt-get update` \
                fetches new ones"
            .to_owned();
    }
    let (count, unit) = if age >= 2 * FRESH { (age / FRESH, "days") } else { (age / 3600, "hours") };
    format!(
        "according to package lists that last changed {count} {unit} ago; `apt-get update` fetches newer ones"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::double::Double;

    #[test]
    fn lists_grow_old_after_a_day() {
        let double = Double::new(|_| None);
        assert_eq!(stale(&double).unwrap(), None, "a machine without lists has none that are old");
        double.put("/var/lib/apt/lists/x", "");
        assert_eq!(stale(&double).unwrap(), None);
        double.pass(30 * 3600);
        assert_eq!(
            note(stale(&double).unwrap().unwrap()).split(';').next().unwrap(),
            "according to package lists that last changed 30 hours ago"
        );
        double.pass(90 * 3600);
        // An attempt to fetch them, and an installation that rebuilt the cache.
        for path in ["var/lib/apt/lists/partial", "var/cache/apt/pkgcache.bin"] {
            let later = std::time::SystemTime::now() + std::time::Duration::from_secs(120 * 3600);
            double.put(&format!("/{path}/x"), "");
            std::fs::File::open(double.root.path().join(path)).unwrap().set_modified(later).unwrap();
        }
        let lists = std::fs::File::open(double.root.path().join("var/lib/apt/lists")).unwrap();
        lists.set_modified(std::time::SystemTime::now()).unwrap();
        assert!(note(stale(&double).unwrap().unwrap()).contains("5 days"));
        let ahead = std::time::SystemTime::now() + std::time::Duration::from_secs(365 * 24 * 3600);
        lists.set_modified(ahead).unwrap();
        assert!(note(stale(&double).unwrap().unwrap()).contains("in the future"));
    }
}
