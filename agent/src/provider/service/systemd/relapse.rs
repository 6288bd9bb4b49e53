//! Services that fail again and again while systemd restarts them; at any given moment, such a service may be running.
//! Whether a service that systemd has restarted stays up is only seen by watching it. One that nothing restarted lately
//! costs a single query.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::waiting::{Stopping, wait};
use super::{Bus, BusError, SERVICE_INTERFACE, UNIT_INTERFACE, Unit};
use crate::provider::service::unit::UnitActivity;

/// How often they are looked at while they are watched.
const EVERY: Duration = Duration::from_millis(100);

/// How long a service must be up that systemd has restarted once: that may happen to any.
const AFTER_ONE: Duration = Duration::from_secs(10);

/// How long a service must be up that systemd has restarted more often.
const AFTER_MORE: Duration = Duration::from_secs(60);

/// The result of watching services.
#[derive(Debug, Default)]
pub struct WatchedServices {
    /// Those that were watched.
    pub all: BTreeSet<String>,
    /// Those that failed again, each with the number of times that systemd has restarted it.
    pub again: Vec<(String, u32)>,
    /// Those whose result was still open when the time was over.
    pub open: Vec<String>,
}

/// The state of a service at one moment.
#[derive(Debug, Clone, Copy)]
struct ServiceSample {
    activity: UnitActivity,
    /// How often systemd has restarted it since someone else last did.
    restarts: u32,
    /// How long it has been up.
    up: Duration,
}

impl ServiceSample {
    /// Whether it has failed, and has not been up for long since.
    fn is_to_be_watched(&self) -> bool {
        let proof = if self.restarts > 1 { AFTER_MORE } else { AFTER_ONE };
        match self.activity {
            UnitActivity::Restarting => true,
            UnitActivity::Running | UnitActivity::Starting => self.restarts > 0 && self.up < proof,
            UnitActivity::Stopped | UnitActivity::Stopping | UnitActivity::Failed => false,
        }
    }

    /// Whether it has failed once more since then.
    fn has_failed_since(&self, first: &Self) -> bool {
        let failures = |look: &Self| {
            look.restarts
                + u32::from(matches!(look.activity, UnitActivity::Restarting | UnitActivity::Failed))
        };
        failures(self) > failures(first)
    }
}

impl Bus {
    /// Watches those of these services that systemd has restarted a short while ago, until each has been up long enough
    /// or has failed again. That ends after `patience`, or with a request to stop.
    pub fn relapses(
        &self,
        services: &[Unit],
        patience: Duration,
        stopping: &Stopping<'_>,
    ) -> Result<WatchedServices, BusError> {
        wait(&self.runtime, async {
            let mut watched = WatchedServices::default();
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
            watched.open = open.into_iter().map(|(service, _)| service.name).collect();
            Ok(watched)
        })
    }

    async fn look(&self, service: &Unit) -> ServiceSample {
        let restarts = self.property::<u32>(&service.object, SERVICE_INTERFACE, "NRestarts").await;
        let (activity, restarts) = (service.activity, restarts.unwrap_or_default());
        if restarts == 0 {
            return ServiceSample { activity, restarts, up: Duration::MAX };
        }
        let since = self.property::<u64>(&service.object, UNIT_INTERFACE, "ActiveEnterTimestamp").await;
        let now = u64::try_from(crate::clock::now().as_microsecond()).unwrap_or_default();
        let up = Duration::from_micros(now.saturating_sub(since.unwrap_or_default()));
        ServiceSample { activity, restarts, up }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(activity: UnitActivity, restarts: u32, seconds: u64) -> ServiceSample {
        ServiceSample { activity, restarts, up: Duration::from_secs(seconds) }
    }

    #[test]
    fn only_what_was_restarted_a_short_while_ago_is_watched() {
        for (activity, restarts, seconds, is) in [
            (UnitActivity::Running, 0, 0, false),
            (UnitActivity::Running, 1, 9, true),
            (UnitActivity::Running, 1, 10, false),
            (UnitActivity::Running, 2, 59, true),
            (UnitActivity::Running, 2, 60, false),
            (UnitActivity::Starting, 1, 0, true),
            (UnitActivity::Restarting, 0, 0, true),
            (UnitActivity::Failed, 5, 0, false),
            (UnitActivity::Stopped, 5, 0, false),
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
        let (up, down) = (look(UnitActivity::Running, 1, 1), look(UnitActivity::Restarting, 1, 0));
        assert!(down.has_failed_since(&up), "it was up, and has failed");
        assert!(
            look(UnitActivity::Running, 2, 0).has_failed_since(&up),
            "it was restarted between two looks"
        );
        assert!(look(UnitActivity::Failed, 1, 0).has_failed_since(&up), "systemd has given up");
        assert!(
            !look(UnitActivity::Running, 2, 0).has_failed_since(&down),
            "that is the restart which was due"
        );
        assert!(look(UnitActivity::Restarting, 2, 0).has_failed_since(&down));
        assert!(!look(UnitActivity::Running, 1, 30).has_failed_since(&up));
    }
}
