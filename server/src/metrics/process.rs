//! What the system reports about this process, as described in proc(5).

use std::fs;

/// What monitoring asks about any process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Process {
    /// User and system time.
    pub cpu_seconds: f64,
    /// Resident memory.
    pub resident_bytes: u64,
    /// Open files, including connections.
    pub open_files: u64,
    /// When it started, in seconds since 1970.
    pub started: f64,
}

/// The values for this process; `None` if the system does not report them.
pub fn now() -> Option<Process> {
    let open = fs::read_dir("/proc/self/fd").ok()?.count();
    of(&fs::read_to_string("/proc/self/stat").ok()?, &fs::read_to_string("/proc/stat").ok()?, open as u64)
}

fn of(own: &str, all: &str, open_files: u64) -> Option<Process> {
    // The name before it may contain spaces and brackets; the third field is the first one after it.
    let fields: Vec<&str> = own.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    let boot = all.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse::<u64>().ok()?;
    Some(Process {
        cpu_seconds: (field(14)? + field(15)?) as f64 / ticks,
        resident_bytes: field(24)? * rustix::param::page_size() as u64,
        open_files,
        started: boot as f64 + field(22)? as f64 / ticks,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_counted_after_a_name_that_may_hold_anything() {
        let fields: Vec<String> = (4..=52).map(|number| (number * 100).to_string()).collect();
        let own = format!("7 (a ) b) S {}\n", fields.join(" "));
        let process = of(&own, "cpu 1 2\nbtime 1000\n", 5).unwrap();
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        assert_eq!(process.cpu_seconds, 2_900.0 / ticks);
        assert_eq!(process.started, 1_000.0 + 2_200.0 / ticks);
        assert_eq!(process.resident_bytes, 2_400 * rustix::param::page_size() as u64);
        assert!(of("nothing", "", 0).is_none());
        assert!(now().unwrap().open_files > 2);
    }
}
