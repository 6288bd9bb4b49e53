//! Each node's own slot in time, so a fleet never acts all at once.

use std::time::Duration;

use holdfast_catalog::certname::Certname;
use sha2::{Digest as _, Sha256};

/// A number that is a node's own.
pub(crate) fn lot(certname: &Certname) -> u32 {
    let digest = Sha256::digest(certname.as_str());
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}

/// The time from `now` (since the epoch) to the node's next slot: there is one in each interval, always at the same
/// offset.
pub(crate) fn wait(certname: &Certname, interval: Duration, now: Duration) -> Duration {
    let interval_ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX).max(1);
    let place = u64::from(lot(certname)) * interval_ms / (u64::from(u32::MAX) + 1);
    let passed = u64::try_from(now.as_millis()).unwrap_or(0) % interval_ms;
    let wait = (place + interval_ms - passed) % interval_ms;
    Duration::from_millis(if wait == 0 { interval_ms } else { wait })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(i: u32) -> Certname {
        Certname::parse(&format!("web{i}.acme.example")).unwrap()
    }

    #[test]
    fn a_node_keeps_its_slot() {
        let interval = Duration::from_secs(1_800);
        let slot = |now: u64| {
            let now = Duration::from_secs(now);
            (now + wait(&name(1), interval, now)).as_millis() % interval.as_millis()
        };
        assert_eq!(slot(1_000_000), slot(1_234_567));
        assert!(wait(&name(1), interval, Duration::from_secs(77)) <= interval);
    }

    #[test]
    fn a_fleet_is_spread_over_the_interval() {
        let interval = Duration::from_secs(600);
        let mut tenths = [0; 10];
        for i in 0..1_000 {
            tenths[wait(&name(i), interval, Duration::ZERO).as_secs() as usize * 10 / 601] += 1;
        }
        assert!(tenths.iter().all(|n| (60..=140).contains(n)), "{tenths:?}");
    }
}
