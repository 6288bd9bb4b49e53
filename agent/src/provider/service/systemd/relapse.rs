//! Services that fail again and again while systemd starts them: at a moment such a one may well be up. Whether a service stays
//! up that systemd has restarted is seen by watching it; one that nothing restarted lately costs a question.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::waiting::{Stopping, wait};
use super::{Bus, BusError, SERVICE_INTERFACE, UNIT_INTERFACE, Unit};
use crate::provider::service::unit::Activity;

/// How often they are looked at meanwhile.
const EVERY: Duration = Duration::from_millis(100);

/// So long a service must be up that systemd has restarted once: that may happen to any.
const AFTER_ONE: Duration = Duration::from_secs(10);

/// So long one must be up that systemd has restarted more often.
const AFTER_MORE: Duration = Duration::from_secs(60);

/// What came of watching.
#[derive(Debug, Default)]
pub struct Watched {
    /// Those that were watched.
    pub all: BTreeSet<String>,
    /// Those of them that failed again, and how often systemd has restarted each.
    pub again: Vec<(String, u32)>,
}

/// A service at a moment.
#[derive(Debug, Clone, Copy)]
struct Look {
    activity: Activity,
    /// How often systemd has restarted it since somebody last did.
    restarts: u32,
    /// How long it is up.
    up: Duration,
}

impl Look {
    /// Whether it has failed, and has not been up for long since.
    fn is_to_be_watched(&self) -> bool {
        let proof = if self.restarts > 1 { AFTER_MORE } else { AFTER_ONE };
        match self.activity {
            Activity::Restarting => true,
            Activity::Running | Activity::Starting => self.restarts > 0 && self.up < proof,
            Activity::Stopped | Activity::Stopping | Activity::Failed => false,
        }
    }

    /// Whether it has failed once more since then.
    fn has_failed_since(&self, first: &Self) -> bool {
        let failures = |look: &Self| {
            look.restarts + u32::from(matches!(look.activity, Activity::Restarting | Activity::Failed))
        };
        failures(self) > failures(first)
    }
}

impl Bus {
    /// Watches those of these services that systemd has restarted a short while ago, until each has been up for long enough or
    /// has failed again; for as long as `patience`, and not after the run is to stop.
    pub fn relapses(
        &self,
        services: &[Unit],
        patience: Duration,
        stopping: &Stopping<'_>,
    ) -> Result<Watched, BusError> {
        wait(&self.runtime, async {
            let mut watched = Watched::default();
            let mut open = Vec::new();
            for service in services {
                let first = self.look(service).await;
                if first.is_to_be_watched() {
                    watched.all.insert(service.name.clone());
                    open.push((service.clone(), first));
                }
            }
            let began = Instant::now();
            while !open.is_empty() && began.elapsed() < patience && stopping().is_none() {
                crate::at_hand::tell("watching services that systemd has restarted");
                tokio::time::sleep(EVERY).await;
                for (mut service, first) in std::mem::take(&mut open) {
                    service.activity = self.unit_async(&service.name).await?.activity;
                    let now = self.look(&service).await;
                    if now.has_failed_since(&first) {
                        watched.again.push((service.name, now.restarts));
                    } else if now.is_to_be_watched() {
                        open.push((service, first));
                    }
                }
            }
            Ok(watched)
        })
    }

    async fn look(&self, service: &Unit) -> Look {
        let restarts = self.property::<u32>(&service.object, SERVICE_INTERFACE, "NRestarts").await;
        let (activity, restarts) = (service.activity, restarts.unwrap_or_default());
        if restarts == 0 {
            return Look { activity, restarts, up: Duration::MAX };
        }
        let since = self.property::<u64>(&service.object, UNIT_INTERFACE, "ActiveEnterTimestamp").await;
        let now = u64::try_from(crate::clock::now().as_microsecond()).unwrap_or_default();
        let up = Duration::from_micros(now.saturating_sub(since.unwrap_or_default()));
        Look { activity, restarts, up }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(activity: Activity, restarts: u32, seconds: u64) -> Look {
        Look { activity, restarts, up: Duration::from_secs(seconds) }
    }

    #[test]
    fn only_what_was_restarted_a_short_while_ago_is_watched() {
        for (activity, restarts, seconds, is) in [
            (Activity::Running, 0, 0, false),
            (Activity::Running, 1, 9, true),
            (Activity::Running, 1, 10, false),
            (Activity::Running, 2, 59, true),
            (Activity::Running, 2, 60, false),
            (Activity::Starting, 1, 0, true),
            (Activity::Restarting, 0, 0, true),
            (Activity::Failed, 5, 0, false),
            (Activity::Stopped, 5, 0, false),
        ] {
            assert_eq!(
                look(activity, restarts, seconds).is_to_be_watched(),
                is,
                "{activity:?} {restarts} {seconds}"
            );
        }
    }

    #[test]
    fn what_fails_once_more_is_told_from_what_comes_up() {
        let (up, down) = (look(Activity::Running, 1, 1), look(Activity::Restarting, 1, 0));
        assert!(down.has_failed_since(&up), "it was up, and has failed");
        assert!(look(Activity::Running, 2, 0).has_failed_since(&up), "it was restarted between two looks");
        assert!(look(Activity::Failed, 1, 0).has_failed_since(&up), "systemd has given up");
        assert!(!look(Activity::Running, 2, 0).has_failed_since(&down), "that is the restart which was due");
        assert!(look(Activity::Restarting, 2, 0).has_failed_since(&down));
        assert!(!look(Activity::Running, 1, 30).has_failed_since(&up));
    }
}
