//! Units that are only starting, as after a boot, or are not yet down. They are waited for, since others depend on
//! their final state.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::waiting::{Stopping, wait};
use super::{Bus, BusError, ListedUnit};

/// How often they are looked at while they are waited for.
const EVERY: Duration = Duration::from_millis(100);

impl Bus {
    /// Waits until none of these units is starting (`to_run`) or stopping (`to_stop`) any more. Returns those that
    /// still are after `patience`, or at a request to stop.
    pub fn settled(
        &self,
        to_run: &[&str],
        to_stop: &[&str],
        patience: Duration,
        stopping: &Stopping<'_>,
    ) -> Result<BTreeSet<String>, BusError> {
        wait(&self.runtime, async {
            let began = Instant::now();
            let names: Vec<&str> = to_run.iter().chain(to_stop).copied().collect();
            loop {
                let listed: Vec<ListedUnit> =
                    self.manager("ListUnitsByNames", "all units", &(&names,)).await?;
                // One for each name and in their order.
                let is_on_its_way = |at: usize, unit: &ListedUnit| match at < to_run.len() {
                    true => is_starting(&unit.3, &unit.4, &unit.8),
                    false => is_stopping(&unit.3, &unit.8),
                };
                let still: BTreeSet<String> = names
                    .iter()
                    .zip(&listed)
                    .enumerate()
                    .filter(|(at, (_, unit))| is_on_its_way(*at, unit))
                    .map(|(_, (name, _))| (*name).to_owned())
                    .collect();
                if still.is_empty() || began.elapsed() >= patience || stopping().is_some() {
                    return Ok(still);
                }
                crate::at_hand::tell("waiting for services that are starting or stopping");
                tokio::time::sleep(EVERY).await;
            }
        })
    }
}

impl Bus {
    /// Waits while units that match `pattern` are starting, until `patience` is over or the run must stop. Returns
    /// whether all have started, or `None` if there was no such unit.
    pub fn have_started(
        &self,
        pattern: &str,
        patience: Duration,
        stopping: &Stopping<'_>,
    ) -> Result<Option<bool>, BusError> {
        wait(&self.runtime, async {
            let began = Instant::now();
            let no_states: [&str; 0] = [];
            let mut was_one = false;
            loop {
                let asked = (&no_states[..], &[pattern][..]);
                let listed: Vec<ListedUnit> = self.manager("ListUnitsByPatterns", pattern, &asked).await?;
                if !listed.iter().any(|unit| is_starting(&unit.3, &unit.4, &unit.8)) {
                    return Ok(was_one.then_some(true));
                }
                was_one = true;
                if began.elapsed() >= patience || stopping().is_some() {
                    return Ok(Some(false));
                }
                tokio::time::sleep(EVERY).await;
            }
        })
    }
}

/// Whether a unit is starting, by `ActiveState`, `SubState` and the queued job. One that systemd restarts again and
/// again is not.
fn is_starting(active: &str, sub: &str, job: &str) -> bool {
    match active {
        "activating" => !sub.starts_with("auto-restart"),
        "inactive" => job == "start",
        _ => false,
    }
}

/// Whether a unit is stopping, by `ActiveState` and the queued job.
fn is_stopping(active: &str, job: &str) -> bool {
    active == "deactivating" || (active == "active" && job == "stop")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_up_or_fails_again_and_again_is_not_starting() {
        assert!(is_starting("activating", "start", "start") && is_starting("activating", "start-post", ""));
        assert!(is_starting("inactive", "dead", "start"), "its turn has not come yet");
        for (active, sub, job) in [
            ("active", "running", ""),
            ("activating", "auto-restart", ""),
            ("inactive", "dead", ""),
            ("inactive", "dead", "stop"),
            ("failed", "failed", ""),
        ] {
            assert!(!is_starting(active, sub, job), "{active} {sub} {job}");
        }
    }

    #[test]
    fn what_is_there_still_is_not_stopped() {
        assert!(is_stopping("deactivating", "stop") && is_stopping("deactivating", ""));
        assert!(is_stopping("active", "stop"), "its turn has not come yet");
        for (active, job) in [("active", ""), ("inactive", "stop"), ("failed", ""), ("activating", "start")] {
            assert!(!is_stopping(active, job), "{active} {job}");
        }
    }
}
