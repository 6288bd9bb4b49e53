//! How old the lists are by which apt knows what is on offer.

use std::path::Path;

use crate::system::{self, Inspect};

/// What changes when the lists do, and neither when a fetch fails nor when a package is installed. The lists themselves
/// have the times of the server.
const PLACES: [&str; 2] = ["/var/lib/apt/periodic/update-success-stamp", "/var/lib/apt/lists"];

/// Older ones may know nothing of what has been on offer for a day.
const FRESH: i64 = 24 * 3600;

/// How many seconds ago the lists changed, where that is longer than they are fresh.
pub fn stale(machine: &dyn Inspect) -> system::Result<Option<i64>> {
    let mut newest = None;
    for place in PLACES {
        newest = newest.max(machine.stat(Path::new(place))?.map(|stat| stat.times.modified));
    }
    Ok(newest.map(|newest| machine.now() - newest).filter(|age| *age > FRESH))
}

/// What is said of a package that is the newest by such lists.
pub fn note(age: i64) -> String {
    let (count, unit) = if age >= 2 * FRESH { (age / FRESH, "days") } else { (age / 3600, "hours") };
    format!("by package lists that last changed {count} {unit} ago; `apt-get update` fetches newer ones")
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
            "by package lists that last changed 30 hours ago"
        );
        double.pass(90 * 3600);
        // An attempt to fetch them, and an installation that made the cache anew.
        for path in ["var/lib/apt/lists/partial", "var/cache/apt/pkgcache.bin"] {
            let later = std::time::SystemTime::now() + std::time::Duration::from_secs(120 * 3600);
            double.put(&format!("/{path}/x"), "");
            std::fs::File::open(double.root.path().join(path)).unwrap().set_modified(later).unwrap();
        }
        let lists = std::fs::File::open(double.root.path().join("var/lib/apt/lists")).unwrap();
        lists.set_modified(std::time::SystemTime::now()).unwrap();
        assert!(note(stale(&double).unwrap().unwrap()).contains("5 days"));
    }
}
