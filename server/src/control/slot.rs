//! When each node polls: each has its own slot in the interval, derived from its name, so that nodes never come all at
//! once.

use std::time::Duration;

use holdfast_catalog::certname::Certname;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// How long a node should wait until its next poll: until its next slot that is at least half an interval away.
pub fn next_run(certname: &Certname, interval: Duration, now: Timestamp) -> Duration {
    let interval = interval.as_millis().clamp(1, u64::MAX.into());
    let digest = Sha256::digest(certname.as_str());
    let hash = u64::from_be_bytes(digest[..8].try_into().unwrap_or_default());
    let slot = u128::from(hash) % interval;
    let passed = u128::from(now.as_millisecond().unsigned_abs()) % interval;
    let wait = (slot + interval - passed) % interval;
    let wait = if wait < interval / 2 { wait + interval } else { wait };
    Duration::from_millis(u64::try_from(wait).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(1800);
    const NOW: Timestamp = Timestamp::constant(1_800_000_123, 0);

    #[test]
    fn a_node_keeps_its_slot() {
        let name: Certname = "web1.acme.example".parse().unwrap();
        let first = NOW + next_run(&name, INTERVAL, NOW);
        assert_eq!(first + next_run(&name, INTERVAL, first), first + INTERVAL);
        let early = first - Duration::from_secs(30);
        assert_eq!(early + next_run(&name, INTERVAL, early), first + INTERVAL, "it does not come twice");
    }

    #[test]
    fn nodes_spread_over_the_interval() {
        let mut minutes = [0; 30];
        for node in 0..3000 {
            let name: Certname = format!("node{node}.example").parse().unwrap();
            let at = NOW + next_run(&name, INTERVAL, NOW);
            minutes[usize::try_from(at.as_second() % 1800 / 60).unwrap()] += 1;
        }
        assert!(minutes.iter().all(|count| (60..150).contains(count)), "{minutes:?}");
    }
}
